package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Escalate grants what was approved: intent first, then the schedule of the
// removal, then the target, then the observation.
func (a *Access) Escalate(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	if flow.Next(r) != flow.StepEscalate {
		return flow.Next(r), nil
	}
	if !r.Vouched(a.Clock.Now()) { // whom only approval may ask about
		r, err = a.Runs.Change(ctx, id, a.Clock.Now, func(r flow.Run) (flow.Input, error) { return flow.Doubt{}, nil })
		if err != nil && flow.CodeOf(err) != flow.CodeStale {
			return "", again(err)
		}
		return flow.Next(r), nil
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return "", again(err)
	}
	// Whatever ends a flow, something that it needs was deleted perhaps: nothing is granted by it.
	if _, err := inForce(ctx, a.Flows, r); flow.CodeOf(err) == flow.CodeWithdrawn {
		return a.withhold(ctx, id, flow.FailureOf(err), f.Hooks())
	} else if err != nil {
		return "", again(err)
	}
	try, calling, err := a.begin(ctx, id, targetOf(f, r), flow.EventEscalate)
	if err != nil {
		return a.postponeGrant(ctx, id, f.Hooks())
	}
	defer try.leave(ctx)
	var outcomes []flow.Outcome
	r, opened, err := a.intend(calling, f, r)
	if err == nil {
		err = a.configured(ctx, r)
	}
	if err == nil {
		err = try.move(ctx, r.Access.At())
	}
	begun := err == nil
	if begun {
		outcomes, err = a.grantAll(calling, r, opened)
	}
	err = try.end(ctx, err)
	switch {
	case errors.Is(err, errSick):
		return a.postponeGrant(ctx, id, f.Hooks())
	case flow.CodeOf(err) == flow.CodeStale:
		return a.elsewhere(ctx, id)
	case !begun:
		if w, ok := waits(a.turnOf(err)); ok { // the directory that says who the requester is has a line, too
			next, _, err := a.note(ctx, id, w, notDone(flow.EventEscalate, w))
			return next, err
		}
		next, _, err := a.note(ctx, id, err, flow.Fail{Step: flow.EventEscalate, Reason: flow.FailureOf(err), Wait: flow.AskedToWait(err), Sick: flow.IsAtSick(err), Hooks: f.Hooks()})
		return next, err
	}
	told := r.Access.End
	next, r, err := a.note(ctx, id, err, flow.Attempted{Step: flow.EventEscalate, Outcomes: outcomes, Sick: flow.IsAtSick(err), Hooks: f.Hooks()})
	if r.Access.Live() && !r.Access.End.Equal(told) {
		a.expire(ctx, opened, r)
	}
	return next, err
}

// withhold writes down why what was approved is not granted.
func (a *Access) withhold(ctx context.Context, id string, reason flow.Failure, hooks []string) (flow.Step, error) {
	r, err := a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) {
		return flow.Withhold{Reason: reason, Hooks: hooks}, nil
	})
	if err != nil && flow.CodeOf(err) != flow.CodeStale {
		return "", again(err)
	}
	return flow.Next(r), nil
}

// note records what came of an attempt at granting, and says how the run goes on.
// cause is the error that decides, where it is not granted.
func (a *Access) note(ctx context.Context, id string, cause error, in flow.Input) (flow.Step, flow.Run, error) {
	if _, paused := waits(cause); cause != nil && !paused && flow.CodeOf(cause) != flow.CodeBusy {
		a.Log.WarnContext(ctx, "granting failed", "run", id, "error", cause)
	}
	r, err := a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) { return in, nil })
	switch {
	case flow.CodeOf(err) == flow.CodeStale:
		next, err := a.elsewhere(ctx, id)
		return next, flow.Run{}, err
	case err != nil:
		return "", flow.Run{}, again(err)
	}
	if r.Access.Live() && !r.Access.Seen.IsZero() {
		a.arm(ctx, r)
	}
	next, err := a.goOn(ctx, r, cause)
	return next, r, err
}

// elsewhere says how a run goes on that has left the step meanwhile: it has ended, or
// somebody is about to cancel it.
func (a *Access) elsewhere(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	if next := flow.Next(r); next != flow.StepEscalate {
		return next, nil
	}
	return flow.StepDone, nil
}

