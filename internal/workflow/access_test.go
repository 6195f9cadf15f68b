package workflow_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

const askerHas = "db/asker@example.com"

// grantedFor is how long access of these tests lasts.
const grantedFor = 10 * time.Minute

func TestAccess_GrantedThenRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	r := w.want(id, flow.Escalated)
	w.wantPresent(askerHas)
	if want := w.clock.Now().Add(grantedFor); !r.Access.End.Equal(want) {
		t.Errorf("end %s, want %s", r.Access.End, want)
	}
	if string(r.Access.Output) != `{"account":"made for asker@example.com"}` {
		t.Errorf("output %s", r.Access.Output)
	}
	w.pass(grantedFor - time.Second)
	w.want(id, flow.Escalated)
	w.pass(time.Second)
	w.want(id, flow.Deescalated)
	w.wantPresent()
	w.wantHistory(id, "prompt request approve escalate deescalate")
	if w.schedule.armed(id) {
		t.Error("the schedule outlives the access")
	}
	if len(w.executed) != 1 {
		t.Errorf("executions %v, want one", w.executed)
	}
}

// TestAccess_Faults: whatever one call of the target comes to, access ends,
// what was there before us stays, and nothing is removed while a run holds it.
func TestAccess_Faults(t *testing.T) {
	t.Parallel()
	for _, call := range []struct {
		name  string
		what  string
		after int // calls of the kind that go well before
	}{
		{"ObserveBefore", "observe", 0},
		{"Grant", "grant", 0},
		{"ObserveAfter", "observe", 1},
		{"Revoke", "revoke", 0},
		{"ObserveRemoved", "observe", 2},
	} {
		for _, f := range []fate{refused, unavailable, hangs, arrivesLate, answerLost, showsLate, panics} {
			for _, setting := range []string{"seeing", "blind", "predates us"} {
				if setting != "seeing" && (call.what == "observe") == (setting == "blind") {
					continue // the call is not made there
				}
				bubble(t, fmt.Sprintf("%s/%s/%s", call.name, strings.ReplaceAll(string(f), " ", "_"), strings.ReplaceAll(setting, " ", "_")), func(t *testing.T) {
					w := newWorld(t)
					w.target.blind = setting == "blind"
					w.target.has[askerHas] = setting == "predates us"
					w.target.fates[call.what] = append(make([]fate, call.after), f)
					id := w.ask(asker, "a")
					w.click(id, flow.ActionApprove, first)
					w.pass(2 * time.Minute)
					granted := !(f == refused && (call.what == "grant" || call.name == "ObserveBefore" || call.name == "ObserveAfter"))
					if predates := setting == "predates us"; predates {
						granted = granted || call.name == "ObserveAfter" // not made
					}
					if granted {
						w.want(id, flow.Escalated)
						if len(w.target.present()) != 1 {
							t.Errorf("escalated, but the target shows %v", w.target.present())
						}
					} else if r := w.want(id, flow.Approved); r.Error == nil || r.Error.Step != flow.EventEscalate {
						t.Errorf("error %+v", r.Error)
					}
					w.pass(flow.GrantWindow + grantedFor + 5*time.Minute)
					w.want(id, flow.Deescalated)
					if setting == "predates us" {
						w.wantPresent(askerHas)
						if n := w.target.calls["grant"] + w.target.calls["revoke"]; n > 0 {
							t.Errorf("%d changes of what predates us", n)
						}
					} else {
						w.wantPresent()
					}
					if strings.Count(history(w.run(id))+" ", "escalate ") > 2 {
						t.Errorf("events %s", history(w.run(id)))
					}
				})
			}
		}
	}
}

// bubble runs a subtest in which the real clock stands still while anything is
// going on, so that waiting for a deadline takes no time and is never too short.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

