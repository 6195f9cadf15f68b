package flow

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Flow is one immutable version of a flow, with everything that a run of it
// refers to resolved and held inside: a later change of the configuration
// does not reach runs that started with this version.
type Flow struct {
	Org     string            `json:"org"`
	Name    string            `json:"name"`
	Version string            `json:"version"` // "1.0.N"; set by publish
	Label   string            `json:"label,omitempty"`
	Vars    map[string]string `json:"vars,omitempty"`
	// Environment is where the flow runs: who administers it, where its errors go.
	Environment Environment `json:"environment"`
	// Strategy grants and removes access. Nil makes the flow approval-only.
	Strategy *Strategy `json:"strategy,omitempty"`
	Params   Params    `json:"params"`
	// Implementation has the flow's handlers. It is nil if the flow has none.
	Implementation *Source `json:"implementation,omitempty"`
	// Isolated gives the flow's Python a function and a role of its own.
	Isolated bool `json:"isolated,omitempty"`
	// Places says where the configuration that is in force names people, groups
	// and channels of Slack: "approval.notify[0].channel" is at "flows/access.yaml:12".
	// It is no part of a version: lines move without a change of the flow.
	Places map[string]string `json:"places,omitempty"`
}

// ApprovalOnly tells whether the flow grants nothing: it has no strategy.
func (f *Flow) ApprovalOnly() bool { return f.Strategy == nil }

// Title is what people read: the label, or the name where there is none.
func (f *Flow) Title() string {
	if f.Label != "" {
		return f.Label
	}
	return f.Name
}

// Environment holds what flows have in common.
type Environment struct {
	Name         string                 `json:"name"`
	Label        string                 `json:"label,omitempty"`
	Integrations map[string]Integration `json:"integrations,omitempty"` // by service: "slack", "pagerduty", …
	// ErrorChannel is the Slack channel that warnings and errors go to; "" for none.
	ErrorChannel string `json:"error_channel,omitempty"`
	// Admins are e-mail addresses. Admins may always approve, deny and revoke.
	Admins []string `json:"admins,omitempty"`
	// LambdaARNs are the functions that flows and handlers may invoke.
	LambdaARNs []string `json:"lambda_arns,omitempty"`
}

// Administers tells whether the environment names somebody as one of its
// admins. It names people by their e-mail addresses, in letters of any case.
func (e Environment) Administers(who Actor) bool {
	return !who.Unconfirmed && who.Email != "" && slices.ContainsFunc(e.Admins, func(email string) bool { return strings.EqualFold(email, who.Email) })
}

// Integration is an outside system as the configuration names it.
type Integration struct {
	Name       string               `json:"name"`
	Type       string               `json:"type"`
	ExternalID string               `json:"external_id"`
	Label      string               `json:"label,omitempty"`
	Settings   map[string]string    `json:"settings,omitempty"`
	Secrets    map[string]SecretRef `json:"secrets,omitempty"` // by setting: "api_token_secret", …
}

// SecretRef says where a secret's value is kept. It never holds the value.
type SecretRef struct {
	Name    string `json:"name"`
	Source  string `json:"source"` // type of the source: "aws_secrets_manager"
	Path    string `json:"path"`
	JSONKey string `json:"json_key,omitempty"` // picks one key of a JSON value
}

// HasPython tells whether the flow has code that customers wrote.
func (f *Flow) HasPython() bool {
	return f.Implementation != nil || f.Strategy != nil && f.Strategy.Implementation != nil ||
		slices.ContainsFunc(f.Params.PromptFields, func(p PromptField) bool { return p.OnChange != nil })
}

