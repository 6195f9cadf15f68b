package postgresfake

import (
	"slices"
	"sync"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/postgres"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Login is the login that a new server has for the strategy, and Password its
// password. It has the admin option on the roles app_rw and app_ro, and may end
// sessions.
const (
	Login    = "sym"
	Password = "p%ssw0rd/of:sym"
)

// superuser is the first one of every server.
const superuser = "postgres"

// Server is a PostgreSQL server. Methods are safe for concurrent use.
type Server struct {
	mu          sync.Mutex
	version     int
	roles       map[string]*role
	memberships []membership
	databases   map[string]int // their numbers
	sessions    []Session
	numbers     int

	mood    strategytest.Mood
	refused int
	changes []strategytest.Change
	asked   []string
	fail    map[string][2]string // a state and what is said, by the first word of a statement
	opened  int                  // connections
	params  map[string]string    // of the last one
}

type role struct {
	number                       int
	login, superuser, createRole bool
	expired                      bool
	password                     string
}

// membership is in a role. by is who granted it.
type membership struct {
	role, member, by string
	admin            bool
}

// Session is one of somebody's at a database.
type Session struct{ User, Database string }

// New gives a server of a version (18) with databases orders and billing,
// roles app_rw and app_ro, role team in app_rw, users alice@example.com and bob.
func New(version int) *Server {
	s := &Server{version: version * 10000, roles: map[string]*role{}, databases: map[string]int{}, numbers: 16384, fail: map[string][2]string{}}
	s.roles[superuser] = &role{number: 10, login: true, superuser: true}
	for _, name := range []string{"app_rw", "app_ro", "team", "pg_signal_backend"} {
		s.AddRole(name)
	}
	for _, name := range []string{Login, "alice@example.com", "bob"} {
		s.AddUser(name)
	}
	s.roles[Login].password = Password
	for _, name := range []string{"postgres", "orders", "billing"} {
		s.AddDatabase(name)
	}
	for _, name := range []string{"app_rw", "app_ro"} {
		s.GrantAdmin(name, Login)
	}
	s.GrantAs(superuser, "app_rw", "team")
	s.GrantAs(superuser, "pg_signal_backend", Login)
	return s
}

func (s *Server) number() int { s.numbers++; return s.numbers }

// AddRole makes a role that can't log in.
func (s *Server) AddRole(name string) { s.add(name, role{}) }

// AddUser makes one that can.
func (s *Server) AddUser(name string) { s.add(name, role{login: true}) }

// AddSuperuser makes a superuser.
func (s *Server) AddSuperuser(name string) { s.add(name, role{login: true, superuser: true}) }

// Expire has a user's password be of no use any more.
func (s *Server) Expire(name string) { s.alter(name, func(r *role) { r.expired = true }) }

// SetPassword changes it.
func (s *Server) SetPassword(name, password string) {
	s.alter(name, func(r *role) { r.password = password })
}

// SetCreateRole gives CREATEROLE.
func (s *Server) SetCreateRole(name string) { s.alter(name, func(r *role) { r.createRole = true }) }

// SetSuperuser makes a role a superuser.
func (s *Server) SetSuperuser(name string) { s.alter(name, func(r *role) { r.superuser = true }) }

func (s *Server) add(name string, r role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.number = s.number()
	s.roles[name] = &r
}

func (s *Server) alter(name string, change func(*role)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.roles[name])
}

// AddDatabase makes a database.
func (s *Server) AddDatabase(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.databases[name] = s.number()
}

// DropDatabase takes it away, with its sessions.
func (s *Server) DropDatabase(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.databases, name)
	s.sessions = slices.DeleteFunc(s.sessions, func(x Session) bool { return x.Database == name })
}

// DropRole takes a role or a user away, with all memberships.
func (s *Server) DropRole(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.roles, name)
	s.memberships = slices.DeleteFunc(s.memberships, func(m membership) bool { return m.role == name || m.member == name })
}

// GrantAs has somebody grant a membership.
func (s *Server) GrantAs(by, role, member string) { s.membership(by, role, member, false) }

// GrantAdmin gives the admin option on a role.
func (s *Server) GrantAdmin(role, member string) { s.membership(superuser, role, member, true) }

func (s *Server) membership(by, role, member string, admin bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside(role, member) {
		panic("a server refuses memberships in a circle")
	}
	s.enter(membership{role, member, by, admin})
}

// RevokeAs has somebody take back what they granted; before version 16, whoever
// granted it.
func (s *Server) RevokeAs(by, role, member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(by, role, member)
}

// Member tells whether the catalog has a membership that was granted by somebody;
// "" by anybody.
func (s *Server) Member(by, role, member string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.memberships, func(m membership) bool {
		return m.role == role && m.member == member && (by == "" || m.by == by)
	})
}

// Open has somebody open a session.
func (s *Server) Open(user, database string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = append(s.sessions, Session{user, database})
}

// Sessions lists those that people have.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sessions)
}

// Fail has the next statement that begins with a word end in an error.
func (s *Server) Fail(word, state, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[word] = [2]string{state, message}
}

// Connections counts those that were made, and gives the parameters of the last.
func (s *Server) Connections() (int, map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.params
}

// SetMood implements strategytest.System.
func (s *Server) SetMood(m strategytest.Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

// Changes implements strategytest.System.
func (s *Server) Changes() []strategytest.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changes)
}

// Refused implements strategytest.Refuser.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func roleOf(target flow.Target) string { return target.Settings[postgres.SettingRole] }

// Has implements strategytest.System.
func (s *Server) Has(target flow.Target, identity string) bool {
	return s.Member(Login, roleOf(target), identity)
}

// Give implements strategytest.Outsider: somebody uses the strategy's login.
func (s *Server) Give(target flow.Target, identity string) {
	s.GrantAs(Login, roleOf(target), identity)
}

// Take implements strategytest.Outsider.
func (s *Server) Take(target flow.Target, identity string) {
	s.RevokeAs(Login, roleOf(target), identity)
}

// DeleteTarget implements strategytest.Deleter.
func (s *Server) DeleteTarget(target flow.Target) { s.DropRole(roleOf(target)) }

// DeletePerson implements strategytest.Deleter.
func (s *Server) DeletePerson(identity string) { s.DropRole(identity) }

// GiveByway implements strategytest.Byway: a group that is in the role.
func (s *Server) GiveByway(_ flow.Target, identity string) { s.GrantAs(superuser, "team", identity) }
