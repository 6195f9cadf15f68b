package slacksim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The workspace's own inhabitants, which are there in every workspace.
const (
	teamID     = "T0LOCAL"
	teamDomain = "local"
	appID      = "A0SYM"
	botID      = "B0SYM"
	botUser    = "U0SYM"
	botName    = "Sym"
	slackbot   = "USLACKBOT" // Slack's own voice: "… failed with the error …"
)

// Profile is a person of the workspace. The id is made of the e-mail address:
// alice@example.com is U0ALICE and goes by the handle "alice".
type Profile struct {
	Name  string // required: as shown
	Email string // required
	ID    string // "" for the one that the address makes
	// Guest makes a guest of several channels, SingleChannel one of a single
	// channel, who has no slash commands and no shortcuts.
	Guest, SingleChannel bool
	Deactivated          bool
	// Workspace is the name of theirs in an organisation; "" is the first one.
	Workspace string
}

func (p Profile) handle() string {
	local, _, _ := strings.Cut(strings.ToLower(p.Email), "@")
	return local
}

func (p Profile) id() string { return cmp.Or(p.ID, "U0"+idPart(p.handle())) }

// Group is a user group, mentioned by its handle.
type Group struct {
	Handle  string   // required: without "@"
	Members []string // handles of people
	// Workspace is the name of its own in an organisation; "" is the first one.
	Workspace string
}

func (g Group) id() string { return "S0" + idPart(g.Workspace) + idPart(g.Handle) }

// Channel is a channel of the workspace when it starts.
type Channel struct {
	Name     string // required: without "#"
	Private  bool
	Archived bool
	// Members are handles of people; nil is everybody who is no guest.
	Members []string
	// App tells whether the app is a member.
	App bool
	// Workspace is the name of its own in an organisation; "" is the first one.
	Workspace string
}

// id has the workspace in it, because several may have a channel of one name.
func (c Channel) id() string { return "C0" + idPart(c.Workspace) + idPart(c.Name) }

// DefaultPeople, DefaultGroups and DefaultChannels are the small workspace that
// local mode shows.
func DefaultPeople() []Profile {
	return []Profile{
		{Name: "Alice", Email: "alice@example.com"},
		{Name: "Bob", Email: "bob@example.com"},
		{Name: "Carol", Email: "carol@example.com"},
		{Name: "Lead", Email: "lead@example.com"},
		{Name: "Guest", Email: "guest@example.com", SingleChannel: true},
	}
}

// DefaultGroups has one user group, @platform.
func DefaultGroups() []Group {
	return []Group{{Handle: "platform", Members: []string{"bob", "lead"}}}
}

// DefaultChannels has the channels that the example flows write to, and one,
// private, that the app has not been invited to.
func DefaultChannels() []Channel {
	return []Channel{
		{Name: "general", App: true},
		{Name: "access-prod", App: true, Members: []string{"alice", "bob", "carol", "lead", "guest"}},
		{Name: "deploys", App: true},
		{Name: "sym-errors", App: true},
		{Name: "private-ops", Private: true, Members: []string{"alice", "lead"}},
	}
}

func idPart(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}

// directory is who and what the workspace has. It changes by people who leave,
// and who get the address of somebody who did.
type directory struct {
	people []Profile
	groups []Group
}

// person finds somebody by id, handle or e-mail address.
func (d directory) person(name string) (Profile, bool) {
	name = strings.TrimPrefix(name, "@")
	for _, p := range d.people {
		if name == p.id() || strings.EqualFold(name, p.handle()) || strings.EqualFold(name, p.Email) {
			return p, true
		}
	}
	return Profile{}, false
}

func (d directory) group(id string) (Group, bool) {
	for _, g := range d.groups {
		if g.id() == id {
			return g, true
		}
	}
	return Group{}, false
}

// name gives what a user id is shown as.
func (d directory) name(userID string) string {
	switch userID {
	case botUser:
		return botName
	case slackbot:
		return "Slackbot"
	}
	if p, ok := d.person(userID); ok {
		return p.Name
	}
	return userID
}

func (d directory) ids(handles []string) ([]string, error) {
	ids := make([]string, 0, len(handles))
	for _, handle := range handles {
		p, ok := d.person(handle)
		if !ok {
			return nil, fmt.Errorf("nobody has the handle %q", handle)
		}
		ids = append(ids, p.id())
	}
	return ids, nil
}

// full gives the ids of everybody of a workspace who is no guest.
func (d directory) full(workspace string) []string {
	var ids []string
	for _, p := range d.people {
		if !p.Guest && !p.SingleChannel && p.Workspace == workspace {
			ids = append(ids, p.id())
		}
	}
	return ids
}

func (d directory) validate() error {
	seen := map[string]string{}
	taken := func(id, what string) error {
		if other, ok := seen[id]; ok {
			return fmt.Errorf("%s and %s would have the same id %s", other, what, id)
		}
		seen[id] = what
		return nil
	}
	for _, p := range d.people {
		if err := taken(p.id(), p.Email); err != nil {
			return err
		}
	}
	for _, g := range d.groups {
		if err := taken(g.id(), "@"+g.Handle); err != nil {
			return err
		}
		if _, err := d.ids(g.Members); err != nil {
			return fmt.Errorf("group @%s: %w", g.Handle, err)
		}
	}
	return nil
}

// sameMembers tells whether two lists have the same people, in any order.
func sameMembers(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Deactivate ends the account of a person, or gives it back.
func (s *Sim) Deactivate(name string, is bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.person(name)
	if !ok {
		return fmt.Errorf("nobody is %q", name)
	}
	s.people = slices.Clone(s.people)
	for i := range s.people {
		if s.people[i].id() == p.id() {
			s.people[i].Deactivated = is
		}
	}
	return nil
}

// Succeed ends the account of a person, and gives their address and their place
// in all channels to a new one of another name, whose id is made of that.
func (s *Sim) Succeed(name, next string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.person(name)
	if !ok {
		return fmt.Errorf("nobody is %q", name)
	}
	left, came := p, Profile{Name: next, Email: p.Email, ID: "U0" + idPart(strings.ToLower(next)), Guest: p.Guest, SingleChannel: p.SingleChannel, Workspace: p.Workspace}
	left.ID, left.Email, left.Deactivated = p.id(), "former-"+p.Email, true
	if _, taken := s.person(came.ID); taken {
		return fmt.Errorf("there is somebody called %s already", next)
	}
	s.people = slices.Clone(s.people)
	for i := range s.people {
		if s.people[i].id() == left.ID {
			s.people[i] = left
		}
	}
	s.people = append(s.people, came)
	s.groups = slices.Clone(s.groups)
	for i, g := range s.groups { // which have accounts
		s.groups[i].Members = slices.Clone(g.Members)
		for k, handle := range g.Members {
			if handle == p.handle() {
				s.groups[i].Members[k] = left.handle()
			}
		}
	}
	for _, c := range s.workspace.Conversations {
		if !c.isDirect() && c.visibleTo(left.ID) {
			c.Members = append(slices.Clone(c.Members), came.ID)
		}
	}
	s.change()
	return nil
}