// Strategy grants targets. Its settings are frozen into each run that uses it.
type Strategy struct {
	// ByAPI: the configuration API owns it, so that it, or a target of it, may be deleted
	// while flows in force have it.
	ByAPI bool `json:"by_api,omitempty"`

	Name        string               `json:"name"`
	Type        string               `json:"type"`
	Label       string               `json:"label,omitempty"`
	Settings    map[string]string    `json:"settings,omitempty"`
	Secrets     map[string]SecretRef `json:"secrets,omitempty"` // by setting: "signing_secret_id", …
	Integration *Integration         `json:"integration,omitempty"`
	Targets     []Target             `json:"targets,omitempty"`
	// Implementation is the Python of a strategy whose type goes with some.
	Implementation *Source `json:"implementation,omitempty"`
}

// Target finds a target by name or by id, whatever the case of its letters.
func (s *Strategy) Target(org, nameOrID string) (Target, bool) {
	i := slices.IndexFunc(s.Targets, func(t Target) bool { return strings.EqualFold(t.Name, nameOrID) })
	if i < 0 && uuidPattern.MatchString(nameOrID) {
		id := strings.ToLower(nameOrID)
		i = slices.IndexFunc(s.Targets, func(t Target) bool { return strings.ToLower(t.IDIn(org)) == id })
	}
	if i < 0 {
		return Target{}, false
	}
	return s.Targets[i], true
}

// Target is what a strategy grants.
type Target struct {
	// ID is set where it isn't the one that TargetID makes of the name: see [Target.IDIn].
	ID       string            `json:"id,omitempty"`
	Name     string            `json:"name"`
	Type     string            `json:"type"`
	Label    string            `json:"label,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`
	// FieldBindings are the keys of Settings that the request's fields of the
	// same name fill in.
	FieldBindings []string `json:"field_bindings,omitempty"`
	// Each has the settings that fields of lists fill in, once for each of the
	// several targets that a request is for by them: see [Target.All]. It is empty
	// where the request is for one.
	Each []map[string]string `json:"each,omitempty"`
	// Caution is what the end of access does at the system besides: people read it
	// before they ask and before they decide. "": nothing. It is the type's.
	Caution string `json:"caution,omitempty"`
	// Told are the settings that those who decide are shown. They are the type's.
	Told []ToldSetting `json:"told,omitempty"`
}

// IDIn gives the id of a target of an org: that of its name, unless another one had the
// name first.
func (t Target) IDIn(org string) string {
	if t.ID != "" {
		return t.ID
	}
	return TargetID(org, t.Name)
}

// ToldSetting is a setting that people read.
type ToldSetting struct {
	Setting string `json:"setting"`
	Label   string `json:"label"`
}

// How many targets one request may be for, and how long what lists fill in of all of
// them may be together: it is part of many records.
const (
	MaxTargets     = 50
	maxTargetBytes = 8 << 10
)

// Title is what people read: the label, or the name where there is none.
func (t Target) Title() string {
	if t.Label != "" {
		return t.Label
	}
	return t.Name
}

// Bind gives the target with the settings that fields fill in. Fields that
// are absent leave the setting as it is. A list asks for a target by each of its
// values, and several lists for one by each combination.
func (t Target) Bind(fields map[string]any) Target {
	settings := maps.Clone(t.Settings)
	if settings == nil {
		settings = map[string]string{}
	}
	t.Each = nil
	for _, name := range t.FieldBindings {
		v, ok := fields[name]
		if !ok {
			continue
		}
		values, several := valuesOf(v)
		if !several {
			settings[name] = text(v)
			continue
		}
		delete(settings, name)
		t.Each = combine(t.Each, name, values)
	}
	t.Settings = settings
	return t
}

// combine gives each of the settings once with each of the values, and stops a
// little above MaxTargets: so many are refused.
func combine(each []map[string]string, name string, values []string) []map[string]string {
	if len(each) == 0 {
		each = []map[string]string{nil}
	}
	var out []map[string]string
	for _, settings := range each {
		for i, value := range values {
			if slices.Index(values, value) < i {
				continue
			}
			one := maps.Clone(settings)
			if one == nil {
				one = map[string]string{}
			}
			one[name] = value
			if out = append(out, one); len(out) > MaxTargets {
				return out
			}
		}
	}
	return out
}