// TestAccess_EndsInTime: with either path alone, and an exact clock, access is
// gone at most 90 s after its end.
func TestAccess_EndsInTime(t *testing.T) {
	t.Parallel()
	for name, turnOff := range map[string]func(*world){
		"Both":         func(*world) {},
		"ScheduleOnly": func(w *world) { w.sweeping = false },
		"SweepOnly":    func(w *world) { w.schedule.on = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			turnOff(w)
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.pass(grantedFor + 90*time.Second)
			w.want(id, flow.Deescalated)
			w.wantPresent()
			if w.target.calls["revoke"] != 1 {
				t.Errorf("%d revocations", w.target.calls["revoke"])
			}
		})
	}
}

func TestAccess_ScheduleFires(t *testing.T) {
	t.Parallel()
	t.Run("TooEarly", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		if err := w.access.OnTime(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.want(id, flow.Escalated)
		if end := w.run(id).Access.End; !w.schedule.sets[len(w.schedule.sets)-1].Equal(end) {
			t.Errorf("armed anew at %v, want %s", w.schedule.sets, end)
		}
	})
	t.Run("Twice", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.pass(grantedFor)
		for range 2 {
			if err := w.access.OnTime(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		w.lookTwice(id)
		w.wantHistory(id, "prompt request approve escalate deescalate")
	})
	// left has a run with access that ends after a while, and that nothing else ends.
	left := func(t *testing.T, left time.Duration) (*world, string) {
		w := newWorld(t, extends(flow.ExtendSame))
		w.sweeping, w.schedule.on = false, false
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.pass(grantedFor - left)
		w.access.Ahead = time.Minute
		return w, id
	}
	t.Run("WithinAhead", func(t *testing.T) { // nobody waits, but is called again
		t.Parallel()
		w, id := left(t, 40*time.Second)
		must(t, w.access.OnTime(t.Context(), id))
		must(t, w.access.OnTime(t.Context(), id)) // the sweep's call, or a message that came twice
		w.pass(39 * time.Second)
		w.want(id, flow.Escalated)
		w.pass(time.Second)
		w.want(id, flow.Deescalated)
		w.wantHistory(id, "prompt request approve escalate deescalate")
	})
	t.Run("ExtendedMeanwhile", func(t *testing.T) { // the end is read anew by whoever is called
		t.Parallel()
		w, id := left(t, 40*time.Second)
		must(t, w.access.OnTime(t.Context(), id))
		must(t, w.wish(id, asker))
		w.settle()
		must(t, w.judge(id, flow.ActionExtend, first, w.run(id).Extension.EventID))
		w.pass(40 * time.Second)
		w.want(id, flow.Escalated)
		if end := w.run(id).Access.End; !w.schedule.sets[len(w.schedule.sets)-1].Equal(end) {
			t.Errorf("armed at %v, want %s", w.schedule.sets, end)
		}
	})
	t.Run("ClocksDiffer", func(t *testing.T) { // by less than another call is worth
		t.Parallel()
		w, id := left(t, time.Second)
		w.access.Remover = removerFunc(func(string, time.Time) { t.Error("called once more") })
		done := make(chan error)
		go func() { done <- w.access.OnTime(t.Context(), id) }()
		if err := w.clock.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		w.want(id, flow.Escalated)
		w.clock.Advance(time.Second)
		must(t, <-done)
		w.want(id, flow.Deescalated)
	})
	t.Run("QueueIsDown", func(t *testing.T) { // the call is repeated, and the sweep makes its own
		t.Parallel()
		w, id := left(t, 40*time.Second)
		w.access.Remover = refusing{}
		if err := w.access.OnTime(t.Context(), id); flow.CodeOf(err) != flow.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		w.want(id, flow.Escalated)
	})
	t.Run("WillBeTooLate", func(t *testing.T) { // ends nearer than Ahead get no schedule
		t.Parallel()
		w := newWorld(t)
		w.access.Ahead = 2 * time.Minute
		w.schedule.on, w.sweeping = false, false
		w.flow.Params.PromptFields = nil
		id := w.ask(asker, "a")
		w.access.Ahead = grantedFor + time.Second
		if err := w.press(id, flow.ActionApprove, first); err != nil {
			t.Fatal(err)
		}
		var asked []time.Time
		w.access.Remover = removerFunc(func(_ string, at time.Time) { asked = append(asked, at) })
		w.settle()
		w.want(id, flow.Escalated)
		if end := w.run(id).Access.End; len(asked) != 1 || !asked[0].Equal(end) {
			t.Errorf("called for at %v, want %s", asked, end)
		}
	})
}

type removerFunc func(id string, at time.Time)

func (f removerFunc) Remove(_ context.Context, id string, at time.Time) error { f(id, at); return nil }

type refusing struct{}

func (refusing) Remove(context.Context, string, time.Time) error {
	return flow.Errorf(flow.CodeUnavailable, "the queue is down")
}

// TestAccess_UnscheduledIsNotGranted: the removal is scheduled before the
// target is touched.
func TestAccess_UnscheduledIsNotGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.schedule.err = fmt.Errorf("no more schedules")
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	r := w.want(id, flow.Approved)
	if r.Access == nil || r.Access.End.IsZero() {
		t.Error("the intent is not written")
	}
	if n := w.target.calls["grant"]; n > 0 {
		t.Errorf("%d grants without a schedule", n)
	}
	w.schedule.err = nil
	w.pass(5 * time.Second)
	w.want(id, flow.Escalated)
}

