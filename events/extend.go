package events

// ExtendInput is the body of POST /runs/{id}/extend: it asks for more time before the
// access of a run ends.
type ExtendInput struct {
	Duration int64  `json:"duration"` // by how much later it is to end, in seconds
	Reason   string `json:"reason,omitempty"`
}

// ExtendOutput is the answer to an ExtendInput. Whether there is more time is decided
// after that: the run's expires_at tells, and its events extend and extend_deny.
type ExtendOutput struct {
	RunID   string `json:"run_id"`
	EventID string `json:"event_id"` // of the extend_request event
	// RequestBody is the input as it was understood.
	RequestBody ExtendInput `json:"request_body"`
}
