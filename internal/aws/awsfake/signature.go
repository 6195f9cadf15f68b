package awsfake

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The own account's key.
const (
	ownKey    = "AKIAIOSFODNN7EXAMPLE"
	ownSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// principal is who signed a call.
type principal struct {
	account string
	role    string // the ARN of the role that was assumed; "" for a key of the account
	session string
	// policy narrows the session: patterns of the actions that it allows. nil: the
	// role alone decides.
	policy []string
}

// may tells whether the session's policy allows an action.
func (p principal) may(action string) bool {
	return p.policy == nil || slices.ContainsFunc(p.policy, func(pattern string) bool {
		ok, _ := path.Match(pattern, action)
		return ok
	})
}

// scope is what a call was signed for.
type scope struct{ region, service string }

// signed takes an Authorization header apart
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html).
var signed = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$`)

// check signs the request again as its sender should have, and compares.
func check(r *http.Request, body []byte, c aws.Credentials, on scope, headers []string) error {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return &Fault{http.StatusForbidden, "IncompleteSignature", "no date", nil}
	}
	again := r.Clone(r.Context())
	again.URL.Scheme, again.URL.Host = "http", r.Host
	for name := range again.Header {
		if !slices.Contains(headers, strings.ToLower(name)) {
			again.Header.Del(name)
		}
	}
	again.ContentLength = 0
	if slices.Contains(headers, "content-length") {
		again.ContentLength = int64(len(body))
		again.Header.Del("Content-Length")
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), c, again, hex.EncodeToString(hash[:]), on.service, on.region, at); err != nil {
		return err
	}
	if want, got := again.Header.Get("Authorization"), r.Header.Get("Authorization"); want != got {
		return &Fault{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.", nil}
	}
	return nil
}
