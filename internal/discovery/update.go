package discovery

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
)

// Input is what a file is brought up to date with.
type Input struct {
	Strategy string // the name of the strategy that found the targets
	Types    []string
	Command  string // that updates the file, for its first lines: "local targets aws_sso"
	// Found are the targets that the system has now, as strategy.Discoverer gives
	// them.
	Found []flow.Target
	// Elsewhere are the targets of other files of the folder.
	Elsewhere []flow.Target
	Now       time.Time
}

// Changes are what happened to a file, in order of the file.
type Changes struct {
	Added   []Change
	Renamed []Change // at the system; Kept: the label here is by hand, and stays
	Gone    []Change
	Back    []Change
	// Taken are those that are not added, because another file has a target of
	// their name for something else.
	Taken   []Change
	Present int // targets of the strategy that the system has
	// Elsewhere of those are in other files, by hand or of another strategy.
	Elsewhere int
}

// Change is one of them.
type Change struct {
	Name, Label string
	Was         string // the label before, of those that were renamed
	Kept        bool
}

// None tells whether nothing has changed.
func (c Changes) None() bool {
	return len(c.Added)+len(c.Renamed)+len(c.Gone)+len(c.Back) == 0
}

// Update brings a file up to date, and returns its new text; the same bytes if
// nothing has changed. An empty text makes a new file. The error has
// flow.CodeInvalid if the file is not to be understood, and if the system has
// nothing of what is there: that tells of missing rights rather than of an empty
// system.
func Update(file []byte, in Input) ([]byte, Changes, error) {
	var changes Changes
	parts, err := split(file)
	if err != nil {
		return nil, changes, flow.Errorf(flow.CodeInvalid, "%v: local check finds what is wrong", err)
	}
	if err := distinct(in.Found); err != nil {
		return nil, changes, err
	}
	mine := own(parts, in.Types)
	if len(in.Found) == 0 && slices.ContainsFunc(mine, func(d document) bool { return d.foundBy(in.Strategy) && d.gone() == "" }) {
		return nil, changes, flow.Errorf(flow.CodeInvalid, "nothing was found, and there were targets before: see whether the rights to list them are still there. Nothing was changed; remove the file if there really are none any more")
	}
	changes.Present = len(in.Found)
	at := map[int]flow.Target{} // what was found, by the document that stands for it
	var added []flow.Target
	here, elsewhere := newIndex(targetsOf(mine)), newIndex(in.Elsewhere)
	for _, t := range in.Found {
		i := here.named(t)
		if i < 0 { // people may have given it another name
			i = here.covering(t)
		}
		switch {
		case i >= 0:
			at[i] = t
		case elsewhere.covering(t) >= 0:
			changes.Elsewhere++ // somebody has written it, or another strategy finds it, too
		case elsewhere.named(t) >= 0:
			changes.Taken = append(changes.Taken, Change{Name: t.Name, Label: t.Label})
		default:
			added = append(added, t)
		}
	}
	for i, d := range mine {
		if d.foundBy(in.Strategy) {
			t, there := at[i]
			d.follow(t, there, in.Now, &changes)
		}
	}
	if len(added) > 0 && len(bytes.TrimSpace(file)) == 0 {
		parts = []*part{{text: header(in)}}
	}
	for _, t := range added {
		parts = append(parts, made(t, in.Strategy))
		changes.Added = append(changes.Added, Change{Name: t.Name, Label: t.Label})
	}
	if changes.None() && !slices.ContainsFunc(parts, func(p *part) bool { return p.changed }) {
		return file, changes, nil
	}
	out, err := join(parts)
	return out, changes, err
}

// distinct refuses what could not be told apart.
func distinct(found []flow.Target) error {
	names := map[string]bool{}
	for _, t := range found {
		if err := flow.CheckName(t.Name); err != nil {
			return fmt.Errorf("a target was found whose name can't be used: %w", err)
		}
		key := nameKey(t)
		if names[key] {
			return flow.Errorf(flow.CodeInternal, "two targets of type %s were found under the name %q", t.Type, t.Name)
		}
		names[key] = true
	}
	return nil
}

// index finds targets without looking at all of them.
type index struct {
	targets   []flow.Target
	byName    map[string]int
	bySetting map[string][]int
}

func newIndex(targets []flow.Target) index {
	x := index{targets, map[string]int{}, map[string][]int{}}
	for i, t := range targets {
		if _, twice := x.byName[nameKey(t)]; !twice {
			x.byName[nameKey(t)] = i
		}
		for name, value := range t.Settings {
			key := settingKey(t.Type, name, value)
			x.bySetting[key] = append(x.bySetting[key], i)
		}
	}
	return x
}

func nameKey(t flow.Target) string { return t.Type + " " + strings.ToLower(t.Name) }

func settingKey(typ, name, value string) string { return typ + "\x00" + name + "\x00" + value }

// named finds the target of a name and type; -1: there is none.
func (x index) named(t flow.Target) int {
	if i, ok := x.byName[nameKey(t)]; ok {
		return i
	}
	return -1
}

