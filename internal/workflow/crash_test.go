package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// TestCrash lets the process die at its n-th write or call of the target, for
// every n, before that or after it and before the answer arrives; starts
// another; and checks that the whole access run comes to its end all the same.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, path := range []string{"both", "schedule", "sweep"} {
			for _, story := range []string{"alone", "predates us", "shared", "by hand", "handlers", "sick", "asynchronous", "several", "values", "extended", "emergency", "later"} {
				if path == "both" && story != "alone" {
					continue // each alone is the harder case
				}
				if path == "schedule" && (story == "asynchronous" || story == "several") {
					continue // a lost look at a grant is for the sweep
				}
				t.Run(fmt.Sprintf("%s/%s/after=%t", strings.ReplaceAll(story, " ", "_"), path, after), func(t *testing.T) {
					t.Parallel()
					for n := 0; ; n++ {
						if !crashAt(t, n, after, path, story) {
							if n < 10 {
								t.Errorf("only %d places to die at", n)
							}
							return
						}
					}
				})
			}
		}
	}
}

// crashAt tells one story with a crash; false if it ended without one.
func crashAt(t *testing.T, n int, after bool, path, story string) bool {
	t.Helper()
	var edit []func(*flow.Flow)
	if story == "handlers" {
		edit = append(edit, defines(everyHook...))
	}
	if story == "extended" {
		edit = append(edit, extends(flow.ExtendSame))
	}
	if story == "emergency" {
		edit = append(edit, breaksGlass)
	}
	if story == "later" {
		edit = append(edit, startsLater)
	}
	w := newWorld(t, edit...)
	if story == "several" { // of which one is refused at first
		w = severalAccounts(t, ones, twos, threes)
		w.target.fates["grant "+two] = []fate{unavailable}
	}
	w.schedule.on, w.sweeping = path != "sweep", path != "schedule"
	w.target.has[askerHas] = story == "predates us"
	if story == "asynchronous" {
		w.sell(20*time.Second, 3*time.Second).lax = true
	}
	if story == "values" {
		v := w.sell(0, 0)
		v.kind = strategy.TargetType{Values: permissions.Values, Expires: true}
		v.want[flow.RunIDFrom("acme", "a")], v.want[flow.RunIDFrom("acme", "b")] = "admin", "read"
	}
	if story == "extended" {
		w.lasts = "1h"
		if path != "schedule" { // a target that was not told is for the sweep
			w.sell(0, 0).kind = expiring
		}
	}
	if story == "sick" { // well again with the grant; of the two places left, a crash may keep one
		w.sicken(at, flow.SickPlaces-2, 24*time.Hour)
	}
	if story == "emergency" {
		w.lasts, w.extra = "1h", inEmergency
	}
	starts := w.clock.Now().Add(40 * time.Minute)
	if story == "later" {
		w.extra = startingAt(starts)
	}
	w.process.left, w.process.after = n, after
	const foundOut = 6*time.Minute + 30*time.Second // enough for the slowest lost step
	a := w.ask(asker, "a")
	w.pass(foundOut)
	if story == "handlers" { // what follows a request follows its message
		w.must("tell", func() error { return w.tell(a) })
		w.pass(foundOut)
	}
	if story != "emergency" {
		w.click(a, flow.ActionApprove, first)
	}
	w.pass(foundOut)
	if story == "asynchronous" {
		w.pass(2 * time.Minute)
	}
	if story == "later" {
		w.notBefore(t, n, a, starts)
		w.pass(starts.Add(foundOut).Sub(w.clock.Now()))
	}
	r := w.run(a)
	if r.Status != flow.Escalated {
		t.Errorf("crash %d: run is %s after %d restarts; events %s; log:\n%.2000s", n, r.Status, w.restarts, history(r), w.log)
		return false
	}
	// With both paths, a crash costs at most a claim (45 s) and a sweep; what is
	// left is the second look. Alone, the schedule may stand where it stood before
	// the grant was seen.
	late := 2*time.Minute + 10*time.Second
	if path == "schedule" {
		late += flow.GrantWindow
	}
	if story == "asynchronous" {
		late += 2 * time.Minute // the vendor's time, and a sweep for each piece of it
	}
	if story == "extended" {
		r = w.extended(t, n, a)
	}
	end := r.Access.End.Add(late)
	switch story {
	case "shared", "values":
		w.pass(max(0, r.Access.End.Add(-5*time.Minute).Sub(w.clock.Now())))
		b := w.ask(asker, "b")
		w.pass(foundOut / 2)
		w.click(b, flow.ActionApprove, first)
		w.pass(foundOut)
		ends := w.want(b, flow.Escalated).Access.End
		w.wantPresent(askerHas)
		w.pass(max(0, end.Sub(w.clock.Now())))
		w.want(a, flow.Deescalated)
		if w.clock.Now().Before(ends) {
			w.wantPresent(askerHas)
			if story == "values" {
				w.wantValue("the first has ended", "read")
			}
		}
		w.pass(max(0, ends.Add(late).Sub(w.clock.Now())))
		w.want(b, flow.Deescalated)
		w.wantPresent()
	case "by hand":
		w.click(a, flow.ActionDeescalate, asker)
		if path == "schedule" {
			w.pass(end.Sub(w.clock.Now()))
		}
		w.pass(late)
		w.want(a, flow.Deescalated)
		w.wantPresent()
	case "predates us":
		w.pass(end.Sub(w.clock.Now()))
		w.want(a, flow.Deescalated)
		w.wantPresent(askerHas)
		if w.target.calls["revoke"] > 0 {
			t.Error("revoked what was there before us")
		}
	case "emergency":
		if err := w.mayBreakGlass(asker); flow.CodeOf(err) != flow.CodeGlassBroken {
			t.Errorf("crash %d: while it lasts, another emergency: %v", n, err)
		}
		w.pass(end.Sub(w.clock.Now()))
		w.want(a, flow.Deescalated)
		w.wantPresent()
		w.reviewed(t, n, a)
	case "sick":
		w.sicken(at, 0, 0)
		w.pass(end.Sub(w.clock.Now()))
		w.want(a, flow.Deescalated)
		w.wantPresent()
	default:
		w.pass(end.Sub(w.clock.Now()))
		w.want(a, flow.Deescalated)
		w.wantPresent()
	}
	want := "prompt request approve escalate deescalate"
	if story == "extended" {
		want = "prompt request approve escalate extend_request extend deescalate"
	}
	if story == "emergency" {
		want += " review"
	}
	if story == "later" && (r.Access.Seen.Before(starts) || w.target.calls["grant"] > 2) { // twice where the crash took the answer
		t.Errorf("crash %d: to start %s, started %s by %d calls", n, starts, r.Access.Seen, w.target.calls["grant"])
	}
	if story == "several" && strings.Contains(history(w.run(a)), "!") { // unless the crash took that answer away
		want = "prompt request approve escalate!Strategy:UNAVAILABLE escalate deescalate"
	}
	if got := history(w.run(a)); got != want {
		t.Errorf("crash %d: events %s", n, got)
	}
	if out := string(w.run(a).Access.Output); story == "alone" && !strings.Contains(out, "made for") {
		t.Errorf("crash %d: what the target answered is lost: %q", n, out)
	}
	w.pass(5 * time.Minute)
	if story == "handlers" {
		w.pass(foundOut)
		checkAsked(t, n, w)
	}
	if r := w.run(a); !r.Due.IsZero() || w.schedule.armed(a) {
		t.Errorf("crash %d: there is no rest after the end: due %s, schedule %t", n, r.Due, w.schedule.armed(a))
	}
	if t.Failed() {
		t.Logf("crash at %d, log:\n%.3000s", n, w.log)
		return false
	}
	return w.restarts > 0
}

