package googlefake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const identityScope = "https://www.googleapis.com/auth/cloud-identity.groups"

var (
	identityReads  = []string{identityScope, identityScope + ".readonly", cloudScope}
	identityWrites = []string{identityScope, cloudScope}
)

var cloudIdentityRoutes = []route{
	{method: "GET", path: at("/v1/groups:lookup"), scopes: identityReads, params: []string{"groupKey.id", "groupKey.namespace"}, do: lookupGroup},
	{method: "GET", path: at("/v1/groups:search"), scopes: identityReads, params: []string{"query", "pageSize", "pageToken", "view"}, do: searchGroups},
	{method: "GET", path: at("/v1/groups/([^/:]+)/memberships:lookup"), scopes: identityReads, params: []string{"memberKey.id", "memberKey.namespace"}, do: lookupMembership},
	{method: "GET", path: at("/v1/groups/([^/:]+)/memberships:checkTransitiveMembership"), scopes: identityReads, params: []string{"query"}, do: checkTransitive},
	{method: "GET", path: at("/v1/groups/([^/:]+)/memberships"), scopes: identityReads, params: []string{"view", "pageSize", "pageToken"}, do: listMemberships},
	{method: "GET", path: at("/v1/groups/([^/:]+)/memberships/([^/:]+)"), scopes: identityReads, do: getMembership},
	{method: "POST", path: at("/v1/groups/([^/:]+)/memberships"), scopes: identityWrites, do: createMembership, change: creates},
	{method: "POST", path: at("/v1/groups/([^/:]+)/memberships/([^/:]+):modifyMembershipRoles"), scopes: identityWrites, do: modifyRoles, change: changesMember("escalate")},
	{method: "DELETE", path: at("/v1/groups/([^/:]+)/memberships/([^/:]+)"), scopes: identityWrites, do: deleteMembership, change: changesMember("deescalate")},
}

// The API's shapes.
type (
	entityKey struct {
		ID        string `json:"id"`
		Namespace string `json:"namespace,omitempty"`
	}
	membership struct {
		Name            string     `json:"name,omitempty"`
		Member          *entityKey `json:"preferredMemberKey,omitempty"`
		Roles           []role     `json:"roles,omitempty"`
		CreateTime      string     `json:"createTime,omitempty"`
		UpdateTime      string     `json:"updateTime,omitempty"`
		Type            string     `json:"type,omitempty"`
		DeliverySetting string     `json:"deliverySetting,omitempty"`
	}
	role struct {
		Name   string  `json:"name"`
		Expiry *expiry `json:"expiryDetail,omitempty"`
	}
	expiry struct {
		Time time.Time `json:"expireTime"`
	}
)

// unseen is how the API says of something that it is not there, or not for us.
func unseen(what string) error {
	return &fault{403, "PERMISSION_DENIED", fmt.Sprintf("Error(2028): Permission denied for resource %s (or it may not exist).", what), ""}
}

func lookupGroup(f *Fake, c *call) (any, error) {
	g := f.shown().groups[strings.ToLower(c.query.Get("groupKey.id"))]
	if g == nil {
		return nil, unseen("groups")
	}
	return map[string]string{"name": "groups/" + g.id}, nil
}

func byID(s *state, id string) (*group, error) {
	for _, g := range s.groups {
		if g.id == id {
			return g, nil
		}
	}
	return nil, unseen("groups/" + id)
}

func memberByID(s *state, groupID, id string) (*group, *member, error) {
	g, err := byID(s, groupID)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range g.members {
		if m.id == id {
			return g, m, nil
		}
	}
	return g, nil, &fault{404, "NOT_FOUND", fmt.Sprintf("Error(4001): Membership groups/%s/memberships/%s not found.", groupID, id), ""}
}

var searchQuery = regexp.MustCompile(`^parent == 'customers/([^']+)' && 'cloudidentity\.googleapis\.com/groups\.discussion_forum' in labels$`)

