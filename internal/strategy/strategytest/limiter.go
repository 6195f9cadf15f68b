package strategytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Limiter holds an implementation of [strategy.Limiter] to its contract. open
// gives what makes limiters, one for each process, which share what they keep.
func Limiter(t *testing.T, open func(*testing.T, clockwork.Clock) func() strategy.Limiter) {
	pace := strategy.Pace{Key: "aws_sso/ssoins-1", Calls: [3]int{5, 15, 20}, Slots: [3]int{4, 12, 15}}
	t.Run("Pace", func(t *testing.T) {
		t.Parallel()
		clock := clockwork.NewFakeClock()
		process := open(t, clock)
		ctx := deadline.Context(t)
		var calls sync.WaitGroup
		made := make(chan time.Time, 100)
		call := func(l strategy.Limiter, c strategy.Class) {
			calls.Go(func() {
				if err := l.Call(ctx, pace, c); err != nil {
					t.Error(err)
				}
				made <- clock.Now()
			})
		}
		after := func(waiting int) (n int) { // how many calls were made, while the others wait
			t.Helper()
			if err := clock.BlockUntilContext(ctx, waiting); err != nil {
				t.Fatal(err)
			}
			return len(made)
		}
		one, other := process(), process()
		for range 20 {
			call(one, strategy.Granting)
		}
		for after(5) < 15 { // those that go at once may take a moment
		}
		for range 10 {
			call(other, strategy.Removing)
		}
		for after(10) < 20 {
		}
		if n := after(10); n != 20 {
			t.Errorf("%d calls in the first second, want the 20 of the limit", n)
		}
		clock.Advance(time.Second)
		calls.Wait()
	})
	t.Run("Unlimited", func(t *testing.T) {
		t.Parallel()
		l := open(t, clockwork.NewFakeClock())()
		for range 50 {
			if err := l.Call(t.Context(), strategy.Pace{Key: "it"}, strategy.Looking); err != nil {
				t.Fatal(err)
			}
			if err := l.Begin(t.Context(), strategy.Pace{Key: "it"}, strategy.Looking, "op"); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("Keys", func(t *testing.T) {
		t.Parallel()
		l := open(t, clockwork.NewFakeClock())()
		for n := range 50 {
			p := pace
			p.Key = fmt.Sprint(n)
			if err := l.Call(t.Context(), p, strategy.Looking); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("Line", func(t *testing.T) {
		t.Parallel()
		clock := clockwork.NewFakeClock()
		process := open(t, clock)
		tight := strategy.Pace{Key: "it", Calls: [3]int{1, 1, 1}}
		work := func(name string) error { // in a process that it has to itself
			ctx, cancel := context.WithTimeout(strategy.WithTurn(t.Context(), name), deadline.LastResort)
			defer cancel()
			return process().Call(ctx, tight, strategy.Granting)
		}
		if err := work("a"); err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		booked := strategy.WithTurn(deadline.Context(t), "b")
		for range 20 { // work that has begun fills the line
			waiting.Go(func() { _ = process().Call(deadline.Context(t), tight, strategy.Granting) })
		}
		if err := clock.BlockUntilContext(booked, 20); err != nil {
			t.Fatal(err)
		}
		for n, name := range []string{"c", "d", "c"} {
			err := work(name)
			limited, ok := errors.AsType[*flow.RateLimited](err)
			if !ok || flow.CodeOf(err) != flow.CodeUnavailable {
				t.Fatalf("%s: %v, want to be sent away", name, err)
			}
			if want := n%2 + 1; limited.Line.Number != want || limited.After <= 0 || limited.Line.Wait < 20*time.Second {
				t.Errorf("%s: %+v, want place %d", name, limited, want)
			}
		}
		clock.Advance(time.Minute)
		waiting.Wait()
		clock.Advance(time.Second)
		if err := work("c"); err != nil {
			t.Errorf("c, that was told to come back: %v", err)
		}
	})
	t.Run("Slots", func(t *testing.T) {
		t.Parallel()
		clock := clockwork.NewFakeClock()
		process := open(t, clock)
		one, other := process(), process()
		for n := range 12 {
			for range 2 { // taken again, it is the same
				if err := one.Begin(t.Context(), pace, strategy.Granting, fmt.Sprint(n)); err != nil {
					t.Fatalf("slot %d: %v", n, err)
				}
			}
		}
		refused := func(l strategy.Limiter, c strategy.Class, name string) {
			t.Helper()
			if limited, ok := errors.AsType[*flow.RateLimited](l.Begin(t.Context(), pace, c, name)); !ok || limited.Line.Number == 0 || limited.After <= 0 {
				t.Errorf("%s has a slot: %+v", name, limited)
			}
		}
		refused(other, strategy.Granting, "12")
		refused(other, strategy.Looking, "look")
		for n := range 3 {
			if err := other.Begin(t.Context(), pace, strategy.Removing, fmt.Sprint("removal", n)); err != nil {
				t.Errorf("removal %d: %v", n, err)
			}
		}
		refused(one, strategy.Removing, "removal3")
		for _, name := range []string{"3", "removal0", "nobody's"} {
			if err := other.End(t.Context(), pace, name); err != nil {
				t.Error(err)
			}
		}
		if err := one.Begin(t.Context(), pace, strategy.Removing, "removal3"); err != nil {
			t.Errorf("after two have ended: %v", err)
		}
		clock.Advance(flow.SlotLasts)
		if err := one.Begin(t.Context(), pace, strategy.Looking, "look"); err != nil {
			t.Errorf("after all were forgotten: %v", err)
		}
	})
	t.Run("Rush", func(t *testing.T) {
		t.Parallel()
		process := open(t, clockwork.NewRealClock())
		crowded := strategy.Pace{Key: "it", Slots: [3]int{60, 60, 60}}
		ctx := deadline.Context(t)
		var all sync.WaitGroup
		var mu sync.Mutex
		places := map[int]int{}
		for n := range 100 { // functions, each a process
			all.Go(func() {
				err := process().Begin(ctx, crowded, strategy.Granting, fmt.Sprint(n))
				limited, sentAway := errors.AsType[*flow.RateLimited](err)
				if err != nil && !sentAway {
					t.Errorf("%d: %v", n, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if sentAway {
					places[limited.Line.Number]++
				} else {
					places[0]++
				}
			})
		}
		all.Wait()
		var doubled []int
		for place, n := range places {
			if place > 0 && n > 1 {
				doubled = append(doubled, place)
			}
		}
		slices.Sort(doubled)
		if places[0] != 60 || len(doubled) > 0 {
			t.Errorf("%d have slots, want 60; more than one has each of the places %d", places[0], doubled)
		}
	})
	t.Run("Over", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l := open(t, clockwork.NewFakeClock())()
		for _, c := range []strategy.Class{strategy.Looking, strategy.Granting, strategy.Removing} {
			if err := l.Call(ctx, pace, c); !errors.Is(err, context.Canceled) {
				t.Errorf("call of class %d, of somebody whose time is over: %v", c, err)
			}
			if err := l.Begin(ctx, pace, c, "it"); !errors.Is(err, context.Canceled) {
				t.Errorf("slot of class %d, of somebody whose time is over: %v", c, err)
			}
		}
	})
}
