package flow

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Status is where a run stands.
type Status string

// The statuses. Denied, expired, cancelled and deescalated are final, and so
// is approved in an approval-only flow.
const (
	Prompted    Status = "prompted"
	Requested   Status = "requested"
	Approved    Status = "approved"
	Denied      Status = "denied"
	Expired     Status = "expired"
	Cancelled   Status = "cancelled"
	Escalated   Status = "escalated"
	Deescalated Status = "deescalated"
)

// Statuses lists them all.
var Statuses = []Status{Prompted, Requested, Approved, Denied, Expired, Cancelled, Escalated, Deescalated}

// Channel is the way by which something reached us.
type Channel string

// The channels, with the names that the audit record has for them.
const (
	ChannelSlack    Channel = "slack"
	ChannelAPI      Channel = "api" // "sym" in audit records
	ChannelSDK      Channel = "sdk"
	ChannelInternal Channel = "internal"
)

// Kinds of actors.
const (
	KindPerson = "normal"
	KindBot    = "bot"
	KindSystem = "system"
)

// Actor is who did something: a person, a bot with a token, or the system.
type Actor struct {
	ID    string `json:"id"` // UserID of the e-mail address or bot name
	Kind  string `json:"kind"`
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	// Slack's ids of the person and the workspace; "" for people who have none.
	SlackID   string `json:"slack_id,omitempty"`
	SlackTeam string `json:"slack_team,omitempty"`
}

// System is the actor of what happens by itself.
var System = Actor{Kind: KindSystem, Name: "Sym Flows"}

// Same tells whether both are one person. An id of either kind is enough: the
// question is asked to keep people from approving their own requests.
func (a Actor) Same(b Actor) bool {
	return a.ID != "" && a.ID == b.ID ||
		a.SlackID != "" && a.SlackID == b.SlackID && a.SlackTeam == b.SlackTeam
}

// Display is how people read the actor: a name, else an e-mail address.
func (a Actor) Display() string {
	for _, s := range []string{a.Name, a.Email, a.SlackID, a.ID} {
		if s != "" {
			return s
		}
	}
	return "somebody"
}

// Run is one trip through a flow: its whole state and its whole history, kept
// as one item, so that a change and its record are one write.
type Run struct {
	ID string `json:"id"`
	// Rev is the number of the write that stored this state, 0 before the
	// first, and Size the bytes it took. The store sets both.
	Rev  int64 `json:"-"`
	Size int   `json:"-"`

	Org         string `json:"org"`
	Flow        string `json:"flow"`
	FlowVersion string `json:"flow_version"`
	FlowTitle   string `json:"flow_title"`
	// ApprovalOnly is the flow's: no strategy, nothing to grant.
	ApprovalOnly bool      `json:"approval_only,omitempty"`
	Created      time.Time `json:"created"`
	// Touched is when the last change was made.
	Touched time.Time `json:"touched"`

	Status    Status `json:"status"`
	Requester Actor  `json:"requester"`
	// Submitter is the bot that asked for a person; nil where they asked themselves.
	Submitter *Actor  `json:"submitter,omitempty"`
	Source    Channel `json:"source"`
	// SourceChannel is the Slack channel that the command was given in.
	SourceChannel string `json:"source_channel,omitempty"`
	// RequestDigest tells a repeated API request from another one with the
	// same Idempotency-Key.
	RequestDigest string `json:"request_digest,omitempty"`

	Fields map[string]any `json:"fields,omitempty"`
	// Form is what messages need of the flow, so that showing a run takes
	// nothing but the run.
	Form            Form            `json:"form"`
	Target          *Target         `json:"target,omitempty"`
	DurationSeconds int64           `json:"duration_seconds,omitempty"`
	Context         json.RawMessage `json:"context,omitempty"` // the API caller's, as given

	// Asked in this order; Tier is the one being asked now.
	Tiers    []Tier   `json:"tiers,omitempty"`
	Tier     int      `json:"tier"`
	Deciders Deciders `json:"deciders"`
	// Approvals counted so far, by distinct people.
	Approvals []CountedApproval `json:"approvals,omitempty"`

	Signals []Signal `json:"signals,omitempty"` // not processed yet, oldest first
	Events  []Event  `json:"events"`
	Seq     int      `json:"seq"` // numbers given to events and signals so far
	// After is what is still to run after an event that is durable already.
	After []AfterCall `json:"after,omitempty"`
	// Coming is the form, or the grant, that a hook is asked about before it is
	// begun; nil where there is none, or it has begun.
	Coming *Coming `json:"coming,omitempty"`

	// Access is set once a grant is intended; it holds all that removal needs.
	Access *Access `json:"access,omitempty"`
	// Error is the failure that keeps the run from going on; nil when none.
	Error *Failure `json:"error,omitempty"`

	Execution Execution `json:"execution"`
	// Due is when somebody has to look at the run at the latest; zero: never.
	Due time.Time `json:"due"`
}