// goOn says how the run goes on after an attempt at granting.
func (a *Access) goOn(ctx context.Context, r flow.Run, cause error) (flow.Step, error) {
	switch {
	case r.Status == flow.Escalated:
		return flow.Next(r), nil
	case r.WaitsForTarget(flow.EventEscalate) != nil:
		// The target works on it, or a person has to do something. A look that comes
		// later begins the step anew.
		a.lookLater(ctx, r, flow.EventEscalate)
		return flow.StepDone, nil
	case flow.Next(r) == flow.StepEscalate && (flow.AskedToWait(cause) > 0 || flow.IsAtSick(cause)):
		return flow.StepDone, nil // the execution would not wait that long: another one is started then
	case flow.Next(r) == flow.StepEscalate:
		// It failed, or another run is changing the entitlement: the execution tries
		// again for a minute. After that the run is due, and another one goes on.
		return "", again(cause)
	}
	return flow.Next(r), nil
}

// expire tells targets which end access by themselves when that is to be, once it is
// known. Should that fail, they end it when they were told at first, which is later.
func (a *Access) expire(ctx context.Context, opened strategy.Strategy, r flow.Run) {
	var work sync.WaitGroup
	for _, e := range r.Access.Entitlements {
		if !e.Expires || e.Seen.IsZero() { // what is still being granted is told then
			continue
		}
		work.Go(func() {
			ctx, cancel := a.within(ctx, a.CallTimeout)
			defer cancel()
			if _, err := a.grant(ctx, opened, a.call(r, e.Entitlement, flow.EventEscalate), r.Holder(e.Entitlement), new(flow.Outcome)); err != nil {
				a.Log.WarnContext(ctx, "the target was not told when the access ends, and ends it later by itself", "run", r.ID, "entitlement", e.Key, "error", err)
			}
		})
	}
	work.Wait()
}

// configured says whether the configuration still has what it takes to remove
// what the run is about to grant. The run has recorded its intent by now: a
// publish that drops the strategy either sees that, or was before and is seen
// here.
func (a *Access) configured(ctx context.Context, r flow.Run) error {
	if err := stillThere(ctx, a.Entities, &r.Access.Strategy, r.Access.Target, flow.CodeConfigNeeded); err != nil {
		return err
	}
	have, err := a.Flows.Strategies(ctx)
	if err != nil || have == nil {
		return err
	}
	for _, n := range needsOf(r, a.Rights) {
		if !slices.Contains(have, n) {
			return flow.Errorf(flow.CodeConfigNeeded, "the configuration has changed since this was requested, and has no %s any more: make a new request", n)
		}
	}
	return nil
}

// intend writes down what is about to be granted and schedules its removal,
// unless an earlier attempt did.
func (a *Access) intend(ctx context.Context, f *flow.Flow, r flow.Run) (flow.Run, strategy.Strategy, error) {
	if r.Access == nil {
		var terms *flow.Terms
		var err error
		if r, terms, err = a.onEscalate(ctx, f, r); err != nil {
			return r, nil, err
		}
		target := *r.GivenTarget()
		if terms != nil && terms.Target != nil {
			target = *terms.Target
		}
		// Submit has looked, and so has whoever asked a hook; but this is what
		// counts, and the check may have changed with a build since.
		if a.Bound != nil {
			if err := a.Bound(*f.Strategy, target); err != nil {
				return r, nil, fmt.Errorf("check what was asked for: %w", err)
			}
		}
		opened, err := a.Open(*f.Strategy)
		if err != nil {
			return r, nil, err
		}
		identity, err := a.identity(ctx, f, r, opened)
		if err != nil {
			return r, nil, err
		}
		if r.Identity != "" && identity != r.Identity {
			return r, nil, flow.Errorf(flow.CodeIdentity, "who %s is at %s has changed since this was approved: make a new request", r.Requester.Display(), target.Title())
		}
		entitlements, err := entitlementsOf(opened, target, identity, r.ID)
		if err != nil {
			return r, nil, err
		}
		if err := a.freeze(*f.Strategy, target, entitlements); err != nil {
			return r, nil, err
		}
		r, err = a.Runs.Change(ctx, r.ID, a.Clock.Now, func(flow.Run) (flow.Input, error) {
			return flow.Intend{Strategy: *f.Strategy, Target: target, Identity: identity, Entitlements: distinct(entitlements), Terms: terms}, nil
		})
		if err != nil {
			return r, nil, err
		}
	}
	if end := r.Access.End; !end.IsZero() && r.Access.Waiting == nil { // else an earlier attempt has come further than this
		if err := a.Schedule.Set(ctx, r.ID, end); err != nil {
			return r, nil, fmt.Errorf("schedule the removal: %w", err)
		}
	}
	opened, err := a.Open(r.Access.Strategy)
	return r, opened, err
}

