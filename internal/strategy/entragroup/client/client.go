package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/entragroup"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Deps is what the strategy works with. All of it is required.
type Deps struct {
	HTTP    *http.Client
	Secrets strategy.Secrets
	Now     func() time.Time
	// IdentityToken gives AWS's word on who we are, for an audience: see
	// aws/webidentity.
	IdentityToken func(ctx context.Context, audience string) (string, error)
}

// Open gives the opener of strategies at tenants.
func Open(d Deps) strategy.Opener {
	tokens := &vendorhttp.Tokens{Now: d.Now}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		i := s.Integration
		if i == nil {
			i = &flow.Integration{}
		}
		t := tenant{frozen: s, integration: i, place: entragroup.PlaceOf(i), deps: d}
		t.graph = t.signedIn(tokens)
		return t, nil
	}
}

// tenant is a strategy whose targets are groups of a tenant.
type tenant struct {
	frozen      flow.Strategy
	integration *flow.Integration
	place       entragroup.Place
	deps        Deps
	graph       *vendorhttp.Client
}

// Entitlements implements strategy.Strategy.
func (t tenant) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return entragroup.Entitlements(t.frozen, target, identity)
}

// kind is a kind of target. What it gets of a grant was looked at: the group can have
// members, and the user may sign in.
type kind interface {
	grant(ctx context.Context, c strategy.Call, group string) error
	revoke(ctx context.Context, c strategy.Call, group string) (gone bool, err error)
	observe(ctx context.Context, group, user string) (strategy.Sight, error)
	holders(ctx context.Context, group string) ([]string, error)
}

func (t tenant) kind(target flow.Target) kind {
	if target.Type == entragroup.TargetPIM {
		return pim{t}
	}
	return members{t}
}

func groupOf(target flow.Target) string { return target.Settings[entragroup.SettingGroup] }

// Grant makes the user a member.
func (t tenant) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	g, err := t.group(ctx, groupOf(c.Target))
	if err != nil {
		return strategy.Result{}, err
	}
	if err := g.open(t.integration.ExternalID); err != nil {
		return strategy.Result{}, err
	}
	if err := t.works(ctx, c.Identity); err != nil {
		return strategy.Result{}, err
	}
	return strategy.Result{}, t.kind(c.Target).grant(ctx, c, g.ID)
}

// Revoke ends the membership. Graph has one answer for a membership that is not there
// and for a group or a user who is gone: what it shows decides.
func (t tenant) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	gone, err := t.kind(c.Target).revoke(ctx, c, groupOf(c.Target))
	if err != nil || !gone {
		return strategy.Result{}, err
	}
	var warnings []string
	for _, what := range []struct{ path, name string }{{"groups", "group " + groupOf(c.Target)}, {"users", "user " + c.Identity}} {
		id := c.Identity
		if what.path == "groups" {
			id = groupOf(c.Target)
		}
		err := t.graph.Do(ctx, "GET", v1(what.path, id), selecting("id"), nil, nil)
		if notFound(err) {
			warnings = append(warnings, "Entra has no "+what.name+" any more: the access counts as removed")
		} else if err != nil {
			return strategy.Result{}, err
		}
	}
	return strategy.Result{Warnings: warnings}, nil
}

// Observe looks at the user's membership, and at the groups in the group by which
// they are in it, too.
func (t tenant) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	sight, err := t.kind(c.Target).observe(ctx, groupOf(c.Target), c.Identity)
	if notFound(err) {
		return strategy.Sight{Presence: flow.Absent}, nil // the user, or the group, is gone
	} else if err != nil {
		return strategy.Sight{}, err
	}
	others, err := t.through(ctx, groupOf(c.Target), c.Identity)
	sight.Others = append(sight.Others, others...)
	return sight, err
}

// Holders implements strategy.Lister. A group that is gone has none.
func (t tenant) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	found, err := t.kind(target).holders(ctx, groupOf(target))
	if notFound(err) {
		return nil, nil
	}
	return found, err
}

// group is one as Graph has it.
type group struct {
	ID     string   `json:"id"`
	Name   string   `json:"displayName"`
	Types  []string `json:"groupTypes"`
	Mail   bool     `json:"mailEnabled"`
	OnPrem *bool    `json:"onPremisesSyncEnabled"` // null: never was
}

// fields are what is asked for of it.
const fields = "id,displayName,groupTypes,mailEnabled,onPremisesSyncEnabled"

func (t tenant) group(ctx context.Context, id string) (group, error) {
	var g group
	err := t.graph.Do(ctx, "GET", v1("groups", id), selecting(fields), nil, &g)
	if notFound(err) {
		return group{}, flow.Errorf(flow.CodeStrategy, "the tenant %s has no group %s: make it there, or correct the target", t.integration.ExternalID, id)
	}
	return g, err
}

// closed says why nobody can be made a member of a group; "" if they can.
func (g group) closed() string {
	switch {
	case slices.Contains(g.Types, "DynamicMembership"):
		return "has its members by a rule (dynamic membership), which would undo it"
	case g.OnPrem != nil && *g.OnPrem:
		return "is kept in a directory of your own and only copied to Entra: change it there"
	case g.Mail && !slices.Contains(g.Types, "Unified"):
		return "is kept by Exchange (a distribution list or mail-enabled security group), where Microsoft Graph can't change it"
	}
	return ""
}

func (g group) open(tenant string) error {
	if why := g.closed(); why != "" {
		return flow.Errorf(flow.CodeStrategy, "the group %s of the tenant %s %s: name another group in the target", flow.Clip(g.Name, 100), tenant, why)
	}
	return nil
}

// maxChecked is how many groups Graph checks in one call.
const maxChecked = 20

// through are the groups in a group in which the user is, be it by others.
func (t tenant) through(ctx context.Context, id, user string) ([]string, error) {
	names := map[string]string{}
	var ids []string
	for g, err := range all[group](ctx, t.graph, v1("groups", id, "members", "microsoft.graph.group"), url.Values{"$select": {"id,displayName"}, "$count": {"true"}}) {
		if notFound(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		ids, names[g.ID] = append(ids, g.ID), g.Name
	}
	var others []string
	for some := range slices.Chunk(ids, maxChecked) {
		var answer struct {
			Value []string `json:"value"`
		}
		got, err := t.graph.Send(ctx, vendorhttp.Request{Method: "POST", Path: v1("users", user, "checkMemberGroups"), Body: map[string]any{"groupIds": some}, Reads: true})
		if notFound(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		if err := t.graph.Decode(got, &answer); err != nil {
			return nil, err
		}
		for _, found := range answer.Value {
			others = append(others, "group "+flow.Clip(names[found], 100)+", which is in the group")
		}
	}
	slices.Sort(others)
	return others, nil
}

// Discover lists the groups that users can be made members of, in the order of
// their ids. Those that PIM manages are groups like all others, to Graph.
func (t tenant) Discover(ctx context.Context) ([]flow.Target, error) {
	var found []flow.Target
	for g, err := range all[group](ctx, t.graph, v1("groups"), url.Values{"$select": {fields}, "$top": {"999"}}) {
		if err != nil {
			return nil, err
		}
		if g.closed() != "" {
			continue
		}
		found = append(found, flow.Target{
			Name: entragroup.TargetGroup + "-" + strings.ToLower(g.ID), Type: entragroup.TargetGroup,
			Label: g.Name, Settings: map[string]string{entragroup.SettingGroup: g.ID},
		})
	}
	slices.SortFunc(found, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}
