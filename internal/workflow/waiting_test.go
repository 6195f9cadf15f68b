package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/symflows/symflows/internal/flow"
)

// approved asks for access and has it approved.
func (w *world) approved(cause string) string {
	w.t.Helper()
	id := w.ask(asker, cause)
	w.click(id, flow.ActionApprove, first)
	return id
}

// last checks a run's status, and gives its last event of a name.
func (w *world) last(id string, s flow.Status, name flow.EventName) (flow.Event, bool) {
	w.t.Helper()
	r := w.want(id, s)
	return r.Last(name)
}

func (w *world) wantCalls(calls map[string]int) {
	w.t.Helper()
	for what, n := range calls {
		if got := w.vendor.calls[what]; got != n {
			w.t.Errorf("%d calls of %s, want %d", got, what, n)
		}
	}
}

// TestPending: what the vendor works on is looked at again and again, without an
// execution or a function that waits, and asked for once.
func TestPending(t *testing.T) {
	t.Parallel()
	for _, lookless := range []bool{false, true} {
		t.Run(fmt.Sprintf("lookless=%t", lookless), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v := w.sell(20*time.Second, 0)
			w.lookless = lookless
			id := w.approved("a")
			r := w.want(id, flow.Approved)
			look := r.WaitsForTarget(flow.EventEscalate)
			if look == nil || !strings.Contains(look.Text, "setting this up, since 09:00:00") || look.Todo || r.Execution.Active || r.Error != nil {
				t.Fatalf("waits for %+v, execution %+v, error %+v", look, r.Execution, r.Error)
			}
			if looked := look.LookAt.Sub(w.clock.Now()); looked != 5*time.Second {
				t.Errorf("the first look is after %s", looked)
			}
			soon, executions, follows := 35*time.Second, 1, 3
			if lookless { // the sweep finds it
				soon, executions, follows = 2*time.Minute, 2, 1
			}
			w.pass(soon - time.Second)
			w.want(id, flow.Approved)
			w.pass(time.Second)
			r = w.want(id, flow.Escalated)
			if out := string(r.Access.Output); !strings.Contains(out, "made for") || r.Access.Waiting != nil {
				t.Errorf("granted with %q, waits for %+v", out, r.Access.Waiting)
			}
			if len(w.executed) != executions {
				t.Errorf("executions %v", w.executed)
			}
			w.wantCalls(map[string]int{"grant": 1, "follow": follows, "revoke": 0})
			w.pass(max(r.Access.End.Sub(w.clock.Now()), 0))
			if r = w.want(id, flow.Escalated); r.WaitsForTarget(flow.EventDeescalate) == nil || r.Error != nil {
				t.Errorf("the removal waits for %+v, error %+v", r.Access.Waiting, r.Error)
			}
			w.pass(5 * time.Minute)
			w.want(id, flow.Deescalated)
			w.wantPresent()
			w.wantCalls(map[string]int{"grant": 1, "revoke": 1})
			w.wantHistory(id, "prompt request approve escalate deescalate")
			if r := w.run(id); !r.Due.IsZero() || w.schedule.armed(id) || len(v.broken) > 0 {
				t.Errorf("no rest: due %s, schedule %t, %v", r.Due, w.schedule.armed(id), v.broken)
			}
			if (w.missed > 0) != lookless {
				t.Errorf("%d looks were found to be missed", w.missed)
			}
		})
	}
}

// TestPending_RemovalFinishesTheGrant: absence counts for nothing while a grant is
// under way, whether its answer came or was lost.
func TestPending_RemovalFinishesTheGrant(t *testing.T) {
	t.Parallel()
	for _, answer := range []fate{ok, answerLost} {
		t.Run(string(answer), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v := w.sell(3*time.Minute, 0)
			v.fates["grant"], v.lax = []fate{answer}, true
			id := w.approved("a")
			w.pass(time.Second)
			w.click(id, flow.ActionDeescalate, asker)
			w.pass(2 * time.Minute)
			if r := w.want(id, flow.Approved); r.WaitsForTarget(flow.EventDeescalate) == nil {
				t.Errorf("waits for %+v, error %+v", r.Access.Waiting, r.Error)
			}
			w.wantCalls(map[string]int{"grant": 1, "revoke": 0})
			w.pass(10 * time.Minute)
			w.want(id, flow.Deescalated)
			w.wantPresent()
			w.wantCalls(map[string]int{"grant": 1, "revoke": 1})
		})
	}
}

