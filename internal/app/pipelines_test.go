package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
)

// job is a pipeline's, as its system runs it.
type job struct {
	scripts []string // in order; the last one runs however the others went
	shell   []string
	env     map[string]string
	// between is what the system does between two scripts.
	between func(t *testing.T, dir, script string) string
}

// strict reads YAML that has nothing but what the type knows.
func strict(t *testing.T, file string, into any) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// githubExpression is what GitHub Actions puts a value for.
var githubExpression = regexp.MustCompile(`\$\{\{ (.*?) \}\}`)

func githubActions(t *testing.T, file string) job {
	var doc struct {
		Name        string
		On          map[string]map[string][]string
		Permissions map[string]string
		Env         map[string]string
		Jobs        map[string]struct {
			RunsOn         string `yaml:"runs-on"`
			TimeoutMinutes int    `yaml:"timeout-minutes"`
			Steps          []struct {
				Name, ID, Run, If string
				Env               map[string]string
			}
		}
	}
	strict(t, file, &doc)
	if doc.Env["SYM_API_URL"] != "${{ vars.SYM_API_URL }}" || doc.Env["SYM_JWT"] != "${{ secrets.SYM_JWT }}" || doc.On["push"] == nil {
		t.Errorf("%s does not say where the deployment and the token are: %v", file, doc.Env)
	}
	j := job{
		shell: []string{"bash", "-e", "-c"}, // the default, where a step names no shell
		env:   map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_SHA": "0b1c2d", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1"},
	}
	for _, s := range doc.Jobs["deploy"].Steps {
		script := s.Run
		for name, value := range s.Env {
			script = name + "='" + value + "'\n" + script
		}
		j.scripts = append(j.scripts, script)
	}
	last := doc.Jobs["deploy"].Steps[len(doc.Jobs["deploy"].Steps)-1]
	if last.If != "${{ always() && steps.access.outputs.run }}" {
		t.Errorf("%s: the last step runs if %s", file, last.If)
	}
	j.between = func(t *testing.T, dir, script string) string {
		outputs, err := os.ReadFile(filepath.Join(dir, "outputs"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return githubExpression.ReplaceAllStringFunc(script, func(expression string) string {
			name, ok := strings.CutPrefix(githubExpression.FindStringSubmatch(expression)[1], "steps.access.outputs.")
			for line := range strings.Lines(string(outputs)) {
				if known, value, _ := strings.Cut(strings.TrimSpace(line), "="); ok && known == name {
					return value
				}
			}
			t.Errorf("no step has put out %s: %s", expression, outputs)
			return ""
		})
	}
	return j
}

func gitlab(t *testing.T, file string) job {
	var doc struct {
		Stages []string
		Deploy struct {
			Stage, Timeout string
			Rules          []map[string]string
			Script         []string
			AfterScript    []string `yaml:"after_script"`
		}
	}
	strict(t, file, &doc)
	// The lines of script are one shell's, those of after_script another's.
	return job{
		scripts: []string{strings.Join(doc.Deploy.Script, "\n"), strings.Join(doc.Deploy.AfterScript, "\n")},
		shell:   []string{"bash", "-eo", "pipefail", "-c"},
		env:     map[string]string{"CI_PROJECT_PATH": "acme/shop", "CI_COMMIT_SHA": "0b1c2d", "CI_JOB_ID": "7"},
	}
}

func circleCI(t *testing.T, file string) job {
	var doc struct {
		Version float64
		Jobs    map[string]struct {
			Machine       bool
			ResourceClass string `yaml:"resource_class"`
			Steps         []struct {
				Run struct {
					Name, Command, When string
					NoOutputTimeout     string `yaml:"no_output_timeout"`
				}
			}
		}
		Workflows map[string]any
	}
	strict(t, file, &doc)
	j := job{
		shell: []string{"bash", "-eo", "pipefail", "-c"},
		env:   map[string]string{"CIRCLE_PROJECT_REPONAME": "shop", "CIRCLE_SHA1": "0b1c2d", "CIRCLE_WORKFLOW_JOB_ID": "7"},
	}
	steps := doc.Jobs["deploy"].Steps
	for _, s := range steps {
		j.scripts = append(j.scripts, s.Run.Command)
	}
	if steps[len(steps)-1].Run.When != "always" {
		t.Errorf("%s: the last step does not always run", file)
	}
	return j
}

// TestPipelines runs the jobs of docs/examples/pipelines as they are written, with the
// binary of make client, against a product with the repository's flows; once with an
// approval for each request, and once with a denial.
func TestPipelines(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "symflows"), "./functions/client")
	build.Dir, build.Env = repository, append(os.Environ(), "CGO_ENABLED=0") // as make client does
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	folder := filepath.Join(repository, "docs/examples/pipelines")
	for file, read := range map[string]func(*testing.T, string) job{
		"github-actions.yml": githubActions, "gitlab-ci.yml": gitlab, "circleci.yml": circleCI,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			j := read(t, filepath.Join(folder, file))
			p := newProduct(t.TempDir(), repository)
			if err := p.start(options([]string{"flows=" + filepath.Join(repository, "flows")})); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := p.stop(); err != nil {
					t.Error(err)
				}
			})
			for _, tc := range []struct {
				button string
				status int // of the first script that fails; 0: none does
				runs   map[string]flow.Status
			}{
				{"Approve", 0, map[string]flow.Status{"ci-gate": flow.Approved, "prod-access": flow.Deescalated}},
				{"Deny", 3, map[string]flow.Status{"ci-gate": flow.Denied}},
			} {
				j.env["GITHUB_RUN_ID"], j.env["CI_JOB_ID"], j.env["CIRCLE_WORKFLOW_JOB_ID"] = tc.button, tc.button, tc.button
				if status := j.run(t, p, bin, tc.button); status != tc.status {
					t.Errorf("%s: the job ends with %d, want %d", tc.button, status, tc.status)
				}
				if err := p.settle(); err != nil {
					t.Fatal(err)
				}
				known := len(p.runs)
				if err := p.meet(); err != nil {
					t.Fatal(err)
				}
				got := map[string]flow.Status{}
				for _, id := range p.runs[known:] {
					r, err := p.local.Runs.Get(t.Context(), id)
					if err != nil {
						t.Fatal(err)
					}
					got[r.Flow] = r.Status
				}
				if len(got) != len(tc.runs) || got["ci-gate"] != tc.runs["ci-gate"] || got["prod-access"] != tc.runs["prod-access"] {
					t.Errorf("%s: there are %v, want %v", tc.button, got, tc.runs)
				}
			}
		})
	}
}

