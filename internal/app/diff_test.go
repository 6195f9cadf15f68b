package app

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/symflows/symflows/internal/terminal"
)

// TestWidenedStatus: pipelines know by the status of diff that something gets wider.
func TestWidenedStatus(t *testing.T) {
	t.Parallel()
	if got := terminal.ExitStatus(widened{}); got != 3 {
		t.Errorf("the status is %d", got)
	}
}

// TestUnpackTar: an archive writes files into its folder, no links, and nothing outside.
func TestUnpackTar(t *testing.T) {
	t.Parallel()
	archive := func(headers ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if h.Typeflag == tar.TypeReg {
				h.Size = 1
			}
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeReg {
				if _, err := w.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	outside := t.TempDir()
	dir := filepath.Join(outside, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := unpackTar(archive(
		tar.Header{Typeflag: tar.TypeDir, Name: "below/", Mode: 0o700}, tar.Header{Typeflag: tar.TypeReg, Name: "below/a", Mode: 0o600},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc/passwd"},
	), dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "below", "a")); err != nil || string(b) != "x" {
		t.Errorf("below/a: %q, %v", b, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "link")); err == nil {
		t.Error("a link was made")
	}
	if err := unpackTar(archive(tar.Header{Typeflag: tar.TypeReg, Name: "../out", Mode: 0o600}), dir); err == nil {
		t.Error("a file outside was written without an error")
	}
	if _, err := os.Stat(filepath.Join(outside, "out")); err == nil {
		t.Error("a file outside was written")
	}
}
