// Package runner is the port to what walks runs through the steps of flow.Steps:
// Step Functions (runner/stepfn), or this process (runner/local). Both run the
// suite of runner/runnertest.
//
// Executions are disposable. They carry a run's id and nothing else, enter where
// the run stands (flow.Next), and when one is lost, another is started.
package runner

import (
	"context"
	"errors"
)

// ErrGone says that no execution waits with that token any more: it was resumed
// before and is at work, or its time is over, or it has ended. Start a new one
// only when the run is overdue.
var ErrGone = errors.New("runner: no execution waits with that token")

// Runner starts and resumes executions. An execution does the steps that the run
// needs, one after the other, repeats a step that fails as flow.Steps says, and
// stops where the run waits, where nothing is left to do or where repeating is
// of no use. A step that waits goes on when it is resumed, or when the time is
// over.
//
// The methods are safe for concurrent use. They return before the execution has
// done anything. Any error but ErrGone may pass: try the same call again.
type Runner interface {
	// Start begins execution <runID>-<attempt>. It returns nil if one of that
	// name was started before, whether it is at work, waits or has ended; what
	// the run has behind it is not done again.
	Start(ctx context.Context, runID string, attempt int) error
	// Resume wakes the execution that waits with the token, which a step hands
	// in (workflow.Approval) just before the wait begins: from then on no Resume
	// is lost, even if the wait has not begun. It returns ErrGone for a token
	// that was never handed in. For one whose wait is over it returns ErrGone or
	// nil, as the implementation can tell, and no step is done again.
	Resume(ctx context.Context, token string) error
}
