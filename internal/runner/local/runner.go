package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/workflow"
)

// Task is what a step does. It returns the next step.
type Task func(ctx context.Context, runID string) (flow.Step, error)

// Runner walks runs through the step table.
type Runner struct {
	Engine *Engine
	// Enter says at which step a run stands.
	Enter Task
	Tasks map[flow.Step]Task
	// Lane names what a step waits for: steps of one lane share places, and don't
	// wait for those of others. If it is nil, all are of one lane.
	Lane  func(ctx context.Context, runID string, step flow.Step) string
	Await func(ctx context.Context, runID string, attempt int, token string) (time.Duration, bool, error)

	mu sync.Mutex
	// walks are under way, by run. The value, if not nil, is the entry of another
	// walk that was asked for meanwhile: it begins when this one ends.
	walks map[string]*entry
}

var _ runner.Runner = (*Runner)(nil)

// execution is a walk that is under way or waits. Its token names the run and the
// attempt, which is all that is needed to go on: so Resume returns ErrGone only for
// tokens that no runner has made.
type execution struct {
	run     string
	attempt int
}

func (x execution) token() string { return fmt.Sprintf("%s-%d", x.run, x.attempt) }

// entry is where a walk begins.
type entry struct {
	execution
	step    flow.Step // "" where the run stands
	retries int       // of that step so far
}

// Start begins a walk.
func (r *Runner) Start(_ context.Context, runID string, attempt int) error {
	r.begin(entry{execution: execution{runID, attempt}})
	return nil
}

// Resume goes on with a walk that waits, or enters where the run stands.
func (r *Runner) Resume(_ context.Context, token string) error {
	i := strings.LastIndexByte(token, '-')
	attempt, err := strconv.Atoi(token[i+1:])
	if i < 0 || err != nil {
		return runner.ErrGone
	}
	r.begin(entry{execution: execution{token[:i], attempt}})
	return nil
}

// begin has a run walked. There is one walk of a run at a time: what comes
// while one is under way is done when that ends.
func (r *Runner) begin(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if next, walking := r.walks[e.run]; walking {
		if next == nil || next.attempt <= e.attempt {
			r.walks[e.run] = &e
		}
		return
	}
	if r.walks == nil {
		r.walks = map[string]*entry{}
	}
	r.walks[e.run] = nil
	r.Engine.Go(enterLane, func(ctx context.Context) { r.walk(ctx, e, enterLane) })
}

// enterLane is where executions find out which step is next, which calls nobody.
const enterLane = "enter"

func (r *Runner) end(run string) {
	r.mu.Lock()
	next := r.walks[run]
	delete(r.walks, run)
	r.mu.Unlock()
	if next != nil {
		r.begin(*next)
	}
}

// walk goes from step to step until one waits, fails or is the last. It goes on in
// another lane if that is where the next step belongs.
func (r *Runner) walk(ctx context.Context, e entry, lane string) {
	onward := false
	defer func() {
		if !onward {
			r.end(e.run)
		}
	}()
	r.Engine.Cancel("await#" + e.run)
	step, retries := e.step, e.retries
	if step == "" {
		var err error
		if step, err = r.Enter(ctx, e.run); err != nil {
			r.Engine.Log.ErrorContext(ctx, "execution could not enter, the sweep starts another", "run", e.run, "error", err)
			return
		}
	}
	for {
		spec, known := flow.Spec(step)
		if !known || step == flow.StepDone {
			return
		}
		if own := r.laneOf(ctx, e.run, step); own != lane && !spec.WaitsForSignal {
			onward = true
			e.step, e.retries = step, retries
			r.Engine.Go(own, func(ctx context.Context) { r.walk(ctx, e, own) })
			return
		}
		next, err := r.take(ctx, e.execution, spec)
		if err == errWaits || r.Engine.Stopping() {
			return
		}
		if err != nil {
			r.Engine.Log.WarnContext(ctx, "step failed", "run", e.run, "step", step, "retries", retries, "error", err)
			if pause, ok := retry(spec, err, retries); ok {
				again := entry{e.execution, step, retries + 1}
				r.Engine.After("retry#"+e.run, pause, func(context.Context) { r.begin(again) })
				return
			}
			return
		}
		step, retries = next, 0
	}
}

func (r *Runner) laneOf(ctx context.Context, run string, step flow.Step) string {
	if r.Lane == nil {
		return "step"
	}
	return "step " + r.Lane(ctx, run, step)
}

var errWaits = errors.New("the execution waits")

// take does one step.
func (r *Runner) take(ctx context.Context, x execution, spec flow.StepSpec) (flow.Step, error) {
	if spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, spec.Timeout)
		defer cancel()
	}
	if !spec.WaitsForSignal {
		return r.Tasks[spec.Name](ctx, x.run)
	}
	left, waits, err := r.Await(ctx, x.run, x.attempt, x.token())
	if err != nil {
		return "", err
	}
	if !waits {
		return r.Enter(ctx, x.run)
	}
	r.wait(x, r.Engine.Clock.Now().Add(left), spec)
	return "", errWaits
}

// wait goes on at a time, unless the execution is resumed before.
func (r *Runner) wait(x execution, until time.Time, spec flow.StepSpec) {
	r.Engine.At("await#"+x.run, until, func(context.Context) { r.begin(entry{execution: x, step: spec.OnTimeout}) })
}

// retry says whether, and after which pause, a failed step is tried again, by
// the rules that Step Functions follows for Retry.
func retry(spec flow.StepSpec, err error, retries int) (time.Duration, bool) {
	name := "States.TaskFailed"
	if _, ok := errors.AsType[*workflow.Retry](err); ok {
		name = flow.ErrorRetry
	}
	for _, rule := range spec.Retry {
		if slices.Contains(rule.Errors, name) && retries < rule.MaxAttempts {
			return time.Duration(float64(rule.Interval) * math.Pow(rule.BackoffRate, float64(retries))), true
		}
	}
	return 0, false
}
