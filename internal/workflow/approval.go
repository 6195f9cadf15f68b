package workflow

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Approval has the tasks that collect a decision: route, await, decide and
// forward. It may call customers' code and may not grant.
type Approval struct {
	Runs      store.Runs
	Flows     *store.Flows
	Directory Directory
	Users     store.Users
	Functions Functions
	Handlers  Handlers // nil where no flow has any
	Now       func() time.Time
	// FunctionTimeout bounds one call of a customer's function.
	FunctionTimeout time.Duration
}

func (a Approval) people() People { return People{a.Directory, a.Users} }

func (a Approval) asker() asker { return asker{a.Runs, a.Handlers, a.Now} }

// Retry is the error of a task that should be tried again soon. Its type name
// is what the step table's retry rules match.
type Retry struct{ Cause error }

func (e *Retry) Error() string { return e.Cause.Error() }

// Unwrap gives what went wrong.
func (e *Retry) Unwrap() error { return e.Cause }

// again turns the error of a task into what a runner acts on: those that may
// pass become a [Retry].
func again(err error) error {
	if err == nil || !flow.Retryable(err) {
		return err
	}
	return &Retry{Cause: err}
}

// Await hands in the token of an execution that is about to wait. It returns
// how long the execution may wait at most, or false if there is no reason to
// wait any more: a signal came in the meantime. The error has flow.CodeStale if
// another execution has taken this one's place, which then has to end.
func (a Approval) Await(ctx context.Context, id string, attempt int, token string) (time.Duration, bool, error) {
	r, err := a.Runs.Change(ctx, id, a.Now, func(r flow.Run) (flow.Input, error) {
		return flow.Wait{Attempt: attempt, Token: token}, nil
	})
	if flow.CodeOf(err) == flow.CodeStale && r.Execution.Attempt == attempt {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, again(err)
	}
	return r.Left(a.Now()), true, nil
}
