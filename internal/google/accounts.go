package google

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// usersAPI is the Directory API of the Admin SDK, for accounts. It is signed in to
// apart from all else: where an administrator has not delegated it, one token for
// both would be refused.
var usersAPI = API{
	Name: "Google's Admin SDK API", Base: "https://admin.googleapis.com",
	Scopes:  []string{"https://www.googleapis.com/auth/admin.directory.user.readonly"},
	Reading: []string{"https://www.googleapis.com/auth/admin.directory.user.readonly"},
}

// Accounts are those of a Workspace, as far as we may see them.
type Accounts struct{ api *vendorhttp.Client }

// Accounts looks for accounts as an integration says.
func (a *APIs) Accounts(i *flow.Integration) *Accounts { return &Accounts{a.Client(i, usersAPI)} }

// Gone says that Google has no such group, account or project.
type Gone struct{ What, Name string }

// What there may not be.
const (
	Group   = "group"
	Account = "account"
	Project = "project"
)

func (g *Gone) Error() string { return fmt.Sprintf("Google has no %s %s", g.What, g.Name) }

// user is somebody's at Google.
type user struct {
	PrimaryEmail        string
	Suspended, Archived bool
}

// find looks for an account. readable is false where we may not see accounts; the
// error is a Gone if there is none.
func (a *Accounts) find(ctx context.Context, address string) (found user, readable bool, err error) {
	err = a.api.Do(ctx, http.MethodGet, "/admin/directory/v1"+vendorhttp.Path("users", address), url.Values{"projection": {"basic"}}, nil, &found)
	if vendorhttp.Missing(err) {
		return user{}, true, &Gone{Account, address}
	}
	switch vendorhttp.StatusOf(err) {
	case http.StatusUnauthorized, http.StatusForbidden: // not allowed, not delegated, not enabled
		if flow.CodeOf(err) == flow.CodeStrategy {
			return user{}, false, nil
		}
	}
	return found, true, err
}

// Exists returns a [Gone] if we may see accounts, and there is none of the address.
// It returns nil if there is, and if we may not.
func (a *Accounts) Exists(ctx context.Context, address string) error {
	_, _, err := a.find(ctx, address)
	return err
}

// Identity is a person's address at Google: the account's own one where we may see
// accounts, and only if the account is active; else the one that they have here. The
// error has flow.CodeIdentity if there is none, and says what to save.
func (a *Accounts) Identity(ctx context.Context, who flow.Actor) (string, error) {
	const save = "have an administrator save the address of their account as who they are at Google"
	if strategy.CheckGoogleAddress(who.Email) != nil {
		return "", flow.Errorf(flow.CodeIdentity, "%s has no e-mail address here by which Google could know them: %s", who.Display(), save)
	}
	found, readable, err := a.find(ctx, who.Email)
	if _, is := AsGone(err); is {
		return "", flow.Errorf(flow.CodeIdentity, "Google has no account %s: %s", who.Email, save)
	}
	switch {
	case err != nil:
		return "", err
	case !readable:
		return strings.ToLower(who.Email), nil
	case found.Suspended || found.Archived:
		return "", flow.Errorf(flow.CodeIdentity, "the account %s is suspended at Google: have it made active, or %s", who.Email, save)
	case found.PrimaryEmail == "":
		return "", flow.Errorf(flow.CodeUnavailable, "Google has not said which account %s is", who.Email)
	}
	return strings.ToLower(found.PrimaryEmail), nil
}
