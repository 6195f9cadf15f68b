package client

import (
	"context"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/onelogin"
)

// Identity finds the id of the active user who has the person's e-mail address.
func (r roles) Identity(ctx context.Context, who flow.Actor) (string, error) {
	at := strategy.Domain(r.frozen.Integration)
	var ids []string
	inactive := false
	if who.Email != "" {
		for u, err := range list[user](ctx, r.api, "/api/2/users", url.Values{"email": {who.Email}}) {
			switch {
			case err != nil:
				return "", err
			case !strings.EqualFold(u.Email, who.Email): // a star in an address stands for more
			case u.Status != nil && *u.Status != active:
				inactive = true
			default:
				ids = append(ids, u.ID.String())
			}
		}
	}
	switch {
	case len(ids) == 1:
		return ids[0], nil
	case len(ids) > 1:
		return "", flow.Errorf(flow.CodeIdentity, "%s has %d users at %s (%s): %s", who.Display(), len(ids), at, flow.Clip(strings.Join(ids, ", "), 200), onelogin.SaveUser)
	case inactive:
		return "", flow.Errorf(flow.CodeIdentity, "the user of %s at %s is not active: have an administrator of OneLogin activate or unlock it", who.Display(), at)
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s has no user at %s with their e-mail address: make one, or %s", who.Display(), at, onelogin.SaveUser)
}
