package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { os.Exit(contained(m.Run)) }

// template is what CloudFormation gets.
type template struct {
	Resources map[string]resource
	Outputs   map[string]struct{ Value any }
	Metadata  map[string]any

	dir      string // where it was written
	manifest string
	notes    map[string][]note
}

// note is what the CDK says of a resource, by its path.
type note struct {
	Type string
	Data any
}

type resource struct {
	Type                                string
	Properties                          map[string]any
	DependsOn                           []string
	DeletionPolicy, UpdateReplacePolicy string
	Metadata                            map[string]any
}

// standInCode takes the place of built functions: each is a text.
func standInCode(options) (string, error) {
	dir, err := os.MkdirTemp("", "stand-in-")
	for _, name := range functionNames {
		if err == nil {
			err = os.Mkdir(code(dir, name), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(code(dir, name), "bootstrap"), []byte(name), 0o755)
		}
	}
	return dir, err
}

// jsiiTurn is held by the test that synthesizes: jsii is for one at a time.
var jsiiTurn sync.Mutex

// synthesizeInto writes the template of a context, on top of the tests' own
// flows, to a folder.
func synthesizeInto(dir string, context map[string]any, build func(options) (string, error)) (template, error) {
	jsiiTurn.Lock()
	defer jsiiTurn.Unlock()
	all := map[string]any{"flows": filepath.Join("testdata", "flows"), "aws:cdk:enable-path-metadata": true} // the latter as the CLI does
	maps.Copy(all, context)
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(dir), Context: &all})
	if err := synth(app, build); err != nil {
		return template{}, err
	}
	return read(dir)
}

// read reads the one stack of a folder.
func read(dir string) (template, error) {
	made := template{dir: dir}
	for pattern, v := range map[string]any{"*.template.json": &made, "*.metadata.json": &made.notes} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) != 1 {
			return made, fmt.Errorf("%d files %s, %v", len(files), pattern, err)
		}
		b, err := os.ReadFile(files[0])
		if err == nil {
			err = json.Unmarshal(b, v)
		}
		if err != nil {
			return made, err
		}
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	made.manifest = string(manifest)
	return made, err
}

