package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConfig_Property: of whatever configuration is applied, a second plan shows no
// differences: what is read, and what is looked up, is what was sent last, as the provider
// compares. So it is after each change, which replaces what was there.
func TestConfig_Property(t *testing.T) {
	t.Parallel()
	for kind, open := range configStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				c := configure(t, open(t))
				g := &generated{configServer: c, Rand: rand.New(rand.NewPCG(seed, 15)), ids: map[string][]string{}}
				for range 2 {
					for _, kind := range generatedKinds {
						for i := range 3 {
							g.create(kind, i)
						}
					}
					g.plan(seed, "applied")
					for range 12 {
						g.change(&g.all[g.IntN(len(g.all))])
					}
					g.plan(seed, "changed")
				}
				g.destroy()
			}
		})
	}
}

// generated is a configuration that is made up, of entities that are right.
type generated struct {
	*configServer
	*rand.Rand
	all  []resource
	ids  map[string][]string // by what they are, such as "okta" and "http target"
	made int
}

// resource is one of Terraform's.
type resource struct {
	kind, id string
	name     string // that it was made with; "" where there is none
	sent     map[string]any
}

// generatedKinds are what is made up, each after those that it refers to.
var generatedKinds = []string{
	"slack", "context", "source", "secret", "okta", "custom", "runtime", "errors", "http logs", "stream",
	"environment", "http target", "okta target", "custom target", "http strategy", "okta strategy", "custom strategy", "flow", "filter",
}

var collectionOf = map[string]string{
	"slack": "integrations", "context": "integrations", "okta": "integrations", "custom": "integrations", "source": "secret-sources", "secret": "secrets",
	"runtime": "runtimes", "errors": "error-loggers", "http logs": "log-destinations", "stream": "log-destinations", "environment": "environments",
	"http target": "access-targets", "okta target": "access-targets", "custom target": "access-targets",
	"http strategy": "access-strategies", "okta strategy": "access-strategies", "custom strategy": "access-strategies", "flow": "flows", "filter": "flows-filter",
}

func (g *generated) some() bool { return g.IntN(2) == 0 }

// text is one that has to be escaped in JSON, HTML or URLs.
func (g *generated) text() string {
	return fmt.Sprintf("t%d é<&> \"%d\" 100%% {x}", g.IntN(100), g.IntN(100))
}

// one is the id of something of a kind that is there.
func (g *generated) one(kind string) string { return g.ids[kind][g.IntN(len(g.ids[kind]))] }

// few are ids of several, each once, in any order.
func (g *generated) few(kind string) []any {
	list := []any{}
	for _, i := range g.Perm(len(g.ids[kind]))[:1+g.IntN(len(g.ids[kind]))] {
		list = append(list, g.ids[kind][i])
	}
	return list
}

func python(name string, r *rand.Rand) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "# é %d\ndef %s(a, b=None, c=None):\n  return b\n", r.IntN(1000), name))
}

