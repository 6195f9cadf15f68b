package local

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// recoverLane is for runs that are taken up at the start.
const recoverLane = "recover"

// Recover takes up what an earlier process left: every execution of that is
// lost for certain, so that runs which need a step are driven at once, without
// waiting for their watchdog, and those which wait get their timer back.
// takeOver ends what that process has claimed of a run: see
// [workflow.Access.TakeOver]. So call Recover only when it is known to have ended.
func (r *Runner) Recover(ctx context.Context, runs store.Runs, drive workflow.Drive, takeOver func(context.Context, flow.Run) error) error {
	q := store.Query{By: store.ByDue, Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Limit: 200}
	for {
		page, err := runs.List(ctx, q)
		if err != nil {
			return err
		}
		for _, run := range page.Runs {
			if flow.Next(run) == flow.StepAwait {
				// It waited, or was about to: either way it hands in its token again.
				r.begin(entry{execution: execution{run.ID, run.Execution.Attempt}, step: flow.StepAwait})
				continue
			}
			id := run.ID
			if err := takeOver(ctx, run); err != nil {
				r.Engine.Log.ErrorContext(ctx, "a removal could not be taken over, and begins when its claim ends", "run", id, "error", err)
			}
			r.Engine.Go(recoverLane, func(ctx context.Context) {
				if err := drive.Run(ctx, id, true, 0); err != nil {
					r.Engine.Log.ErrorContext(ctx, "run could not be taken up, the sweep repeats it", "run", id, "error", err)
				}
			})
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return nil
		}
	}
}
