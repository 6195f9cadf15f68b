package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/tailscale"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// What it takes to look: https://tailscale.com/kb/1623/trust-credentials#scopes.
const (
	ofGroups  = "policy_file:read users:read"
	ofPosture = "devices:core:read devices:posture_attributes:read users:read"
)

// api calls Tailscale. If we only look, and Tailscale lets us ask for less than the
// credential may do, it is these scopes.
func (t tailnet) api(scopes string) *vendorhttp.Client {
	c := &vendorhttp.Client{
		Vendor: "Tailscale", Base: strategy.Address(t.integration, tailscale.Server), HTTP: t.deps.HTTP, Now: t.deps.Now,
	}
	if token, ok := t.integration.Secrets[tailscale.SettingToken]; ok {
		c.Authorize = func(ctx context.Context, _ string) (string, error) {
			value, err := t.deps.Secrets.Value(ctx, token)
			return "Bearer " + value, err
		}
		return c
	}
	way := signIn{t, c, t.integration.Settings[tailscale.SettingClientID], ""}
	do := way.federated
	if secret, ok := t.integration.Secrets[tailscale.SettingClientSecret]; ok {
		if t.deps.Looking {
			way.scopes = scopes
		}
		do = func(ctx context.Context) (vendorhttp.Token, error) { return way.client(ctx, secret) }
	}
	c.Authorize = t.tokens.Authorize(strings.Join([]string{c.Base, way.id, way.scopes}, " "), do)
	return c
}

// signIn is one of a trust credential.
type signIn struct {
	tailnet
	api    *vendorhttp.Client
	id     string
	scopes string // to ask for; "": all that the credential has
}

// client signs in as an OAuth client.
func (s signIn) client(ctx context.Context, ref flow.SecretRef) (vendorhttp.Token, error) {
	secret, err := s.deps.Secrets.Value(ctx, ref)
	if err != nil {
		return vendorhttp.Token{}, err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.id}, "client_secret": {secret}}
	if s.scopes != "" {
		form.Set("scope", s.scopes)
	}
	return s.ask(ctx, "/api/v2/oauth/token", form, secret)
}

// federated signs in as a federated identity, by AWS's word on who we are.
func (s signIn) federated(ctx context.Context) (vendorhttp.Token, error) {
	word, err := s.deps.IdentityToken(ctx, tailscale.Audience(s.integration))
	if err != nil {
		return vendorhttp.Token{}, err
	}
	token, err := s.ask(ctx, "/api/v2/oauth/token-exchange", url.Values{"client_id": {s.id}, "jwt": {word}}, word)
	if flow.CodeOf(err) == flow.CodeStrategy {
		err = &flow.Error{Code: flow.CodeStrategy, Cause: err, Message: "Tailscale does not take AWS's identity token: see that the federated identity " + s.id +
			" has the issuer of our account, the ARN of our role as its subject, and the audience " + tailscale.Audience(s.integration)}
	}
	return token, err
}

// ask gets a token.
func (s signIn) ask(ctx context.Context, path string, form url.Values, secret string) (vendorhttp.Token, error) {
	asked := s.deps.Now()
	got, err := s.api.Send(ctx, vendorhttp.Request{Method: http.MethodPost, Path: path, Body: form, Reads: true, Anonymous: true, Hide: []string{secret}})
	if err != nil {
		return vendorhttp.Token{}, err
	}
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}
	if err := s.api.Decode(got, &token); err != nil {
		return vendorhttp.Token{}, err
	}
	if token.AccessToken == "" {
		return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "Tailscale gave no token when we signed in")
	}
	return vendorhttp.Token{Header: "Bearer " + token.AccessToken, Until: asked.Add(time.Duration(token.ExpiresIn) * time.Second)}, nil
}
