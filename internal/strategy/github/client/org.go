package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

func orgInvitation(org string) string {
	return "Accept the invitation to the organization " + org + ", in the mail from GitHub."
}

func (h *hub) orgPath(c strategy.Call) string {
	return vendorhttp.Path("orgs", github.OrgOf(h.frozen, c.Target), "memberships", c.Identity)
}

// orgMembership is that of the person in the organization; nil: they have none.
func (h *hub) orgMembership(ctx context.Context, api *vendorhttp.Client, c strategy.Call) (*membership, error) {
	return h.membershipAt(ctx, api, h.orgPath(c))
}

func (h *hub) observeOrg(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	api := h.api(people)
	m, err := h.orgMembership(ctx, api, c)
	if err != nil {
		return strategy.Sight{}, err
	}
	if m == nil {
		return strategy.Sight{Presence: flow.Absent}, h.sure(ctx, api, c.Target)
	}
	sight := strategy.Sight{Presence: flow.Absent}
	for _, team := range m.Indirect {
		sight.Others = append(sight.Others, "the enterprise's team "+team)
	}
	switch {
	case m.State == pending:
		sight.Presence, sight.Value, sight.Todo = flow.Invited, m.Role, orgInvitation(github.OrgOf(h.frozen, c.Target))
	case m.Direct == nil || *m.Direct:
		sight.Presence, sight.Value = flow.Present, m.Role
	}
	return sight, nil
}

// joinOrg sets the role in the organization, and invites those who are not in it.
func (h *hub) joinOrg(ctx context.Context, c strategy.Call) error {
	api, role := h.api(people), wanted(c)
	m, err := h.orgMembership(ctx, api, c)
	switch {
	case err != nil:
		return err
	case m != nil && m.State == active && !slices.Contains([]string{github.RoleMember, github.RoleOwner}, m.Role):
		return flow.Errorf(flow.CodeStrategy, "%s has the role %s in %s, which is not replaced: take it from them first, or make them a member yourself", c.Identity, m.Role, github.OrgOf(h.frozen, c.Target))
	case m != nil && m.Role == role && (m.Direct == nil || *m.Direct):
		return nil
	}
	err = api.Do(ctx, http.MethodPut, h.orgPath(c), nil, map[string]string{"role": role}, nil)
	return h.refusal(ctx, api, c, err)
}

// leaveOrg takes the person out of the organization, or takes the invitation back.
func (h *hub) leaveOrg(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	api := h.api(people)
	err := api.Do(ctx, http.MethodDelete, h.orgPath(c), nil, nil, nil)
	if !vendorhttp.Missing(err) {
		return strategy.Result{}, h.refusal(ctx, api, c, err)
	}
	gone, err := h.personGone(ctx, api, c.Identity)
	return strategy.Result{Warnings: gone}, err
}

func (h *hub) orgMembers(ctx context.Context, t flow.Target) ([]string, error) {
	var logins []string
	path := vendorhttp.Path("orgs", github.OrgOf(h.frozen, t), "members")
	for list, err := range vendorhttp.Pages[[]account](ctx, h.api(people), path, url.Values{"per_page": {"100"}, "role": {"all"}}) {
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			logins = append(logins, a.Login)
		}
	}
	return logins, nil
}
