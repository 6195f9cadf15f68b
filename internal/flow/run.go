package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
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
	KindAgent  = "agent" // a program that works for a person: it asks, and never decides
	KindSystem = "system"
)

// Actor is who did something: a person, a bot or an agent with a token, the system, or a
// rule of a flow, for which the system did it.
type Actor struct {
	ID    string `json:"id"` // UserID of the e-mail address or bot name
	Kind  string `json:"kind"`
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	// Slack's ids of the person and the workspace; "" for people who have none.
	SlackID   string `json:"slack_id,omitempty"`
	SlackTeam string `json:"slack_team,omitempty"`
	// Unconfirmed is set while the e-mail address belongs to another account of
	// Slack's, as far as we know: what goes by the address is not for this one.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	// Hook is the hook that decided; "" where no rule did.
	Hook string `json:"hook,omitempty"`
}

// System is the actor of what happens by itself.
var System = Actor{Kind: KindSystem, Name: "Sym Flows"}

// rule is the hook of the run's flow that is asked before an event, as the actor
// of what it puts in that event's place.
func (r *Run) rule(asked EventName) Actor {
	hook := HookBefore(asked)
	return Actor{Kind: KindSystem, Name: r.Flow + ": " + hook, Hook: hook}
}

// Same tells whether both are one person. An id of either kind is enough: the
// question is asked to keep people from approving their own requests.
func (a Actor) Same(b Actor) bool {
	return a.ID != "" && a.ID == b.ID ||
		a.SlackID != "" && a.SlackID == b.SlackID && a.SlackTeam == b.SlackTeam
}

// Is tells whether both are one person for certain: of people in one workspace,
// Slack's id tells, because an e-mail address may pass to another. Elsewhere the
// address tells, unless it is another account's, as far as we know. The question
// is asked to let people do what they may.
func (a Actor) Is(b Actor) bool {
	if a.SlackID != "" && b.SlackID != "" && a.SlackTeam == b.SlackTeam {
		return a.SlackID == b.SlackID
	}
	return a.Same(b) && !a.Unconfirmed && !b.Unconfirmed
}

// Display is how people read the actor: a name, else an e-mail address. Which
// hook a rule is says something to those only who read records.
func (a Actor) Display() string {
	if a.Hook != "" {
		return "a rule of the flow"
	}
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
	// Asker is who asked for the requester: a colleague in Slack, or a bot by the API.
	// Nil where requesters asked themselves. Records and the API call it the submitter.
	Asker *Actor `json:"submitter,omitempty"`
	// Owner answers for the token that asked; nil where people asked, or for a
	// token of before there were owners.
	Owner *Actor `json:"token_owner,omitempty"`
	// Agent is set where an agent asked, for its owner.
	Agent  *Agent  `json:"agent,omitempty"`
	Source Channel `json:"source"`
	// SourceChannel is the Slack channel that the command was given in.
	SourceChannel string `json:"source_channel,omitempty"`
	// RequestDigest tells a repeated API request from another one with the
	// same Idempotency-Key.
	RequestDigest string `json:"request_digest,omitempty"`

	// Step is the step of a workflow in Slack that waits for the outcome, by Slack's id
	// of it; "" where none does.
	Step string `json:"workflow_step,omitempty"`
	// Repeats is the run that was asked for once more with this one; "" for none.
	Repeats string `json:"repeats,omitempty"`

	Fields map[string]any `json:"fields,omitempty"`
	// Form is what messages need of the flow, so that showing a run takes
	// nothing but the run.
	Form            Form            `json:"form"`
	Target          *Target         `json:"target,omitempty"`
	DurationSeconds int64           `json:"duration_seconds,omitempty"`
	Context         json.RawMessage `json:"context,omitempty"` // the API caller's, as given
	// Offered are the targets, by name, that the form offered the requester, where a
	// handler chose them and approvers may give another one. Nil: all of the flow's.
	Offered []string `json:"offered,omitempty"`
	// Given is what is given where that is not what was asked for; nil where it is.
	// Whoever grants, shows or ends access goes by GivenTarget and GivenDuration.
	Given *Given `json:"given,omitempty"`

	// Identity is who the requester is at the target, by what was stored when the
	// request was made: it is what those who decide are shown. "" where nothing
	// was stored, or it is the e-mail address.
	Identity string `json:"identity,omitempty"`
	// Lingers is for how long sessions at the target may go on after the access, in
	// seconds, as was known when the request was made, and those who decide are
	// shown. 0 where they do not, or that was not known.
	Lingers int64 `json:"lingers,omitempty"`
	// Past is what those who decide are told of the requester; nil if it is not known.
	Past *Past `json:"past,omitempty"`

	// Asked in this order; Tier is the one being asked now.
	Tiers    []Tier   `json:"tiers,omitempty"`
	Tier     int      `json:"tier"`
	Deciders Deciders `json:"deciders"`
	// Approvals counted so far, by distinct people.
	Approvals []CountedApproval `json:"approvals,omitempty"`
	// Standing is what the directory said of the requester last.
	Standing Standing `json:"standing,omitzero"`
	// Rechecked is the version of the flow in force that the open request was
	// last held to without anybody asking; "" for none.
	Rechecked string `json:"rechecked,omitempty"`

	// BreakGlass is set where the requester has the access at once, without
	// approval; nil where they wait for one.
	BreakGlass *BreakGlass `json:"break_glass,omitempty"`
	// StartAt is when the access is to start; zero: once it is approved. Scheduled
	// says that a schedule was made for that, and Started is when the time had come.
	StartAt   time.Time `json:"start_at,omitzero"`
	Scheduled bool      `json:"scheduled,omitempty"`
	Started   time.Time `json:"started,omitzero"`

	Signals []Signal `json:"signals,omitempty"` // not processed yet, oldest first
	Events  []Event  `json:"events"`
	Seq     int      `json:"seq"` // numbers given to events and signals so far
	// After is what is still to run after an event that is durable already.
	After []AfterCall `json:"after,omitempty"`
	// Coming is the form, or the grant, that a hook is asked about before it is
	// begun. It is nil where no hook is asked, and once the step has begun.
	Coming *Coming `json:"coming,omitempty"`

	// Turn is set while the grant waits for its turn at the target's directory, before
	// anything is intended; Access.Waiting is after that.
	Turn *Waiting `json:"turn,omitempty"`
	// Access is set once a grant is intended; it holds all that removal needs.
	Access *Access `json:"access,omitempty"`
	// Extension is more time that was asked for and is to be decided; nil when none.
	Extension *Extension `json:"extension,omitempty"`
	// Extended is how often the access was extended, and by how much altogether.
	Extended        int         `json:"extended,omitempty"`
	ExtendedSeconds int64       `json:"extended_seconds,omitempty"`
	ExtendKeys      []ExtendKey `json:"extend_keys,omitempty"`
	// Reminders that were set, oldest first.
	Reminders []Reminder `json:"reminders,omitempty"`
	// Error is the failure that keeps the run from going on; nil when none.
	Error *Failure `json:"error,omitempty"`
	// Postponed is set while the run waits because its target is sick; nil when not.
	Postponed *Postponed `json:"postponed,omitempty"`

	Execution Execution `json:"execution"`
	// Due is when the sweep has to look at the run at the latest; zero if never.
	Due time.Time `json:"due"`
}

