package events

import "time"

// Values of EventStatus.Status.
const (
	EventSuccess = "success" // it has taken place
	EventError   = "error"   // it was refused, or failed and is not tried again by itself
	EventPending = "pending" // not over yet: ask again
)

// EventStatus is the answer of GET /events/{event_id}.
type EventStatus struct {
	RunID     string    `json:"run_id"`
	Name      string    `json:"name"` // "request", "deescalate", …
	Timestamp time.Time `json:"timestamp"`
	Status    string    `json:"status"`
	// Error says what went wrong, and Code of what kind it is. A pending event
	// has them if its last attempt failed and another one will follow.
	Error string `json:"error,omitempty"`
	Code  string `json:"code,omitempty"`
}
