package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// settingARN is the target's setting that names its function.
const settingARN = "arn"

// Type is the strategy's type. Its targets name a function each.
func Type() strategy.Type {
	return strategy.Type{
		Name: "aws_lambda", About: "a Lambda function of yours, and waits for its answer",
		Integration: strategy.Integration{Need: strategy.Optional}, // at Sym it let them into your account
		Settings:    strategy.Settings{Known: []strategy.Setting{strategy.Counted()}},
		Targets: []strategy.TargetType{{
			Name: "aws_lambda_function",
			Settings: strategy.Settings{
				Known: []strategy.Setting{
					{Name: settingARN, About: "the ARN of the function that grants this target", Required: true, Check: flow.CheckFunctionARN},
					strategy.Counted(),
				},
				Others: "what the function is to know",
			},
		}},
		Rights: rights,
	}
}

func rights(s flow.Strategy) strategy.Rights {
	var functions []string
	for _, t := range s.Targets {
		if arn := t.Settings[settingARN]; arn != "" {
			functions = append(functions, arn)
		}
	}
	return strategy.InvokeFunctions(functions...)
}

// Functions invokes Lambda functions, in AWS or on this machine; see
// workflow.Functions for what its errors mean.
type Functions interface {
	Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error)
}

// Open gives the opener of strategies that invoke through f.
func Open(f Functions) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return function{s, f}, nil
	}
}

// function is a strategy whose targets are functions.
type function struct {
	frozen    flow.Strategy
	functions Functions
}

func (f function) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	e, err := strategy.ContractEntitlement(f.frozen, target.Settings[settingARN], target, identity, runID)
	if err != nil {
		return nil, err
	}
	return []flow.Entitlement{e}, nil
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
	answer, err := f.functions.Invoke(ctx, c.Target.Settings[settingARN], payload)
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
