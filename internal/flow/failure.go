package flow

import (
	"errors"
	"slices"
	"time"
)

// Failure is an error as a run keeps it: fit for users' eyes, without secrets.
type Failure struct {
	Code    Code      `json:"code"`
	Message string    `json:"message"`
	Step    EventName `json:"step,omitempty"`
	EventID string    `json:"event_id,omitempty"` // the event that records it
	// SignalID is the signal that could not be taken, and waits for Retry.
	SignalID string `json:"signal_id,omitempty"`
	// Handler is the customer's handler that failed, or said no.
	Handler   string    `json:"handler,omitempty"`
	Retryable bool      `json:"retryable,omitempty"`
	Attempts  int       `json:"attempts,omitempty"` // failed ones in a row
	RetryAt   time.Time `json:"retry_at,omitzero"`  // when it is tried again; zero if only Retry does so
}

// FailureOf turns an error into what a run may keep of it.
func FailureOf(err error) Failure {
	return Failure{Code: CodeOf(err), Message: Clip(UserMessage(err), 2000), Retryable: Retryable(err)}
}

// Fail records that granting (EventEscalate), telling targets a later end
// (EventExtend) or taking away (EventDeescalate) did not work. The status stays; the
// run says when it is tried again. Granting stops trying by itself after
// MaxGrantAttempts or when it is of no use; taking away never stops. The steps that take a signal wait for Retry.
type Fail struct {
	Step   EventName
	Reason Failure
	// SignalID is what a request, a forward or an expiry would have taken, had
	// a handler not failed: it waits for Retry, and nothing waits for it.
	SignalID string
	// Again says that a request is tried again by itself, and waits for nobody.
	Again bool
	// Wait is how long the target asks to be left alone; zero if it does not ask.
	// A removal waits for that no longer than after any other failure.
	Wait time.Duration
	// Sick says that the target is: the next attempt waits as one that was put off.
	Sick  bool
	Hooks []string // those that the flow may define
}

func (in Fail) apply(r *Run, now time.Time) error {
	f := in.Reason
	f.Step, f.Attempts = in.Step, 1
	if r.Error != nil && r.Error.Step == in.Step {
		f.Attempts = r.Error.Attempts + 1
	}
	switch in.Step {
	case EventEscalate:
		if r.Status != Approved || r.ApprovalOnly || r.removing() {
			return stale
		}
		if r.Turn = nil; r.Access != nil {
			r.Access.BusyUntil, r.Access.LookAt, r.Access.Waiting = time.Time{}, time.Time{}, nil
		}
		if in.Wait > 0 || in.Sick {
			r.Execution.Active, r.Execution.Token = false, "" // it would not wait that long, and ends here
		}
		if f.Retryable && f.Attempts < MaxGrantAttempts {
			f.RetryAt = now.Add(max(in.Wait, backOff(f.Attempts, 2*time.Second, time.Minute)))
		} else if done, err := r.giveUp(f, in.Hooks, now); done {
			return err
		}
	case EventDeescalate:
		if !r.Access.Live() || !r.removing() {
			return stale
		}
		f.RetryAt = now.Add(max(min(in.Wait, MaxRemovalBackOff), backOff(f.Attempts, 5*time.Second, MaxRemovalBackOff)))
		r.Access.Removal.Owner, r.Access.Removal.Until, r.Access.Waiting = "", time.Time{}, nil
	case EventExtend:
		return r.failTelling(f, in.Wait, now)
	case EventRequest, EventRequestForward, EventRequestExpire:
		s, ok := r.Head()
		from := map[bool]Status{true: Prompted, false: Requested}[in.Step == EventRequest]
		if !ok || s.ID != in.SignalID || r.EventOf(s) != in.Step || r.Status != from {
			return stale
		}
		f.SignalID, f.RetryAt = s.ID, time.Time{}
		if in.Again && in.Step == EventRequest {
			r.Execution.Active = false // it would not wait that long
			f.SignalID, f.RetryAt = "", now.Add(max(in.Wait, backOff(f.Attempts, 5*time.Second, 5*time.Minute)))
		}
		r.Execution.Token = "" // the execution that did it moves on
		r.recordFailure(f, s.Actor, s.Channel, now)
		return nil
	default:
		return Errorf(CodeIllegal, "%q is not a step that fails like this", in.Step)
	}
	if in.Sick {
		r.postpone(in.Step, now)
		if until := r.Postponed.Until; until.After(f.RetryAt) && !f.RetryAt.IsZero() {
			f.RetryAt = until
		}
	} else {
		r.Postponed = nil
	}
	e := r.AccessEvent(in.Step, "", now)
	r.recordFailure(f, e.Actor, e.Channel, now)
	return nil
}

// backOff doubles from first up to most.
func backOff(attempts int, first, most time.Duration) time.Duration {
	for d := first; attempts > 0; attempts-- {
		if d >= most || attempts == 1 {
			return min(d, most)
		}
		d *= 2
	}
	return first
}

