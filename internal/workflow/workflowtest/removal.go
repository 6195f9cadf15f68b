package workflowtest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/workflow"
)

const (
	runA = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7b0000"
	runB = "0197f3c2-5b1e-4c7a-9d42-6f0e8a7c0000"
)

// start is when every test begins: in the middle of a minute.
var start = time.Date(2026, 3, 2, 9, 0, 30, 0, time.UTC)

// Remover holds a remover to the contract of the port. open makes one that goes by
// the clock; asked gives the runs whose removal the function that removes was asked
// for by now.
func Remover(t *testing.T, open func(t *testing.T, clock *clockwork.FakeClock) (r workflow.Remover, asked func() []string)) {
	t.Run("Asks", func(t *testing.T) {
		t.Parallel()
		r, asked := open(t, clockwork.NewFakeClockAt(start))
		for _, id := range []string{runA, runB, runA} { // twice is harmless, and may be once
			if err := r.Remove(t.Context(), id, start); err != nil {
				t.Fatal(err)
			}
		}
		got := asked()
		slices.Sort(got)
		if !slices.Equal(slices.Compact(got), []string{runA, runB}) {
			t.Errorf("asked for %v", got)
		}
	})
	t.Run("AtOnce", func(t *testing.T) {
		t.Parallel()
		r, asked := open(t, clockwork.NewFakeClockAt(start))
		var removing sync.WaitGroup
		for range 20 {
			removing.Go(func() {
				if err := r.Remove(t.Context(), runA, start.Add(-time.Hour)); err != nil {
					t.Error(err)
				}
			})
		}
		removing.Wait()
		if got := asked(); len(got) == 0 || len(got) > 20 {
			t.Errorf("asked for %d removals", len(got))
		}
	})
	t.Run("Later", func(t *testing.T) {
		t.Parallel()
		clock := clockwork.NewFakeClockAt(start)
		r, asked := open(t, clock)
		for id, after := range map[string]time.Duration{runA: 90*time.Second + time.Millisecond, runB: 0} {
			if err := r.Remove(t.Context(), id, start.Add(after)); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []struct {
			after time.Duration
			runs  []string
		}{
			{0, []string{runB}},
			{90 * time.Second, []string{runB}}, // never too early
			{92 * time.Second, []string{runA, runB}},
		} {
			clock.Advance(start.Add(want.after).Sub(clock.Now()))
			got := asked()
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want.runs) {
				t.Errorf("after %s asked for %v, want %v", want.after, got, want.runs)
			}
		}
	})
}

// Schedule holds a schedule to the contract of the port. open makes an empty one
// that goes by the clock; fired gives the runs whose schedule has fired by now,
// in any order.
func Schedule(t *testing.T, open func(t *testing.T, clock *clockwork.FakeClock) (s workflow.Schedule, fired func() []string)) {
	for _, test := range []struct {
		name string
		run  func(*schedule)
	}{
		{"Fires", func(s *schedule) {
			s.set(runA, time.Hour)
			s.set(runB, 2*time.Hour)
			s.wantFired(58 * time.Minute)
			s.wantFired(time.Hour, runA)
			s.wantFired(118*time.Minute, runA)
			s.wantFired(2*time.Hour, runA, runB)
		}},
		{"SameMoment", func(s *schedule) {
			s.set(runA, time.Hour)
			s.set(runB, time.Hour)
			s.wantFired(time.Hour, runA, runB)
		}},
		{"SetTwice", func(s *schedule) {
			s.set(runA, time.Hour)
			s.set(runA, time.Hour)
			s.wantFired(58 * time.Minute)
			s.wantFired(time.Hour, runA)
		}},
		{"MovedLater", func(s *schedule) {
			s.set(runA, time.Hour)
			s.set(runA, 3*time.Hour)
			s.wantFired(178 * time.Minute)
			s.wantFired(3*time.Hour, runA)
		}},
		{"MovedEarlier", func(s *schedule) {
			s.set(runA, 3*time.Hour)
			s.set(runA, time.Hour)
			s.wantFired(time.Hour, runA)
		}},
		{"Over", func(s *schedule) { // as soon as may be
			s.set(runA, -time.Hour)
			s.set(runB, 0)
			s.wantFired(90*time.Second, runA, runB)
		}},
		{"Deleted", func(s *schedule) {
			s.set(runA, time.Hour)
			s.set(runB, time.Hour)
			s.delete(runA)
			s.delete(runA) // there is none any more
			s.wantFired(24*time.Hour, runB)
		}},
		{"DeletedAndSet", func(s *schedule) {
			s.delete(runA) // there was none
			s.set(runA, time.Hour)
			s.delete(runA)
			s.set(runA, 2*time.Hour)
			s.wantFired(118 * time.Minute)
			s.wantFired(2*time.Hour, runA)
		}},
		{"SetAnewOnceFired", func(s *schedule) { // the removal has to be repeated later
			s.set(runA, time.Hour)
			s.wantFired(time.Hour, runA)
			s.delete(runB)
			s.set(runB, 2*time.Hour)
			s.set(runA, 2*time.Hour)
			s.wantFired(2*time.Hour, runA, runB)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			clock := clockwork.NewFakeClockAt(start)
			s := &schedule{t: t, clock: clock}
			s.Schedule, s.fired = open(t, clock)
			test.run(s)
		})
	}
}

type schedule struct {
	workflow.Schedule
	t     *testing.T
	clock *clockwork.FakeClock
	fired func() []string
}

// after is the whole minute that a time after the start lies in: implementations
// that are precise to the minute fire at it.
func after(d time.Duration) time.Time { return start.Add(d).Truncate(time.Minute) }

func (s *schedule) set(id string, d time.Duration) {
	s.t.Helper()
	if err := s.Set(s.t.Context(), id, after(d)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *schedule) delete(id string) {
	s.t.Helper()
	if err := s.Delete(s.t.Context(), id); err != nil {
		s.t.Fatal(err)
	}
}

// wantFired moves the time to d after the start; these have fired by then.
func (s *schedule) wantFired(d time.Duration, want ...string) {
	s.t.Helper()
	s.clock.Advance(start.Add(d).Sub(s.clock.Now()))
	got := s.fired()
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		s.t.Errorf("after %s these have fired: %v, want %v", d, got, want)
	}
}
