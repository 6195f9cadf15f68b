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
		summary := events.FlowSummary{
			Name: f.Name, SRN: flow.FlowSRN(a.Org, f.Name, flow.Latest), Label: f.Label, Version: f.Version, ApprovalOnly: f.ApprovalOnly,
		}
		if f.AllowedSources != nil {
			summary.AllowedSources = []string{}
			for _, source := range *f.AllowedSources {
				summary.AllowedSources = append(summary.AllowedSources, string(source))
			}
		}
		list.Flows = append(list.Flows, summary)
	}
	return list, nil
}
