package api

import (
	"net/http"
	"strings"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
)

// run is GET /runs/{id}.
func (a *API) run(r *http.Request, _ caller) (any, error) {
	run, err := a.Runs.Get(r.Context(), strings.ToLower(r.PathValue("id")))
	if err != nil {
		return nil, err
	}
	status := statusOf(run)
	status.Events = listed(run)
	return status, nil
}

// statusOf describes a run, its events left out.
func statusOf(r flow.Run) events.RunStatus {
	out := events.RunStatus{
		RunID: r.ID, Status: string(r.Status), SRN: r.SRN(), FlowSRN: r.FlowSRN(),
		Requester: record.Actor(r.Org, r.Requester), Fields: record.Fields(r),
		CreatedAt: r.Created.UTC(), UpdatedAt: r.Touched.UTC(),
	}
	if r.Asker != nil {
		bot := record.Actor(r.Org, *r.Asker)
		out.Submitter = &bot
	}
	if r.Owner != nil {
		owner := record.Actor(r.Org, *r.Owner)
		out.TokenOwner = &owner
	}
	if r.Access.Live() && !r.Access.End.IsZero() {
		end := r.Access.End.UTC()
		out.ExpiresAt = &end
	}
	if r.Error != nil {
		out.Error = &events.AuditError{Message: r.Error.Message, Code: string(r.Error.Code)}
	}
	if r.Access.Listed() {
		for _, p := range r.Access.Entitlements {
			out.Entitlements = append(out.Entitlements, entitlement(p))
		}
	}
	for _, step := range []flow.EventName{flow.EventEscalate, flow.EventDeescalate} {
		if w := r.WaitsForTarget(step); w != nil && out.Error == nil {
			out.Waiting = &events.RunWaiting{Event: string(step), Since: w.Since.UTC(), Text: w.Text}
		}
	}
	if out.Error == nil && (r.PutOff(flow.EventEscalate) || r.PutOff(flow.EventDeescalate)) {
		out.Error = &events.AuditError{Message: "the target does not answer: this waits, and is looked at again within five minutes", Code: string(flow.CodeUnavailable)}
	}
	return out
}

// entitlement describes one of several targets of a run.
func entitlement(p flow.Part) events.RunEntitlement {
	out := events.RunEntitlement{Settings: p.Settings, State: string(p.State())}
	if out.Settings == nil {
		out.Settings = map[string]string{}
	}
	if p.Error != nil {
		out.Error = p.Error.Message
	}
	if p.Waiting != nil {
		out.Waiting = p.Waiting.Text
	}
	return out
}
