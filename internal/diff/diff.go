package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// Way is where a change leads.
type Way string

// The ways.
const (
	Wider    Way = "wider"    // more people may do more, for longer, or with less of a check
	Narrower Way = "narrower" // the opposite
	// Unclear is what can't be told by comparing, such as another code: somebody has to
	// read it. It counts as wider.
	Unclear Way = "unclear"
	Other   Way = "other" // neither: texts, and who hears of what
)

// Change is one thing that changes.
type Change struct {
	Attribute string `json:"attribute"` // as configurations write it: "params.approval.required"
	Way       Way    `json:"way"`
	Text      string `json:"text"` // for people
}

// FlowChanges is all that changes of one flow.
type FlowChanges struct {
	Flow    string   `json:"flow"`
	Against string   `json:"against,omitempty"` // the version that it is compared with; "" where that has none
	Changes []Change `json:"changes"`
}

// Widens tells whether anything gets wider, or may.
func (f FlowChanges) Widens() bool {
	return slices.ContainsFunc(f.Changes, func(c Change) bool { return c.Way == Wider || c.Way == Unclear })
}

// Widens tells whether anything of these gets wider, or may.
func Widens(all []FlowChanges) bool { return slices.ContainsFunc(all, FlowChanges.Widens) }

// Flows compares two configurations, flow by flow in the order of their names. Flows of
// which nothing changes are left out. People may be nil: then nothing is counted.
func Flows(before, after []*flow.Flow, people People) []FlowChanges {
	byName := func(list []*flow.Flow) map[string]*flow.Flow {
		m := map[string]*flow.Flow{}
		for _, f := range list {
			m[strings.ToLower(f.Name)] = f
		}
		return m
	}
	was, is := byName(before), byName(after)
	var all []FlowChanges
	for name, f := range is {
		old := was[name]
		if old == nil {
			all = append(all, FlowChanges{Flow: f.Name, Changes: []Change{{Attribute: "flow", Way: Wider, Text: "is new: " + Summary(f, people)}}})
			continue
		}
		if changes := Of(old, f, people); len(changes) > 0 {
			all = append(all, FlowChanges{Flow: f.Name, Against: old.Version, Changes: changes})
		}
	}
	for name, f := range was {
		if is[name] == nil {
			all = append(all, FlowChanges{Flow: f.Name, Against: f.Version, Changes: []Change{{Attribute: "flow", Way: Narrower, Text: "is gone: nobody can ask for it any more"}}})
		}
	}
	slices.SortFunc(all, func(a, b FlowChanges) int { return cmp.Compare(a.Flow, b.Flow) })
	return all
}

// Of compares two versions of a flow: first what gets wider, then what can't be told,
// what gets narrower, and the rest.
func Of(before, after *flow.Flow, people People) []Change {
	c := &comparison{before: before, after: after, people: people}
	for _, a := range attributes {
		if a.compare != nil {
			c.attribute = a.name
			a.compare(c)
		}
	}
	order := []Way{Wider, Unclear, Narrower, Other}
	slices.SortStableFunc(c.changes, func(a, b Change) int {
		return cmp.Compare(slices.Index(order, a.Way), slices.Index(order, b.Way))
	})
	return c.changes
}

// Summary says what a flow that is new lets happen.
func Summary(f *flow.Flow, people People) string {
	who := "every member may decide"
	if a := f.Params.Approval.Approvers; len(a) > 0 {
		who = strings.Join(a, " and ") + " may decide"
	}
	if n := deciders(people, f); n != nil {
		who += fmt.Sprintf(" (with the admins, %s)", peopleWords(len(n), ""))
	}
	return f.About() + "; " + who
}

// comparison is two versions of a flow, and what was found to differ.
type comparison struct {
	before, after *flow.Flow
	people        People
	attribute     string
	changes       []Change
}

func (c *comparison) add(way Way, format string, args ...any) {
	c.changes = append(c.changes, Change{Attribute: c.attribute, Way: way, Text: fmt.Sprintf(format, args...)})
}

// on compares something that is on or off, and is wider when it is on.
func (c *comparison) on(get func(*flow.Flow) bool, on, off string) {
	switch was, is := get(c.before), get(c.after); {
	case is && !was:
		c.add(Wider, "%s", on)
	case was && !is:
		c.add(Narrower, "%s", off)
	}
}

// off compares something that is on or off, and is wider when it is off.
func (c *comparison) off(get func(*flow.Flow) bool, on, off string) {
	switch was, is := get(c.before), get(c.after); {
	case is && !was:
		c.add(Narrower, "%s", on)
	case was && !is:
		c.add(Wider, "%s", off)
	}
}

// set compares lists of which each has more the more it lists.
func (c *comparison) set(was, is []string, more, less string) {
	if added := without(is, was); len(added) > 0 {
		c.add(Wider, more, strings.Join(added, ", "))
	}
	if removed := without(was, is); len(removed) > 0 {
		c.add(Narrower, less, strings.Join(removed, ", "))
	}
}

// without lists what is in one list and not in the other, each once and sorted.
func without(list, other []string) []string {
	var left []string
	for _, s := range list {
		if !slices.Contains(other, s) && !slices.Contains(left, s) {
			left = append(left, s)
		}
	}
	slices.Sort(left)
	return left
}
