package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Answer is what the handlers of one step answered. It is kept with the step
// before anything follows from it; names and shapes are the protocol's
// (internal/sdk).
type Answer struct {
	Hook          *HookAnswer    `json:"hook,omitempty"` // nil: the step takes its course
	Permissions   *Permissions   `json:"permissions,omitempty"`
	Notifications []Notification `json:"notifications,omitempty"`
	Approvers     *Approvers     `json:"approvers,omitempty"`
}

// HookAnswer is what an on_ hook returned.
type HookAnswer struct {
	// Event is the event that is to take place: the one that the hook was asked
	// about, another one, or Ignore.
	Event     EventName      `json:"event"`
	Message   string         `json:"message,omitempty"` // of Ignore, for the actor
	Fields    map[string]any `json:"fields,omitempty"`
	TargetSRN string         `json:"target_srn,omitempty"`
	Duration  *int64         `json:"duration,omitempty"` // in seconds
}

// Ignore is the event that a hook returns so that nothing happens.
const Ignore EventName = "ignore"

// mayReturn lists what each hook may return in place of its own event: events
// that come later in the life of a run, and never the approval of what was
// denied. Escalate and deescalate follow from others, and so can't be asked
// for. What has begun can't be ignored any more: access that is approved is
// granted, and access that is over is taken away.
var mayReturn = map[EventName][]EventName{
	EventPrompt:         {Ignore},
	EventRequest:        {EventApprove, EventDeny, Ignore},
	EventRequestForward: {EventApprove, EventDeny, EventRequestExpire, Ignore},
	EventRequestExpire:  {EventApprove, EventDeny, Ignore},
	EventApprove:        {EventDeny, Ignore},
	EventDeny:           {Ignore},
	EventEscalate:       {},
	EventExtendRequest:  {EventExtend, EventExtendDeny, Ignore},
	EventExtend:         {EventExtendDeny, Ignore},
	EventExtendDeny:     {Ignore},
	EventDeescalate:     {Ignore},
	EventReview:         {Ignore},
}

// Check says whether the hook that is asked before an event may return this.
func (h *HookAnswer) Check(asked EventName) error {
	if h == nil || h.Event == asked || slices.Contains(mayReturn[asked], h.Event) {
		return nil
	}
	names := []string{"nothing", string(asked)}
	for _, e := range mayReturn[asked] {
		names = append(names, string(e))
	}
	return Errorf(CodeHandler, "%s returned %s, which it may not: it may return %s", HookBefore(asked), Clip(string(h.Event), 40), strings.Join(names, ", "))
}

// Replaces tells whether the hook wants another event than the one that it was
// asked about.
func (h *HookAnswer) Replaces(asked EventName) bool {
	return h != nil && h.Event != asked && h.Event != Ignore
}

// Ignores tells whether the hook wants nothing to happen.
func (h *HookAnswer) Ignores() bool { return h != nil && h.Event == Ignore }

// Reason is what the actor is told when a hook ignores what they did.
func (h *HookAnswer) Reason(asked EventName) Failure {
	message := Clip(h.Message, 2000)
	if message == "" {
		message = "A handler of the flow ignored this; it gave no reason."
	}
	return Failure{Code: CodeIgnored, Message: message, Handler: HookBefore(asked)}
}

// Ruling is an event that a hook puts in place of the one that it was asked
// about: an approval, a denial or an expiry that a rule decides, without a click.
type Ruling struct {
	Event  EventName
	Fields map[string]any
}

// Terms are what a hook changed of a request. Nil parts stay as they are.
type Terms struct {
	Fields   map[string]any
	Target   *Target
	Duration *time.Duration
}

// give has the terms given in place of what was asked for.
func (t *Terms) give(r *Run) {
	if t == nil {
		return
	}
	var seconds int64
	if t.Duration != nil {
		seconds = int64(*t.Duration / time.Second)
	}
	r.give(t.Target, seconds)
	r.shorten()
}

