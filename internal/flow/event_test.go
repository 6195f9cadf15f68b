package flow

import (
	"reflect"
	"testing"
	"time"
)

// TestApply_Actors: who caused what. Escalate, and a scheduled deescalate, are
// consequences of the approval.
func TestApply_Actors(t *testing.T) {
	t.Parallel()
	all := situations()
	over := all["escalated, over"]
	scheduled := must(over.run, over.now, Claim{Owner: "w", Until: over.now.Add(time.Minute)}, Deescalate{Owner: "w"})
	submitted := all["submitted"].run
	rejected := must(submitted, t0, Reject{SignalID: submitted.Signals[0].ID, Reason: Failure{Message: "nobody could approve"}})
	failed := must(all["claimed"].run, t0, failing(EventDeescalate, CodeUnavailable, "no answer"))
	for _, c := range []struct {
		name string
		run  Run
		want map[EventName]Actor
	}{
		{"ended by hand", all["deescalated"].run, map[EventName]Actor{
			EventPrompt: requester, EventRequest: requester, EventApprove: approver, EventEscalate: approver, EventDeescalate: requester,
		}},
		{"ended by time", scheduled, map[EventName]Actor{
			EventPrompt: requester, EventRequest: requester, EventApprove: approver, EventEscalate: approver, EventDeescalate: approver,
		}},
		{"withdrawn", all["cancelled"].run, map[EventName]Actor{EventPrompt: requester, EventRequest: requester, EventCancel: requester}},
		{"never submitted", all["expired"].run, map[EventName]Actor{EventPrompt: requester, EventRequestExpire: System}},
		{"nobody could approve", rejected, map[EventName]Actor{EventPrompt: requester, EventRequest: requester, EventDeny: System}},
		{"forwarded", all["last tier"].run, map[EventName]Actor{EventPrompt: requester, EventRequest: requester, EventRequestForward: System}},
		{"what failed did not happen", failed, map[EventName]Actor{
			EventPrompt: requester, EventRequest: requester, EventApprove: approver, EventEscalate: approver,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.run.Actors(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("Actors() = %v\nwant %v", got, c.want)
			}
		})
	}
	for _, r := range []Run{failed, must(granting(t), t0, failing(EventEscalate, CodeUnavailable, "no answer"))} {
		if e := r.Events[len(r.Events)-1]; e.Name == EventEscalate && !e.Actor.Same(approver) || e.Name == EventDeescalate && !e.Actor.Same(requester) {
			t.Errorf("failed %s belongs to %v", e.Name, e.Actor)
		}
	}
}
