package local

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// running starts an engine and stops it with the test.
func running(t testing.TB) (*Engine, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClockAt(start)
	return runningBy(t, clock), clock
}

// runningBy starts an engine that goes by a clock.
func runningBy(t testing.TB, clock *clockwork.FakeClock) *Engine {
	t.Helper()
	e := &Engine{Clock: clock, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

func idle(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// journal notes what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) copy() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

func (j *journal) want(t *testing.T, lines ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.lines, lines) {
		t.Errorf("got %v, want %v", j.lines, lines)
	}
}

func (j *journal) job(line string) job { return func(context.Context) { j.add(line) } }

func TestTimersFireInOrderAndOnce(t *testing.T) {
	t.Parallel()
	e, clock := running(t)
	var j journal
	e.At("b", start.Add(2*time.Minute), j.job("b"))
	e.At("a", start.Add(time.Minute), j.job("a"))
	e.At("c", start.Add(3*time.Minute), j.job("c"))
	e.At("c", start.Add(time.Hour), j.job("c, later"))
	e.At("d", start.Add(time.Second), j.job("d"))
	e.Cancel("d")
	idle(t, e)
	j.want(t)
	for _, at := range []time.Duration{time.Minute, 2 * time.Minute} {
		if next, ok := e.Next(); !ok || !next.Equal(start.Add(at)) {
			t.Fatalf("next %v, want %v", next, start.Add(at))
		}
		clock.Advance(time.Minute)
		idle(t, e)
	}
	j.want(t, "a", "b")
	clock.Advance(10 * time.Minute)
	idle(t, e)
	j.want(t, "a", "b")
	clock.Advance(time.Hour)
	idle(t, e)
	j.want(t, "a", "b", "c, later")
}

// jumping is a clock that jumps while its first alarm is being set.
type jumping struct {
	*clockwork.FakeClock
	jump func()
}

func (c jumping) After(d time.Duration) <-chan time.Time {
	c.jump()
	return c.FakeClock.After(d)
}

func TestTimeJumpsWhileTheAlarmIsSet(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(start)
	jump := sync.OnceFunc(func() { clock.Advance(time.Minute) })
	e := &Engine{Clock: jumping{clock, jump}, Log: slog.New(slog.DiscardHandler)}
	var j journal
	e.At("a", start.Add(2*time.Minute), j.job("a"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := clock.BlockUntilContext(t.Context(), 2); err != nil { // the alarm that is late, and the right one
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	idle(t, e)
	j.want(t, "a")
}

func TestIdleWaitsForJobsOfJobs(t *testing.T) {
	t.Parallel()
	e, _ := running(t)
	var j journal
	e.Go("a", func(context.Context) {
		e.Go("a", func(context.Context) {
			e.Go("a", j.job("third"))
			j.add("second")
		})
		j.add("first")
	})
	idle(t, e)
	j.want(t, "first", "second", "third")
}

func TestPanicEndsOnlyItsJob(t *testing.T) {
	t.Parallel()
	e, _ := running(t)
	var j journal
	e.Go("a", func(context.Context) { panic("a bug") })
	idle(t, e)
	e.Go("a", j.job("after"))
	idle(t, e)
	j.want(t, "after")
}

// TestHangingJobsDoNotKeepOthersFromRunning: as many jobs hang as a lane has places,
// and more wait behind them. Jobs of other lanes begin at once.
func TestHangingJobsDoNotKeepOthersFromRunning(t *testing.T) {
	t.Parallel()
	e, _ := running(t)
	release := make(chan struct{})
	var hanging, all sync.WaitGroup
	hanging.Add(places)
	all.Add(3 * places)
	busy := make(chan int, 3*places)
	for range 3 * places {
		e.Go("dead", func(context.Context) {
			defer all.Done()
			busy <- len(busy)
			if len(busy) <= places {
				hanging.Done()
			}
			<-release
		})
	}
	hanging.Wait()
	ran := make(chan struct{})
	e.Go("healthy", func(context.Context) { close(ran) })
	<-ran
	if n := len(busy); n != places {
		t.Errorf("%d jobs of one lane at once, want %d", n, places)
	}
	close(release)
	all.Wait()
	idle(t, e)
}

// wrong is a clock that was set wrong.
type wrong struct {
	*clockwork.FakeClock
	by atomic.Int64 // nanoseconds
}

func (c *wrong) Now() time.Time { return c.FakeClock.Now().Add(time.Duration(c.by.Load())) }

// TestClockIsSetBackAndRight: the clock is set back by an hour while a timer is
// set, and right again later. The timer is not late by more than looksAgain.
func TestClockIsSetBackAndRight(t *testing.T) {
	t.Parallel()
	clock := &wrong{FakeClock: clockwork.NewFakeClockAt(start)}
	e := &Engine{Clock: clock, Log: slog.New(slog.DiscardHandler)}
	clock.by.Store(int64(-time.Hour))
	var j journal
	e.At("a", start.Add(time.Minute), j.job("a"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	for range 2 {
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil { // the alarm is set
			t.Fatal(err)
		}
		j.want(t)
		clock.Advance(looksAgain)
	}
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.by.Store(0)
	clock.Advance(looksAgain)
	idle(t, e)
	j.want(t, "a")
}

func TestStopLetsJobsFinishThenCancelsThem(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(start)
	e := &Engine{Clock: clock, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.Run(ctx); close(done) }()

	begun, finish, told := make(chan struct{}), make(chan struct{}), make(chan struct{})
	e.Go("a", func(ctx context.Context) { begun <- struct{}{}; <-finish })
	e.Go("a", func(ctx context.Context) { begun <- struct{}{}; <-ctx.Done(); close(told) })
	<-begun
	<-begun
	stop()
	clock.BlockUntilContext(t.Context(), 1) // the grace period runs
	select {
	case <-told:
		t.Fatal("a job was cancelled before the grace period was over")
	default:
	}
	close(finish)
	clock.Advance(grace)
	<-told
	<-done
	if !e.Stopping() {
		t.Error("jobs are not told that the engine stops")
	}
}
