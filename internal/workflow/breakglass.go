package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// denies tells whether a rule has denied the request.
func denies(ruling *flow.Ruling) bool { return ruling != nil && ruling.Event != flow.EventApprove }

// breakGlass says for how long the requester may have access without approval, and
// who is told of it: all whom the flow would have asked, one after the other, at
// once; whom it names besides; the error channel, and the admins. It claims the
// requester's one emergency for the run. An error that is a refusal says why there
// is no access without approval.
func (a Approval) breakGlass(ctx context.Context, f *flow.Flow, r flow.Run, deciders flow.Deciders, tiers []flow.Tier) (time.Duration, []flow.Tier, error) {
	current, err := inForce(ctx, a.Flows, r)
	if err != nil {
		return 0, nil, err
	}
	var longest time.Duration
	for _, v := range []*flow.Flow{f, current} {
		if err := v.CheckBreakGlass(flow.Submission{Fields: r.Fields, StartAt: r.StartAt}); err != nil {
			return 0, nil, err
		}
		if err := (BreakGlass{a.people()}).may(ctx, v, r.Requester); err != nil {
			return 0, nil, err
		}
		if most := time.Duration(v.Params.BreakGlass.Duration); longest == 0 || most < longest {
			longest = most
		}
		if v.Version == current.Version {
			break
		}
	}
	if err := unreviewable(deciders, r); err != nil {
		return 0, nil, err
	}
	told, err := a.loudly(ctx, f, deciders, tiers)
	if err != nil {
		return 0, nil, err
	}
	if err := a.claimGlass(ctx, r); err != nil {
		return 0, nil, err
	}
	return longest, told, nil
}

// unreviewable returns an error if there is nobody but the requester who could
// review an emergency; nil if there is somebody.
func unreviewable(d flow.Deciders, r flow.Run) error {
	d.AllowSelfApproval = false
	if d.Members || len(able(d, r)) > 0 {
		return nil
	}
	return flow.Errorf(flow.CodeNoApprover, "nobody could review this emergency: none but you could approve requests of this flow; ask for an approver to be added to the flow")
}

// loudly is the one round of telling everybody at once.
func (a Approval) loudly(ctx context.Context, f *flow.Flow, deciders flow.Deciders, tiers []flow.Tier) ([]flow.Tier, error) {
	var all []flow.Recipient
	tell := func(to flow.Recipient) {
		same := func(other flow.Recipient) bool {
			return other.Channel == to.Channel && slices.EqualFunc(other.Users, to.Users, flow.Actor.Is)
		}
		if (to.Channel != "" || len(to.Users) > 0) && !slices.ContainsFunc(all, same) {
			all = append(all, to)
		}
	}
	for _, t := range tiers {
		for _, to := range t.Recipients() {
			tell(to)
		}
	}
	for i, n := range f.Params.BreakGlass.Notify {
		users, err := a.configured(ctx, f, fmt.Sprintf("break_glass.notify[%d].users", i), n.Users, true)
		if err != nil {
			return nil, err
		}
		tell(flow.Recipient{Channel: n.Channel, Users: users})
	}
	tell(flow.Recipient{Channel: f.Environment.ErrorChannel})
	for _, admin := range deciders.Admins { // each by themselves: there may be more than share a conversation
		tell(flow.Recipient{Users: []flow.Actor{admin}})
	}
	if len(all) == 0 {
		return nil, nil
	}
	return []flow.Tier{{Channel: all[0].Channel, Users: all[0].Users, Others: all[1:]}}, nil
}

// claimGlass makes the run the one emergency of its requester. The error has
// flow.CodeGlassBroken if they have another one, which goes on or is not reviewed.
func (a Approval) claimGlass(ctx context.Context, r flow.Run) error {
	glass := store.Glass{Store: a.Runs.Store}
	return glass.Claim(ctx, r.Requester, r.ID, func(other string) error {
		return blocks(ctx, a.Runs, other)
	})
}

// blocks returns the error of somebody whose emergency is that run; nil if it is
// over and reviewed, or has come to nothing.
func blocks(ctx context.Context, runs store.Runs, id string) error {
	r, err := runs.Get(ctx, id)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return nil
	}
	if err == nil && r.GlassBroken() {
		err = &Blocked{By: r, error: r.Blocks()}
	}
	return err
}

// Blocked is the error of somebody whose earlier emergency keeps them from another one.
type Blocked struct {
	By flow.Run // that emergency
	error
}

func (b *Blocked) Unwrap() error { return b.error }

// BreakGlass says who may have access in an emergency, as people are now.
type BreakGlass struct{ People People }

