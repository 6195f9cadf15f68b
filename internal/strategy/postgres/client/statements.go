package client

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// session is a way to a server, as one login of it.
type session interface {
	// ask runs a statement that answers with one text.
	ask(ctx context.Context, statement string, args ...string) (string, error)
	// do runs a statement that answers nothing.
	do(ctx context.Context, statement string) error
	close()
}

// The statements, for PostgreSQL 10 and later. $1 and so on are their arguments.
// Since version 16 there is a membership for each grantor, which is the first
// superuser (number 10) where a superuser grants.
const (
	// Look answers with all that is to be known of role $1, of user $2 in it, and
	// of whether there is a database $3.
	Look = `SELECT CAST(json_build_object(` +
		`'version', CAST(current_setting('server_version_num') AS integer), ` +
		`'grantor', json_build_object('name', me.rolname, 'superuser', me.rolsuper, 'createrole', me.rolcreaterole, ` +
		`'signals', me.rolsuper OR pg_has_role(me.oid, CAST('pg_signal_backend' AS name), 'USAGE') OR u.oid IS NOT NULL AND pg_has_role(me.oid, u.oid, 'USAGE')), ` +
		`'database', EXISTS (SELECT 1 FROM pg_database d WHERE d.datname = $3), ` +
		`'role', CASE WHEN r.oid IS NOT NULL THEN json_build_object(` +
		`'superuser', EXISTS (SELECT 1 FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER')), ` +
		`'grantor', pg_has_role(r.oid, me.oid, 'MEMBER'), ` +
		`'admin', EXISTS (SELECT 1 FROM pg_auth_members a WHERE a.roleid = r.oid AND a.member = me.oid AND a.admin_option)) END, ` +
		`'user', CASE WHEN u.oid IS NOT NULL THEN json_build_object('login', u.rolcanlogin, 'superuser', u.rolsuper, 'grantor', u.oid = me.oid) END, ` +
		`'memberships', (SELECT json_agg(json_build_object('role', g.rolname, 'direct', m.roleid = r.oid, 'by', b.rolname, ` +
		`'ours', m.grantor = CASE WHEN me.rolsuper THEN 10 ELSE me.oid END) ORDER BY g.rolname, b.rolname) ` +
		`FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid LEFT JOIN pg_roles b ON b.oid = m.grantor ` +
		`WHERE m.member = u.oid AND pg_has_role(m.roleid, r.oid, 'MEMBER'))) AS text) ` +
		`FROM pg_roles me LEFT JOIN pg_roles r ON r.rolname = $1 LEFT JOIN pg_roles u ON u.rolname = $2 WHERE me.rolname = current_user`
	// Members answers with the users in role $1.
	Members = `SELECT CAST(coalesce(json_agg(DISTINCT u.rolname), '[]') AS text) ` +
		`FROM pg_roles me JOIN pg_roles r ON r.rolname = $1 JOIN pg_auth_members m ON m.roleid = r.oid JOIN pg_roles u ON u.oid = m.member ` +
		`WHERE me.rolname = current_user AND u.rolcanlogin AND u.oid <> me.oid ` +
		`AND (CAST(current_setting('server_version_num') AS integer) < 160000 OR m.grantor = CASE WHEN me.rolsuper THEN 10 ELSE me.oid END)`
	// Users answers with those who may log in and are named $1 or $2, in any case
	// of letters.
	Users = `SELECT CAST(coalesce(json_agg(u.rolname ORDER BY u.rolname), '[]') AS text) FROM pg_roles u ` +
		`WHERE u.rolcanlogin AND (u.rolvaliduntil IS NULL OR u.rolvaliduntil > now()) AND lower(CAST(u.rolname AS text)) IN (lower($1), lower($2))`
	// Roles answers with the roles that we may grant, and the databases that each
	// may connect to.
	Roles = `SELECT CAST(coalesce(json_agg(json_build_object('role', r.rolname, 'role_id', CAST(r.oid AS text), 'database', d.datname, 'database_id', CAST(d.oid AS text)) ` +
		`ORDER BY r.rolname, d.datname), '[]') AS text) ` +
		`FROM pg_roles me JOIN pg_roles r ON NOT r.rolcanlogin AND r.rolname !~ '^(pg_|rds)' AND NOT pg_has_role(r.oid, me.oid, 'MEMBER') ` +
		`JOIN pg_database d ON d.datallowconn AND NOT d.datistemplate AND d.datname <> 'rdsadmin' AND has_database_privilege(r.oid, d.oid, 'CONNECT') ` +
		`WHERE me.rolname = current_user AND NOT EXISTS (SELECT 1 FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER')) ` +
		`AND (me.rolsuper OR me.rolcreaterole AND CAST(current_setting('server_version_num') AS integer) < 160000 ` +
		`OR EXISTS (SELECT 1 FROM pg_auth_members a WHERE a.roleid = r.oid AND a.member = me.oid AND a.admin_option))`
	// End ends the sessions of user $1, in whichever database they took the role on,
	// and answers with how many.
	End = `SELECT CAST(count(*) AS text) FROM (SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity ` +
		`WHERE usename = $1 AND pid <> pg_backend_pid()) AS sessions WHERE ended`
)

