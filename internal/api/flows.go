package api

import (
	"net/http"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// flows is GET /flows.
func (a *API) flows(r *http.Request, who caller) (any, error) {
	known, err := a.Flows.List(r.Context())
	if err != nil {
		return nil, err
	}
	list := events.FlowList{Flows: []events.FlowSummary{}}
	for _, f := range known {
		if who.token.Agent {
			if full, err := a.Flows.Latest(r.Context(), f.Name); flow.CodeOf(err) == flow.CodeUnknownFlow || err == nil && !who.letIn(full) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		list.Flows = append(list.Flows, summaryOf(a.Org, f.Name, f.Label, f.Version, f.ApprovalOnly, f.AllowedSources))
	}
	return list, nil
}

func summaryOf(org, name, label, version string, approvalOnly bool, sources *[]flow.Channel) events.FlowSummary {
	out := events.FlowSummary{Name: name, SRN: flow.FlowSRN(org, name, flow.Latest), Label: label, Version: version, ApprovalOnly: approvalOnly}
	if sources != nil {
		out.AllowedSources = []string{}
		for _, source := range *sources {
			out.AllowedSources = append(out.AllowedSources, string(source))
		}
	}
	return out
}

// letIn tells whether a flow is there for the caller: agents see those that they may start.
func (c caller) letIn(f *flow.Flow) bool {
	return !c.token.Agent || f.Params.Agents != nil && f.Params.Allows(flow.ChannelAPI) && workflow.ForFlow(c.token, f.Name) == nil
}
