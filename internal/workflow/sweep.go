package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// Sweep drives whatever is due. It trusts no schedule and no execution, and is
// the second of the two paths by which access ends.
type Sweep struct {
	Runs  store.Runs
	Drive Drive
	Now   func() time.Time
	// Ahead is how far it looks: removals due within it are handed over
	// early, and wait for their exact end.
	Ahead time.Duration
	Log   *slog.Logger
}

// Run looks once, and returns how many runs it drove. A run that can't be
// driven does not keep it from the others.
func (s Sweep) Run(ctx context.Context) (int, error) {
	n := 0
	var failed []error
	q := store.Query{By: store.ByDue, Until: s.Now().Add(s.Ahead), Limit: 200}
	for {
		page, err := s.Runs.List(ctx, q)
		if err != nil {
			return n, errors.Join(append(failed, err)...)
		}
		for _, r := range page.Runs {
			n++
			if err := s.Drive.Run(ctx, r.ID, false, s.Ahead); err != nil {
				s.Log.ErrorContext(ctx, "run could not be driven", "run", r.ID, "error", err)
				failed = append(failed, fmt.Errorf("drive run %s: %w", r.ID, err))
			}
		}
		if page.Cursor == "" {
			return n, errors.Join(failed...)
		}
		q.Cursor = page.Cursor
	}
}
