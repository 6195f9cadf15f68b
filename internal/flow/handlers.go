package flow

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// The names of handlers (Sym's). Hooks are on_ and after_ and an event's name.
const (
	HandlerPermissions    = "get_permissions"
	HandlerNotifications  = "get_request_notifications"
	HandlerApprovers      = "get_approvers" // deprecated by the two above
	HandlerIdentity       = "get_identity"
	HandlerIdentityLookup = "get_identity_lookup"
	HandlerFlows          = "get_flows"
)

// legacyHandlers are Sym's older reducers. An impl.py that still has them
// works; nothing asks them.
var legacyHandlers = []string{"get_timeout", "get_title", "get_message"}

// hookEvents are the events that hooks know: not cancel, which is the requester's
// own, nor extend_expire, which is part of the end.
var hookEvents = []EventName{
	EventPrompt, EventRequest, EventRequestForward, EventRequestExpire,
	EventApprove, EventDeny, EventEscalate,
	EventExtendRequest, EventExtend, EventExtendDeny, EventDeescalate, EventReview,
}

// HookBefore is the hook that is asked before an event takes place.
func HookBefore(e EventName) string { return "on_" + string(e) }

// HookAfter is the hook that is told of an event once it is durable.
func HookAfter(e EventName) string { return "after_" + string(e) }

// Prefetch is how the runner names the reducer of a field's options.
func Prefetch(field string) string { return "prefetch:" + field }

// OnChange is the function of a field's on_change source.
func OnChange(field string) string { return "on_change_" + strings.ReplaceAll(field, "-", "_") }

// StrategyClass begins how the runner names a class that extends
// AccessStrategy.
const StrategyClass = "strategy:"

// handlerNames are those that an implementation may define, its prefetch
// reducers excepted.
func handlerNames() []string {
	names := []string{
		HandlerPermissions, HandlerNotifications, HandlerApprovers,
		HandlerIdentity, HandlerIdentityLookup,
	}
	for _, e := range hookEvents {
		names = append(names, HookBefore(e), HookAfter(e))
	}
	return append(names, legacyHandlers...)
}

// Handlers picks those of the names that the flow may define as handlers, in
// their order. It returns none if the flow has no implementation.
func (f *Flow) Handlers(names ...string) []string {
	known := handlerNames()
	return slices.DeleteFunc(slices.Clone(names), func(h string) bool {
		return !f.Implementation.Defines(h) || !slices.Contains(known, h)
	})
}

// Result is the outcome of customers' code, kept under the signal or the step
// that it ran for.
type Result struct {
	Output json.RawMessage `json:"output,omitempty"` // of a function
	// Invoked says that there was a function to ask, and that it was.
	Invoked bool     `json:"invoked,omitempty"`
	Answer  *Answer  `json:"answer,omitempty"` // of handlers
	Error   *Failure `json:"error,omitempty"`
}

// FunctionAsked tells whether the step's function was invoked. Results that
// were kept before there were handlers are a function's.
func (r *Result) FunctionAsked() bool { return r != nil && (r.Invoked || r.Answer == nil) }

// Hook is what the step's hook returned, and nil if it returned nothing.
func (r *Result) Hook() *HookAnswer {
	if r == nil || r.Answer == nil {
		return nil
	}
	return r.Answer.Hook
}

// Coming is a step that no signal stands for, before it is begun.
type Coming struct {
	EventID string  `json:"event_id"` // reserved
	Result  *Result `json:"result,omitempty"`
}

// AfterCall is customers' code to run after an event.
type AfterCall struct {
	EventID string    `json:"event_id"`
	Event   EventName `json:"event"`
	// Failed says that it has failed, and Stuck that it waits for somebody to press
	// Retry. Invoked is that the function worked, and only the hook did not.
	Failed  bool `json:"failed,omitempty"`
	Stuck   bool `json:"stuck,omitempty"`
	Invoked bool `json:"invoked,omitempty"`
}

// Keep saves what customers' code answered, before it is applied: for a signal,
// for the grant that is coming, or for a removal that has begun. The first
// answer stays; that of a function goes beside that of the handlers.
type Keep struct {
	EventID string // the signal's, or the one reserved for the step
	Result  Result
}

