package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestRequestInput(t *testing.T) {
	t.Parallel()
	roundTrip[events.RequestInput](t, "request_input")
}

func TestRequestOutput(t *testing.T) {
	t.Parallel()
	roundTrip[events.RequestOutput](t, "request_output")
}

func ExampleRequestInput() {
	body, _ := json.Marshal(events.RequestInput{
		FlowSRN:    "acme:flow:run-report:latest",
		FlowInputs: map[string]any{"table": "orders"},
		UserEmail:  "alice@example.com",
	})
	fmt.Println(string(body))
	// Output: {"flow_srn":"acme:flow:run-report:latest","flow_inputs":{"table":"orders"},"user_email":"alice@example.com"}
}

func ExampleRequestOutput() {
	const answer = `{"run_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000", "event_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0001"}`
	var out events.RequestOutput
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("GET /api/v1/runs/" + out.RunID)
	// Output: GET /api/v1/runs/5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000
}
