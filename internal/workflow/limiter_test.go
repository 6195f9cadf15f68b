package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// hanging is a store that answers nobody.
type hanging struct{ store.Store }

func (hanging) Get(ctx context.Context, _ string) (store.Item, error) {
	<-ctx.Done()
	return store.Item{}, ctx.Err()
}

// TestLimiter_OutOfOrder: where bookings can't be kept, removals go ahead, and
// everything else is to be tried again.
func TestLimiter_OutOfOrder(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	contended := &storetest.Memory{Now: clock.Now}
	for name, broken := range map[string]store.Store{
		"writes": &storetest.Faulty{Store: &storetest.Memory{Now: clock.Now}, Fault: func(int) storetest.Fault { return storetest.NotApplied }},
		"answer": hanging{&storetest.Memory{Now: clock.Now}},
		"races":  racing{contended},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &workflow.Limiter{Limits: store.Limits{Store: broken}, Clock: clock, Log: slog.New(slog.DiscardHandler), Within: func(context.Context, time.Duration) (context.Context, context.CancelFunc) {
				return deadline.Soon(t), func() {}
			}}
			pace := strategy.Pace{Key: "it", Calls: [3]int{1, 1, 1}, Slots: [3]int{1, 1, 1}}
			for c, want := range []flow.Code{flow.CodeUnavailable, flow.CodeUnavailable, ""} {
				for range 3 {
					if err := l.Call(t.Context(), pace, strategy.Class(c)); flow.CodeOf(err) != want {
						t.Errorf("a call of class %d: %v", c, err)
					}
					if err := l.Begin(t.Context(), pace, strategy.Class(c), fmt.Sprint(c)); flow.CodeOf(err) != want {
						t.Errorf("a slot of class %d: %v", c, err)
					}
				}
			}
			if err := l.End(t.Context(), pace, "2"); err != nil {
				t.Errorf("an end that can't be noted: %v", err)
			}
		})
	}
}

// racing is a store whose every write loses a race.
type racing struct{ store.Store }

func (racing) Put(context.Context, store.Item) (int64, error) { return 0, store.ErrConflict }

// TestLimiter_Together: all who wait in one process are booked by one write.
func TestLimiter_Together(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	s := &gated{Store: &storetest.Memory{Now: clock.Now}, open: make(chan struct{}), reached: make(chan struct{}, 100)}
	l := &workflow.Limiter{Limits: store.Limits{Store: s}, Clock: clock, Log: slog.New(slog.DiscardHandler), Within: func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, deadline.LastResort)
	}}
	var calls sync.WaitGroup
	call := func() {
		calls.Go(func() {
			if err := l.Call(t.Context(), strategy.Pace{Key: "it", Calls: [3]int{100, 100, 100}}, strategy.Granting); err != nil {
				t.Error(err)
			}
		})
	}
	call()
	<-s.reached // while the first is being written, the others come
	for range 30 {
		call()
	}
	for l.Wanted("it") < 30 {
	}
	close(s.open)
	calls.Wait()
	if n := s.writes; n != 2 {
		t.Errorf("%d writes for 31 calls, want 2", n)
	}
}

// gated is a store that writes when it is opened.
type gated struct {
	store.Store
	open, reached chan struct{}
	writes        int
}

func (g *gated) Put(ctx context.Context, item store.Item) (int64, error) {
	g.reached <- struct{}{}
	<-g.open
	g.writes++
	return g.Store.Put(ctx, item)
}

// TestLimiter_Message: people read that there is a line, and no names of parts.
func TestLimiter_Message(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	l := &workflow.Limiter{Limits: store.Limits{Store: &storetest.Memory{Now: clock.Now}}, Clock: clock, Log: slog.New(slog.DiscardHandler)}
	pace := strategy.Pace{Key: "aws_sso/ssoins-1", Slots: [3]int{1, 1, 1}}
	if err := l.Begin(t.Context(), pace, strategy.Granting, "one"); err != nil {
		t.Fatal(err)
	}
	err := l.Begin(t.Context(), pace, strategy.Granting, "two")
	limited, ok := errors.AsType[*flow.RateLimited](err)
	if !ok || !flow.Retryable(err) || limited.Line != (flow.Line{Number: 1, Wait: 20 * time.Second, After: 20 * time.Second}) {
		t.Errorf("got %+v", limited)
	}
	if got, want := flow.UserMessage(err), "the target is being asked as often as it allows, and others are before this one"; got != want {
		t.Errorf("people read %q, want %q", got, want)
	}
}
