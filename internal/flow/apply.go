package flow

import (
	"errors"
	"slices"
	"time"
)

// ErrUnchanged says that an input changes nothing: a double click, a replay, a
// message delivered twice. Nothing needs to be written.
var ErrUnchanged = errors.New("nothing to change")

// Input is something that may move a run. The inputs are the types of this
// package that have an apply method; each stands in the file of its subject.
type Input interface {
	apply(r *Run, now time.Time) error
}

// Apply moves a run: it says whether the input is legal now, and if so gives
// the run as it is afterwards, its history included. The run given is not
// changed. Errors are of type [Error] and fit for users' eyes, or [ErrUnchanged].
func Apply(r Run, in Input, now time.Time) (Run, error) {
	now = now.UTC()
	r.Tiers = slices.Clone(r.Tiers)
	r.Approvals = slices.Clone(r.Approvals)
	r.Signals = slices.Clone(r.Signals)
	r.Events = slices.Clone(r.Events)
	r.After = slices.Clone(r.After)
	if r.Access != nil {
		access := *r.Access
		if access.Waiting != nil {
			waiting := *access.Waiting
			access.Waiting = &waiting
		}
		access.cloneParts()
		r.Access = &access
	}
	if r.BreakGlass != nil {
		broken := *r.BreakGlass
		r.BreakGlass = &broken
	}
	if r.Turn != nil {
		turn := *r.Turn
		r.Turn = &turn
	}
	if r.Error != nil {
		failure := *r.Error
		r.Error = &failure
	}
	if r.Coming != nil {
		coming := *r.Coming
		r.Coming = &coming
	}
	if err := in.apply(&r, now); err != nil {
		return Run{}, err
	}
	r.Touched = now
	if Next(r) == StepDone {
		r.Execution.Active, r.Execution.Token = false, ""
	}
	r.Due = nextLook(&r)
	return r, nil
}

// Receive appends a signal. Whether the actor may send it has been checked.
type Receive struct {
	Action  Action
	Actor   Actor
	Channel Channel
	Tier    int
	Copy    int // of the tier's message, for ActionUndeliverable
	Message string
	Via     *MessageRef
	Give    *Given // of an approval: what it gives in place of what is asked for
	For     *Actor // for ActionRequest: the colleague whom whoever opened the form asks for
	// By is for how much longer access is asked for, Owner who answers for the token
	// that asks, and Key by what a repetition is known; for ActionExtendRequest.
	By    time.Duration
	Owner *Actor
	Key   string
	// Extension is the event that asked for what ActionExtend and ActionExtendDeny
	// decide.
	Extension string
	// Version is that of the flow in force, for ActionRecheck; "" where there is none.
	Version string
	// Submission is the form, for ActionRequest.
	Submission *Submission

	about string // Signal.About
}

