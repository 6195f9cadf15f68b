package events_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestFlowList(t *testing.T) {
	t.Parallel()
	roundTrip[events.FlowList](t, "flow_list")
}

func ExampleFlowList() {
	const answer = `{"flows": [
		{"srn": "acme:flow:prod-access:latest", "allowed_sources": null},
		{"srn": "acme:flow:run-report:latest", "allowed_sources": ["slack"]}
	]}`
	var list events.FlowList
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		fmt.Println(err)
		return
	}
	for _, flow := range list.Flows {
		if flow.AllowedSources == nil || slices.Contains(flow.AllowedSources, "api") {
			fmt.Println(flow.SRN)
		}
	}
	// Output: acme:flow:prod-access:latest
}
