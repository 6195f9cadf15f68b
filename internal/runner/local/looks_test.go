package local

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
)

// TestLooks: a look comes at its time, once, in place of an earlier one; one at a
// target that hangs keeps no others waiting.
func TestLooks(t *testing.T) {
	t.Parallel()
	e, clock := running(t)
	seen, hangs := make(chan string, 10), make(chan struct{})
	looks := Looks{
		Engine: e,
		Look: func(_ context.Context, id string) error {
			seen <- map[string]string{runA: "a", runB: "b"}[id] + " +" + clock.Now().Sub(start).String()
			if id == runA {
				<-hangs
			}
			return errors.New("the sweep sees to it")
		},
		Target: func(_ context.Context, id string) string { return id },
	}
	later := func(id string, after time.Duration) {
		t.Helper()
		if err := looks.Later(t.Context(), id, flow.EventEscalate, start.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(line string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != line {
				t.Errorf("looked %q, want %q", got, line)
			}
		case <-deadline.Context(t).Done():
			t.Fatalf("nobody looked, want %q", line)
		}
	}
	later(runA, time.Minute)
	later(runA, 5*time.Second)
	later(runB, 10*time.Second)
	clock.Advance(5 * time.Second)
	want("a +5s")
	clock.Advance(5 * time.Second)
	want("b +10s")
	close(hangs)
	clock.Advance(time.Hour)
	idle(t, e)
	if len(seen) > 0 {
		t.Errorf("looked again: %q", <-seen)
	}
}
