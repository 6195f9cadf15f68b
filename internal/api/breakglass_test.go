package api

import (
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// TestBreakGlass: programs see which access was had without approval, and list it.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.escalated()
	latest, err := f.api.Flows.Latest(t.Context(), "prod-access")
	if err != nil {
		t.Fatal(err)
	}
	runID := flow.NewRunID()
	r, err := flow.Apply(flow.Run{}, flow.Start{ID: runID, Flow: latest, Requester: alice.Actor, Source: flow.ChannelSlack}, f.clock())
	if err != nil {
		t.Fatal(err)
	}
	sub := flow.Submission{
		Fields: map[string]any{"reason": "The site is down"}, Target: &latest.Strategy.Targets[0], Duration: time.Hour, BreakGlass: true,
	}
	r, err = flow.Apply(r, flow.Receive{Action: flow.ActionRequest, Actor: alice.Actor, Channel: flow.ChannelSlack, Submission: &sub}, f.clock())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.api.Runs.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	f.change(runID, func(r flow.Run) flow.Input {
		return flow.Route{
			SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access"}}, Longest: 10 * time.Minute,
			Deciders: flow.Deciders{Members: true, Required: 2},
		}
	})

	want := events.RunBreakGlass{ApprovalsSkipped: 2}
	if got := ok[events.RunStatus](f, "GET", Base+"/runs/"+runID, "").BreakGlass; got == nil || *got != want {
		t.Errorf("the run's break_glass is %+v, want %+v", got, want)
	}
	list := ok[events.RunList](f, "GET", Base+"/runs?flow=prod-access&break_glass=true", "")
	if len(list.Runs) != 1 || list.Runs[0].RunID != runID {
		t.Errorf("emergencies are %+v, want %s alone", list.Runs, runID)
	}
}

// TestStartAt: a program asks for access that starts later, in any time zone.
func TestStartAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := f.clock().Add(5 * time.Hour).Truncate(time.Second).UTC()
	written := at.In(time.FixedZone("", 2*60*60)).Format(time.RFC3339)
	body := strings.Replace(accessBody, `"user_email"`, `"start_at":"`+written+`","user_email"`, 1)
	answer := f.request(body)
	if echo := answer.RequestBody.StartAt; echo == nil || !echo.Equal(at) {
		t.Errorf("understood as %v, want %v", echo, at)
	}
	if run := f.run(answer.RunID); !run.StartAt.Equal(at) || run.BreakGlass != nil {
		t.Errorf("the run starts at %v, want %v", run.StartAt, at)
	}
	if got := ok[events.RunStatus](f, "GET", Base+"/runs/"+answer.RunID, "").StartAt; got == nil || !got.Equal(at) {
		t.Errorf("the run tells %v, want %v", got, at)
	}
}
