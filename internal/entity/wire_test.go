package entity_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/entity"
)

func read(t testing.TB, kind entity.Kind, body string) (entity.Entity, string, []entity.Fault) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return entity.FromWire(kind, fields)
}

func coded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// TestFromWire: what is kept is what a YAML document says, and what is read back has
// all that the provider sends.
func TestFromWire(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind       entity.Kind
		sent, kept string
		back       string // what is read, without the id; "": what was sent
	}{
		"an integration": {
			entity.KindIntegration,
			`{"type":"slack","settings":{},"slug":"main-slack","external_id":"T123ABC","label":"First"}`,
			`{"external_id":"T123ABC","label":"First","type":"slack"}`, "",
		},
		"settings that are null": {
			entity.KindTarget, `{"type":"custom","slug":"t","settings":{"identifier":"r","other":null}}`,
			`{"settings":{"identifier":"r"},"type":"custom"}`, `{"type":"custom","slug":"t","settings":{"identifier":"r"}}`,
		},
		"no integration": {
			entity.KindStrategy, `{"type":"http","integration_id":"\u003cnull\u003e","targets":["b","a"],"settings":{},"slug":"h"}`,
			`{"targets":["b","a"],"type":"http"}`, `{"type":"http","targets":["b","a"],"settings":{},"slug":"h"}`,
		},
		"a strategy's Python": {
			entity.KindStrategy, `{"type":"custom","slug":"h","integration_id":"i","targets":[],"settings":{},"implementation":"` + coded("from sym") + `"}`,
			`{"implementation":"from sym","integration_id":"i","targets":[],"type":"custom"}`, "",
		},
		"a secret": {
			entity.KindSecret, `{"path":"sym/main/key","source_id":"s","settings":{"json_key":"api"}}`,
			`{"path":"sym/main/key","settings":{"json_key":"api"},"source_id":"s"}`,
			`{"path":"sym/main/key","source_id":"s","settings":{"json_key":"api"},"slug":"key-api"}`,
		},
		"an error logger": {
			entity.KindErrorLogger, `{"integration_id":"i","destination":"#sym-errors"}`,
			`{"destination":"#sym-errors","integration_id":"i"}`,
			`{"integration_id":"i","destination":"#sym-errors","slug":"sym-errors"}`,
		},
		"a log destination": {
			entity.KindLogDestination, `{"type":"http","integration_id":"\u003cnull\u003e","settings":{"url":"https://logs.example.com/in?a=b"}}`,
			`{"settings":{"url":"https://logs.example.com/in?a=b"},"type":"http"}`,
			`{"type":"http","settings":{"url":"https://logs.example.com/in?a=b"},"slug":"logs-example-com-in"}`,
		},
		"an environment with nothing": {
			entity.KindEnvironment, `{"slug":"Main","integrations":{},"log_destination_ids":[],"label":null}`, `{}`,
			`{"slug":"Main","integrations":{}}`,
		},
		"a flow without params": {
			entity.KindFlow, `{"slug":"f","implementation":"` + coded("x") + `","environment_id":"e","vars":{},"params":{},"template":"sym:template:approval:1.0.0"}`,
			`{"environment_id":"e","implementation":"x"}`,
			`{"slug":"f","implementation":"` + coded("x") + `","environment_id":"e","vars":{},"params":{}}`,
		},
		"prompt fields that are null": {
			entity.KindFlow, `{"slug":"f","implementation":"` + coded("x") + `","environment_id":"e","vars":{},"params":{"allow_revoke":true,"allowed_sources":[],"prompt_fields":null}}`,
			`{"environment_id":"e","implementation":"x","params":{"allow_revoke":true,"allowed_sources":[]}}`,
			`{"slug":"f","implementation":"` + coded("x") + `","environment_id":"e","vars":{},"params":{
				"allow_revoke":true,"schedule_deescalation":true,"include_decision_message":false,"allow_guest_interaction":false,"additional_header_text":"",
				"allowed_sources":[],"prompt_fields":[]}}`,
		},
		"a prompt field": {
			entity.KindFlow, `{"slug":"f","implementation":"` + coded("x") + `","environment_id":"e","vars":{"a":"1"},"params":{"strategy_id":"s",
				"allow_revoke":true,"schedule_deescalation":true,"include_decision_message":true,"allow_guest_interaction":false,"additional_header_text":"*Hi*",
				"prompt_fields":[{"name":"b","type":"int","label":"","required":false,"default":"5","allowed_values":["1","5"],"visible":true,"prefetch":false,"on_change":"` + coded("y") + `"},
					{"name":"a","type":"string","label":"","required":true,"default":"","allowed_values":[],"visible":true,"prefetch":false,"on_change":""}]}}`,
			`{"environment_id":"e","implementation":"x","params":{"additional_header_text":"*Hi*","allow_guest_interaction":false,"allow_revoke":true,` +
				`"include_decision_message":true,"prompt_fields":[{"allowed_values":["1","5"],"default":"5","name":"b","on_change":"y","prefetch":false,"required":false,"type":"int","visible":true},` +
				`{"name":"a","prefetch":false,"required":true,"type":"string","visible":true}],"schedule_deescalation":true,"strategy_id":"s"},"vars":{"a":"1"}}`, "",
		},
		"the filter": {
			entity.KindFlowsFilter, `{"implementation":"` + coded("def get_flows") + `","vars":{"p":"x"},"integrations":{"slack_id":"i"}}`,
			`{"implementation":"def get_flows","integrations":{"slack_id":"i"},"vars":{"p":"x"}}`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _, faults := read(t, test.kind, test.sent)
			if faults != nil {
				t.Fatal(faults)
			}
			if got := string(e.Document()); got != test.kept {
				t.Errorf("kept\n%s, want\n%s", got, test.kept)
			}
			want := test.back
			if want == "" {
				want = test.sent
			}
			if diff := cmp.Diff(object(t, want), object(t, string(e.Wire()), "id")); diff != "" {
				t.Errorf("-sent +read\n%s", diff)
			}
			again, _, _ := read(t, test.kind, string(e.Wire()))
			if !again.Same(e) && test.kind != entity.KindFlow { // a flow's defaults are written out
				t.Errorf("what was read is kept as\n%s", again.Document())
			}
		})
	}
}

