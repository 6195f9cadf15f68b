package flow

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Tier is one round of asking.
type Tier struct {
	Channel        string  `json:"channel,omitempty"`
	Users          []Actor `json:"users,omitempty"`
	TimeoutSeconds int64   `json:"timeout_seconds"`
	Delivered      bool    `json:"delivered,omitempty"`     // one copy at least
	Undeliverable  string  `json:"undeliverable,omitempty"` // why none can be, fit for users' eyes
	// Asked is when the tier's turn came, and Deadline when its time is over. That
	// runs from when the first copy arrives: it is zero until then.
	Asked    time.Time `json:"asked,omitzero"`
	Deadline time.Time `json:"deadline"`
	// Others are asked beside, each by a copy of their own: Sym's notifications
	// have several destinations. Failed are the numbers of the copies that can't
	// be delivered, 0 being the first one's.
	Others []Recipient `json:"others,omitempty"`
	Failed []int       `json:"failed,omitempty"`
	// EndsOnTimeout and EndsOnFailure keep the next tier from being asked: the
	// request then expires, or waits for a repair (Sym's slack.fallback).
	EndsOnTimeout bool `json:"ends_on_timeout,omitempty"`
	EndsOnFailure bool `json:"ends_on_failure,omitempty"`
}

// Recipient is where a message goes: a channel, or people who share one
// conversation.
type Recipient struct {
	Channel string  `json:"channel,omitempty"`
	Users   []Actor `json:"users,omitempty"`
}

// Recipients are where the copies of the tier's message go, by their numbers.
func (t Tier) Recipients() []Recipient {
	return append([]Recipient{{Channel: t.Channel, Users: t.Users}}, t.Others...)
}

// unheard tells whether it is the tier's turn and nobody of it has the message.
// Runs of before Asked was kept count from when their turn came.
func (t Tier) unheard() bool { return !t.Delivered && !t.Asked.IsZero() }

// Ends is when the tier's time is over, if its message arrives promptly; zero
// before its turn.
func (t Tier) Ends() time.Time {
	if t.Deadline.IsZero() && t.unheard() {
		return t.Asked.Add(t.timeout())
	}
	return t.Deadline
}

func (t Tier) timeout() time.Duration {
	if t.TimeoutSeconds <= 0 {
		return DefaultRequestTimeout
	}
	return time.Duration(t.TimeoutSeconds) * time.Second
}

// CountedApproval is one counted approval.
type CountedApproval struct {
	EventID string    `json:"event_id"`
	Actor   Actor     `json:"actor"`
	At      time.Time `json:"at"`
}

// Deciders is who may approve and deny, as ids that were resolved when the
// request was routed. Admins may always.
type Deciders struct {
	Members           bool    `json:"members,omitempty"` // every member of the workspace; guests too with AllowGuests
	People            []Actor `json:"people,omitempty"`
	Admins            []Actor `json:"admins,omitempty"`
	AllowGuests       bool    `json:"allow_guests,omitempty"`
	AllowSelfApproval bool    `json:"allow_self_approval,omitempty"`
	Required          int     `json:"required"`
	// ByHandler says that a handler named them, and not the configuration.
	ByHandler bool `json:"by_handler,omitempty"`
}

