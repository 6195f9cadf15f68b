package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// Schedules fire once each: the local counterpart of EventBridge Scheduler. A
// schedule is in the database until it is Done or deleted. One that Take gave
// is not given again by this process, but by the next one, if this one ends
// before Done.
type Schedules struct{ s *Store }

// Scheduled is a schedule that has fired.
type Scheduled struct {
	RunID string
	At    time.Time
	id    int64
}

// Schedules gives the schedules of the database.
func (s *Store) Schedules() Schedules { return Schedules{s} }

// Set makes or moves the schedule of a run. It fires anew, even if it was
// taken before.
func (s Schedules) Set(ctx context.Context, runID string, at time.Time) error {
	err := s.s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "REPLACE INTO schedules (run_id, at) VALUES (?, ?)", runID, store.FormatTime(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("schedule run %s: %w", runID, err)
	}
	signal(s.s.rescheduled)
	return nil
}

// Delete removes the schedule of a run. None is no error.
func (s Schedules) Delete(ctx context.Context, runID string) error {
	err := s.s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM schedules WHERE run_id = ?", runID)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete schedule of run %s: %w", runID, err)
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
		return fmt.Errorf("end schedule of run %s: %w", fired.RunID, err)
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	delete(s.s.fired, fired.id)
	return nil
}

// schedulesUntil finds schedules, earliest first.
const schedulesUntil = "SELECT id, run_id, at FROM schedules WHERE at <= :until ORDER BY at, id"

// Next is when the earliest schedule fires that was not taken; false where
// there is none. It changes with Set: see Wake.
func (s Schedules) Next(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.each(ctx, "~", func(next Scheduled) bool {
		at, ok = next.At, true
		return false
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
	err := s.each(ctx, store.FormatTime(now), func(next Scheduled) bool {
		due = append(due, next)
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

// each reads the schedules up to a time that were not taken, while more says so.
func (s Schedules) each(ctx context.Context, until string, more func(Scheduled) bool) error {
	rows, err := s.s.reader.QueryContext(ctx, schedulesUntil, sql.Named("until", until))
	if err != nil {
		return ended(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var next Scheduled
		var at string
		if err := rows.Scan(&next.id, &next.RunID, &at); err != nil {
			return err
		}
		if next.At, err = store.ParseTime(at); err != nil {
			return fmt.Errorf("schedule of run %s: %w", next.RunID, err)
		}
		s.s.mu.Lock()
		taken := s.s.fired[next.id]
		s.s.mu.Unlock()
		if !taken && !more(next) {
			break
		}
	}
	return errors.Join(ended(ctx, rows.Err()), rows.Close())
}
