package slackapp

import (
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// TestWaiting_Messages: a message says what a grant or a removal waits for, and
// what the target's side writes can't be a mention.
func TestWaiting_Messages(t *testing.T) {
	t.Parallel()
	target := accessFlow().Strategy.Targets[0]
	for step, status := range map[flow.EventName]flow.Status{flow.EventEscalate: flow.Approved, flow.EventDeescalate: flow.Escalated} {
		r := flow.Run{ID: "r", Status: status, Target: &target, Access: &flow.Access{
			Strategy: *accessFlow().Strategy, Target: target, End: start.Add(time.Hour),
			Waiting: &flow.Waiting{Step: step, Since: start, Text: "Number 3 in line <!channel>."},
		}}
		if step == flow.EventDeescalate {
			r.Access.Removal.EventID = "e"
		}
		for _, kind := range []workflow.Kind{workflow.KindRequest, workflow.KindStatus} {
			text := written(t, r, kind)
			if !strings.Contains(text, "Number 3 in line") || strings.Contains(text, `\u003c!channel`) {
				t.Errorf("%s of %s: %s", kind, step, text)
			}
		}
	}
}
