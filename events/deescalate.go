package events

// DeescalateInput is the body of POST /events/deescalate: it takes away the
// access of a run that is escalated.
type DeescalateInput struct {
	RunID string `json:"run_id"`
}

// DeescalateOutput is the answer to a DeescalateInput. The access is gone once
// the event's status is "success".
type DeescalateOutput struct {
	EventID string `json:"event_id"` // of the deescalate event
	// RequestBody is the input as it was understood.
	RequestBody DeescalateInput `json:"request_body"`
}
