package services

import (
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOps_Python: what the Python package asks for is there, and nothing is
// there that it never asks for.
func TestOps_Python(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	name := regexp.MustCompile(`"([a-z]+(?:_[a-z]+)*)"`)
	tree := os.DirFS("../../functions/sdk/sym")
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".py") || strings.HasSuffix(path, "testing.py") {
			return err
		}
		source, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		for _, found := range name.FindAllStringSubmatch(string(source), -1) {
			if _, ok := ops[found[1]]; ok {
				asked[found[1]] = true
			}
		}
		// Each call names its op as the first text behind ask or request.
		for _, call := range regexp.MustCompile(`(?s)\b(?:services\.ask|_lookup\.ask|\bask)\((?:[A-Za-z]+,\s*)?"([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
			if _, ok := ops[call[1]]; !ok {
				t.Errorf("%s asks for %q, which there is not", path, call[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(ops)), slices.Sorted(maps.Keys(asked))); diff != "" {
		t.Errorf("-there +asked for:\n%s", diff)
	}
}
