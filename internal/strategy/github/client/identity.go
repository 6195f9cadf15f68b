package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// account is one of a person at GitHub.
type account struct {
	ID        int64   `json:"id"`
	Login     string  `json:"login"`
	Type      string  `json:"type"` // User, Organization, Bot
	Email     *string `json:"email"`
	Suspended *string `json:"suspended_at"`
}

// linkedQuery asks what the organization's identity provider says of its members.
const linkedQuery = `query Linked($org: String!, $email: String!) {
  organization(login: $org) {
    samlIdentityProvider {
      externalIdentities(first: 10, userName: $email, membersOnly: true) {
        nodes {
          user { login }
          samlIdentity { nameId username emails { value } }
          scimIdentity { username emails { value } }
        }
      }
    }
  }
}`

// linked is a member whom the identity provider knows.
type linked struct {
	User *struct {
		Login string `json:"login"`
	} `json:"user"`
	SAML *called `json:"samlIdentity"`
	SCIM *called `json:"scimIdentity"`
}

// called is what the identity provider calls somebody.
type called struct {
	NameID   string `json:"nameId"`
	Username string `json:"username"`
	Emails   []struct {
		Value string `json:"value"`
	} `json:"emails"`
}

func (c *called) is(email string) bool {
	if c == nil {
		return false
	}
	if strings.EqualFold(c.NameID, email) || strings.EqualFold(c.Username, email) {
		return true
	}
	for _, e := range c.Emails {
		if strings.EqualFold(e.Value, email) {
			return true
		}
	}
	return false
}

// Identity finds the login of a person by their e-mail address: among those whom the
// organization's identity provider has linked to members, and then among the
// addresses that people show on their profiles, which GitHub has verified.
func (h *hub) Identity(ctx context.Context, who flow.Actor) (string, error) {
	if who.Email == "" {
		return "", h.unknown(who, "and Slack does not say their e-mail address")
	}
	logins, err := h.linked(ctx, who.Email)
	if err == nil && len(logins) == 0 {
		logins, err = h.public(ctx, who.Email)
	}
	switch {
	case err != nil:
		return "", err
	case len(logins) > 1:
		return "", h.unknown(who, "and more than one account has the address "+who.Email+": "+strings.Join(logins, ", "))
	case len(logins) == 0:
		return "", h.unknown(who, "and no account shows the address "+who.Email)
	}
	return logins[0], nil
}

func (h *hub) unknown(who flow.Actor, why string) error {
	return flow.Errorf(flow.CodeIdentity, "nobody has said who %s is at GitHub, %s: have an administrator save the login, like octocat, as who they are at github", who.Display(), why)
}

// linked asks the identity provider of the organization. Where it has none, or the
// sign-in may not ask, nobody is linked.
func (h *hub) linked(ctx context.Context, email string) ([]string, error) {
	var data struct {
		Organization *struct {
			Provider *struct {
				Identities struct {
					Nodes []linked `json:"nodes"`
				} `json:"externalIdentities"`
			} `json:"samlIdentityProvider"`
		} `json:"organization"`
	}
	org := github.OrgOf(h.frozen, flow.Target{Type: github.Org})
	_, err := h.query(ctx, h.api(names), linkedQuery, map[string]any{"org": org, "email": email}, &data)
	if flow.CodeOf(err) == flow.CodeStrategy {
		return nil, nil
	}
	if err != nil || data.Organization == nil || data.Organization.Provider == nil {
		return nil, err
	}
	var logins []string
	for _, l := range data.Organization.Provider.Identities.Nodes {
		if l.User != nil && (l.SAML.is(email) || l.SCIM.is(email)) {
			logins = add(logins, l.User.Login)
		}
	}
	return logins, nil
}

// public searches profiles. The search is not exact, so that each profile is read.
func (h *hub) public(ctx context.Context, email string) ([]string, error) {
	if strings.ContainsAny(email, `" `) {
		return nil, nil // it would be another search
	}
	api := h.api(names)
	var found struct {
		Items []account `json:"items"`
	}
	query := url.Values{"q": {`"` + email + `" in:email type:user`}, "per_page": {"10"}}
	if err := api.Do(ctx, http.MethodGet, "/search/users", query, nil, &found); err != nil {
		return nil, err
	}
	var logins []string
	for _, item := range found.Items {
		var a account
		err := api.Do(ctx, http.MethodGet, vendorhttp.Path("users", item.Login), nil, nil, &a)
		if vendorhttp.Missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if a.Type == "User" && a.Suspended == nil && a.Email != nil && strings.EqualFold(*a.Email, email) {
			logins = add(logins, a.Login)
		}
	}
	return logins, nil
}

func add(logins []string, login string) []string {
	for _, l := range logins {
		if strings.EqualFold(l, login) {
			return logins
		}
	}
	return append(logins, login)
}

// userID is the id of a person's account, which stays theirs when they change their
// login, as anybody may. It is 0 if GitHub has no such account: what is asked of it
// next says so.
func (h *hub) userID(ctx context.Context, c strategy.Call) (int64, error) {
	var a account
	err := h.api(purposeOf(c.Target)).Do(ctx, http.MethodGet, vendorhttp.Path("users", c.Identity), nil, nil, &a)
	if vendorhttp.Missing(err) {
		return 0, nil
	}
	return a.ID, err
}

// follow gives a call the login that the person has by now to whom a grant was made:
// else whoever changes their login would keep what they have, and whoever takes the
// old one would lose theirs.
func (h *hub) follow(ctx context.Context, c strategy.Call) (now strategy.Call, warnings []string, err error) {
	var was given
	if json.Unmarshal(c.Output, &was) != nil || was.User == 0 {
		return c, nil, nil
	}
	var a account
	err = h.api(purposeOf(c.Target)).Do(ctx, http.MethodGet, vendorhttp.Path("user", fmt.Sprint(was.User)), nil, nil, &a)
	switch {
	case vendorhttp.Missing(err):
		return c, nil, nil // the account is gone, as its login will be
	case err != nil:
		return c, nil, err
	case a.ID != was.User || github.CheckLogin(a.Login) != nil:
		return c, nil, flow.Errorf(flow.CodeUnavailable, "GitHub has not said whose account %d is", was.User)
	case !strings.EqualFold(a.Login, c.Identity):
		warnings = []string{c.Identity + " is " + a.Login + " at GitHub by now: it is done for that login"}
	}
	c.Identity = a.Login
	return c, warnings, nil
}
