// Package runner is the port to whatever walks runs through the steps of
// flow.Steps: Step Functions (runner/stepfn), or this process (runner/local).
// Executions are disposable. They carry a run's id and nothing else, enter by
// flow.Next, and one that is lost is started anew.
package runner

import (
	"context"
	"errors"
)

// ErrGone says that no execution waits with that token any more: it was resumed
// before and is at it, or it timed out or ended. Start a new one only when the
// run is overdue.
var ErrGone = errors.New("runner: no execution waits with that token")

// Runner starts and resumes executions.
type Runner interface {
	// Start begins execution <runID>-<attempt>. One of that name that exists
	// already is no error.
	Start(ctx context.Context, runID string, attempt int) error
	// Resume wakes the execution that waits with the token. Returns ErrGone.
	Resume(ctx context.Context, token string) error
}
