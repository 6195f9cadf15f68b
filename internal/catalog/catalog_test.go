package catalog_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

var update = flag.Bool("update", false, "write what is found into the golden files")

// types are strategies as the catalog knows them: enough of each to have rules
// of its own.
var types = map[string]strategy.Type{
	"aws_lambda": {
		Name:     "aws_lambda",
		Settings: strategy.Settings{Others: "anything"},
		Targets: []strategy.TargetType{{Name: "aws_lambda_function", Settings: strategy.Settings{
			Known:  []strategy.Setting{{Name: "arn", About: "the ARN of a function", Required: true, Check: flow.CheckFunctionARN}},
			Others: "anything",
		}}},
		Rights: func(s flow.Strategy) strategy.Rights {
			var arns []string
			for _, t := range s.Targets {
				arns = append(arns, t.Settings["arn"])
			}
			return strategy.InvokeFunctions(arns...)
		},
	},
	"http": {
		Name:        "http",
		Integration: strategy.Integration{Need: strategy.Optional},
		Settings:    strategy.Settings{Known: []strategy.Setting{{Name: "url", About: "where to send requests", Required: true}}, Others: "anything"},
		Targets:     []strategy.TargetType{{Name: "http", Settings: strategy.Settings{Others: "anything"}}},
		Rights: func(s flow.Strategy) strategy.Rights {
			return strategy.Rights{Secrets: slices.Collect(maps.Values(s.Secrets))}
		},
	},
	"okta": {
		Name: "okta",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{"okta"}, Settings: []strategy.Setting{
			{Name: "api_token_secret", About: "the name of the secret with the API token", Required: true},
		}},
		Targets: []strategy.TargetType{
			{Name: "okta_group", Settings: strategy.Settings{Known: []strategy.Setting{{Name: "group_id", About: "the id of the group", Required: true, Bindable: true}}}},
			{Name: "okta_role"},
		},
	},
	"custom": {
		Name:           "custom",
		Integration:    strategy.Integration{Need: strategy.Optional},
		Settings:       strategy.Settings{Others: "anything"},
		Targets:        []strategy.TargetType{{Name: "custom", Settings: strategy.Settings{Others: "anything"}}},
		Implementation: true,
	},
}

// describe stands for the Python runner: a source defines what its lines
// "def NAME" and "class NAME" say.
func describe(s flow.Source, _ string) (found flow.Outline, err error) {
	for i, line := range strings.Split(s.Text, "\n") {
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "def":
			found.Handlers = append(found.Handlers, rest)
		case "class":
			found.Handlers = append(found.Handlers, "strategy:"+rest)
		case "undecorated":
			found.Warnings = append(found.Warnings, &flow.SourceError{Line: i + 1, Message: rest + " is not decorated, so it never runs."})
		case "wrong":
			return flow.Outline{}, &flow.SourceError{Line: i + 1, Message: "SyntaxError: invalid syntax"}
		case "unasked":
			return flow.Outline{}, errors.New("python3 is not installed: install Python 3.11 or later")
		}
	}
	return found, nil
}

