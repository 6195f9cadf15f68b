package events

import "encoding/json"

// FlowDetail is the answer of GET /flows/{name}: a flow, and what its requests take.
type FlowDetail struct {
	FlowSummary
	// FlowInputs is a JSON Schema (draft 2020-12) of the flow_inputs of a request. The targets
	// are the constants of target_srn, with their labels as titles.
	FlowInputs json.RawMessage `json:"flow_inputs"`
	// Agents says what agents may ask for; nil: they may not.
	Agents *FlowAgents `json:"agents,omitempty"`
}

// FlowAgents says what agents may ask for by a flow.
type FlowAgents struct {
	MaxDuration int64  `json:"max_duration,omitempty"` // in seconds; 0 where nothing is granted
	Purpose     string `json:"purpose"`                // required or optional
}
