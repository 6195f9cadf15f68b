package workflow

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Limiter keeps the pace of systems in the store, so that all processes share it.
// What a booking is, and who comes first, is in flow.Bookings.
//
// Many may want to write the one item of a system at once. All wishes of a
// process go into one write, and a write that lost a race waits a random while
// before the next try, longer each time, so that a rush is spread and not
// repeated.
type Limiter struct {
	Limits store.Limits
	Clock  Clock
	Log    *slog.Logger
	// Within bounds reading and writing; nil is context.WithTimeout.
	Within func(context.Context, time.Duration) (context.Context, context.CancelFunc)

	mu    sync.Mutex
	lines map[string]*line
}

var _ strategy.Limiter = (*Limiter)(nil)

// line is what this process wants of one system.
type line struct {
	wishes  []*wish
	writing bool
}

// wish is an edit of a system's bookings, which is done again for each try.
type wish struct {
	class strategy.Class
	do    func(b *flow.Bookings, now time.Time)
	done  chan error
}

// Bounds of keeping the pace.
const (
	// bookingTime bounds one write, its tries included, for all but removals.
	bookingTime = 10 * time.Second
	// removalPatience is how long a removal waits for what is kept before it goes
	// ahead without.
	removalPatience = 5 * time.Second
	// After a lost race, the next try is made within the pause, which doubles.
	firstPause   = 10 * time.Millisecond
	longestPause = 2 * time.Second
)

// Call implements strategy.Limiter.
func (l *Limiter) Call(ctx context.Context, p strategy.Pace, c strategy.Class) error {
	limit := p.Calls[c]
	if limit <= 0 {
		return nil
	}
	name, begun, begin := strategy.Turn(ctx, p.Key)
	w := flow.Wish{Name: name, Class: int(c), Limit: limit, First: !begun, Within: left(ctx)}
	at, place, err := booked(ctx, l, p.Key, c, func(b *flow.Bookings, now time.Time) (time.Time, flow.Line) { return b.Call(now, w) })
	if err != nil {
		return l.outOfOrder(ctx, p, c, err)
	}
	if place.Number > 0 {
		return inLine(place)
	}
	begin()
	if wait := at.Sub(l.Clock.Now()); wait > 0 {
		select {
		case <-l.Clock.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Begin implements strategy.Limiter.
func (l *Limiter) Begin(ctx context.Context, p strategy.Pace, c strategy.Class, name string) error {
	if p.Slots[c] <= 0 {
		return nil
	}
	w := flow.Wish{Name: name, Class: int(c), Limit: p.Slots[c]}
	_, place, err := booked(ctx, l, p.Key, c, func(b *flow.Bookings, now time.Time) (bool, flow.Line) { return b.Begin(now, w) })
	if err != nil {
		return l.outOfOrder(ctx, p, c, err)
	}
	if place.Number > 0 {
		return inLine(place)
	}
	return nil
}

// End implements strategy.Limiter. A slot that can't be freed is free by itself
// later: no caller can do anything about it.
func (l *Limiter) End(ctx context.Context, p strategy.Pace, name string) error {
	_, _, err := booked(ctx, l, p.Key, strategy.Removing, func(b *flow.Bookings, now time.Time) (none, done struct{}) {
		b.End(now, name)
		return
	})
	if err != nil && ctx.Err() == nil {
		l.Log.WarnContext(ctx, "the end of an operation could not be noted: its slot is free later, by itself", "limit", p.Key, "error", err)
	}
	return ctx.Err()
}

// outOfOrder decides what becomes of a caller when bookings can't be kept.
func (l *Limiter) outOfOrder(ctx context.Context, p strategy.Pace, c strategy.Class, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c == strategy.Removing {
		l.Log.WarnContext(ctx, "the limiter is out of order: a removal goes ahead without it", "limit", p.Key, "error", err)
		return nil
	}
	return &flow.Error{Code: flow.CodeUnavailable, Message: "how fast the target is being asked could not be found out", Cause: err}
}

// inLine is the error of somebody who has to come back.
func inLine(place flow.Line) error {
	return &flow.RateLimited{
		After: place.After, Line: place,
		Cause: flow.Errorf(flow.CodeUnavailable, "the target is being asked as often as it allows, and others are before this one"),
	}
}

// booked has a wish written, and gives what came of it.
func booked[T, U any](ctx context.Context, l *Limiter, key string, c strategy.Class, do func(*flow.Bookings, time.Time) (T, U)) (T, U, error) {
	var first T
	var second U
	w := &wish{class: c, done: make(chan error, 1), do: func(b *flow.Bookings, now time.Time) { first, second = do(b, now) }}
	patience := bookingTime
	if c == strategy.Removing {
		patience = removalPatience
	}
	short, cancel := l.within(ctx, patience)
	defer cancel()
	l.want(ctx, key, w)
	var err error
	select {
	case err = <-w.done:
		if err == nil {
			return first, second, nil
		}
	case <-short.Done(): // the write may yet happen, and book what nobody uses
		err = short.Err()
	}
	var noFirst T
	var noSecond U
	return noFirst, noSecond, err
}

func (l *Limiter) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if l.Within == nil {
		return context.WithTimeout(ctx, d)
	}
	return l.Within(ctx, d)
}

// want adds a wish to those of this process, and sees to it that one goroutine
// writes them.
func (l *Limiter) want(ctx context.Context, key string, w *wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		l.lines = map[string]*line{}
	}
	own := l.lines[key]
	if own == nil {
		own = &line{}
		l.lines[key] = own
	}
	own.wishes = append(own.wishes, w)
	if !own.writing {
		own.writing = true
		go l.write(context.WithoutCancel(ctx), key, own) // it writes for others too
	}
}

// write fulfils the wishes of a line, all that are there at once, until there are
// none.
func (l *Limiter) write(ctx context.Context, key string, own *line) {
	for {
		l.mu.Lock()
		wishes := own.wishes
		own.wishes = nil
		if len(wishes) == 0 {
			own.writing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		slices.SortStableFunc(wishes, func(a, b *wish) int { return int(b.class) - int(a.class) })
		err := l.try(ctx, key, wishes)
		for _, w := range wishes {
			w.done <- err
		}
	}
}

// try writes wishes, anew after each lost race.
func (l *Limiter) try(ctx context.Context, key string, wishes []*wish) error {
	ctx, cancel := l.within(ctx, bookingTime)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := l.Limits.Try(ctx, key, func(b *flow.Bookings) {
			now := l.Clock.Now()
			for _, w := range wishes {
				w.do(b, now)
			}
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		select {
		case <-time.After(rand.N(pause)): // machines race, whatever time the product is at
		case <-ctx.Done():
			return err
		}
	}
}

// left is how long the caller could wait. Contexts end by the time of this
// machine, whatever clock is in use.
func left(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(deadline), 1)
}
