package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Limits keeps the pace of systems: one item for each limit, shared by all
// processes.
type Limits struct {
	Store Store // required
}

// Try reads the bookings of a limit, edits them, and writes what has changed.
// Returns ErrConflict if another write came between: a rush on one item is for
// the caller to spread, so Try does not try again.
func (s Limits) Try(ctx context.Context, key string, edit func(*flow.Bookings)) error {
	var b flow.Bookings
	item, err := s.Store.Get(ctx, KindLimit.Key(key))
	if err == nil {
		err = json.Unmarshal(item.Body, &b)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("read limit %s: %w", key, err)
	}
	edit(&b)
	body, err := json.Marshal(b)
	if err == nil && !bytes.Equal(body, item.Body) {
		_, err = s.Store.Put(ctx, Item{Key: KindLimit.Key(key), Rev: item.Rev, Writer: NewWriter(), Body: body})
	}
	if err != nil {
		return fmt.Errorf("write limit %s: %w", key, err)
	}
	return nil
}
