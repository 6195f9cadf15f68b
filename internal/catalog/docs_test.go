package catalog

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
)

// attributeRead finds where a document's reader asks for an attribute.
var attributeRead = regexp.MustCompile(`\.(?:text|required|ref|refs|flag|duration|child|children|list|texts|textMap|scalar|scalars|oneOf|number|get|json)\("([a-z_]+)"`)

// The guide names every attribute that the reader knows, every kind and every
// type of field.
func TestGuideIsComplete(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("kinds.go")
	if err != nil {
		t.Fatal(err)
	}
	names := kindNames()
	for _, match := range attributeRead.FindAllStringSubmatch(string(source), -1) {
		names = append(names, match[1])
	}
	if len(names) < 50 {
		t.Fatalf("only %d attributes found in the source", len(names))
	}
	for _, typ := range flow.FieldTypes {
		names = append(names, string(typ))
	}
	for _, name := range names {
		if !regexp.MustCompile(`\b` + name + `\b`).Match(guide) {
			t.Errorf("docs/flows.md does not mention %s", name)
		}
	}
}

// The guide's whole configurations load, with nothing to complain of.
func TestGuideConfigurations(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(kind: .*?)```").FindAllSubmatch(guide, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d configurations, want 2", len(blocks))
	}
	for _, block := range blocks {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/flows.yaml", block[1], 0o600); err != nil {
			t.Fatal(err)
		}
		loaded, report := Load(dir, "sym", map[string]strategy.Type{"aws_sso": awssso.Type(), "http": httpstrategy.Type()})
		if report.Err() != nil || len(report.Warnings) > 0 || len(loaded.Flows) != 1 {
			t.Errorf("%v %v", report.Err(), report.Warnings)
		}
	}
	// Every block is checked: these, or the excerpts.
	if all := strings.Count(string(guide), "```yaml\n"); all != len(blocks)+strings.Count(string(guide), "```yaml\n# excerpt\n") {
		t.Errorf("%d blocks of YAML, and some are neither a configuration nor marked as an excerpt", all)
	}
}

// The guide's examples are parts of documents that load.
func TestGuideExamples(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n# excerpt\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		n++
		params := "  approval: {notify: [{channel: \"#general\"}]}\n"
		if strings.HasPrefix(block[1], "approval:") {
			params = ""
		}
		if strings.HasPrefix(block[1], "break_glass:") || strings.HasPrefix(block[1], "start_at:") || strings.HasPrefix(block[1], "agents:") { // of access flows
			params += "  strategy_id: databases\n"
		}
		document := `
kind: target
name: orders
type: http
---
kind: strategy
name: databases
type: http
targets: [orders]
settings: {url: "https://grants.example.com/sym"}
---
kind: environment
name: main
lambda_arns: ["arn:aws:lambda:us-east-1:123456789012:function:report"]
---
kind: flow
name: example
environment_id: main
params:
  prompt_fields: [{name: table, type: string}, {name: reason, type: string}]
` + params + "  " + strings.ReplaceAll(strings.TrimSpace(block[1]), "\n", "\n  ")
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/flows.yaml", []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, report := Load(dir, "sym", map[string]strategy.Type{"http": httpstrategy.Type()}); report.Err() != nil {
			t.Errorf("%s\n%v", document, report)
		}
	}
	if n != 5 {
		t.Errorf("%d examples, want 5", n)
	}
}
