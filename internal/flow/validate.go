package flow

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/symflows/symflows/internal/pattern"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	// Path leads to it: "params.prompt_fields[1].name"; "" is the whole document.
	Path string
	// Message says what is wrong and what to write instead.
	Message string
}

// Limits of Slack's Block Kit, in characters unless said otherwise
// (https://docs.slack.dev/reference/block-kit).
const (
	// MaxOption is the longest text of an option: a flow, a target, an allowed
	// value.
	MaxOption = 75
	// MaxSection is the longest text of a section.
	MaxSection = 3000

	maxOptions = 100  // of a menu
	maxLabel   = 2000 // of an input
	maxInput   = 3000 // in a text box
	// maxPromptFields leaves room for what we put around the fields: a view has
	// 100 blocks at most.
	maxPromptFields = 90
)

// maxTierUsers is how many people can share a conversation with our app
// (Sym's contract; Slack itself allows eight).
const maxTierUsers = 7

var (
	fieldNamePattern = pattern.Of(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	emailPattern     = pattern.Of(`^[^@\s:<>|]+@[^@\s:<>|]+\.[^@\s:<>|]+$`)
	groupPattern     = pattern.Of(`^[\p{L}\p{N}._-]+$`)
	channelPattern   = pattern.Of(`^(#[^\s#.,<>|@\p{Lu}]+|[CG][A-Z0-9]{2,})$`)
)

// maxChannelName is Slack's limit in characters. It is not in the pattern: 80
// copies of all letters would be half the time that a function takes to start.
const maxChannelName = 80

// CheckName says what is wrong with the name of a flow, a target or anything
// else that has one. Names are parts of SRNs, and options in Slack's menus.
func CheckName(name string) error {
	switch {
	case name == "":
		return Errorf(CodeInvalid, "is missing: give it a name")
	case !slugPattern.MatchString(name):
		return Errorf(CodeInvalid, "%q is no name: use letters, digits, - and _ only, and put the rest into label", Clip(name, 60))
	case len(name) > MaxOption:
		return Errorf(CodeInvalid, "%q is too long: use at most %d characters", Clip(name, 60), MaxOption)
	}
	return nil
}

// CheckEmail says what is wrong with an e-mail address.
func CheckEmail(s string) error {
	if !emailPattern.MatchString(s) {
		return Errorf(CodeInvalid, "%q is not an e-mail address: write one such as lead@example.com", Clip(s, 60))
	}
	return nil
}

// CheckChannel says what is wrong with the name or id of a Slack channel.
func CheckChannel(s string) error {
	if name, named := strings.CutPrefix(s, "#"); !channelPattern.MatchString(s) || named && utf8.RuneCountInString(name) > maxChannelName {
		return Errorf(CodeInvalid, `%q is not a Slack channel: write "#name" in lower case and in quotes, or the channel's id`, Clip(s, 90))
	}
	return nil
}

// CheckOption says what is wrong with a text that people pick from a menu.
func CheckOption(s string) error {
	if n := len([]rune(s)); n > MaxOption {
		return Errorf(CodeInvalid, "has %d characters: Slack shows at most %d", n, MaxOption)
	}
	return nil
}

// Validate finds all that is wrong with a flow, by the rules of Sym's sym_flow
// resource and ours. What a flow refers to (environment, strategy, targets) is
// taken to be right in itself. Paths are relative to the flow's document.
func (f *Flow) Validate() []Fault {
	v := validator{Flow: f}
	v.check("name", CheckName(f.Name))
	v.check("label", CheckOption(f.Label))
	v.kind()
	v.sources()
	v.fields()
	v.bindings()
	v.extend()
	v.approval()
	v.changes()
	v.breakGlass()
	v.startAt()
	v.agents()
	v.lambdaCalls()
	v.handlers()
	return v.faults
}

// validator collects the faults of a flow.
type validator struct {
	*Flow
	faults []Fault
}

func (v *validator) fault(path, format string, args ...any) {
	v.faults = append(v.faults, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) check(path string, err error) {
	if err != nil {
		v.fault(path, "%s", UserMessage(err))
	}
}

// kind holds the rule of the product: with strategy_id it is an access flow;
// without it approval-only, in which a duration field is an error.
func (v *validator) kind() {
	p := v.Params
	limited := p.MaxDuration != 0
	if p.MaxDuration < 0 {
		v.fault("params.max_duration", "must be more than nothing, such as 8h")
	}
	switch {
	case v.ApprovalOnly():
		if i := v.index(FieldNameDuration); i >= 0 {
			v.fault(fieldPath(i, "name"), "a duration field makes no sense in an approval-only flow: remove the field, or add strategy_id to make it an access flow")
		}
		if i := v.index(FieldNameTarget); i >= 0 {
			v.fault(fieldPath(i, "name"), "a target_id field makes no sense in an approval-only flow: remove the field, or add strategy_id to make it an access flow")
		}
		if limited {
			v.fault("params.max_duration", "nothing lasts in an approval-only flow: remove it, or add strategy_id to make it an access flow")
		}
	case !p.AllowRevoke && !p.ScheduleDeescalation:
		v.fault("params.allow_revoke", "access of this flow could never end: set allow_revoke or schedule_deescalation to true")
	case !p.ScheduleDeescalation && limited:
		v.fault("params.max_duration", "access ends only by hand while schedule_deescalation is false: remove max_duration, or set schedule_deescalation to true")
	}
	if n := len([]rune(p.AdditionalHeaderText)); n > MaxSection {
		v.fault("params.additional_header_text", "has %d characters: Slack shows at most %d", n, MaxSection)
	}
}

// maxExtendFor is how many durations there are to choose from.
const maxExtendFor = 10

func (v *validator) extend() {
	x := v.Params.Extend
	if x == nil {
		return
	}
	if v.ApprovalOnly() || !v.Params.ScheduleDeescalation {
		v.fault("params.extend", "only access that ends by its duration can be extended: remove it")
		return
	}
	if x.Max < 1 {
		v.fault("params.extend.max", "must be 1 or more: it says how often the access of one run may be extended")
	}
	if x.Approval != ExtendSame && x.Approval != ExtendNone {
		v.fault("params.extend.approval", "%q says not who decides: write same (who may approve the request), or none (nobody is asked)", Clip(x.Approval, 40))
	}
	switch n := len(x.For); {
	case n == 0:
		v.fault("params.extend.for", "is missing: write by how much access may be extended, such as [30m, 1h]")
	case n > maxExtendFor:
		v.fault("params.extend.for", "has %d durations: at most %d are offered", n, maxExtendFor)
	}
	for i, d := range x.For {
		path := fmt.Sprintf("params.extend.for[%d]", i)
		switch {
		case d <= 0:
			v.fault(path, "must be more than nothing, such as 30m")
		case v.Params.MaxDuration > 0 && d >= v.Params.MaxDuration:
			v.fault(path, "is no shorter than max_duration (%s), which the whole of the access must stay within", Words(time.Duration(v.Params.MaxDuration)))
		case slices.Contains(x.For[:i], d):
			v.fault(path, "is there twice: remove one")
		}
	}
}

func (v *validator) sources() {
	if v.Params.AllowedSources == nil {
		return
	}
	seen := map[Channel]bool{}
	for i, s := range *v.Params.AllowedSources {
		path := fmt.Sprintf("params.allowed_sources[%d]", i)
		switch {
		case s != ChannelSlack && s != ChannelAPI:
			v.fault(path, "%q is no source: write slack or api", Clip(string(s), 40))
		case seen[s]:
			v.fault(path, "%q is listed twice: remove one", s)
		}
		seen[s] = true
	}
}

func fieldPath(i int, attr string) string { return fmt.Sprintf("params.prompt_fields[%d].%s", i, attr) }

// index finds a declared field. It returns -1 if there is none.
func (v *validator) index(name string) int {
	return slices.IndexFunc(v.Params.PromptFields, func(p PromptField) bool { return p.Name == name })
}

func (v *validator) fields() {
	if n := len(v.Params.PromptFields); n > maxPromptFields {
		v.fault("params.prompt_fields", "has %d fields: Slack's forms hold at most %d", n, maxPromptFields)
	}
	seen := map[string]bool{}
	for i, p := range v.Params.PromptFields {
		switch {
		case p.Name == "":
			v.fault(fieldPath(i, "name"), "is missing: give the field a name")
		case !fieldNamePattern.MatchString(p.Name) || len(p.Name) > MaxOption:
			v.fault(fieldPath(i, "name"), "%q is no field name: begin with a letter or _, go on with letters, digits, _ and -, %d characters at most, and put the rest into label", Clip(p.Name, 60), MaxOption)
		case slices.Contains(EventKeys, p.Name):
			v.fault(fieldPath(i, "name"), "%q has a meaning of its own in audit records: choose another name", p.Name)
		case seen[strings.ToLower(p.Name)]:
			v.fault(fieldPath(i, "name"), "%q is the name of another field already: choose another one; the case of letters makes no difference", p.Name)
		}
		seen[strings.ToLower(p.Name)] = true
		if n := len([]rune(p.Label)); n > maxLabel {
			v.fault(fieldPath(i, "label"), "has %d characters: Slack shows at most %d", n, maxLabel)
		}
		v.options(i, p)
		switch {
		case p.Type == "":
			v.fault(fieldPath(i, "type"), "is missing: write one of %s", fieldTypeNames())
		case !slices.Contains(FieldTypes, p.Type):
			v.fault(fieldPath(i, "type"), "%q is no field type: write one of %s", Clip(string(p.Type), 40), fieldTypeNames())
		default:
			v.values(i, p)
		}
		if !v.ApprovalOnly() {
			switch p.Name {
			case FieldNameTarget:
				v.target(i, p)
			case FieldNameDuration:
				v.duration(i, p)
			}
		}
	}
	if v.ApprovalOnly() || !v.Params.ScheduleDeescalation || v.index(FieldNameDuration) >= 0 {
		return
	}
	for _, s := range DefaultDurations {
		if d, err := ParseDuration(s); err == nil && v.tooLong(d) {
			v.fault("params.max_duration", "a flow without a duration field offers %s, and %s is longer than max_duration: add a duration field with allowed_values within it",
				strings.Join(DefaultDurations, ", "), s)
			return
		}
	}
}

func fieldTypeNames() string {
	names := make([]string, len(FieldTypes))
	for i, t := range FieldTypes {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}

// values checks a field's default and allowed values against its type.
func (v *validator) values(i int, p PromptField) {
	slackUser := p.Type == FieldSlackUser || p.Type == FieldSlackUserList
	if slackUser && len(p.AllowedValues) > 0 {
		v.fault(fieldPath(i, "allowed_values"), "does not go with type %s, which offers the people of the workspace: remove it", p.Type)
		return
	}
	if n := len(p.AllowedValues); n > maxOptions {
		v.fault(fieldPath(i, "allowed_values"), "has %d values: Slack's menus hold at most %d", n, maxOptions)
	}
	one := PromptField{Type: p.Type} // the type alone
	seen := map[any]bool{}
	for j, s := range p.AllowedValues {
		path := fmt.Sprintf("%s[%d]", fieldPath(i, "allowed_values"), j)
		if empty(s) {
			v.fault(path, "is empty: write a value or remove it")
			continue
		}
		v.check(path, CheckOption(s))
		value, err := one.one(s)
		if err != nil {
			v.fault(path, "%q %s", Clip(s, 60), UserMessage(err))
			continue
		}
		if seen[value] {
			v.fault(path, "%q is there twice: remove one", Clip(s, 60))
		}
		seen[value] = true
	}
	if p.Default == "" {
		return
	}
	switch {
	case slackUser || p.Type.List():
		v.fault(fieldPath(i, "default"), "does not go with type %s: remove it", p.Type)
	case p.Name == FieldNameTarget:
		return // a target's name, see target
	case len([]rune(p.Default)) > maxInput:
		v.fault(fieldPath(i, "default"), "is too long: Slack's inputs hold at most %d characters", maxInput)
	default:
		if _, err := p.normalise(p.Default); err != nil {
			v.fault(fieldPath(i, "default"), "%q is no value of this field: %s", Clip(p.Default, 60), UserMessage(err))
		}
	}
}

// options checks what Python does for a field.
func (v *validator) options(i int, p PromptField) {
	slackUser := p.Type == FieldSlackUser || p.Type == FieldSlackUserList
	switch reducer := Prefetch(p.Name); {
	case !p.Prefetch:
	case v.Implementation == nil:
		v.fault(fieldPath(i, "prefetch"), "a reducer of the flow's implementation gives the options: write implementation, or remove prefetch and list allowed_values")
	case slackUser:
		v.fault(fieldPath(i, "prefetch"), "does not go with type %s, which offers the people of the workspace: remove it", p.Type)
	case p.Name == FieldNameTarget && !v.ApprovalOnly(), p.Name == FieldNameDuration && !v.ApprovalOnly():
		v.fault(fieldPath(i, "prefetch"), "%s offers what the configuration says: remove it", p.Name)
	case !v.Implementation.Defines(reducer):
		v.fault(fieldPath(i, "prefetch"), "%s has no reducer for this field: write one with @prefetch(field_name=%q)", v.Implementation.Name, p.Name)
	}
	if p.OnChange == nil {
		return
	}
	v.check(fieldPath(i, "on_change"), p.OnChange.check())
	if f := OnChange(p.Name); !p.OnChange.Defines(f) {
		v.fault(fieldPath(i, "on_change"), "%s does not define %s(username, form): write it", p.OnChange.Name, f)
	}
}

// handlers checks what the implementation defines, as far as that is known.
func (v *validator) handlers() {
	if t := time.Duration(v.Params.HandlerTimeout); t < 0 || t > MaxHandlerTimeout {
		v.fault("params.handler_timeout", "must be a duration of at most %s: people wait for it", Words(MaxHandlerTimeout))
	}
	if v.Isolated && !v.HasPython() {
		v.fault("isolated", "is for flows with Python, and this one has none: leave it out, or write implementation")
	}
	if v.Implementation == nil {
		return
	}
	v.check("implementation", v.Implementation.check())
	for _, name := range v.Implementation.Handlers {
		field, prefetch := strings.CutPrefix(name, Prefetch(""))
		if prefetch {
			if i := v.index(field); i < 0 || !v.Params.PromptFields[i].Prefetch {
				v.fault("implementation", "%s has a prefetch reducer for %q, which is no prompt field with prefetch: true; set that, or remove the reducer", v.Implementation.Name, field)
			}
			continue
		}
		if !slices.Contains(handlerNames(), name) && !strings.HasPrefix(name, OnChange("")) && !strings.HasPrefix(name, StrategyClass) {
			v.fault("implementation", "%s defines %s, which nothing would ever call: hooks are on_<event> and after_<event> for %s, reducers %s",
				v.Implementation.Name, name, joinedHookEvents(), strings.Join([]string{HandlerPermissions, HandlerNotifications, HandlerApprovers, HandlerIdentity, HandlerIdentityLookup}, ", "))
		}
	}
}

func joinedHookEvents() string {
	var names []string
	for _, e := range hookEvents {
		names = append(names, string(e))
	}
	return strings.Join(names, ", ")
}

// target checks the field that is filled from the strategy's targets.
func (v *validator) target(i int, p PromptField) {
	if p.Type != "" && p.Type != FieldString {
		v.fault(fieldPath(i, "type"), "target_id holds a target's id: write string")
	}
	v.always(i, p)
	if p.Default != "" && len(v.Strategy.Targets) > 0 {
		if _, ok := v.Strategy.Target(v.Org, p.Default); !ok {
			v.fault(fieldPath(i, "default"), "%q is not one of the targets of strategy %q: write the name of one that is", Clip(p.Default, 60), v.Strategy.Name)
		}
	}
}

// duration checks the field that says how long access lasts (Sym: required,
// with allowed values).
func (v *validator) duration(i int, p PromptField) {
	if p.Type != "" && p.Type != FieldDuration {
		v.fault(fieldPath(i, "type"), "the field duration says how long access lasts: write duration")
	}
	if !v.Params.ScheduleDeescalation {
		v.fault(fieldPath(i, "name"), "access ends only by hand while schedule_deescalation is false: remove the field, or set schedule_deescalation to true")
		return
	}
	v.always(i, p)
	if len(p.AllowedValues) == 0 {
		v.fault(fieldPath(i, "allowed_values"), "is missing: list the durations to choose from, such as [30m, 1h]")
	}
	for j, s := range p.AllowedValues {
		if d, err := ParseDuration(s); err == nil && v.tooLong(d) {
			v.fault(fmt.Sprintf("%s[%d]", fieldPath(i, "allowed_values"), j), "%s is longer than max_duration (%s): remove it, or raise max_duration",
				s, Words(time.Duration(v.Params.MaxDuration)))
		}
	}
}

// always checks that requests can't leave the field out.
func (v *validator) always(i int, p PromptField) {
	if !p.Required {
		v.fault(fieldPath(i, "required"), "no access without %s: set required to true", p.Name)
	}
	if !p.Visible {
		v.fault(fieldPath(i, "visible"), "no access without %s: set visible to true", p.Name)
	}
}

func (v *validator) tooLong(d time.Duration) bool {
	limit := time.Duration(v.Params.MaxDuration)
	return limit > 0 && d > limit
}

// bindings checks that the settings which targets leave to the request can be
// filled in by it. One fault a setting, however many targets bind it.
func (v *validator) bindings() {
	if v.ApprovalOnly() {
		return
	}
	seen := map[string]bool{}
	for _, t := range v.Strategy.Targets {
		for _, name := range t.FieldBindings {
			i := v.index(name)
			_, fallback := t.Settings[name]
			switch {
			case seen[name]:
				continue
			case i < 0:
				v.fault("params.prompt_fields", "target %q binds its setting %q to the field of that name: add a prompt field %q", t.Name, name, name)
			case !fallback && v.Params.PromptFields[i].Default == "" && !(v.Params.PromptFields[i].Required && v.Params.PromptFields[i].Visible):
				v.fault(fieldPath(i, "required"), "target %q binds its setting %q to this field, and has no value of its own for it: set required and visible to true, or give a default", t.Name, name)
			default:
				continue
			}
			seen[name] = true
		}
	}
}

func (v *validator) approval() {
	a := v.Params.Approval
	if len(a.Notify) == 0 && !v.Implementation.Defines(HandlerNotifications) && !v.Implementation.Defines(HandlerApprovers) {
		v.fault("params.approval.notify", `nobody would ever hear of a request: list whom to ask, such as [{channel: "#access-prod"}]`)
	}
	v.notify("params.approval.notify", a.Notify)
	v.approvers()
}

// notify checks whom messages go to.
func (v *validator) notify(at string, list []Notify) {
	for i, n := range list {
		path := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case n.Channel == "" && len(n.Users) == 0:
			v.fault(path, "asks nobody: write channel or users")
		case n.Channel != "" && len(n.Users) > 0:
			v.fault(path, "has both channel and users: make two tiers of it")
		case n.Channel != "":
			v.check(path+".channel", CheckChannel(n.Channel))
		case len(n.Users) > maxTierUsers:
			v.fault(path+".users", "has %d people: at most %d share a conversation, so make two tiers of it, or use a channel", len(n.Users), maxTierUsers)
		}
		seen := map[string]bool{}
		for j, email := range n.Users {
			at := fmt.Sprintf("%s.users[%d]", path, j)
			v.check(at, CheckEmail(email))
			if seen[strings.ToLower(email)] {
				v.fault(at, "%q is there twice: remove one", Clip(email, 60))
			}
			seen[strings.ToLower(email)] = true
		}
		if n.Timeout < 0 {
			v.fault(path+".timeout", "must be more than nothing, such as 30m")
		}
	}
}

func (v *validator) approvers() {
	a := v.Params.Approval
	people, counted := v.people("params.approval.approvers", "approver", a.Approvers)
	counted = counted && len(a.Approvers) > 0 // whether the number of those who may approve is known
	for _, email := range v.Environment.Admins {
		people[strings.ToLower(email)] = true
	}
	switch {
	case a.Required < 1:
		v.fault("params.approval.required", "must be at least 1")
	case counted && a.Required > len(people):
		v.fault("params.approval.required", "needs %d different people, and only %d may approve (admins included): add approvers, or ask for fewer", a.Required, len(people))
	}
}

func (v *validator) lambdaCalls() {
	for _, hook := range []struct {
		path string
		call *LambdaCall
	}{{"params.on_approve", v.Params.OnApprove}, {"params.after_approve", v.Params.AfterApprove}} {
		if hook.call == nil {
			continue
		}
		if !v.ApprovalOnly() {
			v.fault(hook.path, "goes with approval-only flows; in an access flow the strategy acts: remove it, or remove strategy_id")
			continue
		}
		if err := CheckFunctionARN(hook.call.ARN); err != nil {
			v.check(hook.path+".lambda_arn", err)
		} else if !slices.Contains(v.Environment.LambdaARNs, hook.call.ARN) {
			v.fault(hook.path+".lambda_arn", "%s is not among the functions that flows may invoke: add it to lambda_arns of environment %q", hook.call.ARN, v.Environment.Name)
		}
		hook.call.checkReferences(v.Flow, hook.path+".payload", v.fault)
	}
}

// people checks names of people and groups, each of which is to be a noun. It returns the e-mail addresses among
// them, in lower case, and whether these are all.
func (v *validator) people(at, noun string, names []string) (emails map[string]bool, all bool) {
	emails, all = map[string]bool{}, true
	seen := map[string]bool{}
	for i, s := range names {
		path := fmt.Sprintf("%s[%d]", at, i)
		kind, who, _ := strings.Cut(s, ":")
		switch {
		case kind == "user" && emailPattern.MatchString(who):
			emails[strings.ToLower(who)] = true
		case kind == "group" && groupPattern.MatchString(who):
			all = false
		default:
			v.fault(path, "%q names no %s: write group:<handle of a Slack user group> or user:<e-mail address>", Clip(s, 90), noun)
			all = false
		}
		if seen[strings.ToLower(s)] {
			v.fault(path, "%q is there twice: remove one", Clip(s, 90))
		}
		seen[strings.ToLower(s)] = true
	}
	return emails, all
}
