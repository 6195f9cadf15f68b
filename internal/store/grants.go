package store

import (
	"context"

	"github.com/symflows/symflows/internal/flow"
)

// Grants keeps entitlements, one item each, whatever runs hold it. The items
// of those that are absent stay: were they deleted, a late writer could take
// the next grant for the one it has read.
type Grants struct {
	Store Store // required
}

// Change reads a grant (absent where there is none), applies move and writes
// the result, anew for each lost race. A move that changes nothing writes
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
