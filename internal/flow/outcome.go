package flow

import "time"

// RequestOutcome is how a request came out, as far as it has.
type RequestOutcome string

// The outcomes. They are stored: each has its own first letter.
const (
	OutcomeOpen      RequestOutcome = "open"
	OutcomeApproved  RequestOutcome = "approved"
	OutcomeDenied    RequestOutcome = "denied"
	OutcomeExpired   RequestOutcome = "expired"
	OutcomeCancelled RequestOutcome = "cancelled"
)

// Outcomes lists them all.
var Outcomes = []RequestOutcome{OutcomeOpen, OutcomeApproved, OutcomeDenied, OutcomeExpired, OutcomeCancelled}

// Outcome says how the request came out, and how long people took to decide it, in
// whole seconds, rounded up: 0 if they did not. An emergency is approved without a
// decision.
func (r *Run) Outcome() (RequestOutcome, time.Duration) {
	decision, ok := r.Decision()
	if !ok {
		return OutcomeOpen, 0
	}
	took := time.Duration(0)
	if asked, sent := r.Last(EventRequest); sent && decision.Actor.Kind == KindPerson && r.BreakGlass == nil {
		took = max((decision.At.Sub(asked.At) + time.Second - 1).Truncate(time.Second), time.Second)
	}
	switch decision.Name {
	case EventApprove:
		return OutcomeApproved, took
	case EventDeny:
		return OutcomeDenied, took
	case EventCancel:
		return OutcomeCancelled, 0
	}
	return OutcomeExpired, 0
}
