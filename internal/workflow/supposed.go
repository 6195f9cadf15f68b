package workflow

import (
	"context"
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
