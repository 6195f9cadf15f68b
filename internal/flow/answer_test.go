package flow

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHookAnswer_Check: what each hook may return, every event a column.
func TestHookAnswer_Check(t *testing.T) {
	t.Parallel()
	events := append(slices.Clone(hookEvents), Ignore, EventCancel)
	const table = `
# asked about    | may return
prompt          | prompt ignore
request         | request approve deny ignore
request_forward | request_forward request_expire approve deny ignore
request_expire  | request_expire approve deny ignore
approve         | approve deny ignore
deny            | deny ignore
escalate        | escalate
extend_request  | extend_request extend extend_deny ignore
extend          | extend extend_deny ignore
extend_deny     | extend_deny ignore
deescalate      | deescalate ignore
review          | review ignore
`
	seen := 0
	for _, cells := range rows(table) {
		asked := EventName(cells[0])
		if !slices.Contains(hookEvents, asked) {
			t.Errorf("no hook is asked about %s", asked)
		}
		seen++
		var may []string
		for _, e := range events {
			err := (&HookAnswer{Event: e}).Check(asked)
			if err == nil {
				may = append(may, string(e))
			} else if CodeOf(err) != CodeHandler || !strings.Contains(err.Error(), HookBefore(asked)+" returned "+string(e)) {
				t.Errorf("%s by %s: %v", e, asked, err)
			}
		}
		if got := strings.Join(may, " "); got != cells[1] {
			t.Errorf("%s may return %q, want %q", HookBefore(asked), got, cells[1])
		}
		if err := (*HookAnswer)(nil).Check(asked); err != nil {
			t.Errorf("%s may return nothing: %v", asked, err)
		}
	}
	if seen != len(hookEvents) {
		t.Errorf("%d rows for %d hooks", seen, len(hookEvents))
	}
}

func TestHookAnswer_Reason(t *testing.T) {
	t.Parallel()
	if got := (&HookAnswer{Event: Ignore, Message: "not now"}).Reason(EventApprove); got.Message != "not now" || got.Code != CodeIgnored || got.Handler != "on_approve" {
		t.Errorf("got %+v", got)
	}
	if got := (&HookAnswer{Event: Ignore}).Reason(EventApprove); got.Message == "" {
		t.Error("whoever acted is told nothing")
	}
}

