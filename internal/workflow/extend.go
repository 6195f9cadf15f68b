package workflow

import (
	"context"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// MoreTime is somebody's wish that access ends later.
type MoreTime struct {
	RunID   string
	By      time.Duration
	Reason  string
	Actor   store.User
	Channel flow.Channel
	Via     *flow.MessageRef // the message that has the button; nil where there is none
	// Key tells a repetition from another wish; "": repetitions are known only until
	// it is decided.
	Key string
}

// Extend asks for more time. It returns the run and the id of the event that the wish
// becomes: the same once more if it is repeated. The error has flow.CodeNotExtendable
// where the access can't be extended, or not by that much, and flow.CodeIdempotency
// where the key was used for another wish.
func (s Submit) Extend(ctx context.Context, m MoreTime) (flow.Run, string, error) {
	return s.extend(ctx, m, nil, func(r flow.Run) error {
		return MayClick(r, Click{Action: flow.ActionExtendRequest, Actor: m.Actor, Channel: m.Channel})
	})
}

// ExtendByAPI asks for more time with a token: it may do so where it may ask for the
// same access.
func (s Submit) ExtendByAPI(ctx context.Context, m MoreTime, token store.Token) (flow.Run, string, error) {
	owner, err := s.owner(ctx, token)
	if err != nil {
		return flow.Run{}, "", err
	}
	return s.extend(ctx, m, owner, func(r flow.Run) error { return forRun(token, m.Actor.Actor, r) })
}

func (s Submit) extend(ctx context.Context, m MoreTime, owner *flow.Actor, may func(flow.Run) error) (flow.Run, string, error) {
	r, err := s.Runs.Change(ctx, m.RunID, s.Now, func(r flow.Run) (flow.Input, error) {
		if err := may(r); err != nil {
			return nil, err
		}
		if utf8.RuneCountInString(m.Reason) > maxMessage {
			return nil, flow.Errorf(flow.CodeTooLarge, "the reason is too long: at most %d characters", maxMessage)
		}
		if known, ok := r.ExtensionAsked(m.Key); ok && !known.Asks(m.By, m.Reason) {
			return nil, flow.Errorf(flow.CodeIdempotency, "this Idempotency-Key was used for another extension: use a new one")
		}
		return flow.Receive{
			Action: flow.ActionExtendRequest, Actor: m.Actor.Actor, Channel: m.Channel, Message: m.Reason, Via: m.Via,
			By: m.By, Owner: owner, Key: m.Key,
		}, nil
	})
	if err != nil {
		return r, "", err
	}
	if known, ok := r.ExtensionAsked(m.Key); ok {
		return r, known.EventID, nil
	}
	for _, sig := range r.Signals {
		if sig.Action == flow.ActionExtendRequest && sig.Actor.Is(m.Actor.Actor) {
			return r, sig.ID, nil
		}
	}
	if x := r.Extension; x != nil {
		return r, x.EventID, nil
	}
	return r, "", nil
}

// extension takes a signal about more time: the wish for it, or a decision on that.
func (a Approval) extension(ctx context.Context, f *flow.Flow, r flow.Run, signal flow.Signal) (flow.Run, error) {
	e := underway(r, signal)
	var in func(v *verdict) flow.Input
	var now counts
	if signal.Action == flow.ActionExtendRequest {
		in = func(v *verdict) flow.Input {
			return flow.AskExtension{SignalID: signal.ID, Fields: v.fields, Ruling: v.ruling, Hooks: f.Hooks()}
		}
	} else {
		in = func(v *verdict) flow.Input {
			return flow.DecideExtension{
				SignalID: signal.ID, Dropped: now.dropped, Required: now.deciders.Required,
				Fields: v.fields, Ruling: v.ruling, Hooks: f.Hooks(),
			}
		}
	}
	if _, err := flow.Apply(r, in(&verdict{}), a.Now()); refusal(err) { // too late, or it was decided
		return a.refuse(ctx, r, e, flow.FailureOf(err))
	}
	var err error
	if signal.Action == flow.ActionExtendRequest {
		_, err = inForce(ctx, a.Flows, r)
		if err == nil {
			_, err = a.vouch(ctx, r)
		}
		if err == nil && !r.Unasked() {
			asked := r // as if it was to be decided already: whoever asks may not approve
			asked.Extension = &flow.Extension{Actor: signal.Actor, Owner: signal.Owner}
			if err = unapprovable(r.Deciders, asked); err == nil && len(r.Tiers) == 0 && len(f.Handlers(flow.HookBefore(e.Name))) == 0 {
				err = flow.Errorf(flow.CodeNoApprover, "nobody could approve more time: nobody was asked about the request either, but a rule decided it; make a new request")
			}
		}
	} else {
		r, now, err = a.recheck(ctx, f, r, signal)
	}
	if err != nil {
		if flow.CodeOf(err) == flow.CodeLookup && a.Now().Sub(signal.At) >= patience || refusal(err) {
			return a.refuse(ctx, r, e, flow.FailureOf(err))
		}
		return r, err
	}
	r, v, err := a.consult(ctx, f, r, e, a.refuse, flow.HookBefore(e.Name))
	if v == nil {
		return r, err
	}
	if v.terms != nil {
		return a.refuse(ctx, r, e, failureOf(flow.Errorf(flow.CodeHandler, "%s returned another target or duration, which more time does not change", flow.HookBefore(e.Name)), e.Name))
	}
	return a.settle(ctx, r.ID, signal.ID, in(v))
}

// Extend is the step that follows when the end of access was moved: the removal is
// scheduled anew, and targets which end access by themselves are told. The record is
// there already: a crash before this step, or in it, has it done again.
func (a *Access) Extend(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	if flow.Next(r) != flow.StepExtend {
		return flow.Next(r), nil
	}
	if a.Clock.Now().Before(r.PausedUntil()) {
		return flow.StepDone, nil
	}
	a.arm(ctx, r) // the former schedule fires in vain, should this not arrive
	var in flow.Input = flow.Told{End: r.Access.End}
	if err := a.tellEnd(ctx, r); err != nil {
		if w, paused := waits(err); paused {
			in = flow.Told{End: r.Access.End, Pause: max(w.after, lookAtEndAgain)}
		} else if flow.CodeOf(err) == flow.CodeBusy {
			in = flow.Told{End: r.Access.End, Pause: lookAtEndAgain}
		} else {
			a.Log.WarnContext(ctx, "the target was not told that the access ends later", "run", id, "error", err)
			in = flow.Fail{Step: flow.EventExtend, Reason: flow.FailureOf(err), Wait: flow.AskedToWait(err)}
		}
	}
	ctx, cancel := a.cleanUp(ctx)
	defer cancel()
	r, err = a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) { return in, nil })
	switch {
	case flow.CodeOf(err) == flow.CodeStale:
		return flow.StepDone, nil // ended meanwhile
	case err != nil:
		return "", again(err)
	case a.Clock.Now().Before(r.PausedUntil()):
		return flow.StepDone, nil // another execution begins when it is time
	}
	return flow.Next(r), nil
}

