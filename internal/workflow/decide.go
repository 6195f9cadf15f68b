package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Decide takes the oldest decision that waits on the run; without one, it calls
// the function and the hook that are to follow a decision already made.
func (a Approval) Decide(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	signal, ok := r.Head()
	switch {
	case flow.Next(r) != flow.StepDecide:
		return flow.Next(r), nil
	case ok:
		r, err = a.decide(ctx, r, signal)
	default:
		call, _ := r.AfterDue()
		r, err = a.after(ctx, r, call)
	}
	if err != nil {
		return "", again(err)
	}
	return flow.Next(r), nil
}

func (a Approval) decide(ctx context.Context, r flow.Run, signal flow.Signal) (flow.Run, error) {
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return r, err
	}
	switch signal.Action {
	case flow.ActionExtendRequest, flow.ActionExtend, flow.ActionExtendDeny:
		return a.extension(ctx, f, r, signal)
	}
	e := underway(r, signal)
	if signal.Action == flow.ActionReview {
		return a.review(ctx, f, r, e, signal)
	}
	var now counts
	if r.Status == flow.Requested && signal.Action != flow.ActionCancel {
		r, now, err = a.recheck(ctx, f, r, signal)
		failed, byHandler := errors.AsType[*failedHandler](err)
		switch {
		case closes(err):
			return a.settle(ctx, r.ID, signal.ID, flow.Reject{SignalID: signal.ID, Reason: flow.FailureOf(err), Hooks: f.Hooks()})
		case byHandler:
			return a.refuse(ctx, r, e, failed.failure)
		case flow.CodeOf(err) == flow.CodeLookup && a.Now().Sub(signal.At) >= patience || refusal(err):
			return a.refuse(ctx, r, e, flow.FailureOf(err))
		case err != nil:
			return r, err
		}
	}
	if signal.Action == flow.ActionRecheck { // nothing is against it, or it is over
		return a.refuse(ctx, r, e, flow.Failure{})
	}
	var lingers int64
	if signal.Give != nil && signal.Give.Target != nil {
		if lingers, err = a.lingers(ctx, f, r.At(signal.ID), nil); err != nil {
			return r, err
		}
	}
	decision := flow.Decide{SignalID: signal.ID, Dropped: now.dropped, Required: now.deciders.Required, Vouched: now.vouched, Lingers: lingers, Hooks: f.Hooks()}
	if _, err := flow.Apply(r, decision, a.Now()); err == nil {
		var v *verdict
		if r, v, err = a.consult(ctx, f, r, e, a.refuse, flow.HookBefore(e.Name)); v == nil {
			return r, err
		}
		decision.Ruling, decision.Terms, decision.Fields = v.ruling, v.terms, v.fields
	}
	decided, err := flow.Apply(r, decision, a.Now())
	if err == nil && decided.Status == flow.Approved && f.Params.OnApprove != nil {
		if r, signal, err = a.onApprove(ctx, f, r, signal); err != nil {
			return r, err
		}
		if failed := signal.Result.Error; failed != nil {
			return a.refuse(ctx, r, e, *failed)
		}
	}
	return a.settle(ctx, r.ID, signal.ID, decision)
}

// onApprove runs the flow's function before the approval counts, and saves its
// answer under the signal before anything follows from it.
func (a Approval) onApprove(ctx context.Context, f *flow.Flow, r flow.Run, signal flow.Signal) (flow.Run, flow.Signal, error) {
	if signal.Result.FunctionAsked() {
		return r, signal, nil
	}
	result := a.invoke(ctx, f.Params.OnApprove, r, signal.ID, signal.Actor, "on_approve")
	r, err := a.asker().keep(ctx, r, signal.ID, result)
	if err != nil {
		return r, signal, err
	}
	for _, s := range r.Signals {
		if s.ID == signal.ID {
			return r, s, nil
		}
	}
	signal.Result = &result
	return r, signal, nil
}

// after calls the function and the hook that the flow has for an event that is
// stored. Their failures are reported, and change nothing; Retry has them called again,
// with the same id, but for a function that has worked.
func (a Approval) after(ctx context.Context, r flow.Run, call flow.AfterCall) (flow.Run, error) {
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return r, err
	}
	var result flow.Result
	if call.Event == flow.EventApprove && f.Params.AfterApprove != nil && !call.Invoked {
		result = a.invoke(ctx, f.Params.AfterApprove, r, call.EventID, r.Approver(), "after_approve")
	}
	if e, ok := r.Event(call.EventID); ok {
		if hooks := f.Handlers(flow.HookAfter(call.Event)); len(hooks) > 0 {
			told, err := a.asker().call(ctx, f, r, e, hooks)
			if err != nil {
				return r, err
			}
			if result.Error == nil && told.Error != nil {
				failure := *told.Error
				failure.Handler = hooks[0]
				result.Error = &failure
			}
		}
	}
	return a.Runs.Change(ctx, r.ID, a.Now, func(flow.Run) (flow.Input, error) {
		return flow.After{EventID: call.EventID, Result: result}, nil
	})
}

// invoke calls a customer's function. A failure is part of the result.
func (a Approval) invoke(ctx context.Context, call *flow.LambdaCall, r flow.Run, eventID string, approver flow.Actor, hook string) flow.Result {
	late := flow.Errorf(flow.CodeHandler, "the function did not answer within %s", a.FunctionTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, a.FunctionTimeout, late)
	defer cancel()
	payload, err := call.Render(&r, eventID, approver)
	var answer []byte
	if err == nil {
		answer, err = a.Functions.Invoke(ctx, call.ARN, payload)
	}
	if err != nil && context.Cause(ctx) == late {
		err = fmt.Errorf("%w (%v)", late, err)
	}
	if err != nil {
		failure := flow.FailureOf(err)
		failure.Message = hook + ": " + failure.Message
		failure.Step = flow.EventApprove
		return flow.Result{Error: &failure, Invoked: true}
	}
	return flow.Result{Output: jsonOf(answer), Invoked: true}
}

// jsonOf returns an answer as JSON: one that is no JSON becomes a JSON string.
func jsonOf(answer []byte) json.RawMessage {
	if len(answer) == 0 || json.Valid(answer) {
		return answer
	}
	text, _ := flow.EncodeJSON(string(answer)) // a string can't fail
	return text
}
