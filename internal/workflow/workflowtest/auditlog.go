package workflowtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/workflow"
)

// AuditLog holds an audit log to the contract of the port. open makes an empty
// one; stored gives the records that it has, in the order in which they were
// written.
func AuditLog(t *testing.T, open func(t *testing.T) (log workflow.AuditLog, stored func() []events.AuditRecord)) {
	t.Run("Nothing", func(t *testing.T) {
		t.Parallel()
		log, stored := open(t)
		if err := log.Write(t.Context(), nil); err != nil {
			t.Error(err)
		}
		wantRecords(t, stored())
	})
	t.Run("AsTheyAre", func(t *testing.T) {
		t.Parallel()
		log, stored := open(t)
		record := records("", 1)[0]
		record.Run.Actors = map[string]events.AuditActor{"request": {User: "Zoë <&> \"quotes\"\nand lines"}}
		record.Fields = map[string]any{"reason": "é ✓ \u2028", "rows": 3.5, "none": nil}
		record.Output = []byte(`{"a":[1,{"b":null}]}`)
		if err := log.Write(t.Context(), []events.AuditRecord{record}); err != nil {
			t.Fatal(err)
		}
		wantRecords(t, stored(), record)
	})
	t.Run("InOrder", func(t *testing.T) {
		t.Parallel()
		log, stored := open(t)
		var all []events.AuditRecord
		for n, size := range []int{3, 1, 1200} { // more than a call of any service takes
			batch := records(fmt.Sprint(n, "-"), size)
			if err := log.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			all = append(all, batch...)
		}
		wantRecords(t, stored(), all...)
	})
	t.Run("Twice", func(t *testing.T) { // readers go by the id
		t.Parallel()
		log, stored := open(t)
		batch := records("", 2)
		for range 2 {
			if err := log.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		got := stored()
		if len(got) < len(batch) {
			t.Fatalf("%d records are stored", len(got))
		}
		wantRecords(t, got[:len(batch)], batch...)
	})
	t.Run("AtOnce", func(t *testing.T) {
		t.Parallel()
		log, stored := open(t)
		var writing sync.WaitGroup
		for n := range 8 {
			writing.Go(func() {
				if err := log.Write(t.Context(), records(fmt.Sprint(n, "-"), 5)); err != nil {
					t.Error(err)
				}
			})
		}
		writing.Wait()
		ids := map[string]bool{}
		for _, r := range stored() {
			ids[r.ID] = true
		}
		if len(ids) != 40 {
			t.Errorf("%d of 40 records are stored", len(ids))
		}
	})
	t.Run("Cancelled", func(t *testing.T) { // it does not claim what it has not done
		t.Parallel()
		log, stored := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := log.Write(ctx, records("", 1)); err == nil {
			t.Error("no error")
		}
		batch := records("later", 1)
		if err := log.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(stored(), func(r events.AuditRecord) bool { return r.ID == batch[0].ID }) {
			t.Error("what was written after it is not stored")
		}
	})
}

func records(prefix string, n int) []events.AuditRecord {
	var all []events.AuditRecord
	for i := range n {
		all = append(all, events.AuditRecord{
			ID: fmt.Sprintf("%s%04d", prefix, i), Type: "event", Meta: events.AuditMeta{SchemaVersion: events.AuditSchemaVersion},
			State:  events.AuditState{Status: events.StatusCompleted, Errors: []events.AuditError{}},
			Run:    events.AuditRun{Actors: map[string]events.AuditActor{}},
			Event:  events.AuditEvent{Type: "approve", Timestamp: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Channel: "slack"},
			Fields: map[string]any{},
		})
	}
	return all
}

func wantRecords(t *testing.T, got []events.AuditRecord, want ...events.AuditRecord) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}
