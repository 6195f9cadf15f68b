package workflow

import (
	"context"
	"slices"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Audit reads the change feed and ships what was recorded to the audit log.
type Audit struct {
	Runs store.Runs
	Log  AuditLog
}

// Handle takes a batch of changes and writes the events that these changes
// recorded, as one batch. An error asks for the same changes again, which
// writes records again, with the same ids.
func (a Audit) Handle(ctx context.Context, changes []store.Change) error {
	var order []string
	revs := map[string][]int64{}
	for _, c := range changes {
		id, ok := runOf(c)
		if !ok {
			continue
		}
		if revs[id] == nil {
			order = append(order, id)
		}
		revs[id] = append(revs[id], c.Rev)
	}
	var records []events.AuditRecord
	for _, id := range order {
		r, err := a.Runs.Get(ctx, id)
		if flow.CodeOf(err) == flow.CodeUnknownRun {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range r.Events {
			// An event that changed since is shipped with that later change.
			if slices.Contains(revs[id], e.Rev) {
				records = append(records, Record(r, e))
			}
		}
	}
	if len(records) == 0 {
		return nil
	}
	return a.Log.Write(ctx, records)
}
