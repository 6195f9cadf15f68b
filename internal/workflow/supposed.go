package workflow

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Supposed is a clock for what is only tried: it stands until it is set, and what waits
// on it waits no time at all.
type Supposed struct {
	mu sync.Mutex
	at time.Time
}

var _ Clock = (*Supposed)(nil)

// Set has it show a time.
func (c *Supposed) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at.UTC()
}

// Now implements Clock.
func (c *Supposed) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// After implements Clock: the time passes at once.
func (c *Supposed) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > 0 {
		c.at = c.at.Add(d)
	}
	over := make(chan time.Time, 1)
	over <- c.at
	return over
}

// Untouched opens strategies that say what a target means, and call none: every grant
// and every removal succeeds, and nothing happens.
func Untouched(open strategy.Opener) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		opened, err := open(s)
		if err != nil {
			return nil, err
		}
		return untouched{opened}, nil
	}
}

// untouched hides what else a strategy can do, which would ask its system.
type untouched struct{ strategy.Strategy }

// Grant implements strategy.Strategy.
func (untouched) Grant(context.Context, strategy.Call) (strategy.Result, error) {
	return strategy.Result{}, nil
}

// Revoke implements strategy.Strategy.
func (untouched) Revoke(context.Context, strategy.Call) (strategy.Result, error) {
	return strategy.Result{}, nil
}

// Unscheduled is what calls Access at a time, where nothing is to be called.
type Unscheduled struct{}

var (
	_ Schedule = Unscheduled{}
	_ Remover  = Unscheduled{}
	_ Looks    = Unscheduled{}
)

// Set implements Schedule.
func (Unscheduled) Set(context.Context, string, time.Time) error { return nil }

// Delete implements Schedule.
func (Unscheduled) Delete(context.Context, string) error { return nil }

// Remove implements Remover.
func (Unscheduled) Remove(context.Context, string, time.Time) error { return nil }

// Later implements Looks.
func (Unscheduled) Later(context.Context, string, flow.EventName, time.Time) error { return nil }

// Unheard are handlers and functions that nobody asks: they say nothing, so that
// everything takes its course. It notes which would have been asked.
type Unheard struct {
	mu    sync.Mutex
	names []string
}

var (
	_ Handlers     = (*Unheard)(nil)
	_ FormHandlers = (*Unheard)(nil)
	_ Functions    = (*Unheard)(nil)
)

func (u *Unheard) note(names ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, name := range names {
		if !slices.Contains(u.names, name) {
			u.names = append(u.names, name)
		}
	}
}

// all lists those that would have been asked; none of nil.
func (u *Unheard) all() []string {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.names)
}

// Handle implements Handlers.
func (u *Unheard) Handle(_ context.Context, c HandlerCall, names []string) (flow.Result, error) {
	u.note(c.Flow.Handlers(names...)...)
	return flow.Result{Answer: &flow.Answer{}}, nil
}

// Identity implements Handlers.
func (u *Unheard) Identity(_ context.Context, _ HandlerCall, handler, _, _ string) (string, error) {
	u.note(handler)
	return "", nil
}

// Prefetch implements FormHandlers. What is not fetched can't be chosen.
func (u *Unheard) Prefetch(_ context.Context, _ HandlerCall, field string) ([]flow.Option, error) {
	u.note(flow.Prefetch(field))
	return nil, nil
}

// OnChange implements FormHandlers.
func (u *Unheard) OnChange(_ context.Context, _ *flow.Flow, field, _ string, form flow.OpenForm) (flow.OpenForm, error) {
	u.note(flow.OnChange(field))
	return form, nil
}

// Invoke implements Functions.
func (u *Unheard) Invoke(_ context.Context, arn string, _ []byte) ([]byte, error) {
	u.note(arn)
	return []byte("null"), nil
}
