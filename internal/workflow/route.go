package workflow

import (
	"context"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Route turns a submitted form into an open request: it finds out who may
// decide, and whom to ask. A request that nobody could approve is denied.
func (a Approval) Route(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	signal, ok := r.Head()
	if !ok || signal.Action != flow.ActionRequest {
		return flow.Next(r), nil
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return "", again(err)
	}
	deciders, err := a.deciders(ctx, f)
	if err != nil {
		return "", again(err)
	}
	tiers, err := a.tiers(ctx, f)
	if err != nil {
		return "", again(err)
	}
	reason := unapprovable(deciders, r.Requester)
	r, err = a.Runs.Change(ctx, id, a.Now, func(r flow.Run) (flow.Input, error) {
		if head, ok := r.Head(); !ok || head.ID != signal.ID {
			return nil, flow.ErrUnchanged
		}
		if reason != nil {
			return flow.Reject{SignalID: signal.ID, Reason: flow.FailureOf(reason)}, nil
		}
		return flow.Route{SignalID: signal.ID, Tiers: tiers, Deciders: deciders}, nil
	})
	if err != nil {
		return "", again(err)
	}
	return flow.Next(r), nil
}

// deciders resolves the flow's approvers and admins to people as they are now.
// Names that the directory does not have are left out; a question that it
// can't answer is an error.
func (a Approval) deciders(ctx context.Context, f *flow.Flow) (flow.Deciders, error) {
	p := f.Params
	d := flow.Deciders{
		Members:     len(p.Approval.Approvers) == 0,
		AllowGuests: p.AllowGuestInteraction, AllowSelfApproval: p.Approval.AllowSelfApproval,
		Required: max(p.Approval.Required, 1),
	}
	for _, name := range p.Approval.Approvers {
		kind, who, _ := strings.Cut(name, ":")
		var found []store.User
		var err error
		switch kind {
		case "group":
			found, err = a.Directory.Group(ctx, who)
		case "user":
			found, err = a.person(ctx, who)
		}
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownUser {
			return flow.Deciders{}, err
		}
		for _, u := range found {
			d.People = add(d.People, u, p.AllowGuestInteraction)
		}
	}
	for _, email := range f.Environment.Admins {
		found, err := a.person(ctx, email)
		if err != nil {
			return flow.Deciders{}, err
		}
		for _, u := range found {
			d.Admins = add(d.Admins, u, false)
		}
	}
	return d, nil
}

// person looks somebody up by e-mail address; nobody is no error.
func (a Approval) person(ctx context.Context, email string) ([]store.User, error) {
	u, err := a.Directory.UserByEmail(ctx, email)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []store.User{u}, nil
}

// add appends somebody who can press a button, once.
func add(list []flow.Actor, u store.User, guests bool) []flow.Actor {
	if u.Role != store.RoleMember && !(guests && u.Guest()) || slices.ContainsFunc(list, u.Actor.Same) {
		return list
	}
	return append(list, u.Actor)
}

// tiers resolves whom to ask, in order. A tier whose people are all unknown
// stays, and turns out to be undeliverable when its turn comes.
func (a Approval) tiers(ctx context.Context, f *flow.Flow) ([]flow.Tier, error) {
	var tiers []flow.Tier
	for _, n := range f.Params.Approval.Notify {
		t := flow.Tier{Channel: n.Channel, TimeoutSeconds: n.Timeout.Seconds()}
		for _, email := range n.Users {
			found, err := a.person(ctx, email)
			if err != nil {
				return nil, err
			}
			for _, u := range found {
				t.Users = add(t.Users, u, true)
			}
		}
		tiers = append(tiers, t)
	}
	return tiers, nil
}

// unapprovable says why nobody could ever approve the requester's request;
// nil: somebody could.
func unapprovable(d flow.Deciders, requester flow.Actor) error {
	if d.Members {
		return nil
	}
	var able []flow.Actor
	for _, who := range slices.Concat(d.People, d.Admins) {
		if requester.Same(who) && !d.AllowSelfApproval || slices.ContainsFunc(able, who.Same) {
			continue
		}
		able = append(able, who)
	}
	if len(able) >= d.Required {
		return nil
	}
	switch {
	case len(able) == 0 && (len(d.People) > 0 || len(d.Admins) > 0):
		return flow.Errorf(flow.CodeNoApprover, "nobody could approve this request: the only approver is the requester, and self-approval is off; add an approver to the flow")
	case len(able) == 0:
		return flow.Errorf(flow.CodeNoApprover, "nobody could approve this request: none of the flow's approvers is an active member of the workspace; correct the flow's approvers")
	}
	return flow.Errorf(flow.CodeNoApprover, "nobody could approve this request: it needs %d different people, and only %d may approve it (the requester does not count); add approvers to the flow", d.Required, len(able))
}
