package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// derivedTime is how long an item that follows from a run is kept after it is no
// longer true. It says so meanwhile, to whoever is late with an older state of the
// run.
const derivedTime = 24 * time.Hour

// derived is the beginning of an item that follows from a run: of which revision.
type derived struct {
	Rev  int64 `json:"rev"`
	Gone bool  `json:"gone,omitempty"` // nothing is true of it any more
}

// derive writes an item that follows from a run, unless it follows from a later
// revision already. It is found by ByStatus under the value listed, in the order of
// at, the latest first. gone: there is nothing to be found any more. Nothing is
// written if it would say the same.
func derive(ctx context.Context, s Store, key string, rev int64, body any, listed string, at time.Time, gone bool, now time.Time) error {
	for range maxConflicts {
		var old struct {
			derived
			Body json.RawMessage `json:"body"`
		}
		item, err := s.Get(ctx, key)
		if err == nil {
			err = json.Unmarshal(item.Body, &old)
		}
		switch {
		case errors.Is(err, ErrNotFound) && gone:
			return nil
		case err != nil && !errors.Is(err, ErrNotFound):
			return fmt.Errorf("read %s: %w", key, err)
		case err == nil && old.Rev > rev:
			return nil
		}
		encoded, err := flow.EncodeJSON(body)
		if err != nil {
			return err
		}
		next := Item{Key: key, Rev: item.Rev, Writer: NewWriter()}
		if gone {
			if old.Gone {
				return nil
			}
			encoded, next.Expires = []byte("null"), now.Add(derivedTime)
		} else {
			if item.Rev > 0 && !old.Gone && string(old.Body) == string(encoded) && item.Index.Status == listed && item.Index.Created.Equal(at) {
				return nil
			}
			next.Index = Index{Status: listed, Created: at}
		}
		old.derived, old.Body = derived{Rev: rev, Gone: gone}, encoded
		if next.Body, err = flow.EncodeJSON(old); err != nil {
			return err
		}
		_, err = s.Put(ctx, next)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		return nil
	}
	return fmt.Errorf("write %s: %w", key, ErrConflict)
}

// listDerived reads a page of what is found under a value.
func listDerived[T any](ctx context.Context, s Store, listed, cursor string, limit int) (list []T, next string, err error) {
	page, err := s.List(ctx, Query{By: ByStatus, Value: listed, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", listed, err)
	}
	for _, item := range page.Items {
		var v struct {
			Body T `json:"body"`
		}
		if err := json.Unmarshal(item.Body, &v); err != nil {
			return nil, "", fmt.Errorf("decode %s: %w", item.Key, err)
		}
		list = append(list, v.Body)
	}
	return list, page.Cursor, nil
}
