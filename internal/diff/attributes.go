package diff

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// attribute says what a change of one or several attributes of a flow means.
type attribute struct {
	// name is that of the change, as configurations write it, and fields are the fields
	// of flow.Flow that it is about; one that ends in * stands for all below it.
	name   string
	fields []string
	// compare adds what has changed. Nil: a change means nothing, and why says why.
	compare func(*comparison)
	why     string
}

// attributes has a row for each attribute of a flow; what concerns who may do what
// comes first.
var attributes = []attribute{
	// Who may ask.
	{"params.allowed_sources", []string{"Params.AllowedSources"}, func(c *comparison) {
		c.set(sources(c.before), sources(c.after), "can be started from %s as well", "can't be started from %s any more")
	}, ""},
	{"params.on_behalf", []string{"Params.OnBehalf"}, func(c *comparison) {
		c.on(func(f *flow.Flow) bool { return f.Params.OnBehalf }, "people may ask for colleagues, too", "people may ask for themselves only")
	}, ""},
	{"params.start_at", []string{"Params.StartAt.Max"}, func(c *comparison) {
		c.longer(ahead(c.before), ahead(c.after), "access may be asked for %s ahead instead of %s", "nothing")
	}, ""},
	{"params.agents", []string{"Params.Agents.MaxDuration", "Params.Agents.Purpose"}, (*comparison).agents, ""},
	{"params.prompt_fields", []string{"Params.PromptFields[].*"}, (*comparison).fields, ""},

	// Who decides.
	{"params.approval.approvers", []string{"Params.Approval.Approvers[]"}, (*comparison).approvers, ""},
	{"environment.admins", []string{"Environment.Admins[]"}, func(c *comparison) {
		c.set(lower(c.before.Environment.Admins), lower(c.after.Environment.Admins), "%s may decide all requests as an admin", "%s is no admin any more")
	}, ""},
	{"who may decide", nil, func(c *comparison) { c.count(deciders, "decide") }, ""},
	{"params.approval.allow_self_approval", []string{"Params.Approval.AllowSelfApproval"}, func(c *comparison) {
		c.on(func(f *flow.Flow) bool { return f.Params.Approval.AllowSelfApproval }, "approvers may approve their own requests", "nobody may approve their own request any more")
	}, ""},
	{"params.approval.required", []string{"Params.Approval.Required"}, func(c *comparison) {
		was, is := max(c.before.Params.Approval.Required, 1), max(c.after.Params.Approval.Required, 1)
		switch {
		case is < was:
			c.add(Wider, "fewer people have to approve: %d instead of %d", is, was)
		case is > was:
			c.add(Narrower, "more people have to approve: %d instead of %d", is, was)
		}
	}, ""},
	{"params.allow_guest_interaction", []string{"Params.AllowGuestInteraction"}, func(c *comparison) {
		c.on(func(f *flow.Flow) bool { return f.Params.AllowGuestInteraction }, "guests of the workspace may decide and end access, if they are among the approvers", "guests of the workspace may not decide any more")
	}, ""},
	{"params.approve_with", []string{"Params.ApproveWith.Duration", "Params.ApproveWith.Target"}, func(c *comparison) {
		c.on(func(f *flow.Flow) bool { return f.Params.ApproveWith.Target }, "approvers may give another target than was asked for", "approvers may give nothing but the target that was asked for")
		c.on(func(f *flow.Flow) bool { return f.Params.ApproveWith.Duration }, "approvers may give another, shorter, duration than was asked for", "approvers may not change the duration any more")
	}, ""},
	{"params.break_glass", []string{"Params.BreakGlass.Who[]", "Params.BreakGlass.Duration", "Params.BreakGlass.Reason", "Params.BreakGlass.Notify[].*"}, (*comparison).breakGlass, ""},

	// What is granted.
	{"params.strategy_id", []string{"Strategy.Name", "Strategy.Type"}, (*comparison).strategy, ""},
	{"strategy.targets", []string{"Strategy.Targets[].Name", "Strategy.Targets[].Type", "Strategy.Targets[].Settings", "Strategy.Targets[].FieldBindings[]"}, (*comparison).targets, ""},
	{"strategy.settings", []string{"Strategy.Settings"}, func(c *comparison) {
		if c.both() {
			c.values(c.before.Strategy.Settings, c.after.Strategy.Settings, "the setting %s of its strategy")
		}
	}, ""},
	{"strategy.integration", []string{"Strategy.Integration.*"}, func(c *comparison) {
		if c.both() {
			c.differs(c.before.Strategy.Integration, c.after.Strategy.Integration, "the strategy works with another integration, or with other settings of it")
		}
	}, ""},
	{"strategy.secrets", []string{"Strategy.Secrets{}.*"}, func(c *comparison) {
		if c.both() {
			c.differs(c.before.Strategy.Secrets, c.after.Strategy.Secrets, "the strategy works with other secrets")
		}
	}, ""},

	// For how long.
	{"params.max_duration", []string{"Params.MaxDuration"}, func(c *comparison) {
		c.shorter(time.Duration(c.before.Params.MaxDuration), time.Duration(c.after.Params.MaxDuration), "access may last %s instead of %s, whatever the form says", "any time")
	}, ""},
	{"params.schedule_deescalation", []string{"Params.ScheduleDeescalation"}, func(c *comparison) {
		if c.both() {
			c.off(func(f *flow.Flow) bool { return f.Params.ScheduleDeescalation }, "access ends by its time", "access does not end by itself any more: somebody has to end it")
		}
	}, ""},
	{"params.allow_revoke", []string{"Params.AllowRevoke"}, func(c *comparison) {
		c.off(func(f *flow.Flow) bool { return f.Params.AllowRevoke }, "access can be ended by hand before its time", "nobody can end access by hand before its time any more")
	}, ""},
	{"params.extend", []string{"Params.Extend.Max", "Params.Extend.For[]", "Params.Extend.Approval"}, (*comparison).extend, ""},

	// Rules and code.
	{"implementation", []string{"Implementation.Name", "Implementation.Text", "Implementation.SHA256", "Implementation.Handlers[]"}, func(c *comparison) {
		c.code("its Python", c.before.Implementation, c.after.Implementation)
	}, ""},
	{"strategy.implementation", []string{"Strategy.Implementation.*"}, func(c *comparison) {
		if c.both() {
			c.code("the Python of its strategy", c.before.Strategy.Implementation, c.after.Strategy.Implementation)
		}
	}, ""},
	{"params.on_approve", []string{"Params.OnApprove.ARN", "Params.OnApprove.Payload"}, func(c *comparison) {
		switch was, is := c.before.Params.OnApprove, c.after.Params.OnApprove; {
		case was != nil && is == nil:
			c.add(Wider, "no function is asked before an approval counts any more (it was %s)", was.ARN)
		case was == nil && is != nil:
			c.add(Narrower, "an approval counts only once the function %s has agreed", is.ARN)
		default:
			c.differs(was, is, "the function that is asked before an approval counts is another one, or is told something else")
		}
	}, ""},
	{"params.after_approve", []string{"Params.AfterApprove.ARN", "Params.AfterApprove.Payload"}, func(c *comparison) {
		c.differs(c.before.Params.AfterApprove, c.after.Params.AfterApprove, "another function runs after an approval, or it is told something else")
	}, ""},
	{"vars", []string{"Vars"}, func(c *comparison) { c.values(c.before.Vars, c.after.Vars, "the variable %s of its handlers") }, ""},
	{"environment.lambda_arns", []string{"Environment.LambdaARNs[]"}, func(c *comparison) {
		c.set(c.before.Environment.LambdaARNs, c.after.Environment.LambdaARNs, "its code may invoke %s", "its code may not invoke %s any more")
	}, ""},
	{"environment.integrations", []string{"Environment.Integrations{}.*"}, func(c *comparison) {
		c.differs(c.before.Environment.Integrations, c.after.Environment.Integrations, "its environment has other integrations, with which its code works")
	}, ""},
	{"isolated", []string{"Isolated"}, func(c *comparison) {
		c.off(func(f *flow.Flow) bool { return f.Isolated }, "its Python has a function and a role of its own", "its Python runs beside that of other flows, with their rights and secrets")
	}, ""},
	{"params.handler_timeout", []string{"Params.HandlerTimeout"}, func(c *comparison) {
		c.other(c.before.Params.HandlerTimeout, c.after.Params.HandlerTimeout, "its handlers have another time-out")
	}, ""},

	// Who hears of it, and texts.
	{"params.approval.notify", []string{"Params.Approval.Notify[].*"}, func(c *comparison) {
		was, is := asked(c.before.Params.Approval.Notify), asked(c.after.Params.Approval.Notify)
		if was != is {
			c.add(Other, "asks %s instead of %s", is, was)
		}
	}, ""},
	{"environment", []string{"Environment.Name"}, func(c *comparison) {
		if was, is := c.before.Environment.Name, c.after.Environment.Name; was != is {
			c.add(Other, "is in the environment %s instead of %s", is, was)
		}
	}, ""},
	{"environment.error_logger_id", []string{"Environment.ErrorChannel"}, func(c *comparison) {
		c.other(c.before.Environment.ErrorChannel, c.after.Environment.ErrorChannel, "errors are told in another channel, or in none")
	}, ""},
	{"params.no_reminders", []string{"Params.NoReminders"}, func(c *comparison) {
		c.other(c.before.Params.NoReminders, c.after.Params.NoReminders, "people are reminded of what waits for them, or not any more")
	}, ""},
	{"params.include_decision_message", []string{"Params.IncludeDecision"}, func(c *comparison) {
		c.other(c.before.Params.IncludeDecision, c.after.Params.IncludeDecision, "people are asked for a message with their decision, or not any more")
	}, ""},
	{"texts", []string{"Label", "Environment.Label", "Strategy.Label", "Params.AdditionalHeaderText", "Strategy.Targets[].Label", "Strategy.Targets[].Caution", "Strategy.Targets[].Told[].*"}, func(c *comparison) {
		c.other(texts(c.before, c.after), texts(c.after, c.before), "people read other texts")
	}, ""},

	{name: "org", fields: []string{"Org"}, why: "it is one of the whole deployment"},
	{name: "name", fields: []string{"Name"}, why: "a flow of another name is another flow"},
	{name: "version", fields: []string{"Version"}, why: "publishing gives it"},
	{name: "places", fields: []string{"Places"}, why: "lines of files, which are no part of a version"},
	{name: "target id", fields: []string{"Strategy.Targets[].ID"}, why: "it is what a target is called by the API and in records, and says nothing of what it gives"},
	{name: "owner", fields: []string{"Strategy.ByAPI"}, why: "it is who configures the strategy, and says nothing of what it gives"},
	{name: "each", fields: []string{"Strategy.Targets[].Each"}, why: "requests fill it in, never a configuration"},
}

