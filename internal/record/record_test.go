package record_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
)

var update = flag.Bool("update", false, "rewrite the samples of audit records in events/testdata")

// story drives runs through the domain, so that the records under test are of
// events as they really are.
type story struct {
	t   *testing.T
	run flow.Run
	now time.Time
}

var (
	alice = flow.Actor{ID: flow.UserID("acme", "alice@example.com"), Kind: flow.KindPerson, Email: "alice@example.com", Name: "Alice", SlackID: "U024ALICE", SlackTeam: "T024ACME"}
	bob   = flow.Actor{ID: flow.UserID("acme", "bob@example.com"), Kind: flow.KindPerson, Email: "bob@example.com", Name: "Bob", SlackID: "U024BOB", SlackTeam: "T024ACME"}
	carol = flow.Actor{ID: flow.UserID("acme", "carol@example.com"), Kind: flow.KindPerson, Email: "carol@example.com", Name: "Carol"}
	bot   = flow.Actor{ID: flow.UserID("acme", "ci"), Kind: flow.KindBot, Name: "ci"}
	agent = flow.Actor{ID: flow.AgentID("acme", "helper", alice.Email), Kind: flow.KindAgent, Name: "helper"}
)

func accessFlow() *flow.Flow {
	target := flow.Target{
		Name: "orders-db", Type: "aws_lambda_function", Label: "Orders database",
		Settings: map[string]string{"arn": "arn:aws:lambda:us-east-1:123456789012:function:orders-access"},
	}
	return &flow.Flow{
		Org: "acme", Name: "prod-access", Version: "1.0.3", Label: "Production access",
		Strategy: &flow.Strategy{Name: "databases", Type: "aws_lambda", Targets: []flow.Target{target}},
		Params: flow.Params{
			AllowRevoke: true, ScheduleDeescalation: true,
			Extend:       &flow.Extend{Max: 2, For: []flow.Duration{flow.Duration(5 * time.Minute)}, Approval: flow.ExtendSame},
			PromptFields: []flow.PromptField{{Name: "reason", Type: flow.FieldString, Required: true, Visible: true}},
		},
	}
}

