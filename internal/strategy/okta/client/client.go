package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/appkey"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/okta"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Deps is what the strategy works with. All of it is required.
type Deps struct {
	HTTP    *http.Client
	Secrets strategy.Secrets
	Keys    appkey.Keys
	Now     func() time.Time
	// Looking has apps sign in for reading alone. An API token can't be narrowed.
	Looking bool
}

// Open gives the opener of strategies that call Okta through d. They share the tokens
// of apps.
func Open(d Deps) strategy.Opener {
	tokens := &vendorhttp.Tokens{Now: d.Now}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		if s.Integration == nil {
			return nil, flow.Errorf(flow.CodeStrategy, "strategy %q has no integration, which says whose groups of Okta these are", s.Name)
		}
		return groups{s, d.api(s.Integration, tokens)}, nil
	}
}

// groups is a strategy whose targets are groups of an organisation.
type groups struct {
	frozen flow.Strategy
	api    api
}

// gone tells whether Okta says that it has no such group or user, by its own code: an
// organisation that is not at the address any more is a 404, too.
func gone(err error) bool {
	e, ok := errors.AsType[*vendorhttp.Error](err)
	return ok && vendorhttp.Missing(err) && e.Code == notFound
}

const notFound = "E0000007"

// Entitlements implements strategy.Strategy.
func (g groups) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return okta.Entitlements(g.frozen, target, identity)
}

// Grant puts the person into the group. Okta is content if they are in it.
func (g groups) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	id := c.Target.Settings[okta.SettingGroup]
	if err := g.changeable(ctx, id); err != nil {
		return strategy.Result{}, err
	}
	if err := g.active(ctx, c.Identity); err != nil {
		return strategy.Result{}, err
	}
	err := g.api.change(ctx, http.MethodPut, id, c.Identity)
	if gone(err) {
		return strategy.Result{}, flow.Errorf(flow.CodeUnavailable, "Okta does not know group %s or user %s everywhere yet", id, c.Identity)
	}
	return strategy.Result{}, err
}

// changeable returns nil if members of the group can be changed in Okta.
func (g groups) changeable(ctx context.Context, id string) error {
	got, err := g.api.group(ctx, id)
	switch {
	case gone(err):
		return flow.Errorf(flow.CodeStrategy, "Okta has no group %s: make it there, or correct the target", id)
	case err != nil:
		return err
	case got.Type != native:
		return flow.Errorf(flow.CodeStrategy, "Okta does not let anybody change who is in the group %s, which is of type %s: it has its members from elsewhere, so name a group that was made in Okta", flow.Clip(got.Profile.Name, 100), flow.Clip(got.Type, 40))
	}
	return nil
}

// active returns nil if the person has an account that is in use.
func (g groups) active(ctx context.Context, id string) error {
	who, err := g.api.user(ctx, id)
	switch {
	case gone(err):
		return flow.Errorf(flow.CodeIdentity, "Okta has no user %s any more: %s", id, okta.SaveUser)
	case err != nil:
		return err
	case who.Status != isActive:
		return flow.Errorf(flow.CodeIdentity, "the user %s of Okta is %s, and only who is ACTIVE is granted anything: activate them there, or %s", id, flow.Clip(who.Status, 40), okta.SaveUser)
	}
	return nil
}

const isActive = "ACTIVE"

// Revoke takes the person out of the group, unless a rule holds them there now.
func (g groups) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	id := c.Target.Settings[okta.SettingGroup]
	held, err := g.api.rules(ctx, id, c.Identity)
	if err != nil {
		return strategy.Result{}, err
	}
	if len(held) > 0 {
		return strategy.Result{Warnings: []string{fmt.Sprintf("%s holds the person in the group now, and they stay: taking them out would exclude them from the rule", strings.Join(held, " and "))}}, nil
	}
	err = g.api.change(ctx, http.MethodDelete, id, c.Identity)
	if !gone(err) {
		return strategy.Result{}, err
	}
	if _, err := g.api.group(ctx, id); gone(err) {
		return strategy.Gone("Okta has no group " + id), nil
	} else if err != nil {
		return strategy.Result{}, err
	}
	if _, err := g.api.user(ctx, c.Identity); gone(err) {
		return strategy.Gone("Okta has no user " + c.Identity), nil
	} else if err != nil {
		return strategy.Result{}, err
	}
	return strategy.Result{}, nil // they were not in it
}

// Observe looks for the group among those of the person. Whom a rule holds in the
// group is there; but a removal asks whether what is ours is gone, and that is not
// ours.
func (g groups) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	id := c.Target.Settings[okta.SettingGroup]
	in, err := g.api.member(ctx, id, c.Identity)
	if gone(err) || err == nil && !in {
		return strategy.Sight{Presence: flow.Absent}, nil
	} else if err != nil {
		return strategy.Sight{}, err
	}
	held, err := g.api.rules(ctx, id, c.Identity)
	if err != nil {
		return strategy.Sight{}, err
	}
	if len(held) > 0 && c.Class == strategy.Removing {
		return strategy.Sight{Presence: flow.Absent, Others: held}, nil
	}
	return strategy.Sight{Presence: flow.Present, Others: held}, nil
}

// Holders lists the members of the group. One that is gone has none.
func (g groups) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	var holders []string
	for page, err := range g.api.members(ctx, target.Settings[okta.SettingGroup]) {
		if gone(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		for _, u := range page {
			holders = append(holders, u.ID)
		}
	}
	return holders, nil
}

// Discover lists the groups whose members can be changed in Okta, in the order of
// their ids.
func (g groups) Discover(ctx context.Context) ([]flow.Target, error) {
	var found []flow.Target
	for page, err := range g.api.groups(ctx) {
		if err != nil {
			return nil, err
		}
		for _, group := range page {
			if group.Type != native {
				continue
			}
			found = append(found, flow.Target{
				Name: okta.TargetGroup + "-" + strings.ToLower(group.ID), Type: okta.TargetGroup,
				Label: group.Profile.Name, Settings: map[string]string{okta.SettingGroup: group.ID},
			})
		}
	}
	slices.SortFunc(found, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}