// Names writes who may decide for people to read.
func (d Deciders) Names() string {
	if d.Members {
		return "members of the workspace"
	}
	const most = 10
	var names []string
	for _, a := range append(slices.Clone(d.People), d.Admins...) {
		if n := a.Display(); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "nobody"
	}
	if len(names) > most {
		names = append(names[:most], "others")
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// MayDecide says whether the actor may approve or deny, by what routing
// found; guest says whether the workspace knows them as a guest. It returns nil
// if they may.
func (r *Run) MayDecide(who Actor, guest bool, action Action) error {
	d := r.Deciders
	if err := noAgent(who); err != nil {
		return err
	}
	if guest && !d.AllowGuests {
		return Errorf(CodeForbidden, "guests of the workspace can't decide requests of this flow")
	}
	if action == ActionApprove {
		if err := r.Barred(who, d.AllowSelfApproval && !r.MustBeApproved()); err != nil {
			return err
		}
	}
	if r.isAdmin(who) {
		return nil
	}
	if d.Members && who.Kind == KindPerson { // bots are no members
		return nil
	}
	if slices.ContainsFunc(d.People, who.Is) {
		return nil
	}
	return Errorf(CodeForbidden, "only %s can decide this request", d.Names())
}

// Barred returns an error of CodeSelfApproval that says why a person does not count as
// an approver of the request, whoever the flow names, and nil if they may count. Nobody
// approves their own request unless the flow allows self-approval. Whoever asks for a
// colleague never approves that, self-approval or not: one person alone would else give
// access to another.
func (r *Run) Barred(who Actor, selfApproval bool) error {
	switch {
	case r.ByAgent() && r.Asks(who):
		return Errorf(CodeSelfApproval, "you can't approve what an agent of yours asked for: somebody else has to")
	case r.Asker != nil && r.Asker.Same(who):
		return Errorf(CodeSelfApproval, "you can't approve what you asked for, though it is for %s", r.Requester.Display())
	case selfApproval:
		return nil
	case r.Requester.Same(who):
		return Errorf(CodeSelfApproval, "you can't approve your own request")
	case r.Asks(who):
		return Errorf(CodeSelfApproval, "you can't approve what was asked for with a token of yours")
	}
	return nil
}

// MayAskAgain returns nil if the person may open the form once more with what this
// request asked for, and an error that says why not otherwise: it is for the requester
// and for whoever asked for them, once the request has come to nothing or its access is
// over.
func (r *Run) MayAskAgain(who Actor) error {
	if !r.Requester.Is(who) && !(r.Asker != nil && r.Asker.Is(who)) {
		return Errorf(CodeForbidden, "only the requester can ask for this again")
	}
	return r.Repeatable()
}

// Repeatable says why a request can't be made again as it was; nil if it can.
func (r *Run) Repeatable() error {
	switch r.Status {
	case Denied, Expired, Cancelled, Deescalated:
		if slices.ContainsFunc(r.Events, func(e Event) bool { return e.Name == EventRequest }) {
			return nil
		}
		return Errorf(CodeIllegal, "this form was never sent, so that there is nothing to ask for again: start a new request")
	}
	return Errorf(CodeIllegal, "this request can't be made again yet: it is %s", r.Status)
}

// MaySee returns nil if this person may read the run's history, and an error that
// says why not otherwise: it is for the requester, for those who may decide the
// request or have approved it, and for admins.
func (r *Run) MaySee(who Actor, guest bool) error {
	if r.MayEnd(who) == nil || r.MayDecide(who, guest, ActionDeny) == nil {
		return nil
	}
	return Errorf(CodeForbidden, "only the requester, those who may decide the request, and admins can see it")
}

// MayCancel returns nil if the actor may withdraw the request, and an error of
// CodeForbidden if not. Approved access of which nothing has begun is cancelled by
// those who may decide the request, too.
func (r *Run) MayCancel(who Actor, guest bool) error {
	if r.Requester.Is(who) || r.Asker != nil && r.Asker.Is(who) {
		return nil
	}
	if r.NotBegun() {
		if r.MayDecide(who, guest, ActionCancel) == nil {
			return nil
		}
		return Errorf(CodeForbidden, "only the requester and those who may decide the request can cancel it")
	}
	return Errorf(CodeForbidden, "only the requester can cancel a request")
}

// withdrawable tells whether people may cancel the request: it is sent or open, or is
// approved and nothing of its access has begun.
func (r *Run) withdrawable() bool { return r.asks() || r.NotBegun() || r.sent() }

// sent tells whether the form was sent, and nobody has been asked about it yet.
func (r *Run) sent() bool {
	return r.Status == Prompted && slices.ContainsFunc(r.Signals, func(s Signal) bool { return s.Action == ActionRequest })
}

// cancelling is the cancellation that is to be taken. False: there is none.
func (r *Run) cancelling() (Signal, bool) {
	i := slices.IndexFunc(r.Signals, func(s Signal) bool { return s.Action == ActionCancel })
	if i < 0 {
		return Signal{}, false
	}
	return r.Signals[i], true
}

// recordUnasked records that the request was made about which nobody will be asked.
func (r *Run) recordUnasked(s Signal) {
	e := Event{ID: s.ID, Name: EventRequest, Actor: s.Actor, Channel: s.Channel, At: s.At, State: StateCompleted}
	if r.BreakGlass != nil {
		e.set(KeyBreakGlass, true)
	}
	r.record(e)
}

// Route turns the request signal into the request: it is open from now on, or
// decided at once by a hook's ruling. Its message is posted all the same.
type Route struct {
	SignalID string
	Tiers    []Tier
	Deciders Deciders
	Identity string         // Run.Identity
	Lingers  int64          // Run.Lingers
	Terms    *Terms         // what a hook changed of the request; with a ruling: what that gives
	Fields   map[string]any // of the event, by a hook
	Ruling   *Ruling
	Hooks    []string // those that the flow may define
	// Vouched is when the directory said that the requester may ask.
	Vouched time.Time
	// Longest is how long access without approval may last, for a request that is
	// made in an emergency.
	Longest time.Duration
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
	if r.BreakGlass != nil && in.Ruling != nil && in.Ruling.Event == EventApprove {
		in.Ruling = nil // a rule's approval makes it no less of an emergency
	}
	terms := in.Terms
	if in.Ruling == nil { // else it was asked as it was, and the ruling gives what is given
		terms.ask(r)
		terms = nil
	}
	r.Status, r.Error = Requested, nil
	r.Tiers, r.Tier, r.Deciders = slices.Clone(in.Tiers), 0, in.Deciders
	if r.ByAgent() {
		r.Deciders.AllowSelfApproval = false
	}
	r.vouch(in.Vouched)
	if len(r.Tiers) > 0 {
		r.ask(now)
	}
	e := Event{ID: s.ID, Name: EventRequest, Actor: s.Actor, Channel: s.Channel, At: s.At, State: StateCompleted, Fields: in.Fields}
	r.Lingers = in.Lingers
	if r.Identity = in.Identity; r.Identity != "" {
		e.set(KeyTargetIdentity, r.Identity)
	}
	if !r.StartAt.IsZero() {
		e.set(KeyStartAt, r.StartAt.Format(time.RFC3339Nano))
	}
	if r.BreakGlass == nil {
		return r.conclude(e, in.Ruling, terms, in.Hooks, now)
	}
	e.set(KeyBreakGlass, true)
	if err := r.conclude(e, in.Ruling, terms, in.Hooks, now); err != nil || r.Status != Requested {
		return err
	}
	return r.breakGlass(s, in.Longest, in.Hooks, now)
}

// conclude records an event that took place, and what a hook put behind it, on these
// terms.
func (r *Run) conclude(e Event, ruling *Ruling, terms *Terms, hooks []string, now time.Time) error {
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
	terms.give(r)
	rule := Event{
		ID: r.nextID(), Name: ruling.Event, Actor: r.rule(e.Name), Channel: ChannelSDK, At: now,
		State: StateCompleted, Fields: ruling.Fields,
	}
	r.Error = nil
	switch ruling.Event {
	case EventApprove:
		r.approved(hooks, now)
	case EventRequestExpire:
		r.Status = Expired
	default:
		r.Status = Denied
	}
	r.record(rule)
	r.then(rule.Name, rule.ID, hooks)
	return nil
}

// Reject ends a request that can't be granted any more, whoever approves it:
// when it is made, or while it waits. Who was about to decide it is told why.
type Reject struct {
	SignalID string
	Reason   Failure
	// Failed is what has to be repaired, where that is why; nil where nothing has.
	Failed *Failure
	Hooks  []string // those that the flow may define
}

func (in Reject) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	switch {
	case r.Status == Prompted && s.Action == ActionRequest:
		if in.Failed != nil {
			failed := *in.Failed
			failed.Step = EventRequest
			r.recordFailure(failed, s.Actor, s.Channel, now)
		}
		r.recordUnasked(s)
	case r.Status != Requested || s.Action == ActionRequest:
		return r.notOpen()
	case s.Actor.Kind != KindSystem:
		e := s.asEvent()
		e.State, e.Errors = StateInProgress, []Failure{in.Reason}
		r.record(e)
	}
	r.deny(in.Reason, in.Hooks, now)
	return nil
}

// deny is the system's: nobody's decision, but what follows from a reason.
func (r *Run) deny(reason Failure, hooks []string, now time.Time) {
	reason.Retryable = false
	e := Event{
		ID: r.nextID(), Name: EventDeny, Actor: System, Channel: ChannelInternal, At: now, State: StateCompleted,
		Fields: map[string]any{KeyDecisionMessage: reason.Message}, Errors: []Failure{reason},
	}
	r.record(e)
	r.Status, r.Error, r.Coming, r.Turn = Denied, nil, nil, nil
	r.then(e.Name, e.ID, hooks)
}

// Refuse drops a signal, and records who tried what. Signals of clocks and
// messengers leave no record, since no person is behind them.
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
	e := s.asEvent()
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
	// Lingers is Run.Lingers of another target that the approval gives.
	Lingers int64
	// Required is how many approvals it takes by the version of the flow in
	// force; fewer than the run's own change nothing.
	Required int
	// Vouched is when the directory said that the requester may ask.
	Vouched time.Time
}