// TestPending_AnswerLost: what may be under way is found, and not asked for again.
func TestPending_AnswerLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(time.Minute, 0)
	v.fates["grant"], v.fates["revoke"] = []fate{answerLost}, []fate{answerLost}
	id := w.approved("a")
	w.pass(3 * time.Minute)
	r := w.want(id, flow.Escalated)
	w.wantCalls(map[string]int{"grant": 1})
	w.pass(r.Access.End.Sub(w.clock.Now()) + 4*time.Minute)
	w.want(id, flow.Deescalated)
	w.wantPresent()
	w.wantCalls(map[string]int{"grant": 1, "revoke": 1})
}

// TestPending_Fails: work that comes to nothing is a failed attempt, with the
// vendor's reason.
func TestPending_Fails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(20*time.Second, 0)
	v.fates["grant"] = []fate{fails, fails, fails, fails, fails}
	id := w.approved("a")
	w.pass(15 * time.Minute)
	r := w.want(id, flow.Approved)
	if r.Error == nil || r.Error.Attempts != flow.MaxGrantAttempts || !strings.Contains(r.Error.Message, "LimitExceeded") || flow.Next(r) != flow.StepDone || r.Access.Waiting != nil {
		t.Fatalf("error %+v, next %s, waits for %+v", r.Error, flow.Next(r), r.Access.Waiting)
	}
	v.fates["revoke"] = []fate{fails}
	if _, err := w.submit.Retry(t.Context(), id, asker); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Minute)
	r = w.want(id, flow.Escalated)
	w.pass(r.Access.End.Sub(w.clock.Now()) + 4*time.Minute)
	w.want(id, flow.Deescalated)
	w.wantPresent()
	w.wantHistory(id, "prompt request approve escalate!Strategy:UNAVAILABLE escalate deescalate!Strategy:UNAVAILABLE deescalate")
}

// TestPending_Shared: two runs share work under way, and a run that comes while the
// last one's removal goes on waits for that.
func TestPending_Shared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sell(30*time.Second, 0)
	a, b := w.approved("a"), w.approved("b")
	w.pass(2 * time.Minute)
	w.want(a, flow.Escalated)
	w.want(b, flow.Escalated)
	w.wantCalls(map[string]int{"grant": 1})
	w.click(a, flow.ActionDeescalate, asker)
	if e, _ := w.last(a, flow.Deescalated, flow.EventDeescalate); e.Fields[flow.KeyStillHeld] == nil {
		t.Errorf("ended with %+v", e.Fields)
	}
	w.click(b, flow.ActionDeescalate, asker)
	c := w.approved("c")
	if r := w.want(c, flow.Approved); r.WaitsForTarget(flow.EventEscalate) == nil || !strings.Contains(r.Access.Waiting.Text, "still removing") {
		t.Errorf("waits for %+v, error %+v", r.Access.Waiting, r.Error)
	}
	w.pass(4 * time.Minute)
	w.want(b, flow.Deescalated)
	w.want(c, flow.Escalated)
	w.wantPresent(askerHas)
	w.wantCalls(map[string]int{"grant": 2, "revoke": 1})
	w.pass(20 * time.Minute)
	w.want(c, flow.Deescalated)
	w.wantPresent()
}

// TestPending_Before: what was there before us is never removed, however the grant
// goes.
func TestPending_Before(t *testing.T) {
	t.Parallel()
	for _, p := range []flow.Presence{flow.Present, flow.Invited} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v := w.sell(20*time.Second, 0)
			v.give(askerHas, p)
			v.fates["observe"] = []fate{unavailable}
			id := w.approved("a")
			w.pass(time.Minute)
			if p == flow.Invited {
				if r := w.want(id, flow.Approved); r.WaitsForTarget(flow.EventEscalate) == nil || !r.Access.Waiting.Todo {
					t.Errorf("waits for %+v", r.Access.Waiting)
				}
			} else {
				w.want(id, flow.Escalated)
			}
			w.pass(30 * time.Minute)
			if e, _ := w.last(id, flow.Deescalated, flow.EventDeescalate); e.Fields[flow.KeyKept] == nil {
				t.Errorf("ended with %+v", e.Fields)
			}
			w.wantPresent(askerHas)
			w.wantCalls(map[string]int{"grant": 0, "revoke": 0})
		})
	}
}

