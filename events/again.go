package events

import (
	"encoding/json"
	"time"
)

// AgainInput is the body of POST /runs/{id}/again, which may be left out: it makes a
// request once more that was denied, expired or cancelled, or whose access has ended.
// What is not given is as it was asked for, but for the start, which is not repeated.
type AgainInput struct {
	// FlowInputs replaces some of the values, as in a RequestInput.
	FlowInputs map[string]any `json:"flow_inputs,omitempty"`
	// Context takes the place of the earlier one's.
	Context json.RawMessage `json:"context,omitempty"`
	// StartAt is when access is to start, where the flow allows it; nil: once it is
	// approved.
	StartAt *time.Time `json:"start_at,omitempty"`
	// Purpose is what an agent asks for it for, this time.
	Purpose string `json:"purpose,omitempty"`
}

// AgainOutput is the answer to an AgainInput.
type AgainOutput struct {
	RunID   string `json:"run_id"`   // of the new run
	EventID string `json:"event_id"` // of its request event
	// RequestBody is the input as it was understood.
	RequestBody AgainInput `json:"request_body"`
}
