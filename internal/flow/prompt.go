package flow

import (
	"encoding/json"
	"slices"
	"time"
)

// Start makes a new run, of the zero Run.
type Start struct {
	ID            string
	Flow          *Flow
	Requester     Actor
	Asker         *Actor // who asks for the requester; nil: they do
	Owner         *Actor // of the bot's token
	Agent         *Agent // what is known of the agent that asks; nil: none does
	Source        Channel
	SourceChannel string
	Context       json.RawMessage
	RequestDigest string
	Step          string // of a workflow in Slack that asks; "" for none
	Repeats       string // the run that is asked for once more
	// Prompted says that a form was shown; the API shows none.
	Prompted bool
}

func (in Start) apply(r *Run, now time.Time) error {
	if r.ID != "" {
		return Errorf(CodeIllegal, "the run exists already")
	}
	*r = Run{
		ID: in.ID, Org: in.Flow.Org, Flow: in.Flow.Name, FlowVersion: in.Flow.Version, FlowTitle: in.Flow.Title(),
		ApprovalOnly: in.Flow.ApprovalOnly(),
		Created:      now, Status: Prompted,
		Requester: in.Requester, Asker: in.Asker, Owner: in.Owner, Source: in.Source, SourceChannel: in.SourceChannel,
		Context: in.Context, RequestDigest: in.RequestDigest, Repeats: in.Repeats, Step: in.Step,
		Form: in.Flow.shownForm(), Agent: in.Agent,
	}
	if in.Agent != nil {
		r.Form = in.Flow.forAgent(r.Form)
	}
	if in.Prompted {
		r.record(Event{ID: r.nextID(), Name: EventPrompt, Actor: in.Requester, Channel: in.Source, At: now, State: StateCompleted})
		hooks := in.Flow.Hooks()
		r.then(EventPrompt, r.Events[0].ID, hooks)
		if slices.Contains(hooks, HookBefore(EventPrompt)) {
			r.Coming = &Coming{EventID: r.Events[0].ID}
		}
	}
	return nil
}

// Dismiss closes a form that a hook did not let be shown, because it ignored the
// prompt or failed. Its requester is told why, and it can't be submitted.
type Dismiss struct{ Reason Failure }

func (in Dismiss) apply(r *Run, _ time.Time) error {
	e, prompted := r.promptEvent()
	switch {
	case prompted && e.State != StateCompleted:
		return ErrUnchanged
	case r.Status != Prompted || !prompted || len(r.Signals) > 0:
		return Errorf(CodeIllegal, "there is no open form of this run")
	}
	r.amend(e.ID, func(e *Event) {
		e.State, e.Errors = StateInProgress, []Failure{in.Reason}
		if in.Reason.Code == CodeIgnored {
			e.State = StateIntercepted
		}
	})
	r.Coming = nil
	r.After = slices.DeleteFunc(r.After, func(a AfterCall) bool { return a.EventID == e.ID })
	return nil
}

// promptEvent is the event of the form; false says that there was none.
func (r *Run) promptEvent() (Event, bool) {
	if len(r.Events) > 0 && r.Events[0].Name == EventPrompt {
		return r.Events[0], true
	}
	return Event{}, false
}

// Dismissed tells whether a hook kept the form from being shown, and why.
func (r *Run) Dismissed() (Failure, bool) {
	if e, ok := r.promptEvent(); ok && e.State != StateCompleted {
		return e.Errors[0], true
	}
	return Failure{}, false
}

// awaitsHook tells whether the hook that says who may have the form has yet to
// answer.
func (r *Run) awaitsHook() bool {
	e, prompted := r.promptEvent()
	return prompted && r.Coming != nil && r.Coming.EventID == e.ID && r.Coming.Result == nil
}
