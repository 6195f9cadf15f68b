package workflow

import (
	"context"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Forms asks the handlers of a flow about the form that somebody opens. Whoever
// shows forms asks Open once the run is there, and before anything is shown.
type Forms struct {
	Runs     store.Runs
	Handlers Handlers
	Fields   FormHandlers
	Now      func() time.Time
}

// Open asks on_prompt whether the form of a run may be shown. An error is for
// the eyes of whoever asked for the form: the hook ignored it, with
// flow.CodeIgnored, or failed. It is recorded, and the form can't be submitted
// then. An error of flow.CodeUnavailable is not: asking again may help.
func (m Forms) Open(ctx context.Context, f *flow.Flow, r flow.Run) (flow.Run, error) {
	a := asker{m.Runs, m.Handlers, m.Now}
	if reason, ok := r.Dismissed(); ok {
		return r, &flow.Error{Code: reason.Code, Message: reason.Message}
	}
	if r.Coming == nil {
		return r, nil // nobody has to be asked, or was
	}
	e, ok := r.Event(r.Coming.EventID)
	if !ok || e.Name != flow.EventPrompt {
		return r, nil
	}
	if r.Coming.Result != nil {
		return r, nil // it was asked, and had nothing against it
	}
	heard, err := a.call(ctx, f, r, e, f.Defined(flow.HookBefore(e.Name)))
	if err != nil {
		return r, err
	}
	reason := heard.Error
	if reason == nil {
		err := heard.Hook().Check(e.Name)
		var v verdict
		if err == nil {
			v, err = weigh(f, r, e.Name, &heard)
		}
		reason = v.ignored
		if err != nil {
			failure := failureOf(err, e.Name)
			reason = &failure
		}
	}
	if reason == nil {
		// Only this lets the form be submitted, and after_prompt hear of it.
		r, err = a.keep(ctx, r, e.ID, flow.Result{Answer: &flow.Answer{}})
		return r, err
	}
	r, err = m.Runs.Change(ctx, r.ID, m.Now, func(flow.Run) (flow.Input, error) { return flow.Dismiss{Reason: *reason}, nil })
	if err != nil {
		return r, err
	}
	return r, &flow.Error{Code: reason.Code, Message: reason.Message}
}

// Options gives what a field with prefetch offers to whoever has the form of a
// run.
func (m Forms) Options(ctx context.Context, f *flow.Flow, r flow.Run, field string) ([]Option, error) {
	e := flow.Event{ID: r.ID, Name: flow.EventPrompt, Actor: r.Requester, Channel: r.Source, At: r.Created}
	return m.Fields.Prefetch(ctx, HandlerCall{Flow: f, Run: r, Event: e}, field)
}

// Changed gives the form as a field's on_change makes it.
func (m Forms) Changed(ctx context.Context, f *flow.Flow, field string, who flow.Actor, form Form) (Form, error) {
	return m.Fields.OnChange(ctx, f, field, who.Email, form)
}
