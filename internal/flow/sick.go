package flow

import (
	"errors"
	"hash/fnv"
	"slices"
	"time"
)

// A target that lets three calls in a row go unanswered until their time is over
// is sick.
const (
	SickAfter  = 3 // time-outs in a row
	SickPlaces = 5 // attempts at a sick target that are under way at once
)

// Sickness is how a target fails to answer, as all who call it share it. It is
// stored as one item with compare-and-swap; a target that always answered has
// none.
//
//	healthy ──TimedOut, SickAfter times in a row──▶ sick ──Answered──▶ healthy
//
// While it is sick, an attempt takes a place before it begins, or is put off.
type Sickness struct {
	TimeOuts int     `json:"time_outs,omitempty"` // in a row; no more than SickAfter are counted
	Places   []Place `json:"places,omitempty"`    // taken while it is sick
	// RemovalsUntil is until when removals wait for a place, or are to be tried
	// again. Grants take none meanwhile.
	RemovalsUntil time.Time `json:"removals_until,omitzero"`
}

// Place is the right to call a sick target. It ends by itself, so that a process
// that died keeps nobody out for long.
type Place struct {
	Owner string    `json:"owner"` // the attempt
	Run   string    `json:"run"`
	Until time.Time `json:"until"`
}

// Sick tells whether attempts need a place.
func (s Sickness) Sick() bool { return s.TimeOuts >= SickAfter }

// Take takes a place for an attempt, or keeps the one that it has for longer.
// Where the target is healthy none is needed. False says that the attempt must
// be put off: all places are taken, or removals go before this grant. A removal
// that is refused is noted as one that waits.
func (s Sickness) Take(p Place, removal bool, now time.Time) (Sickness, bool) {
	if !s.Sick() {
		return s, true
	}
	s.Places = slices.DeleteFunc(slices.Clone(s.Places), func(other Place) bool {
		return other.Owner == p.Owner || !now.Before(other.Until)
	})
	if len(s.Places) >= SickPlaces || !removal && now.Before(s.RemovalsUntil) {
		if removal {
			s.removalWaits(now)
		}
		return s, false
	}
	p.Until = p.Until.UTC()
	s.Places = append(s.Places, p)
	return s, true
}

// removalWaits keeps grants away until a removal that is put off, or has failed,
// has come again. The time is written down with some to spare, so that many who
// wait write it seldom.
func (s *Sickness) removalWaits(now time.Time) {
	if s.RemovalsUntil.Before(now.Add(MaxRemovalBackOff + time.Minute)) {
		s.RemovalsUntil = now.Add(MaxRemovalBackOff + 3*time.Minute).UTC()
	}
}

// Leave gives the place of an attempt back, whose end says nothing of the target.
func (s Sickness) Leave(owner string) Sickness {
	return s.without(func(p Place) bool { return p.Owner == owner })
}

// Orphan gives back the places of a run whose process is known to have been killed.
func (s Sickness) Orphan(run string) Sickness {
	return s.without(func(p Place) bool { return p.Run == run })
}

// TimedOut ends an attempt that the target left unanswered.
func (s Sickness) TimedOut(owner string, removal bool, now time.Time) Sickness {
	s = s.Leave(owner)
	s.TimeOuts = min(s.TimeOuts+1, SickAfter)
	if removal && s.Sick() {
		s.removalWaits(now)
	}
	return s
}

// Answered ends an attempt that succeeded: the target is healthy. Those that have
// places still keep them, should it fall sick again.
func (s Sickness) Answered(owner string) Sickness {
	s = s.Leave(owner)
	s.TimeOuts, s.RemovalsUntil = 0, time.Time{}
	return s
}

func (s Sickness) without(gone func(Place) bool) Sickness {
	s.Places = slices.DeleteFunc(slices.Clone(s.Places), gone)
	if len(s.Places) == 0 {
		s.Places = nil
	}
	return s
}

// Postponed is that a run waits because its target is sick.
type Postponed struct {
	Step  EventName `json:"step"`  // EventEscalate or EventDeescalate
	Since time.Time `json:"since"` // the first of these times
	Times int       `json:"times"`
	Until time.Time `json:"until"` // when it asks again
}

// SickPatience is how long a grant waits for a sick target before it fails.
const SickPatience = 15 * time.Minute

// Postpone puts off granting (EventEscalate) or taking away (EventDeescalate),
// because the target is sick. That is no attempt. A removal waits for ever, a grant
// no longer than SickPatience: then it fails, and waits for somebody to press Retry.
type Postpone struct {
	Step  EventName
	Hooks []string // those that the flow may define
}

func (in Postpone) apply(r *Run, now time.Time) error {
	switch in.Step {
	case EventEscalate:
		if Next(*r) != StepEscalate {
			return stale
		}
		if p := r.Postponed; p != nil && p.Step == in.Step && now.Sub(p.Since) >= SickPatience {
			return Fail{Step: in.Step, Hooks: in.Hooks, Reason: Failure{
				Code: CodeUnavailable, Message: "the target does not answer, and has not since " + p.Since.Format("15:04") + " (UTC): nothing was tried",
			}}.apply(r, now)
		}
	case EventDeescalate:
		at, ends := r.EndDue()
		if !ends || at.After(now) && !r.PutOff(in.Step) || r.Access.Removal.Until.After(now) {
			return ErrUnchanged // it is gone, or not over, or another removal is under way
		}
	default:
		return Errorf(CodeIllegal, "%q is not a step that can be put off", in.Step)
	}
	r.postpone(in.Step, now)
	if in.Step == EventEscalate {
		r.Execution.Active, r.Execution.Token = false, "" // it ends here
	}
	return nil
}

// postpone has a step wait. All wait for about as long, and each comes again at a
// moment of its own: so none has the right of way over another, however many they
// are and in whatever order they were put off.
func (r *Run) postpone(step EventName, now time.Time) {
	p := Postponed{Step: step, Since: now}
	if old := r.Postponed; old != nil && old.Step == step {
		p = *old
	}
	p.Times++
	pause := backOff(p.Times, time.Minute, MaxRemovalBackOff)
	digest := fnv.New32a()
	digest.Write([]byte(r.ID))
	digest.Write([]byte{byte(p.Times)})
	share := time.Duration(digest.Sum32() % 1000)
	p.Until = now.Add(pause/2 + pause/2*share/1000)
	r.Postponed = &p
}

// PutOff tells whether a step waits, because the target is sick. That wait is
// about as long as it says: to ask a minute earlier does no harm.
func (r *Run) PutOff(step EventName) bool {
	p := r.Postponed
	if p == nil || p.Step != step {
		return false
	}
	if step == EventEscalate {
		return r.Status == Approved && !r.removing()
	}
	return r.Access.Live() && !p.Until.Before(r.endsAt())
}

// putOffUntil is when a step that waits is tried again; zero if it does not wait.
func (r *Run) putOffUntil(step EventName) time.Time {
	if !r.PutOff(step) {
		return time.Time{}
	}
	return r.Postponed.Until
}

// AtSick is the error of an attempt at a sick target.
type AtSick struct{ Cause error }

func (e *AtSick) Error() string { return "at a sick target: " + e.Cause.Error() }

// Unwrap gives the attempt's own error.
func (e *AtSick) Unwrap() error { return e.Cause }

// IsAtSick tells whether an error is of an attempt at a sick target.
func IsAtSick(err error) bool {
	_, ok := errors.AsType[*AtSick](err)
	return ok
}
