package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/workflow"
)

// run is GET /runs/{id}. The id may be a short one.
func (a *API) run(r *http.Request, who caller) (any, error) {
	run, err := a.seen(r, who)
	if err != nil {
		return nil, err
	}
	status := statusOf(run)
	status.Events = listed(run)
	messages, err := a.Messages.Get(r.Context(), run.ID)
	if err != nil {
		return nil, err
	}
	status.Permalink = workflow.Permalink(run, messages)
	return status, nil
}

// seen gives the run of a request's path, as far as the caller may see it.
func (a *API) seen(r *http.Request, who caller) (flow.Run, error) {
	id, err := a.runID(r.Context(), r.PathValue("id"), who)
	if err != nil {
		return flow.Run{}, err
	}
	run, err := a.Runs.Get(r.Context(), id)
	if err != nil {
		return flow.Run{}, err
	}
	return run, who.sees(run)
}

// sees refuses runs that are no business of the caller's, as if there were none.
func (c caller) sees(r flow.Run) error {
	if c.token.Agent {
		return workflow.ForAgent(c.bot, r)
	}
	return nil
}

// runID gives the id of the run that is called so. The error has
// flow.CodeUnknownRun if there is none of a short id, and names all if there are
// several.
func (a *API) runID(ctx context.Context, called string, who caller) (string, error) {
	prefix, short := flow.OfShortID(called)
	if !short {
		return strings.ToLower(called), nil
	}
	page, err := a.Runs.Beginning(ctx, prefix, 10)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, r := range page.Runs {
		if who.sees(r) == nil {
			ids = append(ids, r.ID)
		}
	}
	switch len(ids) {
	case 0:
		return "", flow.Errorf(flow.CodeUnknownRun, "there is no run %q", called)
	case 1:
		return ids[0], nil
	}
	return "", flow.Errorf(flow.CodeUnknownRun, "several runs are called %q: ask for one by its id: %s", called, strings.Join(ids, ", "))
}

// statusOf describes a run, its events left out.
func statusOf(r flow.Run) events.RunStatus {
	out := events.RunStatus{
		RunID: r.ID, Status: string(r.Status), SRN: r.SRN(), FlowSRN: r.FlowSRN(),
		Requester: record.Actor(r.Org, r.Requester), Fields: record.Fields(r),
		CreatedAt: r.Created.UTC(), UpdatedAt: r.Touched.UTC(), Repeats: r.Repeats,
	}
	if r.Asker != nil {
		bot := record.ActorIn(r, *r.Asker)
		out.Submitter = &bot
	}
	if r.Owner != nil {
		owner := record.Actor(r.Org, *r.Owner)
		out.TokenOwner = &owner
	}
	if r.ByAgent() {
		out.Purpose = r.Agent.Purpose
	}
	if b := r.BreakGlass; b != nil {
		out.BreakGlass = &events.RunBreakGlass{ApprovalsSkipped: b.Skipped, Reviewed: b.Review != nil}
	}
	if !r.StartAt.IsZero() {
		start := r.StartAt.UTC()
		out.StartAt = &start
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