func object(t testing.TB, text string, without ...string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, name := range without {
		delete(v, name)
	}
	return v
}

// TestFromWire_Faults: what can't be read is said by attribute, all at once.
func TestFromWire_Faults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind entity.Kind
		sent string
		want []string
	}{
		"no name":         {entity.KindTarget, `{"type":"custom","settings":{}}`, []string{"name"}},
		"a name, no type": {entity.KindTarget, `{"slug":"t","settings":{}}`, []string{"type"}},
		"numbers":         {entity.KindTarget, `{"slug":1,"type":2}`, []string{"name", "type"}},
		"plain Python": {
			entity.KindFlow, `{"slug":"f","implementation":"def f():","environment_id":"e","params":{"prompt_fields":[{"name":"a","on_change":"?"}]}}`,
			[]string{"implementation", "params.prompt_fields[0].on_change"},
		},
		"base64 with a loose end": {entity.KindFlow, `{"slug":"f","implementation":"eB==","environment_id":"e"}`, []string{"implementation"}},
		"no text":                 {entity.KindFlow, `{"slug":"f","implementation":"/w==","environment_id":"e"}`, []string{"implementation"}},
		"no text at all":          {entity.KindFlow, `{"slug":"f","implementation":{},"environment_id":"e"}`, []string{"implementation"}},
		"words of ours":           {entity.KindRuntime, `{"slug":"f","kind":"flow","name":"x"}`, []string{"kind", "name"}},
	} {
		_, _, faults := read(t, test.kind, test.sent)
		var got []string
		for _, f := range faults {
			got = append(got, f.Attribute)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, faults, test.want)
		}
	}
}

