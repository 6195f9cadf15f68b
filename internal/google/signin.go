package google

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/vendorhttp"
)

const (
	// lifetime is that of tokens that we may ask for: calls take seconds.
	lifetime = 15 * time.Minute
	// everything is the scope of a token that acts as a service account only.
	everything = "https://www.googleapis.com/auth/cloud-platform"

	stsBase         = "https://sts.googleapis.com"
	oauthBase       = "https://oauth2.googleapis.com"
	tokenPath       = "/v1/token"
	jwtPath         = "/token"
	jwtBearer       = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

// signIn gets a token for scopes, as an integration says.
type signIn struct {
	apis   *APIs
	to     *flow.Integration
	scopes []string
}

// token is for vendorhttp.Tokens. Errors say what of the integration to see to.
func (s signIn) token(ctx context.Context) (vendorhttp.Token, error) {
	if strategy.HasPrivateKey(s.to) {
		return s.byKey(ctx)
	}
	federated, err := s.exchange(ctx)
	if err != nil {
		return vendorhttp.Token{}, err
	}
	if s.to.Settings[strategy.SettingGoogleSubject] != "" {
		return s.bySignature(ctx, federated)
	}
	return s.impersonate(ctx, federated)
}

// exchange gets a token of the workload identity pool, for a word of AWS on who we
// are (https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token).
func (s signIn) exchange(ctx context.Context) (header string, err error) {
	settings := s.to.Settings
	audience := settings[strategy.SettingGoogleAudience]
	kind := cmp.Or(settings[strategy.SettingGoogleSubjectToken], strategy.GoogleTokenAWS)
	var word string
	if kind == strategy.GoogleTokenJWT {
		word, err = s.apis.IdentityToken(ctx, strategy.GoogleJWTAudience(s.to))
	} else {
		word, err = s.signedByAWS(ctx, audience)
	}
	if err != nil {
		return "", err
	}
	base, path := split(cmp.Or(settings[strategy.SettingGoogleTokenURL], stsBase+tokenPath))
	sts := s.apis.anonymous(strategy.Address(s.to, base))
	got, err := sts.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: path, Hide: []string{word}, Reads: true,
		Body: url.Values{
			"grant_type": {tokenExchange}, "audience": {audience}, "scope": {everything}, "requested_token_type": {accessTokenType},
			"subject_token_type": {kind}, "subject_token": {word},
		},
	})
	if err != nil {
		return "", s.refused(err, "see that audience in integration %s names the provider of the pool, and that its condition lets in the role that we run as", s.to.Name)
	}
	t, err := s.answered(sts, got)
	return t.Header, err
}

