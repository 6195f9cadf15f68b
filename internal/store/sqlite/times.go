package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// Times keeps when something is to be done, by name: the ends of access, which
// EventBridge Scheduler keeps in AWS, and changes to be handled again. The
// caller that sets a time also waits for it; the database makes it outlive the process.
type Times struct{ s *Store }

// Times gives the times of the database.
func (s *Store) Times() Times { return Times{s} }

// The statements that write times.
const (
	setTime    = "REPLACE INTO times (name, at) VALUES (?, ?)"
	deleteTime = "DELETE FROM times WHERE name = ?"
)

// Set makes or moves a time.
func (t Times) Set(ctx context.Context, name string, at time.Time) error {
	return t.write(ctx, "set", name, setTime, name, store.FormatTime(at))
}

// Delete removes a time. It returns nil if there is none.
func (t Times) Delete(ctx context.Context, name string) error {
	return t.write(ctx, "delete", name, deleteTime, name)
}

func (t Times) write(ctx context.Context, what, name, query string, args ...any) error {
	err := t.s.write(ctx, func(ctx context.Context, tx transaction) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s the time of %q: %w", what, name, err)
	}
	return nil
}

// All gives every time that is set.
func (t Times) All(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	rows, err := t.s.reader.QueryContext(ctx, "SELECT name, at FROM times")
	if err != nil {
		return nil, fmt.Errorf("read times: %w", ended(ctx, err))
	}
	defer rows.Close()
	for rows.Next() {
		var name, at string
		if err := rows.Scan(&name, &at); err != nil {
			return nil, fmt.Errorf("read times: %w", err)
		}
		if all[name], err = store.ParseTime(at); err != nil {
			return nil, fmt.Errorf("read the time of %q: %w", name, err)
		}
	}
	return all, rows.Err()
}
