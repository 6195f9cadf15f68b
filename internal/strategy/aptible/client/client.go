package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/aptible"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Open gives the opener of strategies that call Aptible through d.
func Open(d vendorhttp.Deps) strategy.Opener {
	tokens := &vendorhttp.Tokens{Now: d.Now}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return roles{s, connect(d, tokens, s.Integration)}, nil
	}
}

// roles is a strategy whose targets are roles of an organization at Aptible.
type roles struct {
	frozen flow.Strategy
	api    *vendorhttp.Client
}

// Entitlements implements strategy.Strategy.
func (r roles) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return aptible.Entitlements(target, identity)
}

// role reads a role.
func (r roles) role(ctx context.Context, target flow.Target) (resource, error) {
	var got resource
	err := r.api.Do(ctx, http.MethodGet, rolePath(target), nil, nil, &got)
	return got, err
}

// gone returns nil if the organization surely does not have a role that Aptible does
// not show: it shows as little of one to who has lost the right to see it.
func (r roles) gone(ctx context.Context, target flow.Target) error {
	in, err := r.organization(ctx)
	if err != nil {
		return err
	}
	id := target.Settings[aptible.SettingRole]
	for one, err := range list(ctx, r.api, in.to("roles", vendorhttp.Path("organizations", in.ID, "roles")), "roles") {
		if err != nil {
			return err
		}
		if strings.EqualFold(one.ID, id) {
			return flow.Errorf(flow.CodeStrategy, "Aptible lists role %s, and does not show it to us: let the robot user manage it", id)
		}
	}
	return nil
}

func rolePath(target flow.Target, more ...string) string {
	return vendorhttp.Path(append([]string{"roles", target.Settings[aptible.SettingRole]}, more...)...)
}

// membershipsAt is where the memberships of a role are.
func membershipsAt(role resource, target flow.Target) string {
	return role.to("memberships", rolePath(target, "memberships"))
}

// of gives a user's memberships of a role: one, or, should two have been made at
// once, more.
func (r roles) of(ctx context.Context, at, identity string) ([]resource, error) {
	var found []resource
	for m, err := range list(ctx, r.api, at, "memberships") {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(m.Links["user"].id(), identity) {
			found = append(found, m)
		}
	}
	return found, nil
}

// Grant makes a membership of the user, unless there is one.
func (r roles) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	role, err := r.role(ctx, c.Target)
	if missing(err) {
		return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "Aptible has no role %s, or does not show it to us: make it there, or correct the target", c.Target.Settings[aptible.SettingRole])
	} else if err != nil {
		return strategy.Result{}, err
	}
	at := membershipsAt(role, c.Target)
	there, err := r.of(ctx, at, c.Identity)
	if err != nil || len(there) > 0 {
		return strategy.Result{}, err
	}
	user, ok, err := r.user(ctx, role, c.Identity)
	if err != nil {
		return strategy.Result{}, err
	} else if !ok {
		return strategy.Result{}, flow.Errorf(flow.CodeIdentity, "Aptible has no user %s in this organization: %s", c.Identity, aptible.SaveUser)
	}
	refusal := r.api.Do(ctx, http.MethodPost, at, nil, map[string]string{"user_url": user}, nil)
	if vendorhttp.StatusOf(refusal) != http.StatusUnprocessableEntity {
		return strategy.Result{}, refusal
	}
	// Somebody else may have made one meanwhile.
	if there, err = r.of(ctx, at, c.Identity); err != nil || len(there) > 0 {
		return strategy.Result{}, err
	}
	return strategy.Result{}, refusal
}

// Revoke deletes the user's membership.
func (r roles) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	gone := func(what string) strategy.Result {
		return strategy.Gone(fmt.Sprintf("Aptible has no %s", what))
	}
	role, err := r.role(ctx, c.Target)
	if missing(err) {
		return gone("role " + c.Target.Settings[aptible.SettingRole]), r.gone(ctx, c.Target)
	} else if err != nil {
		return strategy.Result{}, err
	}
	there, err := r.of(ctx, membershipsAt(role, c.Target), c.Identity)
	if err != nil {
		return strategy.Result{}, err
	}
	for _, m := range there {
		err := r.api.Do(ctx, http.MethodDelete, m.to("self", vendorhttp.Path("memberships", m.ID)), nil, nil, nil)
		if err != nil && !missing(err) {
			return strategy.Result{}, err
		}
	}
	if len(there) > 0 {
		return strategy.Result{}, nil
	}
	if _, ok, err := r.user(ctx, role, c.Identity); err != nil {
		return strategy.Result{}, err
	} else if !ok {
		return gone("user " + c.Identity), nil
	}
	return strategy.Result{}, nil
}

// Observe looks for the user's membership.
func (r roles) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	holders, err := r.Holders(ctx, c.Target)
	if err != nil {
		return strategy.Sight{}, err
	}
	return strategy.Seen(slices.ContainsFunc(holders, func(id string) bool { return strings.EqualFold(id, c.Identity) })), nil
}

// Holders lists the ids of the users who have the role. A role that is gone has
// none.
func (r roles) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	role, err := r.role(ctx, target)
	if missing(err) {
		return nil, r.gone(ctx, target)
	} else if err != nil {
		return nil, err
	}
	var holders []string
	for m, err := range list(ctx, r.api, membershipsAt(role, target), "memberships") {
		if err != nil {
			return nil, err
		}
		if id := m.Links["user"].id(); id != "" && !slices.Contains(holders, id) {
			holders = append(holders, id)
		}
	}
	return holders, nil
}

// Discover lists the roles of the organization, in the order of their names.
func (r roles) Discover(ctx context.Context) ([]flow.Target, error) {
	in, err := r.organization(ctx)
	if err != nil {
		return nil, err
	}
	var targets []flow.Target
	for one, err := range list(ctx, r.api, in.to("roles", vendorhttp.Path("organizations", in.ID, "roles")), "roles") {
		if err != nil {
			return nil, err
		}
		targets = append(targets, flow.Target{
			Name: aptible.TargetRole + "-" + strings.ToLower(one.ID), Type: aptible.TargetRole, Label: one.Name,
			Settings: map[string]string{aptible.SettingRole: one.ID},
		})
	}
	slices.SortFunc(targets, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return targets, nil
}