// TestCrash_stuck is TestCrash of an emergency that can't be granted, and is called off:
// nothing is granted by it, and its requester may have another one.
func TestCrash_stuck(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%t", after), func(t *testing.T) {
			t.Parallel()
			for n := 0; stuckAt(t, n, after); n++ {
				if t.Failed() {
					return
				}
			}
		})
	}
}

// stuckAt tells that story with a crash; false if it ended without one.
func stuckAt(t *testing.T, n int, after bool) bool {
	t.Helper()
	w := newWorld(t, breaksGlass)
	wrong := w.hopeless()
	w.extra = inEmergency
	w.process.left, w.process.after = n, after
	const foundOut = 6*time.Minute + 30*time.Second
	id := w.ask(asker, "a")
	w.pass(foundOut)
	w.click(id, flow.ActionCancel, first)
	w.pass(foundOut)
	*wrong = false
	w.want(id, flow.Cancelled)
	w.wantHistory(id, "prompt request approve escalate!Strategy:FAILED cancel")
	w.pass(time.Hour)
	if r := w.run(id); r.Access != nil || w.target.calls["grant"] > 0 || w.schedule.armed(id) || !r.Due.IsZero() {
		t.Errorf("crash %d: access %+v, %d calls, schedule %t, due %s", n, r.Access, w.target.calls["grant"], w.schedule.armed(id), r.Due)
	}
	if err := w.mayBreakGlass(asker); err != nil {
		t.Errorf("crash %d: called off, another emergency: %v", n, err)
	}
	w.wantPresent()
	return w.restarts > 0
}

