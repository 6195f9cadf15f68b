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
	r, err = a.settle(ctx, id, signal, flow.Forward{SignalID: signal.ID})
	if err != nil {
		return "", again(err)
	}
	return flow.Next(r), nil
}
