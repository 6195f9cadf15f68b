package workflow

import (
	"context"

	"github.com/symflows/symflows/internal/flow"
)

// Forward moves a request on to the next tier, or lets it expire, when the
// time of the tier being asked is over or nobody there can be reached.
func (a Approval) Forward(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err == nil {
		r, err = timeOut(ctx, a.Runs, a.Now, r)
	}
	if err != nil {
		return "", again(err)
	}
	signal, ok := r.Head()
	if flow.Next(r) != flow.StepForward || !ok {
		return flow.Next(r), nil
	}
	if r, err = a.forward(ctx, r, signal); err != nil {
		return "", again(err)
	}
	return flow.Next(r), nil
}

func (a Approval) forward(ctx context.Context, r flow.Run, signal flow.Signal) (flow.Run, error) {
	in := flow.Forward{SignalID: signal.ID}
	if _, err := flow.Apply(r, in, a.Now()); err != nil || r.Status != flow.Requested {
		return a.settle(ctx, r.ID, signal, in) // too late, or a form that was never sent
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return r, err
	}
	e := underway(r, signal)
	r, heard, err := a.asker().hear(ctx, f, r, e, flow.HookBefore(e.Name))
	if err != nil {
		return r, err
	}
	if heard != nil && heard.Error != nil {
		return a.hold(ctx, r, signal, e.Name, *heard.Error)
	}
	v, err := weigh(f, r, e.Name, heard)
	if err != nil {
		return a.hold(ctx, r, signal, e.Name, failureOf(err, e.Name))
	}
	if v.ignored != nil {
		return a.settle(ctx, r.ID, signal, flow.Refuse{SignalID: signal.ID, Reason: *v.ignored, Ignored: true})
	}
	in.Ruling, in.Terms, in.Fields, in.Hooks = v.ruling, v.terms, v.fields, f.Hooks()
	return a.settle(ctx, r.ID, signal, in)
}

// hold records that a handler kept a signal from being taken: it waits for
// somebody to press Retry.
func (a Approval) hold(ctx context.Context, r flow.Run, signal flow.Signal, step flow.EventName, reason flow.Failure) (flow.Run, error) {
	r, err := a.Runs.Change(ctx, r.ID, a.Now, func(r flow.Run) (flow.Input, error) {
		return flow.Fail{Step: step, SignalID: signal.ID, Reason: reason}, nil
	})
	if flow.CodeOf(err) == flow.CodeStale { // somebody took it meanwhile
		return a.Runs.Get(ctx, r.ID)
	}
	return r, err
}
