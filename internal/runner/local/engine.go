package local

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/workflow"
)

// Engine runs jobs, now or at a time. The zero value with Clock and Log set is
// ready; Run makes it work.
type Engine struct {
	Clock workflow.Clock // required
	Log   *slog.Logger   // required

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever the fields below change
	ready    []job
	busy     int
	timers   timers
	stopping bool
}

// maxBusy bounds the jobs under way at once. It is large, so that targets which
// hang don't keep others from being called.
const maxBusy = 512

type job func(context.Context)

// Go runs a job soon.
func (e *Engine) Go(do job) {
	e.change(func() { e.ready = append(e.ready, do) })
}

// At runs a job at a time, in place of what was to run under the same key.
func (e *Engine) At(key string, at time.Time, do job) {
	e.change(func() { e.timers.set(key, at, do) })
}

// Cancel forgets what was to run under a key.
func (e *Engine) Cancel(key string) {
	e.change(func() { e.timers.cancel(key) })
}

// change edits the fields under the lock, and wakes the goroutines that wait for a
// change.
func (e *Engine) change(edit func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	edit()
	if e.changed != nil {
		close(e.changed)
	}
	e.changed = make(chan struct{})
}

// grace is how long jobs that are under way may go on when the engine stops.
const grace = 20 * time.Second

// Run works until the context ends. It returns when the jobs under way are
// done, or have been told to give up after a grace period.
func (e *Engine) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var jobs sync.WaitGroup
	defer func() {
		e.change(func() { e.stopping = true })
		done := make(chan struct{})
		go func() { jobs.Wait(); close(done) }()
		select {
		case <-done:
		case <-e.Clock.After(grace):
		}
		cancel()
		<-done
	}()
	e.change(func() {})
	var alarm <-chan time.Time
	var set time.Time // when the alarm rings
	for {
		due, next, changed := e.take()
		for _, do := range due {
			jobs.Go(func() {
				defer e.change(func() { e.busy-- })
				defer e.recovered()
				do(work)
			})
		}
		if !next.Equal(set) {
			alarm, set = nil, next
			if !next.IsZero() {
				alarm = e.alarm(next)
			}
		}
		select {
		case <-changed:
		case <-alarm:
			set = time.Time{}
		case <-ctx.Done():
			return
		}
	}
}

// alarm rings at a time. It is set anew if the time jumps meanwhile, as the time
// of tests does: it would ring late by as much.
func (e *Engine) alarm(at time.Time) <-chan time.Time {
	const jump = 10 * time.Millisecond
	for {
		now := e.Clock.Now()
		alarm := e.Clock.After(at.Sub(now))
		if e.Clock.Now().Sub(now) < jump {
			return alarm
		}
	}
}

// Stopping tells whether jobs should end at the next good moment.
func (e *Engine) Stopping() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stopping
}

// recovered keeps one job's panic from ending all others. What the job left
// undone is found by the sweep.
func (e *Engine) recovered() {
	if p := recover(); p != nil {
		e.Log.Error("job panicked", "panic", p, "stack", string(debug.Stack()))
	}
}

// take gives the jobs to start now, and the time of the next timer.
func (e *Engine) take() (due []job, next time.Time, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ready = append(e.ready, e.timers.over(e.Clock.Now())...)
	n := min(len(e.ready), maxBusy-e.busy)
	due = slices.Clone(e.ready[:n])
	clear(e.ready[:n]) // what they refer to may go
	e.ready = e.ready[n:]
	e.busy += n
	if len(e.ready) == 0 { // else a job that ends is what we wait for
		next = e.timers.next()
	}
	return due, next, e.changed
}

// Next gives the time of the next timer. It returns false if there is none.
func (e *Engine) Next() (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.timers.next()
	return at, !at.IsZero()
}

// Idle waits until nothing is under way, ready or due.
func (e *Engine) Idle(ctx context.Context) error {
	for {
		e.mu.Lock()
		next := e.timers.next()
		idle := e.busy == 0 && len(e.ready) == 0 && (next.IsZero() || next.After(e.Clock.Now()))
		changed := e.changed
		e.mu.Unlock()
		if idle {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
