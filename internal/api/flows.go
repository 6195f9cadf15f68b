package api

import (
	"net/http"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// flows is GET /flows.
func (a *API) flows(r *http.Request, _ caller) (any, error) {
	known, err := a.Flows.List(r.Context())
	if err != nil {
		return nil, err
	}
	list := events.FlowList{Flows: []events.FlowSummary{}}
	for _, f := range known {
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