// TestReports runs the archives in testdata: the files of a configuration, and
// "report", what is to be said of it. Good ones have "catalog" too, what it
// comes to.
func TestReports(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fsys, golden := fstest.MapFS{}, map[string]string{}
			for _, f := range archive.Files {
				if f.Name == "report" || f.Name == "catalog" {
					golden[f.Name] = string(f.Data)
				} else {
					fsys[f.Name] = &fstest.MapFile{Data: f.Data}
				}
			}
			c, report := catalog.LoadFS(fsys, "sym", types, describe)
			if (c == nil) != (report.Err() != nil) {
				t.Errorf("catalog %v with report %v", c, report.Err())
			}
			got := map[string]string{"report": report.String()}
			if c != nil {
				b, err := json.MarshalIndent(c, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				got["catalog"] = string(b) + "\n"
			}
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "report" || f.Name == "catalog" })
				for _, name := range []string{"report", "catalog"} {
					if text, ok := got[name]; ok {
						archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
					}
				}
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(golden, got); diff != "" {
				t.Errorf("run with -update if this is right (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	const dir = "../../flows"
	c, report := catalog.Load(dir, "sym", types)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	for _, w := range report.Warnings {
		if !strings.Contains(w.Message, "has no approvers") {
			t.Errorf("unexpected warning: %s", w)
		}
		if !strings.HasPrefix(w.File, dir) {
			t.Errorf("file %q does not begin with the folder", w.File)
		}
	}
	var names []string
	for _, f := range c.Flows {
		names = append(names, fmt.Sprint(f.Name, " ", f.ApprovalOnly()))
		for path, place := range f.Places {
			if !strings.HasPrefix(place, "flows/") {
				t.Errorf("%s of %s is at %q", path, f.Name, place)
			}
		}
	}
	if diff := cmp.Diff([]string{"ci-gate true", "prod-access false", "run-report true", "send-report true"}, names); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	grant, runs := "arn:aws:lambda:us-east-1:123456789012:function:grant-database", "arn:aws:lambda:us-east-1:123456789012:function:report"
	if diff := cmp.Diff(strategy.InvokeFunctions(grant), c.StrategyRights()); diff != "" {
		t.Errorf("rights of strategies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{runs}, c.FlowARNs()); diff != "" {
		t.Errorf("functions of flows (-want +got):\n%s", diff)
	}
}

// TestLoadFS_FoundRights: live access to what is gone can still be taken away;
// there are no rights to what nobody is to be offered.
func TestLoadFS_FoundRights(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("testdata/found_targets.txtar")
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for _, f := range archive.Files[:2] {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	c, report := catalog.LoadFS(fsys, "sym", types)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, arn := range c.StrategyRights().Allow[0].Resources {
		got = append(got, arn[strings.LastIndex(arn, ":")+1:])
	}
	if diff := cmp.Diff([]string{"by-hand", "prod-a", "prod-b", "prod-by-hand", "prod-gone", "prod-of-other"}, got); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

// TestLoadForDiscovery: targets that are not there yet keep nobody from finding
// them; what is wrong with the strategy does.
func TestLoadForDiscovery(t *testing.T) {
	t.Parallel()
	const strategy = `{kind: strategy, name: b, type: http, targets: ["*"], settings: {url: "https://grants.example.com"}}`
	for name, tc := range map[string]struct{ files, strategies, targets, fault string }{
		"Nothing":       {files: "", strategies: ""},
		"NoTargets":     {files: strategy + "\n---\n{kind: strategy, name: a, type: http, settings: {url: \"https://a.example.com\"}}\n---\n{kind: flow, name: f}", strategies: "a b"},
		"WrongTarget":   {files: strategy + "\n---\n{kind: target, name: t, type: http, settings: {password_secret: x}}\n---\n{kind: target, name: f, type: aws_lambda_function}", strategies: "b", targets: "t"},
		"OtherType":     {files: "{kind: strategy, name: c, type: aws_lambda, targets: []}", strategies: ""},
		"WrongSetting":  {files: strings.Replace(strategy, "url", "address", 1), fault: "settings.url"},
		"NoIntegration": {files: strings.Replace(strategy, "settings", "integration_id: none, settings", 1), fault: `no document of kind integration is named "none"`},
		"NoYAML":        {files: "{kind", fault: "is not YAML"},
	} {
		fsys := fstest.MapFS{}
		if tc.files != "" {
			fsys["a.yaml"] = &fstest.MapFile{Data: []byte(tc.files)}
		}
		found, report := catalog.LoadForDiscovery(fsys, "sym", types, "http")
		if tc.fault != "" {
			if err := report.Err(); err == nil || !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("%s: got %v, want %q", name, err, tc.fault)
			}
			continue
		}
		var strategies, targets []string
		for _, s := range found.Strategies {
			strategies = append(strategies, s.Name)
		}
		for _, target := range found.Targets {
			targets = append(targets, target.Name)
		}
		if err := report.Err(); err != nil || strings.Join(strategies, " ") != tc.strategies || strings.Join(targets, " ") != tc.targets {
			t.Errorf("%s: strategies %q, targets %q, %v", name, strategies, targets, err)
		}
	}
}

func TestLoad_NoFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "missing")
	c, report := catalog.Load(dir, "sym", types)
	if c != nil || len(report.Faults) == 0 || !strings.HasPrefix(report.Faults[0].String(), dir+": the folder can't be read") {
		t.Errorf("got %v", report)
	}
}

// A link is followed within the folder, and no further: a fault shows what stands
// where it leads.
func TestLoad_Links(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(outside, "credentials"), []byte("sesame: [open"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "text"), []byte("kind: nonsense"), 0o600))
	must(os.Symlink(filepath.Join(outside, "credentials"), filepath.Join(dir, "away.yaml")))
	must(os.Symlink("text", filepath.Join(dir, "here.yaml")))
	_, report := catalog.Load(dir, "sym", types)
	if got := report.String(); strings.Contains(got, "sesame") || !strings.Contains(got, "away.yaml: can't be read") || !strings.Contains(got, "nonsense") {
		t.Errorf("got %s", got)
	}
}

