package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

func TestEach(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var handled []string
	failed := workflow.Each(t.Context(), []store.Change{
		{Key: "a", Rev: 1}, {Key: "bad", Rev: 1}, {Key: "a", Rev: 2}, {Key: "worse", Rev: 1}, {Key: "b", Rev: 1}, {Key: "a", Rev: 3},
	}, func(_ context.Context, c store.Change) error {
		mu.Lock()
		defer mu.Unlock()
		handled = append(handled, fmt.Sprintf("%s:%d", c.Key, c.Rev))
		switch c.Key {
		case "bad":
			return errors.New("no")
		case "worse":
			panic("a bug")
		}
		return nil
	})
	slices.Sort(handled)
	if want := []string{"a:3", "b:1", "bad:1", "worse:1"}; !slices.Equal(handled, want) {
		t.Errorf("handled %v, want %v", handled, want)
	}
	if len(failed) != 2 || failed[0].Change.Key != "bad" || failed[1].Change.Key != "worse" || !strings.Contains(failed[1].Cause.Error(), "a bug") {
		t.Errorf("failed: %v", failed)
	}
}

// Items are handled beside each other: one that waits holds up no other.
func TestEach_AtOnce(t *testing.T) {
	t.Parallel()
	const together = 16
	var all sync.WaitGroup
	all.Add(together)
	var changes []store.Change
	for i := range together {
		changes = append(changes, store.Change{Key: store.KindRun.Key(fmt.Sprint(i))})
	}
	failed := workflow.Each(t.Context(), changes, func(context.Context, store.Change) error {
		all.Done()
		all.Wait()
		return nil
	})
	if failed != nil {
		t.Errorf("failed: %v", failed)
	}
}

func TestPatient(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	wait := func(d time.Duration) error {
		return fmt.Errorf("post: %w", &flow.RateLimited{After: d, Cause: errors.New("slow down")})
	}
	for name, test := range map[string]struct {
		left    time.Duration // until the deadline; zero: there is none
		answers []error
		waited  time.Duration
		tries   int
		want    error
	}{
		"Done":      {time.Minute, []error{nil}, 0, 1, nil},
		"Broken":    {time.Minute, []error{broken, nil}, 0, 1, broken},
		"Waits":     {time.Minute, []error{wait(10 * time.Second), wait(5 * time.Second), nil}, 15 * time.Second, 3, nil},
		"TooLong":   {time.Minute, []error{wait(55 * time.Second), nil}, 0, 1, wait(55 * time.Second)},
		"GivesUp":   {time.Minute, []error{wait(45 * time.Second), wait(20 * time.Second), nil}, 45 * time.Second, 2, wait(20 * time.Second)},
		"ForAsLong": {0, []error{wait(time.Hour), nil}, time.Hour, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := clockwork.NewFakeClockAt(time.Now().Add(deadline.LastResort)) // so that the deadlines below are far off
			ctx, began := t.Context(), clock.Now()
			if test.left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, clock.Now().Add(test.left))
				defer cancel()
			}
			tries := 0
			err := workflow.Patient{
				Clock: quick{clock},
				Handle: func(context.Context, store.Change) error {
					tries++
					return test.answers[tries-1]
				},
			}.Run(ctx, store.Change{Key: store.KindRun.Key("a")})
			if fmt.Sprint(err) != fmt.Sprint(test.want) || tries != test.tries || clock.Now().Sub(began) != test.waited {
				t.Errorf("%v after %d tries and %s; want %v, %d, %s", err, tries, clock.Now().Sub(began), test.want, test.tries, test.waited)
			}
		})
	}
}

// quick is a clock that moves by itself when somebody waits.
type quick struct{ *clockwork.FakeClock }

func (q quick) After(d time.Duration) <-chan time.Time {
	c := q.FakeClock.After(d)
	q.Advance(d)
	return c
}
