package client

import (
	"context"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// user is one as Graph has it.
type user struct {
	ID      string `json:"id"`
	Name    string `json:"userPrincipalName"`
	Mail    string `json:"mail"`
	Enabled bool   `json:"accountEnabled"`
}

const userFields = "id,userPrincipalName,mail,accountEnabled"

// works: the user is there, and may sign in. The error has flow.CodeIdentity if not.
func (t tenant) works(ctx context.Context, id string) error {
	var u user
	err := t.graph.Do(ctx, "GET", v1("users", id), selecting(userFields), nil, &u)
	switch {
	case notFound(err):
		return flow.Errorf(flow.CodeIdentity, "the tenant %s has no user %s: have an administrator save who the person is at entra", t.integration.ExternalID, id)
	case err != nil:
		return err
	case !u.Enabled:
		return flow.Errorf(flow.CodeIdentity, "the user %s of the tenant %s is disabled: have an administrator of Entra enable it", u.Name, t.integration.ExternalID)
	}
	return nil
}

// Identity finds the object id of the one user whose address, or whose user principal
// name, is the person's e-mail address, and who may sign in.
func (t tenant) Identity(ctx context.Context, who flow.Actor) (string, error) {
	const how = "save the object id of theirs as who they are at entra"
	var found []user
	if who.Email != "" {
		same := "'" + strings.ReplaceAll(who.Email, "'", "''") + "'"
		query := url.Values{"$select": {userFields}, "$filter": {"mail eq " + same + " or userPrincipalName eq " + same}}
		for u, err := range all[user](ctx, t.graph, v1("users"), query) {
			if err != nil {
				return "", err
			}
			if strings.EqualFold(u.Mail, who.Email) || strings.EqualFold(u.Name, who.Email) {
				found = append(found, u)
			}
		}
	}
	var enabled []user
	for _, u := range found {
		if u.Enabled {
			enabled = append(enabled, u)
		}
	}
	switch {
	case len(enabled) == 1:
		return enabled[0].ID, nil
	case len(enabled) > 1:
		return "", flow.Errorf(flow.CodeIdentity, "%s has %d users in the tenant %s, by their e-mail address: have an administrator %s", who.Display(), len(enabled), t.integration.ExternalID, how)
	case len(found) > 0:
		return "", flow.Errorf(flow.CodeIdentity, "the user of %s in the tenant %s is disabled: have an administrator of Entra enable it", who.Display(), t.integration.ExternalID)
	}
	return "", flow.Errorf(flow.CodeIdentity, "%s has no user in the tenant %s with their e-mail address: have an administrator %s", who.Display(), t.integration.ExternalID, how)
}
