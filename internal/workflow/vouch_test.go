package workflow_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// as is somebody as the workspace knows them now.
func (w *world) as(who store.User, role store.Role) {
	who.Role = role
	w.directory.users[who.SlackID] = who
}

// inputs are the form, as the API takes it.
var inputs = map[string]any{"reason": "deploy", "target_srn": "acme:access_target:fake:orders-db:latest", "duration": 600}

// wantClosed wants a run to be denied by the system, with its code, and nothing to
// have reached the target. It gives the denial.
func (w *world) wantClosed(id string, code flow.Code) flow.Event {
	w.t.Helper()
	r := w.want(id, flow.Denied)
	e, _ := r.Last(flow.EventDeny)
	if e.Actor.Kind != flow.KindSystem || len(e.Errors) != 1 || e.Errors[0].Code != code || e.Fields[flow.KeyDecisionMessage] != e.Errors[0].Message {
		w.t.Errorf("denied by %+v, want %s", e, code)
	}
	if r.Access != nil || w.target.calls["grant"] > 0 {
		w.t.Error("the target was called")
	}
	return e
}

// TestVouch_Decision: whoever may not ask any more is not granted, whoever
// approves it.
func TestVouch_Decision(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(w *world){
		"Deactivated": func(w *world) { w.as(asker, store.RoleDeactivated) },
		"Guest":       func(w *world) { w.as(asker, store.RoleGuest) },
		"Bot":         func(w *world) { w.as(asker, store.RoleBot) },
		"Unknown":     func(w *world) { delete(w.directory.users, asker.SlackID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("after_deny"))
			id := w.ask(asker, "a")
			lose(w)
			w.click(id, flow.ActionApprove, first)
			w.wantClosed(id, flow.CodeIneligible)
			w.wantHistory(id, "prompt request approve!Run:REQUESTER_INELIGIBLE deny")
			if last := w.handlers.asked[len(w.handlers.asked)-1]; last != "0004: after_deny" {
				t.Errorf("asked %v", w.handlers.asked)
			}
		})
	}
	t.Run("AtTheRequest", func(t *testing.T) { // the form was opened before
		t.Parallel()
		w := newWorld(t)
		r, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "a"), Flow: w.flow, Actor: asker})
		must(t, err)
		w.as(asker, store.RoleDeactivated)
		_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.form())
		must(t, err)
		w.settle()
		w.wantClosed(r.ID, flow.CodeIneligible)
		w.wantHistory(r.ID, "prompt request deny")
	})
	t.Run("ByARule", func(t *testing.T) { // when time is over
		t.Parallel()
		w := newWorld(t, defines("on_request_expire"))
		w.handlers.says["on_request_expire"] = []says{returned(flow.EventApprove, nil)}
		id := w.ask(asker, "a")
		w.as(asker, store.RoleDeactivated)
		w.pass(time.Hour)
		w.wantClosed(id, flow.CodeIneligible)
	})
	t.Run("Denied", func(t *testing.T) { // that needs nobody's standing
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.as(asker, store.RoleDeactivated)
		w.click(id, flow.ActionDeny, first)
		w.want(id, flow.Denied)
		w.wantHistory(id, "prompt request deny")
	})
	t.Run("BotAsItself", func(t *testing.T) { // is in no directory
		t.Parallel()
		w := newWorld(t)
		r, _, err := w.submit.RequestByAPI(t.Context(), workflow.APIRequest{Bot: bot, Token: store.Token{ID: "t", Owner: third.Email}, FlowSRN: flow.FlowSRN("acme", w.flow.Name, flow.Latest), Inputs: inputs})
		must(t, err)
		w.settle()
		w.click(r.ID, flow.ActionApprove, first)
		w.want(r.ID, flow.Escalated)
	})
	t.Run("SlackBot", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.as(asker, store.RoleBot)
		u := w.directory.users[asker.SlackID]
		if _, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "a"), Flow: w.flow, Actor: u}); flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("form: %v", err)
		}
		_, _, err := w.submit.RequestByAPI(t.Context(), workflow.APIRequest{
			Bot: bot, Token: store.Token{ID: "t", Owner: third.Email}, FlowSRN: flow.FlowSRN("acme", w.flow.Name, flow.Latest), Inputs: inputs, UserEmail: asker.Email,
		})
		if flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("API: %v", err)
		}
	})
}

