package client

import (
	"context"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/tailscale"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// user is one of the tailnet.
type user struct {
	LoginName string `json:"loginName"`
	Type      string `json:"type"`   // "member", or "shared" for those of other tailnets
	Status    string `json:"status"` // "active", "idle", "suspended", "needs-approval", "over-billing-limit"
}

// works tells whether the user may use the tailnet. Idle is who was not seen for
// four weeks.
func (u user) works() bool { return u.Status == "active" || u.Status == "idle" }

// users lists the members of the tailnet: the API has no search.
func (t tailnet) users(ctx context.Context, api *vendorhttp.Client) ([]user, error) {
	var answer struct {
		Users []user `json:"users"`
	}
	if err := api.Do(ctx, "GET", t.at("users"), nil, nil, &answer); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(answer.Users, func(u user) bool { return u.Type == "shared" }), nil
}

// known tells whether the tailnet has the user, whatever their status.
func (t tailnet) known(ctx context.Context, api *vendorhttp.Client, login string) (bool, error) {
	users, err := t.users(ctx, api)
	return slices.ContainsFunc(users, func(u user) bool { return strings.EqualFold(u.LoginName, login) }), err
}

// member finds the one user of a login name who may use the tailnet. The error has
// flow.CodeIdentity if there is none; who is how people are told of them.
func (t tailnet) member(ctx context.Context, api *vendorhttp.Client, login, who string) (user, error) {
	users, err := t.users(ctx, api)
	if err != nil {
		return user{}, err
	}
	found := slices.DeleteFunc(users, func(u user) bool { return !strings.EqualFold(u.LoginName, login) })
	switch {
	case len(found) == 0:
		return user{}, flow.Errorf(flow.CodeIdentity, "%s is no user of the tailnet %s: have them join it, or have an administrator save their login name there as who they are at tailscale", who, t.integration.ExternalID)
	case len(found) > 1:
		return user{}, flow.Errorf(flow.CodeIdentity, "the tailnet %s has %d users whose login name is %s: remove all but one of them", t.integration.ExternalID, len(found), login)
	case !found[0].works():
		return user{}, flow.Errorf(flow.CodeIdentity, "%s can't use the tailnet %s just now: Tailscale has the user as %q, which an administrator of it can change", who, t.integration.ExternalID, found[0].Status)
	}
	return found[0], nil
}

// Identity implements strategy.Identifier: users are named by their e-mail address.
func (t tailnet) Identity(ctx context.Context, who flow.Actor) (string, error) {
	u, err := t.member(ctx, t.api(ofGroups), who.Email, who.Display())
	if err != nil {
		return "", err
	}
	if _, err := tailscale.Entitlements(t.frozen, flow.Target{}, u.LoginName); err != nil {
		return "", err
	}
	return u.LoginName, nil
}

// left says of a removal that there was nobody to take it from.
func (t tailnet) left(login string) []string {
	return []string{"the tailnet " + t.integration.ExternalID + " has no user " + login + " any more: the access counts as removed"}
}
