package workflow_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// startsLater lets people ask for access that starts within a week.
func startsLater(f *flow.Flow) {
	f.Params.StartAt = &flow.StartAtParams{Max: flow.Duration(7 * 24 * time.Hour)}
}

// startingAt is what a form has besides that asks for access later.
func startingAt(at time.Time) map[string]any {
	return map[string]any{flow.KeyStartAt: strconv.FormatInt(at.Unix(), 10)}
}

// TestLater: approved access starts at its time and not before, by the schedule or by
// the sweep, once, and lasts from then on.
func TestLater(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"both", "schedule", "sweep"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, startsLater)
			w.schedule.on, w.sweeping = path != "sweep", path != "schedule"
			starts := began.Add(48 * time.Hour)
			w.extra = startingAt(starts)
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.notBefore(t, 0, id, starts)
			w.wantPresent()
			w.pass(flow.RemovalPromise + time.Second)
			r := w.want(id, flow.Escalated)
			if late := r.Access.Seen.Sub(starts); late < 0 || late > flow.RemovalPromise || w.target.calls["grant"] != 1 {
				t.Errorf("it started %s after its time, by %d calls", late, w.target.calls["grant"])
			}
			if lasts := r.Access.End.Sub(r.Access.Seen); lasts != 10*time.Minute {
				t.Errorf("it lasts %s", lasts)
			}
			w.pass(r.Access.End.Add(time.Minute + 10*time.Second).Sub(w.clock.Now()))
			w.want(id, flow.Deescalated)
			w.wantPresent()
			w.wantHistory(id, "prompt request approve escalate deescalate")
		})
	}
}

// TestLater_cancelled: requester and approver may cancel what has not started, and
// nothing is granted then.
func TestLater_cancelled(t *testing.T) {
	t.Parallel()
	for _, who := range []struct {
		name string
		by   func(*world, string) error
	}{
		{"requester", func(w *world, id string) error { return w.press(id, flow.ActionCancel, asker) }},
		{"approver", func(w *world, id string) error { return w.press(id, flow.ActionCancel, first) }},
	} {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, startsLater)
			starts := began.Add(time.Hour)
			w.extra = startingAt(starts)
			id := w.ask(asker, "a")
			w.click(id, flow.ActionApprove, first)
			w.want(id, flow.Approved)
			if err := w.press(id, flow.ActionCancel, guest); err == nil {
				t.Error("a guest cancelled it")
			}
			must(t, who.by(w, id))
			w.pass(2 * time.Hour)
			w.want(id, flow.Cancelled)
			w.wantHistory(id, "prompt request approve cancel")
			if w.target.calls["grant"] > 0 || w.schedule.armed(id) {
				t.Errorf("%d calls, schedule %t", w.target.calls["grant"], w.schedule.armed(id))
			}
		})
	}
}
