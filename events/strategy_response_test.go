package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestStrategyResponse(t *testing.T) {
	t.Parallel()
	roundTrip[events.StrategyResponse](t, "strategy_response")
}

func ExampleStrategyResponse() {
	granted, _ := json.Marshal(events.StrategyResponse{Body: json.RawMessage(`{"username":"alice_5f0c"}`), Errors: []string{}})
	refused, _ := json.Marshal(events.StrategyResponse{Body: json.RawMessage(`{}`), Errors: []string{"no such database"}})
	fmt.Println(string(granted))
	fmt.Println(string(refused))
	// Output:
	// {"body":{"username":"alice_5f0c"},"errors":[]}
	// {"body":{},"errors":["no such database"]}
}