// TestRefs: all references are known, in lists, maps and settings.
func TestRefs(t *testing.T) {
	t.Parallel()
	for kind, test := range map[entity.Kind]struct{ sent, want string }{
		entity.KindEnvironment: {
			`{"slug":"e","runtime_id":"r","error_logger_id":"l","log_destination_ids":["b","a"],"integrations":{"slack_id":"s","okta_id":"o"}}`,
			"error_logger_id=error_logger:l integrations.okta_id=integration:o integrations.slack_id=integration:s log_destination_ids[0]=log_destination:b log_destination_ids[1]=log_destination:a runtime_id=runtime:r",
		},
		entity.KindIntegration: {
			`{"slug":"i","type":"custom","external_id":"x","settings":{"api_token_secret":"a","secret_ids_json":"[\"b\",\"c\"]","region":"r"}}`,
			"settings.api_token_secret=secret:a settings.secret_ids_json[0]=secret:b settings.secret_ids_json[1]=secret:c",
		},
		entity.KindFlow:         {`{"slug":"f","environment_id":"e","params":{"strategy_id":"s"}}`, "environment_id=environment:e params.strategy_id=strategy:s"},
		entity.KindStrategy:     {`{"slug":"s","type":"okta","integration_id":"i","targets":["t"]}`, "integration_id=integration:i targets[0]=target:t"},
		entity.KindSecretSource: {`{"slug":"s","type":"aws_secrets_manager","settings":{"context_id":"c"}}`, "settings.context_id=integration:c"},
		entity.KindSecret:       {`{"path":"a/b","source_id":"s","settings":{}}`, "source_id=secrets:s"},
		entity.KindTarget:       {`{"slug":"t","type":"custom","settings":{"x_secret":"s"}}`, ""},
	} {
		e, _, _ := read(t, kind, test.sent)
		var got []string
		for _, r := range e.Refs() {
			got = append(got, fmt.Sprintf("%s=%s:%s", r.Attribute, r.Kind, r.ID))
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s refers to %s, want %s", kind, text, test.want)
		}
	}
}

// TestKinds: each kind has its own collection, and the words of YAML.
func TestKinds(t *testing.T) {
	t.Parallel()
	seen := map[entity.Kind]bool{}
	for _, k := range entity.Kinds() {
		if back, ok := entity.OfCollection(k.Collection()); !ok || back != k || seen[k] {
			t.Errorf("%s is in %q, which is %q", k, k.Collection(), back)
		}
		seen[k] = true
	}
	if _, ok := entity.OfCollection("targets"); ok || entity.Kind("x").Collection() != "" {
		t.Error("there are kinds that there are not")
	}
}

// TestWire_Property: whatever is sent is read back the same, as the provider compares:
// null is as absent, and what it always sends is there.
func TestWire_Property(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		kind := entity.Kinds()[r.IntN(len(entity.Kinds()))]
		sent := Generate(r, kind)
		body, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		e, _, faults := read(t, kind, string(body))
		if faults != nil {
			t.Fatalf("seed %d: %s: %v", seed, body, faults)
		}
		want := normalised(object(t, string(body)))
		got := object(t, string(e.Wire()), "id")
		if _, sentSlug := want["slug"]; !sentSlug {
			delete(got, "slug")
		}
		if diff := cmp.Diff(want, normalised(got)); diff != "" {
			t.Fatalf("seed %d: %s\n-sent +read\n%s", seed, body, diff)
		}
	}
}

