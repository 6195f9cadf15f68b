package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// permissions is a type of target of which everybody has one value.
var permissions = strategy.TargetType{Name: "fake", Values: []string{"read", "write", "admin"}}

// asks has somebody ask for a value, and it is approved.
func (w *world) asks(cause, value string) string {
	w.t.Helper()
	w.vendor.want[flow.RunIDFrom("acme", cause)] = value
	return w.approved(cause)
}

// wantValue checks which value the person has at the vendor; "": none.
func (w *world) wantValue(when, value string) {
	w.t.Helper()
	w.vendor.mu.Lock()
	defer w.vendor.mu.Unlock()
	w.vendor.goOn()
	valued := len(w.vendor.kind.Values) > 0
	if got := w.vendor.has(askerHas); got.value != value || valued && (got.presence == flow.Absent) != (value == "") {
		w.t.Errorf("%s: the vendor has %+v, want %q", when, got, value)
	}
	for _, b := range w.vendor.broken {
		w.t.Error(b)
	}
}

// ends has a run's access ended, and waits until it is.
func (w *world) ends(id string) flow.Event {
	w.t.Helper()
	w.click(id, flow.ActionDeescalate, asker)
	w.pass(3 * time.Minute)
	e, _ := w.last(id, flow.Deescalated, flow.EventDeescalate)
	return e
}

// TestValues: a target that keeps one value for each person has the highest of what
// was there before and what runs need, each time one joins or leaves.
func TestValues(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "read", "admin"} {
		for name, takes := range map[string]time.Duration{"AtOnce": 0, "Working": 20 * time.Second} {
			t.Run(before+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.lasts = "1h"
				v := w.sell(takes, 0)
				v.kind = permissions
				if before != "" {
					v.giveValue(askerHas, kept{presence: flow.Present, value: before})
				}
				expect := func(when, value string) {
					t.Helper()
					if w.pass(time.Minute); before == "admin" {
						value = before
					}
					w.wantValue(when, value)
				}
				a := w.asks("a", "write")
				expect("granted", "write")
				b := w.asks("b", "read")
				expect("joined by less", "write")
				c := w.asks("c", "admin")
				expect("raised", "admin")
				for _, id := range []string{a, b, c} {
					w.want(id, flow.Escalated)
				}
				e := w.ends(c)
				expect("set to what remains", "write")
				if e.Fields[flow.KeyStillHeld] == nil || (e.Fields[flow.KeyKept] == nil) != (before != "read") {
					t.Errorf("recorded %v", e.Fields)
				}
				w.ends(b)
				expect("less than remains has left", "write")
				w.ends(a)
				expect("in the end", before)
				if before == "admin" {
					w.wantCalls(map[string]int{"grant": 0, "revoke": 0})
				}
				if before == "read" {
					w.wantCalls(map[string]int{"grant": 4, "revoke": 0})
				}
				if before == "" {
					w.wantCalls(map[string]int{"grant": 3, "revoke": 1})
				}
			})
		}
	}
}

// TestValues_Lowered: a removal that leaves something is over when nothing more was
// seen twice, and gives nobody back what others took from them meanwhile.
func TestValues_Lowered(t *testing.T) {
	t.Parallel()
	t.Run("SeenTwice", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 0)
		v.kind = permissions
		w.asks("a", "read")
		b := w.asks("b", "admin")
		w.want(b, flow.Escalated)
		w.pass(time.Minute)
		v.late = 20 * time.Second
		w.click(b, flow.ActionDeescalate, asker)
		w.pass(19 * time.Second)
		w.wantValue("set", "read")
		if r := w.run(b); r.Status != flow.Escalated {
			t.Errorf("the run is %s before anybody has seen it", r.Status)
		}
		w.pass(time.Minute)
		w.want(b, flow.Deescalated)
	})
	t.Run("TakenByOthers", func(t *testing.T) {
		t.Parallel()
		for _, now := range []kept{{presence: flow.Absent}, {presence: flow.Present, value: "read"}} {
			w := newWorld(t)
			v := w.sell(0, 0)
			v.kind = permissions
			v.giveValue(askerHas, kept{presence: flow.Present, value: "write"})
			a := w.asks("a", "admin")
			w.want(a, flow.Escalated)
			w.pass(3 * time.Minute)
			if err := w.press(a, flow.ActionDeescalate, asker); err != nil {
				t.Fatal(err)
			}
			v.giveValue(askerHas, now)
			w.pass(time.Minute)
			w.want(a, flow.Deescalated)
			w.wantValue("in the end", now.value)
		}
	})
}

