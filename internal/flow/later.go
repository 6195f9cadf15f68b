package flow

import "time"

// StartAtParams say how far ahead access may be asked for.
type StartAtParams struct {
	Max Duration `json:"max"` // at most MaxStartAhead
}

// MaxStartAhead is the furthest that a start may be ahead: who may have what is
// checked anew at the start, but nobody remembers for longer why they approved it.
const MaxStartAhead = 14 * 24 * time.Hour

// StartPatience is how late access may start that could not be started in time.
// What is later than that is not what was approved.
const StartPatience = 24 * time.Hour

// startAt checks how far ahead access may be asked for.
func (v *validator) startAt() {
	if v.Params.StartAt == nil {
		return
	}
	switch most := time.Duration(v.Params.StartAt.Max); {
	case v.ApprovalOnly():
		v.fault("params.start_at", "nothing starts in an approval-only flow: remove it, or add strategy_id to make it an access flow")
	case most <= 0:
		v.fault("params.start_at.max", "is missing: say how far ahead access may be asked for, such as 7d")
	case most > MaxStartAhead:
		v.fault("params.start_at.max", "is too long: at most %s", Words(MaxStartAhead))
	}
}

// CheckStart says whether a request may be for access that starts at a time; zero
// is at once.
func (f *Flow) CheckStart(at, now time.Time) error {
	fault := func(format string, args ...any) error {
		e := Errorf(CodeInvalid, format, args...)
		return &Error{Code: CodeInvalid, Message: "some fields are not right", Fields: []FieldError{{Field: KeyStartAt, Message: e.Message}}}
	}
	switch most := f.startsAhead(); {
	case at.IsZero():
		return nil
	case most == 0:
		return fault("can't be given: access of this flow starts once it is approved")
	case !at.After(now):
		return fault("is over already: choose a time to come, or leave it out to start once it is approved")
	case at.After(now.Add(most)):
		return fault("is too far ahead: at most %s", Words(most))
	}
	return nil
}

// startsAhead is how far ahead requests of the flow may start; 0: they may not.
func (f *Flow) startsAhead() time.Duration {
	if f.Params.StartAt == nil || f.ApprovalOnly() {
		return 0
	}
	return time.Duration(f.Params.StartAt.Max)
}

// StartsAhead tells whether people may ask for access that starts later.
func (f *Flow) StartsAhead() bool { return f.startsAhead() > 0 }

// AwaitsStart tells whether the run is approved, and its access is to start later.
func (r *Run) AwaitsStart() bool {
	return r.NotBegun() && !r.StartAt.IsZero() && r.Started.IsZero()
}

// approved makes the run one that is approved: its access starts now, or later.
func (r *Run) approved(hooks []string, now time.Time) {
	r.Status, r.Error = Approved, nil
	r.reserveGrant(hooks)
	if !r.StartAt.IsZero() && !now.Before(r.StartAt) {
		r.Started = now // the decision took longer
	}
}

// Later notes that the start of the access is scheduled.
type Later struct{}

func (Later) apply(r *Run, _ time.Time) error {
	if !r.AwaitsStart() {
		return stale
	}
	if r.Scheduled {
		return ErrUnchanged
	}
	r.Scheduled = true
	return nil
}

// Begin starts access that was asked for later: from now on the run is one that was
// approved just now, but what the directory said of its requester does not count any
// more. A start that somebody is about to cancel waits for that.
type Begin struct{}

func (Begin) apply(r *Run, now time.Time) error {
	if !r.Started.IsZero() {
		return ErrUnchanged
	}
	if _, first := r.Head(); !r.AwaitsStart() || first {
		return stale
	}
	if now.Before(r.StartAt) {
		return Errorf(CodeIllegal, "this access starts later")
	}
	r.Started, r.Standing = now, Standing{}
	return nil
}

// ActsAt is the time from which something has to be done about the run's access
// without anybody asking: it starts, or ends. False: nothing.
func (r *Run) ActsAt() (time.Time, bool) {
	if r.AwaitsStart() {
		return r.StartAt, true
	}
	return r.EndDue()
}
