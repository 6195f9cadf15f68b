package sdk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	ports "github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const arn = "arn:aws:lambda:us-east-1:123456789012:function:sdk"

func actor(name string) flow.Actor {
	email := strings.ToLower(name) + "@example.com"
	return flow.Actor{ID: flow.UserID("acme", email), Kind: flow.KindPerson, Email: email, Name: name + " Doe", SlackID: "U0" + strings.ToUpper(name), SlackTeam: "T0"}
}

var alice, bob, lead = actor("Alice"), actor("Bob"), actor("Lead")

func testFlow() *flow.Flow {
	code := flow.NewSource("impl.py", "...")
	code.Handlers = []string{"on_request", "on_approve"}
	return &flow.Flow{
		Org: "acme", Name: "prod-access", Version: "1.0.3", Label: "Production", Vars: map[string]string{"team": "ops"},
		Environment: flow.Environment{
			Name: "main", Admins: []string{"LEAD@example.com"},
			Integrations: map[string]flow.Integration{"pagerduty": {
				Name: "pd", Type: "pagerduty", ExternalID: "acme.pagerduty.com", Settings: map[string]string{"region": "eu"},
				Secrets: map[string]flow.SecretRef{"api_token_secret": {Name: "pd-token", Source: "aws_secrets_manager", Path: "/sym/pd", JSONKey: "token"}},
			}},
		},
		Strategy: &flow.Strategy{
			Name: "ours", Type: "custom", Settings: map[string]string{"region": "eu"},
			Targets:        []flow.Target{{Name: "orders-db", Type: "custom", Label: "Orders", Settings: map[string]string{"identifier": "orders"}}},
			Implementation: flow.NewSource("ours.py", "class Ours(AccessStrategy): ..."),
		},
		Params: flow.Params{
			AllowRevoke: true, ScheduleDeescalation: true,
			PromptFields: []flow.PromptField{{Name: "reason", Type: flow.FieldString, Required: true, Visible: true, OnChange: flow.NewSource("on_change_reason.py", "def on_change_reason(username, form): ...")}},
		},
		Implementation: code,
	}
}

// testRun is a run that was asked for in #ops, with a context, and approved.
func testRun(t *testing.T, inputs ...flow.Input) flow.Run {
	t.Helper()
	f := testFlow()
	sub, err := f.Submit(map[string]any{"target_id": "orders-db", "duration": "10m", "reason": "incident"})
	if err != nil {
		t.Fatal(err)
	}
	r := flow.Run{}
	id := flow.RunIDFrom("acme", "test")
	all := []flow.Input{
		flow.Start{ID: id, Flow: f, Requester: alice, Source: flow.ChannelSlack, SourceChannel: "C0OPS", Context: json.RawMessage(`{"diff":"x"}`), Prompted: true},
		flow.Receive{Action: flow.ActionRequest, Actor: alice, Channel: flow.ChannelSlack, Submission: &sub},
		flow.Route{
			SignalID: flow.EventID(id, 2), Deciders: flow.Deciders{Members: true, Required: 1},
			Tiers: []flow.Tier{{Channel: "#access", TimeoutSeconds: 60}, {Users: []flow.Actor{bob}}, {Users: []flow.Actor{bob, lead}}, {Channel: "C0LAST"}},
		},
	}
	for _, in := range append(all, inputs...) {
		if r, err = flow.Apply(r, in, t0); err != nil {
			t.Fatalf("%T: %v", in, err)
		}
		r.Rev++
	}
	return r
}

// runner stands for the function: it keeps what it is sent, and answers.
type runner struct {
	t      *testing.T
	to     string // the function that is to be asked; "" is the shared one
	answer string
	err    error
	sent   map[string]any
	during func(m map[string]any)
}

func (f *runner) Invoke(_ context.Context, to string, payload []byte) ([]byte, error) {
	if to != cmp.Or(f.to, arn) {
		f.t.Errorf("invoked %s", to)
	}
	f.sent = nil
	if err := json.Unmarshal(payload, &f.sent); err != nil {
		f.t.Error(err)
	}
	if f.during != nil {
		f.during(f.sent)
	}
	return []byte(f.answer), f.err
}

func client(t *testing.T) (*Client, *runner, *bytes.Buffer) {
	m := &storetest.Memory{Now: func() time.Time { return t0 }}
	f, log := &runner{t: t}, &bytes.Buffer{}
	return &Client{
		Functions: f, ARN: arn, Runs: store.Runs{Store: m}, Flows: &store.Flows{Store: m}, Users: store.Users{Store: m},
		Calls: store.Calls{Store: m, Now: m.Now}, Services: Services{URL: "http://127.0.0.1:1/services", Offers: []string{"secret"}},
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}, f, log
}

