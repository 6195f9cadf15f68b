package flow

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Presence is what was observed at a target.
type Presence string

// What a target may show.
const (
	Absent  Presence = "absent"
	Invited Presence = "invited" // it is there once the person accepts it
	Present Presence = "present"
)

// Entitlement is one thing that a grant means at the target, for one identity.
type Entitlement struct {
	// Key names it for all runs alike: grants are counted by it.
	Key string `json:"key"`
	// Value is the one that is asked for, where the system keeps one value for each
	// person and thing (a permission, a role), so that the key is without it.
	Value string `json:"value,omitempty"`
	// Values has all that there are, from the least to the most, and Expires says that
	// the system ends access by itself when it is told to. The run freezes both, as the
	// target's type has them.
	Values   []string          `json:"values,omitempty"`
	Expires  bool              `json:"expires,omitempty"`
	Settings map[string]string `json:"settings,omitempty"` // what the strategy needs for this one
}

// Access is the frozen facts of a grant. It is written before the target is
// touched for the first time, and removal uses nothing else.
type Access struct {
	EventID      string          `json:"event_id"` // of the escalate event, reserved
	Strategy     Strategy        `json:"strategy"` // without its targets
	Target       Target          `json:"target"`   // with its bindings
	Identity     string          `json:"identity"`
	Entitlements []Part          `json:"entitlements"`
	First        time.Time       `json:"first"`            // when granting began
	Seen         time.Time       `json:"seen,omitzero"`    // when the access was observed
	End          time.Time       `json:"end,omitzero"`     // zero: only by hand
	Output       json.RawMessage `json:"output,omitempty"` // of escalate; deescalate may read it
	Removal      Removal         `json:"removal"`
	Removed      time.Time       `json:"removed,omitzero"` // when absence was observed
	// Lingering is when the target was seen to show the access after the run was
	// closed, so that it is taken away once more.
	Lingering time.Time `json:"lingering,omitzero"`
	// BusyUntil is how long granting waits at most, because another run is
	// changing an entitlement that this one shares; LookAt is when it looks again
	// at the latest. Both are zero where it does not wait.
	BusyUntil time.Time `json:"busy_until,omitzero"`
	LookAt    time.Time `json:"look_at,omitzero"`
	// Untold is set while the end was moved, and its schedule and targets are still to
	// be told.
	Untold *Untold `json:"untold,omitempty"`
	// Waiting is set while granting or taking away waits for the target.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// Live tells whether there may be something to remove.
func (a *Access) Live() bool { return a != nil && a.Removed.IsZero() }

// Holder is the run as one that needs an entitlement of its access.
func (r *Run) Holder(e Entitlement) Holder {
	h := Holder{Run: r.ID, Value: e.Value}
	if e.Expires {
		h.End = r.Access.End
	}
	return h
}

// At names the target that the access is at, for what keeps targets apart.
func (a *Access) At() string {
	return a.Strategy.Type + "/" + a.Strategy.Name + "/" + a.Target.Name
}

// Removal is how far taking away has come.
type Removal struct {
	EventID string    `json:"event_id,omitempty"` // of the deescalate event, reserved
	Owner   string    `json:"owner,omitempty"`    // who is at it
	Until   time.Time `json:"until,omitzero"`     // when the owner's claim ends
	// Result is what handlers answered before a removal at the access's end. Where
	// somebody asked for the removal, their signal has it.
	Result *Result `json:"result,omitempty"`
}

// AccessEvent gives the event that granting (EventEscalate) or taking away
// (EventDeescalate) becomes; id is the one reserved for it. Both follow from
// the approval and so are the approver's, unless somebody asked for the end.
func (r *Run) AccessEvent(name EventName, id string, at time.Time) Event {
	e := Event{ID: id, Name: name, Actor: r.Approver(), Channel: ChannelInternal, At: at}
	if name != EventDeescalate {
		return e
	}
	e.Fields = map[string]any{KeyDeescalateType: Scheduled}
	if asked, byHand := r.EndAsked(); byHand {
		e.Actor, e.Channel = asked.Actor, asked.Channel
		e.Fields[KeyDeescalateType] = Manual
	}
	return e
}

// MayEnd returns nil if the actor may take the access away, and an error of
// CodeForbidden if not.
func (r *Run) MayEnd(who Actor) error {
	if r.owns(who) || r.isAdmin(who) || r.Approver().Is(who) ||
		slices.ContainsFunc(r.Approvals, func(a CountedApproval) bool { return a.Actor.Is(who) }) {
		return nil
	}
	if r.BreakGlass != nil && r.Status == Escalated && slices.ContainsFunc(r.Deciders.People, who.Is) {
		return nil // nobody has approved it: those who would have been asked can stop it
	}
	return Errorf(CodeForbidden, "only the requester, the approver and admins can end this access")
}

// NotBegun tells whether access is approved and nothing of it is intended, so that
// nothing can be at its target.
func (r *Run) NotBegun() bool { return r.Status == Approved && !r.ApprovalOnly && r.Access == nil }

// Intend writes down what is about to be granted, before the target is touched. What
// starts later, or somebody is about to cancel, is not begun.
type Intend struct {
	Strategy     Strategy
	Target       Target
	Identity     string
	Entitlements []Entitlement
	Terms        *Terms // what a hook changed of the request
}

func (in Intend) apply(r *Run, now time.Time) error {
	if r.Status != Approved || r.ApprovalOnly {
		return Errorf(CodeIllegal, "a run that is %s can't be granted", r.Status)
	}
	if r.Access != nil {
		return ErrUnchanged
	}
	if _, cancels := r.cancelling(); cancels || r.AwaitsStart() {
		return stale
	}
	if len(in.Entitlements) == 0 {
		return Errorf(CodeStrategy, "target %q means nothing to grant", in.Target.Name)
	}
	in.Strategy.Targets = nil
	if code := in.Strategy.Implementation; code != nil {
		// The text stays where it is: in the run's version of the flow.
		in.Strategy.Implementation = &Source{Name: code.Name, SHA256: code.SHA256}
	}
	in.Terms.give(r)
	r.Turn = nil
	id := ""
	if r.Coming != nil {
		id, r.Coming = r.Coming.EventID, nil
	} else {
		id = r.nextID()
	}
	r.Access = &Access{EventID: id, Strategy: in.Strategy, Target: in.Target, Identity: in.Identity, First: now}
	for _, e := range in.Entitlements {
		r.Access.Entitlements = append(r.Access.Entitlements, Part{Entitlement: e})
	}
	if d := r.GivenDuration(); d > 0 {
		r.Access.End = now.Add(GrantWindow + d)
	}
	return nil
}

// PutOff notes that granting waits for another run, which is changing an
// entitlement that both share. That is no failed attempt. A zero time is not known.
type PutOff struct{ Until time.Time }

// busyLook is how soon a grant that waits for another run is looked at again at
// the latest: later than an execution goes on looking by itself.
const busyLook = 75 * time.Second

func (in PutOff) apply(r *Run, now time.Time) error {
	if r.Status != Approved || !r.Access.Live() || r.removing() {
		return stale
	}
	r.Access.Waiting = nil
	r.Access.BusyUntil = in.Until.UTC()
	r.Access.LookAt = now.Add(busyLook)
	if in.Until.After(now) && in.Until.Before(r.Access.LookAt) {
		r.Access.LookAt = in.Until.UTC()
	}
	return nil
}

// Escalate records that access was observed.
type Escalate struct {
	Output   json.RawMessage
	Warnings []string
	Hooks    []string // those that the flow may define
}

func (in Escalate) apply(r *Run, now time.Time) error {
	if r.Status == Escalated {
		return ErrUnchanged
	}
	if r.Status != Approved || !r.Access.Live() {
		return Errorf(CodeIllegal, "a run that is %s can't become escalated", r.Status)
	}
	a := r.Access
	if len(a.Entitlements) > 1 && a.count(PartGranted) == 0 {
		return Errorf(CodeIllegal, "none of %d entitlements was seen", len(a.Entitlements))
	}
	fields := map[string]any{}
	if len(a.Entitlements) == 1 {
		p := &a.Entitlements[0]
		p.Seen, p.Lost, p.Waiting, p.Error = now, time.Time{}, nil, nil
	}
	if r.begins(now); len(a.Entitlements) == 1 {
		a.Seen = now // once more, if it was missing
	}
	a.Output = clipOutput(in.Output)
	a.BusyUntil, a.LookAt, a.Waiting, r.Postponed = time.Time{}, time.Time{}, nil, nil
	if _, again := r.Last(EventEscalate); again {
		fields[KeyAgain] = true
	}
	if !a.End.IsZero() {
		fields[KeyExpiresAt] = a.End.Format(time.RFC3339Nano)
	}
	if !strings.EqualFold(a.Identity, r.Requester.Email) {
		fields[KeyTargetIdentity] = a.Identity
	}
	if len(in.Warnings) > 0 {
		fields[KeyWarnings] = clipWarnings(in.Warnings)
	}
	e := r.AccessEvent(EventEscalate, a.EventID, now)
	e.State, e.Fields, e.Output = StateCompleted, r.withListing(fields), a.Output
	r.record(e)
	r.then(EventEscalate, a.EventID, in.Hooks)
	r.Status = Escalated
	if r.Error == nil || r.Error.Step == EventEscalate { // not a failure to take away, which goes on
		r.Error = r.shortfall()
	}
	return nil
}

// Claim begins taking access away: one worker at a time, until its claim ends.
type Claim struct {
	Owner string
	Until time.Time
}

func (in Claim) apply(r *Run, now time.Time) error {
	if r.Status == Deescalated {
		return ErrUnchanged
	}
	if !r.Access.Live() || r.Status != Escalated && r.Status != Approved {
		return r.notLive()
	}
	asked, byHand := r.EndAsked()
	if end := r.endsAt(); !byHand && (end.IsZero() || now.Before(end)) {
		return Errorf(CodeIllegal, "the access is not over yet")
	}
	claim := &r.Access.Removal
	if claim.Owner != "" && claim.Owner != in.Owner && now.Before(claim.Until) {
		return Errorf(CodeBusy, "this access is being taken away already")
	}
	claim.Owner, claim.Until = in.Owner, in.Until
	if w := r.Access.Waiting; w != nil && w.Step == EventEscalate {
		r.Access.Waiting = nil
	}
	for i := range r.Access.Entitlements {
		if p := &r.Access.Entitlements[i]; p.Waiting != nil && p.Waiting.Step == EventEscalate {
			p.Waiting = nil
		}
	}
	if claim.EventID == "" {
		claim.EventID = asked.ID
		if !byHand {
			claim.EventID = r.nextID()
		}
	}
	return nil
}

// Deescalate records that the run's access is gone: absence was observed, or
// the run has left what others still hold, or it was there before us.
type Deescalate struct {
	Owner     string
	StillHeld []string // keys of entitlements that other runs hold
	Kept      []string // keys of entitlements that predate us
	// GrantedBy says by what else the person has the same access, for people.
	GrantedBy []string
	Output    json.RawMessage
	Warnings  []string
	Hooks     []string // those that the flow may define
}

func (in Deescalate) apply(r *Run, now time.Time) error {
	if r.Status == Deescalated {
		return ErrUnchanged
	}
	if !r.Access.Live() {
		return r.notLive()
	}
	if r.Access.Removal.Owner != in.Owner || in.Owner == "" {
		return Errorf(CodeBusy, "somebody else is taking this access away")
	}
	e := r.AccessEvent(EventDeescalate, r.Access.Removal.EventID, now)
	e.State, e.Output = StateCompleted, clipOutput(in.Output)
	if said := r.ResultFor(e.ID); said != nil && said.Error != nil {
		e.Errors = []Failure{*said.Error} // a hook that failed: reported, and of no consequence
	}
	if asked, byHand := r.EndAsked(); byHand {
		if _, err := r.take(asked.ID); err != nil {
			return err
		}
		if asked.Message != "" {
			e.Fields[KeyDecisionMessage] = asked.Message
		}
	}
	if !r.Access.Lingering.IsZero() {
		e.Fields[KeyLingering] = r.Access.Lingering.Format(time.RFC3339Nano)
	}
	if len(in.StillHeld) > 0 {
		e.Fields[KeyStillHeld] = in.StillHeld
	}
	if len(in.Kept) > 0 {
		e.Fields[KeyKept] = in.Kept
	}
	if len(in.GrantedBy) > 0 {
		e.Fields[KeyStillGrantedBy] = clipWarnings(in.GrantedBy)
	}
	if len(in.Warnings) > 0 {
		e.Fields[KeyWarnings] = clipWarnings(in.Warnings)
	}
	for i := range r.Access.Entitlements {
		if p := &r.Access.Entitlements[i]; p.Removed.IsZero() {
			p.Removed = now
		}
	}
	e.Fields = r.withListing(e.Fields)
	r.lapse(now)
	r.record(e)
	r.then(EventDeescalate, e.ID, in.Hooks)
	r.Status, r.Error, r.Postponed = Deescalated, nil, nil
	r.Access.Removed, r.Access.Lingering, r.Access.Waiting, r.Access.Untold = now, time.Time{}, nil, nil
	r.Access.Removal.Owner, r.Access.Removal.Until, r.Access.Removal.Result = "", time.Time{}, nil
	return nil
}

// Spare ends a removal that somebody asked for before its time and a hook
// ignored: the access stays until its end. Nothing else spares access: not
// what an admin asks for, and not a time that is over.
type Spare struct {
	Owner  string
	Reason Failure
}

func (in Spare) apply(r *Run, now time.Time) error {
	if r.Status == Deescalated {
		return ErrUnchanged
	}
	if !r.Access.Live() {
		return r.notLive()
	}
	if r.Access.Removal.Owner != in.Owner || in.Owner == "" {
		return Errorf(CodeBusy, "somebody else is taking this access away")
	}
	if !r.MaySpare(now) {
		return Errorf(CodeIllegal, "this access has to be taken away")
	}
	asked, _ := r.EndAsked()
	if _, err := r.take(asked.ID); err != nil {
		return err
	}
	e := asked.asEvent()
	e.State, e.Errors = StateIntercepted, []Failure{in.Reason}
	r.record(e)
	r.Access.Removal, r.Access.Waiting = Removal{}, nil
	r.Access.forget(EventDeescalate, func(p *Part) { p.Waiting, p.Error = nil, nil })
	if r.Error != nil && r.Error.Step == EventDeescalate {
		r.Error = r.shortfall()
	}
	return nil
}

// MaySpare tells whether a hook may keep the access from being taken away: it
// was asked for early, by somebody who is no admin.
func (r *Run) MaySpare(now time.Time) bool {
	asked, byHand := r.EndAsked()
	over := !r.Access.End.IsZero() && !now.Before(r.Access.End) || !r.Access.Lingering.IsZero()
	return byHand && !over && asked.Actor.Kind != KindSystem && !r.isAdmin(asked.Actor)
}

// notLive says why there is nothing to take away.
func (r *Run) notLive() error {
	if r.Status == Deescalated {
		return Errorf(CodeInvalidRun, "this access has ended already")
	}
	return Errorf(CodeInvalidRun, "there is no access to end: the run is %s", r.Status)
}
