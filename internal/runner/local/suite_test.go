package local

import (
	"context"
	"log/slog"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner"
	"github.com/symflows/symflows/internal/runner/runnertest"
)

func TestRunner(t *testing.T) {
	t.Parallel()
	runnertest.Run(t, func(t testing.TB, w *runnertest.World) (runner.Runner, func()) {
		e := &Engine{Clock: w.Clock, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { e.Run(ctx); close(done) }()
		t.Cleanup(func() { cancel(); <-done })
		r := &Runner{Engine: e, Enter: w.Enter, Await: w.Await, Tasks: map[flow.Step]Task{}}
		for _, spec := range flow.Steps {
			r.Tasks[spec.Name] = w.Task(spec.Name)
		}
		return r, func() {
			if err := e.Idle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