func (in Decide) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if r.Status != Requested && !(s.Action == ActionCancel && r.withdrawable()) {
		return r.notOpen()
	}
	if now, err := r.AskedFor(); err != nil || s.About != "" && s.About != now && s.Action != ActionCancel {
		return cmp.Or(err, error(changedSince))
	}
	r.vouch(in.Vouched)
	r.Deciders.Required = max(r.Deciders.Required, in.Required)
	e := s.asEvent()
	e.State = StateCompleted
	if s.Result != nil && len(s.Result.Output) > 0 {
		e.Output = addOutput(HookBefore(e.Name), s.Result.Output, nil)
	}
	if len(in.Fields) > 0 {
		fields := maps.Clone(in.Fields)
		maps.Copy(fields, e.Fields)
		e.Fields = fields
	}
	if in.Ruling != nil && s.Action != ActionCancel {
		return r.conclude(e, in.Ruling, nil, in.Hooks, now)
	}
	switch s.Action {
	case ActionApprove:
		r.Approvals = slices.DeleteFunc(r.Approvals, func(a CountedApproval) bool { return slices.Contains(in.Dropped, a.EventID) })
		if r.approvedBy(s.Actor) {
			return r.duplicate()
		}
		e.Fields = r.changedBy(s.Give, e.Fields)
		if s.Give != nil && s.Give.Target != nil {
			r.Lingers = in.Lingers
		}
		r.Approvals = append(r.Approvals, CountedApproval{EventID: s.ID, Actor: s.Actor, At: s.At})
		if len(r.Approvals) < r.Deciders.Required {
			e.State = StateInProgress
		} else {
			in.Terms.give(r)
			r.approved(in.Hooks, now)
		}
	case ActionDeny:
		r.Status = Denied
	case ActionCancel:
		if i := slices.IndexFunc(r.Signals, func(s Signal) bool { return s.Action == ActionRequest }); i >= 0 {
			r.recordUnasked(r.Signals[i])
			r.Signals = slices.Delete(r.Signals, i, i+1)
		}
		r.Status, r.Coming, r.Turn, r.Postponed = Cancelled, nil, nil, nil
	default:
		return Errorf(CodeIllegal, "%q is not a decision", s.Action)
	}
	r.record(e)
	if r.Status != Requested {
		r.Error = nil
		r.then(e.Name, e.ID, in.Hooks)
	}
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
	Vouched  time.Time      // when the directory said that the requester may ask
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
		r.vouch(in.Vouched)
		return r.conclude(e, in.Ruling, in.Terms, in.Hooks, now)
	case !r.lastTier(s.Action):
		e.Name = EventRequestForward
		e.Fields[KeyForwardReason] = string(s.Action)
		if s.Message != "" {
			e.Fields[KeyForwardMessage] = s.Message
		}
		r.Tier++
		r.ask(now)
	case s.Action == ActionUndeliverable:
		r.recordFailure(Failure{Code: CodeUndeliverable, Message: s.Message, Step: EventRequestForward, EventID: s.ID, Attempts: 1}, System, ChannelInternal, now)
		return nil
	default:
		if t := r.Tiers[r.Tier]; t.unheard() {
			e.Errors = []Failure{t.neverHeard()}
		}
		e.Name, r.Status, r.Error = EventRequestExpire, Expired, nil
	}
	return r.conclude(e, nil, nil, in.Hooks, now)
}

