package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// success is a request that must be answered 200.
type success struct {
	name         string
	method, path string
	body         string
	before       func(*fixture) (runID string) // "{run}" stands for it
	// check looks at the answer.
	check func(t *testing.T, f *fixture, runID string, answer map[string]any)
}

func successes() []success {
	return []success{
		{
			name: "request for a person", method: "POST", path: "/events/request", body: accessBody,
			check: func(t *testing.T, f *fixture, _ string, answer map[string]any) {
				run := f.run(answer["run_id"].(string))
				if !run.Requester.Same(alice.Actor) || run.Asker == nil || run.Asker.Name != "ci" || run.Status != flow.Prompted {
					t.Errorf("the run is %s's, by %v, and %s", run.Requester.Display(), run.Asker, run.Status)
				}
				if run.DurationSeconds != 600 || run.Target.Name != "orders-db" || run.Source != flow.ChannelAPI {
					t.Errorf("got %+v", run)
				}
				if run.Signals[0].ID != answer["event_id"] {
					t.Errorf("event_id is %v, the signal's %s", answer["event_id"], run.Signals[0].ID)
				}
			},
		},
		{
			name: "request by a bot, with context", method: "POST", path: "/events/request",
			body: `{"flow_srn":"sym:flow:Run-Report:latest","flow_inputs":{"table":"orders","rows":10.0,"urgent":true},"context":{"build":{"n":7}},"user_email":null,"user_id":null}`,
			check: func(t *testing.T, f *fixture, _ string, answer map[string]any) {
				run := f.run(answer["run_id"].(string))
				if run.Requester.Kind != flow.KindBot || run.Asker != nil || string(run.Context) != `{"build":{"n":7}}` {
					t.Errorf("got %+v", run)
				}
				want := map[string]any{"flow_srn": "sym:flow:Run-Report:latest", "context": map[string]any{"build": map[string]any{"n": 7.0}},
					"flow_inputs": map[string]any{"table": "orders", "rows": 10.0, "urgent": true}}
				if diff := cmp.Diff(want, answer["request_body"]); diff != "" {
					t.Error(diff)
				}
			},
		},
		{
			name: "request for a person by Slack's id", method: "POST", path: "/events/request",
			body:  access(`"user_email":"alice@example.com"`, `"user_id":"U024BOB"`),
			check: requesterIs(bob.Actor),
		},
		{
			name: "request for a person by our id", method: "POST", path: "/events/request",
			body:  access(`"user_email":"alice@example.com"`, `"user_id":"`+strings.ToUpper(alice.ID)+`"`),
			check: requesterIs(alice.Actor),
		},
		{
			name: "deescalate", method: "POST", path: "/events/deescalate", body: `{"run_id":"{run}"}`, before: (*fixture).escalated,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				run := f.run(runID)
				asked, found := run.EndAsked()
				if !found || asked.ID != answer["event_id"] || asked.Channel != flow.ChannelAPI || asked.Actor.Name != "ci" {
					t.Errorf("asked: %+v, answered: %v", asked, answer)
				}
				again := ok[events.DeescalateOutput](f, "POST", Base+"/events/deescalate", `{"run_id":"`+strings.ToUpper(runID)+`"}`)
				if again.EventID != answer["event_id"] {
					t.Errorf("a repetition is event %s, not %v", again.EventID, answer["event_id"])
				}
			},
		},
		{
			name: "extend", method: "POST", path: "/runs/{run}/extend", body: `{"duration":1800,"reason":"not done yet"}`, before: (*fixture).escalated,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				run := f.run(runID)
				if len(run.Signals) != 1 || run.Signals[0].ID != answer["event_id"] || run.Signals[0].Seconds != 1800 || run.Signals[0].Message != "not done yet" {
					t.Errorf("answered %v, signals %+v", answer, run.Signals)
				}
				again := ok[events.ExtendOutput](f, "POST", Base+"/runs/"+strings.ToUpper(runID)+"/extend", `{"duration":1800}`)
				f.change(runID, func(r flow.Run) flow.Input { return flow.AskExtension{SignalID: r.Signals[0].ID} })
				pending := ok[events.ExtendOutput](f, "POST", Base+"/runs/"+runID+"/extend", `{"duration":1800}`)
				if again.EventID != answer["event_id"] || pending.EventID != answer["event_id"] {
					t.Errorf("repetitions are events %s and %s, not %v", again.EventID, pending.EventID, answer["event_id"])
				}
				if run = f.run(runID); run.Extension.Owner == nil || run.MayDecideExtension(*run.Extension.Owner, false, flow.ActionExtend) == nil {
					t.Errorf("the owner of the token may approve what it asks for: %+v", run.Extension)
				}
			},
		},
		{
			name: "cancel", method: "POST", path: "/runs/{run}/cancel", before: (*fixture).open,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				run := f.run(runID)
				if s := run.Signals; len(s) != 1 || s[0].Action != flow.ActionCancel || s[0].ID != answer["event_id"] || s[0].Channel != flow.ChannelAPI || s[0].Actor.Name != "ci" {
					t.Errorf("answered %v, signals %+v", answer, s)
				}
				path := Base + "/runs/" + strings.ToUpper(runID) + "/cancel"
				if again := ok[events.CancelOutput](f, "POST", path, `{}`); again.EventID != answer["event_id"] || len(f.run(runID).Signals) != 1 {
					t.Errorf("a repetition is event %s, not %v", again.EventID, answer["event_id"])
				}
				f.decide(runID)
				if run = f.run(runID); run.Status != flow.Cancelled {
					t.Errorf("the run is %s", run.Status)
				}
				if again := ok[events.CancelOutput](f, "POST", path, ""); again.EventID != answer["event_id"] || len(f.run(runID).Signals) != 0 {
					t.Errorf("once it is cancelled, a repetition is event %s, not %v", again.EventID, answer["event_id"])
				}
			},
		},
		{
			name: "cancel of what nobody was asked about yet", method: "POST", path: "/runs/{run}/cancel", before: (*fixture).stuck,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				f.decide(runID)
				if run := f.run(runID); run.Status != flow.Cancelled || run.Events[len(run.Events)-1].ID != answer["event_id"] {
					t.Errorf("answered %v, the run is %s", answer, run.Status)
				}
			},
		},
		{
			name: "cancel of access that can't be granted", method: "POST", path: "/runs/{run}/cancel",
			before: func(f *fixture) string {
				id := f.open()
				f.receive(id, flow.ActionApprove, bob.Actor)
				f.decide(id)
				f.change(id, func(flow.Run) flow.Input {
					return flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeStrategy, Message: "no such role"}}
				})
				return id
			},
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				f.decide(runID)
				if run := f.run(runID); run.Status != flow.Cancelled || run.Events[len(run.Events)-1].ID != answer["event_id"] {
					t.Errorf("answered %v, the run is %s", answer, run.Status)
				}
			},
		},
		{
			name: "cancel of what its requester has cancelled", method: "POST", path: "/runs/{run}/cancel", body: `{}`, before: (*fixture).cancelled,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				run := f.run(runID)
				if e, _ := run.Last(flow.EventCancel); e.ID != answer["event_id"] || len(run.Signals) != 0 {
					t.Errorf("answered %v, the run was cancelled by %+v", answer, e)
				}
			},
		},
		{
			name: "cancel of what starts later", method: "POST", path: "/runs/{run}/cancel", before: (*fixture).later,
			check: func(t *testing.T, f *fixture, runID string, _ map[string]any) {
				f.decide(runID)
				if run := f.run(runID); run.Status != flow.Cancelled || run.Access != nil {
					t.Errorf("the run is %s, with access %+v", run.Status, run.Access)
				}
			},
		},
		{
			name: "again", method: "POST", path: "/runs/{run}/again", before: (*fixture).cancelled,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				old, run := f.run(runID), f.run(answer["run_id"].(string))
				if run.ID == runID || run.Repeats != runID || run.Status != flow.Prompted || run.Signals[0].ID != answer["event_id"] {
					t.Errorf("answered %v, the run is %+v", answer, run)
				}
				if diff := cmp.Diff(old.Fields, run.Fields); diff != "" || run.Target.Name != "orders-db" || run.DurationSeconds != 600 || !run.Requester.Is(alice.Actor) || run.Asker.Name != "ci" || run.Owner.Email != bob.Email {
					t.Errorf("it asks for %+v, for %s; fields: -first +again\n%s", run.Target, run.Requester.Display(), diff)
				}
				if got := ok[events.RunStatus](f, "GET", Base+"/runs/"+run.ID, ""); got.Repeats != runID {
					t.Errorf("the run says that it repeats %q", got.Repeats)
				}
				if second := ok[events.AgainOutput](f, "POST", Base+"/runs/"+runID+"/again", `{}`); second.RunID == run.ID {
					t.Error("without a key, the same request is no request of its own")
				}
			},
		},
		{
			name: "again, otherwise", method: "POST", path: "/runs/{run}/again",
			body: `{"flow_inputs":{"reason":"Once more","duration":"1h"},"start_at":"2026-03-02T12:00:00+01:00"}`,
			before: func(f *fixture) string {
				return f.withdrawn(f.request(access(`"user_email"`, `"context":{"build":7},"user_email"`)).RunID)
			},
			check: func(t *testing.T, f *fixture, _ string, answer map[string]any) {
				run := f.run(answer["run_id"].(string))
				if run.Reason() != "Once more" || run.DurationSeconds != 3600 || run.Target.Name != "orders-db" || string(run.Context) != `{"build":7}` || !run.StartAt.Equal(f.clock().Add(2*time.Hour)) {
					t.Errorf("it asks for %+v at %s, with context %s", run.Fields, run.StartAt, run.Context)
				}
				want := map[string]any{"flow_inputs": map[string]any{"reason": "Once more", "duration": "1h"}, "start_at": "2026-03-02T11:00:00Z"}
				if diff := cmp.Diff(want, answer["request_body"]); diff != "" {
					t.Error(diff)
				}
			},
		},
		{
			name: "again, with what starts later no more", method: "POST", path: "/runs/{run}/again", body: `{"context":{"build":8}}`,
			before: func(f *fixture) string {
				id := f.later()
				f.receive(id, flow.ActionCancel, alice.Actor)
				f.decide(id)
				return id
			},
			check: func(t *testing.T, f *fixture, _ string, answer map[string]any) {
				if run := f.run(answer["run_id"].(string)); !run.StartAt.IsZero() || string(run.Context) != `{"build":8}` {
					t.Errorf("it starts at %s, with context %s", run.StartAt, run.Context)
				}
			},
		},
		{
			name: "again, of what a person asked for in Slack whose address has changed", method: "POST", path: "/runs/{run}/again",
			before: func(f *fixture) string {
				former := alice.Actor
				former.ID, former.Email = flow.UserID(org, "alice.former@example.com"), "alice.former@example.com"
				latest, err := f.api.Flows.Latest(f.t.Context(), "prod-access")
				if err != nil {
					f.t.Fatal(err)
				}
				r, err := flow.Apply(flow.Run{}, flow.Start{ID: flow.NewRunID(), Flow: latest, Requester: former, Source: flow.ChannelSlack, Prompted: true}, f.clock())
				if err == nil {
					_, err = f.api.Runs.Put(f.t.Context(), r)
				}
				if err != nil {
					f.t.Fatal(err)
				}
				sub, err := latest.Submit(map[string]any{"reason": "In Slack", "target_id": "orders-db", "duration": "10m"})
				if err != nil {
					f.t.Fatal(err)
				}
				id := r.ID
				f.change(id, func(flow.Run) flow.Input {
					return flow.Receive{Action: flow.ActionRequest, Actor: former, Channel: flow.ChannelSlack, Submission: &sub}
				})
				return f.withdrawn(id)
			},
			check: requesterIs(alice.Actor),
		},
		{
			name: "again, of a bot's own request, of which the flow has changed", method: "POST", path: "/runs/{run}/again",
			before: func(f *fixture) string {
				id := f.withdrawn(f.request(`{"flow_srn":"sym:flow:run-report:latest","flow_inputs":{"table":"orders","rows":10,"urgent":true}}`).RunID)
				changed := flows()
				changed[1].Params.PromptFields = changed[1].Params.PromptFields[:2]
				f.publish(changed)
				return id
			},
			check: func(t *testing.T, f *fixture, _ string, answer map[string]any) {
				run := f.run(answer["run_id"].(string))
				if run.Requester.Kind != flow.KindBot || run.Asker != nil || run.FlowVersion != "1.0.2" {
					t.Errorf("got %+v", run)
				}
				if diff := cmp.Diff(map[string]any{"table": "orders", "rows": 10.0}, run.Fields); diff != "" {
					t.Error(diff)
				}
			},
		},
		{
			name: "retry", method: "POST", path: "/events/retry", body: `{"run_id":"{run}"}`, before: (*fixture).stuck,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				run := f.run(runID)
				if failed, _ := run.Event(flow.EventID(runID, 2)); run.Error != nil || failed.Fields[flow.KeyRetriedBy] != "ci" {
					t.Errorf("failed with %+v, recorded as %+v", run.Error, failed)
				}
				if answer["event_id"] != flow.EventID(runID, 1) || run.Signals[0].ID != answer["event_id"] {
					t.Errorf("answered %v, want the event of the request", answer)
				}
			},
		},
		{
			name: "retry of what failed after an approval", method: "POST", path: "/events/retry", body: `{"run_id":"{run}"}`, before: (*fixture).afterFailed,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				run := f.run(runID)
				approved, _ := run.Last(flow.EventApprove)
				if call, due := run.AfterDue(); answer["event_id"] != approved.ID || !due || call.EventID != approved.ID || approved.Fields[flow.KeyRetriedBy] != "ci" {
					t.Errorf("answered %v, to run is %+v after %+v", answer, call, approved)
				}
				if got := ok[events.EventStatus](f, "GET", Base+"/events/"+approved.ID, ""); got.Status != events.EventSuccess || got.Error == "" {
					t.Errorf("until it has worked, the event is %+v", got)
				}
				f.change(runID, func(flow.Run) flow.Input { return flow.After{EventID: approved.ID} })
				if got := ok[events.EventStatus](f, "GET", Base+"/events/"+approved.ID, ""); got.Status != events.EventSuccess || got.Error != "" {
					t.Errorf("once it has worked, the event is %+v", got)
				}
			},
		},
		{
			name: "retry of a removal, by a token for nothing of it", method: "POST", path: "/events/retry", body: `{"run_id":"{run}"}`,
			before: as(func(f *fixture) string {
				id := f.escalated()
				f.pass(time.Hour)
				f.claim(id)
				f.change(id, func(flow.Run) flow.Input {
					return flow.Fail{Step: flow.EventDeescalate, Reason: flow.FailureOf(flow.Errorf(flow.CodeUnavailable, "the target is down"))}
				})
				return id
			}, store.Token{Flows: []string{}, People: []string{}}),
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				run := f.run(runID)
				if run.Error == nil || run.Error.RetryAt.After(f.clock()) || run.Error.EventID != answer["event_id"] {
					t.Errorf("the removal failed with %+v, answered %v", run.Error, answer)
				}
				again := ok[events.RetryOutput](f, "POST", Base+"/events/retry", `{"run_id":"`+strings.ToUpper(runID)+`"}`)
				if again.EventID != answer["event_id"] || again.RunID != runID {
					t.Errorf("a repetition is %+v, not %v", again, answer)
				}
			},
		},
		{
			name: "event", method: "GET", path: "/events/{run}", before: func(f *fixture) string { return strings.ToUpper(f.request(reportBody).EventID) },
			check: func(t *testing.T, f *fixture, _ string, answer map[string]any) {
				if answer["status"] != events.EventPending || answer["name"] != "request" {
					t.Errorf("got %v", answer)
				}
			},
		},
		{
			name: "receipt", method: "GET", path: "/runs/{run}/receipt",
			before: func(f *fixture) string {
				id := f.escalated()
				f.logged(id, 0)
				return id
			},
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				if n := len(answer["receipts"].([]any)); n != len(f.run(runID).Events) || answer["run_id"] != runID {
					t.Errorf("%d receipts of %v", n, answer["run_id"])
				}
			},
		},
		{
			name: "run", method: "GET", path: "/runs/{run}", before: (*fixture).escalated,
			check: func(t *testing.T, f *fixture, runID string, answer map[string]any) {
				if answer["status"] != "escalated" || answer["expires_at"] != "2026-03-02T09:10:00Z" || answer["run_id"] != runID {
					t.Errorf("got %v", answer)
				}
				var names []string
				for _, e := range answer["events"].([]any) {
					names = append(names, e.(map[string]any)["name"].(string))
				}
				if diff := cmp.Diff([]string{"request", "approve", "escalate"}, names); diff != "" {
					t.Error(diff)
				}
			},
		},
		{
			name: "runs", method: "GET", path: "/runs?requester=Alice@example.com&status=escalated", before: (*fixture).escalated,
			check: func(t *testing.T, _ *fixture, runID string, answer map[string]any) {
				runs := answer["runs"].([]any)
				if len(runs) != 1 || runs[0].(map[string]any)["run_id"] != runID {
					t.Errorf("got %v", answer)
				}
			},
		},
		{
			name: "drift", method: "GET", path: "/drift",
			check: func(t *testing.T, _ *fixture, _ string, answer map[string]any) {
				if answer["began_at"] != nil || answer["grants"] != 0.0 {
					t.Errorf("got %+v", answer)
				}
			},
		},
		{
			name: "flows", method: "GET", path: "/flows",
			check: func(t *testing.T, _ *fixture, _ string, answer map[string]any) {
				want := []any{
					map[string]any{"name": "by-hand", "srn": "sym:flow:by-hand:latest", "label": "", "version": "1.0.1", "approval_only": true, "allowed_sources": []any{"slack"}},
					map[string]any{"name": "prod-access", "srn": "sym:flow:prod-access:latest", "label": "Production access", "version": "1.0.1", "approval_only": false, "allowed_sources": nil},
					map[string]any{"name": "run-report", "srn": "sym:flow:run-report:latest", "label": "", "version": "1.0.1", "approval_only": true, "allowed_sources": nil},
				}
				if diff := cmp.Diff(want, answer["flows"]); diff != "" {
					t.Error(diff)
				}
			},
		},
		{
			name: "what a flow of access takes", method: "GET", path: "/flows/Prod-Access",
			check: func(t *testing.T, _ *fixture, _ string, answer map[string]any) {
				want := map[string]any{
					"type": "object", "additionalProperties": false, "required": []any{"target_srn", "reason", "duration"},
					"properties": map[string]any{
						"target_srn": map[string]any{"type": "string", "title": "Target", "oneOf": []any{
							map[string]any{"const": "sym:access_target:aws_lambda_function:orders-db:latest", "title": "Orders database"},
						}},
						"reason":   map[string]any{"type": "string", "title": "Reason"},
						"duration": map[string]any{"type": "integer", "title": "Duration", "description": "Seconds.", "minimum": 1.0, "enum": []any{600.0, 3600.0}},
					},
				}
				if diff := cmp.Diff(want, answer["flow_inputs"]); diff != "" {
					t.Error(diff)
				}
			},
		},
		{
			name: "what an approval takes", method: "GET", path: "/flows/run-report",
			check: func(t *testing.T, _ *fixture, _ string, answer map[string]any) {
				want := map[string]any{
					"type": "object", "additionalProperties": false, "required": []any{"table"},
					"properties": map[string]any{
						"table":  map[string]any{"type": "string", "title": "Table", "enum": []any{"orders", "customers"}},
						"rows":   map[string]any{"type": "integer", "title": "Rows"},
						"urgent": map[string]any{"type": "boolean", "title": "Urgent"},
					},
				}
				if diff := cmp.Diff(want, answer["flow_inputs"]); diff != "" {
					t.Error(diff)
				}
			},
		},
		{
			name: "the document", method: "GET", path: "/openapi.json",
			check: func(t *testing.T, _ *fixture, _ string, answer map[string]any) {
				if answer["openapi"] != "3.1.0" {
					t.Errorf("got version %v", answer["openapi"])
				}
			},
		},
	}
}

