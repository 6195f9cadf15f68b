package googlefake

import (
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const directoryScope = "https://www.googleapis.com/auth/admin.directory."

var (
	readMembers  = []string{directoryScope + "group", directoryScope + "group.member", directoryScope + "group.member.readonly", directoryScope + "group.readonly"}
	writeMembers = []string{directoryScope + "group", directoryScope + "group.member"}
	readGroups   = []string{directoryScope + "group", directoryScope + "group.readonly"}
	readUsers    = []string{directoryScope + "user", directoryScope + "user.readonly"}
)

var directoryRoutes = []route{
	{method: "GET", path: at("/admin/directory/v1/groups"), scopes: readGroups, params: []string{"customer", "domain", "maxResults", "pageToken"}, admin: true, do: adminGroups},
	{method: "GET", path: at("/admin/directory/v1/groups/([^/]+)"), scopes: readGroups, admin: true, do: adminGroup},
	{method: "GET", path: at("/admin/directory/v1/groups/([^/]+)/members"), scopes: readMembers, params: []string{"maxResults", "pageToken", "includeDerivedMembership", "roles"}, admin: true, do: adminMembers},
	{method: "GET", path: at("/admin/directory/v1/groups/([^/]+)/members/([^/]+)"), scopes: readMembers, admin: true, do: adminMember},
	{method: "GET", path: at("/admin/directory/v1/groups/([^/]+)/hasMember/([^/]+)"), scopes: readMembers, admin: true, do: adminHasMember},
	{method: "POST", path: at("/admin/directory/v1/groups/([^/]+)/members"), scopes: writeMembers, admin: true, do: adminInsert, change: adminInserts},
	{method: "PATCH", path: at("/admin/directory/v1/groups/([^/]+)/members/([^/]+)"), scopes: writeMembers, admin: true, do: adminPatch, change: adminChanges("escalate")},
	{method: "DELETE", path: at("/admin/directory/v1/groups/([^/]+)/members/([^/]+)"), scopes: writeMembers, admin: true, do: adminDelete, change: adminChanges("deescalate")},
	{method: "GET", path: at("/admin/directory/v1/users/([^/]+)"), scopes: readUsers, params: []string{"projection"}, admin: true, do: adminUser},
}

type adminMemberOf struct {
	Kind   string `json:"kind,omitempty"`
	ID     string `json:"id,omitempty"`
	Email  string `json:"email,omitempty"`
	Role   string `json:"role,omitempty"`
	Type   string `json:"type,omitempty"`
	Status string `json:"status,omitempty"`
}

func noKey(which string) error {
	return &fault{404, "notFound", "Resource Not Found: " + which, ""}
}

func adminGroupOf(s *state, key string) (*group, error) {
	if g := s.groups[strings.ToLower(key)]; g != nil {
		return g, nil
	}
	return nil, noKey("groupKey")
}

func (g *group) admin() map[string]any {
	return map[string]any{"kind": "admin#directory#group", "id": g.id, "email": g.address, "name": g.label}
}

func adminGroups(f *Fake, c *call) (any, error) {
	if customer := c.query.Get("customer"); customer != "my_customer" && customer != Customer {
		return nil, &fault{400, "badRequest", "Bad Request", ""}
	}
	var all []map[string]any
	for _, g := range sorted(f.shown().groups) {
		all = append(all, g.admin())
	}
	part, next := page(all, c.query.Get("pageToken"))
	return withNext(map[string]any{"kind": "admin#directory#groups", "groups": part}, next), nil
}

func adminGroup(f *Fake, c *call) (any, error) {
	g, err := adminGroupOf(f.shown(), c.parts[0])
	if err != nil {
		return nil, err
	}
	return g.admin(), nil
}

func (m *member) admin(s *state) adminMemberOf {
	return adminMemberOf{Kind: "admin#directory#member", ID: m.id, Email: m.address, Role: m.role, Type: s.kind(m.address), Status: "ACTIVE"}
}

func adminMembers(f *Fake, c *call) (any, error) {
	s := f.shown()
	g, err := adminGroupOf(s, c.parts[0])
	if err != nil {
		return nil, err
	}
	var all []adminMemberOf
	for _, m := range sorted(g.members) {
		all = append(all, m.admin(s))
	}
	part, next := page(all, c.query.Get("pageToken"))
	answer := map[string]any{"kind": "admin#directory#members"}
	if len(part) > 0 {
		answer["members"] = part
	}
	return withNext(answer, next), nil
}

func adminMemberIn(s *state, c *call) (*group, *member, error) {
	g, err := adminGroupOf(s, c.parts[0])
	if err != nil {
		return nil, nil, err
	}
	if m := g.members[strings.ToLower(c.parts[1])]; m != nil {
		return g, m, nil
	}
	return g, nil, noKey("memberKey")
}

func adminMember(f *Fake, c *call) (any, error) {
	_, m, err := adminMemberIn(f.shown(), c)
	if err != nil {
		return nil, err
	}
	return m.admin(f.shown()), nil
}

func adminHasMember(f *Fake, c *call) (any, error) {
	s := f.shown()
	g, err := adminGroupOf(s, c.parts[0])
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(strings.ToLower(c.parts[1]), "@"+Domain) {
		return nil, &fault{400, "invalid", "Invalid Input: memberKey", ""}
	}
	if !s.known(c.parts[1]) {
		return nil, noKey("memberKey")
	}
	return map[string]bool{"isMember": s.in(g, c.parts[1])}, nil
}

func adminInserts(_ *Fake, c *call) strategytest.Change {
	var in adminMemberOf
	c.decode(&in)
	return strategytest.Change{Event: "escalate", Identity: in.Email}
}

func adminChanges(event string) func(*Fake, *call) strategytest.Change {
	return func(_ *Fake, c *call) strategytest.Change {
		return strategytest.Change{Event: event, Identity: c.parts[1]}
	}
}

func adminInsert(f *Fake, c *call) (any, error) {
	var in adminMemberOf
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	g, err := adminGroupOf(&f.state, c.parts[0])
	if err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains([]string{"MEMBER", "MANAGER", "OWNER"}, in.Role):
		return nil, &fault{400, "invalid", "Invalid Input: role", ""}
	case !f.state.known(in.Email):
		return nil, noKey("memberKey")
	case g.members[strings.ToLower(in.Email)] != nil:
		return nil, &fault{409, "duplicate", "Member already exists.", ""}
	}
	return g.join(in.Email, in.Role, time.Time{}).admin(&f.state), nil
}

func adminPatch(f *Fake, c *call) (any, error) {
	var in adminMemberOf
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	_, m, err := adminMemberIn(&f.state, c)
	if err != nil {
		return nil, err
	}
	m.role = in.Role
	return m.admin(&f.state), nil
}

func adminDelete(f *Fake, c *call) (any, error) {
	g, m, err := adminMemberIn(&f.state, c)
	if err != nil {
		return nil, err
	}
	delete(g.members, strings.ToLower(m.address))
	return nil, nil
}

func adminUser(f *Fake, c *call) (any, error) {
	if f.hidden {
		return nil, &fault{403, "forbidden", "Not Authorized to access this resource/api", ""}
	}
	for _, u := range f.state.users {
		if strings.EqualFold(u.address, c.parts[0]) || slices.ContainsFunc(u.aliases, func(a string) bool { return strings.EqualFold(a, c.parts[0]) }) {
			return map[string]any{"kind": "admin#directory#user", "id": u.id, "primaryEmail": u.address, "suspended": u.suspended, "archived": false}, nil
		}
	}
	return nil, noKey("userKey")
}
