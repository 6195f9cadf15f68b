package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
)

const destinationFlows = `
kind: secrets
name: vault
type: aws_secrets_manager
---
kind: secret
name: siem-signing
path: /sym/siem
source_id: vault
---
kind: log_destination
name: siem
type: http
settings: {url: "https://logs.example.com/sym?key=urlsecret000", signing_secret_id: siem-signing}
---
kind: environment
name: main
log_destination_ids: [siem]
---
kind: flow
name: ask
environment_id: main
params:
  prompt_fields: [{name: reason, type: string}]
  approval: {notify: [{channel: "#access-prod"}]}
`

// siem is a server that takes signed records.
type siem struct {
	now func() time.Time

	mu     sync.Mutex
	status int                  // of its answers; 0: 204
	got    []events.AuditRecord // those of runs
	ids    []string             // Idempotency-Key of each
	acts   []events.AdminRecord // what administrators did
	called chan struct{}
}

func (s *siem) answers(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *siem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.called <- struct{}{} }()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.URL.Host == "logs.example.com" {
		err = events.VerifySignature("signingsecret000", r.Header.Get(events.HeaderTimestamp), body, r.Header.Get(events.HeaderSignature), s.now())
	}
	var record events.AuditRecord
	if err == nil {
		err = json.Unmarshal(body, &record)
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnauthorized)
	case s.status != 0:
		w.WriteHeader(s.status)
	case record.Type == "admin":
		var act events.AdminRecord
		if json.Unmarshal(body, &act) == nil {
			s.acts = append(s.acts, act)
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		s.got, s.ids = append(s.got, record), append(s.ids, r.Header.Get("Idempotency-Key"))
		w.WriteHeader(http.StatusNoContent)
	}
}

