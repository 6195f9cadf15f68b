package workflow

import (
	"context"

	"github.com/symflows/symflows/internal/flow"
)

// Forward moves a request on to the next tier, or lets it expire, when the time
// of the tier being asked is over or none of its people can be reached.
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
		return a.settle(ctx, r.ID, signal.ID, in) // too late, or a form that was never sent
	}
	f, err := a.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return r, err
	}
	e := underway(r, signal)
	r, v, err := a.consult(ctx, f, r, e, a.hold, flow.HookBefore(e.Name))
	if v == nil {
		return r, err
	}
	if v.ruling != nil && v.ruling.Event == flow.EventApprove {
		if in.Vouched, err = a.vouch(ctx, r); err == nil {
			_, err = inForce(ctx, a.Flows, r)
		}
		if closes(err) {
			return a.settle(ctx, r.ID, signal.ID, flow.Reject{SignalID: signal.ID, Reason: flow.FailureOf(err), Hooks: f.Hooks()})
		}
		if err != nil {
			return r, err
		}
	}
	in.Ruling, in.Terms, in.Fields, in.Hooks = v.ruling, v.terms, v.fields, f.Hooks()
	return a.settle(ctx, r.ID, signal.ID, in)
}
