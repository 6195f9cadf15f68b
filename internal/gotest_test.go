package internal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGotest runs the command that `make test` runs Go's tests by, with a go that
// prints what the case says: first the one, then the other.
func TestGotest(t *testing.T) {
	t.Parallel()
	const (
		ok       = "ok  \texample.com/a\t1.0s\n"
		detector = ok + "ThreadSanitizer: CHECK failed: tsan_rtl.cpp:346 \"((exiting\" (tid=1)\nFAIL\texample.com/b\t2.0s\nFAIL\n"
		race     = "WARNING: DATA RACE\n" + detector
		test     = "--- FAIL: TestB (0.00s)\nFAIL\nFAIL\texample.com/b\t2.0s\n"
		build    = "FAIL\texample.com/b [build failed]\n"
	)
	for name, c := range map[string]struct {
		first, then string
		want        int
		runs        []string
	}{
		"passes":                             {first: ok, runs: []string{"test -race ./..."}},
		"test fails":                         {first: ok + test, want: 1, runs: []string{"test -race ./..."}},
		"doesn't build":                      {first: ok + build, want: 1, runs: []string{"test -race ./..."}},
		"detector breaks down":               {first: detector, then: "ok  \texample.com/b\t2.0s\n", runs: []string{"test -race ./...", "test -race example.com/b"}},
		"breaks down twice":                  {first: detector, then: detector, want: 1, runs: []string{"test -race ./...", "test -race example.com/b"}},
		"then a test fails":                  {first: detector, then: test, want: 1, runs: []string{"test -race ./...", "test -race example.com/b"}},
		"breaks down after a race":           {first: ok + strings.Replace(race, ok, "", 1), want: 1, runs: []string{"test -race ./..."}},
		"breaks down, another package fails": {first: detector + strings.ReplaceAll(test, "/b", "/c"), want: 1, runs: []string{"test -race ./..."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string, mode os.FileMode) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
					t.Fatal(err)
				}
			}
			write("1", c.first, 0o600)
			write("2", c.then, 0o600)
			write("go", `#!/bin/sh
cd "`+dir+`"
echo "$*" >> runs
n=$(($(wc -l < runs)))
cat $n
! grep -q FAIL $n
`, 0o700)
			out, err := exec.Command("python3", "../.ci/gotest", filepath.Join(dir, "go"), "-race", "--", "./...").CombinedOutput()
			got := 0
			if exit, ok := err.(*exec.ExitError); ok {
				got = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("exit status %d, want %d:\n%s", got, c.want, out)
			}
			runs, err := os.ReadFile(filepath.Join(dir, "runs"))
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Join(c.runs, "\n") + "\n"; string(runs) != want {
				t.Errorf("ran\n%swant\n%s", runs, want)
			}
		})
	}
}
