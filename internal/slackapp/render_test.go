package slackapp

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"pgregory.net/rapid"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a value, as indented JSON, with a file of testdata.
func golden(t *testing.T, file string, v any) {
	t.Helper()
	if raw, ok := v.([]byte); ok {
		v = json.RawMessage(raw)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got; -update accepts it):\n%s", path, diff)
	}
}

// story tells a run's life by applying inputs, a minute each.
type story struct {
	t   testing.TB
	r   flow.Run
	now time.Time
}

func tell(t testing.TB, f *flow.Flow, values map[string]any, tiers []flow.Tier, d flow.Deciders) *story {
	t.Helper()
	f.Version = "1.0.1"
	s := &story{t: t, now: start}
	s.do(flow.Start{ID: flow.RunIDFrom("sym", "story"), Flow: f, Requester: person(alice, "Alice"), Source: flow.ChannelSlack, Prompted: true})
	sub, err := f.Submit(values)
	if err != nil {
		t.Fatal(err)
	}
	s.do(flow.Receive{Action: flow.ActionRequest, Actor: s.r.Requester, Channel: flow.ChannelSlack, Submission: &sub})
	s.do(flow.Route{SignalID: s.r.Signals[0].ID, Tiers: tiers, Deciders: d})
	first := &s.r.Tiers[0]
	first.Delivered, first.Deadline = true, first.Ends()
	return s
}

func (s *story) do(in flow.Input) *story {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	r, err := flow.Apply(s.r, in, s.now)
	if err != nil {
		s.t.Fatalf("%T: %v", in, err)
	}
	r.Rev++
	s.r = r
	return s
}

func (s *story) click(action flow.Action, who flow.Actor, message string) *story {
	s.t.Helper()
	return s.do(flow.Receive{Action: action, Actor: who, Channel: flow.ChannelSlack, Message: message})
}

func (s *story) decide() *story {
	s.t.Helper()
	return s.do(flow.Decide{SignalID: s.r.Signals[0].ID})
}

func (s *story) refuse(code flow.Code, text string) *story {
	s.t.Helper()
	return s.do(flow.Refuse{SignalID: s.r.Signals[0].ID, Reason: flow.Failure{Code: code, Message: text}})
}

// deliver has the current tier told when its turn came.
func (s *story) deliver() {
	s.t.Helper()
	if tier := s.r.Tiers[s.r.Tier]; !tier.Delivered {
		s.now = tier.Asked.Add(-time.Minute) // do lets one pass
		s.do(flow.Delivered{Tier: s.r.Tier})
	}
}

// timeOut lets the current tier's time pass.
func (s *story) timeOut() *story {
	s.t.Helper()
	s.deliver()
	s.now = s.r.Deadline()
	s.do(flow.Receive{Action: flow.ActionTimeout, Actor: flow.System, Channel: flow.ChannelInternal, Tier: s.r.Tier})
	return s.do(flow.Forward{SignalID: s.r.Signals[0].ID})
}

func (s *story) intend() *story {
	s.t.Helper()
	return s.do(flow.Intend{
		Strategy: *accessFlow().Strategy, Target: *s.r.Target, Identity: "alice@example.com", Entitlements: []flow.Entitlement{{Key: "k"}},
	})
}

func (s *story) end(d flow.Deescalate) *story {
	s.t.Helper()
	if _, asked := s.r.EndAsked(); !asked {
		s.now = s.r.Access.End
	}
	s.do(flow.Claim{Owner: "w", Until: s.now.Add(time.Hour)})
	d.Owner = "w"
	return s.do(d)
}

// last is the id of the latest event.
func (s *story) last() string { return s.r.Events[len(s.r.Events)-1].ID }

func request(t testing.TB) *story {
	return tell(t, accessFlow(), map[string]any{"target_id": "orders-db", "reason": "fix the <!channel> orders https://example.com", "duration": "1h"},
		[]flow.Tier{{Channel: "#access-prod", TimeoutSeconds: 1800}, {Users: []flow.Actor{person(bob, "Bob"), person(carol, "Carol")}, TimeoutSeconds: 3600}},
		flow.Deciders{People: []flow.Actor{person(bob, "Bob"), person(carol, "Carol")}, Required: 1})
}

// accounts is a request for three targets at once, and several what comes of an
// attempt at them.
func accounts(t testing.TB) *story {
	f := accessFlow()
	f.Strategy.Targets = []flow.Target{{Name: "admin", Type: "http", Label: "Admin <!here>", FieldBindings: []string{"account_id"}}}
	f.Params.PromptFields = append(f.Params.PromptFields, flow.PromptField{Name: "account_id", Type: flow.FieldStringList, Label: "Accounts", Required: true, Visible: true})
	return tell(t, f, map[string]any{"target_id": "admin", "reason": "rotate keys", "duration": "1h", "account_id": []any{"111111111111", "222222222222", "333333333333"}},
		[]flow.Tier{{Channel: "#access-prod"}}, flow.Deciders{People: []flow.Actor{person(bob, "Bob")}, Required: 1})
}

