package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Looks has [Access.Look] called later, by which what waits for its target goes
// on. A call may be lost, or come twice: the sweep makes up for it.
type Looks interface {
	// Later asks for a call for the run, of which a step waits (flow.EventEscalate or
	// flow.EventDeescalate), at a time that is at most a few minutes away. It does
	// not wait for the call.
	Later(ctx context.Context, runID string, step flow.EventName, at time.Time) error
}

// How long is waited, and for what.
const (
	// seenWithin is how late a target may show what it has accepted. After that,
	// the attempt has failed.
	seenWithin = 2 * time.Minute
	// unseenFor is how far apart two looks are by which a removal is over: one may
	// have been of an old state.
	unseenFor = 5 * time.Second
	// invitedLook is how often it is looked whether a person has done what they
	// have to.
	invitedLook = 5 * time.Minute
	// earlyLook is by how much too early a call may come: clocks differ.
	earlyLook = 2 * time.Second
)

// waiting is the outcome of a step that waits for its target. It is no failure.
type waiting struct {
	after    time.Duration // until the next look; zero: longer each time
	text     string        // what it waits for, for people
	todo     bool          // the requester has to do what the text says
	inLine   bool          // it waits for its turn, and the text says for how long
	accepted time.Time     // when the target accepted a removal; zero: it has not
}

func (w *waiting) Error() string { return "waiting: " + w.text }

func waits(err error) (*waiting, bool) { return errors.AsType[*waiting](err) }

// turnOf makes an outcome of the error by which a [strategy.Limiter] sends somebody
// away: to wait in line is no failed attempt. Other errors stay as they are.
func (a *Access) turnOf(err error) error {
	limited, ok := errors.AsType[*flow.RateLimited](err)
	if !ok || limited.Line.Number == 0 {
		return err
	}
	at := a.Clock.Now().Add(limited.Line.Wait).UTC().Format("15:04:05")
	return &waiting{after: limited.After, inLine: true, text: fmt.Sprintf("Number %d in line, as the target is asked no faster than it allows. Its turn comes at about %s (UTC).", limited.Line.Number, at)}
}

// and is what several entitlements wait for: for the one that the requester has to
// do something about, or the first. A removal counts as accepted if each part is.
func (w *waiting) and(other *waiting) *waiting {
	both := *w
	if other.todo && !w.todo {
		both = *other
	}
	both.after, both.accepted = min(w.after, other.after), w.accepted
	if other.accepted.IsZero() || !w.accepted.IsZero() && other.accepted.Before(w.accepted) {
		both.accepted = other.accepted
	}
	return &both
}

// Look goes on with a run whose granting or removal waits for the target. It does
// nothing if the run does not wait (any more), or not until now. It is called by
// Looks; an error means that the outcome could not be recorded, and that the call
// may come again.
func (a *Access) Look(ctx context.Context, id string) error {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case a.looks(r, flow.EventEscalate):
		_, err = a.Escalate(ctx, id)
		if r, failed := a.Runs.Get(ctx, id); failed == nil && r.WaitsForTarget(flow.EventEscalate) == nil {
			return nil // what became of it is recorded, and followed by whoever drives the run
		}
		return err
	case a.looks(r, flow.EventDeescalate):
		return a.deescalate(ctx, r)
	}
	return nil
}

// looks tells whether it is time to look at what a step waits for.
func (a *Access) looks(r flow.Run, step flow.EventName) bool {
	w := r.WaitsForTarget(step)
	return w != nil && !a.Clock.Now().Before(w.LookAt.Add(-earlyLook))
}

// lookLater has a run looked at when it says. Should that fail, the sweep finds it.
func (a *Access) lookLater(ctx context.Context, r flow.Run, step flow.EventName) {
	w := r.WaitsForTarget(step)
	if w == nil {
		return
	}
	if err := a.Looks.Later(ctx, r.ID, step, w.LookAt); err != nil {
		a.Log.WarnContext(ctx, "a look at a target could not be asked for, the sweep will find the run", "run", r.ID, "at", w.LookAt, "error", err)
	}
}