// TestAccess_RefusedGrant: it is shown, not repeated by itself, and Retry
// tries once more.
func TestAccess_RefusedGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fates["grant"] = []fate{refused}
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.pass(10 * time.Minute)
	r := w.want(id, flow.Approved)
	if r.Error == nil || r.Error.Code != flow.CodeStrategy || w.target.calls["grant"] != 1 {
		t.Fatalf("error %+v after %d grants", r.Error, w.target.calls["grant"])
	}
	if _, err := w.submit.Retry(t.Context(), id, second); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("retried by anybody: %v", err)
	}
	gone := first
	gone.Role = store.RoleDeactivated
	if _, err := w.submit.Retry(t.Context(), id, withRole(asker, store.RoleBot)); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("a bot: error %v", err)
	}
	if _, err := w.submit.Retry(t.Context(), id, gone); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("retried by somebody who has left: %v", err)
	}
	if _, err := w.submit.Retry(t.Context(), id, asker); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.want(id, flow.Escalated)
	w.wantHistory(id, "prompt request approve escalate!Strategy:FAILED escalate")
}

// TestAccess_GrantGivesUp: granting is tried a few times, then by hand; and
// what may have been granted is removed all the same.
func TestAccess_GrantGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fates["grant"] = []fate{answerLost, unavailable, unavailable, unavailable, unavailable, unavailable, unavailable}
	w.target.fates["observe"] = nil
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.pass(10 * time.Minute)
	r := w.want(id, flow.Approved)
	if n := w.target.calls["grant"]; n != flow.MaxGrantAttempts || r.Error == nil || r.Error.Attempts != n {
		t.Errorf("%d attempts, error %+v", n, r.Error)
	}
	w.wantPresent(askerHas)
	w.pass(20 * time.Minute)
	w.want(id, flow.Deescalated)
	w.wantPresent()
}

// TestAccess_AskedToWait: a target that says when to come back is left alone
// till then. But it can't put off a removal for more than five minutes.
func TestAccess_AskedToWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fates["grant"] = []fate{asksToWait}
	w.target.fates["revoke"] = []fate{asksToWait}
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.pass(9*time.Minute + 59*time.Second)
	if r := w.want(id, flow.Approved); w.target.calls["grant"] != 1 || r.Error == nil || r.Error.Code != flow.CodeUnavailable {
		t.Errorf("%d grants, error %+v", w.target.calls["grant"], r.Error)
	}
	w.pass(time.Minute)
	r := w.want(id, flow.Escalated)
	if r.Error != nil || w.target.calls["grant"] != 2 {
		t.Errorf("%d grants, error %+v", w.target.calls["grant"], r.Error)
	}
	w.pass(grantedFor + 4*time.Minute)
	w.want(id, flow.Escalated)
	if n := w.target.calls["revoke"]; n != 1 {
		t.Errorf("%d revokes", n)
	}
	w.pass(2 * time.Minute)
	w.want(id, flow.Deescalated)
}