func (s *story) intendAll() *story {
	s.t.Helper()
	s.click(flow.ActionApprove, person(bob, "Bob"), "").decide()
	in := flow.Intend{Strategy: *accessFlow().Strategy, Target: *s.r.Target, Identity: "alice@example.com"}
	for i, settings := range s.r.Target.Each {
		in.Entitlements = append(in.Entitlements, flow.Entitlement{Key: []string{"a", "b", "c"}[i], Settings: settings})
	}
	return s.do(in)
}

// attempt says for each entitlement what comes of it: nil is success.
func (s *story) attempt(step flow.EventName, a, b, c flow.Input) *story {
	s.t.Helper()
	in := flow.Attempted{Step: step, Owner: "w"}
	for i, not := range []flow.Input{a, b, c} {
		o := flow.Outcome{Key: []string{"a", "b", "c"}[i], Not: not}
		if not == nil {
			o.Done = s.now
		}
		in.Outcomes = append(in.Outcomes, o)
	}
	return s.do(in)
}

// sent is a request of Slack's form that nobody has been asked about, with what else
// the form says.
func sent(t testing.TB, with func(*flow.Submission)) *story {
	t.Helper()
	f, s := accessFlow(), &story{t: t, now: start}
	f.Version = "1.0.1"
	s.do(flow.Start{ID: flow.RunIDFrom("sym", "story"), Flow: f, Requester: person(alice, "Alice"), Source: flow.ChannelSlack, Prompted: true})
	sub, err := f.Submit(map[string]any{"target_id": "orders-db", "reason": "the orders are down", "duration": "1h"})
	if err != nil {
		t.Fatal(err)
	}
	with(&sub)
	return s.do(flow.Receive{Action: flow.ActionRequest, Actor: s.r.Requester, Channel: flow.ChannelSlack, Submission: &sub})
}

func report(t testing.TB) *story {
	return tell(t, reportFlow(), map[string]any{"table": "orders"}, []flow.Tier{{Channel: "C0REPORTS"}}, flow.Deciders{Members: true, Required: 2})
}