// TestValues_Unknown: a value that could not be given back is not touched.
func TestValues_Unknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(0, 0)
	v.kind = permissions
	v.giveValue(askerHas, kept{presence: flow.Present, value: "a role of their own"})
	a := w.asks("a", "admin")
	w.pass(time.Minute)
	if r := w.want(a, flow.Approved); r.Error == nil || r.Error.Code != flow.CodeStrategy || !strings.Contains(r.Error.Message, `"a role of their own", which is none of read, write, admin`) {
		t.Errorf("failed with %+v", r.Error)
	}
	w.ends(a)
	w.wantValue("in the end", "a role of their own")
	w.wantCalls(map[string]int{"grant": 0, "revoke": 0})
}

// TestValues_Drift: less than runs hold is missing, more than anybody asked for is
// somebody else's, and neither is what the others have.
func TestValues_Drift(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever, func(f *flow.Flow) { f.Strategy.Targets[0].Settings[strategy.SettingExclusive] = "true" })
	v := w.sell(0, 0)
	v.kind = permissions
	a, b := w.asks("a", "read"), w.asks("b", "write")
	c, _ := w.reconcile(false)
	c.Open = v.open
	expect := func(when, want string, missing bool) {
		t.Helper()
		if got := drifts(w.compared(c)); got != want {
			t.Errorf("%s: found %q, want %q", when, got, want)
		}
		if r := w.run(a); r.Missing() {
			t.Errorf("%s: the run that has what it holds is missing it", when)
		}
		if r := w.run(b); r.Missing() != missing {
			t.Errorf("%s: missing %t, want %t", when, r.Missing(), missing)
		}
	}
	expect("as it was granted", "", false)
	v.giveValue(askerHas, kept{presence: flow.Present, value: "admin"})
	expect("raised by others", "unknown "+asker.Email, false)
	v.giveValue(askerHas, kept{presence: flow.Present, value: "read"})
	expect("lowered by others", "missing "+asker.Email, true)
	_, err := w.submit.Retry(t.Context(), b, first)
	must(t, err)
	w.settle()
	v.broken = nil // of what others did
	w.wantValue("granted again", "write")
	expect("granted again", "", false)
	w.ends(b)
	v.giveValue(askerHas, kept{presence: flow.Present, value: "write"})
	expect("back after it was lowered", "unknown "+asker.Email, false)
}

// TestValues_Lingering: a value of ours that nobody needs any more, and that was never
// seen to be less, is taken away by the run that had it; the others keep theirs.
func TestValues_Lingering(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever)
	v := w.sell(0, 0)
	v.kind = permissions
	a, b := w.asks("a", "read"), w.asks("b", "admin")
	w.ends(b)
	w.wantValue("taken away", "read")
	// As a build that saw to it less closely would have left it.
	_, err := w.grants.Change(t.Context(), askerHas, func(g flow.Grant) (flow.Grant, error) {
		g.Top = "admin"
		return g, nil
	})
	must(t, err)
	v.giveValue(askerHas, kept{presence: flow.Present, value: "admin"})
	c, _ := w.reconcile(false)
	c.Open = v.open
	if got := drifts(w.compared(c)); got != "lingering "+asker.Email {
		t.Fatalf("found %q", got)
	}
	w.pass(5 * time.Minute)
	w.wantValue("afterwards", "read")
	w.want(a, flow.Escalated)
	if e, _ := w.last(b, flow.Deescalated, flow.EventDeescalate); e.Fields[flow.KeyLingering] == nil {
		t.Errorf("recorded %+v", e.Fields)
	}
	if got := drifts(w.compared(c)); got != "" {
		t.Errorf("afterwards found %q", got)
	}
}

// expiring is a type of target that ends access by itself.
var expiring = strategy.TargetType{Name: "fake", Expires: true}

// wantUntil checks when the vendor ends the access by itself.
func (w *world) wantUntil(when string, want time.Time) {
	w.t.Helper()
	w.vendor.mu.Lock()
	defer w.vendor.mu.Unlock()
	if got := w.vendor.has(askerHas).until; !got.Equal(want) {
		w.t.Errorf("%s: the vendor ends it at %v, want %v", when, got, want)
	}
	for _, b := range w.vendor.broken {
		w.t.Error(b)
	}
}