func TestLoadFS_Files(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file string
		data       []byte
		want       string
	}{
		{"NotUTF8", "a.yaml", []byte("kind: flow\nname: \xff\n"), "a.yaml:2: is not UTF-8 text: save the file as UTF-8\n"},
		{"UTF16", "a.yaml", []byte("\xff\xfek\x00"), "a.yaml:1: is not UTF-8 text: save the file as UTF-8\n"},
		{"TooLarge", "a.yaml", make([]byte, 8<<20+1), "a.yaml: is larger than 8 MB: split it into several files\n"},
		{"TooDeep", "a.yaml", []byte("kind: " + strings.Repeat("[", 60) + strings.Repeat("]", 60)), "a.yaml:1: is nested more than 50 levels deep: nothing here needs that\na.yaml:1: kind: is missing"},
		{"OnlyLocal", "local.yaml", []byte("kind: flow"), "warning: the folder has no configuration, which is in files that end in .yaml or .yml"},
		{"OnlyPolicy", "a.policy.yaml", []byte("kind: flow"), "warning: the folder has no configuration, which is in files that end in .yaml or .yml"},
		{"PolicyYML", "a.policy.yml", []byte("cases: []"), "a.policy.yml: is a policy file by its name, and would be read as none: name it a.policy.yaml\n"},
		{"OnlyBelow", "functions/a.yaml", []byte("kind: flow"), "warning: the folder has no configuration, which is in files that end in .yaml or .yml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, report := catalog.LoadFS(fstest.MapFS{tc.file: {Data: tc.data}}, "sym", types)
			if got := report.String(); !strings.HasPrefix(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestLoadFS_Org(t *testing.T) {
	t.Parallel()
	_, report := catalog.LoadFS(os.DirFS("../../flows"), "not a name", types)
	want := `org "not a name" is no name: use letters, digits, - and _ only, and put the rest into label`
	if len(report.Faults) != 1 || report.Faults[0].String() != want {
		t.Errorf("got %v", report)
	}
}

// A secret is never repeated, wherever in a configuration it stands.
func TestLoadFS_SecretsStaySecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"xoxb-123456789012-abcdefABCDEF", "xapp-1-A0123-456-abcdef", "AKIAIOSFODNN7EXAMPLE", "-----BEGIN PRIVATE KEY-----",
		"ghp_abcdefghijklmnopqrstuvwxyz0123456789", "https://hooks.slack.com/services/T000/B000/XXXX", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln",
	} {
		for _, place := range []string{
			"# %s\nkind: environment\nname: main\n",
			"kind: environment\nname: main\nlabel: %s\n",
			"kind: environment\nname: %q\n",
			"kind: %q\n",
			"kind: environment\nname: main\n%q: x\n",
			"kind: environment\nname: main\nadmins: [%q]\n",
			"kind: environment\nname: main\nerror_logger_id: %q\n",
			"kind: environment\nname: main\nadmins: [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa %s\"]\n",
			"kind: integration\nname: slack\ntype: slack\nexternal_id: T1\nsettings: {api_token_secret: %q}\n",
			"kind: flow\n\t%s\n",
			"kind: &%s flow\n",
		} {
			_, report := catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: fmt.Appendf(nil, place, secret)}}, "sym", types)
			text := report.String()
			if !strings.Contains(text, "looks like a secret") {
				t.Errorf("%q: not found in %q", secret, place)
			}
			if strings.Contains(text, secret) || strings.Contains(text, secret[6:]) || strings.Contains(text, secret[:9]) && secret[:5] != "-----" && secret[:5] != "https" {
				t.Errorf("%q: repeated:\n%s", secret, text)
			}
		}
	}
}

