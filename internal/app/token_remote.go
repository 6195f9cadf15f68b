package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
)

// remoteTokens are those of a deployment in AWS, which takes requests signed
// with AWS credentials that may call its path:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html.
type remoteTokens struct {
	url         string // with the API's base path
	region      string
	credentials aws.CredentialsProvider
	client      *http.Client
	now         func() time.Time
}

// apiHost is the host of an API in API Gateway, which tells its region.
var apiHost = regexp.MustCompile(`^https://[a-z0-9]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/`)

// apiURL gives the URL of the API's paths for one that people give with -url.
func apiURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1" {
		return "", fmt.Errorf("-url %q: give the URL of the deployment's API, such as https://abc123.execute-api.us-east-1.amazonaws.com", base)
	}
	return strings.TrimSuffix(strings.TrimSuffix(base, "/"), api.Base) + api.Base, nil
}

// tokensAt finds the deployment at a URL, and this shell's credentials.
func tokensAt(ctx context.Context, base string) (*remoteTokens, error) {
	root, err := apiURL(base)
	if err != nil {
		return nil, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("find AWS credentials: %w", err)
	}
	r := &remoteTokens{
		url: root, region: cfg.Region,
		credentials: cfg.Credentials, client: &http.Client{Timeout: 30 * time.Second}, now: time.Now,
	}
	if m := apiHost.FindStringSubmatch(root); m != nil {
		r.region = m[1]
	}
	if r.region == "" {
		return nil, errors.New("the region of the deployment is not known: set AWS_REGION")
	}
	return r, nil
}

func (r *remoteTokens) Create(ctx context.Context, in events.CreateTokenInput) (out events.CreatedToken, err error) {
	err = r.call(ctx, http.MethodPost, "/tokens", in, &out)
	return out, err
}

func (r *remoteTokens) List(ctx context.Context) ([]events.Token, error) {
	var out events.TokenList
	err := r.call(ctx, http.MethodGet, "/tokens", nil, &out)
	return out.Tokens, err
}

func (r *remoteTokens) SetOwner(ctx context.Context, id, owner string) error {
	var out events.Token
	return r.call(ctx, http.MethodPut, "/tokens/"+url.PathEscape(id), events.SetTokenOwnerInput{Owner: owner}, &out)
}

func (r *remoteTokens) Revoke(ctx context.Context, id string) error {
	var out events.Token
	return r.call(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(id), nil, &out)
}

// maxSignedAnswer is more than a function can answer, in bytes.
const maxSignedAnswer = 8 << 20

// call sends a signed request.
func (r *remoteTokens) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	credentials, err := r.credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	digest := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), "execute-api", r.region, r.now()); err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxSignedAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return refusal(response, answer)
	}
	return json.Unmarshal(answer, out)
}

// refusal turns an answer that reports an error into one for the user. An error
// of the API has a code, one of API Gateway only a message.
func refusal(response *http.Response, body []byte) error {
	var ours events.APIError
	if json.Unmarshal(body, &ours) == nil && ours.Code != "" {
		for _, f := range ours.Errors {
			ours.Message += "; " + f.Field + " " + f.Message
		}
		return fmt.Errorf("%s (%s)", ours.Message, ours.Code)
	}
	var theirs struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &theirs)
	hint := ""
	if response.StatusCode == http.StatusForbidden {
		hint = ": the credentials need execute-api:Invoke on this API, and its clock must agree with yours"
	}
	return fmt.Errorf("the deployment answered %s: %s%s", response.Status, cmp.Or(theirs.Message, "nothing"), hint)
}
