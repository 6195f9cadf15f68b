package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Grants keeps entitlements, one item each, whatever runs hold it.
type Grants struct {
	Store Store // required
}

// Change reads a grant (absent where there is none), applies move and writes
// the result, anew for each lost race. Errors of move end the change.
func (s Grants) Change(ctx context.Context, key string, move func(flow.Grant) (flow.Grant, error)) (flow.Grant, error) {
	for range maxConflicts {
		g := flow.Grant{Key: key}
		item, err := s.Store.Get(ctx, "grant#"+key)
		switch {
		case err == nil:
			if err := json.Unmarshal(item.Body, &g); err != nil {
				return flow.Grant{}, fmt.Errorf("decode grant %q: %w", key, err)
			}
			g.Rev = item.Rev
		case !errors.Is(err, ErrNotFound):
			return flow.Grant{}, fmt.Errorf("read grant %q: %w", key, err)
		}
		moved, err := move(g)
		if err != nil {
			return g, err
		}
		body, err := json.Marshal(moved)
		if err != nil {
			return flow.Grant{}, fmt.Errorf("encode grant %q: %w", key, err)
		}
		rev, err := s.Store.Put(ctx, Item{Key: "grant#" + key, Rev: g.Rev, Writer: NewWriter(), Body: body})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return flow.Grant{}, fmt.Errorf("write grant %q: %w", key, err)
		}
		moved.Rev = rev
		return moved, nil
	}
	return flow.Grant{}, fmt.Errorf("write grant %q: %w", key, ErrConflict)
}
