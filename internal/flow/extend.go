package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Extend is what a flow says about more time for access that is there
// (params.extend).
type Extend struct {
	Max      int        `json:"max"` // how often the access of one run may be extended
	For      []Duration `json:"for"` // by how much, each time
	Approval string     `json:"approval"`
}

// Who decides an extension (Extend.Approval).
const (
	ExtendSame = "same" // those who may decide the request, as many of them as it takes
	ExtendNone = "none" // nobody: to ask is enough
)

// Extension is more time that was asked for, and not decided yet. Until it is, the
// access ends when it was to end.
type Extension struct {
	EventID string    `json:"event_id"` // of the asking
	Actor   Actor     `json:"actor"`    // who asked
	Owner   *Actor    `json:"token_owner,omitempty"`
	Channel Channel   `json:"channel"`
	At      time.Time `json:"at"`
	Seconds int64     `json:"seconds"`
	Reason  string    `json:"reason,omitempty"`
	// Approvals counted so far, by distinct people.
	Approvals []CountedApproval `json:"approvals,omitempty"`
}

// By is by how much the end is to move.
func (x Extension) By() time.Duration { return time.Duration(x.Seconds) * time.Second }

// asks tells whether it was asked for by this person, or with a token of theirs:
// to ask is no approval.
func (x *Extension) asks(who Actor) bool {
	return x != nil && (x.Actor.Same(who) || x.Owner != nil && x.Owner.Same(who))
}

// Untold is that the end of access was moved, and that its schedule, and targets
// which end access by themselves, are still to be told.
type Untold struct {
	Attempts int `json:"attempts,omitempty"` // failed ones
	// LookAt is when they are told next; zero: at once.
	LookAt time.Time `json:"look_at,omitzero"`
	// Stuck says that trying again is of no use until somebody presses Retry.
	Stuck bool `json:"stuck,omitempty"`
}

// maxExtendKeys is how many askings a run knows again, should they be repeated.
const maxExtendKeys = 20

// ExtendKey tells a repeated asking from another one.
type ExtendKey struct {
	Key     string `json:"key"`
	EventID string `json:"event_id"`
	Seconds int64  `json:"seconds"`
	Reason  string `json:"reason,omitempty"` // a digest of it; "" for none
}

// Asks tells whether it is by this much, for this reason, that was asked with the key.
func (k ExtendKey) Asks(by time.Duration, reason string) bool {
	return k.Seconds == int64(by/time.Second) && k.Reason == reasonDigest(reason)
}

// reasonDigest is a digest by which reasons can be told apart.
func reasonDigest(reason string) string {
	if reason == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(reason))
	return hex.EncodeToString(sum[:8])
}

// ExtensionAsked finds what was asked with this key, and the event that it has become.
// False: there was none.
func (r *Run) ExtensionAsked(key string) (ExtendKey, bool) {
	i := slices.IndexFunc(r.ExtendKeys, func(k ExtendKey) bool { return k.Key == key })
	if key == "" || i < 0 {
		return ExtendKey{}, false
	}
	return r.ExtendKeys[i], true
}

