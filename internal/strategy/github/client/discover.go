package client

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// foundRepo is a repository in a list.
type foundRepo struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner struct {
		Login string `json:"login"`
	} `json:"owner"`
	Archived bool `json:"archived"`
	Disabled bool `json:"disabled"`
}

// foundTeam is a team in a list.
type foundTeam struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
	Type string `json:"type"` // organization, enterprise
}

// Discover lists the repositories of the organization that are in use, and its
// teams: not those whose members come from an identity provider or the enterprise,
// which nobody else can change.
func (h *hub) Discover(ctx context.Context) ([]flow.Target, error) {
	repos, err := h.discoverRepos(ctx)
	if err != nil {
		return nil, err
	}
	teams, err := h.discoverTeams(ctx)
	return append(repos, teams...), err
}

func (h *hub) discoverRepos(ctx context.Context) ([]flow.Target, error) {
	api, org := h.api(names), github.OrgOf(h.frozen, flow.Target{Type: github.Repo})
	var repos []foundRepo
	if h.asApp() { // those that it may change
		for list, err := range vendorhttp.Pages[struct {
			Repositories []foundRepo `json:"repositories"`
		}](ctx, api, "/installation/repositories", perPage) {
			if err != nil {
				return nil, err
			}
			repos = append(repos, list.Repositories...)
		}
	} else {
		for list, err := range vendorhttp.Pages[[]foundRepo](ctx, api, vendorhttp.Path("orgs", org, "repos"), url.Values{"per_page": {"100"}, "type": {"all"}}) {
			if err != nil {
				return nil, err
			}
			repos = append(repos, list...)
		}
	}
	slices.SortFunc(repos, func(a, b foundRepo) int { return cmp.Compare(a.ID, b.ID) })
	var targets []flow.Target
	for _, r := range repos {
		if !r.Archived && !r.Disabled {
			targets = append(targets, flow.Target{
				Name: fmt.Sprint("repo-", r.ID), Type: github.Repo, Label: r.Name, Settings: map[string]string{github.SettingRepo: r.Name},
			})
		}
	}
	return targets, nil
}

func (h *hub) discoverTeams(ctx context.Context) ([]flow.Target, error) {
	org := github.OrgOf(h.frozen, flow.Target{Type: github.Repo})
	var teams []foundTeam
	for list, err := range vendorhttp.Pages[[]foundTeam](ctx, h.api(names), vendorhttp.Path("orgs", org, "teams"), perPage) {
		if err != nil {
			return nil, err
		}
		teams = append(teams, list...)
	}
	slices.SortFunc(teams, func(a, b foundTeam) int { return cmp.Compare(a.ID, b.ID) })
	foreign, err := h.foreign(ctx, org)
	if err != nil {
		return nil, err
	}
	var targets []flow.Target
	for _, t := range teams {
		if t.Type == "enterprise" {
			continue
		}
		theirs, err := foreign(t.Slug)
		if err != nil {
			return nil, err
		}
		if !theirs {
			targets = append(targets, flow.Target{
				Name: fmt.Sprint("team-", t.ID), Type: github.Team, Label: t.Name, Settings: map[string]string{github.SettingOrg: org, github.SettingTeam: t.Slug},
			})
		}
	}
	return targets, nil
}

// linkedGroups are groups of an identity provider, as GitHub lists those of an
// organization and those behind a team.
type linkedGroups struct {
	Groups []struct{} `json:"groups"`
}

// foreign tells which teams have their members from an identity provider: by
// external groups, which enterprises with managed users have, or by team
// synchronization. Organizations that have neither are asked twice, not for each
// team. What the sign-in may not ask is taken for not there.
// https://docs.github.com/en/enterprise-cloud@latest/rest/teams/external-groups
// https://docs.github.com/en/enterprise-cloud@latest/rest/teams/team-sync
func (h *hub) foreign(ctx context.Context, org string) (func(slug string) (bool, error), error) {
	api := h.api(people)
	has := func(path ...string) (bool, error) {
		var got linkedGroups
		err := api.Do(ctx, http.MethodGet, vendorhttp.Path(append([]string{"orgs", org}, path...)...), nil, nil, &got)
		if flow.CodeOf(err) == flow.CodeStrategy {
			return false, nil
		}
		return len(got.Groups) > 0, err
	}
	external, err := has("external-groups")
	if err != nil {
		return nil, err
	}
	synchronized, err := has("team-sync", "groups")
	return func(slug string) (bool, error) {
		if external {
			if theirs, err := has("teams", slug, "external-groups"); theirs || err != nil {
				return theirs, err
			}
		}
		if synchronized {
			return has("teams", slug, "team-sync", "group-mappings")
		}
		return false, nil
	}, err
}
