package slackapp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// What our views and their inputs are called. An input's block has the name of
// its field, so that faults of a field appear beside its input.
const (
	viewFlow    = "flow"    // the flow picker
	viewRequest = "request" // a flow's form
	viewEnd     = "end"     // which access is to end
	viewMore    = "more"    // for how much longer, and why
	viewChange  = "change"  // what an approval gives in place of what is asked for
	viewNotice  = "notice"  // something to read
	blockFlow   = "flow"    // the picker's only input
	blockAccess = "access"  // the only input of viewEnd
	blockMore   = "by"      // of viewMore: for how much longer, in seconds
	blockWhy    = "why"     // of viewMore
	actionValue = "value"   // the element of each input; "value.1" once its value was changed by a handler
)

// metadata is what a view carries for us. Slack sends it back as it was.
type metadata struct {
	Run     string `json:"run,omitempty"`
	Flow    string `json:"flow,omitempty"`
	Version string `json:"version,omitempty"`
	Channel string `json:"channel,omitempty"` // where the command was given
	Answer  string `json:"answer,omitempty"`  // where the channel is answered: the response URL of what opened the form
	About   string `json:"about,omitempty"`   // link to the message that the request is about
	// Of a form that a button of a message opened: the message, and what it said is
	// asked for.
	Via  *flow.MessageRef `json:"via,omitempty"`
	Seen string           `json:"seen,omitempty"`
}

func (m metadata) String() string {
	b, _ := json.Marshal(m) // texts can't fail
	return string(b)
}

func metadataOf(v view) (m metadata) {
	_ = json.Unmarshal([]byte(v.PrivateMetadata), &m) // metadata that is not ours leaves run and flow empty
	return m
}

// modal makes a view; "" leaves out the button.
func modal(callback, title, submit string, m metadata, blocks []slack.Block) slack.ModalViewRequest {
	v := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, Title: plain(title, maxTitle), Close: plain("Cancel", maxTitle),
		PrivateMetadata: m.String(), Blocks: slack.Blocks{BlockSet: blocks[:min(len(blocks), maxViewBlocks)]},
	}
	if submit == "" {
		v.Close = plain("Close", maxTitle)
		return v
	}
	v.Submit = plain(submit, maxTitle)
	return v
}

// noticeModal shows a text in place of a form.
func noticeModal(text string) slack.ModalViewRequest {
	return modal(viewNotice, "Sym Flows", "", metadata{}, []slack.Block{slack.NewSectionBlock(plain(text, maxText), nil, nil)})
}

// flowModal is the flow picker. The note, if there is one, says why it is shown;
// chosen is the flow that was probably meant, or "".
func flowModal(flows []store.FlowSummary, chosen, channel, note string) slack.ModalViewRequest {
	return pickModal(flows, chosen, note, metadata{Channel: channel})
}

// pickModal is flowModal for all that is known of how it came to the request.
func pickModal(flows []store.FlowSummary, chosen, note string, came metadata) slack.ModalViewRequest {
	var blocks []slack.Block
	if note != "" {
		blocks = append(blocks, slack.NewSectionBlock(plain(note, maxText), nil, nil))
	}
	all := flowChoices(flows)
	var preset []choice
	if i := slices.IndexFunc(all, func(c choice) bool { return c.value == chosen }); i >= 0 {
		preset = all[i : i+1]
	}
	blocks = append(blocks, slack.NewInputBlock(blockFlow, plain("Flow", maxLabel), nil, selector(all, preset, "Choose a flow", actionValue, maxOptions)))
	return modal(viewFlow, "New request", "Next", came, blocks)
}

// openForm is a form that is being shown, as handlers have changed it.
type openForm struct {
	flow.OpenForm
	actions map[string]string // action ids of the inputs that there are, by field
	note    string            // what there is to say of it
}

// requestModal is the form of a flow, for a run that was prompted. Fields that
// are not visible are left out. Without an open form, it is what the
// configuration says.
func requestModal(f *flow.Flow, runID string, o *openForm) slack.ModalViewRequest {
	return filledModal(f, runID, o, metadata{})
}

