package app

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/terminal"
)

// TestDiffDeployed: the versions that are compared with may be those of a deployment in
// AWS. (The environment is the test's.)
func TestDiffDeployed(t *testing.T) {
	table := dynamotest.Start(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": table.URL(), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	outputs := filepath.Join(t.TempDir(), "outputs.json")
	if err := os.WriteFile(outputs, []byte(`{"sym-flows": {"TableName": "`+dynamotest.TableName+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const dir = "../../flows"
	configured, report := catalog.Load(dir, "sym", builtin.Types())
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	flows := &store.Flows{Store: dynamo.New(table.Config(), dynamotest.TableName, time.Now)}
	publish := func() {
		t.Helper()
		if _, err := flows.Publish(t.Context(), flow.Author{}, configured.Flows); err != nil {
			t.Fatal(err)
		}
	}
	publish() // 1.0.1, as it is in the folder
	for _, f := range configured.Flows {
		if f.Name == "prod-access" {
			f.Params.Approval.Required = 2
		}
	}
	publish() // and 1.0.2 of that one
	// What the configuration API owns is in no folder: it is compared with what it is now.
	own := *configured.Flows[0]
	own.Name, own.Params.Approval.Required = "own", 3
	for _, required := range []int{3, 1} {
		own.Params.Approval.Required = required
		if _, err := flows.PublishOwned(t.Context(), flow.Author{}, entity.API, []*flow.Flow{&own}); err != nil {
			t.Fatal(err)
		}
	}
	for base, want := range map[string]string{
		"1.0.1":  "own (against 1.0.1)\n  wider: fewer people have to approve: 1 instead of 3\n1 thing gets wider.",
		"latest": "prod-access (against 1.0.2)\n  wider: fewer people have to approve: 1 instead of 2\n1 thing gets wider.",
	} {
		var out bytes.Buffer
		err := Main(t.Context(), []string{"diff", "-base", base, "-flows", dir, "-outputs", outputs}, func(string) string { return "" }, &out, io.Discard)
		if strings.TrimSpace(out.String()) != want || errors.Is(err, widened{}) != strings.Contains(want, "wider") {
			t.Errorf("against %s: %v\n%s", base, err, out.String())
		}
	}
}

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
