package app

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	shellBlock = regexp.MustCompile("(?ms)^ *```(?:sh|bash)\n(.*?)^ *```")
	// ourCommand matches a command of this repository's in running text.
	ourCommand = regexp.MustCompile("`(go run \\./functions/local[^`\n]*)`")
)

// guideCommands are what commands of the guides begin with, and why no test runs them
// as they stand. Those of run are run.
var (
	run      = []string{"try ", "explain -flow", "check", "diff ", "drift", "identity list", "user list", "slack-manifest", "report ", "erase -pending", "destinations"}
	ownTests = map[string]string{
		"check -url ": "the script broken", "config export": "the script moving", "config import": "the script moving", "token create": "TestTokenCommand, TestAgentsGuide and the scripts", "identity set": "people_test.go", "targets ": "targets_test.go, with each system's fake",
		"standing confirm": "the script standing", "doctor": "doctor_test.go", "explain -run": "the script explain", "-owner ": "the script token-owner", "-flows my-flows": "the tests of the examples",
		"destinations replay": "destinations_test.go", "redrive": "recover_test.go", "recover ": "the script recover, and recover_test.go", "request ": "TestAgentsGuide", "list": "TestAgentsGuide", "end RUN": "TestAgentsGuide", "runs": "the script runs", "erase alice": "the script erase", "erase -pending -outputs": "erase_test.go", "audit ": "the script audit-log, and verify_test.go",
	}
	outside = map[string]string{
		"make ": "targets of the Makefile, which CI runs", "curl ": "internal/api/docs_test.go, and TestReadme", "export ": "of the shell", "read ": "of the shell", "npx cdk ": "needs an account of AWS",
		"aws ": "needs an account of AWS", "gcloud ": "needs an account of Google's", "git worktree ": "needs a pull request", "cp -r ": "of the shell", "cp cdk.out/": "of the shell", "cp .local/": "of the shell",
		"printf ": "of the shell", "rm ": "of the shell", "zcat ": "needs records, and jq or Python", "cat ": "of the shell", "mkdir ": "of the shell", "cd ": "of the shell",
		"for ": "Python, behind zcat", "git ": "of the shell", "sh ": "scripts of CI", "npm ": "the tests' own tools", "python3 ": "the tests of make test", "go test": "the tests themselves", "go tool": "make lint", "go mod": "make lint",
	}
)

// TestGuideCommands runs the commands of the guides as they are written. One that is
// not run has a reason; one that is neither is new, and needs one.
func TestGuideCommands(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pages := []string{filepath.Join(repository, "README.md"), filepath.Join(repository, "CONTRIBUTING.md")}
	for _, pattern := range []string{"docs/*.md", "docs/examples/*.md", "docs/examples/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	p := ownFlows(t)
	if err := p.stop(); err != nil { // commands beside look at its data
		t.Fatal(err)
	}
	ran := 0
	for _, page := range pages {
		text := readFile(t, page)
		var commands []string
		for _, b := range shellBlock.FindAllStringSubmatch(text, -1) {
			commands = append(commands, blockCommands(b[1])...)
		}
		for _, c := range ourCommand.FindAllStringSubmatch(text, -1) {
			commands = append(commands, c[1])
		}
		for _, command := range commands {
			line, ours := strings.CutPrefix(command, "go run ./functions/local")
			line = strings.TrimSpace(line)
			begins := func(with string) bool { return strings.HasPrefix(line, with) }
			switch {
			case !ours && slices.ContainsFunc(keys(outside), begins), ours && slices.ContainsFunc(keys(ownTests), begins), ours && line == "":
			case ours && slices.ContainsFunc(run, begins):
				ran++
				if out, err := runAsWritten(t, line, repository, p.path("data")); err != nil {
					t.Errorf("%s: %s\nfails: %v\n%s", page, command, err, out)
				}
			default:
				t.Errorf("%s has a command that no test runs, and no reason for that: %s", page, command)
			}
		}
	}
	if ran < 5 {
		t.Errorf("only %d commands were run", ran)
	}
}

func keys(m map[string]string) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

// blockCommands splits a block into its commands: lines that go on, within quotes or
// behind a backslash, are one.
func blockCommands(block string) (commands []string) {
	open := false
	for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
		line = strings.TrimRight(line, "\n")
		if first := strings.TrimSpace(line); !open && (first == "" || strings.HasPrefix(first, "#")) {
			continue
		}
		if open {
			commands[len(commands)-1] += "\n" + line
		} else if strings.HasPrefix(line, "  ") && len(commands) > 0 && !strings.HasPrefix(block, " ") {
			commands[len(commands)-1] += "\n" + line
		} else {
			commands = append(commands, strings.TrimSpace(line))
		}
		open = strings.Count(commands[len(commands)-1], "'")%2 == 1
	}
	return commands
}

// runAsWritten runs a command of ours with the words that a shell makes of it, with
// the repository's flows and a data directory of the test's.
func runAsWritten(t *testing.T, line, repository, data string) (string, error) {
	t.Helper()
	words, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\0' `+line).Output()
	if err != nil {
		return "", err
	}
	args := strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00")
	if i := slices.Index(args, "-directory"); i >= 0 {
		args[i+1] = filepath.Join(repository, args[i+1])
	}
	flows := []string{"-flows", filepath.Join(repository, "flows")}
	switch args[0] {
	case "try":
		args = append(args, flows...)
	case "explain":
		args = append(append(args, flows...), "-data", data)
	case "diff":
		args = append(args, "-flows", committedFlows(t, repository), "-data", data)
	case "check":
		if args = append(args, flows...); !slices.Contains(args, "-static") {
			args = append(args, "-data", data)
		}
	case "drift", "identity", "user", "report", "erase", "destinations":
		args = append(args, "-data", data)
	}
	var out bytes.Buffer
	err = Main(t.Context(), args, func(name string) string {
		if name == "PATH" {
			return os.Getenv(name)
		}
		return ""
	}, &out, io.Discard)
	if errors.Is(err, widened{}) { // what is published by the test is another flow
		err = nil
	}
	return out.String(), err
}

// committedFlows gives a copy of the repository's flows that is committed, on a branch
// origin/main.
func committedFlows(t *testing.T, repository string) string {
	t.Helper()
	dir := t.TempDir()
	flows := filepath.Join(dir, "flows")
	if err := os.CopyFS(flows, os.DirFS(filepath.Join(repository, "flows"))); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "flows"},
		{"-c", "user.name=Lead", "-c", "user.email=lead@example.com", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "flows"},
		{"update-ref", "refs/remotes/origin/main", "HEAD"},
	} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	return flows
}