// filledModal is requestModal, with what is known of how it came to the request:
// what it is about stands in the reason, for the person to see and change.
func filledModal(f *flow.Flow, runID string, o *openForm, came metadata) slack.ModalViewRequest {
	v := requestForm(f, runID, o, came, maxOptions)
	if b, err := json.Marshal(v); err == nil && len(b) > maxSocketAnswer-500 {
		// Too large to be the answer to an envelope: have the longer lists
		// searched, not sent.
		v = requestForm(f, runID, o, came, maxOptions/10)
	}
	return v
}

// requestForm makes the form with lists of at most so many options in it.
func requestForm(f *flow.Flow, runID string, o *openForm, came metadata, most int) slack.ModalViewRequest {
	intro := "You get access once your request is approved, and it ends by itself."
	switch {
	case f.ApprovalOnly():
		intro = "Nothing happens before your request is approved."
	case !f.Params.ScheduleDeescalation:
		intro = "You get access once your request is approved. It stays until somebody ends it."
	}
	if fit(f.Title(), maxTitle) != f.Title() { // the view's title has no room for it
		intro = "*" + safe(f.Title()) + "*\n" + intro
	}
	blocks := []slack.Block{section(intro), slack.NewContextBlock("", mrkdwn(whoIsAsked(f), maxText))}
	fields, header := f.Fields(), f.Params.AdditionalHeaderText
	if o != nil {
		if f.DynamicForm() {
			fields, header = f.FieldsOf(o.OpenForm), o.AdditionalHeaderText
		}
		if o.note != "" {
			blocks = append(blocks, slack.NewSectionBlock(plain(o.note, maxText), nil, nil))
		}
	}
	if text := strings.TrimSpace(header); text != "" {
		// Of the configuration, or its code, whose authors may format and link.
		blocks = append(blocks, slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, fit(text, maxText), false, false), nil, nil))
	}
	for i, p := range fields {
		switch {
		case !p.Visible:
		case o == nil:
			blocks = append(blocks, input(p, offer{all: choices(f, p), preset: nonEmpty(cmp.Or(came.reason(p), p.Default)), action: actionValue}, most))
		case !f.DynamicForm(): // filled in with what was asked for before
			blocks = append(blocks, input(p, offer{all: choices(f, p), preset: textsOf(o.Fields[i].Value), action: actionValue}, most))
		default:
			field := o.Fields[i]
			if reason := came.reason(p); reason != "" && field.Value == nil {
				field.Value = reason
			}
			blocks = append(blocks, input(p, offer{
				all: optionChoices(p, field), preset: textsOf(field.Value),
				action: cmp.Or(o.actions[p.Name], actionValue), only: field.CurrentAllowed != nil,
			}, most))
		}
	}
	m := metadata{Run: runID, Flow: f.Name, Version: f.Version, Channel: came.Channel, Answer: came.Answer}
	return modal(viewRequest, f.Title(), "Submit", m, blocks)
}

// reason is what a field is filled in with where the request is about a message.
func (m metadata) reason(p flow.PromptField) string {
	if m.About == "" || p.Name != flow.FieldNameReason || p.Type != flow.FieldString || len(p.AllowedValues) > 0 {
		return ""
	}
	return "About " + m.About
}

// loadingModal stands for a form that handlers are asked about.
func loadingModal(title string) slack.ModalViewRequest {
	return modal(viewNotice, title, "", metadata{}, []slack.Block{slack.NewSectionBlock(plain("Loading…", maxText), nil, nil)})
}

// whoIsAsked says who hears of a request once it is submitted.
func whoIsAsked(f *flow.Flow) string {
	names, known := f.AskedFirst()
	switch {
	case !known:
		return "🙋 Who is asked is decided by the flow's own rules, once you submit."
	case len(names) == 0:
		return "🙋 Nobody is asked: the flow's own rules decide, once you submit."
	}
	text := "🙋 Goes to " + places(names)
	if n := f.Params.Approval.Required; n > 1 {
		text += fmt.Sprintf("; %d people have to approve", n)
	}
	if next, after := f.AskedNext(); len(next) > 0 {
		text += fmt.Sprintf("; if nobody decides within %s, to %s", flow.Words(after), places(next))
	}
	return text + "."
}

