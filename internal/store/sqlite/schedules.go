package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// Schedules fire once each: the local counterpart of EventBridge Scheduler.
// Their names are the ids of runs, or whatever else has a time to wait for. A
// schedule is in the database until it is Done or deleted. One that Take gave
// is not given again by this process, but by the next one, if this one ends
// before Done.
type Schedules struct{ s *Store }

// Scheduled is a schedule that has fired.
type Scheduled struct {
	Name string
	At   time.Time
	id   int64
}

// Schedules gives the schedules of the database.
func (s *Store) Schedules() Schedules { return Schedules{s} }

// Set makes or moves a schedule. It fires anew, even if it was taken before.
func (s Schedules) Set(ctx context.Context, name string, at time.Time) error {
	err := s.s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "REPLACE INTO schedules (name, at) VALUES (?, ?)", name, store.FormatTime(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("set schedule %q: %w", name, err)
	}
	signal(s.s.rescheduled)
	return nil
}

// Delete removes a schedule. None is no error.
func (s Schedules) Delete(ctx context.Context, name string) error {
	err := s.s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM schedules WHERE name = ?", name)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete schedule %q: %w", name, err)
	}
	return nil
}

// Done ends a schedule that was taken, unless it was Set meanwhile.
func (s Schedules) Done(ctx context.Context, fired Scheduled) error {
	err := s.s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM schedules WHERE id = ?", fired.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("end schedule %q: %w", fired.Name, err)
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	delete(s.s.fired, fired.id)
	return nil
}

// never is behind every time, as columns have them.
const never = "~"

// schedulesUntil finds schedules, earliest first.
const schedulesUntil = "SELECT id, name, at FROM schedules WHERE at <= :until ORDER BY at, id"

// All gives every schedule there is, taken or not: when it fires, by name.
func (s Schedules) All(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	err := s.each(ctx, never, func(next Scheduled, _ bool) bool {
		all[next.Name] = next.At
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read schedules: %w", err)
	}
	return all, nil
}

// Next is when the earliest schedule fires that was not taken; false where
// there is none. It changes with Set: see Wake.
func (s Schedules) Next(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.each(ctx, never, func(next Scheduled, taken bool) bool {
		if !taken {
			at, ok = next.At, true
		}
		return taken
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read schedules: %w", err)
	}
	return at, ok, nil
}

// Take gives the schedules that are due and were not taken, earliest first.
// Each has to be ended by Done. Only one goroutine may take.
func (s Schedules) Take(ctx context.Context, now time.Time) ([]Scheduled, error) {
	var due []Scheduled
	err := s.each(ctx, store.FormatTime(now), func(next Scheduled, taken bool) bool {
		if !taken {
			due = append(due, next)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("take schedules: %w", err)
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	for _, d := range due {
		s.s.fired[d.id] = true
	}
	return due, nil
}

// Wake returns a channel that holds a value after a Set, until somebody takes it.
func (s Schedules) Wake() <-chan struct{} { return s.s.rescheduled }

// each reads the schedules up to a time, earliest first, while more says so.
func (s Schedules) each(ctx context.Context, until string, more func(next Scheduled, taken bool) bool) error {
	rows, err := s.s.reader.QueryContext(ctx, schedulesUntil, sql.Named("until", until))
	if err != nil {
		return ended(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var next Scheduled
		var at string
		if err := rows.Scan(&next.id, &next.Name, &at); err != nil {
			return err
		}
		if next.At, err = store.ParseTime(at); err != nil {
			return fmt.Errorf("schedule %q: %w", next.Name, err)
		}
		s.s.mu.Lock()
		taken := s.s.fired[next.id]
		s.s.mu.Unlock()
		if !more(next, taken) {
			break
		}
	}
	return errors.Join(ended(ctx, rows.Err()), rows.Close())
}
