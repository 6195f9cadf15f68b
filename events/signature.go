package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Headers by which a server can tell that a request is ours and new.
const (
	HeaderTimestamp = "X-Sym-Timestamp" // Unix time in seconds, UTC
	HeaderSignature = "X-Sym-Signature" // see Signature
)

// MaxSignatureAge is how far a request's time may be from the server's clock,
// in either direction, before VerifySignature takes it for a replay.
const MaxSignatureAge = 5 * time.Minute

// ErrSignature says that a request was not signed with this secret, or that
// its body or time was changed on the way.
var ErrSignature = errors.New("the signature does not match")

// Signature signs a request body: "v1=" and the hexadecimal HMAC-SHA256, by
// the secret, of the timestamp, a dot and the body.
func Signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// VerifySignature checks a request that a server received: the values of the
// two headers, and the body exactly as it came, before it is decoded. Answer
// with status 401 if it returns an error: ErrSignature, or what is wrong with
// the time. A request that passes may still be a repetition: its
// Idempotency-Key tells.
func VerifySignature(secret, timestamp string, body []byte, signature string, now time.Time) error {
	if secret == "" {
		return errors.New("the secret is empty: anybody could sign with it")
	}
	if !hmac.Equal([]byte(Signature(secret, timestamp, body)), []byte(signature)) {
		return ErrSignature
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a Unix time in seconds", HeaderTimestamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)).Abs(); age > MaxSignatureAge {
		return fmt.Errorf("%s is %s away from now, which is more than %s", HeaderTimestamp, age.Round(time.Second), MaxSignatureAge)
	}
	return nil
}
