package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestLint: CloudFormation's linter finds nothing in the template, with no option and
// with every one, and in the one by which what a deleted stack has left is imported.
// The linter (cfn-lint, in Python) has to be there in CI; elsewhere, where it is not
// installed, the rules of cdk-nag and of the other tests have to do.
func TestLint(t *testing.T) {
	t.Parallel()
	linter, err := exec.LookPath("cfn-lint")
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal("cfn-lint is not installed: see .ci/run")
	case err != nil:
		t.Log("cfn-lint is not installed")
		return
	}
	made := wholeTemplate(t)
	s, err := readSynthesized(made.dir)
	if err != nil {
		t.Fatal(err)
	}
	body, err := s.written.importing(map[string]any{"Options": map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	imported := filepath.Join(t.TempDir(), "import.template.json")
	if err := os.WriteFile(imported, body, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--regions", "us-east-1", "--non-zero-exit-code", "informational", "--template", imported}
	for _, made := range []template{standard(t), made} {
		files, err := filepath.Glob(filepath.Join(made.dir, "*.template.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%q: %v", files, err)
		}
		args = append(args, files...)
	}
	if out, err := exec.CommandContext(t.Context(), linter, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