// TestVouch_Grant: between the decision and the grant, an answer of the
// directory counts for a quarter of an hour.
func TestVouch_Grant(t *testing.T) {
	t.Parallel()
	// stuck is a run whose grant failed for good, hours ago.
	stuck := func(t *testing.T, edit ...func(*flow.Flow)) (*world, string) {
		w := newWorld(t, edit...)
		w.target.fates["grant"] = []fate{refused}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		if r := w.want(id, flow.Approved); r.Error == nil || r.Error.Retryable {
			t.Fatalf("error %+v", r.Error)
		}
		return w, id
	}
	retry := func(t *testing.T, w *world, id string) {
		t.Helper()
		_, err := w.submit.Retry(t.Context(), id, admin)
		must(t, err)
		w.settle()
	}
	t.Run("UsualPathAsksOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		r := w.want(id, flow.Escalated)
		if !r.Standing.At.Equal(began) {
			t.Errorf("standing %+v", r.Standing)
		}
	})
	t.Run("RetriedWithinTime", func(t *testing.T) {
		t.Parallel()
		w, id := stuck(t)
		w.pass(flow.StandingLasts - time.Minute)
		asked := w.directory.asked
		retry(t, w, id)
		w.want(id, flow.Escalated)
		if w.directory.asked != asked {
			t.Error("the directory was asked")
		}
	})
	t.Run("RetriedLater", func(t *testing.T) {
		t.Parallel()
		w, id := stuck(t)
		w.pass(flow.StandingLasts + time.Second)
		retry(t, w, id)
		r := w.want(id, flow.Escalated)
		if !r.Standing.At.Equal(w.clock.Now()) {
			t.Errorf("standing %+v at %v", r.Standing, w.clock.Now())
		}
	})
	t.Run("DeactivatedMeanwhile", func(t *testing.T) { // what may be at the target is taken away
		t.Parallel()
		w, id := stuck(t)
		w.pass(5 * time.Minute)
		w.as(asker, store.RoleDeactivated)
		w.clock.Advance(flow.StandingLasts)
		grants := w.target.calls["grant"]
		retry(t, w, id)
		r := w.want(id, flow.Deescalated)
		e, _ := r.Last(flow.EventDeescalate)
		if e.Actor.Kind != flow.KindSystem || e.Fields[flow.KeyDeescalateType] != flow.Manual || !strings.Contains(e.Fields[flow.KeyDecisionMessage].(string), "deactivated") {
			t.Errorf("ended by %+v", e)
		}
		if w.target.calls["grant"] != grants {
			t.Error("granted")
		}
		w.wantPresent()
		must(t, w.tell(id))
		if !slices.ContainsFunc(w.slack.sent, func(s string) bool { return strings.Contains(s, "#errors") && strings.Contains(s, "failed:") }) {
			t.Errorf("the error channel heard nothing: %v", w.slack.sent)
		}
	})
	t.Run("BeforeAnythingWasTouched", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		must(t, w.press(id, flow.ActionApprove, first))
		_, err := w.approval.Decide(t.Context(), id)
		must(t, err)
		w.clock.Advance(flow.StandingLasts + time.Second) // the execution was lost
		w.as(asker, store.RoleDeactivated)
		w.pass(2 * time.Minute)
		w.wantClosed(id, flow.CodeIneligible)
		w.wantHistory(id, "prompt request approve escalate!Run:REQUESTER_INELIGIBLE deny")
	})
	t.Run("FlowGone", func(t *testing.T) {
		t.Parallel()
		w, id := stuck(t)
		w.pass(flow.StandingLasts + time.Second)
		_, err := w.flows.Publish(t.Context(), flow.Author{}, nil)
		must(t, err)
		retry(t, w, id)
		w.want(id, flow.Deescalated)
	})
	t.Run("NoAnswer", func(t *testing.T) {
		t.Parallel()
		w, id := stuck(t, func(f *flow.Flow) { f.Params.ScheduleDeescalation = false })
		w.pass(flow.StandingLasts + time.Second)
		w.directory.fail[asker.SlackID] = errLookup
		for range 2 { // each Retry waits as long
			retry(t, w, id)
			w.pass(flow.StandingLasts - time.Minute)
			if r := w.want(id, flow.Approved); r.Error != nil {
				t.Fatalf("failed before its time: %+v", r.Error)
			}
			w.pass(5 * time.Minute)
			r := w.want(id, flow.Approved)
			if r.Error == nil || r.Error.Code != flow.CodeLookup || !r.Error.RetryAt.IsZero() {
				t.Fatalf("error %+v", r.Error)
			}
		}
		w.directory.fail = map[string]error{}
		retry(t, w, id)
		w.want(id, flow.Escalated)
	})
	t.Run("RemovalsAskNobody", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Escalated)
		w.directory.fail[""] = errLookup
		w.pass(grantedFor + time.Minute)
		w.want(id, flow.Deescalated)
	})
}

