package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestPatterns compiles all patterns of the source, which are compiled at first use
// else, and finds those that are compiled at each start of a function in AWS.
func TestPatterns(t *testing.T) {
	t.Parallel()
	seen := 0
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isCallOf(call, "pattern", "Of") {
				return true
			}
			seen++
			text, ok := constant(call.Args[0])
			if !ok {
				t.Errorf("%s: a pattern is put together from more than constants, which no test can compile", path)
			} else if _, err := regexp.Compile(text); err != nil {
				t.Errorf("%s: %s", path, err)
			}
			return true
		})
		if onThisMachineOnly(path) {
			return nil
		}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok {
				ast.Inspect(d, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && isCallOf(call, "regexp", "MustCompile") {
						t.Errorf("%s: a pattern of a package is compiled at every start: use pattern.Of", path)
					}
					return true
				})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("%d patterns were found", seen)
	}
}

// onThisMachineOnly tells of files that no function in AWS has in it.
func onThisMachineOnly(path string) bool {
	for _, part := range strings.Split(filepath.ToSlash(filepath.Dir(path)), "/") {
		if strings.HasSuffix(part, "fake") || strings.HasSuffix(part, "test") || part == "slacksim" || part == "lambdahost" {
			return true
		}
	}
	return filepath.Dir(path) == "app"
}

func isCallOf(call *ast.CallExpr, pkg, name string) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != name {
		return false
	}
	x, ok := f.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// constant gives the text of an expression; what is named in it stands for any word.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.Ident:
		return "word", e.Obj == nil || e.Obj.Kind == ast.Con
	case *ast.BinaryExpr:
		x, ok := constant(e.X)
		y, too := constant(e.Y)
		return x + y, ok && too
	}
	return "", false
}
