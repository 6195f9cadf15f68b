package workflow

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Submit is the way in: forms, clicks and API calls. Each call is one read
// and one conditional write at most (beside looking up the flow); what it
// acknowledged is durable, and everything else follows from the change feed.
// Callers have verified who the actor is.
type Submit struct {
	Org       string
	Runs      store.Runs
	Flows     *store.Flows
	Directory Directory
	// Fields gives the options that API requests are held to. If it is nil, API
	// requests of flows whose options come from handlers are refused.
	Fields FormHandlers
	// Bound checks what requests fill into targets; nil: there is nothing to check.
	Bound CheckBound
	// Entities are asked whether a target is still there.
	Entities store.Entities
	// Closed returns why no new requests are taken just now, and nil while they
	// are. If Closed is nil, they always are. What is under way goes on.
	Closed func() error
	// Refused is told of decisions that are refused on the spot, because whoever clicked
	// may not decide. It may be nil.
	Refused func(ctx context.Context, r flow.Run, c Click, why error)
	Now     func() time.Time
}

// Prompt is a form that somebody opens.
type Prompt struct {
	RunID         string // from the cause, by flow.RunIDFrom, so that a replay is the same run
	Flow          *flow.Flow
	Actor         store.User
	SourceChannel string
	// Again is the run that is asked for once more; nil for a request of its own.
	Again *flow.Run
}

// Prompt starts a run whose form is being shown. The same prompt twice is the
// same run. Guests, and flows that don't allow Slack, are refused.
func (s Submit) Prompt(ctx context.Context, p Prompt) (flow.Run, error) {
	if err := s.open(); err != nil {
		return flow.Run{}, err
	}
	if err := s.mayStart(p.Flow, flow.ChannelSlack, p.Actor); err != nil {
		return flow.Run{}, err
	}
	repeats := ""
	if p.Again != nil {
		if err := p.Again.MayAskAgain(p.Actor.Actor); err != nil {
			return flow.Run{}, err
		}
		repeats = p.Again.ID
	}
	return s.start(ctx, flow.Start{
		ID: p.RunID, Flow: p.Flow, Requester: p.Actor.Actor, Source: flow.ChannelSlack,
		SourceChannel: p.SourceChannel, Prompted: true, Repeats: repeats,
	}, nil)
}

// open returns why no new requests are taken.
func (s Submit) open() error {
	if s.Closed == nil {
		return nil
	}
	return s.Closed()
}

func (s Submit) mayStart(f *flow.Flow, source flow.Channel, who store.User) error {
	if !f.Params.Allows(source) {
		return flow.Errorf(flow.CodeWrongSource, "flow %q can't be started from %s: its allowed_sources don't have it", f.Name, source)
	}
	return MayRequest(who)
}

// MayRequest returns nil if the person may start requests at all, and an error
// that says why not otherwise.
func MayRequest(who store.User) error {
	switch who.Role {
	case store.RoleGuest:
		return flow.Errorf(flow.CodeForbidden, "guests of the workspace can't start requests")
	case store.RoleDeactivated:
		return flow.Errorf(flow.CodeForbidden, "this user has been deactivated and can't start requests")
	case store.RoleBot:
		return flow.Errorf(flow.CodeForbidden, "bots of the workspace can't start requests: a program asks by the API, as itself")
	}
	return nil
}

// start creates a run; and, with a submission, its request in the same write.
func (s Submit) start(ctx context.Context, in flow.Start, receive *flow.Receive) (flow.Run, error) {
	r, err := flow.Apply(flow.Run{}, in, s.Now())
	if err == nil && receive != nil {
		r, err = flow.Apply(r, *receive, s.Now())
	}
	if err != nil {
		return flow.Run{}, err
	}
	created, err := s.Runs.Put(ctx, r)
	if errors.Is(err, store.ErrConflict) {
		return s.Runs.Get(ctx, in.ID)
	}
	return created, err
}

// Request submits the form of a run that was prompted. The values are checked
// against the version of the flow that the form showed; that of FieldFor, if there is
// one, says for whom it is, that of KeyStartAt when access is to start, and that of
// KeyBreakGlass whether it is an emergency, of somebody who may have one. Submitting
// twice changes nothing.
func (s Submit) Request(ctx context.Context, runID string, who flow.Actor, values map[string]any) (flow.Run, error) {
	whom, values := forWhom(values)
	more, values, err := extrasOf(values)
	if err != nil {
		return flow.Run{}, err
	}
	return s.Runs.Change(ctx, runID, s.Now, func(r flow.Run) (flow.Input, error) {
		if !r.OpenedBy(who) {
			return nil, flow.Errorf(flow.CodeForbidden, "this form was opened by somebody else")
		}
		if r.Status != flow.Prompted {
			if r.Status == flow.Expired {
				return nil, flow.Errorf(flow.CodeStale, "this form was open too long; start again with /sym req")
			}
			return nil, flow.ErrUnchanged
		}
		if err := s.open(); err != nil {
			return nil, err
		}
		f, err := s.Flows.Version(ctx, r.Flow, r.FlowVersion)
		if err != nil {
			return nil, err
		}
		sub, err := s.read(ctx, f, r, values)
		if err != nil {
			return nil, err
		}
		colleague, err := s.colleague(ctx, f, r, whom, values)
		if err != nil {
			return nil, err
		}
		sub.StartAt, sub.BreakGlass = more.startAt, more.breakGlass
		if err := f.CheckStart(sub.StartAt, s.Now()); err != nil {
			return nil, err
		}
		if sub.BreakGlass {
			if err := f.CheckBreakGlass(sub); err != nil {
				return nil, err
			}
			if err := s.mayBreakGlass(ctx, f, r); err != nil {
				return nil, err
			}
		}
		return flow.Receive{Action: flow.ActionRequest, Actor: r.Requester, Channel: flow.ChannelSlack, Submission: &sub, For: colleague}, nil
	})
}

