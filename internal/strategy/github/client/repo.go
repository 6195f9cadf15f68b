package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// The queries of a repository: of one person's access, by its name or by its id,
// which outlives the name; and of all who have access by themselves.
const (
	collaboratorFields = `id nameWithOwner
    collaborators(login: $login, first: 1) { ...access }`

	accessFields = `
fragment access on RepositoryCollaboratorConnection {
  edges {
    node { login }
    permissionSources {
      permission
      roleName
      source {
        __typename
        ... on Organization { login }
        ... on Team { slug }
      }
    }
  }
  pageInfo { hasNextPage endCursor }
}`

	collaboratorQuery = `query Collaborator($owner: String!, $name: String!, $login: String!) {
  repository(owner: $owner, name: $name) {
    ` + collaboratorFields + `
  }
}` + accessFields

	collaboratorByIDQuery = `query CollaboratorByID($id: ID!, $login: String!) {
  node(id: $id) {
    ... on Repository {
    ` + collaboratorFields + `
    }
  }
}` + accessFields

	collaboratorsQuery = `query Collaborators($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    id
    nameWithOwner
    collaborators(affiliation: DIRECT, first: 100, after: $after) { ...access }
  }
}` + accessFields
)

// repository is one of GitHub, with the access of those who were asked for.
type repository struct {
	ID            string         `json:"id"`
	NameWithOwner string         `json:"nameWithOwner"`
	Collaborators *collaborators `json:"collaborators"`
}

type collaborators struct {
	Edges []struct {
		Node struct {
			Login string `json:"login"`
		} `json:"node"`
		PermissionSources []source `json:"permissionSources"`
	} `json:"edges"`
	PageInfo page `json:"pageInfo"`
}

// source is where a person has a permission from.
type source struct {
	Permission string `json:"permission"` // READ, WRITE, ADMIN
	RoleName   string `json:"roleName"`   // more exact, in GitHub's newer words
	Source     struct {
		Type  string `json:"__typename"` // Organization, Team, Repository
		Login string `json:"login"`
		Slug  string `json:"slug"`
	} `json:"source"`
}

// named are GitHub's newer words for permissions, by which it shows what is set by
// the older ones.
var named = map[string]string{"read": "pull", "triage": "triage", "write": "push", "maintain": "maintain", "admin": "admin"}

// newer gives the newer word.
func newer(permission string) string {
	for word, p := range named {
		if p == permission {
			return word
		}
	}
	return permission
}

// value is the permission of the source; of a role that the organization has made
// itself, the role's name.
func (s source) value() string {
	role := strings.ToLower(s.RoleName)
	if role == "" {
		role = strings.ToLower(s.Permission)
	}
	if p, ok := named[role]; ok {
		return p
	}
	if slices.Contains(github.Permissions, role) {
		return role
	}
	return s.RoleName
}

// gives tells whether the source gives at least a permission. A role of the
// organization's own counts as what it is built on.
func (s source) gives(permission string) bool {
	value := s.value()
	if !slices.Contains(github.Permissions, value) {
		value = named[strings.ToLower(s.Permission)]
	}
	return slices.Index(github.Permissions, value) >= slices.Index(github.Permissions, permission)
}

func (s source) String() string {
	if s.Source.Type == "Team" {
		return fmt.Sprintf("team %s (%s)", s.Source.Slug, s.value())
	}
	return fmt.Sprintf("the organization %s (%s), by its base permission or as one of its owners", s.Source.Login, s.value())
}

// access is what a person has at a repository.
type access struct {
	id    string // of the repository
	name  string // and its name now: acme/orders
	own   string // the permission of their own, or the role that the organization has made; "": none
	other []source
}

// accessOf reads what a person has. missing is what GitHub does not show: it may know
// no such person.
func accessOf(r repository, login, missing string) (*access, error) {
	if r.Collaborators == nil && missing == "" {
		return nil, flow.Errorf(flow.CodeStrategy, "GitHub does not show who has access to %s to what we sign in with: give it the permissions that the guide lists", r.NameWithOwner)
	}
	a := &access{id: r.ID, name: r.NameWithOwner}
	if r.Collaborators == nil {
		return a, nil
	}
	for _, e := range r.Collaborators.Edges {
		if !strings.EqualFold(e.Node.Login, login) {
			continue
		}
		for _, s := range e.PermissionSources {
			switch {
			case s.Source.Type == "Repository":
				a.own = s.value()
			case s.Permission != "NONE":
				a.other = append(a.other, s)
			}
		}
	}
	return a, nil
}

