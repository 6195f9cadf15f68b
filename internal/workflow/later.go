package workflow

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// extras is what a form asks for beside the flow's own fields.
type extras struct {
	startAt    time.Time // zero: access starts once it is approved
	breakGlass bool
}

// extrasOf takes it out of the values of a form, which have Slack's: seconds since 1970,
// and the name of the box that is ticked.
func extrasOf(values map[string]any) (extras, map[string]any, error) {
	var w extras
	at, breaks := values[flow.KeyStartAt], values[flow.KeyBreakGlass]
	if at == nil && breaks == nil {
		return w, values, nil
	}
	values = maps.Clone(values)
	delete(values, flow.KeyStartAt)
	delete(values, flow.KeyBreakGlass)
	if s, _ := at.(string); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 || n > 1<<40 {
			return w, nil, invalid(flow.KeyStartAt, "is no time")
		}
		w.startAt = time.Unix(n, 0).UTC()
	}
	ticked, _ := breaks.([]string)
	w.breakGlass = slices.Contains(ticked, flow.KeyBreakGlass)
	return w, values, nil
}

// Later has access that starts later started in time: by a schedule, as its end is.
// Should that be lost, the sweep finds the run by its due time.
func (a *Access) Later(ctx context.Context, id string) (flow.Step, error) {
	r, err := a.Runs.Get(ctx, id)
	if err != nil {
		return "", again(err)
	}
	if flow.Next(r) != flow.StepLater {
		return flow.Next(r), nil
	}
	if err := a.schedule(ctx, r); err != nil {
		return "", again(err)
	}
	r, err = a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) { return flow.Later{}, nil })
	if flow.CodeOf(err) == flow.CodeStale { // cancelled, or started, meanwhile
		return flow.StepDone, nil
	}
	if err != nil {
		return "", again(err)
	}
	return flow.Next(r), nil
}

// start has access that was asked for later granted now: what that takes is checked
// first, by the step that follows. It returns nil if somebody is about to cancel it.
func (a *Access) start(ctx context.Context, id string) error {
	_, err := a.Runs.Change(ctx, id, a.Clock.Now, func(flow.Run) (flow.Input, error) { return flow.Begin{}, nil })
	if flow.CodeOf(err) == flow.CodeStale {
		return nil
	}
	return err
}

// stillApproved asks, when access starts that was approved before, whether it would
// be approved now: by the version of the flow that it was asked for with, and by the
// one in force. The error says why not.
func (a Approval) stillApproved(ctx context.Context, f, current *flow.Flow, r flow.Run) error {
	if late := a.Now().Sub(r.StartAt); late > flow.StartPatience {
		return flow.Errorf(flow.CodeWithdrawn, "this was to start %s ago and could not be started then: ask again", flow.Words(late))
	}
	if target := r.GivenTarget(); target != nil && (current.ApprovalOnly() || !offers(current, *target)) {
		return flow.Errorf(flow.CodeWithdrawn, "the flow %q does not grant %s any more: ask for something else", r.FlowTitle, target.Title())
	}
	if r.Approver().Hook != "" { // a rule of the flow approved
		return nil
	}
	_, deciders, err := a.stillDeciders(ctx, f, current, r, flow.Signal{Action: flow.ActionApprove, At: r.Started})
	if err != nil {
		return err
	}
	held := r
	held.Deciders = deciders
	var lost []string
	for _, counted := range r.Approvals {
		u, err := a.still(ctx, counted.Actor)
		if err == nil {
			err = MayClick(held, Click{Action: flow.ActionApprove, Actor: u})
			if err == nil {
				err = held.MayDecide(u.Actor, u.Guest(), flow.ActionApprove)
			}
		}
		if refusal(err) {
			lost = append(lost, counted.Actor.Display())
		} else if err != nil {
			return err
		}
	}
	if need := max(deciders.Required, r.Deciders.Required); len(r.Approvals)-len(lost) < need {
		if len(lost) == 0 {
			return flow.Errorf(flow.CodeNoApprover, "the flow asks for %d approvals by now, and this has %d: ask again", need, len(r.Approvals))
		}
		return flow.Errorf(flow.CodeNoApprover, "%s, who approved this, may not approve it any more: ask again", strings.Join(lost, " and "))
	}
	return nil
}

// offers tells whether a flow grants a target that somebody may choose.
func offers(f *flow.Flow, t flow.Target) bool {
	now, ok := f.Strategy.Target(f.Org, t.Name)
	return ok && now.Type == t.Type
}