// DeliveryPatience is how long a request may wait for its message to arrive.
const DeliveryPatience = 24 * time.Hour

// neverHeard says why a request expired that nobody was told of.
func (t Tier) neverHeard() Failure {
	if t.Undeliverable != "" {
		return Failure{Code: CodeUndeliverable, Step: EventRequestExpire, Message: t.Undeliverable}
	}
	return Failure{Code: CodeUnreachable, Step: EventRequestExpire, Message: "Slack could not be reached for " + Words(DeliveryPatience) + ", so that nobody was told of this request: ask again"}
}

// Lapse ends a submitted request that could not even be sent.
type Lapse struct {
	SignalID string
	Reason   Failure
	Hooks    []string // those that the flow may define
}

func (in Lapse) apply(r *Run, now time.Time) error {
	s, err := r.take(in.SignalID)
	if err != nil {
		return err
	}
	if r.Status != Prompted || s.Action != ActionRequest {
		return Errorf(CodeIllegal, "a run that is %s can't lapse", r.Status)
	}
	r.recordUnasked(s)
	e := Event{ID: r.nextID(), Name: EventRequestExpire, Actor: System, Channel: ChannelInternal, At: now, State: StateCompleted}
	in.Reason.Step = EventRequestExpire
	e.Errors = []Failure{in.Reason}
	r.Status, r.Error, r.Coming = Expired, nil, nil
	r.record(e)
	r.then(e.Name, e.ID, in.Hooks)
	return nil
}

