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

// Engine runs jobs, now or at a time, in lanes that don't wait for each other. The
// zero value with Clock and Log set is ready; Run makes it work.
type Engine struct {
	Clock workflow.Clock // required
	Log   *slog.Logger   // required

	mu       sync.Mutex
	changed  chan struct{}    // closed and replaced whenever the fields below change
	lanes    map[string]*lane // those that have jobs
	times    timers           // by the clock, however it is set
	pauses   timers           // by the time that passes
	stopping bool
	periodic map[string]bool // keys of timers that come again and again
	moved    bool            // the clock was: the alarm is for another time
}

// lane is jobs that share places.
type lane struct {
	name  string
	ready []job // in the order in which they are to begin
	busy  int
}

// places is how many jobs of a lane are under way at once. Jobs of other lanes
// don't wait for them, so that what hangs keeps nothing else from being done.
const places = 64

// timersLane is for jobs of timers. They hand on to other lanes what takes long.
const timersLane = "timers"

type job func(context.Context)

// Go runs a job as soon as its lane has a place.
func (e *Engine) Go(lane string, do job) {
	e.change(func() { e.add(lane, do) })
}

func (e *Engine) add(name string, do job) {
	l := e.lanes[name]
	if l == nil {
		l = &lane{name: name}
		if e.lanes == nil {
			e.lanes = map[string]*lane{}
		}
		e.lanes[name] = l
	}
	l.ready = append(l.ready, do)
}

// At runs a job when the clock shows a time, in place of what was to run under
// the same key. The job shares its lane with those of all timers: it must not take
// long.
func (e *Engine) At(key string, at time.Time, do job) {
	e.change(func() {
		e.pauses.cancel(key)
		e.times.set(key, at.Round(0), do) // without a reading of the time that has passed
	})
}

// After is like At, for a time from now that passes however the clock is set
// meanwhile.
func (e *Engine) After(key string, pause time.Duration, do job) {
	e.change(func() {
		e.times.cancel(key)
		e.pauses.set(key, e.Clock.Now().Add(pause), do)
	})
}

// Cancel forgets what was to run under a key.
func (e *Engine) Cancel(key string) {
	e.change(func() { e.times.cancel(key); e.pauses.cancel(key) })
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

// grace is how long jobs that are under way may go on when the engine stops: as
// long as a target may take to answer, so that a removal is not cut off.
const grace = 40 * time.Second

// looksAgain is after how much time at the latest the engine looks at the clock
// again. A clock that was set wrong, and is right again, makes no timer late by
// more than that.
const looksAgain = 30 * time.Second

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
		due, next, changed, moved := e.take()
		if moved {
			set = time.Time{}
		}
		for _, begin := range due {
			jobs.Go(func() {
				defer e.change(func() { e.ended(begin.lane) })
				defer e.recovered()
				begin.do(work)
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

// alarm rings at a time, or before. It is set anew if the time jumps meanwhile, as the time
// of tests does: it would ring late by as much.
func (e *Engine) alarm(at time.Time) <-chan time.Time {
	const jump = 10 * time.Millisecond
	for {
		now := e.Clock.Now()
		alarm := e.Clock.After(min(at.Sub(now), looksAgain))
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

// begun is a job that begins.
type begun struct {
	lane *lane
	do   job
}

// take gives the jobs to start now, and the time of the next timer.
func (e *Engine) take() (due []begun, next time.Time, changed <-chan struct{}, moved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	moved, e.moved = e.moved, false
	now := e.Clock.Now()
	for _, do := range slices.Concat(e.times.over(now), e.pauses.over(now)) {
		e.add(timersLane, do)
	}
	for _, l := range e.lanes {
		n := min(len(l.ready), places-l.busy)
		for _, do := range l.ready[:n] {
			due = append(due, begun{l, do})
		}
		clear(l.ready[:n]) // what they refer to may go
		l.ready = l.ready[n:]
		l.busy += n
	}
	return due, e.next(), e.changed, moved
}

// ended gives back the place of a job.
func (e *Engine) ended(l *lane) {
	if l.busy--; l.busy == 0 && len(l.ready) == 0 {
		delete(e.lanes, l.name)
	}
}

// next gives the time of the next timer, or zero if there is none.
func (e *Engine) next() time.Time {
	at, pause := e.times.next(), e.pauses.next()
	if now := e.Clock.Now(); at.IsZero() || !pause.IsZero() && pause.Sub(now) < at.Sub(now) {
		return pause
	}
	return at
}

// Next gives the time of the next timer. It returns false if there is none.
func (e *Engine) Next() (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.next()
	return at, !at.IsZero()
}

// NextOnce gives the time of the next timer that was set by At and comes once. It
// returns false if there is none.
func (e *Engine) NextOnce() (next time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, t := range e.times.byKey {
		if !e.periodic[key] && (!ok || t.at.Before(next)) {
			next, ok = t.at, true
		}
	}
	return next, ok
}

// Between moves the clock, by a function, at a moment when no job is under way. Jobs
// that are ready wait until that returns. The error is the function's, or the
// context's if there was no such moment.
func (e *Engine) Between(ctx context.Context, move func() error) error {
	for {
		e.mu.Lock()
		busy := false
		for _, l := range e.lanes {
			busy = busy || l.busy > 0
		}
		changed := e.changed
		if !busy {
			err := move()
			e.moved = true
			e.mu.Unlock()
			e.change(func() {})
			return err
		}
		e.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Idle waits until nothing is under way, ready or due.
func (e *Engine) Idle(ctx context.Context) error {
	for {
		e.mu.Lock()
		next := e.next()
		idle := len(e.lanes) == 0 && (next.IsZero() || next.After(e.Clock.Now()))
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