// All lists the targets that a request is for, each with its settings: t alone,
// unless fields of lists fill in some.
func (t Target) All() []Target {
	if len(t.Each) == 0 {
		return []Target{t}
	}
	out := make([]Target, len(t.Each))
	for i, settings := range t.Each {
		out[i] = t.With(settings)
	}
	return out
}

// With gives one of the targets that t stands for: by its own settings, and these.
func (t Target) With(settings map[string]string) Target {
	own := maps.Clone(t.Settings)
	if own == nil {
		own = map[string]string{}
	}
	maps.Copy(own, settings)
	t.Settings, t.Each = own, nil
	return t
}

// checkMany refuses a request for too many targets at once.
func (t Target) checkMany() error {
	if len(t.Each) > MaxTargets {
		return Errorf(CodeInvalid, "asks for more than %d targets at once: choose fewer, and make another request for the others", MaxTargets)
	}
	if b, err := EncodeJSON(t.Each); err != nil || len(b) > maxTargetBytes {
		return Errorf(CodeInvalid, "asks for %d targets whose settings are longer than %d KB together: choose fewer, and make another request for the others", len(t.Each), maxTargetBytes>>10)
	}
	return nil
}

// Params are Sym's flow params with defaults applied, and ours.
type Params struct {
	AllowRevoke           bool `json:"allow_revoke"`
	ScheduleDeescalation  bool `json:"schedule_deescalation"`
	AllowGuestInteraction bool `json:"allow_guest_interaction"`
	IncludeDecision       bool `json:"include_decision_message"`
	// AllowedSources is nil where all are allowed; empty, the flow can't be invoked.
	AllowedSources       *[]Channel    `json:"allowed_sources,omitempty"`
	AdditionalHeaderText string        `json:"additional_header_text,omitempty"`
	PromptFields         []PromptField `json:"prompt_fields,omitempty"`
	// MaxDuration bounds every duration of the flow; zero is unbounded.
	MaxDuration Duration `json:"max_duration,omitempty"`
	// Extend says whether and by how much access may be extended; nil: not at all.
	Extend *Extend `json:"extend,omitempty"`
	// NoReminders keeps people from being reminded of what waits for them.
	NoReminders  bool        `json:"no_reminders,omitempty"`
	Approval     Approval    `json:"approval"`
	OnApprove    *LambdaCall `json:"on_approve,omitempty"`
	AfterApprove *LambdaCall `json:"after_approve,omitempty"`
	// ApproveWith is what approvers may change.
	ApproveWith ApproveWith `json:"approve_with,omitzero"`
	// OnBehalf lets people ask for a colleague, in Slack.
	OnBehalf bool `json:"on_behalf,omitempty"`
	// BreakGlass lets some have access at once in an emergency; nil: nobody.
	BreakGlass *BreakGlassParams `json:"break_glass,omitempty"`
	// StartAt lets people ask for access that starts later; nil: it starts once it
	// is approved.
	StartAt *StartAtParams `json:"start_at,omitempty"`
	// Agents lets agents ask; nil: they can't.
	Agents *AgentParams `json:"agents,omitempty"`
	// HandlerTimeout bounds one handler; zero stands for DefaultHandlerTimeout.
	HandlerTimeout Duration `json:"handler_timeout,omitempty"`
}

// Allows tells whether runs may come from this source.
func (p Params) Allows(source Channel) bool {
	return p.AllowedSources == nil || slices.Contains(*p.AllowedSources, source)
}

// declared finds a prompt field that the configuration declares.
func (p Params) declared(name string) (PromptField, bool) {
	i := slices.IndexFunc(p.PromptFields, func(f PromptField) bool { return f.Name == name })
	if i < 0 {
		return PromptField{}, false
	}
	return p.PromptFields[i], true
}

// FieldType is the type of a prompt field.
type FieldType string

