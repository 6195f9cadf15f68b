package workflow

import (
	"context"
	"errors"
	"slices"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
)

// Audit reads the change feed and ships what was recorded to the audit log.
type Audit struct {
	Runs store.Runs
	Log  AuditLog
}

// Unshipped names the records of a run that the audit log has not taken, by the
// revisions of the run that recorded them.
type Unshipped struct {
	Run  string  `json:"run"`
	Revs []int64 `json:"revs"`
}

// AuditLog keeps audit records for good.
type AuditLog interface {
	// Write stores the records. If it fails, none of them should be stored, but
	// some may be: the caller then writes all of them again.
	Write(ctx context.Context, records []events.AuditRecord) error
}

// AuditQueue keeps what the audit log has not taken until it is shipped.
type AuditQueue interface {
	// Put queues each run by itself. An error means that some may not be queued.
	Put(ctx context.Context, runs []Unshipped) error
}

// Handle takes a batch of changes and writes the events that these changes
// recorded, as one batch. An error asks for the same changes again, which
// writes records again, with the same ids.
func (a Audit) Handle(ctx context.Context, changes []store.Change) error {
	return a.Ship(ctx, byRun(changes))
}

// HandleOrQueue is Handle for a feed that must not wait for the audit log: what
// the log does not take is queued, by run, so that the trouble of one run does
// not hold up the others. An error means that a change is not in the queue
// either.
func (a Audit) HandleOrQueue(ctx context.Context, changes []store.Change, queue AuditQueue) error {
	if err := a.Handle(ctx, changes); err != nil {
		if queued := queue.Put(ctx, byRun(changes)); queued != nil {
			return errors.Join(err, queued)
		}
	}
	return nil
}

// Ship writes the records of some runs, as one batch.
func (a Audit) Ship(ctx context.Context, runs []Unshipped) error {
	var records []events.AuditRecord
	for _, u := range runs {
		r, err := a.Runs.Get(ctx, u.Run)
		if flow.CodeOf(err) == flow.CodeUnknownRun {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range r.Events {
			// An event that changed since is shipped with that later change.
			if slices.Contains(u.Revs, e.Rev) {
				records = append(records, record.Of(r, e))
			}
		}
	}
	if len(records) == 0 {
		return nil
	}
	return a.Log.Write(ctx, records)
}

// byRun collects the changes of runs, in the order in which runs first changed.
func byRun(changes []store.Change) (runs []Unshipped) {
	for _, c := range changes {
		id, ok := runOf(c)
		if !ok {
			continue
		}
		i := slices.IndexFunc(runs, func(u Unshipped) bool { return u.Run == id })
		if i < 0 {
			i, runs = len(runs), append(runs, Unshipped{Run: id})
		}
		runs[i].Revs = append(runs[i].Revs, c.Rev)
	}
	return runs
}
