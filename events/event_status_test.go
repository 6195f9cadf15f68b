package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestEventStatus(t *testing.T) {
	t.Parallel()
	roundTrip[events.EventStatus](t, "event_status")
}

func ExampleEventStatus() {
	const answer = `{"name": "request", "status": "error", "error": "requests are closed on Sundays", "code": "Handler:FAILED"}`
	var event events.EventStatus
	if err := json.Unmarshal([]byte(answer), &event); err != nil {
		fmt.Println(err)
		return
	}
	switch event.Status {
	case events.EventSuccess:
		fmt.Println("done")
	case events.EventError:
		fmt.Println(event.Name, "failed:", event.Error)
	default:
		fmt.Println("ask again in a few seconds")
	}
	// Output: request failed: requests are closed on Sundays
}