// Retry is a person asking for what failed to be tried again now: a step, and customers'
// code that was to run after events.
type Retry struct{ Actor Actor }

func (in Retry) apply(r *Run, now time.Time) error {
	if removal := r.Error != nil && r.Error.Step == EventDeescalate; removal || len(r.StuckAfter()) == 0 {
		return in.step(r, now) // who may hurry a removal may not therefore run something else
	}
	if r.Size > MaxRunBytes {
		return full
	}
	r.callAgain(in.Actor, now)
	if err := in.step(r, now); !errors.Is(err, ErrUnchanged) && !errors.Is(err, stale) {
		return err
	}
	return nil
}

// step has the run's failed step tried again.
func (in Retry) step(r *Run, now time.Time) error {
	if r.Error == nil {
		return ErrUnchanged
	}
	if r.Error.Step == EventDeescalate && !r.Error.RetryAt.After(now) && !r.PutOff(EventDeescalate) {
		return ErrUnchanged // it is due already
	}
	if (r.Error.Step == EventEscalate || r.Error.Step == EventExtend) && r.removing() {
		return stale
	}
	if r.Error.Step == EventEscalate && r.Size > MaxRunBytes {
		return full
	}
	r.Postponed = nil
	failed, missing := r.Error.EventID, r.Status == Escalated && r.Error.Step == EventEscalate
	if missing {
		if err := r.grantAgain(in.Actor, now); err != nil {
			return err
		}
	}
	r.amend(failed, func(e *Event) { e.retriedBy(in.Actor, now) })
	if r.Access.Live() && r.Access.Untold != nil {
		r.Access.Untold = &Untold{}
	}
	if missing {
		return nil
	}
	switch r.Error.Step {
	case EventDeescalate:
		r.Error.RetryAt = now
		r.Access.forget(EventDeescalate, func(p *Part) {
			if p.Error != nil {
				p.Error.RetryAt = now
			}
		})
	case EventEscalate:
		r.Standing.Since, r.Error = time.Time{}, nil
		if r.Access != nil {
			r.Access.again()
		}
	case EventRequestForward:
		if r.Error.SignalID == "" {
			r.Tiers[r.Tier].Undeliverable, r.Tiers[r.Tier].Failed = "", nil
			r.ask(now)
		}
		r.Error = nil
	default:
		r.Error = nil
	}
	return nil
}

// Overcome tells whether what an event says has failed is over, since it worked later.
func (r *Run) Overcome(failed Event) bool {
	if !failed.Failed() {
		_, retried := failed.Fields[KeyRetriedBy]
		waits := slices.ContainsFunc(r.After, func(a AfterCall) bool { return a.EventID == failed.ID && a.Failed })
		return retried && len(failed.Errors) > 0 && !waits // what had failed after it
	}
	switch failed.Name {
	case EventRequest, EventRequestForward, EventRequestExpire:
		if failed.Count > 0 { // that is a step's, which Retry begins anew
			return r.Error == nil || r.Error.EventID != failed.ID
		}
	}
	return slices.ContainsFunc(r.Events, func(e Event) bool {
		return e.Name == failed.Name && e.State == StateCompleted && e.Rev > failed.Rev
	})
}

// Tries counts the failed attempts at a step. That somebody has taken access away at
// the target is none.
func (r *Run) Tries(step EventName) int {
	n := 0
	for _, e := range r.Events {
		if e.Name == step && e.Failed() && e.Errors[0].Code != CodeMissing {
			n += max(e.Count, 1)
		}
	}
	return n
}

// recordFailure sets the failure on the run and records it. Failures of a step with one
// code are one event, however often they come, so that a target that is down
// for weeks does not fill the run; the latest message stays.
func (r *Run) recordFailure(f Failure, actor Actor, channel Channel, now time.Time) {
	shown := f
	shown.EventID, shown.SignalID, shown.Attempts, shown.RetryAt = "", "", 0, time.Time{}
	if known := r.failureEvent(f.Step, f.Code); known != "" {
		f.EventID = known
		r.amend(f.EventID, func(e *Event) { e.Errors, e.Count, e.Last = []Failure{shown}, e.Count+1, now })
	} else {
		if f.EventID == "" {
			f.EventID = r.nextID()
		}
		r.record(Event{
			ID: f.EventID, Name: f.Step, Actor: actor, Channel: channel, At: now, Last: now,
			State: StateInProgress, Errors: []Failure{shown}, Count: 1,
		})
	}
	r.Error = &f
}

// failureEvent finds the event that has the failures of a step with one code; "" if
// there is none.
func (r *Run) failureEvent(step EventName, code Code) string {
	same := func(e Event) bool { return e.Name == step && e.Count > 0 && e.Errors[0].Code == code }
	if i := slices.IndexFunc(r.Events, same); i >= 0 {
		return r.Events[i].ID
	}
	return ""
}
