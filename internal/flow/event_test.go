package flow

import (
	"reflect"
	"slices"
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

// TestEventNames holds what the domain does with each event: whether hooks are
// asked about it, whether it decides a request, and whether it may fail as a step
// of its own.
func TestEventNames(t *testing.T) {
	t.Parallel()
	table := map[EventName]struct{ hooks, decides, fails bool }{
		EventPrompt:         {true, false, false},
		EventRequest:        {true, false, true},
		EventRequestForward: {true, false, true},
		EventRequestExpire:  {true, true, true},
		EventApprove:        {true, true, false},
		EventDeny:           {true, true, false},
		EventCancel:         {false, true, false}, // ours, so Sym's SDK has no hooks for it
		EventEscalate:       {true, false, true},
		EventExtendRequest:  {true, false, false},
		EventExtend:         {true, false, true},
		EventExtendDeny:     {true, false, false},
		EventExtendExpire:   {false, false, false}, // part of the end, whose hooks are told
		EventDeescalate:     {true, false, true},
		EventReview:         {true, false, false},
	}
	for _, name := range EventNames {
		want, ok := table[name]
		if !ok {
			t.Errorf("no row for %s", name)
			continue
		}
		if got := slices.Contains(hookEvents, name); got != want.hooks {
			t.Errorf("%s: has hooks %t, want %t", name, got, want.hooks)
		}
		if _, ruled := mayReturn[name]; ruled != want.hooks {
			t.Errorf("%s: a hook's answer is ruled %t, want %t", name, ruled, want.hooks)
		}
		r := Run{Events: []Event{{Name: name, State: StateCompleted}}}
		if _, got := r.Decision(); got != want.decides {
			t.Errorf("%s: decides %t, want %t", name, got, want.decides)
		}
		// No step of this run can fail now; those that never fail are refused as such.
		_, err := Apply(situations()["cancelled"].run, Fail{Step: name}, t0)
		if got := CodeOf(err) == CodeStale; got != want.fails {
			t.Errorf("%s: fails as a step %t, want %t (%v)", name, got, want.fails, err)
		}
	}
}