// promptly is how soon a message has to arrive for the tier's time to run from
// when it was sent: messages say when it is over, and need not be edited then.
const promptly = 5 * time.Second

// Delivered notes that a tier's message has arrived: its time begins.
type Delivered struct {
	Tier int
	Past *Past // that they were told; nil if they were not
}

func (in Delivered) apply(r *Run, now time.Time) error {
	if in.Tier >= len(r.Tiers) || in.Tier > r.Tier || r.Tiers[in.Tier].Delivered {
		return ErrUnchanged
	}
	if r.Past == nil {
		r.Past = in.Past
	}
	t := &r.Tiers[in.Tier]
	from := now
	if now.Sub(t.Asked) < promptly {
		from = t.Asked
	}
	t.Delivered, t.Undeliverable, t.Deadline = true, "", from.Add(t.timeout())
	if r.Error != nil && r.Error.Code == CodeUndeliverable {
		r.Error = nil
	}
	return nil
}

// ask gives the current tier its turn, or its time once more.
func (r *Run) ask(now time.Time) {
	t := &r.Tiers[r.Tier]
	t.Asked, t.Deadline = now, time.Time{}
	if t.Delivered {
		t.Deadline = now.Add(t.timeout())
	}
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
		return Errorf(CodeDecided, "this request was already %s by %s", r.Status.decisionWord(), e.Actor.Display())
	}
	return Errorf(CodeIllegal, "this request is not open for a decision: it is %s", r.Status)
}

// decisionWord names the decision that led to a status.
func (s Status) decisionWord() string {
	if s == Escalated || s == Deescalated {
		return string(Approved)
	}
	return string(s)
}
