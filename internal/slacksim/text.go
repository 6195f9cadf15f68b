package slacksim

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RenderText gives a message as a person reads it, as stable plain text:
//
//	Sym (only you): …        who speaks, to whom, and the text if there are no blocks
//	  # header
//	  section | field | field
//	  (context · context)
//	  [Button] [Button] {menu: chosen}
//	  Label: what was entered      of an input, "…" if nothing
//	  ---
//
// Markup stays as it is, except that mentions, channels, links and dates are
// resolved: "@Bob", "#deploys", "label <https://…>", RFC 3339 in UTC. What a
// user has merely typed keeps its brackets, and broadcasts show as
// "@channel (notifies everyone)", so that both can be told apart.
func (s *Sim) RenderText(m Message) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renderMessage(&m, initialValues(m.allBlocks(), nil))
}

func (s *Sim) renderMessage(m *Message, entered values) string {
	head := s.name(m.User)
	if m.OnlyFor != "" {
		head += " (only you)"
	}
	lines := []string{head + ":"}
	if len(m.Blocks) == 0 && m.Text != "" {
		lines[0] += " " + strings.ReplaceAll(s.plain(m.Text), "\n", "\n  ")
	}
	for _, line := range s.renderBlocks(m.Blocks, entered, nil) {
		lines = append(lines, "  "+line)
	}
	for _, e := range m.Entities {
		lines = append(lines, "  ▣ "+s.plain(text(e, "entity_payload", "attributes", "title", "text")))
	}
	for _, a := range m.Attachments {
		for _, key := range []string{"pretext", "title", "text"} {
			if t := text(a, key); t != "" {
				lines = append(lines, "  | "+s.plain(t))
			}
		}
		for _, line := range s.renderBlocks(objects(a, "blocks"), entered, nil) {
			lines = append(lines, "  | "+line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// renderView gives an open form as text, errors at their inputs.
func (s *Sim) renderView(v *view) string {
	title := text(v.def, "title", "text")
	if text(v.def, "type") == "home" {
		title = botName + ": Home"
	}
	lines := []string{"== " + title + " =="}
	if v.trouble != "" {
		lines = append(lines, "! "+v.trouble)
	}
	lines = append(lines, s.renderBlocks(objects(v.def, "blocks"), v.values, v.errors)...)
	var buttons []string
	for _, key := range []string{"close", "submit"} {
		if t := text(v.def, key, "text"); t != "" {
			buttons = append(buttons, "["+t+"]")
		}
	}
	if buttons != nil {
		lines = append(lines, strings.Join(buttons, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

func (s *Sim) renderBlocks(blocks []object, entered values, errs map[string]string) []string {
	var lines []string
	for _, b := range blocks {
		id := text(b, "block_id")
		switch text(b, "type") {
		case "header":
			lines = append(lines, "# "+s.textOf(child(b, "text")))
		case "divider":
			lines = append(lines, "---")
		case "alert":
			lines = append(lines, "("+text(b, "level")+": "+s.textOf(child(b, "text"))+")")
		case "container":
			lines = append(lines, "[ "+text(b, "title", "text")+" ]")
			lines = append(lines, s.renderBlocks(objects(b, "child_blocks"), entered, errs)...)
		case "data_table":
			lines = append(lines, s.renderTable(b)...)
		case "data_visualization":
			lines = append(lines, s.renderChart(b)...)
		case "markdown":
			lines = append(lines, text(b, "text"))
		case "image":
			lines = append(lines, "(image: "+text(b, "alt_text")+")")
		case "section":
			var parts []string
			if t := child(b, "text"); t != nil {
				parts = append(parts, s.textOf(t))
			}
			for _, f := range objects(b, "fields") {
				parts = append(parts, strings.ReplaceAll(s.textOf(f), "\n", " "))
			}
			line := strings.Join(parts, " | ")
			for _, e := range elementsOf(b) {
				line += " " + s.renderElement(e, entered[id])
			}
			lines = append(lines, line)
		case "context":
			var parts []string
			for _, e := range objects(b, "elements") {
				if text(e, "type") == "image" {
					parts = append(parts, "(image: "+text(e, "alt_text")+")")
				} else {
					parts = append(parts, s.textOf(e))
				}
			}
			lines = append(lines, "("+strings.Join(parts, " · ")+")")
		case "actions":
			var parts []string
			for _, e := range elementsOf(b) {
				parts = append(parts, s.renderElement(e, entered[id]))
			}
			lines = append(lines, strings.Join(parts, " "))
		case "input":
			lines = append(lines, s.renderInput(b, entered[id])...)
			if e, ok := errs[id]; ok {
				lines = append(lines, "  ! "+e)
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return strings.Split(strings.Join(lines, "\n"), "\n")
}

func (s *Sim) renderInput(b object, entered map[string]object) []string {
	label := text(b, "label", "text")
	if flag(b, "optional") {
		label += " (optional)"
	}
	e := child(b, "element")
	lines := []string{label + ": " + s.valueText(entered[text(e, "action_id")])}
	switch text(e, "type") {
	case "static_select", "multi_static_select", "checkboxes", "radio_buttons":
		var options []string
		for _, o := range optionsOf(e) {
			options = append(options, s.textOf(child(o, "text")))
		}
		lines = append(lines, "  one of: "+strings.Join(options, ", "))
	}
	if h := text(b, "hint", "text"); h != "" {
		lines = append(lines, "  ("+h+")")
	}
	return lines
}

func (s *Sim) renderElement(e object, entered map[string]object) string {
	switch text(e, "type") {
	case "button":
		return "[" + text(e, "text", "text") + "]"
	case "image":
		return "(image: " + text(e, "alt_text") + ")"
	case "overflow":
		return "[…]"
	}
	name := text(e, "placeholder", "text")
	if name == "" {
		name = text(e, "type")
	}
	return "{" + name + ": " + s.valueText(entered[text(e, "action_id")]) + "}"
}

// valueText gives the value of an element as its user sees it, "…" for none.
func (s *Sim) valueText(value object) string {
	if isEmpty(value) {
		return "…"
	}
	if v := text(value, "value"); v != "" {
		return v
	}
	for _, key := range []string{"selected_date", "selected_time"} {
		if v := text(value, key); v != "" {
			return v
		}
	}
	if at, ok := value["selected_date_time"].(float64); ok {
		return time.Unix(int64(at), 0).UTC().Format(time.RFC3339)
	}
	if u := text(value, "selected_user"); u != "" {
		return "@" + s.name(u)
	}
	if o := child(value, "selected_option"); o != nil {
		return s.textOf(child(o, "text"))
	}
	var parts []string
	for _, o := range objects(value, "selected_options") {
		parts = append(parts, s.textOf(child(o, "text")))
	}
	users, _ := value["selected_users"].([]any)
	for _, u := range users {
		id, _ := u.(string)
		parts = append(parts, "@"+s.name(id))
	}
	return strings.Join(parts, ", ")
}

// textOf gives a text object as read: only mrkdwn has anything to resolve.
func (s *Sim) textOf(t object) string {
	if text(t, "type") == "mrkdwn" {
		return s.plain(text(t, "text"))
	}
	return text(t, "text")
}

var angled = regexp.MustCompile(`<([^<>\n]+)>`)

// plain resolves what mrkdwn has in angle brackets, and its three entities.
func (s *Sim) plain(mrkdwn string) string {
	var out strings.Builder
	rest := mrkdwn
	for {
		at := angled.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		out.WriteString(unescape(rest[:at[0]]))
		out.WriteString(s.reference(rest[at[2]:at[3]]))
		rest = rest[at[1]:]
	}
	out.WriteString(unescape(rest))
	return out.String()
}

func unescape(t string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(t)
}

// reference gives what stands between angle brackets as it is shown.
func (s *Sim) reference(inner string) string {
	target, label, labelled := strings.Cut(inner, "|")
	switch {
	case strings.HasPrefix(target, "@"):
		return "@" + s.name(target[1:])
	case strings.HasPrefix(target, "#"):
		if c := s.workspace.conversation(target[1:]); c != nil {
			return "#" + c.Name
		}
		return "#" + target[1:]
	case strings.HasPrefix(target, "!subteam^"):
		if g, ok := s.group(strings.TrimPrefix(target, "!subteam^")); ok {
			return "@" + g.Handle
		}
		return "@" + target
	case strings.HasPrefix(target, "!date^"):
		parts := strings.Split(target, "^")
		if seconds, err := strconv.ParseInt(parts[1], 10, 64); err == nil {
			return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
		}
		return unescape(label)
	case slices.Contains([]string{"!here", "!channel", "!everyone"}, target):
		return fmt.Sprintf("@%s (notifies everyone)", target[1:])
	case labelled:
		return unescape(label) + " <" + unescape(target) + ">"
	}
	return "<" + unescape(target) + ">"
}
