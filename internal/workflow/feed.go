package workflow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Failed is a change that could not be handled.
type Failed struct {
	Change store.Change
	Cause  error
}

// Changes gives the changes that failed.
func Changes(failed []Failed) (changes []store.Change) {
	for _, f := range failed {
		changes = append(changes, f.Change)
	}
	return changes
}

// atOnce is how many items of a batch are handled at the same time: most of
// their time is spent waiting for the store or for Slack.
const atOnce = 16

// Each calls handle for the changes of a batch, for several items at once, and
// for each item once, with its newest change: handlers read items as they are
// now. It returns the changes that failed, in the order of the batch. A panic
// counts as a failure.
func Each(ctx context.Context, changes []store.Change, handle func(context.Context, store.Change) error) []Failed {
	newest := map[string]store.Change{}
	for _, c := range changes {
		newest[c.Key] = c
	}
	causes := make([]error, len(changes))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(atOnce, len(newest)) { // not one for each change: its stack would have to grow anew
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(changes); i = int(next.Add(1)) - 1 {
				if c := changes[i]; newest[c.Key] == c {
					causes[i] = guarded(ctx, c, handle)
				}
			}
		})
	}
	all.Wait()
	var failed []Failed
	for i, err := range causes {
		if err != nil {
			failed = append(failed, Failed{changes[i], err})
		}
	}
	return failed
}

// guarded turns a panic into an error, so that one item does not keep the
// others from being handled.
func guarded(ctx context.Context, c store.Change, handle func(context.Context, store.Change) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return handle(ctx, c)
}

// Relay reads the change feed and drives the runs that changed.
type Relay struct{ Drive Drive }

// Handle takes one change. An error asks for the same change again.
func (x Relay) Handle(ctx context.Context, c store.Change) error {
	id, ok := runOf(c)
	if !ok {
		return nil
	}
	err := x.Drive.Run(ctx, id, false, 0)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return nil
	}
	return err
}

// runOf returns the id of the run that changed, and false if another kind of
// item did.
func runOf(c store.Change) (string, bool) { return store.KindRun.Name(c.Key) }

// Patient waits where a vendor asks to, and then tries again, as long as there
// is time. A feed that would only give the change back at once has no other way
// to wait.
type Patient struct {
	Handle func(context.Context, store.Change) error
	Clock  Clock
}

// handling is how long another try may take. There is no point in a wait that
// leaves less.
const handling = 10 * time.Second

// Run handles a change. The error is that of the last try.
func (p Patient) Run(ctx context.Context, c store.Change) error {
	for {
		err := p.Handle(ctx, c)
		limited, ok := errors.AsType[*flow.RateLimited](err)
		if !ok {
			return err
		}
		if end, ends := ctx.Deadline(); ends && p.Clock.Now().Add(limited.After+handling).After(end) {
			return err
		}
		select {
		case <-p.Clock.After(limited.After):
		case <-ctx.Done():
			return err
		}
	}
}
