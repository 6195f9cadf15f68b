package workflow_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// at names the target of these tests.
const at = "fake/databases/orders-db"

// sickness changes, and tells, how a target fails to answer.
func (w *world) sickness(target string, move func(flow.Sickness) flow.Sickness) flow.Sickness {
	w.t.Helper()
	s, err := store.Sick{Store: w.memory}.Change(w.t.Context(), target, move)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// sicken has a target let three calls of grants go unanswered, and others take some
// of the places at it for some time.
func (w *world) sicken(target string, places int, d time.Duration) {
	w.t.Helper()
	now := w.clock.Now()
	w.sickness(target, func(s flow.Sickness) flow.Sickness {
		for range flow.SickAfter {
			s = s.TimedOut("", false, now)
		}
		for n := range places {
			s, _ = s.Take(flow.Place{Owner: fmt.Sprint("other", n), Run: "other", Until: now.Add(d)}, true, now)
		}
		return s
	})
}

func (w *world) known(target string) flow.Sickness {
	w.t.Helper()
	return w.sickness(target, func(s flow.Sickness) flow.Sickness { return s })
}

// called counts all calls of the target.
func (w *world) called() int {
	n := 0
	for _, calls := range w.target.calls {
		n += calls
	}
	return n
}

// TestSick_Found: the third time-out in a row makes a target sick, by whatever it
// was that timed out; the first success makes it well.
func TestSick_Found(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		what  string
		fates []fate
		after int // time-outs that are counted in the end
	}{
		{"three removals", "revoke", []fate{hangs, hangs, hangs}, 3},
		{"two", "revoke", []fate{hangs, hangs}, 0},
		{"a refusal between says nothing", "revoke", []fate{hangs, unavailable, hangs, refused, hangs}, 3},
		{"reading back", "observe", []fate{ok, ok, hangs, hangs, hangs}, 3}, // after the grant
		{"grants", "grant", []fate{hangs, hangs, hangs}, 3},
		{"no time-outs", "revoke", []fate{refused, refused, refused, unavailable, panics, asksToWait, unavailable}, 0},
	} {
		bubble(t, tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.target.fates[tc.what] = tc.fates
			worst := 0
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			for range 120 {
				w.pass(30 * time.Second)
				worst = max(worst, w.known(at).TimeOuts)
			}
			if n := min(tc.after, 3); n == 3 && worst != 3 {
				t.Errorf("%d time-outs were counted", worst)
			} else if n == 0 && worst >= 3 {
				t.Error("the target is taken to be sick")
			}
			w.want(id, flow.Deescalated)
			w.wantPresent()
			if s := w.known(at); s.TimeOuts != 0 || len(s.Places) > 0 || !s.RemovalsUntil.IsZero() {
				t.Errorf("after a success: %+v", s)
			}
		})
	}
}

// TestSick_Removal: while others have all places, a removal is put off before it
// begins, and comes back by either path, at most every five minutes.
func TestSick_Removal(t *testing.T) {
	t.Parallel()
	for name, turnOff := range map[string]func(*world){
		"Both":         func(*world) {},
		"ScheduleOnly": func(w *world) { w.sweeping = false },
		"SweepOnly":    func(w *world) { w.schedule.on = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defines("on_deescalate"))
			turnOff(w)
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.pass(grantedFor - time.Minute)
			w.sicken(at, flow.SickPlaces, 30*time.Minute)
			called, asked := w.called(), len(w.handlers.asked)
			for range 14 {
				w.pass(2 * time.Minute)
				r := w.want(id, flow.Escalated)
				now := w.clock.Now()
				if r.Error != nil || r.Access.Removal.Owner != "" || r.Access.Removal.EventID != "" {
					t.Fatalf("put off, but: error %+v, removal %+v", r.Error, r.Access.Removal)
				}
				if r.Postponed == nil || r.Due.After(now.Add(flow.MaxRemovalBackOff)) {
					t.Fatalf("postponed %+v, due %s, now %s", r.Postponed, r.Due, now)
				}
				if !r.Overdue(now.Add(flow.RemovalPromise)) {
					t.Error("what waits is not overdue")
				}
			}
			if w.called() != called || len(w.handlers.asked) != asked {
				t.Errorf("%d calls, asked %v", w.called()-called, w.handlers.asked[asked:])
			}
			if times := w.run(id).Postponed.Times; times > 15 {
				t.Errorf("asked %d times in half an hour", times)
			}
			w.pass(2*time.Minute + flow.MaxRemovalBackOff + time.Minute) // the places' time is over
			w.want(id, flow.Deescalated)
			w.wantPresent()
			w.wantHistory(id, "prompt request approve escalate deescalate")
			if s := w.known(at); s.Sick() {
				t.Errorf("still sick: %+v", s)
			}
		})
	}
}

