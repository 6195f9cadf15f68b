package app

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/symflows/symflows/internal/deadline"
)

var update = flag.Bool("update", false, "rewrite the texts that scripts compare with")

// TestScripts runs the scripts of testdata/script, each against a whole
// product of its own. The README there says what they may do.
func TestScripts(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]func(*testscript.TestScript, bool, []string){}
	for name, do := range verbs {
		commands[name] = command(do)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, Cmds: commands,
		Setup: func(env *testscript.Env) error {
			env.Setenv("REPOSITORY", repository)
			env.Setenv("SYM_PATIENCE", deadline.LastResort.String()) // for those that read settings
			p := newProduct(env.WorkDir, repository)
			env.Values[productKey{}] = p
			env.Defer(func() {
				if err := p.stop(); err != nil {
					t.Errorf("%s: %v", env.WorkDir, err)
				}
			})
			return environment(filepath.Join(env.WorkDir, "flows", "environment.yaml"))
		},
	})
}

type productKey struct{}

// environment gives a script the environment that all share, unless it has one.
func environment(file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	b, err := os.ReadFile("testdata/script/environment.yaml")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

// verb is a command of the scripts. What it gives is the command's standard
// output; its error goes to standard error, and fails the script unless the
// line begins with "!".
type verb func(p *product, ts *testscript.TestScript, args []string) (string, error)

func command(do verb) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		p := ts.Value(productKey{}).(*product)
		out, err := do(p, ts, args)
		ts.Check(p.meet())
		if _, err := io.WriteString(ts.Stdout(), p.named(out)); err != nil {
			ts.Fatalf("%v", err)
		}
		if err != nil {
			fmt.Fprintln(ts.Stderr(), p.named(err.Error()))
		}
		switch {
		case err != nil && !neg:
			ts.Fatalf("%s", p.named(err.Error()))
		case err == nil && neg:
			ts.Fatalf("this should have failed, and did not")
		}
	}
}
