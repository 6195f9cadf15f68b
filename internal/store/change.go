package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// NewWriter makes the id of an intended write.
func NewWriter() string { return rand.Text() }

// maxConflicts is how often a change is tried anew before it gives up. Each race
// is lost to another write, so this is how many writers one item can have at once.
const maxConflicts = 50

// change reads an item into a T (the zero value if there is no item), edits it
// and writes it, and does so again after each lost race. An edit that changes nothing writes
// nothing; its errors end the change. Returns what is stored now, and its
// revision.
func change[T any](ctx context.Context, s Store, key string, edit func(v *T, rev int64) error) (T, int64, error) {
	for range maxConflicts {
		var v T
		item, err := s.Get(ctx, key)
		if err == nil {
			err = json.Unmarshal(item.Body, &v)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return v, 0, fmt.Errorf("read %s: %w", key, err)
		}
		if err := edit(&v, item.Rev); err != nil {
			return v, item.Rev, err
		}
		body, err := flow.EncodeJSON(v)
		if err != nil {
			return v, 0, fmt.Errorf("encode %s: %w", key, err)
		}
		if bytes.Equal(body, item.Body) {
			return v, item.Rev, nil
		}
		carrier, ok := any(v).(recorder)
		rev, err := s.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body, Acts: ok && carrier.recordedIn(item.Rev+1)})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return v, 0, fmt.Errorf("write %s: %w", key, err)
		}
		return v, rev, nil
	}
	var none T
	return none, 0, fmt.Errorf("write %s: %w", key, ErrConflict)
}