// newStory starts a run of the access flow; the cause tells runs apart.
func newStory(t *testing.T, cause string, prompted bool) *story {
	t.Helper()
	s := &story{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	source := flow.ChannelSlack
	if !prompted {
		source = flow.ChannelAPI
	}
	s.apply(flow.Start{ID: flow.RunIDFrom("acme", cause), Flow: accessFlow(), Requester: alice, Source: source, Prompted: prompted})
	return s
}

// newAgain starts a run that repeats another one, asked for by a bot.
func newAgain(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	s.apply(flow.Start{
		ID: flow.RunIDFrom("acme", "again"), Flow: accessFlow(), Requester: alice, Source: flow.ChannelAPI, Asker: &bot, Owner: &bob,
		Repeats: flow.RunIDFrom("acme", "deny"),
	})
	return s
}

// newAgents starts a run that an agent of Alice's asks for.
func newAgents(t *testing.T, cause string) *story {
	t.Helper()
	f := accessFlow()
	f.Params.Agents = &flow.AgentParams{MaxDuration: flow.Duration(30 * time.Minute), Purpose: flow.PurposeRequired}
	s := &story{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	s.apply(flow.Start{
		ID: flow.RunIDFrom("acme", cause), Flow: f, Requester: alice, Source: flow.ChannelAPI, Asker: &agent, Owner: &alice,
		Agent: &flow.Agent{Purpose: "Find out why order 42 is stuck"},
	})
	return s
}

func (s *story) apply(in flow.Input) {
	s.t.Helper()
	r, err := flow.Apply(s.run, in, s.now)
	if err != nil {
		s.t.Fatalf("%T: %v", in, err)
	}
	r.Rev++
	s.run, s.now = r, s.now.Add(5*time.Second)
}

func (s *story) signal(in flow.Receive) string {
	s.t.Helper()
	s.apply(in)
	return s.run.Signals[len(s.run.Signals)-1].ID
}

// request brings the run to where two tiers in turn are asked.
func (s *story) request() *story {
	s.t.Helper()
	sub, err := accessFlow().Submit(map[string]any{"reason": "Look into late orders", "target_id": "orders-db", "duration": "10m"})
	if err != nil {
		s.t.Fatal(err)
	}
	who := alice
	if s.run.ByAgent() {
		who = agent
	}
	id := s.signal(flow.Receive{Action: flow.ActionRequest, Actor: who, Channel: s.run.Source, Submission: &sub})
	s.apply(flow.Route{
		SignalID: id, Deciders: flow.Deciders{Members: true, Required: 1},
		Tiers: []flow.Tier{{Channel: "#access-prod", TimeoutSeconds: 1800}, {Users: []flow.Actor{bob}, TimeoutSeconds: 3600}},
	})
	return s
}

// breakGlass brings the run to where it is approved by nobody but its requester.
func (s *story) breakGlass() *story {
	s.t.Helper()
	sub, err := accessFlow().Submit(map[string]any{"reason": "The orders are down", "target_id": "orders-db", "duration": "10m"})
	if err != nil {
		s.t.Fatal(err)
	}
	sub.BreakGlass = true
	id := s.signal(flow.Receive{Action: flow.ActionRequest, Actor: alice, Channel: s.run.Source, Submission: &sub})
	s.apply(flow.Route{
		SignalID: id, Deciders: flow.Deciders{Members: true, Required: 2}, Longest: 5 * time.Minute,
		Tiers: []flow.Tier{{Channel: "#access-prod", Others: []flow.Recipient{{Channel: "#sym-errors"}}}},
	})
	return s
}

func (s *story) decide(action flow.Action, who flow.Actor, message string) *story {
	s.t.Helper()
	s.apply(flow.Decide{SignalID: s.signal(flow.Receive{Action: action, Actor: who, Channel: flow.ChannelSlack, Message: message})})
	return s
}

// deliver has the current tier told when its turn came.
func (s *story) deliver() {
	s.t.Helper()
	s.now = s.run.Tiers[s.run.Tier].Asked
	s.apply(flow.Delivered{Tier: s.run.Tier})
}

func (s *story) timeout() *story {
	s.t.Helper()
	s.deliver()
	s.now = s.run.Deadline()
	s.apply(flow.Forward{SignalID: s.signal(flow.Receive{Action: flow.ActionTimeout, Actor: flow.System, Channel: flow.ChannelInternal, Tier: s.run.Tier})})
	return s
}

func (s *story) intend() *story {
	s.t.Helper()
	f := accessFlow()
	s.apply(flow.Intend{Strategy: *f.Strategy, Target: *s.run.Target, Identity: alice.Email, Entitlements: []flow.Entitlement{{Key: "orders-db#alice"}}})
	return s
}

func (s *story) escalate() *story {
	s.t.Helper()
	s.intend().apply(flow.Escalate{Output: json.RawMessage(`{"body":{"username":"alice_5f0c"},"errors":[]}`)})
	return s
}

func (s *story) claim() *story {
	s.t.Helper()
	s.apply(flow.Claim{Owner: "worker", Until: s.now.Add(time.Minute)})
	return s
}

// last is the record of the run's latest event.
func (s *story) last() events.AuditRecord {
	return record.Of(s.run, s.run.Events[len(s.run.Events)-1])
}

// records are the samples of events/testdata, by name.
func records(t *testing.T) map[string]events.AuditRecord {
	t.Helper()
	failed := newStory(t, "failed", true).request().decide(flow.ActionApprove, bob, "").intend()
	refused := flow.Failure{Code: flow.CodeUnavailable, Message: "the function did not answer within 30 seconds", Retryable: true}
	for range 3 {
		failed.apply(flow.Fail{Step: flow.EventEscalate, Reason: refused})
	}
	out := map[string]events.AuditRecord{
		"prompt":          newStory(t, "prompt", true).last(),
		"request":         newStory(t, "request", true).request().last(),
		"request_forward": newStory(t, "forward", true).request().timeout().last(),
		"request_expire":  newStory(t, "expire", true).request().timeout().timeout().last(),
		"approve":         newStory(t, "approve", true).request().decide(flow.ActionApprove, bob, "For this morning only").last(),
		"deny":            newStory(t, "deny", true).request().decide(flow.ActionDeny, carol, "Ask the orders team").last(),
		"cancel":          newStory(t, "cancel", true).request().decide(flow.ActionCancel, alice, "").last(),
		"escalate":        newStory(t, "escalate", true).request().decide(flow.ActionApprove, bob, "").escalate().last(),
		"escalate_failed": failed.last(),
	}
	deescalate := newStory(t, "deescalate", true).request().decide(flow.ActionApprove, bob, "").escalate()
	deescalate.now = deescalate.run.Access.End
	deescalate.claim().apply(flow.Deescalate{Owner: "worker"})
	out["deescalate"] = deescalate.last()
	more := func(name string) *story {
		s := newStory(t, name, true).request().decide(flow.ActionApprove, bob, "").escalate()
		s.apply(flow.Receive{Action: flow.ActionExtendRequest, Actor: alice, Channel: flow.ChannelSlack, By: 5 * time.Minute, Message: "Not done yet"})
		s.apply(flow.AskExtension{SignalID: s.run.Signals[0].ID})
		return s
	}
	decided := func(name string, a flow.Action) events.AuditRecord {
		s := more(name)
		s.apply(flow.Receive{Action: a, Actor: bob, Channel: flow.ChannelSlack, Extension: s.run.Extension.EventID})
		s.apply(flow.DecideExtension{SignalID: s.run.Signals[0].ID})
		return s.last()
	}
	out["extend_request"] = more("extend_request").last()
	out["extend"] = decided("extend", flow.ActionExtend)
	out["extend_deny"] = decided("extend_deny", flow.ActionExtendDeny)
	lapsed := more("extend_expire")
	lapsed.now = lapsed.run.Access.End
	lapsed.claim().apply(flow.Deescalate{Owner: "worker"})
	out["extend_expire"] = record.Of(lapsed.run, lapsed.run.Events[len(lapsed.run.Events)-2])
	out["agent_request"] = newAgents(t, "agent asks").request().last()
	out["agent_approve"] = newAgents(t, "agent is approved").request().decide(flow.ActionApprove, bob, "").last()
	ends := newAgents(t, "agent ends").request().decide(flow.ActionApprove, bob, "").escalate()
	ends.signal(flow.Receive{Action: flow.ActionDeescalate, Actor: agent, Channel: flow.ChannelAPI})
	ends.claim().apply(flow.Deescalate{Owner: "worker"})
	out["agent_deescalate"] = ends.last()
	out["request_again"] = newAgain(t).request().last()
	out["break_glass"] = newStory(t, "break glass", true).breakGlass().last()
	review := newStory(t, "review", true).breakGlass().escalate()
	review.now = review.run.Access.End
	review.claim().apply(flow.Deescalate{Owner: "worker"})
	review.apply(flow.Reviewed{SignalID: review.signal(flow.Receive{Action: flow.ActionReview, Actor: bob, Channel: flow.ChannelSlack, Message: "Looked at what was run"})})
	out["review"] = review.last()
	return out
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(events.AuditRecordSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("audit_record.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("audit_record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, record events.AuditRecord) {
	t.Helper()
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s\n%v", b, err)
	}
}

// The samples of the public package are what the domain really records.
func TestRecordSamples(t *testing.T) {
	t.Parallel()
	schema, all := compileSchema(t), records(t)
	for _, e := range flow.EventNames {
		if _, ok := all[string(e)]; !ok {
			t.Errorf("no sample of %s", e)
		}
	}
	for name, record := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			validate(t, schema, record)
			file := filepath.Join("..", "..", "events", "testdata", "audit_record_"+name+".json")
			got, err := json.MarshalIndent(record, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-sample +recorded (go test -update rewrites it):\n%s", diff)
			}
		})
	}
}

