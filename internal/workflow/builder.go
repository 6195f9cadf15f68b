package workflow

import (
	"context"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// StepRequest is a request by a step of a workflow, which people make in Slack's
// Workflow Builder.
type StepRequest struct {
	Execution string // of the step, by Slack's id: the same one is the same run
	Access    bool   // ask for access, and not for an approval
	Flow      string
	Target    string // its name or label
	Duration  string
	Reason    string // for the flow's field of that name, if it has one
	Fields    string // "name: value", a line each
	// Requester is who the workflow asks for, and Starter who started it, by Slack's
	// ids. The author of the workflow can name any requester, but no starter: that is
	// Slack's word. An empty requester is the starter; an empty starter is not known.
	Requester, Starter string
}

// RequestByStep starts a run and submits its request in one write. Whoever started
// the workflow has asked on the requester's behalf, and can't approve.
func (s Submit) RequestByStep(ctx context.Context, q StepRequest) (flow.Run, error) {
	id := flow.RunIDFrom(s.Org, "step", q.Execution)
	// What was accepted once is not checked again: the flow may have changed.
	if r, err := s.Runs.Get(ctx, id); flow.CodeOf(err) != flow.CodeUnknownRun {
		return r, err
	}
	if err := s.open(); err != nil {
		return flow.Run{}, err
	}
	f, err := s.Flows.Latest(ctx, strings.TrimSpace(q.Flow))
	if err != nil {
		return flow.Run{}, err
	}
	if err := f.MayBeStep(q.Starter != ""); err != nil {
		return flow.Run{}, err
	}
	switch {
	case q.Access && f.ApprovalOnly():
		return flow.Run{}, flow.Errorf(flow.CodeInvalid, "flow %q gives no access: use the step Ask for approval", f.Name)
	case !q.Access && !f.ApprovalOnly():
		return flow.Run{}, flow.Errorf(flow.CodeInvalid, "flow %q gives access: use the step Request access", f.Name)
	case q.Requester == "" && q.Starter == "":
		return flow.Run{}, flow.Errorf(flow.CodeInvalid, "the step does not say for whom it asks: choose a requester")
	}
	requester, asker, err := s.stepPeople(ctx, f, q)
	if err != nil {
		return flow.Run{}, err
	}
	values, err := stepValues(f, q)
	if err != nil {
		return flow.Run{}, err
	}
	sub, err := f.Submit(values)
	if sub, err = s.submitted(ctx, f, sub, err); err != nil {
		return flow.Run{}, err
	}
	return s.start(ctx,
		flow.Start{ID: id, Flow: f, Requester: requester, Asker: asker, Source: flow.ChannelSlack, Step: q.Execution},
		&flow.Receive{Action: flow.ActionRequest, Actor: requester, Channel: flow.ChannelSlack, Submission: &sub})
}

// stepPeople finds for whom a step asks and who started it; nil if they do
// themselves, or nobody knows.
func (s Submit) stepPeople(ctx context.Context, f *flow.Flow, q StepRequest) (requester flow.Actor, asker *flow.Actor, err error) {
	find := func(slackID, what string) (store.User, error) {
		u, err := s.Directory.User(ctx, slackID)
		switch {
		case flow.CodeOf(err) == flow.CodeUnknownUser:
			return u, flow.Errorf(flow.CodeForbidden, "%s is not known in this workspace", what)
		case err != nil:
			return u, err
		case u.Unconfirmed:
			return u, flow.Errorf(flow.CodeForbidden, "%s has an address that belonged to another Slack account before: an administrator has to confirm it", what)
		}
		return u, s.mayStart(f, flow.ChannelSlack, u)
	}
	if q.Starter != "" {
		starter, err := find(q.Starter, "whoever started the workflow")
		if err != nil {
			return requester, nil, err
		}
		if q.Requester == "" || q.Requester == q.Starter {
			return starter.Actor, nil, nil
		}
		asker = &starter.Actor
	}
	who, err := find(q.Requester, "the requester")
	return who.Actor, asker, err
}

// stepValues gives the values of a flow's fields, as its form would.
func stepValues(f *flow.Flow, q StepRequest) (map[string]any, error) {
	values := map[string]any{}
	for i, line := range strings.Split(q.Fields, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, flow.Errorf(flow.CodeInvalid, "line %d of the fields is %q: write the name of a field, a colon and its value", i+1, flow.Clip(line, 100))
		}
		values[name] = strings.TrimSpace(value)
	}
	for name, value := range map[string]string{flow.FieldNameReason: q.Reason, flow.FieldNameDuration: q.Duration} {
		if value = strings.TrimSpace(value); value != "" {
			values[name] = value
		}
	}
	if wanted := strings.TrimSpace(q.Target); wanted != "" && !f.ApprovalOnly() {
		values[flow.FieldNameTarget] = wanted
		for _, t := range f.Strategy.Targets {
			if strings.EqualFold(t.Name, wanted) || strings.EqualFold(t.Title(), wanted) {
				values[flow.FieldNameTarget] = t.Name
				break
			}
		}
	}
	return values, nil
}
