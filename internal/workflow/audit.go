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

// Audit reads the change feed and ships what was recorded: what happened to runs to
// the audit log, and what administrators did to the admin log.
type Audit struct {
	Runs  store.Runs
	Acts  store.Acts
	Log   AuditLog
	Admin AdminLog
}

// Unshipped names the records of a run, or of another item, that a log has not
// taken, by the revisions of the item that recorded them.
type Unshipped struct {
	Run  string  `json:"run,omitempty"`
	Item string  `json:"item,omitempty"` // the key of one that is no run
	Revs []int64 `json:"revs"`
}

// Log keeps records for good.
type Log[Record any] interface {
	// Write stores the records. If it fails, none of them should be stored, but
	// some may be: the caller then writes all of them again.
	Write(ctx context.Context, records []Record) error
}

// AuditLog keeps what happened to runs.
type AuditLog = Log[events.AuditRecord]

// AdminLog keeps what administrators did.
type AdminLog = Log[events.AdminRecord]

// AuditQueue keeps what the audit log has not taken until it is shipped.
type AuditQueue interface {
	// Put queues each run or item by itself. An error means that some may not be queued.
	Put(ctx context.Context, items []Unshipped) error
}

// Handle takes a batch of changes and writes the events and acts that these changes
// recorded, as one batch of each. An error asks for the same changes again, which
// writes records again, with the same ids.
func (a Audit) Handle(ctx context.Context, changes []store.Change) error {
	return a.Ship(ctx, byItem(changes))
}

// HandleOrQueue is Handle for a feed that must not wait for the audit log: what
// the log does not take is queued, by run or item, so that the trouble of one does not hold
// up the others. An error means that a change is not in the queue
// either.
func (a Audit) HandleOrQueue(ctx context.Context, changes []store.Change, queue AuditQueue) error {
	if err := a.Handle(ctx, changes); err != nil {
		if queued := queue.Put(ctx, byItem(changes)); queued != nil {
			return errors.Join(err, queued)
		}
	}
	return nil
}

// Ship writes the records of some runs and items, as one batch of each kind.
func (a Audit) Ship(ctx context.Context, items []Unshipped) error {
	var records []events.AuditRecord
	var acts []events.AdminRecord
	for _, u := range items {
		if u.Item != "" {
			carried, err := a.Acts.Of(ctx, u.Item, u.Revs...)
			if err != nil {
				return err
			}
			for _, act := range carried {
				acts = append(acts, record.OfAct(act))
			}
			continue
		}
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
	// A log that is out of order holds up what goes to the other one no longer than
	// that one takes.
	return errors.Join(write(ctx, a.Log, records), write(ctx, a.Admin, acts))
}

func write[Record any](ctx context.Context, log Log[Record], records []Record) error {
	if len(records) == 0 {
		return nil
	}
	return log.Write(ctx, records)
}

// byItem collects the changes of runs, and of items that carry acts, in the order in
// which they first changed.
func byItem(changes []store.Change) (items []Unshipped) {
	for _, c := range changes {
		changed := Unshipped{Item: c.Key}
		if id, ok := runOf(c); ok {
			changed = Unshipped{Run: id}
		} else if !store.CarriesActs(c.Key) {
			continue
		}
		i := slices.IndexFunc(items, func(u Unshipped) bool { return u.Run == changed.Run && u.Item == changed.Item })
		if i < 0 {
			i, items = len(items), append(items, changed)
		}
		items[i].Revs = append(items[i].Revs, c.Rev)
	}
	return items
}
