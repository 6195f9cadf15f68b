package client

import (
	"context"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/boundary"
)

// Identity finds the id of the user whose account of the primary auth method has the
// person's e-mail address, be it as that or as the login name. Boundary knows no
// users that are not active: who has no account there can't sign in.
func (g groups) Identity(ctx context.Context, who flow.Actor) (string, error) {
	at := boundary.Cluster(g.frozen.Integration)
	var ids []string
	if who.Email != "" {
		for u, err := range list[struct {
			ID    string `json:"id"`
			Email string `json:"email"`
			Login string `json:"login_name"`
		}](ctx, g.api, "/v1/users", below("global")) {
			if err != nil {
				return "", err
			}
			if strings.EqualFold(u.Email, who.Email) || strings.EqualFold(u.Login, who.Email) {
				ids = append(ids, u.ID)
			}
		}
	}
	switch len(ids) {
	case 0:
		return "", flow.Errorf(flow.CodeIdentity, "%s has no user of Boundary at %s with their e-mail address: make one, or %s", who.Display(), at, boundary.SaveUser)
	case 1:
		return ids[0], nil
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s has %d users of Boundary at %s (%s): %s", who.Display(), len(ids), at, flow.Clip(strings.Join(ids, ", "), 200), boundary.SaveUser)
}