// follow looks at what may be under way for an entitlement, as the grant item has
// it. It returns the operation while there is one. failed is why the known one came
// to nothing; err says that the target could not be asked.
func follow(ctx context.Context, opened strategy.Strategy, c strategy.Call, known *flow.Operation) (op *flow.Operation, failed, err error) {
	follower, ok := opened.(strategy.Follower)
	if !ok || known == nil {
		return nil, nil, nil
	}
	if op, err = follower.Follow(ctx, c, *known); err == nil {
		answered(ctx)
	}
	if err == nil || known.ID == "" {
		return op, nil, err
	}
	// It has failed, or could not be looked at. Which, is told by those that the
	// target has under way.
	under, asked := follower.Follow(ctx, c, flow.Operation{})
	if asked != nil {
		return nil, nil, err
	}
	if under != nil {
		return under, nil, nil
	}
	return nil, err, nil
}

// beginChange comes before the target is asked for a change. What is recorded of its work
// is over by then, and must not be taken for all that there is, should the answer be
// lost.
func (a *Access) beginChange(ctx context.Context, opened strategy.Strategy, key string, lease flow.Lease, recorded, now flow.Work) error {
	if _, follows := opened.(strategy.Follower); !follows || !recorded.Known() {
		return nil
	}
	_, err := a.Grants.Change(ctx, key, func(g flow.Grant) (flow.Grant, error) { return g.Begin(lease.Owner, now) })
	return err
}

// underWay is what people read of an operation that goes on.
func underWay(what string, op flow.Operation) *waiting {
	return &waiting{text: fmt.Sprintf("The target is %s, since %s (UTC).", what, op.Started.UTC().Format("15:04:05"))}
}

// pause gives the lease of an entitlement back, with how far its work has come. It
// returns the outcome, unless that could not be written.
func (a *Access) pause(ctx context.Context, key string, lease flow.Lease, work flow.Work, outcome error) error {
	ctx, cancel := a.cleanUp(ctx)
	defer cancel()
	_, err := a.Grants.Change(ctx, key, func(g flow.Grant) (flow.Grant, error) { return g.Pause(lease.Owner, work) })
	if err != nil {
		return err
	}
	return outcome
}

// worst is the error of several that decides what becomes of the step: that it is
// over, that it failed, that another run has to be waited for, or the target.
func worst(errs []error) error {
	rank := func(err error) int {
		w, waiting := waits(err)
		switch {
		case err == nil:
			return 0
		case waiting && w != nil:
			return 1
		case flow.CodeOf(err) == flow.CodeBusy:
			return 2
		case flow.CodeOf(err) == flow.CodeStale:
			return 4
		}
		return 3
	}
	var out error
	for _, err := range errs {
		a, aWaits := waits(out)
		b, bWaits := waits(err)
		switch {
		case aWaits && bWaits:
			out = a.and(b)
		case rank(err) > rank(out):
			out = err
		}
	}
	return out
}

// summed is all that the target answered in the end: to this attempt, and to those
// before it.
func summed(last strategy.Result, w flow.Work, more ...string) strategy.Result {
	out := strategy.Result{Output: w.Output, Warnings: append(slices.Clone(w.Warnings), more...)}
	if len(last.Output) > 0 { // whatever its length
		out.Output = last.Output
	}
	return out
}

// noted adds what the target answered to what is kept of its work.
func noted(w flow.Work, r strategy.Result) flow.Work {
	if len(r.Output) > 0 && len(r.Output) <= flow.MaxOutputBytes {
		w.Output = jsonOf(r.Output)
	}
	w.Warnings = slices.Clone(w.Warnings)
	for _, text := range r.Warnings {
		if !slices.Contains(w.Warnings, text) {
			w.Warnings = append(w.Warnings, text)
		}
	}
	return w
}