// may returns nil if the person may break the glass of a flow: they, this very
// account, are among those whom the flow names. It returns an error if the directory
// does not answer: then nobody may.
func (b BreakGlass) may(ctx context.Context, f *flow.Flow, who flow.Actor) error {
	if f.Params.BreakGlass == nil {
		return flow.Errorf(flow.CodeForbidden, "this flow grants nothing without approval, not even in an emergency")
	}
	for _, name := range f.Params.BreakGlass.Who {
		found, err := b.People.named(ctx, name)
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
			return err
		}
		if slices.ContainsFunc(add(nil, found, false), who.Is) {
			return nil
		}
	}
	return flow.Errorf(flow.CodeForbidden, "you are not among those who may have access of this flow without approval: ask in the usual way")
}

// mayBreakGlass returns nil if the requester of a form may submit it as an emergency.
func (s Submit) mayBreakGlass(ctx context.Context, f *flow.Flow, r flow.Run) error {
	who, err := s.Directory.User(ctx, r.Requester.SlackID)
	if err != nil {
		return err
	}
	return s.MayBreakGlass(ctx, f, who)
}

// MayBreakGlass returns nil if the person may have access of the flow in an
// emergency now; an error says why not.
func (s Submit) MayBreakGlass(ctx context.Context, f *flow.Flow, who store.User) error {
	if err := MayRequest(who); err != nil {
		return err
	}
	if f.Params.BreakGlass == nil {
		return flow.Errorf(flow.CodeForbidden, "this flow grants nothing without approval, not even in an emergency")
	}
	people := People{s.Directory, store.Users{Store: s.Runs.Store}}
	if err := (BreakGlass{people}).may(ctx, f, who.Actor); err != nil {
		return err
	}
	id, err := (store.Glass{Store: s.Runs.Store}).Broken(ctx, who.Actor)
	if err != nil || id == "" {
		return err
	}
	return blocks(ctx, s.Runs, id)
}

// notFoundOut gives an emergency up of which it could not be found out whether
// its requester may have the access: what is granted hours later helps nobody, and
// surprises everybody, and meanwhile they could ask in the usual way.
func (a Approval) notFoundOut(ctx context.Context, id string, signal flow.Signal, reason flow.Failure) (flow.Run, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return r, err
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return r, err
	}
	in, why := flow.Reject{SignalID: signal.ID, Reason: reason, Hooks: f.Hooks()}, ""
	if reason.Retryable {
		why = " (" + reason.Message + ")"
	} else {
		in.Failed = &reason
	}
	in.Reason.Message = "it could not be found out whether you may have access without approval, so that nothing was granted: ask again, or in the usual way" + why
	return a.settle(ctx, id, signal.ID, in)
}

// review takes the review of an emergency: whoever gives it has to be there still,
// and one who may approve requests of the flow as it is in force now.
func (a Approval) review(ctx context.Context, f *flow.Flow, r flow.Run, e flow.Event, signal flow.Signal) (flow.Run, error) {
	err := a.mayReview(ctx, f, r, signal)
	failed, byHandler := errors.AsType[*failedHandler](err)
	switch {
	case byHandler:
		return a.refuse(ctx, r, e, failed.failure)
	case flow.CodeOf(err) == flow.CodeLookup && a.Now().Sub(signal.At) >= patience || refusal(err):
		return a.refuse(ctx, r, e, flow.FailureOf(err))
	case err != nil:
		return r, err
	}
	r, v, err := a.consult(ctx, f, r, e, a.refuse, flow.HookBefore(e.Name))
	if v == nil {
		return r, err
	}
	return a.settle(ctx, r.ID, signal.ID, flow.Reviewed{SignalID: signal.ID, Fields: v.fields, Hooks: f.Hooks()})
}

// reviewedBy gives the flow that says who may review what was done by a version of it:
// the one in force. Where the flow is gone, what was done by it is not: then it is that
// version, with the admins whom its environment has by another flow that is in force.
func reviewedBy(ctx context.Context, flows *store.Flows, was *flow.Flow) (*flow.Flow, error) {
	current, err := flows.Latest(ctx, was.Name)
	if flow.CodeOf(err) != flow.CodeUnknownFlow {
		return current, err
	}
	list, err := flows.List(ctx)
	if err != nil {
		return nil, err
	}
	left := *was
	for _, summary := range list {
		f, err := flows.Latest(ctx, summary.Name)
		if err != nil {
			return nil, err
		}
		if f.Environment.Name == was.Environment.Name {
			left.Environment = f.Environment
			break
		}
	}
	return &left, nil
}

func (a Approval) mayReview(ctx context.Context, f *flow.Flow, r flow.Run, signal flow.Signal) error {
	current, err := reviewedBy(ctx, a.Flows, f)
	if err != nil {
		return err
	}
	var said flow.Answer
	if !current.Environment.Administers(signal.Actor) { // admins may whatever the flow's code says, and should it fail
		if r, said, err = a.permits(ctx, current, r, signal); err != nil {
			return err
		}
	}
	if r.Deciders, err = a.deciders(ctx, current, said); err != nil {
		return err
	}
	who, err := a.still(ctx, signal.Actor)
	if err != nil {
		return err
	}
	return MayClick(r, Click{Action: flow.ActionReview, Actor: who, Channel: flow.ChannelSlack})
}
