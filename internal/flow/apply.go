package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// ErrUnchanged says that an input asks for what is so already: a double click,
// a replay, a message delivered twice. Nothing needs to be written.
var ErrUnchanged = errors.New("nothing to change")

// Input is something that may move a run. The inputs are the types of this
// file that have an apply method.
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
		r.Access = &access
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
	r.Due = due(&r)
	return r, nil
}

// Start makes a new run, of the zero Run.
type Start struct {
	ID            string
	Flow          *Flow
	Requester     Actor
	Submitter     *Actor // a bot asking for a person
	Source        Channel
	SourceChannel string
	Context       json.RawMessage
	RequestDigest string
	// Prompted says that a form was shown; the API shows none.
	Prompted bool
}

func (in Start) apply(r *Run, now time.Time) error {
	if r.ID != "" {
		return Errorf(CodeIllegal, "the run exists already")
	}
	*r = Run{
		ID: in.ID, Org: in.Flow.Org, Flow: in.Flow.Name, FlowVersion: in.Flow.Version, FlowTitle: in.Flow.Title(),
		ApprovalOnly: in.Flow.ApprovalOnly(),
		Created:      now, Status: Prompted,
		Requester: in.Requester, Submitter: in.Submitter, Source: in.Source, SourceChannel: in.SourceChannel,
		Context: in.Context, RequestDigest: in.RequestDigest,
		Form: in.Flow.form(),
	}
	if in.Prompted {
		r.record(Event{ID: r.nextID(), Name: EventPrompt, Actor: in.Requester, Channel: in.Source, At: now, State: StateCompleted})
		hooks := in.Flow.Hooks()
		r.then(EventPrompt, r.Events[0].ID, hooks)
		if slices.Contains(hooks, HookBefore(EventPrompt)) {
			r.Coming = &Coming{EventID: r.Events[0].ID}
		}
	}
	return nil
}

// Dismiss is a form that a hook does not let be shown, by ignoring the prompt
// or by failing: whoever asked for it is told why, and it can't be submitted.
type Dismiss struct{ Reason Failure }

func (in Dismiss) apply(r *Run, _ time.Time) error {
	e, prompted := r.prompt()
	switch {
	case prompted && e.State != StateCompleted:
		return ErrUnchanged
	case r.Status != Prompted || !prompted || len(r.Signals) > 0:
		return Errorf(CodeIllegal, "there is no open form of this run")
	}
	r.amend(e.ID, func(e *Event) {
		e.State, e.Errors = StateInProgress, []Failure{in.Reason}
		if in.Reason.Code == CodeIgnored {
			e.State = StateIntercepted
		}
	})
	r.Coming = nil
	r.After = slices.DeleteFunc(r.After, func(a AfterCall) bool { return a.EventID == e.ID })
	return nil
}

// prompt is the event of the form; false: there was none.
func (r *Run) prompt() (Event, bool) {
	if len(r.Events) > 0 && r.Events[0].Name == EventPrompt {
		return r.Events[0], true
	}
	return Event{}, false
}

// Dismissed tells whether a hook kept the form from being shown, and why.
func (r *Run) Dismissed() (Failure, bool) {
	if e, ok := r.prompt(); ok && e.State != StateCompleted {
		return e.Errors[0], true
	}
	return Failure{}, false
}

// unasked tells whether the hook that says who may have the form was not heard
// yet.
func (r *Run) unasked() bool {
	e, prompted := r.prompt()
	return prompted && r.Coming != nil && r.Coming.EventID == e.ID && r.Coming.Result == nil
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
	// Submission is the form, for ActionRequest.
	Submission *Submission
}

