package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/okta"
	"github.com/symflows/symflows/internal/vendorhttp"
)

const (
	vendor = "Okta"
	// perPage is what Okta recommends: https://developer.okta.com/docs/api/#pagination.
	perPage = "200"
	// assertion is how long what an app signs in with is good for, an hour at most:
	// https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/.
	assertion = 5 * time.Minute
	// skew is what Okta's own SDK adds to the time at which calls are taken again.
	skew = time.Second
)

// scopes are what calls are signed in for: to change what groups have, or to look.
func scopes(looking bool) string {
	if looking {
		return "okta.groups.read okta.users.read"
	}
	return "okta.groups.manage okta.users.read"
}

// api is Okta's, of one organisation.
type api struct{ http *vendorhttp.Client }

func (d Deps) api(i *flow.Integration, tokens *vendorhttp.Tokens) api {
	c := &vendorhttp.Client{
		Vendor: vendor, Base: strategy.Address(i, "https://"+strategy.Domain(i)), HTTP: d.HTTP, Now: d.Now, Limited: limited, Reason: reason,
	}
	if ref, ok := i.Secrets[okta.SettingToken]; ok {
		c.Authorize = vendorhttp.Secret(d.Secrets, ref, func(token string) string { return "SSWS " + token })
		return api{c}
	}
	scope := scopes(d.Looking)
	key := strings.Join([]string{c.Base, i.Settings[okta.SettingClient], i.Settings[strategy.SettingPrivateKeyKMS], i.Secrets[strategy.SettingPrivateKey].Path, scope}, " ")
	unsigned := *c
	c.Authorize = tokens.Authorize(key, func(ctx context.Context) (vendorhttp.Token, error) { return d.signIn(ctx, &unsigned, i, scope) })
	return api{c}
}

// signIn gets a token for an app that has a private key.
func (d Deps) signIn(ctx context.Context, c *vendorhttp.Client, i *flow.Integration, scope string) (vendorhttp.Token, error) {
	now, app := d.Now(), i.Settings[okta.SettingClient]
	signed, err := d.Keys.Sign(ctx, i, i.Settings[okta.SettingKeyID], map[string]any{
		"iss": app, "sub": app, "aud": "https://" + strategy.Domain(i) + "/oauth2/v1/token",
		"iat": now.Unix(), "exp": now.Add(assertion).Unix(), "jti": rand.Text(),
	})
	if err != nil {
		return vendorhttp.Token{}, err
	}
	got, err := c.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: "/oauth2/v1/token", Hide: []string{signed},
		Body: url.Values{
			"grant_type": {"client_credentials"}, "scope": {scope},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {signed},
		},
	})
	if err != nil {
		return vendorhttp.Token{}, noToken(err, scope)
	}
	var answer struct {
		Token string        `json:"access_token"`
		For   time.Duration `json:"expires_in"` // seconds
	}
	if err := c.Decode(got, &answer); err != nil {
		return vendorhttp.Token{}, err
	}
	if answer.Token == "" {
		return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "Okta has let the app in without a token")
	}
	return vendorhttp.Token{Header: "Bearer " + answer.Token, Until: now.Add(answer.For * time.Second)}, nil
}

// noToken says what to do about an app that is not let in.
func noToken(err error, scope string) error {
	said, ok := errors.AsType[*vendorhttp.Error](err)
	if !ok {
		return err
	}
	refused := func(message string) error {
		return &flow.Error{Code: flow.CodeStrategy, Message: message, Cause: said}
	}
	switch said.Code {
	case "invalid_client":
		return refused("Okta does not know the app, or the key that it signs in with: correct client_id, the private key and its key_id, and have Okta know the public half")
	case "invalid_scope":
		return refused("Okta does not grant the app what is asked for: grant it the scopes " + scope)
	case "invalid_dpop_proof":
		return refused("Okta wants proof of possession (DPoP) from the app, which is not sent: switch that off in the app's general settings")
	}
	return err
}

