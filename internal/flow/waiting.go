package flow

import "time"

// Waiting is that granting or taking away waits for the target, which is no
// failed attempt: the target goes on with work that it has accepted, does not show
// yet what it has done, or the person has to do something.
type Waiting struct {
	Step  EventName `json:"step"` // EventEscalate or EventDeescalate
	Since time.Time `json:"since"`
	Looks int       `json:"looks"` // since then
	// LookAt is when the target is looked at again.
	LookAt time.Time `json:"look_at"`
	// Text says what it waits for, to people; Todo, that this is something which
	// the requester has to do.
	Text string `json:"text"`
	Todo bool   `json:"todo,omitempty"`
	// Told is since when the text has said where in a line of ours the run stands;
	// zero where it says something else.
	Told time.Time `json:"told,omitzero"`
	// Accepted is when the target first accepted to take everything away; zero until
	// then.
	Accepted time.Time `json:"accepted,omitzero"`
}

// Pauses between looks at a target that works on something.
const (
	firstLook = 5 * time.Second
	mostLook  = time.Minute
)

// AcceptedPromise is how long a target that has accepted to take access away may
// take for it, before somebody is told.
const AcceptedPromise = 10 * time.Minute

// ToldAnew is how long a text stands that says where in a line a run stands: the
// place may change at each look, and nobody wants to read that.
const ToldAnew = 30 * time.Second

// LookAgain notes that granting (EventEscalate) or taking away (EventDeescalate)
// waits for the target. The step has ended; a call that comes at Waiting.LookAt
// begins it anew, and Due sees to it should that call be lost.
type LookAgain struct {
	Step EventName
	// Owner is whose claim of the removal ends with it.
	Owner string
	// After is how long to wait; zero: longer from look to look.
	After    time.Duration
	Text     string
	Todo     bool
	InLine   bool // the text says where in a line of ours the run stands
	Accepted time.Time
}

func (in LookAgain) apply(r *Run, now time.Time) error {
	switch in.Step {
	case EventEscalate:
		if r.Status != Approved || r.ApprovalOnly || r.Access != nil && !r.Access.Live() || r.removing() {
			return stale
		}
		if r.Access == nil {
			r.Execution.Active, r.Execution.Token = false, ""
			w := in.after(r.Turn, now)
			r.Turn, r.Postponed = &w, nil
			return nil
		}
		r.Access.BusyUntil, r.Access.LookAt = time.Time{}, time.Time{}
		r.Execution.Active, r.Execution.Token = false, "" // it ends here
	case EventDeescalate:
		if !r.Access.Live() || !r.removing() {
			return stale
		}
		if r.Access.Removal.Owner != in.Owner || in.Owner == "" {
			return Errorf(CodeBusy, "somebody else is taking this access away")
		}
		r.Access.Removal.Owner, r.Access.Removal.Until = "", time.Time{}
	default:
		return Errorf(CodeIllegal, "%q is not a step that waits for a target", in.Step)
	}
	w := in.after(r.Access.Waiting, now)
	r.Access.Waiting, r.Postponed = &w, nil // it answers
	return nil
}

// after is the waiting once it was looked; old is what it was until then, which may
// be nil.
func (in LookAgain) after(old *Waiting, now time.Time) Waiting {
	w := Waiting{Step: in.Step, Since: now}
	if old != nil && old.Step == in.Step {
		w = *old
	}
	w.Looks++
	if !in.InLine || w.Told.IsZero() || now.Sub(w.Told) >= ToldAnew {
		w.Text, w.Todo, w.Told = Clip(in.Text, 500), in.Todo, time.Time{}
		if in.InLine {
			w.Told = now
		}
	}
	if w.Accepted.IsZero() {
		w.Accepted = in.Accepted.UTC()
	}
	pause := in.After
	if pause <= 0 {
		pause = backOff(w.Looks, firstLook, mostLook)
	}
	w.LookAt = now.Add(pause)
	return w
}

// WaitsForTarget gives what a step of the run waits for; nil where it does not.
func (r *Run) WaitsForTarget(step EventName) *Waiting {
	if r.Access == nil && r.Turn != nil && r.Status == Approved && step == EventEscalate {
		return r.Turn
	}
	if !r.Access.Live() || r.Access.Waiting == nil || r.Access.Waiting.Step != step {
		return nil
	}
	return r.Access.Waiting
}

// lateLook is how late a call may come that looks at a removal again.
const lateLook = 15 * time.Second

// missedLook is when a step that waits is driven like any other, because the call
// that was to look again seems to be lost; zero if the step does not wait. A grant
// that is driven costs an execution, and waits longer.
func (r *Run) missedLook(step EventName) time.Time {
	w := r.WaitsForTarget(step)
	if w == nil {
		return time.Time{}
	}
	if step == EventDeescalate {
		return w.LookAt.Add(lateLook)
	}
	return w.LookAt.Add(WatchdogAfter)
}

// LookMissed tells whether a step waits for its target, and nobody has looked at it when it
// was time.
func (r *Run) LookMissed(now time.Time) bool {
	for _, step := range []EventName{EventEscalate, EventDeescalate} {
		if at := r.missedLook(step); !at.IsZero() && !now.Before(at) {
			return true
		}
	}
	return false
}
