package services_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/services"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const reportARN = "arn:aws:lambda:us-east-1:123456789012:function:report"

func member(name string) store.User {
	email := name + "@example.com"
	return store.User{Role: store.RoleMember, Actor: flow.Actor{
		ID: flow.UserID("acme", email), Kind: flow.KindPerson, Email: email, Name: name, SlackID: "U0" + strings.ToUpper(name), SlackTeam: "T0",
	}}
}

var alice, bob, gone = member("alice"), member("bob"), deactivated("gone")

// deactivated is somebody whom Slack goes on listing as a member.
func deactivated(name string) store.User {
	u := member(name)
	u.Role = store.RoleDeactivated
	return u
}

// world is services, and what they work on.
type world struct {
	*services.Services
	t       *testing.T
	token   string
	run     flow.Run
	sent    []string
	sendErr error
	invoked chan string
	bounded bool // Slack was asked with a deadline
}

func newWorld(t *testing.T, edit ...func(*flow.Flow)) *world {
	t.Helper()
	m := &storetest.Memory{Now: func() time.Time { return t0 }}
	w := &world{t: t, invoked: make(chan string, 10)}
	w.Services = &services.Services{
		Org: "acme", Calls: store.Calls{Store: m, Now: m.Now}, Runs: store.Runs{Store: m}, Flows: &store.Flows{Store: m},
		Users: store.Users{Store: m}, Values: store.Values{Store: m}, Messages: store.Messages{Store: m},
		People: w, Slack: slackSide{w}, Secrets: w, Functions: w, Now: m.Now, Log: slog.New(slog.DiscardHandler),
	}
	f := &flow.Flow{
		Org: "acme", Name: "prod-access", Implementation: flow.NewSource("impl.py", "..."),
		Environment: flow.Environment{
			Name: "main", Admins: []string{bob.Email}, LambdaARNs: []string{reportARN},
			Integrations: map[string]flow.Integration{"pagerduty": {Name: "pd", Type: "pagerduty", Secrets: map[string]flow.SecretRef{
				"api_token_secret": {Name: "pd", Path: "/sym/pd"},
			}}, "okta": {Name: "okta", Type: "okta", ExternalID: "acme.okta.com"}, "slack": {Name: "slack", Type: "slack", ExternalID: "T0"}},
		},
		Strategy: &flow.Strategy{Name: "s", Type: "custom", Integration: &flow.Integration{Name: "tickets", Type: "zendesk", ExternalID: "acme"}, Targets: []flow.Target{{Name: "orders", Type: "custom"}, {Name: "billing", Type: "custom"}}},
		Params:   flow.Params{AllowRevoke: true, ScheduleDeescalation: true},
	}
	f.Implementation.Handlers = []string{"on_request"}
	for _, e := range edit {
		e(f)
	}
	if _, err := w.Flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{f}); err != nil {
		t.Fatal(err)
	}
	w.run = w.request("first", alice, "orders", true)
	var err error
	if w.token, err = w.Calls.Begin(t.Context(), store.Call{Run: w.run.ID, Event: "event"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// request stores a run: one that is asked for, or routed too.
func (w *world) request(cause string, who store.User, target string, routed bool) flow.Run {
	w.t.Helper()
	f, err := w.Flows.Latest(w.t.Context(), "prod-access")
	if err != nil {
		w.t.Fatal(err)
	}
	id := flow.RunIDFrom("acme", cause)
	sub := flow.Submission{Fields: map[string]any{}}
	if f.Strategy != nil {
		typ, name, typed := strings.Cut(target, "/")
		if !typed {
			typ, name = "custom", target
		}
		chosen, _ := f.Strategy.Target("acme", name)
		chosen.Type = typ
		sub.Target = &chosen
	}
	inputs := []flow.Input{
		flow.Start{ID: id, Flow: f, Requester: who.Actor, Source: flow.ChannelSlack, Prompted: true},
		flow.Receive{Action: flow.ActionRequest, Actor: who.Actor, Channel: flow.ChannelSlack, Submission: &sub},
	}
	if routed {
		inputs = append(inputs, flow.Route{SignalID: flow.EventID(id, 2), Tiers: []flow.Tier{{Channel: "#access"}}, Deciders: flow.Deciders{Members: true, Required: 1}})
	}
	r := flow.Run{}
	for _, in := range inputs {
		if r, err = flow.Apply(r, in, t0); err != nil {
			w.t.Fatal(err)
		}
	}
	if r, err = w.Runs.Put(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) User(_ context.Context, id string) (store.User, error) {
	for _, u := range []store.User{alice, bob} {
		if u.SlackID == id {
			return u, nil
		}
	}
	return store.User{}, flow.Errorf(flow.CodeUnknownUser, "no such user")
}

func (w *world) KnownByEmail(ctx context.Context, email string) (store.User, error) {
	return w.UserByEmail(ctx, email)
}

func (w *world) UserByEmail(_ context.Context, email string) (store.User, error) {
	for _, u := range []store.User{alice, bob} {
		if u.Email == email {
			return u, nil
		}
	}
	if email == "down@example.com" {
		return store.User{}, flow.Errorf(flow.CodeLookup, "Slack does not answer")
	}
	return store.User{}, flow.Errorf(flow.CodeUnknownUser, "no such user")
}

func (w *world) Group(context.Context, string) ([]store.User, error) { return nil, nil }

func (w *world) Send(_ context.Context, to workflow.Address, text string, thread *flow.MessageRef) error {
	line := to.Channel
	for _, u := range to.Users {
		line += u.SlackID
	}
	if thread != nil {
		line += "thread " + thread.Channel + " " + thread.TS
	}
	w.sent = append(w.sent, line+": "+text)
	return w.sendErr
}

func (w *world) UserInfo(_ context.Context, id string) (json.RawMessage, error) {
	return json.RawMessage(`{"id":"` + id + `"}`), nil
}

// slackSide is the world's Slack: one method's name is taken by a field.
type slackSide struct{ *world }

func (s slackSide) Users(_ context.Context, activeOnly bool) ([]json.RawMessage, error) {
	return []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"active_only":%t}`, activeOnly))}, nil
}

func (w *world) GroupMembers(ctx context.Context, group string) ([]store.User, error) {
	_, w.bounded = ctx.Deadline()
	if group != "S0PLATFORM" {
		return nil, flow.Errorf(flow.CodeUnknownUser, "no such group")
	}
	return []store.User{gone, bob}, nil
}

func (w *world) ChannelMembers(context.Context, string) ([]store.User, error) {
	return []store.User{gone, alice, bob}, nil
}

func (w *world) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	return "value of " + ref.Path + " " + ref.JSONKey, nil
}

func (w *world) Invoke(_ context.Context, arn string, payload []byte) ([]byte, error) {
	w.invoked <- string(payload)
	if string(payload) == `"fail"` {
		return nil, flow.Errorf(flow.CodeHandler, "it broke")
	}
	if string(payload) == `"throttle"` {
		return nil, &flow.RateLimited{After: time.Second, Cause: flow.Errorf(flow.CodeUnavailable, "it is busy")}
	}
	return []byte(`{"rows":3}`), nil
}

// ask sends a request, and gives the value or the error as JSON.
func (w *world) ask(op, args string) string {
	w.t.Helper()
	answer, err := w.Handle(w.t.Context(), services.Request{Token: w.token, Op: op, Args: json.RawMessage(args)})
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := json.Marshal(answer)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// What a handler asks is bounded by the time that it has, so that a wait for Slack
// ends before.
func TestTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for timeout, want := range map[int64]bool{0: false, 9500: true, 1 << 62: true} {
		answer, err := w.Handle(t.Context(), services.Request{Token: w.token, Op: "slack_group_members", Args: json.RawMessage(`{"group_id":"S0PLATFORM"}`), TimeoutMS: timeout})
		if err != nil || answer.Error != nil || w.bounded != want {
			t.Errorf("%d ms: bounded %t, %+v, %v", timeout, w.bounded, answer.Error, err)
		}
	}
}

func TestOps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		op, args string
		want     string // the beginning of the answer
	}{
		{"send_message", `{"to":{"kind":"slack_channel_name","name":"#ops"},"text":"hi"}`, `{"value":null}`},
		{"send_message", `{"to":{"kind":"user","id":"x","email":"bob@example.com"},"text":"hi"}`, `{"value":null}`},
		{"send_message", `{"to":{"kind":"slack_user","id":"U0NOBODY"},"text":"hi"}`, `{"error":{"code":"Slack:UNDELIVERABLE"`},
		{"send_message", `{"to":{"kind":"slack_channel_id","id":"C1"},"text":" "}`, `{"error":{"code":"Request:INVALID","message":"the message is empty"`},
		{"send_message", `{"to":7}`, `{"error":{"code":"Request:INVALID","message":"the arguments can't be understood"`},
		{"send_thread_message", `{"text":"hi"}`, `{"error":{"code":"Slack:NO_THREAD"`},
		{"user_by_email", `{"email":"bob@example.com"}`, `{"value":{"id":"` + bob.ID + `","srn":"acme:user:normal:` + bob.ID + `:latest","email":"bob@example.com","username":"bob@example.com","name":"bob","first_name":"bob","last_name":"","type":"normal","role":"admin","identities":[{"service":"slack","service_id":"T0","user_id":"U0BOB"}]}}`},
		{"user_by_email", `{"email":"new@example.com"}`, `{"error":{"code":"User:NOT_FOUND"`},
		{"user_by_email", `{"email":"new@example.com","create":true}`, `{"value":{"id":"` + flow.UserID("acme", "new@example.com") + `"`},
		{"user_by_email", `{"email":"no address"}`, `{"error":{"code":"Request:INVALID"`},
		{"user_by_email", `{"email":"down@example.com","create":true}`, `{"error":{"code":"Slack:LOOKUP_FAILED"`},
		{"users_by_emails", `{"emails":["no address"]}`, `{"value":[null]}`},
		{"users_by_emails", `{"emails":["down@example.com"]}`, `{"error":{"code":"Slack:LOOKUP_FAILED"`},
		{"users_by_emails", `{"emails":[]}`, `{"value":[]}`},
		{"users_by_identities", `{"service":"github","service_id":"acme","user_ids":["nobody"]}`, `{"value":[]}`},
		{"slack_user_info", `{"user":"U0BOB"}`, `{"value":{"id":"U0BOB"}}`},
		{"slack_user_info", `{"user":{"id":"x","email":"bob@example.com","identities":[]}}`, `{"value":{"id":"U0BOB"}}`},
		{"slack_user_info", `{"user":{"id":"x","identities":[{"service":"slack","user_id":"U0ALICE"}]}}`, `{"value":{"id":"U0ALICE"}}`},
		{"slack_user_info", `{"user":{"id":"x"}}`, `{"error":{"code":"User:NOT_FOUND"`},
		{"slack_users", `{}`, `{"value":[{"active_only":true}]}`},
		{"slack_users", `{"active_only":false}`, `{"value":[{"active_only":false}]}`},
		{"slack_group_members", `{"group_id":"S0PLATFORM"}`, `{"value":[{"id":"` + bob.ID + `"`},
		{"slack_group_members", `{"group_id":"S0OTHER"}`, `{"error":{"code":"User:NOT_FOUND"`},
		{"slack_channel_members", `{"channel":"#ops"}`, `{"value":[{"id":"` + alice.ID + `"`},
		{"store_get", `{"path":"a"}`, `{"value":null}`},
		{"store_get", `{"path":""}`, `{"error":{"code":"Request:INVALID"`},
		{"store_put", `{"path":"a","value":{"n":1}}`, `{"value":null}`},
		{"save_identity", `{"email":"alice@example.com","service":"okta","service_id":"acme.okta.com","user_id":"00u1"}`, `{"value":null}`},
		{"save_identity", `{"email":"alice@example.com","service":"okta"}`, `{"error":{"code":"Request:INVALID"`},
		{"save_identity", `{"email":"alice@example.com","service":"zendesk","service_id":"acme","user_id":"7"}`, `{"value":null}`},
		{"save_identity", `{"email":"alice@example.com","service":"custom","service_id":"acme","user_id":"7"}`, `{"value":null}`},
		{"save_identity", `{"email":"bob@example.com","service":"okta","service_id":"acme.okta.com","user_id":"00u1"}`, `{"error":{"code":"Identity:NOT_THE_REQUESTER"`},
		{"save_identity", `{"email":"alice@example.com","service":"aws_sso","service_id":"acme.okta.com","user_id":"00u1"}`, `{"error":{"code":"Identity:NOT_CONFIGURED"`},
		{"save_identity", `{"email":"alice@example.com","service":"okta","service_id":"other.okta.com","user_id":"00u1"}`, `{"error":{"code":"Identity:NOT_CONFIGURED"`},
		{"save_identity", `{"email":"alice@example.com","service":"slack","service_id":"T0","user_id":"U0BOB"}`, `{"error":{"code":"Identity:NOT_CONFIGURED"`},
		{"secret", `{"path":"/sym/pd","json_key":"token"}`, `{"value":"value of /sym/pd token"}`},
		{"secret", `{"path":"/sym/other"}`, `{"error":{"code":"Auth:FORBIDDEN"`},
		{"invoke", `{"arn":"` + reportARN + `","payload":{"a":1}}`, `{"value":{"rows":3}}`},
		{"invoke", `{"arn":"` + reportARN + `","payload":"fail"}`, `{"error":{"code":"AWSLambda:INVOKE_FAILED","message":"it broke"`},
		{"invoke", `{"arn":"` + reportARN + `","payload":"throttle"}`, `{"error":{"code":"AWSLambda:INVOKE_FAILED","message":"it is busy"`},
		{"invoke", `{"arn":"arn:aws:lambda:us-east-1:123456789012:function:other"}`, `{"error":{"code":"Auth:FORBIDDEN"`},
		{"invoke_async", `{"arn":"` + reportARN + `"}`, `{"value":true}`},
		{"invoke_async", `{"arn":"arn:aws:lambda:us-east-1:123456789012:function:other"}`, `{"error":{"code":"Auth:FORBIDDEN"`},
		{"event_count", `{"filter_on":"colour"}`, `{"error":{"code":"Request:INVALID"`},
		{"grant_everything", `{}`, `{"error":{"code":"Request:INVALID","message":"there is no op`},
	} {
		t.Run(tc.op, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if got := w.ask(tc.op, tc.args); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s %s\n got %s\nwant %s", tc.op, tc.args, got, tc.want)
			}
		})
	}
}

// TestToken: nothing is done for a request without the token of a call under
// way, and what is asked concerns the run of the token.
func TestToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token
	for _, w.token = range []string{"", "call_x", good + "x"} {
		for _, op := range []string{"send_message", "store_get", "secret", "no_such_op"} {
			if got := w.ask(op, `{}`); !strings.HasPrefix(got, `{"error":{"code":"Auth:UNAUTHENTICATED"`) {
				t.Errorf("%s with %q: %s", op, w.token, got)
			}
		}
	}
	w.token = good
	other := w.request("other", bob, "orders", true)
	ref := flow.MessageRef{Key: "request:0", Channel: "C0OTHER", TS: "1"}
	if err := w.Messages.Save(t.Context(), other.ID, store.Message{MessageRef: ref}); err != nil {
		t.Fatal(err)
	}
	if got := w.ask("send_thread_message", `{"text":"hi","run":"`+other.ID+`"}`); !strings.Contains(got, "Slack:NO_THREAD") {
		t.Errorf("a message of another run was answered: %s", got)
	}
	if err := w.Calls.End(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if got := w.ask("store_get", `{"path":"a"}`); !strings.Contains(got, "Auth:UNAUTHENTICATED") {
		t.Errorf("after the call: %s", got)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask("send_message", `{"to":{"kind":"slack_user_group","users":["U0ALICE","bob@example.com"]},"text":"hi"}`)
	if err := w.Messages.Save(t.Context(), w.run.ID, store.Message{MessageRef: flow.MessageRef{Key: "request:0", Channel: "C0ACCESS", TS: "17.1"}}); err != nil {
		t.Fatal(err)
	}
	w.ask("send_thread_message", `{"text":"there"}`)
	if want := []string{"U0ALICEU0BOB: hi", "thread C0ACCESS 17.1: there"}; !slices.Equal(w.sent, want) {
		t.Errorf("sent %q, want %q", w.sent, want)
	}
	w.sendErr = flow.Errorf(flow.CodeUndeliverable, "the bot is not in #ops: type /invite @Sym there")
	if got := w.ask("send_thread_message", `{"text":"x"}`); got != `{"error":{"code":"Slack:UNDELIVERABLE","message":"the bot is not in #ops: type /invite @Sym there"}}` {
		t.Errorf("got %s", got)
	}
	w.sendErr = &flow.RateLimited{After: time.Second, Cause: io.EOF}
	if got := w.ask("send_thread_message", `{"text":"x"}`); !strings.Contains(got, "Slack:RATE_LIMITED") {
		t.Errorf("got %s", got)
	}
	w.sendErr = io.ErrUnexpectedEOF // of which people see nothing
	if got := w.ask("send_thread_message", `{"text":"x"}`); !strings.Contains(got, "SDK:SERVICE_FAILED") || strings.Contains(got, "EOF") {
		t.Errorf("got %s", got)
	}
}

func TestKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, put := range []struct{ args, want, others string }{
		{`{"path":"a/b","value":[1,2],"shared":true}`, `[1,2]`, `[1,2]`},
		{`{"path":"a/b","value":3,"shared":false}`, `3`, `[1,2]`},
		{`{"path":"a/b","value":4}`, `4`, `[1,2]`},
		{`{"path":"a/b","value":5,"shared":true}`, `4`, `5`},
	} {
		w.ask("store_put", put.args)
		if got := w.ask("store_get", `{"path":"a/b"}`); got != `{"value":`+put.want+`}` {
			t.Errorf("%s: got %s", put.args, got)
		}
		if got, err := w.Values.Get(t.Context(), "another-flow", "a/b"); string(got) != put.others || err != nil {
			t.Errorf("%s: another flow has %s, %v", put.args, got, err)
		}
	}
	w.ask("save_identity", `{"email":"ALICE@example.com","service":"okta","service_id":"acme.okta.com","user_id":"00u1"}`)
	if got, err := w.Users.Identity(t.Context(), alice.Actor, "okta", "acme.okta.com"); got != "00u1" || err != nil {
		t.Errorf("identity %q, %v", got, err)
	}
	saved, err := w.Users.Saved(t.Context(), alice.Actor)
	if err != nil || len(saved) != 1 || saved[0].By.Name != "handlers of flow prod-access, run "+w.run.ID || !saved[0].At.Equal(t0) {
		t.Errorf("who saved it: %+v, %v", saved, err)
	}
	if _, err := w.Users.Remember(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	got := w.ask("users_by_identities", `{"service":"okta","service_id":"acme.okta.com","user_ids":["00u1","nobody"]}`)
	if want := `{"value":[{"id":"` + alice.ID + `"`; !strings.HasPrefix(got, want) || strings.Count(got, `"email"`) != 1 {
		t.Errorf("got %s, want %s…", got, want)
	}
	before := w.run
	if after, err := w.Runs.Get(t.Context(), w.run.ID); err != nil || after.Rev != before.Rev {
		t.Errorf("the run has changed: %v", err)
	}
}

func TestEventCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 3 {
		w.request(fmt.Sprint("alice", i), alice, "billing", true)
	}
	w.request("bob", bob, "orders", true)
	w.request("bob's other one", bob, "http/orders", true) // of that name, and another thing
	w.request("asking", alice, "orders", false)
	count := func(who store.User, event, more string) string {
		return strings.TrimSuffix(strings.TrimPrefix(w.ask("event_count", `{"user_id":"`+who.ID+`","event":"`+event+`"`+more+`}`), `{"value":`), "}")
	}
	for _, tc := range []struct {
		who         store.User
		event, more string
		want        string
	}{
		{alice, "request", ``, "4"},
		{alice, "prompt", ``, "5"},
		{alice, "request", `,"filter_on":"flow","since":null,"until":null,"include_errored":false`, "4"},
		{alice, "request", `,"filter_on":"target"`, "1"}, // of orders
		{alice, "request", `,"since":"2026-03-02T09:00:01Z"`, "0"},
		{alice, "request", `,"until":"2026-03-02T08:59:59Z"`, "0"},
		{alice, "request", `,"since":"2026-03-02T09:00:00Z","until":"2026-03-02T09:00:00Z"`, "4"},
		{bob, "request", ``, "2"},
		{bob, "request", `,"filter_on":"target"`, "1"},
		{bob, "approve", ``, "0"},
	} {
		if got := count(tc.who, tc.event, tc.more); got != tc.want {
			t.Errorf("%s %s%s: %s, want %s", tc.who.Name, tc.event, tc.more, got, tc.want)
		}
	}
	// What was refused counts where that is asked for.
	r, err := w.Runs.Change(t.Context(), w.run.ID, w.Now, func(flow.Run) (flow.Input, error) {
		return flow.Receive{Action: flow.ActionApprove, Actor: bob.Actor, Channel: flow.ChannelSlack}, nil
	})
	if err == nil {
		_, err = w.Runs.Change(t.Context(), w.run.ID, w.Now, func(flow.Run) (flow.Input, error) {
			return flow.Refuse{SignalID: r.Signals[0].ID, Reason: flow.Failure{Code: flow.CodeForbidden, Message: "no"}}, nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	if a, b := count(bob, "approve", ``), count(bob, "approve", `,"include_errored":true`); a != "0" || b != "1" {
		t.Errorf("refused approvals: %s, and %s with errors", a, b)
	}
	// Of a request that is being asked about, the request itself.
	if w.token, err = w.Calls.Begin(t.Context(), store.Call{Run: flow.RunIDFrom("acme", "asking")}); err != nil {
		t.Fatal(err)
	}
	if got := count(alice, "request", ``); got != "5" {
		t.Errorf("with the one under way: %s", got)
	}
}

// TestSupposed: about a run that is only supposed, all can be asked, and nothing is done.
func TestSupposed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	supposed := w.run
	supposed.ID = flow.RunIDFrom("acme", "supposed")
	var err error
	if w.token, err = w.Calls.Begin(t.Context(), store.Call{Run: supposed.ID, Event: "event", Supposed: &supposed}); err != nil {
		t.Fatal(err)
	}
	for op, args := range map[string]string{
		"user_by_email": `{"email":"bob@example.com"}`, "store_put": `{"path":"a","value":1}`,
		"save_identity": `{"email":"alice@example.com","service":"okta","service_id":"acme.okta.com","user_id":"00u1"}`,
		"send_message":  `{"to":{"kind":"slack_channel_name","name":"#ops"},"text":"hello"}`, "invoke": `{"arn":"` + reportARN + `"}`, "invoke_async": `{"arn":"` + reportARN + `"}`,
	} {
		if got := w.ask(op, args); strings.Contains(got, `"error"`) {
			t.Errorf("%s: %s", op, got)
		}
	}
	if got := w.ask("user_by_email", `{"email":"bob@example.com"}`); !strings.Contains(got, "bob@example.com") {
		t.Errorf("bob: %s", got)
	}
	if got := w.ask("store_get", `{"path":"a"}`); strings.Contains(got, "1") {
		t.Errorf("what was put is kept: %s", got)
	}
	if len(w.sent) > 0 || len(w.invoked) > 0 {
		t.Errorf("sent %v, invoked %d", w.sent, len(w.invoked))
	}
	if known, err := w.Users.Identities(t.Context(), alice.Actor); err != nil || slices.ContainsFunc(known, func(i store.Identity) bool { return i.Service == "okta" }) {
		t.Errorf("who alice is was saved: %v, %v", known, err)
	}
}

func TestNotOffered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secrets, w.Functions = nil, nil
	for op, args := range map[string]string{"secret": `{"path":"/sym/pd"}`, "invoke": `{"arn":"` + reportARN + `"}`, "invoke_async": `{"arn":"` + reportARN + `"}`} {
		if got := w.ask(op, args); !strings.Contains(got, "is not asked here") {
			t.Errorf("%s: %s", op, got)
		}
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	for _, tc := range []struct {
		method, body string
		status       int
		want         string
	}{
		{"POST", `{"token":"` + w.token + `","op":"store_get","args":{"path":"a"}}`, 200, `{"value":null}`},
		{"POST", `{"token":"` + w.token + `","op":"store_get","args":{}}`, 400, `"code":"Request:INVALID"`},
		{"POST", `{"token":"call_x","op":"store_get"}`, 401, `"code":"Auth:UNAUTHENTICATED"`},
		{"POST", `<html>`, 400, `"code":"Request:INVALID"`},
		{"POST", `{"token":"` + strings.Repeat("x", 2<<20) + `"}`, 400, `"code":"Request:INVALID"`},
		{"GET", ``, 405, "POST"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, server.URL, bytes.NewReader([]byte(tc.body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tc.status || !strings.Contains(string(got), tc.want) {
			t.Errorf("%s %.60s: %d %s, %v; want %d %s", tc.method, tc.body, resp.StatusCode, got, err, tc.status, tc.want)
		}
	}
}

// TestInvokeAsync answers before the function does.
func TestInvokeAsync(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask("invoke_async", `{"arn":"`+reportARN+`","payload":{"later":true}}`)
	if got := <-w.invoked; got != `{"later":true}` {
		t.Errorf("invoked with %s", got)
	}
}

// TestUserObject is what a flow author's handlers rely on.
func TestUserObject(t *testing.T) {
	t.Parallel()
	var got, want map[string]any
	w := newWorld(t)
	answer := strings.TrimSuffix(strings.TrimPrefix(w.ask("user_by_email", `{"email":"alice@example.com"}`), `{"value":`), "}")
	shown, err := json.Marshal(record.UserOf(&flow.Flow{Org: "acme"}, alice.Actor, false))
	if err != nil || json.Unmarshal([]byte(answer), &got) != nil || json.Unmarshal(shown, &want) != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v, %v", got, want, err)
	}
}
