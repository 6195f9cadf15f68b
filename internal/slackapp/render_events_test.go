package slackapp

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// TestRenderEvents holds what messages say of each event: to the requester when
// it took place and when it failed, to whoever did what did not count, and to the
// error channel. Empty is what no message tells of.
func TestRenderEvents(t *testing.T) {
	t.Parallel()
	const click, step = "Your click did not count", "A request ran into an error"
	table := map[flow.EventName]struct{ took, failed, refused, trouble string }{
		flow.EventPrompt:         {"", "", click, step},
		flow.EventRequest:        {"📨 Your request for *Orders database* has been sent.", "*could not be sent*", "Your request did not count", step},
		flow.EventRequestForward: {"⏭️ Your request for *Orders database* has been passed on", "*could not be delivered*", click, "A request can't be delivered"},
		flow.EventRequestExpire:  {"⌛ Your request for *Orders database* *expired*", "*should have expired*", click, step},
		flow.EventApprove:        {"*approved* your request for *Orders database*", "An attempt to decide your request for *Orders database* *failed*", "Your approval did not count", "A function at an approval failed"},
		flow.EventDeny:           {"*denied* your request for *Orders database*", "An attempt to decide your request for *Orders database* *failed*", "Your denial did not count", step},
		flow.EventCancel:         {"↩️ Your request for *Orders database* was withdrawn.", "An attempt to decide your request for *Orders database* *failed*", "Your withdrawal did not count", step},
		flow.EventEscalate:       {"🔓 Your request for *Orders database* was approved by", "*granting access failed*", click, "Granting access failed"},
		flow.EventExtendRequest:  {"⏱️", "An attempt to extend your access to *Orders database* *failed*", "Your wish for more time did not count", "Extending access failed"},
		flow.EventExtend:         {"*Your access* to *Orders database* *was extended*", "*could not be told*", "Your approval did not count", "A target can't be told that access ends later"},
		flow.EventExtendDeny:     {"denied* more time", "An attempt to extend your access to *Orders database* *failed*", "Your denial did not count", "Extending access failed"},
		flow.EventExtendExpire:   {"nobody decided", "An attempt to extend your access to *Orders database* *failed*", click, "Extending access failed"},
		flow.EventDeescalate:     {"🔒 *Your access* to *Orders database* *is over*", "*Taking your access* to *Orders database* *away failed*", click, "Taking access away failed"},
	}
	table[flow.EventReview] = struct{ took, failed, refused, trouble string }{"👀 <@U0BOB> *reviewed* your access to *Orders database*", "", "Your review did not count", step}
	failure := []flow.Failure{{Code: flow.CodeStrategy, Message: "no"}}
	for _, name := range flow.EventNames {
		want, ok := table[name]
		if !ok {
			t.Errorf("no row for %s", name)
			continue
		}
		for _, c := range []struct {
			kind workflow.Kind
			e    flow.Event
			want string
		}{
			{workflow.KindOutcome, flow.Event{State: flow.StateCompleted}, want.took},
			{workflow.KindOutcome, flow.Event{State: flow.StateInProgress, Errors: failure}, want.failed},
			{workflow.KindRefused, flow.Event{State: flow.StateInProgress, Errors: failure}, want.refused},
			{workflow.KindError, flow.Event{State: flow.StateInProgress, Errors: failure}, want.trouble},
		} {
			c.e.ID, c.e.Name, c.e.Actor = "event-1", name, person(bob, "Bob")
			r := request(t).r
			r.Events = append(r.Events, c.e)
			body, err := Render(workflow.Message{Kind: c.kind, EventID: c.e.ID}, r)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, c.kind, err)
			}
			checkLimits(t, body)
			if !strings.Contains(string(body), c.want) {
				t.Errorf("%s, %s, %s: want %q in %s", name, c.kind, c.e.State, c.want, body)
			}
		}
	}
}
