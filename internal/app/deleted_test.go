package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
)

// byAPI is a product of whose configuration the files have next to nothing, and a
// token that may configure.
type byAPI struct {
	*testing.T
	*product
	token string
	// removed are the addresses at which removals were asked for.
	removed chan string
	sent    sentRecords
}

// sentRecords are those that log destinations have taken.
type sentRecords struct {
	mu      sync.Mutex
	all     map[string][]events.AuditRecord // of runs, by path and query
	changed chan struct{}                   // closed when there is more
}

func (s *sentRecords) take(at string, body []byte) {
	var r events.AuditRecord
	if json.Unmarshal(body, &r) != nil || r.Type != "event" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[at] = append(s.all[at], r)
	close(s.changed)
	s.changed = make(chan struct{})
}

// of gives the ids of a run's records, as they came.
func (s *sentRecords) of(at, run string) (ids []string) {
	for _, r := range s.all[at] {
		if strings.HasSuffix(r.Run.SRN, run) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// startByAPI starts a product with some files beside local.yaml.
func startByAPI(t *testing.T, files map[string]string) *byAPI {
	t.Helper()
	c := &byAPI{T: t, product: newProduct(t.TempDir(), "../.."), removed: make(chan string, 100)}
	c.sent.all, c.sent.changed = map[string][]events.AuditRecord{}, make(chan struct{})
	c.write(files)
	c.write(map[string]string{"local.yaml": "secrets:\n  /sym/signing: {file: signing}\n", "signing": "not very secret"})
	c.boot()
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	var err error
	c.token, _, err = c.local.Tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "terraform", Owner: "carol@example.com", Config: true}, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *byAPI) write(files map[string]string) {
	c.Helper()
	if err := os.MkdirAll(c.path("flows"), 0o700); err != nil {
		c.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(c.path("flows"), name), []byte(text), 0o600); err != nil {
			c.Fatal(err)
		}
	}
}

func (c *byAPI) boot() {
	c.Helper()
	err := c.start(func(o *Options) error {
		o.seams.http = slacksim.InProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(err)
			}
			if r.Host == "logs.example.com" {
				c.sent.take(r.URL.RequestURI(), body)
				return
			}
			if bytes.Contains(body, []byte(`"type":"deescalate"`)) {
				c.removed <- r.Host + " signed:" + fmt.Sprint(r.Header.Get("X-Sym-Signature") != "")
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			c.target.ServeHTTP(w, r)
		})).Transport
		return nil
	})
	if err != nil {
		c.Fatal(err)
	}
}

// send sends a request of the configuration API, and gives the id that it answers.
func (c *byAPI) send(method, path string, body map[string]any) string {
	c.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		c.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.Context(), method, c.url+"/api/v1/entities/"+path, bytes.NewReader(text))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= http.StatusMultipleChoices {
		c.Fatalf("%s %s: %s %s, %v", method, path, answer.Status, text, err)
	}
	var created struct {
		ID string `json:"id"`
	}
	if len(text) > 0 && json.Unmarshal(text, &created) != nil {
		c.Fatalf("%s %s: %s", method, path, text)
	}
	if err := c.settle(); err != nil {
		c.Fatal(err)
	}
	return created.ID
}

// made has the paths of what a flow is made of, by what it is to the flow.
type made map[string]string

// id is that of what it is made of.
func (m made) id(what string) string { return m[what][strings.Index(m[what], "/")+1:] }

// flowOf makes a flow, and all that it needs, of entities of its own.
func (c *byAPI) flowOf(name string) made {
	c.Helper()
	m := made{}
	create := func(what, collection string, body map[string]any) string {
		c.Helper()
		id := c.send("POST", collection, body)
		m[what] = collection + "/" + id
		return id
	}
	none := map[string]any{}
	slack := create("workspace", "integrations", map[string]any{"type": "slack", "slug": "slack-" + name, "external_id": "T0LOCAL", "settings": none})
	errors := create("error logger", "error-loggers", map[string]any{"integration_id": slack, "destination": "#errors-" + name})
	other := create("integration", "integrations", map[string]any{"type": "custom", "slug": "custom-" + name, "external_id": "x", "settings": none})
	environment := create("environment", "environments", map[string]any{"slug": name, "error_logger_id": errors, "integrations": map[string]any{"slack_id": slack, "custom_id": other}})
	source := create("secrets", "secret-sources", map[string]any{"type": "aws_secrets_manager", "slug": name, "settings": none})
	secret := create("secret", "secrets", map[string]any{"path": "/sym/signing", "source_id": source, "settings": map[string]any{}, "label": name})
	target := create("target", "access-targets", map[string]any{"type": "http", "slug": name, "settings": none})
	strategy := create("strategy", "access-strategies", strategyOf(name, "grants.example.com", secret, target))
	create("flow", "flows", flowBy(name, environment, strategy))
	return m
}

