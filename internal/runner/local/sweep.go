package local

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/workflow"
)

// Sweeper sweeps every minute.
type Sweeper struct {
	Engine *Engine
	Sweep  workflow.Sweep
}

// every is how often the sweep comes by; in AWS a schedule has the same rate.
const every = time.Minute

// Start begins.
func (s Sweeper) Start() { s.Engine.Go("sweep", s.once) }

func (s Sweeper) once(ctx context.Context) {
	if _, err := s.Sweep.Run(ctx); err != nil {
		s.Engine.Log.ErrorContext(ctx, "sweep was not complete, the next one repeats it", "error", err)
	}
	s.Engine.After("sweep", every, func(context.Context) { s.Start() })
}
