package workflow

import (
	"context"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// busyPause is how soon a removal looks again when another run is changing the
// same entitlement.
const busyPause = 5 * time.Second

// Deescalate takes the run's access away, if that is due now or within Ahead:
// then it waits for the exact end. It is called by the schedule, by the sweep
// and when somebody asks; whoever comes too early arms the schedule anew,
// whoever comes too late has nothing to do. It uses what the run and its
// grants recorded, never today's configuration. An error means that nothing
// could be recorded; a target that fails is recorded, tried again later, and
// no error.
func (a *Access) Deescalate(ctx context.Context, id string) error {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return err
	}
	at, ok := r.EndDue()
	if !ok {
		return a.Schedule.Delete(ctx, id)
	}
	if wait := at.Sub(a.Clock.Now()); wait > a.Ahead {
		return a.Schedule.Set(ctx, id, at)
	} else if wait > 0 {
		select {
		case <-a.Clock.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	lease := a.lease()
	r, err = a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) {
		return flow.Claim(lease), nil
	})
	if err != nil {
		if flow.Retryable(err) && flow.CodeOf(err) != flow.CodeBusy {
			return err
		}
		return nil // another one is at it, or it is over
	}
	if !r.Access.Live() {
		return a.Schedule.Delete(ctx, id)
	}
	outcome, err := a.removeAll(ctx, r, lease)
	var next flow.Input = outcome
	switch {
	case flow.CodeOf(err) == flow.CodeBusy:
		next = flow.Claim{Owner: lease.Owner, Until: a.Clock.Now().Add(busyPause)}
	case err != nil:
		a.Log.ErrorContext(ctx, "removal failed and will be repeated", "run", id, "error", err)
		next = flow.Fail{Step: flow.EventDeescalate, Reason: flow.FailureOf(err), Wait: waitAfter(err)}
	}
	ctx, cancel := a.cleanUp(ctx)
	defer cancel()
	r, err = a.Runs.Change(ctx, id, a.Clock.Now, func(r flow.Run) (flow.Input, error) {
		if r.Access.Removal.Owner != lease.Owner {
			return nil, flow.ErrUnchanged // our claim was over, and another one has it
		}
		return next, nil
	})
	if err != nil {
		return err
	}
	if r.Access.Live() {
		a.arm(ctx, r)
		return nil
	}
	return a.Schedule.Delete(ctx, id)
}

// removeAll takes the run off each of its entitlements, all at once: one whose
// target hangs keeps no other from being removed.
func (a *Access) removeAll(ctx context.Context, r flow.Run, lease flow.Lease) (flow.Deescalate, error) {
	ctx, cancel := context.WithTimeout(ctx, a.CallTimeout)
	defer cancel()
	opened, err := a.Open(r.Access.Strategy)
	if err != nil {
		return flow.Deescalate{}, err
	}
	record := Processing(r, flow.EventDeescalate, r.Access.Removal.EventID, a.Clock.Now())
	all := make([]removal, len(r.Access.Entitlements))
	var work sync.WaitGroup
	for i, e := range r.Access.Entitlements {
		work.Go(func() { all[i] = a.remove(ctx, opened, call(r, e, record)) })
	}
	work.Wait()
	out := flow.Deescalate{Owner: lease.Owner}
	outputs := outputs{}
	var busy error
	for i, e := range r.Access.Entitlements {
		switch done := all[i]; {
		case flow.CodeOf(done.err) == flow.CodeBusy:
			busy = done.err
		case done.err != nil:
			return flow.Deescalate{}, done.err
		default:
			if done.held {
				out.StillHeld = append(out.StillHeld, e.Key)
			}
			if done.kept {
				out.Kept = append(out.Kept, e.Key)
			}
			outputs.add(e.Key, done.result)
		}
	}
	if busy != nil {
		return flow.Deescalate{}, busy
	}
	out.Output, err = outputs.join()
	out.Warnings = outputs.warnings
	return out, err
}

// removal is what became of one entitlement.
type removal struct {
	held   bool // others hold it
	kept   bool // it predates us
	result strategy.Result
	err    error
}

// remove takes the run off one entitlement, and removes that from the target
// if nobody else holds it and it was not there before us.
func (a *Access) remove(ctx context.Context, opened strategy.Strategy, c strategy.Call) (done removal) {
	key, lease := c.Entitlement.Key, a.lease()
	var do flow.Do
	g, err := a.Grants.Change(ctx, key, func(g flow.Grant) (moved flow.Grant, err error) {
		moved, do, err = g.Release(c.RunID, lease, a.Clock.Now())
		return moved, err
	})
	if err != nil || do == flow.DoNone {
		return removal{held: g.Held(c.RunID), err: err}
	}
	defer func() {
		if p := recover(); p != nil { // it would end the process, and all other removals with it
			done.err = panicked(p)
		}
		if done.err != nil {
			a.yield(ctx, key, lease)
		}
	}()
	// Unless absence was seen before the first change, there is nothing of
	// ours: it was there already, or the target was never touched.
	if g.Before == flow.Absent {
		if done.result, err = opened.Revoke(ctx, c); err != nil {
			return removal{err: err}
		}
		if observer, ok := opened.(strategy.Observer); ok {
			seen, err := observer.Observe(ctx, c)
			if err != nil {
				return removal{err: err}
			}
			if seen != flow.Absent {
				return removal{err: flow.Errorf(flow.CodeNotObserved, "the target accepted the removal but still shows the access")}
			}
		}
	}
	_, done.err = a.Grants.Change(ctx, key, func(g flow.Grant) (flow.Grant, error) { return g.Gone(lease.Owner) })
	done.kept = g.Before == flow.Present
	return done
}
