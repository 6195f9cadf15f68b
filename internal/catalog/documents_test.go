package catalog_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// id makes the id of a document of these tests.
func id(n string) string { return "00000000-0000-4000-8000-" + strings.Repeat("0", 12-len(n)) + n }

// doc makes a document that came by the API.
func doc(number string, kind entity.Kind, name, attributes string) entity.Entity {
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		attributes = strings.ReplaceAll(attributes, "#"+n+"#", id(n))
	}
	return entity.Entity{ID: id(number), Kind: kind, Name: name, Attributes: json.RawMessage(attributes), Owner: entity.API}
}

// access are the documents of a flow that grants two targets by a server.
func access() []entity.Entity {
	return []entity.Entity{
		doc("1", "integration", "main", `{"type": "slack", "external_id": "T0123456789"}`),
		doc("2", "environment", "main", `{"integrations": {"slack_id": "#1#"}, "label": null}`),
		doc("3", "target", "orders", `{"type": "http", "settings": {"identifier": "orders"}}`),
		doc("4", "target", "orders-too", `{"type": "http", "settings": {}}`),
		doc("5", "strategy", "servers", `{"type": "http", "targets": ["#3#", "#4#"], "settings": {"url": "https://grants.example.com/sym"}}`),
		doc("6", "flow", "access", `{"environment_id": "#2#", "vars": {"which": "#3#"}, "params": {"strategy_id": "#5#", "approval": {"notify": [{"channel": "#access"}]}, "prompt_fields": [{"name": "reason", "type": "string"}]}}`),
		doc("7", "flow", "approval", `{"environment_id": "#2#", "params": {"approval": {"notify": [{"channel": "#access"}]}}}`),
	}
}

func TestLoadDocuments(t *testing.T) {
	t.Parallel()
	docs := access()
	slices.Reverse(docs) // the order is of no meaning
	c, report := catalog.LoadDocuments(docs, "sym", builtin.Types())
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	f := c.Flows[0]
	if f.Name != "access" || len(f.Strategy.Targets) != 2 || f.Environment.Integrations["slack"].ExternalID != "T0123456789" || f.Vars["which"] != id("3") {
		t.Errorf("%+v", f)
	}
	if target, ok := f.Strategy.Target("sym", id("3")); !ok || target.Name != "orders" || target.IDIn("sym") != id("3") {
		t.Errorf("target %+v", target)
	}
}

// TestDocuments_Faults: what is wrong is told with the document and the attribute.
func TestDocuments_Faults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ number, attributes, kind, path, what string }{
		"Unknown":    {"5", `{"type": "http", "targets": ["#3#", "#4#"], "settings": {"url": "https://x.example.com"}, "colour": "red"}`, "strategy", "colour", "is no attribute here"},
		"Dangling":   {"6", `{"environment_id": "00000000-0000-4000-8000-00000000000f", "params": {}}`, "flow", "environment_id", "there is no environment with the id"},
		"OtherKind":  {"6", `{"environment_id": "#1#", "params": {}}`, "flow", "environment_id", "of kind integration"},
		"ByName":     {"6", `{"environment_id": "main", "params": {}}`, "flow", "environment_id", "there is no environment with the id"},
		"Missing":    {"6", `{"params": {}}`, "flow", "environment_id", "is missing: write the id of"},
		"Duplicate":  {"5", `{"type": "http", "targets": ["#3#", "#3#"], "settings": {"url": "https://x.example.com"}}`, "strategy", "targets[1]", "listed twice"},
		"Type":       {"6", `{"environment_id": "#2#", "params": {"prompt_fields": [{"name": "a", "type": "strin"}]}}`, "flow", "params.prompt_fields[0].type", `"strin"`},
		"Secret":     {"3", `{"type": "http", "settings": {"identifier": "xoxb-123456789012-abcdef"}}`, "target", "settings.identifier", "looks like a secret"},
		"NoSecret":   {"5", `{"type": "http", "targets": ["#3#"], "settings": {"url": "https://x.example.com", "signing_secret_id": "#1#"}}`, "strategy", "settings.signing_secret_id", "the id of no secret"},
		"List":       {"3", `[]`, "target", "", "no object"},
		"NoJSON":     {"3", `{`, "target", "", "no JSON"},
		"Isolated":   {"6", `{"environment_id": "#2#", "isolated": true, "params": {}}`, "flow", "isolated", "only a deploy"},
		"File":       {"6", `{"environment_id": "#2#", "implementation": "./impl.py", "params": {"approval": {"notify": [{"channel": "#access"}]}}}`, "", "", ""}, // a text like any
		"TypeOfWhat": {"1", `{"type": "okta", "external_id": "x"}`, "environment", "integrations.slack_id", "of type okta"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docs := access()
			i := slices.IndexFunc(docs, func(d entity.Entity) bool { return d.ID == id(c.number) })
			docs[i].Attributes = doc("", "", "", c.attributes).Attributes
			_, report := catalog.LoadDocuments(docs, "sym", builtin.Types())
			if c.what == "" {
				if err := report.Err(); err != nil {
					t.Error(err)
				}
				return
			}
			for _, f := range report.Faults {
				if f.Kind == c.kind && f.Path == c.path && strings.Contains(f.What, c.what) && strings.HasPrefix(f.String(), f.Kind) {
					if strings.Contains(f.String(), "xoxb-") {
						t.Errorf("shows a secret: %s", f)
					}
					return
				}
			}
			t.Errorf("faults %v", report)
		})
	}
}

