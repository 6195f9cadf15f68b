package workflow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Route turns a submitted form into an open request: it finds out who may
// decide, and whom to ask. A request that no one is able to approve is denied.
func (a Approval) Route(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	signal, ok := r.Head()
	if !ok || signal.Action != flow.ActionRequest {
		return flow.Next(r), nil
	}
	glass := r.BreakGlass != nil
	if r, err = a.route(ctx, r, signal); err != nil && glass && (refusal(err) || a.Now().Sub(signal.At) >= patience) {
		if r, err = a.notFoundOut(ctx, id, signal, flow.FailureOf(err)); err != nil {
			return "", again(err)
		}
	} else if err != nil {
		return a.unsent(ctx, id, signal, err)
	}
	return flow.Next(r), nil
}

// unsent says what becomes of a request that could not be sent. What Slack does
// not answer now is asked again, for a day; what it will not answer until
// somebody repairs something waits for Retry.
func (a Approval) unsent(ctx context.Context, id string, signal flow.Signal, cause error) (flow.Step, error) {
	code, waited := flow.CodeOf(cause), a.Now().Sub(signal.At)
	var in flow.Input = flow.Fail{
		Step: flow.EventRequest, SignalID: signal.ID, Reason: flow.FailureOf(cause),
		Again: code == flow.CodeLookup, Wait: flow.AskedToWait(cause),
	}
	switch {
	case code == flow.CodeLookup && waited >= flow.DeliveryPatience:
		r, err := a.Runs.Get(ctx, id)
		if err != nil {
			return "", again(err)
		}
		f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
		if err != nil {
			return "", again(err)
		}
		reason := flow.FailureOf(cause)
		reason.Code, reason.Message = flow.CodeUnreachable, "Slack could not be reached for "+flow.Words(flow.DeliveryPatience)+", so that nobody was told of this request: ask again ("+reason.Message+")"
		in = flow.Lapse{SignalID: signal.ID, Reason: reason, Hooks: f.Hooks()}
	case code == flow.CodeLookup && (waited >= hush || flow.AskedToWait(cause) > 0), code == flow.CodeLookupRefused:
	default: // it most likely passes while the execution tries again
		return "", again(cause)
	}
	r, err := a.Runs.Change(ctx, id, a.Now, func(flow.Run) (flow.Input, error) { return in, nil })
	if flow.CodeOf(err) == flow.CodeStale { // another execution was faster, or it is being withdrawn
		r, err = a.Runs.Get(ctx, id)
	}
	if err != nil {
		return "", again(err)
	}
	if code == flow.CodeLookup && flow.Next(r) == flow.StepRoute {
		return flow.StepDone, nil // another execution is started when it is time
	}
	return flow.Next(r), nil
}

// hush is how long Slack may keep a request from being sent before anybody is
// told.
const hush = time.Minute

// requestHandlers are asked about a request, in this order.
var requestHandlers = []string{
	flow.HookBefore(flow.EventRequest), flow.HandlerPermissions, flow.HandlerNotifications, flow.HandlerApprovers,
}