// lookAtEndAgain is how long a target has for being told, or another run that is just
// changing the same access.
const lookAtEndAgain = 20 * time.Second

// tellEnd tells targets which end access by themselves when that is to be. What is
// missing at its target is not granted anew by this.
func (a *Access) tellEnd(ctx context.Context, r flow.Run) error {
	var parts []flow.Entitlement
	for _, p := range r.Access.Entitlements {
		if p.Expires && p.State() == flow.PartGranted {
			parts = append(parts, p.Entitlement)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	try, calling, err := a.begin(ctx, r.ID, r.Access.At(), flow.EventExtend)
	if err != nil {
		return flow.Errorf(flow.CodeUnavailable, "the target does not answer at present")
	}
	defer try.leave(ctx)
	try.calls = true
	opened, err := a.Open(r.Access.Strategy)
	if err != nil {
		return err
	}
	errs := make([]error, len(parts))
	var work sync.WaitGroup
	for i, e := range parts {
		work.Go(func() {
			ctx, cancel := a.within(calling, a.CallTimeout)
			defer cancel()
			errs[i] = a.turnOf(a.moveEnd(ctx, opened, a.call(r, e, flow.EventEscalate), r.Holder(e)))
		})
	}
	work.Wait()
	return try.end(ctx, worst(errs))
}

func (a *Access) moveEnd(ctx context.Context, opened strategy.Strategy, c strategy.Call, h flow.Holder) error {
	if observer, ok := opened.(strategy.Observer); ok {
		seen, err := observer.Observe(turn(ctx, c), c)
		if err != nil {
			return err
		}
		if seen.Presence == flow.Absent {
			return flow.Errorf(flow.CodeMissing, "the target does not show this access any more, so that it was not told when it ends now")
		}
	}
	result, err := a.grant(ctx, opened, c, h, new(flow.Outcome))
	if err == nil && len(result.Warnings) > 0 {
		a.Log.WarnContext(ctx, "a target warned when it was told that access ends later", "run", c.RunID, "warnings", result.Warnings)
	}
	return err
}
