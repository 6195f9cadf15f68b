package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestRetryInput(t *testing.T) {
	t.Parallel()
	roundTrip[events.RetryInput](t, "retry_input")
}

func TestRetryOutput(t *testing.T) {
	t.Parallel()
	roundTrip[events.RetryOutput](t, "retry_output")
}

func ExampleRetryInput() {
	body, _ := json.Marshal(events.RetryInput{RunID: "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000"})
	fmt.Println(string(body))
	// Output: {"run_id":"5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000"}
}

func ExampleRetryOutput() {
	const answer = `{"run_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000", "event_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0001", "request_body": {"run_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000"}}`
	var out events.RetryOutput
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("GET /api/v1/runs/" + out.RunID)
	// Output: GET /api/v1/runs/5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000
}