// An isolated flow is asked in the function of its own, by what is deployed: the
// flow's version may be older. Sources that belong to no flow are not.
func TestIsolated(t *testing.T) {
	t.Parallel()
	c, f, _ := client(t)
	c.Isolated = []string{"other", "Prod-Access"} // spelled anew since that version
	f.answer = `{"version":1,"handlers":[],"results":[{"handler":"on_request","state":"returned"}]}`
	f.to = arn + "-Prod-Access"
	r := testRun(t)
	call := workflow.HandlerCall{Flow: testFlow(), Run: r, Event: r.Events[len(r.Events)-1]}
	if _, err := c.Handle(t.Context(), call, []string{"on_request"}); err != nil {
		t.Error(err)
	}
	f.to = ""
	c.Read = true
	if _, err := c.Describe(t.Context(), *flow.NewSource("prod-access.py", ""), ""); err != nil {
		t.Error(err)
	}
	want(t, f.sent, map[string]any{"op": "describe", "read": true})
	c.Isolated = nil
	f.to = arn + "-Prod-Access" // of a configuration that is not in force yet
	if _, err := c.Describe(t.Context(), *flow.NewSource("prod-access.py", ""), "Prod-Access"); err != nil {
		t.Error(err)
	}
	f.to = ""
	if _, err := c.Handle(t.Context(), call, []string{"on_request"}); err != nil {
		t.Error(err)
	}
}

func TestIsolatedFunction(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 75)
	for _, test := range []struct{ shared, flow, want string }{
		{arn, "a", arn + "-a"},
		{"sym-flows-sdk", "pay-roll", "sym-flows-sdk-pay-roll"},
		{"sym-flows-sdk", long[:50], "sym-flows-sdk-" + long[:50]}, // 64
	} {
		if got := IsolatedFunction(test.shared, test.flow); got != test.want {
			t.Errorf("%s: got %s, want %s", test.flow, got, test.want)
		}
	}
	one, other := IsolatedFunction("sym-flows-sdk", long), IsolatedFunction("sym-flows-sdk", long[1:])
	if len(one) != 64 || len(other) != 64 || one == other || !strings.HasPrefix(one, "sym-flows-sdk-xxx") {
		t.Errorf("long names become %s and %s", one, other)
	}
}

// want checks parts of a message, by paths into its JSON.
func want(t *testing.T, sent map[string]any, parts map[string]any) {
	t.Helper()
	for path, value := range parts {
		var at any = sent
		for key := range strings.SplitSeq(path, "/") {
			if list, ok := at.([]any); ok && key == "0" && len(list) > 0 {
				at = list[0]
				continue
			}
			object, _ := at.(map[string]any)
			at = object[key]
		}
		if !reflect.DeepEqual(at, value) {
			t.Errorf("%s is %#v, want %#v", path, at, value)
		}
	}
}