// freeze notes with entitlements what is known of the type of their target.
func (a *Access) freeze(s flow.Strategy, target flow.Target, entitlements []flow.Entitlement) error {
	known := a.TargetType(s, target)
	for i := range entitlements {
		e := &entitlements[i]
		if e.Expires = known.Expires; e.Value == "" {
			continue
		}
		if e.Values = known.Values; !slices.Contains(e.Values, e.Value) {
			return flow.Errorf(flow.CodeStrategy, "%s asks for %q, which is none of %s", target.Title(), e.Value, strings.Join(e.Values, ", "))
		}
	}
	return nil
}

// entitlementsOf gives what a target means, which may be several by its bindings:
// then each entitlement has the settings that are its own.
func entitlementsOf(opened strategy.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	var all []flow.Entitlement
	for i, one := range target.All() {
		entitlements, err := opened.Entitlements(one, identity, runID)
		if err != nil {
			return nil, err
		}
		for _, e := range entitlements {
			if len(target.Each) > 0 {
				e.Settings = maps.Clone(e.Settings)
				if e.Settings == nil {
					e.Settings = map[string]string{}
				}
				maps.Copy(e.Settings, target.Each[i])
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// distinct leaves out what is there twice: two ways to write one thing, or two values
// of which a person has one. Then the higher is what they get.
func distinct(entitlements []flow.Entitlement) []flow.Entitlement {
	var out []flow.Entitlement
	for _, e := range entitlements {
		i := slices.IndexFunc(out, func(other flow.Entitlement) bool { return other.Key == e.Key })
		switch {
		case i < 0:
			out = append(out, e)
		case slices.Index(e.Values, e.Value) > slices.Index(e.Values, out[i].Value):
			out[i] = e
		}
	}
	return out
}

// onEscalate asks the flow's hook before anything is granted. It returns nil
// terms if the hook changes nothing.
func (a *Access) onEscalate(ctx context.Context, f *flow.Flow, r flow.Run) (flow.Run, *flow.Terms, error) {
	if r.Coming == nil {
		return r, nil, nil
	}
	e := r.AccessEvent(flow.EventEscalate, r.Coming.EventID, a.Clock.Now())
	r, v, err := a.asker().hear(ctx, f, r, e, flow.HookBefore(e.Name))
	if err == nil && v.failed != nil {
		err = errorOf(*v.failed)
	}
	return r, v.terms, err
}

// identity says who the requester is at the target: a stored identity, else
// what a handler or the strategy finds, else their e-mail address, or another one
// that a handler gives.
func (a *Access) identity(ctx context.Context, f *flow.Flow, r flow.Run, opened strategy.Strategy) (string, error) {
	s, who := *f.Strategy, r.Requester
	service, external := systemOf(s)
	former, err := a.Users.Former(ctx, who)
	if err != nil {
		return "", err
	}
	if former { // the address, and what is stored for it, are somebody else's
		return "", flow.Errorf(flow.CodeIdentity, "the e-mail address of %s belongs to another Slack account than when this was requested: make a new request", who.Display())
	}
	stored, err := a.Users.Identity(ctx, who, service, external)
	if err != nil || stored != "" {
		return stored, err
	}
	ask := func(handler string) (string, error) {
		if len(f.Handlers(handler)) == 0 {
			return "", nil
		}
		if a.Handlers == nil { // to go by the e-mail address instead could be somebody else's account
			return "", noPython(f)
		}
		e := flow.Event{ID: r.ID, Name: flow.EventEscalate, Actor: r.Approver(), Channel: flow.ChannelInternal, At: a.Clock.Now()}
		return a.Handlers.Identity(ctx, HandlerCall{Flow: f, Run: r, Event: e}, handler, service, external)
	}
	if finder, ok := opened.(strategy.Finder); ok {
		found, err := finder.FindIdentity(ctx, r.ID, who)
		if err != nil || found == "" {
			return "", cmp.Or(err, error(unknownAt(who, s, fmt.Sprintf("%s is not known to %s: its fetch_remote_identity found nobody", who.Display(), s.Name), nil)))
		}
		err = a.Users.SetIdentity(ctx, who, store.SavedIdentity{
			Identity: store.Identity{Service: service, ExternalID: external, UserID: found},
			Author: flow.Author{
				By: flow.Principal{Kind: flow.PrincipalStrategy, Name: fmt.Sprintf("strategy %s of flow %s, run %s", s.Name, f.Name, r.ID)}, At: a.Clock.Now().UTC(),
			},
		})
		if flow.CodeOf(err) == flow.CodeForbidden { // not confirmed: it is found anew each time
			err = nil
		}
		return found, err
	}
	if found, err := ask(flow.HandlerIdentity); err != nil || found != "" {
		return found, err
	}
	if email, err := ask(flow.HandlerIdentityLookup); err != nil {
		return "", err
	} else if email != "" {
		who.Email = email
	}
	if finder, ok := opened.(strategy.Identifier); ok {
		return a.find(ctx, finder, s, r.Requester, who.Email)
	}
	if who.Email != "" {
		return who.Email, nil
	}
	if who.Kind == flow.KindBot {
		return who.Name, nil
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s is not known to %s: Slack shows this app no e-mail address of theirs. Give the app the scope users:read.email, or the person an address", who.Display(), s.Name)
}

// grantAll creates or joins the entitlements of the run that it is time for, all at
// once: one that fails, or that its target takes its time for, keeps none of the
// others. The error is the one that decides what becomes of the step.
func (a *Access) grantAll(ctx context.Context, r flow.Run, opened strategy.Strategy) ([]flow.Outcome, error) {
	return a.all(ctx, r, flow.EventEscalate, func(ctx context.Context, e flow.Entitlement) (flow.Outcome, error) {
		var o flow.Outcome
		result, err := a.grant(ctx, opened, a.call(r, e, flow.EventEscalate), r.Holder(e), &o)
		o.Output, o.Warnings = result.Output, result.Warnings
		return o, err
	})
}

// grant makes the run a holder of one entitlement, and brings the target to what all
// holders need, unless it is there already: because other runs have it, or because it
// was there before all of them. The error is a [waiting] while the target, or a
// person, needs time. What was there before is noted in the outcome, whatever comes of it.
func (a *Access) grant(ctx context.Context, opened strategy.Strategy, c strategy.Call, h flow.Holder, o *flow.Outcome) (result strategy.Result, err error) {
	ctx = turn(ctx, c)
	lease := a.lease()
	var do flow.Do
	g, err := a.Grants.Change(ctx, c.Entitlement.Key, func(g flow.Grant) (moved flow.Grant, err error) {
		moved, do, err = g.Acquire(h, c.Entitlement.Values, lease, a.Clock.Now())
		return moved, err
	})
	if err != nil {
		return result, err
	}
	defer func() { o.Before, o.BeforeValue = g.Before, g.BeforeValue }()
	defer func() {
		if p := recover(); p != nil { // else people would wait for a step that never reports
			err = panicked(p)
		}
		if _, paused := waits(err); err != nil && !paused && do == flow.DoCreate {
			a.yield(ctx, c.Entitlement.Key, lease)
		}
	}()
	c = toward(c, g)
	work := g.Work
	if do == flow.DoCreate && g.Ours() { // else nothing was asked of the target yet
		if work, err = a.settleGrant(ctx, opened, c, lease, work); err != nil {
			return result, err
		}
	}
	observer, observes := opened.(strategy.Observer)
	seen := strategy.Sight{Presence: flow.Present, Value: c.Value, Until: c.Until}
	if observes {
		if seen, err = observer.Observe(ctx, c); err != nil {
			return result, err
		}
		answered(ctx)
	}
	if seen.Presence != flow.Absent && !g.Understands(seen.Value) {
		return result, flow.Errorf(flow.CodeStrategy, "the target shows %q, which is none of %s and could not be given back: nothing is changed there", seen.Value, strings.Join(g.Order, ", "))
	}
	if do == flow.DoNone {
		if seen.Presence == flow.Present && g.Reached(seen.Value) && !moved(g, c, seen) {
			return strategy.Result{Output: g.Output, Warnings: besides(seen)}, nil
		}
		// What the run was to share has been taken away, or changed, by others.
		do = flow.DoCreate
		if g, err = a.Grants.Change(ctx, g.Key, func(g flow.Grant) (flow.Grant, error) { return g.Lost(lease) }); err != nil {
			return result, err
		}
	}
	if observes && seen.Presence != flow.Absent && g.Echoes(a.Clock.Now()) {
		return result, a.pause(ctx, g.Key, lease, work, &waiting{text: "The target still shows what was removed before."})
	}
	if g.Before != flow.Absent {
		before := strategy.Sight{Presence: flow.Absent} // a target that can't be read is taken to show nothing
		if observes {
			before = seen
		}
		goal := g.Goal()
		if g, err = a.Grants.Change(ctx, g.Key, func(g flow.Grant) (flow.Grant, error) {
			return g.Saw(lease.Owner, before.Presence, before.Value)
		}); err != nil {
			return result, err
		}
		if c = toward(c, g); !g.Goal().Same(goal) {
			work = flow.Work{} // which was for another one, and is over
		}
	}
	if g.Asks(seen.Value) && work.Accepted.IsZero() {
		work.Former = false
		if err = a.beginChange(ctx, opened, g.Key, lease, g.Work, work); err != nil {
			return result, err
		}
		if result, err = opened.Grant(ctx, c); err != nil {
			return result, err
		}
		answered(ctx)
		work = noted(work, result)
		if work.Operation = result.Operation; work.Operation != nil {
			return result, a.pause(ctx, g.Key, lease, work, granting(*work.Operation))
		}
		work.Accepted = a.Clock.Now().UTC()
		if observes {
			if seen, err = observer.Observe(ctx, c); err != nil {
				// Accepted it is: the next attempt need not ask for it again.
				return result, cmp.Or(a.pause(ctx, g.Key, lease, work, nil), err)
			}
		}
	}
	there := seen.Presence == flow.Present && g.Reached(seen.Value)
	early := there && endsEarly(g, h, c, seen)
	late := a.Clock.Now().Sub(work.Accepted) >= seenWithin
	switch {
	case there && !early, there && late:
	case seen.Presence == flow.Invited:
		return result, a.pause(ctx, g.Key, lease, work, &waiting{after: invitedLook, text: cmp.Or(seen.Todo, "Accept the invitation of the target."), todo: true})
	case !late:
		return result, a.pause(ctx, g.Key, lease, work, &waiting{text: "The target has accepted it, and does not show it yet."})
	default:
		return result, a.pause(ctx, g.Key, lease, flow.Work{}, flow.Errorf(flow.CodeNotObserved, "the target accepted the grant but does not show it"))
	}
	_, err = a.Grants.Change(ctx, g.Key, func(g flow.Grant) (flow.Grant, error) {
		g, err := g.Created(lease.Owner, a.Clock.Now())
		if len(work.Output) > 0 || len(g.Output) == 0 {
			g.Output = work.Output
		}
		return g, err
	})
	warnings := besides(seen)
	if early {
		warnings = append(warnings, fmt.Sprintf("the target ends this access by itself at %s (UTC), before its time is over", seen.Until.UTC().Format(time.DateTime)))
	}
	return summed(result, work, warnings...), err
}

// moved tells whether the target shows another end than it was told.
func moved(g flow.Grant, c strategy.Call, seen strategy.Sight) bool {
	if !c.Entitlement.Expires || g.Predates() || seen.Until.IsZero() && c.Until.IsZero() {
		return false
	}
	return seen.Until.IsZero() != c.Until.IsZero() || seen.Until.Sub(c.Until).Abs() >= time.Minute // systems round
}

// endsEarly tells whether the target would end the access by itself before the
// holder needs it no more.
func endsEarly(g flow.Grant, h flow.Holder, c strategy.Call, seen strategy.Sight) bool {
	if !c.Entitlement.Expires || g.Predates() || seen.Until.IsZero() {
		return false
	}
	return h.End.IsZero() || seen.Until.Before(h.End)
}

// settleGrant comes before anything is asked of the target that may have work under
// way. It returns what is left to be done.
func (a *Access) settleGrant(ctx context.Context, opened strategy.Strategy, c strategy.Call, lease flow.Lease, work flow.Work) (flow.Work, error) {
	known := work.Operation
	op, failed, err := follow(ctx, opened, c, known)
	if err != nil {
		return work, err
	}
	if work.Operation = op; op != nil {
		return work, a.pause(ctx, c.Entitlement.Key, lease, work, granting(*op))
	}
	switch {
	case known == nil || known.Kind != flow.OperationGrant || work.Former: // what is to be is still to be asked for
	case failed != nil:
		return work, a.pause(ctx, c.Entitlement.Key, lease, flow.Work{}, failed)
	default:
		work.Accepted = a.Clock.Now().UTC()
	}
	return work, nil
}

func granting(op flow.Operation) *waiting {
	if op.Kind == flow.OperationRevoke {
		return underWay("still removing this access for another request", op)
	}
	return underWay("setting this up", op)
}

// besides warns of access that the person has, too, and that will stay.
func besides(seen strategy.Sight) []string {
	if len(seen.Others) == 0 {
		return nil
	}
	return []string{"the same access comes of something else, too, and stays when this ends: " + strings.Join(seen.Others, ", ")}
}
