package entity

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change says in plain words what becomes of an entity.
type Change struct {
	Verb  string   // created, changed or deleted
	What  string   // such as target orders
	Lines []string // what changes, attribute by attribute
	// Wider: it may let something happen that could not happen before.
	Wider bool
}

// harmless are the attributes that only say how something is called: whoever sees them has,
// and may, what they had and might before. All others count as widening.
var harmless = []string{"label", "params.additional_header_text", "params.prompt_fields[].label"}

// watching are the kinds whose deletion takes no access away, but somebody's sight of it.
var watching = []Kind{KindLogDestination, KindErrorLogger, KindFlowsFilter}

// maxShown is how much of a value is shown.
const maxShown = 60

// Compare says what a change does. Before is without kind, or dead, where there was nothing,
// and after where there is to be nothing. Name gives the name of an entity that is referred
// to; "" if it is not known.
func Compare(before, after Entity, name func(Kind, string) string) Change {
	was, is := before.Kind != "" && before.Alive(), after.Kind != "" && after.Alive()
	e := after
	if !is && was {
		e = before
	}
	c := Change{Verb: "changed", What: strings.TrimSpace(strings.ReplaceAll(string(e.Kind), "_", " ") + " " + clip(e.Name))}
	switch {
	case is && !was:
		c.Verb = "created"
	case !is:
		c.Verb, c.Wider = "deleted", slices.Contains(watching, e.Kind)
		return c
	}
	if was && before.Name != after.Name {
		c.Lines, c.Wider = append(c.Lines, "name: "+became(before.Name, after.Name)), true
	}
	if was && before.Type != after.Type {
		c.Lines, c.Wider = append(c.Lines, "type: "+became(before.Type, after.Type)), true
	}
	if after.Type != "" && !was {
		c.Lines = append(c.Lines, "type: "+clip(after.Type))
	}
	from, to := values{}, after.shown(name)
	if was {
		from = before.shown(name)
	}
	for _, path := range slices.Sorted(maps.Keys(join(from, to))) {
		line := differs(path, from[path], to[path])
		if line == "" {
			continue
		}
		c.Lines = append(c.Lines, line)
		c.Wider = c.Wider || was && !slices.Contains(harmless, general(path)) && !fewer(path, from[path], to[path])
	}
	switch {
	case !was:
		c.Wider = true
	case before.Same(after):
		c.Lines = []string{"is in force already"}
	case c.Lines == nil:
		c.Lines, c.Wider = []string{"in another order"}, true
	}
	return c
}

func join(a, b values) values {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// shown gives the attributes by path: texts, and lists of texts. References are names.
func (e Entity) shown(name func(Kind, string) string) values {
	refs := map[string]Kind{}
	for _, r := range e.Refs() {
		refs[r.ID] = r.Kind
	}
	sources := e.Kind.about().sources
	out := values{}
	var walk func(path string, v any)
	text := func(v any) string {
		s := fmt.Sprint(written(v))
		if kind, ok := refs[s]; ok {
			if named := name(kind, s); named != "" {
				return named
			}
		}
		return s
	}
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, inside := range v {
				at := key
				if path != "" {
					at = path + "." + key
				}
				walk(at, inside)
			}
		case []any:
			var texts []string
			for i, item := range v {
				if object, ok := item.(map[string]any); ok {
					key, _ := object["name"].(string)
					if key == "" {
						key = fmt.Sprint(i)
					}
					walk(path+"["+key+"]", object)
					continue
				}
				texts = append(texts, text(item))
			}
			if texts != nil {
				out[path] = texts
			}
		default:
			if s := text(v); slices.Contains(sources, path) || strings.HasSuffix(path, "].on_change") {
				out[path] = code(s)
			} else {
				out[path] = s
			}
		}
	}
	walk("", map[string]any(e.values()))
	return out
}

// code is Python, which is not shown.
type code string

// differs says what becomes of the value at a path; "" if nothing does. Whatever was
// configured, it is one line.
func differs(path string, from, to any) string {
	at := clip(path)
	switch {
	case same(from, to):
		return ""
	case isCode(from) || isCode(to):
		return fmt.Sprintf("%s: the code changes, %s → %s", at, lines(from), lines(to))
	}
	was, some := from.([]string)
	is, others := to.([]string)
	if (some || from == nil) && (others || to == nil) {
		var parts []string
		if more := without(is, was); len(more) > 0 {
			parts = append(parts, "adds "+listed(more))
		}
		if less := without(was, is); len(less) > 0 {
			parts = append(parts, "drops "+listed(less))
		}
		if parts == nil {
			parts = []string{"in another order"}
		}
		return at + ": " + strings.Join(parts, ", ")
	}
	wasText, text := from.(string)
	isText, texts := to.(string)
	if text && texts {
		return at + ": " + became(wasText, isText)
	}
	return fmt.Sprintf("%s: %s → %s", at, shownAs(from), shownAs(to))
}

// became shows two texts from where they differ, if that would not be seen otherwise.
func became(was, is string) string {
	from, to := []rune(oneLine(was)), []rune(oneLine(is))
	alike := 0
	for alike < min(len(from), len(to)) && from[alike] == to[alike] {
		alike++
	}
	if skip := alike - maxShown/3; skip > 0 && max(len(from), len(to)) > maxShown {
		return "…" + clip(string(from[skip:])) + " → …" + clip(string(to[skip:]))
	}
	return shownAs(was) + " → " + shownAs(is)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func same(from, to any) bool {
	a, _ := json.Marshal(from)
	b, _ := json.Marshal(to)
	return string(a) == string(b)
}

func isCode(v any) bool { _, ok := v.(code); return ok }

func lines(v any) string {
	c, ok := v.(code)
	if !ok {
		return "none"
	}
	n := strings.Count(strings.TrimSuffix(string(c), "\n"), "\n") + 1
	if n == 1 {
		return "1 line"
	}
	return fmt.Sprint(n, " lines")
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// maxListed is how many elements of a list are shown.
const maxListed = 10

func listed(list []string) string {
	more := len(list) - maxListed
	var shown []string
	for _, s := range list[:min(len(list), maxListed)] {
		shown = append(shown, clip(s))
	}
	text := strings.Join(shown, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func shownAs(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case []string:
		return listed(v)
	case string:
		if v == "" {
			return "none"
		}
		return clip(v)
	}
	return clip(fmt.Sprint(v))
}

// clip shows a value in one line, and not too much of it.
func clip(s string) string {
	s = oneLine(s)
	if letters := []rune(s); len(letters) > maxShown {
		return string(letters[:maxShown-1]) + "…"
	}
	return s
}

// general is a path without the names of elements.
func general(path string) string {
	before, rest, ok := strings.Cut(path, "[")
	if _, after, closed := strings.Cut(rest, "]"); ok && closed {
		return before + "[]" + after
	}
	return path
}

// fewer tells of a list whether it only has fewer targets, which are all that there is to
// have of a strategy.
func fewer(path string, from, to any) bool {
	was, _ := from.([]string)
	is, _ := to.([]string)
	return path == "targets" && len(without(is, was)) == 0 && len(is) < len(was)
}
