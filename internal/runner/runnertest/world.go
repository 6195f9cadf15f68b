package runnertest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// World has the runs that an implementation walks, and the tasks of its steps.
// These do to a run what the steps of package workflow do, as far as a runner
// can see it.
type World struct {
	Clock *clockwork.FakeClock

	t      testing.TB
	runner interface {
		Start(ctx context.Context, runID string, attempt int) error
		Resume(ctx context.Context, token string) error
	}
	settle func()

	mu      sync.Mutex
	runs    map[string]flow.Run
	did     map[string][]string // steps done, by run
	at      map[string]int      // tasks under way, by run
	attempt map[string]int      // the latest that has waited, by run
	token   map[string]string   // handed in last, by run
	faults  map[string][]error  // of the next tasks, by run
	// during is called once in the task of a step, or in Await after it has
	// found that the run must wait; before, in Await before that.
	during, before map[flow.Step]func()
}

// errForGood is a fault that repeating does not mend.
var errForGood = flow.Errorf(flow.CodeInvalid, "the configuration is wrong")

// errPasses is a fault that passes.
var errPasses = &workflow.Retry{Cause: flow.Errorf(flow.CodeUnavailable, "the directory does not answer")}

// Run gives a run as it is now. The error has flow.CodeUnknownRun.
func (w *World) Run(id string) (flow.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.runs[id]
	if !ok {
		return flow.Run{}, flow.Errorf(flow.CodeUnknownRun, "there is no run %s", id)
	}
	return r, nil
}

// Enter says at which step a run stands.
func (w *World) Enter(_ context.Context, id string) (flow.Step, error) {
	r, err := w.Run(id)
	return flow.Next(r), err
}

// Task gives the task of a step that does not wait. For a run that stands at
// another step it does nothing but return that.
func (w *World) Task(step flow.Step) func(context.Context, string) (flow.Step, error) {
	return func(ctx context.Context, id string) (flow.Step, error) {
		r, err := w.Run(id)
		if err != nil {
			return "", err
		}
		stands := flow.Next(r)
		if at := r.Deadline(); stands == flow.StepAwait && !w.Clock.Now().Before(at) {
			stands = flow.StepForward
		}
		if stands != step {
			return stands, nil
		}
		if err := w.do(step, r); err != nil {
			return "", err
		}
		return w.Enter(ctx, id)
	}
}

// do does a step, unless it is to fail.
func (w *World) do(step flow.Step, r flow.Run) error {
	w.mu.Lock()
	w.did[r.ID] = append(w.did[r.ID], string(step))
	if w.at[r.ID]++; w.at[r.ID] > 1 {
		w.t.Errorf("two steps of run %s are done at once", r.ID)
	}
	var fault error
	if faults := w.faults[r.ID]; len(faults) > 0 {
		fault, w.faults[r.ID] = faults[0], faults[1:]
	}
	during := w.during[step]
	delete(w.during, step)
	w.mu.Unlock()
	if during != nil {
		during()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at[r.ID]--
	if fault == nil {
		w.runs[r.ID] = after(step, r, w.Clock.Now())
	}
	return fault
}

// tierTime is how long each of the two tiers of a run is waited for.
const tierTime = time.Hour

// after is a run after a step.
func after(step flow.Step, r flow.Run, now time.Time) flow.Run {
	switch step {
	case flow.StepRoute:
		return waiting(r.ID, 0, now)
	case flow.StepForward:
		if r.Tier == 0 {
			return waiting(r.ID, 1, now)
		}
		return flow.Run{ID: r.ID, Created: start, Status: flow.Expired}
	case flow.StepDecide:
		return flow.Run{ID: r.ID, Created: start, Status: flow.Approved}
	}
	return flow.Run{ID: r.ID, Created: start, Status: flow.Deescalated} // nothing is left to do
}

func waiting(id string, tier int, now time.Time) flow.Run {
	tiers := []flow.Tier{{Channel: "#first"}, {Channel: "#second"}}
	tiers[tier].Deadline = now.Add(tierTime)
	return flow.Run{ID: id, Created: start, Status: flow.Requested, Tiers: tiers, Tier: tier}
}

// Await hands in the token of an execution; see workflow.Approval.
func (w *World) Await(_ context.Context, id string, attempt int, token string) (left time.Duration, waits bool, err error) {
	w.mu.Lock()
	before := w.before[flow.StepAwait]
	delete(w.before, flow.StepAwait)
	if attempt < w.attempt[id] {
		w.mu.Unlock()
		return 0, false, flow.Errorf(flow.CodeStale, "execution %d of run %s has taken over", w.attempt[id], id)
	}
	w.attempt[id], w.token[id] = attempt, token
	w.mu.Unlock()
	if before != nil {
		before()
	}
	r, err := w.Run(id)
	if err != nil {
		return 0, false, err
	}
	w.mu.Lock()
	during := w.during[flow.StepAwait]
	delete(w.during, flow.StepAwait)
	w.mu.Unlock()
	if flow.Next(r) != flow.StepAwait {
		return 0, false, nil
	}
	if during != nil {
		during()
	}
	return r.Left(w.Clock.Now()), true, nil
}

// put puts a run where it stands at a step.
func (w *World) put(id string, at flow.Step) {
	r := waiting(id, 0, w.Clock.Now())
	switch at {
	case flow.StepRoute:
		r = flow.Run{ID: id, Created: start, Status: flow.Prompted, Signals: []flow.Signal{{ID: flow.EventID(id, 1), Action: flow.ActionRequest}}}
	case flow.StepDecide:
		r.Signals = []flow.Signal{{ID: flow.EventID(id, 2), Action: flow.ActionApprove}}
	case flow.StepEscalate:
		r = after(flow.StepDecide, r, w.Clock.Now())
	case flow.StepDone:
		r = after(flow.StepEscalate, r, w.Clock.Now())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := flow.Next(r); got != at {
		w.t.Fatalf("the run stands at %s, want %s", got, at)
	}
	w.runs[id] = r
}

// approve has somebody approve a run that waits.
func (w *World) approve(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.runs[id]
	r.Signals = append(slices.Clone(r.Signals), flow.Signal{ID: flow.EventID(id, 2), Action: flow.ActionApprove})
	w.runs[id] = r
}

// tokenOf gives the token that was handed in last.
func (w *World) tokenOf(id string) string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.token[id] == "" {
		w.t.Fatalf("no execution of run %s has handed in a token", id)
	}
	return w.token[id]
}
