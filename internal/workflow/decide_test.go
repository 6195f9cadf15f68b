package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// TestDecide_FirstWins: what queues up is taken in the order of the writes,
// and the others are told who won.
func TestDecide_FirstWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	must(t, w.press(id, flow.ActionDeny, first))
	must(t, w.press(id, flow.ActionApprove, second))
	must(t, w.press(id, flow.ActionApprove, second)) // a double click
	must(t, w.press(id, flow.ActionCancel, asker))
	w.settle()
	r := w.want(id, flow.Denied)
	w.wantHistory(id, "prompt request deny approve!Run:ALREADY_DECIDED cancel!Run:ALREADY_DECIDED")
	if said := r.Events[3].Errors[0].Message; said != "this request was already denied by first" {
		t.Errorf("told %q", said)
	}
	if err := w.press(id, flow.ActionApprove, third); flow.CodeOf(err) != flow.CodeDecided {
		t.Errorf("too late: %v", err)
	}
	w.pass(time.Hour)
	w.wantHistory(id, "prompt request deny approve!Run:ALREADY_DECIDED cancel!Run:ALREADY_DECIDED")
}

func TestDecide_NOfM(t *testing.T) {
	t.Parallel()
	approvers := []string{"user:first@example.com", "group:platform"}
	world := func(t *testing.T) (*world, string) {
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.Approvers, f.Params.Approval.Required = approvers, 2
			f.Environment.Admins = nil
		})
		w.directory.groups["platform"] = []string{second.SlackID, third.SlackID}
		return w, w.ask(asker, "a")
	}
	t.Run("DistinctPeople", func(t *testing.T) {
		t.Parallel()
		w, id := world(t)
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Requested)
		if err := w.press(id, flow.ActionApprove, first); flow.CodeOf(err) != flow.CodeDuplicate {
			t.Errorf("the same person once more: %v", err)
		}
		if err := w.press(id, flow.ActionApprove, asker); flow.CodeOf(err) != flow.CodeSelfApproval {
			t.Errorf("the requester: %v", err)
		}
		w.click(id, flow.ActionApprove, third)
		w.want(id, flow.Escalated)
		w.wantHistory(id, "prompt request approve~ approve escalate")
	})
	t.Run("FirstLeftTheWorkspace", func(t *testing.T) {
		t.Parallel()
		w, id := world(t)
		w.click(id, flow.ActionApprove, first)
		w.leave(first)
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Requested) // one of the two does not count any more
		w.click(id, flow.ActionApprove, third)
		w.want(id, flow.Escalated)
	})
	t.Run("SecondLeftTheGroup", func(t *testing.T) { // between the click and its turn
		t.Parallel()
		w, id := world(t)
		w.click(id, flow.ActionApprove, first)
		must(t, w.press(id, flow.ActionApprove, second))
		w.directory.groups["platform"] = []string{third.SlackID}
		w.settle()
		w.want(id, flow.Requested)
		w.wantHistory(id, "prompt request approve~ approve!Auth:FORBIDDEN")
		w.click(id, flow.ActionApprove, third)
		w.want(id, flow.Escalated)
	})
	t.Run("VanishedFromSlack", func(t *testing.T) {
		t.Parallel()
		w, id := world(t)
		must(t, w.press(id, flow.ActionDeny, second))
		delete(w.directory.users, second.SlackID)
		w.directory.groups["platform"] = []string{third.SlackID}
		w.settle()
		w.wantHistory(id, "prompt request deny!Auth:FORBIDDEN")
		w.want(id, flow.Requested)
	})
	t.Run("BecameGuest", func(t *testing.T) {
		t.Parallel()
		w, id := world(t)
		must(t, w.press(id, flow.ActionApprove, first))
		u := first
		u.Role = store.RoleGuest
		w.directory.users[first.SlackID] = u
		w.settle()
		w.wantHistory(id, "prompt request approve!Auth:FORBIDDEN")
	})
}

