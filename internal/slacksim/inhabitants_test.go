package slacksim

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInhabitants: what a configuration names is there, once, and the workspace can
// be made of it.
func TestInhabitants(t *testing.T) {
	t.Parallel()
	in := DefaultInhabitants()
	for _, email := range []string{"dana@acme.dev", "DANA@acme.dev", "alice@example.com", "alice@acme.dev", "d.ana@acme.dev", "nobody", "@acme.dev", "...@acme.dev"} {
		in.Person(email)
	}
	for _, name := range []string{"#acme-access", "#acme-access", "#general", "C0123456789", "#", "general"} {
		in.Channel(name)
	}
	for _, handle := range []string{"dba", "@dba", "platform", ""} {
		in.Group(handle)
	}
	want := DefaultInhabitants()
	want.People = append(want.People, Profile{Name: "Dana", Email: "dana@acme.dev"})
	want.Channels = append(want.Channels, Channel{Name: "acme-access", App: true})
	want.Groups = append(want.Groups, Group{Handle: "dba", Members: []string{"bob", "lead"}})
	if diff := cmp.Diff(want, in); diff != "" {
		t.Error(diff)
	}
	if !in.Member(in.People[1], "@dba") || in.Member(in.People[0], "dba") || in.Member(in.People[1], "none") {
		t.Error("the members of a group are wrong")
	}
	for n := range 100 {
		in.Person(fmt.Sprintf("p%d@acme.dev", n))
	}
	if len(in.People) != mostPeople {
		t.Errorf("%d people", len(in.People))
	}
	newApp(t, func(c *Config) { c.People, c.Groups, c.Channels = in.People, in.Groups, in.Channels })
}
