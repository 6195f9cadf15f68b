package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/boundary"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// attempts is how often a write is made that others' writes got in the way of.
const attempts = 5

// Open gives the opener of strategies that call Boundary through d.
func Open(d vendorhttp.Deps) strategy.Opener {
	tokens := &vendorhttp.Tokens{Now: d.Now}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return groups{s, connect(d, tokens, s.Integration)}, nil
	}
}

// groups is a strategy whose targets are groups of a cluster of Boundary.
type groups struct {
	frozen flow.Strategy
	api    *vendorhttp.Client
}

// output is what Grant keeps for Revoke.
type output struct {
	ScopeID string `json:"scope_id"` // of the group
}

// Entitlements implements strategy.Strategy.
func (g groups) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return boundary.Entitlements(g.frozen, target, identity)
}

func groupPath(target flow.Target) string {
	return vendorhttp.Path("v1", "groups", target.Settings[boundary.SettingGroup])
}

// read gives a group as it is now.
func (g groups) read(ctx context.Context, target flow.Target) (group, error) {
	var got group
	err := g.api.Do(ctx, http.MethodGet, groupPath(target), nil, nil, &got)
	return got, err
}

// Grant adds the user to the members of the group.
func (g groups) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	now, err := g.change(ctx, c, "add-members", true)
	switch {
	case missing(err):
		return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "Boundary has no group %s: make it there, or correct the target", c.Target.Settings[boundary.SettingGroup])
	case unclear(err) && g.gone(ctx, c.Identity):
		return strategy.Result{}, flow.Errorf(flow.CodeIdentity, "Boundary has no user %s: %s", c.Identity, boundary.SaveUser)
	case err != nil:
		return strategy.Result{}, err
	}
	kept, err := json.Marshal(output{now.ScopeID})
	return strategy.Result{Output: kept}, err
}

// Revoke takes the user out of the members of the group. Then it cancels what
// sessions they have, if the strategy says so; what fails of that fails the removal,
// which is tried again.
func (g groups) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	var result strategy.Result
	now, err := g.change(ctx, c, "remove-members", false)
	switch {
	case missing(err):
		result.Warnings = append(result.Warnings, fmt.Sprintf("Boundary has no group %s any more: the access counts as removed", c.Target.Settings[boundary.SettingGroup]))
		var kept output
		_ = json.Unmarshal(c.Output, &kept) // of a grant whose answer was lost there is none
		now.ScopeID = kept.ScopeID
	case err != nil:
		return result, err
	case g.gone(ctx, c.Identity):
		result.Warnings = append(result.Warnings, fmt.Sprintf("Boundary has no user %s any more: the access counts as removed", c.Identity))
		return result, nil // and their sessions with them
	}
	if !boundary.EndsSessions(g.frozen) {
		return result, nil
	}
	if now.ScopeID == "" {
		result.Warnings = append(result.Warnings, "sessions are not cancelled: where the group was is not known")
		return result, nil
	}
	return result, g.endSessions(ctx, now.ScopeID, c.Identity)
}

// change has the user be a member of the group, or not, and returns the group as it
// was before. What others change meanwhile stays: the write names the version that
// was read. A member who is there, or is not, as wanted is left alone: Boundary
// refuses both with an error.
func (g groups) change(ctx context.Context, c strategy.Call, how string, member bool) (group, error) {
	var refusal error
	before := group{}
	for range attempts {
		now, err := g.read(ctx, c.Target)
		switch {
		case err != nil:
			return now, err
		case slices.Contains(now.Members, c.Identity) == member:
			return now, nil
		case refusal != nil && now.Version == before.Version:
			return now, refusal // nobody has changed it: it is something else
		}
		body := map[string]any{"version": now.Version, "member_ids": []string{c.Identity}}
		err = g.api.Do(ctx, http.MethodPost, groupPath(c.Target)+":"+how, nil, body, nil)
		if !unclear(err) {
			return now, err
		}
		before, refusal = now, err
	}
	return before, flow.Errorf(flow.CodeUnavailable, "others keep changing group %s of Boundary: it is tried again", c.Target.Settings[boundary.SettingGroup])
}

// unclear tells whether an error may be about the version, the member or the user.
func unclear(err error) bool {
	status := vendorhttp.StatusOf(err)
	return status == http.StatusInternalServerError || status == http.StatusBadRequest
}

// gone tells whether Boundary says that it has no such user.
func (g groups) gone(ctx context.Context, identity string) bool {
	return missing(g.api.Do(ctx, http.MethodGet, vendorhttp.Path("v1", "users", identity), nil, nil, nil))
}

// Observe looks for the user among the members of the group.
func (g groups) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	holders, err := g.Holders(ctx, c.Target)
	if err != nil {
		return strategy.Sight{}, err
	}
	return strategy.Seen(slices.Contains(holders, c.Identity)), nil
}

// Holders lists the ids of the members of the group. A group that is gone has none.
func (g groups) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	now, err := g.read(ctx, target)
	if missing(err) {
		return nil, nil
	}
	return now.Members, err
}

// Discover lists the groups of all scopes that we may look into, in the order of
// their ids.
func (g groups) Discover(ctx context.Context) ([]flow.Target, error) {
	var targets []flow.Target
	for one, err := range list[group](ctx, g.api, "/v1/groups", below("global")) {
		if err != nil {
			return nil, err
		}
		label := cmp.Or(one.Name, one.ID)
		if in := cmp.Or(one.Scope.Name, one.ScopeID); one.Scope.Type != "global" && in != "" && in != "global" {
			label += " in " + in
		}
		targets = append(targets, flow.Target{
			Name: boundary.TargetGroup + "-" + strings.TrimPrefix(one.ID, "g_"), Type: boundary.TargetGroup, Label: label,
			Settings: map[string]string{boundary.SettingGroup: one.ID},
		})
	}
	slices.SortFunc(targets, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
	return targets, nil
}