func (in Keep) apply(r *Run, _ time.Time) error {
	in.Result.Output = clipOutput(in.Result.Output)
	slot := r.resultSlot(in.EventID)
	switch {
	case slot == nil:
		return stale
	case *slot == nil:
		*slot = &in.Result
	case (*slot).FunctionAsked() || !in.Result.Invoked:
		return ErrUnchanged
	default:
		in.Result.Answer = (*slot).Answer
		*slot = &in.Result
	}
	return nil
}

// resultSlot finds where the result for an event that is yet to be is kept. It
// returns nil if there is no such event.
func (r *Run) resultSlot(eventID string) **Result {
	if i := slices.IndexFunc(r.Signals, func(s Signal) bool { return s.ID == eventID }); i >= 0 {
		return &r.Signals[i].Result
	}
	switch {
	case eventID == "":
	case r.Coming != nil && r.Coming.EventID == eventID:
		return &r.Coming.Result
	case r.Access != nil && r.Access.Removal.EventID == eventID && r.Access.Live():
		return &r.Access.Removal.Result
	}
	return nil
}

// ResultFor is what customers' code answered for an event that is yet to be. It
// returns nil if the code was not asked.
func (r *Run) ResultFor(eventID string) *Result {
	if slot := r.resultSlot(eventID); slot != nil {
		return *slot
	}
	return nil
}

// After records what customers' code, run after an event, came to. Where it failed, it
// waits for [Retry].
type After struct {
	EventID string
	Result  Result
}

func (in After) apply(r *Run, _ time.Time) error {
	i := slices.IndexFunc(r.After, func(a AfterCall) bool { return a.EventID == in.EventID })
	if i < 0 {
		return ErrUnchanged
	}
	call := r.After[i]
	if call.Stuck {
		return ErrUnchanged // an earlier execution's
	}
	failure := in.Result.Error
	if failure == nil {
		r.After = slices.Delete(r.After, i, i+1)
	} else {
		r.After[i].Failed, r.After[i].Stuck = true, true
		r.After[i].Invoked = call.Invoked || in.Result.Invoked && failure.Handler != ""
	}
	if len(in.Result.Output) == 0 && failure == nil && !call.Failed {
		return nil // nothing to tell
	}
	r.amend(in.EventID, func(e *Event) {
		if len(in.Result.Output) > 0 {
			e.Output = addOutput(HookAfter(call.Event), clipOutput(in.Result.Output), e.Output)
		}
		if failure != nil {
			e.Errors = slices.Clone(e.Errors)
			if call.Failed { // once more, or otherwise
				e.Errors = e.Errors[:len(e.Errors)-1]
			}
			e.Errors = append(e.Errors, *failure)
		}
	})
	return nil
}

// StuckAfter lists the events after which customers' code has failed that waits for
// Retry.
func (r *Run) StuckAfter() []string {
	var events []string
	for _, a := range r.After {
		if a.Stuck {
			events = append(events, a.EventID)
		}
	}
	return events
}

// callAgain has all that failed after events run once more.
func (r *Run) callAgain(who Actor, now time.Time) {
	for _, id := range r.StuckAfter() {
		r.amend(id, func(e *Event) { e.retriedBy(who, now) })
	}
	for i := range r.After {
		r.After[i].Stuck = false
	}
}

// retriedBy notes who has had it tried again what the event says has failed.
func (e *Event) retriedBy(who Actor, now time.Time) {
	e.set(KeyRetriedBy, who.Display())
	e.set(KeyRetriedAt, now.Format(time.RFC3339Nano))
}

// then notes that a hook is to be told of an event, if the flow has it.
func (r *Run) then(name EventName, id string, hooks []string) {
	if slices.Contains(hooks, HookAfter(name)) {
		r.After = append(r.After, AfterCall{EventID: id, Event: name})
	}
}

// reserveGrant reserves the event of the grant, if a hook is to be asked about it.
func (r *Run) reserveGrant(hooks []string) {
	if !r.ApprovalOnly && slices.Contains(hooks, HookBefore(EventEscalate)) {
		r.Coming = &Coming{EventID: r.nextID()}
	}
}

// addOutput puts an answer under the name of the handler that gave it.
func addOutput(name string, answer, before json.RawMessage) json.RawMessage {
	m := map[string]json.RawMessage{}
	_ = json.Unmarshal(before, &m) // ours, or empty
	m[name] = answer
	b, err := EncodeJSON(m)
	if err != nil {
		return before
	}
	return b
}