// signedByAWS is a request that asks AWS who we are, signed and not sent: Google
// sends it, and believes what AWS answers
// (https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds#advanced_scenarios).
func (s signIn) signedByAWS(ctx context.Context, audience string) (string, error) {
	accounts, err := s.apis.AWS()
	if err != nil {
		return "", &flow.Error{Code: flow.CodeUnavailable, Message: "the configuration of AWS's clients here can't be read, by which we sign in to Google", Cause: err}
	}
	cfg := accounts.Config(strategy.AWSAccount{}, account.Caller{})
	if cfg.Region == "" || cfg.Credentials == nil {
		return "", flow.Errorf(flow.CodeUnavailable, "there is no region of AWS here, or there are no credentials, by which we sign in to Google: set AWS_REGION and sign in (aws sso login)")
	}
	who, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return "", account.Failure(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://sts."+cfg.Region+".amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15", nil)
	if err != nil {
		return "", fmt.Errorf("make the request that AWS signs: %w", err)
	}
	req.Header.Set("x-goog-cloud-target-resource", audience)
	nothing := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(ctx, who, req, hex.EncodeToString(nothing[:]), "sts", cfg.Region, s.apis.Now()); err != nil {
		return "", fmt.Errorf("sign a request to AWS: %w", err)
	}
	type header struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	headers := []header{{"host", req.URL.Host}}
	for name, values := range req.Header {
		headers = append(headers, header{strings.ToLower(name), strings.Join(values, ",")})
	}
	slices.SortFunc(headers, func(a, b header) int { return strings.Compare(a.Key, b.Key) })
	text, err := json.Marshal(map[string]any{"url": req.URL.String(), "method": req.Method, "headers": headers})
	if err != nil {
		return "", fmt.Errorf("encode the request that AWS signed: %w", err)
	}
	return url.QueryEscape(string(text)), nil
}

// impersonate gets a token of the service account, for one of the pool.
func (s signIn) impersonate(ctx context.Context, federated string) (vendorhttp.Token, error) {
	var got struct {
		AccessToken string    `json:"accessToken"`
		ExpireTime  time.Time `json:"expireTime"`
	}
	err := s.asServiceAccount(ctx, federated, "generateAccessToken", map[string]any{
		"scope": s.scopes, "lifetime": fmt.Sprintf("%ds", int(lifetime/time.Second)),
	}, &got)
	if err != nil {
		return vendorhttp.Token{}, err
	}
	return bearer(got.AccessToken, got.ExpireTime)
}

// bySignature gets a token of the service account for an administrator. The service
// account's key stays at Google: it signs there.
func (s signIn) bySignature(ctx context.Context, federated string) (vendorhttp.Token, error) {
	who := strategy.GoogleServiceAccount(s.to)
	payload, err := json.Marshal(s.claims(who))
	if err != nil {
		return vendorhttp.Token{}, fmt.Errorf("encode claims: %w", err)
	}
	var got struct {
		SignedJWT string `json:"signedJwt"`
	}
	if err := s.asServiceAccount(ctx, federated, "signJwt", map[string]any{"payload": string(payload)}, &got); err != nil {
		return vendorhttp.Token{}, err
	}
	return s.assert(ctx, got.SignedJWT, who)
}

// byKey gets a token of the service account by its private key.
func (s signIn) byKey(ctx context.Context) (vendorhttp.Token, error) {
	who := strategy.GoogleServiceAccount(s.to)
	signed, err := s.apis.Sign(ctx, s.to, "", s.claims(who))
	if err != nil {
		return vendorhttp.Token{}, err
	}
	return s.assert(ctx, signed, who)
}

// asServiceAccount calls a method on the service account, by a token of the pool
// (https://cloud.google.com/iam/docs/reference/credentials/rest).
func (s signIn) asServiceAccount(ctx context.Context, federated, method string, body, answer any) error {
	base, path := split(s.to.Settings[strategy.SettingGoogleImpersonation])
	path = strings.TrimSuffix(path, "generateAccessToken") + method
	c := s.apis.anonymous(strategy.Address(s.to, base))
	_, secret, _ := strings.Cut(federated, " ")
	got, err := c.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: path, Body: body, Header: http.Header{"Authorization": {federated}}, Reads: true, Hide: []string{secret},
	})
	if err != nil {
		return s.refused(err, "give the pool's principal of our role the role roles/iam.workloadIdentityUser on service account %s (with a subject: roles/iam.serviceAccountTokenCreator)", strategy.GoogleServiceAccount(s.to))
	}
	return c.Decode(got, answer)
}

// claims are what a service account says of itself to get a token
// (https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests).
func (s signIn) claims(serviceAccount string) map[string]any {
	now := s.apis.Now()
	claims := map[string]any{
		"iss": serviceAccount, "aud": oauthBase + jwtPath, "scope": strings.Join(s.scopes, " "),
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	}
	if subject := s.to.Settings[strategy.SettingGoogleSubject]; subject != "" {
		claims["sub"] = subject
	}
	return claims
}

// assert gets a token for claims that the service account has signed.
func (s signIn) assert(ctx context.Context, signed, serviceAccount string) (vendorhttp.Token, error) {
	c := s.apis.anonymous(strategy.Address(s.to, oauthBase))
	got, err := c.Send(ctx, vendorhttp.Request{
		Method: http.MethodPost, Path: jwtPath, Hide: []string{signed}, Reads: true,
		Body: url.Values{"grant_type": {jwtBearer}, "assertion": {signed}},
	})
	if err != nil {
		return vendorhttp.Token{}, s.refused(err, "see to the key of service account %s, and, with a subject, that domain-wide delegation in the Admin console lists its client for %s", serviceAccount, strings.Join(s.scopes, ", "))
	}
	return s.answered(c, got)
}

// answered reads a token as OAuth has them.
func (s signIn) answered(c *vendorhttp.Client, got vendorhttp.Answer) (vendorhttp.Token, error) {
	var t struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if err := c.Decode(got, &t); err != nil {
		return vendorhttp.Token{}, err
	}
	return bearer(t.AccessToken, s.apis.Now().Add(time.Duration(t.ExpiresIn)*time.Second))
}

func bearer(token string, until time.Time) (vendorhttp.Token, error) {
	if token == "" {
		return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "Google has signed us in without giving a token")
	}
	return vendorhttp.Token{Header: "Bearer " + token, Until: until}, nil
}

// refused says what to do where Google does not let us in. Faults that pass stay
// what they are.
func (s signIn) refused(err error, hint string, args ...any) error {
	said, ok := errors.AsType[*vendorhttp.Error](err)
	if !ok || flow.CodeOf(err) != flow.CodeStrategy {
		return err
	}
	return &flow.Error{
		Code: flow.CodeStrategy, Cause: err,
		Message: "Google does not let us in: " + fmt.Sprintf(hint, args...) + ". It says: " + cmp.Or(said.Message, said.Code, fmt.Sprintf("status %d", said.Status)),
	}
}

// split takes an address apart: the server, and the path there.
func split(address string) (base, path string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	return u.Scheme + "://" + u.Host, u.EscapedPath()
}
