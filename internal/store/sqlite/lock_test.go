package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "here")
	for range 2 {
		release, err := Lock(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Lock(dir)
		if flow.CodeOf(err) != flow.CodeDataDir || !strings.Contains(flow.UserMessage(err), dir) {
			t.Errorf("second lock: %v, want an error that names the directory", err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLock_NoDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(file); flow.CodeOf(err) != flow.CodeDataDir || !strings.Contains(flow.UserMessage(err), file) {
		t.Errorf("lock: %v, want an error that names the directory", err)
	}
}
