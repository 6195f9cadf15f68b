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

// Entitlements says what a target of a strategy means for an identity in a run, as
// [strategy.Strategy] does.
type Entitlements func(s flow.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error)

// Untouched opens strategies that say what a target means, and call none: every grant
// and every removal succeeds, and nothing happens.
func Untouched(says Entitlements) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) { return untouched{s, says}, nil }
}

// untouched is such a strategy. It has nothing of what else a strategy can do, which would
// ask its system.
type untouched struct {
	frozen flow.Strategy
	says   Entitlements
}

// Entitlements implements strategy.Strategy.
func (u untouched) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return u.says(u.frozen, target, identity, runID)
}

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

// Uninvoked are functions that nobody invokes: it is as if they agreed, and answered
// null. It notes which would have been invoked.
type Uninvoked struct {
	mu   sync.Mutex
	arns []string
}

var _ Functions = (*Uninvoked)(nil)

// Invoke implements Functions.
func (u *Uninvoked) Invoke(_ context.Context, arn string, _ []byte) ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !slices.Contains(u.arns, arn) {
		u.arns = append(u.arns, arn)
	}
	return []byte("null"), nil
}

// all lists those that would have been invoked; none of nil.
func (u *Uninvoked) all() []string {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.arns)
}
