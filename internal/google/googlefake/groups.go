package googlefake

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Domain is the Workspace's, Customer its id.
const (
	Domain   = "example.com"
	Customer = "C046psxkn"
)

// state is all groups and accounts, by address in lower case, and projects.
type state struct {
	groups   map[string]*group
	users    map[string]*user
	projects map[string]*project // by id
}

type group struct {
	id, address, label string
	dynamic            bool
	members            map[string]*member // by address in lower case
}

type member struct {
	id, address string
	role        string // the highest
	until       time.Time
}

type user struct {
	id, address string
	aliases     []string
	suspended   bool
}

func (s state) copy() state {
	c := state{map[string]*group{}, maps.Clone(s.users), map[string]*project{}}
	for address, g := range s.groups {
		copied := *g
		copied.members = map[string]*member{}
		for who, m := range g.members {
			one := *m
			copied.members[who] = &one
		}
		c.groups[address] = &copied
	}
	for id, p := range s.projects {
		copied := *p
		c.projects[id] = &copied
	}
	return c
}

// shown is what reads see.
func (f *Fake) shown() *state {
	if f.before != nil {
		return f.before
	}
	return &f.state
}

// expire takes away memberships whose end has come.
func (f *Fake) expire() {
	for _, g := range f.state.groups {
		maps.DeleteFunc(g.members, func(_ string, m *member) bool { return !m.until.IsZero() && !m.until.After(f.clock()) })
	}
}

// AddGroup makes a group.
func (f *Fake) AddGroup(address, label string) {
	f.set(func() {
		f.state.groups[strings.ToLower(address)] = &group{
			id: fmt.Sprintf("01ab%04d", len(f.state.groups)+1), address: address, label: label, members: map[string]*member{},
		}
	})
}

// AddDynamicGroup makes a group whose members follow from a query.
func (f *Fake) AddDynamicGroup(address, label string) {
	f.AddGroup(address, label)
	f.set(func() { f.state.groups[strings.ToLower(address)].dynamic = true })
}

// AddUser makes an account.
func (f *Fake) AddUser(address string, aliases ...string) {
	f.set(func() {
		f.state.users[strings.ToLower(address)] = &user{id: fmt.Sprint(100000 + len(f.state.users)), address: address, aliases: aliases}
	})
}

// Suspend suspends an account.
func (f *Fake) Suspend(address string) {
	f.set(func() { f.state.users[strings.ToLower(address)].suspended = true })
}

// Join makes somebody, or a group, a member of a group as somebody else would.
func (f *Fake) Join(group, who, role string, until time.Time) {
	f.set(func() { f.state.groups[strings.ToLower(group)].join(who, role, until) })
}

func (g *group) join(who, role string, until time.Time) *member {
	m := &member{id: fmt.Sprint(len(who), len(g.members), who[:1]), address: who, role: role, until: until}
	m.id = strings.ReplaceAll(m.id, " ", "")
	g.members[strings.ToLower(who)] = m
	return m
}

// Leave takes somebody out of a group.
func (f *Fake) Leave(group, who string) {
	f.set(func() { delete(f.state.groups[strings.ToLower(group)].members, strings.ToLower(who)) })
}

// Role is what somebody is in a group by themselves, and until when; "" for nothing.
func (f *Fake) Role(group, who string) (role string, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
	if g := f.state.groups[strings.ToLower(group)]; g != nil && g.members[strings.ToLower(who)] != nil {
		m := g.members[strings.ToLower(who)]
		return m.role, m.until
	}
	return "", time.Time{}
}

// DeleteGroup deletes a group, as DeleteUser does an account. Memberships go with
// them.
func (f *Fake) DeleteGroup(address string) {
	f.set(func() {
		delete(f.state.groups, strings.ToLower(address))
		f.state.forget(address)
	})
}

// DeleteUser deletes an account.
func (f *Fake) DeleteUser(address string) {
	f.set(func() {
		delete(f.state.users, strings.ToLower(address))
		f.state.forget(address)
	})
}

func (s *state) forget(address string) {
	for _, g := range s.groups {
		delete(g.members, strings.ToLower(address))
	}
	for _, p := range s.projects {
		p.forget(address)
	}
}

// known tells whether Google has an account or a group of an address. Those of other
// domains are not its business.
func (s *state) known(address string) bool {
	address = strings.ToLower(address)
	return s.users[address] != nil || s.groups[address] != nil || !strings.HasSuffix(address, "@"+Domain)
}

// in tells whether somebody is in a group by any way.
func (s *state) in(g *group, who string) bool {
	for address := range g.members {
		if address == strings.ToLower(who) || s.groups[address] != nil && s.in(s.groups[address], who) {
			return true
		}
	}
	return false
}

// kind is what a member is.
func (s *state) kind(address string) string {
	if s.groups[strings.ToLower(address)] != nil {
		return "GROUP"
	}
	return "USER"
}

// page is a part of a list, which is short, and the token of the next one.
func page[T any](all []T, token string) (part []T, next string) {
	const size = 2
	from := 0
	fmt.Sscan(token, &from)
	if from+size < len(all) {
		return all[from : from+size], fmt.Sprint(from + size)
	}
	return all[min(from, len(all)):], ""
}

func sorted[T any](m map[string]T) []T {
	var all []T
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[key])
	}
	return all
}

// Groups is the system of strategies of type google_group.
type Groups struct{ *Fake }

func groupOf(t flow.Target) string { return t.Settings["group_email"] }

// Has implements strategytest.System.
func (g Groups) Has(target flow.Target, identity string) bool {
	role, _ := g.Role(groupOf(target), identity)
	return role != ""
}

// Give implements strategytest.Outsider.
func (g Groups) Give(target flow.Target, identity string) {
	g.Join(groupOf(target), identity, target.Settings["role"], time.Time{})
}

// Take implements strategytest.Outsider.
func (g Groups) Take(target flow.Target, identity string) { g.Leave(groupOf(target), identity) }

// Value implements strategytest.Valuer.
func (g Groups) Value(target flow.Target, identity string) string {
	role, _ := g.Role(groupOf(target), identity)
	return role
}

// GiveValue implements strategytest.Valuer.
func (g Groups) GiveValue(target flow.Target, identity, value string) {
	g.Join(groupOf(target), identity, value, time.Time{})
}

// Until implements strategytest.Expirer.
func (g Groups) Until(target flow.Target, identity string) time.Time {
	_, until := g.Role(groupOf(target), identity)
	return until
}

// DeleteTarget implements strategytest.Deleter.
func (g Groups) DeleteTarget(target flow.Target) { g.DeleteGroup(groupOf(target)) }

// DeletePerson implements strategytest.Deleter.
func (g Groups) DeletePerson(identity string) { g.DeleteUser(identity) }

// GiveByway implements strategytest.Byway: by a group in the group.
func (g Groups) GiveByway(target flow.Target, identity string) {
	const nested, between = "nested@" + Domain, "between@" + Domain
	g.AddGroup(nested, "Nested")
	g.AddGroup(between, "Between")
	g.Join(nested, identity, "MEMBER", time.Time{})
	g.Join(between, nested, "MEMBER", time.Time{})
	g.Join(groupOf(target), between, "MEMBER", time.Time{})
}
