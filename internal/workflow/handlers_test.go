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

// wantAsked checks which handlers were asked, in which calls.
func (w *world) wantAsked(want ...string) {
	w.t.Helper()
	if got := w.handlers.asked; !slices.Equal(got, want) {
		w.t.Errorf("asked\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// last is the newest event of a name, whatever became of it.
func last(t *testing.T, r flow.Run, name flow.EventName) flow.Event {
	t.Helper()
	for _, e := range slices.Backward(r.Events) {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("no event %s among %s", name, history(r))
	return flow.Event{}
}

var everyHook = []string{
	"on_prompt", "after_prompt", "on_request", "after_request", "on_approve", "after_approve", "on_deny", "after_deny",
	"on_escalate", "after_escalate", "on_deescalate", "after_deescalate", "get_permissions",
}

// TestHandlers_Order: a step's handlers are one call, before it; its
// after-hook is another one, when it is durable. After the request, that is
// when its message has arrived.
func TestHandlers_Order(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines(everyHook...))
	w.handlers.says["on_request"] = []says{{answer: flow.Answer{Permissions: &flow.Permissions{ApproveDeny: flow.Permission{Level: flow.LevelMember}}}}}
	id := w.ask(asker, "a")
	before := []string{"0001: on_prompt", "0002: on_request get_permissions", "0001: after_prompt"} // they come in one go here
	w.wantAsked(before...)
	must(t, w.tell(id))
	w.settle()
	w.wantAsked(append(before, "0002: after_request")...)
	w.click(id, flow.ActionApprove, first)
	w.pass(grantedFor + time.Minute)
	w.want(id, flow.Deescalated)
	w.wantAsked(append(before, "0002: after_request", "0002: get_permissions", "0003: on_approve", "0003: after_approve",
		"0004: on_escalate", "0004: after_escalate", "0005: on_deescalate", "0005: after_deescalate")...)
	w.wantHistory(id, "prompt request approve escalate deescalate")
	w.wantPresent()
	for i, c := range w.handlers.events {
		if c.Event.Actor.ID == "" || c.Event.At.IsZero() || c.Flow.Name != w.flow.Name || c.Run.ID != id {
			t.Errorf("call %d: %+v", i, c.Event)
		}
	}
}

// TestHandlers_None: a flow without an implementation asks no handlers.
func TestHandlers_None(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.pass(grantedFor + time.Minute)
	w.want(id, flow.Deescalated)
	w.wantAsked()
}

func TestHandlers_AutoApprove(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("on_request", "after_request", "after_approve"))
	w.handlers.says["on_request"] = []says{returned(flow.EventApprove, map[string]any{"reason": "on call"})}
	id := w.ask(asker, "a")
	r := w.want(id, flow.Escalated)
	w.wantHistory(id, "prompt request~ approve escalate")
	if e := last(t, r, flow.EventApprove); e.Channel != flow.ChannelSDK || e.Actor.Kind != flow.KindSystem || e.Fields["reason"] != "on call" {
		t.Errorf("approve event %+v", e)
	}
	if got := r.Actors()[flow.EventRequest]; !got.Same(asker.Actor) {
		t.Errorf("the request is %+v's", got)
	}
	must(t, w.tell(id))
	if !slices.ContainsFunc(w.slack.sent, func(s string) bool { return strings.HasPrefix(s, "#access: request:0") }) {
		t.Errorf("the request's message was not posted: %v", w.slack.sent)
	}
	w.wantAsked("0002: on_request", "0002: after_request", "0003: after_approve")
}

// TestHandlers_Replace: what hooks put in the place of events.
func TestHandlers_Replace(t *testing.T) {
	t.Parallel()
	timeOut := func(w *world, _ string) { w.pass(31 * time.Minute) }
	for _, tc := range []struct {
		name    string
		hook    string
		says    says
		step    func(w *world, id string)
		status  flow.Status
		history string
	}{
		{"DenyRequest", "on_request", returned(flow.EventDeny, map[string]any{"decision_message": "not today"}), nil, flow.Denied, "prompt request~ deny"},
		{"DenyApproval", "on_approve", returned(flow.EventDeny, nil), func(w *world, id string) { w.click(id, flow.ActionApprove, first) }, flow.Denied, "prompt request approve~ deny"},
		{"ApproveTimeout", "on_request_expire", returned(flow.EventApprove, nil), timeOut, flow.Escalated, "prompt request request_expire~ approve escalate"},
		{"DenyTimeout", "on_request_expire", returned(flow.EventDeny, nil), timeOut, flow.Denied, "prompt request request_expire~ deny"},
		{"SameEvent", "on_approve", returned(flow.EventApprove, map[string]any{"ticket": "OPS-1"}), func(w *world, id string) { w.click(id, flow.ActionApprove, first) }, flow.Escalated, "prompt request approve escalate"},
		{"BackToRequest", "on_approve", returned(flow.EventRequest, nil), func(w *world, id string) { w.click(id, flow.ActionApprove, first) }, flow.Requested, "prompt request approve!Handler:FAILED"},
		{"ApproveDenial", "on_deny", returned(flow.EventApprove, nil), func(w *world, id string) { w.click(id, flow.ActionDeny, first) }, flow.Requested, "prompt request deny!Handler:FAILED"},
		{"EscalateRequest", "on_request", returned(flow.EventEscalate, nil), nil, flow.Prompted, "prompt request!Handler:FAILED"},
		{"DenyGrant", "on_escalate", returned(flow.EventDeny, nil), func(w *world, id string) { w.click(id, flow.ActionApprove, first) }, flow.Approved, "prompt request approve escalate!Handler:FAILED"},
		{"IgnoreGrant", "on_escalate", ignores("no"), func(w *world, id string) { w.click(id, flow.ActionApprove, first) }, flow.Approved, "prompt request approve escalate!Handler:FAILED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines(tc.hook))
			w.handlers.says[tc.hook] = []says{tc.says}
			id := w.ask(asker, "a")
			if tc.step != nil {
				tc.step(w, id)
			}
			w.want(id, tc.status)
			w.wantHistory(id, tc.history)
			if len(w.handlers.asked) != 1 {
				t.Errorf("asked %v, want it once", w.handlers.asked)
			}
		})
	}
}

// TestHandlers_Terms: a hook changes what is asked for, within the flow's rules.
func TestHandlers_Terms(t *testing.T) {
	t.Parallel()
	short, long := int64(60), int64(100*365*24*3600)
	for _, tc := range []struct {
		name string
		says flow.HookAnswer
		ends time.Duration // after the grant; 0: the hook may not do that
	}{
		{"Shorter", flow.HookAnswer{Event: flow.EventApprove, Duration: &short}, time.Minute},
		{"ShorterRequest", flow.HookAnswer{Event: flow.EventRequest, Duration: &short, Fields: map[string]any{"reason": "by a rule"}}, time.Minute},
		{"ForEver", flow.HookAnswer{Event: flow.EventApprove, Duration: &long}, 0},
		{"OtherTarget", flow.HookAnswer{Event: flow.EventApprove, TargetSRN: "acme:access_target:fake:orders-db:latest"}, grantedFor},
		{"NoTarget", flow.HookAnswer{Event: flow.EventApprove, TargetSRN: "acme:access_target:fake:all-databases:latest"}, 0},
		{"NoText", flow.HookAnswer{Event: flow.EventRequest, Fields: map[string]any{"reason": 7}}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("on_request"), func(f *flow.Flow) {
				f.Params.PromptFields = []flow.PromptField{{Name: "reason", Type: flow.FieldString, Visible: true}}
			})
			w.handlers.says["on_request"] = []says{{answer: flow.Answer{Hook: &tc.says}}}
			id := w.ask(asker, "a")
			if tc.ends == 0 {
				if r := w.want(id, flow.Prompted); r.Error == nil || r.Error.Handler != "on_request" {
					t.Errorf("error %+v", r.Error)
				}
				return
			}
			if tc.says.Event == flow.EventRequest {
				if r := w.run(id); r.Fields["reason"] != "by a rule" {
					t.Errorf("fields %v", r.Fields)
				}
				w.click(id, flow.ActionApprove, first)
			}
			r := w.want(id, flow.Escalated)
			if got := r.Access.End.Sub(r.Access.Seen); got != tc.ends {
				t.Errorf("access for %v, want %v", got, tc.ends)
			}
		})
	}
}