// TestAccess_RemovalNeverGivesUp: a target that is down for days is asked
// again and again, with back-off, by one event; and access ends when it is up.
func TestAccess_RemovalNeverGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	for range 2000 {
		w.target.fates["revoke"] = append(w.target.fates["revoke"], refused)
	}
	w.pass(grantedFor + 24*time.Hour)
	r := w.want(id, flow.Escalated)
	if n := w.target.calls["revoke"]; n < 200 || n > 400 {
		t.Errorf("%d attempts in a day", n)
	}
	if r.Error == nil || r.Error.Step != flow.EventDeescalate || r.Error.RetryAt.IsZero() {
		t.Errorf("error %+v", r.Error)
	}
	w.wantHistory(id, "prompt request approve escalate deescalate!Strategy:FAILED")
	w.target.fates["revoke"] = nil
	if _, err := w.submit.Retry(t.Context(), id, asker); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.want(id, flow.Deescalated)
	w.wantPresent()
}

// TestAccess_OneHangingEntitlement keeps no other from being removed.
func TestAccess_OneHangingEntitlement(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		w := newWorld(t)
		w.target.keys = func(identity, _ string) []string { return []string{"a/" + identity, "b/" + identity, "c/" + identity} }
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Escalated)
		w.target.fates["revoke a/asker@example.com"] = []fate{hangs, hangs, hangs}
		w.target.fates["revoke b/asker@example.com"] = []fate{refused, panics}
		w.pass(grantedFor)
		w.wantPresent("a/asker@example.com", "b/asker@example.com")
		w.want(id, flow.Escalated)
		w.pass(10 * time.Minute)
		w.want(id, flow.Deescalated)
		w.wantPresent()
	})
}

func TestAccess_Shared(t *testing.T) {
	t.Parallel()
	t.Run("LastOneRemoves", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.ask(asker, "a")
		w.click(a, flow.ActionApprove, first)
		w.pass(5 * time.Minute)
		b := w.ask(asker, "b")
		w.click(b, flow.ActionApprove, first)
		if got := string(w.want(b, flow.Escalated).Access.Output); !strings.Contains(got, "made for") {
			t.Errorf("whoever joins does not hear what the target said: %q", got)
		}
		w.pass(5 * time.Minute)
		r := w.want(a, flow.Deescalated)
		if e, _ := r.Last(flow.EventDeescalate); fmt.Sprint(e.Fields["still_held"]) != "["+askerHas+"]" {
			t.Errorf("fields %v", e.Fields)
		}
		w.wantPresent(askerHas)
		w.pass(5 * time.Minute)
		w.want(b, flow.Deescalated)
		w.wantPresent()
		if w.target.calls["grant"] != 1 || w.target.calls["revoke"] != 1 {
			t.Errorf("calls %v", w.target.calls)
		}
	})
	t.Run("RemovedBySomebodyElse", func(t *testing.T) { // what a run joins is observed, not assumed
		t.Parallel()
		w := newWorld(t)
		a := w.ask(asker, "a")
		w.click(a, flow.ActionApprove, first)
		w.target.has[askerHas] = false
		b := w.ask(asker, "b")
		w.click(b, flow.ActionApprove, first)
		w.want(b, flow.Escalated)
		w.wantPresent(askerHas)
		w.pass(grantedFor)
		w.want(a, flow.Deescalated)
		w.want(b, flow.Deescalated)
		w.wantPresent()
	})
	t.Run("PredatesUsThenRemovedBySomebodyElse", func(t *testing.T) { // what we then create is ours
		t.Parallel()
		w := newWorld(t)
		w.target.has[askerHas] = true
		a := w.ask(asker, "a")
		w.click(a, flow.ActionApprove, first)
		w.pass(time.Minute)
		w.target.has[askerHas] = false
		b := w.ask(asker, "b")
		w.click(b, flow.ActionApprove, first)
		w.wantPresent(askerHas)
		w.pass(grantedFor)
		w.want(b, flow.Deescalated)
		w.wantPresent()
	})
	bubble(t, "GrantWhileRemovalIsUnderWay", func(t *testing.T) { // a cut-off removal must not hit the next grant
		w := newWorld(t)
		a := w.ask(asker, "a")
		w.click(a, flow.ActionApprove, first)
		w.target.fates["revoke"] = []fate{arrivesLate}
		b := w.ask(asker, "b")
		if err := w.press(a, flow.ActionDeescalate, asker); err != nil {
			t.Fatal(err)
		}
		w.click(b, flow.ActionApprove, first)
		w.pass(2 * time.Minute)
		w.want(b, flow.Escalated)
		w.wantPresent(askerHas)
		w.pass(grantedFor)
		w.want(a, flow.Deescalated)
		w.wantPresent()
	})
	t.Run("StaleSightOfWhatIsBeingRemoved", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.ask(asker, "a")
		w.click(a, flow.ActionApprove, first)
		w.target.fates["revoke"] = []fate{showsLate}
		b := w.ask(asker, "b")
		w.click(a, flow.ActionDeescalate, asker)
		w.want(a, flow.Escalated) // it shows still
		w.click(b, flow.ActionApprove, first)
		w.pass(time.Minute)
		w.want(b, flow.Escalated)
		w.wantPresent(askerHas)
	})
}

