package client

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/onelogin"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Bounds of what OneLogin gives at once.
const (
	pageSize = 100
	maxPages = 10_000
)

// active is the status of the users who may sign in. Those of all others are
// suspended, locked, not activated, or have to set a password first.
const active = 1

// user is what OneLogin tells of a user, as far as it matters here.
type user struct {
	ID     json.Number   `json:"id"`
	Email  string        `json:"email"`
	Status *int          `json:"status"`
	Roles  []json.Number `json:"role_ids"` // nil: it does not tell
}

// role is what it tells of a role.
type role struct {
	ID   json.Number `json:"id"`
	Name string      `json:"name"`
}

// connect gives a client of the API that an integration names.
func connect(d vendorhttp.Deps, tokens *vendorhttp.Tokens, i *flow.Integration) *vendorhttp.Client {
	i = cmp.Or(i, &flow.Integration{})
	c := &vendorhttp.Client{
		Vendor: "OneLogin", Base: strategy.Address(i, "https://"+strategy.Domain(i)), HTTP: d.HTTP, Now: d.Now, Limited: limited,
	}
	id := i.Settings[onelogin.SettingClientID]
	c.Authorize = tokens.BySecrets(c.Base+" "+id, d.Secrets, func(ctx context.Context, values []string) (vendorhttp.Token, error) {
		return signIn(ctx, c, id, values[0])
	}, i.Secrets[onelogin.SettingClientSecret])
	return c
}

// signIn changes the credential pair for a token.
func signIn(ctx context.Context, c *vendorhttp.Client, id, secret string) (vendorhttp.Token, error) {
	basic := base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
	asked := c.Now()
	answer, err := c.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: "/auth/oauth2/v2/token", Body: map[string]string{"grant_type": "client_credentials"},
		Header: http.Header{"Authorization": {"Basic " + basic}}, Reads: true, Anonymous: true, Hide: []string{secret, basic},
	})
	if err != nil {
		return vendorhttp.Token{}, err
	}
	var got struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := c.Decode(answer, &got); err != nil {
		return vendorhttp.Token{}, err
	}
	if got.Token == "" {
		return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "OneLogin gave no token for client_id and client_secret of the integration")
	}
	return vendorhttp.Token{Header: "Bearer " + got.Token, Until: asked.Add(time.Duration(got.Seconds) * time.Second)}, nil
}

// limited reads what OneLogin says of its limit: in how many seconds it begins
// anew, or, in some answers, at what Unix time.
func limited(a vendorhttp.Answer) (time.Duration, bool) {
	const header, yearInSeconds = "X-RateLimit-Reset", 365 * 24 * 3600
	after, is := vendorhttp.StandardLimit(a)
	if is && after == 0 {
		if n, err := strconv.ParseInt(a.Header.Get(header), 10, 64); err == nil && n > yearInSeconds {
			after = vendorhttp.ResetAt(a, header)
		} else {
			after = vendorhttp.ResetIn(a, header)
		}
	}
	return after, is
}

// list reads a list page by page. The next one's cursor is in a header, or the
// number of all is.
func list[T any](ctx context.Context, c *vendorhttp.Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		asked := url.Values{"limit": {strconv.Itoa(pageSize)}}
		for name, values := range query {
			asked[name] = values
		}
		for page := 1; page <= maxPages; page++ {
			var items []T
			answer, err := c.Send(ctx, vendorhttp.Request{Method: http.MethodGet, Path: path, Query: asked})
			if err == nil {
				err = c.Decode(answer, &items)
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			pages, _ := strconv.Atoi(answer.Header.Get("Total-Pages"))
			switch cursor := answer.Header.Get("After-Cursor"); {
			case len(items) == 0:
				return
			case cursor != "":
				asked = url.Values{"limit": asked["limit"], "cursor": {cursor}}
			case page < pages:
				asked.Set("page", strconv.Itoa(page+1))
			default:
				return
			}
		}
		yield(none, flow.Errorf(flow.CodeStrategy, "OneLogin has a list of more than %d pages, which is not read", maxPages))
	}
}

// found reads one thing, and tells whether OneLogin has it.
func found(ctx context.Context, c *vendorhttp.Client, path string, query url.Values, answer any) (bool, error) {
	err := c.Do(ctx, http.MethodGet, path, query, nil, answer)
	if vendorhttp.Missing(err) {
		return false, nil
	}
	return err == nil, err
}