// TestHandlers_Ignore: the run stays where it is, and only the actor is told.
func TestHandlers_Ignore(t *testing.T) {
	t.Parallel()
	approve := func(w *world, id string) { w.click(id, flow.ActionApprove, first) }
	for _, tc := range []struct {
		hook   string
		step   func(w *world, id string)
		event  flow.EventName
		status flow.Status
		told   string // who hears of it
	}{
		{"on_request", func(*world, string) {}, flow.EventRequest, flow.Prompted, "Dasker"},
		{"on_approve", approve, flow.EventApprove, flow.Requested, "Dfirst"},
		{"on_deny", func(w *world, id string) { w.click(id, flow.ActionDeny, first) }, flow.EventDeny, flow.Requested, "Dfirst"},
		{"on_request_expire", func(w *world, _ string) { w.pass(30 * time.Minute) }, flow.EventRequestExpire, flow.Requested, ""},
		{"on_deescalate", func(w *world, id string) { approve(w, id); w.click(id, flow.ActionDeescalate, asker) }, flow.EventDeescalate, flow.Escalated, "Dasker"},
	} {
		t.Run(tc.hook, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines(tc.hook))
			w.handlers.says[tc.hook] = []says{ignores("say why first")}
			id := w.ask(asker, "a")
			tc.step(w, id)
			r := w.want(id, tc.status)
			e := last(t, r, tc.event)
			if e.State != flow.StateIntercepted || len(e.Errors) != 1 || e.Errors[0].Code != flow.CodeIgnored || e.Errors[0].Message != "say why first" {
				t.Errorf("event %+v", e)
			}
			if r.Error != nil || len(r.Signals) != 0 {
				t.Errorf("error %+v, signals %+v", r.Error, r.Signals)
			}
			must(t, w.tell(id))
			var told []string
			for _, s := range w.slack.sent {
				if strings.Contains(s, "say why first") {
					told = append(told, strings.Fields(s)[0])
				}
			}
			if want := map[bool][]string{true: {tc.told + ":"}}[tc.told != ""]; !slices.Equal(told, want) {
				t.Errorf("told %v, want %v", told, want)
			}
			switch tc.status { // and the run can go on
			case flow.Requested:
				approve(w, id)
				w.want(id, flow.Escalated)
			case flow.Escalated:
				w.pass(grantedFor)
				w.want(id, flow.Deescalated)
			}
		})
	}
}