// ask has the terms asked for, in place of what was submitted.
func (t *Terms) ask(r *Run) {
	if t == nil {
		return
	}
	if len(t.Fields) > 0 {
		r.Fields = maps.Clone(r.Fields)
		if r.Fields == nil {
			r.Fields = map[string]any{}
		}
		maps.Copy(r.Fields, t.Fields)
	}
	if t.Target != nil {
		target := *t.Target
		r.Target = &target
		r.Fields = maps.Clone(r.Fields)
		if r.Fields == nil {
			r.Fields = map[string]any{}
		}
		r.Fields[FieldNameTarget] = target.IDIn(r.Org)
	}
	if t.Duration != nil {
		r.DurationSeconds = int64(*t.Duration / time.Second)
		if _, shown := r.Fields[FieldNameDuration]; shown {
			r.Fields = maps.Clone(r.Fields)
			r.Fields[FieldNameDuration] = r.DurationSeconds
		}
	}
}

// Terms reads what a hook changed of the run's request, by the rules that hold
// for requests; asked is the event that it was asked about. What is left of
// the hook's fields belongs to the event. The error says what the hook may
// not do.
func (f *Flow) Terms(r Run, asked EventName, h *HookAnswer) (*Terms, map[string]any, error) {
	if h == nil || h.Event == Ignore {
		return nil, nil, nil
	}
	wrong := func(what string, args ...any) error {
		return Errorf(CodeHandler, "%s returned %s", HookBefore(asked), fmt.Sprintf(what, args...))
	}
	t, rest := Terms{Fields: map[string]any{}}, map[string]any{}
	target := h.TargetSRN
	for name, v := range h.Fields {
		p, declared := f.Field(name)
		switch {
		case !f.ApprovalOnly() && name == FieldNameTarget:
			if s, ok := v.(string); ok && target == "" && s != r.GivenFields()[name] {
				target = s
			}
		case name == FieldNameDuration, slices.Contains(EventKeys, name) && name != KeyDecisionMessage:
		case declared && h.Event == EventRequest:
			if empty(v) {
				continue
			}
			value, err := p.normalise(v)
			if err != nil {
				return nil, nil, wrong("a field %q: %s", name, UserMessage(err))
			}
			t.Fields[name] = value
		default:
			rest[name] = v
		}
	}
	if b, err := EncodeJSON(rest); err != nil || len(b) > MaxOutputBytes {
		return nil, nil, wrong("fields of more than %d KB", MaxOutputBytes>>10)
	}
	if (target != "" || h.Duration != nil) && f.ApprovalOnly() {
		return nil, nil, wrong("a target or a duration, which an approval-only flow does not have")
	}
	if target != "" {
		name, id := target, ""
		if n, err := ParseSRN(target); err == nil {
			name, id = n.Slug, n.Identifier
		}
		chosen, ok := f.Strategy.Target(f.Org, name)
		if !ok {
			return nil, nil, wrong("target %q, which is not one of the flow's", Clip(target, 120))
		}
		if id != "" && !strings.EqualFold(id, chosen.IDIn(f.Org)) {
			return nil, nil, wrong("target %q, whose id is not that of the target it names", Clip(target, 120))
		}
		t.Target = &chosen
	}
	if t.Target == nil && r.Target != nil && slices.ContainsFunc(r.Target.FieldBindings, func(name string) bool { return t.Fields[name] != nil }) {
		t.Target = r.Target // whose settings are to be what the fields say
	}
	if t.Target != nil {
		fields := maps.Clone(r.Fields)
		maps.Copy(fields, t.Fields)
		bound := t.Target.Bind(fields)
		if err := bound.checkMany(); err != nil {
			return nil, nil, wrong("fields whose request %s", UserMessage(err))
		}
		t.Target = &bound
	}
	if h.Duration != nil {
		d := time.Duration(*h.Duration) * time.Second
		limit := f.longestOf(r)
		switch {
		case *h.Duration <= 0 || d > maxHookDuration || d/time.Second != time.Duration(*h.Duration):
			return nil, nil, wrong("a duration of %d seconds: it must be from 1 to %d", *h.Duration, maxHookDuration/time.Second)
		case limit > 0 && d > limit:
			return nil, nil, wrong("a duration of %s, which is longer than the flow's max_duration (%s)", Words(d), Words(limit))
		case !f.Params.ScheduleDeescalation:
			return nil, nil, wrong("a duration, though access of this flow ends by hand only")
		}
		t.Duration = &d
	}
	if len(t.Fields) == 0 && t.Target == nil && t.Duration == nil {
		return nil, rest, nil
	}
	return &t, rest, nil
}