// TestStaleReads: what is shown late is waited for, and asked for once. What is not
// shown within two minutes is a failed attempt.
func TestStaleReads(t *testing.T) {
	t.Parallel()
	t.Run("WaitedFor", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.sell(0, 30*time.Second)
		id := w.approved("a")
		if r := w.want(id, flow.Approved); r.WaitsForTarget(flow.EventEscalate) == nil || r.Error != nil {
			t.Errorf("waits for %+v, error %+v", r.Access.Waiting, r.Error)
		}
		w.pass(time.Minute)
		r := w.want(id, flow.Escalated)
		w.wantCalls(map[string]int{"grant": 1})
		w.pass(r.Access.End.Sub(w.clock.Now()) + time.Second)
		if r := w.want(id, flow.Escalated); r.WaitsForTarget(flow.EventDeescalate) == nil || r.Error != nil {
			t.Errorf("waits for %+v, error %+v", r.Access.Waiting, r.Error)
		}
		w.wantPresent() // it is gone, and not seen yet
		w.pass(90 * time.Second)
		w.want(id, flow.Deescalated)
		w.wantHistory(id, "prompt request approve escalate deescalate")
	})
	t.Run("TooLate", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 4*time.Minute)
		id := w.approved("a")
		w.pass(3 * time.Minute)
		if r := w.want(id, flow.Approved); r.Error == nil || r.Error.Code != flow.CodeNotObserved || r.Error.Attempts != 1 {
			t.Errorf("error %+v", r.Error)
		}
		w.pass(2 * time.Minute)
		r := w.want(id, flow.Escalated)
		v.late = 4 * time.Minute
		w.pass(r.Access.End.Sub(w.clock.Now()) + 3*time.Minute)
		if r := w.want(id, flow.Escalated); r.Error == nil || r.Error.Code != flow.CodeNotObserved {
			t.Errorf("error %+v", r.Error)
		}
		w.pass(10 * time.Minute)
		w.want(id, flow.Deescalated)
	})
}

// TestStaleReads_Echo: what a target shows late of access that was granted and removed
// within moments is not taken for what was there before us, nor for the next run's.
func TestStaleReads_Echo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(4*time.Second, 15*time.Second)
	v.lax = true
	a := w.approved("a")
	v.fates["revoke"] = []fate{answerLost}
	w.click(a, flow.ActionDeescalate, asker)
	w.pass(20 * time.Second)
	w.want(a, flow.Deescalated)
	b := w.approved("b") // the target shows it as it was fifteen seconds ago: there
	if r := w.want(b, flow.Approved); r.WaitsForTarget(flow.EventEscalate) == nil {
		t.Errorf("waits for %+v, error %+v", r.Access.Waiting, r.Error)
	}
	w.pass(2 * time.Minute)
	r := w.want(b, flow.Escalated)
	w.wantPresent(askerHas)
	w.pass(r.Access.End.Sub(w.clock.Now()) + 2*time.Minute)
	w.want(b, flow.Deescalated)
	w.wantPresent()
}

// TestUnseenTwice: a removal is over when the access was not seen twice, five
// seconds apart, and begins anew if it is back in between.
func TestUnseenTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(0, 0)
	id := w.approved("a")
	w.want(id, flow.Escalated)
	if err := w.press(id, flow.ActionDeescalate, asker); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if r := w.run(id); r.Status != flow.Escalated || r.WaitsForTarget(flow.EventDeescalate) == nil {
		t.Fatalf("run is %s, waits for %+v", r.Status, r.Access.Waiting)
	}
	if err := w.access.OnTime(t.Context(), id); err != nil { // a schedule that fires meanwhile
		t.Fatal(err)
	}
	if err := w.access.Look(t.Context(), id); err != nil { // a message that comes early
		t.Fatal(err)
	}
	w.wantCalls(map[string]int{"revoke": 1})
	v.give(askerHas, flow.Present) // the look that missed it was of an old state
	w.pass(5 * time.Second)
	if r := w.run(id); r.Status != flow.Escalated || r.Error != nil {
		t.Fatalf("run is %s, error %+v", r.Status, r.Error)
	}
	w.pass(time.Minute)
	w.want(id, flow.Deescalated)
	w.wantPresent()
	w.wantCalls(map[string]int{"revoke": 2})
}

