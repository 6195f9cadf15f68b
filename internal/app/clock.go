package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// movedClock is business time: the time of another clock, and how far it was moved
// ahead. It is never moved back. The offset is kept in a file, so that what was
// recorded is not in the future of the next process.
type movedClock struct {
	workflow.Clock
	file string

	mu    sync.Mutex
	ahead time.Duration
}

// offset is what the file of a movedClock has.
type offset struct {
	Ahead string `json:"ahead"` // as time.Duration writes it
}

func clockFile(data string) string { return filepath.Join(data, "clock.json") }

// openClock gives the business time of a data directory.
func openClock(wall workflow.Clock, data string) (*movedClock, error) {
	c := &movedClock{Clock: wall, file: clockFile(data)}
	b, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	var kept offset
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err == nil {
		c.ahead, err = time.ParseDuration(kept.Ahead)
	}
	if err != nil || c.ahead < 0 {
		return nil, fmt.Errorf("how far the clock was moved can't be read from %s (%v): without it, what is recorded there would be in the future; choose another folder by -data", c.file, err)
	}
	return c, nil
}

// Now implements workflow.Clock.
func (c *movedClock) Now() time.Time { return c.Clock.Now().Add(c.Ahead()) }

// Ahead is how far the clock was moved.
func (c *movedClock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// forward moves the clock to a time, unless it is over. The offset is on disk before
// anybody sees the time.
func (c *movedClock) forward(to time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ahead := to.Sub(c.Clock.Now())
	if ahead <= c.ahead {
		return nil
	}
	// It is a struct with a text, which always marshals.
	b, _ := json.Marshal(offset{ahead.String()})
	if err := writeWhole(c.file, b); err != nil {
		return fmt.Errorf("keep how far the clock was moved: %w", err)
	}
	c.ahead = ahead
	return nil
}

// writeWhole writes a file, whole or not at all.
func writeWhole(file string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(file), ".clock-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}

// simulatedLog marks the records whose times are of a clock that was moved ahead. It
// moves only while nothing is under way: what was recorded before has been shipped.
type simulatedLog[Record any] struct {
	workflow.Log[Record]
	clock *movedClock
	meta  func(*Record) *events.AuditMeta
}

// Write implements workflow.Log.
func (s simulatedLog[Record]) Write(ctx context.Context, records []Record) error {
	if s.clock.Ahead() > 0 {
		records = slices.Clone(records)
		for i := range records {
			s.meta(&records[i]).Simulated = true
		}
	}
	return s.Log.Write(ctx, records)
}

// farthest is how far one move may go: farther than any flow looks ahead.
const farthest = 366 * 24 * time.Hour

// moveClock lets time pass at once, from one thing that is due to the next, so that
// each happens at its time. It returns an error of flow.CodeForbidden where the
// clock is not to be moved.
//
// The clock moves only while nothing is under way. So for whoever holds a lease, or
// waits for a target, time passes as it does on this machine.
func (l *Local) moveClock(ctx context.Context, by time.Duration) error {
	if by <= 0 || by > farthest {
		return flow.Errorf(flow.CodeInvalid, "the clock can be moved forward only, by %s at most", flow.Words(farthest))
	}
	if !l.moving.TryLock() {
		return flow.Errorf(flow.CodeBusy, "The clock is being moved already: wait until it is there")
	}
	defer l.moving.Unlock()
	ctx, cancel := context.WithTimeout(ctx, movesFor)
	defer cancel()
	target := l.clock.Now().Add(by)
	for first := true; ; first = false {
		if err := l.Engine.Idle(ctx); err != nil {
			return flow.Errorf(flow.CodeBusy, "Something takes long just now, a target or function perhaps: the clock stands where it happens. Move it on when it is over")
		}
		if !l.clock.Now().Before(target) {
			return nil
		}
		stop, err := l.nextStop(ctx, target)
		if err != nil {
			return err
		}
		err = l.Engine.Between(ctx, func() error {
			if first { // from then on nothing comes into force that would forbid it: see onTime
				if err := l.settleClock(ctx); err != nil {
					return err
				}
				if why := l.clockFixed(); why != "" {
					return flow.Errorf(flow.CodeForbidden, "The clock can't be moved: %s", why)
				}
			}
			return l.clock.forward(stop)
		})
		if err != nil {
			return err
		}
	}
}

// movesFor bounds one move: as long as a target may take, and a little more.
const movesFor = time.Minute

// nextStop is the next time until the target at which something is due.
func (l *Local) nextStop(ctx context.Context, target time.Time) (time.Time, error) {
	stop := target
	if at, ok := l.Engine.NextOnce(); ok && at.Before(stop) {
		stop = at
	}
	page, err := l.Runs.List(ctx, store.Query{By: store.ByDue, Until: target, Limit: 1})
	if err != nil {
		return stop, err
	}
	now := l.clock.Now()
	if len(page.Runs) > 0 {
		if due := page.Runs[0].Due; due.After(now) && due.Before(stop) {
			stop = due
		} else if next, ok := l.Engine.Next(); ok && !due.After(now) && next.Before(stop) {
			stop = next // the sweep is to find what is overdue
		}
	}
	if !stop.After(now) { // what is due at this very time comes now
		stop = now.Add(time.Millisecond)
	}
	return stop, nil
}

// settleClock finds out whether the clock may be moved: at the start, and again when the
// configuration API may have brought other targets. If it was moved, and is not to be any
// more, that is an error: what is outside would be asked for at times that are to come.
func (l *Local) settleClock(ctx context.Context) error {
	mode, err := l.options.Settings.Slack.Mode()
	if err != nil {
		return err
	}
	why, err := l.fixed(ctx, mode)
	if err != nil {
		return err
	}
	l.fixedClock.Store(&why)
	if why != "" && l.clock.Ahead() > 0 {
		return fmt.Errorf("the clock of %s was moved ahead by %s in a simulation, and %s: choose another folder by -data", l.options.Data, flow.Words(l.clock.Ahead()), why)
	}
	return nil
}

// clockFixed says why the clock is not to be moved, as was found out last; "" if it may be.
func (l *Local) clockFixed() string { return *l.fixedClock.Load() }

// onTime keeps flows from being put in force once the clock was moved, if their targets go
// by their own time.
func (l *Local) onTime(parts []workflow.Part) []workflow.Part {
	if l.clock.Ahead() == 0 {
		return parts
	}
	for i, p := range parts {
		if p.Flow != nil && p.Flow.Strategy != nil && !onLoopback(*p.Flow.Strategy) {
			parts[i].Flow, parts[i].Faults = nil, []string{fmt.Sprintf("flow %q: the clock of this simulation was moved ahead by %s, and %s: choose another folder by -data", p.Flow.Name, flow.Words(l.clock.Ahead()), notHere(*p.Flow.Strategy))}
		}
	}
	return parts
}

// fixed says why the clock of this deployment is not to be moved; "" if it may be:
// what is outside of this machine goes by its own time.
func (l *Local) fixed(ctx context.Context, mode config.Mode) (string, error) {
	switch {
	case mode != config.Simulated:
		return "a real Slack goes by its own time", nil
	case l.options.RealLambdas:
		return "functions in AWS go by their own time (-real-lambdas)", nil
	}
	list, err := l.flows.List(ctx)
	if err != nil {
		return "", err
	}
	for _, summary := range list {
		f, err := l.flows.Latest(ctx, summary.Name)
		if flow.CodeOf(err) == flow.CodeUnknownFlow { // withdrawn meanwhile
			continue
		}
		if err != nil {
			return "", err
		}
		if f.Strategy != nil && !onLoopback(*f.Strategy) {
			return notHere(*f.Strategy), nil
		}
	}
	// Live access may be by what the flows have no more.
	for _, status := range []flow.Status{flow.Approved, flow.Escalated} {
		q := store.Query{By: store.ByStatus, Value: string(status), Limit: 200}
		for {
			page, err := l.Runs.List(ctx, q)
			if err != nil {
				return "", err
			}
			for _, r := range page.Runs {
				if r.Access.Live() && !onLoopback(r.Access.Strategy) {
					return notHere(r.Access.Strategy), nil
				}
			}
			if q.Cursor = page.Cursor; q.Cursor == "" {
				break
			}
		}
	}
	return "", nil
}

func notHere(s flow.Strategy) string {
	return fmt.Sprintf("the targets of strategy %s (%s) are not on this machine, and go by their own time", s.Name, s.Type)
}

// onLoopback tells whether all that a strategy calls is on this machine. Functions
// of aws_lambda are, where none is called in AWS, and so is Python.
func onLoopback(s flow.Strategy) bool {
	switch s.Type {
	case "aws_lambda", "custom":
		return true
	case "http":
		return isLoopback(s.Settings["url"])
	}
	return s.Integration != nil && isLoopback(strategy.Address(s.Integration, ""))
}

func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	return u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
}