// limited: Okta says by the second of the epoch when calls are taken again, by its
// own clock: https://developer.okta.com/docs/reference/rl-best-practices/.
func limited(a vendorhttp.Answer) (time.Duration, bool) {
	if a.Status != http.StatusTooManyRequests {
		return 0, false
	}
	if a.Header.Get(resetHeader) == "" {
		return 0, true
	}
	return vendorhttp.ResetAt(a, resetHeader) + skew, true
}

const resetHeader = "X-Rate-Limit-Reset"

// reason reads Okta's errors, and those of its OAuth.
func reason(body []byte) (code, message string) {
	var said struct {
		ErrorCode    string `json:"errorCode"`
		ErrorSummary string `json:"errorSummary"`
		ErrorCauses  []struct {
			ErrorSummary string `json:"errorSummary"`
		} `json:"errorCauses"`
	}
	if json.Unmarshal(body, &said) != nil || said.ErrorCode == "" {
		return vendorhttp.StandardReason(body)
	}
	words := []string{said.ErrorSummary}
	for _, c := range said.ErrorCauses {
		words = append(words, c.ErrorSummary)
	}
	return said.ErrorCode, strings.Join(words, ": ")
}

// user is what Okta knows of a person.
type user struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Profile struct {
		Login string `json:"login"`
		Email string `json:"email"`
	} `json:"profile"`
}

// group is one of Okta's, or one that it has from elsewhere.
type group struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Profile struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"profile"`
}

const native = "OKTA_GROUP" // the others are APP_GROUP and BUILT_IN

func (a api) user(ctx context.Context, id string) (user, error) {
	var got user
	return got, a.http.Do(ctx, http.MethodGet, vendorhttp.Path("api", "v1", "users", id), nil, nil, &got)
}

func (a api) group(ctx context.Context, id string) (group, error) {
	var got group
	return got, a.http.Do(ctx, http.MethodGet, vendorhttp.Path("api", "v1", "groups", id), nil, nil, &got)
}

// change puts a person into a group, or takes them out.
func (a api) change(ctx context.Context, method, group, user string) error {
	return a.http.Do(ctx, method, vendorhttp.Path("api", "v1", "groups", group, "users", user), nil, nil, nil)
}

// member tells whether Okta shows the person in the group, by their own groups:
// these are fewer than the members of a group may be.
func (a api) member(ctx context.Context, groupID, user string) (bool, error) {
	for page, err := range vendorhttp.Pages[[]group](ctx, a.http, vendorhttp.Path("api", "v1", "users", user, "groups"), nil) {
		if err != nil {
			return false, err
		}
		for _, g := range page {
			if g.ID == groupID {
				return true, nil
			}
		}
	}
	return false, nil
}

func (a api) members(ctx context.Context, group string) iter.Seq2[[]user, error] {
	return vendorhttp.Pages[[]user](ctx, a.http, vendorhttp.Path("api", "v1", "groups", group, "users"), url.Values{"limit": {perPage}})
}

func (a api) groups(ctx context.Context) iter.Seq2[[]group, error] {
	return vendorhttp.Pages[[]group](ctx, a.http, "/api/v1/groups", url.Values{"filter": {fmt.Sprintf("type eq %q", native)}, "limit": {perPage}})
}

// rules names the group rules that hold the person in the group, for people. An
// organisation in which Okta can't be asked for them has none that are known.
func (a api) rules(ctx context.Context, group, user string) ([]string, error) {
	var held []string
	type rule struct{ ID, Name string }
	for page, err := range vendorhttp.Pages[[]rule](ctx, a.http, vendorhttp.Path("api", "v1", "groups", group, "users", user, "group-rules"), nil) {
		if status := vendorhttp.StatusOf(err); status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		for _, r := range page {
			held = append(held, "the group rule "+cmp.Or(r.Name, r.ID)+" of Okta")
		}
	}
	return held, nil
}

// find searches people by their e-mail address, or their login.
func (a api) find(ctx context.Context, email string) ([]user, error) {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(email)
	var found []user
	for page, err := range vendorhttp.Pages[[]user](ctx, a.http, "/api/v1/users", url.Values{
		"search": {fmt.Sprintf(`profile.email eq "%[1]s" or profile.login eq "%[1]s"`, quoted)}, "limit": {perPage},
	}) {
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
	}
	return found, nil
}
