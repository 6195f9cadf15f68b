package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestRunList(t *testing.T) {
	t.Parallel()
	roundTrip[events.RunList](t, "run_list")
}

func ExampleRunList() {
	const answer = `{"runs": [{"status": "escalated", "requester": {"username": "alice@example.com"}}], "cursor": "eyJhZnRlciI6IjIwMjYtMDMtMDIifQ"}`
	var page events.RunList
	if err := json.Unmarshal([]byte(answer), &page); err != nil {
		fmt.Println(err)
		return
	}
	for _, run := range page.Runs {
		fmt.Println(run.Requester.Username, run.Status)
	}
	fmt.Println("more:", page.Cursor != "")
	// Output:
	// alice@example.com escalated
	// more: true
}
