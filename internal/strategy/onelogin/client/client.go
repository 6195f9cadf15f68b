package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/onelogin"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Open gives the opener of strategies that call OneLogin through d.
func Open(d vendorhttp.Deps) strategy.Opener {
	tokens := &vendorhttp.Tokens{Now: d.Now}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return roles{s, connect(d, tokens, s.Integration)}, nil
	}
}

// roles is a strategy whose targets are roles of an account of OneLogin.
type roles struct {
	frozen flow.Strategy
	api    *vendorhttp.Client
}

// Entitlements implements strategy.Strategy.
func (r roles) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return onelogin.Entitlements(r.frozen, target, identity)
}

// rolePath is where a role is, or one of its lists.
func rolePath(target flow.Target, list ...string) string {
	return vendorhttp.Path(append([]string{"api", "2", "roles", target.Settings[onelogin.SettingRole]}, list...)...)
}

// holdersPath is the list of a role that a target is about.
func holdersPath(target flow.Target) string {
	if onelogin.Level(target) == onelogin.Admin {
		return rolePath(target, "admins")
	}
	return rolePath(target, "users")
}

func userPath(identity string) string { return vendorhttp.Path("api", "2", "users", identity) }

// Grant puts the user on the role's list. OneLogin is content if they are on it.
func (r roles) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	err := r.change(ctx, http.MethodPost, c)
	if err == nil || !unclear(err) {
		return strategy.Result{}, err
	}
	gone, lost := r.gone(ctx, c)
	switch {
	case lost != nil:
		return strategy.Result{}, lost
	case gone == userGone:
		return strategy.Result{}, flow.Errorf(flow.CodeIdentity, "OneLogin has no user %s: %s", c.Identity, onelogin.SaveUser)
	case gone == roleGone:
		return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "OneLogin has no role %s: make it there, or correct the target", c.Target.Settings[onelogin.SettingRole])
	}
	return strategy.Result{}, err
}

// Revoke takes the user off the role's list. OneLogin may be content if the user,
// the role or the membership is not there, or not: what it shows decides.
func (r roles) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	err := r.change(ctx, http.MethodDelete, c)
	if err != nil && !unclear(err) {
		return strategy.Result{}, err
	}
	gone, lost := r.gone(ctx, c)
	switch {
	case lost != nil:
		return strategy.Result{}, lost
	case gone != "":
		return strategy.Gone(fmt.Sprintf("OneLogin has no %s", gone.name(c))), nil
	case err == nil:
		return strategy.Result{}, nil
	}
	on, lost := r.on(ctx, c.Target, c.Identity)
	if lost != nil {
		return strategy.Result{}, lost
	}
	if !on {
		return strategy.Result{}, nil
	}
	return strategy.Result{}, err
}

// change sends the user's id to the role's list.
func (r roles) change(ctx context.Context, method string, c strategy.Call) error {
	if err := onelogin.CheckUser(c.Identity); err != nil {
		return err
	}
	return r.api.Do(ctx, method, holdersPath(c.Target), nil, []json.Number{json.Number(c.Identity)}, nil)
}

// unclear tells whether an error may mean that the user or the role is not there.
func unclear(err error) bool {
	status := vendorhttp.StatusOf(err)
	return status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusUnprocessableEntity
}

// missing is what OneLogin does not have of an entitlement; "": it has both.
type missing string

const (
	userGone missing = "user"
	roleGone missing = "role"
)

func (m missing) name(c strategy.Call) string {
	if m == userGone {
		return "user " + c.Identity
	}
	return "role " + c.Target.Settings[onelogin.SettingRole]
}

// gone looks for what an answer did not name.
func (r roles) gone(ctx context.Context, c strategy.Call) (missing, error) {
	there, err := found(ctx, r.api, userPath(c.Identity), nil, nil)
	if err != nil || !there {
		return userGone, err
	}
	there, err = found(ctx, r.api, rolePath(c.Target), nil, nil)
	if err != nil || !there {
		return roleGone, err
	}
	return "", nil
}

// Observe looks at the one user for a membership: a role may have thousands. Who
// are administrators only the role tells.
func (r roles) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	on, err := r.on(ctx, c.Target, c.Identity)
	if err != nil {
		return strategy.Sight{}, err
	}
	return strategy.Seen(on), nil
}

// on tells whether the user is on the role's list. One who is gone is on none.
func (r roles) on(ctx context.Context, target flow.Target, identity string) (bool, error) {
	var u user
	if there, err := found(ctx, r.api, userPath(identity), nil, &u); err != nil || !there {
		return false, err
	}
	if u.Roles != nil && onelogin.Level(target) == onelogin.Member {
		return slices.Contains(u.Roles, json.Number(target.Settings[onelogin.SettingRole])), nil
	}
	holders, err := r.Holders(ctx, target)
	return slices.Contains(holders, identity), err
}

// Holders lists the ids of those on the role's list. A role that is gone has none.
func (r roles) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	var holders []string
	for u, err := range list[user](ctx, r.api, holdersPath(target), nil) {
		if vendorhttp.Missing(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		holders = append(holders, u.ID.String())
	}
	return holders, nil
}

// Discover lists the roles of the account, in the order of their ids, each to be a
// member of. To be its administrator is nothing that is offered unasked: who is one
// gives the role to others.
func (r roles) Discover(ctx context.Context) ([]flow.Target, error) {
	var all []role
	for one, err := range list[role](ctx, r.api, "/api/2/roles", nil) {
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b role) int {
		return cmp.Or(len(a.ID)-len(b.ID), strings.Compare(a.ID.String(), b.ID.String()))
	})
	var targets []flow.Target
	for _, one := range all {
		id := one.ID.String()
		targets = append(targets, flow.Target{
			Name: onelogin.TargetRole + "-" + id, Type: onelogin.TargetRole, Label: one.Name,
			Settings: map[string]string{onelogin.SettingRole: id, onelogin.SettingLevel: onelogin.Member},
		})
	}
	return targets, nil
}
