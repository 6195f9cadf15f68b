package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// values are what people have entered: block id → action id → the element's
// value, in the shape of Slack's state.values.
type values map[string]map[string]object

// set replaces one value; stored ones are shared and never changed.
func (v values) set(block, action string, value object) values {
	out := maps.Clone(v)
	if out == nil {
		out = values{}
	}
	inner := maps.Clone(out[block])
	if inner == nil {
		inner = map[string]object{}
	}
	inner[action] = value
	out[block] = inner
	return out
}

// view is a modal that somebody has open, or the app's Home tab as they see it.
type view struct {
	id, root, previous string
	user               string
	team, installed    string // whose workspace it is open in, and what the app is installed for
	hash               string
	def                object // as the app gave it, with every id filled in
	values             values
	errors             map[string]string // block id → the app's or the client's complaint
	trouble            string            // what the client says when the app fails
	busy               bool              // submitted, not answered yet
}

func (v *view) blocks() []object { return flat(objects(v.def, "blocks")) }

// wire gives a view as Slack sends it.
func (v *view) wire() object {
	o := object{
		"id": v.id, "team_id": v.team, "app_id": appID, "app_installed_team_id": v.installed, "bot_id": botID,
		"hash": v.hash, "root_view_id": v.root, "previous_view_id": nil, "state": object{"values": v.values},
		"private_metadata": "", "callback_id": "", "external_id": "", "submit": nil, "close": nil,
		"clear_on_close": false, "notify_on_close": false,
	}
	if v.previous != "" {
		o["previous_view_id"] = v.previous
	}
	if v.values == nil {
		o["state"] = object{"values": object{}}
	}
	maps.Copy(o, v.def)
	if text(v.def, "type") == "home" {
		o["title"] = object{"type": "plain_text", "text": "View Title"} // as Slack's examples have it
	}
	return o
}

// trigger is the right to open a view, which comes with what somebody did.
type trigger struct {
	user   string
	issued time.Time
	used   bool
	viewID string // the view it came from, for views.push
}

func (s *Sim) newTrigger(user, viewID string) string {
	now := s.config.Clock.Now()
	maps.DeleteFunc(s.triggers, func(_ string, t *trigger) bool { return now.Sub(t.issued) > time.Hour })
	id := fmt.Sprintf("%d.%d.%s", now.UnixMicro(), len(teamID), s.token(16))
	s.triggers[id] = &trigger{user: user, issued: now, viewID: viewID}
	return id
}

func (s *Sim) trigger(id string) (*trigger, *apiError) {
	t := s.triggers[id]
	switch {
	case t == nil:
		return nil, &apiError{code: "invalid_trigger_id"}
	case t.used:
		return nil, &apiError{code: "exchanged_trigger_id"}
	case s.config.Clock.Now().Sub(t.issued) > ackSeconds*time.Second:
		return nil, &apiError{code: "expired_trigger_id"}
	}
	return t, nil
}

// readView reads and validates a view of a type, "modal" or "home"; but is the one
// view whose external id it may have.
func (s *Sim) readView(kind string, raw []byte, but *view) (object, *apiError) {
	var def object
	if len(raw) > maxViewBytes {
		return refuse("view_too_large")
	}
	if json.Unmarshal(raw, &def) != nil || def == nil {
		return nil, &apiError{code: "invalid_arguments", messages: []string{"[ERROR] must provide an object [json-pointer:/view]"}}
	}
	maps.DeleteFunc(def, func(_ string, v any) bool { return v == nil })
	var c checker
	c.checkView("/view", kind, def)
	if len(c.faults) > 0 {
		return nil, &apiError{code: "invalid_arguments", messages: c.messages()}
	}
	if id := text(def, "external_id"); id != "" {
		if other := s.viewBy(func(v *view) bool { return text(v.def, "external_id") == id }); other != nil && other != but {
			return refuse("duplicate_external_id")
		}
	}
	def["blocks"] = identify(def["blocks"].([]any))
	return def, nil
}

func (s *Sim) viewBy(is func(*view) bool) *view {
	for _, stack := range s.modals {
		if i := slices.IndexFunc(stack, is); i >= 0 {
			return stack[i]
		}
	}
	for _, v := range s.homes {
		if is(v) {
			return v
		}
	}
	return nil
}

func (s *Sim) newView(user string, def object, below *view) *view {
	s.views++
	v := &view{id: fmt.Sprintf("V%04d%s", s.views, s.token(4)), user: user, installed: s.installedTeam()}
	if p, ok := s.person(user); ok {
		v.team = team(p.Workspace)
	}
	v.root = v.id
	if below != nil {
		v.root, v.previous = below.root, below.id
	}
	s.fill(v, def)
	return v
}

// fill gives a view new content. What was entered stays where block, action
// and type of element are as before.
func (s *Sim) fill(v *view, def object) {
	v.def, v.errors, v.trouble, v.busy = def, nil, "", false
	v.hash = fmt.Sprintf("%d.%s", s.config.Clock.Now().Unix(), s.token(4))
	v.values = initialValues(v.blocks(), v.values)
}

func (s *Sim) openView(args arguments) (object, *apiError) {
	t, err := s.trigger(args.text("trigger_id"))
	if err != nil {
		return nil, err
	}
	def, err := s.readView("modal", args.json("view"), nil)
	if err != nil {
		return nil, err
	}
	t.used = true
	v := s.newView(t.user, def, nil)
	s.modals[t.user] = []*view{v}
	s.change()
	return object{"view": v.wire()}, nil
}

func (s *Sim) pushView(args arguments) (object, *apiError) {
	t, err := s.trigger(args.text("trigger_id"))
	if err != nil {
		return nil, err
	}
	stack := s.modals[t.user]
	switch {
	case t.viewID == "" || len(stack) == 0:
		return refuse("invalid_trigger_id")
	case len(stack) >= maxViewStack:
		return refuse("push_limit_reached")
	}
	def, err := s.readView("modal", args.json("view"), nil)
	if err != nil {
		return nil, err
	}
	t.used = true
	v := s.newView(t.user, def, stack[len(stack)-1])
	s.modals[t.user] = append(stack, v)
	s.change()
	return object{"view": v.wire()}, nil
}

func (s *Sim) updateView(args arguments) (object, *apiError) {
	if args.has("view_id") && args.has("external_id") {
		return nil, &apiError{code: "invalid_arguments", messages: []string{"[ERROR] Cannot provide both `view_id` and `external_id`"}}
	}
	v := s.viewBy(func(v *view) bool {
		if args.has("external_id") {
			return text(v.def, "external_id") == args.text("external_id")
		}
		return v.id == args.text("view_id")
	})
	switch {
	case v == nil:
		return refuse("not_found")
	case args.has("hash") && args.text("hash") != v.hash:
		return refuse("hash_conflict")
	}
	def, err := s.readView(text(v.def, "type"), args.json("view"), v)
	if err != nil {
		return nil, err
	}
	s.fill(v, def)
	s.change()
	return object{"view": v.wire()}, nil
}
