package google

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// Codes of Google's errors.
const (
	AlreadyExists = "ALREADY_EXISTS"
	Aborted       = "ABORTED" // somebody else has changed the same
	duplicate     = "duplicate"
	disabled      = "SERVICE_DISABLED"
)

// body is what Google answers instead of what was asked for: its newer APIs with a
// status and details (https://google.aip.dev/193), the Directory with a list of
// errors, sign-ins as OAuth does.
type body struct {
	Error struct {
		Status, Message string
		Errors          []struct{ Reason string }
		Details         []struct {
			Reason     string
			RetryDelay string
		}
	}
}

func parse(text []byte) (b body, code string) {
	if json.Unmarshal(text, &b) != nil {
		return body{}, ""
	}
	code = b.Error.Status
	for _, d := range b.Error.Details {
		if d.Reason == disabled {
			code = disabled
		}
	}
	if len(b.Error.Errors) > 0 && code == "" {
		code = b.Error.Errors[0].Reason
	}
	return b, code
}

// reason is for vendorhttp.Client.
func reason(text []byte) (code, message string) {
	if b, code := parse(text); b.Error.Message != "" || code != "" {
		return code, b.Error.Message
	}
	return vendorhttp.StandardReason(text)
}

// limited is for vendorhttp.Client: the Directory says 403 for too many calls, too
// (https://developers.google.com/workspace/admin/directory/v1/limits).
func limited(a vendorhttp.Answer) (time.Duration, bool) {
	after, is := vendorhttp.StandardLimit(a)
	b, code := parse(a.Body)
	if a.Status == http.StatusForbidden {
		switch code {
		case "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RESOURCE_EXHAUSTED":
			is = true
		}
	}
	for _, d := range b.Error.Details {
		if wait, err := time.ParseDuration(d.RetryDelay); is && err == nil {
			after = max(after, wait)
		}
	}
	return after, is
}

// Code gives the code of Google's answer behind an error; "" if there is none.
func Code(err error) string {
	if e, ok := errors.AsType[*vendorhttp.Error](err); ok {
		return e.Code
	}
	return ""
}

// Exists tells whether Google refused to make what is there.
func Exists(err error) bool { return Code(err) == AlreadyExists || Code(err) == duplicate }

// Disabled: the API is not enabled in the project of the service account.
func Disabled(err error) bool { return Code(err) == disabled }

// Failure says what people can do about an error of Google's, where there is more
// to say than that it was refused.
func Failure(err error, api API) error {
	if !Disabled(err) {
		return err
	}
	return &flow.Error{
		Code: flow.CodeStrategy, Cause: err,
		Message: api.Name + " is not enabled in the project of the service account: enable " + strings.TrimPrefix(api.Base, "https://") + " there",
	}
}

// AsGone finds a [Gone] behind an error.
func AsGone(err error) (*Gone, bool) { return errors.AsType[*Gone](err) }

// Forbidden tells whether Google has refused something to us; of what is not there,
// it says the same.
func Forbidden(err error) bool {
	return vendorhttp.StatusOf(err) == http.StatusForbidden && !Disabled(err) && flow.CodeOf(err) == flow.CodeStrategy
}
