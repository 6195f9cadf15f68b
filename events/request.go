package events

import (
	"encoding/json"
	"time"
)

// RequestInput is the body of POST /events/request: it starts a run of a flow
// and submits its request.
type RequestInput struct {
	FlowSRN string `json:"flow_srn"` // "<org>:flow:<name>:latest"
	// FlowInputs are the values of the flow's prompt fields by name. Access
	// flows take target_srn and duration (seconds) too; approval-only flows
	// take neither.
	FlowInputs map[string]any `json:"flow_inputs"`
	// Context is any JSON, at most 32 KB, that handlers read with
	// event.get_context("request").
	Context json.RawMessage `json:"context,omitempty"`
	// UserEmail or UserID name the person to ask for; with neither, the bot
	// that the token belongs to asks for itself. UserID is Slack's id of the
	// person, or ours.
	UserEmail string `json:"user_email,omitempty"`
	UserID    string `json:"user_id,omitempty"`
	// StartAt is when access is to start, where the flow allows it; nil: once it is
	// approved.
	StartAt *time.Time `json:"start_at,omitempty"`
	// Purpose is what an agent asks for this for, in a sentence. Others have none.
	Purpose string `json:"purpose,omitempty"`
}

// RequestOutput is the answer to a RequestInput.
type RequestOutput struct {
	RunID   string `json:"run_id"`
	EventID string `json:"event_id"` // of the request event
	// RequestBody is the input as it was understood.
	RequestBody RequestInput `json:"request_body"`
}
