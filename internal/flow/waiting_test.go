package flow

import (
	"slices"
	"testing"
	"time"
)

// TestLookAgain: looks come at longer and longer pauses, whatever is waited for in
// between, and none of them is a failed attempt.
func TestLookAgain(t *testing.T) {
	t.Parallel()
	r, now := situations()["granting"].run, t0
	var pauses []time.Duration
	for range 6 {
		r = must(r, now, LookAgain{Step: EventEscalate, Text: "it works on it"})
		w := r.WaitsForTarget(EventEscalate)
		pauses = append(pauses, w.LookAt.Sub(now)/time.Second)
		if !w.Since.Equal(t0) || !r.Due.Equal(w.LookAt.Add(WatchdogAfter)) || !r.PausedUntil().Equal(r.Due) || Next(r) != StepEscalate {
			t.Errorf("waits %+v, due %s, paused until %s, next %s", w, r.Due, r.PausedUntil(), Next(r))
		}
		now = w.LookAt
	}
	if !slices.Equal(pauses, []time.Duration{5, 10, 20, 40, 60, 60}) {
		t.Errorf("looks after %d seconds", pauses)
	}
	if r.Error != nil || len(r.Events) != len(situations()["granting"].run.Events) {
		t.Errorf("waiting counts as a failure: %+v", r.Error)
	}
	r = must(r, now, LookAgain{Step: EventEscalate, Text: "Accept the invitation", Todo: true, After: 5 * time.Minute})
	if w := r.WaitsForTarget(EventEscalate); !w.Todo || !w.LookAt.Equal(now.Add(5*time.Minute)) {
		t.Errorf("waits %+v", w)
	}
	if r = must(r, now, Escalate{}); r.Access.Waiting != nil {
		t.Errorf("granted, and waits: %+v", r.Access.Waiting)
	}
}

// TestLookAgain_attempts: a target that accepts and then fails runs out of attempts
// like one that fails at once.
func TestLookAgain_attempts(t *testing.T) {
	t.Parallel()
	r, now := situations()["granting"].run, t0
	for n := 1; ; n++ {
		r = must(r, now, LookAgain{Step: EventEscalate}, failing(EventEscalate, CodeUnavailable, "it could not be done"))
		if r.Access.Waiting != nil || r.Error.Attempts != n {
			t.Fatalf("after %d: waits %+v, error %+v", n, r.Access.Waiting, r.Error)
		}
		if Next(r) == StepDone {
			if n != MaxGrantAttempts {
				t.Errorf("given up after %d attempts", n)
			}
			return
		}
		now = r.PausedUntil()
	}
}

// TestOverdue_accepted: what a target has accepted counts as late by another
// bound.
func TestOverdue_accepted(t *testing.T) {
	t.Parallel()
	r := situations()["claimed, over"].run
	end := r.Access.End
	asked := must(r, end.Add(time.Second), LookAgain{Step: EventDeescalate, Owner: "worker"})
	if at := end.Add(RemovalPromise); asked.Overdue(at) || !asked.Overdue(at.Add(time.Second)) {
		t.Error("work that was not accepted is not late when it should be")
	}
	accepted := must(r, end.Add(time.Second), LookAgain{Step: EventDeescalate, Owner: "worker", Accepted: end.Add(time.Second)})
	if at := end.Add(time.Second + AcceptedPromise); accepted.Overdue(at) || !accepted.Overdue(at.Add(time.Second)) {
		t.Error("work that was accepted is not late when it should be")
	}
	if failed := must(accepted, end.Add(time.Minute), failing(EventDeescalate, CodeUnavailable, "no answer")); !failed.Overdue(end.Add(RemovalPromise + time.Second)) {
		t.Error("a removal that failed after all is not late")
	}
}

// TestLookAgain_inLine: where in a line a run stands is told at most every half a
// minute; what else it waits for, at once.
func TestLookAgain_inLine(t *testing.T) {
	t.Parallel()
	r, now := situations()["granting"].run, t0
	for _, look := range []struct {
		after  time.Duration
		text   string
		inLine bool
		want   string
	}{
		{0, "setting this up", false, "setting this up"},
		{0, "number 3", true, "number 3"},
		{20 * time.Second, "number 2", true, "number 3"},
		{9 * time.Second, "number 1", true, "number 3"},
		{time.Second, "number 1", true, "number 1"},
		{time.Second, "setting this up", false, "setting this up"},
		{time.Second, "number 7", true, "number 7"},
	} {
		now = now.Add(look.after)
		r = must(r, now, LookAgain{Step: EventEscalate, After: time.Second, Text: look.text, InLine: look.inLine})
		if got := r.WaitsForTarget(EventEscalate).Text; got != look.want {
			t.Errorf("at %s it waits for %q, want %q", now.Format("15:04:05"), got, look.want)
		}
	}
}
