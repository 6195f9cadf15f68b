package flow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDoc holds that the package comment says what each file is for.
func TestDoc(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file != "doc.go" && !strings.HasSuffix(file, "_test.go") && !strings.Contains(string(text), file) {
			t.Errorf("the package comment does not speak of %s", file)
		}
	}
}
