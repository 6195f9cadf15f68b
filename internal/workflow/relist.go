package workflow

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// list keeps where a run is found besides its indexes. It is done again, to the same
// end, for each change.
func list(ctx context.Context, lists store.Lists, r flow.Run) error {
	if r.Status == flow.Prompted {
		return nil
	}
	var deciders []string
	for _, who := range r.DecidedBy() {
		deciders = append(deciders, who.ID)
	}
	return lists.Follow(ctx, r, r.TargetID(), deciders)
}

// Relist puts runs into listings that were closed before there were such listings: nothing
// changes them any more, so that nobody else does. It goes through all runs once, some at a
// time, and does nothing after that.
type Relist struct {
	Runs  store.Runs
	Lists store.Lists
	Now   func() time.Time
	Log   *slog.Logger
}

// relistAtOnce is how many runs are looked at each time.
const relistAtOnce = 200

// Some lists the next runs, and tells whether there may be others. It goes on where the
// last one ended that came to its end: doing some again changes nothing.
func (s Relist) Some(ctx context.Context) (more bool, err error) {
	far, err := s.Lists.Relisted(ctx)
	if err != nil || !far.Done.IsZero() {
		return false, err
	}
	page, err := s.Runs.List(ctx, store.Query{By: store.ByKind, Cursor: far.Cursor, Limit: relistAtOnce})
	if err != nil {
		return false, err
	}
	for _, r := range page.Runs {
		if err := list(ctx, s.Lists, r); err != nil {
			return false, err
		}
	}
	if far.Cursor = page.Cursor; far.Cursor == "" {
		far.Done = s.Now().UTC()
	}
	if err := s.Lists.SetRelisted(ctx, far); err != nil && !errors.Is(err, store.ErrConflict) { // somebody else lists them, too
		return false, err
	}
	if !far.Done.IsZero() {
		s.Log.InfoContext(ctx, "all runs can be found by their targets, and by who decided them")
	}
	return far.Done.IsZero(), nil
}

// Look is Some for whoever has something else to do.
func (s Relist) Look(ctx context.Context) {
	if _, err := s.Some(ctx); err != nil {
		s.Log.WarnContext(ctx, "runs of before can't all be found by their targets yet, the next look goes on", "error", err)
	}
}