func (a Approval) route(ctx context.Context, r flow.Run, signal flow.Signal) (flow.Run, error) {
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return r, err
	}
	vouched, err := a.vouch(ctx, r)
	if err == nil {
		_, err = inForce(ctx, a.Flows, r)
	}
	if closes(err) {
		return a.settle(ctx, r.ID, signal.ID, flow.Reject{SignalID: signal.ID, Reason: flow.FailureOf(err), Hooks: f.Hooks()})
	}
	e := underway(r, signal)
	if flow.CodeOf(err) == flow.CodeLookupRefused {
		return a.hold(ctx, r, e, flow.FailureOf(err))
	}
	if err != nil {
		return r, err
	}
	r, v, err := a.consult(ctx, f, r, e, a.hold, requestHandlers...)
	if v == nil {
		return r, err
	}
	deciders, err := a.deciders(ctx, f, v.answer)
	var tiers []flow.Tier
	if err == nil {
		tiers, err = a.tiers(ctx, f, v.answer)
	}
	var longest time.Duration
	if err == nil && r.BreakGlass != nil && !denies(v.ruling) {
		longest, tiers, err = a.breakGlass(ctx, f, r, deciders, tiers)
		if refusal(err) && flow.CodeOf(err) != flow.CodeLookupRefused {
			return a.settle(ctx, r.ID, signal.ID, flow.Reject{SignalID: signal.ID, Reason: flow.FailureOf(err), Hooks: f.Hooks()})
		}
	}
	if flow.CodeOf(err) == flow.CodeHandler {
		return a.hold(ctx, r, e, flow.FailureOf(err))
	}
	var identity string
	if err == nil {
		identity, err = shownIdentity(ctx, a.Users, f, r.Requester, a.Now())
	}
	var lingers int64
	if err == nil {
		lingers, err = a.lingers(ctx, f, r, v.terms)
	}
	if err != nil {
		return r, err
	}
	var in flow.Input = flow.Route{
		SignalID: signal.ID, Tiers: tiers, Deciders: deciders, Identity: identity, Lingers: lingers,
		Terms: v.terms, Fields: v.fields, Ruling: v.ruling, Hooks: f.Hooks(), Vouched: vouched, Longest: longest,
	}
	if reason := unapprovable(deciders, r); reason != nil && v.ruling == nil && longest == 0 {
		in = flow.Reject{SignalID: signal.ID, Reason: flow.FailureOf(reason)}
	} else if len(tiers) == 0 && v.ruling == nil {
		return a.hold(ctx, r, e, flow.Failure{
			Code: flow.CodeHandler, Step: e.Name,
			Message: "nobody would hear of this request: neither a handler nor approval.notify says whom to ask; define get_request_notifications, or write approval.notify",
		})
	}
	granted := false
	r, err = a.Runs.Change(ctx, r.ID, a.Now, func(r flow.Run) (flow.Input, error) {
		if head, ok := r.Head(); !ok || head.ID != signal.ID {
			granted = false
			return nil, flow.ErrUnchanged
		}
		granted = longest > 0
		return in, nil
	})
	if err == nil && granted {
		a.broke(ctx, r)
	}
	return r, err
}

// deciders resolves the flow's approvers and admins to people as they are now.
// A handler has the last word over the configuration. Names that the directory
// does not have are left out. It returns an error if the directory can't
// answer.
func (a Approval) deciders(ctx context.Context, f *flow.Flow, said flow.Answer) (flow.Deciders, error) {
	p := f.Params
	d := flow.Deciders{
		Members:     len(p.Approval.Approvers) == 0,
		AllowGuests: p.AllowGuestInteraction, AllowSelfApproval: p.Approval.AllowSelfApproval,
		Required: max(p.Approval.Required, 1),
	}
	var err error
	if d.People, err = a.named(ctx, f, "approval.approvers", p.Approval.Approvers, p.AllowGuestInteraction); err != nil {
		return flow.Deciders{}, err
	}
	if d.Admins, err = a.admins(ctx, f); err != nil {
		return flow.Deciders{}, err
	}
	switch {
	case said.Permissions != nil:
		err = a.permit(ctx, &d, *said.Permissions)
	case said.Approvers != nil:
		err = a.legacyApprovers(ctx, &d, *said.Approvers)
	}
	return d, err
}

// named lists the people whom an attribute of the flow names as "group:<handle>" and
// "user:<e-mail address>" as they are now, each once. The error channel hears of
// names that the directory does not have; they are nobody. It returns an error if
// the directory can't answer.
func (a Approval) named(ctx context.Context, f *flow.Flow, attribute string, names []string, guests bool) ([]flow.Actor, error) {
	var list []flow.Actor
	for i, name := range names {
		found, err := a.people().named(ctx, name)
		if flow.CodeOf(err) == flow.CodeUnknownUser || err == nil && gone(found) {
			err = a.absent(ctx, f, fmt.Sprintf("%s[%d]", attribute, i), name)
		}
		if err != nil {
			return nil, err
		}
		list = add(list, found, guests)
	}
	return list, nil
}

// admins are the people of the environment who may always decide.
func (a Approval) admins(ctx context.Context, f *flow.Flow) ([]flow.Actor, error) {
	return a.configured(ctx, f, flow.PathAdmins, f.Environment.Admins, false)
}

// permit applies what get_permissions said.
func (a Approval) permit(ctx context.Context, d *flow.Deciders, p flow.Permissions) error {
	d.ByHandler, d.AllowSelfApproval = true, p.AllowSelfApproval
	d.Members, d.People = false, nil
	switch p.ApproveDeny.Level {
	case flow.LevelAllUsers:
		d.Members, d.AllowGuests = true, true
	case flow.LevelMember:
		d.Members = true
	case flow.LevelAdmin:
	default:
		if len(p.ApproveDeny.Users) == 0 {
			return flow.Errorf(flow.CodeHandler, "%s allowed nobody to decide: approve_deny must be a PermissionLevel or a list of user ids", flow.HandlerPermissions)
		}
		for _, id := range p.ApproveDeny.Users {
			found, err := a.people().byID(ctx, id)
			if err != nil {
				return err
			}
			d.People = add(d.People, found, d.AllowGuests)
		}
	}
	return nil
}