// TestHandlers_Raise: a hook that raises stops its step, until somebody presses
// Retry, or decides anew; after a step it is reported and no more.
func TestHandlers_Raise(t *testing.T) {
	t.Parallel()
	approve := func(w *world, id string) { w.click(id, flow.ActionApprove, first) }
	retry := func(w *world, id string) {
		_, err := w.submit.Retry(w.t.Context(), id, asker)
		must(w.t.(*testing.T), err)
		w.settle()
	}
	timeOut := func(w *world, _ string) { w.pass(31 * time.Minute) }
	for _, tc := range []struct {
		hook   string
		step   func(w *world, id string)
		stuck  flow.Status // after it
		onRun  bool        // there is an error on the run
		again  func(w *world, id string)
		status flow.Status // after that
	}{
		{"on_request", func(*world, string) {}, flow.Prompted, true, retry, flow.Requested},
		{"get_permissions", func(*world, string) {}, flow.Prompted, true, retry, flow.Requested},
		{"on_approve", approve, flow.Requested, false, approve, flow.Escalated},
		{"on_deny", func(w *world, id string) { w.click(id, flow.ActionDeny, first) }, flow.Requested, false, approve, flow.Escalated},
		{"on_request_forward", timeOut, flow.Requested, true, retry, flow.Requested},
		{"on_request_forward", timeOut, flow.Requested, true, approve, flow.Escalated}, // a decision need not wait for it
		{"on_request_expire", func(w *world, _ string) { w.pass(62 * time.Minute) }, flow.Requested, true, retry, flow.Expired},
		{"on_escalate", approve, flow.Approved, true, retry, flow.Escalated},
		{"on_deescalate", func(w *world, id string) { approve(w, id); w.pass(grantedFor) }, flow.Deescalated, false, nil, ""},
		{"on_deescalate", func(w *world, id string) { approve(w, id); w.click(id, flow.ActionDeescalate, asker) }, flow.Deescalated, false, nil, ""},
		{"after_prompt", func(*world, string) {}, flow.Requested, false, nil, ""},
		{"after_approve", approve, flow.Escalated, false, nil, ""},
		{"after_deny", func(w *world, id string) { w.click(id, flow.ActionDeny, first) }, flow.Denied, false, nil, ""},
		{"after_escalate", approve, flow.Escalated, false, nil, ""},
		{"after_deescalate", func(w *world, id string) { approve(w, id); w.pass(grantedFor) }, flow.Deescalated, false, nil, ""},
	} {
		t.Run(tc.hook, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines(tc.hook), func(f *flow.Flow) {
				f.Params.Approval.Notify = append(f.Params.Approval.Notify, flow.Notify{Users: []string{admin.Email}, Timeout: flow.Duration(30 * time.Minute)})
			})
			w.handlers.says[tc.hook] = []says{raised(tc.hook)}
			id := w.ask(asker, "a")
			tc.step(w, id)
			r := w.want(id, tc.stuck)
			if (r.Error != nil) != tc.onRun {
				t.Errorf("error %+v", r.Error)
			}
			if len(w.handlers.asked) != 1 {
				t.Errorf("asked %v", w.handlers.asked)
			}
			must(t, w.tell(id))
			if n := len(slices.DeleteFunc(slices.Clone(w.slack.sent), func(s string) bool { return !strings.HasPrefix(s, "#errors: ") || !strings.Contains(s, "KeyError") })); n != 1 {
				t.Errorf("%d messages to the error channel: %v", n, w.slack.sent)
			}
			if tc.again == nil {
				return
			}
			w.pass(time.Hour / 4) // nothing happens by itself
			if len(w.handlers.asked) != 1 {
				t.Errorf("asked again by itself: %v", w.handlers.asked)
			}
			tc.again(w, id)
			if tc.again != nil && tc.status != "" {
				w.want(id, tc.status)
			}
		})
	}
}