func (in Receive) apply(r *Run, now time.Time) error {
	for _, s := range r.Signals {
		bySystem := s.Actor.Kind == KindSystem && in.Actor.Kind == KindSystem && s.Tier == in.Tier
		if s.Action == in.Action && (bySystem || s.Actor.Same(in.Actor)) {
			return ErrUnchanged
		}
	}
	if r.Size > MaxRunBytes && in.Action != ActionDeescalate && in.Actor.Kind != KindSystem {
		return Errorf(CodeFull, "this run has grown so large that it accepts nothing but the end of its access: start a new request")
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
		if r.unasked() {
			return Errorf(CodeIllegal, "the flow has not said yet who may use it: open the form again")
		}
		r.Coming = nil
		r.Fields = in.Submission.Fields
		r.Target = in.Submission.Target
		r.DurationSeconds = int64(in.Submission.Duration / time.Second)
	case ActionApprove, ActionDeny, ActionCancel:
		if r.Status != Requested {
			return r.notOpen()
		}
		if in.Action == ActionApprove && r.approvedBy(in.Actor) {
			return r.duplicate()
		}
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
	case ActionDeescalate:
		if !r.Access.Live() || r.Status != Escalated && r.Status != Approved {
			return r.notLive()
		}
		if r.ending() {
			return ErrUnchanged
		}
	default:
		return Errorf(CodeIllegal, "%q is not something a run can be asked", in.Action)
	}
	r.Signals = append(r.Signals, Signal{
		ID: r.nextID(), Action: in.Action, Actor: in.Actor, Channel: in.Channel, At: now, Tier: in.Tier, Message: in.Message, Via: in.Via,
	})
	return nil
}

var stale = Errorf(CodeStale, "that is over already")

// Keep saves what customers' code answered, before it is applied: for a signal,
// for the grant that is coming, or for a removal that has begun. The first
// answer stays; that of a function goes beside that of the handlers.
type Keep struct {
	EventID string // the signal's, or the one reserved for the step
	Result  Result
}

func (in Keep) apply(r *Run, _ time.Time) error {
	in.Result.Output = clipOutput(in.Result.Output)
	kept := r.kept(in.EventID)
	switch {
	case kept == nil:
		return stale
	case *kept == nil:
		*kept = &in.Result
	case (*kept).FunctionAsked() || !in.Result.Invoked:
		return ErrUnchanged
	default:
		in.Result.Answer = (*kept).Answer
		*kept = &in.Result
	}
	return nil
}

// kept is where the answer for an event that is yet to be has its place; nil:
// there is no such event.
func (r *Run) kept(eventID string) **Result {
	if i := slices.IndexFunc(r.Signals, func(s Signal) bool { return s.ID == eventID }); i >= 0 {
		return &r.Signals[i].Result
	}
	switch {
	case eventID == "":
	case r.Coming != nil && r.Coming.EventID == eventID:
		return &r.Coming.Result
	case r.Access != nil && r.Access.Removal.EventID == eventID && r.Access.Live():
		return &r.Access.Removal.Result
	}
	return nil
}

// Kept is what customers' code answered for an event that is yet to be; nil:
// it was not asked.
func (r *Run) Kept(eventID string) *Result {
	if kept := r.kept(eventID); kept != nil {
		return *kept
	}
	return nil
}

// Route turns the request signal into the request: it is open from now on, or
// decided at once by a hook's ruling. Its message is posted all the same.
type Route struct {
	SignalID string
	Tiers    []Tier
	Deciders Deciders
	Terms    *Terms         // what a hook changed of the request
	Fields   map[string]any // of the event, by a hook
	Ruling   *Ruling
	Hooks    []string // those that the flow may define
}

func (in Route) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if r.Status != Prompted || s.Action != ActionRequest {
		return Errorf(CodeIllegal, "a run that is %s can't be requested", r.Status)
	}
	if (len(in.Tiers) == 0 || in.Deciders.Required < 1) && in.Ruling == nil {
		return Errorf(CodeIllegal, "a request needs somebody to ask, and at least one approval")
	}
	in.Terms.apply(r)
	r.Status = Requested
	r.Tiers, r.Tier, r.Deciders = slices.Clone(in.Tiers), 0, in.Deciders
	if len(r.Tiers) > 0 {
		r.ask(now)
	}
	e := Event{ID: s.ID, Name: EventRequest, Actor: s.Actor, Channel: s.Channel, At: s.At, State: StateCompleted, Fields: in.Fields}
	return r.conclude(e, in.Ruling, in.Hooks, now)
}

