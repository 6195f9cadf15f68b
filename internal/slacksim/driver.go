package slacksim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Modal gives the form that the person has open, as text, "" if there is none.
// Its lines are like those of [Sim.RenderText], with errors as "  ! …" under
// their inputs.
func (p Person) Modal() string {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if v := p.top(); v != nil {
		return p.sim.renderView(v)
	}
	return ""
}

// Channel gives a conversation as the person reads it, oldest message first,
// "" if they are not in it.
func (p Person) Channel(name string) string {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	c, err := p.In(name).conversation()
	if err != nil {
		return ""
	}
	return p.render(c)
}

// Inbox gives the person's direct messages, those with the app alone first.
// Conversations of several begin with a line "== with Bob, Carol ==".
func (p Person) Inbox() string {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	var alone, several strings.Builder
	for _, c := range p.sim.workspace.Conversations {
		if !c.isDirect() || !c.visibleTo(p.ID()) {
			continue
		}
		if c.Kind == kindDirect {
			alone.WriteString(p.render(c))
			continue
		}
		fmt.Fprintf(&several, "== with %s ==\n%s", strings.Join(p.others(c), ", "), p.render(c))
	}
	return alone.String() + several.String()
}

func (p Person) others(c *conversation) []string {
	var names []string
	for _, id := range c.Members {
		if id != p.ID() {
			names = append(names, p.sim.name(id))
		}
	}
	return names
}

func (p Person) render(c *conversation) string {
	seen := c.seenBy(p.ID())
	read := func(m *Message) string {
		return p.sim.renderMessage(m, p.values(spot{channel: c, message: m}))
	}
	var b strings.Builder
	for _, m := range seen {
		if m.ThreadTS != "" {
			if m.Broadcast {
				b.WriteString("(also from a thread) " + read(m))
			}
			continue
		}
		b.WriteString(read(m))
		for _, reply := range seen {
			if reply.ThreadTS == m.TS {
				b.WriteString("  ↳ " + indented(read(reply)))
			}
		}
	}
	return b.String()
}

// indented moves each line but the first one to the right.
func indented(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n    ") + "\n"
}

// Visible gives all messages that the person sees anywhere, oldest first.
func (p Person) Visible() []Message {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	var out []Message
	for _, c := range p.sim.workspace.Conversations {
		for _, m := range c.seenBy(p.ID()) {
			out = append(out, *m)
		}
	}
	slices.SortFunc(out, func(a, b Message) int { return strings.Compare(a.TS, b.TS) })
	return out
}

// Await waits until a message or the form that the person sees contains a text.
// The error, when the context ends first, says what they see instead.
func (p Person) Await(ctx context.Context, want string) error {
	err := p.sim.Wait(ctx, func() bool { return strings.Contains(p.Screen(), want) })
	if err != nil {
		return fmt.Errorf("%s does not see %q: %w; they see:\n%s", p.profile.Name, want, err, p.Screen())
	}
	return nil
}

// Screen gives everything that the person sees: each conversation under a line
// "== #name ==", "== Sym ==" or "== with … ==", and the open form.
func (p Person) Screen() string {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	var b strings.Builder
	for _, c := range p.sim.workspace.Conversations {
		if !c.visibleTo(p.ID()) || len(c.seenBy(p.ID())) == 0 {
			continue
		}
		title := "#" + c.Name
		switch c.Kind {
		case kindDirect:
			title = botName
		case kindGroup:
			title = "with " + strings.Join(p.others(c), ", ")
		}
		fmt.Fprintf(&b, "== %s ==\n%s", title, p.render(c))
	}
	if v := p.top(); v != nil {
		b.WriteString(p.sim.renderView(v))
	}
	return b.String()
}

// Click presses a button of a message, by its text or action id; an empty ts is
// the newest message that has such a button. Confirmations are confirmed.
func (p Person) Click(ts, label string) error {
	for _, m := range slices.Backward(p.Visible()) {
		if ts != "" && m.TS != ts {
			continue
		}
		at := where{Channel: m.Channel, TS: m.TS}
		if block, e, err := p.findIn(at, isButton(label)); err == nil {
			return p.press(at, text(block, "block_id"), text(e, "action_id"))
		}
	}
	return fmt.Errorf("click %q: no message that %s sees has such a button", label, p.profile.Name)
}

