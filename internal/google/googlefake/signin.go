package googlefake

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/symflows/symflows/internal/appkey"
	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
)

const (
	cloudScope = "https://www.googleapis.com/auth/cloud-platform"

	// Audience is the provider of the pool that lets us in.
	Audience = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sym/providers/aws"
	// ServiceAccount is whom we act as.
	ServiceAccount = "sym@acme.iam.gserviceaccount.com"

	awsKeyID  = "ASIAIOSFODNN7EXAMPLE"
	awsSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	awsToken  = "session-token-of-aws"
	keyID     = "key-1"

	identityToken = "word-of-aws-for "
)

var signInRoutes = []route{
	{method: "POST", path: at("/v1/token"), oauth: true, do: exchange},
	{method: "POST", path: at("/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken"), do: generateAccessToken},
	{method: "POST", path: at("/v1/projects/-/serviceAccounts/([^/:]+):signJwt"), do: signJWT},
	{method: "POST", path: at("/token"), oauth: true, do: assertion},
}

func grant(code, message string) error { return &fault{400, code, message, ""} }

func (f *Fake) answerToken(scopes []string) any {
	return map[string]any{"access_token": f.give(scopes, time.Hour), "expires_in": 3600, "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
}

// ownWord knows the tokens of [Fake.APIs].
func ownWord(token, audience string) (string, error) {
	if token != identityToken+audience {
		return "", errors.New("no token of AWS")
	}
	return "AccessRole", nil
}

// federated marks tokens of the pool, which are good to act as a service account.
const federated = "federated"

// exchange is the Security Token Service.
func exchange(f *Fake, c *call) (any, error) {
	get := c.form.Get
	if get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" || get("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token" || get("scope") != cloudScope {
		return nil, grant("invalid_request", "Invalid grant_type, requested_token_type or scope")
	}
	if get("audience") != Audience {
		return nil, grant("invalid_target", "The target service indicated by the \"audience\" parameters is invalid.")
	}
	switch get("subject_token_type") {
	case "urn:ietf:params:aws:token-type:aws4_request":
		if err := f.callerIdentity(get("subject_token")); err != nil {
			return nil, err
		}
	case "urn:ietf:params:oauth:token-type:jwt":
		if _, err := f.word(get("subject_token"), "https:"+Audience); err != nil {
			return nil, grant("invalid_grant", "The audience in ID Token does not match the expected audience.")
		}
	default:
		return nil, grant("invalid_request", "Invalid subject_token_type")
	}
	return f.answerToken([]string{federated}), nil
}

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]+)/\d{8}/([a-z0-9-]+)/sts/aws4_request, SignedHeaders=([^,]+), Signature=[0-9a-f]{64}$`)

// callerIdentity does with a signed request what Google and AWS do with it: it has
// to be for us, young, and signed by who has the key.
func (f *Fake) callerIdentity(subject string) error {
	text, err := url.QueryUnescape(subject)
	if err != nil {
		return grant("invalid_request", "Unable to parse subject_token")
	}
	var signed struct {
		URL, Method string
		Headers     []struct{ Key, Value string }
	}
	if json.Unmarshal([]byte(text), &signed) != nil {
		return grant("invalid_request", "Unable to parse subject_token")
	}
	header := http.Header{}
	for _, h := range signed.Headers {
		header.Set(h.Key, h.Value)
	}
	m := authorization.FindStringSubmatch(header.Get("Authorization"))
	if m == nil {
		return grant("invalid_grant", "no signature")
	}
	want := "https://sts." + m[2] + ".amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
	at, err := time.Parse("20060102T150405Z", header.Get("X-Amz-Date"))
	if signed.URL != want || signed.Method != http.MethodPost || header.Get("X-Goog-Cloud-Target-Resource") != Audience ||
		!slices.Contains(strings.Split(m[3], ";"), "x-goog-cloud-target-resource") || header.Get("Host") != "sts."+m[2]+".amazonaws.com" ||
		err != nil || f.clock().Sub(at).Abs() > 15*time.Minute {
		return grant("invalid_grant", "The request is for something else, or too old.")
	}
	again, err := http.NewRequest(signed.Method, signed.URL, nil)
	if err != nil {
		return err
	}
	again.Header.Set("x-goog-cloud-target-resource", Audience)
	nothing := sha256.Sum256(nil)
	who := aws.Credentials{AccessKeyID: m[1], SecretAccessKey: f.keys[m[1]], SessionToken: header.Get("X-Amz-Security-Token")}
	if err := v4.NewSigner().SignHTTP(context.Background(), who, again, hex.EncodeToString(nothing[:]), "sts", m[2], at); err != nil {
		return err
	}
	if again.Header.Get("Authorization") != header.Get("Authorization") || who.SecretAccessKey == "" || m[1] == awsKeyID && who.SessionToken != awsToken {
		return grant("invalid_grant", "AWS does not accept the signature.")
	}
	return nil
}

// actsAs holds a call to act as a service account to a token of the pool.
func (f *Fake) actsAs(c *call) error {
	t := f.tokens[c.token]
	if !slices.Contains(t.scopes, federated) || c.parts[0] != ServiceAccount {
		return &fault{403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).", "IAM_PERMISSION_DENIED"}
	}
	return nil
}

func generateAccessToken(f *Fake, c *call) (any, error) {
	var in struct {
		Scope     []string `json:"scope"`
		Lifetime  string   `json:"lifetime"`
		Delegates []string `json:"delegates"`
	}
	if err := f.actsAs(c); err != nil {
		return nil, err
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	lives, err := time.ParseDuration(in.Lifetime)
	if err != nil || lives <= 0 || lives > time.Hour || len(in.Scope) == 0 {
		return nil, invalid("scope or lifetime")
	}
	return map[string]any{"accessToken": f.give(in.Scope, lives), "expireTime": f.clock().Add(lives)}, nil
}

// key is a service account's; it takes a while to make.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// privateKey is it as Google gives it to administrators.
func privateKey() string {
	der, err := x509.MarshalPKCS8PrivateKey(key())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func signJWT(f *Fake, c *call) (any, error) {
	var in struct {
		Payload string `json:"payload"`
	}
	if err := f.actsAs(c); err != nil {
		return nil, err
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	text := encode(`{"alg":"RS256","typ":"JWT","kid":"`+keyID+`"}`) + "." + encode(in.Payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key(), crypto.SHA256, sum[:])
	if err != nil {
		return nil, err
	}
	return map[string]string{"keyId": keyID, "signedJwt": text + "." + encode(string(signature))}, nil
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func decode(text string, into any) bool {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(plain, into) == nil
}

// assertion gives a token for claims that the service account's key has signed.
func assertion(f *Fake, c *call) (any, error) {
	if c.form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return nil, grant("unsupported_grant_type", "Invalid grant_type: "+c.form.Get("grant_type"))
	}
	parts := strings.Split(c.form.Get("assertion"), ".")
	var header struct{ Alg string }
	var claims struct {
		Iss, Sub, Aud, Scope string
		Iat, Exp             int64
	}
	if len(parts) != 3 || !decode(parts[0], &header) || !decode(parts[1], &claims) || header.Alg != "RS256" {
		return nil, grant("invalid_grant", "Invalid JWT: Failed to parse.")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&key().PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return nil, grant("invalid_grant", "Invalid JWT Signature.")
	}
	if now := f.clock().Unix(); claims.Iss != ServiceAccount || claims.Aud != "https://oauth2.googleapis.com/token" || claims.Iat > now || claims.Exp <= now || claims.Exp-claims.Iat > 3600 {
		return nil, grant("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.")
	}
	scopes := strings.Fields(claims.Scope)
	if claims.Sub != "" && f.delegated != nil && slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(f.delegated, s) }) {
		return nil, &fault{401, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.", ""}
	}
	return f.answerToken(scopes), nil
}

// Secrets are what no error may show.
func (f *Fake) Secrets() []string {
	return []string{awsSecret, awsToken, "PRIVATE KEY", identityToken}
}

// secrets has the one secret that there is.
type secrets struct{}

// Value implements strategy.Secrets.
func (secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	if ref.Path != "/sym/google" {
		return "", flow.Errorf(flow.CodeUnavailable, "there is no secret %s", ref.Path)
	}
	return privateKey(), nil
}

// APIs calls it.
func (f *Fake) APIs() *google.APIs {
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider(awsKeyID, awsSecret, awsToken)}
	return &google.APIs{
		HTTP: f.server.Client(), Now: f.Now, Sign: appkey.Keys{Secrets: secrets{}}.Sign,
		AWS:           func() (*account.Accounts, error) { return &account.Accounts{AWS: cfg, Now: f.Now}, nil },
		IdentityToken: func(_ context.Context, audience string) (string, error) { return identityToken + audience, nil },
	}
}

// Integration is one with it, without a key.
func (f *Fake) Integration() *flow.Integration {
	return &flow.Integration{Name: "google", Type: "google", ExternalID: Domain, Settings: map[string]string{
		"type": "external_account", "audience": Audience, "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request", "customer_id": Customer,
		"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + ServiceAccount + ":generateAccessToken", "api_url": f.URL(),
	}}
}

// KeyIntegration is one by a key.
func (f *Fake) KeyIntegration() *flow.Integration {
	return &flow.Integration{
		Name: "google", Type: "google", ExternalID: Domain, Settings: map[string]string{"api_url": f.URL(), "customer_id": Customer, "service_account": ServiceAccount},
		Secrets: map[string]flow.SecretRef{"private_key_secret": {Name: "google", Source: "aws_secrets_manager", Path: "/sym/google"}},
	}
}