// places names channels and people as a configuration has them.
func places(names []string) string {
	var shown []string
	for _, n := range names {
		if channelIDPattern.MatchString(n) {
			n = "<#" + n + ">"
		} else {
			n = safe(n)
		}
		shown = append(shown, n)
	}
	return enumerate(shown)
}

// offer is what an input is filled with.
type offer struct {
	all    []choice
	preset []string // values; several for lists only
	action string   // action id of the element
	only   bool     // nothing but the choices, even if there are none
}

// input makes the input of a field.
func input(p flow.PromptField, of offer, most int) slack.Block {
	element, hint := element(p, of, most)
	b := slack.NewInputBlock(fit(p.Name, maxID), plain(p.Title(), maxLabel), nil, element).WithOptional(!p.Required)
	// Slack tells us of each choice, and of a text when Enter is pressed in it.
	b.DispatchAction = p.OnChange != nil
	if hint != "" {
		b.Hint = plain(hint, maxLabel)
	}
	return b
}

// element chooses the element for a field: a list of what may be chosen where
// there is one, else what fits the type. The hint says what to type.
func element(p flow.PromptField, of offer, most int) (e slack.BlockElement, hint string) {
	all := of.all
	if (len(all) > 0 || of.only) && selectable(all) {
		if len(all) == 0 {
			hint, most = "There is nothing to choose.", -1 // Slack takes no empty list: one to search
		}
		var preset []choice
		for _, c := range all {
			if slices.ContainsFunc(of.preset, func(v string) bool { return c.is(p, v) }) {
				preset = append(preset, c)
			}
		}
		if p.Type == flow.FieldBool && len(all) > 0 {
			return radio(all, preset, of.action), hint
		}
		if p.Type.List() {
			return multiSelector(all, preset, of.action, most), hint
		}
		return selector(all, preset, "Choose", of.action, most), hint
	}
	first := ""
	if len(of.preset) > 0 {
		first = of.preset[0]
	}
	text := &slack.PlainTextInputBlockElement{
		Type: slack.METPlainTextInput, ActionID: of.action, MaxLength: maxInput, InitialValue: fit(strings.Join(of.preset, "\n"), maxInput),
	}
	switch p.Type {
	case flow.FieldSlackUser:
		s := slack.NewOptionsSelectBlockElement(slack.OptTypeUser, plain("Choose a person", maxPlaceholder), of.action)
		s.InitialUser = first
		return s, ""
	case flow.FieldSlackUserList:
		s := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeUser, plain("Choose people", maxPlaceholder), of.action)
		s.InitialUsers = of.preset
		return s, ""
	case flow.FieldInt:
		n := slack.NewNumberInputBlockElement(nil, of.action, false)
		n.InitialValue = first
		return n, ""
	case flow.FieldStringList:
		text.Multiline = true
		return text, "One per line."
	case flow.FieldIntList:
		text.Multiline = true
		return text, "Whole numbers, one per line."
	case flow.FieldDuration:
		if n, err := strconv.ParseInt(first, 10, 64); err == nil { // a handler's: seconds
			text.InitialValue = strconv.FormatInt(n, 10) + "s"
		}
		return text, "A whole number and s, m, h, d or mo, such as 30m."
	}
	text.Multiline = p.Name == flow.FieldNameReason
	if len(p.AllowedValues) > 0 { // too long for a list of Slack's
		text.Multiline, hint = true, "One of: "+strings.Join(p.AllowedValues, " · ")
	}
	return text, hint
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// textsOf writes the value of a field of an open form.
func textsOf(value any) []string {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, textsOf(one)...)
		}
		return all
	case []string:
		return v
	case []int64:
		var all []string
		for _, one := range v {
			all = append(all, strconv.FormatInt(one, 10))
		}
		return all
	case float64: // a whole number that was JSON
		return []string{strconv.FormatInt(int64(v), 10)}
	}
	return []string{fmt.Sprint(value)}
}

// choice is one thing that can be chosen. It is searched by its label and its
// name; about is a line below the label, or "".
type choice struct{ value, label, name, about string }

// option is the choice as Slack shows it.
func (c choice) option() *slack.OptionBlockObject {
	o := slack.NewOptionBlockObject(c.value, plain(c.label, maxOptionText), nil)
	if c.about != "" {
		o.Description = plain(c.about, maxOptionText)
	}
	return o
}