// Unsettled is the error of a form that was submitted before the on_change
// handlers of these fields had heard of their values: ask them by
// [Forms.Change], and submit again.
type Unsettled struct{ Fields []string }

func (e *Unsettled) Error() string {
	return "the form was still changing: look at it again, and submit"
}

// read checks a form: against the flow, and where handlers have a say in it,
// against what it has become. It does not trust what the person's client says
// of the form.
func (s Submit) read(ctx context.Context, f *flow.Flow, r flow.Run, values map[string]any) (flow.Submission, error) {
	if _, dismissed := r.Dismissed(); dismissed || !f.DynamicForm() {
		sub, err := f.Submit(values)
		return s.submitted(ctx, f, sub, err)
	}
	form, _, err := store.Forms{Store: s.Runs.Store, Now: s.Now}.Get(ctx, r.ID)
	if err != nil {
		return flow.Submission{}, err
	}
	if fields := f.Unsettled(form, values); len(fields) > 0 {
		return flow.Submission{}, &Unsettled{fields}
	}
	sub, err := f.SubmitForm(form, values)
	return s.submitted(ctx, f, sub, err)
}

// submitted returns the submission if it may be asked for: its settings are right, and its
// target has not been deleted.
func (s Submit) submitted(ctx context.Context, f *flow.Flow, sub flow.Submission, err error) (flow.Submission, error) {
	if sub, err = s.Bound.submitted(f, sub, err); err == nil && sub.Target != nil {
		err = stillThere(ctx, s.Entities, f.Strategy, *sub.Target, flow.CodeInvalid)
	}
	return sub, err
}

// Click is a button that somebody pressed, or an API call that means the same.
type Click struct {
	RunID   string
	Action  flow.Action // approve, deny, cancel, extend, extend_deny deescalate or review
	Actor   store.User
	Channel flow.Channel
	Message string           // decision message
	Via     *flow.MessageRef // the message that has the button
	// Seen is the digest of what the message said is asked for; "" where it
	// carries none. Of a decision on more time it is the event that asked for it.
	Seen string
	// What an approval gives in place of what is asked for: a target, by name or id, and
	// a duration. "" and zero are as asked.
	Target   string
	Duration time.Duration
}

func (c Click) changes() bool { return c.Target != "" || c.Duration != 0 }

// Click authorises a click and appends its signal. It returns the run and the
// id of the event that the signal becomes. A double click gives the same id
// again; a click that is not allowed is refused, and not recorded.
func (s Submit) Click(ctx context.Context, c Click) (flow.Run, string, error) {
	r, err := s.Runs.Change(ctx, c.RunID, s.Now, func(r flow.Run) (flow.Input, error) {
		if err := s.mayClick(ctx, r, c); err != nil {
			return nil, err
		}
		if err := sameAsSeen(r, c); err != nil {
			return nil, err
		}
		if utf8.RuneCountInString(c.Message) > maxMessage {
			return nil, flow.Errorf(flow.CodeTooLarge, "the message is too long: at most %d characters", maxMessage)
		}
		if c.Action == flow.ActionDeescalate && r.Access.Live() {
			f, err := s.Flows.Version(ctx, r.Flow, r.FlowVersion)
			if err != nil {
				return nil, err
			}
			if !f.Params.AllowRevoke && !r.ByAgent() && c.Channel == flow.ChannelSlack {
				return nil, flow.Errorf(flow.CodeForbidden, "access of this flow ends by its duration only (allow_revoke is off)")
			}
		}
		give, err := s.give(ctx, r, c)
		if err != nil {
			return nil, err
		}
		in := flow.Receive{Action: c.Action, Actor: c.Actor.Actor, Channel: c.Channel, Message: c.Message, Via: c.Via, Give: give}
		if c.Action == flow.ActionExtend || c.Action == flow.ActionExtendDeny {
			in.Extension = c.Seen
		}
		return in, nil
	})
	if err != nil {
		s.refused(ctx, r, c, err)
		return r, "", err
	}
	for _, sig := range r.Signals {
		if sig.Action == c.Action && (sig.Actor.Is(c.Actor.Actor) || c.Action == flow.ActionDeescalate) {
			return r, sig.ID, nil
		}
	}
	if c.Action == flow.ActionDeescalate && r.Access != nil && r.Access.Removal.EventID != "" {
		return r, r.Access.Removal.EventID, nil
	}
	return r, "", nil
}

