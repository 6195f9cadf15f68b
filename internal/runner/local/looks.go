package local

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Looks has runs whose targets need time looked at again, by timers. They end with
// the process: the sweep finds what waits.
type Looks struct {
	Engine *Engine
	// Look goes on with a run; see workflow.Access.
	Look func(ctx context.Context, runID string) error
	// Target names the target that a run's access is at. If it can't tell, it
	// returns "".
	Target func(ctx context.Context, runID string) string
}

var _ workflow.Looks = Looks{}

// Later sets the timer of a run, in place of an earlier one.
func (l Looks) Later(_ context.Context, runID string, step flow.EventName, at time.Time) error {
	l.Engine.At("look#"+runID, at, func(ctx context.Context) {
		// Looks wait for those of the same step at the same target only.
		l.Engine.Go("look", func(ctx context.Context) {
			l.Engine.Go("look for "+string(step)+" at "+l.Target(ctx, runID), func(ctx context.Context) {
				if err := l.Look(ctx, runID); err != nil {
					l.Engine.Log.ErrorContext(ctx, "a look at a target could not be carried out, the sweep repeats it", "run", runID, "error", err)
				}
			})
		})
	})
	return nil
}
