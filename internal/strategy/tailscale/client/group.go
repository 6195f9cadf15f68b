package client

import (
	"context"
	"fmt"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/tailscale"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// group does what is to be done at groups of the policy file.
type group struct {
	tailnet
	http *vendorhttp.Client
}

// grant puts the person into the group.
func (g group) grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	name := tailscale.Group(c.Target)
	if err := g.ours(ctx); err != nil {
		return strategy.Result{}, err
	}
	u, err := g.member(ctx, g.http, c.Identity, c.Identity)
	if err != nil {
		return strategy.Result{}, err
	}
	return strategy.Result{}, g.change(ctx, func(p *policy) (bool, error) {
		if p.list(name) == nil {
			return false, flow.Errorf(flow.CodeStrategy, "the policy file of the tailnet %s has no %s in its groups: add it there, or correct the target (groups that an identity provider keeps can't be changed)", g.integration.ExternalID, name)
		}
		if p.has(name, u.LoginName) {
			return false, nil
		}
		return true, p.add(name, u.LoginName)
	})
}

// ours: the policy file is not kept elsewhere, where the next push would undo what
// we change.
func (g group) ours(ctx context.Context) error {
	var settings struct {
		Elsewhere bool   `json:"aclsExternallyManagedOn"`
		Link      string `json:"aclsExternalLink"`
	}
	if err := g.http.Do(ctx, "GET", g.at("settings"), nil, nil, &settings); err != nil {
		return err
	}
	if !settings.Elsewhere {
		return nil
	}
	where := "elsewhere"
	if settings.Link != "" {
		where = "at " + flow.Clip(settings.Link, 200)
	}
	return flow.Errorf(flow.CodeStrategy, "the policy file of the tailnet %s is kept %s, and the next push from there would undo what we change: grant an attribute (%s) in place of a group, or have the file be edited at Tailscale",
		g.integration.ExternalID, where, tailscale.TargetPosture)
}

// revoke takes the person out of the group. A removal is made even where the file is
// kept elsewhere.
func (g group) revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	name := tailscale.Group(c.Target)
	var warnings []string
	err := g.change(ctx, func(p *policy) (bool, error) {
		warnings = nil
		if p.list(name) == nil {
			warnings = []string{fmt.Sprintf("the policy file of the tailnet %s has no %s any more: the access counts as removed", g.integration.ExternalID, name)}
			return false, nil
		}
		if !p.has(name, c.Identity) {
			return false, nil
		}
		return true, p.remove(name, c.Identity)
	})
	if err != nil {
		return strategy.Result{}, err
	}
	if there, err := g.known(ctx, g.http, c.Identity); err == nil && !there { // else it is of no use to the removal
		warnings = append(warnings, g.left(c.Identity)...)
	}
	return strategy.Result{Warnings: warnings}, nil
}

// observe looks for the person in the file. Who is no user any more has no access,
// whatever stands there.
func (g group) observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	p, err := g.policy(ctx)
	if err != nil {
		return strategy.Sight{}, err
	}
	name := tailscale.Group(c.Target)
	sight := strategy.Sight{Presence: flow.Absent}
	for _, other := range p.through(name, c.Identity) {
		sight.Others = append(sight.Others, other+", which is in "+name)
	}
	if !p.has(name, c.Identity) {
		return sight, nil
	}
	there, err := g.known(ctx, g.http, c.Identity)
	if err != nil {
		return strategy.Sight{}, err
	}
	if there {
		sight.Presence = flow.Present
	}
	return sight, nil
}

// holders are the users who stand in the group.
func (g group) holders(ctx context.Context, target flow.Target) ([]string, error) {
	p, err := g.policy(ctx)
	if err != nil {
		return nil, err
	}
	users, err := g.users(ctx, g.http)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, u := range users {
		if strings.Contains(u.LoginName, "@") && p.has(tailscale.Group(target), u.LoginName) {
			out = append(out, u.LoginName)
		}
	}
	return out, nil
}
