package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
	"github.com/symflows/symflows/internal/vendorhttp"
)

var cloudIdentityAPI = google.API{
	Name: "Google's Cloud Identity API", Base: "https://cloudidentity.googleapis.com",
	Scopes:  []string{"https://www.googleapis.com/auth/cloud-identity.groups"},
	Reading: []string{"https://www.googleapis.com/auth/cloud-identity.groups.readonly"},
}

// forum is the label of groups that people are in.
const forum = "cloudidentity.googleapis.com/groups.discussion_forum"

// dynamic is the label of groups whose members follow from a query.
const dynamic = "cloudidentity.googleapis.com/groups.dynamic"

// cloudIdentity has the groups by the Cloud Identity API
// (https://cloud.google.com/identity/docs/reference/rest/v1/groups.memberships).
// It answers 403 for what is not there, as for what we may not see: what is what is
// told by another call, which would be refused in the second case only.
type cloudIdentity struct {
	api      *vendorhttp.Client
	groups   *directory // what else tells of a group
	accounts *google.Accounts
	customer string
}

func newCloudIdentity(apis *google.APIs, i *flow.Integration, d *directory, a *google.Accounts) *cloudIdentity {
	return &cloudIdentity{api: apis.Client(i, cloudIdentityAPI), groups: d, accounts: a, customer: customerOf(i)}
}

type entityKey struct {
	ID string `json:"id"`
}

type membership struct {
	Name   string    `json:"name,omitempty"`
	Member entityKey `json:"preferredMemberKey"`
	Type   string    `json:"type,omitempty"`
	Roles  []role    `json:"roles"`
}

type role struct {
	Name   string  `json:"name"`
	Expiry *expiry `json:"expiryDetail,omitempty"`
}

type expiry struct {
	Time time.Time `json:"expireTime"`
}

type operation struct {
	Done  bool
	Error *struct {
		Code    int
		Message string
	}
}

// name looks up the resource's name of a group.
func (c *cloudIdentity) name(ctx context.Context, group string) (string, error) {
	var got struct{ Name string }
	err := c.do(ctx, http.MethodGet, "/v1/groups:lookup", url.Values{"groupKey.id": {group}}, nil, &got)
	if google.Forbidden(err) {
		_, e := c.groups.group(ctx, group)
		if _, is := google.AsGone(e); is {
			return "", e
		}
		return "", err
	}
	if vendorhttp.Missing(err) {
		return "", &google.Gone{What: google.Group, Name: group}
	}
	if err == nil && !strings.HasPrefix(got.Name, "groups/") {
		return "", flow.Errorf(flow.CodeUnavailable, "Google has not said which group %s is", group)
	}
	return got.Name, err
}

func (c *cloudIdentity) find(ctx context.Context, group, person string) (place, error) {
	name, err := c.name(ctx, group)
	if err != nil {
		return place{}, err
	}
	var found, m membership
	err = c.do(ctx, http.MethodGet, "/v1/"+name+"/memberships:lookup", url.Values{"memberKey.id": {person}}, nil, &found)
	if err == nil {
		err = c.do(ctx, http.MethodGet, "/v1/"+found.Name, nil, nil, &m)
	}
	switch {
	case vendorhttp.Missing(err):
		return place{group: group, person: person}, nil
	case google.Forbidden(err): // as of who is not in it: the list tells
		all, err := c.list(ctx, name, group)
		if err != nil {
			return place{}, err
		}
		if i := slices.IndexFunc(all, func(p place) bool { return strings.EqualFold(p.person, person) }); i >= 0 {
			return all[i], nil
		}
		return place{group: group, person: person}, nil
	case err != nil:
		return place{}, err
	}
	return m.place(group), nil
}

func (m membership) place(group string) place {
	p := place{id: m.Name, group: group, person: m.Member.ID, nested: m.Type == "GROUP"}
	for _, r := range m.Roles {
		if p.role == "" || rank(r.Name) > rank(p.role) {
			p.role = r.Name
		}
		if r.Name == googlegroup.Member && r.Expiry != nil {
			p.until = r.Expiry.Time
		}
	}
	return p
}

// rank orders roles. One that is not known is the highest, so that it is noticed.
func rank(role string) int {
	if i := slices.Index(googlegroup.Roles, role); i >= 0 {
		return i
	}
	return len(googlegroup.Roles)
}

// roles are those of a place: whoever is more than a member is one, too.
func roles(high string, until time.Time) []role {
	all := []role{{Name: googlegroup.Member}}
	if !until.IsZero() {
		all[0].Expiry = &expiry{until.UTC()}
	}
	if high != googlegroup.Member {
		all = append(all, role{Name: high})
	}
	return all
}

func (c *cloudIdentity) ends(role string) bool { return role == googlegroup.Member }

func (c *cloudIdentity) add(ctx context.Context, group, person, role string, until time.Time) error {
	name, err := c.name(ctx, group)
	if err != nil {
		return err
	}
	var op operation
	err = c.do(ctx, http.MethodPost, "/v1/"+name+"/memberships", nil, membership{Member: entityKey{person}, Roles: roles(role, until)}, &op)
	if vendorhttp.Missing(err) {
		return &google.Gone{What: google.Account, Name: person}
	}
	if google.Forbidden(err) { // as of an account that is not there
		if e := c.accounts.Exists(ctx, person); e != nil {
			return e
		}
	}
	if err != nil {
		return err
	}
	return op.failure()
}

