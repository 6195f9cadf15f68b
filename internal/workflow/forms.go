package workflow

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Forms asks the handlers of a flow about the form that a person opens. The
// Slack app calls Open once the run is stored, and before it shows the form.
type Forms struct {
	Runs     store.Runs
	Flows    *store.Flows
	Handlers Handlers
	Fields   FormHandlers
	Now      func() time.Time
}

// FormHandlers runs the handlers of forms: options that are fetched, and fields
// that depend on others. An error has flow.CodeHandler if they fail; its
// message is for the person who fills in the form.
type FormHandlers interface {
	// Prefetch gives the options of a field: at most 1,000, of 55 characters.
	Prefetch(ctx context.Context, c HandlerCall, field string) ([]flow.Option, error)
	// OnChange gives the form as it is to be after a field's value has changed.
	OnChange(ctx context.Context, f *flow.Flow, field, username string, form flow.OpenForm) (flow.OpenForm, error)
}

// Open asks on_prompt whether the form of a run may be shown. The error is for
// the person who asked for the form: it has flow.CodeIgnored if the hook
// ignored the request, and the hook's own code if it failed. Both are recorded,
// and the form can't be submitted any more. An error with flow.CodeUnavailable
// is not recorded: asking again may help.
func (m Forms) Open(ctx context.Context, f *flow.Flow, r flow.Run) (flow.Run, error) {
	a := asker{runs: m.Runs, handlers: m.Handlers, now: m.Now}
	if reason, ok := r.Dismissed(); ok {
		return r, errorOf(reason)
	}
	if r.Coming == nil {
		return r, nil // the hook has been asked, or the flow has none
	}
	e, ok := r.Event(r.Coming.EventID)
	if !ok || e.Name != flow.EventPrompt {
		return r, nil
	}
	if r.Coming.Result != nil {
		return r, nil // it was asked, and had nothing against it
	}
	heard, err := a.call(ctx, f, r, e, f.Handlers(flow.HookBefore(e.Name)))
	if err != nil {
		return r, err
	}
	reason := weigh(f, r, e.Name, heard).against()
	if reason == nil {
		// Only with this answer can the form be submitted, and is after_prompt
		// called.
		r, err = a.keep(ctx, r, e.ID, flow.Result{Answer: &flow.Answer{}})
		return r, err
	}
	r, err = m.Runs.Change(ctx, r.ID, m.Now, func(flow.Run) (flow.Input, error) { return flow.Dismiss{Reason: *reason}, nil })
	if err != nil {
		return r, err
	}
	return r, errorOf(*reason)
}

// Show gives the form of a run as it is to be shown first, with the options of
// its fields with prefetch, and keeps it. If a reducer fails, the form is
// dismissed as it is by on_prompt: the error is recorded, and is for the person
// who asked. An error with flow.CodeUnavailable does not dismiss it.
func (m Forms) Show(ctx context.Context, f *flow.Flow, r flow.Run) (flow.OpenForm, error) {
	if form, _, err := m.kept().Get(ctx, r.ID); flow.CodeOf(err) != flow.CodeStale {
		return form, err // it was shown before
	}
	var fields []string
	for _, p := range f.Fields() {
		if p.Prefetch {
			fields = append(fields, p.Name)
		}
	}
	options := make([][]flow.Option, len(fields))
	errs := make([]error, len(fields))
	var fetching sync.WaitGroup
	for i, field := range fields {
		fetching.Go(func() { options[i], errs[i] = m.Options(ctx, f, r, field) })
	}
	fetching.Wait()
	prefetched := map[string][]flow.Option{}
	for i, field := range fields {
		if errs[i] != nil {
			return flow.OpenForm{}, m.dismiss(ctx, r, field, errs[i])
		}
		prefetched[field] = options[i]
	}
	form := f.OpenForm(prefetched)
	err := m.kept().Put(ctx, r.ID, form, 0)
	if errors.Is(err, store.ErrConflict) { // it was shown before
		form, _, err = m.kept().Get(ctx, r.ID)
	}
	return form, err
}

// dismiss records that a form can't be shown, unless asking again may help.
func (m Forms) dismiss(ctx context.Context, r flow.Run, field string, cause error) error {
	if flow.Retryable(cause) {
		return cause
	}
	reason := flow.FailureOf(cause)
	reason.Handler, reason.Step = flow.Prefetch(field), flow.EventPrompt
	_, err := m.Runs.Change(ctx, r.ID, m.Now, func(flow.Run) (flow.Input, error) { return flow.Dismiss{Reason: reason}, nil })
	return errors.Join(cause, err)
}

func (m Forms) kept() store.Forms { return store.Forms{Store: m.Runs.Store, Now: m.Now} }

// Options gives what a field with prefetch offers in the form of a run.
func (m Forms) Options(ctx context.Context, f *flow.Flow, r flow.Run, field string) ([]flow.Option, error) {
	if m.Fields == nil {
		return nil, noPython(f)
	}
	e := flow.Event{ID: cmp.Or(r.ID, flow.NewRunID()), Name: flow.EventPrompt, Actor: r.Requester, Channel: r.Source, At: r.Created}
	return m.Fields.Prefetch(ctx, HandlerCall{Flow: f, Run: r, Event: e}, field)
}

// Form gives the form of a run as it is now.
func (m Forms) Form(ctx context.Context, runID string) (flow.OpenForm, error) {
	form, _, err := m.kept().Get(ctx, runID)
	return form, err
}

// Change calls the on_change handlers of fields, one after the other, with the
// form that a person has filled in with the values, and keeps the result. It
// returns the form as it was filled in, and as it is to be shown now.
func (m Forms) Change(ctx context.Context, runID string, who flow.Actor, fields []string, values map[string]any) (filled, changed flow.OpenForm, err error) {
	r, err := m.Runs.Get(ctx, runID)
	if err != nil {
		return filled, changed, err
	}
	if !r.Requester.Is(who) {
		return filled, changed, flow.Errorf(flow.CodeForbidden, "this form was opened by somebody else")
	}
	if r.Status != flow.Prompted {
		return filled, changed, flow.Errorf(flow.CodeStale, "this form was submitted already")
	}
	f, err := m.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if err != nil {
		return filled, changed, err
	}
	if m.Fields == nil {
		return filled, changed, noPython(f)
	}
	for range maxFormWrites {
		before, rev, err := m.kept().Get(ctx, runID)
		if err != nil {
			return filled, changed, err
		}
		filled = f.Fill(before, values)
		changed = filled
		for _, field := range fields {
			made, err := m.Fields.OnChange(ctx, f, field, r.Requester.Email, changed)
			if err == nil {
				changed, err = f.Change(changed, made)
			}
			if err != nil {
				return filled, filled, err
			}
		}
		err = m.kept().Put(ctx, runID, changed, rev)
		if !errors.Is(err, store.ErrConflict) {
			return filled, changed, err
		}
	}
	return filled, changed, flow.Errorf(flow.CodeBusy, "the form changes too fast: try again")
}

// maxFormWrites is how often a change of a form starts anew because of another
// change.
const maxFormWrites = 3