func searchGroups(f *Fake, c *call) (any, error) {
	q := searchQuery.FindStringSubmatch(c.query.Get("query"))
	if q == nil {
		return nil, invalid("Error(3002): invalid query")
	}
	var all []map[string]any
	for _, g := range sorted(f.shown().groups) {
		labels := map[string]string{"cloudidentity.googleapis.com/groups.discussion_forum": ""}
		if g.dynamic {
			labels["cloudidentity.googleapis.com/groups.dynamic"] = ""
		}
		if q[1] == Customer {
			all = append(all, map[string]any{"name": "groups/" + g.id, "groupKey": entityKey{ID: g.address}, "displayName": g.label, "parent": "customers/" + Customer, "labels": labels})
		}
	}
	part, next := page(all, c.query.Get("pageToken"))
	return withNext(map[string]any{"groups": part}, next), nil
}

// withNext adds the token of the next page, and takes out lists that are empty.
func withNext(answer map[string]any, next string) any {
	if next != "" {
		answer["nextPageToken"] = next
	}
	return answer
}

func lookupMembership(f *Fake, c *call) (any, error) {
	s := f.shown()
	g, err := byID(s, c.parts[0])
	if err != nil {
		return nil, err
	}
	who := c.query.Get("memberKey.id")
	m := g.members[strings.ToLower(who)]
	if m == nil && !s.known(who) {
		return nil, unseen("groups/" + g.id + "/memberships")
	}
	if m == nil {
		return nil, &fault{404, "NOT_FOUND", "Error(4004): Membership not found.", ""}
	}
	return map[string]string{"name": "groups/" + g.id + "/memberships/" + m.id}, nil
}

func (m *member) membership(s *state, g *group) membership {
	roles := []role{{Name: "MEMBER"}}
	if !m.until.IsZero() {
		roles[0].Expiry = &expiry{m.until}
	}
	if m.role != "MEMBER" {
		roles = append(roles, role{Name: m.role})
	}
	return membership{Name: "groups/" + g.id + "/memberships/" + m.id, Member: &entityKey{ID: m.address}, Roles: roles, Type: s.kind(m.address), CreateTime: "2026-03-01T11:00:00Z"}
}

func getMembership(f *Fake, c *call) (any, error) {
	g, m, err := memberByID(f.shown(), c.parts[0], c.parts[1])
	if err != nil {
		return nil, err
	}
	return m.membership(f.shown(), g), nil
}

func listMemberships(f *Fake, c *call) (any, error) {
	s := f.shown()
	g, err := byID(s, c.parts[0])
	if err != nil {
		return nil, err
	}
	var all []membership
	for _, m := range sorted(g.members) {
		one := m.membership(s, g)
		if c.query.Get("view") != "FULL" {
			one = membership{Name: one.Name, Member: one.Member, Roles: one.Roles}
			one.Roles[0].Expiry = nil
		}
		all = append(all, one)
	}
	part, next := page(all, c.query.Get("pageToken"))
	return withNext(map[string]any{"memberships": part}, next), nil
}

var memberQuery = regexp.MustCompile(`^member_key_id == '((?:[^'\\]|\\.)+)'$`)