// TestHandlers_Removal: nothing that a hook does keeps access that is over, or
// that an admin takes away, from being removed; it is asked once however long
// the target fails.
func TestHandlers_Removal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		says says
		end  func(w *world, id string)
	}{
		{"IgnoredWhenOver", ignores("not yet"), func(w *world, id string) { w.pass(grantedFor) }},
		{"IgnoredByAdmin", ignores("not yet"), func(w *world, id string) { w.click(id, flow.ActionDeescalate, admin) }},
		{"Raised", raised("on_deescalate"), func(w *world, id string) { w.click(id, flow.ActionDeescalate, asker) }},
		{"Unreachable", unreachable, func(w *world, id string) { w.click(id, flow.ActionDeescalate, asker) }},
		{"Denied", returned(flow.EventDeny, nil), func(w *world, id string) { w.pass(grantedFor) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("on_deescalate"))
			w.handlers.says["on_deescalate"] = []says{tc.says}
			w.target.fates["revoke"] = []fate{unavailable, unavailable}
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.want(id, flow.Escalated)
			tc.end(w, id)
			w.pass(time.Minute)
			r := w.want(id, flow.Deescalated)
			w.wantPresent()
			if len(w.handlers.asked) != 1 {
				t.Errorf("asked %v", w.handlers.asked)
			}
			e := last(t, r, flow.EventDeescalate)
			if said := tc.says.answer.Hook; (said == nil || !said.Ignores()) != (len(e.Errors) > 0) {
				t.Errorf("errors %+v", e.Errors)
			}
		})
	}
}

// TestHandlers_Once: what handlers answered is kept: a crash after that, or a
// directory that fails, asks no handler twice.
func TestHandlers_Once(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("on_request", "get_permissions"), func(f *flow.Flow) { f.Params.Approval.Approvers = []string{"user:first@example.com"} })
	w.directory.fail[first.Email] = errLookup
	id := w.ask(asker, "a")
	w.pass(time.Minute)
	w.want(id, flow.Prompted)
	delete(w.directory.fail, first.Email)
	w.pass(5 * time.Minute)
	w.want(id, flow.Requested)
	if len(w.handlers.asked) != 1 {
		t.Errorf("asked %v", w.handlers.asked)
	}
}

