package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
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
	Await func(ctx context.Context, runID string, attempt int, token string) (time.Duration, bool, error)
}

var _ runner.Runner = (*Runner)(nil)

// execution is a walk that is under way or waits. Its token says all there is
// to know of it, so that none is ever gone.
type execution struct {
	run     string
	attempt int
}

func (x execution) token() string { return fmt.Sprintf("%s-%d", x.run, x.attempt) }

// Start begins a walk.
func (r *Runner) Start(_ context.Context, runID string, attempt int) error {
	r.enter(execution{runID, attempt})
	return nil
}

// Resume goes on with a walk that waits.
func (r *Runner) Resume(_ context.Context, token string) error {
	i := strings.LastIndexByte(token, '-')
	attempt, err := strconv.Atoi(token[i+1:])
	if i < 0 || err != nil {
		return runner.ErrGone
	}
	x := execution{token[:i], attempt}
	r.Engine.Cancel("await#" + x.run)
	r.enter(x)
	return nil
}

func (r *Runner) enter(x execution) {
	r.Engine.Go(func(ctx context.Context) {
		step, err := r.Enter(ctx, x.run)
		if err != nil {
			r.Engine.Log.ErrorContext(ctx, "execution could not enter, the sweep starts another", "run", x.run, "error", err)
			return
		}
		r.walk(ctx, x, step, 0)
	})
}

// walk goes from step to step until one waits, fails or is the last. Retries
// says how often the first one has been tried again.
func (r *Runner) walk(ctx context.Context, x execution, step flow.Step, retries int) {
	for {
		spec, known := flow.Spec(step)
		if !known || step == flow.StepDone {
			return
		}
		next, err := r.take(ctx, x, spec)
		if err == errWaits || r.Engine.Stopping() {
			return
		}
		if err != nil {
			r.Engine.Log.WarnContext(ctx, "step failed", "run", x.run, "step", step, "retries", retries, "error", err)
			if pause, ok := retry(spec, err, retries); ok {
				r.Engine.At("retry#"+x.token(), r.Engine.Clock.Now().Add(pause), func(ctx context.Context) {
					r.walk(ctx, x, step, retries+1)
				})
				return
			}
			next = spec.OnError
		}
		step, retries = next, 0
	}
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
	r.Engine.At("await#"+x.run, until, func(ctx context.Context) { r.walk(ctx, x, spec.OnTimeout, 0) })
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