// normalised is a body as the provider keeps it: "<null>" and null are absent.
func normalised(v map[string]any) map[string]any {
	for name, value := range v {
		switch value := value.(type) {
		case nil:
			delete(v, name)
		case map[string]any:
			normalised(value)
		case string:
			if value == "<null>" {
				delete(v, name)
			}
		case []any:
			for _, item := range value {
				if inside, ok := item.(map[string]any); ok {
					normalised(inside)
				}
			}
		}
	}
	return v
}

// Generate makes a body as the provider sends it: what it always sends, and what it
// leaves out when it is empty.
func Generate(r *rand.Rand, kind entity.Kind) map[string]any {
	text := func() string { return fmt.Sprintf("t%d é<&> \"%d\"", r.IntN(100), r.IntN(100)) }
	some := func() bool { return r.IntN(2) == 0 }
	id := func() string { return fmt.Sprintf("00000000-0000-5000-8000-%012d", r.IntN(1000)) }
	list := func(one func() string) []any {
		out := []any{}
		for range r.IntN(4) {
			out = append(out, one())
		}
		return out
	}
	table := func(one func() string) map[string]any {
		out := map[string]any{}
		for range r.IntN(4) {
			out[fmt.Sprintf("k%d", r.IntN(50))] = one()
		}
		if some() {
			out["absent"] = nil
		}
		return out
	}
	v := map[string]any{}
	omitted := func(name string, value any) {
		if some() {
			v[name] = value
		}
	}
	named := func() { v["slug"] = fmt.Sprintf("N%d-%d", r.IntN(100), r.IntN(100)); omitted("label", text()) }
	integration := func() {
		v["integration_id"] = id()
		if some() {
			v["integration_id"] = "<null>"
		}
	}
	switch kind {
	case entity.KindIntegration:
		named()
		v["type"], v["external_id"], v["settings"] = "custom", text(), table(text)
	case entity.KindRuntime:
		named()
		omitted("context_id", id())
	case entity.KindSecretSource:
		named()
		v["type"], v["settings"] = "aws_secrets_manager", table(text)
	case entity.KindSecret:
		v["path"], v["source_id"], v["settings"] = "a/"+text(), id(), table(text)
		omitted("label", text())
	case entity.KindErrorLogger:
		v["integration_id"], v["destination"] = id(), "#a"
	case entity.KindLogDestination:
		integration()
		v["type"], v["settings"] = "http", table(text)
	case entity.KindEnvironment:
		named()
		v["integrations"] = table(id)
		omitted("runtime_id", id())
		omitted("error_logger_id", id())
		omitted("log_destination_ids", []any{id(), id()})
	case entity.KindTarget:
		named()
		v["type"], v["settings"] = "custom", table(text)
		omitted("field_bindings", []any{"b", "a"})
	case entity.KindStrategy:
		named()
		integration()
		v["type"], v["targets"], v["settings"] = "http", list(id), table(text)
		omitted("implementation", coded(text()))
	case entity.KindFlow:
		named()
		v["environment_id"], v["implementation"], v["vars"] = id(), coded(text()), table(text)
		params := map[string]any{}
		if some() {
			params = map[string]any{
				"allow_revoke": some(), "schedule_deescalation": some(), "include_decision_message": some(), "allow_guest_interaction": some(), "additional_header_text": "",
			}
			if some() {
				params["strategy_id"] = id()
			}
			if some() {
				params["allowed_sources"] = list(func() string { return "slack" })
			}
			fields := []any{}
			for i := range r.IntN(4) {
				field := map[string]any{
					"name": fmt.Sprintf("f%d", i), "type": "string", "label": "", "required": some(), "default": "", "allowed_values": list(text),
					"visible": some(), "prefetch": some(), "on_change": "",
				}
				if some() {
					field["on_change"], field["label"], field["default"] = coded(text()), text(), text()
				}
				fields = append(fields, field)
			}
			params["prompt_fields"] = fields
		}
		v["params"] = params
	case entity.KindFlowsFilter:
		v["implementation"], v["vars"], v["integrations"] = coded(text()), table(text), table(id)
	}
	return v
}
