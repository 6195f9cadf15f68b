package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/entragroup"
	"github.com/symflows/symflows/internal/vendorhttp"
)

const vendor = "Microsoft Entra"

// byWord says that a client proves who it is by a signed token.
const byWord = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// signedIn calls Microsoft Graph as the app of the integration. There is no asking
// for less than the app may do: its permissions are the administrator's to give.
func (t tenant) signedIn(tokens *vendorhttp.Tokens) *vendorhttp.Client {
	c := &vendorhttp.Client{Vendor: vendor, Base: t.place.Graph, HTTP: t.deps.HTTP, Now: t.deps.Now}
	login := &vendorhttp.Client{Vendor: vendor, Base: t.place.Login, HTTP: t.deps.HTTP, Now: t.deps.Now}
	id := t.integration.Settings[entragroup.SettingClientID]
	c.Authorize = tokens.Authorize(strings.Join([]string{t.place.Login, t.integration.ExternalID, id, t.place.Scope}, " "), func(ctx context.Context) (vendorhttp.Token, error) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "scope": {t.place.Scope}}
		secret, err := t.prove(ctx, form)
		if err != nil {
			return vendorhttp.Token{}, err
		}
		asked := t.deps.Now()
		got, err := login.Send(ctx, vendorhttp.Request{
			Method: http.MethodPost, Path: vendorhttp.Path(t.integration.ExternalID, "oauth2", "v2.0", "token"), Body: form, Reads: true, Hide: []string{secret},
		})
		if err != nil {
			return vendorhttp.Token{}, t.unproven(err)
		}
		var token struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int    `json:"expires_in"` // seconds
		}
		if err := login.Decode(got, &token); err != nil {
			return vendorhttp.Token{}, err
		}
		if token.AccessToken == "" {
			return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "%s gave no token when we signed in", vendor)
		}
		return vendorhttp.Token{Header: "Bearer " + token.AccessToken, Until: asked.Add(time.Duration(token.ExpiresIn) * time.Second)}, nil
	})
	return c
}

// prove adds what proves that we are the app, and gives it.
func (t tenant) prove(ctx context.Context, form url.Values) (secret string, err error) {
	if ref, ok := t.integration.Secrets[entragroup.SettingClientSecret]; ok {
		secret, err = t.deps.Secrets.Value(ctx, ref)
		form.Set("client_secret", secret)
		return secret, err
	}
	secret, err = t.deps.IdentityToken(ctx, entragroup.Audience(t.integration))
	form.Set("client_assertion_type", byWord)
	form.Set("client_assertion", secret)
	return secret, err
}

// unproven says what to set right where we are not let in.
func (t tenant) unproven(err error) error {
	e := said(err)
	if flow.CodeOf(err) != flow.CodeStrategy || e == nil {
		return err
	}
	message := "Entra does not take the client secret of the app: make a new one, and renew the secret of the integration"
	if whom := entragroup.Audience(t.integration); whom != "" {
		message = "Entra does not take AWS's identity token: see that a federated credential of the app has the issuer of our account, the ARN of our role as its subject, and the audience " + whom
	}
	return &flow.Error{Code: flow.CodeStrategy, Message: message + ". It says: " + flow.Clip(e.Message, 200), Cause: err}
}
