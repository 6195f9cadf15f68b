package client

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// teamQuery tells members of the team itself from those of its child teams, which
// REST does not.
const teamQuery = `query TeamMembers($org: String!, $team: String!, $kind: TeamMembershipType!, $login: String, $after: String) {
  organization(login: $org) {
    team(slug: $team) {
      members(membership: $kind, query: $login, first: 100, after: $after) {
        edges { role node { login } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}`

// The kinds of membership.
const (
	immediate = "IMMEDIATE"
	byChild   = "CHILD_TEAM"
)

type teamMember struct {
	Role string `json:"role"` // MEMBER or MAINTAINER
	Node struct {
		Login string `json:"login"`
	} `json:"node"`
}

// membership is one of a team or an organization, as REST shows it.
type membership struct {
	State string `json:"state"` // active, pending
	Role  string `json:"role"`
	// Of an organization: whether it is its own, and the enterprise's teams that give
	// the same.
	Direct   *bool    `json:"direct_membership"`
	Indirect []string `json:"enterprise_teams_providing_indirect_membership"`
}

const (
	active  = "active"
	pending = "pending"
)

// membershipAt reads a membership; nil: there is none.
func (h *hub) membershipAt(ctx context.Context, api *vendorhttp.Client, path string) (*membership, error) {
	var m membership
	err := api.Do(ctx, http.MethodGet, path, nil, nil, &m)
	if vendorhttp.Missing(err) {
		return nil, nil
	}
	return &m, err
}

func (h *hub) teamPath(t flow.Target, parts ...string) string {
	return vendorhttp.Path(append([]string{"orgs", github.OrgOf(h.frozen, t), "teams", t.Settings[github.SettingTeam]}, parts...)...)
}

// members reads members of one kind until done is true. found is false if GitHub
// shows no such team.
func (h *hub) members(ctx context.Context, api *vendorhttp.Client, t flow.Target, kind, login string, each func(teamMember) (done bool)) (found bool, err error) {
	variables := map[string]any{"org": github.OrgOf(h.frozen, t), "team": t.Settings[github.SettingTeam], "kind": kind}
	if login != "" {
		variables["login"] = login
	}
	for {
		var data struct {
			Organization *struct {
				Team *struct {
					Members struct {
						Edges    []teamMember `json:"edges"`
						PageInfo page         `json:"pageInfo"`
					} `json:"members"`
				} `json:"team"`
			} `json:"organization"`
		}
		_, err := h.query(ctx, api, teamQuery, variables, &data)
		if err != nil || data.Organization == nil || data.Organization.Team == nil {
			return false, err
		}
		members := data.Organization.Team.Members
		for _, m := range members.Edges {
			if each(m) {
				return true, nil
			}
		}
		if !members.PageInfo.HasNextPage || members.PageInfo.EndCursor == "" {
			return true, nil
		}
		variables["after"] = members.PageInfo.EndCursor
	}
}

// errNoTeam says that GitHub shows nobody in a team, and not the team either. Where it
// has just shown somebody's membership, that is no absence.
var errNoTeam = flow.Errorf(flow.CodeUnavailable, "GitHub does not show who is in the team just now")

// member finds a person among the members of one kind, and their role there.
func (h *hub) member(ctx context.Context, api *vendorhttp.Client, c strategy.Call, kind string) (role string, err error) {
	found, err := h.members(ctx, api, c.Target, kind, c.Identity, func(m teamMember) bool {
		if strings.EqualFold(m.Node.Login, c.Identity) {
			role = strings.ToLower(m.Role)
		}
		return role != ""
	})
	if err == nil && !found {
		err = errNoTeam
	}
	return role, err
}

func (h *hub) observeTeam(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	api := h.api(people)
	m, err := h.membershipAt(ctx, api, h.teamPath(c.Target, "memberships", c.Identity))
	if err != nil {
		return strategy.Sight{}, err
	}
	if m == nil {
		return strategy.Sight{Presence: flow.Absent}, h.seesTeam(ctx, api, c.Target)
	}
	if m.State == pending {
		return strategy.Sight{Presence: flow.Invited, Value: m.Role, Todo: orgInvitation(github.OrgOf(h.frozen, c.Target))}, nil
	}
	sight := strategy.Sight{Presence: flow.Absent}
	if sight.Value, err = h.member(ctx, api, c, immediate); err != nil {
		return strategy.Sight{}, err
	}
	if sight.Value != "" {
		sight.Presence = flow.Present
		if sight.Value, err = h.roleInTeam(ctx, api, c, sight.Value); err != nil {
			return strategy.Sight{}, err
		}
	}
	child, err := h.member(ctx, api, c, byChild)
	if child != "" {
		sight.Others = append(sight.Others, "a child team of "+c.Target.Settings[github.SettingTeam])
	}
	return sight, err
}

