package client

import (
	"context"
	"net/http"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/tailscale"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Deps is what the strategy works with. All of it is required.
type Deps struct {
	HTTP    *http.Client
	Secrets strategy.Secrets
	Now     func() time.Time
	// IdentityToken gives AWS's word on who we are, for an audience: see
	// aws/webidentity.
	IdentityToken func(ctx context.Context, audience string) (string, error)
	// Looking has an OAuth client give tokens that read only.
	Looking bool
}

// Open gives the opener of strategies at tailnets.
func Open(d Deps) strategy.Opener {
	tokens := &vendorhttp.Tokens{Now: d.Now}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		i := s.Integration
		if i == nil {
			i = &flow.Integration{}
		}
		return tailnet{s, i, d, tokens}, nil
	}
}

// tailnet is a strategy whose targets are in a tailnet.
type tailnet struct {
	frozen      flow.Strategy
	integration *flow.Integration
	deps        Deps
	tokens      *vendorhttp.Tokens
}

// at makes the path of something of the tailnet.
func (t tailnet) at(parts ...string) string {
	return "/api/v2" + vendorhttp.Path(append([]string{"tailnet", t.integration.ExternalID}, parts...)...)
}

// Entitlements implements strategy.Strategy.
func (t tailnet) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return tailscale.Entitlements(t.frozen, target, identity)
}

// kind is a kind of target.
type kind interface {
	grant(context.Context, strategy.Call) (strategy.Result, error)
	revoke(context.Context, strategy.Call) (strategy.Result, error)
	observe(context.Context, strategy.Call) (strategy.Sight, error)
	holders(context.Context, flow.Target) ([]string, error)
}

func (t tailnet) kind(target flow.Target) kind {
	if target.Type == tailscale.TargetPosture {
		return posture{t, t.api(ofPosture)}
	}
	return group{t, t.api(ofGroups)}
}

// Grant implements strategy.Strategy.
func (t tailnet) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return t.kind(c.Target).grant(ctx, c)
}

// Revoke implements strategy.Strategy.
func (t tailnet) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return t.kind(c.Target).revoke(ctx, c)
}

// Observe implements strategy.Observer.
func (t tailnet) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	return t.kind(c.Target).observe(ctx, c)
}

// Holders implements strategy.Lister.
func (t tailnet) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	return t.kind(target).holders(ctx, target)
}
