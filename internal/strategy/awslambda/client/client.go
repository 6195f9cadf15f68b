// Package client grants and removes for the strategy "aws_lambda": it invokes the
// functions that targets name.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awslambda"
	"github.com/symflows/symflows/internal/workflow"
)

// Deps is what the strategy works with.
type Deps struct {
	Functions workflow.Functions // required; as our own rights let us invoke them
	// Accounts are asked for when a role is assumed, and required by [InAWS].
	Accounts func() (*account.Accounts, error)
}

// InAWS are functions in AWS, which others than we may invoke: the role of an integration.
// Functions on this machine, whoever may invoke them in AWS, are none.
type InAWS interface {
	// As gives them as they may be invoked by whom a configuration of the SDK signs in as.
	As(aws.Config) workflow.Functions
}

// Open gives the opener of strategies that invoke through d.
func Open(d Deps) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return function{s, d}, nil
	}
}

// function is a strategy whose targets are functions.
type function struct {
	frozen flow.Strategy
	deps   Deps
}

// functions are those that a call may invoke.
func (f function) functions(c strategy.Call) (workflow.Functions, error) {
	at := strategy.AccountOf(f.frozen)
	away, is := f.deps.Functions.(InAWS)
	if at.Role.ARN == "" || !is {
		return f.deps.Functions, nil
	}
	accounts, err := f.deps.Accounts()
	if err != nil {
		return nil, &flow.Error{Code: flow.CodeUnavailable, Message: "strategy " + f.frozen.Name + " can't be used: the configuration of AWS's clients here can't be read", Cause: err}
	}
	return away.As(accounts.Config(at, account.For(c, strategy.Pace{}))), nil
}

func (f function) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return awslambda.Entitlements(f.frozen, target, identity, runID)
}

// Grant invokes the target's function with the record of the escalate event.
func (f function) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return f.invoke(ctx, c)
}

// Revoke invokes the same function with the record of the deescalate event.
func (f function) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return f.invoke(ctx, c)
}

func (f function) invoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	if err := ctx.Err(); err != nil {
		return strategy.Result{}, timedOut(err)
	}
	payload, err := json.Marshal(c.Record)
	if err != nil {
		return strategy.Result{}, fmt.Errorf("encode the record for the function: %w", err)
	}
	functions, err := f.functions(c)
	if err != nil {
		return strategy.Result{}, err
	}
	answer, err := functions.Invoke(ctx, c.Target.Settings[awslambda.SettingARN], payload)
	if err != nil {
		return strategy.Result{}, failure(ctx, err)
	}
	return strategy.ReadAnswer("the function", answer)
}

// failure says whether to invoke again. A function that failed (an exception,
// a panic) counts as one that refused, as it does for Sym: the same call would
// most likely fail the same way, and people can press Retry.
func failure(ctx context.Context, err error) error {
	if said, ok := errors.AsType[*flow.Error](err); ok {
		if said.Code == flow.CodeHandler {
			return &flow.Error{Code: flow.CodeStrategy, Message: said.Message, Cause: said.Cause}
		}
		return err
	}
	if ctx.Err() != nil {
		return timedOut(err)
	}
	return err
}

func timedOut(err error) error {
	return &flow.Error{Code: flow.CodeUnavailable, Message: "the function did not answer in time", Cause: err}
}