func TestFlow_Terms(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Params.MaxDuration = Duration(2 * time.Hour)
	f.Params.PromptFields = []PromptField{{Name: "count", Type: FieldInt, Visible: true}, {Name: "schema", Type: FieldString, Visible: true}}
	f.Strategy.Targets = append(slices.Clone(f.Strategy.Targets), Target{Name: "other-db", Type: "http", FieldBindings: []string{"schema"}})
	r := requestedOf(f, 1, time.Hour)
	seconds := func(n int64) *int64 { return &n }
	hour := time.Hour
	for _, tc := range []struct {
		name  string
		flow  *Flow
		asked EventName
		says  HookAnswer
		terms *Terms
		rest  map[string]any
		wrong string
	}{
		{"Nothing", f, EventRequest, HookAnswer{Event: EventApprove}, nil, map[string]any{}, ""},
		{"Ignore", f, EventRequest, HookAnswer{Event: Ignore, Fields: map[string]any{"a": 1}}, nil, nil, ""},
		{"Reason", f, EventRequest, HookAnswer{Event: EventApprove, Fields: map[string]any{"reason": "on call", "count": 7.0}}, nil, map[string]any{"reason": "on call", "count": 7.0}, ""},
		{"OwnFields", f, EventRequest, HookAnswer{Event: EventRequest, Fields: map[string]any{"count": 7.0, "ticket": "T-1", "schema": ""}}, &Terms{Fields: map[string]any{"count": int64(7)}}, map[string]any{"ticket": "T-1"}, ""},
		{"OwnFieldWrong", f, EventRequest, HookAnswer{Event: EventRequest, Fields: map[string]any{"count": "many"}}, nil, nil, "on_request returned a field \"count\": `many` is not a whole number"},
		{"Reserved", f, EventApprove, HookAnswer{Event: EventApprove, Fields: map[string]any{"expires_at": "never", "target": "x", "duration": 9.0, "decision_message": "ok"}}, nil, map[string]any{"decision_message": "ok"}, ""},
		{"Duration", f, EventApprove, HookAnswer{Event: EventApprove, Duration: seconds(3600)}, &Terms{Fields: map[string]any{}, Duration: &hour}, map[string]any{}, ""},
		{"DurationNone", f, EventApprove, HookAnswer{Event: EventApprove, Duration: seconds(0)}, nil, nil, "a duration of 0 seconds"},
		{"DurationHuge", f, EventApprove, HookAnswer{Event: EventApprove, Duration: seconds(1 << 62)}, nil, nil, "it must be from 1 to 315360000"},
		{"DurationTooLong", f, EventApprove, HookAnswer{Event: EventApprove, Duration: seconds(7201)}, nil, nil, "longer than the flow's max_duration (2 hours)"},
		{"Target", f, EventApprove, HookAnswer{Event: EventApprove, TargetSRN: TargetSRN("acme", "http", "orders-db", Latest)}, &Terms{Fields: map[string]any{}, Target: &Target{Name: "orders-db", Type: "http", Label: "Orders database", Settings: map[string]string{"identifier": "orders"}}}, map[string]any{}, ""},
		{"TargetBound", f, EventRequest, HookAnswer{Event: EventRequest, TargetSRN: "other-db", Fields: map[string]any{"schema": "public"}}, &Terms{Fields: map[string]any{"schema": "public"}, Target: &Target{Name: "other-db", Type: "http", Settings: map[string]string{"schema": "public"}, FieldBindings: []string{"schema"}}}, map[string]any{}, ""},
		{"TargetUnknown", f, EventApprove, HookAnswer{Event: EventApprove, TargetSRN: "acme:access_target:http:all:latest"}, nil, nil, "which is not one of the flow's"},
		{"ApprovalOnly", approvalFlow(), EventApprove, HookAnswer{Event: EventApprove, Duration: seconds(60)}, nil, nil, "which an approval-only flow does not have"},
		{"ByHandOnly", func() *Flow { f := accessFlow(); f.Params.ScheduleDeescalation = false; return f }(), EventApprove, HookAnswer{Event: EventApprove, Duration: seconds(60)}, nil, nil, "ends by hand only"},
		{"TooMuch", f, EventApprove, HookAnswer{Event: EventApprove, Fields: map[string]any{"x": strings.Repeat("x", 17<<10)}}, nil, nil, "fields of more than 16 KB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			terms, rest, err := tc.flow.Terms(r, tc.asked, &tc.says)
			if tc.wrong != "" {
				if CodeOf(err) != CodeHandler || !strings.Contains(err.Error(), tc.wrong) {
					t.Errorf("got %v, want %q", err, tc.wrong)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(terms, tc.terms) || !reflect.DeepEqual(rest, tc.rest) {
				t.Errorf("got %+v, %v, %v; want %+v, %v", terms, rest, err, tc.terms, tc.rest)
			}
		})
	}
	if terms, rest, err := f.Terms(r, EventRequest, nil); terms != nil || rest != nil || err != nil {
		t.Errorf("no answer: %v, %v, %v", terms, rest, err)
	}
}

// TestFlow_TermsBind: a hook that changes a field changes what is granted by it,
// or people would approve one thing and grant another.
func TestFlow_TermsBind(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Params.PromptFields = []PromptField{{Name: "schema", Type: FieldString, Visible: true}}
	r := requestedOf(f, 1, time.Hour)
	r.Target = &Target{Name: "orders-db", Type: "http", Settings: map[string]string{"identifier": "orders", "schema": "public"}, FieldBindings: []string{"schema"}}
	terms, _, err := f.Terms(r, EventRequest, &HookAnswer{Event: EventRequest, Fields: map[string]any{"schema": "audit"}})
	if err != nil || terms.Target == nil || !maps.Equal(terms.Target.Settings, map[string]string{"identifier": "orders", "schema": "audit"}) || r.Target.Settings["schema"] != "public" {
		t.Errorf("got %+v, %v; the run's target is %v", terms, err, r.Target.Settings)
	}
}

// TestApply_Terms: a hook's terms change the run's request, and nothing that
// was there before in place.
func TestApply_Terms(t *testing.T) {
	t.Parallel()
	r := must(started(accessFlow()), t0, submitted(time.Hour))
	half := 30 * time.Minute
	other := Target{Name: "other-db", Type: "http"}
	in := Route{
		SignalID: r.Signals[0].ID, Deciders: Deciders{Members: true, Required: 1},
		Terms: &Terms{Fields: map[string]any{"reason": "by a rule"}, Target: &other, Duration: &half}, Ruling: &Ruling{Event: EventApprove},
	}
	before := stored(t, r)
	given := must(r, t0, in)
	if given.DurationSeconds != 3600 || given.Target.Name != "orders-db" || given.GivenDuration() != half || given.GivenTarget().Name != "other-db" {
		t.Errorf("with a ruling, what was asked for is %+v for %d seconds, and given is %+v", given.Target, given.DurationSeconds, given.Given)
	}
	in.Ruling, in.Tiers = nil, []Tier{{Channel: "#access"}}
	got := must(r, t0, in)
	if got.DurationSeconds != 1800 || got.Target.Name != "other-db" || got.Fields["reason"] != "by a rule" || got.Fields[FieldNameTarget] != TargetID("acme", "other-db") {
		t.Errorf("run %+v, fields %v", got.Target, got.Fields)
	}
	if !reflect.DeepEqual(stored(t, r), before) {
		t.Error("the run that was given has changed")
	}
}

func TestPermission_JSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Permission{
		`"admin"`: {Level: LevelAdmin}, `"member"`: {Level: LevelMember}, `"all_users"`: {Level: LevelAllUsers},
		`["u1"]`: {Users: []string{"u1"}}, `null`: {},
	} {
		var got Permission
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if b, err := json.Marshal(got); err != nil || string(b) != text {
			t.Errorf("%s is written as %s, %v", text, b, err)
		}
	}
	for _, text := range []string{`"everybody"`, `7`, `{}`} {
		if err := json.Unmarshal([]byte(text), new(Permission)); CodeOf(err) != CodeHandler {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestFlow_Defined: handlers are asked only where a flow may define them.
func TestFlow_Defined(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	if got := f.Handlers("on_request", "get_permissions"); len(got) > 0 || len(f.Hooks()) > 0 {
		t.Errorf("without an implementation: %v, %v", got, f.Hooks())
	}
	f.Implementation = described("on_request", "after_approve", "get_identity", "on_change_repo")
	if got := f.Handlers("on_request", "get_permissions", "get_identity", "on_cancel"); !slices.Equal(got, []string{"on_request", "get_identity"}) {
		t.Errorf("described: %v", got)
	}
	if got := f.Hooks(); !slices.Equal(got, []string{"on_request", "after_approve"}) {
		t.Errorf("hooks: %v", got)
	}
	f.Implementation.Handlers = nil // nobody has looked
	if got := f.Handlers("on_request", "on_cancel"); !slices.Equal(got, []string{"on_request"}) {
		t.Errorf("not described: %v", got)
	}
	if got := f.Hooks(); len(got) != 2*len(hookEvents) {
		t.Errorf("hooks: %v", got)
	}
	only := approvalFlow()
	only.Params.AfterApprove = &LambdaCall{ARN: reportARN}
	if got := only.Hooks(); !slices.Equal(got, []string{"after_approve"}) {
		t.Errorf("a function after the approval: %v", got)
	}
}

// TestApply_AfterRequest: what follows a request waits for its message, or for
// news that make the wait pointless; what follows anything else does not.
func TestApply_AfterRequest(t *testing.T) {
	t.Parallel()
	r := must(started(accessFlow()), t0, submitted(time.Hour))
	r = must(r, t0, Route{
		SignalID: r.Signals[0].ID, Tiers: []Tier{{Channel: "#access", TimeoutSeconds: 60}, {Channel: "#more"}},
		Deciders: Deciders{Members: true, Required: 1}, Hooks: []string{"after_request", "after_deny"},
	})
	due := func(r Run) string { c, _ := r.AfterDue(); return string(c.Event) }
	if got := due(r); got != "" || Next(r) != StepAwait {
		t.Errorf("before the message: %q, %s", got, Next(r))
	}
	if got := due(must(r, t0, Delivered{})); got != "request" {
		t.Errorf("after its arrival: %q", got)
	}
	gone := news(r, ActionUndeliverable)
	gone.Message = "no such channel"
	if got := due(must(r, t0, gone)); got != "request" {
		t.Errorf("it can't arrive: %q", got)
	}
	if got := due(decide(r, t0, ActionDeny, approver)); got != "request" {
		t.Errorf("it is decided: %q", got)
	}
}

// TestApply_Copies: of a tier with several recipients, one copy that arrives is
// enough, and the tier can't be reached when none can.
func TestApply_Copies(t *testing.T) {
	t.Parallel()
	r := must(started(accessFlow()), t0, submitted(time.Hour))
	r = must(r, t0, Route{
		SignalID: r.Signals[0].ID, Deciders: Deciders{Members: true, Required: 1},
		Tiers: []Tier{{Channel: "#access", Others: []Recipient{{Users: []Actor{admin}}, {Users: []Actor{second}}}}, {Channel: "#more"}},
	})
	lost := func(n int) Receive { in := news(r, ActionUndeliverable); in.Copy, in.Message = n, "gone"; return in }
	one := must(r, t0, lost(1))
	if len(one.Signals) != 0 || one.Tiers[0].Undeliverable != "" {
		t.Errorf("after one of three: %+v", one.Tiers[0])
	}
	if _, err := Apply(one, lost(1), t0); err != ErrUnchanged {
		t.Errorf("the same copy again: %v", err)
	}
	if two := must(one, t0, lost(0), Delivered{}); two.Tiers[0].Undeliverable != "" || !two.Tiers[0].Delivered || len(two.Signals) != 0 {
		t.Errorf("one has arrived: %+v", two.Tiers[0])
	}
	all := must(one, t0, lost(0), lost(2))
	if len(all.Signals) != 1 || all.Tiers[0].Undeliverable != "gone" || len(r.Tiers[0].Failed) != 0 {
		t.Errorf("after all three: %+v, signals %+v", all.Tiers[0], all.Signals)
	}
	if next := must(all, t0, Forward{SignalID: all.Signals[0].ID}); next.Tier != 1 {
		t.Errorf("tier %d is asked", next.Tier)
	}
}
