package flow

import (
	"fmt"
	"time"
)

// WaitsFor says in plain words what has to happen before the run moves on, by whom and
// until when; "" for a run that is over.
func (r *Run) WaitsFor(now time.Time) string {
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	failed := func() string {
		text := "it failed: " + r.Error.Message
		if !r.Error.RetryAt.IsZero() {
			return text + fmt.Sprintf("; it is tried again at %s", at(r.Error.RetryAt))
		}
		return text + "; somebody has to repair that, and press Retry"
	}
	if r.Error != nil && (r.Stuck() || !r.Error.RetryAt.IsZero()) {
		return failed()
	}
	switch {
	case r.Status == Prompted && r.sent():
		return "to be sent to those who decide"
	case r.Status == Prompted:
		if reason, dismissed := r.Dismissed(); dismissed {
			return "nothing: its form can't be sent (" + reason.Message + ")"
		}
		return fmt.Sprintf("its form to be sent, until %s", at(r.Deadline()))
	case r.Status == Requested:
		text := fmt.Sprintf("%d more of %s to approve, or one of them to deny", max(r.Deciders.Required-len(r.Approvals), 1), r.Deciders.Names())
		if t := r.Tiers[min(r.Tier, len(r.Tiers)-1)]; t.unheard() {
			return text + "; those who are asked now have no message yet" + prefixed(": ", t.Undeliverable)
		}
		return text + fmt.Sprintf("; those who are asked now have until %s", at(r.Deadline()))
	case r.AwaitsStart():
		return fmt.Sprintf("its start at %s", at(r.StartAt))
	case r.Status == Approved && r.ApprovalOnly:
		return ""
	case r.Access.Live() && r.removing():
		if w := r.WaitsForTarget(EventDeescalate); w != nil {
			return "its target, which takes the access away: " + w.Text
		}
		return "its access to be taken away"
	case r.Status == Approved && r.WaitsForTarget(EventEscalate) != nil:
		return "its target: " + r.WaitsForTarget(EventEscalate).Text
	case r.Status == Approved && r.Postponed != nil:
		return fmt.Sprintf("its target, which does not answer; it is asked again at %s", at(r.Postponed.Until))
	case r.Status == Approved && r.Access != nil && r.Access.BusyUntil.After(now):
		return "another run, which is changing the same access"
	case r.Status == Approved:
		return "its access to be granted"
	case r.Status == Escalated && r.Access.End.IsZero():
		return "somebody to end its access"
	case r.Status == Escalated:
		text := fmt.Sprintf("the end of its access at %s", at(r.Access.End))
		if x := r.Deciding(now); x != nil {
			text += fmt.Sprintf("; and %s to decide about %s more", r.Deciders.Names(), Words(x.By()))
		}
		return text
	case r.AwaitsReview():
		return "a review of the emergency"
	}
	return ""
}

// prefixed is the text with something before it; "" where there is no text.
func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