// legacyApprovers applies what the deprecated get_approvers said: the people
// whom it names may decide, and no others. If it names a channel, the
// configuration's approvers stay.
func (a Approval) legacyApprovers(ctx context.Context, d *flow.Deciders, said flow.Approvers) error {
	var people []flow.Actor
	named := true
	for _, to := range said.Destinations {
		d.AllowSelfApproval = d.AllowSelfApproval || to.AllowSelf
		recipient, err := a.people().Recipient(ctx, to)
		if err != nil {
			return err
		}
		named = named && recipient.Channel == ""
		for _, who := range recipient.Users {
			if !slices.ContainsFunc(people, who.Is) {
				people = append(people, who)
			}
		}
	}
	d.ByHandler = true
	if named {
		d.Members, d.People = false, people
	}
	return nil
}

// tiers resolves whom to ask, in order. A tier whose people are all unknown
// stays, and turns out to be undeliverable when its turn comes.
func (a Approval) tiers(ctx context.Context, f *flow.Flow, said flow.Answer) ([]flow.Tier, error) {
	var tiers []flow.Tier
	switch {
	case said.Notifications != nil:
		for _, n := range said.Notifications {
			t, err := a.tier(ctx, n.Destinations, n.Timeout)
			if err != nil {
				return nil, err
			}
			tiers = append(tiers, t)
		}
		return tiers, nil
	case said.Approvers != nil:
		for _, to := range said.Approvers.Destinations {
			t, err := a.tier(ctx, []flow.Destination{to}, to.Timeout)
			if err != nil {
				return nil, err
			}
			t.EndsOnFailure, t.EndsOnTimeout = !said.Approvers.ContinueOnDeliveryFailure, !said.Approvers.ContinueOnTimeout
			tiers = append(tiers, t)
		}
		return tiers, nil
	}
	for i, n := range f.Params.Approval.Notify {
		users, err := a.configured(ctx, f, fmt.Sprintf("approval.notify[%d].users", i), n.Users, true)
		if err != nil {
			return nil, err
		}
		tiers = append(tiers, flow.Tier{Channel: n.Channel, Users: users, TimeoutSeconds: n.Timeout.Seconds()})
	}
	return tiers, nil
}

// tier resolves one round of asking, each destination by a copy of the message.
func (a Approval) tier(ctx context.Context, to []flow.Destination, timeout *int64) (flow.Tier, error) {
	if len(to) == 0 {
		return flow.Tier{}, flow.Errorf(flow.CodeHandler, "a notification has no destination")
	}
	var t flow.Tier
	if timeout != nil {
		t.TimeoutSeconds = *timeout
	}
	for i, d := range to {
		r, err := a.people().Recipient(ctx, d)
		if err != nil {
			return t, err
		}
		if i == 0 {
			t.Channel, t.Users = r.Channel, r.Users
		} else {
			t.Others = append(t.Others, r)
		}
	}
	return t, nil
}

// able lists those who could approve a request, each person once, where not every
// member may.
func able(d flow.Deciders, r flow.Run) []flow.Actor {
	var able []flow.Actor
	for _, who := range slices.Concat(d.People, d.Admins) {
		if r.Barred(who, d.AllowSelfApproval) == nil && !slices.ContainsFunc(able, who.Same) {
			able = append(able, who)
		}
	}
	return able
}

// unapprovable returns an error that says why nobody is able to approve the
// request, or nil if somebody is.
func unapprovable(d flow.Deciders, r flow.Run) error {
	if d.Members {
		return nil
	}
	able := able(d, r)
	if len(able) >= d.Required {
		return nil
	}
	switch {
	case len(able) == 0 && (len(d.People) > 0 || len(d.Admins) > 0):
		return flow.Errorf(flow.CodeNoApprover, "nobody could approve this request: the only approver is the requester, or owns the token that asked, and self-approval is off; add an approver to the flow")
	case len(able) == 0:
		return flow.Errorf(flow.CodeNoApprover, "nobody could approve this request: none of the flow's approvers is an active member of the workspace; correct the flow's approvers")
	}
	return flow.Errorf(flow.CodeNoApprover, "nobody could approve this request: it needs %d different people, and only %d may approve it (the requester, and the owner of the token that asked, do not count); add approvers to the flow", d.Required, len(able))
}