// TestHandlers_Unreachable: asking is repeated for a while, and then the step
// waits for Retry.
func TestHandlers_Unreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("on_request"))
	w.handlers.says["on_request"] = slices.Repeat([]says{unreachable}, 1000)
	id := w.ask(asker, "a")
	w.pass(4 * time.Minute)
	if r := w.want(id, flow.Prompted); r.Error != nil {
		t.Errorf("given up early: %+v", r.Error)
	}
	w.pass(10 * time.Minute)
	if r := w.want(id, flow.Prompted); r.Error == nil || r.Error.Code != flow.CodeUnavailable {
		t.Errorf("error %+v", r.Error)
	}
	asked := len(w.handlers.asked)
	w.pass(time.Hour)
	if len(w.handlers.asked) != asked {
		t.Error("asked on, after giving up")
	}
	w.handlers.says["on_request"] = nil
	if _, err := w.submit.Retry(t.Context(), id, first); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("retried by anybody: %v", err)
	}
	_, err := w.submit.Retry(t.Context(), id, admin)
	must(t, err)
	w.settle()
	w.want(id, flow.Requested)
	w.pass(flow.PromptTimeout)
}

// TestHandlers_HeldRequestExpires: a request that nobody repairs is over with
// the form's time.
func TestHandlers_HeldRequestExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("on_request"))
	w.handlers.says["on_request"] = []says{raised("on_request")}
	id := w.ask(asker, "a")
	w.want(id, flow.Prompted)
	w.pass(flow.PromptTimeout + time.Hour)
	if r := w.want(id, flow.Expired); len(r.Signals) != 0 || !r.Due.IsZero() {
		t.Errorf("signals %+v, due %v", r.Signals, r.Due)
	}
}

// TestForms_Open: on_prompt says who may have a form at all.
func TestForms_Open(t *testing.T) {
	t.Parallel()
	open := func(w *world) (flow.Run, error) {
		t.Helper()
		r, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "form"), Flow: w.flow, Actor: asker})
		must(t, err)
		r, err = w.forms.Open(t.Context(), w.flow, r)
		w.settle()
		return r, err
	}
	for _, tc := range []struct {
		name  string
		says  says
		code  flow.Code // "" for a form that is shown
		state flow.EventState
		told  int // messages to the error channel
	}{
		{"Nothing", says{}, "", flow.StateCompleted, 0},
		{"Ignored", ignores("ask your lead"), flow.CodeIgnored, flow.StateIntercepted, 0},
		{"Raised", raised("on_prompt"), "SDK:HANDLER_ERROR", flow.StateInProgress, 1},
		{"Approved", returned(flow.EventApprove, nil), flow.CodeHandler, flow.StateInProgress, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("on_prompt", "after_prompt"))
			w.handlers.says["on_prompt"] = []says{tc.says}
			r, err := open(w)
			if flow.CodeOf(err) != tc.code || r.Events[0].State != tc.state {
				t.Errorf("got %v, event %+v", err, r.Events[0])
			}
			_, err = w.submit.Request(t.Context(), r.ID, asker.Actor, w.form())
			if (err == nil) != (tc.code == "") {
				t.Errorf("submitted all the same: %v", err)
			}
			w.settle()
			must(t, w.tell(r.ID))
			if n := len(w.slack.sent); tc.code != "" && n != tc.told {
				t.Errorf("sent %v", w.slack.sent)
			}
			want := []string{"0001: on_prompt"}
			if tc.code == "" {
				want = append(want, "0001: after_prompt")
			}
			w.wantAsked(want...)
			if _, err := open(w); flow.CodeOf(err) != tc.code {
				t.Errorf("opened again: %v", err)
			}
		})
	}
	w := newWorld(t, defines("on_prompt"))
	r, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: flow.RunIDFrom("acme", "unasked"), Flow: w.flow, Actor: asker})
	must(t, err)
	if _, err := w.submit.Request(t.Context(), r.ID, asker.Actor, w.form()); flow.CodeOf(err) != flow.CodeIllegal {
		t.Errorf("submitted though the hook was not asked: %v", err)
	}
	w.handlers.says["on_prompt"] = []says{unreachable}
	if _, err := w.forms.Open(t.Context(), w.flow, r); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("nobody to ask: %v", err)
	}
	if _, err := w.forms.Open(t.Context(), w.flow, r); err != nil {
		t.Errorf("asked again: %v", err)
	}
	if _, err := w.submit.Request(t.Context(), r.ID, asker.Actor, w.form()); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestHandlers_Permissions(t *testing.T) {
	t.Parallel()
	permit := func(p flow.Permission, self bool) flow.Answer {
		return flow.Answer{Permissions: &flow.Permissions{ApproveDeny: p, AllowSelfApproval: self}}
	}
	channel := flow.Destination{Kind: flow.DestinationChannelName, Name: "#legacy"}
	for _, tc := range []struct {
		name   string
		answer flow.Answer
		may    string // of asker, first, second, guest, admin
		failed string // or why the step failed
	}{
		{"AllUsers", permit(flow.Permission{Level: flow.LevelAllUsers}, false), "first second guest admin", ""},
		{"Members", permit(flow.Permission{Level: flow.LevelMember}, true), "asker first second admin", ""},
		{"Admins", permit(flow.Permission{Level: flow.LevelAdmin}, false), "admin", ""},
		{"Users", permit(flow.Permission{Users: []string{second.ID, "not-a-user"}}, false), "second admin", ""},
		{"Nobody", permit(flow.Permission{}, false), "", "allowed nobody to decide"},
		{"LegacyPerson", flow.Answer{Approvers: &flow.Approvers{Destinations: []flow.Destination{{Kind: flow.DestinationSlackUser, ID: second.SlackID}}}}, "second admin", ""},
		{"LegacyGroup", flow.Answer{Approvers: &flow.Approvers{Destinations: []flow.Destination{{Kind: flow.DestinationGroup, Users: []string{second.Email, asker.SlackID}, AllowSelf: true}}}}, "asker second admin", ""},
		{"LegacyChannel", flow.Answer{Approvers: &flow.Approvers{Destinations: []flow.Destination{channel}}}, "first admin", ""}, // the configuration's
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("get_permissions", "get_approvers"), func(f *flow.Flow) {
				f.Params.Approval.Approvers = []string{"user:first@example.com"} // a handler has the last word
			})
			for _, u := range []store.User{asker, first, second, guest, admin} {
				remember(u)(w)
			}
			w.handlers.says["get_permissions"] = []says{{answer: tc.answer}, {answer: tc.answer}} // asked again at the decision
			id := w.ask(asker, "a")
			if tc.failed != "" {
				if r := w.want(id, flow.Prompted); r.Error == nil || !strings.Contains(r.Error.Message, tc.failed) {
					t.Errorf("error %+v", r.Error)
				}
				return
			}
			r := w.want(id, flow.Requested)
			var may []string
			for _, u := range []store.User{asker, first, second, guest, admin} {
				if workflow.MayClick(r, workflow.Click{Action: flow.ActionApprove, Actor: u}) == nil {
					may = append(may, u.Name)
				}
			}
			if got := strings.Join(may, " "); got != tc.may {
				t.Errorf("%s may approve, want %s", got, tc.may)
			}
			who := map[string]store.User{"asker": asker, "first": first, "second": second, "guest": guest, "admin": admin}[may[0]]
			w.click(id, flow.ActionApprove, who) // by what the handler says now
			w.want(id, flow.Escalated)
		})
	}
}

