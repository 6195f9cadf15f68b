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
	if _, err := s.checkPrefetched(ctx, start, values); err != nil {
		return nil, err
	}
	return &u.Actor, nil
}

// KindAsker is the message to whoever asked for a colleague: like KindStatus, which the
// colleague has.
const KindAsker Kind = "asker"

// alsoTold adds the card of whoever asked for a colleague, and lists the messages to
// approvers whose approval counts no more.
func alsoTold(r flow.Run, cards []planned) (all, void []planned) {
	if r.OnBehalf() && r.Asker.SlackID != "" && shownToRequester(r) {
		cards = append(cards, planned{message: Message{Kind: KindAsker}, to: Address{Users: []flow.Actor{*r.Asker}}, live: true})
	}
	for _, e := range r.Events {
		for _, id := range textsIn(e.Fields[flow.KeyVoided]) {
			if approval, ok := r.Event(id); ok && approval.Actor.SlackID != "" {
				void = append(void, planned{message: Message{Kind: KindRefused, EventID: id}, to: Address{Users: []flow.Actor{approval.Actor}}})
			}
		}
	}
	return cards, void
}

// textsIn lists the texts of a field of an event, whether it was stored meanwhile or not.
func textsIn(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		var out []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
