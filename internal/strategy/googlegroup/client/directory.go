package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/vendorhttp"
)

const (
	scopeGroups  = "https://www.googleapis.com/auth/admin.directory.group.readonly"
	scopeMembers = "https://www.googleapis.com/auth/admin.directory.group.member"

	base       = "https://admin.googleapis.com"
	root       = "/admin/directory/v1"
	myCustomer = "my_customer"
)

// For members and groups, and for groups alone.
var (
	membersAPI = google.API{Name: "Google's Admin SDK API", Base: base, Scopes: []string{scopeGroups, scopeMembers}, Reading: []string{scopeGroups, scopeMembers + ".readonly"}}
	groupsAPI  = google.API{Name: "Google's Admin SDK API", Base: base, Scopes: []string{scopeGroups}, Reading: []string{scopeGroups}}
)

// directory has the groups by the Directory API of the Admin SDK
// (https://developers.google.com/workspace/admin/directory/reference/rest).
type directory struct {
	memberAPI, groupAPI *vendorhttp.Client
	customer            string
}

func newDirectory(apis *google.APIs, i *flow.Integration) *directory {
	return &directory{
		memberAPI: apis.Client(i, membersAPI), groupAPI: apis.Client(i, groupsAPI), customer: customerOf(i),
	}
}

func customerOf(i *flow.Integration) string {
	if i == nil {
		return ""
	}
	return i.Settings[strategy.SettingGoogleCustomer]
}

type member struct {
	Email string `json:"email"`
	Role  string `json:"role"`
	Type  string `json:"type,omitempty"`
}

func (m member) place(group string) place {
	return place{id: m.Email, group: group, person: m.Email, role: m.Role, nested: m.Type == "GROUP"}
}

func membersPath(group string, more ...string) string {
	return root + vendorhttp.Path(append([]string{"groups", group, "members"}, more...)...)
}

// group looks for a group. The error is a google.Gone if it is not there, which Google says
// to those only who may see groups.
func (d *directory) group(ctx context.Context, group string) (id string, err error) {
	var got struct{ ID string }
	err = d.do(ctx, d.groupAPI, http.MethodGet, root+vendorhttp.Path("groups", group), nil, nil, &got)
	if vendorhttp.Missing(err) {
		return "", &google.Gone{What: google.Group, Name: group}
	}
	return got.ID, err
}

// missing says what of a membership it was that Google does not have.
func (d *directory) missing(ctx context.Context, group, person string) error {
	if _, err := d.group(ctx, group); err != nil {
		return err
	}
	return &google.Gone{What: google.Account, Name: person}
}

func (d *directory) find(ctx context.Context, group, person string) (place, error) {
	var m member
	err := d.do(ctx, d.memberAPI, http.MethodGet, membersPath(group, person), nil, nil, &m)
	if vendorhttp.Missing(err) {
		_, err := d.group(ctx, group)
		return place{group: group, person: person}, err
	}
	if err != nil {
		return place{}, err
	}
	return m.place(group), nil
}

func (d *directory) ends(string) bool { return false }

func (d *directory) add(ctx context.Context, group, person, role string, _ time.Time) error {
	err := d.do(ctx, d.memberAPI, http.MethodPost, membersPath(group), nil, member{Email: person, Role: role}, nil)
	if vendorhttp.Missing(err) {
		return d.missing(ctx, group, person)
	}
	return err
}

func (d *directory) set(ctx context.Context, found place, role string, _ time.Time) error {
	return d.do(ctx, d.memberAPI, http.MethodPatch, membersPath(found.group, found.id), nil, map[string]string{"role": role}, nil)
}

func (d *directory) remove(ctx context.Context, found place) error {
	err := d.do(ctx, d.memberAPI, http.MethodDelete, membersPath(found.group, found.id), nil, nil, nil)
	if vendorhttp.Missing(err) {
		return nil
	}
	return err
}

func (d *directory) members(ctx context.Context, group string) ([]place, error) {
	var all []place
	err := google.Pages(func(token string) (string, error) {
		var got struct {
			Members       []member
			NextPageToken string
		}
		err := d.do(ctx, d.memberAPI, http.MethodGet, membersPath(group), query("maxResults", "200", "pageToken", token), nil, &got)
		for _, m := range got.Members {
			if m.Email != "" { // all users of a domain have none
				all = append(all, m.place(group))
			}
		}
		return got.NextPageToken, err
	})
	if vendorhttp.Missing(err) {
		return nil, &google.Gone{What: google.Group, Name: group}
	}
	return all, err
}

// within asks for memberships by any way. Google refuses that of accounts of other
// domains; then for a direct one.
func (d *directory) within(ctx context.Context, group, person string) (bool, error) {
	var got struct{ IsMember bool }
	err := d.do(ctx, d.memberAPI, http.MethodGet, root+vendorhttp.Path("groups", group, "hasMember", person), nil, nil, &got)
	switch {
	case vendorhttp.Missing(err):
		return false, d.missing(ctx, group, person)
	case vendorhttp.StatusOf(err) == http.StatusBadRequest:
		found, err := d.find(ctx, group, person)
		return found.role != "", err
	}
	return got.IsMember, err
}

func (d *directory) all(ctx context.Context) ([]flow.Target, error) {
	customer := d.customer
	if customer == "" {
		customer = myCustomer
	}
	var found []flow.Target
	err := google.Pages(func(token string) (string, error) {
		var got struct {
			Groups        []struct{ ID, Email, Name string }
			NextPageToken string
		}
		err := d.do(ctx, d.groupAPI, http.MethodGet, root+"/groups", query("customer", customer, "maxResults", "200", "pageToken", token), nil, &got)
		for _, g := range got.Groups {
			found = append(found, target(g.ID, g.Name, g.Email))
		}
		return got.NextPageToken, err
	})
	return found, err
}

func (d *directory) do(ctx context.Context, c *vendorhttp.Client, method, path string, query url.Values, body, answer any) error {
	return google.Failure(c.Do(ctx, method, path, query, body, answer), membersAPI)
}
