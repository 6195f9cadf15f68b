package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// purpose is what a sign-in of an app is for: its tokens have the permissions that
// this takes, and no others.
type purpose string

const (
	repositories purpose = "repositories" // collaborators and invitations
	people       purpose = "people"       // members of teams and of the organization
	names        purpose = "names"        // which repositories and teams there are, and whose a login is
)

// purposeOf is what calls about a target are for.
func purposeOf(t flow.Target) purpose {
	if t.Type == github.Repo {
		return repositories
	}
	return people
}

// permissions are those that tokens for a purpose have. Where strategies only look,
// none changes anything.
func (h *hub) permissions(p purpose) map[string]string {
	change := "write"
	if h.deps.Looking {
		change = "read"
	}
	switch p {
	case repositories:
		return map[string]string{"administration": change, "members": "read", "metadata": "read"}
	case people:
		return map[string]string{"members": change, "metadata": "read"}
	}
	return map[string]string{"members": "read", "metadata": "read"}
}

// asApp tells whether a GitHub App signs in.
func (h *hub) asApp() bool {
	return h.frozen.Integration != nil && h.frozen.Integration.Settings[github.SettingApp] != ""
}

// api is GitHub's API, for one purpose.
func (h *hub) api(p purpose) *vendorhttp.Client {
	api := h.anonymous()
	api.Authorize = h.token
	if h.asApp() {
		i := h.frozen.Integration
		key := fmt.Sprint(github.API(h.frozen), " app ", i.Settings[github.SettingApp], " installation ", i.Settings[github.SettingInstallation], " ", h.permissions(p))
		api.Authorize = h.tokens.Authorize(key, func(ctx context.Context) (vendorhttp.Token, error) { return h.installationToken(ctx, h.permissions(p)) })
	}
	return api
}

func (h *hub) anonymous() *vendorhttp.Client {
	return &vendorhttp.Client{
		Vendor: "GitHub", Base: github.API(h.frozen), HTTP: h.deps.HTTP, Now: h.deps.Now, Limited: limited, Reason: reason,
		Header: http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {"2022-11-28"}},
	}
}

// token signs in with the token that is in a secret.
func (h *hub) token(ctx context.Context, refused string) (string, error) {
	i := h.frozen.Integration
	if i == nil {
		return "", flow.Errorf(flow.CodeStrategy, "strategy %s has no integration: nothing says how to sign in to GitHub", h.frozen.Name)
	}
	ref, ok := i.Secrets[github.SettingToken]
	if !ok {
		return "", flow.Errorf(flow.CodeStrategy, "integration %s has no %s: nothing says how to sign in to GitHub", i.Name, github.SettingToken)
	}
	return vendorhttp.Secret(h.deps.Secrets, ref, func(token string) string { return "Bearer " + token })(ctx, refused)
}

// GitHub takes the word of an app for ten minutes at most, and not that of a clock
// which is ahead of its own.
const (
	appLife = 5 * time.Minute
	appSlow = time.Minute
)

// ofInstallation makes a call as the app itself, about its installation.
func (h *hub) ofInstallation(ctx context.Context, method string, body, answer any, more ...string) error {
	i, now := h.frozen.Integration, h.deps.Now()
	word, err := h.deps.Keys.Sign(ctx, i, "", map[string]any{
		"iss": i.Settings[github.SettingApp], "iat": now.Add(-appSlow).Unix(), "exp": now.Add(appLife).Unix(),
	})
	if err != nil {
		return err
	}
	api := h.anonymous()
	got, err := api.Send(ctx, vendorhttp.Request{
		Method: method, Path: vendorhttp.Path(append([]string{"app", "installations", i.Settings[github.SettingInstallation]}, more...)...),
		Header: http.Header{"Authorization": {"Bearer " + word}}, Hide: []string{word}, Body: body,
	})
	if err != nil {
		return err
	}
	return api.Decode(got, answer)
}

// installationToken takes a token of the app's installation.
func (h *hub) installationToken(ctx context.Context, permissions map[string]string) (vendorhttp.Token, error) {
	var token struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := h.ofInstallation(ctx, http.MethodPost, map[string]any{"permissions": permissions}, &token, "access_tokens"); err != nil {
		return vendorhttp.Token{}, h.noToken(err, permissions)
	}
	return vendorhttp.Token{Header: "Bearer " + token.Token, Until: token.ExpiresAt}, nil
}

// noToken says why an app can't sign in, and what to do about it.
func (h *hub) noToken(err error, permissions map[string]string) error {
	app := "the GitHub App of integration " + h.frozen.Integration.Name
	say := func(text string) error {
		return &flow.Error{Code: flow.CodeStrategy, Message: text, Cause: err}
	}
	switch vendorhttp.StatusOf(err) {
	case http.StatusUnauthorized:
		return say("GitHub does not know " + app + " by its private key: correct app_id, or have GitHub make another key and store it")
	case http.StatusForbidden:
		if flow.CodeOf(err) == flow.CodeStrategy {
			return say(app + " may not act in " + h.frozen.Integration.ExternalID + ": its installation is suspended, or not of this app")
		}
	case http.StatusNotFound:
		return say(app + " is not installed in " + h.frozen.Integration.ExternalID + " by this installation_id: install it, and correct the integration")
	case http.StatusUnprocessableEntity:
		var lacks []string
		for name, change := range permissions {
			lacks = append(lacks, name+": "+change)
		}
		slices.Sort(lacks)
		return say(app + " lacks permissions: give it " + strings.Join(lacks, ", ") + ", and have an owner accept them in the installation's settings")
	}
	return err
}
