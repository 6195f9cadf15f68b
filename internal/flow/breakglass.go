package flow

import (
	"fmt"
	"strings"
	"time"
)

// BreakGlassParams say who may have access at once in an emergency, without
// approval.
type BreakGlassParams struct {
	// Who are "group:<handle>" and "user:<e-mail>". There is no default: nobody
	// named is nobody, and never every member.
	Who []string `json:"who"`
	// Reason is [ReasonRequired]: no emergency is without one.
	Reason string `json:"reason"`
	// Duration is the longest that the access lasts without an approval.
	Duration Duration `json:"duration"`
	// Notify are told besides those who would have been asked, the error channel
	// and the admins. All of them at once: there is nothing to wait for.
	Notify []Notify `json:"notify,omitempty"`
}

// ReasonRequired is what BreakGlassParams.Reason says.
const ReasonRequired = "required"

// BreakGlass is that a run's requester breaks the glass: they take the access
// without waiting for approval, for a short time, in front of everybody, and it is
// reviewed afterwards.
type BreakGlass struct {
	// At is when the glass was broken, and the access approved by nobody but the
	// requester; zero until then.
	At time.Time `json:"at,omitzero"`
	// LongestSeconds is how long the access may last without an approval.
	LongestSeconds int64 `json:"longest_seconds,omitempty"`
	// Skipped is how many approvals it would have taken.
	Skipped int `json:"skipped,omitempty"`
	// Review is what was said of it afterwards; nil until then.
	Review *Review `json:"review,omitempty"`
}

// Review is that somebody else has looked at what was done with a broken glass.
type Review struct {
	EventID string    `json:"event_id"`
	Actor   Actor     `json:"actor"`
	At      time.Time `json:"at"`
	Message string    `json:"message,omitempty"`
}

// breakGlass checks who may have access in an emergency, and for how long.
func (v *validator) breakGlass() {
	b, at := v.Params.BreakGlass, "params.break_glass"
	if b == nil {
		return
	}
	if v.ApprovalOnly() {
		v.fault(at, "an approval-only flow grants nothing that could not wait: remove it, or add strategy_id to make it an access flow")
		return
	}
	if len(b.Who) == 0 {
		v.fault(at+".who", "is missing: list who may have access without approval, as group:<handle of a Slack user group> or user:<e-mail address>; it has no default and never means all members, because whoever is in it needs nobody's consent")
	}
	v.people(at+".who", "person", b.Who)
	if b.Reason != ReasonRequired {
		v.fault(at+".reason", "must be required, or be left out: nobody can review an emergency that has no reason")
	}
	if i := v.index(FieldNameReason); i < 0 {
		v.fault(at, "needs a prompt field named reason: everybody who is told of an emergency reads what is in it")
	} else if p := v.Params.PromptFields[i]; p.Type != FieldString && p.Type != "" || !p.Visible {
		v.fault(at, "needs the prompt field reason to be a visible text: everybody who is told of an emergency reads what is in it")
	}
	switch d := time.Duration(b.Duration); {
	case d <= 0:
		v.fault(at+".duration", "is missing: say for how long the access lasts at most, such as 30m; more takes an approval")
	case v.tooLong(d):
		v.fault(at+".duration", "is longer than max_duration (%s): an emergency is to be shorter than what is approved", Words(time.Duration(v.Params.MaxDuration)))
	}
	if v.Params.AllowedSources != nil && !v.Params.Allows(ChannelSlack) {
		v.fault(at, "goes with slack among the allowed_sources: people have it there, and programs never do")
	}
	v.notify(at+".notify", b.Notify)
	for i, n := range b.Notify {
		if n.Timeout != 0 {
			v.fault(fmt.Sprintf("%s.notify[%d].timeout", at, i), "nothing is waited for: all of them are told at once; remove it")
		}
	}
}

// CheckBreakGlass says whether a request may be made in an emergency: by what the
// flow allows and the form says. Who may is the directory's to say.
func (f *Flow) CheckBreakGlass(sub Submission) error {
	switch {
	case f.Params.BreakGlass == nil || f.ApprovalOnly():
		return Errorf(CodeForbidden, "this flow grants nothing without approval, not even in an emergency")
	case !sub.StartAt.IsZero():
		return &Error{Code: CodeInvalid, Message: "some fields are not right", Fields: []FieldError{
			{Field: KeyStartAt, Message: "does not go with an emergency, which begins now: leave it out"},
		}}
	}
	if reason, _ := sub.Fields[FieldNameReason].(string); strings.TrimSpace(reason) == "" {
		return &Error{Code: CodeInvalid, Message: "some fields are not right", Fields: []FieldError{
			{Field: FieldNameReason, Message: "is required in an emergency: everybody who is told of it reads it"},
		}}
	}
	return nil
}

// beginBreakGlass notes that the request is made in an emergency. Only people ask so, for
// themselves, in Slack.
func (r *Run) beginBreakGlass(in Receive) error {
	if in.Channel != ChannelSlack || r.Source != ChannelSlack || r.Asker != nil || r.Owner != nil || r.Requester.Kind == KindBot || r.ByAgent() || !r.Requester.Is(in.Actor) {
		return Errorf(CodeForbidden, "in an emergency people ask for themselves, in Slack: no program, no token, and nobody for somebody else")
	}
	r.BreakGlass = &BreakGlass{}
	return nil
}