func checkTransitive(f *Fake, c *call) (any, error) {
	s := f.shown()
	g, err := byID(s, c.parts[0])
	if err != nil {
		return nil, err
	}
	if !f.edition {
		return nil, &fault{403, "PERMISSION_DENIED", "Error(3006): This feature requires a Cloud Identity Premium or Workspace subscription.", ""}
	}
	q := memberQuery.FindStringSubmatch(c.query.Get("query"))
	if q == nil {
		return nil, invalid("Error(3002): invalid query")
	}
	if s.in(g, strings.ReplaceAll(q[1], `\`, "")) {
		return map[string]any{"hasMembership": true}, nil
	}
	return map[string]any{}, nil // false is left out
}

// place reads roles as the API takes them.
func (f *Fake) place(roles []role) (high string, until time.Time, err error) {
	names := map[string]bool{}
	for _, r := range roles {
		if names[r.Name] || !slices.Contains([]string{"MEMBER", "MANAGER", "OWNER"}, r.Name) {
			return "", time.Time{}, invalid("Error(2005): invalid roles")
		}
		names[r.Name] = true
		if high = r.Name; r.Expiry != nil {
			if r.Name != "MEMBER" || len(roles) > 1 {
				return "", time.Time{}, invalid("Error(2031): only MEMBER may have an expiry, and no other role beside it")
			}
			if err := f.mayEnd(r.Expiry.Time); err != nil {
				return "", time.Time{}, err
			}
			until = r.Expiry.Time
		}
	}
	if !names["MEMBER"] {
		return "", time.Time{}, invalid("MEMBER role must be specified")
	}
	for _, r := range []string{"MEMBER", "MANAGER", "OWNER"} {
		if names[r] {
			high = r
		}
	}
	return high, until, nil
}

func (f *Fake) mayEnd(at time.Time) error {
	if !f.edition {
		return &fault{403, "PERMISSION_DENIED", "Error(3005): This feature requires a Cloud Identity Premium or Workspace subscription.", ""}
	}
	if !at.After(f.clock()) {
		return invalid("Error(2032): expire_time must be in the future")
	}
	return nil
}

func creates(_ *Fake, c *call) strategytest.Change {
	var in membership
	if c.decode(&in) != nil || in.Member == nil {
		return strategytest.Change{Event: "escalate"}
	}
	return strategytest.Change{Event: "escalate", Identity: in.Member.ID}
}

func changesMember(event string) func(*Fake, *call) strategytest.Change {
	return func(f *Fake, c *call) strategytest.Change {
		_, m, err := memberByID(&f.state, c.parts[0], c.parts[1])
		if err != nil {
			return strategytest.Change{Event: event}
		}
		return strategytest.Change{Event: event, Identity: m.address}
	}
}

func createMembership(f *Fake, c *call) (any, error) {
	var in membership
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Member == nil || in.Member.ID == "" {
		return nil, invalid("preferred_member_key must be set")
	}
	g, err := byID(&f.state, c.parts[0])
	if err != nil {
		return nil, err
	}
	if g.dynamic {
		return nil, &fault{400, "FAILED_PRECONDITION", "Error(4005): memberships of a dynamic group can't be changed", ""}
	}
	if !f.state.known(in.Member.ID) {
		return nil, unseen("groups/" + g.id + "/memberships")
	}
	high, until, err := f.place(in.Roles)
	if err != nil {
		return nil, err
	}
	if g.members[strings.ToLower(in.Member.ID)] != nil {
		return nil, &fault{409, "ALREADY_EXISTS", fmt.Sprintf("Error(4003): Cannot create membership '%s' in 'groups/%s' because it already exists.", in.Member.ID, g.id), ""}
	}
	return operation{Done: true, Response: g.join(in.Member.ID, high, until).membership(&f.state, g)}, nil
}

func modifyRoles(f *Fake, c *call) (any, error) {
	var in struct {
		Add    []role   `json:"addRoles"`
		Remove []string `json:"removeRoles"`
		Update []struct {
			Mask string `json:"fieldMask"`
			Role role   `json:"membershipRole"`
		} `json:"updateRolesParams"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	g, m, err := memberByID(&f.state, c.parts[0], c.parts[1])
	if err != nil {
		return nil, err
	}
	if len(in.Update) > 0 && len(in.Add)+len(in.Remove) > 0 || len(in.Update)+len(in.Add)+len(in.Remove) == 0 || slices.Contains(in.Remove, "MEMBER") {
		return nil, invalid("Error(2040): roles are added and removed, or updated; MEMBER can't be removed")
	}
	if len(in.Update) > 0 {
		u := in.Update[0]
		if u.Mask != "expiry_detail.expire_time" || u.Role.Name != "MEMBER" || m.role != "MEMBER" {
			return nil, invalid("Error(2041): only the expiry of a MEMBER can be updated")
		}
		var until time.Time
		if u.Role.Expiry != nil {
			until = u.Role.Expiry.Time
			if err := f.mayEnd(until); err != nil {
				return nil, err
			}
		}
		m.until = until
		return map[string]any{"membership": m.membership(&f.state, g)}, nil
	}
	roles := slices.DeleteFunc(m.membership(&f.state, g).Roles, func(r role) bool { return slices.Contains(in.Remove, r.Name) })
	high, until, err := f.place(append(roles, in.Add...))
	if err != nil {
		return nil, err
	}
	m.role, m.until = high, until
	return map[string]any{"membership": m.membership(&f.state, g)}, nil
}

func deleteMembership(f *Fake, c *call) (any, error) {
	g, m, err := memberByID(&f.state, c.parts[0], c.parts[1])
	if err != nil {
		return nil, err
	}
	delete(g.members, strings.ToLower(m.address))
	return operation{Done: true, Response: map[string]string{"@type": "type.googleapis.com/google.protobuf.Empty"}}, nil
}
