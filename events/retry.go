package events

// RetryInput is the body of POST /events/retry: it has a run's failed step tried
// again now, as the Retry button in Slack does.
type RetryInput struct {
	RunID string `json:"run_id"`
}

// RetryOutput is the answer to a RetryInput. Whether it works now is in the run,
// whose error is gone, or is a newer one.
type RetryOutput struct {
	RunID   string `json:"run_id"`
	EventID string `json:"event_id"` // of what failed, as the run lists it
	// RequestBody is the input as it was understood.
	RequestBody RetryInput `json:"request_body"`
}
