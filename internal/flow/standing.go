package flow

import "time"

// Standing is whether the requester is somebody who may ask, as the directory
// said last. Whoever may not ask may not be granted: access grants on an answer
// that is no older than [StandingLasts].
type Standing struct {
	At time.Time `json:"at,omitzero"` // when the directory said yes; zero: it is to be asked
	// Since is when it began to be asked, and did not answer yet.
	Since time.Time `json:"since,omitzero"`
}

// StandingLasts is how long the directory's answer counts before a grant, and
// how long it is waited for.
const StandingLasts = 15 * time.Minute

// InDirectory tells whether the directory knows the requester. A bot that asks
// as itself, by its token, is in none.
func (r *Run) InDirectory() bool { return r.Requester.SlackID != "" }

// Vouched tells whether the requester may be granted now, by what the directory
// said.
func (r *Run) Vouched(now time.Time) bool {
	return !r.InDirectory() || !r.Standing.At.IsZero() && now.Sub(r.Standing.At) <= StandingLasts
}

// vouch notes when the directory said yes; zero: it was not asked.
func (r *Run) vouch(at time.Time) {
	if !at.IsZero() {
		r.Standing = Standing{At: at.UTC()}
	}
}

// Doubt has the directory asked before the grant: what it said is too old, or
// it does not answer.
type Doubt struct{}

func (Doubt) apply(r *Run, now time.Time) error {
	if r.Status != Approved || r.ApprovalOnly || r.removing() {
		return stale
	}
	if r.Standing.At.IsZero() && !r.Standing.Since.IsZero() {
		return ErrUnchanged
	}
	r.Standing = Standing{Since: now}
	return nil
}

// Vouch notes that the directory said, before the grant, that the requester may
// ask.
type Vouch struct{ At time.Time }

func (in Vouch) apply(r *Run, _ time.Time) error {
	if r.Status != Approved || r.ApprovalOnly || r.removing() {
		return stale
	}
	r.vouch(in.At)
	return nil
}

// Withhold keeps what was approved from being granted: the requester may not
// ask any more, or the flow is gone. Of what may be at the target already, the
// end is asked for.
type Withhold struct {
	Reason Failure
	Hooks  []string // those that the flow may define
}

func (in Withhold) apply(r *Run, now time.Time) error {
	if r.Status != Approved || r.ApprovalOnly || r.removing() {
		return stale
	}
	in.Reason.Step, in.Reason.Attempts, in.Reason.Retryable = EventEscalate, 1, false
	e := r.AccessEvent(EventEscalate, "", now)
	r.recordFailure(in.Reason, e.Actor, e.Channel, now)
	if r.Access.Live() {
		return Receive{Action: ActionDeescalate, Actor: System, Channel: ChannelInternal, Message: in.Reason.Message}.apply(r, now)
	}
	r.deny(in.Reason, in.Hooks, now)
	return nil
}

// Permit keeps what handlers answered when they were asked once more who may
// decide, for the signal that they were asked for. The first answer stays.
type Permit struct {
	SignalID string
	Version  string // of the flow whose handlers they are
	Answer   Answer
}

func (in Permit) apply(r *Run, _ time.Time) error {
	for i := range r.Signals {
		s := &r.Signals[i]
		if s.ID != in.SignalID {
			continue
		}
		if _, kept := s.Permits[in.Version]; kept {
			return ErrUnchanged
		}
		permits := map[string]Answer{in.Version: in.Answer}
		for version, answer := range s.Permits {
			permits[version] = answer
		}
		s.Permits = permits
		return nil
	}
	return stale
}
