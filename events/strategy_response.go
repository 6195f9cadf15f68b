package events

import "encoding/json"

// StrategyResponse is what a strategy's Lambda function, or server, answers to
// an AuditRecord of type escalate or deescalate.
type StrategyResponse struct {
	// Body is an object of the function's own; handlers read it with
	// get_step_output()["body"].
	Body json.RawMessage `json:"body"`
	// Errors, if there are any, make the step fail; each is shown to people.
	Errors []string `json:"errors"`
}