// The messages of each state, as people see them. testdata has them whole.
func TestRender(t *testing.T) {
	t.Parallel()
	b, c := person(bob, "Bob"), person(carol, "Carol")
	approved := func(t testing.TB) *story {
		return request(t).click(flow.ActionApprove, b, "Only this once.").decide()
	}
	escalated := func(t testing.TB) *story {
		return approved(t).intend().do(flow.Escalate{Warnings: []string{"slow target"}})
	}
	emergency := func(t testing.TB) *story {
		s := sent(t, func(sub *flow.Submission) { sub.BreakGlass = true })
		return s.do(flow.Route{SignalID: s.r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{b, c}, Required: 2}, Longest: 30 * time.Minute})
	}
	taken := func(t testing.TB) *story { return emergency(t).intend().do(flow.Escalate{}) }
	later := func(t testing.TB) *story {
		s := sent(t, func(sub *flow.Submission) { sub.StartAt = start.Add(48 * time.Hour) })
		return s.do(flow.Route{SignalID: s.r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{b, c}, Required: 1}})
	}
	reviewed := taken(t).end(flow.Deescalate{}).click(flow.ActionReview, b, "Looked at what was run.")
	reviewed.do(flow.Reviewed{SignalID: reviewed.r.Signals[0].ID})
	unavailable := flow.Failure{Code: flow.CodeUnavailable, Message: "the server answered 503", Retryable: true}
	hopeless := flow.Failure{Code: flow.CodeStrategy, Message: "no such role <!here>"}
	stories := map[string]*story{
		"emergency":          emergency(t),
		"emergency-stuck":    emergency(t).do(flow.Fail{Step: flow.EventEscalate, Reason: hopeless}),
		"emergency-off":      emergency(t).do(flow.Fail{Step: flow.EventEscalate, Reason: hopeless}).click(flow.ActionCancel, b, "").decide(),
		"granting-cancelled": approved(t).do(flow.Fail{Step: flow.EventEscalate, Reason: hopeless}).click(flow.ActionCancel, person(alice, "Alice"), ""),
		"emergency-live":     taken(t),
		"emergency-ended":    taken(t).end(flow.Deescalate{}),
		"emergency-reviewed": reviewed,
		"later-requested":    later(t),
		"later-approved":     later(t).click(flow.ActionApprove, b, "").decide(),
		"requested":          request(t),
		"deciding":           request(t).click(flow.ActionDeny, c, "no"),
		"forwarded":          request(t).timeOut(),
		"undeliverable":      request(t).timeOut().do(flow.Receive{Action: flow.ActionUndeliverable, Actor: flow.System, Channel: flow.ChannelInternal, Tier: 1, Message: "the bot is not in #x: type /invite @Sym there"}),
		"expired":            request(t).timeOut().timeOut(),
		"denied":             request(t).click(flow.ActionDeny, c, "Not before the freeze ends.").decide(),
		"cancelled":          request(t).click(flow.ActionCancel, person(alice, "Alice"), "").decide(),
		"approved":           approved(t),
		"granting-retried":   approved(t).intend().do(flow.Fail{Step: flow.EventEscalate, Reason: unavailable}),
		"granting-failed":    approved(t).intend().do(flow.Fail{Step: flow.EventEscalate, Reason: hopeless}),
		"escalated":          escalated(t),
		"missing":            escalated(t).do(flow.Miss{}),
		"granted-again":      escalated(t).do(flow.Miss{}).do(flow.Retry{Actor: b}).do(flow.Escalate{}),
		"lingering":          escalated(t).end(flow.Deescalate{}).do(flow.Linger{}),
		"ending":             escalated(t).click(flow.ActionDeescalate, b, ""),
		"removal-failed":     escalated(t).click(flow.ActionDeescalate, b, "").do(flow.Claim{Owner: "w", Until: start.Add(time.Hour)}).do(flow.Fail{Step: flow.EventDeescalate, Reason: unavailable}),
		"granting-pending":   approved(t).intend().do(flow.LookAgain{Step: flow.EventEscalate, Text: "The target is setting this up, since 09:00:00 (UTC)."}),
		"granting-invited":   approved(t).intend().do(flow.LookAgain{Step: flow.EventEscalate, Text: "Accept the invitation to acme in your mail <!here>.", Todo: true}),
		"removal-pending":    escalated(t).click(flow.ActionDeescalate, b, "").do(flow.Claim{Owner: "w", Until: start.Add(time.Hour)}).do(flow.LookAgain{Step: flow.EventDeescalate, Owner: "w"}).do(flow.Claim{Owner: "w", Until: start.Add(time.Hour)}).do(flow.LookAgain{Step: flow.EventDeescalate, Owner: "w", Text: "The target is taking it away."}),
		"still-granted":      escalated(t).end(flow.Deescalate{GrantedBy: []string{"group Admins <!here>"}}),
		"granting-waits":     approved(t).do(flow.Vouch{At: start}).do(flow.Postpone{Step: flow.EventEscalate}),
		"removal-waits":      escalated(t).click(flow.ActionDeescalate, b, "").do(flow.Postpone{Step: flow.EventDeescalate}),
		"removal-sick":       escalated(t).click(flow.ActionDeescalate, b, "").do(flow.Claim{Owner: "w", Until: start.Add(time.Hour)}).do(flow.Fail{Step: flow.EventDeescalate, Reason: unavailable, Sick: true}),
		"ended":              escalated(t).end(flow.Deescalate{}),
		"ended-by-hand":      escalated(t).click(flow.ActionDeescalate, b, "").end(flow.Deescalate{}),
		"still-held":         escalated(t).end(flow.Deescalate{StillHeld: []string{"k"}}),
		"kept":               escalated(t).end(flow.Deescalate{Kept: []string{"k"}}),
		"several-requested":  accounts(t),
		"several-granting":   accounts(t).intendAll().attempt(flow.EventEscalate, nil, flow.LookAgain{Text: "Number 3 in line, as the target is asked no faster than it allows. Its turn comes at about 09:00:20 (UTC)."}, flow.Fail{Reason: unavailable}),
		"several-failed":     accounts(t).intendAll().attempt(flow.EventEscalate, flow.Fail{Reason: hopeless}, flow.Fail{Reason: hopeless}, flow.Fail{Reason: hopeless}),
		"several-refused":    accounts(t).intendAll().do(flow.Fail{Step: flow.EventEscalate, Reason: hopeless}),
		"several-short":      accounts(t).intendAll().attempt(flow.EventEscalate, nil, nil, flow.Fail{Reason: hopeless}),
		"several-missing":    accounts(t).intendAll().attempt(flow.EventEscalate, nil, nil, nil).do(flow.Miss{Key: "b"}),
		"several-ending": accounts(t).intendAll().attempt(flow.EventEscalate, nil, nil, nil).click(flow.ActionDeescalate, b, "").do(flow.Claim{Owner: "w", Until: start.Add(time.Hour)}).
			attempt(flow.EventDeescalate, nil, flow.LookAgain{Text: "The target does not show the access any more; it is looked at once more."}, flow.Fail{Reason: unavailable}),
		"one-of-two":        report(t).click(flow.ActionApprove, b, "").decide(),
		"approval-only":     report(t).click(flow.ActionApprove, b, "").decide().click(flow.ActionApprove, c, "go").decide(),
		"after-failed":      nil,
		"too-late":          request(t).click(flow.ActionDeny, c, "").click(flow.ActionApprove, b, "").decide().refuse(flow.CodeDecided, "this request was already denied by Carol"),
		"nobody-to-approve": nil,
	}
	s := stories["undeliverable"]
	s.do(flow.Forward{SignalID: s.r.Signals[0].ID})
	after := report(t).click(flow.ActionApprove, b, "").decide().click(flow.ActionApprove, c, "")
	after.do(flow.Keep{EventID: after.r.Signals[0].ID, Result: flow.Result{Output: json.RawMessage(`{"rows":12}`)}})
	after.do(flow.Decide{SignalID: after.r.Signals[0].ID, Hooks: []string{"after_approve"}})
	stories["after-result"] = &story{t: t, r: after.r}
	stories["after-failed"] = after.do(flow.After{EventID: after.last(), Result: flow.Result{Error: &flow.Failure{Code: flow.CodeHandler, Message: "after_approve: it broke"}}})

	again := report(t).click(flow.ActionApprove, b, "").decide().click(flow.ActionApprove, c, "")
	again.do(flow.Decide{SignalID: again.r.Signals[0].ID, Hooks: []string{"after_approve"}})
	again.do(flow.After{EventID: again.last(), Result: flow.Result{Error: &flow.Failure{Code: flow.CodeHandler, Message: "after_approve: it broke"}}})
	stories["after-again"] = again.do(flow.Retry{Actor: person(carol, "Carol")}).do(flow.After{EventID: again.last(), Result: flow.Result{Output: json.RawMessage(`{"rows":12}`)}})

	auto := &story{t: t, now: start}
	auto.do(flow.Start{ID: flow.RunIDFrom("sym", "story"), Flow: accessFlow(), Requester: person(alice, "Alice"), Source: flow.ChannelSlack, Prompted: true})
	submission, err := accessFlow().Submit(map[string]any{"target_id": "orders-db", "reason": "x", "duration": "1h"})
	if err != nil {
		t.Fatal(err)
	}
	auto.do(flow.Receive{Action: flow.ActionRequest, Actor: auto.r.Requester, Channel: flow.ChannelSlack, Submission: &submission})
	sent := *auto
	rule := func(e flow.EventName) flow.Route {
		return flow.Route{
			SignalID: auto.r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{Members: true, Required: 1},
			Ruling: &flow.Ruling{Event: e, Fields: map[string]any{"reason": "Alice is <!here> on call"}},
		}
	}
	raised := flow.Failure{Code: "SDK:HANDLER_ERROR", Message: "on_request (impl.py:12): KeyError: 'team'", Handler: "on_request"}
	fresh := func() *story { s := sent; return &s }
	stories["approved-by-rule"] = fresh().do(rule(flow.EventApprove))
	stories["denied-by-rule"] = fresh().do(rule(flow.EventDeny))
	stories["request-held"] = fresh().do(flow.Fail{Step: flow.EventRequest, SignalID: sent.r.Signals[0].ID, Reason: raised})
	stories["request-refused"] = fresh().do(flow.Fail{Step: flow.EventRequest, SignalID: sent.r.Signals[0].ID, Reason: flow.Failure{Code: flow.CodeLookupRefused, Message: "the Slack app lacks a scope to reach the user group @platform: add it under OAuth & Permissions and install the app again"}})
	stories["request-paused"] = fresh().do(flow.Fail{Step: flow.EventRequest, SignalID: sent.r.Signals[0].ID, Again: true, Reason: flow.Failure{Code: flow.CodeLookup, Message: "Slack does not answer", Retryable: true}})
	stories["never-heard"] = request(t)
	stories["never-heard"].r.Tiers[0].Delivered, stories["never-heard"].r.Tiers[0].Deadline = false, time.Time{}
	stories["never-heard"].now = stories["never-heard"].r.Deadline()
	stories["never-heard"].do(flow.Receive{Action: flow.ActionTimeout, Actor: flow.System, Channel: flow.ChannelInternal})
	stories["never-heard"].do(flow.Forward{SignalID: stories["never-heard"].r.Signals[0].ID})
	stories["ignored"] = request(t).click(flow.ActionApprove, b, "")
	stories["ignored"].do(flow.Refuse{SignalID: stories["ignored"].r.Signals[0].ID, Ignored: true, Reason: flow.Failure{Code: flow.CodeIgnored, Message: "say why in the decision message", Handler: "on_approve"}})
	held := request(t)
	held.deliver()
	held.now = held.r.Deadline()
	held.do(flow.Receive{Action: flow.ActionTimeout, Actor: flow.System, Channel: flow.ChannelInternal})
	stories["forward-held"] = held.do(flow.Fail{Step: flow.EventRequestForward, SignalID: held.r.Signals[0].ID, Reason: flow.Failure{Code: "SDK:TIMEOUT", Message: "on_request_forward took too long", Handler: "on_request_forward"}})

	rejected := &story{t: t, now: start}
	f := accessFlow()
	f.Version = "1.0.1"
	rejected.do(flow.Start{ID: flow.RunIDFrom("sym", "story"), Flow: f, Requester: person(alice, "Alice"), Source: flow.ChannelAPI, Asker: &flow.Actor{ID: "b", Kind: flow.KindBot, Name: "deploy *bot*"}})
	sub, err := f.Submit(map[string]any{"target_id": "orders-db", "reason": "x", "duration": "1h"})
	if err != nil {
		t.Fatal(err)
	}
	rejected.do(flow.Receive{Action: flow.ActionRequest, Actor: rejected.r.Requester, Channel: flow.ChannelAPI, Submission: &sub})
	rejected.do(flow.Reject{SignalID: rejected.r.Signals[0].ID, Reason: flow.Failure{Code: flow.CodeNoApprover, Message: "nobody could approve this request: add an approver to the flow"}})
	stories["nobody-to-approve"] = rejected

	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []json.RawMessage
			for _, m := range messages(s.r) {
				body, err := Render(m, s.r)
				if err != nil {
					t.Fatalf("%s: %v", m.Key(), err)
				}
				checkLimits(t, body)
				all = append(all, body)
			}
			golden(t, name+".json", all)
		})
	}
}