// Sym's field types.
const (
	FieldString        FieldType = "string"
	FieldInt           FieldType = "int"
	FieldBool          FieldType = "bool"
	FieldDuration      FieldType = "duration"
	FieldSlackUser     FieldType = "slack_user"
	FieldSlackUserList FieldType = "slack_user_list"
	FieldStringList    FieldType = "str_list"
	FieldIntList       FieldType = "int_list"
)

// FieldTypes lists them all, in the order in which messages name them.
var FieldTypes = []FieldType{
	FieldString, FieldInt, FieldBool, FieldDuration,
	FieldSlackUser, FieldSlackUserList, FieldStringList, FieldIntList,
}

// List tells whether values of the type are lists.
func (t FieldType) List() bool {
	return t == FieldSlackUserList || t == FieldStringList || t == FieldIntList
}

// Names of fields that mean something to us.
const (
	FieldNameTarget   = "target_id" // filled from the strategy's targets
	FieldNameDuration = "duration"
	FieldNameReason   = "reason" // ordinary, but shown first
)

// PromptField is one input of the form.
type PromptField struct {
	Name          string    `json:"name"`
	Type          FieldType `json:"type"`
	Label         string    `json:"label,omitempty"`
	Required      bool      `json:"required"`
	Default       string    `json:"default,omitempty"`
	AllowedValues []string  `json:"allowed_values,omitempty"`
	Visible       bool      `json:"visible"`
	Prefetch      bool      `json:"prefetch,omitempty"`
	OnChange      *Source   `json:"on_change,omitempty"`
}

// Title is what people read: the label, or the name in words where there is none.
func (f PromptField) Title() string {
	switch {
	case f.Label != "":
		return f.Label
	case f.Name == FieldNameTarget:
		return "Target"
	case f.Name == "":
		return ""
	}
	words := strings.NewReplacer("_", " ", "-", " ").Replace(f.Name)
	return strings.ToUpper(words[:1]) + words[1:]
}

// Approval says who is asked, in which order, and how many must agree.
type Approval struct {
	Notify []Notify `json:"notify,omitempty"`
	// Approvers are "group:<handle>" and "user:<e-mail>"; none means every member.
	Approvers         []string `json:"approvers,omitempty"`
	AllowSelfApproval bool     `json:"allow_self_approval"`
	Required          int      `json:"required"` // distinct people, at least 1
}

// Notify is one tier of the approval: who hears of the request, and how long
// silence lasts before the next tier is asked.
type Notify struct {
	Channel string   `json:"channel,omitempty"` // "#name" or an id
	Users   []string `json:"users,omitempty"`   // e-mail addresses; several share a group message
	Timeout Duration `json:"timeout,omitempty"` // zero stands for DefaultRequestTimeout
}

// Duration is a time.Duration written in JSON as whole seconds.
type Duration time.Duration

// Seconds gives the whole seconds.
func (d Duration) Seconds() int64 { return int64(time.Duration(d) / time.Second) }

// MarshalJSON writes whole seconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(int64(time.Duration(d) / time.Second))
}

// UnmarshalJSON reads whole seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s int64
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*d = Duration(time.Duration(s) * time.Second)
	return nil
}

// Fixed limits of the lifecycle.
const (
	DefaultRequestTimeout = 30 * 24 * time.Hour // a tier without a timeout
	PromptTimeout         = 7 * 24 * time.Hour  // a form never submitted
	GrantWindow           = 15 * time.Minute    // how far a slow grant may push the end
	WatchdogAfter         = time.Minute         // a step that should have moved on by itself
	DefaultHandlerTimeout = 10 * time.Second    // a handler of a flow that says nothing else
	MaxHandlerTimeout     = 30 * time.Second    // a step asks several, one after the other
	MaxFieldsBytes        = 32 << 10
	MaxContextBytes       = 32 << 10
	MaxOutputBytes        = 16 << 10
	MaxRunBytes           = 300 << 10 // above it only removal is accepted
)