// failure is that of work which ended at once. What goes on is looked at later: the
// API has no way to ask after it.
func (o operation) failure() error {
	if o.Error == nil {
		return nil
	}
	const aborted, unavailable, exhausted, internal = 10, 14, 8, 13 // of google.rpc.Code
	code := flow.CodeStrategy
	if slices.Contains([]int{aborted, unavailable, exhausted, internal}, o.Error.Code) {
		code = flow.CodeUnavailable
	}
	return flow.Errorf(code, "Google could not change the group: %s", flow.Clip(o.Error.Message, 200))
}

// set changes the role and the end in the order that Google allows: no role goes
// with an end but MEMBER, and one call changes either.
func (c *cloudIdentity) set(ctx context.Context, found place, to string, until time.Time) error {
	type update struct {
		Mask string `json:"fieldMask"`
		Role role   `json:"membershipRole"`
	}
	modify := func(body map[string]any) error {
		return c.do(ctx, http.MethodPost, "/v1/"+found.id+":modifyMembershipRoles", nil, body, nil)
	}
	end := func(at time.Time) error {
		return modify(map[string]any{"updateRolesParams": []update{{"expiry_detail.expire_time", roles(googlegroup.Member, at)[0]}}})
	}
	ends := found.until
	if to != found.role {
		if !ends.IsZero() && to != googlegroup.Member {
			if err := end(time.Time{}); err != nil {
				return err
			}
			ends = time.Time{}
		}
		body := map[string]any{}
		if to != googlegroup.Member {
			body["addRoles"] = []role{{Name: to}}
		}
		if found.role != googlegroup.Member {
			body["removeRoles"] = []string{found.role}
		}
		if err := modify(body); err != nil {
			return err
		}
	}
	if ends.Equal(until) {
		return nil
	}
	return end(until)
}

func (c *cloudIdentity) remove(ctx context.Context, found place) error {
	var op operation
	err := c.do(ctx, http.MethodDelete, "/v1/"+found.id, nil, nil, &op)
	if vendorhttp.Missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return op.failure()
}

func (c *cloudIdentity) members(ctx context.Context, group string) ([]place, error) {
	name, err := c.name(ctx, group)
	if err != nil {
		return nil, err
	}
	return c.list(ctx, name, group)
}

func (c *cloudIdentity) list(ctx context.Context, name, group string) ([]place, error) {
	var all []place
	err := google.Pages(func(token string) (string, error) {
		var got struct {
			Memberships   []membership
			NextPageToken string
		}
		err := c.do(ctx, http.MethodGet, "/v1/"+name+"/memberships", query("view", "FULL", "pageSize", "500", "pageToken", token), nil, &got)
		for _, m := range got.Memberships {
			all = append(all, m.place(group))
		}
		return got.NextPageToken, err
	})
	return all, err
}

// within asks for memberships by any way, which editions without that refuse; then
// for a direct one.
func (c *cloudIdentity) within(ctx context.Context, group, person string) (bool, error) {
	name, err := c.name(ctx, group)
	if err != nil {
		return false, err
	}
	var got struct{ HasMembership bool }
	err = c.do(ctx, http.MethodGet, "/v1/"+name+"/memberships:checkTransitiveMembership", url.Values{"query": {"member_key_id == " + quoted(person)}}, nil, &got)
	if !google.Forbidden(err) {
		return got.HasMembership, err
	}
	found, err := c.find(ctx, group, person)
	return found.role != "", err
}

// quoted writes a text as the query language has it.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// all lists the groups, without those whose members nobody can change.
func (c *cloudIdentity) all(ctx context.Context) ([]flow.Target, error) {
	if c.customer == "" || c.customer == myCustomer {
		return nil, flow.Errorf(flow.CodeStrategy, "which Workspace's groups are to be listed is not said: set %s in the integration, like C046psxkn", strategy.SettingGoogleCustomer)
	}
	var found []flow.Target
	err := google.Pages(func(token string) (string, error) {
		var got struct {
			Groups []struct {
				Name, DisplayName string
				GroupKey          entityKey
				Labels            map[string]string
			}
			NextPageToken string
		}
		err := c.do(ctx, http.MethodGet, "/v1/groups:search", query(
			"query", "parent == "+quoted("customers/"+c.customer)+" && "+quoted(forum)+" in labels", "pageSize", "500", "view", "FULL", "pageToken", token,
		), nil, &got)
		for _, g := range got.Groups {
			if _, is := g.Labels[dynamic]; !is {
				found = append(found, target(strings.TrimPrefix(g.Name, "groups/"), g.DisplayName, g.GroupKey.ID))
			}
		}
		return got.NextPageToken, err
	})
	return found, err
}

func (c *cloudIdentity) do(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	return google.Failure(c.api.Do(ctx, method, path, query, body, answer), cloudIdentityAPI)
}

// query makes one of names and values, without those that are empty.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
