package workflow

import (
	"context"
	"maps"

	"github.com/symflows/symflows/internal/flow"
)

// FieldFor is the input of a form that says for whom the request is, by Slack's id. It
// is no field of a flow: those don't begin with a dot.
const FieldFor = ".for"

// forWhom takes FieldFor out of what a form had.
func forWhom(values map[string]any) (string, map[string]any) {
	whom, ok := values[FieldFor].(string)
	if !ok {
		return "", values
	}
	values = maps.Clone(values)
	delete(values, FieldFor)
	return whom, values
}

// colleague finds the person for whom a form is submitted; nil where that is whoever
// opened it. They are held to what holds for requesters, as if they asked. The error
// has flow.CodeInvalid, and names FieldFor or the fields that they could not choose so.
func (s Submit) colleague(ctx context.Context, f *flow.Flow, r flow.Run, slackID string, values map[string]any) (*flow.Actor, error) {
	if slackID == "" || slackID == r.Requester.SlackID {
		return nil, nil
	}
	if !f.Params.OnBehalf {
		return nil, flow.Errorf(flow.CodeForbidden, "people can ask for themselves only by this flow (on_behalf is off)")
	}
	u, err := s.Directory.User(ctx, slackID)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return nil, invalid(FieldFor, "is nobody of this workspace: choose somebody else")
	}
	if err != nil {
		return nil, err
	}
	if MayRequest(u) != nil {
		return nil, invalid(FieldFor, "can't have this: only active members of this workspace can, no guests and no bots")
	}
	if u.Unconfirmed {
		return nil, invalid(FieldFor, "has an e-mail address that belonged to another Slack account before: an administrator has to confirm it first")
	}
	// What the form offered was asked for whoever opened it.
	start := flow.Start{ID: r.ID, Flow: f, Requester: u.Actor, Asker: &r.Requester, Source: flow.ChannelSlack, SourceChannel: r.SourceChannel}
	if err := s.checkPrefetched(ctx, start, values); err != nil {
		return nil, err
	}
	return &u.Actor, nil
}