// Extendable lists by how much the access may be extended now, the least first. The
// error says why it may not be, and has CodeNotExtendable.
func (r *Run) Extendable(now time.Time) ([]time.Duration, error) {
	no := func(format string, args ...any) ([]time.Duration, error) {
		return nil, Errorf(CodeNotExtendable, format, args...)
	}
	rule := r.Form.Extend
	switch {
	case rule == nil || rule.Max < 1:
		return no("access of this flow can't be extended: ask for it again when it has ended")
	case r.Status == Deescalated:
		return no("this access has ended already: ask for it again")
	case r.Status != Escalated || !r.Access.Live():
		return no("there is no access to extend: the run is %s", r.Status)
	case r.Access.End.IsZero():
		return no("this access has no end that could be moved")
	case r.ending(now):
		return no("this access is being taken away already: ask for it again")
	case r.Extension != nil:
		return no("%s has asked for %s more already, which is still to be decided", r.Extension.Actor.Display(), Words(r.Extension.By()))
	case r.Extended >= rule.Max:
		return no("this access was extended %s already, which is as often as the flow allows: ask for it again when it has ended", times(r.Extended))
	}
	var by []time.Duration
	for _, d := range rule.For {
		if r.within(time.Duration(d)) {
			by = append(by, time.Duration(d))
		}
	}
	if len(by) == 0 {
		return no("any extension would be longer than the flow allows (%s altogether): ask for it again when it has ended", Words(time.Duration(r.Form.MaxDuration)))
	}
	slices.Sort(by)
	return slices.Compact(by), nil
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// within tells whether the whole of the access stays within the flow's max_duration.
func (r *Run) within(by time.Duration) bool {
	most := time.Duration(r.Form.MaxDuration)
	return most == 0 || r.GivenDuration()+time.Duration(r.ExtendedSeconds)*time.Second+by <= most
}

// ending tells whether taking the access away has begun, was asked for or is due:
// from then on no extension counts.
func (r *Run) ending(now time.Time) bool {
	return r.removing() || !r.Access.Lingering.IsZero() || !r.Access.End.IsZero() && !now.Before(r.Access.End)
}

// extendsBy says whether the access may be extended by this much now.
func (r *Run) extendsBy(by time.Duration, now time.Time) error {
	may, err := r.Extendable(now)
	if err != nil || slices.Contains(may, by) {
		return err
	}
	return Errorf(CodeNotExtendable, "this access can be extended by %s, not by %s", anyOf(may), Words(by))
}

func anyOf(durations []time.Duration) string {
	var s string
	for i, d := range durations {
		switch {
		case i > 0 && i == len(durations)-1:
			s += " or "
		case i > 0:
			s += ", "
		}
		s += Words(d)
	}
	return s
}

// MayExtend returns nil if the actor may ask for more time, and an error of
// CodeForbidden if not. To ask is no approval.
func (r *Run) MayExtend(who Actor) error {
	if r.MayEnd(who) == nil {
		return nil
	}
	return Errorf(CodeForbidden, "only the requester, the approver and admins can ask for more time")
}

// Unasked tells whether the end moves as soon as somebody asks. What an approver has
// given for a shorter time than was asked is given longer by an approval only: else the
// requester would take back what the approver has said.
func (r *Run) Unasked() bool {
	return r.Form.Extend != nil && r.Form.Extend.Approval == ExtendNone && !r.MustBeApproved() && !r.shortened()
}

// shortened tells whether an approver gives the access for a shorter time than was asked.
func (r *Run) shortened() bool {
	return r.ShorterThanAsked() && slices.ContainsFunc(r.Events, func(e Event) bool {
		asked, changed := e.Fields[KeyAsked].(map[string]any)
		return e.Name == EventApprove && e.happened() && changed && asked[FieldNameDuration] != nil
	})
}

// Deciding gives the extension that is to be decided now: nil if there is none, or
// the access is ending.
func (r *Run) Deciding(now time.Time) *Extension {
	if r.Extension == nil || !r.Access.Live() || r.ending(now) {
		return nil
	}
	return r.Extension
}

// MayDecideExtension says whether the actor may grant more time (ActionExtend) or
// refuse it (ActionExtendDeny): who may decide the request may, but for whoever asked
// for the time. It returns nil if they may.
func (r *Run) MayDecideExtension(who Actor, guest bool, action Action) error {
	if action == ActionExtend && r.Extension.asks(who) && !r.Asks(who) && !r.Deciders.AllowSelfApproval {
		return Errorf(CodeSelfApproval, "you have asked for this yourself, so that somebody else has to approve it")
	}
	as := ActionDeny
	if action == ActionExtend {
		as = ActionApprove
	}
	return r.MayDecide(who, guest, as)
}

// AskExtension takes the signal by which somebody asked for more time: it is to be
// decided from then on, or the end moves at once, where the flow asks nobody.
type AskExtension struct {
	SignalID string
	Fields   map[string]any // of the event, by a hook
	Ruling   *Ruling        // what a hook put behind it
	Hooks    []string       // those that the flow may define
}

func (in AskExtension) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if s.Action != ActionExtendRequest {
		return Errorf(CodeIllegal, "%q does not ask for more time", s.Action)
	}
	by := s.by()
	if err := r.extendsBy(by, now); err != nil {
		return err
	}
	if in.Ruling != nil && in.Ruling.Event == EventExtend && r.MustBeApproved() {
		in.Ruling = nil // a rule is nobody who has looked at it
	}
	e := s.asEvent()
	e.State, e.Fields = StateCompleted, withFields(in.Fields, e.Fields)
	switch {
	case in.Ruling != nil:
		if !slices.Contains(mayReturn[e.Name], in.Ruling.Event) || in.Ruling.Event == Ignore {
			return Errorf(CodeIllegal, "%s can't take the place of %s", in.Ruling.Event, e.Name)
		}
		e.State = StateIntercepted
		r.record(e)
		r.then(e.Name, e.ID, in.Hooks)
		r.putBehind(in.Ruling, e.Name, by, in.Hooks, now)
	case r.Unasked():
		r.record(e)
		r.then(e.Name, e.ID, in.Hooks)
		r.extend(Event{ID: r.nextID(), Name: EventExtend, Actor: System, Channel: ChannelInternal, At: now, State: StateCompleted}, by, in.Hooks)
	default:
		r.record(e)
		r.then(e.Name, e.ID, in.Hooks)
		r.Extension = &Extension{EventID: s.ID, Actor: s.Actor, Owner: s.Owner, Channel: s.Channel, At: s.At, Seconds: s.Seconds, Reason: s.Message}
	}
	return nil
}

