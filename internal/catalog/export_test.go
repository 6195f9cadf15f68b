package catalog_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// TestExport: what the API has is exported as files that say the same: the same entities
// under the same ids, and flows that are the same to the letter.
func TestExport(t *testing.T) {
	t.Parallel()
	known := maps.Clone(builtin.Types())
	maps.Copy(known, types)
	rapid.Check(t, func(t *rapid.T) {
		g := &configurations{T: t, names: map[string]bool{}}
		g.draw()
		exportsTheSame(t, known, g.files, g.api)
	})
}

// TestExport_Examples: so it is for all configurations that there are as examples.
func TestExport_Examples(t *testing.T) {
	t.Parallel()
	folders := archives(t, "testdata/good*.txtar")
	examples, err := filepath.Glob("../../docs/examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range examples {
		folders[filepath.Dir(path)] = catalog.Folder(filepath.Dir(path))
	}
	read := 0
	for name, folder := range folders {
		known := builtin.Types()
		if strings.HasPrefix(name, "testdata") {
			known = types
		}
		c, _ := catalog.LoadFS(folder, "sym", known)
		if c == nil || len(c.Isolated()) > 0 {
			continue
		}
		read++
		t.Run(name, func(t *testing.T) {
			var entities []entity.Entity
			ids := map[string]string{}
			for _, d := range c.Drafts {
				ids[d.Key] = flow.EntityID("sym", string(d.Entity.Kind), d.Entity.Name, "")
				for key, id := range ids {
					if key != d.Key && id == ids[d.Key] {
						ids[d.Key] = flow.EntityID("sym", string(d.Entity.Kind), d.Entity.Name, d.Entity.Type)
					}
				}
			}
			for _, d := range c.Drafts {
				e := d.Entity
				e.ID, e.Owner, e.File, e.Attributes = ids[d.Key], entity.API, "", d.Attributes(func(key string) string { return ids[key] })
				entities = append(entities, e)
			}
			exportsTheSame(t, known, nil, entities)
		})
	}
	if read < 10 {
		t.Errorf("%d configurations were read", read)
	}
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// exportsTheSame exports what the API has, and reads it back beside what files have.
func exportsTheSame(t fataler, known map[string]strategy.Type, owned fstest.MapFS, api []entity.Entity) {
	t.Helper()
	files := maps.Clone(owned)
	if files == nil {
		files = fstest.MapFS{}
	}
	all := slices.Clone(api)
	ids := map[string]string{}
	if len(owned) > 0 {
		c, report := catalog.LoadFS(owned, "sym", known)
		if err := report.Err(); err != nil {
			t.Fatalf("what files have: %v", err)
		}
		for _, d := range c.Drafts {
			ids[d.Key] = flow.EntityID("sym", string(d.Entity.Kind), d.Entity.Name, "")
			e := d.Entity
			e.ID, e.Attributes = ids[d.Key], d.Attributes(func(key string) string { return ids[key] })
			all = append(all, e)
		}
	}
	before, report := catalog.LoadDocuments(all, "sym", known)
	if err := report.Err(); err != nil {
		t.Fatalf("the configuration: %v", err)
	}
	exported, err := catalog.Export(all, "sym")
	if err != nil {
		t.Fatalf("%v", err)
	}
	written := ""
	for _, name := range slices.Sorted(maps.Keys(exported.Files)) {
		if files[name] != nil {
			t.Fatalf("%s is overwritten", name)
		}
		files[name] = &fstest.MapFile{Data: exported.Files[name]}
		written += fmt.Sprintf("-- %s --\n%s", name, exported.Files[name])
	}
	after, report := catalog.LoadFS(files, "sym", known)
	if err := report.Err(); err != nil {
		t.Fatalf("%v in\n%s", err, written)
	}
	// Each entity is found under its kind and its name among the documents.
	byName := map[string]entity.Entity{}
	for _, e := range all {
		byName[documentName(e.Kind, e.Type, exported.Names[e.ID])] = e
	}
	if len(after.Drafts) != len(all) {
		t.Fatalf("%d documents for %d entities in\n%s", len(after.Drafts), len(all), written)
	}
	for _, d := range after.Drafts {
		e, ok := byName[documentName(d.Entity.Kind, d.Entity.Type, d.Entity.Name)]
		if !ok {
			t.Fatalf("%s %q was no entity in\n%s", d.Entity.Kind, d.Entity.Name, written)
		}
		ids[d.Key] = e.ID
	}
	for _, d := range after.Drafts {
		e := byName[documentName(d.Entity.Kind, d.Entity.Type, d.Entity.Name)]
		again := d.Entity
		if again.ID != "" && again.ID != e.ID {
			t.Fatalf("%s %q has id %s, and had %s in\n%s", e.Kind, e.Name, again.ID, e.ID, written)
		}
		again.ID, again.Attributes = e.ID, d.Attributes(func(key string) string { return ids[key] })
		e.Name = exported.Names[e.ID]
		if diff := cmp.Diff(decoded(t, e.Wire()), decoded(t, again.Wire())); diff != "" {
			t.Fatalf("%s %q: -API +files\n%s in\n%s", e.Kind, e.Name, diff, written)
		}
	}
	// The flows are the same, but for who has them.
	renamed := map[string]string{}
	for id, name := range exported.Names {
		for _, e := range all {
			if e.ID == id && e.Name != name {
				renamed[name] = e.Name
			}
		}
	}
	if want, got := content(t, before, nil), content(t, after, renamed); want != got {
		t.Fatalf("-API +files\n%s in\n%s", cmp.Diff(want, got), written)
	}
}

func documentName(kind entity.Kind, typ, name string) string {
	return fmt.Sprint(kind, " ", typ, " ", strings.ToLower(name))
}

func decoded(t fataler, text json.RawMessage) (v map[string]any) {
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v", err)
	}
	return v
}