// covering finds a target that has all settings of one that was found; people may
// have added some. It returns -1 if there is none.
func (x index) covering(found flow.Target) int {
	var least []int
	for name, value := range found.Settings {
		has := x.bySetting[settingKey(found.Type, name, value)]
		if len(has) == 0 {
			return -1
		}
		if least == nil || len(has) < len(least) {
			least = has
		}
	}
	for _, i := range least {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found.Settings)), func(name string) bool { return x.targets[i].Settings[name] != found.Settings[name] }) {
			return i
		}
	}
	return -1
}

// document is one of kind target.
type document struct {
	*part
	attributes *yaml.Node
}

// own lists the documents of a file that are targets of some types.
func own(parts []*part, types []string) []document {
	var out []document
	for _, p := range parts {
		m := p.mapping()
		if text(m, "kind") == "target" && slices.Contains(types, text(m, "type")) {
			out = append(out, document{p, m})
		}
	}
	return out
}

// targetsOf reads what documents say.
func targetsOf(documents []document) []flow.Target {
	var out []flow.Target
	for _, d := range documents {
		out = append(out, flow.Target{Name: text(d.attributes, "name"), Type: text(d.attributes, "type"), Settings: d.settings()})
	}
	return out
}

func (d document) settings() map[string]string {
	m := map[string]string{}
	if node := get(d.attributes, "settings"); node != nil && node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			m[node.Content[i].Value] = node.Content[i+1].Value
		}
	}
	return m
}

func (d document) found() *yaml.Node { return get(d.attributes, "found") }

// foundBy tells whether a document is of a strategy's finding, and nobody has
// made it their own by removing "found".
func (d document) foundBy(strategy string) bool {
	return strings.EqualFold(text(d.found(), "strategy"), strategy)
}

func (d document) gone() string { return text(d.found(), "gone") }

// follow brings a document in step with the system; there says whether that has
// the target.
func (d document) follow(t flow.Target, there bool, now time.Time, changes *Changes) {
	name, label, found := text(d.attributes, "name"), text(d.attributes, "label"), d.found()
	switch {
	case !there && d.gone() == "":
		set(found, "gone", now.UTC().Format(time.DateOnly))
		d.changed = true
		changes.Gone = append(changes.Gone, Change{Name: name, Label: label})
	case there && d.gone() != "":
		remove(found, "gone")
		d.changed = true
		changes.Back = append(changes.Back, Change{Name: name, Label: label})
	}
	if !there {
		return
	}
	last, title := text(found, "label"), fit(t.Label)
	settings := d.followSettings(t)
	if title == last && !settings {
		return
	}
	c := Change{Name: name, Label: title, Was: last, Kept: label != last}
	if title != last {
		if !c.Kept {
			set(d.attributes, "label", title)
		}
		set(found, "label", title)
	}
	d.changed = true
	changes.Renamed = append(changes.Renamed, c)
}

// followSettings has the settings that nobody has changed follow those of the
// system, such as the name of a group that is known by its id. It tells whether the
// system's have changed.
func (d document) followSettings(t flow.Target) bool {
	found, own := d.found(), get(d.attributes, "settings")
	changed := false
	for _, name := range slices.Sorted(maps.Keys(t.Settings)) {
		value, last := t.Settings[name], get(found, "settings")
		if last == nil {
			last = pairs()
			last.Style = yaml.FlowStyle
			found.Content = append(found.Content, scalar("settings"), last)
		}
		before := text(last, name)
		if value == before || last.Kind != yaml.MappingNode {
			continue
		}
		if get(own, name) != nil && text(own, name) == before {
			set(own, name, value)
		}
		set(last, name, value)
		d.changed = true
		changed = changed || before != "" // else nobody knows what it was
	}
	return changed
}

// fit shortens a label to what a menu shows.
func fit(label string) string { return flow.Clip(label, flow.MaxOption-1) }

// made is the document of a new target.
func made(t flow.Target, strategy string) *part {
	settings := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, name := range slices.Sorted(maps.Keys(t.Settings)) {
		settings.Content = append(settings.Content, scalar(name), scalar(t.Settings[name]))
	}
	if len(settings.Content) == 0 {
		settings = nil
	}
	var bound *yaml.Node
	if len(t.FieldBindings) > 0 {
		bound = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, name := range t.FieldBindings {
			bound.Content = append(bound.Content, scalar(name))
		}
	}
	label := fit(t.Label)
	attributes := pairs("kind", "target", "name", t.Name, "type", t.Type, "label", label, "settings", settings, "field_bindings", bound,
		"found", pairs("strategy", strategy, "label", label, "settings", compact(settings)))
	return &part{separator: "---", root: &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{attributes}}, changed: true}
}

// compact is a copy of a mapping, on one line; nil stays nil.
func compact(m *yaml.Node) *yaml.Node {
	if m == nil {
		return nil
	}
	line := *m
	line.Style = yaml.FlowStyle
	return &line
}

// header is what a new file begins with.
func header(in Input) string {
	return fmt.Sprintf(`# Targets that strategy %s has found, written by
#
#     %s
#
# Run it again to bring them up to date: it adds what is new, follows names that
# nobody has changed here, and marks what is gone, which is then not offered any
# more. What you change stays, comments as well. To keep a target from being
# offered, write offered: false; a document without found is yours alone.
`, in.Strategy, in.Command)
}
