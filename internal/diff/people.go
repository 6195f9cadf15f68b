package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// People says who is who, to count how many a change is about. Nil is not known.
type People interface {
	// Named lists the e-mail addresses of those whom a configuration names by
	// "group:<handle>" or "user:<e-mail address>", as far as they are there.
	Named(name string) []string
	// Members lists those of all members, and with guests those of all guests, too.
	Members(guests bool) []string
}

// peopleWords writes how many people, with a word between: "14 more people".
func peopleWords(n int, which string) string {
	if n == 1 {
		return "1 " + which + "person"
	}
	return fmt.Sprintf("%d %speople", n, which)
}

// listed are those whom names name, each once and sorted.
func listed(p People, names []string) []string {
	var all []string
	for _, name := range names {
		for _, email := range p.Named(name) {
			all = append(all, strings.ToLower(email))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// deciders are those who may decide requests by the configuration; nil if it is not
// known who is who. Handlers may say something else.
func deciders(p People, f *flow.Flow) []string {
	if p == nil {
		return nil
	}
	var names []string
	for _, email := range f.Environment.Admins {
		names = append(names, "user:"+email)
	}
	all := listed(p, append(names, f.Params.Approval.Approvers...))
	if len(f.Params.Approval.Approvers) == 0 {
		all = append(all, p.Members(f.Params.AllowGuestInteraction)...)
	}
	slices.Sort(all)
	return append([]string{}, slices.Compact(all)...)
}

// count compares whom two versions let do something, where it is known who is who.
func (c *comparison) count(of func(People, *flow.Flow) []string, what string) {
	if c.people == nil {
		return
	}
	was, is := of(c.people, c.before), of(c.people, c.after)
	if more := without(is, was); len(more) > 0 {
		c.add(Wider, "%s may %s (%d instead of %d): %s", peopleWords(len(more), "more "), what, len(is), len(was), some(more))
	}
	if fewer := without(was, is); len(fewer) > 0 {
		c.add(Narrower, "%s may %s (%d instead of %d), without %s", peopleWords(len(fewer), "fewer "), what, len(is), len(was), some(fewer))
	}
}

// some lists the first of many.
func some(emails []string) string {
	const most = 10
	if len(emails) <= most {
		return strings.Join(emails, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(emails[:most], ", "), len(emails)-most)
}
