package record_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
)

// everything is a run whose access has all that access can have.
func everything(t *testing.T) *story {
	t.Helper()
	s := newStory(t, "everything", true).request().decide(flow.ActionApprove, bob, "")
	secret := map[string]flow.SecretRef{"api_token_secret": {Name: "okta", Source: "aws_secrets_manager", Path: "/sym/okta", JSONKey: "token"}}
	target := flow.Target{
		Name: "orders-db", Type: "okta_group", Label: "Orders", Settings: map[string]string{"org": "acme"},
		Each: []map[string]string{{"group_id": "g1"}, {"group_id": "g2"}},
	}
	s.apply(flow.Intend{
		Strategy: flow.Strategy{
			Name: "okta", Type: "okta", Label: "Okta", Settings: map[string]string{"pace": "5"}, Secrets: secret,
			Integration:    &flow.Integration{Name: "okta", Type: "okta", ExternalID: "acme.okta.com", Label: "Okta", Settings: map[string]string{"a": "b"}, Secrets: secret},
			Implementation: flow.NewSource("ours.py", "class Ours: pass"),
			Targets:        []flow.Target{target},
		},
		Target: target, Identity: "00u1",
		Entitlements: []flow.Entitlement{
			{Key: "g1/00u1", Value: "write", Values: []string{"read", "write"}, Expires: true, Settings: map[string]string{"group_id": "g1"}},
			{Key: "g2/00u1", Value: "read", Values: []string{"read", "write"}, Expires: true, Settings: map[string]string{"group_id": "g2"}},
		},
	})
	now := s.now
	s.apply(flow.Attempted{Step: flow.EventEscalate, Outcomes: []flow.Outcome{
		{Key: "g1/00u1", Done: now, Output: json.RawMessage(`{"id":1}`), Before: flow.Present, BeforeValue: "read"},
		{Key: "g2/00u1", Done: now, Before: flow.Absent},
	}})
	return s
}

// lines are the records of a run as the log has them.
func logged(t *testing.T, r flow.Run) []events.AuditRecord {
	t.Helper()
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	encoder := json.NewEncoder(z)
	for _, e := range r.Events {
		if err := encoder.Encode(record.Of(r, e)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var out []events.AuditRecord
	for known, err := range record.Lines(&file) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, known)
	}
	slices.Reverse(out) // they are in no order
	return out
}

// Records say all that taking access away needs, and no secret.
func TestRunOf(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	extended := newStory(t, "more time", true).request().decide(flow.ActionApprove, bob, "").escalate()
	extended.apply(flow.Receive{Action: flow.ActionExtendRequest, Actor: alice, Channel: flow.ChannelSlack, By: 5 * time.Minute})
	extended.apply(flow.AskExtension{SignalID: extended.run.Signals[0].ID})
	extended.apply(flow.Receive{Action: flow.ActionExtend, Actor: bob, Channel: flow.ChannelSlack, Extension: extended.run.Extension.EventID})
	extended.apply(flow.DecideExtension{SignalID: extended.run.Signals[0].ID})
	asked := newAgain(t).request().decide(flow.ActionApprove, bob, "").escalate()
	agents := newAgents(t, "by an agent").request().decide(flow.ActionApprove, bob, "").escalate()
	failed := newStory(t, "failed at first", true).request().decide(flow.ActionApprove, bob, "").intend()
	failed.apply(flow.Attempted{Step: flow.EventEscalate, Outcomes: []flow.Outcome{{
		Before: flow.Absent, Not: flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeUnavailable, Message: "no answer", Retryable: true}},
	}}})
	for name, s := range map[string]*story{"everything": everything(t), "extended": extended, "asked by a bot": asked, "asked by an agent": agents, "failed": failed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := logged(t, s.run)
			for _, r := range records {
				validate(t, schema, r)
			}
			got, err := record.RunOf(records)
			if err != nil {
				t.Fatal(err)
			}
			was, is := *s.run.Access, *got.Access
			for _, a := range []*flow.Access{&was, &is} {
				a.Waiting, a.Untold, a.Output, a.Seen = nil, nil, nil, time.Time{}
				a.Entitlements = slices.Clone(a.Entitlements)
				for i := range a.Entitlements {
					p := a.Entitlements[i]
					a.Entitlements[i] = flow.Part{Entitlement: p.Entitlement, Before: p.Before, BeforeValue: p.BeforeValue}
				}
			}
			if name == "failed" { // its event is to come
				is.EventID = was.EventID
			}
			if diff := cmp.Diff(was, is); diff != "" {
				t.Errorf("access (-recorded +read)\n%s", diff)
			}
			type facts struct {
				ID, Org, Flow, Version string
				Requester, Approver    flow.Actor
				Asker, Owner           *flow.Actor
				Agent                  *flow.Agent
				Repeats                string
				Fields                 map[string]any
				Seconds                int64
			}
			of := func(r flow.Run) facts {
				return facts{r.ID, r.Org, r.Flow, r.FlowVersion, r.Requester, r.Approver(), r.Asker, r.Owner, r.Agent, r.Repeats, r.Fields, r.DurationSeconds}
			}
			if diff := cmp.Diff(of(s.run), of(got)); diff != "" {
				t.Errorf("run (-recorded +read)\n%s", diff)
			}
			if got.Seq < len(s.run.Events) || len(got.Events) != len(s.run.Events) {
				t.Errorf("%d events up to %d, of %d", len(got.Events), got.Seq, len(s.run.Events))
			}
		})
	}
}

// The answers of several targets are told apart, and which of them were granted.
func TestRunOf_Several(t *testing.T) {
	t.Parallel()
	got, err := record.RunOf(logged(t, everything(t).run))
	if err != nil {
		t.Fatal(err)
	}
	first, second := got.Access.Entitlements[0], got.Access.Entitlements[1]
	if string(first.Output) != `{"id":1}` || second.Output != nil || first.Seen.IsZero() || second.Seen.IsZero() || got.Access.Seen.IsZero() {
		t.Errorf("%+v, %+v", first, second)
	}
}

// Records of another shape are refused, and not guessed at.
func TestRunOf_Refused(t *testing.T) {
	t.Parallel()
	whole := logged(t, everything(t).run)
	for name, spoil := range map[string]func(*events.AuditRecord){
		"run":   func(r *events.AuditRecord) { r.Run.SRN = "acme:run:prod-access" },
		"event": func(r *events.AuditRecord) { r.ID = "1" },
		"actor": func(r *events.AuditRecord) { r.Actor.User = "alice" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := slices.Clone(whole)
			spoil(&records[0])
			if _, err := record.RunOf(records); err == nil {
				t.Error("it was read")
			}
		})
	}
	if _, err := record.RunOf(nil); err == nil {
		t.Error("nothing was read")
	}
}
