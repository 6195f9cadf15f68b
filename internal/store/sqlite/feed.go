package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/symflows/symflows/internal/store"
)

// register replaces the list of consumers; an empty list leaves it as it is. A new
// consumer begins with the oldest change that is still kept.
func register(ctx context.Context, tx transaction, consumers []string) error {
	if len(consumers) == 0 {
		return nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT name FROM consumers")
	if err != nil {
		return err
	}
	defer rows.Close()
	var known []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		known = append(known, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range known {
		if !slices.Contains(consumers, name) {
			if _, err := tx.ExecContext(ctx, "DELETE FROM consumers WHERE name = ?", name); err != nil {
				return err
			}
		}
	}
	for _, name := range consumers {
		if !slices.Contains(known, name) {
			if _, err := tx.ExecContext(ctx, "INSERT INTO consumers (name, seen) VALUES (?, 0)", name); err != nil {
				return err
			}
		}
	}
	return nil
}

// The statements that find changes behind a place, and move the place.
const (
	placeOf      = "SELECT seen FROM consumers WHERE name = ?"
	changesAfter = "SELECT seq, key, rev FROM changes WHERE seq > :seen ORDER BY seq LIMIT :limit"
	movePlace    = "UPDATE consumers SET seen = ? WHERE name = ?"
	clearSeen    = "DELETE FROM changes WHERE seq <= (SELECT min(seen) FROM consumers)"
)

// Changes implements store.Feed. It returns an error for a consumer that was not
// given to Open.
func (s *Store) Changes(ctx context.Context, consumer string, limit int) ([]store.Change, error) {
	changes, seqs, err := s.changes(ctx, consumer, limit)
	if err != nil {
		return nil, fmt.Errorf("read changes for consumer %q: %w", consumer, ended(ctx, err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given[consumer] = seqs
	return changes, nil
}

func (s *Store) changes(ctx context.Context, consumer string, limit int) (changes []store.Change, seqs []int64, err error) {
	var seen int64
	if err := s.reader.QueryRowContext(ctx, placeOf, consumer).Scan(&seen); err != nil {
		return nil, nil, err
	}
	rows, err := s.reader.QueryContext(ctx, changesAfter, sql.Named("seen", seen), sql.Named("limit", limit))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var c store.Change
		if err := rows.Scan(&seq, &c.Key, &c.Rev); err != nil {
			return nil, nil, err
		}
		changes, seqs = append(changes, c), append(seqs, seq)
	}
	return changes, seqs, rows.Err()
}

// Seen implements store.Feed. It deletes the changes that every consumer has seen.
func (s *Store) Seen(ctx context.Context, consumer string, n int) error {
	if n <= 0 {
		return nil
	}
	s.mu.Lock()
	given := s.given[consumer]
	s.mu.Unlock()
	if n > len(given) {
		return fmt.Errorf("consumer %q has seen %d changes, but was given %d", consumer, n, len(given))
	}
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		if _, err := tx.ExecContext(ctx, movePlace, given[n-1], consumer); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, clearSeen)
		return err
	})
	if err != nil {
		return fmt.Errorf("move the place of consumer %q: %w", consumer, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given[consumer] = given[n:]
	return nil
}
