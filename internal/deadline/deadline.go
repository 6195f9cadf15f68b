// Package deadline has the bounds of time for tests. A machine that is busy makes
// everything late, so no test depends on how long something takes: it waits for a
// signal, and LastResort alone ends a wait for what never comes. Clocks of the
// product are fields, which tests move by hand.
//
// A test in internal/ finds the tests that set bounds of their own.
package deadline

import (
	"context"
	"sync"
	"testing"
	"time"
)

// LastResort is how long a test waits for what should happen at once.
const LastResort = 10 * time.Minute

// Context gives a context that ends with the test, or after LastResort.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), LastResort)
	t.Cleanup(cancel)
	return ctx
}

// Soon gives a context whose deadline passes a moment from now. It is for calls
// that can't succeed, and end with their deadline however late it passes.
func Soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// Bounds stands in for context.WithTimeout where a test says when the time is
// over: Within takes note of a bound, and Pass has all of them pass.
type Bounds struct {
	mu   sync.Mutex
	open map[*bounded]bool
}

// Within gives a context that ends with its parent, or when the test calls Pass.
// The duration is not looked at.
func (b *Bounds) Within(parent context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	c := &bounded{Context: parent, done: make(chan struct{})}
	detach := context.AfterFunc(parent, func() { c.end(parent.Err()) })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[*bounded]bool{}
	}
	b.open[c] = true
	return c, func() {
		detach()
		c.end(context.Canceled)
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.open, c)
	}
}

// Pass ends all contexts that Within has given, as their deadlines would.
func (b *Bounds) Pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		c.end(context.DeadlineExceeded)
	}
	clear(b.open)
}

// bounded is a context that ends by itself, unlike those of package context,
// where only time can be the reason that is DeadlineExceeded.
type bounded struct {
	context.Context // the parent, but for:
	done            chan struct{}

	mu  sync.Mutex
	err error
}

func (c *bounded) Done() <-chan struct{} { return c.done }

func (c *bounded) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *bounded) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}