func requesterIs(who flow.Actor) func(*testing.T, *fixture, string, map[string]any) {
	return func(t *testing.T, f *fixture, _ string, answer map[string]any) {
		if run := f.run(answer["run_id"].(string)); !run.Requester.Same(who) {
			t.Errorf("the run is %s's", run.Requester.Display())
		}
	}
}

func (f *fixture) run(id string) flow.Run {
	f.t.Helper()
	run, err := f.api.Runs.Get(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

func (c success) run(t *testing.T, doc *document) {
	f := newFixture(t)
	id := ""
	if c.before != nil {
		id = c.before(f)
	}
	path, sent := Base+strings.ReplaceAll(c.path, "{run}", id), strings.ReplaceAll(c.body, "{run}", id)
	if sent != "" {
		doc.validate(t, doc.input(path), []byte(sent))
	}
	resp := f.send(c.method, path, sent, func(r *http.Request) {
		if c.path == openAPIPath {
			r.Header.Del("Authorization")
		}
	})
	body := doc.check(t, c.method, path, resp)
	if resp.StatusCode != 200 {
		t.Fatalf("got %d: %s", resp.StatusCode, body)
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	c.check(t, f, id, answer)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	send := func(body, key string) events.RequestOutput {
		t.Helper()
		resp := f.send("POST", Base+"/events/request", body, header("Idempotency-Key", key))
		var out events.RequestOutput
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%d %v", resp.StatusCode, err)
		}
		return out
	}
	first := send(accessBody, "deploy-1")
	f.route(first.RunID)
	f.pass(time.Hour)
	writes := f.store.Writes()
	again := send(strings.ReplaceAll(accessBody, "\n\t", " "), "deploy-1") // the same, written differently
	if again.RunID != first.RunID || again.EventID != first.EventID {
		t.Errorf("a repetition is run %s, not %s", again.RunID, first.RunID)
	}
	if run := f.run(first.RunID); run.Status != flow.Requested || len(run.Signals) != 0 {
		t.Errorf("the repetition moved the run: %s, %d signals", run.Status, len(run.Signals))
	}
	if f.store.Writes() > writes+1 {
		t.Error("a repetition writes more than it tries to create")
	}
	if other := send(accessBody, "deploy-2"); other.RunID == first.RunID {
		t.Error("another key gives the same run")
	}
	if a, b := f.request(accessBody), f.request(accessBody); a.RunID == b.RunID {
		t.Error("no key gives the same run")
	}
	value, _, err := f.api.Tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "other", Owner: "bob@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	f.token = value
	if other := send(accessBody, "deploy-1"); other.RunID == first.RunID {
		t.Error("another token's key gives the same run")
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	const id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	for _, tc := range []struct {
		name, given string
		echoed      bool
	}{
		{"one's own", id, true},
		{"none", "", false},
		{"what is no UUID", "deploy-1234", false},
		{"a UUID in another form", "urn:uuid:" + id, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			got := f.send("GET", Base+"/flows", "", header(HeaderRequestID, tc.given)).Header.Get(HeaderRequestID)
			if (got == tc.given) != tc.echoed || len(got) != 36 {
				t.Errorf("sent %q, got %q", tc.given, got)
			}
			if log := f.log.String(); !strings.Contains(log, "request_id="+got) || !strings.Contains(log, "bot=ci") {
				t.Errorf("the log has %s", log)
			}
		})
	}
}

// The log of each request that is about one run names it.
func TestLogNamesTheRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, stuck := f.escalated(), f.stuck()
	for _, c := range []struct{ method, path, body, run string }{
		{"GET", "/runs/" + id, "", id},
		{"GET", "/events/" + flow.EventID(id, 1), "", id},
		{"POST", "/events/deescalate", `{"run_id":"` + id + `"}`, id},
		{"POST", "/events/retry", `{"run_id":"` + stuck + `"}`, stuck},
	} {
		before := len(f.log.String())
		if resp := f.send(c.method, Base+c.path, c.body, nil); resp.StatusCode != 200 {
			t.Errorf("%s %s: %d", c.method, c.path, resp.StatusCode)
		}
		if log := f.log.String()[before:]; !strings.Contains(log, "run="+c.run) {
			t.Errorf("%s %s: the log has %s", c.method, c.path, log)
		}
	}
	if made := f.request(reportBody); !strings.Contains(f.log.String(), "run="+made.RunID) {
		t.Errorf("the log lacks run %s: %s", made.RunID, f.log.String())
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	get, head := f.send("GET", Base+"/flows", "", nil), f.send("HEAD", Base+"/flows", "", nil)
	body, err := io.ReadAll(head.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) != 0 || head.StatusCode != 200 || head.Header.Get("Content-Length") != get.Header.Get("Content-Length") {
		t.Errorf("HEAD: %d, %d bytes of %s; GET has %s", head.StatusCode, len(body), head.Header.Get("Content-Length"), get.Header.Get("Content-Length"))
	}
	if refused := f.send("HEAD", Base+"/events/request", "", nil); refused.StatusCode != 405 {
		t.Errorf("HEAD where only POST is: %d", refused.StatusCode)
	}
}

// A target's resource name may end in its id, as Sym's clients send it.
func TestRequest_TargetWithID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	out := f.request(access("orders-db:latest", "orders-db:latest:"+flow.TargetID(org, "orders-db")))
	r, err := f.api.Runs.Get(t.Context(), out.RunID)
	if err != nil || r.Target == nil || r.Target.Name != "orders-db" {
		t.Errorf("target %+v, %v", r.Target, err)
	}
}
