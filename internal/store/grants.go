package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Grants keeps entitlements: one item each, shared by all runs that hold it. An
// item stays when its entitlement is absent: if it were deleted, a late writer
// could take the next grant for the one it has read.
type Grants struct {
	Store Store // required
}

// Change reads a grant (an absent one if there is no item), applies move and
// writes the result, and does so again after each lost race. A move that changes nothing writes
// nothing. Errors of move end the change, with the grant as move left it.
func (s Grants) Change(ctx context.Context, key string, move func(flow.Grant) (flow.Grant, error)) (flow.Grant, error) {
	g, rev, err := change(ctx, s.Store, KindGrant.Key(key), func(g *flow.Grant, rev int64) (err error) {
		g.Key, g.Rev = key, rev
		*g, err = move(*g)
		return err
	})
	g.Rev = rev
	return g, err
}

// Get reads a grant; one that is absent if there is no item.
func (s Grants) Get(ctx context.Context, key string) (flow.Grant, error) {
	g := flow.Grant{Key: key}
	item, err := s.Store.Get(ctx, KindGrant.Key(key))
	if errors.Is(err, ErrNotFound) {
		return g, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &g)
	}
	if err != nil {
		return g, fmt.Errorf("read grant %s: %w", key, err)
	}
	g.Rev = item.Rev
	return g, nil
}