// conclude records an event that took place, and what a hook put behind it.
func (r *Run) conclude(e Event, ruling *Ruling, hooks []string, now time.Time) error {
	if ruling == nil {
		r.record(e)
		r.then(e.Name, e.ID, hooks)
		return nil
	}
	if !slices.Contains(mayReturn[e.Name], ruling.Event) || ruling.Event == Ignore {
		return Errorf(CodeIllegal, "%s can't take the place of %s", ruling.Event, e.Name)
	}
	e.State = StateIntercepted
	r.record(e)
	if e.Name == EventRequest { // it was made, and is answered
		r.then(e.Name, e.ID, hooks)
	}
	rule := Event{
		ID: r.nextID(), Name: ruling.Event, Actor: System, Channel: ChannelSDK, At: now,
		State: StateCompleted, Fields: ruling.Fields,
	}
	r.Error = nil
	switch ruling.Event {
	case EventApprove:
		r.Status = Approved
		r.coming(hooks)
	case EventRequestExpire:
		r.Status = Expired
	default:
		r.Status = Denied
	}
	r.record(rule)
	r.then(rule.Name, rule.ID, hooks)
	return nil
}

// then notes that a hook is to be told of an event, if the flow has it.
func (r *Run) then(name EventName, id string, hooks []string) {
	if slices.Contains(hooks, HookAfter(name)) {
		r.After = append(r.After, AfterCall{EventID: id, Event: name})
	}
}

// coming reserves the event of the grant, if a hook is to be asked about it.
func (r *Run) coming(hooks []string) {
	if !r.ApprovalOnly && slices.Contains(hooks, HookBefore(EventEscalate)) {
		r.Coming = &Coming{EventID: r.nextID()}
	}
}

// Reject ends a request that nobody could ever approve.
type Reject struct {
	SignalID string
	Reason   Failure
}

func (in Reject) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if r.Status != Prompted || s.Action != ActionRequest {
		return Errorf(CodeIllegal, "a run that is %s can't be rejected", r.Status)
	}
	r.record(Event{ID: s.ID, Name: EventRequest, Actor: s.Actor, Channel: s.Channel, At: s.At, State: StateCompleted})
	r.record(Event{
		ID: r.nextID(), Name: EventDeny, Actor: System, Channel: ChannelInternal, At: now, State: StateCompleted,
		Fields: map[string]any{KeyDecisionMessage: in.Reason.Message},
	})
	r.Status = Denied
	return nil
}

// Refuse drops a signal, and records that somebody tried. Signals of clocks
// and messengers leave no trace: nobody tried anything.
type Refuse struct {
	SignalID string
	Reason   Failure
	// Ignored says that a handler asked for it; Reason is then for the actor only.
	Ignored bool
}

func (in Refuse) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if r.Access != nil && r.Access.Removal.EventID == s.ID {
		return Errorf(CodeIllegal, "this access is being taken away already")
	}
	if s.Actor.Kind == KindSystem && (!in.Ignored || r.Status != Requested || s.Tier != r.Tier) {
		return nil
	}
	e := s.event()
	e.Name = r.EventOf(s)
	if s.Action == ActionTimeout && r.Status == Requested {
		r.ask(now) // whom it asks has as much time again
	}
	e.State, e.Errors = StateInProgress, []Failure{in.Reason}
	if in.Ignored {
		e.State = StateIntercepted
	}
	r.record(e)
	return nil
}

// Decide takes an approval, denial or cancellation that was found legitimate.
type Decide struct {
	SignalID string
	// Dropped are earlier approvals (by event id) that no longer count,
	// because those who gave them may not decide any more.
	Dropped []string
	// Hooks are those that the flow may define.
	Hooks  []string
	Terms  *Terms         // what a hook changed of the request
	Fields map[string]any // of the event, by a hook
	Ruling *Ruling        // what a hook put in the decision's place
}

