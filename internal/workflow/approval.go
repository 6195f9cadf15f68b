package workflow

import (
	"context"
	"log/slog"
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
	Lingering store.Lingering
	Functions Functions
	Handlers  Handlers // nil where no flow has any
	// Bound checks what hooks fill into targets; nil: there is nothing to check.
	Bound   CheckBound
	Notices store.Notices
	Now     func() time.Time
	// FunctionTimeout bounds one call of a customer's function.
	FunctionTimeout time.Duration
	Log             *slog.Logger
	// Emergency, if it is not nil, is called when access was granted without approval.
	Emergency func()
}

func (a Approval) people() People { return People{a.Directory, a.Users} }

// broke tells operators of an emergency that has just been granted.
func (a Approval) broke(ctx context.Context, r flow.Run) {
	a.Log.WarnContext(ctx, "access is granted without approval, in an emergency", "run", r.ID, "flow", r.Flow)
	if a.Emergency != nil {
		a.Emergency()
	}
}

func (a Approval) asker() asker { return asker{a.Runs, a.Handlers, a.Bound, a.Now} }

// Retry is the error of a task that should be tried again soon. Its type name
// is what the step table's retry rules match.
type Retry struct{ Cause error }

func (e *Retry) Error() string { return e.Cause.Error() }

// Unwrap gives what went wrong.
func (e *Retry) Unwrap() error { return e.Cause }

// again turns the error of a task into the one that a runner acts on: an error
// that may pass becomes a [Retry].
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

// consult asks handlers about an event that a signal will become. It returns a
// nil verdict if the step must not go on, because the signal has been dealt
// with: a signal that they ignore is refused with their reason, and if they
// fail, the function failed says what becomes of it.
func (a Approval) consult(
	ctx context.Context, f *flow.Flow, r flow.Run, e flow.Event,
	failed func(context.Context, flow.Run, flow.Event, flow.Failure) (flow.Run, error), handlers ...string,
) (flow.Run, *verdict, error) {
	r, v, err := a.asker().hear(ctx, f, r, e, handlers...)
	switch {
	case err != nil:
		return r, nil, err
	case v.failed != nil:
		r, err = failed(ctx, r, e, *v.failed)
		return r, nil, err
	case v.ignored != nil:
		r, err = a.settle(ctx, r.ID, e.ID, flow.Refuse{SignalID: e.ID, Reason: *v.ignored, Ignored: true})
		return r, nil, err
	}
	return r, &v, nil
}

// hold records that a handler kept a signal from being taken: it waits for
// somebody to press Retry. An emergency does not.
func (a Approval) hold(ctx context.Context, r flow.Run, e flow.Event, reason flow.Failure) (flow.Run, error) {
	if s, _ := r.Head(); r.BreakGlass != nil && s.ID == e.ID && s.Action == flow.ActionRequest {
		reason.Retryable = false
		return a.notFoundOut(ctx, r.ID, s, reason)
	}
	r, err := a.Runs.Change(ctx, r.ID, a.Now, func(r flow.Run) (flow.Input, error) {
		return flow.Fail{Step: e.Name, SignalID: e.ID, Reason: reason}, nil
	})
	if flow.CodeOf(err) == flow.CodeStale { // another execution took it meanwhile
		return a.Runs.Get(ctx, r.ID)
	}
	return r, err
}

// refuse takes the signal off the run, and records the reason.
func (a Approval) refuse(ctx context.Context, r flow.Run, e flow.Event, reason flow.Failure) (flow.Run, error) {
	return a.settle(ctx, r.ID, e.ID, flow.Refuse{SignalID: e.ID, Reason: reason})
}

// settle applies an input that takes the signal. A decision that turns out not
// to be legal (any more) is refused, which records that somebody tried.
func (a Approval) settle(ctx context.Context, id string, signalID string, in flow.Input) (flow.Run, error) {
	return a.Runs.Change(ctx, id, a.Now, func(r flow.Run) (flow.Input, error) {
		if head, ok := r.Head(); !ok || head.ID != signalID {
			return nil, flow.ErrUnchanged
		}
		if _, err := flow.Apply(r, in, a.Now()); refusal(err) {
			return flow.Refuse{SignalID: signalID, Reason: flow.FailureOf(err)}, nil
		}
		return in, nil
	})
}

// refusal tells whether an error is a "no" rather than a fault.
func refusal(err error) bool {
	return err != nil && !flow.Retryable(err)
}