// Press presses a button in the open form, by its text or action id.
func (p Person) Press(label string) error {
	at, err := p.form()
	if err != nil {
		return err
	}
	block, e, err := p.findIn(at, isButton(label))
	if err != nil {
		return fmt.Errorf("press %q: %w", label, err)
	}
	return p.press(at, text(block, "block_id"), text(e, "action_id"))
}

func isButton(label string) func(object) bool {
	return func(e object) bool {
		return text(e, "type") == "button" && (text(e, "text", "text") == label || text(e, "action_id") == label)
	}
}

func (p Person) findIn(at where, is func(object) bool) (block, e object, err error) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	o, err := p.spot(at)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range o.blocks() {
		for _, e := range elementsOf(b) {
			if is(e) {
				return b, e, nil
			}
		}
	}
	return nil, nil, errors.New("it is not there")
}

// form gives the open form.
func (p Person) form() (where, error) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if v := p.top(); v != nil {
		return where{ViewID: v.id}, nil
	}
	return where{}, errors.New("no form is open")
}

// Fill enters values into the open form, by the fields' labels, block ids or
// action ids, in the order of the form. Options go by text or value, people by
// handle, e-mail address or id; several are separated by commas; "" clears.
// External selects are asked for the value first. Where the form changes as it
// is filled in, later fields are looked for in the changed one.
func (p Person) Fill(fields map[string]string) error {
	at, err := p.form()
	if err != nil {
		return err
	}
	return p.fill(at, fields)
}

// FillMessage enters values into the inputs and menus of a message, as
// [Person.Fill] does. Each person has their own.
func (p Person) FillMessage(ts string, fields map[string]string) error {
	var at where
	for _, m := range p.Visible() {
		if m.TS == ts {
			at = where{Channel: m.Channel, TS: ts}
		}
	}
	return p.fill(at, fields)
}

func (p Person) fill(at where, fields map[string]string) error {
	left := maps.Clone(fields)
	for len(left) > 0 {
		name, block, e, err := p.nextField(at, left)
		if err != nil {
			return err
		}
		entered, err := p.choose(at, block, e, left[name])
		if err == nil {
			err = p.enter(at, text(block, "block_id"), text(e, "action_id"), entered, false)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		delete(left, name)
	}
	return nil
}

// nextField finds the first element that one of the names is for.
func (p Person) nextField(at where, names map[string]string) (name string, block, e object, err error) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	o, err := p.spot(at)
	if err != nil {
		return "", nil, nil, err
	}
	var there []string
	for _, b := range o.blocks() {
		for _, e := range elementsOf(b) {
			if initialValue(e) == nil {
				continue
			}
			label := text(b, "label", "text")
			if label == "" {
				label = text(e, "placeholder", "text")
			}
			there = append(there, label)
			for _, name := range []string{label, text(b, "block_id"), text(e, "action_id")} {
				if _, ok := names[name]; ok {
					return name, b, e, nil
				}
			}
		}
	}
	return "", nil, nil, fmt.Errorf("there is no field %q; there are %q", slices.Sorted(maps.Keys(names)), there)
}

// choose splits what was given for a field into values, and has the options of
// external selects loaded.
func (p Person) choose(at where, block, e object, given string) ([]string, error) {
	if given == "" {
		return nil, nil
	}
	kind := text(e, "type")
	entered := []string{given}
	if isMulti(kind) && !slices.ContainsFunc(optionsOf(e), func(o object) bool { return text(o, "text", "text") == given }) {
		entered = strings.Split(given, ",")
		for i := range entered {
			entered[i] = strings.TrimSpace(entered[i])
		}
	}
	if kind == "external_select" || kind == "multi_external_select" {
		for _, query := range entered {
			if _, err := p.suggest(at, text(block, "block_id"), text(e, "action_id"), query); err != nil {
				return nil, err
			}
		}
	}
	return entered, nil
}

// Options gives the texts of the options that the app offers for a field of the
// open form when the person types a query into it.
func (p Person) Options(field, query string) ([]string, error) {
	at, err := p.form()
	if err != nil {
		return nil, err
	}
	_, block, e, err := p.nextField(at, map[string]string{field: query})
	if err != nil {
		return nil, err
	}
	options, err := p.suggest(at, text(block, "block_id"), text(e, "action_id"), query)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(options))
	for i, o := range options {
		texts[i] = text(o, "text", "text")
	}
	return texts, nil
}
