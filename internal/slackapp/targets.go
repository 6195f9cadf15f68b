package slackapp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// What is shown of several targets of one request.
const (
	maxTold   = 8   // that are not as they should be, each with why
	maxTitles = 600 // characters of the names of others
	maxWhy    = 250 // characters of why
)

// targets shows how each of several targets stands, while the access is being
// granted, is live, or is being taken away.
func (c *card) targets() {
	if !c.Access.Live() || !c.Access.Listed() {
		return
	}
	const stays flow.PartState = "stays" // granted, and taking it away is not over
	by := map[flow.PartState][]flow.Part{}
	for _, p := range c.Access.Entitlements {
		state := p.State()
		if state == flow.PartGranted && p.Said() != "" {
			state = stays
		}
		by[state] = append(by[state], p)
	}
	var lines []string
	together := func(s flow.PartState, words string) {
		if parts := by[s]; len(parts) > 0 {
			lines = append(lines, fmt.Sprintf("%s (%d): %s", words, len(parts), escape(c.cut(titles(parts), maxTitles))))
		}
	}
	each := func(s flow.PartState, words string) {
		for i, p := range by[s] {
			if i == maxTold {
				lines = append(lines, fmt.Sprintf("%s: and %d more", words, len(by[s])-i))
				c.page.cut = true
				return
			}
			line := words + ": " + safe(p.Title())
			if said := p.Said(); said != "" {
				line += " – " + escape(c.cut(withoutCode(said), maxWhy))
			}
			lines = append(lines, line)
		}
	}
	together(flow.PartGranted, "🔓 *Live*")
	each(stays, "⏳ *Being taken away*")
	if c.Stuck() && c.Status == flow.Approved { // all of it has failed, before any was tried
		each(flow.PartWaiting, "⚠️ *Not granted*")
	} else {
		each(flow.PartWaiting, "⏳ *Being granted*")
	}
	each(flow.PartFailed, "⚠️ *Not granted*")
	together(flow.PartMissing, "⚠️ *Taken away at the target*")
	together(flow.PartRemoved, "🔒 *Ended*")
	together(flow.PartKept, "ℹ️ *Stays* by another request, or was there before")
	c.page.add(section(strings.Join(lines, "\n")))
}

// titles names parts, in their order.
func titles(parts []flow.Part) string {
	var names []string
	for _, p := range parts {
		names = append(names, p.Title())
	}
	return strings.Join(names, "; ")
}

// several tells whether the run asks for several targets.
func (c *card) several() bool {
	return c.Target != nil && len(c.Target.Each) > 1 || c.Access != nil && len(c.Access.Entitlements) > 1
}

// many counts the targets that the run asks for.
func (c *card) many() int {
	if c.Access != nil {
		return len(c.Access.Entitlements)
	}
	return len(c.Target.Each)
}

// live says how many of several targets are there: "2 of 3"; "" where it is one, or
// they all are.
func (c *card) live() string {
	if !c.Access.Listed() {
		return ""
	}
	there := 0
	for _, p := range c.Access.Entitlements {
		if p.State() == flow.PartGranted {
			there++
		}
	}
	if there == len(c.Access.Entitlements) {
		return ""
	}
	return fmt.Sprintf("%d of %d", there, len(c.Access.Entitlements))
}

// failedParts tells whether a failure is that of some of several targets, each of
// which says why.
func (c *card) failedParts() bool {
	return c.several() && c.Access.Live() && c.Error != nil && slices.ContainsFunc(c.Access.Entitlements, func(p flow.Part) bool { return p.Error != nil && p.Error.Step == c.Error.Step })
}
