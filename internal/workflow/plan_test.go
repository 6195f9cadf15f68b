package workflow

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// TestPlan_Events holds who is told of each event: those who decide in the thread of
// their card (told), the requester by a message of its own (outcome), whoever did it
// (refusal), the error channel (trouble).
func TestPlan_Events(t *testing.T) {
	t.Parallel()
	took := flow.Event{State: flow.StateCompleted}
	failed := flow.Event{State: flow.StateInProgress, Errors: []flow.Failure{{Code: flow.CodeStrategy, Message: "no"}}}
	ignored := flow.Event{State: flow.StateIntercepted, Errors: []flow.Failure{{Code: flow.CodeIgnored, Message: "not now"}}}
	raised := flow.Event{State: flow.StateInProgress, Errors: []flow.Failure{{Code: flow.CodeHandler, Handler: "on_event", Message: "KeyError"}}}
	table := map[flow.EventName]struct{ took, failed, ignored, raised string }{
		flow.EventPrompt:         {"", "", "", "trouble"},
		flow.EventRequest:        {"", "outcome trouble", "refusal", "outcome trouble"},
		flow.EventRequestForward: {"", "told outcome trouble", "refusal", "told outcome trouble"},
		flow.EventRequestExpire:  {"outcome", "", "refusal", "told outcome trouble"},
		flow.EventApprove:        {"", "refusal", "refusal", "told outcome refusal trouble"},
		flow.EventDeny:           {"outcome", "refusal", "refusal", "told outcome refusal trouble"},
		flow.EventCancel:         {"", "refusal", "refusal", "told outcome refusal trouble"},
		flow.EventEscalate:       {"outcome", "told outcome trouble", "refusal", "told outcome trouble"},
		flow.EventExtendRequest:  {"told", "refusal", "refusal", "told outcome refusal trouble"},
		flow.EventExtend:         {"told outcome", "refusal", "refusal", "told outcome refusal trouble"},
		flow.EventExtendDeny:     {"told outcome", "refusal", "refusal", "told outcome refusal trouble"},
		flow.EventExtendExpire:   {"told", "", "refusal", "told outcome trouble"}, // the end is told
		flow.EventDeescalate:     {"outcome", "told outcome trouble", "refusal", "told outcome trouble"},
		flow.EventReview:         {"told outcome", "refusal", "refusal", "told outcome refusal trouble"},
	}
	for _, name := range flow.EventNames {
		c, ok := table[name]
		if !ok {
			t.Errorf("no row for %s", name)
		}
		for _, s := range []struct {
			how  string
			e    flow.Event
			want string
		}{{"took place", took, c.took}, {"failed", failed, c.failed}, {"ignored", ignored, c.ignored}, {"raised", raised, c.raised}} {
			s.e.Name = name
			var told []string
			if isTold(s.e) {
				told = append(told, "told")
			}
			if isOutcome(flow.Run{Tiers: []flow.Tier{{}}}, s.e) {
				told = append(told, "outcome")
			}
			if isRefusal(s.e) {
				told = append(told, "refusal")
			}
			if IsTrouble(s.e) {
				told = append(told, "trouble")
			}
			if got := strings.Join(told, " "); got != s.want {
				t.Errorf("%s that %s: told by %q, want %q", name, s.how, got, s.want)
			}
		}
	}
}
