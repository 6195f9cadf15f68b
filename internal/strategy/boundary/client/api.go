package client

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/boundary"
	"github.com/symflows/symflows/internal/vendorhttp"
)

const (
	maxPages = 10_000
	// lives is how long a token is used of which Boundary does not say when it ends.
	lives = time.Hour
)

// group is what Boundary tells of a group, as far as it matters here.
type group struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Version uint32   `json:"version"`
	Members []string `json:"member_ids"`
	Scope   scope    `json:"scope"`
	ScopeID string   `json:"scope_id"`
}

type scope struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// connect gives a client of the controller that an integration names.
func connect(d vendorhttp.Deps, tokens *vendorhttp.Tokens, i *flow.Integration) *vendorhttp.Client {
	i = cmp.Or(i, &flow.Integration{})
	c := &vendorhttp.Client{Vendor: "Boundary", Base: strategy.Address(i, i.ExternalID), HTTP: d.HTTP, Now: d.Now, Reason: reason}
	key := c.Base + " " + i.Settings[boundary.SettingAuthMethod] + " " + i.Settings[boundary.SettingLogin]
	c.Authorize = tokens.BySecrets(key, d.Secrets, func(ctx context.Context, values []string) (vendorhttp.Token, error) {
		return signIn(ctx, c, i, values[0])
	}, i.Secrets[boundary.SettingPassword])
	return c
}

// signIn changes the login name and the password for a token.
func signIn(ctx context.Context, c *vendorhttp.Client, i *flow.Integration, password string) (vendorhttp.Token, error) {
	asked := c.Now()
	answer, err := c.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: vendorhttp.Path("v1", "auth-methods", i.Settings[boundary.SettingAuthMethod]) + ":authenticate",
		Body: map[string]any{
			"command":    "login",
			"attributes": map[string]string{"login_name": i.Settings[boundary.SettingLogin], "password": password},
		},
		Reads: true, Anonymous: true, Hide: []string{password},
	})
	if err != nil {
		return vendorhttp.Token{}, err
	}
	var got struct {
		Attributes struct {
			Token string    `json:"token"`
			Until time.Time `json:"expiration_time"`
		} `json:"attributes"`
	}
	if err := c.Decode(answer, &got); err != nil {
		return vendorhttp.Token{}, err
	}
	if got.Attributes.Token == "" {
		return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "Boundary gave no token for auth_method_id, login_name and password_secret of the integration")
	}
	if got.Attributes.Until.IsZero() {
		got.Attributes.Until = asked.Add(lives)
	}
	return vendorhttp.Token{Header: "Bearer " + got.Attributes.Token, Until: got.Attributes.Until}, nil
}

// reason reads Boundary's errors.
func reason(body []byte) (code, message string) {
	var got struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
		Details struct {
			Fields []struct {
				Name        string `json:"name"`
				Description string `json:"description"`
			} `json:"request_fields"`
		} `json:"details"`
	}
	if json.Unmarshal(body, &got) != nil {
		return "", ""
	}
	for _, f := range got.Details.Fields {
		got.Message += " " + f.Name + ": " + f.Description
	}
	return got.Kind, got.Message
}

// below asks for what a scope has, and the scopes below it.
func below(scopeID string) url.Values {
	return url.Values{"scope_id": {scopeID}, "recursive": {"true"}}
}

// list reads a list page by page. Versions before 0.15 send all at once, and don't
// say that it is complete.
func list[T any](ctx context.Context, c *vendorhttp.Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for range maxPages {
			var page struct {
				Items []T    `json:"items"`
				Type  string `json:"response_type"`
				Token string `json:"list_token"`
			}
			if err := c.Do(ctx, http.MethodGet, path, query, nil, &page); err != nil {
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Type != "delta" || page.Token == "" {
				return
			}
			next := url.Values{"list_token": {page.Token}}
			for name, values := range query {
				if name != "list_token" {
					next[name] = values
				}
			}
			query = next
		}
		yield(none, flow.Errorf(flow.CodeStrategy, "Boundary has a list of more than %d pages, which is not read", maxPages))
	}
}

// missing tells whether an error says that something is not there.
func missing(err error) bool { return vendorhttp.Missing(err) }
