package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// waits are the calls that depend on how long something takes, with the number
// of the argument that says how long it may; -1: there is none.
var waits = map[string]int{
	"time.Sleep": 0, "time.After": 0, "time.AfterFunc": 0, "time.NewTimer": 0, "time.NewTicker": 0, "time.Tick": 0,
	"context.WithTimeout": 1, "context.WithTimeoutCause": 1, "context.WithDeadline": 1, "context.WithDeadlineCause": 1,
	".SetDeadline": 0, ".SetReadDeadline": 0, ".SetWriteDeadline": 0,
	"runtime.Gosched": -1,
}

// boundFields are fields that bound something in real time.
var boundFields = []string{
	"http.Client.Timeout", "exec.Cmd.WaitDelay", "net.Dialer.Timeout",
	"core.AccessPorts.CallTimeout", "core.ApprovalPorts.FunctionTimeout",
}

// TestDeadlines finds tests and fakes that depend on how fast the machine is: that
// sleep, poll or bound a wait in time. A test waits for a signal, and no longer than
// deadline.LastResort; what is to be cut off is so by deadline.Bounds or
// deadline.Soon. A bubble of package synctest has a time of its own.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	seen := 0
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if slices.Contains([]string{"node_modules", "testdata", "cdk.out", ".git", ".local"}, e.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !isForTests(filepath.ToSlash(path)) {
			return nil
		}
		seen++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := boundsIn(path, source)
		for _, at := range found {
			t.Errorf("%s: it depends on how fast the machine is: wait for a signal, see internal/deadline", at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 100 {
		t.Fatalf("only %d files were looked at", seen)
	}
}

// isForTests tells whether a file is a test, or of a package that only tests use.
func isForTests(path string) bool {
	if !strings.HasSuffix(path, ".go") {
		return false
	}
	pkg := filepath.Base(filepath.Dir(path))
	return strings.HasSuffix(path, "_test.go") || strings.HasSuffix(pkg, "test") || pkg == "slacksim"
}

// boundsIn finds the places in a file that wait in real time.
func boundsIn(path string, source []byte) (found []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	text := func(n ast.Node) string {
		return string(source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
	}
	add := func(n ast.Node, what string) {
		found = append(found, fmt.Sprintf("%s: %s", files.Position(n.Pos()), what))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			called, ok := n.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if text(called) == "synctest.Test" {
				return false
			}
			bound, ok := waits[text(called)]
			if !ok {
				bound, ok = waits["."+called.Sel.Name]
			}
			if ok && (bound < 0 || !isHarmless(text(n.Args[bound]))) {
				add(n, text(called))
			}
		case *ast.CompositeLit:
			for _, element := range n.Elts {
				field, ok := element.(*ast.KeyValueExpr)
				if ok && n.Type != nil && slices.Contains(boundFields, text(n.Type)+"."+text(field.Key)) && !isHarmless(text(field.Value)) {
					add(field, text(n.Type)+"."+text(field.Key))
				}
			}
		}
		return true
	})
	return found, nil
}

// isHarmless tells whether a bound is the one of all tests, one that a test counts
// from a clock of its own, or one that is over before it begins.
func isHarmless(bound string) bool {
	return strings.Contains(bound, "deadline.LastResort") || strings.HasPrefix(bound, "clock.Now()") || bound == "time.Time{}"
}

func TestDeadlines_Finds(t *testing.T) {
	t.Parallel()
	const head = "package p\n\nfunc f() {\n\t"
	for code, want := range map[string]bool{
		"time.Sleep(time.Hour)":                           true,
		"<-time.After(5 * time.Second)":                   true,
		"context.WithTimeout(ctx, patience)":              true,
		"conn.SetReadDeadline(time.Now().Add(time.Hour))": true,
		"runtime.Gosched()":                               true,
		"_ = http.Client{Timeout: time.Second}":           true,
		"clock.After(5 * time.Second)":                    false,
		"context.WithTimeout(ctx, deadline.LastResort)":   false,
		"context.WithDeadline(ctx, time.Time{})":          false,
		"synctest.Test(t, func() { time.Sleep(1) })":      false,
	} {
		found, err := boundsIn("f.go", []byte(head+code+"\n}\n"))
		if err != nil || (len(found) == 1) != want {
			t.Errorf("%s: found %q, %v", code, found, err)
		}
	}
}
