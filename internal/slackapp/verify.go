package slackapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAge is how old, or how far in the future, a request may be. Slack's
// guide asks for five minutes (docs.slack.dev/authentication/verifying-requests-from-slack).
const maxAge = 5 * time.Minute

// stampHeader says when Slack sent a request, in whole seconds since 1970.
const stampHeader = "X-Slack-Request-Timestamp"

var errUnverified = errors.New("the request is not signed by Slack, or too old")

// verify checks that Slack sent the body, and sent it lately. It is used
// instead of slack-go's verifier, which reads the system's clock. The error
// never says which check failed.
func verify(secret string, header http.Header, body []byte, now time.Time) error {
	stamp := header.Get(stampHeader)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || secret == "" {
		return errUnverified
	}
	given, ok := strings.CutPrefix(header.Get("X-Slack-Signature"), "v0=")
	if !ok {
		return errUnverified
	}
	signature, err := hex.DecodeString(given)
	if err != nil || !hmac.Equal(signature, sign(secret, stamp, body)) {
		return errUnverified
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > maxAge || age < -maxAge {
		return errUnverified
	}
	return nil
}

// sign computes Slack's v0 signature of a body.
func sign(secret, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	return mac.Sum(nil)
}
