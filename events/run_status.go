package events

import "time"

// RunStatus is the answer of GET /runs/{run_id}.
type RunStatus struct {
	RunID string `json:"run_id"`
	// Status is prompted, requested, approved, denied, expired, cancelled,
	// escalated or deescalated.
	Status    string     `json:"status"`
	SRN       string     `json:"srn"`
	FlowSRN   string     `json:"flow_srn"` // the version that the run started with
	Requester AuditActor `json:"requester"`
	// Submitter is the bot or the colleague who asked for the requester; nil where they asked
	// themselves.
	Submitter *AuditActor `json:"submitter,omitempty"`
	// TokenOwner is the person who answers for the token that asked; nil where
	// people asked, or it has none.
	TokenOwner *AuditActor `json:"token_owner,omitempty"`
	// Purpose is what an agent said it asks for this for; "" where none asked.
	Purpose string `json:"purpose,omitempty"`
	// Repeats is the id of the run whose request is made once more with this one; "" for
	// none.
	Repeats string `json:"repeats,omitempty"`
	// Permalink leads to the message in Slack, in a channel, by which those who decide were
	// asked; "" if there is none. Lists of runs leave it out.
	Permalink string `json:"permalink,omitempty"`
	// Fields is what was asked for, as in audit records: the prompt fields,
	// duration in seconds, target_id and target.
	Fields    map[string]any `json:"fields"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	// BreakGlass says how access was had without approval, in an emergency; nil where
	// it was none.
	BreakGlass *RunBreakGlass `json:"break_glass,omitempty"`
	// StartAt is when access was asked to start; nil: once it is approved.
	StartAt *time.Time `json:"start_at,omitempty"`
	// ExpiresAt is when live access ends; nil where there is none, or only by hand.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Entitlements says how each stands of several targets that were asked for by
	// lists; nil where it was one, and before they are granted.
	Entitlements []RunEntitlement `json:"entitlements,omitempty"`
	// Waiting says what granting, or taking away, waits for, while nothing is wrong.
	Waiting *RunWaiting `json:"waiting,omitempty"`
	// Error is the failure that keeps the run from going on.
	Error *AuditError `json:"error,omitempty"`
	// Events is what happened so far, oldest first. Lists of runs leave it out.
	Events []RunEvent `json:"events,omitempty"`
}

// RunBreakGlass is that a run's access was asked for in an emergency, without approval.
type RunBreakGlass struct {
	ApprovalsSkipped int  `json:"approvals_skipped"` // 0 until it is granted
	Reviewed         bool `json:"reviewed"`          // somebody else has looked at it since
}

// RunWaiting is that a step of a run waits for its target: for work that goes on
// there, for its turn, or for something that the requester has to do.
type RunWaiting struct {
	Event string    `json:"event"` // escalate or deescalate
	Since time.Time `json:"since"`
	Text  string    `json:"text"` // for people
}

// RunEntitlement is how one of several targets of a run stands.
type RunEntitlement struct {
	Settings map[string]string `json:"settings"` // those that lists of the form filled in
	State    string            `json:"state"`    // waiting, granted, failed, missing, removed or kept
	Error    string            `json:"error,omitempty"`
	Waiting  string            `json:"waiting,omitempty"` // what it waits for, for people
}

// RunEvent is one event of a run. Pending ones come last.
type RunEvent struct {
	EventID   string     `json:"event_id"`
	Name      string     `json:"name"`
	Timestamp time.Time  `json:"timestamp"`
	Status    string     `json:"status"`  // as in EventStatus
	Channel   string     `json:"channel"` // slack, sym (API), sdk, internal
	Actor     AuditActor `json:"actor"`
	Error     string     `json:"error,omitempty"`
	Code      string     `json:"code,omitempty"`
}
