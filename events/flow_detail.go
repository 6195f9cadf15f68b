package events

import "encoding/json"

// FlowDetail is the answer of GET /flows/{name}: a flow, and what its requests take.
type FlowDetail struct {
	FlowSummary
	// FlowInputs is a JSON Schema (draft 2020-12) of the flow_inputs of a request. The targets
	// are the constants of target_srn, with their labels as titles.
	FlowInputs json.RawMessage `json:"flow_inputs"`
}