// TestVouch_Handlers: who may decide is asked of a flow's handlers again at
// the decision, about the request.
func TestVouch_Handlers(t *testing.T) {
	t.Parallel()
	permit := func(ids ...string) says {
		return says{answer: flow.Answer{Permissions: &flow.Permissions{ApproveDeny: flow.Permission{Users: ids}}}}
	}
	world := func(t *testing.T, later ...says) (*world, string) {
		w := newWorld(t, defines("get_permissions"))
		for _, u := range []store.User{asker, first, second} {
			remember(u)(w)
		}
		w.handlers.says["get_permissions"] = append([]says{permit(first.ID, second.ID)}, later...)
		return w, w.ask(asker, "a")
	}
	t.Run("Removed", func(t *testing.T) {
		t.Parallel()
		w, id := world(t, permit(second.ID), permit(second.ID))
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Requested)
		w.wantHistory(id, "prompt request approve!Auth:FORBIDDEN")
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Escalated)
		call := w.handlers.events[len(w.handlers.events)-1]
		if call.Event.Name != flow.EventRequest || !call.Event.Actor.Same(asker.Actor) {
			t.Errorf("asked about %+v", call.Event)
		}
	})
	t.Run("Raises", func(t *testing.T) { // the click is refused, and the request waits
		t.Parallel()
		w, id := world(t, raised("get_permissions"), permit(first.ID))
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Requested)
		w.wantHistory(id, "prompt request approve!SDK:HANDLER_ERROR")
		if e := last(t, w.run(id), flow.EventApprove); e.Errors[0].Handler != "get_permissions" {
			t.Errorf("error %+v", e.Errors)
		}
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Escalated)
	})
	t.Run("NobodyToAsk", func(t *testing.T) { // for minutes, however long ago the request was
		t.Parallel()
		w, id := world(t, unreachable, unreachable, permit(first.ID))
		w.pass(20 * time.Minute)
		w.click(id, flow.ActionApprove, first)
		w.pass(10 * time.Second)
		w.want(id, flow.Escalated)
	})
	t.Run("KeptWithTheClick", func(t *testing.T) { // a lost race asks nobody twice
		t.Parallel()
		w, id := world(t, permit(first.ID))
		must(t, w.press(id, flow.ActionApprove, first))
		w.directory.fail[first.SlackID] = errLookup
		if _, err := w.approval.Decide(t.Context(), id); err == nil {
			t.Fatal("decided without the directory")
		}
		asked := len(w.handlers.asked)
		w.directory.fail = map[string]error{}
		w.pass(10 * time.Second)
		w.want(id, flow.Escalated)
		if len(w.handlers.asked) != asked {
			t.Errorf("asked %v", w.handlers.asked)
		}
	})
}

