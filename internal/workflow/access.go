package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Access grants and takes away. It is the only part that calls targets.
type Access struct {
	Runs   store.Runs
	Grants store.Grants
	Sick   store.Sick
	Flows  *store.Flows
	Users  store.Users
	Open   strategy.Opener
	Rights func(flow.Strategy) strategy.Rights // what a strategy, with its targets, needs in AWS
	// TargetType says what is known of a target's type.
	TargetType func(flow.Strategy, flow.Target) strategy.TargetType
	// Bound checks what a request filled into its target, before anything is
	// granted by it; nil: there is nothing to check.
	Bound    CheckBound
	Entities store.Entities // asked whether a target is still there
	Handlers Handlers       // nil where no flow has any
	Schedule Schedule
	Remover  Remover
	Looks    Looks
	Clock    Clock
	Log      *slog.Logger
	// CallTimeout bounds the calls of a target for one entitlement in one attempt;
	// a lease lasts longer by leaseMargin, so that no call outlives its lease.
	CallTimeout time.Duration
	// Within bounds work, which includes those calls; nil is context.WithTimeout.
	Within func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	// Ahead is how much too early calls of OnTime may come. What is nearer than that
	// gets no schedule: Remover has OnTime called at the exact end, or start.
	// Zero where the schedule is exact.
	Ahead time.Duration
}

// Schedule fires once at a time, by calling [Access.OnTime] with the id.
type Schedule interface {
	// Set makes or moves the schedule of a run. For a time that is over, it
	// fires as soon as it can.
	Set(ctx context.Context, runID string, at time.Time) error
	// Delete removes it, and returns nil if there is none.
	Delete(ctx context.Context, runID string) error
}

// leaseMargin is the most by which the clocks of two machines may differ, plus
// the time between the end of a call and the write that reports it.
const leaseMargin = 15 * time.Second

func (a *Access) lease() flow.Lease {
	return flow.Lease{Owner: store.NewWriter(), Until: a.Clock.Now().Add(a.CallTimeout + leaseMargin)}
}

func (a *Access) asker() asker { return asker{a.Runs, a.Handlers, a.Bound, a.Clock.Now} }

// call is what a step asks of a target for one of the run's entitlements.
func (a *Access) call(r flow.Run, e flow.Entitlement, step flow.EventName) strategy.Call {
	id, class := r.Access.EventID, strategy.Granting
	if step == flow.EventDeescalate {
		id, class = r.Access.Removal.EventID, strategy.Removing
	}
	return strategy.Call{
		RunID: r.ID, Entitlement: e, Target: r.Access.TargetOf(e), Identity: r.Access.Identity,
		Record: record.Processing(r, step, id, e, a.Clock.Now()), Class: class,
	}
}

// all does something for each entitlement of the run that a step has to go on with
// now, all at once, and says what came of each. The error is the one that decides
// what becomes of the step.
func (a *Access) all(ctx context.Context, r flow.Run, step flow.EventName, do func(context.Context, flow.Entitlement) (flow.Outcome, error)) ([]flow.Outcome, error) {
	ready := r.Access.Ready(step, a.Clock.Now())
	outcomes, errs := make([]flow.Outcome, len(ready)), make([]error, len(ready))
	var work sync.WaitGroup
	for i, e := range ready {
		work.Go(func() {
			ctx, cancel := a.within(ctx, a.CallTimeout)
			defer cancel()
			o, err := do(ctx, e)
			errs[i] = a.turnOf(err)
			o.Key = e.Key
			if o.Not = notDone(step, errs[i]); o.Not == nil {
				o.Done = a.Clock.Now()
			}
			outcomes[i] = o
		})
	}
	work.Wait()
	return outcomes, worst(errs)
}

// notDone is what follows for an entitlement from the error of an attempt; nil if
// there is none.
func notDone(step flow.EventName, err error) flow.Input {
	if err == nil {
		return nil
	}
	if w, ok := waits(err); ok {
		return flow.LookAgain{Step: step, After: w.after, Text: w.text, Todo: w.todo, InLine: w.inLine, Accepted: w.accepted}
	}
	if busy, ok := errors.AsType[*flow.Busy](err); ok {
		return flow.PutOff{Until: busy.Until}
	}
	if flow.CodeOf(err) == flow.CodeBusy { // another run has taken a lease of ours over
		return flow.PutOff{}
	}
	return flow.Fail{Step: step, Reason: flow.FailureOf(err), Wait: flow.AskedToWait(err)}
}

// toward is a call of which the target is asked for the goal of the grant.
func toward(c strategy.Call, g flow.Grant) strategy.Call {
	goal := g.Goal()
	c.Value, c.Before, c.Until = goal.Value, g.BeforeValue, goal.Until
	return c
}

// turn marks what is done for one entitlement of a run as one piece of work, which
// keeps its place in lines of a [strategy.Limiter] from attempt to attempt.
func turn(ctx context.Context, c strategy.Call) context.Context {
	return strategy.WithTurn(ctx, c.RunID+" "+c.Entitlement.Key)
}

// panicked returns the error of a strategy that panicked.
func panicked(p any) error { return fmt.Errorf("strategy panicked: %v\n%s", p, debug.Stack()) }

// yield gives a lease back after a failure, so that the next attempt need not
// wait for its end. It keeps the lease after a time-out: the call that was cut
// off may still arrive at the target, which no other run may touch before the
// lease ends.
func (a *Access) yield(ctx context.Context, key string, lease flow.Lease) {
	if ctx.Err() != nil {
		return
	}
	_, err := a.Grants.Change(ctx, key, func(g flow.Grant) (flow.Grant, error) {
		if g.Lease.Owner == "" {
			return g, nil // it was given back with how far the work has come
		}
		return g.Yield(lease.Owner)
	})
	if err != nil {
		a.Log.WarnContext(ctx, "lease could not be given back, it ends by itself", "grant", key, "error", err)
	}
}

// arm sees to it that OnTime is called when the run's access is to end. Should that
// fail, the sweep finds the run by its due time.
func (a *Access) arm(ctx context.Context, r flow.Run) {
	if err := a.schedule(ctx, r); err != nil {
		a.Log.ErrorContext(ctx, "removal could not be scheduled, the sweep will find it", "run", r.ID, "error", err)
	}
}

// schedule has OnTime called when it is time for the run's access to start or to end.
func (a *Access) schedule(ctx context.Context, r flow.Run) error {
	at, ok := r.ActsAt()
	switch {
	case !ok:
		return nil
	case at.Sub(a.Clock.Now()) < a.Ahead && !r.PutOff(flow.EventDeescalate):
		return a.Remover.Remove(ctx, r.ID, at)
	}
	return a.Schedule.Set(ctx, r.ID, at)
}

func (a *Access) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if a.Within == nil {
		return context.WithTimeout(ctx, d)
	}
	return a.Within(ctx, d)
}
