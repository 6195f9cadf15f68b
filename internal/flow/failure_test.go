package flow

import (
	"fmt"
	"testing"
	"time"
)

// TestApply_Failures: however often a step fails, and whatever the target
// writes, the run does not grow.
func TestApply_Failures(t *testing.T) {
	t.Parallel()
	r := situations()["claimed"].run
	now, size := t0, 0
	for n := range 1000 {
		now = now.Add(6 * time.Minute)
		r = must(r, now, failing(EventDeescalate, CodeUnavailable, fmt.Sprintf("no answer to request %04d", n)))
		r = must(r, now, Claim{Owner: "w", Until: now.Add(time.Minute)})
		r = stored(t, r)
		if n == 10 {
			size = r.Size
		}
	}
	if r.Size > size+100 {
		t.Errorf("size grew from %d to %d bytes", size, r.Size)
	}
	e := r.Events[len(r.Events)-1]
	if e.Count != 1000 || !e.At.Equal(t0.Add(6*time.Minute)) || !e.Last.Equal(now) || e.Errors[0].Message != "no answer to request 0999" {
		t.Errorf("the event of all failures: %+v", e)
	}
	if e.Errors[0].Attempts != 0 || !e.Errors[0].RetryAt.IsZero() {
		t.Errorf("the event's error has what only the run's should have: %+v", e.Errors[0])
	}
	if r.Error.Attempts != 1000 || r.Error.EventID != e.ID || !r.Error.RetryAt.Equal(now.Add(5*time.Minute)) {
		t.Errorf("the run's error: %+v", r.Error)
	}

	// What people tried and were refused is theirs, and is not added to.
	asked := situations()["asked"].run
	asked = must(asked, t0, Refuse{SignalID: asked.Signals[0].ID, Reason: Failure{Code: CodeUnavailable, Message: "ask later"}})
	asked = must(asked, t0, click(ActionDeescalate, requester), Claim{Owner: "w", Until: now}, failing(EventDeescalate, CodeUnavailable, "no answer"))
	if n := len(asked.Events); asked.Events[n-2].Count != 0 || asked.Events[n-1].Count != 1 {
		t.Errorf("a refused click was counted as a failure of the target: %+v", asked.Events[n-2:])
	}
}

// TestApply_Failures_wait: a target may say when to come back; for a removal it
// can't put that off.
func TestApply_Failures_wait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		step       EventName
		run        Run
		wait, want time.Duration
	}{
		{EventEscalate, granting(t), 0, 2 * time.Second},
		{EventEscalate, granting(t), time.Second, 2 * time.Second},
		{EventEscalate, granting(t), time.Hour, time.Hour},
		{EventDeescalate, situations()["claimed"].run, time.Second, 5 * time.Second},
		{EventDeescalate, situations()["claimed"].run, time.Minute, time.Minute},
		{EventDeescalate, situations()["claimed"].run, time.Hour, MaxRemovalBackOff},
	} {
		in := failing(c.step, CodeUnavailable, "come back later")
		in.Wait = c.wait
		if r := must(c.run, t0, in); !r.Error.RetryAt.Equal(t0.Add(c.want)) || r.Due.After(r.Error.RetryAt) {
			t.Errorf("%s asked to wait %s: tried again at +%s, want +%s; due at +%s", c.step, c.wait, r.Error.RetryAt.Sub(t0), c.want, r.Due.Sub(t0))
		}
	}
}

// TestApply_Granting_stops: granting is tried MaxGrantAttempts times, then only by hand.
func TestApply_Granting_stops(t *testing.T) {
	t.Parallel()
	r, now := granting(t), t0
	for n := 1; n <= MaxGrantAttempts; n++ {
		if got := Next(r); got != StepEscalate {
			t.Fatalf("before attempt %d: next = %s", n, got)
		}
		r = must(r, now, failing(EventEscalate, CodeUnavailable, "no answer"))
		now = r.Error.RetryAt
	}
	if Next(r) != StepDone || !r.Error.RetryAt.IsZero() || !r.Due.Equal(r.Access.End) {
		t.Errorf("after the last attempt: next %s, error %+v, due %v", Next(r), r.Error, r.Due)
	}
	now = t0.Add(5 * time.Minute)
	r = must(r, now, Retry{Actor: admin})
	e := r.Events[len(r.Events)-1]
	if Next(r) != StepEscalate || r.Error != nil || e.Fields["retried_by"] != admin.Display() || e.Fields["retried_at"] != "2026-03-02T09:05:00Z" {
		t.Errorf("after Retry: next %s, error %v, event %+v", Next(r), r.Error, e)
	}
	if r = must(r, now, failing(EventEscalate, CodeUnavailable, "no answer")); r.Error.Attempts != 1 || Next(r) != StepEscalate {
		t.Errorf("attempts start anew after Retry, got %+v", r.Error)
	}
}
