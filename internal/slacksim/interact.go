package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Person is somebody at their Slack client. Methods that ask the app for
// something return when it has answered, or three seconds of the clock later;
// their error is what the person sees go wrong. A client that goes away cancels
// nothing, so they take no context.
type Person struct {
	sim     *Sim
	profile Profile
	channel string // where they are, by id; "" is where Slack would put them
}

// As gives the client of a person, by handle ("alice"), e-mail address or id.
// It is for tests, and panics if there is nobody of that name.
func (s *Sim) As(name string) Person {
	p, ok := s.person(name)
	if !ok {
		panic(fmt.Sprintf("simulated Slack: there is nobody called %q", name))
	}
	return Person{sim: s, profile: p}
}

// In moves the person to a conversation: "#channel", an id, or "@Sym" for
// the direct messages with the app. Unknown ones show when something is done.
func (p Person) In(conversation string) Person {
	p.channel = conversation
	return p
}

// ID gives the person's Slack user id.
func (p Person) ID() string { return p.profile.id() }

// conversation finds where the person is. The caller holds the lock.
func (p Person) conversation() (*conversation, error) {
	w := &p.sim.workspace
	if strings.EqualFold(p.channel, "@"+botName) {
		c, _ := w.direct([]string{p.ID()})
		return c, nil
	}
	if p.channel != "" {
		c := p.sim.anyConversation(p.channel)
		if c == nil || !c.visibleTo(p.ID()) {
			return nil, fmt.Errorf("%s sees no conversation %q", p.profile.Name, p.channel)
		}
		return c, nil
	}
	for _, c := range w.Conversations {
		if c.visibleTo(p.ID()) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s is in no conversation", p.profile.Name)
}

// spot is something with blocks that a person has before them: a view or a
// message. It is used with the lock held.
type spot struct {
	view    *view
	channel *conversation
	message *Message
}

// where names a spot.
type where struct {
	ViewID  string `json:"view_id,omitempty"`
	Channel string `json:"channel,omitempty"`
	TS      string `json:"ts,omitempty"`
}

func (p Person) spot(at where) (spot, error) {
	if at.ViewID != "" {
		v := p.top()
		if home := p.sim.homes[p.ID()]; home != nil && home.id == at.ViewID {
			v = home
		}
		if v == nil || v.id != at.ViewID {
			return spot{}, errors.New("this form is not open any more")
		}
		return spot{view: v}, nil
	}
	c := p.sim.workspace.conversation(at.Channel)
	if c != nil {
		for _, m := range c.seenBy(p.ID()) {
			if m.TS == at.TS {
				return spot{channel: c, message: m}, nil
			}
		}
	}
	return spot{}, errors.New("this message is not there any more")
}

func (p Person) top() *view {
	stack := p.sim.modals[p.ID()]
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

func (o spot) blocks() []object {
	if o.view != nil {
		return o.view.blocks()
	}
	return o.message.allBlocks()
}

// values gives what the person has entered here.
func (p Person) values(o spot) values {
	if o.view != nil {
		return o.view.values
	}
	return initialValues(o.blocks(), p.sim.inputs[p.inputsKey(o)])
}

func (p Person) inputsKey(o spot) inputsKey { return inputsKey{p.ID(), o.channel.ID, o.message.TS} }

func (p Person) setValue(o spot, block, action string, value object) {
	if o.view != nil {
		o.view.values = o.view.values.set(block, action, value)
		delete(o.view.errors, block)
	} else {
		p.sim.inputs[p.inputsKey(o)] = p.sim.inputs[p.inputsKey(o)].set(block, action, value)
	}
	p.sim.change()
}

func (o spot) find(blockID, actionID string) (block, element object, err error) {
	for _, b := range o.blocks() {
		for _, e := range elementsOf(b) {
			if text(b, "block_id") == blockID && text(e, "action_id") == actionID {
				return b, e, nil
			}
		}
	}
	return nil, nil, errors.New("this element is not there any more")
}

// payload is what all interactions have in common.
func (p Person) payload(kind string) object {
	payload := object{
		"type": kind, "token": "deprecated", "api_app_id": appID,
		"user": object{"id": p.ID(), "username": p.profile.handle(), "name": p.profile.handle()},
	}
	p.origin(payload, kind)
	return payload
}

// place adds what an interaction says of where it happened.
func (p Person) place(payload object, o spot) {
	if o.view != nil {
		payload["view"] = o.view.wire()
		payload["container"] = object{"type": "view", "view_id": o.view.id}
		return
	}
	payload["channel"] = object{"id": o.channel.ID, "name": o.channel.nameForApps()}
	payload["message"] = p.sim.wireMessage(o.message)
	payload["container"] = object{
		"type": "message", "message_ts": o.message.TS, "channel_id": o.channel.ID, "is_ephemeral": o.message.OnlyFor != "",
	}
	if o.message.ThreadTS != "" {
		payload["container"].(object)["thread_ts"] = o.message.ThreadTS
	}
}

// nameForApps: only public channels are told by name.
func (c *conversation) nameForApps() string {
	switch c.Kind {
	case kindPublic:
		return c.Name
	case kindDirect:
		return "directmessage"
	}
	return "privategroup"
}

// Command types a slash command where the person is. "/invite @Sym" is
// Slack's own and brings the app into the channel.
func (p Person) Command(line string) error {
	s := p.sim
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	s.mu.Lock()
	c, err := p.conversation()
	switch {
	case err != nil:
	case p.profile.SingleChannel:
		err = errors.New("guests of a single channel have no slash commands")
	case name == "/invite":
		err = p.invite(c, strings.TrimSpace(rest))
	case !slices.Contains(s.config.Commands, name):
		err = fmt.Errorf("%s is not a valid command", name)
	}
	if err != nil || name == "/invite" {
		if c != nil && err != nil {
			s.notice(p, c, err.Error())
		}
		s.mu.Unlock()
		return err
	}
	answerTo := responseURL{user: p.ID(), channel: c.ID}
	form := url.Values{
		"token": {"deprecated"}, "team_id": {team(p.profile.Workspace)}, "team_domain": {domain(p.profile.Workspace)},
		"channel_id": {c.ID}, "channel_name": {c.nameForApps()},
		"user_id": {p.ID()}, "user_name": {p.profile.handle()},
		"command": {name}, "text": {strings.TrimSpace(rest)}, "api_app_id": {appID}, "is_enterprise_install": {strconv.FormatBool(s.forOrganisation())},
		"response_url": {s.newResponseURL(answerTo)}, "trigger_id": {s.newTrigger(p.ID(), "")},
	}
	if s.forOrganisation() {
		form.Set("enterprise_id", organisationID)
		form.Set("enterprise_name", organisationName)
	}
	s.mu.Unlock()

	d := s.Deliver(pathCommands, form)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := d.failure(); err != nil {
		err = fmt.Errorf("%s failed with the error %q", name, err)
		s.notice(p, c, err.Error())
		return err
	}
	body := strings.TrimSpace(d.Answer)
	if body == "" || body == "{}" {
		return nil
	}
	if !json.Valid([]byte(body)) {
		// A string always marshals.
		plain, _ := json.Marshal(body)
		body = `{"text":` + string(plain) + `}`
	}
	if refused := s.respond(&answerTo, []byte(body)); refused != nil {
		err := fmt.Errorf("%s failed with the error %q", name, "invalid_command_response: "+strings.Join(append([]string{refused.code}, refused.messages...), " "))
		s.notice(p, c, err.Error())
		return err
	}
	return nil
}

// failure tells why a delivery did not succeed, in Slack's words.
func (d Delivery) failure() error {
	switch {
	case d.Err != nil:
		return d.Err
	case d.Status != http.StatusOK:
		return fmt.Errorf("dispatch_failed (HTTP %d)", d.Status)
	}
	return nil
}

func (p Person) invite(c *conversation, who string) error {
	if !strings.EqualFold(who, "@"+botName) {
		return fmt.Errorf("only the app can be invited here: /invite @%s", botName)
	}
	if c.isDirect() {
		return errors.New("nobody can be invited to direct messages")
	}
	c.App = true
	p.sim.notice(p, c, botName+" is in the channel now.")
	return nil
}

// notice shows a person a line of Slack's own. The caller holds the lock.
func (s *Sim) notice(p Person, c *conversation, line string) {
	line = strings.ToUpper(line[:1]) + line[1:] // errors begin in lower case
	s.workspace.add(c, &Message{User: slackbot, Text: escape(line), OnlyFor: p.ID()}, s.now())
	s.change()
}

// escape makes text that says what it says, without mentions and links.
func escape(plain string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(plain)
}

// Say posts a message of the person's own where they are. The app hears of it in
// their messages with it, and where it is mentioned (@Sym) and in the channel.
func (p Person) Say(line string) error {
	s := p.sim
	s.mu.Lock()
	c, err := p.conversation()
	if err == nil && c.Archived {
		err = errors.New("this channel is archived")
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	words := strings.ReplaceAll(escape(line), "@"+botName, "<@"+botUser+">")
	m := s.workspace.add(c, &Message{User: p.ID(), Text: words}, s.now())
	s.change()
	event := object{"type": "message", "user": p.ID(), "text": words, "ts": m.TS, "channel": c.ID, "channel_type": "channel"}
	switch {
	case c.Kind == kindDirect:
		event["channel_type"] = "im"
	case c.App && strings.Contains(words, "<@"+botUser+">"):
		event["type"] = "app_mention"
	default:
		event = nil
	}
	links := s.linksIn(line)
	s.mu.Unlock()
	if event != nil {
		s.happens(p.profile, event)
	}
	if len(links) > 0 {
		s.shared(p.profile, c, m, links)
	}
	return nil
}

// Read marks everything where the person is as read.
func (p Person) Read() error {
	s := p.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := p.conversation()
	if err != nil {
		return err
	}
	if c.unread(p.ID()) > 0 {
		seen := c.seenBy(p.ID())
		c.markRead(p.ID(), seen[len(seen)-1].TS)
		s.change()
	}
	return nil
}

// Shortcut uses a global shortcut of the app.
func (p Person) Shortcut(callbackID string) error {
	s := p.sim
	if p.profile.SingleChannel {
		return errors.New("guests of a single channel have no shortcuts")
	}
	s.mu.Lock()
	payload := p.payload("shortcut")
	payload["callback_id"] = callbackID
	payload["trigger_id"] = s.newTrigger(p.ID(), "")
	payload["action_ts"] = formatTS(s.config.Clock.Now().UnixMicro())
	c, err := p.conversation()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return p.useShortcut(c, payload)
}

// MessageShortcut uses a shortcut of the app in the menu of a message.
func (p Person) MessageShortcut(ts, callbackID string) error {
	s := p.sim
	if p.profile.SingleChannel {
		return errors.New("guests of a single channel have no shortcuts")
	}
	s.mu.Lock()
	var o spot
	for _, c := range s.workspace.Conversations {
		if found, err := p.spot(where{Channel: c.ID, TS: ts}); err == nil && c.visibleTo(p.ID()) {
			o = found
		}
	}
	switch {
	case o.message == nil:
		s.mu.Unlock()
		return errors.New("this message is not there any more")
	case o.message.OnlyFor != "":
		s.mu.Unlock()
		return errors.New("messages for one person's eyes have no shortcuts")
	}
	payload := p.payload("message_action")
	p.place(payload, o)
	delete(payload, "container")
	payload["callback_id"], payload["message_ts"] = callbackID, o.message.TS
	payload["trigger_id"] = s.newTrigger(p.ID(), "")
	payload["response_url"] = s.newResponseURL(responseURL{user: p.ID(), channel: o.channel.ID})
	payload["action_ts"] = formatTS(s.config.Clock.Now().UnixMicro())
	s.mu.Unlock()
	return p.useShortcut(o.channel, payload)
}

// useShortcut tells the app of a shortcut, and the person what went wrong.
func (p Person) useShortcut(c *conversation, payload object) error {
	s := p.sim
	if err := s.deliverPayload(pathInteractions, payload).failure(); err != nil {
		err = fmt.Errorf("the shortcut failed with the error %q", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.notice(p, c, err.Error())
		return err
	}
	return nil
}

// press presses a button.
func (p Person) press(at where, blockID, actionID string) error {
	s := p.sim
	s.mu.Lock()
	o, err := p.spot(at)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	block, e, err := o.find(blockID, actionID)
	if err == nil && text(e, "type") != "button" {
		err = fmt.Errorf("a %s can't be pressed", text(e, "type"))
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	action := object{"type": "button", "text": e["text"]}
	for _, key := range []string{"value", "style", "url"} {
		if e[key] != nil {
			action[key] = e[key]
		}
	}
	payload := p.action(o, block, e, action)
	s.mu.Unlock()
	return p.deliverAction(at, payload)
}

// action makes the payload of block_actions. The caller holds the lock.
func (p Person) action(o spot, block, e, action object) object {
	s := p.sim
	payload := p.payload("block_actions")
	p.place(payload, o)
	action["block_id"], action["action_id"] = text(block, "block_id"), text(e, "action_id")
	action["action_ts"] = formatTS(s.config.Clock.Now().UnixMicro())
	payload["actions"] = []any{action}
	viewID := ""
	if o.view != nil {
		viewID = o.view.id
	} else {
		payload["state"] = object{"values": p.values(o)}
		payload["response_url"] = s.newResponseURL(responseURL{user: p.ID(), channel: o.channel.ID, ts: o.message.TS})
	}
	payload["trigger_id"] = s.newTrigger(p.ID(), viewID)
	return payload
}

// trouble is what Slack's client says when an app does not answer a form.
const trouble = "We had some trouble connecting. Try again?"

func (p Person) deliverAction(at where, payload object) error {
	s := p.sim
	err := s.deliverPayload(pathInteractions, payload).failure()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("the app failed with the error %q", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, gone := p.spot(at); gone == nil && o.view != nil {
		o.view.trouble = trouble
		s.change()
	} else if c := s.workspace.conversation(at.Channel); c != nil {
		s.notice(p, c, err.Error())
	}
	return err
}

// enter enters something into an element, and tells the app where the block
// asks for that: of a text when Enter was pressed in it, unless the app wants to
// know of each character.
func (p Person) enter(at where, blockID, actionID string, entered []string, pressed bool) error {
	s := p.sim
	s.mu.Lock()
	o, err := p.spot(at)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	block, e, err := o.find(blockID, actionID)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	value, err := s.enter(e, s.offered[offerKey{p.ID(), blockID, actionID}], entered)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	p.setValue(o, blockID, actionID, value)
	if text(block, "type") == "input" && (!flag(block, "dispatch_action") || !dispatches(e, pressed)) {
		s.mu.Unlock()
		return nil
	}
	// The state holds the stored value, the action a copy that gets more keys.
	payload := p.action(o, block, e, maps.Clone(value))
	s.mu.Unlock()
	return p.deliverAction(at, payload)
}

// dispatches tells whether the app hears of what was entered into an element
// whose block asks for that
// (docs.slack.dev/reference/block-kit/composition-objects/dispatch-action-configuration-object).
func dispatches(e object, pressed bool) bool {
	if kind := text(e, "type"); kind != "plain_text_input" && kind != "number_input" {
		return true
	}
	on := []any{"on_enter_pressed"}
	if c := child(e, "dispatch_action_config"); c != nil && c["trigger_actions_on"] != nil {
		on, _ = c["trigger_actions_on"].([]any)
	}
	return slices.Contains(on, any("on_character_entered")) || pressed && slices.Contains(on, any("on_enter_pressed"))
}

// suggest asks the app for the options of an external select.
func (p Person) suggest(at where, blockID, actionID, query string) ([]object, error) {
	s := p.sim
	s.mu.Lock()
	o, err := p.spot(at)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	_, e, err := o.find(blockID, actionID)
	least, limited := number(e, "min_query_length")
	if !limited {
		least = 3
	}
	if err == nil && len([]rune(query)) < least {
		err = fmt.Errorf("type at least %d characters", least)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	payload := p.payload("block_suggestion")
	p.place(payload, o)
	payload["block_id"], payload["action_id"], payload["value"] = blockID, actionID, query
	s.mu.Unlock()

	d := s.deliverPayload(pathOptions, payload)
	if err := d.failure(); err != nil {
		return nil, fmt.Errorf("the options could not be loaded: %w", err)
	}
	options, err := readOptions(d.Answer)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := offerKey{p.ID(), blockID, actionID}
	for _, option := range options {
		if !slices.ContainsFunc(s.offered[key], func(o object) bool { return text(o, "value") == text(option, "value") }) {
			s.offered[key] = append(s.offered[key], option)
		}
	}
	return options, nil
}

func readOptions(answer string) ([]object, error) {
	var o object
	if err := json.Unmarshal([]byte(answer), &o); err != nil {
		return nil, fmt.Errorf("the app answered with something that is no list of options: %w", err)
	}
	var c checker
	c.checkShape("", o, shape{"options": list(0, maxOfferedOptions, composed("choice")), "option_groups": list(0, maxOfferedOptions, composed("choiceGroup"))})
	if len(c.faults) > 0 {
		return nil, fmt.Errorf("the app's options are invalid: %s", strings.Join(c.faults, "; "))
	}
	return optionsOf(o), nil
}

// Submit submits the form that the person has open. The error names the fields
// that are not accepted, by their labels.
func (p Person) Submit() error {
	s := p.sim
	s.mu.Lock()
	v := p.top()
	if v == nil {
		s.mu.Unlock()
		return errors.New("no form is open")
	}
	if v.def["submit"] == nil {
		s.mu.Unlock()
		return errors.New("this form has nothing to submit")
	}
	v.errors, v.trouble = map[string]string{}, ""
	for _, b := range v.blocks() {
		if text(b, "type") != "input" {
			continue
		}
		id := text(b, "block_id")
		if c := complaint(b, v.values[id][text(b, "element", "action_id")]); c != "" {
			v.errors[id] = c
		}
	}
	if err := v.complaints(); err != nil {
		s.change()
		s.mu.Unlock()
		return err
	}
	v.busy = true
	payload := p.payload("view_submission")
	payload["view"] = v.wire()
	payload["trigger_id"] = s.newTrigger(p.ID(), v.id)
	payload["response_urls"] = []any{}
	s.change()
	s.mu.Unlock()

	d := s.deliverPayload(pathInteractions, payload)

	s.mu.Lock()
	cleared, err := p.submitted(v, d)
	s.change()
	s.mu.Unlock()
	return errors.Join(err, p.deliverClosed(cleared, true))
}

// complaints gives the errors shown at inputs, in the order of the form.
func (v *view) complaints() error {
	var lines []error
	for _, b := range v.blocks() {
		if e, ok := v.errors[text(b, "block_id")]; ok {
			lines = append(lines, fmt.Errorf("%s: %s", text(b, "label", "text"), e))
		}
	}
	return errors.Join(lines...)
}

// submitted does what the app answers to a submitted view. The caller holds
// the lock.
func (p Person) submitted(v *view, d Delivery) (cleared []*view, err error) {
	s := p.sim
	v.busy = false
	refuse := func(why string) ([]*view, error) {
		v.trouble = trouble
		return nil, fmt.Errorf("%s (%s)", trouble, why)
	}
	if err := d.failure(); err != nil {
		return refuse(err.Error())
	}
	var a struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if body := strings.TrimSpace(d.Answer); body != "" && json.Unmarshal([]byte(body), &a) != nil {
		return refuse("the answer is no JSON")
	}
	stack := s.modals[p.ID()]
	here := slices.Index(stack, v)
	if here < 0 {
		return nil, nil
	}
	switch a.Action {
	case "":
		s.modals[p.ID()] = stack[:here]
	case "clear":
		delete(s.modals, p.ID())
		return stack[:here], nil
	case "errors":
		for id := range a.Errors {
			if !slices.ContainsFunc(v.blocks(), func(b object) bool { return text(b, "block_id") == id && text(b, "type") == "input" }) {
				return refuse(fmt.Sprintf("errors for %q, which is no input block", id))
			}
		}
		if len(a.Errors) == 0 {
			return refuse("errors without any")
		}
		v.errors = a.Errors
		return nil, v.complaints()
	case "update", "push":
		but := v
		if a.Action == "push" {
			but = nil
		}
		def, refused := s.readView("modal", a.View, but)
		if refused == nil && a.Action == "push" && len(stack) >= maxViewStack {
			refused = &apiError{code: "push_limit_reached"}
		}
		if refused != nil {
			return refuse(strings.Join(append([]string{refused.code}, refused.messages...), " "))
		}
		if a.Action == "update" {
			s.fill(v, def)
		} else {
			s.modals[p.ID()] = append(stack, s.newView(p.ID(), def, v))
		}
	default:
		return refuse(fmt.Sprintf("unknown response_action %q", a.Action))
	}
	return nil, nil
}

// Close cancels the form that the person has open, and with it the ones below
// if it says so.
func (p Person) Close() error {
	s := p.sim
	s.mu.Lock()
	v := p.top()
	if v == nil {
		s.mu.Unlock()
		return errors.New("no form is open")
	}
	stack := s.modals[p.ID()]
	closed, all := stack[len(stack)-1:], flag(v.def, "clear_on_close")
	if all {
		closed = stack
	}
	s.modals[p.ID()] = stack[:len(stack)-len(closed)]
	s.change()
	s.mu.Unlock()
	return p.deliverClosed(closed, all)
}

// deliverClosed tells the app of closed views that want it.
func (p Person) deliverClosed(closed []*view, cleared bool) error {
	var errs []error
	for _, v := range closed {
		if !flag(v.def, "notify_on_close") {
			continue
		}
		payload := p.payload("view_closed")
		p.sim.mu.Lock()
		payload["view"], payload["is_cleared"] = v.wire(), cleared
		p.sim.mu.Unlock()
		errs = append(errs, p.sim.deliverPayload(pathInteractions, payload).failure())
	}
	return errors.Join(errs...)
}
