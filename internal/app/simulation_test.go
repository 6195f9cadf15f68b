package app

import (
	"encoding/json"
	"os"
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
	for name, access := range map[string]*flow.Access{
		"live":  {Target: flow.Target{Name: "orders-db", Label: "Orders"}, End: end},
		"ended": {Target: flow.Target{Name: "orders-db"}, Removed: end},
	} {
		_, err := runs.Put(t.Context(), flow.Run{
			ID: flow.RunIDFrom("sym", name), Flow: "f", Status: flow.Escalated, Access: access, Created: end, Touched: end,
			Requester: flow.Actor{ID: "a", Kind: flow.KindPerson, Email: "alice@example.com"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.access(t.Context())
	if diff := cmp.Diff([]slacksim.Access{{Who: "alice@example.com", What: "Orders", Until: end}}, got); diff != "" || err != nil {
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
