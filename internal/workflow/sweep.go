package workflow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Sweep drives all runs that are due. It trusts no schedule and no execution,
// and is the second of the two paths by which access ends.
type Sweep struct {
	Runs  store.Runs
	Drive Drive
	Now   func() time.Time
	// Ahead is how far it looks: removals due within it are handed over
	// early, for their exact end.
	Ahead time.Duration
	// AtOnce is how many runs are driven at the same time; 0 is one after the other.
	AtOnce int
	Log    *slog.Logger
}

// Swept is what a sweep found.
type Swept struct {
	Driven int // runs that were due, and were driven
	Failed int // runs that were due, and could not be driven
	// Overdue are runs whose access should be gone since flow.RemovalPromise,
	// and is not.
	Overdue int
	// Unreviewed are emergencies that had waited for their review since
	// flow.ReviewPatience when this sweep found them. Each is found once.
	Unreviewed int
	// Missed are runs whose target was not looked at when it was time.
	Missed int
}

// Run looks once, and has Home tabs shown where a change of them waits for that. It
// goes on with the others if a run can't be driven. An error means that it has not
// seen all runs that are due.
//
// It looks further ahead than it drives: a removal that backs off is due later
// than its access ended, and overdue all the same.
func (s Sweep) Run(ctx context.Context) (Swept, error) {
	var swept Swept
	now := s.Now()
	q := store.Query{By: store.ByDue, Until: now.Add(max(s.Ahead, flow.MaxRemovalBackOff)), Limit: 200}
	for {
		page, err := s.Runs.List(ctx, q)
		if err != nil {
			return swept, err
		}
		for _, one := range s.drive(ctx, page.Runs, now) {
			swept.add(one)
		}
		for _, home := range page.Homes {
			if err := (store.Homes{Store: s.Runs.Store}).Wake(ctx, home.Who.Actor, now); err != nil { // the next sweep does
				s.Log.WarnContext(ctx, "a Home tab is not brought up to date", "error", err)
			}
		}
		if page.Cursor == "" {
			return swept, nil
		}
		q.Cursor = page.Cursor
	}
}

// drive drives those that are due of some runs, and says what it found, run by run.
func (s Sweep) drive(ctx context.Context, runs []flow.Run, now time.Time) []Swept {
	found := make([]Swept, len(runs))
	free := make(chan struct{}, max(1, s.AtOnce))
	var all sync.WaitGroup
	for i, r := range runs {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			found[i] = s.one(ctx, r, now)
		})
	}
	all.Wait()
	return found
}

func (s Sweep) one(ctx context.Context, r flow.Run, now time.Time) (found Swept) {
	if r.Overdue(now) {
		found.Overdue = 1
	}
	if r.LookMissed(now) {
		found.Missed = 1
	}
	if r.Due.After(now.Add(s.Ahead)) {
		return found
	}
	err := guarded(ctx, store.Change{Key: store.KindRun.Key(r.ID)}, func(ctx context.Context, _ store.Change) error {
		if err := s.Drive.Run(ctx, r.ID, false, s.Ahead); err != nil {
			return err
		}
		return s.remind(ctx, r, now, &found)
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "run could not be driven", "run", r.ID, "error", err)
		found.Failed = 1
		return found
	}
	found.Driven = 1
	return found
}

// remind sets the reminder of a run whose time has come. Nobody else does, so that each
// emergency that nobody reviews is found here.
func (s Sweep) remind(ctx context.Context, r flow.Run, now time.Time, found *Swept) error {
	due := func(r flow.Run) bool {
		at := r.ReminderDue(now)
		return !at.IsZero() && !now.Before(at)
	}
	if !due(r) {
		return nil
	}
	unreviewed := false
	_, err := s.Runs.Change(ctx, r.ID, s.Now, func(r flow.Run) (flow.Input, error) {
		unreviewed = due(r) && r.AwaitsReview()
		if !due(r) {
			return nil, flow.ErrUnchanged
		}
		return flow.Remind{}, nil
	})
	if err == nil && unreviewed {
		s.Log.WarnContext(ctx, "an emergency has not been reviewed for a day", "run", r.ID, "flow", r.Flow)
		found.Unreviewed = 1
	}
	return err
}

func (s *Swept) add(other Swept) {
	s.Driven += other.Driven
	s.Failed += other.Failed
	s.Overdue += other.Overdue
	s.Unreviewed += other.Unreviewed
	s.Missed += other.Missed
}