// TestVouch_InForce: a decision takes both the version of the flow that the
// request was made with, and the one in force.
func TestVouch_InForce(t *testing.T) {
	t.Parallel()
	publish := func(t *testing.T, w *world, edit func(*flow.Flow)) {
		t.Helper()
		next := *w.flow
		edit(&next)
		_, err := w.flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{&next})
		must(t, err)
	}
	approvers := func(names ...string) func(*flow.Flow) {
		return func(f *flow.Flow) {
			f.Params.Approval.Approvers = nil
			for _, n := range names {
				f.Params.Approval.Approvers = append(f.Params.Approval.Approvers, "user:"+n+"@example.com")
			}
			f.Environment.Admins = nil
		}
	}
	t.Run("Approver", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvers("first", "second"))
		id := w.ask(asker, "a")
		publish(t, w, approvers("second", "third"))
		w.click(id, flow.ActionApprove, first)
		w.wantHistory(id, "prompt request approve!Auth:FORBIDDEN")
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Escalated)
	})
	t.Run("MembersNoMore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		publish(t, w, approvers("second"))
		w.click(id, flow.ActionApprove, first)
		w.wantHistory(id, "prompt request approve!Auth:FORBIDDEN")
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Escalated)
	})
	t.Run("AdminNoMore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Params.Approval.Approvers = []string{"user:first@example.com"} })
		id := w.ask(asker, "a")
		publish(t, w, func(f *flow.Flow) { f.Environment.Admins = nil })
		w.click(id, flow.ActionApprove, admin)
		w.wantHistory(id, "prompt request approve!Auth:FORBIDDEN")
	})
	t.Run("Required", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		publish(t, w, func(f *flow.Flow) { f.Params.Approval.Required = 2 })
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Requested)
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Escalated)
	})
	t.Run("SelfApproval", func(t *testing.T) {
		t.Parallel()
		self := func(on bool) func(*flow.Flow) {
			return func(f *flow.Flow) { f.Params.Approval.AllowSelfApproval = on }
		}
		w := newWorld(t, self(true))
		id := w.ask(asker, "a")
		publish(t, w, self(false))
		w.click(id, flow.ActionApprove, asker)
		w.wantHistory(id, "prompt request approve!Run:SELF_APPROVAL")
	})
	t.Run("Permissions", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		remember(second)(w)
		id := w.ask(asker, "a")
		publish(t, w, defines("get_permissions"))
		only := says{answer: flow.Answer{Permissions: &flow.Permissions{ApproveDeny: flow.Permission{Users: []string{second.ID}}}}}
		w.handlers.says["get_permissions"] = []says{only, only}
		w.click(id, flow.ActionApprove, first)
		w.wantHistory(id, "prompt request approve!Auth:FORBIDDEN")
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Escalated)
	})
	t.Run("AnotherAccount", func(t *testing.T) { // of the address that the other version names
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) {
			f.Params.Approval.Approvers, f.Environment.Admins = []string{"group:seniors"}, nil
		})
		former := first
		former.SlackID, former.Email = "U0FORMER", "" // so that the address leads to one of them only
		w.directory.users[former.SlackID] = former
		w.directory.groups["seniors"] = []string{former.SlackID, second.SlackID}
		id := w.ask(asker, "a")
		publish(t, w, approvers("first", "second"))
		w.click(id, flow.ActionApprove, former)
		w.wantHistory(id, "prompt request approve!Auth:FORBIDDEN")
		w.click(id, flow.ActionApprove, second)
		w.want(id, flow.Escalated)
	})
	t.Run("NobodyLeft", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, approvers("first"))
		id := w.ask(asker, "a")
		publish(t, w, approvers("second"))
		w.click(id, flow.ActionApprove, first)
		w.wantClosed(id, flow.CodeNoApprover)
	})
	t.Run("FlowGone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id, other := w.ask(asker, "a"), w.ask(asker, "b")
		_, err := w.flows.Publish(t.Context(), flow.Author{}, nil)
		must(t, err)
		w.click(id, flow.ActionApprove, first)
		w.wantClosed(id, flow.CodeWithdrawn)
		w.wantHistory(id, "prompt request approve!Flow:WITHDRAWN deny")
		w.click(other, flow.ActionDeny, first)
		w.wantHistory(other, "prompt request deny")
	})
	t.Run("FlowGoneWhileTheFormWasOpen", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		r, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "a"), Flow: w.flow, Actor: asker})
		must(t, err)
		_, err = w.flows.Publish(t.Context(), flow.Author{}, nil)
		must(t, err)
		_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.form())
		must(t, err)
		w.settle()
		w.wantClosed(r.ID, flow.CodeWithdrawn)
	})
}