// TestAccess_EndedByHand at any moment of the grant.
func TestAccess_EndedByHand(t *testing.T) {
	t.Parallel()
	t.Run("Live", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.click(id, flow.ActionDeescalate, first)
		r := w.want(id, flow.Deescalated)
		e, _ := r.Last(flow.EventDeescalate)
		if e.Fields["deescalate_type"] != flow.Manual || !e.Actor.Same(first.Actor) {
			t.Errorf("event %+v", e)
		}
		w.wantPresent()
		w.pass(time.Hour)
		w.wantHistory(id, "prompt request approve escalate deescalate")
	})
	t.Run("BeforeTheGrantWasSeen", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.target.fates["grant"] = []fate{answerLost}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Approved)
		w.wantPresent(askerHas)
		w.click(id, flow.ActionDeescalate, asker)
		w.want(id, flow.Deescalated)
		w.wantPresent()
		w.pass(time.Hour)
		w.wantPresent()
		w.wantHistory(id, "prompt request approve escalate!Strategy:UNAVAILABLE deescalate")
	})
	t.Run("WithoutEnd", func(t *testing.T) { // schedule_deescalation off: by hand only
		t.Parallel()
		w := newWorld(t, func(f *flow.Flow) { f.Params.ScheduleDeescalation = false })
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.pass(90 * 24 * time.Hour)
		w.want(id, flow.Escalated)
		w.target.fates["revoke"] = []fate{unavailable}
		w.click(id, flow.ActionDeescalate, asker)
		w.want(id, flow.Escalated)
		w.pass(5 * time.Second)
		w.want(id, flow.Deescalated)
		w.wantPresent()
	})
}

// TestAccess_ClaimIsOver: a worker that comes back after its claim is over
// leaves the run to the worker that has it now.
func TestAccess_ClaimIsOver(t *testing.T) {
	t.Parallel()
	for _, f := range []fate{ok, unavailable} {
		w := newWorld(t)
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.schedule.on, w.sweeping = false, false
		must(t, w.press(id, flow.ActionDeescalate, asker))
		w.target.fates["revoke"] = []fate{f}
		w.target.hook = func(context.Context) {
			if r := w.run(id); r.Access.Removal.Owner == "" {
				return
			}
			w.target.hook = nil
			w.clock.Advance(time.Minute)
			_, err := w.runs.Change(t.Context(), id, w.clock.Now, func(flow.Run) (flow.Input, error) {
				return flow.Claim{Owner: "another", Until: w.clock.Now().Add(time.Minute)}, nil
			})
			must(t, err)
		}
		must(t, w.access.OnTime(t.Context(), id))
		if r := w.want(id, flow.Escalated); r.Access.Removal.Owner != "another" || r.Error != nil {
			t.Errorf("after %q: removal %+v, error %+v", f, r.Access.Removal, r.Error)
		}
		w.sweeping = true
		w.pass(5 * time.Minute)
		w.want(id, flow.Deescalated)
	}
}

