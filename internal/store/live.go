package store

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Live keeps which access is live, in order of its end: an item for each run, which
// follows from it, so that listing it takes no look at the runs.
type Live struct {
	Store Store            // required
	Now   func() time.Time // required
}

// LiveAccess is access that is live.
type LiveAccess struct {
	Run         string     `json:"run"`
	Environment string     `json:"environment"`
	Who         flow.Actor `json:"who"`
	What        string     `json:"what"` // it opens, as people read it
	Flow        string     `json:"flow"` // its name
	Title       string     `json:"title"`
	End         time.Time  `json:"end,omitzero"` // zero: until it is ended by hand
	// Endable tells whether it can be ended by hand.
	Endable bool `json:"endable,omitempty"`
	// BreakGlass tells whether it was granted without approval, for an emergency.
	BreakGlass bool `json:"break_glass,omitempty"`
}

// Follow keeps what is true of a run at a revision: its access, or nil if it has none
// that is live.
func (s Live) Follow(ctx context.Context, run string, rev int64, access *LiveAccess) error {
	if access == nil {
		return derive(ctx, s.Store, KindLive.Key(run), rev, nil, "", time.Time{}, true, s.Now())
	}
	return derive(ctx, s.Store, KindLive.Key(run), rev, access, KindLive.Key(access.Environment), soonestFirst(access.End), false, s.Now())
}

// Of lists the live access of an environment, what ends first before the others:
// as many as PageSize makes of limit. The cursor is "" if there is no more.
func (s Live) Of(ctx context.Context, environment, cursor string, limit int) ([]LiveAccess, string, error) {
	return listDerived[LiveAccess](ctx, s.Store, KindLive.Key(environment), cursor, limit)
}

// turn is the time about which soonestFirst turns the order of times: any will do.
var turn = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// soonestFirst gives a time for an index that lists the latest first, so that it
// lists the soonest end first, and last what has none.
func soonestFirst(end time.Time) time.Time {
	if end.IsZero() {
		return turn.AddDate(-1000, 0, 0)
	}
	return turn.Add(turn.Sub(end)).UTC()
}