// breakGlass approves the request in its requester's own name, and says so.
func (r *Run) breakGlass(s Signal, longest time.Duration, hooks []string, now time.Time) error {
	if longest < time.Second {
		return Errorf(CodeIllegal, "access in an emergency needs an end")
	}
	b := r.BreakGlass
	b.At, b.LongestSeconds, b.Skipped = now, int64(longest/time.Second), r.Deciders.Required
	r.shorten()
	e := Event{
		ID: r.nextID(), Name: EventApprove, Actor: r.Requester, Channel: s.Channel, At: now, State: StateCompleted,
		Fields: map[string]any{KeyBreakGlass: true, KeyApprovalsSkipped: b.Skipped},
	}
	r.record(e)
	r.then(e.Name, e.ID, hooks)
	r.approved(hooks, now)
	return nil
}

// shorten keeps what is granted in an emergency within what it may last.
func (r *Run) shorten() {
	if r.BreakGlass == nil || r.BreakGlass.LongestSeconds == 0 {
		return
	}
	longest := time.Duration(r.BreakGlass.LongestSeconds) * time.Second
	if d := r.GivenDuration(); d == 0 || d > longest {
		r.give(nil, r.BreakGlass.LongestSeconds)
	}
}

// GlassBroken tells whether the run keeps its requester from breaking the glass
// once more: it is under way, or lasts, or nobody has reviewed it.
func (r *Run) GlassBroken() bool {
	if r.BreakGlass == nil {
		return false
	}
	switch r.Status {
	case Denied, Expired, Cancelled: // nothing was granted
		return false
	case Deescalated:
		return r.BreakGlass.Review == nil
	}
	return true
}

// AwaitsReview tells whether the run's access, taken in an emergency, has ended and
// nobody has reviewed it.
func (r *Run) AwaitsReview() bool {
	return r.BreakGlass != nil && r.Status == Deescalated && r.BreakGlass.Review == nil
}

// MayReview returns nil if the actor may review what was done in an emergency: they
// may approve the flow's requests, and it was not theirs. Whether the flow lets
// people approve their own requests makes no difference.
func (r *Run) MayReview(who Actor, guest bool) error {
	if r.Asks(who) {
		return Errorf(CodeSelfApproval, "you can't review what you did yourself: somebody else has to")
	}
	return r.MayDecide(who, guest, ActionReview)
}

// Reviewable returns nil if there is something to review now, and an error that says
// why not otherwise.
func (r *Run) Reviewable() error {
	switch {
	case r.BreakGlass == nil:
		return Errorf(CodeIllegal, "there is nothing to review: this was no emergency")
	case r.BreakGlass.Review != nil:
		return Errorf(CodeDecided, "this was already reviewed by %s", r.BreakGlass.Review.Actor.Display())
	case r.Status != Deescalated:
		return Errorf(CodeIllegal, "this can be reviewed once the access has ended: it is %s", r.Status)
	}
	return nil
}

// Reviewed takes the review of what was done in an emergency.
type Reviewed struct {
	SignalID string
	Fields   map[string]any // of the event, by a hook
	Hooks    []string       // those that the flow may define
}

func (in Reviewed) apply(r *Run, _ time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if s.Action != ActionReview {
		return Errorf(CodeIllegal, "%q is no review", s.Action)
	}
	if err := r.Reviewable(); err != nil {
		return err
	}
	if r.Asks(s.Actor) {
		return r.MayReview(s.Actor, false)
	}
	e := s.asEvent()
	e.State, e.Fields = StateCompleted, in.Fields
	if s.Message != "" {
		e.set(KeyDecisionMessage, s.Message)
	}
	r.BreakGlass.Review = &Review{EventID: s.ID, Actor: s.Actor, At: s.At, Message: s.Message}
	r.record(e)
	r.then(e.Name, e.ID, in.Hooks)
	return nil
}

// MustBeApproved tells whether more of this access takes an approval of somebody
// else, whatever the flow says of more time: nobody has approved the first of it, or an
// agent has it.
func (r *Run) MustBeApproved() bool { return r.BreakGlass != nil || r.ByAgent() }

// EmergencyTitle is what the access in an emergency was to, for people.
func (r *Run) EmergencyTitle() string {
	if t := r.GivenTarget(); t != nil {
		return t.Title()
	}
	return r.FlowTitle
}

// Blocks is the error of somebody who wants to break the glass while the run keeps
// them from it: it says what is missing, and whose it is.
func (r *Run) Blocks() error {
	switch {
	case r.AwaitsReview():
	case r.cancellable():
		return Errorf(CodeGlassBroken, "one emergency at a time: your access to %s could not be granted yet; call it off by Cancel request on its message first, or ask in the usual way", r.emergency())
	case r.Access.Live() && r.removing():
		return Errorf(CodeGlassBroken, "one emergency at a time: your access to %s, which was granted without approval, is still being taken away; ask in the usual way until it is gone", r.emergency())
	default:
		return Errorf(CodeGlassBroken, "one emergency at a time: your access to %s was granted without approval, and has not ended yet; ask in the usual way, or end it first", r.emergency())
	}
	reviewers := r.Deciders
	reviewers.People = leaveOut(reviewers.People, r.Asks)
	reviewers.Admins = leaveOut(reviewers.Admins, r.Asks)
	return Errorf(CodeGlassBroken, "your last emergency, access to %s, has not been reviewed: one of those who may (%s) has to press Reviewed on its message, or in their Home tab, first; or ask in the usual way", r.emergency(), reviewers.Names())
}

// emergency names an emergency so that people find it: what the access was to, and what
// they can type behind /sym show.
func (r *Run) emergency() string { return r.EmergencyTitle() + " (" + ShortID(r.ID) + ")" }

func leaveOut(list []Actor, drop func(Actor) bool) []Actor {
	var out []Actor
	for _, a := range list {
		if !drop(a) {
			out = append(out, a)
		}
	}
	return out
}