func TestClient_Handle_Message(t *testing.T) {
	t.Parallel()
	c, f, _ := client(t)
	_, err := c.Users.Remember(t.Context(), store.User{Actor: bob, Role: store.RoleGuest})
	must(t, err)
	must(t, c.Users.SetIdentity(t.Context(), alice, store.SavedIdentity{Identity: store.Identity{Service: "okta", ExternalID: "acme.okta.com", UserID: "00u1"}}))
	r := testRun(t)
	e := flow.Event{
		ID: "event-3", Name: flow.EventApprove, Actor: bob, Channel: flow.ChannelSlack, At: t0, Via: &flow.MessageRef{Channel: "C0ACCESS"},
		Fields: map[string]any{"decision_message": "fine"},
	}
	f.answer = `{"version":1,"results":[]}`
	var token string
	f.during = func(m map[string]any) {
		token, _ = m["services"].(map[string]any)["token"].(string)
		if call, err := c.Calls.Check(t.Context(), token); err != nil || call.Run != r.ID || call.Event != "event-3" {
			t.Errorf("the token of the call: %+v, %v", call, err)
		}
	}
	if _, err := c.Handle(t.Context(), workflow.HandlerCall{Flow: testFlow(), Run: r, Event: e}, []string{"on_approve"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Calls.Check(t.Context(), token); flow.CodeOf(err) != flow.CodeUnauthenticated {
		t.Errorf("the token outlives its call: %v", err)
	}
	want(t, f.sent, map[string]any{
		"version": 1.0, "id": "event-3", "op": "handle", "timeout_ms": 10000.0, "handlers": []any{"on_approve"},
		"source/name": "impl.py", "source/text": "...", "source/sha256": testFlow().Implementation.SHA256,
		"services/url": "http://127.0.0.1:1/services", "services/offers": []any{"secret"},
		"event/name": "approve", "event/srn": "sym:event-spec:approval:1.0.0:approve", "event/timestamp": "2026-03-02T09:00:00Z",
		"event/template": "sym:template:approval:1.0.0", "event/channel": map[string]any{"type": "slack", "identifier": "C0ACCESS"},
		"event/user/id": bob.ID, "event/user/role": "guest", "event/user/first_name": "Bob", "event/user/last_name": "Doe", "event/user/username": "bob@example.com",
		"event/user/type": "normal", "event/user/identities": []any{map[string]any{"service": "slack", "service_id": "T0", "user_id": "U0BOB"}},
		"event/fields":      map[string]any{"reason": "incident", "duration": 600.0, "target_id": flow.TargetID("acme", "orders-db"), "decision_message": "fine"},
		"event/target/name": "orders-db", "event/target/settings": map[string]any{"identifier": "orders"},
		"event/target/srn": "acme:access_target:custom:orders-db:latest",
		"event/run/id":     r.ID, "event/run/srn": r.SRN(), "event/run/contexts": map[string]any{"request": map[string]any{"diff": "x"}},
		"event/run/source_channel":       map[string]any{"type": "slack", "identifier": "C0OPS"},
		"event/run/actors/request/email": "alice@example.com", "event/run/actors/approve/email": "bob@example.com",
		"event/flow/name": "prod-access", "event/flow/srn": "acme:flow:prod-access:1.0.3", "event/flow/vars": map[string]any{"team": "ops"},
		"event/flow/environment/integrations/pagerduty/settings":                 map[string]any{"region": "eu"},
		"event/flow/environment/integrations/pagerduty/external_id":              "acme.pagerduty.com",
		"event/flow/environment/integrations/pagerduty/secrets/api_token_secret": map[string]any{"name": "pd-token", "path": "/sym/pd", "source": "aws_secrets_manager", "settings": map[string]any{"json_key": "token"}},
		"event/flow/strategy/type":                                               "custom", "event/flow/strategy/targets/0/name": "orders-db", "event/flow/fields/0/name": "target_id",
		"event/step_outputs": map[string]any{}, "event/forward": nil,
	})
	requester, _ := f.sent["event"].(map[string]any)["run"].(map[string]any)["actors"].(map[string]any)["request"].(map[string]any)
	if ids, _ := requester["identities"].([]any); len(ids) != 2 {
		t.Errorf("identities %v", ids)
	}
	if b, _ := json.Marshal(f.sent); bytes.Contains(b, []byte("AccessStrategy")) {
		t.Error("a strategy's code went to the flow's handlers")
	}
}

// What an agent asks for says so at each of its events, with its owner and the purpose.
func TestClient_Handle_Agent(t *testing.T) {
	t.Parallel()
	c, f, _ := client(t)
	must(t, c.Users.SetIdentity(t.Context(), alice, store.SavedIdentity{Identity: store.Identity{Service: "okta", ExternalID: "acme.okta.com", UserID: "00u1"}}))
	helper := flow.Actor{ID: flow.AgentID("acme", "helper", alice.Email), Kind: flow.KindAgent, Name: "helper"}
	r := testRun(t)
	r.Asker, r.Owner, r.Agent, r.Source = &helper, &alice, &flow.Agent{Purpose: "find order 42"}, flow.ChannelAPI
	for name, e := range map[string]flow.Event{
		"its request": {Name: flow.EventRequest, Actor: helper, Channel: flow.ChannelAPI},
		"a decision":  {Name: flow.EventApprove, Actor: lead, Channel: flow.ChannelSlack},
	} {
		f.answer = `{"version":1,"results":[]}`
		e.ID, e.At = "e", t0
		if _, err := c.Handle(t.Context(), workflow.HandlerCall{Flow: testFlow(), Run: r, Event: e}, []string{"x"}); err != nil {
			t.Fatal(err)
		}
		want(t, f.sent, map[string]any{
			"event/run/agent/user/name": "helper", "event/run/agent/user/agent": true, "event/run/agent/user/type": "bot",
			"event/run/agent/owner/email": alice.Email, "event/run/agent/owner/agent": nil, "event/run/agent/purpose": "find order 42",
		})
		owner, _ := f.sent["event"].(map[string]any)["run"].(map[string]any)["agent"].(map[string]any)["owner"].(map[string]any)
		if ids, _ := owner["identities"].([]any); len(ids) != 2 {
			t.Errorf("%s: the owner is elsewhere %v", name, ids)
		}
		if name == "its request" {
			want(t, f.sent, map[string]any{"event/user/id": helper.ID, "event/user/agent": true, "event/user/type": "bot", "event/user/username": "helper", "event/user/email": ""})
		}
	}
}

func TestClient_Handle_Events(t *testing.T) {
	t.Parallel()
	forwarded := map[string]any{
		"event/forward/current_destination_index": 0.0, "event/forward/next_destination_index": 1.0,
		"event/forward/all_request_destinations": []any{
			map[string]any{"kind": "slack_channel_name", "name": "#access", "timeout": 60.0},
			map[string]any{"kind": "slack_user", "id": "U0BOB"},
			map[string]any{"kind": "slack_user_group", "users": []any{"U0BOB", "U0LEAD"}},
			map[string]any{"kind": "slack_channel_id", "id": "C0LAST"},
		},
	}
	id := flow.RunIDFrom("acme", "test")
	approved := []flow.Input{
		flow.Receive{Action: flow.ActionApprove, Actor: lead, Channel: flow.ChannelSlack}, flow.Decide{SignalID: flow.EventID(id, 3)},
		flow.Intend{Strategy: *testFlow().Strategy, Target: testFlow().Strategy.Targets[0], Identity: "a", Entitlements: []flow.Entitlement{{Key: "k"}}},
		flow.Escalate{Output: json.RawMessage(`{"body":{"user":"tmp"},"errors":[]}`)},
	}
	for _, tc := range []struct {
		name   string
		event  flow.Event
		before []flow.Input
		want   map[string]any
	}{
		{"Prompt", flow.Event{Name: flow.EventPrompt, Actor: alice, Channel: flow.ChannelSlack}, nil, map[string]any{
			"event/fields": map[string]any{}, "event/target": nil, "event/channel": map[string]any{"type": "slack", "identifier": "C0OPS"},
		}},
		{"Forward", flow.Event{Name: flow.EventRequestForward, Actor: flow.System, Channel: flow.ChannelInternal}, nil, forwarded},
		{"System", flow.Event{Name: flow.EventRequestExpire, Actor: flow.System, Channel: flow.ChannelInternal}, nil, map[string]any{
			"event/channel": map[string]any{"type": "internal", "identifier": nil}, "event/user/type": "bot", "event/user/email": "", "event/user/username": "system",
		}},
		{"API", flow.Event{Name: flow.EventApprove, Actor: flow.Actor{ID: "b", Kind: flow.KindBot, Name: "ci"}, Channel: flow.ChannelAPI}, nil, map[string]any{
			"event/channel/type": "sym", "event/user/type": "bot", "event/user/username": "ci",
		}},
		{"Nobody's agent", flow.Event{Name: flow.EventApprove, Actor: lead, Channel: flow.ChannelSlack}, nil, map[string]any{"event/run/agent": nil, "event/user/agent": nil}},
		{"Admin", flow.Event{Name: flow.EventApprove, Actor: lead, Channel: flow.ChannelSlack}, nil, map[string]any{"event/user/role": "admin"}},
		{"Deescalate", flow.Event{Name: flow.EventDeescalate, Actor: lead, Channel: flow.ChannelInternal}, approved, map[string]any{
			"event/step_outputs":               map[string]any{"escalate": map[string]any{"body": map[string]any{"user": "tmp"}, "errors": []any{}}},
			"event/run/actors/escalate/email":  "lead@example.com",
			"event/run/actors/deescalate/name": "Lead Doe",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, f, _ := client(t)
			f.answer = `{}`
			tc.event.ID, tc.event.At = "e", t0
			if _, err := c.Handle(t.Context(), workflow.HandlerCall{Flow: testFlow(), Run: testRun(t, tc.before...), Event: tc.event}, []string{"x"}); err != nil {
				t.Fatal(err)
			}
			want(t, f.sent, tc.want)
		})
	}
}

// TestClient_Handle_Answer reads every answer of the protocol.
func TestClient_Handle_Answer(t *testing.T) {
	t.Parallel()
	sixty, ten := int64(60), int64(600)
	returned := func(handler, value string) string {
		return `{"version":1,"more":7,"results":[{"handler":"` + handler + `","state":"returned","value":` + value + `,"ms":3,"odd":true}]}`
	}
	failed := func(handler, fault string) string {
		return `{"results":[{"handler":"` + handler + `","state":"failed","error":` + fault + `},{"handler":"get_permissions","state":"skipped"}]}`
	}
	for _, tc := range []struct {
		name   string
		answer string
		want   flow.Answer
		failed string // "code handler: message"
	}{
		{"Nothing", returned("on_request", "null"), flow.Answer{}, ""},
		{"Absent", `{"results":[{"handler":"on_request","state":"absent"}]}`, flow.Answer{}, ""},
		{"Approve", returned("on_request", `{"event":"approve","fields":{"reason":"on call"},"duration":600,"target_srn":"a:access_target:custom:b:latest"}`),
			flow.Answer{Hook: &flow.HookAnswer{Event: flow.EventApprove, Fields: map[string]any{"reason": "on call"}, Duration: &ten, TargetSRN: "a:access_target:custom:b:latest"}}, ""},
		{"Ignore", returned("on_deny", `{"event":"ignore","message":"no"}`), flow.Answer{Hook: &flow.HookAnswer{Event: flow.Ignore, Message: "no"}}, ""},
		{"IgnoreSilently", returned("on_deny", `{"event":"ignore","message":null}`), flow.Answer{Hook: &flow.HookAnswer{Event: flow.Ignore}}, ""},
		{"After", returned("after_approve", "null"), flow.Answer{}, ""},
		{"Levels", returned("get_permissions", `{"webapp_view":"member","approve_deny":"admin","allow_self_approval":true}`),
			flow.Answer{Permissions: &flow.Permissions{WebappView: flow.Permission{Level: flow.LevelMember}, ApproveDeny: flow.Permission{Level: flow.LevelAdmin}, AllowSelfApproval: true}}, ""},
		{"Users", returned("get_permissions", `{"webapp_view":"all_users","approve_deny":["u1","u2"]}`),
			flow.Answer{Permissions: &flow.Permissions{WebappView: flow.Permission{Level: flow.LevelAllUsers}, ApproveDeny: flow.Permission{Users: []string{"u1", "u2"}}}}, ""},
		{"OddLevel", returned("get_permissions", `{"approve_deny":"everybody"}`), flow.Answer{}, `Handler:FAILED get_permissions: get_permissions returned what can't be understood: "everybody" is no PermissionLevel`},
		{"Notifications", returned("get_request_notifications", `[{"destinations":[{"kind":"slack_channel_id","id":"C1","allow_self":false,"timeout":null},{"kind":"user","id":"u1","email":"a@example.com"}],"timeout":60}]`),
			flow.Answer{Notifications: []flow.Notification{{Timeout: &sixty, Destinations: []flow.Destination{{Kind: "slack_channel_id", ID: "C1"}, {Kind: "user", ID: "u1", Email: "a@example.com"}}}}}, ""},
		{"NoNotification", returned("get_request_notifications", `[]`), flow.Answer{}, `Handler:FAILED get_request_notifications: get_request_notifications returned what can't be understood: it names nobody to ask`},
		{"OddTimeout", returned("get_request_notifications", `[{"destinations":[],"timeout":0}]`), flow.Answer{}, `Handler:FAILED get_request_notifications: get_request_notifications returned what can't be understood: a timeout of 0 seconds: it must be from 1 to 31622400`},
		{"Approvers", returned("get_approvers", `{"kind":"slack_channel_name","name":"#a","allow_self":true,"timeout":60}`),
			flow.Answer{Approvers: &flow.Approvers{Destinations: []flow.Destination{{Kind: "slack_channel_name", Name: "#a", AllowSelf: true, Timeout: &sixty}}}}, ""},
		{"Fallback", returned("get_approvers", `{"kind":"fallback","destinations":[{"kind":"slack_user","id":"U1"},{"kind":"slack_user_group","users":["U2","b@example.com"]}],"continue_on_delivery_failure":true,"continue_on_timeout":false}`),
			flow.Answer{Approvers: &flow.Approvers{ContinueOnDeliveryFailure: true, Destinations: []flow.Destination{{Kind: "slack_user", ID: "U1"}, {Kind: "slack_user_group", Users: []string{"U2", "b@example.com"}}}}}, ""},
		{"Raised", failed("on_request", `{"code":"SDK:HANDLER_ERROR","message":"KeyError: 'team'","hint":"","file":"impl.py","line":12}`), flow.Answer{}, "SDK:HANDLER_ERROR on_request: on_request (impl.py:12): KeyError: 'team'"},
		{"OwnCode", failed("on_request", `{"code":"PagerDuty:NO_TOKEN","message":"There is no token.","hint":"Add one.","file":null,"line":null}`), flow.Answer{}, "PagerDuty:NO_TOKEN on_request: on_request: There is no token. Add one."},
		{"NoError", failed("on_request", `null`), flow.Answer{}, "Handler:FAILED on_request: on_request failed, and gave no reason"},
		{"Import", `{"error":{"code":"SDK:IMPORT_ERROR","message":"No module named 'sim'","hint":"Write sym.","file":"impl.py","line":1}}`, flow.Answer{}, "SDK:IMPORT_ERROR impl.py: impl.py:1: No module named 'sim' Write sym."},
		{"OddValue", returned("on_request", `[1]`), flow.Answer{}, "!"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, f, _ := client(t)
			f.answer = tc.answer
			got, err := c.Handle(t.Context(), workflow.HandlerCall{Flow: testFlow(), Run: testRun(t), Event: flow.Event{ID: "e", Name: flow.EventRequest, Actor: alice}}, []string{"on_request"})
			if err != nil {
				t.Fatal(err)
			}
			if tc.failed == "!" && got.Error != nil {
				return
			}
			if tc.failed != "" {
				if got.Error == nil || string(got.Error.Code)+" "+got.Error.Handler+": "+got.Error.Message != tc.failed {
					t.Errorf("got %+v, want %q", got.Error, tc.failed)
				}
				return
			}
			if got.Error != nil || got.Answer == nil || !reflect.DeepEqual(*got.Answer, tc.want) {
				t.Errorf("got %+v %+v, want %+v", got.Answer, got.Error, tc.want)
			}
			kept, err := json.Marshal(got.Answer) // as a run keeps it
			var back flow.Answer
			if err != nil || json.Unmarshal(kept, &back) != nil || !reflect.DeepEqual(back, tc.want) {
				t.Errorf("kept as %s, %v", kept, err)
			}
		})
	}
}

// TestClient_Handle_Faults: what is no fault of customers' code is an error.
func TestClient_Handle_Faults(t *testing.T) {
	t.Parallel()
	call := func(t *testing.T) workflow.HandlerCall {
		return workflow.HandlerCall{Flow: testFlow(), Run: testRun(t), Event: flow.Event{ID: "e", Name: flow.EventRequest, Actor: alice}}
	}
	c, f, _ := client(t)
	tokens := &puts{Store: c.Calls.Store}
	c.Calls.Store = tokens
	f.err = flow.Errorf(flow.CodeUnavailable, "throttled")
	if _, err := c.Handle(t.Context(), call(t), nil); !flow.Retryable(err) {
		t.Errorf("throttled: %v", err)
	}
	f.err, f.answer = nil, `<html>`
	if _, err := c.Handle(t.Context(), call(t), nil); flow.CodeOf(err) != flow.CodeHandler {
		t.Errorf("no JSON: %v", err)
	}
	if len(tokens.keys) != 2 {
		t.Errorf("tokens of calls: %v", tokens.keys)
	}
	for _, key := range tokens.keys {
		if _, err := tokens.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a token is left: %v", err)
		}
	}
}