// approvalOnly gives the folder of a configuration without a strategy.
func approvalOnly(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	flows := `
{kind: integration, name: slack, type: slack, external_id: T0123456789}
---
{kind: environment, name: main, integrations: {slack_id: slack}}
---
kind: flow
name: ask
environment_id: main
params: {approval: {notify: [{channel: "#general"}]}}
`
	if err := os.WriteFile(filepath.Join(dir, "flows.yaml"), []byte(flows), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// synthesize gives the template of a context.
func synthesize(t *testing.T, context map[string]any) template {
	t.Helper()
	made, err := synthesizeInto(t.TempDir(), context, standInCode)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// standard is the template with no option set. It is made once, and not to be
// changed.
func standard(t *testing.T) template {
	t.Helper()
	made, err := standardTemplate()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var standardTemplate = sync.OnceValues(func() (template, error) { return synthesizeOnce(nil) })

// synthesizeOnce writes the template of a context for several tests.
func synthesizeOnce(context map[string]any) (template, error) {
	dir, err := os.MkdirTemp("", "shared-") // outlives the first test that asks
	if err != nil {
		return template{}, err
	}
	return synthesizeInto(dir, context, standInCode)
}

// ofType gives the resources of a type by their ids.
func (t template) ofType(name string) map[string]resource {
	found := map[string]resource{}
	for id, r := range t.Resources {
		if r.Type == name {
			found[id] = r
		}
	}
	return found
}

// digest is what assets are named by.
var digest = regexp.MustCompile(`[0-9a-f]{64}`)

// text writes a value of a template as Fn::Sub would: ${Table.Arn} stands for
// what is known at deploy only.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return digest.ReplaceAllString(v, "DIGEST")
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			return "${" + ref + "}"
		}
		if at, ok := v["Fn::GetAtt"].([]any); ok {
			return fmt.Sprintf("${%s.%s}", at[0], at[1])
		}
		if s, ok := v["Fn::Sub"].(string); ok {
			return digest.ReplaceAllString(s, "DIGEST")
		}
		if parts, ok := v["Fn::Join"].([]any); ok {
			var out []string
			for _, p := range parts[1].([]any) {
				out = append(out, text(p))
			}
			return strings.Join(out, text(parts[0]))
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// texts is text for a value that may be one or a list.
func texts(v any) []string {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return []string{text(v)}
	}
	var out []string
	for _, one := range list {
		out = append(out, text(one))
	}
	return out
}

// at finds a value by the names on the way to it; nil if there is none.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// compare holds lines against a golden file.
func compare(t *testing.T, name string, lines []string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is not what was reviewed; if the change is meant, run go test ./infra -update and review it:\n%s", file, diff)
	}
}

// noPip can't install anything.
var noPip = []string{"false"}

// TestSynth builds the functions and synthesizes this repository's own flows, as
// the CDK CLI does.
func TestSynth(t *testing.T) {
	t.Parallel()
	context := map[string]any{"flows": filepath.Join("..", "flows"), "architecture": "x86_64", "withoutRequests": "true"}
	made, err := synthesizeInto(t.TempDir(), context, func(o options) (string, error) { return build("..", o, noPip) })
	if err != nil {
		t.Fatal(err)
	}
	functions := made.ofType("AWS::Lambda::Function")
	if len(functions) != len(deployed())+1 {
		t.Errorf("%d functions of %d, and the one in the template", len(functions), len(deployed()))
	}
	delete(functions, "UnansweredFunction")
	for id, f := range functions {
		key := at(f.Properties, "Code", "S3Key").(string)
		program := "bootstrap"
		if f.Properties["Runtime"] == pythonRuntime {
			program = "main.py"
		}
		found, err := filepath.Glob(filepath.Join(made.dir, "asset."+strings.TrimSuffix(path.Base(key), ".zip")+"*", program))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: no code for %s: %v", id, key, err)
		}
		if program == "main.py" {
			checkPython(t, filepath.Dir(found[0]))
			continue
		}
		checkBinary(t, id, found[0])
	}
}

// TestFlowsAsset: publish is given the configuration with its Python, and nothing
// that is for one machine.
func TestFlowsAsset(t *testing.T) {
	t.Parallel()
	flows := approvalOnly(t)
	for name, text := range map[string]string{
		"local.yaml": "", "impl.py": "", "flows.policy.yaml": "no: policy", "lib/more.py": "", "functions/report/report.py": "", "__pycache__/impl.cpython-313.pyc": "",
	} {
		file := filepath.Join(flows, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made := synthesize(t, map[string]any{"flows": flows})
	key := made.Resources["Publish"].Properties["Key"].(string)
	dir := filepath.Join(made.dir, "asset."+strings.TrimSuffix(path.Base(key), ".zip"))
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || !slices.Equal(files, []string{"flows.yaml", "impl.py", "lib/more.py"}) {
		t.Errorf("publish is given %q, %v", files, err)
	}
}

// checkPython: what Lambda is given answers a message, and no tests or tools are in it.
func checkPython(t *testing.T, dir string) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		files = append(files, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(f, "test_") || strings.Contains(f, "__pycache__") || strings.HasSuffix(f, "reference.py") {
			t.Errorf("Lambda is given %s", f)
		}
	}
	found, err := sdk.Here{Dir: dir}.Describe(t.Context(), *flow.NewSource("impl.py", "from sym.sdk.annotations import hook\n@hook\ndef on_request(event): ...\n"), "")
	if err != nil || !slices.Equal(found.Handlers, []string{"on_request"}) {
		t.Errorf("it finds %q, %v", found.Handlers, err)
	}
}

// TestRequirements: what handlers may import lies beside the code, without what
// tells of this machine; or none of it, where pip fails.
func TestRequirements(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, requirements := filepath.Join(dir, "sdk.lambda"), filepath.Join("..", "functions", "sdk", "requirements.txt")
	if err := os.Mkdir(code, 0o755); err != nil {
		t.Fatal(err)
	}
	fake := filepath.Join(dir, "pip")
	script := `#!/bin/sh
for last in "$@"; do :; done
to="${last#--target=}"
mkdir -p "$to/requests" "$to/bin" "$to/requests-2.dist-info"
echo "$@" > "$to/requests/arguments"
touch "$to/bin/normalizer" "$to/requests-2.dist-info/RECORD" "$to/requests-2.dist-info/LICENSE"
if [ "$1" = broken ]; then echo "ERROR: no index" >&2; echo "details" >&2; exit 1; fi
`
	if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	found := func() string {
		all, err := filepath.Glob(filepath.Join(code, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			all[i], _ = filepath.Rel(code, all[i]) // both begin with it
		}
		return strings.Join(all, " ")
	}
	if err := addRequirements(requirements, code, architectures["arm64"], []string{"/bin/sh", fake, "broken"}); err == nil || !strings.Contains(err.Error(), "no index") || found() != "" {
		t.Errorf("got %v, and %q", err, found())
	}
	if err := addRequirements(requirements, code, architectures["arm64"], []string{"/bin/sh", fake}); err != nil {
		t.Fatal(err)
	}
	if got, want := found(), "requests/arguments requests-2.dist-info/LICENSE"; got != want {
		t.Errorf("installed %q, not %q", got, want)
	}
	asked, err := os.ReadFile(filepath.Join(code, "requests", "arguments"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"install", "--only-binary=:all:", "--require-hashes", "--python-version=3.13", "--platform=manylinux2014_aarch64", "--requirement=" + requirements} {
		if !strings.Contains(string(asked), want) {
			t.Errorf("pip was asked without %s: %s", want, asked)
		}
	}
	text, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`^[a-z0-9-]+==[0-9.]+( --hash=sha256:[0-9a-f]{64})+$`)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !pinned.MatchString(line) {
			t.Errorf("%s: no version with its hash: %s", requirements, line)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "requirements-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// checkBinary: it runs on Lambda, and nothing of where and when it was built is
// in it, so that what did not change is not deployed.
func checkBinary(t *testing.T, id, file string) {
	t.Helper()
	if info, err := os.Stat(file); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("%s can't be run: %v", id, err)
	}
	built, err := buildinfo.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range built.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{
		"GOOS": "linux", "GOARCH": "amd64", "CGO_ENABLED": "0", "-tags": "lambda.norpc", "-trimpath": "true", "vcs.revision": "", "vcs.time": "",
	} {
		if settings[key] != want {
			t.Errorf("%s: %s is %q, not %q", id, key, settings[key], want)
		}
	}
	runs := func(name string) bool {
		return title(name)+"Function" == id && built.Path == "github.com/symflows/symflows/functions/"+folderOf(name)
	}
	if !slices.ContainsFunc(deployed(), runs) {
		t.Errorf("%s runs %s", id, built.Path)
	}
}

// TestFunctions: all folders of functions/ run in AWS, but the one for one machine and
// the client.
func TestFunctions(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir(filepath.Join("..", "functions"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range folders {
		if f.IsDir() && f.Name() != "local" && f.Name() != "client" && f.Name() != "testdata" {
			found = append(found, f.Name())
		}
	}
	if diff := cmp.Diff(found, functionNames); diff != "" {
		t.Error(diff)
	}
	for _, name := range functionNames {
		if _, ok := sizes[name]; !ok {
			t.Errorf("%s has no size", name)
		}
	}
}

// TestBuildWithoutRequests: where pip can't install what handlers may import,
// nothing is built, unless handlers are to go without.
func TestBuildWithoutRequests(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/small\n")
	for _, name := range goFunctions() {
		write("functions/"+name+"/main.go", "package main\n\nfunc main() {}\n")
	}
	for _, part := range []string{"main.py", "runner/x.py", "sym/x.py", "requirements.txt"} {
		write("functions/sdk/"+part, "")
	}
	o := options{architecture: architectures["x86_64"]} // for which TestSynth builds, too
	dir, err := build(root, o, noPip)
	if err == nil {
		os.RemoveAll(dir)
		t.Fatal("handlers would have no requests, and nobody has said so")
	}
	for _, want := range []string{"requirements.txt", "pip install", "-c withoutRequests=true"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	o.withoutRequests = true
	if dir, err = build(root, o, noPip); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := os.Stat(filepath.Join(code(dir, pythonFunction), "main.py")); err != nil {
		t.Error(err)
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module example.com/empty\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := build(root, options{architecture: architectures["arm64"]}, noPip); err == nil || !strings.Contains(err.Error(), "functions/access") {
		t.Errorf("got %v", err)
	}
}

// TestFlowsElsewhere: a configuration that leads to what is not uploaded would be
// refused in the middle of a deploy, and is refused here.
func TestFlowsElsewhere(t *testing.T) {
	t.Parallel()
	flows := t.TempDir()
	if err := errors.Join(
		os.Mkdir(filepath.Join(flows, "functions"), 0o755),
		os.WriteFile(filepath.Join(flows, "functions", "policy.py"), nil, 0o644),
		os.WriteFile(filepath.Join(flows, "ask.yaml"), []byte("kind: environment\nname: main\n---\nkind: flow\nname: ask\nenvironment_id: main\nimplementation: ./functions/policy.py\nparams: {approval: {notify: [{channel: \"#a\"}]}}\n"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	_, err := synthesizeInto(t.TempDir(), map[string]any{"flows": flows}, func(options) (string, error) {
		t.Error("the functions were built")
		return "", nil
	})
	if err == nil || !strings.Contains(err.Error(), "functions/policy.py") {
		t.Errorf("got %v", err)
	}
}

// TestBrokenFlows: a fault of the configuration fails synth, with the report of
// all faults, before anything is built.
func TestBrokenFlows(t *testing.T) {
	t.Parallel()
	flows := t.TempDir()
	broken := "kind: flow\nname: one\nenvironment_id: nowhere\nparams: {approval: {notify: [{channel: \"#a\"}]}}\n---\nkind: flwo\nname: two\n"
	if err := os.WriteFile(filepath.Join(flows, "broken.yaml"), []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := synthesizeInto(t.TempDir(), map[string]any{"flows": flows}, func(options) (string, error) {
		t.Error("the functions were built")
		return "", nil
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{filepath.Join(flows, "broken.yaml") + ":3: ", filepath.Join(flows, "broken.yaml") + ":6: ", "2 faults"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the report lacks %q:\n%v", want, err)
		}
	}
}