// TestInvited: a person who has to accept an invitation is told so, and is looked
// after every five minutes, for as long as they were to have the access.
func TestInvited(t *testing.T) {
	t.Parallel()
	invited := func(t *testing.T) (*world, *vendor, string) {
		w := newWorld(t)
		v := w.sell(0, 0)
		v.invites = true
		id := w.approved("a")
		r := w.want(id, flow.Approved)
		if look := r.WaitsForTarget(flow.EventEscalate); look == nil || !look.Todo || look.Text != "Accept the invitation in your mail." || !look.LookAt.Equal(w.clock.Now().Add(5*time.Minute)) {
			t.Fatalf("waits for %+v", r.Access.Waiting)
		}
		return w, v, id
	}
	t.Run("Accepted", func(t *testing.T) {
		t.Parallel()
		w, v, id := invited(t)
		w.pass(7 * time.Minute)
		w.want(id, flow.Approved)
		v.give(askerHas, flow.Present)
		w.pass(3 * time.Minute)
		r := w.want(id, flow.Escalated)
		if got := r.Access.End.Sub(began); got != 20*time.Minute {
			t.Errorf("ends after %s", got)
		}
		w.pass(10 * time.Minute)
		w.want(id, flow.Deescalated)
		w.wantPresent()
		w.wantCalls(map[string]int{"grant": 1, "revoke": 1, "observe": 6})
	})
	t.Run("NotAccepted", func(t *testing.T) {
		t.Parallel()
		w, _, id := invited(t)
		w.pass(flow.GrantWindow + grantedFor)
		w.want(id, flow.Deescalated)
		w.wantPresent()
		w.wantCalls(map[string]int{"grant": 1, "revoke": 1})
		if r := w.run(id); r.Error != nil {
			t.Errorf("error %+v", r.Error)
		}
	})
	t.Run("AcceptedLate", func(t *testing.T) {
		t.Parallel()
		w, v, id := invited(t)
		w.pass(flow.GrantWindow + grantedFor)
		v.give(askerHas, flow.Present) // while it is taken back
		w.pass(time.Minute)
		w.want(id, flow.Deescalated)
		w.wantPresent()
		w.wantHistory(id, "prompt request approve deescalate")
	})
}

// TestOthers: access that comes of something else, too, is told when it is granted
// and when it is taken away; a target that is gone counts as taken away, and so
// it is said.
func TestOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(10*time.Second, 0)
	v.others[askerHas] = []string{"group Admins"}
	id := w.approved("a")
	w.pass(time.Minute)
	e, _ := w.last(id, flow.Escalated, flow.EventEscalate)
	if warnings := fmt.Sprint(e.Fields[flow.KeyWarnings]); !strings.Contains(warnings, "group Admins") {
		t.Errorf("warned of %s", warnings)
	}
	v.gone[askerHas] = true
	v.give(askerHas, flow.Absent)
	w.click(id, flow.ActionDeescalate, asker)
	e, _ = w.last(id, flow.Deescalated, flow.EventDeescalate)
	if by := fmt.Sprint(e.Fields[flow.KeyStillGrantedBy]); by != "[group Admins]" {
		t.Errorf("still granted by %s", by)
	}
	if warnings := fmt.Sprint(e.Fields[flow.KeyWarnings]); !strings.Contains(warnings, "deleted") {
		t.Errorf("warned of %s", warnings)
	}
}

// TestSeveral: each entitlement has the vendor's time of its own; the run is granted
// when all are, and what failed alone is tried again.
func TestSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(20*time.Second, 0)
	w.target.keys = func(string, string) []string { return []string{"db/1", "db/2", "db/3"} }
	v.fates["grant"] = []fate{fails}
	id := w.approved("a")
	w.pass(10 * time.Second)
	if len(v.work) != 3 {
		t.Errorf("%d pieces of work are under way, want all at once", len(v.work))
	}
	w.pass(3 * time.Minute)
	r := w.want(id, flow.Escalated)
	w.wantPresent("db/1", "db/2", "db/3")
	w.wantCalls(map[string]int{"grant": 4})
	w.pass(r.Access.End.Sub(w.clock.Now()) + 2*time.Minute)
	w.want(id, flow.Deescalated)
	w.wantPresent()
	w.wantCalls(map[string]int{"revoke": 3})
}

