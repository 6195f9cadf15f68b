package postgresfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/symflows/symflows/internal/strategy/postgres/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Error is what a server says of a statement.
type Error struct{ State, Message string }

func (e *Error) Error() string { return "ERROR: " + e.Message + "; SQLState: " + e.State }

func refuse(state, format string, args ...any) error {
	return &Error{state, fmt.Sprintf(format, args...)}
}

const name = `"((?:[^"]|"")+)"`

var (
	granting = regexp.MustCompile(`^GRANT ` + name + ` TO ` + name + `$`)
	revoking = regexp.MustCompile(`^REVOKE ` + name + ` FROM ` + name + `$`)
)

// perGrantor is the version that has a membership for each grantor.
const perGrantor = 160000

// Changes reads a statement that changes something: its event, and the names in
// it. ok is false for all others.
func changes(statement string) (event, role, member string, ok bool) {
	m, event := granting.FindStringSubmatch(statement), "escalate"
	if m == nil {
		m, event = revoking.FindStringSubmatch(statement), "deescalate"
	}
	if m == nil {
		return "", "", "", false
	}
	bare := func(quoted string) string { return strings.ReplaceAll(quoted, `""`, `"`) }
	return event, bare(m[1]), bare(m[2]), true
}

// Change implements awsfake.Database.
func (s *Server) Change(statement string) (event, identity string) {
	event, _, member, _ := changes(statement)
	return event, member
}

// Execute implements awsfake.Database. Of a statement with arguments :p1, :p2 it
// knows the one with $1, $2.
func (s *Server) Execute(login, database, statement string, named map[string]string) ([]string, error) {
	args := make([]string, len(named))
	for i := range args {
		n := strconv.Itoa(i + 1)
		arg, ok := named["p"+n]
		if !ok {
			return nil, refuse("42601", "there is no parameter p%s", n)
		}
		args[i], statement = arg, strings.ReplaceAll(statement, ":p"+n, "$"+n)
	}
	if err := s.connects(login, database); err != nil {
		return nil, err
	}
	if _, err := s.parse(statement); err != nil {
		return nil, err
	}
	text, _, err := s.execute(login, false, statement, args)
	if err != nil || text == nil {
		return nil, err
	}
	return []string{*text}, nil
}

// connects tells whether a login may connect to a database.
func (s *Server) connects(login, database string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := s.roles[login]; {
	case r == nil:
		return refuse("28P01", `password authentication failed for user "%s"`, login)
	case !r.login:
		return refuse("28000", `role "%s" is not permitted to log in`, login)
	case s.databases[database] == 0:
		return refuse("3D000", `database "%s" does not exist`, database)
	}
	return nil
}

// parse tells whether a statement answers with a text.
func (s *Server) parse(statement string) (answers bool, err error) {
	switch statement {
	case client.Look, client.Members, client.Users, client.Roles, client.End:
		return true, nil
	}
	if _, _, _, ok := changes(statement); ok {
		return false, nil
	}
	return false, refuse("42601", `syntax error: this fake does not know %q`, statement)
}

// execute runs a statement. A notice is what the server says beside its success.
func (s *Server) execute(login string, readOnly bool, statement string, args []string) (text *string, notice string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, statement)
	event, role, member, ok := changes(statement)
	if ok {
		s.changes = append(s.changes, strategytest.Change{Event: event, Identity: member})
	}
	word, _, _ := strings.Cut(statement, " ")
	if said, planned := s.fail[word]; planned {
		delete(s.fail, word)
		return nil, "", &Error{said[0], said[1]}
	}
	if ok {
		if readOnly {
			return nil, "", refuse("25006", "cannot execute %s ROLE in a read-only transaction", word)
		}
		notice, err = s.change(login, event, role, member)
		return nil, notice, err
	}
	var v any
	switch statement {
	case client.Look:
		v = s.look(login, args[0], args[1], args[2])
	case client.Members:
		v = s.members(login, args[0])
	case client.Users:
		v = s.users(args[0], args[1])
	case client.Roles:
		v = s.grantable(login)
	case client.End:
		n, err := s.end(login, args[0])
		t := strconv.Itoa(n)
		return &t, "", err
	}
	b, err := json.Marshal(v)
	t := string(b)
	return &t, "", err
}

// change grants or revokes, as src/backend/commands/user.c does.
func (s *Server) change(login, event, role, member string) (notice string, err error) {
	verb := map[string]string{"escalate": "grant", "deescalate": "revoke"}[event]
	for _, name := range []string{role, member} {
		if s.roles[name] == nil {
			return "", refuse("42704", `role "%s" does not exist`, name)
		}
	}
	me := s.roles[login]
	by := login
	if me.superuser && s.version >= perGrantor {
		by = superuser
	}
	switch {
	case s.roles[role].superuser && !me.superuser:
		return "", refuse("42501", `permission denied to %s role "%s"`, verb, role)
	case !s.admin(login, role):
		return "", refuse("42501", `permission denied to %s role "%s"`, verb, role)
	}
	if event == "deescalate" {
		if !s.remove(by, role, member) {
			return fmt.Sprintf(`WARNING: role "%s" is not a member of role "%s"`, member, role), nil
		}
		return "", nil
	}
	if s.inside(role, member) {
		return "", refuse("0LP01", `role "%s" is a member of role "%s"`, role, member)
	}
	if !s.enter(membership{role, member, by, false}) {
		return fmt.Sprintf(`NOTICE: role "%s" is already a member of role "%s"`, member, role), nil
	}
	return "", nil
}

