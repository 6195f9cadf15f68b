package app

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestPolicyGuide does what docs/policy.md says, with the repository's own flows: what it
// shows is what the commands print, its cases hold, and its pipeline tells of a pull request
// what it lets happen.
func TestPolicyGuide(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	guide := readFile(t, filepath.Join(repository, "docs/policy.md"))
	data := t.TempDir()
	fenced := func(of, kind string) []string {
		var list []string
		for _, b := range regexp.MustCompile("(?ms)^ *```"+kind+"\n(.*?)^ *```").FindAllStringSubmatch(section(t, guide, of), -1) {
			list = append(list, b[1])
		}
		return list
	}

	t.Run("explain", func(t *testing.T) {
		t.Parallel()
		command := strings.TrimPrefix(blockCommands(fenced("Explain a request", "sh")[0])[0], "go run ./functions/local ")
		out, err := runAsWritten(t, command, repository, data)
		if err != nil {
			t.Fatal(err)
		}
		// What the guide leaves out is dots.
		shown := fenced("Explain a request", "text")[0]
		pattern := strings.ReplaceAll(regexp.QuoteMeta(shown), "…", ".*")
		if !regexp.MustCompile("^" + pattern + "$").MatchString(out) {
			t.Errorf("the guide shows\n%s\nand the command prints\n%s", shown, out)
		}
	})

	cases := fenced("Test a flow", "yaml")[0]
	check := func(t *testing.T, policy string) (string, error) {
		t.Helper()
		flows := filepath.Join(t.TempDir(), "flows")
		if err := os.CopyFS(flows, os.DirFS(filepath.Join(repository, "flows"))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(flows, "prod-access.policy.yaml"), []byte(policy), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := Main(t.Context(), []string{"check", "-policy", "-flows", flows, "-data", t.TempDir()}, func(string) string { return "" }, &out, &out)
		if err != nil {
			out.WriteString(strings.ReplaceAll(err.Error(), flows, "flows"))
		}
		return out.String(), err
	}
	t.Run("cases", func(t *testing.T) {
		t.Parallel()
		if out, err := check(t, cases); err != nil {
			t.Errorf("the cases of the guide do not hold: %s", out)
		}
	})
	t.Run("faults", func(t *testing.T) {
		t.Parallel()
		own := readFile(t, filepath.Join(repository, "flows/prod-access.policy.yaml"))
		wrong := strings.Replace(strings.Replace(own, "outcome: asked", "outcome: denied", 1), "longest: 10m", "longest: 5m", 1)
		out, err := check(t, wrong)
		if shown := fenced("Test a flow", "text")[0]; err == nil || !strings.Contains(out, strings.TrimSpace(shown)) {
			t.Errorf("the guide shows\n%s\nand the command says\n%s", shown, out)
		}
	})
	t.Run("pipeline", func(t *testing.T) {
		t.Parallel()
		pipeline(t, repository, fenced("From a flow to its pull request", "yaml")[0])
	})
}

// pipeline runs the steps of the guide's workflow on two pull requests, one of which lets
// more happen.
func pipeline(t *testing.T, repository, text string) {
	t.Helper()
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	steps := workflow.Jobs["policy"].Steps
	for name, c := range map[string]struct {
		from, to string
		wants    []string // of what GitHub is told
	}{
		"wider":    {"allowed_values: [30s, 10m, 1h]", "allowed_values: [30s, 10m, 1h, 8h]", []string{"pr comment 7 --edit-last --create-if-none --body-file diff.md", "pr edit 7 --add-label wider"}},
		"narrower": {"allowed_values: [30s, 10m, 1h]", "allowed_values: [30s, 1h]", []string{"pr comment 7 --edit-last --create-if-none --body-file diff.md"}},
	} {
		t.Run(name, func(t *testing.T) {
			flows := committedFlows(t, repository)
			dir := filepath.Dir(flows)
			if err := os.Symlink(filepath.Join(repository, "functions"), filepath.Join(dir, "functions")); err != nil { // of the same repository
				t.Fatal(err)
			}
			file := filepath.Join(flows, "prod-access.yaml")
			if err := os.WriteFile(file, []byte(strings.Replace(readFile(t, file), c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if name == "narrower" { // what its own cases ask for is not there any more
				if err := os.Remove(filepath.Join(flows, "prod-access.policy.yaml")); err != nil {
					t.Fatal(err)
				}
			}
			bin := t.TempDir()
			gh := "#!/bin/sh\necho \"$*\" >> \"$CALLS\"\n"
			if err := os.WriteFile(filepath.Join(bin, "gh"), []byte(gh), 0o700); err != nil {
				t.Fatal(err)
			}
			calls := filepath.Join(bin, "calls")
			for _, step := range steps {
				if step.Run == "" {
					continue // of GitHub's own
				}
				cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", step.Run)
				cmd.Dir = dir
				if strings.HasPrefix(step.Run, "go build ") {
					cmd.Dir = repository
					cmd.Args[3] = strings.Replace(step.Run, "-o local ", "-o "+filepath.Join(dir, "local")+" ", 1)
				}
				cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CALLS="+calls, "PR=7", "BASE=main")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", step.Run, err, out)
				}
			}
			got := strings.Split(strings.TrimSpace(readFile(t, calls)), "\n")
			if !slices.Equal(got, c.wants) {
				t.Errorf("GitHub is told %q", got)
			}
			said := readFile(t, filepath.Join(dir, "diff.md"))
			if name == "wider" != strings.Contains(said, "8h") || !strings.Contains(said, "prod-access") {
				t.Errorf("the comment is\n%s", said)
			}
		})
	}
}
