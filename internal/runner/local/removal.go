package local

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Deescalate takes a run's access away if that is due; see workflow.Access.
type Deescalate func(ctx context.Context, runID string) error

// Remover has access taken away in the background.
type Remover struct {
	Engine     *Engine
	Deescalate Deescalate
}

var _ workflow.Remover = (*Remover)(nil)

// Remove begins, and does not wait.
func (r *Remover) Remove(_ context.Context, runID string) error {
	r.Engine.Go(func(ctx context.Context) { r.try(ctx, runID) })
	return nil
}

func (r *Remover) try(ctx context.Context, runID string) {
	if err := r.Deescalate(ctx, runID); err != nil {
		r.Engine.Log.ErrorContext(ctx, "removal could not be carried out, the sweep repeats it", "run", runID, "error", err)
	}
}

// Times keeps at what time which run's access is to end.
type Times interface {
	Set(ctx context.Context, runID string, at time.Time) error
	Delete(ctx context.Context, runID string) error
	// All gives every time that is set.
	All(ctx context.Context) (map[string]time.Time, error)
}

// Schedule is the first of the two paths by which access ends: a timer for
// each grant, kept in a place of its own that the sweep does not look at.
type Schedule struct {
	Times   Times
	Remover *Remover
}

var _ workflow.Schedule = (*Schedule)(nil)

// Load arms the timers that an earlier process set.
func (s *Schedule) Load(ctx context.Context) error {
	all, err := s.Times.All(ctx)
	for id, at := range all {
		if flow.CheckRunID(id) == nil { // readers keep times in the same place
			s.arm(id, at)
		}
	}
	return err
}

// Set makes or moves the timer of a run.
func (s *Schedule) Set(ctx context.Context, runID string, at time.Time) error {
	if err := s.Times.Set(ctx, runID, at); err != nil {
		return err
	}
	s.arm(runID, at)
	return nil
}

// Delete removes the timer of a run.
func (s *Schedule) Delete(ctx context.Context, runID string) error {
	s.Remover.Engine.Cancel("schedule#" + runID)
	return s.Times.Delete(ctx, runID)
}

func (s *Schedule) arm(runID string, at time.Time) {
	s.Remover.Engine.At("schedule#"+runID, at, func(ctx context.Context) {
		// A removal that is carried out moves the timer or deletes it. If neither
		// has happened, the timer must fire again: the removal failed before
		// anything was recorded, or was left to a process that may never end it.
		s.arm(runID, s.Remover.Engine.Clock.Now().Add(firesAgain))
		s.Remover.try(ctx, runID)
	})
}

// firesAgain is how soon a timer fires that was neither moved nor deleted.
const firesAgain = time.Minute
