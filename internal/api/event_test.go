package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// moment is a state of a run, and what its history looks like then.
type moment struct {
	name string
	run  func(*fixture) string
	want []string // "name status[: error]"
}

func TestHistory(t *testing.T) {
	t.Parallel()
	failure := flow.Failure{Code: flow.CodeUnavailable, Message: "no answer", Retryable: true}
	fail := func(f *fixture, id string, step flow.EventName, reason flow.Failure) {
		f.change(id, func(flow.Run) flow.Input { return flow.Fail{Step: step, Reason: reason} })
	}
	open := func(f *fixture) string {
		id := f.request(accessBody).RunID
		f.route(id)
		return id
	}
	granting := func(f *fixture) string {
		id := open(f)
		f.receive(id, flow.ActionApprove, bob.Actor)
		f.decide(id)
		f.intend(id)
		return id
	}
	refuse := func(ignored bool) func(*fixture) string {
		return func(f *fixture) string {
			id := open(f)
			f.receive(id, flow.ActionApprove, bob.Actor)
			f.change(id, func(r flow.Run) flow.Input {
				return flow.Refuse{SignalID: r.Signals[0].ID, Ignored: ignored, Reason: flow.Failure{Code: flow.CodeHandler, Message: "not on Sundays"}}
			})
			return id
		}
	}
	for _, m := range []moment{
		{"requested just now", func(f *fixture) string { return f.request(accessBody).RunID }, []string{"request pending"}},
		{"asked", open, []string{"request success"}},
		{"a decision waits", func(f *fixture) string {
			id := open(f)
			f.receive(id, flow.ActionApprove, bob.Actor)
			return id
		}, []string{"request success", "approve pending"}},
		{"a decision was refused", refuse(false), []string{"request success", "approve error: not on Sundays"}},
		{"a decision was ignored", refuse(true), []string{"request success", "approve error: not on Sundays"}},
		{"nobody could approve", func(f *fixture) string {
			id := f.request(accessBody).RunID
			f.change(id, func(r flow.Run) flow.Input {
				return flow.Reject{SignalID: r.Signals[0].ID, Reason: flow.Failure{Code: flow.CodeNoApprover, Message: "nobody can approve"}}
			})
			return id
		}, []string{"request success", "deny success: nobody can approve"}},
		{"the first tier is silent", func(f *fixture) string {
			id := open(f)
			f.change(id, func(flow.Run) flow.Input { return flow.Delivered{Tier: 0} })
			f.pass(2 * time.Minute)
			f.receive(id, flow.ActionTimeout, flow.System)
			return id
		}, []string{"request success", "request_forward pending"}},
		{"the last tier is silent", func(f *fixture) string {
			id := open(f)
			for tier := range 2 {
				f.change(id, func(flow.Run) flow.Input { return flow.Delivered{Tier: tier} })
				f.pass(2 * time.Minute)
				f.receive(id, flow.ActionTimeout, flow.System)
				if r := f.run(id); r.Tier == 0 {
					f.change(id, func(r flow.Run) flow.Input { return flow.Forward{SignalID: r.Signals[0].ID} })
				}
			}
			return id
		}, []string{"request success", "request_forward success", "request_expire pending"}},
		{"granting", granting, []string{"request success", "approve success", "escalate pending"}},
		{"granting failed, and is tried again", func(f *fixture) string {
			id := granting(f)
			fail(f, id, flow.EventEscalate, failure)
			return id
		}, []string{"request success", "approve success", "escalate error: no answer", "escalate pending"}},
		{"granting failed for good", func(f *fixture) string {
			id := granting(f)
			fail(f, id, flow.EventEscalate, flow.Failure{Code: flow.CodeStrategy, Message: "no such database"})
			return id
		}, []string{"request success", "approve success", "escalate error: no such database"}},
		{"live", (*fixture).escalated, []string{"request success", "approve success", "escalate success"}},
		{"revoked, not gone yet", func(f *fixture) string {
			id := f.escalated()
			f.receive(id, flow.ActionDeescalate, alice.Actor)
			f.claim(id)
			return id
		}, []string{"request success", "approve success", "escalate success", "deescalate pending"}},
		{"removal failed, and is tried again", func(f *fixture) string {
			id := f.escalated()
			f.receive(id, flow.ActionDeescalate, alice.Actor)
			f.claim(id)
			fail(f, id, flow.EventDeescalate, failure)
			return id
		}, []string{"request success", "approve success", "escalate success", "deescalate error: no answer", "deescalate pending"}},
		{"the end has come", func(f *fixture) string {
			id := f.escalated()
			f.pass(time.Hour)
			f.claim(id)
			return id
		}, []string{"request success", "approve success", "escalate success", "deescalate pending"}},
		{"over", func(f *fixture) string {
			id := f.escalated()
			f.pass(time.Hour)
			f.remove(id)
			return id
		}, []string{"request success", "approve success", "escalate success", "deescalate success"}},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := m.run(f)
			run := ok[events.RunStatus](f, "GET", Base+"/runs/"+id, "")
			var got []string
			for _, e := range run.Events {
				line := e.Name + " " + e.Status
				if e.Error != "" {
					line += ": " + e.Error
				}
				got = append(got, line)
				want := events.EventStatus{RunID: id, Name: e.Name, Timestamp: e.Timestamp, Status: e.Status, Error: e.Error, Code: e.Code}
				if diff := cmp.Diff(want, ok[events.EventStatus](f, "GET", Base+"/events/"+e.EventID, "")); diff != "" {
					t.Errorf("the event asked for alone:\n%s", diff)
				}
			}
			if diff := cmp.Diff(m.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