// enter adds a membership. False: it was there, or, before version 16, one by
// somebody else was.
func (s *Server) enter(m membership) bool {
	for i, old := range s.memberships {
		if old.role == m.role && old.member == m.member && (old.by == m.by || s.version < perGrantor) {
			s.memberships[i].admin = old.admin || m.admin
			return false
		}
	}
	s.memberships = append(s.memberships, m)
	return true
}

func (s *Server) remove(by, role, member string) bool {
	before := len(s.memberships)
	s.memberships = slices.DeleteFunc(s.memberships, func(m membership) bool {
		return m.role == role && m.member == member && (m.by == by || s.version < perGrantor)
	})
	return len(s.memberships) < before
}

// admin tells whether a login may grant a role.
func (s *Server) admin(login, role string) bool {
	me := s.roles[login]
	return me.superuser || me.createRole && s.version < perGrantor || s.hasAdmin(login, role)
}

func (s *Server) hasAdmin(login, role string) bool {
	return slices.ContainsFunc(s.memberships, func(m membership) bool { return m.role == role && m.member == login && m.admin })
}

// reaches tells whether somebody is a role, or in it by whichever way
// (pg_has_role): superusers are in all.
func (s *Server) reaches(who, role string) bool {
	if who == role || s.roles[who].superuser {
		return true
	}
	return slices.ContainsFunc(s.memberships, func(m membership) bool { return m.member == who && s.reaches(m.role, role) })
}

// inside is the same, whoever is a superuser: what is looked at for circles.
func (s *Server) inside(who, role string) bool {
	return who == role || slices.ContainsFunc(s.memberships, func(m membership) bool { return m.member == who && s.inside(m.role, role) })
}

// power tells whether a role is a superuser, or in one.
func (s *Server) power(role string) bool {
	for name, r := range s.roles {
		if r.superuser && s.reaches(role, name) {
			return true
		}
	}
	return false
}

// ours is who the catalog has as the grantor of what a login grants, since
// version 16.
func (s *Server) ours(login string) string {
	if s.roles[login].superuser {
		return superuser
	}
	return login
}

func (s *Server) look(login, roleName, userName, database string) any {
	me, r, u := s.roles[login], s.roles[roleName], s.roles[userName]
	out := map[string]any{
		"version": s.version,
		"grantor": map[string]any{
			"name": login, "superuser": me.superuser, "createrole": me.createRole,
			"signals": s.reaches(login, "pg_signal_backend") || u != nil && s.reaches(login, userName),
		},
		"database": s.databases[database] != 0,
		"role":     nil, "user": nil, "memberships": nil,
	}
	if r != nil {
		out["role"] = map[string]any{"superuser": s.power(roleName), "grantor": s.reaches(roleName, login), "admin": s.hasAdmin(login, roleName)}
	}
	if u != nil {
		out["user"] = map[string]any{"login": u.login, "superuser": u.superuser, "grantor": userName == login}
	}
	if r == nil || u == nil {
		return out
	}
	var list []map[string]any
	for _, m := range s.memberships {
		if m.member == userName && s.reaches(m.role, roleName) {
			list = append(list, map[string]any{"role": m.role, "direct": m.role == roleName, "by": m.by, "ours": m.by == s.ours(login)})
		}
	}
	slices.SortFunc(list, func(a, b map[string]any) int {
		return strings.Compare(fmt.Sprint(a["role"], a["by"]), fmt.Sprint(b["role"], b["by"]))
	})
	if list != nil {
		out["memberships"] = list
	}
	return out
}

func (s *Server) members(login, role string) []string {
	list := []string{}
	for _, m := range s.memberships {
		if m.role == role && s.roles[m.member].login && m.member != login && (s.version < perGrantor || m.by == s.ours(login)) && !slices.Contains(list, m.member) {
			list = append(list, m.member)
		}
	}
	slices.Sort(list)
	return list
}

func (s *Server) users(names ...string) []string {
	list := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		r := s.roles[name]
		if r.login && !r.expired && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			list = append(list, name)
		}
	}
	return list
}

func (s *Server) grantable(login string) []map[string]string {
	list := []map[string]string{}
	for _, role := range slices.Sorted(maps.Keys(s.roles)) {
		if s.roles[role].login || strings.HasPrefix(role, "pg_") || strings.HasPrefix(role, "rds") || s.power(role) || s.reaches(role, login) || !s.admin(login, role) {
			continue
		}
		for _, database := range slices.Sorted(maps.Keys(s.databases)) {
			list = append(list, map[string]string{
				"role": role, "role_id": strconv.Itoa(s.roles[role].number), "database": database, "database_id": strconv.Itoa(s.databases[database]),
			})
		}
	}
	return list
}

func (s *Server) end(login, user string) (int, error) {
	before := len(s.sessions)
	for _, x := range s.sessions {
		if x.User != user {
			continue
		}
		switch {
		case s.roles[login].superuser:
		case s.roles[user] != nil && s.roles[user].superuser, !s.reaches(login, "pg_signal_backend") && !s.reaches(login, user):
			return 0, refuse("42501", "permission denied to terminate process")
		}
	}
	s.sessions = slices.DeleteFunc(s.sessions, func(x Session) bool { return x.User == user })
	return before - len(s.sessions), nil
}
