package workflow_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// lasting is a strategy of a system in which sessions go on.
type lasting struct {
	strategy.Strategy
	says  map[string]time.Duration // by target; others can't be asked
	asked *[]string
}

func (l lasting) Lingers(_ context.Context, t flow.Target) (time.Duration, error) {
	*l.asked = append(*l.asked, t.Name)
	d, ok := l.says[t.Name]
	if t.Name == "panics" {
		panic("no session")
	}
	if !ok {
		return 0, errors.New("access denied")
	}
	return d, nil
}

// TestLinger: targets are asked once a day, by what holds the rights of strategies;
// those who decide read the answer, and go on reading what they were shown.
func TestLinger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var asked []string
	says := map[string]time.Duration{w.flow.Strategy.Targets[0].Name: 4 * time.Hour}
	linger := workflow.Linger{
		Flows: w.flows, Lingering: store.Lingering{Store: w.memory}, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler), AtOnce: 50, Observes: func(flow.Strategy) bool { return true },
		Open: func(s flow.Strategy) (strategy.Strategy, error) {
			opened, err := w.target.open(s)
			return lasting{opened, says, &asked}, err
		},
	}
	ask := func(want string) {
		t.Helper()
		asked = nil
		n, err := linger.Ask(t.Context())
		must(t, err)
		if got := strings.Join(asked, " "); got != want || n != len(asked) {
			t.Errorf("asked %q (%d), want %q", got, n, want)
		}
	}
	shown := func(name string, want time.Duration) string {
		t.Helper()
		id := w.ask(asker, name)
		if r := w.run(id); r.Lingers != int64(want/time.Second) {
			t.Errorf("%s: %d seconds are shown, want %v", name, r.Lingers, want)
		}
		return id
	}
	shown("before any was asked", 0)
	target := w.flow.Strategy.Targets[0].Name
	var names []string
	for _, t := range w.flow.Strategy.Targets {
		names = append(names, t.Name)
	}
	ask(strings.Join(names, " "))
	ask("")
	before := shown("four hours", 4*time.Hour)
	says[target] = 12 * time.Hour
	w.clock.Advance(24 * time.Hour)
	ask(strings.Join(names, " "))
	shown("twelve hours", 12*time.Hour)
	if r := w.run(before); r.Lingers != int64(4*time.Hour/time.Second) {
		t.Errorf("a run shows %d seconds, and showed four hours", r.Lingers)
	}
	delete(says, target)
	w.clock.Advance(24 * time.Hour)
	ask(strings.Join(names, " "))
	shown("can't be asked now", 12*time.Hour)
	w.clock.Advance(2 * 24 * time.Hour)
	shown("unknown for too long", 0)
}

// TestLinger_Bounds: what can't be asked keeps no other from being asked; a round
// asks no more than it may, and the next goes on.
func TestLinger_Bounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(f *flow.Flow) {
		f.Strategy.Targets = nil
		for _, name := range []string{"a", "panics", "b", "c"} {
			f.Strategy.Targets = append(f.Strategy.Targets, flow.Target{Name: name, Type: "fake", Settings: map[string]string{"id": name}})
		}
	})
	var asked []string
	linger := workflow.Linger{
		Flows: w.flows, Lingering: store.Lingering{Store: w.memory}, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler), AtOnce: 3, Observes: func(flow.Strategy) bool { return true },
		Open: func(flow.Strategy) (strategy.Strategy, error) {
			return lasting{nil, map[string]time.Duration{"a": time.Hour, "c": time.Minute}, &asked}, nil
		},
	}
	for _, want := range []string{"a panics b", "c", ""} {
		asked = nil
		_, err := linger.Ask(t.Context())
		must(t, err)
		if got := strings.Join(asked, " "); got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
	}
	known, err := store.Lingering{Store: w.memory}.Get(t.Context(), w.flow.Name)
	must(t, err)
	if d, ok := known.For(w.flow.Strategy, w.flow.Strategy.Targets[3], w.clock.Now()); d != time.Minute || !ok {
		t.Errorf("c: %v, %v", d, ok)
	}
}
