package client

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/aptible"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// organization is the one that the integration's external_id names, by id, handle or
// name. Without an external_id it is the only one that we see.
func (r roles) organization(ctx context.Context) (resource, error) {
	var named string
	if i := r.frozen.Integration; i != nil {
		named = i.ExternalID
	}
	var all []resource
	for o, err := range list(ctx, r.api, "/organizations", "organizations") {
		if err != nil {
			return resource{}, err
		}
		if slices.ContainsFunc([]string{o.ID, o.Handle, o.Name}, func(is string) bool { return is != "" && strings.EqualFold(is, named) }) {
			return o, nil
		}
		all = append(all, o)
	}
	if len(all) == 1 && named == "" {
		return all[0], nil
	}
	return resource{}, flow.Errorf(flow.CodeStrategy, "Aptible shows us %d organizations, and none is the integration's external_id %q: write the id of the one that is meant there", len(all), flow.Clip(named, 100))
}

// usersOf lists who is in an organization.
func (r roles) usersOf(ctx context.Context, org resource) ([]resource, error) {
	var all []resource
	for u, err := range list(ctx, r.api, org.to("users", vendorhttp.Path("organizations", org.ID, "users")), "users") {
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// user gives the address that Aptible has for a user; false: there is no such user.
// Aptible may not show us one by itself. Then who is in the role's organization
// decides.
func (r roles) user(ctx context.Context, role resource, identity string) (string, bool, error) {
	at := vendorhttp.Path("users", identity)
	address := func(u resource) string {
		if self := string(u.Links["self"]); self != "" {
			return self
		}
		return r.api.Base + at
	}
	var one resource
	err := r.api.Do(ctx, http.MethodGet, at, nil, nil, &one)
	if err == nil {
		return address(one), true, nil
	}
	if !missing(err) && vendorhttp.StatusOf(err) != http.StatusForbidden {
		return "", false, err
	}
	org := resource{ID: role.Links["organization"].id()}
	if err := r.api.Do(ctx, http.MethodGet, role.to("organization", vendorhttp.Path("organizations", org.ID)), nil, nil, &org); err != nil {
		return "", false, err
	}
	users, err := r.usersOf(ctx, org)
	i := slices.IndexFunc(users, func(u resource) bool { return strings.EqualFold(u.ID, identity) })
	if err != nil || i < 0 {
		return "", false, err
	}
	return address(users[i]), true, nil
}

// Identity finds the id of the user in the organization whose e-mail address is the
// person's, and has been verified: another's account may claim it.
func (r roles) Identity(ctx context.Context, who flow.Actor) (string, error) {
	org, err := r.organization(ctx)
	if err != nil {
		return "", err
	}
	users, err := r.usersOf(ctx, org)
	if err != nil {
		return "", err
	}
	var ids []string
	unverified := false
	for _, u := range users {
		switch {
		case who.Email == "" || !strings.EqualFold(u.Email, who.Email):
		case !u.Verified:
			unverified = true
		default:
			ids = append(ids, u.ID)
		}
	}
	switch {
	case len(ids) == 1:
		return ids[0], nil
	case len(ids) > 1:
		return "", flow.Errorf(flow.CodeIdentity, "%s has %d users in the organization at Aptible (%s): %s", who.Display(), len(ids), flow.Clip(strings.Join(ids, ", "), 200), aptible.SaveUser)
	case unverified:
		return "", flow.Errorf(flow.CodeIdentity, "the user of %s at Aptible has not verified their e-mail address: do that there first", who.Display())
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s is not in the organization at Aptible with their e-mail address: invite them there, or %s", who.Display(), aptible.SaveUser)
}