func TestRecordActors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		actor flow.Actor
		want  events.AuditActor
	}{
		{"a person of the workspace", alice, events.AuditActor{
			User: "acme:user:normal:" + alice.ID + ":latest", Name: "Alice", Username: "alice@example.com",
			Identity: events.AuditIdentity{Service: "slack", ExternalID: "T024ACME", UserID: "U024ALICE"},
		}},
		{"a person without Slack", carol, events.AuditActor{
			User: "acme:user:normal:" + carol.ID + ":latest", Name: "Carol", Username: "carol@example.com",
			Identity: events.AuditIdentity{Service: "sym", ExternalID: "cloud", Email: "carol@example.com"},
		}},
		{"a bot", bot, events.AuditActor{
			User: "acme:user:bot:" + bot.ID + ":latest", Name: "ci", Username: "ci",
			Identity: events.AuditIdentity{Service: "sym", ExternalID: "cloud", UserID: bot.ID},
		}},
		{"an agent", agent, events.AuditActor{
			User: "acme:user:agent:" + agent.ID + ":latest", Name: "helper", Username: "helper", Kind: "agent",
			Identity: events.AuditIdentity{Service: "sym", ExternalID: "cloud", UserID: agent.ID},
		}},
		{"the system", flow.System, events.AuditActor{
			User: "acme:user:system:system:latest", Name: "Sym Flows",
			Identity: events.AuditIdentity{Service: "sym", ExternalID: "cloud"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, record.Actor("acme", tc.actor)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A rule's decision, and what follows from it, name the flow and its hook.
func TestRecordOfRule(t *testing.T) {
	t.Parallel()
	rule := func(hook string) events.AuditActor {
		return events.AuditActor{
			User: "acme:user:system:system:latest", Name: "prod-access: " + hook, Username: hook,
			Identity: events.AuditIdentity{Service: "sym", ExternalID: "cloud"},
		}
	}
	request := func(ruling flow.EventName) *story {
		s := newStory(t, "rule", true)
		sub, err := accessFlow().Submit(map[string]any{"reason": "Late orders", "target_id": "orders-db", "duration": "10m"})
		if err != nil {
			t.Fatal(err)
		}
		id := s.signal(flow.Receive{Action: flow.ActionRequest, Actor: alice, Channel: s.run.Source, Submission: &sub})
		s.apply(flow.Route{SignalID: id, Ruling: &flow.Ruling{Event: ruling, Fields: map[string]any{"reason": "On call"}}})
		return s
	}
	decide := func(ruling flow.EventName) *story {
		s := newStory(t, "decided", true).request()
		id := s.signal(flow.Receive{Action: flow.ActionApprove, Actor: bob, Channel: flow.ChannelSlack})
		s.apply(flow.Decide{SignalID: id, Ruling: &flow.Ruling{Event: ruling}})
		return s
	}
	expire := func(ruling flow.EventName) *story {
		s := newStory(t, "expired", true).request()
		s.deliver()
		s.now = s.run.Deadline()
		id := s.signal(flow.Receive{Action: flow.ActionTimeout, Actor: flow.System, Channel: flow.ChannelInternal})
		s.apply(flow.Forward{SignalID: id, Ruling: &flow.Ruling{Event: ruling}})
		return s
	}
	for _, tc := range []struct {
		name  string
		story *story
		event flow.EventName
		hook  string
	}{
		{"approved at once", request(flow.EventApprove), flow.EventApprove, "on_request"},
		{"denied at once", request(flow.EventDeny), flow.EventDeny, "on_request"},
		{"denied though approved", decide(flow.EventDeny), flow.EventDeny, "on_approve"},
		{"expired early", expire(flow.EventRequestExpire), flow.EventRequestExpire, "on_request_forward"},
		{"granted", request(flow.EventApprove).escalate(), flow.EventEscalate, "on_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := tc.story.last()
			if r.Event.Type != string(tc.event) {
				t.Fatalf("the last event is %s", r.Event.Type)
			}
			if diff := cmp.Diff(rule(tc.hook), r.Actor); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(r.Actor, r.Run.Actors[string(tc.event)]); diff != "" {
				t.Error(diff)
			}
		})
	}
	approved := request(flow.EventApprove).run
	if shown := approved.Approver().Display(); shown != "a rule of the flow" {
		t.Errorf("people read %q", shown)
	}
	if u := record.UserOf(accessFlow(), approved.Approver(), false); u.Username != "on_request" || u.Type != flow.KindBot || u.ID != flow.UserID("acme", flow.KindSystem) {
		t.Errorf("handlers see %+v", u)
	}
}

// A record asked for late, when the run has moved on, is the one that was
// asked for at once.
func TestRecordLate(t *testing.T) {
	t.Parallel()
	s := newStory(t, "late", true).request()
	request := s.last()
	s.decide(flow.ActionApprove, bob, "").escalate()
	e, ok := s.run.Event(request.ID)
	if !ok {
		t.Fatalf("event %s is gone", request.ID)
	}
	if diff := cmp.Diff(request, record.Of(s.run, e)); diff != "" {
		t.Errorf("-at once +late:\n%s", diff)
	}
	prompt := record.Of(s.run, s.run.Events[0])
	if len(prompt.Fields) != 0 {
		t.Errorf("a prompt has fields: %v", prompt.Fields)
	}
}

// Numbers that were stored and read again are whole numbers still.
func TestRecordStored(t *testing.T) {
	t.Parallel()
	s := newStory(t, "stored", true).request()
	b, err := json.Marshal(s.run)
	if err != nil {
		t.Fatal(err)
	}
	var stored flow.Run
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(s.last())
	got, _ := json.Marshal(record.Of(stored, stored.Events[len(stored.Events)-1]))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestRecordStates(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	refused := newStory(t, "refused", true).request()
	id := refused.signal(flow.Receive{Action: flow.ActionApprove, Actor: bob, Channel: flow.ChannelSlack})
	refused.apply(flow.Refuse{SignalID: id, Reason: flow.Failure{Code: flow.CodeHandler, Message: "approvals are closed on Sundays"}, Ignored: true})
	approvedByAPI := newStory(t, "api", false).request()
	for _, tc := range []struct {
		name    string
		record  events.AuditRecord
		status  string
		channel string
		errors  []events.AuditError
	}{
		{"ignored by a handler", refused.last(), "intercepted", "slack", []events.AuditError{{Message: "approvals are closed on Sundays", Code: "Handler:FAILED"}}},
		{"requested by API", approvedByAPI.last(), "completed", "sym", []events.AuditError{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			validate(t, schema, tc.record)
			if tc.record.State.Status != tc.status || tc.record.Event.Channel != tc.channel {
				t.Errorf("got %s over %s, want %s over %s", tc.record.State.Status, tc.record.Event.Channel, tc.status, tc.channel)
			}
			if diff := cmp.Diff(tc.errors, tc.record.State.Errors); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProcessing(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	granting := newStory(t, "granting", true).request().decide(flow.ActionApprove, bob, "").intend()
	ending := newStory(t, "ending", true).request().decide(flow.ActionApprove, bob, "").escalate()
	ending.now = ending.run.Access.End
	ending.claim()
	revoked := newStory(t, "revoked", true).request().decide(flow.ActionApprove, bob, "").escalate()
	revoked.signal(flow.Receive{Action: flow.ActionDeescalate, Actor: alice, Channel: flow.ChannelAPI})
	revoked.claim()
	for _, tc := range []struct {
		name    string
		run     flow.Run
		step    flow.EventName
		id      string
		actor   flow.Actor
		channel string
		ends    any // deescalate_type
	}{
		{"granting is the approver's", granting.run, flow.EventEscalate, granting.run.Access.EventID, bob, "internal", nil},
		{"the end is the approver's", ending.run, flow.EventDeescalate, ending.run.Access.Removal.EventID, bob, "internal", "scheduled"},
		{"revoking is whose click it was", revoked.run, flow.EventDeescalate, revoked.run.Access.Removal.EventID, alice, "sym", "manual"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			now := tc.run.Touched.Add(time.Second)
			got := record.Processing(tc.run, tc.step, tc.id, tc.run.Access.Entitlements[0].Entitlement, now)
			validate(t, schema, got)
			actor := record.Actor("acme", tc.actor)
			want := events.AuditEvent{
				SRN: "sym:event-spec:approval:1.0.0:" + string(tc.step), Type: string(tc.step),
				Template: "sym:template:approval:1.0.0", Timestamp: now, Channel: tc.channel,
			}
			if diff := cmp.Diff(want, got.Event); diff != "" {
				t.Error(diff)
			}
			if got.ID != tc.id || got.State.Status != events.StatusProcessing {
				t.Errorf("got %s %s, want %s processing", got.ID, got.State.Status, tc.id)
			}
			if diff := cmp.Diff(actor, got.Actor); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(actor, got.Run.Actors[string(tc.step)]); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(record.Actor("acme", alice), got.Run.Actors["request"]); diff != "" {
				t.Error(diff)
			}
			if got.Fields["deescalate_type"] != tc.ends {
				t.Errorf("deescalate_type is %v, want %v", got.Fields["deescalate_type"], tc.ends)
			}
			if got.Fields["duration"] != int64(600) {
				t.Errorf("duration is %v, want 600", got.Fields["duration"])
			}
		})
	}
}

// TestRecord_Token: what a program asked for names its bot, and who owns the
// token; what people ask for, neither.
func TestRecord_Token(t *testing.T) {
	t.Parallel()
	r, err := flow.Apply(flow.Run{}, flow.Start{
		ID: flow.RunIDFrom("acme", "token"), Flow: accessFlow(), Requester: alice, Source: flow.ChannelAPI, Asker: &bot, Owner: &bob, Prompted: true,
	}, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	got := record.Of(r, r.Events[0]).Run
	if got.Submitter == nil || got.Submitter.Username != "ci" || got.TokenOwner == nil || got.TokenOwner.Username != bob.Email {
		t.Errorf("by a token: %+v", got)
	}
	r.Asker, r.Owner = nil, nil
	if got := record.Of(r, r.Events[0]).Run; got.Submitter != nil || got.TokenOwner != nil {
		t.Errorf("by a person: %+v", got)
	}
}
