package oktafake

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// lives is how long a token of an app is good for.
const lives = time.Hour

// token lets an app in: https://developer.okta.com/docs/reference/api/oidc/#token.
func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, why string) {
		answer(w, status, map[string]string{"error": code, "error_description": why})
	}
	if err := r.ParseForm(); err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		refuse(http.StatusBadRequest, "invalid_request", "The request is missing a required parameter.")
		return
	}
	f.mu.Lock()
	now, granted, dpop := f.clock(), f.granted, f.dpop
	f.mu.Unlock()
	if r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		refuse(http.StatusBadRequest, "invalid_request", "The grant type, or the type of the client assertion, is not supported.")
		return
	}
	claims := &jwt.RegisteredClaims{}
	parsed, err := jwt.ParseWithClaims(r.PostForm.Get("client_assertion"), claims, func(*jwt.Token) (any, error) { return &Key().PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience("https://"+Domain+"/oauth2/v1/token"), jwt.WithIssuer(Client), jwt.WithSubject(Client),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now }))
	switch {
	case err != nil || parsed.Header["kid"] != KeyID:
		refuse(http.StatusUnauthorized, "invalid_client", "The client_assertion signature or its claims are invalid.")
		return
	case claims.ExpiresAt.Sub(now) > time.Hour:
		refuse(http.StatusUnauthorized, "invalid_client", "The client_assertion token has an expiration too far into the future.")
		return
	case dpop && r.Header.Get("DPoP") == "":
		refuse(http.StatusBadRequest, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
		return
	}
	f.mu.Lock()
	again := f.used[claims.ID]
	f.used[cmp.Or(claims.ID, "none")] = true
	f.mu.Unlock()
	if again {
		refuse(http.StatusUnauthorized, "invalid_client", "The client_assertion token has been used already.")
		return
	}
	scope := r.PostForm.Get("scope")
	for s := range strings.FieldsSeq(scope) {
		if !slices.Contains(strings.Fields(granted), s) {
			refuse(http.StatusBadRequest, "invalid_scope", "One or more scopes are not configured for the authorization server resource.")
			return
		}
	}
	token := f.Issue()
	f.mu.Lock()
	f.scopes[token] = scope
	f.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(lives / time.Second), "access_token": token, "scope": scope})
}

// may tells whether who calls may do what a scope allows. To manage is to read, too.
func (f *Fake) may(r *http.Request, scope string) bool {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if kind == "SSWS" {
		return true // an administrator
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	has := strings.Fields(f.scopes[token])
	return slices.Contains(has, scope) || slices.Contains(has, strings.Replace(scope, ".read", ".manage", 1))
}