// saved is an identity at the target of the worlds.
func saved(userID string) store.SavedIdentity {
	return store.SavedIdentity{Identity: store.Identity{Service: "fake", UserID: userID}, Author: flow.Author{By: flow.Principal{Name: "an administrator"}}}
}

// TestAccess_Identity: whom access is for.
func TestAccess_Identity(t *testing.T) {
	t.Parallel()
	t.Run("Stored", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		if err := w.access.Users.SetIdentity(t.Context(), asker.Actor, saved("u-4711")); err != nil {
			t.Fatal(err)
		}
		id := w.ask(asker, "a")
		w.click(id, flow.ActionApprove, first)
		w.want(id, flow.Escalated)
		w.wantPresent("db/u-4711")
	})
	t.Run("None", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		nobody := member("nobody")
		nobody.Email = ""
		w.directory.users[nobody.SlackID] = nobody
		id := w.ask(nobody, "a")
		w.click(id, flow.ActionApprove, first)
		r := w.want(id, flow.Approved)
		if r.Error == nil || r.Error.Code != flow.CodeIdentity || !strings.Contains(r.Error.Message, "Give the app the scope users:read.email") {
			t.Fatalf("error %+v", r.Error)
		}
		if err := w.access.Users.SetIdentity(t.Context(), nobody.Actor, saved("u-1")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.submit.Retry(t.Context(), id, admin); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.want(id, flow.Escalated)
	})
}

// TestAccess_LeaseKeepsOthersOut: only the leaseholder calls the target.
func TestAccess_LeaseKeepsOthersOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	foreign := flow.Lease{Owner: "a run elsewhere", Until: w.clock.Now().Add(20 * time.Second)}
	if _, err := w.grants.Change(t.Context(), askerHas, func(g flow.Grant) (flow.Grant, error) {
		g, _, err := g.Acquire(flow.Holder{Run: "elsewhere"}, nil, foreign, w.clock.Now())
		return g, err
	}); err != nil {
		t.Fatal(err)
	}
	w.click(id, flow.ActionApprove, first)
	w.pass(19 * time.Second)
	if r := w.want(id, flow.Approved); r.Error != nil || w.target.calls["grant"] > 0 {
		t.Errorf("waiting for one's turn is no failure: %+v, calls %v", r.Error, w.target.calls)
	}
	w.pass(time.Minute)
	w.want(id, flow.Escalated) // the leaseholder was dead
}

// TestAccess_LeaseIsTakenOver: a run that another one has taken the lease from goes
// on when it can, and does not say until when it waits, which it does not know.
func TestAccess_LeaseIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ask(asker, "a")
	var taken bool
	w.target.hook = func(ctx context.Context) {
		if taken || w.target.calls["observe"] == 0 {
			return
		}
		taken = true
		if _, err := w.grants.Change(ctx, askerHas, func(g flow.Grant) (flow.Grant, error) {
			g.Lease = flow.Lease{Owner: "a run elsewhere", Until: w.clock.Now()}
			return g, nil
		}); err != nil {
			t.Error(err)
		}
	}
	w.click(id, flow.ActionApprove, first)
	if r := w.want(id, flow.Approved); !taken || r.Error != nil || !r.Access.BusyUntil.IsZero() || r.Access.LookAt.IsZero() {
		t.Errorf("taken over: %t, error %+v, access %+v", taken, r.Error, r.Access)
	}
	w.pass(time.Minute)
	w.want(id, flow.Escalated)
}

var _ workflow.Remover = removerFunc(nil)