// Form is how a run's fields and buttons are shown.
type Form struct {
	Fields          []FormField `json:"fields,omitempty"` // in the order of the flow's form
	AllowRevoke     bool        `json:"allow_revoke,omitempty"`
	IncludeDecision bool        `json:"include_decision_message,omitempty"`
	Changes         bool        `json:"changes,omitempty"` // approvers may change what is asked for
	// Extend says by how much access may be extended, and MaxDuration how long it may
	// be altogether; nil and zero: not at all, and without a bound.
	Extend      *Extend  `json:"extend,omitempty"`
	MaxDuration Duration `json:"max_duration,omitempty"`
	NoReminders bool     `json:"no_reminders,omitempty"`
}

// FormField is what a message needs to show a field's value.
type FormField struct {
	Name  string    `json:"name"`
	Title string    `json:"title"`
	Type  FieldType `json:"type"`
	// Labels are what the form called the values that were chosen, by the text of the
	// value, as it was when the request was made; only those that have one.
	Labels map[string]string `json:"labels,omitempty"`
}

// shownForm is how runs of the flow are shown.
func (f *Flow) shownForm() Form {
	form := Form{
		AllowRevoke: f.Params.AllowRevoke, IncludeDecision: f.Params.IncludeDecision, Changes: f.Params.ApproveWith.Any(),
		Extend: f.Params.Extend, MaxDuration: f.Params.MaxDuration, NoReminders: f.Params.NoReminders,
	}
	for _, p := range f.Fields() {
		form.Fields = append(form.Fields, FormField{Name: p.Name, Title: p.Title(), Type: p.Type})
	}
	return form
}

// Action is what a signal asks for.
type Action string

// The actions. Those named like an event become that event.
const (
	ActionRequest       Action = "request"
	ActionApprove       Action = "approve"
	ActionDeny          Action = "deny"
	ActionCancel        Action = "cancel"
	ActionTimeout       Action = "timeout"        // a tier's, or a prompt's, time is over
	ActionUndeliverable Action = "undeliverable"  // a tier can't be reached
	ActionRecheck       Action = "recheck"        // the configuration, or who the requester is, has changed
	ActionExtendRequest Action = "extend_request" // somebody asks for more time
	ActionExtend        Action = "extend"         // and gets it
	ActionExtendDeny    Action = "extend_deny"    // or not
	ActionDeescalate    Action = "deescalate"
	ActionReview        Action = "review" // of what was done in an emergency
)

// Actions lists them all.
var Actions = []Action{ActionRequest, ActionApprove, ActionDeny, ActionCancel, ActionTimeout, ActionUndeliverable, ActionRecheck, ActionExtendRequest, ActionExtend, ActionExtendDeny, ActionDeescalate, ActionReview}