// TestDestinations: what is logged while a destination is down, and while we are not
// there, is sent when it is back, signed, once, in order, and with its place in the log.
// A replay sends it again, with the same ids.
func TestDestinations(t *testing.T) {
	t.Parallel()
	c := contest{newProduct(t.TempDir(), ""), t}
	server := &siem{now: c.clock.Now, called: make(chan struct{}, 10_000)}
	for _, err := range []error{
		os.Mkdir(c.path("flows"), 0o700),
		os.WriteFile(c.path("flows/ask.yaml"), []byte(destinationFlows), 0o600),
		os.WriteFile(c.path("flows/local.yaml"), []byte("secrets: {/sym/siem: {file: ../siem.secret}}\n"), 0o600),
		os.WriteFile(c.path("siem.secret"), []byte("signingsecret000"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	start := func() {
		t.Helper()
		if err := c.start(func(o *Options) error {
			o.seams.http = slacksim.InProcess(server).Transport
			return options(nil)(o)
		}); err != nil {
			t.Fatal(err)
		}
	}
	stop := func() {
		t.Helper()
		if err := c.stop(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := deadline.Context(t)
	wait := func(enough func() bool) {
		t.Helper()
		for {
			server.mu.Lock()
			done := enough()
			server.mu.Unlock()
			if done {
				return
			}
			select {
			case <-server.called:
			case <-ctx.Done():
				log, _ := os.ReadFile(c.path("log"))
				t.Fatalf("it has %d records: %s", len(server.got), log)
			}
		}
	}
	start()
	first := c.ask("first")
	bob := store.User{Actor: flow.Actor{ID: flow.UserID("sym", "bob"), Kind: flow.KindPerson, Email: "bob@example.com"}, Role: store.RoleMember}
	if _, _, err := c.local.Submit.Click(ctx, clickOf(first.ID, flow.ActionApprove, bob)); err != nil {
		t.Fatal(err)
	}
	if err := c.settle(); err != nil {
		t.Fatal(err)
	}
	wait(func() bool { return len(server.got) >= 2 })

	calls := 0
	server.answers(http.StatusServiceUnavailable)
	c.ask("second")
	wait(func() bool { calls++; return calls > 1 }) // it is refused once at least
	stop()
	start()
	last := c.ask("third")
	stop()
	server.answers(0)
	c.clock.Advance(10 * time.Minute)
	start()
	all := len(c.now(first.ID).Events) + 2*len(last.Events)
	if all < 4 {
		t.Fatalf("there are %d records", all)
	}
	wait(func() bool { return len(server.got) >= all })
	// sent gives the ids of what was sent from the nth on, by run, in their order.
	sent := func(n int) map[string][]string {
		server.mu.Lock()
		defer server.mu.Unlock()
		ids, indexes := map[string][]string{}, map[int64]bool{}
		for i, r := range server.got[n:] {
			if server.ids[n+i] != fmt.Sprintf("%s.%d", r.ID, r.Meta.Revision) || r.Log == nil {
				t.Errorf("record %d: %s %+v", i, server.ids[n+i], r)
				continue
			}
			indexes[r.Log.Index] = true
			ids[r.Run.SRN] = append(ids[r.Run.SRN], server.ids[n+i])
		}
		if len(indexes) != all {
			t.Errorf("%d different records were sent, want %d", len(indexes), all)
		}
		return ids
	}
	once := sent(0)

	run := func(args ...string) string {
		t.Helper()
		var out strings.Builder
		if err := Main(ctx, append([]string{"destinations"}, append(args, "-data", c.path("data"))...), func(string) string { return "" }, &out, io.Discard); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out.String()
	}
	stop() // so that how far it has come is written
	if shown := run(); !strings.Contains(shown, "siem") || !strings.Contains(shown, "  well") {
		t.Errorf("local destinations prints\n%s", shown)
	}
	start()
	if said := run("replay", "siem", "-from", "0"); !strings.Contains(said, "siem is sent the records from 0 on again") {
		t.Errorf("the replay says %q", said)
	}
	c.clock.Advance(lookAtDestinations)
	wait(func() bool { return len(server.got) >= 2*all })
	wait(func() bool {
		return slices.ContainsFunc(server.acts, func(a events.AdminRecord) bool { return a.Event.Type == string(flow.ActReplay) })
	})
	if diff := cmp.Diff(once, sent(all)); diff != "" {
		t.Errorf("sent again as others, or otherwise (-once +again):\n%s", diff)
	}
	stop()
	log, err := os.ReadFile(c.path("log"))
	if err != nil || strings.Contains(string(log), "urlsecret000") || strings.Contains(string(log), "signingsecret000") {
		t.Errorf("the log shows secrets (%v): %s", err, log)
	}
	db, err := sqlite.Open(databaseFile(c.path("data")), c.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if list, err := (store.Destinations{Store: db}).List(context.Background()); err != nil || len(list) != 1 || list[0].Environments[0] != "main" {
		t.Errorf("published: %+v, %v", list, err)
	}
}

// TestDestinations_ByAPI: what the API makes is sent to while we run, each on its own though
// both have one name; one that is sent elsewhere goes on where it was, and one that is
// deleted gets nothing any more.
func TestDestinations_ByAPI(t *testing.T) {
	t.Parallel()
	c := startByAPI(t, map[string]string{"files.yaml": "kind: runtime\nname: unused\n"})
	m := c.flowOf("a")
	path := func(key string) string { return "/in?key=" + key }
	destination := func(key string) map[string]any {
		return map[string]any{"type": "http", "integration_id": "<null>", "settings": map[string]any{"url": "https://logs.example.com" + path(key)}}
	}
	first, second := c.send("POST", "log-destinations", destination("first")), c.send("POST", "log-destinations", destination("second"))
	environment := map[string]any{
		"slug": "a", "error_logger_id": m.id("error logger"), "integrations": map[string]any{"slack_id": m.id("workspace"), "custom_id": m.id("integration")},
		"log_destination_ids": []string{first, second},
	}
	c.send("PATCH", m["environment"], environment)
	c.passed(time.Minute)
	ctx := deadline.Context(t)
	// sent gives the ids of a run's records that one has taken, once it has so many.
	sent := func(key, run string, enough int) (ids []string) {
		t.Helper()
		for {
			c.sent.mu.Lock()
			ids, changed := c.sent.of(path(key), run), c.sent.changed
			c.sent.mu.Unlock()
			if len(ids) >= enough {
				return ids
			}
			select {
			case <-changed:
			case <-ctx.Done():
				log, _ := os.ReadFile(c.path("log"))
				t.Fatalf("%s has %v: %s", key, ids, log)
			}
		}
	}
	run := c.request("a")
	both := sent("first", run, 4)
	if diff := cmp.Diff(both, sent("second", run, 4)); diff != "" {
		t.Errorf("the two were sent different records:\n%s", diff)
	}
	c.send("PATCH", "log-destinations/"+second, destination("moved"))
	environment["log_destination_ids"] = []string{second}
	c.send("PATCH", m["environment"], environment)
	c.send("DELETE", "log-destinations/"+first, nil)
	c.passed(2 * time.Minute)
	again := c.request("a")
	sent("moved", again, 4)
	c.sent.mu.Lock()
	defer c.sent.mu.Unlock()
	if ids := c.sent.of(path("moved"), run); len(ids) > 0 {
		t.Errorf("it was sent again what it had: %v", ids)
	}
	for _, gone := range []string{"first", "second"} {
		if ids := c.sent.of(path(gone), again); len(ids) > 0 {
			t.Errorf("%s was sent %v", gone, ids)
		}
	}
}