// maxHookDuration bounds what a hook may ask for: ten years.
const maxHookDuration = 10 * 365 * 24 * time.Hour

// Field finds a field of the flow's form.
func (f *Flow) Field(name string) (PromptField, bool) {
	fields := f.Fields()
	i := slices.IndexFunc(fields, func(p PromptField) bool { return p.Name == name })
	if i < 0 {
		return PromptField{}, false
	}
	return fields[i], true
}

// Hooks names the hooks that the flow may define, and after_approve if the
// configuration has a function for it.
func (f *Flow) Hooks() []string {
	var hooks []string
	for _, e := range hookEvents {
		for _, name := range []string{HookBefore(e), HookAfter(e)} {
			if f.Implementation.Defines(name) || e == EventApprove && name == HookAfter(e) && f.Params.AfterApprove != nil {
				hooks = append(hooks, name)
			}
		}
	}
	return hooks
}

// Level is who may do something, where it is not a list of people.
type Level string

// Sym's permission levels.
const (
	LevelAdmin    Level = "admin"
	LevelMember   Level = "member"
	LevelAllUsers Level = "all_users" // guests too
)

// Permissions is what get_permissions answered.
type Permissions struct {
	WebappView        Permission `json:"webapp_view"` // kept, though there is no web app
	ApproveDeny       Permission `json:"approve_deny"`
	AllowSelfApproval bool       `json:"allow_self_approval,omitempty"`
}

// Permission is a level, or people by our own ids.
type Permission struct {
	Level Level
	Users []string
}

// MarshalJSON writes a level as text and people as a list.
func (p Permission) MarshalJSON() ([]byte, error) {
	if p.Level != "" {
		return json.Marshal(p.Level)
	}
	return json.Marshal(p.Users)
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses what is neither.
func (p *Permission) UnmarshalJSON(b []byte) error {
	*p = Permission{}
	if string(b) == "null" {
		return nil
	}
	if json.Unmarshal(b, &p.Users) == nil {
		return nil
	}
	if err := json.Unmarshal(b, &p.Level); err != nil {
		return Errorf(CodeHandler, "a permission must be a PermissionLevel or a list of user ids")
	}
	switch p.Level {
	case LevelAdmin, LevelMember, LevelAllUsers:
		return nil
	}
	return Errorf(CodeHandler, "%q is no PermissionLevel", Clip(string(p.Level), 40))
}

// Notification is one round of asking, by get_request_notifications.
type Notification struct {
	Destinations []Destination `json:"destinations"`
	Timeout      *int64        `json:"timeout,omitempty"` // in seconds; nil: none of its own
}

// Approvers is what get_approvers answered: one destination, or several that
// stand in for each other.
type Approvers struct {
	Destinations              []Destination `json:"destinations"`
	ContinueOnDeliveryFailure bool          `json:"continue_on_delivery_failure,omitempty"`
	ContinueOnTimeout         bool          `json:"continue_on_timeout,omitempty"`
}

// Kinds of destinations, by Sym's request destinations.
const (
	DestinationChannelID   = "slack_channel_id"
	DestinationChannelName = "slack_channel_name"
	DestinationSlackUser   = "slack_user"
	DestinationGroup       = "slack_user_group"
	DestinationUser        = "user"
)

// Destination is where a handler wants a message to go.
type Destination struct {
	Kind      string   `json:"kind"`
	ID        string   `json:"id,omitempty"`    // of a channel or a Slack user; our own of a user
	Name      string   `json:"name,omitempty"`  // of a channel
	Email     string   `json:"email,omitempty"` // of a user
	Users     []string `json:"users,omitempty"` // of a group: Slack ids or e-mail addresses
	AllowSelf bool     `json:"allow_self,omitempty"`
	Timeout   *int64   `json:"timeout,omitempty"` // in seconds
}