// TestSick_Grant: a grant is put off before it begins, before its end is fixed, and
// comes back; it fails, for somebody to press Retry, when that has gone on for long.
func TestSick_Grant(t *testing.T) {
	t.Parallel()
	t.Run("GoesOn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defines("on_escalate"))
		w.sicken(at, flow.SickPlaces, 8*time.Minute)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.pass(7 * time.Minute)
		r := w.want(id, flow.Approved)
		if w.called() > 0 || len(w.handlers.asked) > 0 || r.Access != nil || r.Error != nil || r.Postponed == nil || len(w.schedule.sets) > 0 {
			t.Fatalf("it began: %d calls, asked %v, access %v, error %+v, postponed %+v", w.called(), w.handlers.asked, r.Access, r.Error, r.Postponed)
		}
		if len(w.executed) > 6 {
			t.Errorf("%d executions in seven minutes", len(w.executed))
		}
		w.pass(time.Minute + flow.MaxRemovalBackOff + time.Minute)
		if r := w.want(id, flow.Escalated); r.Postponed != nil {
			t.Errorf("still postponed: %+v", r.Postponed)
		}
		w.wantPresent(askerHas)
	})
	t.Run("Patience", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.sicken(at, flow.SickPlaces, time.Hour)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.pass(flow.SickPatience + flow.MaxRemovalBackOff + time.Minute)
		r := w.want(id, flow.Approved)
		if r.Error == nil || r.Error.Retryable || r.Postponed != nil || flow.Next(r) != flow.StepDone || w.called() > 0 {
			t.Fatalf("error %+v, postponed %+v, next %s, %d calls", r.Error, r.Postponed, flow.Next(r), w.called())
		}
		w.wantHistory(id, "prompt request approve escalate!Strategy:UNAVAILABLE")
		w.sickness(at, func(s flow.Sickness) flow.Sickness { return s.Orphan("other") })
		if _, err := w.submit.Retry(t.Context(), id, asker); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.want(id, flow.Escalated)
	})
	t.Run("EndedMeanwhile", func(t *testing.T) { // before anything was granted
		t.Parallel()
		w := newWorld(t)
		w.target.fates["grant"] = []fate{unavailable}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first) // fails once: from here on there may be something to remove
		w.sicken(at, 0, 0)
		w.sickness(at, func(s flow.Sickness) flow.Sickness { s.RemovalsUntil = w.clock.Now().Add(time.Hour); return s })
		w.pass(time.Minute)
		if w.want(id, flow.Approved).Postponed == nil {
			t.Fatal("the grant is not put off")
		}
		w.click(id, flow.ActionDeescalate, asker)
		w.pass(time.Minute)
		w.want(id, flow.Deescalated)
		w.wantPresent()
	})
}

// TestSick_RemovalsFirst: while removals of the target wait, grants take no place,
// though there are some; another target has nothing to do with it.
func TestSick_RemovalsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	removed := w.ask(asker, "a")
	w.click(removed, flow.ActionApprove, first)
	w.sicken(at, flow.SickPlaces, grantedFor+2*time.Minute)
	w.sicken("fake/databases/billing-db", flow.SickPlaces, 24*time.Hour)
	w.pass(grantedFor + time.Second) // the removal is put off
	if w.run(removed).Postponed == nil {
		t.Fatal("the removal is not put off")
	}
	w.sickness(at, func(s flow.Sickness) flow.Sickness { return s.Orphan("other") }) // all places are free
	granted := w.ask(second, "b")
	w.click(granted, flow.ActionApprove, first)
	if r := w.want(granted, flow.Approved); r.Postponed == nil || r.Access != nil {
		t.Errorf("the grant went first: %+v", r.Postponed)
	}
	for w.run(removed).Status == flow.Escalated {
		w.pass(10 * time.Second)
		if w.run(granted).Status == flow.Escalated && w.run(removed).Status == flow.Escalated {
			t.Fatal("the grant went first")
		}
	}
	w.pass(flow.MaxRemovalBackOff)
	w.want(removed, flow.Deescalated)
	w.want(granted, flow.Escalated)
}

// TestSick_LimiterOutOfOrder: if it can't be found out whether the target is sick,
// removals go ahead and grants wait.
func TestSick_LimiterOutOfOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.broken = string(store.KindSick)
	other := w.ask(second, "b")
	w.click(other, flow.ActionApprove, first)
	w.pass(grantedFor)
	w.want(id, flow.Deescalated)
	if r := w.want(other, flow.Approved); r.Postponed == nil || r.Access != nil || r.Error != nil {
		t.Errorf("a grant went ahead: %+v, %+v", r.Access, r.Error)
	}
	w.broken = ""
	w.pass(flow.MaxRemovalBackOff)
	w.want(other, flow.Escalated)
}