// extended has the access of a run extended, whatever the crash takes away; what was
// its end passes by.
func (w *world) extended(t *testing.T, n int, id string) flow.Run {
	t.Helper()
	end := w.run(id).Access.End
	const foundOut = 6*time.Minute + 30*time.Second
	w.must("wish", func() error { return w.wish(id, asker) })
	w.pass(foundOut)
	x := w.run(id).Extension
	if x == nil {
		t.Fatalf("crash %d: nothing is asked for; events %s; log:\n%.2000s", n, history(w.run(id)), w.log)
	}
	w.must("extend", func() error {
		err := w.judge(id, flow.ActionExtend, first, x.EventID)
		if flow.CodeOf(err) == flow.CodeDecided {
			return nil // it was accepted before the crash
		}
		return err
	})
	w.pass(foundOut)
	if r := w.run(id); w.sweeping && r.Access.Untold != nil {
		t.Errorf("crash %d: the target was never told: %+v", n, r.Access.Untold)
	}
	w.pass(end.Add(4 * time.Minute).Sub(w.clock.Now()))
	r := w.want(id, flow.Escalated)
	w.wantPresent(askerHas)
	if !r.Access.End.Equal(end.Add(30 * time.Minute)) {
		t.Errorf("crash %d: it ends at %s, not half an hour after %s", n, r.Access.End, end)
	}
	return r
}

// notBefore has approved access that starts later wait for its start.
func (w *world) notBefore(t *testing.T, n int, id string, starts time.Time) {
	t.Helper()
	w.want(id, flow.Approved)
	w.pass(starts.Add(-time.Second).Sub(w.clock.Now()))
	if r := w.run(id); !r.AwaitsStart() || r.Access != nil || w.target.calls["grant"] > 0 {
		t.Errorf("crash %d: a second before its start it is %s, access %+v; %d calls", n, r.Status, r.Access, w.target.calls["grant"])
	}
}

// reviewed has an emergency reviewed, whatever the crash takes away, after which there
// may be another one.
func (w *world) reviewed(t *testing.T, n int, id string) {
	t.Helper()
	if err := w.mayBreakGlass(asker); flow.CodeOf(err) != flow.CodeGlassBroken {
		t.Errorf("crash %d: not reviewed, another emergency: %v", n, err)
	}
	w.click(id, flow.ActionReview, first)
	w.pass(6*time.Minute + 30*time.Second)
	if r := w.run(id); r.BreakGlass.Review == nil || !r.BreakGlass.Review.Actor.Is(first.Actor) {
		t.Errorf("crash %d: review %+v", n, r.BreakGlass.Review)
	}
	if err := w.mayBreakGlass(asker); err != nil {
		t.Errorf("crash %d: reviewed, another emergency: %v", n, err)
	}
}

// checkAsked: every step's handlers were asked, and twice only where the one
// crash took their answer away.
func checkAsked(t *testing.T, n int, w *world) {
	t.Helper()
	times := map[string]int{}
	for _, a := range w.handlers.asked {
		times[a[len("0000: "):]]++
	}
	again := 0
	for _, hooks := range []string{
		"on_prompt", "after_prompt", "on_request get_permissions", "after_request", "on_approve", "after_approve",
		"on_escalate", "after_escalate", "on_deescalate", "after_deescalate",
	} {
		if times[hooks] == 0 {
			t.Errorf("crash %d: %s was never asked: %v", n, hooks, w.handlers.asked)
		}
		again += max(0, times[hooks]-1)
	}
	if again > 1 {
		t.Errorf("crash %d: asked again %d times: %v", n, again, w.handlers.asked)
	}
}