// What does not look like a secret may be one all the same.
func TestLoadFS_LiteralInSecretSetting(t *testing.T) {
	t.Parallel()
	_, report := catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: []byte(
		"kind: integration\nname: okta\ntype: okta\nexternal_id: example.okta.com\nsettings: {api_token_secret: hunter2}\n",
	)}}, "sym", types)
	if report.Err() == nil || strings.Contains(report.String(), "hunter2") {
		t.Errorf("got %v", report)
	}
}

func FuzzLoadFS(f *testing.F) {
	f.Add([]byte("kind: environment\nname: &a main\nadmins: [*a, *a]\n"))
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := 1
		for _, lineBreak := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} { // YAML 1.1, section 4.2
			lines += strings.Count(string(data), lineBreak)
		}
		c, report := catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: data}}, "sym", types)
		if (c == nil) != (report.Err() != nil) {
			t.Errorf("catalog %v with %v", c, report.Err())
		}
		for _, fault := range report.Faults {
			if fault.File != "a.yaml" || fault.Line < 1 || fault.Line > lines || fault.Message == "" {
				t.Errorf("fault %+v of %d lines", fault, lines)
			}
		}
	})
}

func manyTargets(n int) fstest.MapFS {
	var targets, names strings.Builder
	for i := range n {
		fmt.Fprintf(&targets, "kind: target\nname: db-%d\ntype: aws_lambda_function\nlabel: Database %d\nsettings: {arn: \"arn:aws:lambda:us-east-1:123456789012:function:grant\"}\n---\n", i, i)
		fmt.Fprintf(&names, "  - db-%d\n", i)
	}
	return fstest.MapFS{
		"targets.yaml": {Data: []byte(targets.String())},
		"flow.yaml": {Data: []byte("kind: strategy\nname: databases\ntype: aws_lambda\ntargets:\n" + names.String() + `---
kind: environment
name: main
---
kind: flow
name: access
environment_id: main
params:
  strategy_id: databases
  approval: {notify: [{channel: "#access"}]}
`)},
	}
}

func TestLoadFS_ManyTargets(t *testing.T) {
	t.Parallel()
	const n = 10_000
	c, report := catalog.LoadFS(manyTargets(n), "sym", types)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if got := len(c.Flows[0].Strategy.Targets); got != n {
		t.Errorf("%d targets, want %d", got, n)
	}
}

func BenchmarkLoadFS_ManyTargets(b *testing.B) {
	fsys := manyTargets(10_000)
	for b.Loop() {
		if _, report := catalog.LoadFS(fsys, "sym", types); report.Err() != nil {
			b.Fatal(report)
		}
	}
}
