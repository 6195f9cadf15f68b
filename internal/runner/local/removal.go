package local

import (
	"context"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// OnTime takes a run's access away, or starts it, if that is due; see workflow.Access.
type OnTime func(ctx context.Context, runID string) error

// Remover has access taken away, and started when it was asked for later, in the
// background. Removals wait for those of the same target only, and for nothing else.
type Remover struct {
	Engine *Engine
	OnTime OnTime
	// Target names the target that a run's access is at. If it can't tell, it
	// returns "". If Target is nil, all removals share their places.
	Target func(ctx context.Context, runID string) string

	mu     sync.Mutex
	queued map[string]bool // runs whose removal has yet to begin
}

var _ workflow.Remover = (*Remover)(nil)

// Remove begins at the time, and does not wait.
func (r *Remover) Remove(_ context.Context, runID string, at time.Time) error {
	if at.After(r.Engine.Clock.Now()) {
		r.Engine.At("removal#"+runID, at, func(context.Context) { r.begin(runID) })
	} else {
		r.begin(runID)
	}
	return nil
}

func (r *Remover) begin(runID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queued[runID] {
		return // the schedule, the sweep and people may ask for the same
	}
	if r.queued == nil {
		r.queued = map[string]bool{}
	}
	r.queued[runID] = true
	r.Engine.Go("removal", func(ctx context.Context) {
		at := ""
		if r.Target != nil {
			at = r.Target(ctx, runID)
		}
		r.Engine.Go("removal at "+at, func(ctx context.Context) { r.try(ctx, runID) })
	})
}

func (r *Remover) try(ctx context.Context, runID string) {
	r.mu.Lock()
	delete(r.queued, runID) // from here on, it may have read what a later caller has changed
	r.mu.Unlock()
	if err := r.OnTime(ctx, runID); err != nil {
		r.Engine.Log.ErrorContext(ctx, "removal could not be carried out, the sweep repeats it", "run", runID, "error", err)
	}
}

// Times keeps at what time which run's access is to end, or to start.
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
	s.Remover.Engine.Cancel(timerOf(runID))
	return s.Times.Delete(ctx, runID)
}

func (s *Schedule) arm(runID string, at time.Time) {
	s.Remover.Engine.At(timerOf(runID), at, s.fire(runID))
}

// fire has the access taken away.
func (s *Schedule) fire(runID string) job {
	return func(context.Context) {
		// A removal that is carried out moves the timer or deletes it. If neither
		// has happened, the timer must fire again: the removal failed before
		// anything was recorded, or was left to a process that may never end it.
		s.Remover.Engine.After(timerOf(runID), firesAgain, s.fire(runID))
		s.Remover.begin(runID)
	}
}

func timerOf(runID string) string { return "schedule#" + runID }

// firesAgain is how soon a timer fires that was neither moved nor deleted.
const firesAgain = time.Minute
