package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestDeescalateInput(t *testing.T) {
	t.Parallel()
	roundTrip[events.DeescalateInput](t, "deescalate_input")
}

func TestDeescalateOutput(t *testing.T) {
	t.Parallel()
	roundTrip[events.DeescalateOutput](t, "deescalate_output")
}

func ExampleDeescalateInput() {
	body, _ := json.Marshal(events.DeescalateInput{RunID: "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000"})
	fmt.Println(string(body))
	// Output: {"run_id":"5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000"}
}

func ExampleDeescalateOutput() {
	const answer = `{"event_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0004", "request_body": {"run_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000"}}`
	var out events.DeescalateOutput
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("GET /api/v1/events/" + out.EventID)
	// Output: GET /api/v1/events/5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0004
}
