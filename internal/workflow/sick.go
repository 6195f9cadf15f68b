package workflow

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// attempt is one at granting or taking away, from before it begins until what the
// target said of itself is noted. A sick target has few places for them.
type attempt struct {
	access  *Access
	at      string // the target
	place   flow.Place
	removal bool
	sick    bool // the target was when the attempt began, and it has a place
	calls   bool // from now on it calls the target, and waits for nobody else
	done    bool
	heard   atomic.Bool // the target answered a call
}

// errSick says that an attempt must be put off.
var errSick = errors.New("the target is sick, and all places are taken")

// begin says whether an attempt at a target may begin. It returns errSick if not;
// a grant may not either if that can't be found out. A removal then goes ahead: what
// limits attempts holds none up when it is itself out of order. The context is for
// the attempt's calls of the target.
func (a *Access) begin(ctx context.Context, runID, at string, step flow.EventName) (*attempt, context.Context, error) {
	t := &attempt{
		access: a, at: at, removal: step == flow.EventDeescalate, calls: step == flow.EventDeescalate,
		place: flow.Place{Owner: store.NewWriter(), Run: runID},
	}
	return t, context.WithValue(ctx, attemptKey{}, t), t.take(ctx)
}

// move goes on at the target that the grant turned out to be for, which a hook may
// have changed. A place lasts from now on: hooks may have used up its time.
func (t *attempt) move(ctx context.Context, at string) error {
	t.calls = true
	if at == t.at && !t.sick {
		return nil
	}
	if at != t.at {
		t.change(ctx, func(s flow.Sickness) flow.Sickness { return s.Leave(t.place.Owner) })
		t.at, t.sick = at, false
	}
	return t.take(ctx)
}

func (t *attempt) take(ctx context.Context) error {
	now := t.access.Clock.Now()
	t.place.Until = now.Add(hookPatience + t.access.CallTimeout + leaseMargin)
	ok := false
	s, err := t.access.Sick.Change(ctx, t.at, func(s flow.Sickness) flow.Sickness {
		s, ok = s.Take(t.place, t.removal, now)
		return s
	})
	switch {
	case err != nil:
		t.access.Log.ErrorContext(ctx, "whether a target is sick can't be found out: removals go ahead", "target", t.at, "run", t.place.Run, "error", err)
		if !t.removal {
			return errSick
		}
	case !ok:
		return errSick
	default:
		t.sick = s.Sick()
	}
	return nil
}

// attemptKey is where calls of targets find the attempt that they belong to.
type attemptKey struct{}

// answered notes that the target answered a call.
func answered(ctx context.Context) {
	if t, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		t.heard.Store(true)
	}
}

// end notes what an attempt says of the target, and gives its place back. The error
// is the attempt's own, as a flow.AtSick if the target is sick. Attempts that
// called nobody, or failed for another reason than time, say nothing of it.
func (t *attempt) end(ctx context.Context, err error) error {
	t.done = true
	ctx, cancel := t.access.cleanUp(ctx)
	defer cancel()
	now, owner := t.access.Clock.Now(), t.place.Owner
	_, paused := waits(err)
	switch {
	case t.calls && timedOut(err):
		t.change(ctx, func(s flow.Sickness) flow.Sickness { return s.TimedOut(owner, t.removal, now) })
	case (err == nil || paused) && t.heard.Load():
		t.change(ctx, func(s flow.Sickness) flow.Sickness { return s.Answered(owner) })
	case t.sick:
		t.change(ctx, func(s flow.Sickness) flow.Sickness { return s.Leave(owner) })
	}
	if err != nil && !paused && t.sick && flow.CodeOf(err) != flow.CodeBusy && flow.CodeOf(err) != flow.CodeStale {
		return &flow.AtSick{Cause: err}
	}
	return err
}

// leave gives the place of an attempt back that came to nothing.
func (t *attempt) leave(ctx context.Context) {
	if t.done || !t.sick {
		return
	}
	ctx, cancel := t.access.cleanUp(ctx)
	defer cancel()
	t.change(ctx, func(s flow.Sickness) flow.Sickness { return s.Leave(t.place.Owner) })
}

// change notes something. Places end by themselves, and time-outs come again:
// should it fail, nothing else does.
func (t *attempt) change(ctx context.Context, move func(flow.Sickness) flow.Sickness) {
	if _, err := t.access.Sick.Change(ctx, t.at, move); err != nil {
		t.access.Log.WarnContext(ctx, "how a target answers could not be noted", "target", t.at, "run", t.place.Run, "error", err)
	}
}

// timedOut tells whether time was over before the target answered.
func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// postponeGrant puts a grant off: another execution begins when it is due.
func (a *Access) postponeGrant(ctx context.Context, id string, hooks []string) (flow.Step, error) {
	r, err := a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) {
		return flow.Postpone{Step: flow.EventEscalate, Hooks: hooks}, nil
	})
	switch {
	case flow.CodeOf(err) == flow.CodeStale:
		return a.elsewhere(ctx, id)
	case err != nil:
		return "", again(err)
	case r.Status == flow.Escalated: // with what is there: the others are given up
		a.arm(ctx, r)
		return flow.Next(r), nil
	}
	return flow.StepDone, nil
}

// postponeRemoval puts a removal off, on both of its paths.
func (a *Access) postponeRemoval(ctx context.Context, id string) error {
	r, err := a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) {
		return flow.Postpone{Step: flow.EventDeescalate}, nil
	})
	if err == nil && r.PutOff(flow.EventDeescalate) { // else it is gone, or another removal is under way
		a.arm(ctx, r)
	}
	return err
}

// orphan gives back the places of a run whose process is known to have been killed.
// Should that fail, they end by themselves.
func (a *Access) orphan(ctx context.Context, r flow.Run) {
	if _, err := a.Sick.Change(ctx, r.Access.At(), func(s flow.Sickness) flow.Sickness { return s.Orphan(r.ID) }); err != nil {
		a.Log.WarnContext(ctx, "a place at a sick target could not be given back, it ends by itself", "target", r.Access.At(), "run", r.ID, "error", err)
	}
}

// targetOf names the target of a run that may not have intended its grant yet.
func targetOf(f *flow.Flow, r flow.Run) string {
	if r.Access != nil {
		return r.Access.At()
	}
	return (&flow.Access{Strategy: *f.Strategy, Target: *r.GivenTarget()}).At()
}
