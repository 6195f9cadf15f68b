package workflow

import (
	"context"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// DeescalateInput is what schedules and removers invoke the function with that
// calls [Access.OnTime]: an id and nothing else, so that no deploy outdates
// what is scheduled.
type DeescalateInput struct {
	Run string `json:"run"`
}

// OnTime does what it is time for: it takes the run's access away, or starts access
// that was asked for later, if that is due now; and it looks again at what waits for
// its target. It is called by the schedule, by the sweep and when somebody asks; a
// call that comes too early has itself called once more at the exact time, or sets
// the schedule anew, one that comes too late does nothing. Taking away uses what the
// run and its grants recorded, never today's configuration. An error means that the
// outcome could not be recorded. It returns nil if the target fails, or needs time:
// that is recorded, and tried again later.
func (a *Access) OnTime(ctx context.Context, id string) error {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return err
	}
	at, ok := r.ActsAt()
	if !ok {
		return a.Schedule.Delete(ctx, id)
	}
	switch wait := at.Sub(a.Clock.Now()); {
	case wait <= 0 || a.looks(r, flow.EventDeescalate):
	case r.WaitsForTarget(flow.EventDeescalate) != nil:
		return nil // a look is to come, or the sweep after it
	case wait > a.Ahead:
		return a.Schedule.Set(ctx, id, at)
	case r.PutOff(flow.EventDeescalate): // its turn at the target is asked for
	case wait > clocksDiffer:
		return a.Remover.Remove(ctx, id, at)
	default:
		select {
		case <-a.Clock.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if r.AwaitsStart() {
		return a.start(ctx, id)
	}
	return a.deescalate(ctx, r)
}

// clocksDiffer is by how much a call at the exact time may come too early, because the
// clock of whoever calls is ahead of ours. So much is waited for: another call would
// cost more, and could come too early as well.
const clocksDiffer = time.Second

// deescalate takes the run's access away now, unless the target is sick.
func (a *Access) deescalate(ctx context.Context, r flow.Run) error {
	id := r.ID
	try, calling, err := a.begin(ctx, id, r.Access.At(), flow.EventDeescalate)
	if err != nil {
		return a.postponeRemoval(ctx, id)
	}
	defer try.leave(ctx)
	lease := a.lease()
	r, err = a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) {
		return flow.Claim(lease), nil
	})
	if err != nil {
		if flow.Retryable(err) && flow.CodeOf(err) != flow.CodeBusy {
			return err
		}
		return nil // another removal is under way, or the access is gone
	}
	if !r.Access.Live() {
		return a.Schedule.Delete(ctx, id)
	}
	r, spared, hooks := a.onDeescalate(ctx, r)
	if spared != nil {
		done, err := a.spare(ctx, r.ID, flow.Spare{Owner: lease.Owner, Reason: *spared})
		if done || err != nil {
			return err
		}
	}
	if r, err = a.renew(ctx, r, lease, hooks); err != nil || r.Access.Removal.Owner != lease.Owner {
		return err // another one is at it
	}
	outcomes, err := a.removeAll(calling, r)
	err = try.end(ctx, err)
	_, paused := waits(err)
	if err != nil && !paused && flow.CodeOf(err) != flow.CodeBusy {
		a.Log.ErrorContext(ctx, "removal failed and will be repeated", "run", id, "error", err)
	}
	var next flow.Input = flow.Attempted{Step: flow.EventDeescalate, Owner: lease.Owner, Outcomes: outcomes, Sick: flow.IsAtSick(err), Hooks: hooks}
	if outcomes == nil && err != nil {
		next = flow.Fail{Step: flow.EventDeescalate, Reason: flow.FailureOf(err), Sick: flow.IsAtSick(err)}
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
	switch {
	case r.WaitsForTarget(flow.EventDeescalate) != nil:
		a.lookLater(ctx, r, flow.EventDeescalate)
		return nil
	case r.Access.Live():
		a.arm(ctx, r)
		return nil
	}
	return a.Schedule.Delete(ctx, id)
}

// TakeOver ends the claim, and the leases, of a removal whose process is known to
// have been killed, so that another one need not wait for them, and has the run
// looked at again when that process was to.
func (a *Access) TakeOver(ctx context.Context, r flow.Run) error {
	if r.WaitsForTarget(flow.EventEscalate) != nil {
		a.lookLater(ctx, r, flow.EventEscalate)
	}
	if !r.Access.Live() {
		return nil
	}
	if r.WaitsForTarget(flow.EventDeescalate) != nil {
		a.lookLater(ctx, r, flow.EventDeescalate)
	}
	if r.Access.Removal.Owner == "" {
		return nil
	}
	for _, e := range r.Access.Entitlements {
		_, err := a.Grants.Change(ctx, e.Key, func(g flow.Grant) (flow.Grant, error) { return g.Orphan(a.Clock.Now()), nil })
		if err != nil {
			return err
		}
	}
	a.orphan(ctx, r)
	_, err := a.Runs.Change(ctx, r.ID, a.Clock.Now, func(now flow.Run) (flow.Input, error) {
		if now.Access.Removal.Owner != r.Access.Removal.Owner || !a.Clock.Now().Before(now.Access.Removal.Until) {
			return nil, flow.ErrUnchanged
		}
		return flow.Claim{Owner: now.Access.Removal.Owner, Until: a.Clock.Now()}, nil
	})
	return err
}

// hookPatience bounds how long a removal waits for the flow's hook.
const hookPatience = 20 * time.Second

// onDeescalate asks the flow's hook before access is taken away. It can keep
// that from happening in one case only: somebody who is no admin wanted the
// access to end early. Then its reason is returned. It is nil if the removal
// goes on, even though the hook says otherwise, fails or does not answer. Its
// failure is kept, to be reported with the event. The names are those of the
// hooks that the flow may define.
func (a *Access) onDeescalate(ctx context.Context, r flow.Run) (flow.Run, *flow.Failure, []string) {
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		a.Log.ErrorContext(ctx, "access is taken away without asking the flow's hook: its version can't be read", "run", r.ID, "error", err)
		return r, nil, nil
	}
	id := r.Access.Removal.EventID
	hooks := f.Hooks()
	if kept := r.ResultFor(id); kept != nil && kept.Error != nil {
		return r, nil, hooks // it was asked before, and failed
	}
	e := r.AccessEvent(flow.EventDeescalate, id, a.Clock.Now())
	short, cancel := a.within(ctx, hookPatience)
	defer cancel()
	asked, v, err := a.asker().hear(short, f, r, e, flow.HookBefore(e.Name))
	if err != nil {
		a.Log.WarnContext(ctx, "a hook could not be asked before access is taken away, which goes on", "run", r.ID, "error", err)
		failure := failureOf(err, e.Name)
		v.failed = &failure
	} else {
		r = asked
	}
	switch {
	case v.ignored != nil && r.MaySpare(a.Clock.Now()):
		return r, v.ignored, hooks
	case v.failed != nil:
		a.Log.WarnContext(ctx, "a hook failed before access is taken away, which goes on", "run", r.ID, "error", v.failed.Message)
		reported, err := a.asker().keep(ctx, r, id, flow.Result{Error: v.failed})
		if err != nil {
			a.Log.ErrorContext(ctx, "a hook's failure could not be recorded", "run", r.ID, "error", err)
			return r, nil, hooks
		}
		r = reported
	}
	return r, nil, hooks
}