// puts keeps the keys that are put into a store.
type puts struct {
	store.Store
	keys []string
}

func (p *puts) Put(ctx context.Context, item store.Item) (int64, error) {
	p.keys = append(p.keys, item.Key)
	return p.Store.Put(ctx, item)
}

// TestClient_Output: what handlers print can be found by run.
func TestClient_Output(t *testing.T) {
	t.Parallel()
	c, f, log := client(t)
	f.answer = `{"output":"loading rules\n","results":[{"handler":"on_request","state":"returned","value":null,"output":"asking PagerDuty\n"},{"handler":"get_permissions","state":"absent","output":""}]}`
	r := testRun(t)
	if _, err := c.Handle(t.Context(), workflow.HandlerCall{Flow: testFlow(), Run: r, Event: flow.Event{ID: "e1", Name: flow.EventRequest, Actor: alice}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`msg="asking PagerDuty"`, "run=" + r.ID, "event=e1", "handler=on_request", "flow=prod-access", `msg="loading rules"`, "handler=import"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}
	if strings.Count(log.String(), "\n") != 2 {
		t.Errorf("log: %s", log)
	}
}

func TestClient_Identity(t *testing.T) {
	t.Parallel()
	for answer, wanted := range map[string]string{
		`{"results":[{"handler":"get_identity","state":"returned","value":"arn:1"}]}`:                     "arn:1",
		`{"results":[{"handler":"get_identity","state":"returned","value":null}]}`:                        "",
		`{"results":[{"handler":"get_identity","state":"absent"}]}`:                                       "",
		`{"results":[{"handler":"get_identity","state":"failed","error":{"code":"X:Y","message":"no"}}]}`: "!Identity:NOT_FOUND",
		`{"results":[]}`: "!Identity:NOT_FOUND",
	} {
		c, f, _ := client(t)
		f.answer = answer
		got, err := c.Identity(t.Context(), workflow.HandlerCall{Flow: testFlow(), Run: testRun(t), Event: flow.Event{ID: "e", Name: flow.EventEscalate, Actor: bob}}, "get_identity", "aws_iam", "123456789012")
		if code, fails := strings.CutPrefix(wanted, "!"); fails && string(flow.CodeOf(err)) != code || !fails && (got != wanted || err != nil) {
			t.Errorf("%s: %q, %v", answer, got, err)
		}
		want(t, f.sent, map[string]any{"op": "identity", "handler": "get_identity", "service": "aws_iam", "external_id": "123456789012", "user/email": "alice@example.com"})
	}
}

func TestClient_Forms(t *testing.T) {
	t.Parallel()
	c, f, _ := client(t)
	f.answer = `{"results":[{"handler":"prefetch:repo","state":"returned","value":[{"value":"v","label":"l"}]}]}`
	options, err := c.Prefetch(t.Context(), workflow.HandlerCall{Flow: testFlow(), Run: testRun(t), Event: flow.Event{ID: "e", Name: flow.EventPrompt, Actor: alice}}, "repo")
	if err != nil || !reflect.DeepEqual(options, []flow.Option{{Value: "v", Label: "l"}}) {
		t.Errorf("options %v, %v", options, err)
	}
	want(t, f.sent, map[string]any{"op": "prefetch", "field": "repo", "event/name": "prompt"})

	form := flow.OpenForm{FlowVars: map[string]string{"a": "b"}, Fields: []flow.OpenField{{Name: "reason", Type: flow.FieldString, Value: "x", Visible: true}}}
	f.answer = `{"results":[{"handler":"on_change_reason","state":"returned","value":{"fields":[{"name":"reason","type":"string","value":"y","label":"Why","required":true,"visible":false,"current_allowed_values":[{"value":"y","label":"Y"}],"original_allowed_values":null}],"flow_vars":{},"additional_header_text":"hi"}}]}`
	changed, err := c.OnChange(t.Context(), testFlow(), "reason", "alice@example.com", form)
	if err != nil || changed.AdditionalHeaderText != "hi" || changed.Fields[0].Label != "Why" || changed.Fields[0].Visible || changed.Fields[0].CurrentAllowed[0].Label != "Y" {
		t.Errorf("form %+v, %v", changed, err)
	}
	want(t, f.sent, map[string]any{"op": "on_change", "field": "reason", "username": "alice@example.com", "source/name": "on_change_reason.py", "services": nil, "form/fields/0/value": "x"})
	if _, err := c.OnChange(t.Context(), testFlow(), "other", "a", form); flow.CodeOf(err) != flow.CodeHandler {
		t.Errorf("a field without on_change: %v", err)
	}
	f.answer = `{"results":[{"handler":"on_change_reason","state":"failed","error":{"code":"SDK:TIMEOUT","message":"took too long"}}]}`
	if _, err := c.OnChange(t.Context(), testFlow(), "reason", "a", form); flow.CodeOf(err) != flow.CodeHandler || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("a handler that fails: %v", err)
	}

	f.answer = `{"results":[{"handler":"get_flows","state":"returned","value":["prod-access"]}]}`
	names, err := c.FlowsShown(t.Context(), *flow.NewSource("filter.py", "..."), map[string]string{"x": "y"}, store.User{Actor: lead}, []*flow.Flow{testFlow()})
	if err != nil || !reflect.DeepEqual(names, []string{"prod-access"}) {
		t.Errorf("names %v, %v", names, err)
	}
	want(t, f.sent, map[string]any{"op": "flows", "handler": "get_flows", "user/role": "admin", "vars": map[string]any{"x": "y"}, "flows/0/name": "prod-access", "source/name": "filter.py"})
}