// body makes one up, as the provider sends it: what it always sends, and at times what it
// leaves out if it is empty.
func (g *generated) body(kind, name string) map[string]any {
	v := map[string]any{}
	omitted := func(key string, value any) {
		if g.some() {
			v[key] = value
		}
	}
	table := func(one func() string) map[string]any {
		out := map[string]any{}
		for range g.IntN(4) {
			out[fmt.Sprintf("k%d", g.IntN(50))] = one()
		}
		if g.some() {
			out["absent"] = nil
		}
		return out
	}
	named := func() {
		v["slug"] = name
		omitted("label", g.text())
	}
	switch kind {
	case "slack":
		named()
		v["type"], v["external_id"], v["settings"] = "slack", fmt.Sprintf("T%09d", g.IntN(1e9)), map[string]any{}
	case "context":
		named()
		v["type"], v["external_id"] = "permission_context", "123456789012"
		v["settings"] = map[string]any{"cloud": "aws", "region": "us-east-1", "account_id": "123456789012", "external_id": fmt.Sprint(100 + g.IntN(100)), "role_arn": "arn:aws:iam::123456789012:role/sym/R"}
	case "okta":
		named()
		v["type"], v["external_id"], v["settings"] = "okta", "acme.okta.com", map[string]any{"api_token_secret": g.one("secret")}
	case "custom":
		named()
		list, err := json.Marshal(g.few("secret"))
		if err != nil {
			g.Fatal(err)
		}
		v["type"], v["external_id"], v["settings"] = "custom", g.text(), map[string]any{"secret_ids_json": string(list)}
	case "source":
		named()
		v["type"], v["settings"] = "aws_secrets_manager", map[string]any{}
		if g.some() {
			v["settings"] = map[string]any{"context_id": g.one("context")}
		}
	case "secret":
		v["path"], v["source_id"], v["settings"] = "sym/main/"+name, g.one("source"), map[string]any{}
		if g.some() {
			v["settings"] = map[string]any{"json_key": fmt.Sprint("k", g.IntN(3))}
		}
		omitted("label", g.text())
	case "runtime":
		named()
		omitted("context_id", g.one("context"))
	case "errors":
		v["integration_id"], v["destination"] = g.one("slack"), "#errors-"+strings.ToLower(name)
	case "http logs":
		v["type"], v["integration_id"] = "http", "<null>"
		v["settings"] = map[string]any{"url": "https://logs.example.com/" + name + "?a=%20&b=" + fmt.Sprint(g.IntN(9))}
	case "stream":
		v["type"], v["integration_id"], v["settings"] = "kinesis_firehose", g.one("context"), map[string]any{"stream_name": name}
	case "environment":
		named()
		v["integrations"] = map[string]any{"slack_id": g.one("slack")}
		if g.some() {
			v["integrations"] = map[string]any{"slack_id": g.one("slack"), "okta_id": g.one("okta"), "circleci_id": g.one("custom"), "aws_lambda_id": g.one("context")}
		}
		omitted("runtime_id", g.one("runtime"))
		omitted("error_logger_id", g.one("errors"))
		omitted("log_destination_ids", append(g.few("stream"), g.few("http logs")...))
	case "http target":
		named()
		v["type"], v["settings"] = "http", table(g.text)
	case "okta target":
		named()
		v["type"], v["settings"] = "okta_group", map[string]any{"group_id": fmt.Sprintf("00g%017d", g.IntN(1000))}
	case "custom target":
		named()
		v["type"], v["settings"] = "custom", map[string]any{"identifier": g.text()}
		omitted("field_bindings", []any{"repo_name", "branch"})
	case "http strategy":
		named()
		v["type"], v["integration_id"], v["targets"], v["settings"] = "http", "<null>", g.few("http target"), map[string]any{"url": "https://grants.example.com/" + name}
	case "okta strategy":
		named()
		v["type"], v["integration_id"], v["targets"], v["settings"] = "okta", g.one("okta"), g.few("okta target"), map[string]any{}
	case "custom strategy":
		named()
		v["type"], v["integration_id"], v["targets"], v["settings"] = "custom", g.one("custom"), g.few("custom target"), map[string]any{}
		v["implementation"] = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "# %d\nclass Groups(AccessStrategy):\n  pass\n", g.IntN(1000)))
	case "flow":
		named()
		v["environment_id"], v["implementation"], v["vars"] = g.one("environment"), python("get_approvers", g.Rand), table(g.text)
		v["params"] = g.params()
	case "filter":
		v["implementation"], v["vars"], v["integrations"] = python("get_flows", g.Rand), table(g.text), map[string]any{"slack_id": g.one("slack")}
	}
	return v
}

// params are a flow's: none, or those of a block with what the provider always sends.
func (g *generated) params() map[string]any {
	if g.IntN(4) == 0 {
		return map[string]any{}
	}
	p := map[string]any{
		"allow_revoke": g.some(), "schedule_deescalation": true, "include_decision_message": g.some(), "allow_guest_interaction": g.some(), "additional_header_text": "",
	}
	if g.some() {
		p["additional_header_text"] = g.text()
	}
	if g.some() {
		p["allowed_sources"] = [][]any{{}, {"api"}, {"slack", "api"}, {"api", "slack"}}[g.IntN(4)]
	}
	field := func(name, kind, standard string, values ...any) map[string]any {
		f := map[string]any{
			"name": name, "type": kind, "label": "", "required": g.some(), "default": standard, "allowed_values": append([]any{}, values...),
			"visible": true, "prefetch": false, "on_change": "",
		}
		if kind == "duration" {
			f["required"] = true
		}
		if g.some() {
			f["label"] = fmt.Sprint("Label é & ", g.IntN(9))
		}
		return f
	}
	fields := []any{}
	if g.some() {
		fields = append(fields, field("reason", "string", ""), field("color", "string", "", "red", "green"), field("count", "int", "5", "1", "5"), field("sure", "bool", ""))
		g.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	if g.some() {
		p["strategy_id"] = g.one([]string{"http strategy", "okta strategy"}[g.IntN(2)])
		fields = append(fields, field("duration", "duration", "", "30m", "1h"))
	}
	p["prompt_fields"] = fields
	if len(fields) == 0 && g.some() {
		p["prompt_fields"] = nil
	}
	return p
}

// names that the provider may send: letters of either case.
func (g *generated) name(kind string) string {
	g.made++
	return fmt.Sprintf("%s-N%d", strings.ReplaceAll(kind, " ", "_"), g.made)
}

func (g *generated) create(kind string, i int) {
	g.Helper()
	if kind == "filter" && (i > 0 || len(g.ids[kind]) > 0) {
		return
	}
	r := resource{kind: kind, name: g.name(kind)}
	r.sent = g.body(kind, r.name)
	status, answer := g.sendBody("POST", collectionOf[kind], r.sent)
	if r.id, _ = read(g, answer)["id"].(string); status != http.StatusOK || r.id == "" {
		g.Fatalf("%d %s to %v", status, answer, r.sent)
	}
	g.ids[kind] = append(g.ids[kind], r.id)
	g.all = append(g.all, r)
}

// change sends another body of the same entity, of another name at times.
func (g *generated) change(r *resource) {
	g.Helper()
	if g.IntN(4) == 0 {
		r.name = g.name(r.kind)
	}
	r.sent = g.body(r.kind, r.name)
	body := map[string]any{"id": r.id}
	if r.kind == "filter" {
		delete(body, "id")
	}
	for key, value := range r.sent {
		body[key] = value
	}
	if status, answer := g.sendBody("PATCH", r.path(), body); status != http.StatusOK || read(g, answer)["id"] != r.id {
		g.Fatalf("%d %s to %v", status, answer, body)
	}
}

func (r resource) path() string {
	if r.kind == "filter" {
		return collectionOf[r.kind]
	}
	return collectionOf[r.kind] + "/" + r.id
}

func (g *generated) sendBody(method, path string, body map[string]any) (int, string) {
	g.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		g.Fatal(err)
	}
	return g.send(method, "/entities/"+path, string(text))
}

