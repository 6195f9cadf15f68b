package client

import (
	"context"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/okta"
)

// Identity finds the id of the active user whose e-mail address, or login, is the
// person's address.
func (g groups) Identity(ctx context.Context, who flow.Actor) (string, error) {
	if who.Email == "" {
		return "", flow.Errorf(flow.CodeIdentity, "%s has no e-mail address by which to find them in Okta: %s", who.Display(), okta.SaveUser)
	}
	found, err := g.api.find(ctx, who.Email)
	if err != nil {
		return "", err
	}
	var ids, inactive []string
	for _, u := range found {
		switch {
		case !strings.EqualFold(u.Profile.Email, who.Email) && !strings.EqualFold(u.Profile.Login, who.Email):
		case u.Status != isActive:
			inactive = append(inactive, u.Status)
		default:
			ids = append(ids, u.ID)
		}
	}
	domain := strategy.Domain(g.frozen.Integration)
	switch {
	case len(ids) == 1:
		return ids[0], nil
	case len(ids) > 1:
		return "", flow.Errorf(flow.CodeIdentity, "%s has %d users of %s (%s): have an administrator save which one is meant, as who they are at okta", who.Display(), len(ids), domain, flow.Clip(strings.Join(ids, ", "), 200))
	case len(inactive) > 0:
		return "", flow.Errorf(flow.CodeIdentity, "the user of %s at %s is %s, and only who is ACTIVE is granted anything: activate them there, or %s", who.Display(), domain, flow.Clip(inactive[0], 40), okta.SaveUser)
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s has no user at %s whose e-mail address or login is theirs: %s", who.Display(), domain, okta.SaveUser)
}
