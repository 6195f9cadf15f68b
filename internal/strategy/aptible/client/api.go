package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/aptible"
	"github.com/symflows/symflows/internal/vendorhttp"
)

const (
	maxPages = 10_000
	// lives is how long a token is used of which Aptible does not say when it ends.
	lives = 10 * time.Minute
)

// The scopes of tokens.
const (
	scopeManage = "manage"
	scopeRead   = "read"
)

// resource is what Aptible tells of a thing, as far as it matters here.
type resource struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Handle   string          `json:"handle"`
	Email    string          `json:"email"`
	Verified bool            `json:"verified"`
	Links    map[string]link `json:"_links"`
}

// link is where something is. Of several, it is the first.
type link string

// UnmarshalJSON implements json.Unmarshaler.
func (l *link) UnmarshalJSON(text []byte) error {
	type href struct {
		Href string `json:"href"`
	}
	var one href
	if json.Unmarshal(text, &one) != nil {
		var several []href
		if err := json.Unmarshal(text, &several); err != nil {
			return err
		}
		if len(several) > 0 {
			one = several[0]
		}
	}
	*l = link(one.Href)
	return nil
}

// id is the last part of a link, which says what it leads to.
func (l link) id() string {
	u, err := url.Parse(string(l))
	if err != nil || u.Path == "" {
		return ""
	}
	return path.Base(u.Path)
}

// to gives the path of what a resource is linked to, or the one where it is known to
// be. It is asked for where the API is, whatever a link says about the server.
func (r resource) to(what, otherwise string) string {
	u, err := url.Parse(string(r.Links[what]))
	if err != nil || u.Path == "" {
		return otherwise
	}
	return u.RequestURI()
}

// connect gives a client of the API for an integration.
func connect(d vendorhttp.Deps, tokens *vendorhttp.Tokens, i *flow.Integration) *vendorhttp.Client {
	i = cmp.Or(i, &flow.Integration{})
	c := &vendorhttp.Client{
		Vendor: "Aptible", Base: strategy.Address(i, aptible.API), HTTP: d.HTTP, Now: d.Now,
		Header: http.Header{"Accept": {"application/hal+json, application/json"}},
	}
	scope := scopeManage
	if d.Looking {
		scope = scopeRead
	}
	c.Authorize = tokens.BySecrets(c.Base+" "+scope, d.Secrets, func(ctx context.Context, values []string) (vendorhttp.Token, error) {
		return signIn(ctx, c, scope, values[0], values[1])
	}, i.Secrets[aptible.SettingUsername], i.Secrets[aptible.SettingPassword])
	return c
}

// signIn changes the robot user's address and password for a token.
func signIn(ctx context.Context, c *vendorhttp.Client, scope, username, password string) (vendorhttp.Token, error) {
	asked := c.Now()
	answer, err := c.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: "/tokens", Reads: true, Anonymous: true, Hide: []string{username, password},
		Body: url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}, "scope": {scope}},
	})
	if e, ok := errors.AsType[*vendorhttp.Error](err); ok && e.Code == "otp_token_required" {
		return vendorhttp.Token{}, &flow.Error{Code: flow.CodeStrategy, Message: "Aptible wants a second factor of the robot user, which it can't give: turn that off for this user", Cause: e}
	} else if err != nil {
		return vendorhttp.Token{}, err
	}
	var got struct {
		Token   string          `json:"access_token"`
		Seconds json.RawMessage `json:"expires_in"`
		Until   json.RawMessage `json:"expires_at"`
	}
	if err := c.Decode(answer, &got); err != nil {
		return vendorhttp.Token{}, err
	}
	if got.Token == "" {
		return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "Aptible gave no token for username_secret and password_secret of the integration")
	}
	token := vendorhttp.Token{Header: "Bearer " + got.Token, Until: asked.Add(lives)}
	var seconds, at int64
	var date time.Time
	switch { // its clients disagree on the form
	case json.Unmarshal(got.Seconds, &seconds) == nil && seconds > 0:
		token.Until = asked.Add(time.Duration(seconds) * time.Second)
	case json.Unmarshal(got.Until, &at) == nil && at > 0:
		token.Until = time.Unix(at, 0)
	case json.Unmarshal(got.Until, &date) == nil && !date.IsZero():
		token.Until = date
	}
	return token, nil
}

// list reads a list of resources, which are embedded by that name, and goes on under
// the link for the next page.
func list(ctx context.Context, c *vendorhttp.Client, at, name string) iter.Seq2[resource, error] {
	return func(yield func(resource, error) bool) {
		for range maxPages {
			var page struct {
				Embedded map[string]json.RawMessage `json:"_embedded"`
				resource
			}
			answer, err := c.Send(ctx, vendorhttp.Request{Method: http.MethodGet, Path: at})
			if err == nil {
				err = c.Decode(answer, &page)
			}
			var items []resource
			if text, ok := page.Embedded[name]; err == nil && ok {
				err = c.Decode(vendorhttp.Answer{Status: answer.Status, Body: text}, &items)
			}
			if err != nil {
				yield(resource{}, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			next := page.to("next", "")
			if next == "" || next == at {
				return
			}
			at = next
		}
		yield(resource{}, flow.Errorf(flow.CodeStrategy, "Aptible has a list of more than %d pages, which is not read", maxPages))
	}
}

// missing tells whether an error says that something is not there.
func missing(err error) bool { return vendorhttp.Missing(err) }