func strategyOf(name, host, secret, target string) map[string]any {
	return map[string]any{
		"type": "http", "slug": name, "integration_id": "<null>", "targets": []string{target},
		"settings": map[string]any{"url": "https://" + host + "/sym", "signing_secret_id": secret},
	}
}

func flowBy(name, environment, strategy string) map[string]any {
	return map[string]any{"slug": "of-" + name, "environment_id": environment, "implementation": "", "vars": map[string]any{}, "params": map[string]any{
		"strategy_id": strategy, "approval": map[string]any{"notify": []any{map[string]any{"channel": "#access-prod"}}},
		"prompt_fields": []any{map[string]any{"name": "duration", "type": "duration", "label": "For how long?", "allowed_values": []string{"30m"}}},
	}}
}

// passed lets time pass until so long after the start.
func (c *byAPI) passed(until time.Duration) {
	c.Helper()
	if err := c.at(until); err != nil {
		c.Fatal(err)
	}
}

// request has Alice ask for a target of a flow, and Bob approve it, and gives the run.
func (c *byAPI) request(name string) string {
	c.Helper()
	alice, bob := c.local.Slack.As("alice"), c.local.Slack.As("bob")
	must := func(err error) {
		c.Helper()
		if err != nil {
			c.Fatalf("%s: %v", name, err)
		}
		if err := c.settle(); err != nil {
			c.Fatal(err)
		}
	}
	must(alice.Command("/sym req of-" + name))
	must(alice.Fill(map[string]string{"For how long?": "30 minutes", "Target": name}))
	must(alice.Submit())
	must(c.meet())
	must(bob.Click("", "Approve"))
	return c.runs[len(c.runs)-1]
}