func (in Receive) apply(r *Run, now time.Time) error {
	if _, repeated := r.ExtensionAsked(in.Key); repeated {
		return ErrUnchanged
	}
	for _, s := range r.Signals {
		bySystem := s.Actor.Kind == KindSystem && in.Actor.Kind == KindSystem && s.Tier == in.Tier
		if s.Action == in.Action && (bySystem || s.Actor.Is(in.Actor)) {
			return ErrUnchanged
		}
	}
	switch in.Action {
	case ActionRequest, ActionCancel, ActionExtendRequest, ActionDeescalate:
	default:
		if err := noAgent(in.Actor); err != nil {
			return err
		}
	}
	if r.Size > MaxRunBytes && in.Action != ActionDeescalate && in.Action != ActionReview && in.Actor.Kind != KindSystem {
		return full
	}
	switch in.Action {
	case ActionRequest:
		if r.Status != Prompted || slices.ContainsFunc(r.Signals, func(s Signal) bool { return s.Action == ActionRequest }) {
			return ErrUnchanged // the form was submitted before
		}
		if len(r.Signals) > 0 {
			return Errorf(CodeStale, "this form was open for too long: start a new request")
		}
		if reason, ok := r.Dismissed(); ok {
			return Errorf(CodeForbidden, "%s", reason.Message)
		}
		if r.awaitsHook() {
			return Errorf(CodeIllegal, "the flow has not said yet who may use it: open the form again")
		}
		r.Coming = nil
		if in.For != nil && !in.For.Is(r.Requester) {
			asker := r.Requester
			r.Asker, r.Requester = &asker, *in.For
			in.Actor = r.Requester // as where a bot asks: the request is the requester's
		}
		r.Fields = in.Submission.Fields
		r.Form.Fields = labelled(r.Form.Fields, in.Submission.Labels)
		r.Offered = in.Submission.Offered
		r.Target = in.Submission.Target
		r.DurationSeconds = int64(in.Submission.Duration / time.Second)
		r.StartAt = in.Submission.StartAt.UTC()
		if in.Submission.BreakGlass {
			if err := r.beginBreakGlass(in); err != nil {
				return err
			}
		}
	case ActionApprove, ActionDeny, ActionCancel:
		if r.Status != Requested && !(in.Action == ActionCancel && r.withdrawable()) {
			return r.notOpen()
		}
		if in.Action == ActionApprove && r.approvedBy(in.Actor) {
			return r.duplicate()
		}
		if err := r.mayGive(in.Action, in.Give); err != nil {
			return err
		}
		about, err := r.AskedFor()
		if err != nil {
			return err
		}
		in.about = about
	case ActionRecheck:
		if r.Status != Requested {
			return stale
		}
		r.Rechecked = in.Version
	case ActionTimeout:
		if _, waits := r.Head(); r.Status == Prompted && waits {
			return ErrUnchanged // submitted at the last moment
		}
		if at := r.Deadline(); at.IsZero() || in.Tier != r.Tier || now.Before(at) {
			return stale
		}
	case ActionUndeliverable:
		if r.Status != Requested || in.Tier > r.Tier {
			return stale
		}
		if t := r.Tiers[in.Tier]; t.Delivered || t.Undeliverable != "" {
			return ErrUnchanged // known, or one copy has arrived, which is enough
		}
		t := &r.Tiers[in.Tier]
		if slices.Contains(t.Failed, in.Copy) {
			return ErrUnchanged
		}
		if len(t.Others) > 0 {
			t.Failed = append(slices.Clone(t.Failed), in.Copy)
			if len(t.Failed) <= len(t.Others) {
				return nil // noted; other copies may arrive
			}
		}
		t.Undeliverable = in.Message
		if in.Tier != r.Tier {
			return nil // noted; that tier's turn is over anyway
		}
	case ActionExtendRequest:
		if x := r.Extension; x != nil && x.Actor.Is(in.Actor) && x.By() == in.By {
			return ErrUnchanged
		}
		if err := r.extendsBy(in.By, now); err != nil {
			return err
		}
	case ActionExtend, ActionExtendDeny:
		if err := r.decidable(in.Extension, now); err != nil {
			return err
		}
		if in.Action == ActionExtend && r.Extension.approvedBy(in.Actor) {
			return Errorf(CodeDuplicate, "you have approved this already; it needs %d different people", r.Deciders.Required)
		}
	case ActionDeescalate:
		if !r.Access.Live() || r.Status != Escalated && r.Status != Approved {
			return r.notLive()
		}
		if r.removing() {
			return ErrUnchanged
		}
	case ActionReview:
		if err := r.Reviewable(); err != nil {
			return err
		}
	default:
		return Errorf(CodeIllegal, "%q is not something a run can be asked", in.Action)
	}
	s := Signal{
		ID: r.nextID(), Action: in.Action, Actor: in.Actor, Channel: in.Channel, At: now, Tier: in.Tier, Message: in.Message, Via: in.Via,
		Seconds: int64(in.By / time.Second), Owner: in.Owner, Extension: in.Extension, About: in.about, Give: in.Give,
	}
	r.Signals = append(r.Signals, s)
	if in.Key != "" {
		keys := append(slices.Clone(r.ExtendKeys), ExtendKey{Key: in.Key, EventID: s.ID, Seconds: s.Seconds, Reason: reasonDigest(in.Message)})
		r.ExtendKeys = keys[max(0, len(keys)-maxExtendKeys):]
	}
	return nil
}

var full = Errorf(CodeFull, "this run has grown so large that it accepts nothing but the end of its access: start a new request")

var stale = Errorf(CodeStale, "that is over already")

// take removes a signal: the execution that did it moves on, so that its
// token is spent. The workflow's signals are taken in their order.
func (r *Run) take(id string) (Signal, error) {
	i := slices.IndexFunc(r.Signals, func(s Signal) bool { return s.ID == id })
	if i < 0 {
		return Signal{}, stale
	}
	s := r.Signals[i]
	if head, ok := r.Head(); ok && s.Action != ActionDeescalate && s.ID != head.ID {
		return Signal{}, Errorf(CodeIllegal, "an earlier %s is to be taken first", head.Action)
	}
	r.Signals = slices.Delete(r.Signals, i, i+1)
	if s.Action != ActionDeescalate {
		r.Execution.Token = ""
	}
	return s, nil
}

// asEvent is what the signal becomes.
func (s Signal) asEvent() Event {
	e := Event{ID: s.ID, Name: EventName(s.Action), Actor: s.Actor, Channel: s.Channel, At: s.At, Via: s.Via}
	said := KeyDecisionMessage
	if s.Action == ActionExtendRequest {
		said = KeyExtendReason
		e.Fields = map[string]any{KeyExtendBy: s.Seconds}
	}
	if s.Message != "" {
		e.Fields = withFields(e.Fields, map[string]any{said: s.Message})
	}
	return e
}

// by is for how much longer access is asked for.
func (s Signal) by() time.Duration { return time.Duration(s.Seconds) * time.Second }