// content is what flows are told apart by.
func content(t fataler, c *catalog.Catalog, renamed map[string]string) string {
	for _, f := range c.Flows {
		f.Places = nil
		if f.Strategy != nil {
			f.Strategy.ByAPI = false
		}
	}
	b, err := json.MarshalIndent([]any{c.Flows, c.Filter}, "", " ")
	if err != nil {
		t.Fatalf("%v", err)
	}
	text := string(b)
	for name, before := range renamed {
		text = strings.ReplaceAll(text, fmt.Sprintf("%q", name), fmt.Sprintf("%q", before))
	}
	return text
}

// configurations draws what the API has, beside what files have.
type configurations struct {
	*rapid.T
	files fstest.MapFS
	api   []entity.Entity
	names map[string]bool
}

// hostile are texts that YAML, or whoever reads documents, may take for something else.
var hostile = []string{
	"yes", "No", "1", "0x1f", "1_000", "1:30", "1e3", ".5", "2024-01-01", "null", "~", "", "true", "# text", "a: b", "a #b", "two\nlines", "two\nlines\n", "three\n\n\nlines\n\n",
	" ahead", "behind ", "\n", "\nahead", "a\ttab", "\ttab\nahead", "ü🙂", "*x*", "&x", "!x", "!!str", "%{x}", "${x}", "'", `"`, `\n`, "windows\r\nline", "- item", "{a: b}", "[a]",
	"<<", "=", "? x", "| x", "> x", "@x", "`x`", "---", "...", "a\n---\nb", "\u2028", "\u00a0x", "x.py", "a,b", "#chan", "<!channel>", "  two\n spaces\n", "tail \nx", "\u0085", "\ufeffx",
}

func (g *configurations) text() string { return rapid.SampledFrom(hostile).Draw(g.T, "text") }

func (g *configurations) yes() bool { return rapid.Bool().Draw(g.T, "yes") }

func (g *configurations) count(most int) int { return rapid.IntRange(0, most).Draw(g.T, "count") }

// add keeps an entity, and gives its id: the one of its name, or one of its own.
func (g *configurations) add(kind entity.Kind, typ, name string, v map[string]any) string {
	id := flow.EntityID("sym", string(kind), name, "")
	if g.names[id] || kind == entity.KindTarget && g.count(4) == 0 {
		id = flow.EntityID("sym", string(kind), name, fmt.Sprint("again ", len(g.api)))
	}
	g.names[id] = true
	body, err := flow.EncodeJSON(v)
	if err != nil {
		g.Fatalf("%v", err)
	}
	g.api = append(g.api, entity.Entity{ID: id, Kind: kind, Type: typ, Name: name, Owner: entity.API, Attributes: body})
	return id
}

func pick(g *configurations, of []string) string { return rapid.SampledFrom(of).Draw(g.T, "pick") }