// messages lists those of a run that its latest event brings about.
func messages(r flow.Run) []workflow.Message {
	var out []workflow.Message
	for tier := range r.Tiers {
		out = append(out, workflow.Message{Kind: workflow.KindRequest, Tier: tier})
	}
	id := r.Events[len(r.Events)-1].ID
	out = append(out, workflow.Message{Kind: workflow.KindStatus}, workflow.Message{Kind: workflow.KindOutcome, EventID: id}, workflow.Message{Kind: workflow.KindTold, EventID: id})
	if slices.ContainsFunc(r.Events, workflow.IsTrouble) {
		out = append(out, workflow.Message{Kind: workflow.KindTrouble})
	}
	if e := r.Events[len(r.Events)-1]; len(e.Errors) > 0 {
		out = append(out, workflow.Message{Kind: workflow.KindError, EventID: id}, workflow.Message{Kind: workflow.KindRefused, EventID: id})
	}
	return out
}

func TestResults(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		``:                         "",
		`null`:                     "",
		`{}`:                       "",
		`{"after_approve":null}`:   "",
		`{"after_approve":{}}`:     "",
		`{"after_approve":12}`:     "answer=12",
		`{"after_approve":"a\nb"}`: "answer=a\nb",
		`{"after_approve":[1, 2]}`: "answer=[1,2]",
		`{"after_approve":{"z":"two\nlines","a":true,"n":null,"o":{"x": "<!channel>"}}}`: "z=two\nlines|a=true|n=null|o={\"x\":\"<!channel>\"}",
		`{"after_approve":{"rows":2},"on_approve":{"rows":1}}`:                           "after_approve: rows=2|on_approve: rows=1",
	} {
		var got []string
		for _, r := range (&card{}).results(flow.Event{Output: json.RawMessage(output)}) {
			if r.value.Type != slack.PlainTextType {
				t.Errorf("%s: %q is not plain text", output, r.value.Text)
			}
			got = append(got, r.label+"="+r.value.Text)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %q", output, got, want)
		}
	}
}

