package slacksim

import (
	"slices"
	"strings"
)

// Inhabitants are who and what a workspace has.
type Inhabitants struct {
	People   []Profile
	Groups   []Group
	Channels []Channel
}

// DefaultInhabitants are those of the small workspace that local mode shows.
func DefaultInhabitants() Inhabitants {
	return Inhabitants{DefaultPeople(), DefaultGroups(), DefaultChannels()}
}

// mostPeople is how many people there are at most with those that are added: the
// page shows all of them at its top.
const mostPeople = 16

// Person adds somebody by e-mail address, named by its first part, unless there is
// somebody of that address or of its first part, or there are many already.
func (in *Inhabitants) Person(email string) {
	local, _, ok := strings.Cut(email, "@")
	if !ok || local == "" || len(in.People) >= mostPeople {
		return
	}
	p := Profile{Name: strings.ToUpper(local[:1]) + local[1:], Email: email}
	if idPart(local) != "" && !slices.ContainsFunc(in.People, func(q Profile) bool { return strings.EqualFold(q.Email, email) || q.id() == p.id() }) {
		in.People = append(in.People, p)
	}
}

// Group adds a user group by its handle, unless there is one. Who is in it, the real
// workspace alone knows: here it is the people of @platform.
func (in *Inhabitants) Group(handle string) {
	g := Group{Handle: strings.TrimPrefix(handle, "@"), Members: DefaultGroups()[0].Members}
	if idPart(g.Handle) != "" && !slices.ContainsFunc(in.Groups, func(h Group) bool { return h.id() == g.id() }) {
		in.Groups = append(in.Groups, g)
	}
}

// Channel adds a channel by its name ("#name"), with the app in it, unless there is
// one. An id does not say what the channel is called: it adds none.
func (in *Inhabitants) Channel(name string) {
	c := Channel{Name: strings.TrimPrefix(name, "#"), App: true}
	if strings.HasPrefix(name, "#") && idPart(c.Name) != "" && !slices.ContainsFunc(in.Channels, func(d Channel) bool { return d.id() == c.id() }) {
		in.Channels = append(in.Channels, c)
	}
}

// Member tells whether somebody is in a user group.
func (in Inhabitants) Member(p Profile, handle string) bool {
	return slices.ContainsFunc(in.Groups, func(g Group) bool {
		return g.Handle == strings.TrimPrefix(handle, "@") && slices.Contains(g.Members, p.handle())
	})
}