func (in Decide) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if r.Status != Requested {
		return r.notOpen()
	}
	e := s.event()
	e.State = StateCompleted
	if s.Result != nil && len(s.Result.Output) > 0 {
		e.Output = output("on_"+string(e.Name), s.Result.Output, nil)
	}
	if len(in.Fields) > 0 {
		fields := maps.Clone(in.Fields)
		maps.Copy(fields, e.Fields)
		e.Fields = fields
	}
	if in.Ruling != nil && s.Action != ActionCancel {
		return r.conclude(e, in.Ruling, in.Hooks, now)
	}
	switch s.Action {
	case ActionApprove:
		r.Approvals = slices.DeleteFunc(r.Approvals, func(a CountedApproval) bool { return slices.Contains(in.Dropped, a.EventID) })
		if r.approvedBy(s.Actor) {
			return r.duplicate()
		}
		r.Approvals = append(r.Approvals, CountedApproval{EventID: s.ID, Actor: s.Actor, At: s.At})
		if len(r.Approvals) < r.Deciders.Required {
			e.State = StateInProgress
		} else {
			r.Status = Approved
			in.Terms.apply(r)
		}
	case ActionDeny:
		r.Status = Denied
	case ActionCancel:
		r.Status = Cancelled
	default:
		return Errorf(CodeIllegal, "%q is not a decision", s.Action)
	}
	r.record(e)
	if r.Status != Requested {
		r.Error = nil
		r.then(e.Name, e.ID, in.Hooks)
	}
	if r.Status == Approved {
		r.coming(in.Hooks)
	}
	return nil
}

// After records what customers' code, run after an event, came to.
type After struct {
	EventID string
	Result  Result
}

func (in After) apply(r *Run, _ time.Time) error {
	i := slices.IndexFunc(r.After, func(a AfterCall) bool { return a.EventID == in.EventID })
	if i < 0 {
		return ErrUnchanged
	}
	name := "after_" + string(r.After[i].Event)
	r.After = slices.Delete(r.After, i, i+1)
	if len(in.Result.Output) == 0 && in.Result.Error == nil {
		return nil // nothing to tell
	}
	r.amend(in.EventID, func(e *Event) {
		if len(in.Result.Output) > 0 {
			e.Output = output(name, clipOutput(in.Result.Output), e.Output)
		}
		if in.Result.Error != nil {
			e.Errors = append(slices.Clone(e.Errors), *in.Result.Error)
		}
	})
	return nil
}

// Forward takes the time-out of a tier, or the news that it can't be reached:
// the next tier is asked, and after the last one the request expires. A last
// tier that can't be reached keeps the request open, with an error to repair.
type Forward struct {
	SignalID string
	Fields   map[string]any // of the event, by a hook
	Ruling   *Ruling        // what a hook put in its place
	Terms    *Terms         // what the ruling changed of the request
	Hooks    []string       // those that the flow may define
}

func (in Forward) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	e := Event{ID: s.ID, Actor: System, Channel: ChannelInternal, At: s.At, State: StateCompleted, Fields: map[string]any{}}
	maps.Copy(e.Fields, in.Fields)
	switch {
	case s.Action != ActionTimeout && s.Action != ActionUndeliverable:
		return Errorf(CodeIllegal, "%q does not move tiers on", s.Action)
	case r.Status == Prompted && s.Action == ActionTimeout:
		e.Name, r.Status, r.Error = EventRequestExpire, Expired, nil
		r.Signals = slices.DeleteFunc(r.Signals, func(s Signal) bool { return s.Action == ActionRequest }) // a handler kept failing
	case r.Status != Requested || s.Tier != r.Tier:
		return stale
	case s.Action == ActionUndeliverable && r.Tiers[r.Tier].Delivered:
		return stale // it has arrived after all
	case in.Ruling != nil:
		e.Name = r.EventOf(s)
		in.Terms.apply(r)
		return r.conclude(e, in.Ruling, in.Hooks, now)
	case !r.lastTier(s.Action):
		e.Name = EventRequestForward
		e.Fields[KeyForwardReason] = string(s.Action)
		if s.Message != "" {
			e.Fields[KeyForwardMessage] = s.Message
		}
		r.Tier++
		r.ask(now)
	case s.Action == ActionUndeliverable:
		r.fail(Failure{Code: CodeUndeliverable, Message: s.Message, Step: EventRequestForward, EventID: s.ID, Attempts: 1}, System, ChannelInternal, now)
		return nil
	default:
		e.Name, r.Status, r.Error = EventRequestExpire, Expired, nil
	}
	return r.conclude(e, nil, in.Hooks, now)
}

// Delivered notes that a tier's message has arrived.
type Delivered struct{ Tier int }

