package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
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
		{"escalate_failed", nil, bad, "Granting Alice access to Orders database failed (3 times)", "the function did not answer within 30 seconds"},
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

func TestAccessPanel(t *testing.T) {
	t.Parallel()
	l := &Local{options: Options{Data: t.TempDir()}}
	if got, err := l.access(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(l.options.Data, "access.jsonl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"run_id":"r1","username":"alice@example.com","target":"orders-db","until":"2026-03-02T09:00:00Z"}
{"run_id":"r2","username":"bob@example.com","target":"orders-db"}
`)
	got, err := l.access(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]slacksim.Access{
		{Who: "alice@example.com", What: "orders-db", Until: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)},
		{Who: "bob@example.com", What: "orders-db"},
	}, got); diff != "" {
		t.Error(diff)
	}
	write("no JSON\n")
	if _, err := l.access(t.Context()); err == nil {
		t.Error("a spoilt file is no error")
	}
}
