package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// schedules are Schedules with shorthands that fail the test.
type schedules struct {
	*testing.T
	Schedules
}

func openSchedules(t *testing.T, path string) schedules {
	t.Helper()
	return schedules{t, open(t, path, now).Schedules()}
}

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func (s schedules) set(run string, seconds int) {
	s.Helper()
	if err := s.Set(s.Context(), run, at(seconds)); err != nil {
		s.Fatal(err)
	}
}

func (s schedules) done(fired Scheduled) {
	s.Helper()
	if err := s.Done(s.Context(), fired); err != nil {
		s.Fatal(err)
	}
}

func (s schedules) wantNext(seconds int) {
	s.Helper()
	next, ok, err := s.Next(s.Context())
	if err != nil || !ok || !next.Equal(at(seconds)) {
		s.Errorf("next is %v, %v, %v; want %v", next, ok, err, at(seconds))
	}
}

func (s schedules) wantNone() {
	s.Helper()
	if next, ok, err := s.Next(s.Context()); ok || err != nil {
		s.Errorf("next is %v, %v; want none", next, err)
	}
}

func (s schedules) take(seconds int, want ...string) []Scheduled {
	s.Helper()
	fired, err := s.Take(s.Context(), at(seconds))
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	for _, f := range fired {
		got = append(got, f.Name)
		if f.At.After(at(seconds)) {
			s.Errorf("%s fired at second %d, before %v", f.Name, seconds, f.At)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.Errorf("taken at second %d (-want +got):\n%s", seconds, diff)
	}
	return fired
}

func (s schedules) wantAll(want map[string]time.Time) {
	s.Helper()
	got, err := s.All(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.Errorf("all schedules (-want +got):\n%s", diff)
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	s := openSchedules(t, filepath.Join(t.TempDir(), "sym.db"))
	s.wantNone()
	s.take(1000)

	s.set("b", 20)
	s.set("a", 10)
	s.set("c", 30)
	s.wantNext(10)
	s.take(9)
	fired := s.take(20, "a", "b")
	s.take(20) // under way already
	s.wantNext(30)
	s.wantAll(map[string]time.Time{"a": at(10), "b": at(20), "c": at(30)})
	for _, f := range fired {
		s.done(f)
	}
	s.take(20)
	s.done(s.take(30, "c")[0])
	s.wantNone()
	s.wantAll(nil)
}

func TestSchedules_Move(t *testing.T) {
	t.Parallel()
	s := openSchedules(t, filepath.Join(t.TempDir(), "sym.db"))
	s.set("a", 10)
	s.set("a", 40)
	s.wantNext(40)
	s.take(39)
	s.set("a", 5)
	s.take(5, "a")
}

func TestSchedules_Delete(t *testing.T) {
	t.Parallel()
	s := openSchedules(t, filepath.Join(t.TempDir(), "sym.db"))
	s.set("a", 10)
	for range 2 {
		if err := s.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	s.wantNone()
	s.take(10)
}

// One that is set while it is being worked on fires again, even for the same
// time: whoever set it knows better than whoever is at it.
func TestSchedules_SetWhileTaken(t *testing.T) {
	t.Parallel()
	for name, seconds := range map[string]int{"Later": 60, "Same": 10, "Earlier": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSchedules(t, filepath.Join(t.TempDir(), "sym.db"))
			s.set("a", 10)
			fired := s.take(10, "a")
			s.set("a", seconds)
			s.wantNext(seconds)
			s.done(fired[0])
			s.wantNext(seconds)
			s.take(60, "a")
		})
	}
	t.Run("DeletedBefore", func(t *testing.T) {
		t.Parallel()
		s := openSchedules(t, filepath.Join(t.TempDir(), "sym.db"))
		s.set("a", 10)
		fired := s.take(10, "a")
		if err := s.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		s.set("a", 20)
		s.done(fired[0])
		s.wantNext(20)
	})
}

func TestSchedules_TakenAgainAfterACrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	s := openSchedules(t, path)
	s.set("a", 10)
	s.set("b", 10)
	s.done(s.take(10, "a", "b")[0])

	s = openSchedules(t, path)
	s.wantNext(10)
	s.take(10, "b")
}

func TestSchedules_Wake(t *testing.T) {
	t.Parallel()
	s := openSchedules(t, filepath.Join(t.TempDir(), "sym.db"))
	woken := func() bool {
		select {
		case <-s.Wake():
			return true
		default:
			return false
		}
	}
	if woken() {
		t.Error("woken by nothing")
	}
	s.set("a", 10)
	s.set("b", 10)
	if !woken() || woken() {
		t.Error("not woken exactly once")
	}
}

func TestSchedules_Cancelled(t *testing.T) {
	t.Parallel()
	s := openSchedules(t, filepath.Join(t.TempDir(), "sym.db"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Set(ctx, "a", start); err == nil {
		t.Error("set: no error")
	}
	if _, err := s.Take(ctx, start); err == nil {
		t.Error("take: no error")
	}
	s.wantNone()
}