// DecideExtension takes an approval or a refusal of more time that was found
// legitimate. It comes too late once the access is being taken away.
type DecideExtension struct {
	SignalID string
	// Dropped are earlier approvals (by event id) that no longer count, because those
	// who gave them may not decide any more.
	Dropped []string
	// Required is how many approvals it takes by the version of the flow in force;
	// fewer than the run's own change nothing.
	Required int
	Fields   map[string]any // of the event, by a hook
	Ruling   *Ruling        // what a hook put in the decision's place
	Hooks    []string       // those that the flow may define
}

func (in DecideExtension) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if s.Action != ActionExtend && s.Action != ActionExtendDeny {
		return Errorf(CodeIllegal, "%q does not decide whether there is more time", s.Action)
	}
	if err := r.decidable(s.Extension, now); err != nil {
		return err
	}
	x := *r.Extension
	e := s.asEvent()
	e.State, e.Fields = StateCompleted, withFields(in.Fields, e.Fields)
	if in.Ruling != nil {
		if !slices.Contains(mayReturn[e.Name], in.Ruling.Event) || in.Ruling.Event == Ignore {
			return Errorf(CodeIllegal, "%s can't take the place of %s", in.Ruling.Event, e.Name)
		}
		e.State = StateIntercepted
		r.record(e)
		r.putBehind(in.Ruling, e.Name, x.By(), in.Hooks, now)
		return nil
	}
	if s.Action == ActionExtendDeny {
		r.Extension = nil
		r.record(e)
		r.then(e.Name, e.ID, in.Hooks)
		return nil
	}
	r.Deciders.Required = max(r.Deciders.Required, in.Required)
	x.Approvals = slices.DeleteFunc(slices.Clone(x.Approvals), func(a CountedApproval) bool { return slices.Contains(in.Dropped, a.EventID) })
	if x.approvedBy(s.Actor) {
		return Errorf(CodeDuplicate, "you have approved this already; it needs %d different people", r.Deciders.Required)
	}
	x.Approvals = append(x.Approvals, CountedApproval{EventID: s.ID, Actor: s.Actor, At: s.At})
	r.Extension = &x
	if len(x.Approvals) < r.Deciders.Required {
		e.State = StateInProgress
		r.record(e)
		return nil
	}
	r.extend(e, x.By(), in.Hooks)
	return nil
}

func (x *Extension) approvedBy(who Actor) bool {
	return slices.ContainsFunc(x.Approvals, func(a CountedApproval) bool { return a.Actor.Same(who) })
}

// decidable says whether the extension that was asked for by an event can be decided
// now, and why not.
func (r *Run) decidable(asked string, now time.Time) error {
	switch {
	case r.Status == Deescalated || r.Access.Live() && r.ending(now):
		return Errorf(CodeStale, "this comes too late: the access is being taken away, or has ended. It can be asked for again")
	case r.Extension == nil || r.Extension.EventID != asked:
		for _, e := range slices.Backward(r.Events) {
			if (e.Name == EventExtend || e.Name == EventExtendDeny) && e.State == StateCompleted {
				done := map[EventName]string{EventExtend: "extended", EventExtendDeny: "denied"}[e.Name]
				return Errorf(CodeDecided, "this extension was already %s by %s", done, e.Actor.Display())
			}
		}
		return stale
	case !r.Access.Live():
		return stale
	}
	return nil
}