// TestDecide_LookupFails leaves the run as it was; but what can't be checked
// for minutes is refused, so that it holds up no later signal.
func TestDecide_LookupFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.directory.fail[first.SlackID] = errLookup
	must(t, w.press(id, flow.ActionApprove, first))
	must(t, w.press(id, flow.ActionCancel, asker))
	before := w.run(id)
	_, err := w.approval.Decide(t.Context(), id)
	if _, again := errors.AsType[*workflow.Retry](err); !again || w.run(id).Rev != before.Rev {
		t.Fatalf("error %v, revision %d, want %d", err, w.run(id).Rev, before.Rev)
	}
	w.pass(4 * time.Minute)
	w.want(id, flow.Requested)
	w.wantHistory(id, "prompt request")
	w.pass(10 * time.Minute)
	w.want(id, flow.Cancelled)
	w.wantHistory(id, "prompt request approve!Directory:LOOKUP_FAILED cancel")
	w.wantPresent()

	w = newWorld(t) // one that passes soon is not noticed
	id = w.ask(asker, "a")
	w.directory.fail[""] = errLookup
	must(t, w.press(id, flow.ActionApprove, first))
	w.pass(10 * time.Second)
	w.directory.fail = map[string]error{}
	w.pass(30 * time.Second)
	w.want(id, flow.Escalated)
}

func approvalFlow(f *flow.Flow) {
	f.Strategy = nil
	f.Params.OnApprove = &flow.LambdaCall{ARN: "on", Payload: map[string]any{"why": "fields.reason"}}
	f.Params.AfterApprove = &flow.LambdaCall{ARN: "after", Payload: map[string]any{"by": "approver.email"}}
}

func TestDecide_Functions(t *testing.T) {
	t.Parallel()
	failed := flow.Errorf(flow.CodeHandler, "the function said: no such table")
	t.Run("Well", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvalFlow)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		r := w.want(id, flow.Approved)
		if got := strings.Join(w.functions.asked, "; "); got != `on {"why":"incident"}; after {"by":"first@example.com"}` {
			t.Errorf("asked %s", got)
		}
		if e, _ := r.Last(flow.EventApprove); string(e.Output) != `{"after_approve":{"ok":true},"on_approve":{"ok":true}}` {
			t.Errorf("output %s", e.Output)
		}
		if !r.Due.IsZero() || r.Execution.Active {
			t.Errorf("due %s, execution %+v", r.Due, r.Execution)
		}
	})
	t.Run("OnApproveFails", func(t *testing.T) { // it stops the approval, not the request
		t.Parallel()
		w := newWorld(t, approvalFlow)
		w.functions.answers["on"] = []answer{{err: failed}}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		r := w.want(id, flow.Requested)
		w.wantHistory(id, "prompt request approve!Handler:FAILED")
		if said := r.Events[2].Errors[0].Message; said != "on_approve: the function said: no such table" {
			t.Errorf("said %q", said)
		}
		w.pass(10 * time.Minute)
		if len(w.functions.asked) != 1 {
			t.Errorf("asked %v", w.functions.asked)
		}
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Approved)
	})
	bubble(t, "OnApproveTooLate", func(t *testing.T) {
		w := newWorld(t, approvalFlow)
		w.functions.answers["on"] = []answer{{hangs: true}}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.wantHistory(id, "prompt request approve!Handler:FAILED")
		if said := w.run(id).Events[2].Errors[0].Message; said != "on_approve: the function did not answer within 1m0s" {
			t.Errorf("said %q", said)
		}
	})
	t.Run("OnlyTheLastOfNAsks", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvalFlow, func(f *flow.Flow) { f.Params.Approval.Required = 2 })
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		if len(w.functions.asked) != 0 {
			t.Errorf("asked %v before it counts", w.functions.asked)
		}
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Approved)
		if len(w.functions.asked) != 2 {
			t.Errorf("asked %v", w.functions.asked)
		}
	})
	t.Run("DenialsAskNobody", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvalFlow)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionDeny, first)
		w.want(id, flow.Denied)
		if len(w.functions.asked) != 0 {
			t.Errorf("asked %v", w.functions.asked)
		}
	})
	t.Run("AfterApproveFails", func(t *testing.T) { // reported, and nothing else
		t.Parallel()
		w := newWorld(t, approvalFlow)
		w.functions.answers["after"] = []answer{{err: failed}}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		r := w.want(id, flow.Approved)
		e, _ := r.Last(flow.EventApprove)
		if len(e.Errors) != 1 || !strings.HasPrefix(e.Errors[0].Message, "after_approve: ") {
			t.Errorf("event %+v", e)
		}
		if r.Error != nil || !r.Due.IsZero() {
			t.Errorf("error %+v, due %s", r.Error, r.Due)
		}
	})
	t.Run("AfterApproveRunAgain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvalFlow, func(f *flow.Flow) {
			f.Params.OnApprove = nil
			f.Params.AfterApprove = &flow.LambdaCall{ARN: "after", Payload: map[string]any{"key": "event.id"}}
		})
		w.functions.answers["after"] = []answer{{err: failed}, {err: failed}}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		r := w.want(id, flow.Approved)
		e := last(t, r, flow.EventApprove)
		once := fmt.Sprintf("after {%q:%q}", "key", e.ID)
		w.pass(5 * time.Minute)
		if got := strings.Join(w.functions.asked, "; "); got != once || len(r.StuckAfter()) != 1 {
			t.Fatalf("asked %s, which waits for Retry: %v", got, r.StuckAfter())
		}
		gone := first
		gone.Role = store.RoleDeactivated
		for _, who := range []store.User{second, gone} {
			if _, err := w.submit.Retry(t.Context(), id, who); flow.CodeOf(err) != flow.CodeForbidden {
				t.Errorf("Retry by %s (%s): %v", who.Display(), who.Role, err)
			}
		}
		for i, who := range []store.User{first, asker} {
			_, err := w.submit.Retry(t.Context(), id, who)
			must(t, err)
			_, err = w.submit.Retry(t.Context(), id, who) // a double click
			must(t, err)
			w.settle()
			if got := strings.Join(w.functions.asked, "; "); got != once+strings.Repeat("; "+once, i+1) {
				t.Errorf("asked %s", got)
			}
		}
		r = w.want(id, flow.Approved)
		e = last(t, r, flow.EventApprove)
		if !r.Overcome(e) || len(r.After) > 0 || string(e.Output) != `{"after_approve":{"ok":true}}` || e.Fields[flow.KeyRetriedBy] != asker.Display() {
			t.Errorf("it worked, and the event is %+v", e)
		}
		before := r.Rev
		if _, err := w.submit.Retry(t.Context(), id, first); err != nil || w.run(id).Rev != before {
			t.Errorf("a Retry of nothing: %v", err)
		}
	})
	t.Run("NoJSON", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvalFlow)
		w.functions.answers["on"] = []answer{{body: "done, thanks"}}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Approved)
	})
}

