package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// pageExplainer explains for the simulation's page, where everybody of the workspace may
// be asked about.
type pageExplainer struct {
	local *Local
	flows *store.Flows
	all   []slacksim.Profile // who is in the workspace
}

var _ slacksim.Explainer = pageExplainer{}

// Flows implements slacksim.Explainer.
func (p pageExplainer) Flows(ctx context.Context) ([]slacksim.AskedFlow, error) {
	list, err := p.flows.List(ctx)
	if err != nil {
		return nil, err
	}
	asked := []slacksim.AskedFlow{}
	for _, summary := range list {
		f, err := p.flows.Latest(ctx, summary.Name)
		if flow.CodeOf(err) == flow.CodeUnknownFlow {
			continue // withdrawn meanwhile
		}
		if err != nil {
			return nil, err
		}
		asked = append(asked, askedFlow(f))
	}
	return asked, nil
}

func askedFlow(f *flow.Flow) slacksim.AskedFlow {
	out := slacksim.AskedFlow{
		Name: f.Name, Label: f.Title(), Fields: []slacksim.AskedField{}, Ways: []slacksim.Way{},
		Later: f.Params.StartAt != nil, Emergency: f.Params.BreakGlass != nil,
	}
	if f.Params.Allows(flow.ChannelSlack) {
		out.Ways = append(out.Ways, slacksim.BySlack)
	}
	if f.Params.Allows(flow.ChannelAPI) {
		out.Ways = append(out.Ways, slacksim.ByAPI)
	}
	if f.Params.Agents != nil {
		out.Ways, out.Purpose = append(out.Ways, slacksim.ByAgent), f.Params.Agents.Purpose == flow.PurposeRequired
	}
	for _, p := range f.Fields() {
		if p.Visible {
			out.Fields = append(out.Fields, askedField(f, p))
		}
	}
	return out
}

func askedField(f *flow.Flow, p flow.PromptField) slacksim.AskedField {
	out := slacksim.AskedField{Name: p.Name, Label: p.Title(), Kind: "text", Several: p.Type.List(), Required: f.Needs(p) && p.Default == "", Options: []slacksim.Choice{}}
	switch p.Type {
	case flow.FieldInt, flow.FieldIntList:
		out.Kind = "number"
	case flow.FieldBool:
		out.Kind = "truth"
	case flow.FieldSlackUser, flow.FieldSlackUserList:
		out.Kind = "person"
	}
	if p.Name == flow.FieldNameTarget && !f.ApprovalOnly() {
		for _, t := range f.Strategy.Targets {
			out.Options = append(out.Options, slacksim.Choice{Value: t.Name, Label: t.Title()})
		}
	}
	for _, v := range p.AllowedValues {
		label := v
		if d, err := flow.ParseDuration(v); err == nil && p.Type == flow.FieldDuration {
			label = flow.Words(d)
		}
		out.Options = append(out.Options, slacksim.Choice{Value: v, Label: label})
	}
	return out
}

// agentName is what an agent is called that nobody has made.
const agentName = "some-agent"

// Explain implements slacksim.Explainer.
func (p pageExplainer) Explain(ctx context.Context, q slacksim.Question) (slacksim.Explained, error) {
	x, err := p.explain(ctx, q)
	if err != nil {
		return slacksim.Explained{}, err
	}
	out := slacksim.Explained{Records: []slacksim.Record{}}
	for _, r := range x.Records {
		raw, err := json.Marshal(r)
		if err != nil {
			return out, err
		}
		var shipped events.AuditRecord // as it is read from the log
		if err := json.Unmarshal(raw, &shipped); err != nil {
			return out, err
		}
		shown := told(shipped)
		shown.Raw = raw
		out.Records = append(out.Records, shown)
	}
	out.Explanation, err = json.Marshal(x)
	return out, err
}

func (p pageExplainer) explain(ctx context.Context, q slacksim.Question) (workflow.Explanation, error) {
	people, err := p.everybody(ctx)
	if err != nil {
		return workflow.Explanation{}, err
	}
	if q.Run != "" {
		return p.local.explainer.Of(ctx, q.Run, p.local.clock.Now(), people)
	}
	as, err := p.local.people.Known(ctx, q.Who)
	if err != nil {
		return workflow.Explanation{}, err
	}
	out := workflow.Question{Flow: q.Flow, As: as, Values: map[string]any{}, Fill: true, At: q.At, People: people}
	for name, value := range q.Values {
		if list, ok := value.([]any); ok {
			var texts []string
			for _, one := range list {
				texts = append(texts, fmt.Sprint(one))
			}
			value = texts
		}
		out.Values[name] = value
	}
	if out.At.IsZero() {
		out.At = p.local.clock.Now()
	}
	if !q.StartAt.IsZero() {
		out.Values[flow.KeyStartAt] = fmt.Sprint(q.StartAt.Unix())
	}
	if q.Emergency {
		out.Values[flow.KeyBreakGlass] = []string{flow.KeyBreakGlass}
	}
	switch q.Way {
	case slacksim.ByAgent:
		out.Agent, out.Purpose = agentName, q.Purpose
	case slacksim.ByAPI, slacksim.BySlack:
		out.By = flow.Channel(q.Way)
	}
	return p.local.explainer.Request(ctx, out)
}

// everybody is who there is in the workspace, by their names.
func (p pageExplainer) everybody(ctx context.Context) ([]store.User, error) {
	var people []store.User
	for _, one := range p.all {
		u, err := p.local.people.UserByEmail(ctx, one.Email)
		if err != nil {
			return nil, err
		}
		people = append(people, u)
	}
	slices.SortStableFunc(people, func(a, b store.User) int { return strings.Compare(a.Display(), b.Display()) })
	return people, nil
}