// putBehind puts a hook's ruling behind an event about more time.
func (r *Run) putBehind(ruling *Ruling, asked EventName, by time.Duration, hooks []string, now time.Time) {
	e := Event{
		ID: r.nextID(), Name: ruling.Event, Actor: r.rule(asked), Channel: ChannelSDK, At: now,
		State: StateCompleted, Fields: maps.Clone(ruling.Fields),
	}
	if ruling.Event == EventExtend {
		r.extend(e, by, hooks)
		return
	}
	r.Extension = nil
	r.record(e)
	r.then(e.Name, e.ID, hooks)
}

// extend moves the end, by an event that says so.
func (r *Run) extend(e Event, by time.Duration, hooks []string) {
	r.Access.End = r.Access.End.Add(by)
	r.Access.Untold = &Untold{}
	r.Extended++
	r.ExtendedSeconds += int64(by / time.Second)
	r.Extension = nil
	e.Fields = withFields(e.Fields, map[string]any{
		KeyExtendBy: int64(by / time.Second), KeyExpiresAt: r.Access.End.Format(time.RFC3339Nano),
	})
	r.record(e)
	r.then(e.Name, e.ID, hooks)
}

// lapse ends an extension that nobody has decided: the access has ended.
func (r *Run) lapse(now time.Time) {
	if r.Extension == nil {
		return
	}
	r.record(Event{
		ID: r.nextID(), Name: EventExtendExpire, Actor: System, Channel: ChannelInternal, At: now, State: StateCompleted,
		Fields: map[string]any{KeyExtendBy: r.Extension.Seconds},
	})
	r.Extension = nil
}

// withFields gives the fields of both; the second win.
func withFields(first, second map[string]any) map[string]any {
	all := maps.Clone(first)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, second)
	return all
}

// telling tells whether the new end of access is still to be told to its schedule
// and its targets.
func (r *Run) telling() bool {
	return r.Status == Escalated && r.Access.Live() && r.Access.Untold != nil && !r.removing() && r.Access.Lingering.IsZero()
}

// Told notes that the schedule and the targets know the end of access; or, with a
// pause, that targets need time and are looked at again after it.
type Told struct {
	End   time.Time     // which they were told
	Pause time.Duration // zero: all know it
}

func (in Told) apply(r *Run, now time.Time) error {
	if !r.telling() {
		return stale
	}
	if !r.Access.End.Equal(in.End) { // it was moved once more meanwhile
		return ErrUnchanged
	}
	r.Execution.Active, r.Execution.Token = false, ""
	if in.Pause > 0 {
		u := *r.Access.Untold
		u.LookAt, u.Stuck = now.Add(in.Pause), false
		r.Access.Untold = &u
		return nil
	}
	r.Access.Untold = nil
	if r.Error != nil && r.Error.Step == EventExtend {
		r.Error = r.shortfall()
	}
	return nil
}

// failTelling records that a target could not be told when the access ends: it ends
// it by itself, when it was told before. That is tried again while it may help.
func (r *Run) failTelling(f Failure, wait time.Duration, now time.Time) error {
	if !r.telling() {
		return stale
	}
	u := Untold{Attempts: r.Access.Untold.Attempts + 1, Stuck: !f.Retryable}
	f.Attempts = u.Attempts
	if !u.Stuck {
		u.LookAt = now.Add(max(min(wait, MaxRemovalBackOff), backOff(u.Attempts, 5*time.Second, MaxRemovalBackOff)))
		f.RetryAt = u.LookAt
	}
	r.Access.Untold = &u
	r.Execution.Active, r.Execution.Token = false, ""
	by := System
	if e, ok := r.Last(EventExtend); ok {
		by = e.Actor
	}
	short := r.Error
	if r.recordFailure(f, by, ChannelInternal, now); short != nil && short.Step != EventExtend {
		r.Error = short // which asks for a Retry of its own, and that tells the end, too
	}
	return nil
}