// TestVendor_property: whatever runs, crashes and faults come together at a vendor
// that works on and shows late what it has done, it has what was there before and
// what live runs hold: never less meanwhile, and never more once there is rest.
func TestVendor_property(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		seconds := func(most int, what string) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(rt, what)) * time.Second
		}
		v := w.sell(seconds(40, "takes"), seconds(20, "late"))
		v.lax = rapid.Bool().Draw(rt, "lax")
		predates := rapid.IntRange(0, 4).Draw(rt, "predates") == 0
		valued := rapid.Bool().Draw(rt, "valued")
		v.kind.Expires = rapid.Bool().Draw(rt, "expires")
		before := kept{presence: flow.Absent}
		if valued {
			v.kind.Values = permissions.Values
		}
		if predates {
			if before.presence = flow.Present; valued {
				before.value = rapid.SampledFrom(permissions.Values).Draw(rt, "before")
			}
			v.giveValue(askerHas, before)
			w.pass(v.late)
		}
		// Some runs ask for several things at once, each of which goes its own way.
		things := []string{askerHas, askerHas + "/2", askerHas + "/3"}
		asks := map[string]int{}
		w.target.keys = func(_, runID string) []string { return things[:max(asks[runID], 1)] }
		var ids []string
		for i := range rapid.IntRange(3, 14).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"ask", "ask", "end", "end", "pass", "pass", "crash", "fault", "fault"}).Draw(rt, "step") {
			case "ask":
				if len(ids) < 4 {
					w.lasts = rapid.SampledFrom([]string{"10m", "1h"}).Draw(rt, "lasts")
					if valued {
						v.want[flow.RunIDFrom("acme", fmt.Sprint("run", i))] = rapid.SampledFrom(permissions.Values).Draw(rt, "value")
					}
					asks[flow.RunIDFrom("acme", fmt.Sprint("run", i))] = rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(rt, "things")
					ids = append(ids, w.ask(asker, fmt.Sprint("run", i)))
				}
				for _, id := range ids { // which may be too early, after a crash, or done
					_ = w.press(id, flow.ActionApprove, first)
				}
				w.settle()
			case "end":
				if len(ids) > 0 {
					_ = w.press(rapid.SampledFrom(ids).Draw(rt, "whose"), flow.ActionDeescalate, asker) // which may be too early, or too late
					w.settle()
				}
			case "pass":
				w.pass(seconds(90, "pass"))
			case "crash":
				w.process.left = rapid.IntRange(0, 12).Draw(rt, "at")
				w.process.after = rapid.Bool().Draw(rt, "after")
			case "fault":
				what := rapid.SampledFrom([]string{"grant", "revoke", "observe", "follow"}).Draw(rt, "call")
				with := []fate{unavailable, answerLost}
				if what == "grant" || what == "revoke" {
					with = append(with, fails)
				}
				v.fates[what] = append(v.fates[what], rapid.SampledFrom(with).Draw(rt, "fault"))
			}
		}
		w.process.left = -1
		clear(v.fates)
		w.pass(8 * time.Minute) // the slowest lost step takes seven to be found
		expect := func(when string) {
			for _, thing := range things {
				want := kept{presence: flow.Absent}
				if thing == askerHas {
					want = before
				}
				known := true
				for _, id := range ids {
					r := w.run(id)
					for _, p := range parts(r) {
						switch {
						case p.Key != thing:
						case r.Held(w.clock.Now()) && p.State() == flow.PartGranted:
							if want.presence = flow.Present; v.rank(v.want[id]) > v.rank(want.value) {
								want.value = v.want[id]
							}
						case r.Access.Live() && when == "at rest":
							known = false // it has just ended, so that there is none, or was given up
						}
					}
				}
				v.mu.Lock()
				v.goOn()
				has := v.has(thing)
				v.mu.Unlock()
				if known && (has.presence != want.presence || has.value != want.value) {
					rt.Errorf("%s: the vendor has %+v of %s, want %+v", when, has, thing, want)
				} else if predates && thing == askerHas && !has.until.IsZero() {
					rt.Errorf("%s: what was there before ends at %v", when, has.until)
				}
			}
		}
		expect("at rest")
		w.pass(flow.GrantWindow + time.Hour + 10*time.Minute)
		expect("in the end")
		for _, id := range ids {
			r := w.run(id)
			if r.Access != nil && (r.Access.Live() || !r.Due.IsZero()) {
				rt.Errorf("there is no rest: run %s is %s, error %+v, waits for %+v, due %s", id, r.Status, r.Error, r.Access.Waiting, r.Due)
			}
		}
		if len(v.broken) > 0 {
			rt.Errorf("%s", strings.Join(v.broken, "\n"))
		}
		alone := len(asks) == strings.Count(fmt.Sprint(asks), ":1")
		if predates && !valued && alone && v.calls["grant"]+v.calls["revoke"] > 0 {
			rt.Errorf("what was there before was asked for %d times, and removed %d times", v.calls["grant"], v.calls["revoke"])
		}
	})
}
