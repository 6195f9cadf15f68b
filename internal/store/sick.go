package store

import (
	"context"
	"errors"
	"reflect"

	"github.com/symflows/symflows/internal/flow"
)

// Sick keeps how targets fail to answer: one item each, shared by all who call
// it. There is none for a target that always answered.
type Sick struct {
	Store Store // required
}

// Change reads what is known of a target, applies move and writes the result, and
// does so again after each lost race. A move that changes nothing writes nothing.
func (s Sick) Change(ctx context.Context, target string, move func(flow.Sickness) flow.Sickness) (flow.Sickness, error) {
	known, _, err := change(ctx, s.Store, KindSick.Key(target), func(v *flow.Sickness, rev int64) error {
		*v = move(*v)
		if rev == 0 && reflect.ValueOf(*v).IsZero() {
			return flow.ErrUnchanged // there is nothing to keep
		}
		return nil
	})
	if errors.Is(err, flow.ErrUnchanged) {
		err = nil
	}
	return known, err
}
