package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/store"
)

// pending is a write that waits for its turn.
type pending struct {
	do   func(context.Context, transaction) error
	done chan error // has room for the answer
}

// write runs do in a transaction, which is durable when write returns nil.
// Writes that arrive while an earlier transaction is being committed share the
// next one: syncing the disk is what takes long, and one sync serves them all. A
// do that returns store.ErrConflict must have changed nothing, and the other
// writes stand; any other error undoes the transaction and is returned to all. If the disk is full,
// the reserve is given up and all is done once more, so do must stand being
// repeated after it was undone; an error of flow.CodeDiskFull says that even that
// did not help.
//
// If the context ends first, write does not wait for the outcome.
func (s *Store) write(ctx context.Context, do func(context.Context, transaction) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := pending{do, make(chan error, 1)}
	s.mu.Lock()
	s.pending = append(s.pending, w)
	if s.queued != nil {
		s.queued(len(s.pending))
	}
	idle := !s.committing
	s.committing = true
	s.mu.Unlock()
	if idle {
		go func() {
			for s.commit() {
			}
		}()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit waits for the one connection that writes, and carries out the writes that
// are pending by then. It returns false if there are none any more afterwards: the next
// one begins anew.
func (s *Store) commit() (more bool) {
	tx, err := s.begin()
	s.mu.Lock()
	turn := s.pending
	s.pending = nil
	s.mu.Unlock()
	answers := make([]error, len(turn))
	if err == nil {
		err = s.together(tx, turn, answers)
	}
	if s.reserve.MakeRoom(err) {
		clear(answers)
		if tx, err = s.begin(); err == nil {
			err = s.together(tx, turn, answers)
		}
	}
	err = coded(err)
	for i, w := range turn {
		if err != nil {
			answers[i] = err
		}
		w.done <- answers[i]
	}
	if s.commits++; s.commits%checkpointEvery == 0 {
		go s.checkpoint()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committing = len(s.pending) > 0
	return s.committing
}

func (s *Store) begin() (transaction, error) {
	if s.reserve != nil && s.reserve.Before != nil {
		if err := s.reserve.Before(); err != nil {
			return transaction{}, err
		}
	}
	return s.writer.begin(context.Background())
}

// checkpointEvery is after how many transactions the log is carried over into
// the database.
const checkpointEvery = 16

// checkpoint carries the log over, beside readers and writers. Left to itself,
// SQLite does it when the log has 1,000 pages, and the write that commits then
// waits for it: ten milliseconds, with 100,000 runs stored. If this fails, or does
// not finish, SQLite still does it by itself.
func (s *Store) checkpoint() {
	s.checkpointing.Lock()
	defer s.checkpointing.Unlock()
	_, _ = s.reader.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
	if s.checkpointed != nil {
		s.checkpointed()
	}
}

// together carries out writes, and notes the conflicts among them.
func (s *Store) together(tx transaction, turn []pending, conflicts []error) error {
	defer tx.Rollback() // does nothing after Commit
	for i, w := range turn {
		// Not the writer's context: what ends one must not undo the others.
		err := w.do(context.Background(), tx)
		if errors.Is(err, store.ErrConflict) {
			conflicts[i], err = err, nil
		}
		if err != nil {
			return err
		}
	}
	if s.memory == nil {
		return tx.Commit()
	}
	done := s.memory.change(*tx.changed)
	err := tx.Commit()
	done(err)
	return err
}

// ended returns the context's error if that is what ended a statement: SQLite
// calls it an interrupt.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}