func (in Delivered) apply(r *Run, _ time.Time) error {
	if in.Tier >= len(r.Tiers) || in.Tier > r.Tier || r.Tiers[in.Tier].Delivered {
		return ErrUnchanged
	}
	r.Tiers[in.Tier].Delivered, r.Tiers[in.Tier].Undeliverable = true, ""
	if r.Error != nil && r.Error.Code == CodeUndeliverable {
		r.Error = nil
	}
	return nil
}

// Intend writes down what is about to be granted, before the target is touched.
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
	if len(in.Entitlements) == 0 {
		return Errorf(CodeStrategy, "target %q means nothing to grant", in.Target.Name)
	}
	in.Strategy.Targets = nil
	if code := in.Strategy.Implementation; code != nil {
		// The text stays where it is: in the run's version of the flow.
		in.Strategy.Implementation = &Source{Name: code.Name, SHA256: code.SHA256}
	}
	in.Terms.apply(r)
	id := ""
	if r.Coming != nil {
		id, r.Coming = r.Coming.EventID, nil
	} else {
		id = r.nextID()
	}
	r.Access = &Access{
		EventID: id, Strategy: in.Strategy, Target: in.Target, Identity: in.Identity,
		Entitlements: in.Entitlements, First: now,
	}
	if r.DurationSeconds > 0 {
		r.Access.End = now.Add(GrantWindow + r.Duration())
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
	a.Seen, a.Output = now, clipOutput(in.Output)
	fields := map[string]any{}
	if r.DurationSeconds > 0 {
		start := a.First.Add(GrantWindow)
		if now.Before(start) {
			start = now
		}
		a.End = start.Add(r.Duration())
		fields[KeyExpiresAt] = a.End.Format(time.RFC3339Nano)
	}
	if len(in.Warnings) > 0 {
		fields[KeyWarnings] = clipWarnings(in.Warnings)
	}
	e := r.AccessEvent(EventEscalate, a.EventID, now)
	e.State, e.Fields, e.Output = StateCompleted, fields, a.Output
	r.record(e)
	r.then(EventEscalate, a.EventID, in.Hooks)
	r.Status = Escalated
	if r.Error != nil && r.Error.Step == EventEscalate { // not a failure to take away, which goes on
		r.Error = nil
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
	if end := r.Access.End; !byHand && (end.IsZero() || now.Before(end)) {
		return Errorf(CodeIllegal, "the access is not over yet")
	}
	claim := &r.Access.Removal
	if claim.Owner != "" && claim.Owner != in.Owner && now.Before(claim.Until) {
		return Errorf(CodeBusy, "this access is being taken away already")
	}
	claim.Owner, claim.Until = in.Owner, in.Until
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
	if said := r.Kept(e.ID); said != nil && said.Error != nil {
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
	if len(in.StillHeld) > 0 {
		e.Fields[KeyStillHeld] = in.StillHeld
	}
	if len(in.Kept) > 0 {
		e.Fields[KeyKept] = in.Kept
	}
	if len(in.Warnings) > 0 {
		e.Fields[KeyWarnings] = clipWarnings(in.Warnings)
	}
	r.record(e)
	r.then(EventDeescalate, e.ID, in.Hooks)
	r.Status, r.Error = Deescalated, nil
	r.Access.Removed = now
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
	e := asked.event()
	e.State, e.Errors = StateIntercepted, []Failure{in.Reason}
	r.record(e)
	r.Access.Removal = Removal{}
	if r.Error != nil && r.Error.Step == EventDeescalate {
		r.Error = nil
	}
	return nil
}

// MaySpare tells whether a hook may keep the access from being taken away: it
// was asked for early, by somebody who is no admin.
func (r *Run) MaySpare(now time.Time) bool {
	asked, byHand := r.EndAsked()
	over := !r.Access.End.IsZero() && !now.Before(r.Access.End)
	return byHand && !over && asked.Actor.Kind != KindSystem && !r.isAdmin(asked.Actor)
}

// Fail records that granting (EventEscalate) or taking away (EventDeescalate)
// did not work. The status stays; the run says when it is tried again.
// Granting stops trying by itself after MaxGrantAttempts or when it is of no
// use; taking away never stops. The steps that take a signal wait for Retry.
type Fail struct {
	Step   EventName
	Reason Failure
	// SignalID is what a request, a forward or an expiry would have taken, had
	// a handler not failed: it waits for Retry, and nothing waits for it.
	SignalID string
	// Wait is how long the target asks to be left alone; zero: it does not. A
	// removal waits no longer for that than after any other failure.
	Wait time.Duration
}

func (in Fail) apply(r *Run, now time.Time) error {
	f := in.Reason
	f.Step, f.Attempts = in.Step, 1
	if r.Error != nil && r.Error.Step == in.Step {
		f.Attempts = r.Error.Attempts + 1
	}
	switch in.Step {
	case EventEscalate:
		if r.Status != Approved || r.ApprovalOnly || r.ending() {
			return stale
		}
		if f.Retryable && f.Attempts < MaxGrantAttempts {
			f.RetryAt = now.Add(max(in.Wait, backOff(f.Attempts, 2*time.Second, time.Minute)))
		}
	case EventDeescalate:
		if !r.Access.Live() || !r.ending() {
			return stale
		}
		f.RetryAt = now.Add(max(min(in.Wait, MaxRemovalBackOff), backOff(f.Attempts, 5*time.Second, MaxRemovalBackOff)))
		r.Access.Removal.Owner, r.Access.Removal.Until = "", time.Time{}
	case EventRequest, EventRequestForward, EventRequestExpire:
		s, ok := r.Head()
		from := map[bool]Status{true: Prompted, false: Requested}[in.Step == EventRequest]
		if !ok || s.ID != in.SignalID || r.EventOf(s) != in.Step || r.Status != from {
			return stale
		}
		f.SignalID, f.RetryAt = s.ID, time.Time{}
		r.Execution.Token = "" // the execution that did it moves on
		r.fail(f, s.Actor, s.Channel, now)
		return nil
	default:
		return Errorf(CodeIllegal, "%q is not a step that fails like this", in.Step)
	}
	e := r.AccessEvent(in.Step, "", now)
	r.fail(f, e.Actor, e.Channel, now)
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

// Retry is a person asking for a failed step to be tried again now.
type Retry struct{ Actor Actor }

func (in Retry) apply(r *Run, now time.Time) error {
	if r.Error == nil {
		return ErrUnchanged
	}
	if r.Error.Step == EventDeescalate && !r.Error.RetryAt.After(now) {
		return ErrUnchanged // it is due already
	}
	r.amend(r.Error.EventID, func(e *Event) {
		e.Fields = maps.Clone(e.Fields)
		if e.Fields == nil {
			e.Fields = map[string]any{}
		}
		e.Fields[KeyRetriedBy] = in.Actor.Display()
		e.Fields[KeyRetriedAt] = now.Format(time.RFC3339Nano)
	})
	switch r.Error.Step {
	case EventDeescalate:
		r.Error.RetryAt = now
	case EventRequestForward:
		if r.Error.SignalID == "" {
			r.Tiers[r.Tier].Undeliverable, r.Tiers[r.Tier].Failed = "", nil
		}
		r.Error = nil
	default:
		r.Error = nil
	}
	return nil
}

// Dispatch counts a new execution, before it is started.
type Dispatch struct{}

func (Dispatch) apply(r *Run, _ time.Time) error {
	if Next(*r) == StepDone {
		return ErrUnchanged
	}
	r.Execution = Execution{Attempt: r.Execution.Attempt + 1, Active: true, Rev: r.Rev + 1}
	return nil
}

// Wait notes the token of the execution that waits for the run's next signal.
type Wait struct {
	Attempt int
	Token   string
}

func (in Wait) apply(r *Run, _ time.Time) error {
	if in.Attempt != r.Execution.Attempt || Next(*r) != StepAwait {
		return stale
	}
	if r.Execution.Token == in.Token {
		return ErrUnchanged
	}
	r.Execution.Token, r.Execution.Active, r.Execution.Rev = in.Token, true, 0
	return nil
}

// nextID reserves the id of the run's next event.
func (r *Run) nextID() string {
	r.Seq++
	return EventID(r.ID, r.Seq)
}

// record appends an event as part of the coming write.
func (r *Run) record(e Event) {
	e.Rev = r.Rev + 1
	if len(e.Fields) == 0 {
		e.Fields = nil
	}
	r.Events = append(r.Events, e)
}

// amend changes an event as part of the coming write.
func (r *Run) amend(id string, change func(*Event)) {
	for i := range r.Events {
		if r.Events[i].ID == id {
			change(&r.Events[i])
			r.Events[i].Rev = r.Rev + 1
			return
		}
	}
}

// fail sets the failure on the run and records it. Failures of a step with one
// code are one event, however often they come, so that a target that is down
// for weeks does not fill the run; the latest message stays.
func (r *Run) fail(f Failure, actor Actor, channel Channel, now time.Time) {
	shown := f
	shown.EventID, shown.SignalID, shown.Attempts, shown.RetryAt = "", "", 0, time.Time{}
	same := func(e Event) bool {
		return e.Name == f.Step && e.Count > 0 && e.Errors[0].Code == f.Code
	}
	if i := slices.IndexFunc(r.Events, same); i >= 0 {
		f.EventID = r.Events[i].ID
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

// event is what the signal becomes.
func (s Signal) event() Event {
	e := Event{ID: s.ID, Name: EventName(s.Action), Actor: s.Actor, Channel: s.Channel, At: s.At, Via: s.Via}
	if s.Message != "" {
		e.Fields = map[string]any{KeyDecisionMessage: s.Message}
	}
	return e
}

// ask starts the clock of the current tier.
func (r *Run) ask(now time.Time) {
	t := &r.Tiers[r.Tier]
	timeout := time.Duration(t.TimeoutSeconds) * time.Second
	if timeout <= 0 {
		timeout = DefaultRequestTimeout
	}
	t.Deadline = now.Add(timeout)
}

// approvedBy tells whether an approval of the actor is counted.
func (r *Run) approvedBy(who Actor) bool {
	return slices.ContainsFunc(r.Approvals, func(a CountedApproval) bool { return a.Actor.Same(who) })
}

func (r *Run) duplicate() error {
	return Errorf(CodeDuplicate, "you have approved this request already; it needs %d different people", r.Deciders.Required)
}

// notOpen says why a decision comes too late, or too early.
func (r *Run) notOpen() error {
	if e, ok := r.Decision(); ok {
		return Errorf(CodeDecided, "this request was already %s by %s", r.Status.decided(), e.Actor.Display())
	}
	return Errorf(CodeIllegal, "this request is not open for a decision: it is %s", r.Status)
}

// decided words the decision that led to a status.
func (s Status) decided() string {
	if s == Escalated || s == Deescalated {
		return string(Approved)
	}
	return string(s)
}

// notLive says why there is nothing to take away.
func (r *Run) notLive() error {
	if r.Status == Deescalated {
		return Errorf(CodeInvalidRun, "this access has ended already")
	}
	return Errorf(CodeInvalidRun, "there is no access to end: the run is %s", r.Status)
}

// output puts an answer under the name of the handler that gave it.
func output(name string, answer, before json.RawMessage) json.RawMessage {
	m := map[string]json.RawMessage{}
	_ = json.Unmarshal(before, &m) // ours, or empty
	m[name] = answer
	b, err := json.Marshal(m)
	if err != nil {
		return before
	}
	return b
}

// clipOutput keeps an answer within MaxOutputBytes; a longer one is replaced
// by a note that says so, since half a JSON text is none. What is no JSON is
// kept as text: a run that could not be written would be stuck.
func clipOutput(b json.RawMessage) json.RawMessage {
	if len(b) > 0 && !json.Valid(b) {
		b, _ = json.Marshal(string(b)) // a string can't fail
	}
	if len(b) <= MaxOutputBytes {
		return b
	}
	note, _ := json.Marshal(map[string]any{
		"truncated": true, "bytes": len(b), "start": string([]rune(string(b[:1024]))),
	})
	return note
}

// Limits of the warnings that an event keeps.
const (
	maxWarnings     = 20
	maxWarningRunes = 500
)

// clipWarnings keeps warnings few and short, whatever a target sends.
func clipWarnings(in []string) []string {
	var out []string
	for _, w := range in[:min(len(in), maxWarnings)] {
		out = append(out, Clip(w, maxWarningRunes))
	}
	if more := len(in) - maxWarnings; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}