// Signal is an event that is not processed yet.
type Signal struct {
	ID      string    `json:"id"` // becomes the event's
	Action  Action    `json:"action"`
	Actor   Actor     `json:"actor"`
	Channel Channel   `json:"channel"`
	At      time.Time `json:"at"`
	Tier    int       `json:"tier,omitempty"`    // of a time-out or delivery
	Message string    `json:"message,omitempty"` // decision message, or why undeliverable
	// Seconds is by how much ActionExtendRequest asks to extend access, and Owner who
	// answers for the token that asks. Extension is the event by which that was asked
	// for which ActionExtend and ActionExtendDeny decide.
	Seconds   int64  `json:"seconds,omitempty"`
	Owner     *Actor `json:"token_owner,omitempty"`
	Extension string `json:"extension,omitempty"`
	// Via is the message whose button was pressed; nil where there is none.
	Via *MessageRef `json:"via,omitempty"`
	// About is the digest of what was asked for when a decision came: it counts for
	// nothing else. "" for signals that decide nothing.
	About string `json:"about,omitempty"`
	// Give is what an approval gives in place of what is asked for; nil: as asked.
	Give *Given `json:"give,omitempty"`
	// Result is what customers' code answered for this signal, saved before it
	// is applied so that a lost race does not run the code twice.
	Result *Result `json:"result,omitempty"`
	// Permits are what handlers answered when they were asked once more who may
	// decide, by version of the flow.
	Permits map[string]Answer `json:"permits,omitempty"`
}

// MessageRef is a copy of a message of ours in Slack: which of the run's
// messages it is, and where it stands.
type MessageRef struct {
	Key     string `json:"key"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`
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

// Duration is how long access was asked for; zero if until it is ended by hand. How
// long it is given is GivenDuration.
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

// Decision is the event that decided the request; the last one, should what was
// approved have been withheld.
func (r *Run) Decision() (Event, bool) {
	for _, e := range slices.Backward(r.Events) {
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

// DecidedBy lists everybody who approved or denied the request, each once, also where
// another approval was needed, or voided theirs.
func (r *Run) DecidedBy() []Actor {
	var out []Actor
	add := func(who Actor) {
		if who.Kind == KindPerson && !slices.ContainsFunc(out, func(a Actor) bool { return a.ID == who.ID }) {
			out = append(out, who)
		}
	}
	for _, e := range r.Events {
		if e.State == StateCompleted && (e.Name == EventApprove || e.Name == EventDeny) {
			add(e.Actor)
		}
	}
	for _, a := range r.Approvals {
		add(a.Actor)
	}
	return out
}

// TargetID is the id of the target that access is to, or would be; "" where there is
// none.
func (r *Run) TargetID() string {
	if t := r.GivenTarget(); t != nil {
		return t.IDIn(r.Org)
	}
	return ""
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
	if asked, ok := out[EventRequest]; ok && asked.Kind == KindAgent {
		out[EventRequest] = r.Requester // whose request it is, whoever sent it
	}
	return out
}

// Approver is who approved, and the system where no approval is recorded. A run that
// was recovered from its records may have lost the approval: granting was by the same.
func (r *Run) Approver() Actor {
	for _, name := range []EventName{EventApprove, EventEscalate} {
		if e, ok := r.Last(name); ok {
			return e.Actor
		}
	}
	return System
}

// Reason is what the requester wrote into the field of that name.
func (r *Run) Reason() string {
	s, _ := r.Fields[FieldNameReason].(string)
	return s
}

// AskedFor is a digest of what people decide about: for whom, what, and for how long,
// with what earlier approvals have changed of it. Buttons carry it, so that what
// people decide is what they read.
func (r *Run) AskedFor() (string, error) {
	b, err := EncodeJSON([]any{r.Requester.ID, r.Requester.SlackID, r.GivenTarget(), r.GivenDuration() / time.Second, r.Fields})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8]), nil
}

// Asks tells whether it is this person's own request: it is for them, they made it
// for somebody else, whoever made it has a token of theirs, or they have asked for
// the extension that is to be decided.
func (r *Run) Asks(who Actor) bool {
	return r.Requester.Same(who) || r.Asker != nil && r.Asker.Same(who) || r.Owner != nil && r.Owner.Same(who) || r.Extension.asks(who)
}

// owns is Asks for certain: it is asked to let people take back what is theirs.
func (r *Run) owns(who Actor) bool {
	return r.Requester.Is(who) || r.Asker != nil && r.Asker.Is(who) || r.Owner != nil && r.Owner.Is(who)
}

// OpenedBy tells whether this person opened the run's form: the requester, or whoever
// asked for them.
func (r *Run) OpenedBy(who Actor) bool {
	if r.Asker != nil {
		return r.Asker.Is(who)
	}
	return r.Requester.Is(who)
}

// OnBehalf tells whether a colleague asked for the requester, in Slack.
func (r *Run) OnBehalf() bool { return r.Asker != nil && r.Asker.Kind == KindPerson }

func (r *Run) isAdmin(who Actor) bool { return slices.ContainsFunc(r.Deciders.Admins, who.Is) }