// TestDecide_FunctionRunsOnce: the answer is kept before it is applied, so that
// a write that conflicts does not ask again, nor does a crash after it.
func TestDecide_FunctionRunsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, approvalFlow)
	id := w.ask(asker, "a")
	w.functions.during = func() {
		w.functions.during = nil
		must(t, w.press(id, flow.ActionDeny, second)) // the run changes while the function runs
	}
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Approved)
	w.wantHistory(id, "prompt request approve deny!Run:ALREADY_DECIDED")
	if got := strings.Join(w.functions.asked, "; "); strings.Count(got, "on ") != 1 || strings.Count(got, "after ") != 1 {
		t.Errorf("asked %s", got)
	}

	// Crashes: between the answer being kept and applied, and everywhere else.
	for n := range 12 {
		for _, after := range []bool{false, true} {
			w := newWorld(t, approvalFlow)
			id := w.ask(asker, "a")
			w.process.left, w.process.after = n, after
			w.click(id, flow.ActionApprove, first)
			w.pass(10 * time.Minute)
			w.want(id, flow.Approved)
			w.wantHistory(id, "prompt request approve")
			kept := 0
			for _, asked := range w.functions.asked {
				if strings.HasPrefix(asked, "on ") {
					kept++
				}
			}
			// Only a crash before the answer was kept may ask twice.
			if most := 2; kept > most || after && n >= 1 && kept > 1 {
				t.Errorf("crash at %d (after %t): on_approve was asked %d times", n, after, kept)
			}
		}
	}
}

// TestDecide_Unchanged: a decision that is not there any more is not taken.
func TestDecide_Unchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	next, err := w.approval.Decide(t.Context(), id)
	if next != flow.StepAwait || err != nil {
		t.Errorf("nothing to decide: %s, %v", next, err)
	}
	must(t, w.press(id, flow.ActionApprove, first))
	w.target.hook = func(context.Context) { // another one decides it between our read and our write
		w.target.hook = nil
		_, err := w.approval.Decide(t.Context(), id)
		must(t, err)
	}
	if next, err := w.approval.Decide(t.Context(), id); next != flow.StepEscalate || err != nil {
		t.Errorf("decided twice: %s, %v", next, err)
	}
	w.wantHistory(id, "prompt request approve")
}