// TestExpiry: the target ends access by itself two minutes after the last of those
// who hold it, as each joins and leaves.
func TestExpiry(t *testing.T) {
	t.Parallel()
	const margin = 2 * time.Minute
	t.Run("Follows", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 0)
		v.kind = expiring
		w.lasts = "1h"
		long := w.approved("long")
		w.wantUntil("the first", w.want(long, flow.Escalated).Access.End.Add(margin))
		w.pass(5 * time.Minute)
		w.lasts = "10m"
		short := w.approved("short")
		w.want(short, flow.Escalated)
		w.wantUntil("one that ends before", w.run(long).Access.End.Add(margin))
		w.ends(long)
		w.wantUntil("the last has left", w.run(short).Access.End.Add(margin))
		w.ends(short)
		w.wantPresent()
	})
	t.Run("AtFirst", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 0)
		v.kind = expiring
		v.fates["observe"] = []fate{ok, unavailable}
		id := w.approved("a")
		r := w.want(id, flow.Approved)
		w.wantUntil("not seen yet", r.Access.First.Add(flow.GrantWindow+grantedFor+margin))
		w.pass(time.Minute)
		r = w.want(id, flow.Escalated)
		w.wantUntil("seen", r.Access.End.Add(margin))
	})
	t.Run("Endless", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, forever)
		v := w.sell(0, 0)
		v.kind = expiring
		w.want(w.approved("a"), flow.Escalated)
		w.wantUntil("without an end", time.Time{})
		w.pass(24 * time.Hour)
		w.wantPresent(askerHas)
	})
	t.Run("MovedByOthers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 0)
		v.kind = expiring
		w.lasts = "1h"
		a := w.approved("a")
		end := w.want(a, flow.Escalated).Access.End.Add(margin)
		v.giveValue(askerHas, kept{presence: flow.Present, until: end.Add(time.Hour)})
		w.lasts = "10m"
		w.want(w.approved("b"), flow.Escalated)
		w.wantUntil("seen by one that joins", end)
	})
	t.Run("Before", func(t *testing.T) {
		t.Parallel()
		for _, until := range []time.Time{{}, began.Add(time.Hour)} {
			w := newWorld(t)
			v := w.sell(0, 0)
			v.kind = expiring
			v.giveValue(askerHas, kept{presence: flow.Present, until: until})
			a := w.approved("a")
			w.want(a, flow.Escalated)
			w.wantUntil("what was there before", until)
			w.ends(a)
			w.wantUntil("in the end", until)
			w.wantCalls(map[string]int{"grant": 0, "revoke": 0})
		}
	})
	t.Run("RaisedBefore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 0)
		v.kind = permissions
		v.kind.Expires = true
		v.giveValue(askerHas, kept{presence: flow.Present, value: "read"})
		a := w.asks("a", "admin")
		w.want(a, flow.Escalated)
		w.wantValue("raised", "admin")
		w.wantUntil("what was there before and was raised", time.Time{})
		w.ends(a)
		w.wantValue("in the end", "read")
		w.wantUntil("in the end", time.Time{})
	})
	t.Run("NeedsNoneOfOurs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 0)
		v.kind = expiring
		id := w.approved("a")
		end := w.want(id, flow.Escalated).Access.End
		w.schedule.on, w.sweeping, w.events = false, false, nil
		w.clock.Advance(end.Add(margin).Sub(w.clock.Now()))
		w.wantPresent()
	})
	t.Run("EndsTooEarly", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		v := w.sell(0, 0)
		v.kind, v.most = expiring, 5*time.Minute
		id := w.approved("a")
		w.pass(3 * time.Minute)
		e, _ := w.last(id, flow.Escalated, flow.EventEscalate)
		if warnings := fmt.Sprint(e.Fields[flow.KeyWarnings]); !strings.Contains(warnings, "ends this access by itself at 2026-03-02 09:0") {
			t.Errorf("warned of %s", warnings)
		}
	})
}

// TestExpiry_NotTold: a target that can't be told when the access ends, once that is
// known, ends it when it was told at first, and the run is none the worse.
func TestExpiry_NotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.sell(0, 0)
	v.kind = expiring
	v.fates["grant"] = []fate{ok, unavailable}
	id := w.approved("a")
	r := w.want(id, flow.Escalated)
	w.wantUntil("not told", r.Access.First.Add(flow.GrantWindow+grantedFor+2*time.Minute))
	w.pass(grantedFor + time.Minute)
	w.want(id, flow.Deescalated)
	w.wantPresent()
	w.wantHistory(id, "prompt request approve escalate deescalate")
}
