package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestFlowDetail(t *testing.T) {
	t.Parallel()
	roundTrip[events.FlowDetail](t, "flow_detail")
}

func ExampleFlowDetail() {
	const answer = `{"name": "run-report", "flow_inputs": {"type": "object", "required": ["table"]}}`
	var detail events.FlowDetail
	var inputs struct{ Required []string }
	if err := json.Unmarshal([]byte(answer), &detail); err != nil {
		fmt.Println(err)
		return
	}
	if err := json.Unmarshal(detail.FlowInputs, &inputs); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(detail.Name, inputs.Required)
	// Output: run-report [table]
}
