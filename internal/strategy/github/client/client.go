package client

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/symflows/symflows/internal/appkey"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Deps is what the strategy works with.
type Deps struct {
	HTTP    *http.Client     // required
	Secrets strategy.Secrets // required
	Keys    appkey.Keys      // required where apps sign in
	Now     func() time.Time // required
	// Looking has apps sign in to read, and for nothing else.
	Looking bool
}

// Open gives the opener of strategies at GitHub.
func Open(d Deps) strategy.Opener {
	tokens := &vendorhttp.Tokens{Now: d.Now}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return &hub{d, tokens, s}, nil
	}
}

// hub is GitHub, for one strategy.
type hub struct {
	deps   Deps
	tokens *vendorhttp.Tokens
	frozen flow.Strategy
}

var _ interface {
	strategy.Observer
	strategy.Lister
	strategy.Discoverer
	strategy.Identifier
} = (*hub)(nil)

// Entitlements implements strategy.Strategy.
func (h *hub) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return github.Entitlements(h.frozen, target, identity)
}

// wanted is the permission or role that a call is about.
func wanted(c strategy.Call) string {
	return cmp.Or(c.Value, c.Entitlement.Value, github.ValueOf(c.Target))
}

// Grant sets the permission or role, up or down, and invites where GitHub does not
// let people in at once.
func (h *hub) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	if err := github.CheckLogin(c.Identity); err != nil {
		return strategy.Result{}, err
	}
	c, warnings, err := h.follow(ctx, c)
	if err != nil {
		return strategy.Result{}, err
	}
	var kept given
	if kept.User, err = h.userID(ctx, c); err != nil {
		return strategy.Result{}, err
	}
	switch c.Target.Type {
	case github.Repo:
		kept.Repository, err = h.addCollaborator(ctx, c)
	case github.Team:
		err = h.joinTeam(ctx, c)
	default:
		err = h.joinOrg(ctx, c)
	}
	if err != nil {
		return strategy.Result{}, err
	}
	output, err := json.Marshal(kept)
	return strategy.Result{Output: output, Warnings: warnings}, err
}

// Revoke takes it away, and takes invitations back.
func (h *hub) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	c, warnings, err := h.follow(ctx, c)
	if err != nil {
		return strategy.Result{}, err
	}
	var result strategy.Result
	switch c.Target.Type {
	case github.Repo:
		result, err = h.removeCollaborator(ctx, c)
	case github.Team:
		result, err = h.leaveTeam(ctx, c)
	default:
		result, err = h.leaveOrg(ctx, c)
	}
	result.Warnings = append(warnings, result.Warnings...)
	return result, err
}

// Observe looks at what the person has.
func (h *hub) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	c, _, err := h.follow(ctx, c)
	if err != nil {
		return strategy.Sight{}, err
	}
	switch c.Target.Type {
	case github.Repo:
		return h.observeCollaborator(ctx, c)
	case github.Team:
		return h.observeTeam(ctx, c)
	}
	return h.observeOrg(ctx, c)
}

// Holders lists the logins of those who have it by themselves: not by a team, or by
// being anybody in the organization.
func (h *hub) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	switch target.Type {
	case github.Repo:
		return h.collaborators(ctx, target)
	case github.Team:
		return h.teamMembers(ctx, target)
	}
	return h.orgMembers(ctx, target)
}
