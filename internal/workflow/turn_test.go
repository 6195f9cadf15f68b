package workflow_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// paced is a strategy whose system takes one operation at a time, which others may
// have.
type paced struct {
	seeingStrategy
	limiter strategy.Limiter
	pace    strategy.Pace
}

func (p paced) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	if err := p.limiter.Begin(ctx, p.pace, c.Class, c.RunID); err != nil {
		return strategy.Result{}, err
	}
	return p.seeingStrategy.Grant(ctx, c)
}

func (p paced) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	if err := p.limiter.Begin(ctx, p.pace, c.Class, c.RunID); err != nil {
		return strategy.Result{}, err
	}
	return p.seeingStrategy.Revoke(ctx, c)
}

// TestTurn: who has to wait for a turn is told the place, and when, no more often
// than every half a minute; it is no failed attempt, and goes on by itself.
func TestTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &workflow.Limiter{Limits: store.Limits{Store: w.memory}, Clock: w.clock, Log: slog.New(slog.DiscardHandler)}
	pace := strategy.Pace{Key: "it", Slots: [3]int{1, 1, 2}}
	w.access.Open = func(s flow.Strategy) (strategy.Strategy, error) {
		return paced{seeingStrategy{blindStrategy{w.target}}, l, pace}, nil
	}
	must(t, l.Begin(t.Context(), pace, strategy.Granting, "another"))
	waits := func(id string, step flow.EventName) flow.Waiting {
		t.Helper()
		r := w.run(id)
		look := r.WaitsForTarget(step)
		if look == nil || r.Error != nil || r.Execution.Active {
			t.Fatalf("%s is %s and waits for %+v, error %+v", id, r.Status, look, r.Error)
		}
		return *look
	}
	id := w.approved("a")
	text := func(number int, clock string) string {
		return fmt.Sprintf("Number %d in line, as the target is asked no faster than it allows. Its turn comes at about %s (UTC).", number, clock)
	}
	told := waits(id, flow.EventEscalate)
	if told.Text != text(1, "09:00:20") || told.LookAt.Sub(w.clock.Now()) != 20*time.Second {
		t.Errorf("waits for %+v", told)
	}
	next := w.ask(second, "b")
	w.click(next, flow.ActionApprove, first)
	if got := waits(next, flow.EventEscalate); !strings.HasPrefix(got.Text, "Number 2 in line") {
		t.Errorf("the second waits for %+v", got)
	}
	w.pass(22 * time.Second) // looked at, and the place is the same
	if again := waits(id, flow.EventEscalate); again.Looks != told.Looks+1 || again.Text != told.Text {
		t.Errorf("after 20 seconds it is told %+v", again)
	}
	w.pass(20 * time.Second)
	if again := waits(id, flow.EventEscalate); again.Text == told.Text || !strings.HasPrefix(again.Text, "Number 1 in line") {
		t.Errorf("after 40 seconds it is still told %+v", again)
	}
	must(t, l.End(t.Context(), pace, "another"))
	w.pass(25 * time.Second)
	r := w.want(id, flow.Escalated)
	for _, e := range r.Events {
		if e.Failed() {
			t.Errorf("a failure is recorded: %+v", e)
		}
	}
	waits(next, flow.EventEscalate) // the slot is the first one's now
	must(t, l.End(t.Context(), pace, id))
	w.pass(40 * time.Second)
	w.want(next, flow.Escalated)

	// Removals see the other slot, and wait only where that is taken too.
	w.clock.Advance(r.Access.End.Sub(w.clock.Now()) - time.Minute)
	for _, name := range []string{"another", "a third"} {
		must(t, l.Begin(t.Context(), pace, strategy.Removing, name))
	}
	w.clock.Advance(time.Minute)
	w.settle()
	if got := waits(id, flow.EventDeescalate); !strings.Contains(got.Text, "in line") {
		t.Errorf("the removal waits for %+v", got)
	}
	must(t, l.End(t.Context(), pace, "another"))
	w.pass(2 * time.Minute)
	w.want(id, flow.Deescalated)
}

// TestTurn_Name: all that is done for one entitlement of a run is one piece of
// work, under the same name in every attempt.
func TestTurn_Name(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := map[string]bool{}
	w.target.hook = func(ctx context.Context) {
		if name, _, _ := strategy.Turn(ctx, "it"); name != "" {
			names[name] = true
		}
	}
	id := w.approved("a")
	w.want(id, flow.Escalated)
	w.pass(2 * time.Hour)
	w.want(id, flow.Deescalated)
	if len(names) != 1 || !names[id+" "+askerHas] {
		t.Errorf("the work has the names %v", names)
	}
}