// is tells whether the choice has the value. Durations may be given in seconds.
func (c choice) is(p flow.PromptField, value string) bool {
	if p.Type == flow.FieldDuration && c.value != value {
		d, err := flow.ParseDuration(c.value)
		return err == nil && strconv.FormatInt(int64(d/time.Second), 10) == value
	}
	return c.value == value
}

// optionChoices lists what can be chosen for a field of an open form. It
// returns nil if the field is typed.
func optionChoices(p flow.PromptField, field flow.OpenField) []choice {
	var out []choice
	for _, o := range field.CurrentAllowed {
		out = append(out, choice{value: o.Value, label: o.Label})
	}
	if p.Type == flow.FieldBool && field.CurrentAllowed == nil {
		return yesOrNo
	}
	return out
}

var yesOrNo = []choice{{value: "true", label: "Yes"}, {value: "false", label: "No"}}

// choices lists what can be chosen for a field. It returns nil if the field is
// typed.
func choices(f *flow.Flow, p flow.PromptField) []choice {
	var out []choice
	switch {
	case p.Name == flow.FieldNameTarget && !f.ApprovalOnly():
		for _, t := range f.Strategy.Targets {
			out = append(out, targetChoice(f, t))
		}
	case len(p.AllowedValues) > 0:
		for _, v := range p.AllowedValues {
			label := v
			if d, err := flow.ParseDuration(v); p.Type == flow.FieldDuration && err == nil {
				label = flow.Words(d)
			}
			out = append(out, choice{value: v, label: label, name: v})
		}
	case p.Type == flow.FieldBool:
		out = yesOrNo
	}
	return out
}

// targetChoice is a target to choose. Its value is the target's id.
func targetChoice(f *flow.Flow, t flow.Target) choice {
	return choice{value: t.IDIn(f.Org), label: t.Title(), name: t.Name}
}

// flowChoices lists flows in the order of what is shown of them.
func flowChoices(flows []store.FlowSummary) []choice {
	var out []choice
	for _, f := range flows {
		out = append(out, choice{value: f.Name, label: f.Title(), name: f.Name, about: f.About})
	}
	slices.SortStableFunc(out, func(a, b choice) int { return cmp.Compare(fold(a.label), fold(b.label)) })
	return out
}

// selectable tells whether Slack takes all values as those of options.
func selectable(all []choice) bool {
	return !slices.ContainsFunc(all, func(c choice) bool { return len([]rune(c.value)) > maxOptionValue || c.value == "" })
}

func optionsOf(all []choice) []*slack.OptionBlockObject {
	var out []*slack.OptionBlockObject
	for _, c := range all {
		out = append(out, c.option())
	}
	return out
}

// selector is a drop-down: of all choices, or of those that a search finds if
// they are more than most.
func selector(all, preset []choice, placeholder, action string, most int) *slack.SelectBlockElement {
	s := &slack.SelectBlockElement{Type: slack.OptTypeStatic, Placeholder: plain(placeholder, maxPlaceholder), ActionID: action}
	if len(all) > most {
		s.Type, s.MinQueryLength = slack.OptTypeExternal, new(int)
	} else {
		s.Options = optionsOf(all)
	}
	if len(preset) > 0 {
		s.InitialOption = preset[0].option()
	}
	return s
}

func multiSelector(all, preset []choice, action string, most int) *slack.MultiSelectBlockElement {
	s := &slack.MultiSelectBlockElement{
		Type: slack.MultiOptTypeStatic, Placeholder: plain("Choose", maxPlaceholder), ActionID: action, InitialOptions: optionsOf(preset),
	}
	if len(all) > most {
		s.Type, s.MinQueryLength = slack.MultiOptTypeExternal, new(int)
		return s
	}
	s.Options = optionsOf(all)
	return s
}

func radio(all, preset []choice, action string) *slack.RadioButtonsBlockElement {
	b := slack.NewRadioButtonsBlockElement(action, optionsOf(all)...)
	if len(preset) > 0 {
		b.InitialOption = preset[0].option()
	}
	return b
}