// TestHandlers_Notifications: rounds of asking, with their time-outs, and the
// table of what a failed delivery means.
func TestHandlers_Notifications(t *testing.T) {
	t.Parallel()
	seconds := func(n int64) *int64 { return &n }
	person := func(u store.User) flow.Destination {
		return flow.Destination{Kind: flow.DestinationUser, ID: u.ID, Email: u.Email}
	}
	channel := flow.Destination{Kind: flow.DestinationChannelID, ID: "C0ALERTS"}
	two := []flow.Notification{
		{Destinations: []flow.Destination{channel, person(first)}, Timeout: seconds(60)},
		{Destinations: []flow.Destination{person(second)}, Timeout: seconds(120)},
	}
	answer := func(n []flow.Notification) flow.Answer { return flow.Answer{Notifications: n} }
	fallback := func(onFailure, onTimeout bool) flow.Answer {
		return flow.Answer{Approvers: &flow.Approvers{
			Destinations:              []flow.Destination{{Kind: flow.DestinationChannelID, ID: "C0ALERTS", Timeout: seconds(60)}, person(second)},
			ContinueOnDeliveryFailure: onFailure, ContinueOnTimeout: onTimeout,
		}}
	}
	gone := func(who ...string) map[string]bool {
		m := map[string]bool{}
		for _, w := range who {
			m[w] = true
		}
		return m
	}
	for _, tc := range []struct {
		name    string
		answer  flow.Answer
		fails   map[string]bool // destinations that can't be reached
		pass    time.Duration
		posted  string
		history string
	}{
		{"Both", answer(two), nil, 0, "C0ALERTS Dfirst", "prompt request"},
		{"OneFails", answer(two), gone("C0ALERTS"), 0, "Dfirst", "prompt request"},
		{"OtherFails", answer(two), gone("Dfirst"), 0, "C0ALERTS", "prompt request"},
		{"AllFail", answer(two), gone("C0ALERTS", "Dfirst"), 0, "Dsecond", "prompt request request_forward"},
		{"Timeout", answer(two), nil, 61 * time.Second, "C0ALERTS Dfirst Dsecond", "prompt request request_forward"},
		{"LastTimeout", answer(two), nil, 200 * time.Second, "C0ALERTS Dfirst Dsecond", "prompt request request_forward request_expire"},
		{"EveryoneGone", answer(two), gone("C0ALERTS", "Dfirst", "Dsecond"), 0, "", "prompt request request_forward request_forward!Slack:UNDELIVERABLE"},
		{"FallbackOnFailure", fallback(true, false), gone("C0ALERTS"), 0, "Dsecond", "prompt request request_forward"},
		{"NoFallbackOnFailure", fallback(false, true), gone("C0ALERTS"), 0, "", "prompt request request_forward!Slack:UNDELIVERABLE"},
		{"FallbackOnTimeout", fallback(false, true), nil, 61 * time.Second, "C0ALERTS Dsecond", "prompt request request_forward"},
		{"NoFallbackOnTimeout", fallback(true, false), nil, 61 * time.Second, "C0ALERTS", "prompt request request_expire"},
		{"Unknown", answer([]flow.Notification{{Destinations: []flow.Destination{{Kind: flow.DestinationSlackUser, ID: "U0NOBODY"}}}, two[1]}), nil, 0, "Dsecond", "prompt request request_forward"},
		{"OddKind", answer([]flow.Notification{{Destinations: []flow.Destination{{Kind: "pager"}}}}), nil, 0, "", "prompt request!Handler:FAILED"},
		{"NoDestination", answer([]flow.Notification{{}}), nil, 0, "", "prompt request!Handler:FAILED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("get_request_notifications", "get_approvers"))
			for _, u := range []store.User{first, second} {
				remember(u)(w)
			}
			w.handlers.says["get_request_notifications"] = []says{{answer: tc.answer}}
			w.slack.post = func(to workflow.Address, _ string) error {
				name := to.Channel
				if name == "" {
					name = "D" + to.Users[0].Name
				}
				if tc.fails[name] {
					return flow.Errorf(flow.CodeUndeliverable, "can't reach %s", name)
				}
				return nil
			}
			id := w.ask(asker, "a")
			for range 3 { // each tier's news lead to the next
				must(t, w.tell(id))
				w.settle()
			}
			for left := tc.pass; left > 0; left -= time.Minute {
				w.pass(min(left, time.Minute))
				must(t, w.tell(id))
				w.settle()
			}
			w.wantHistory(id, tc.history)
			var posted []string
			for _, s := range w.slack.sent {
				if to, body, _ := strings.Cut(s, ": "); strings.HasPrefix(body, "request:") {
					posted = append(posted, to)
				}
			}
			if got := strings.Join(posted, " "); got != tc.posted {
				t.Errorf("asked %s, want %s; sent %v", got, tc.posted, w.slack.sent)
			}
		})
	}
}

