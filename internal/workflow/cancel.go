package workflow

import (
	"context"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// CancelByAPI withdraws a request by a token, as the Cancel button does: one that was sent
// or is open, and access that was approved and of which nothing has begun. A token may do
// so where it may ask for the same. It returns the run and the id of the cancel event,
// which is the earlier one if the request is cancelled already. The error has
// flow.CodeDecided if it comes too late, and flow.CodeIllegal if the form was not sent yet.
func (s Submit) CancelByAPI(ctx context.Context, runID string, bot flow.Actor, token store.Token) (flow.Run, string, error) {
	if _, err := s.owner(ctx, token); err != nil {
		return flow.Run{}, "", err
	}
	r, err := s.Runs.Change(ctx, runID, s.Now, func(r flow.Run) (flow.Input, error) {
		if err := forRun(token, bot, r); err != nil {
			return nil, err
		}
		if _, cancelled := r.Last(flow.EventCancel); cancelled {
			return nil, flow.ErrUnchanged
		}
		return flow.Receive{Action: flow.ActionCancel, Actor: bot, Channel: flow.ChannelAPI}, nil
	})
	if err != nil {
		return r, "", err
	}
	for _, sig := range r.Signals {
		if sig.Action == flow.ActionCancel && sig.Actor.Is(bot) {
			return r, sig.ID, nil
		}
	}
	e, _ := r.Last(flow.EventCancel)
	return r, e.ID, nil
}