// renew claims the removal anew if a hook may have used up the time of the
// claim, so that the target has all of its own.
func (a *Access) renew(ctx context.Context, r flow.Run, lease flow.Lease, hooks []string) (flow.Run, error) {
	if !slices.Contains(hooks, flow.HookBefore(flow.EventDeescalate)) {
		return r, nil
	}
	lease.Until = a.lease().Until
	r, err := a.Runs.Change(ctx, r.ID, a.Clock.Now, func(flow.Run) (flow.Input, error) { return flow.Claim(lease), nil })
	if err != nil && !flow.Retryable(err) || flow.CodeOf(err) == flow.CodeBusy {
		return r, nil // the access is gone, or another removal is under way
	}
	return r, err
}

// spare leaves the access as it is, and schedules its end. It returns false if
// that end has come meanwhile.
func (a *Access) spare(ctx context.Context, id string, in flow.Spare) (bool, error) {
	r, err := a.Runs.Change(ctx, id, a.Clock.Now, func(r flow.Run) (flow.Input, error) {
		if r.Access.Removal.Owner != in.Owner {
			return nil, flow.ErrUnchanged // our claim was over, and another one has it
		}
		return in, nil
	})
	if flow.CodeOf(err) == flow.CodeIllegal {
		return false, nil
	}
	if err == nil {
		a.arm(ctx, r)
	}
	return true, err
}

