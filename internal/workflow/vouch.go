package workflow

import (
	"context"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// vouch asks the directory whether the requester is somebody who may ask, and
// returns when it said yes: zero for whom it does not know, a bot that asked as
// itself. The error has flow.CodeIneligible where the answer is no.
func (a Approval) vouch(ctx context.Context, r flow.Run) (time.Time, error) {
	if !r.InDirectory() {
		return time.Time{}, nil
	}
	asked := a.Now()
	u, err := a.Directory.User(ctx, r.Requester.SlackID)
	if err == nil {
		if may := MayRequest(u); may != nil {
			return time.Time{}, flow.Errorf(flow.CodeIneligible, "%s may not have this any more: %s", r.Requester.Display(), flow.UserMessage(may))
		}
	}
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return time.Time{}, flow.Errorf(flow.CodeIneligible, "%s may not have this any more: they are not in the workspace", r.Requester.Display())
	}
	return asked, err
}

// inForce reads the version in force of the run's flow. The error has
// flow.CodeWithdrawn where there is none any more.
func inForce(ctx context.Context, flows *store.Flows, r flow.Run) (*flow.Flow, error) {
	f, err := flows.Latest(ctx, r.Flow)
	if flow.CodeOf(err) == flow.CodeUnknownFlow {
		return nil, flow.Errorf(flow.CodeWithdrawn, "the flow %q is not in the configuration any more, so that nothing is granted by it: ask by another one", r.FlowTitle)
	}
	return f, err
}

// closes tells whether an error ends a request: nobody's decision could make it
// one that may be granted.
func closes(err error) bool {
	switch flow.CodeOf(err) {
	case flow.CodeIneligible, flow.CodeWithdrawn, flow.CodeNoApprover:
		return true
	}
	return false
}

// Vouch asks, right before the grant, whether what was approved may be granted
// still: it was decided longer ago than flow.StandingLasts, or is to start now. What the directory
// refuses to say, or leaves unanswered for as long, fails, and waits for Retry.
func (a Approval) Vouch(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	if flow.Next(r) != flow.StepVouch {
		return flow.Next(r), nil
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return "", again(err)
	}
	asked, cause := a.vouch(ctx, r)
	var current *flow.Flow
	if cause == nil {
		current, cause = inForce(ctx, a.Flows, r)
	}
	if cause == nil && !r.Started.IsZero() {
		cause = a.stillApproved(ctx, f, current, r)
	}
	if cause == nil && asked.IsZero() { // a bot, of whom the directory knows nothing
		asked = a.Now()
	}
	var in flow.Input
	since := r.Standing.Since
	switch {
	case cause == nil:
		in = flow.Vouch{At: asked}
	case closes(cause):
		in = flow.Withhold{Reason: flow.FailureOf(cause), Hooks: f.Hooks()}
	case refusal(cause) || !since.IsZero() && a.Now().Sub(since) >= flow.StandingLasts:
		reason := flow.FailureOf(cause)
		reason.Retryable = false // by hand only
		in = flow.Fail{Step: flow.EventEscalate, Reason: reason}
	default:
		in = flow.Doubt{}
	}
	r, err = a.Runs.Change(ctx, id, a.Now, func(r flow.Run) (flow.Input, error) {
		if flow.Next(r) != flow.StepVouch {
			return nil, flow.ErrUnchanged
		}
		return in, nil
	})
	if err == nil && flow.Next(r) == flow.StepVouch {
		err = cause // not answered yet
	}
	if err != nil {
		return "", again(err)
	}
	return flow.Next(r), nil
}

// counts is who counts at a decision, as things are now.
type counts struct {
	deciders flow.Deciders
	vouched  time.Time // when the directory said that the requester may ask
	dropped  []string  // earlier approvals, by event id, that do not count any more
}

// recheck asks once more who counts when a signal is taken: the requester, who
// the flow and its version in force say may decide, and whether those who do
// still may: the sender of the signal, and everybody whose approval was counted
// before. The error says why the signal does not count, or, if closes says so,
// why the request ends.
func (a Approval) recheck(ctx context.Context, f *flow.Flow, r flow.Run, signal flow.Signal) (flow.Run, counts, error) {
	var c counts
	current, err := inForce(ctx, a.Flows, r)
	denies := signal.Action == flow.ActionDeny || signal.Action == flow.ActionExtendDeny
	if err == nil && !denies {
		c.vouched, err = a.vouch(ctx, r)
	}
	if flow.CodeOf(err) == flow.CodeWithdrawn && denies {
		current, err = f, nil // it ends all the same, and by somebody's decision
	}
	if err != nil {
		return r, c, err
	}
	if r, c.deciders, err = a.stillDeciders(ctx, f, current, r, signal); err != nil {
		return r, c, err
	}
	// Only those whom routing found can press the buttons.
	if err := unapprovable(common([]flow.Deciders{c.deciders, r.Deciders}), r); err != nil && signal.Action != flow.ActionExtendDeny {
		return r, c, err
	}
	if signal.Action == flow.ActionRecheck {
		return r, c, nil
	}
	if err := mayStillGive(current, signal.Give); err != nil {
		return r, c, err
	}
	held := r
	held.Deciders = c.deciders
	may := func(who flow.Actor) error {
		u, err := a.still(ctx, who)
		if err != nil {
			return err
		}
		return MayClick(held, Click{Action: signal.Action, Actor: u})
	}
	if err := may(signal.Actor); err != nil {
		return r, c, err
	}
	var approvals []flow.CountedApproval
	switch {
	case signal.Action == flow.ActionApprove:
		approvals = r.Approvals
	case signal.Action == flow.ActionExtend && r.Extension != nil:
		approvals = r.Extension.Approvals
	}
	for _, counted := range approvals {
		if err := may(counted.Actor); refusal(err) {
			c.dropped = append(c.dropped, counted.EventID)
		} else if err != nil {
			return r, c, err
		}
	}
	return r, c, nil
}

