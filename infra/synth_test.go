package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestMain keeps what the CDK writes in a folder of the tests. jsii.Close is not
// called: it is not free of races. Its process ends with this one.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "symflows-infra-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		os.Setenv("TMPDIR", dir)
		return m.Run()
	}())
}

// template is what CloudFormation gets.
type template struct {
	Resources map[string]resource
	Outputs   map[string]struct{ Value any }

	dir string // where it was written
}

type resource struct {
	Type                                string
	Properties                          map[string]any
	DependsOn                           []string
	DeletionPolicy, UpdateReplacePolicy string
	Metadata                            map[string]any
}

// standInCode takes the place of built functions: each is a text.
func standInCode(architecture) (string, error) {
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

// runtime is held by whoever synthesizes: jsii is for one at a time.
var runtime sync.Mutex

// synthesize gives the template of a context, on top of the tests' own flows.
func synthesize(t *testing.T, context map[string]any) (template, error) {
	t.Helper()
	return synthesizeWith(t, context, standInCode)
}

func synthesizeWith(t *testing.T, context map[string]any, build func(architecture) (string, error)) (template, error) {
	t.Helper()
	runtime.Lock()
	defer runtime.Unlock()
	all := map[string]any{"flows": filepath.Join("testdata", "flows")}
	maps.Copy(all, context)
	dir := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(dir), Context: &all})
	if err := synth(app, build); err != nil {
		return template{}, err
	}
	return read(t, dir), nil
}

// read reads the one template of a folder, and fails for findings of the
// checks that ran at synth.
func read(t *testing.T, dir string) template {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("templates %q, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	made := template{dir: dir}
	if err := json.Unmarshal(b, &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// standard is the template of the tests' flows, with no option set. It is made
// once.
func standard(t *testing.T) template {
	t.Helper()
	standardTemplate.once.Do(func() {
		dir, err := os.MkdirTemp("", "standard-") // outlives the first test that asks
		if err != nil {
			t.Fatal(err)
		}
		runtime.Lock()
		defer runtime.Unlock()
		app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(dir), Context: &map[string]any{"flows": filepath.Join("testdata", "flows")}})
		if err := synth(app, standInCode); err != nil {
			t.Fatal(err)
		}
		standardTemplate.made = read(t, dir)
	})
	if standardTemplate.made.Resources == nil {
		t.Fatal("the template could not be made: see the first test that failed")
	}
	return standardTemplate.made
}

var standardTemplate struct {
	once sync.Once
	made template
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

// at finds a value by the names on the way to it; nil where there is none.
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

// TestSynth builds the functions and synthesizes this repository's own flows, as
// the CDK CLI does.
func TestSynth(t *testing.T) {
	t.Parallel()
	built := 0
	made, err := synthesizeWith(t, map[string]any{"flows": filepath.Join("..", "flows"), "architecture": "x86_64"}, func(a architecture) (string, error) {
		dir, err := build("..", a)
		for _, name := range functionNames {
			if info, err := os.Stat(filepath.Join(code(dir, name), "bootstrap")); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("function %s was not built: %v", name, err)
			}
			built++
		}
		return dir, err
	})
	if err != nil {
		t.Fatal(err)
	}
	functions := made.ofType("AWS::Lambda::Function")
	if built != len(functionNames) || len(functions) != len(functionNames) {
		t.Errorf("%d functions built, %d in the template, of %d", built, len(functions), len(functionNames))
	}
	for id, f := range functions {
		key := at(f.Properties, "Code", "S3Key").(string)
		found, err := filepath.Glob(filepath.Join(made.dir, "asset."+strings.TrimSuffix(key, ".zip")+"*", "bootstrap"))
		if err != nil || len(found) != 1 {
			t.Errorf("%s: no code for %s: %v", id, key, err)
		}
	}
}

// TestBuildIsRepeatable: what did not change is not deployed.
func TestBuildIsRepeatable(t *testing.T) {
	t.Parallel()
	var sums []map[string]string
	for range 2 {
		made, err := synthesizeWith(t, nil, func(a architecture) (string, error) { return build("..", a) })
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]string{}
		for id, f := range made.ofType("AWS::Lambda::Function") {
			keys[id] = text(at(f.Properties, "Code", "S3Key"))
			keys[id] = at(f.Properties, "Code", "S3Key").(string)
		}
		sums = append(sums, keys)
	}
	if diff := cmp.Diff(sums[0], sums[1]); diff != "" {
		t.Error(diff)
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module example.com/empty\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := build(root, architectures["arm64"]); err == nil || !strings.Contains(err.Error(), "functions/access") {
		t.Errorf("got %v", err)
	}
}

// TestBrokenFlows: a fault of the configuration fails synth, with the report of
// all faults, before anything is built.
func TestBrokenFlows(t *testing.T) {
	t.Parallel()
	flows := t.TempDir()
	broken := "kind: flow\nname: one\nenvironment_id: nowhere\nparams: {}\n---\nkind: flwo\nname: two\n"
	if err := os.WriteFile(filepath.Join(flows, "broken.yaml"), []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := synthesizeWith(t, map[string]any{"flows": flows}, func(architecture) (string, error) {
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