// others tells by what else the person has at least a permission.
func (a access) others(permission string) []string {
	var others []string
	for _, s := range a.other {
		if s.gives(permission) {
			others = append(others, s.String())
		}
	}
	return others
}

// path is that of the repository, by the name that it has now.
func (a access) path(parts ...string) string {
	owner, name, _ := strings.Cut(a.name, "/")
	return vendorhttp.Path(append([]string{"repos", owner, name}, parts...)...)
}

// fullName is that of a target's repository: acme/orders.
func (h *hub) fullName(t flow.Target) string {
	return github.OrgOf(h.frozen, t) + "/" + t.Settings[github.SettingRepo]
}

// access reads what the person has. nil: GitHub shows no such repository. A
// repository that has another name by now is found by the old one.
func (h *hub) access(ctx context.Context, api *vendorhttp.Client, c strategy.Call) (*access, error) {
	var data struct {
		Repository *repository `json:"repository"`
	}
	missing, err := h.query(ctx, api, collaboratorQuery, map[string]any{
		"owner": github.OrgOf(h.frozen, c.Target), "name": c.Target.Settings[github.SettingRepo], "login": c.Identity,
	}, &data)
	if err != nil || data.Repository == nil {
		return nil, err
	}
	return accessOf(*data.Repository, c.Identity, missing)
}

// invitation is one to a repository that was not accepted.
type invitation struct {
	ID      int64 `json:"id"`
	Invitee *struct {
		Login string `json:"login"`
	} `json:"invitee"`
	Permissions string `json:"permissions"` // by the newer words
	Expired     bool   `json:"expired"`
	URL         string `json:"html_url"`
}

// invitations are those of the person.
func (h *hub) invitations(ctx context.Context, api *vendorhttp.Client, a access, login string) ([]invitation, error) {
	var theirs []invitation
	for list, err := range vendorhttp.Pages[[]invitation](ctx, api, a.path("invitations"), perPage) {
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			if i.Invitee != nil && strings.EqualFold(i.Invitee.Login, login) {
				theirs = append(theirs, i)
			}
		}
	}
	return theirs, nil
}

var perPage = url.Values{"per_page": {"100"}}

func (h *hub) observeCollaborator(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	api := h.api(repositories)
	a, err := h.access(ctx, api, c)
	if err != nil {
		return strategy.Sight{}, err
	}
	if a == nil {
		return strategy.Sight{Presence: flow.Absent}, h.sure(ctx, api, c.Target)
	}
	sight := strategy.Sight{Presence: flow.Absent, Others: a.others(wanted(c))}
	if a.own != "" {
		sight.Presence, sight.Value = flow.Present, a.own
		return sight, nil
	}
	invitations, err := h.invitations(ctx, api, *a, c.Identity)
	if err != nil {
		return strategy.Sight{}, err
	}
	for _, i := range invitations {
		if !i.Expired {
			sight.Presence, sight.Value = flow.Invited, named[i.Permissions]
			sight.Todo = "Accept the invitation to " + a.name + ": " + i.URL + ", or in the mail from GitHub."
		}
	}
	return sight, nil
}

// given is the output of a grant: what it was of, by ids that outlive names.
type given struct {
	Repository string `json:"repository_id,omitempty"`
	User       int64  `json:"user_id,omitempty"`
}

// addCollaborator sets the permission, and gives the repository's id. GitHub tells nothing of what it replaces, so
// that this is read before.
func (h *hub) addCollaborator(ctx context.Context, c strategy.Call) (id string, err error) {
	api, permission, name := h.api(repositories), wanted(c), h.fullName(c.Target)
	a, err := h.access(ctx, api, c)
	switch {
	case err != nil:
		return "", err
	case a == nil:
		return "", flow.Errorf(flow.CodeStrategy, "GitHub shows no repository %s to what we sign in with: correct the target, or let the app see the repository", name)
	case !strings.EqualFold(a.name, name):
		return "", renamed(name, a.name)
	case a.own != "" && !slices.Contains(github.Permissions, a.own):
		return "", flow.Errorf(flow.CodeStrategy, "%s has the role %s in %s, which the organization has made itself and which is not replaced: take it from them first, or give them the access yourself", c.Identity, flow.Clip(a.own, 100), name)
	}
	if a.own == permission {
		return a.id, nil
	}
	if a.own == "" {
		if invited, err := h.reinvite(ctx, api, *a, c.Identity, permission); err != nil || invited {
			return a.id, h.refusal(ctx, api, c, err)
		}
	}
	err = api.Do(ctx, http.MethodPut, a.path("collaborators", c.Identity), nil, map[string]string{"permission": permission}, nil)
	return a.id, h.refusal(ctx, api, c, err)
}

