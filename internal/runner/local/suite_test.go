package local

import (
	"context"
	"testing"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/runner/runnertest"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

func TestRunner(t *testing.T) {
	t.Parallel()
	runnertest.Run(t, func(t testing.TB, w *runnertest.World) (runner.Runner, func()) {
		e := runningBy(t, w.Clock)
		r := &Runner{Engine: e, Enter: w.Enter, Await: w.Await, Tasks: map[flow.Step]Task{}}
		for _, spec := range flow.Steps {
			r.Tasks[spec.Name] = w.Task(spec.Name)
		}
		return r, func() { idle(t, e) }
	})
}

func TestRemover_Suite(t *testing.T) {
	t.Parallel()
	workflowtest.Remover(t, func(t *testing.T, clock *clockwork.FakeClock) (workflow.Remover, func() []string) {
		e := runningBy(t, clock)
		done := &journal{}
		r := &Remover{Engine: e, OnTime: func(_ context.Context, id string) error { done.add(id); return nil }}
		return r, func() []string {
			idle(t, e)
			return done.copy()
		}
	})
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	workflowtest.Schedule(t, func(t *testing.T, clock *clockwork.FakeClock) (workflow.Schedule, func() []string) {
		e := runningBy(t, clock)
		done := &journal{}
		r := &Remover{Engine: e, OnTime: func(_ context.Context, id string) error { done.add(id); return nil }}
		return &Schedule{Times: &times{}, Remover: r}, func() []string {
			idle(t, e)
			return done.copy()
		}
	})
}
