package workflow

import (
	"cmp"
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// patience is how long a step waits for the directory, or for the function that
// runs handlers, while they do not answer. Then the step fails, so that later
// signals have their turn.
const patience = 5 * time.Minute

// asker asks the handlers of steps, each once: their answer is kept with the
// step before anything follows from it.
type asker struct {
	runs     store.Runs
	handlers Handlers
	bound    CheckBound
	now      func() time.Time
}

// hear asks those of the handlers that the flow may define about an event that
// is under way, and returns what follows for it: an empty verdict if there are
// none. An error means that they could not be asked, and that asking again may
// help.
func (a asker) hear(ctx context.Context, f *flow.Flow, r flow.Run, e flow.Event, handlers ...string) (flow.Run, verdict, error) {
	r, result, err := a.ask(ctx, f, r, e, handlers...)
	if err != nil || result == nil {
		return r, verdict{}, err
	}
	v := weigh(f, r.At(e.ID), e.Name, *result)
	if v.terms != nil && v.terms.Target != nil && a.bound != nil {
		if err := a.bound(*f.Strategy, *v.terms.Target); err != nil {
			failure := failureOf(flow.Errorf(flow.CodeHandler, "%s returned what can't be granted: %s", flow.HookBefore(e.Name), flow.UserMessage(err)), e.Name)
			v = verdict{failed: &failure}
		}
	}
	return r, v, nil
}

// ask returns what the handlers answered, or nil if the flow has none of them.
// Only answers that may be followed are kept, so that Retry asks again.
func (a asker) ask(ctx context.Context, f *flow.Flow, r flow.Run, e flow.Event, handlers ...string) (flow.Run, *flow.Result, error) {
	if kept := r.ResultFor(e.ID); kept != nil && kept.Answer != nil {
		return r, kept, nil
	}
	if handlers = f.Handlers(handlers...); len(handlers) == 0 {
		return r, nil, nil
	}
	result, err := a.call(ctx, f, r, e, handlers)
	if err != nil || result.Error != nil || result.Hook().Check(e.Name) != nil {
		return r, &result, err
	}
	if result.Answer == nil {
		result.Answer = &flow.Answer{}
	}
	if r, err = a.keep(ctx, r, e.ID, result); err != nil {
		return r, nil, err
	}
	if kept := r.ResultFor(e.ID); kept != nil {
		return r, kept, nil // the answer of the execution that was first
	}
	return r, &result, nil
}

// keep saves an answer, unless there is one already. It returns nil if the step
// is over, for then the answer is not needed.
func (a asker) keep(ctx context.Context, r flow.Run, eventID string, result flow.Result) (flow.Run, error) {
	r, err := a.runs.Change(ctx, r.ID, a.now, func(flow.Run) (flow.Input, error) {
		return flow.Keep{EventID: eventID, Result: result}, nil
	})
	if flow.CodeOf(err) == flow.CodeStale {
		return r, nil
	}
	return r, err
}

// noPython returns the error of a deployment that can't run handlers.
func noPython(f *flow.Flow) error {
	return flow.Errorf(flow.CodeHandler, "flow %q has handlers, and this deployment can't run Python", f.Name)
}

// call asks handlers. If they can't be asked, it returns an error until
// patience is over, and a failed result from then on.
func (a asker) call(ctx context.Context, f *flow.Flow, r flow.Run, e flow.Event, handlers []string) (flow.Result, error) {
	return a.callSince(ctx, f, r, e, e.At, handlers)
}

// callSince is call for an event of another time than that of what waits for
// the answer.
func (a asker) callSince(ctx context.Context, f *flow.Flow, r flow.Run, e flow.Event, since time.Time, handlers []string) (flow.Result, error) {
	if a.handlers == nil {
		failure := failureOf(noPython(f), e.Name)
		return flow.Result{Error: &failure}, nil
	}
	result, err := a.handlers.Handle(ctx, HandlerCall{Flow: f, Run: r, Event: e}, handlers)
	if err != nil && (!flow.Retryable(err) || a.now().Sub(since) >= patience) {
		failure := failureOf(err, e.Name)
		return flow.Result{Error: &failure}, nil
	}
	return result, err
}

// failureOf returns what a run keeps of a hook that could not be asked, or that
// returned what it may not.
func failureOf(err error, asked flow.EventName) flow.Failure {
	failure := flow.FailureOf(err)
	failure.Handler, failure.Step = flow.HookBefore(asked), asked
	return failure
}

// verdict is what follows from handlers' answers for a step. With failed or
// ignored the step must not be done, and the rest is empty.
type verdict struct {
	failed  *flow.Failure // a handler failed, or returned what it may not
	ignored *flow.Failure // nothing happens, and the actor is told why
	ruling  *flow.Ruling
	terms   *flow.Terms
	fields  map[string]any // of the event itself
	answer  flow.Answer    // of all handlers that were asked
}

// against returns why the step must not be done, or nil if it may be.
func (v verdict) against() *flow.Failure { return cmp.Or(v.failed, v.ignored) }

// weigh turns what the handlers returned before an event into what follows for
// it.
func weigh(f *flow.Flow, r flow.Run, asked flow.EventName, result flow.Result) verdict {
	failed := func(err error) verdict {
		failure := failureOf(err, asked)
		return verdict{failed: &failure}
	}
	hook := result.Hook()
	if result.Error != nil {
		return verdict{failed: result.Error}
	}
	if err := hook.Check(asked); err != nil {
		return failed(err)
	}
	if hook.Ignores() {
		reason := hook.Reason(asked)
		return verdict{ignored: &reason}
	}
	terms, fields, err := f.Terms(r, asked, hook)
	if err != nil {
		return failed(err)
	}
	v := verdict{terms: terms}
	if hook.Replaces(asked) {
		v.ruling = &flow.Ruling{Event: hook.Event, Fields: fields}
	} else {
		v.fields = fields
	}
	if result.Answer != nil {
		v.answer = *result.Answer
	}
	return v
}

// errorOf returns the error that tells of a failure.
func errorOf(f flow.Failure) error { return &flow.Error{Code: f.Code, Message: f.Message} }

// underway returns the event that a signal will become.
func underway(r flow.Run, s flow.Signal) flow.Event {
	e := flow.Event{ID: s.ID, Name: r.EventOf(s), Actor: s.Actor, Channel: s.Channel, At: s.At, Via: s.Via}
	switch {
	case e.Name == flow.EventRequestForward:
		e.Fields = map[string]any{flow.KeyForwardReason: string(s.Action)}
		if s.Message != "" {
			e.Fields[flow.KeyForwardMessage] = s.Message
		}
	case s.Action == flow.ActionExtendRequest:
		e.Fields = map[string]any{flow.KeyExtendBy: s.Seconds}
		if s.Message != "" {
			e.Fields[flow.KeyExtendReason] = s.Message
		}
	case s.Message != "":
		e.Fields = map[string]any{flow.KeyDecisionMessage: s.Message}
	}
	return e
}