// roleInTeam is the role that counts. Owners of the organization are shown as
// maintainers of each team that they are in, whatever was set: theirs is what is
// wanted of them, because there is nothing to set.
func (h *hub) roleInTeam(ctx context.Context, api *vendorhttp.Client, c strategy.Call, role string) (string, error) {
	if role == wanted(c) {
		return role, nil
	}
	org, err := h.orgMembership(ctx, api, c)
	if err == nil && org != nil && org.Role == github.RoleOwner {
		return wanted(c), nil
	}
	return role, err
}

// seesTeam returns nil if the team is there, or surely not.
func (h *hub) seesTeam(ctx context.Context, api *vendorhttp.Client, t flow.Target) error {
	err := api.Do(ctx, http.MethodGet, h.teamPath(t), nil, nil, nil)
	if vendorhttp.Missing(err) {
		return h.sure(ctx, api, t)
	}
	return err
}

// joinTeam puts a member of the organization into the team, with the role.
func (h *hub) joinTeam(ctx context.Context, c strategy.Call) error {
	api, org, team := h.api(people), github.OrgOf(h.frozen, c.Target), c.Target.Settings[github.SettingTeam]
	of, err := h.orgMembership(ctx, api, c)
	if err != nil {
		return err
	}
	if of == nil {
		gone, err := h.personGone(ctx, api, c.Identity)
		if err != nil {
			return err
		}
		if len(gone) > 0 {
			return flow.Errorf(flow.CodeIdentity, "GitHub has no account %s: have an administrator save the person's login as who they are at github", c.Identity)
		}
		return flow.Errorf(flow.CodeStrategy, "%s is no member of the organization %s, and would stay one after the access to team %s: have them invited first, by a request for the organization or by one of its owners", c.Identity, org, team)
	}
	role := wanted(c)
	now, err := h.member(ctx, api, c, immediate)
	switch {
	case errors.Is(err, errNoTeam):
		return h.noTeam(ctx, api, c, err)
	case err != nil:
		return err
	case now == role, now != "" && of.Role == github.RoleOwner:
		return nil
	case of.Role == github.RoleOwner:
		role = github.RoleMember // GitHub refuses to promote owners, who are maintainers anyway
	}
	err = api.Do(ctx, http.MethodPut, h.teamPath(c.Target, "memberships", c.Identity), nil, map[string]string{"role": role}, nil)
	if vendorhttp.Missing(err) {
		err = h.noTeam(ctx, api, c, err)
	}
	return h.refusal(ctx, api, c, err)
}

// noTeam says that there is no team, if that is why something failed.
func (h *hub) noTeam(ctx context.Context, api *vendorhttp.Client, c strategy.Call, err error) error {
	if seen := api.Do(ctx, http.MethodGet, h.teamPath(c.Target), nil, nil, nil); !vendorhttp.Missing(seen) {
		return err
	}
	return flow.Errorf(flow.CodeStrategy, "GitHub shows no team %s/%s to what we sign in with: correct the target", github.OrgOf(h.frozen, c.Target), c.Target.Settings[github.SettingTeam])
}

// leaveTeam takes the person out of the team, or takes the invitation back.
func (h *hub) leaveTeam(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	api := h.api(people)
	err := api.Do(ctx, http.MethodDelete, h.teamPath(c.Target, "memberships", c.Identity), nil, nil, nil)
	if !vendorhttp.Missing(err) {
		return strategy.Result{}, h.refusal(ctx, api, c, err)
	}
	err = api.Do(ctx, http.MethodGet, h.teamPath(c.Target), nil, nil, nil)
	if vendorhttp.Missing(err) {
		return strategy.Gone("GitHub does not have the team " + c.Target.Settings[github.SettingTeam]), h.sure(ctx, api, c.Target)
	}
	if err != nil {
		return strategy.Result{}, err
	}
	gone, err := h.personGone(ctx, api, c.Identity)
	return strategy.Result{Warnings: gone}, err
}

func (h *hub) teamMembers(ctx context.Context, t flow.Target) ([]string, error) {
	api := h.api(people)
	var logins []string
	found, err := h.members(ctx, api, t, immediate, "", func(m teamMember) bool {
		logins = append(logins, m.Node.Login)
		return false
	})
	if err == nil && !found {
		err = h.seesTeam(ctx, api, t)
	}
	return logins, err
}