// reinvite brings an invitation that is there to the permission, and says whether
// there is one. Those that have expired are taken away: they can't be accepted.
func (h *hub) reinvite(ctx context.Context, api *vendorhttp.Client, a access, login, permission string) (bool, error) {
	invitations, err := h.invitations(ctx, api, a, login)
	if err != nil {
		return false, err
	}
	invited := false
	for _, i := range invitations {
		switch {
		case i.Expired:
			err = h.uninvite(ctx, api, a, i)
		case named[i.Permissions] == permission:
			invited = true
		default:
			invited = true
			err = api.Do(ctx, http.MethodPatch, a.path("invitations", fmt.Sprint(i.ID)), nil, map[string]string{"permissions": newer(permission)}, nil)
		}
		if err != nil {
			return false, err
		}
	}
	return invited, nil
}

// uninvite takes an invitation back. One that is not there any more was accepted or
// declined meanwhile.
func (h *hub) uninvite(ctx context.Context, api *vendorhttp.Client, a access, i invitation) error {
	err := api.Do(ctx, http.MethodDelete, a.path("invitations", fmt.Sprint(i.ID)), nil, nil, nil)
	if vendorhttp.Missing(err) {
		return nil
	}
	return err
}

// removeCollaborator takes the permission and all invitations back. GitHub is asked
// even where it shows nothing, which may be of before. A repository that was renamed
// since is found by its id: another may have its old name.
func (h *hub) removeCollaborator(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	api, name := h.api(repositories), h.fullName(c.Target)
	a, err := h.access(ctx, api, c)
	if err != nil {
		return strategy.Result{}, err
	}
	var was given
	if json.Unmarshal(c.Output, &was) == nil && was.Repository != "" && (a == nil || a.id != was.Repository) {
		if a, err = h.accessByID(ctx, api, c, was.Repository); err != nil {
			return strategy.Result{}, err
		}
	}
	if a == nil {
		return strategy.Gone("GitHub does not have the repository " + name), h.sure(ctx, api, c.Target)
	}
	var result strategy.Result
	if !strings.EqualFold(a.name, name) {
		result.Warnings = append(result.Warnings, "The repository "+name+" is "+a.name+" by now: the access was removed there")
	}
	invitations, err := h.invitations(ctx, api, *a, c.Identity)
	if err != nil {
		return strategy.Result{}, err
	}
	for _, i := range invitations {
		if err := h.uninvite(ctx, api, *a, i); err != nil {
			return strategy.Result{}, err
		}
	}
	err = api.Do(ctx, http.MethodDelete, a.path("collaborators", c.Identity), nil, nil, nil)
	if err != nil && !vendorhttp.Missing(err) {
		return strategy.Result{}, h.refusal(ctx, api, c, err)
	}
	if a.own == "" && len(invitations) == 0 {
		gone, err := h.personGone(ctx, api, c.Identity)
		if err != nil {
			return strategy.Result{}, err
		}
		result.Warnings = append(result.Warnings, gone...)
	}
	return result, nil
}

func (h *hub) accessByID(ctx context.Context, api *vendorhttp.Client, c strategy.Call, id string) (*access, error) {
	var data struct {
		Node *repository `json:"node"`
	}
	missing, err := h.query(ctx, api, collaboratorByIDQuery, map[string]any{"id": id, "login": c.Identity}, &data)
	if err != nil || data.Node == nil {
		return nil, err
	}
	return accessOf(*data.Node, c.Identity, missing)
}

// collaborators lists who has a permission of their own.
func (h *hub) collaborators(ctx context.Context, target flow.Target) ([]string, error) {
	api := h.api(repositories)
	var holders []string
	for after := (any)(nil); ; {
		var data struct {
			Repository *repository `json:"repository"`
		}
		_, err := h.query(ctx, api, collaboratorsQuery, map[string]any{
			"owner": github.OrgOf(h.frozen, target), "name": target.Settings[github.SettingRepo], "after": after,
		}, &data)
		if err != nil {
			return nil, err
		}
		if data.Repository == nil {
			return nil, h.sure(ctx, api, target)
		}
		list := data.Repository.Collaborators
		if list == nil {
			_, err := accessOf(*data.Repository, "", "")
			return nil, err
		}
		for _, e := range list.Edges {
			own := func(s source) bool { return s.Source.Type == "Repository" }
			if slices.ContainsFunc(e.PermissionSources, own) {
				holders = append(holders, e.Node.Login)
			}
		}
		if !list.PageInfo.HasNextPage || list.PageInfo.EndCursor == "" {
			return holders, nil
		}
		after = list.PageInfo.EndCursor
	}
}
