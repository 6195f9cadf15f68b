package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
)

// event is GET /events/{id}.
func (a *API) event(r *http.Request, who caller) (any, error) {
	id := strings.ToLower(r.PathValue("id"))
	unknown := flow.Errorf(flow.CodeUnknownEvent, "there is no such event: give an event_id as the API returned it")
	runID, err := flow.RunOf(id)
	if err != nil {
		return nil, unknown
	}
	run, err := a.Runs.Get(r.Context(), runID)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	if who.sees(run) != nil {
		return nil, unknown
	}
	for _, e := range history(run) {
		if e.EventID == id {
			return events.EventStatus{
				RunID: run.ID, Name: e.Name, Timestamp: e.Timestamp, Status: e.Status, Error: e.Error, Code: e.Code,
			}, nil
		}
	}
	return nil, unknown
}

// history gives the events of a run: those recorded, and then those under way.
func history(r flow.Run) []events.RunEvent {
	var out []events.RunEvent
	seen := map[string]bool{}
	add := func(e flow.Event, status string, failure *flow.Failure) {
		if e.ID == "" || seen[e.ID] {
			return
		}
		seen[e.ID] = true
		shown := events.RunEvent{
			EventID: e.ID, Name: string(e.Name), Timestamp: e.At.UTC(), Status: status,
			Channel: record.Channel(e.Channel), Actor: record.ActorIn(r, e.Actor),
		}
		if failure != nil {
			shown.Error, shown.Code = failure.Message, string(failure.Code)
		}
		out = append(out, shown)
	}
	for _, e := range r.Events {
		status := events.EventSuccess
		var failure *flow.Failure
		if len(e.Errors) > 0 && (e.State != flow.StateCompleted || !r.Overcome(e)) {
			failure = &e.Errors[0]
			if e.State != flow.StateCompleted {
				status = events.EventError
			}
		}
		add(e, status, failure)
	}
	for _, s := range r.Signals {
		name, status := r.EventOf(s), events.EventPending
		var failure *flow.Failure
		if r.AwaitsRetry(s.ID) {
			status, failure = events.EventError, stuckAt(r, name) // until somebody presses Retry
		}
		add(flow.Event{ID: s.ID, Name: name, Actor: s.Actor, Channel: s.Channel, At: s.At}, status, failure)
	}
	if r.Access.Live() {
		// Failed attempts are events of their own, above. What is to come is
		// pending beside them, unless it waits for somebody to press Retry.
		failed := stuckAt(r, flow.EventEscalate)
		waits := failed != nil && failed.RetryAt.IsZero()
		if _, asked := r.EndAsked(); r.Status == flow.Approved && !asked && !waits && r.Access.Removal.EventID == "" {
			add(underway(r, flow.EventEscalate, r.Access.EventID, r.Access.First), events.EventPending, nil)
		}
		add(underway(r, flow.EventDeescalate, r.Access.Removal.EventID, r.Access.End), events.EventPending, nil)
	}
	return out
}

// listed is the history as a run shows it. A failure that a signal waits with is
// shown with the signal, whose id the client has.
func listed(r flow.Run) []events.RunEvent {
	all := history(r)
	if r.Error == nil || r.Error.SignalID == "" {
		return all
	}
	return slices.DeleteFunc(all, func(e events.RunEvent) bool { return e.EventID == r.Error.EventID })
}

// underway is a step that was begun as a consequence of the approval.
func underway(r flow.Run, name flow.EventName, id string, since time.Time) flow.Event {
	return flow.Event{ID: id, Name: name, Actor: r.Approver(), Channel: flow.ChannelInternal, At: since}
}

// stuckAt returns the failure of the last attempt at a step, or nil if it did
// not fail.
func stuckAt(r flow.Run, step flow.EventName) *flow.Failure {
	if r.Error != nil && r.Error.Step == step {
		return r.Error
	}
	return nil
}