func grant(role, user string) string  { return "GRANT " + quoted(role) + " TO " + quoted(user) }
func revoke(role, user string) string { return "REVOKE " + quoted(role) + " FROM " + quoted(user) }

// quoted makes a name part of a statement. Names with a zero byte, which have no
// form in PostgreSQL, are not let in: see the checks of settings and identities.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// perGrantor is the version that has a membership for each grantor.
const perGrantor = 160000

// sight is what Look answers. Role and User are nil where there is none.
type sight struct {
	Version int `json:"version"`
	Grantor struct {
		Name       string `json:"name"`
		Superuser  bool   `json:"superuser"`
		CreateRole bool   `json:"createrole"`
		Signals    bool   `json:"signals"` // may end the user's sessions
	} `json:"grantor"`
	Database bool `json:"database"`
	Role     *struct {
		Superuser bool `json:"superuser"` // or a member of one
		Grantor   bool `json:"grantor"`   // is our login, or a member of it
		Admin     bool `json:"admin"`     // our login has the admin option on it
	} `json:"role"`
	User *struct {
		Login     bool `json:"login"`
		Superuser bool `json:"superuser"`
		Grantor   bool `json:"grantor"` // is our login
	} `json:"user"`
	// Memberships of the user that give them the role.
	Memberships []struct {
		Role   string `json:"role"`
		Direct bool   `json:"direct"` // in the role itself
		By     string `json:"by"`     // who granted it; "" if they are gone
		Ours   bool   `json:"ours"`
	} `json:"memberships"`
}

// present tells whether the user has the membership that we give and take. Before
// version 16 there is one, whoever granted it.
func (s sight) present() bool {
	for _, m := range s.Memberships {
		if m.Direct && (m.Ours || s.Version < perGrantor) {
			return true
		}
	}
	return false
}

// others say by what else the user has the role.
func (s sight) others() []string {
	var others []string
	if s.User != nil && s.User.Superuser {
		others = append(others, "being a superuser")
	}
	for _, m := range s.Memberships {
		switch {
		case !m.Direct:
			others = append(others, "role "+m.Role)
		case !m.Ours && s.Version >= perGrantor:
			others = append(others, "a membership that "+m.By+" has granted")
		}
	}
	return others
}

// look reads what there is of a role and a user.
func look(ctx context.Context, on session, role, user, database string) (sight, error) {
	return read[sight](ctx, on, Look, role, user, database)
}

// read asks for a text that is JSON.
func read[T any](ctx context.Context, on session, statement string, args ...string) (T, error) {
	var v T
	text, err := on.ask(ctx, statement, args...)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, &flow.Error{Code: flow.CodeUnavailable, Message: "PostgreSQL gave an answer that can't be understood", Cause: err}
	}
	return v, nil
}