// TestClient_Do: the code of a strategy is that of the run's version, whatever
// is frozen into the run.
func TestClient_Do(t *testing.T) {
	t.Parallel()
	c, f, _ := client(t)
	if _, err := c.Flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{testFlow()}); err != nil {
		t.Fatal(err)
	}
	id := flow.RunIDFrom("acme", "test")
	r := testRun(t,
		flow.Receive{Action: flow.ActionApprove, Actor: bob, Channel: flow.ChannelSlack}, flow.Decide{SignalID: flow.EventID(id, 3)},
		flow.Intend{Strategy: *testFlow().Strategy, Target: testFlow().Strategy.Targets[0], Identity: "a", Entitlements: []flow.Entitlement{{Key: "k"}}})
	if code := r.Access.Strategy.Implementation; code == nil || code.Text != "" || code.SHA256 == "" {
		t.Errorf("frozen with %+v", code)
	}
	r.FlowVersion, r.Rev = "1.0.1", 0
	if _, err := c.Runs.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	f.answer = `{"results":[{"handler":"escalate","state":"returned","value":{"user":"tmp"}}]}`
	call := ports.Call{RunID: r.ID, Target: r.Access.Target, Record: record.Processing(r, flow.EventEscalate, r.Access.EventID, flow.Entitlement{}, t0)}
	out, err := c.Do(t.Context(), r.Access.Strategy, MethodEscalate, call)
	if err != nil || string(out) != `{"user":"tmp"}` {
		t.Errorf("answer %s, %v", out, err)
	}
	want(t, f.sent, map[string]any{
		"op": "strategy", "method": "escalate", "id": r.Access.EventID, "target_id": flow.TargetID("acme", "orders-db"),
		"source/name": "ours.py", "source/text": "class Ours(AccessStrategy): ...", "strategy/name": "ours", "strategy/settings": map[string]any{"region": "eu"},
		"event/name": "escalate", "event/user/email": "bob@example.com", "event/target/name": "orders-db",
	})
	f.answer = `{"results":[{"handler":"fetch_remote_identity","state":"returned","value":"remote-1"}]}`
	out, err = c.Do(t.Context(), *testFlow().Strategy, MethodIdentity, ports.Call{RunID: r.ID})
	if err != nil || string(out) != `"remote-1"` {
		t.Errorf("identity %s, %v", out, err)
	}
	want(t, f.sent, map[string]any{"method": "fetch_remote_identity", "user/email": "alice@example.com", "target_id": nil})
	f.answer = `{"results":[{"handler":"deescalate","state":"failed","error":{"code":"AccessStrategy:NO","message":"not now"}}]}`
	if _, err := c.Do(t.Context(), r.Access.Strategy, MethodDeescalate, call); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(err.Error(), "not now") || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a strategy that fails: %v", err)
	}
	f.answer = `{"results":[{"handler":"deescalate","state":"failed","error":{"code":"SDK:TIMEOUT","message":"took too long"}}]}`
	if _, err := c.Do(t.Context(), r.Access.Strategy, MethodDeescalate, call); flow.CodeOf(err) != flow.CodeStrategy || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a strategy whose target does not answer: %v", err)
	}
}

