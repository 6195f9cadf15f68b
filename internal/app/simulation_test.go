package app

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// What the page says of the sample of each kind of record, and of what they
// may be besides.
func TestTold(t *testing.T) {
	t.Parallel()
	const bad, good, plain = slacksim.MoodBad, slacksim.MoodGood, slacksim.MoodPlain
	failed := func(message string) func(*events.AuditRecord) {
		return func(r *events.AuditRecord) {
			r.State.Status = events.StatusInProgress
			r.State.Errors = []events.AuditError{{Message: message}}
		}
	}
	shown := map[flow.EventName]bool{}
	for _, c := range []struct {
		sample string
		change func(*events.AuditRecord)
		mood   slacksim.Mood
		line   string
		note   string
	}{
		{"prompt", nil, plain, "Alice opened the form of prod-access", ""},
		{"request", nil, plain, "Alice asked for Orders database for 10 minutes", "Look into late orders"},
		{"request", failed("the handler failed"), bad, "Alice's request for Orders database could not be sent", "the handler failed"},
		{"request", func(r *events.AuditRecord) { clear(r.Fields) }, plain, "Alice asked for prod-access", ""},
		{"request_forward", nil, plain, "Alice's request for Orders database was passed on", ""},
		{"request_forward", failed("no such channel"), bad, "Alice's request for Orders database could not be delivered", "no such channel"},
		{"request_expire", nil, bad, "Alice's request for Orders database expired: nobody decided", ""},
		{"approve", nil, good, "Bob approved Alice's request for Orders database", "For this morning only"},
		{"approve", func(r *events.AuditRecord) { r.State.Status = events.StatusInProgress }, good,
			"Bob approved Alice's request for Orders database, which needs more approvals", "For this morning only"},
		{"approve", failed("you can't"), bad, "Bob's approval of Alice's request for Orders database did not count", "you can't"},
		{"approve", func(r *events.AuditRecord) { r.State.Errors = []events.AuditError{{Message: "it broke"}} }, bad,
			"Bob approved Alice's request for Orders database", "it broke"},
		{"deny", nil, bad, "Carol denied Alice's request for Orders database", "Ask the orders team"},
		{"deny", failed("too late"), bad, "Carol's denial of Alice's request for Orders database did not count", "too late"},
		{"cancel", nil, plain, "Alice withdrew the request for Orders database", ""},
		{"cancel", failed("too late"), bad, "Alice's withdrawal of the request for Orders database did not count", "too late"},
		{"escalate", nil, good, "Alice got access to Orders database", "until 09:10:30 UTC"},
		{"escalate", func(r *events.AuditRecord) {
			r.Fields["entitlements"] = []any{map[string]any{"state": "granted"}, map[string]any{"state": "failed", "error": "no"}}
		}, good, "Alice got access to Orders database (1 of 2 are there)", "until 09:10:30 UTC"},
		{"escalate_failed", nil, bad, "Granting Alice access to Orders database failed (3 times)", "the function did not answer within 30 seconds"},
		{"escalate", func(r *events.AuditRecord) {
			r.State = events.AuditState{Status: events.StatusInProgress, Errors: []events.AuditError{{Message: "somebody took it away", Code: string(flow.CodeMissing)}}}
		}, bad, "Alice's access to Orders database has gone missing", "somebody took it away"},
		{"extend_request", nil, plain, "Alice asked for more time for their access to Orders database", "Not done yet"},
		{"extend", nil, good, "Alice's access to Orders database was extended", "until 09:15:30 UTC"},
		{"extend", func(r *events.AuditRecord) {
			r.State = events.AuditState{Status: events.StatusInProgress, Attempts: 2, Errors: []events.AuditError{{Message: "no answer"}}}
		}, bad, "Orders database could not be told that Alice's access ends later (2 times)", "no answer"},
		{"extend", failed("too late"), bad, "Bob's approval of more time for Alice's access to Orders database did not count", "too late"},
		{"extend_deny", nil, bad, "Bob denied more time for Alice's access to Orders database", ""},
		{"break_glass", nil, good, "Alice took access to Orders database without approval, in an emergency", ""},
		{"review", nil, plain, "Bob reviewed Alice's access to Orders database", "Looked at what was run"},
		{"review", failed("you can't"), bad, "Bob's review of Alice's access to Orders database did not count", "you can't"},
		{"extend_expire", nil, plain, "More time for Alice's access to Orders database was not decided before its end", ""},
		{"deescalate", nil, plain, "Alice's access to Orders database ended: its time was up", ""},
		{"deescalate", func(r *events.AuditRecord) { r.Fields["deescalate_type"] = "manual" }, plain, "Bob ended Alice's access to Orders database", ""},
		{"deescalate", failed("down"), bad, "Taking away Alice's access to Orders database failed", "down"},
	} {
		shown[flow.EventName(c.sample)] = true
		raw, err := os.ReadFile("../../events/testdata/audit_record_" + c.sample + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var r events.AuditRecord
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(&r)
		}
		want := slacksim.Record{ID: r.ID, At: r.Event.Timestamp, Mood: c.mood, Line: c.line, Note: c.note}
		if at, ok := strings.CutPrefix(c.note, "until "); ok {
			until, err := time.Parse("15:04:05 UTC", at)
			if err != nil {
				t.Fatal(err)
			}
			y, m, d := r.Event.Timestamp.Date()
			want.Note, want.Until = "", until.AddDate(y, int(m)-1, d-1)
		}
		want.Said = flow.ShortID(r.Run.SRN[len(r.Run.SRN)-36:])
		want.Run, want.Flow, want.People = r.Run.SRN[len(r.Run.SRN)-36:], "prod-access", []string{"alice@example.com"}
		if by := r.Actor.Username; by != "" && by != "alice@example.com" {
			want.People = append(want.People, by)
		}
		if diff := cmp.Diff(want, told(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sample, diff)
		}
	}
	for _, e := range flow.EventNames {
		if !shown[e] {
			t.Errorf("no row for %s", e)
		}
	}
}