// run runs a job in a folder of its own, while Bob presses a button for each request
// that the job looks after. It returns the status of the first script that fails.
func (j job) run(t *testing.T, p *product, bin, button string) (status int) {
	t.Helper()
	token, err := os.ReadFile(p.path("data/token"))
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, looks := strings.CutPrefix(r.URL.Path, "/api/v1/runs/"); looks && r.Method == http.MethodGet {
			j.decide(t, p, id, button)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer between.Close()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), deadline.LastResort)
	defer cancel()
	for i, script := range j.scripts {
		always := i == len(j.scripts)-1
		if status != 0 && !always {
			continue
		}
		if j.between != nil {
			if status != 0 {
				continue // what its condition asks for is not there
			}
			script = j.between(t, dir, script)
		}
		cmd := exec.CommandContext(ctx, j.shell[0], append(j.shell[1:len(j.shell):len(j.shell)], script)...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "GITHUB_OUTPUT=" + filepath.Join(dir, "outputs"), "SYM_API_URL=" + between.URL, "SYM_JWT=" + string(token)}
		for name, value := range j.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), string(token)) {
			t.Errorf("the job's log has the token: %s", out)
		}
		if err != nil && status == 0 {
			t.Logf("%s\n%s", script, out)
			status = cmd.ProcessState.ExitCode()
		}
	}
	return status
}

// decide presses the button for a run, once its people have been asked.
func (j job) decide(t *testing.T, p *product, id, button string) {
	if err := p.settle(); err != nil {
		t.Error(err)
		return
	}
	r, err := p.local.Runs.Get(t.Context(), id)
	if err != nil || r.Status != flow.Requested {
		return // which the job is told of
	}
	// In a message, the run is called by its short id.
	err = onMessage(p, p.local.Slack.As("bob"), []string{id}, func(ts string) error { return p.local.Slack.As("bob").Click(ts, button) })
	if err != nil {
		t.Errorf("press %s: %v", button, err)
		return
	}
	if err := p.settle(); err != nil {
		t.Error(err)
	}
}