// still finds somebody who has decided, or is about to, as they are now. The error
// has flow.CodeForbidden if they are not there any more.
func (a Approval) still(ctx context.Context, who flow.Actor) (store.User, error) {
	u := store.User{Actor: who, Role: store.RoleMember}
	if who.SlackID == "" {
		return u, nil
	}
	u, err := a.Directory.User(ctx, who.SlackID)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return u, flow.Errorf(flow.CodeForbidden, "this user is not in the workspace any more")
	}
	if err != nil {
		return u, err
	}
	former, err := a.Users.Former(ctx, who)
	if err == nil && former {
		err = flow.Errorf(flow.CodeForbidden, "the e-mail address with which this was decided belongs to another account now")
	}
	return u, err
}

// stillDeciders resolves once more who may decide a request: by the version of
// the flow that it was made with, and by the one in force. Both must let
// somebody through.
func (a Approval) stillDeciders(ctx context.Context, f, current *flow.Flow, r flow.Run, signal flow.Signal) (flow.Run, flow.Deciders, error) {
	versions := []*flow.Flow{f}
	if current.Version != f.Version {
		versions = append(versions, current)
	}
	var all []flow.Deciders
	for _, v := range versions {
		var said flow.Answer
		var err error
		if r, said, err = a.permits(ctx, v, r, signal); err != nil {
			return r, flow.Deciders{}, err
		}
		d, err := a.deciders(ctx, v, said)
		if err != nil {
			return r, flow.Deciders{}, err
		}
		all = append(all, d)
	}
	return r, common(all), nil
}

// permits asks the handlers of a version once more who may decide. They are
// asked about the request, as they were when it was made; what they answer is
// kept with the signal that it is asked for.
func (a Approval) permits(ctx context.Context, f *flow.Flow, r flow.Run, signal flow.Signal) (flow.Run, flow.Answer, error) {
	handlers := f.Handlers(flow.HandlerPermissions, flow.HandlerApprovers)
	if kept, ok := signal.Permits[f.Version]; ok || len(handlers) == 0 {
		return r, kept, nil
	}
	e, _ := r.Last(flow.EventRequest)
	result, err := a.asker().callSince(ctx, f, r, e, signal.At, handlers)
	if err == nil && result.Error != nil {
		err = &failedHandler{*result.Error}
	}
	if err != nil {
		return r, flow.Answer{}, err
	}
	var said flow.Answer
	if result.Answer != nil {
		said = *result.Answer
	}
	if signal.ID == "" { // nobody's: nothing to keep it with
		return r, said, nil
	}
	r, err = a.Runs.Change(ctx, r.ID, a.Now, func(flow.Run) (flow.Input, error) {
		return flow.Permit{SignalID: signal.ID, Version: f.Version, Answer: said}, nil
	})
	if err != nil {
		return r, flow.Answer{}, err
	}
	for _, s := range r.Signals {
		if kept, ok := s.Permits[f.Version]; ok && s.ID == signal.ID {
			return r, kept, nil // of whoever was first
		}
	}
	return r, said, nil
}

// failedHandler is the error of a handler that failed, with all that a run
// keeps of that.
type failedHandler struct{ failure flow.Failure }

func (e *failedHandler) Error() string { return e.failure.Message }

// Unwrap gives the failure as people may read it.
func (e *failedHandler) Unwrap() error { return errorOf(e.failure) }

// common gives those whom all of these let decide: each of them this very account,
// because it is a question of what somebody may.
func common(all []flow.Deciders) flow.Deciders {
	if len(all) == 1 {
		return all[0]
	}
	lets := func(d flow.Deciders, who flow.Actor) bool {
		return d.Members || slices.ContainsFunc(d.People, who.Is) || slices.ContainsFunc(d.Admins, who.Is)
	}
	both := flow.Deciders{Members: true, AllowGuests: true, AllowSelfApproval: true}
	for _, d := range all {
		both.Members = both.Members && d.Members
		both.AllowGuests = both.AllowGuests && d.AllowGuests
		both.AllowSelfApproval = both.AllowSelfApproval && d.AllowSelfApproval
		both.ByHandler = both.ByHandler || d.ByHandler
		both.Required = max(both.Required, d.Required)
	}
	for _, d := range all {
		for _, who := range slices.Concat(d.People, d.Admins) {
			letsAll := !slices.ContainsFunc(all, func(other flow.Deciders) bool { return !lets(other, who) })
			if letsAll && !slices.ContainsFunc(both.People, who.Is) {
				both.People = append(both.People, who)
			}
		}
	}
	return both
}