func (c *byAPI) run(id string) flow.Run {
	c.Helper()
	r, err := c.local.Runs.Get(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	return r
}

// deletable are the kinds whose deletion ends a flow, or a target of it.
var deletable = []string{"strategy", "target", "environment", "integration", "secret", "flow"}

// TestDeleted_Approved: what was approved and is not granted yet is refused once something
// that it needs is gone: a target and a flow at once, anything else once nothing has taken
// its place for 15 minutes.
func TestDeleted_Approved(t *testing.T) {
	t.Parallel()
	c := startByAPI(t, map[string]string{"files.yaml": "kind: runtime\nname: unused\n"})
	flows := map[string]made{}
	for _, name := range append(slices.Clone(deletable), "nothing") {
		flows[name] = c.flowOf(name)
	}
	c.passed(time.Minute)
	for _, name := range deletable {
		if name != "target" && name != "flow" {
			c.send("DELETE", flows[name][name], nil)
		}
	}
	c.passed(15*time.Minute + 50*time.Second)
	c.target.mode = targetFails // so that nothing is granted yet
	runs := map[string]string{}
	for name := range flows {
		runs[name] = c.request(name)
		if r := c.run(runs[name]); r.Status != flow.Approved || r.Error == nil || r.Error.Code != flow.CodeUnavailable {
			t.Fatalf("%s: %s with %+v before it is gone for 15 minutes", name, r.Status, r.Error)
		}
	}
	for _, name := range []string{"target", "flow"} {
		c.send("DELETE", flows[name][name], nil)
	}
	c.passed(16*time.Minute + time.Second)
	c.target.mode = targetWell
	c.passed(18 * time.Minute)
	for name, id := range runs {
		// The target was asked already, so that the end of what it may have done is asked for.
		want, code := flow.Deescalated, flow.CodeWithdrawn
		switch name {
		case "nothing":
			want, code = flow.Escalated, flow.CodeUnavailable // at first
		case "target":
			want, code = flow.Approved, flow.CodeConfigNeeded
		}
		r := c.run(id)
		refused := false
		for _, e := range r.Events {
			refused = refused || slices.ContainsFunc(e.Errors, func(f flow.Failure) bool { return f.Code == code })
		}
		if r.Status != want || !refused {
			t.Errorf("without its %s: %s, want %s, with %q: %+v", name, r.Status, want, code, r.Events)
		}
	}
	if access := strings.TrimSpace(c.target.access()); access != "alice@example.com nothing" {
		t.Errorf("granted: %q", access)
	}
}

// TestDeleted_Live: access that is live ends on time, whatever is deleted or changed
// meanwhile, by what its strategy said when it was granted.
func TestDeleted_Live(t *testing.T) {
	t.Parallel()
	c := startByAPI(t, map[string]string{"files.yaml": "kind: runtime\nname: unused\n"})
	flows, runs := map[string]made{}, map[string]string{}
	for _, name := range append(slices.Clone(deletable), "everything", "settings") {
		flows[name] = c.flowOf(name)
	}
	c.passed(time.Minute)
	for name := range flows {
		if runs[name] = c.request(name); c.run(runs[name]).Status != flow.Escalated {
			t.Fatalf("%s: %+v", name, c.run(runs[name]).Error)
		}
	}
	for _, name := range deletable {
		c.send("DELETE", flows[name][name], nil)
		c.send("DELETE", flows["everything"][name], nil)
	}
	id := func(what string) string {
		return flows["settings"][what][strings.Index(flows["settings"][what], "/")+1:]
	}
	moved := strategyOf("settings", "elsewhere.example.com", id("secret"), id("target"))
	c.send("PATCH", flows["settings"]["strategy"], moved)
	c.passed(20 * time.Minute) // flows are gone by now
	list, err := c.local.flows.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range list {
		left = append(left, f.Name)
	}
	if got := strings.Join(left, " "); got != "of-settings of-target" {
		t.Errorf("flows %q are in force", got)
	}
	if err := c.stop(); err != nil { // nothing of it is in memory
		t.Fatal(err)
	}
	c.boot()
	c.passed(40 * time.Minute)
	for name, id := range runs {
		if r := c.run(id); r.Status != flow.Deescalated {
			t.Errorf("without its %s: %s, %+v", name, r.Status, r.Error)
		}
		if at := <-c.removed; at != "grants.example.com signed:true" {
			t.Errorf("taken away at %s", at)
		}
	}
	if access := c.target.access(); access != "" {
		t.Errorf("still granted: %s", access)
	}
}

// TestDeleted_Files: files can't drop what access needs that is live by a flow of the API.
func TestDeleted_Files(t *testing.T) {
	t.Parallel()
	const kept = "kind: integration\nname: slack\ntype: slack\nexternal_id: T0LOCAL\n"
	const dropped = "---\nkind: target\nname: files\ntype: http\n---\nkind: strategy\nname: files\ntype: http\ntargets: [files]\nsettings: {url: \"https://grants.example.com/sym\"}\n"
	c := startByAPI(t, map[string]string{"files.yaml": kept + dropped})
	environment := c.send("POST", "environments", map[string]any{"slug": "files", "integrations": map[string]any{}})
	c.send("POST", "flows", flowBy("files", environment, flow.EntityID(testSettings.Org, "strategy", "files", "")))
	c.passed(time.Minute)
	run := c.request("files")
	if r := c.run(run); r.Status != flow.Escalated {
		t.Fatalf("%s, %+v", r.Status, r.Error)
	}
	again := func() string {
		if err := c.stop(); err != nil {
			t.Fatal(err)
		}
		c.write(map[string]string{"files.yaml": kept})
		c.boot()
		answer, err := http.Get(c.url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Status + " " + string(text)
	}
	if health := again(); !strings.HasPrefix(health, "503") || !strings.Contains(health, `strategy "files" of type http (needed by run `+run) {
		t.Errorf("the files are in force: %s", health)
	}
	c.passed(40 * time.Minute)
	if r := c.run(run); r.Status != flow.Deescalated {
		t.Errorf("%s, %+v", r.Status, r.Error)
	}
	if health := again(); !strings.HasPrefix(health, "200") {
		t.Errorf("the files are not in force: %s", health)
	}
}
