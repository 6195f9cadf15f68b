package stepfn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Input is what the machine invokes a function with.
type Input struct {
	Step    flow.Step `json:"step"`
	Run     string    `json:"run"`
	Attempt int       `json:"attempt"`
	// Token wakes the execution; only a step that waits has one.
	Token string `json:"token,omitempty"`
}

// Output is what the function of a step answers.
type Output struct {
	// Next is the step that the run needs now.
	Next flow.Step `json:"next"`
	// Timeout is how many seconds Next may wait, at least 1, if it waits. Where a step
	// that waits follows whatever Next is, it bounds how long that may take to notice
	// that there is nothing to wait for.
	Timeout int `json:"timeout,omitempty"`
}

// Task is what a step does. It returns the step that the run needs next.
type Task func(ctx context.Context, runID string) (flow.Step, error)

// Tasks are the steps that one function carries out.
type Tasks struct {
	Steps map[flow.Step]Task
	// Await hands in a token; see workflow.Approval. Nil where the function has
	// no step that waits.
	Await  func(ctx context.Context, runID string, attempt int, token string) (left time.Duration, waits bool, err error)
	Runs   store.Runs
	Runner runner.Runner // wakes executions that need not wait any more
	Now    func() time.Time
}

// Handle does the step that the machine asks for. Lambda reports an error to the
// machine under a name: [flow.ErrorRetry] is what the step table repeats, any other
// is the error's code, and ends the execution.
func (t Tasks) Handle(ctx context.Context, in Input) (Output, error) {
	out, err := t.handle(ctx, in)
	return out, named(err)
}

// named gives an error the name that Lambda reports it under, in place of that of
// its Go type.
func named(err error) error {
	if err == nil {
		return nil
	}
	name := string(flow.CodeOf(err))
	if _, ok := errors.AsType[*workflow.Retry](err); ok {
		name = flow.ErrorRetry
	}
	if _, ok := errors.AsType[elsewhere](err); ok {
		name = flow.ErrorElsewhere
	}
	return messages.InvokeResponse_Error{Type: name, Message: err.Error()}
}

func (t Tasks) handle(ctx context.Context, in Input) (Output, error) {
	spec, known := flow.Spec(in.Step)
	if !known {
		return Output{}, flow.Errorf(flow.CodeInvalid, "there is no step %q", in.Step)
	}
	if spec.WaitsForSignal && t.Await != nil {
		return Output{}, t.await(ctx, in)
	}
	task := t.Steps[in.Step]
	if task == nil {
		return Output{}, flow.Errorf(flow.CodeInvalid, "this function has no step %s", in.Step)
	}
	next, err := task(ctx, in.Run)
	if err != nil {
		return Output{}, err
	}
	out := Output{Next: next}
	if then, _ := flow.Spec(next); then.WaitsForSignal {
		if out, err = t.wait(ctx, in.Run); err != nil {
			return Output{}, err
		}
	}
	if spec.Usually == flow.StepDone && out.Next != flow.StepDone {
		return Output{}, elsewhere(out.Next)
	}
	if usually, _ := flow.Spec(spec.Usually); usually.WaitsForSignal && out.Timeout == 0 {
		out.Timeout = notices
	}
	return out, nil
}

// notices is how many seconds a step that waits for nothing may take to say so.
const notices = 60

// elsewhere is the error of a task after which the execution would end, if the run
// needs another step.
type elsewhere flow.Step

func (e elsewhere) Error() string { return "the run needs " + string(e) }

// wait says how long the run may wait, or what it needs instead if it has
// moved on meanwhile.
func (t Tasks) wait(ctx context.Context, id string) (Output, error) {
	r, err := t.Runs.Get(ctx, id)
	if err != nil {
		return Output{}, again(err)
	}
	out := Output{Next: flow.Next(r)}
	if spec, _ := flow.Spec(out.Next); spec.WaitsForSignal {
		out.Timeout = max(seconds(r.Left(t.Now())), 1)
	}
	return out, nil
}

// await hands in the token, and gives it back at once if there is nothing to
// wait for.
func (t Tasks) await(ctx context.Context, in Input) error {
	_, waits, err := t.Await(ctx, in.Run, in.Attempt, in.Token)
	if err != nil || waits {
		return err
	}
	if err := t.Runner.Resume(ctx, in.Token); err != nil && !errors.Is(err, runner.ErrGone) {
		return again(fmt.Errorf("resume run %s: %w", in.Run, err))
	}
	return nil
}

// again marks faults that pass.
func again(err error) error {
	if !flow.Retryable(err) {
		return err
	}
	return &workflow.Retry{Cause: err}
}
