package flow

import (
	"encoding/json"
	"time"
)

// EventName names what happened, in Sym's words (and "cancel", ours).
type EventName string

// The events of a run.
const (
	EventPrompt         EventName = "prompt"
	EventRequest        EventName = "request"
	EventRequestForward EventName = "request_forward"
	EventRequestExpire  EventName = "request_expire"
	EventApprove        EventName = "approve"
	EventDeny           EventName = "deny"
	EventCancel         EventName = "cancel"
	EventEscalate       EventName = "escalate"
	EventDeescalate     EventName = "deescalate"
)

// EventNames lists them all, in the order of a run's life.
var EventNames = []EventName{
	EventPrompt, EventRequest, EventRequestForward, EventRequestExpire,
	EventApprove, EventDeny, EventCancel, EventEscalate, EventDeescalate,
}

// EventState is Sym's state.status.
type EventState string

// The states of an event.
const (
	StateCompleted   EventState = "completed"
	StateIntercepted EventState = "intercepted" // a handler put another in its place, or ignored it: then with errors
	StateInProgress  EventState = "in_progress" // counted in part, or failed: then with errors
)

// Event is one entry of the run's history. It is an audit record once the
// run's facts are put around it.
type Event struct {
	ID      string          `json:"id"`
	Name    EventName       `json:"name"`
	Actor   Actor           `json:"actor"`
	Channel Channel         `json:"channel"`
	At      time.Time       `json:"at"`
	State   EventState      `json:"state"`
	Errors  []Failure       `json:"errors,omitempty"`
	Fields  map[string]any  `json:"fields,omitempty"` // beyond the request's own
	Output  json.RawMessage `json:"output,omitempty"` // what the target or a handler answered
	Via     *MessageRef     `json:"via,omitempty"`
	// Repeated failures of a step are one event: how often, and when last.
	Count int       `json:"count,omitempty"`
	Last  time.Time `json:"last,omitzero"`
	// Rev is the number of the write that last changed this event.
	Rev int64 `json:"rev"`
}

// Failed tells whether the event did not take place: a step that failed, or
// a signal that was refused. Errors of a completed event are reports of
// customers' code that ran after it.
func (e Event) Failed() bool { return e.State == StateInProgress && len(e.Errors) > 0 }

// Ignored tells whether a handler kept the event from happening.
func (e Event) Ignored() bool { return e.State == StateIntercepted && len(e.Errors) > 0 }

// happened tells whether it took place, be it that a handler put another event
// behind it.
func (e Event) happened() bool {
	return e.State == StateCompleted || e.State == StateIntercepted && !e.Ignored()
}

// Keys of Event.Fields, and of the target in audit records and API requests.
// They stand beside the request's own fields, so no prompt field may have one
// of these names.
const (
	KeyTarget          = "target"           // the target itself, as records show it
	KeyTargetSRN       = "target_srn"       // the target, as the API's callers may name it
	KeyDecisionMessage = "decision_message" // what was said with a decision, or with the wish to end access
	KeyForwardReason   = "forward_reason"   // ActionTimeout or ActionUndeliverable
	KeyForwardMessage  = "forward_message"  // why the tier could not be reached
	KeyExpiresAt       = "expires_at"       // when access will end, in RFC 3339
	KeyDeescalateType  = "deescalate_type"  // Scheduled or Manual
	KeyStillHeld       = "still_held"       // keys of entitlements that stay because other runs hold them
	KeyKept            = "kept"             // keys of entitlements that stay because they predate us
	KeyWarnings        = "warnings"         // what the target said beside its success
	KeyRetriedBy       = "retried_by"       // who pressed Retry, as people read it
	KeyRetriedAt       = "retried_at"       // when, in RFC 3339
)

// EventKeys lists them all.
var EventKeys = []string{
	KeyTarget, KeyTargetSRN, KeyDecisionMessage, KeyForwardReason, KeyForwardMessage, KeyExpiresAt,
	KeyDeescalateType, KeyStillHeld, KeyKept, KeyWarnings, KeyRetriedBy, KeyRetriedAt,
}

// The two ways in which access ends (KeyDeescalateType).
const (
	Scheduled = "scheduled"
	Manual    = "manual"
)

// AccessEvent gives the event that granting (EventEscalate) or taking away
// (EventDeescalate) becomes; id is the one reserved for it. Both follow from
// the approval and so are the approver's, unless somebody asked for the end.
func (r *Run) AccessEvent(name EventName, id string, at time.Time) Event {
	e := Event{ID: id, Name: name, Actor: r.Approver(), Channel: ChannelInternal, At: at}
	if name != EventDeescalate {
		return e
	}
	e.Fields = map[string]any{KeyDeescalateType: Scheduled}
	if asked, byHand := r.EndAsked(); byHand {
		e.Actor, e.Channel = asked.Actor, asked.Channel
		e.Fields[KeyDeescalateType] = Manual
	}
	return e
}
