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

// Unshipped names the records of a run, or of another item, that are on their way to the
// logs, by the revisions of the item that recorded them.
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

// AuditQueue keeps what was recorded until it is written to the logs.
type AuditQueue interface {
	// Put queues runs and items in their order. An error means that some may not be queued.
	Put(ctx context.Context, items []Unshipped) error
}

// Handle takes a batch of changes and writes the events and acts that these changes
// recorded, as one batch of each. An error asks for the same changes again, which
// writes records again, with the same ids.
func (a Audit) Handle(ctx context.Context, changes []store.Change) error {
	return a.Ship(ctx, byItem(changes))
}

// HandOn is Handle for a feed that must not wait for the logs: it puts what the changes
// recorded into a queue, by run or item, from which [Audit.Ship] writes it. An error means
// that some may not be queued.
func (a Audit) HandOn(ctx context.Context, changes []store.Change, queue AuditQueue) error {
	var recorded []Unshipped
	for _, u := range byItem(changes) {
		// What can't be read now is left to whoever takes it from the queue.
		if records, acts, err := a.of(ctx, u); err != nil || len(records)+len(acts) > 0 {
			recorded = append(recorded, u)
		}
	}
	if len(recorded) == 0 {
		return nil
	}
	return queue.Put(ctx, recorded)
}

// Ship writes the records of some runs and items, as one batch of each kind.
func (a Audit) Ship(ctx context.Context, items []Unshipped) error {
	var records []events.AuditRecord
	var acts []events.AdminRecord
	for _, u := range items {
		some, done, err := a.of(ctx, u)
		if err != nil {
			return err
		}
		records, acts = append(records, some...), append(acts, done...)
	}
	// A log that is out of order holds up what goes to the other one no longer than
	// that one takes.
	return errors.Join(write(ctx, a.Log, records), write(ctx, a.Admin, acts))
}

// of reads what was recorded. It returns nothing for a run that is gone.
func (a Audit) of(ctx context.Context, u Unshipped) (records []events.AuditRecord, acts []events.AdminRecord, err error) {
	if u.Item != "" {
		carried, err := a.Acts.Of(ctx, u.Item, u.Revs...)
		for _, act := range carried {
			acts = append(acts, record.OfAct(act))
		}
		return nil, acts, err
	}
	r, err := a.Runs.Get(ctx, u.Run)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range r.Events {
		// An event that changed since is shipped with that later change.
		if slices.Contains(u.Revs, e.Rev) {
			records = append(records, record.Of(r, e))
		}
	}
	return records, nil, nil
}

func write[Record any](ctx context.Context, log Log[Record], records []Record) error {
	if len(records) == 0 {
		return nil
	}
	return log.Write(ctx, records)
}

// Together gives each run and item once, with all its revisions, in the order in which they
// came first: each is then read once.
func Together(items []Unshipped) (each []Unshipped) {
	for _, u := range items {
		i := slices.IndexFunc(each, func(e Unshipped) bool { return e.Run == u.Run && e.Item == u.Item })
		if i < 0 {
			i, each = len(each), append(each, Unshipped{Run: u.Run, Item: u.Item})
		}
		each[i].Revs = append(each[i].Revs, u.Revs...)
	}
	return each
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
		changed.Revs = []int64{c.Rev}
		items = append(items, changed)
	}
	return Together(items)
}