// Form is how a run's fields and buttons are shown.
type Form struct {
	Fields          []FormField `json:"fields,omitempty"` // in the order of the flow's form
	AllowRevoke     bool        `json:"allow_revoke,omitempty"`
	IncludeDecision bool        `json:"include_decision_message,omitempty"`
}

// FormField is what a message needs to show a field's value.
type FormField struct {
	Name  string    `json:"name"`
	Title string    `json:"title"`
	Type  FieldType `json:"type"`
}

// form is how runs of the flow are shown.
func (f *Flow) form() Form {
	form := Form{AllowRevoke: f.Params.AllowRevoke, IncludeDecision: f.Params.IncludeDecision}
	for _, p := range f.Fields() {
		form.Fields = append(form.Fields, FormField{Name: p.Name, Title: p.Title(), Type: p.Type})
	}
	return form
}

// CountedApproval is one counted approval.
type CountedApproval struct {
	EventID string    `json:"event_id"`
	Actor   Actor     `json:"actor"`
	At      time.Time `json:"at"`
}

// Tier is one round of asking.
type Tier struct {
	Channel        string    `json:"channel,omitempty"`
	Users          []Actor   `json:"users,omitempty"`
	TimeoutSeconds int64     `json:"timeout_seconds"`
	Delivered      bool      `json:"delivered,omitempty"`     // one copy at least
	Undeliverable  string    `json:"undeliverable,omitempty"` // why none can be, fit for users' eyes
	Deadline       time.Time `json:"deadline"`                // zero until the tier is asked
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

// Action is what a signal asks for.
type Action string

// The actions. Those named like an event become that event.
const (
	ActionRequest       Action = "request"
	ActionApprove       Action = "approve"
	ActionDeny          Action = "deny"
	ActionCancel        Action = "cancel"
	ActionTimeout       Action = "timeout"       // a tier's, or a prompt's, time is over
	ActionUndeliverable Action = "undeliverable" // a tier can't be reached
	ActionDeescalate    Action = "deescalate"
)

// Actions lists them all.
var Actions = []Action{ActionRequest, ActionApprove, ActionDeny, ActionCancel, ActionTimeout, ActionUndeliverable, ActionDeescalate}

// Signal is an event that is not processed yet.
type Signal struct {
	ID      string    `json:"id"` // becomes the event's
	Action  Action    `json:"action"`
	Actor   Actor     `json:"actor"`
	Channel Channel   `json:"channel"`
	At      time.Time `json:"at"`
	Tier    int       `json:"tier,omitempty"`    // of a time-out or delivery
	Message string    `json:"message,omitempty"` // decision message, or why undeliverable
	// Via is the message whose button was pressed; nil where there is none.
	Via *MessageRef `json:"via,omitempty"`
	// Result is what customers' code answered for this signal, saved before it
	// is applied so that a lost race does not run the code twice.
	Result *Result `json:"result,omitempty"`
}

// MessageRef is a copy of a message of ours in Slack: which of the run's
// messages it is, and where it stands.
type MessageRef struct {
	Key     string `json:"key"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// Result is the outcome of customers' code, kept under the signal or the step
// that it ran for.
type Result struct {
	Output json.RawMessage `json:"output,omitempty"` // of a function
	// Invoked says that there was a function to ask, and that it was.
	Invoked bool     `json:"invoked,omitempty"`
	Answer  *Answer  `json:"answer,omitempty"` // of handlers
	Error   *Failure `json:"error,omitempty"`
}

// FunctionAsked tells whether the step's function was invoked. Results that
// were kept before there were handlers are a function's.
func (r *Result) FunctionAsked() bool { return r != nil && (r.Invoked || r.Answer == nil) }

// Hook is what the step's hook returned; nil: nothing.
func (r *Result) Hook() *HookAnswer {
	if r == nil || r.Answer == nil {
		return nil
	}
	return r.Answer.Hook
}

// Coming is a step that no signal stands for, before it is begun.
type Coming struct {
	EventID string  `json:"event_id"` // reserved
	Result  *Result `json:"result,omitempty"`
}

// AfterCall is customers' code to run after an event.
type AfterCall struct {
	EventID string    `json:"event_id"`
	Event   EventName `json:"event"`
}

// Failure is an error as a run keeps it: fit for users' eyes, without secrets.
type Failure struct {
	Code    Code      `json:"code"`
	Message string    `json:"message"`
	Step    EventName `json:"step,omitempty"`
	EventID string    `json:"event_id,omitempty"` // the event that records it
	// SignalID is the signal that could not be taken, and waits for Retry.
	SignalID string `json:"signal_id,omitempty"`
	// Handler is the customer's handler that failed, or said no.
	Handler   string    `json:"handler,omitempty"`
	Retryable bool      `json:"retryable,omitempty"`
	Attempts  int       `json:"attempts,omitempty"` // failed ones in a row
	RetryAt   time.Time `json:"retry_at,omitzero"`  // next attempt; zero: only by hand
}

// FailureOf turns an error into what a run may keep of it.
func FailureOf(err error) Failure {
	return Failure{Code: CodeOf(err), Message: Clip(UserMessage(err), 2000), Retryable: Retryable(err)}
}

// Execution is the disposable walk through the steps that drives the run.
type Execution struct {
	Attempt int    `json:"attempt,omitempty"` // number of the last one started
	Active  bool   `json:"active,omitempty"`  // started, and a step was left to do
	Rev     int64  `json:"rev,omitempty"`     // the run's when the execution was dispatched; 0 once it waited
	Token   string `json:"token,omitempty"`   // by which the waiting one is resumed
}

// Presence is what was observed at a target.
type Presence string

// What a target may show.
const (
	Absent  Presence = "absent"
	Present Presence = "present"
)

// Entitlement is one thing that a grant means at the target, for one identity.
type Entitlement struct {
	// Key names it for all runs alike: grants are counted by it.
	Key      string            `json:"key"`
	Settings map[string]string `json:"settings,omitempty"` // what the strategy needs for this one
}

// Access is the frozen facts of a grant. It is written before the target is
// touched for the first time, and removal uses nothing else.
type Access struct {
	EventID      string          `json:"event_id"` // of the escalate event, reserved
	Strategy     Strategy        `json:"strategy"` // without its targets
	Target       Target          `json:"target"`   // with its bindings
	Identity     string          `json:"identity"`
	Entitlements []Entitlement   `json:"entitlements"`
	First        time.Time       `json:"first"`            // when granting began
	Seen         time.Time       `json:"seen,omitzero"`    // when the access was observed
	End          time.Time       `json:"end,omitzero"`     // zero: only by hand
	Output       json.RawMessage `json:"output,omitempty"` // of escalate; deescalate may read it
	Removal      Removal         `json:"removal"`
	Removed      time.Time       `json:"removed,omitzero"` // when absence was observed
}

// Live tells whether there may be something to remove.
func (a *Access) Live() bool { return a != nil && a.Removed.IsZero() }

// Removal is how far taking away has come.
type Removal struct {
	EventID string    `json:"event_id,omitempty"` // of the deescalate event, reserved
	Owner   string    `json:"owner,omitempty"`    // who is at it
	Until   time.Time `json:"until,omitzero"`     // when the owner's claim ends
	// Result is what handlers answered before a removal that nobody asked for.
	Result *Result `json:"result,omitempty"`
}

// Final tells whether nothing can happen to the run any more.
func (r *Run) Final() bool {
	switch r.Status {
	case Denied, Expired, Cancelled, Deescalated:
		return true
	case Approved:
		return r.ApprovalOnly
	}
	return false
}

// SRN is the run's resource name.
func (r *Run) SRN() string { return RunSRN(r.Org, r.Flow, r.FlowVersion, r.ID) }

// FlowSRN is the resource name of the flow's version.
func (r *Run) FlowSRN() string { return FlowSRN(r.Org, r.Flow, r.FlowVersion) }

// Duration is how long access was asked for; zero: until taken away by hand.
func (r *Run) Duration() time.Duration { return time.Duration(r.DurationSeconds) * time.Second }

// Event finds an event by id.
func (r *Run) Event(id string) (Event, bool) {
	for _, e := range r.Events {
		if e.ID == id {
			return e, true
		}
	}
	return Event{}, false
}

// Last finds the latest completed event of a name.
func (r *Run) Last(name EventName) (Event, bool) {
	for _, e := range slices.Backward(r.Events) {
		if e.Name == name && e.State == StateCompleted {
			return e, true
		}
	}
	return Event{}, false
}

// Decision is the event that decided the request.
func (r *Run) Decision() (Event, bool) {
	for _, e := range r.Events {
		if e.State != StateCompleted {
			continue
		}
		switch e.Name {
		case EventApprove, EventDeny, EventCancel, EventRequestExpire:
			return e, true
		}
	}
	return Event{}, false
}

// Actors maps each event that happened to who caused it, as audit records
// and handlers see it. Escalate, and a scheduled deescalate, are consequences
// of the approval, and so the approver's.
func (r *Run) Actors() map[EventName]Actor {
	out := map[EventName]Actor{}
	for _, e := range r.Events {
		if e.happened() {
			out[e.Name] = e.Actor
		}
	}
	return out
}

// Approver is who decided in favour; the system if nobody did.
func (r *Run) Approver() Actor {
	if e, ok := r.Last(EventApprove); ok {
		return e.Actor
	}
	return System
}

// Reason is what the requester wrote into the field of that name.
func (r *Run) Reason() string {
	s, _ := r.Fields[FieldNameReason].(string)
	return s
}

// MayDecide says whether the actor may approve or deny, by what routing
// found; guest says whether the workspace knows them as a guest. Nil: yes.
func (r *Run) MayDecide(who Actor, guest bool, action Action) error {
	d := r.Deciders
	if guest && !d.AllowGuests {
		return Errorf(CodeForbidden, "guests of the workspace can't decide requests of this flow")
	}
	if action == ActionApprove && r.Requester.Same(who) && !d.AllowSelfApproval {
		return Errorf(CodeSelfApproval, "you can't approve your own request")
	}
	if r.isAdmin(who) {
		return nil
	}
	if d.Members && who.Kind == KindPerson { // bots are no members
		return nil
	}
	if slices.ContainsFunc(d.People, who.Same) {
		return nil
	}
	return Errorf(CodeForbidden, "only %s can decide this request", d.Names())
}

// MayEnd says whether the actor may take the access away. Nil: yes.
func (r *Run) MayEnd(who Actor) error {
	if r.Requester.Same(who) || r.isAdmin(who) || r.Approver().Same(who) ||
		slices.ContainsFunc(r.Approvals, func(a CountedApproval) bool { return a.Actor.Same(who) }) {
		return nil
	}
	return Errorf(CodeForbidden, "only the requester, the approver and admins can end this access")
}

// MayCancel says whether the actor may withdraw the request. Nil: yes.
func (r *Run) MayCancel(who Actor) error {
	if r.Requester.Same(who) {
		return nil
	}
	return Errorf(CodeForbidden, "only the requester can cancel a request")
}

func (r *Run) isAdmin(who Actor) bool { return slices.ContainsFunc(r.Deciders.Admins, who.Same) }

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
