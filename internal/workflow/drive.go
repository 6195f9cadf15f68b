package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/store"
)

// Drive makes runs move on: it is called for each change of a run, and by the
// sweep for each run that should have moved and did not. Calling it too often
// is harmless.
type Drive struct {
	Runs    store.Runs
	Runner  runner.Runner
	Remover Remover
	Now     func() time.Time
}

// Run drives one run. An execution that seems to be under way is left alone
// until the run is overdue, unless the caller knows that all executions were
// lost. Ends of access that come within ahead, and starts, are handed to the remover
// for then.
func (d Drive) Run(ctx context.Context, id string, lost bool, ahead time.Duration) error {
	r, err := d.Runs.Shared().Get(ctx, id)
	if err != nil {
		return err
	}
	due := r.WorkDue()
	overdue := lost || !due.IsZero() && !due.After(d.Now())
	if at, ok := r.ActsAt(); ok && !at.After(d.Now().Add(ahead)) {
		if err := d.Remover.Remove(ctx, id, at); err != nil {
			return fmt.Errorf("hand run %s to removal: %w", id, err)
		}
	}
	if r, err = timeOut(ctx, d.Runs, d.Now, r); err != nil {
		return err
	}
	step := flow.Next(r)
	if step == flow.StepDone || step == flow.StepAwait || d.Now().Before(r.PausedUntil()) {
		return nil
	}
	if token := r.Execution.Token; token != "" {
		err := d.Runner.Resume(ctx, token)
		if err == nil {
			return nil
		}
		if !errors.Is(err, runner.ErrGone) {
			return fmt.Errorf("resume run %s: %w", id, err)
		}
		// Most likely it was resumed for an earlier change and is under way: a
		// second execution beside it would call customers' code twice.
	}
	before, started := r.Execution, false
	dispatches := func(r flow.Run) bool { return !r.Execution.Active || overdue && r.Execution == before }
	if dispatches(r) { // or an execution is under way
		r, err = d.Runs.Change(ctx, id, d.Now, func(r flow.Run) (flow.Input, error) {
			if started = dispatches(r); !started {
				return nil, flow.ErrUnchanged // another call was faster
			}
			return flow.Dispatch{}, nil
		})
		if err != nil {
			return err
		}
		started = started && r.Execution.Attempt != before.Attempt
	}
	// An execution that was dispatched before, and has done nothing yet, may
	// never have been started. Its name keeps it from being started twice.
	unheard := r.Execution == before && before.Active && before.Rev == r.Rev
	if !started && !unheard {
		return nil
	}
	if err := d.Runner.Start(ctx, id, r.Execution.Attempt); err != nil {
		return fmt.Errorf("start execution %d of run %s: %w", r.Execution.Attempt, id, err)
	}
	return nil
}

// timeOut turns a deadline that is over into a signal.
func timeOut(ctx context.Context, runs store.Runs, now func() time.Time, r flow.Run) (flow.Run, error) {
	over := func(r flow.Run) bool {
		at := r.Deadline()
		return !at.IsZero() && !now().Before(at)
	}
	if !over(r) {
		return r, nil
	}
	return runs.Change(ctx, r.ID, now, func(r flow.Run) (flow.Input, error) {
		if !over(r) {
			return nil, flow.ErrUnchanged
		}
		return flow.Receive{Action: flow.ActionTimeout, Actor: flow.System, Channel: flow.ChannelInternal, Tier: r.Tier}, nil
	})
}