// TestPanels: the page shows the access that is live, and where targets differ
// from it.
func TestPanels(t *testing.T) {
	t.Parallel()
	memory := &storetest.Memory{Now: time.Now}
	runs := store.Runs{Store: memory}
	l := &Local{drifts: store.Drifts{Store: memory}, Submit: workflow.Submit{Runs: runs}}
	if got, err := l.access(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("before anything was granted: %v, %v", got, err)
	}
	end := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	person := func(id, slackID string) flow.Actor {
		a := flow.Actor{ID: id, Kind: flow.KindPerson, Email: id + "@example.com", SlackID: slackID}
		if id == "a" {
			a.Email = "alice@example.com"
		}
		return a
	}
	for name, access := range map[string]*flow.Access{
		"live":    {Target: flow.Target{Name: "orders-db", Label: "Orders"}, End: end},
		"endless": {Target: flow.Target{Name: "orders-db", Label: "Orders"}},
		"sooner":  {Target: flow.Target{Name: "orders-db"}, End: end.Add(-time.Hour), Removal: flow.Removal{EventID: "e"}},
		"ended":   {Target: flow.Target{Name: "orders-db"}, Removed: end},
	} {
		_, err := runs.Put(t.Context(), flow.Run{
			ID: flow.RunIDFrom("sym", name), Flow: "f", Status: flow.Escalated, Access: access, Created: end, Touched: end,
			Requester: person("a", "U1"), Approvals: []flow.CountedApproval{{Actor: person("b", "U3")}},
			Deciders: flow.Deciders{Admins: []flow.Actor{person("l", "U2"), person("nobody", "")}, People: []flow.Actor{person("c", "U4")}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.access(t.Context())
	want := []slacksim.Access{
		{Run: flow.RunIDFrom("sym", "sooner"), Who: "alice@example.com", What: "orders-db", Until: end.Add(-time.Hour), Ending: true, Ends: []string{"U1", "U2", "U3"}},
		{Run: flow.RunIDFrom("sym", "live"), Who: "alice@example.com", What: "Orders", Until: end, Ends: []string{"U1", "U2", "U3"}},
		{Run: flow.RunIDFrom("sym", "endless"), Who: "alice@example.com", What: "Orders", Ends: []string{"U1", "U2", "U3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if got, err := l.drift(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("before a comparison: %v, %v", got, err)
	}
	err = l.drifts.Put(t.Context(), store.Comparison{Last: store.DriftReport{Found: []flow.Drift{
		{Kind: flow.DriftMissing, Identity: "alice", Requester: "Alice", Title: "Orders"}, {Kind: flow.DriftUnknown, Identity: "a stranger", Title: "Orders"},
	}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	differ, err := l.drift(t.Context())
	if diff := cmp.Diff([]slacksim.Drift{{Kind: "missing", Who: "Alice", What: "Orders"}, {Kind: "unknown", Who: "a stranger", What: "Orders"}}, differ); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// ownFlows is the product with flows whose people and channels the simulated workspace
// has only because they name them.
func ownFlows(t *testing.T) *product {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	p := newProduct(t.TempDir(), repository)
	if err := environment(p.path("flows/environment.yaml")); err != nil {
		t.Fatal(err)
	}
	onMachine(t, p.path("flows/environment.yaml"))
	err = os.WriteFile(p.path("flows/acme.yaml"), []byte(`{kind: flow, name: acme, label: Acme, environment_id: main, params: {
  strategy_id: databases, prompt_fields: [{name: duration, type: duration, allowed_values: [30s, 1h]}],
  approval: {notify: [{channel: "#acme-access"}], approvers: ["user:dana@acme.dev"]}}}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.start(func(*Options) error { return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestGuide: newcomers are told what to do with the flows that there are, on the page
// and at the start.
func TestGuide(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	want := []string{
		"*As Alice,* send `/sym req acme` below, and fill in the form: the shortest time, 30s, is enough.",
		"*As Dana* (switch at the top), open *#acme-access*, and approve it.",
		"*Watch* access come, and go when its time is over, under *Access right now*. Each step is an audit record.",
	}
	if diff := cmp.Diff(want, p.local.guide); diff != "" {
		t.Error(diff)
	}
	var out strings.Builder
	p.local.welcome(&out)
	for _, line := range []string{`1. As Alice, send "/sym req acme", and fill in the form: the shortest time, 30s, is enough.`, "2. As Dana (switch at the top), open #acme-access, and approve it."} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("the welcome lacks %q:\n%s", line, out.String())
		}
	}
	// What else a configuration may say.
	in := slacksim.DefaultInhabitants()
	f := &flow.Flow{Name: "report"}
	f.Params.Approval = flow.Approval{Notify: []flow.Notify{{Users: []string{"lead@example.com"}}}, Approvers: []string{"group:platform"}}
	if got := decideStep(f, in.People[0], in); got != "*As Bob* (switch at the top), open the direct messages with Sym, and approve it." {
		t.Error(got)
	}
	if got := watchStep(f); got != "*Watch* the audit records: each step is one." {
		t.Error(got)
	}
	f.Params.Approval.Approvers = []string{"user:alice@example.com"}
	if got := decideStep(f, in.People[0], in); got != "Nobody else of the people here may approve it, only whom its approvers name: user:alice@example.com." {
		t.Error(got)
	}
	empty := &store.Flows{Store: &storetest.Memory{Now: time.Now}}
	if got, err := firstSteps(t.Context(), empty, in, "/sym"); err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "*There is no flow*") {
		t.Errorf("%q, %v", got, err)
	}
}

// TestEndOnThePage: the button beside live access ends it as the person who presses
// it, and is refused to whom a click in Slack is.
func TestEndOnThePage(t *testing.T) {
	t.Parallel()
	p := ownFlows(t)
	alice := p.local.Slack.As("alice")
	if err := errors.Join(alice.Command("/sym req acme"), alice.Fill(map[string]string{"Target": "Orders database", "duration": "30s"}), alice.Submit(), p.settle()); err != nil {
		t.Fatal(err, alice.Modal())
	}
	if err := errors.Join(p.local.Slack.As("dana").Click("", "Approve"), p.settle()); err != nil {
		t.Fatal(err)
	}
	live := func() []slacksim.Access {
		t.Helper()
		access, err := p.local.access(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return access
	}
	access := live()
	if len(access) != 1 || access[0].Who != "alice@example.com" {
		t.Fatalf("the page shows %+v", access)
	}
	press := func(as, run string) (status int, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/sim/end", strings.NewReader(`{"as":"`+as+`","run":"`+run+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", p.url)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, p.settle()); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	for _, as := range []string{"U0CAROL", "U0GUEST"} {
		if status, body := press(as, access[0].Run); status != http.StatusUnprocessableEntity || len(live()) != 1 {
			t.Errorf("%s gets %d %s, and %v is live", as, status, body, live())
		}
	}
	if status, body := press("U0ALICE", "no-such-run"); status != http.StatusUnprocessableEntity {
		t.Errorf("a run that is not there: %d %s", status, body)
	}
	if status, body := press("U0LEAD", access[0].Run); status != http.StatusOK || len(live()) != 0 {
		t.Errorf("an admin gets %d %s, and %v is live", status, body, live())
	}
	r, err := p.local.Runs.Get(t.Context(), access[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := r.Last(flow.EventDeescalate); !ok || e.Actor.Email != "lead@example.com" || e.Fields[flow.KeyDeescalateType] != flow.Manual {
		t.Errorf("the record says %+v", e)
	}
}

// onMachine has the target of the scripts be on this machine, so that the clock may
// be moved.
func onMachine(t *testing.T, environment string) {
	t.Helper()
	shared := strings.ReplaceAll(readFile(t, environment), "https://grants.example.com", "http://127.0.0.1:9")
	if err := os.WriteFile(environment, []byte(shared), 0o600); err != nil {
		t.Fatal(err)
	}
}