// removeAll takes the run off the entitlements that it is time for, all at once: one
// whose target hangs keeps no other from being removed. It returns nil outcomes if
// nothing could be asked of the target at all.
func (a *Access) removeAll(ctx context.Context, r flow.Run) ([]flow.Outcome, error) {
	opened, err := a.Open(r.Access.Strategy)
	if err != nil {
		return nil, err
	}
	return a.all(ctx, r, flow.EventDeescalate, func(ctx context.Context, e flow.Entitlement) (flow.Outcome, error) {
		done := a.remove(ctx, opened, a.call(r, e, flow.EventDeescalate))
		return flow.Outcome{
			StillHeld: done.held, Kept: done.kept, GrantedBy: done.others, Output: done.result.Output, Warnings: done.result.Warnings,
		}, done.err
	})
}

// cleanUp returns a context that outlives the given one, for the writes that
// have to follow even if the work's time is over.
func (a *Access) cleanUp(ctx context.Context) (context.Context, context.CancelFunc) {
	return a.within(context.WithoutCancel(ctx), leaseMargin/3)
}

// removal is the outcome for one entitlement.
type removal struct {
	held   bool     // other runs hold it
	kept   bool     // it was there before the run
	others []string // what else gives the same access
	result strategy.Result
	err    error // a [waiting] while the target needs time
}

// remove takes the run off one entitlement, and from the target what was more than
// other runs need, and what was there before the first of them.
func (a *Access) remove(ctx context.Context, opened strategy.Strategy, c strategy.Call) (done removal) {
	ctx = turn(ctx, c)
	key, lease := c.Entitlement.Key, a.lease()
	var do flow.Do
	g, err := a.Grants.Change(ctx, key, func(g flow.Grant) (moved flow.Grant, err error) {
		moved, do, err = g.Release(c.RunID, lease, a.Clock.Now())
		return moved, err
	})
	if err != nil || do == flow.DoNone {
		return removal{held: g.HeldByOthers(c.RunID), err: err}
	}
	defer func() {
		if p := recover(); p != nil { // it would end the process, and all other removals with it
			done.err = panicked(p)
		}
		if _, paused := waits(done.err); done.err != nil && !paused {
			a.yield(ctx, key, lease)
		}
	}()
	// Unless something of ours may be there, there is nothing to take away: the access
	// was there already, or the target was never touched.
	if g.Ours() {
		c = toward(c, g)
		c.Output = g.Output
		if done.result, done.others, err = a.takeAway(ctx, opened, c, lease, g); err != nil {
			return removal{err: err}
		}
	}
	_, done.err = a.Grants.Change(ctx, key, func(g flow.Grant) (flow.Grant, error) { return g.Gone(lease.Owner, a.Clock.Now()) })
	done.held, done.kept = len(g.Holders) > 0, g.Predates()
	return done
}