// TestSick_SaysNothing: what ends without a call of the target, or fails for another
// reason than time, leaves it sick, and gives the place back.
func TestSick_SaysNothing(t *testing.T) {
	t.Parallel()
	t.Run("Shared", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.ask(asker, "a"), w.ask(asker, "b")
		w.click(a, flow.ActionApprove, first)
		w.click(b, flow.ActionApprove, first)
		w.sicken(at, 0, 0)
		calls := w.called()
		w.click(a, flow.ActionDeescalate, asker)
		w.want(a, flow.Deescalated)
		if s := w.known(at); !s.Sick() || len(s.Places) > 0 || w.called() != calls {
			t.Errorf("after leaving what another run holds: %+v, %d calls", s, w.called()-calls)
		}
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.ask(asker, "a")
		w.click(a, flow.ActionApprove, first)
		w.sicken(at, 0, 0)
		w.target.fates["revoke"] = []fate{refused}
		w.click(a, flow.ActionDeescalate, asker)
		r := w.want(a, flow.Escalated)
		if s := w.known(at); !s.Sick() || len(s.Places) > 0 {
			t.Errorf("after a refusal: %+v", s)
		}
		if r.Error == nil || !r.PutOff(flow.EventDeescalate) || r.Due.Sub(w.clock.Now()) < 30*time.Second {
			t.Errorf("a failure at a sick target is tried again at %s, by %+v", r.Due, r.Postponed)
		}
	})
}

// TestSick_NobodyWaitsAwake: what waits for a sick target keeps no function
// waiting: it is set down in the schedule, and goes ahead when that fires early.
func TestSick_NobodyWaitsAwake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.sweeping, w.schedule.on, w.access.Ahead = false, false, 2*time.Minute
	w.sicken(at, flow.SickPlaces, time.Hour)
	w.pass(grantedFor)
	events := len(w.events)
	for range 4 { // none of these returns late: nothing moves the clock
		if err := w.access.OnTime(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		r := w.run(id)
		if at, _ := r.EndDue(); !slices.Contains(w.schedule.sets, at) {
			t.Errorf("not scheduled for %s: %v", at, w.schedule.sets)
		}
	}
	if len(w.events) != events {
		t.Error("it was called directly")
	}
}

// TestSick_OtherTarget: a hook has the grant go to another target than was asked
// for, and that one is sick.
func TestSick_OtherTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defines("on_escalate"), func(f *flow.Flow) {
		other := f.Strategy.Targets[0]
		other.Name = "billing-db"
		f.Strategy.Targets = append(f.Strategy.Targets, other)
	})
	w.handlers.says["on_escalate"] = []says{{answer: flow.Answer{Hook: &flow.HookAnswer{Event: flow.EventEscalate, TargetSRN: "acme:access_target:fake:billing-db:latest"}}}}
	w.sicken(at, 0, 0)
	w.sicken("fake/databases/billing-db", flow.SickPlaces, 5*time.Minute)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	if r := w.want(id, flow.Approved); r.Postponed == nil || w.called() > 0 || r.Access == nil || r.Access.Target.Name != "billing-db" {
		t.Fatalf("postponed %+v, %d calls, access %+v", r.Postponed, w.called(), r.Access)
	}
	if s := w.known(at); len(s.Places) > 0 {
		t.Errorf("a place at the other target is kept: %+v", s)
	}
	w.pass(11 * time.Minute)
	w.want(id, flow.Escalated)
}

// TestSick_ProcessDied: the place of a process that died is free when its time is
// over, or at once where it is known to have been killed.
func TestSick_ProcessDied(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		t.Run(fmt.Sprint("known=", known), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.pass(grantedFor - time.Second)
			w.sicken(at, flow.SickPlaces-1, time.Hour)
			w.target.hook = func(context.Context) { // the first call of the target ends the process
				if len(w.known(at).Places) == flow.SickPlaces && w.run(id).Access.Removal.Owner != "" {
					w.process.kill()
				}
			}
			w.clock.Advance(time.Second)
			_ = w.access.OnTime(t.Context(), id)
			if !w.process.dead() || len(w.known(at).Places) != flow.SickPlaces {
				t.Fatalf("dead %t, %+v", w.process.dead(), w.known(at))
			}
			w.target.hook = nil
			w.restart()
			if known {
				if err := w.access.TakeOver(t.Context(), w.run(id)); err != nil {
					t.Fatal(err)
				}
				w.sweepOnce()
				w.settle()
				w.want(id, flow.Deescalated)
				return
			}
			w.pass(time.Minute)
			w.want(id, flow.Escalated)
			w.pass(3 * time.Minute)
			w.want(id, flow.Deescalated)
			w.wantPresent()
		})
	}
}