// The reply that access is there is what it was when it was sent: more time has a reply
// of its own, and editing costs a call.
func TestGrantStaysAsTold(t *testing.T) {
	t.Parallel()
	s := request(t).click(flow.ActionApprove, person(bob, "Bob"), "").decide().intend().do(flow.Escalate{})
	granted := workflow.Message{Kind: workflow.KindOutcome, EventID: s.last()}
	told, err := Render(granted, s.r)
	if err != nil || !strings.Contains(string(told), "*You have access* until "+moment(s.r.Access.End)) {
		t.Fatalf("%v: %s", err, told)
	}
	s.r.Access.End = s.r.Access.End.Add(time.Hour)
	if now, err := Render(granted, s.r); err != nil || string(now) != string(told) {
		t.Errorf("%v: %s\nwas %s", err, now, told)
	}
}

// The buttons of each state, which is what people can do in it.
func TestButtons(t *testing.T) {
	t.Parallel()
	b := person(bob, "Bob")
	approved := func() *story { return request(t).click(flow.ActionApprove, b, "").decide() }
	noRevoke := func() *story {
		s := approved().intend().do(flow.Escalate{})
		s.r.Form.AllowRevoke = false
		return s
	}
	for name, c := range map[string]struct {
		s               *story
		request, status string
	}{
		"Requested":      {request(t), "approve deny", "cancel"},
		"Approved":       {approved(), "", ""},
		"GrantRetried":   {approved().do(flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeUnavailable, Retryable: true}}), "cancel", "cancel"},
		"GrantFailed":    {approved().do(flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeStrategy}}), "retry cancel", "retry cancel"},
		"StuckHalfway":   {approved().intend().do(flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeStrategy}}), "retry give_up", "retry give_up"},
		"Live":           {approved().intend().do(flow.Escalate{}), "deescalate", "deescalate"},
		"LiveNoRevoke":   {noRevoke(), "", ""},
		"Ending":         {approved().intend().do(flow.Escalate{}).click(flow.ActionDeescalate, b, ""), "", ""},
		"Ended":          {approved().intend().do(flow.Escalate{}).end(flow.Deescalate{}), "", "ask_again"},
		"Denied":         {request(t).click(flow.ActionDeny, b, "").decide(), "", "ask_again"},
		"ForwardedFirst": {request(t).timeOut(), "", "cancel"},
	} {
		for _, m := range []struct {
			kind workflow.Kind
			want string
		}{{workflow.KindRequest, c.request}, {workflow.KindStatus, c.status}} {
			body, err := Render(workflow.Message{Kind: m.kind}, c.s.r)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(actionsOf(t, body), " "); got != m.want {
				t.Errorf("%s, %s: %q, want %q", name, m.kind, got, m.want)
			}
		}
	}
}