func sources(f *flow.Flow) []string {
	if f.Params.AllowedSources == nil {
		return []string{string(flow.ChannelAPI), string(flow.ChannelSlack)}
	}
	var names []string
	for _, s := range *f.Params.AllowedSources {
		names = append(names, string(s))
	}
	return names
}

func ahead(f *flow.Flow) time.Duration {
	if f.Params.StartAt == nil {
		return 0
	}
	return time.Duration(f.Params.StartAt.Max)
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// both tells whether both versions grant access.
func (c *comparison) both() bool { return c.before.Strategy != nil && c.after.Strategy != nil }

// words names a duration; none is what zero is.
func words(d time.Duration, none string) string {
	if d == 0 {
		return none
	}
	return flow.Words(d)
}

// longer compares durations of which zero is the least.
func (c *comparison) longer(was, is time.Duration, text, none string) {
	switch {
	case is > was:
		c.add(Wider, text, words(is, none), words(was, none))
	case is < was:
		c.add(Narrower, text, words(is, none), words(was, none))
	}
}

// shorter compares durations of which zero is without a bound.
func (c *comparison) shorter(was, is time.Duration, text, none string) {
	switch {
	case was == is:
	case is == 0 || was != 0 && is > was:
		c.add(Wider, text, words(is, none), words(was, none))
	default:
		c.add(Narrower, text, words(is, none), words(was, none))
	}
}

// differs notes that something is another one of which can't be told what it lets
// happen.
func (c *comparison) differs(was, is any, text string) {
	if !reflect.DeepEqual(was, is) {
		c.add(Unclear, "%s", text)
	}
}

// other notes that something is another one that lets nothing happen.
func (c *comparison) other(was, is any, text string) {
	if !reflect.DeepEqual(was, is) {
		c.add(Other, "%s", text)
	}
}

// values compares settings, of which only their system, or code, knows what they mean.
func (c *comparison) values(was, is map[string]string, what string) {
	names := map[string]bool{}
	for _, m := range []map[string]string{was, is} {
		for name := range m {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, before := was[name]
		now, after := is[name]
		what := fmt.Sprintf(what, name)
		switch {
		case !before:
			c.add(Unclear, "%s is new: %s", what, flow.Clip(now, 80))
		case !after:
			c.add(Unclear, "%s is gone (it was %s)", what, flow.Clip(old, 80))
		case old != now:
			c.add(Unclear, "%s is %s instead of %s", what, flow.Clip(now, 80), flow.Clip(old, 80))
		}
	}
}

// code compares Python, of which can't be told what it decides.
func (c *comparison) code(what string, was, is *flow.Source) {
	switch {
	case was == nil && is == nil:
	case was == nil:
		c.add(Unclear, "%s is new (%s): read it", what, is.Name)
	case is == nil:
		c.add(Unclear, "%s is gone (%s): what it refused or asked for is not refused or asked for any more", what, was.Name)
	case was.SHA256 != is.SHA256 || was.Text != is.Text:
		text := fmt.Sprintf("%s is other code (%s): read it", what, is.Name)
		if added := without(is.Handlers, was.Handlers); known(was, is) && len(added) > 0 {
			text += "; it defines " + strings.Join(added, ", ")
		}
		if removed := without(was.Handlers, is.Handlers); known(was, is) && len(removed) > 0 {
			text += "; it does not define " + strings.Join(removed, ", ") + " any more"
		}
		c.add(Unclear, "%s", text)
	case known(was, is) && !slices.Equal(was.Handlers, is.Handlers):
		c.add(Unclear, "%s defines %s instead of %s", what, strings.Join(is.Handlers, ", "), strings.Join(was.Handlers, ", "))
	case was.Name != is.Name:
		c.add(Other, "%s is in %s instead of %s", what, is.Name, was.Name)
	}
}

// known tells whether both have been looked at for the handlers that they define.
func known(was, is *flow.Source) bool { return was.Handlers != nil && is.Handlers != nil }

// approvers compares who may decide.
func (c *comparison) approvers() {
	was, is := c.before.Params.Approval.Approvers, c.after.Params.Approval.Approvers
	switch {
	case len(was) > 0 && len(is) == 0:
		c.add(Wider, "every member of the workspace may decide, instead of %s", strings.Join(was, ", "))
	case len(was) == 0 && len(is) > 0:
		c.add(Narrower, "%s may decide, instead of every member of the workspace", strings.Join(is, ", "))
	default:
		c.set(was, is, "%s may decide", "%s may not decide any more")
	}
}

// agents compares what agents may ask for.
func (c *comparison) agents() {
	c.on(func(f *flow.Flow) bool { return f.Params.Agents != nil }, "agents may ask, each for its owner", "agents may not ask any more")
	was, is := c.before.Params.Agents, c.after.Params.Agents
	if was == nil || is == nil {
		return
	}
	c.longer(time.Duration(was.MaxDuration), time.Duration(is.MaxDuration), "agents may have access for %s instead of %s", "no time")
	switch {
	case was.Purpose == is.Purpose:
	case is.Purpose == flow.PurposeOptional:
		c.add(Wider, "agents need not say any more what they ask for that for")
	case is.Purpose == flow.PurposeRequired:
		c.add(Narrower, "agents have to say what they ask for that for")
	default:
		c.other(was.Purpose, is.Purpose, "what it says of the purpose of agents is another text")
	}
}

// breakGlass compares access without approval.
func (c *comparison) breakGlass() {
	was, is := c.before.Params.BreakGlass, c.after.Params.BreakGlass
	switch {
	case was == nil && is == nil:
		return
	case was == nil:
		c.add(Wider, "%s may have access in an emergency without approval, for %s", strings.Join(is.Who, ", "), flow.Words(time.Duration(is.Duration)))
	case is == nil:
		c.add(Narrower, "nobody may have access in an emergency without approval any more (%s did)", strings.Join(was.Who, ", "))
	default:
		c.set(was.Who, is.Who, "%s may have access in an emergency without approval", "%s may not have access in an emergency any more")
		c.longer(time.Duration(was.Duration), time.Duration(is.Duration), "access in an emergency lasts %s instead of %s", "no time")
		c.other(was.Reason, is.Reason, "what an emergency says of its reason is another text")
		told := func(b *flow.BreakGlassParams) (names []string) {
			for _, n := range b.Notify {
				names = append(names, destinations(n)...)
			}
			return names
		}
		if fewer := without(told(was), told(is)); len(fewer) > 0 {
			c.add(Wider, "%s is not told of emergencies any more", strings.Join(fewer, ", "))
		}
		if more := without(told(is), told(was)); len(more) > 0 {
			c.add(Narrower, "%s is told of emergencies", strings.Join(more, ", "))
		}
		if len(c.changes) == 0 || c.changes[len(c.changes)-1].Attribute != c.attribute {
			c.other(was.Notify, is.Notify, "those who are told of emergencies are told in another way")
		}
	}
	c.count(func(p People, f *flow.Flow) []string {
		if f.Params.BreakGlass == nil {
			return nil
		}
		return listed(p, f.Params.BreakGlass.Who)
	}, "have access in an emergency")
}

// strategy compares what grants.
func (c *comparison) strategy() {
	was, is := c.before.Strategy, c.after.Strategy
	switch {
	case was == nil && is == nil:
	case was == nil:
		c.add(Wider, "gives access (by %s, %s), where it asked for an approval only", is.Name, is.Type)
	case is == nil:
		c.add(Narrower, "gives no access any more (it did by %s, %s)", was.Name, was.Type)
	case was.Type != is.Type:
		c.add(Unclear, "gives access by %s (%s) instead of %s (%s)", is.Name, is.Type, was.Name, was.Type)
	case was.Name != is.Name:
		c.add(Unclear, "gives access by %s instead of %s", is.Name, was.Name)
	}
}

// targets compares what may be asked for.
func (c *comparison) targets() {
	if !c.both() {
		return
	}
	find := func(f *flow.Flow, name string) (flow.Target, bool) { return f.Strategy.Target(f.Org, name) }
	for _, t := range c.after.Strategy.Targets {
		old, ok := find(c.before, t.Name)
		if !ok {
			c.add(Wider, "%s may be asked for", t.Name)
			continue
		}
		if old.Type != t.Type {
			c.add(Unclear, "the target %s is a %s instead of a %s", t.Name, t.Type, old.Type)
		}
		c.values(old.Settings, t.Settings, "the setting %s of the target "+strings.ReplaceAll(t.Name, "%", "%%"))
		c.set(old.FieldBindings, t.FieldBindings, "whoever asks for "+t.Name+" chooses its %s", "nobody who asks for "+t.Name+" chooses its %s any more")
	}
	for _, t := range c.before.Strategy.Targets {
		if _, ok := find(c.after, t.Name); !ok {
			c.add(Narrower, "%s may not be asked for any more", t.Name)
		}
	}
}

// extend compares how much longer access may last.
func (c *comparison) extend() {
	was, is := c.before.Params.Extend, c.after.Params.Extend
	switch {
	case was == nil && is == nil:
	case was == nil:
		c.add(Wider, "access may be extended, %d times by at most %s%s", is.Max, longestOf(is.For), unasked(is))
	case is == nil:
		c.add(Narrower, "access can't be extended any more")
	default:
		if was.Max != is.Max {
			way := Wider
			if is.Max < was.Max {
				way = Narrower
			}
			c.add(way, "access may be extended %d times instead of %d", is.Max, was.Max)
		}
		c.set(spans(was.For), spans(is.For), "access may be extended by %s", "access can't be extended by %s any more")
		if none := func(x *flow.Extend) bool { return x.Approval == flow.ExtendNone }; none(was) != none(is) {
			c.on(func(f *flow.Flow) bool { return none(f.Params.Extend) }, "nobody has to approve more time any more", "more time takes an approval")
		} else {
			c.other(was.Approval, is.Approval, "who approves more time is said in another way")
		}
	}
}

func unasked(x *flow.Extend) string {
	if x.Approval == flow.ExtendNone {
		return " each, without approval"
	}
	return " each"
}

func longestOf(list []flow.Duration) string {
	var longest flow.Duration
	for _, d := range list {
		longest = max(longest, d)
	}
	return flow.Words(time.Duration(longest))
}

func spans(list []flow.Duration) []string {
	var out []string
	for _, d := range list {
		out = append(out, flow.Words(time.Duration(d)))
	}
	return out
}

// fields compares the form: what has to be said, and what may be.
func (c *comparison) fields() {
	was, is := map[string]flow.PromptField{}, map[string]flow.PromptField{}
	for _, p := range c.before.Params.PromptFields {
		was[p.Name] = p
	}
	for _, p := range c.after.Params.PromptFields {
		is[p.Name] = p
		if old, ok := was[p.Name]; ok {
			c.field(old, p)
			continue
		}
		way, must := Other, "may be filled in"
		if p.Required {
			way, must = Narrower, "has to be filled in"
		}
		if p.OnChange != nil || p.Prefetch {
			way, must = Unclear, "is filled in with a say of code, which is to be read"
		}
		if p.Name == flow.FieldNameDuration {
			c.add(way, "the field %s %s (%s)", p.Name, must, allowed(p))
		} else {
			c.add(way, "the field %s %s", p.Name, must)
		}
	}
	for _, p := range c.before.Params.PromptFields {
		if _, ok := is[p.Name]; ok {
			continue
		}
		way := Other
		if p.Required {
			way = Wider
		}
		c.add(way, "nobody is asked for %s any more", p.Name)
	}
}

// field compares one field of the form.
func (c *comparison) field(was, is flow.PromptField) {
	switch {
	case was.Required && !is.Required:
		c.add(Wider, "%s may be left empty", is.Name)
	case is.Required && !was.Required:
		c.add(Narrower, "%s has to be filled in", is.Name)
	}
	switch {
	case len(was.AllowedValues) > 0 && len(is.AllowedValues) == 0:
		c.add(Wider, "%s may be anything, instead of %s", is.Name, allowed(was))
	case len(was.AllowedValues) == 0 && len(is.AllowedValues) > 0:
		c.add(Narrower, "%s may be %s only", is.Name, allowed(is))
	default:
		c.set(was.AllowedValues, is.AllowedValues, is.Name+" may be %s", is.Name+" may not be %s any more")
	}
	if was.Type != is.Type {
		c.add(Unclear, "%s is a %s instead of a %s", is.Name, is.Type, was.Type)
	}
	if was.Prefetch != is.Prefetch {
		c.add(Unclear, "the options of %s come from code, or not any more", is.Name)
	}
	c.code("the Python of the field "+is.Name, was.OnChange, is.OnChange)
	c.other(was.Default, is.Default, "another default of "+is.Name)
	if was.Visible != is.Visible {
		c.add(Other, "%s is shown, or not any more", is.Name)
	}
	c.other(was.Label, is.Label, "another label of "+is.Name)
}

func allowed(p flow.PromptField) string {
	if len(p.AllowedValues) == 0 {
		return "anything"
	}
	return strings.Join(p.AllowedValues, ", ")
}

func destinations(n flow.Notify) []string {
	var to []string
	if n.Channel != "" {
		to = append(to, n.Channel)
	}
	return append(to, n.Users...)
}

// asked writes who is asked, in order and for how long.
func asked(rounds []flow.Notify) string {
	if len(rounds) == 0 {
		return "nobody"
	}
	var all []string
	for _, n := range rounds {
		text := strings.Join(destinations(n), " and ")
		if n.Timeout > 0 {
			text += " for " + flow.Words(time.Duration(n.Timeout))
		}
		all = append(all, text)
	}
	return strings.Join(all, ", then ")
}

// texts are what people read of a flow; other is the version that it is compared with:
// of what that does not have, there is nothing to compare.
func texts(f, other *flow.Flow) []string {
	all := []string{f.Label, f.Environment.Label, f.Params.AdditionalHeaderText}
	if f.Strategy == nil || other.Strategy == nil {
		return all
	}
	all = append(all, f.Strategy.Label)
	for _, t := range f.Strategy.Targets {
		if _, ok := other.Strategy.Target(other.Org, t.Name); ok {
			all = append(all, fmt.Sprintf("%s %q %q %v", strings.ToLower(t.Name), t.Label, t.Caution, t.Told))
		}
	}
	slices.Sort(all[4:])
	return all
}