// actionIDs gives the action ids of a view's inputs, by field.
func actionIDs(v view) map[string]string {
	ids := map[string]string{}
	for field, actions := range v.State.Values {
		for id := range actions {
			if id == actionValue || strings.HasPrefix(id, actionValue+".") {
				ids[field] = id
			}
		}
	}
	return ids
}

// renewed is the next action id of an input. Slack keeps what somebody has
// entered where block and action are as before: to have it show another value,
// the action has to be another one.
func renewed(id string) string {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, actionValue+".")) // the first has no number
	return actionValue + "." + strconv.Itoa(n+1)
}

// valuesOf reads a form that was submitted: the value by field, as texts and
// lists of texts. The flow checks them.
func valuesOf(v view) map[string]any {
	values := map[string]any{}
	for field, id := range actionIDs(v) {
		in := v.State.Values[field][id]
		switch in.Type {
		case slack.OptTypeUser:
			values[field] = in.SelectedUser
		case slack.MultiOptTypeUser:
			values[field] = in.SelectedUsers
		case string(slack.METDatetimepicker):
			if in.SelectedDateTime > 0 {
				values[field] = strconv.FormatInt(in.SelectedDateTime, 10)
			}
		case slack.MultiOptTypeStatic, slack.MultiOptTypeExternal, string(slack.METCheckboxGroups):
			var chosen []string
			for _, o := range in.SelectedOptions {
				chosen = append(chosen, o.Value)
			}
			values[field] = chosen
		case slack.OptTypeStatic, slack.OptTypeExternal, string(slack.METRadioButtons):
			values[field] = in.SelectedOption.Value
		default: // what was typed
			values[field] = in.Value
		}
	}
	return values
}

// inputsOf lists the fields that a view has inputs for, in order.
func inputsOf(v view) []string {
	var names []string
	for _, b := range v.Blocks {
		if b.Type == slack.MBTInput {
			names = append(names, b.BlockID)
		}
	}
	return names
}

// count writes a number with its noun: "1 day", "2 days".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// whole adds to the fields of a form all else that people are to know, and can say, of
// a request: whenever it is made, also when its fields have changed. It is for the
// person with the id in Slack that is given last.
func (a *App) whole(ctx context.Context, v slack.ModalViewRequest, f *flow.Flow, who store.User, l flow.Lingering, whom string) slack.ModalViewRequest {
	return withFor(a.withChoices(ctx, a.withEnd(v, f, l), f, who), f, whom)
}

// withChoices adds to a form when access is to start, where the flow lets people ask
// for later, and the box of an emergency for those who may have one. While the
// directory does not say whether they may, there is no box.
func (a *App) withChoices(ctx context.Context, v slack.ModalViewRequest, f *flow.Flow, who store.User) slack.ModalViewRequest {
	blocks := slices.Clone(v.Blocks.BlockSet)
	add := func(b slack.Block) {
		if len(blocks) < maxViewBlocks {
			blocks = append(blocks, b)
		}
	}
	if v.CallbackID != viewRequest {
		return v
	}
	if f.StartsAhead() {
		hint := "Leave it empty to start once it is approved. At most " + flow.Words(time.Duration(f.Params.StartAt.Max)) + " ahead."
		add(slack.NewInputBlock(flow.KeyStartAt, plain("Start", maxLabel), plain(hint, maxLabel), slack.NewDateTimePickerBlockElement(actionValue)).WithOptional(true))
	}
	if f.Params.BreakGlass != nil {
		switch err := a.Submit.MayBreakGlass(ctx, f, who); {
		case err == nil:
			box := slack.NewOptionBlockObject(flow.KeyBreakGlass, plain("Emergency: grant now, without approval", maxOptionText), nil)
			hint := "You get access at once, for at most " + flow.Words(time.Duration(f.Params.BreakGlass.Duration)) + ". Everybody who could have approved it, the error channel and all admins are told, with your reason. Somebody reviews it afterwards; until then there is no second one."
			add(slack.NewInputBlock(flow.KeyBreakGlass, plain("Emergency", maxLabel), plain(hint, maxLabel), slack.NewCheckboxGroupsBlockElement(actionValue, box)).WithOptional(true))
		case flow.CodeOf(err) == flow.CodeGlassBroken:
			add(a.noEmergency(ctx, who, err))
		}
	}
	v.Blocks.BlockSet = blocks
	return v
}
