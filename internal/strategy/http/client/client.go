package client

import (
	"context"
	"net/http"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
)

// Deps is what the strategy works with.
type Deps struct {
	Client  *http.Client     // required
	Secrets strategy.Secrets // required if any strategy has a signing_secret_id
	Now     func() time.Time
}

// Open gives the opener of strategies that call through d.
func Open(d Deps) strategy.Opener {
	client := *d.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d.Client = &client
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return server{s, d}, nil
	}
}

// server is a strategy whose targets are granted by a server.
type server struct {
	frozen flow.Strategy
	deps   Deps
}

func (s server) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return httpstrategy.Entitlements(s.frozen, target, identity, runID)
}

// Grant posts the record of the escalate event.
func (s server) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return s.post(ctx, c)
}

// Revoke posts the record of the deescalate event to the same address.
func (s server) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return s.post(ctx, c)
}
