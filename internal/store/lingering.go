package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// Lingering keeps, for each flow, for how long sessions at its targets go on.
type Lingering struct {
	Store Store // required
}

// Get reads what the targets of a flow have said. It returns nothing known if none
// was asked.
func (s Lingering) Get(ctx context.Context, flowName string) (flow.Lingering, error) {
	var l flow.Lingering
	item, err := s.Store.Get(ctx, KindLinger.Key(strings.ToLower(flowName)))
	if errors.Is(err, ErrNotFound) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &l)
	}
	if err != nil {
		return flow.Lingering{}, fmt.Errorf("read how long sessions linger at targets of flow %s: %w", flowName, err)
	}
	return l, nil
}

// Change edits it, anew after each lost race.
func (s Lingering) Change(ctx context.Context, flowName string, edit func(flow.Lingering) flow.Lingering) error {
	_, _, err := change(ctx, s.Store, KindLinger.Key(strings.ToLower(flowName)), func(l *flow.Lingering, _ int64) error {
		*l = edit(*l)
		return nil
	})
	return err
}
