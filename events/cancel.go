package events

// CancelOutput is the answer of POST /runs/{id}/cancel, which takes no body: it withdraws
// a request that is open, or access that was approved and of which nothing has begun.
type CancelOutput struct {
	RunID   string `json:"run_id"`
	EventID string `json:"event_id"` // of the cancel event
}
