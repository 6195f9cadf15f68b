package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// EventName names what happened, in Sym's words (and ours: "cancel", "review" and those about "extend").
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
	EventExtendRequest  EventName = "extend_request"
	EventExtend         EventName = "extend"
	EventExtendDeny     EventName = "extend_deny"
	EventExtendExpire   EventName = "extend_expire" // nobody decided before the end
	EventDeescalate     EventName = "deescalate"
	EventReview         EventName = "review"
)

// EventNames lists them all, in the order of a run's life.
var EventNames = []EventName{
	EventPrompt, EventRequest, EventRequestForward, EventRequestExpire,
	EventApprove, EventDeny, EventCancel, EventEscalate,
	EventExtendRequest, EventExtend, EventExtendDeny, EventExtendExpire, EventDeescalate, EventReview,
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
	// Given is what is given from this event on, where the event before gave something
	// else; as it was asked for if it is empty.
	Given *Given `json:"given,omitempty"`
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
	KeyTargetIdentity  = "target_identity"  // who the requester is at the target, where that is not their e-mail address
	KeyDecisionMessage = "decision_message" // what was said with a decision, or with the wish to end access
	KeyAsked           = "asked"            // of an approval that gives something else: what was asked for of it, by the names of fields
	KeyVoided          = "voided"           // ids of earlier approvals that do not count any more, because another target is given
	KeyForwardReason   = "forward_reason"   // ActionTimeout or ActionUndeliverable
	KeyForwardMessage  = "forward_message"  // why the tier could not be reached
	KeyExpiresAt       = "expires_at"       // when access will end, in RFC 3339
	KeyExtendBy        = "extend_by"        // by how much access was to end later, or does, in seconds
	KeyExtendReason    = "extend_reason"    // why, as whoever asked for it wrote
	KeyDeescalateType  = "deescalate_type"  // Scheduled or Manual
	KeyStillHeld       = "still_held"       // keys of entitlements that stay because other runs hold them
	KeyKept            = "kept"             // keys of entitlements that stay because they predate us
	KeyStillGrantedBy  = "still_granted_by" // what else gives the same access, for people
	KeyLingering       = "lingering"        // when access was seen that a removal had left: this one took it away, in RFC 3339
	KeyAgain           = "again"            // true: granted once more, because it had gone missing at the target
	KeyWarnings        = "warnings"         // what the target said beside its success
	KeyEntitlements    = "entitlements"     // how each of several targets stands: its settings, state and error
	KeyRetriedBy       = "retried_by"       // who pressed Retry, as people read it
	KeyRetriedAt       = "retried_at"       // when, in RFC 3339

	KeyBreakGlass       = "break_glass"       // true: in an emergency, without approval
	KeyApprovalsSkipped = "approvals_skipped" // how many approvals it would have taken otherwise
	KeyStartAt          = "start_at"          // when access is to start, in RFC 3339
)

// EventKeys lists them all.
var EventKeys = []string{
	KeyTarget, KeyTargetSRN, KeyTargetIdentity, KeyDecisionMessage, KeyAsked, KeyVoided, KeyForwardReason, KeyForwardMessage, KeyExpiresAt, KeyExtendBy, KeyExtendReason,
	KeyDeescalateType, KeyStillHeld, KeyKept, KeyStillGrantedBy, KeyLingering, KeyAgain, KeyWarnings, KeyEntitlements, KeyRetriedBy, KeyRetriedAt,
	KeyBreakGlass, KeyApprovalsSkipped, KeyStartAt,
}

// The two ways in which access ends (KeyDeescalateType).
const (
	Scheduled = "scheduled"
	Manual    = "manual"
)

// nextID reserves the id of the run's next event.
func (r *Run) nextID() string {
	r.Seq++
	return EventID(r.ID, r.Seq)
}

// record appends an event as part of the coming write.
func (r *Run) record(e Event) {
	e.Rev = r.Rev + 1
	if e.Given = nil; !r.Given.same(givenIn(r.Events)) {
		e.Given = &Given{}
		if r.Given != nil {
			*e.Given = *r.Given
		}
	}
	if len(e.Fields) == 0 {
		e.Fields = nil
	}
	r.Events = append(r.Events, e)
}

// amend changes an event as part of the coming write.
func (r *Run) amend(id string, change func(*Event)) {
	for i := range r.Events {
		if r.Events[i].ID == id {
			change(&r.Events[i])
			r.Events[i].Rev = r.Rev + 1
			return
		}
	}
}

// set gives the event a field, and leaves the map alone that it had its fields from.
func (e *Event) set(key string, value any) {
	fields := maps.Clone(e.Fields)
	if fields == nil {
		fields = map[string]any{}
	}
	fields[key] = value
	e.Fields = fields
}

// clipOutput keeps an answer within MaxOutputBytes; a longer one is replaced
// by a note that says so, since half of a JSON text can't be read. What is not
// JSON is kept as text, so that the run can always be written.
func clipOutput(b json.RawMessage) json.RawMessage {
	if len(b) > 0 && !json.Valid(b) {
		b, _ = EncodeJSON(string(b)) // a string can't fail
	}
	if len(b) <= MaxOutputBytes {
		return b
	}
	note, _ := EncodeJSON(map[string]any{
		"truncated": true, "bytes": len(b), "start": string([]rune(string(b[:1024]))),
	})
	return note
}

// Limits of the warnings that an event keeps.
const (
	maxWarnings     = 20
	maxWarningRunes = 500
)

// clipWarnings keeps warnings few and short, whatever a target sends.
func clipWarnings(in []string) []string {
	var out []string
	for _, w := range in[:min(len(in), maxWarnings)] {
		out = append(out, Clip(w, maxWarningRunes))
	}
	if more := len(in) - maxWarnings; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}