func actionsOf(t testing.TB, body []byte) []string {
	t.Helper()
	var m struct {
		Blocks []struct {
			Type     string
			Elements []struct {
				ActionID string `json:"action_id"`
			}
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, b := range m.Blocks {
		for _, e := range b.Elements {
			if b.Type == "actions" {
				out = append(out, e.ActionID)
			}
		}
	}
	return out
}

// TestShownLabels: what was chosen is called what the form called it, also of a list
// that was stored.
func TestShownLabels(t *testing.T) {
	t.Parallel()
	f := flow.FormField{Name: "ports", Type: flow.FieldIntList, Labels: map[string]string{"22": "SSH"}}
	if got := (&card{}).shown(f, []any{22.0, 80.0}).Text; got != "SSH, 80" {
		t.Errorf("got %q", got)
	}
}

func TestRenderRefusesWhatTheRunHasNot(t *testing.T) {
	t.Parallel()
	for _, m := range []workflow.Message{{Kind: "poem"}, {Kind: workflow.KindOutcome, EventID: "none"}} {
		if body, err := Render(m, request(t).r); err == nil {
			t.Errorf("%v rendered %s", m, body)
		}
	}
}

// checkLimits holds a message or view to Slack's limits by walking its JSON.
func checkLimits(t interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}, body []byte) {
	t.Helper()
	var message map[string]any
	if err := json.Unmarshal(body, &message); err != nil {
		t.Fatalf("%v", err)
	}
	most := maxMessageBlocks
	if message["type"] == "modal" {
		most = maxViewBlocks
	} else {
		if s, _ := message["text"].(string); s == "" || utf8.RuneCountInString(s) > maxText {
			t.Errorf("text of %d characters", utf8.RuneCountInString(s))
		}
		var raw struct{ Blocks json.RawMessage }
		_ = json.Unmarshal(body, &raw)
		if n := utf8.RuneCount(raw.Blocks); n > maxBlocksJSON {
			t.Errorf("blocks of %d characters", n)
		}
	}
	blocks, _ := message["blocks"].([]any)
	if len(blocks) == 0 || len(blocks) > most {
		t.Errorf("%d blocks", len(blocks))
	}
	length := func(where string, v any, most int) {
		if v == nil {
			return
		}
		s, ok := v.(string)
		if text, is := v.(map[string]any); is {
			s, ok = text["text"].(string)
		}
		if n := utf8.RuneCountInString(s); !ok || n == 0 || n > most {
			t.Errorf("%s has %d characters: %.80s", where, n, s)
		}
	}
	length("title", message["title"], maxTitle)
	length("submit", message["submit"], maxTitle)
	element := func(v any) {
		e := v.(map[string]any)
		length("action_id", e["action_id"], maxID)
		length("placeholder", e["placeholder"], maxPlaceholder)
		length("initial_value", e["initial_value"], maxInput)
		switch e["type"] {
		case "button":
			length("button", e["text"], maxOptionText)
			length("value", e["value"], 2000)
			if confirm, ok := e["confirm"].(map[string]any); ok {
				length("confirm title", confirm["title"], 100)
				length("confirm text", confirm["text"], 300)
				length("confirm", confirm["confirm"], 30)
				length("deny", confirm["deny"], 30)
			}
		case "plain_text", "mrkdwn":
			length("context", e, maxText)
		}
		options, _ := e["options"].([]any)
		if len(options) > maxOptions {
			t.Errorf("%d options", len(options))
		}
		for _, o := range options {
			length("option", o.(map[string]any)["text"], maxOptionText)
			length("option value", o.(map[string]any)["value"], maxOptionValue)
		}
	}
	for _, v := range blocks {
		b := v.(map[string]any)
		length("block_id", b["block_id"], maxID)
		switch b["type"] {
		case "section":
			length("section", b["text"], maxText)
			fields, _ := b["fields"].([]any)
			if len(fields) > maxFields || b["text"] == nil && len(fields) == 0 {
				t.Errorf("%d fields", len(fields))
			}
			for _, f := range fields {
				length("field", f, maxField)
			}
		case "header":
			length("header", b["text"], maxHeader)
		case "input":
			length("label", b["label"], maxLabel)
			length("hint", b["hint"], maxLabel)
			element(b["element"])
		case "context", "actions":
			elements := b["elements"].([]any)
			if n := len(elements); n == 0 || n > 10 {
				t.Errorf("%d elements", n)
			}
			for _, e := range elements {
				element(e)
			}
		default:
			t.Errorf("block of type %v", b["type"])
		}
	}
	// Text of users never becomes a reference: all that stands in formatted
	// text between angle brackets is of our making.
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["type"] == "mrkdwn" {
				s, _ := v["text"].(string)
				if v["verbatim"] != true && message["type"] != "modal" {
					t.Errorf("formatted text that Slack would parse by itself: %.80s", s)
				}
				for i, part := range strings.Split(s, "<") {
					if i > 0 && !strings.HasPrefix(part, "@U") && !strings.HasPrefix(part, "@W") && !strings.HasPrefix(part, "!date^") && !strings.HasPrefix(part, "#C") {
						t.Errorf("a reference that is not ours: <%.40s", part)
					}
				}
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(message["blocks"])
	if s, _ := message["text"].(string); message["type"] != "modal" && (strings.Contains(s, "<!channel") || strings.Contains(s, "<http")) {
		t.Errorf("text %q", s)
	}
}

// Whatever a run holds, each of its messages keeps Slack's limits, and what
// users wrote stays text.
func TestRenderKeepsLimits(t *testing.T) {
	t.Parallel()
	b, c := person(bob, "Bob"), person(carol, "Carol")
	rapid.Check(t, func(rt *rapid.T) {
		wild := func(label string) string {
			s := rapid.SampledFrom([]string{"", "x", "<!channel> ", "<@U024BE7LH>", "\"\\\n", "ü☃𐍈", "&lt;", "<https://example.com|click> ", "\u202e", strings.Repeat("many words ", 20)}).Draw(rt, label)
			return strings.Repeat(s, rapid.SampledFrom([]int{1, 2, 50, 150}).Draw(rt, label+"-times")) + rapid.String().Draw(rt, label+"-more")
		}
		f := accessFlow()
		f.Label = wild("title")
		f.Strategy.Targets[0].Label = wild("target")
		f.Params.PromptFields = f.Params.PromptFields[:0]
		values := map[string]any{"target_id": "orders-db", "duration": "1h"}
		for i := range rapid.IntRange(0, 60).Draw(rt, "fields") {
			name := fmt.Sprintf("f%d", i)
			f.Params.PromptFields = append(f.Params.PromptFields, flow.PromptField{Name: name, Type: flow.FieldString, Label: wild("label"), Visible: true})
			if v := wild("value"); strings.TrimSpace(v) != "" && len(v) < 500 {
				values[name] = v
			}
		}
		s := tell(t, f, values,
			[]flow.Tier{{Channel: wild("channel"), TimeoutSeconds: 60}, {Users: []flow.Actor{b, {ID: "x", Name: wild("person")}}}},
			flow.Deciders{People: []flow.Actor{b, c, {ID: "y", Name: wild("decider")}}, Admins: []flow.Actor{{ID: "z", Name: wild("admin")}}, Required: rapid.IntRange(1, 2).Draw(rt, "required")})
		s.r.Requester.Name = wild("requester")
		if rapid.Bool().Draw(rt, "no slack") {
			s.r.Requester.SlackID = ""
		}
		for range rapid.IntRange(0, 6).Draw(rt, "steps") {
			failure := flow.Failure{Code: flow.CodeStrategy, Message: wild("error"), Retryable: rapid.Bool().Draw(rt, "retryable")}
			in := rapid.SampledFrom([]func() flow.Input{
				func() flow.Input { return flow.Receive{Action: flow.ActionApprove, Actor: b, Message: wild("message")} },
				func() flow.Input { return flow.Receive{Action: flow.ActionApprove, Actor: c, Message: wild("message")} },
				func() flow.Input { return flow.Receive{Action: flow.ActionDeny, Actor: c, Message: wild("message")} },
				func() flow.Input {
					return flow.Receive{Action: flow.ActionDeescalate, Actor: flow.Actor{ID: "e", Name: wild("ender")}}
				},
				func() flow.Input { return flow.Decide{SignalID: head(s.r)} },
				func() flow.Input { return flow.Decide{SignalID: head(s.r)} },
				func() flow.Input { return flow.Refuse{SignalID: head(s.r), Reason: failure} },
				func() flow.Input { return flow.Fail{Step: flow.EventEscalate, Reason: failure} },
				func() flow.Input { return flow.Fail{Step: flow.EventDeescalate, Reason: failure} },
				func() flow.Input {
					return flow.Intend{Strategy: *f.Strategy, Target: *s.r.Target, Entitlements: []flow.Entitlement{{Key: "k"}}}
				},
				func() flow.Input { return flow.Escalate{Warnings: []string{wild("warning")}} },
			}).Draw(rt, "input")()
			if r, err := flow.Apply(s.r, in, s.now); err == nil {
				s.r = r
			}
		}
		for _, e := range s.r.Events {
			for _, m := range []workflow.Message{
				{Kind: workflow.KindRequest}, {Kind: workflow.KindRequest, Tier: 1}, {Kind: workflow.KindStatus},
				{Kind: workflow.KindOutcome, EventID: e.ID}, {Kind: workflow.KindRefused, EventID: e.ID}, {Kind: workflow.KindError, EventID: e.ID},
			} {
				body, err := Render(m, s.r)
				if err != nil {
					rt.Fatalf("%s: %v", m.Key(), err)
				}
				checkLimits(rt, body)
				if m.Kind == workflow.KindRequest {
					if again, _ := Render(m, s.r); !bytes.Equal(body, again) {
						rt.Fatalf("%s is not the same twice", m.Key())
					}
				}
			}
		}
	})
}

func head(r flow.Run) string {
	if len(r.Signals) == 0 {
		return ""
	}
	return r.Signals[0].ID
}

// A run that was stored and read reads like one that was not: JSON turns
// numbers and lists into other types.
func TestRenderAfterStorage(t *testing.T) {
	t.Parallel()
	f := everyField()
	values := map[string]any{
		"target_id": "orders-db", "reason": "x", "env": "dev", "rows": 1000000, "urgent": false, "pair": bob,
		"team": []string{bob, carol}, "tables": []string{"a", "b"}, "ports": []string{"1", "2"}, "wait": "90s", "duration": "10m",
	}
	s := tell(t, f, values, []flow.Tier{{Channel: "#x"}}, flow.Deciders{Members: true, Required: 1})
	b, err := json.Marshal(s.r)
	if err != nil {
		t.Fatal(err)
	}
	var stored flow.Run
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	fresh, err := Render(workflow.Message{Kind: workflow.KindRequest}, s.r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Render(workflow.Message{Kind: workflow.KindRequest}, stored)
	if diff := cmp.Diff(string(fresh), string(again)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	golden(t, "every-field.json", fresh)
}

// TestWithoutCode: people in conversations read neither files nor classes.
func TestWithoutCode(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"on_request (impl.py:12): KeyError: 'team'":                 "on_request: 'team'",
		"on_request (impl.py:12): requests.ConnectionError: gone":   "on_request: gone",
		"prefetch:repo (impl.py:7): <!channel> is down":             "prefetch:repo: <!channel> is down",
		"on_approve (impl.py:21): The ticket is closed. Open it.":   "on_approve: The ticket is closed. Open it.",
		"the target answered 503 (maintenance:12): come back later": "the target answered 503 (maintenance:12): come back later",
		"Error: the bot is not in #x":                               "Error: the bot is not in #x",
	} {
		if got := withoutCode(message); got != want {
			t.Errorf("%q is shown as %q, want %q", message, got, want)
		}
	}
}

// TestContext: what those who decide are told beside what was asked.
func TestContext(t *testing.T) {
	t.Parallel()
	r := request(t).r
	r.Target.Told = []flow.ToldSetting{{Setting: "policy", Label: "Policy"}, {Setting: "chosen", Label: "Chosen"}, {Setting: "none", Label: "None"}}
	r.Target.Settings = map[string]string{"policy": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "chosen": "x", "hidden": "y"}
	r.Target.FieldBindings = []string{"chosen"}
	for want, past := range map[string]*flow.Past{
		"First request for this in 90 days.":                         {},
		"At least 2 earlier requests for this in 90 days, the last ": {Times: 2, More: true, Last: r.Created, CameTo: flow.CameToOnTime},
		": denied.": {Times: 1, Last: r.Created, CameTo: flow.CameTo(flow.Denied)},
		"Had access then also to Users and Staging ＜＞.": {Live: []string{"Users", "Staging ＜＞"}},
	} {
		r.Past = past
		body, err := Render(workflow.Message{Kind: workflow.KindRequest}, r)
		if err != nil {
			t.Fatal(err)
		}
		checkLimits(t, body)
		for _, want := range []string{want, "*: Policy AmazonEKSViewPolicy\\n"} {
			if !strings.Contains(string(body), want) {
				t.Errorf("want %q in %s", want, body)
			}
		}
	}
}
