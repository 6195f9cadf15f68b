package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestAPIError(t *testing.T) {
	t.Parallel()
	roundTrip[events.APIError](t, "api_error")
}

func ExampleAPIError() {
	const answer = `{"error": true, "message": "some fields are not right", "code": "Request:INVALID", "status_code": 400,
		"errors": [{"field": "flow_inputs.duration", "message": "is required"}], "is_retryable": false}`
	var refused events.APIError
	if err := json.Unmarshal([]byte(answer), &refused); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(refused.Code)
	for _, e := range refused.Errors {
		fmt.Println(e.Field, e.Message)
	}
	// Output:
	// Request:INVALID
	// flow_inputs.duration is required
}
