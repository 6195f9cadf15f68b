package workflow

import (
	"cmp"
	"context"
	"maps"

	"github.com/symflows/symflows/internal/flow"
)

// repeated fills in what a program leaves out that asks once more for what a run asked
// for: its flow, in the version in force, its requester, its context, and the values of
// its form, as far as the form still has them. When access was to start is not repeated,
// nor that it was an emergency. The error has flow.CodeIllegal if the request can't be
// made again as it stands, and flow.CodeForbidden if another bot made it for itself.
func (s Submit) repeated(ctx context.Context, q APIRequest) (APIRequest, error) {
	r, err := s.Runs.Get(ctx, q.Repeats)
	if err != nil {
		return q, err
	}
	if err := forRun(q.Token, q.Bot, r); err != nil {
		return q, err
	}
	if err := r.Repeatable(); err != nil {
		return q, err
	}
	f, err := s.Flows.Latest(ctx, r.Flow)
	if err != nil {
		return q, err
	}
	switch {
	case q.Token.Agent: // which asks for its owner
		if q.Purpose == "" && r.Agent != nil {
			q.Purpose = r.Agent.Purpose
		}
	case r.Requester.Kind == flow.KindPerson:
		q.UserID = cmp.Or(r.Requester.SlackID, r.Requester.ID)
	case r.Requester.ID != q.Bot.ID:
		return q, flow.Errorf(flow.CodeForbidden, "the bot %s asked for this for itself, so that only it can ask again", r.Requester.Display())
	}
	inputs := map[string]any{}
	for _, p := range f.Fields() {
		if v, asked := r.Fields[p.Name]; asked && p.Visible {
			inputs[p.Name] = v
		}
	}
	if r.Target != nil && !f.ApprovalOnly() {
		delete(inputs, flow.FieldNameTarget)
		if p, ok := f.Field(flow.FieldNameTarget); ok && p.Visible {
			inputs[flow.KeyTargetSRN] = flow.TargetSRN(s.Org, r.Target.Type, r.Target.Name, flow.Latest)
		}
	}
	maps.Copy(inputs, q.Inputs)
	q.FlowSRN, q.Inputs = flow.FlowSRN(s.Org, f.Name, flow.Latest), inputs
	if len(q.Context) == 0 {
		q.Context = r.Context
	}
	return q, nil
}
