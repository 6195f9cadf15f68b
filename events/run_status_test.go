package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestRunStatus(t *testing.T) {
	t.Parallel()
	roundTrip[events.RunStatus](t, "run_status")
}

// A pipeline goes on only if the run was approved, whoever pressed its button.
func ExampleRunStatus() {
	const answer = `{"run_id": "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000", "status": "escalated"}`
	var run events.RunStatus
	if err := json.Unmarshal([]byte(answer), &run); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.Status == "approved" || run.Status == "escalated")
	// Output: true
}
