package workflow

import (
	"context"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Relay reads the change feed and drives the runs that changed.
type Relay struct{ Drive Drive }

// Handle takes one change. An error asks for the same change again.
func (x Relay) Handle(ctx context.Context, c store.Change) error {
	id, ok := runOf(c)
	if !ok {
		return nil
	}
	err := x.Drive.Run(ctx, id, false, 0)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return nil
	}
	return err
}

// runOf gives the run that changed; false: it was something else.
func runOf(c store.Change) (string, bool) { return store.KindRun.Name(c.Key) }