// TestHandlers_NobodyToAsk: an implementation that was not looked at may turn
// out to name no people to ask.
func TestHandlers_NobodyToAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("on_request"), func(f *flow.Flow) { f.Params.Approval.Notify = nil; f.Implementation.Handlers = nil })
	id := w.ask(asker, "a")
	if r := w.want(id, flow.Prompted); r.Error == nil || !strings.Contains(r.Error.Message, "get_request_notifications") {
		t.Errorf("error %+v", r.Error)
	}
}

// TestHandlers_Identity: who somebody is at the target.
func TestHandlers_Identity(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		stored string
		says   map[string]says
		want   string // identity; or "!" and the code
		asked  int
	}{
		{"Stored", "stored-1", nil, "stored-1", 0},
		{"Reducer", "", map[string]says{"get_identity": {text: "found-1"}}, "found-1", 1},
		{"Lookup", "", map[string]says{"get_identity_lookup": {text: "other@example.com"}}, "other@example.com", 2},
		{"Email", "", nil, asker.Email, 2},
		{"Raises", "", map[string]says{"get_identity": {err: flow.Errorf(flow.CodeIdentity, "get_identity: KeyError")}}, "!Identity:NOT_FOUND", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("get_identity", "get_identity_lookup"), func(f *flow.Flow) {
				f.Strategy.Integration = &flow.Integration{Name: "i", Type: "fake", ExternalID: "acme.example.com"}
			})
			if tc.stored != "" {
				stored := saved(tc.stored)
				stored.ExternalID = "acme.example.com"
				must(t, store.Users{Store: w.memory}.SetIdentity(t.Context(), asker.Actor, stored))
			}
			for name, s := range tc.says {
				w.handlers.says[name] = []says{s}
			}
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			r := w.run(id)
			if code, failed := strings.CutPrefix(tc.want, "!"); failed {
				if r.Error == nil || string(r.Error.Code) != code {
					t.Errorf("error %+v", r.Error)
				}
			} else if r.Access == nil || r.Access.Identity != tc.want {
				t.Errorf("access %+v, want identity %s", r.Access, tc.want)
			}
			if len(w.handlers.asked) != tc.asked {
				t.Errorf("asked %v, want %d", w.handlers.asked, tc.asked)
			}
			if tc.asked > 0 && w.handlers.asked[0] != "get_identity of asker at fake acme.example.com" {
				t.Errorf("asked %q", w.handlers.asked[0])
			}
		})
	}
}

