package services

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTable holds the ops and their arguments to the table in doc.go. A test of
// the Python side (functions/sdk/tests/test_ops.py) holds what it asks to the
// same.
func TestTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string][]string{}
	for _, m := range regexp.MustCompile(`(\w+) \{([\w ,:|]*)\}`).FindAllStringSubmatch(string(text), -1) {
		for argument := range strings.SplitSeq(m[2], ", ") {
			name, _, _ := strings.Cut(argument, ":")
			listed[m[1]] = append(listed[m[1]], name)
		}
		slices.Sort(listed[m[1]])
	}
	if got, want := slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(ops)); !slices.Equal(got, want) {
		t.Errorf("the table has\n%q, the code\n%q", got, want)
	}
	read := arguments(t)
	for op, want := range listed {
		if got := read[op]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the code reads %q, the table has %q", op, got, want)
		}
	}
}

// arguments gives what each op reads: the fields of the structs in its method,
// and in those that it calls.
func arguments(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "ops.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string]*ast.FuncDecl{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			methods[f.Name.Name] = f
		}
	}
	var fields func(f *ast.FuncDecl) []string
	fields = func(f *ast.FuncDecl) (found []string) {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				if n.Tag != nil {
					found = append(found, reflect.StructTag(strings.Trim(n.Tag.Value, "`")).Get("json"))
				}
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "c" && methods[s.Sel.Name] != nil {
						found = append(found, fields(methods[s.Sel.Name])...)
					}
				}
			}
			return true
		})
		return found
	}
	read := map[string][]string{}
	for op := range ops {
		var method string
		for i, part := range strings.Split(op, "_") {
			if i > 0 {
				part = strings.ToUpper(part[:1]) + part[1:]
			}
			method += part
		}
		if methods[method] == nil {
			t.Fatalf("the method of op %s is not called %s", op, method)
		}
		read[op] = fields(methods[method])
		slices.Sort(read[op])
	}
	return read
}