// TestCheck: the faults of one document among those that it refers to, and of no other.
func TestCheck(t *testing.T) {
	t.Parallel()
	docs := access()
	docs[2].Attributes = json.RawMessage(`{"settings": {}}`) // a target with a fault of its own
	looked := 0
	describe := func(flow.Source, string) (flow.Outline, error) { looked++; return flow.Outline{}, nil }
	if found := catalog.Check(docs[4], docs[:4], "sym", builtin.Types(), describe); len(found) > 0 {
		t.Errorf("the strategy: %v", found)
	}
	if found := catalog.Check(docs[2], nil, "sym", builtin.Types(), describe); len(found) != 1 || found[0].Path != "type" || found[0].ID != id("3") {
		t.Errorf("the target: %v", found)
	}
	docs[6].Attributes = doc("", "", "", `{"environment_id": "#2#", "implementation": "pass", "params": {"approval": {"notify": [{"channel": "#access"}]}}}`).Attributes
	if found := catalog.Check(docs[6], docs[:6], "sym", builtin.Types(), describe); len(found) > 0 || looked != 1 {
		t.Errorf("the flow: %v, looked %d times", found, looked)
	}
	catalog.Check(docs[5], docs, "sym", builtin.Types(), describe)
	if looked != 1 {
		t.Error("looked at the Python of another")
	}
}

// TestParts: what is whole is there, whatever is wrong with the rest; and of the rest it
// is told what is missing.
func TestParts(t *testing.T) {
	t.Parallel()
	whole := func(docs []entity.Entity) map[string]workflow.Part {
		parts := map[string]workflow.Part{}
		for _, p := range catalog.Parts(docs, "sym", builtin.Types()) {
			parts[p.Entity.Name] = p
		}
		return parts
	}
	all := whole(access())
	if all["access"].Flow == nil || all["approval"].Flow == nil || all["servers"].Strategy == nil || all["access"].Faults != nil {
		t.Errorf("%+v", all)
	}
	without := slices.DeleteFunc(access(), func(d entity.Entity) bool { return d.ID == id("3") }) // a target
	some := whole(without)
	if some["access"].Flow != nil || some["approval"].Flow == nil || some["servers"].Strategy != nil {
		t.Errorf("%+v", some)
	}
	if missing := some["access"].Missing; len(missing) != 1 || missing[0].Kind != "target" || missing[0].ID != id("3") || missing[0].Attribute != "targets[0]" {
		t.Errorf("missing %+v", missing)
	}
	twice := append(access(), doc("8", "flow", "approval", `{"environment_id": "`+id("9")+`"}`)) // one that has the name of another
	if parts := catalog.Parts(twice, "sym", builtin.Types()); parts[len(parts)-1].Flow != nil || parts[len(parts)-2].Flow == nil {
		t.Errorf("%+v", parts)
	}
}