// sameAsSeen refuses to count a decision about something else than the run is
// now. The error has flow.CodeChanged. To end access or to withdraw a request is
// never about what it says.
func sameAsSeen(r flow.Run, c Click) error {
	if c.Seen == "" || r.Status != flow.Requested || c.Action != flow.ActionApprove && c.Action != flow.ActionDeny {
		return nil
	}
	now, err := r.AskedFor()
	if err == nil && c.Seen != now {
		err = flow.Errorf(flow.CodeChanged, "this request has changed since its message was written, so that your click did not count: read it once more, and decide then")
	}
	return err
}

// maxMessage bounds decision messages; Slack's plain_text_input takes 3,000.
const maxMessage = 3000

// MayClick is the function of that name, for a click that is about to open a form:
// where it is refused, that is told as of any other.
func (s Submit) MayClick(ctx context.Context, r flow.Run, c Click) error {
	err := s.mayClick(ctx, r, c)
	s.refused(ctx, r, c, err)
	return err
}

// mayClick is MayClick, by the admins of now as well for a review: those who could give
// it when access was asked for may all have left.
func (s Submit) mayClick(ctx context.Context, r flow.Run, c Click) error {
	err := MayClick(r, c)
	if c.Action != flow.ActionReview || flow.CodeOf(err) != flow.CodeForbidden {
		return err
	}
	f, lookup := s.Flows.Version(ctx, r.Flow, r.FlowVersion)
	if lookup == nil {
		f, lookup = reviewedBy(ctx, s.Flows, f)
	}
	if lookup != nil {
		return lookup
	}
	if f.Environment.Administers(c.Actor.Actor) {
		r.Deciders.Admins = append(slices.Clone(r.Deciders.Admins), c.Actor.Actor)
		err = MayClick(r, c)
	}
	return err
}

// refused tells of a decision that was refused, if that is why.
func (s Submit) refused(ctx context.Context, r flow.Run, c Click, why error) {
	switch c.Action {
	case flow.ActionApprove, flow.ActionDeny, flow.ActionExtend, flow.ActionExtendDeny, flow.ActionReview:
		if s.Refused != nil && r.ID != "" && flow.CodeOf(why) == flow.CodeForbidden {
			s.Refused(ctx, r, c, why)
		}
	}
}

// MayClick returns nil if the actor may do this to the run, and an error that
// says why not otherwise.
func MayClick(r flow.Run, c Click) error {
	if c.Actor.Role == store.RoleDeactivated {
		return flow.Errorf(flow.CodeForbidden, "this user has been deactivated")
	}
	if c.Actor.Role == store.RoleBot && c.Channel != flow.ChannelAPI {
		return flow.Errorf(flow.CodeForbidden, "bots of the workspace can't press buttons")
	}
	if c.Actor.Kind == flow.KindAgent {
		if err := ForAgent(c.Actor.Actor, r); err != nil {
			return err
		}
	}
	switch c.Action {
	case flow.ActionApprove, flow.ActionDeny:
		if r.Status != flow.Requested {
			return nil // applying the click tells who was first
		}
	case flow.ActionCancel:
		if r.Final() {
			return nil // likewise
		}
	case flow.ActionReview:
		if c.Channel != flow.ChannelSlack {
			return flow.Errorf(flow.CodeForbidden, "people review emergencies, in Slack")
		}
	case flow.ActionDeescalate:
		if c.Channel == flow.ChannelAPI {
			// A grant whose answer was lost may be there: it is ended like any other.
			if r.Status != flow.Escalated && r.Status != flow.Deescalated && !r.Access.Live() {
				return flow.Errorf(flow.CodeInvalidRun, "the run must be escalated to be deescalated; it is %s", r.Status)
			}
			return nil // a token may end any access: taking away is the safe side
		}
	}
	return r.May(flow.Button(c.Action), c.Actor.Actor, c.Actor.Guest())
}

// Retry asks for a run's failed step to be tried again now.
func (s Submit) Retry(ctx context.Context, runID string, who store.User) (flow.Run, error) {
	return s.Runs.Change(ctx, runID, s.Now, func(r flow.Run) (flow.Input, error) {
		may := r.May(flow.ButtonRetry, who.Actor, who.Guest())
		if may != nil && r.Status == flow.Prompted { // its admins have not been looked up yet
			f, err := s.Flows.Version(ctx, r.Flow, r.FlowVersion)
			if err != nil {
				return nil, err
			}
			if f.Environment.Administers(who.Actor) {
				may = nil
			}
		}
		if may == nil && (who.Role == store.RoleDeactivated || who.Role == store.RoleBot) {
			may = flow.Errorf(flow.CodeForbidden, "only the requester, the approver and admins can retry this")
		}
		if may != nil {
			return nil, may
		}
		return flow.Retry{Actor: who.Actor}, nil
	})
}
