package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// TestEventKeys holds that the keys of events' fields are spelled in one place.
// Short ones are words of other meanings too, so they count where they stand as
// a key only.
func TestEventKeys(t *testing.T) {
	t.Parallel()
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "flow/event.go" {
			return err
		}
		seen++
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found := func(e ast.Expr, word func(string) bool) {
			text, ok := e.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return
			}
			if s, err := strconv.Unquote(text.Value); err == nil && slices.Contains(flow.EventKeys, s) && word(s) {
				t.Errorf("%s: write the constant of internal/flow for %s", files.Position(text.Pos()), text.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			short := func(s string) bool { return !strings.Contains(s, "_") }
			switch n := n.(type) {
			case *ast.BasicLit:
				found(n, func(s string) bool { return !short(s) })
			case *ast.IndexExpr:
				found(n.Index, short)
			case *ast.KeyValueExpr:
				found(n.Key, short)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 100 {
		t.Fatalf("only %d files were looked at", seen)
	}
}
