// Package client grants and removes for the strategy "custom": it has the
// customer's class called where handlers run.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/custom"
)

// Handlers runs the code of strategies.
type Handlers interface {
	// Do calls a method of the strategy's class and gives what it returned, as
	// JSON. The error has flow.CodeStrategy if the code raised, and
	// flow.CodeUnavailable if it could not be asked: then in a flow.RateLimited
	// if there is a time to wait for.
	Do(ctx context.Context, s flow.Strategy, method string, c strategy.Call) (json.RawMessage, error)
}

// The methods of Sym's AccessStrategy.
const (
	identityMethod   = "fetch_remote_identity"
	escalateMethod   = "escalate"
	deescalateMethod = "deescalate"
)

// Open gives the opener of strategies whose code h runs.
func Open(h Handlers) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		if h == nil {
			return nil, flow.Errorf(flow.CodeUnavailable, "strategy %q is Python, which this deployment can't run: deploy one that can", s.Name)
		}
		return class{s, h}, nil
	}
}

// class is a strategy whose code is Python.
type class struct {
	frozen   flow.Strategy
	handlers Handlers
}

var _ strategy.Finder = class{}

func (c class) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return custom.Entitlements(c.frozen, target, identity, runID)
}

// FindIdentity asks the code who somebody is.
func (c class) FindIdentity(ctx context.Context, runID string, _ flow.Actor) (string, error) {
	value, err := c.do(ctx, identityMethod, strategy.Call{RunID: runID})
	if err != nil {
		return "", err
	}
	var id *string
	if len(value) > 0 {
		if err := json.Unmarshal(value, &id); err != nil {
			return "", flow.Errorf(flow.CodeStrategy, "%s returned something that is no text", identityMethod)
		}
	}
	if id == nil {
		return "", nil
	}
	return *id, nil
}

// Grant calls the code's escalate. What it returns is the output.
func (c class) Grant(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	return c.act(ctx, escalateMethod, call)
}

// Revoke calls the code's deescalate.
func (c class) Revoke(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	return c.act(ctx, deescalateMethod, call)
}

func (c class) act(ctx context.Context, method string, call strategy.Call) (strategy.Result, error) {
	output, err := c.do(ctx, method, call)
	if bytes.Equal(output, []byte("null")) {
		output = nil
	}
	return strategy.Result{Output: output}, err
}

func (c class) do(ctx context.Context, method string, call strategy.Call) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, timedOut(err)
	}
	value, err := c.handlers.Do(ctx, c.frozen, method, call)
	if err == nil {
		return value, nil
	}
	said, ok := errors.AsType[*flow.Error](err)
	switch {
	case ok && said.Code == flow.CodeHandler: // the function that runs it failed
		return nil, &flow.Error{Code: flow.CodeStrategy, Message: said.Message, Cause: said.Cause}
	case !ok && ctx.Err() != nil:
		return nil, timedOut(err)
	}
	return nil, err
}

func timedOut(err error) error {
	return &flow.Error{Code: flow.CodeUnavailable, Message: "the strategy's code did not answer in time", Cause: err}
}
