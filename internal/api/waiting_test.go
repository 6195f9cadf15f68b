package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// TestStatusOf_Waiting: a run says what it waits for, while nothing is wrong.
func TestStatusOf_Waiting(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	r := flow.Run{Status: flow.Approved, Access: &flow.Access{Waiting: &flow.Waiting{Step: flow.EventEscalate, Since: since, Text: "Number 3 in line."}}}
	if diff := cmp.Diff(&events.RunWaiting{Event: "escalate", Since: since, Text: "Number 3 in line."}, statusOf(r).Waiting); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Error = &flow.Failure{Message: "it failed"}
	if got := statusOf(r).Waiting; got != nil {
		t.Errorf("it failed, and waits for %+v", got)
	}
}