func TestClient_Describe(t *testing.T) {
	t.Parallel()
	c, f, _ := client(t)
	f.answer = `{"version":1,"handlers":["on_request","prefetch:repo"],
		"warnings":[{"code":"SDK:NOT_DECORATED","message":"on_deny is not decorated.","hint":"Put @hook above it.","file":"impl.py","line":7}]}`
	got, err := c.Describe(t.Context(), *flow.NewSource("impl.py", "..."), "")
	if err != nil || !reflect.DeepEqual(got, flow.Outline{
		Handlers: []string{"on_request", "prefetch:repo"},
		Warnings: []*flow.SourceError{{Line: 7, Message: "on_deny is not decorated. Put @hook above it."}},
	}) {
		t.Errorf("got %v, %v", got, err)
	}
	want(t, f.sent, map[string]any{"op": "describe", "source/name": "impl.py", "services": nil, "event": nil})
	f.answer = `{"error":{"code":"SDK:IMPORT_ERROR","message":"invalid syntax","hint":"Close the bracket.","file":"impl.py","line":4}}`
	_, err = c.Describe(t.Context(), *flow.NewSource("impl.py", "..."), "")
	if wrong, ok := errors.AsType[*flow.SourceError](err); !ok || wrong.Line != 4 || wrong.Message != "invalid syntax Close the bracket." {
		t.Errorf("got %v", err)
	}
	f.err = flow.Errorf(flow.CodeHandler, "python3 can't be run")
	if _, err = c.Describe(t.Context(), *flow.NewSource("impl.py", "..."), ""); flow.CodeOf(err) != flow.CodeHandler {
		t.Errorf("got %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