// plan refreshes everything, ten at once, and compares with what was sent.
func (g *generated) plan(seed uint64, when string) {
	g.Helper()
	atOnce(len(g.all), func(i int) {
		r := g.all[i]
		status, answer := g.send("GET", "/entities/"+r.path(), "")
		if diff := difference(r.sent, read(g, answer)); status != http.StatusOK || diff != "" {
			g.Errorf("seed %d, %s: %s: %d, -sent +read\n%s", seed, when, r.kind, status, diff)
		}
		if r.kind == "filter" {
			return
		}
		slug, _ := read(g, answer)["slug"].(string)
		query := "?slug=" + slug
		if kind, ok := r.sent["type"].(string); ok {
			query += "&type=" + url.QueryEscape(kind)
		}
		status, answer = g.send("GET", "/entities/"+collectionOf[r.kind]+query, "")
		var found []map[string]any
		if err := json.Unmarshal([]byte(answer), &found); err != nil || status != http.StatusOK || len(found) != 1 || found[0]["id"] != r.id || difference(r.sent, found[0]) != "" {
			g.Errorf("seed %d, %s: %s%s finds %s, want %s, %v", seed, when, collectionOf[r.kind], query, answer, r.id, err)
		}
	})
}

// destroy deletes everything, in any order, and twice, as if the first answer had been lost.
func (g *generated) destroy() {
	g.Helper()
	g.Shuffle(len(g.all), func(i, j int) { g.all[i], g.all[j] = g.all[j], g.all[i] })
	atOnce(2*len(g.all), func(i int) {
		if status, answer := g.send("DELETE", "/entities/"+g.all[i/2].path(), ""); status != http.StatusNoContent {
			g.Errorf("%s: %d %s", g.all[i/2].kind, status, answer)
		}
	})
	atOnce(len(g.all), func(i int) {
		if status, answer := g.send("GET", "/entities/"+g.all[i].path(), ""); status != http.StatusNotFound {
			g.Errorf("%s: %d %s", g.all[i].kind, status, answer)
		}
	})
}

// difference is what a plan of the provider's would show: null is as absent, and so is the
// "<null>" of an integration; an id, and a name that was not sent, are the server's.
func difference(sent, got map[string]any) string {
	text, err := json.Marshal(sent)
	if err != nil {
		return err.Error()
	}
	var want map[string]any
	if err := json.Unmarshal(text, &want); err != nil {
		return err.Error()
	}
	params, _ := want["params"].(map[string]any)
	if fields, ok := params["prompt_fields"]; ok && fields == nil {
		params["prompt_fields"] = []any{} // it may not be answered as null
	}
	if answered, _ := got["params"].(map[string]any); answered != nil {
		if fields, ok := answered["prompt_fields"]; ok && fields == nil {
			return "prompt_fields is null, at which the provider ends"
		}
	}
	got = absent(got).(map[string]any)
	delete(got, "id")
	if _, ok := want["slug"]; !ok {
		delete(got, "slug")
	}
	return cmp.Diff(absent(want), absent(got))
}

// absent leaves out what the provider takes for absent.
func absent(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if value != nil && (key != "integration_id" || value != "<null>") {
				out[key] = absent(value)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, value := range v {
			out = append(out, absent(value))
		}
		return out
	}
	return v
}