// takeAway removes from the target what is ours and more than what is to remain there,
// which may be nothing, and returns nil once that was observed, and what else gives
// the same access. The error is a [waiting] until then, if nothing is wrong.
func (a *Access) takeAway(ctx context.Context, opened strategy.Strategy, c strategy.Call, lease flow.Lease, g flow.Grant) (strategy.Result, []string, error) {
	work := g.Work
	key, known, recorded := c.Entitlement.Key, work.Operation, work
	wait := func(w *waiting) (strategy.Result, []string, error) {
		w.accepted = work.Accepted
		return strategy.Result{}, nil, a.pause(ctx, key, lease, work, w)
	}
	fail := func(err error) (strategy.Result, []string, error) {
		return strategy.Result{}, nil, a.pause(ctx, key, lease, flow.Work{Warnings: work.Warnings}, err)
	}
	ask, kind := opened.Revoke, flow.OperationRevoke
	if !g.Goal().None { // what remains is set
		ask, kind = opened.Grant, flow.OperationGrant
	}
	// Absence means nothing while a grant is under way.
	op, failed, err := follow(ctx, opened, c, known)
	if err != nil {
		return strategy.Result{}, nil, err
	}
	if work.Operation = op; op != nil {
		return wait(removing(*op))
	}
	removed := known != nil && known.Kind == kind && !work.Former
	if removed && failed != nil {
		return fail(failed)
	}
	if removed {
		work.Accepted = a.Clock.Now().UTC() // from now on it should be seen
	}
	observer, observes := opened.(strategy.Observer)
	look := func() (seen strategy.Sight, gone bool, err error) {
		seen, err = observer.Observe(ctx, c)
		return seen, seen.Presence == flow.Absent || !g.Goal().None && !g.Above(seen.Value), err
	}
	asked := !work.Missed.IsZero() || removed
	if !asked && observes && !g.Goal().None && g.Raised(a.Clock.Now()) {
		// Somebody else may have taken it away: what remains is not given back to them.
		seen, gone, err := look()
		if err != nil {
			return strategy.Result{}, nil, err
		}
		if asked = gone && !g.Reached(seen.Value); asked {
			work.Accepted = a.Clock.Now().UTC()
		}
	}
	var result strategy.Result
	if !asked {
		work.Former = false
		if err = a.beginChange(ctx, opened, key, lease, recorded, work); err != nil {
			return result, nil, err
		}
		if result, err = ask(ctx, c); err != nil {
			return result, nil, err
		}
		answered(ctx)
		work = noted(work, result)
		if work.Accepted.IsZero() {
			work.Accepted = a.Clock.Now().UTC()
		}
		if work.Operation = result.Operation; work.Operation != nil {
			return wait(removing(*work.Operation))
		}
	}
	answer := summed(result, work)
	if !observes || !g.Goal().None && !g.Exceeds() { // only the end was moved
		return answer, nil, nil
	}
	seen, gone, err := look()
	if err != nil {
		return strategy.Result{}, nil, err
	}
	now := a.Clock.Now()
	switch {
	case !gone && now.Sub(work.Accepted) >= seenWithin:
		return fail(flow.Errorf(flow.CodeNotObserved, "the target accepted the removal but still shows the access"))
	case !gone:
		work.Missed = time.Time{}
		return wait(&waiting{text: "The target has accepted the removal, and still shows the access."})
	case work.Missed.IsZero():
		work.Missed = now.UTC()
		return wait(&waiting{after: unseenFor, text: "The target does not show the access any more; it is looked at once more."})
	case now.Sub(work.Missed) < unseenFor:
		return wait(&waiting{after: unseenFor - now.Sub(work.Missed), text: "The target does not show the access any more; it is looked at once more."})
	}
	return answer, seen.Others, nil
}

func removing(op flow.Operation) *waiting {
	if op.Kind == flow.OperationGrant {
		return underWay("still setting this up, and takes it away after that", op)
	}
	return underWay("taking it away", op)
}