// TestHandlers_Conflict: the run changes while a handler is asked; it is not
// asked again.
func TestHandlers_Conflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("on_approve"))
	id := w.ask(asker, "a")
	w.handlers.during = func() {
		w.handlers.during = nil
		if err := w.press(id, flow.ActionDeny, second); err != nil {
			t.Error(err)
		}
	}
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Escalated)
	w.wantAsked("0003: on_approve")
	w.wantHistory(id, "prompt request approve deny!Run:ALREADY_DECIDED escalate")
}

// TestHandlers_BesideFunction: a flow with both has its hook asked first, and
// each once.
func TestHandlers_BesideFunction(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:report"
	w := newWorld(t, defines("on_approve", "after_approve"), func(f *flow.Flow) {
		f.Strategy = nil
		f.Environment.LambdaARNs = []string{arn}
		f.Params.OnApprove, f.Params.AfterApprove = &flow.LambdaCall{ARN: arn}, &flow.LambdaCall{ARN: arn}
	})
	id := w.ask(asker, "a")
	w.handlers.says["after_approve"] = []says{raised("after_approve")}
	w.click(id, flow.ActionApprove, first)
	r := w.want(id, flow.Approved)
	w.wantAsked("0003: on_approve", "0003: after_approve")
	if len(w.functions.asked) != 2 {
		t.Errorf("functions were asked %v", w.functions.asked)
	}
	if e := last(t, r, flow.EventApprove); string(e.Output) != `{"after_approve":{"ok":true},"on_approve":{"ok":true}}` || len(e.Errors) != 1 || e.Errors[0].Handler != "after_approve" {
		t.Errorf("event %+v", e)
	}
	_, err := w.submit.Retry(t.Context(), id, first) // of the hook: the function has worked
	must(t, err)
	w.settle()
	w.wantAsked("0003: on_approve", "0003: after_approve", "0003: after_approve")
	if r = w.run(id); len(w.functions.asked) != 2 || len(r.After) > 0 {
		t.Errorf("functions were asked %v, and %+v is still to run", w.functions.asked, r.After)
	}
}

// TestHandlers_afterRunAgain: a hook that failed after an approval keeps access from
// nothing, and is called again, with the same event, when somebody presses Retry.
func TestHandlers_afterRunAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("after_approve"))
	w.handlers.says["after_approve"] = []says{raised("after_approve"), raised("after_approve")}
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Escalated)
	w.wantAsked("0003: after_approve")
	if _, err := w.submit.Retry(t.Context(), id, second); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("by somebody else: %v", err)
	}
	for i, who := range []store.User{first, asker} {
		_, err := w.submit.Retry(t.Context(), id, who)
		must(t, err)
		w.settle()
		w.wantAsked(slices.Repeat([]string{"0003: after_approve"}, i+2)...)
	}
	r := w.want(id, flow.Escalated)
	if e := last(t, r, flow.EventApprove); !r.Overcome(e) || len(r.After) > 0 {
		t.Errorf("it worked, and is %+v, with %+v to run", e, r.After)
	}
	w.wantPresent(askerHas)
}