func (g *configurations) some(of []string) []any {
	list := []any{}
	for _, v := range of {
		if g.yes() {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		list = append(list, of[0])
	}
	return list
}

func (g *configurations) texts(keys ...string) map[string]any {
	m := map[string]any{}
	for _, key := range keys {
		if g.yes() {
			m[key] = g.text()
		}
	}
	return m
}

func (g *configurations) draw() {
	slackID := flow.EntityID("sym", "integration", "workspace", "")
	environment := ""
	if g.yes() {
		g.files = fstest.MapFS{"main.yaml": &fstest.MapFile{Data: []byte(`
{kind: integration, name: workspace, type: slack, external_id: T0123456789}
---
{kind: error_logger, name: errors, integration_id: workspace, destination: "#sym-errors"}
---
{kind: environment, name: main, integrations: {slack_id: workspace}, error_logger_id: errors}
---
{kind: flow, name: of-files, environment_id: main, params: {approval: {notify: [{channel: "#access"}]}}}
`)}}
		for _, d := range []string{"integration workspace", "error_logger errors", "environment main", "flow of-files"} {
			kind, name, _ := strings.Cut(d, " ")
			g.names[flow.EntityID("sym", kind, name, "")] = true
		}
		environment = flow.EntityID("sym", "environment", "main", "")
	} else {
		slackID = g.add(entity.KindIntegration, "slack", "workspace", map[string]any{"external_id": "T0123456789"})
	}
	source := g.add(entity.KindSecretSource, "aws_secrets_manager", "main", map[string]any{})
	var secrets []string
	for range 1 + g.count(3) {
		path := rapid.SampledFrom([]string{"/sym/okta", "/sym/github", "other"}).Draw(g.T, "path") + "/api-key"
		secrets = append(secrets, g.add(entity.KindSecret, "", "api-key", map[string]any{"path": path, "source_id": source, "settings": map[string]any{"json_key": g.text()}}))
	}
	okta := g.add(entity.KindIntegration, "okta", "shared", map[string]any{"external_id": "acme.okta.com", "settings": map[string]any{"api_token_secret": pick(g, secrets)}})
	list, err := json.Marshal(g.some(secrets))
	if err != nil {
		g.Fatalf("%v", err)
	}
	custom := g.add(entity.KindIntegration, "custom", "Shared", map[string]any{"external_id": "x" + g.text(), "settings": map[string]any{"secret_ids_json": string(list), "note": g.text()}})
	var log []any
	for i := range g.count(2) {
		log = append(log, g.add(entity.KindLogDestination, "http", "logs-example-com", map[string]any{"settings": map[string]any{"url": fmt.Sprintf("https://logs.example.com/%d", i)}}))
	}
	environments := []string{}
	for i := range 1 + g.count(1) {
		v := map[string]any{"integrations": map[string]any{"slack_id": slackID, "okta_id": okta, "circleci_id": custom}}
		if len(log) > 0 && g.yes() {
			v["log_destination_ids"] = log
		}
		if g.yes() {
			v["admins"] = []any{"lead@example.com"}
			v["lambda_arns"] = []any{"arn:aws:lambda:us-east-1:123456789012:function:report"}
		}
		environments = append(environments, g.add(entity.KindEnvironment, "", fmt.Sprint("env-", i), v))
	}
	if environment != "" {
		environments = append(environments, environment)
	}
	var targets []string
	for i := range 1 + g.count(3) {
		v := map[string]any{"label": fmt.Sprint("Target ", i), "settings": g.texts("identifier", "Yes", "1", "a b")}
		if g.yes() {
			v["field_bindings"] = []any{"repo"}
		}
		targets = append(targets, g.add(entity.KindTarget, "http", fmt.Sprint("target-", i), v))
	}
	g.add(entity.KindTarget, "okta_group", "target-0", map[string]any{"settings": map[string]any{"group_id": "00g12345678901234567"}})
	var strategies []string
	for i := range g.count(2) {
		v := map[string]any{"targets": g.some(targets), "settings": map[string]any{"url": "https://grants.example.com/sym"}}
		if g.yes() {
			v["settings"].(map[string]any)["signing_secret_id"] = pick(g, secrets)
		}
		strategies = append(strategies, g.add(entity.KindStrategy, "http", fmt.Sprint("strategy-", i), v))
	}
	for i := range 1 + g.count(3) {
		params := map[string]any{"approval": map[string]any{"notify": []any{map[string]any{"channel": "#access", "timeout": "30m"}}, "approvers": []any{"user:lead@example.com"}}}
		for _, flag := range []string{"allow_revoke", "schedule_deescalation", "include_decision_message", "allow_guest_interaction"} {
			if g.yes() {
				params[flag] = g.yes()
			}
		}
		if g.yes() {
			params["allowed_sources"] = []any{"slack", "api"}[:g.count(2)]
		}
		if text := g.text(); g.yes() && text != "" {
			params["additional_header_text"] = text
		}
		fields := []any{map[string]any{"name": "repo", "type": "string", "required": true, "visible": true, "prefetch": false, "default": g.text()}}
		if g.yes() {
			fields = append(fields, map[string]any{"name": "which", "type": "string", "allowed_values": []any{"yes", "1", "2024-01-01"}, "required": g.yes(), "on_change": "def on_change_which(username, form):\n    pass\n"})
		}
		params["prompt_fields"] = fields
		if len(strategies) > 0 && g.yes() {
			params["strategy_id"] = pick(g, strategies)
			delete(params, "schedule_deescalation")
			params["extend"] = map[string]any{"max": json.Number("2"), "for": []any{"30m"}}
		}
		v := map[string]any{"environment_id": pick(g, environments), "label": fmt.Sprint("Flow ", i), "params": params, "vars": g.texts("a", "Yes", "3")}
		if g.yes() {
			v["vars"].(map[string]any)["target"] = "it is " + pick(g, targets) + ", or " + pick(g, targets)
		}
		if text := g.text(); text != "" && g.yes() {
			v["implementation"] = text
		}
		g.add(entity.KindFlow, "", fmt.Sprint("flow-", i), v)
	}
	if g.yes() {
		v := map[string]any{"implementation": "def get_flows(username, flows):\n    return flows\n", "vars": g.texts("p", "q")}
		if g.yes() {
			v["integrations"] = map[string]any{"slack_id": slackID}
		}
		g.api = append(g.api, entity.Entity{ID: flow.EntityID("sym", "flows_filter", "", ""), Kind: entity.KindFlowsFilter, Owner: entity.API})
		body, err := flow.EncodeJSON(v)
		if err != nil {
			g.Fatalf("%v", err)
		}
		g.api[len(g.api)-1].Attributes = body
	}
}
