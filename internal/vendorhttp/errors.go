package vendorhttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
)

const (
	maxCode    = 60  // characters
	maxMessage = 300 // characters
)

// Error is what a vendor answered instead of what was asked for. It is the cause of
// a [flow.Error]; strategies find it by errors.As.
type Error struct {
	Method, Path string // of the call, without its query
	Status       int    // of HTTP
	Code         string // the vendor's own; "" if it gave none
	Message      string // the vendor's words, clipped, without secrets; "" if it gave none
	Header       http.Header
	// SignIn says that it was an answer to signing in: of what the call was about, it
	// says nothing.
	SignIn bool
}

func (e *Error) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s: status %d %s", e.Method, e.Path, e.Status, e.Code))
}

// says gives the vendor's words and what to look them up by.
func (e *Error) says() string {
	by := fmt.Sprintf("status %d", e.Status)
	if e.Code != "" && e.Code != e.Message {
		by += ", " + e.Code
	}
	if e.Message == "" {
		return by
	}
	return e.Message + " (" + by + ")"
}

// StatusOf gives the HTTP status that is behind an error; 0: no answer is.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// Missing tells whether the vendor says, in words of its API, that it does not have
// something, or does not show it. A 404 without any says nothing of that: it comes of
// what stands between, or of a wrong address; and neither does that of a sign-in, whose
// account is gone. They must not count as an absence.
func Missing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound && !e.SignIn && (e.Code != "" || e.Message != "")
}

// ofSignIn marks what was answered as an answer to signing in.
func ofSignIn(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.SignIn = true
	}
	return err
}

// failure says what an answer means.
func (c *Client) failure(r Request, hide []string, got Answer) error {
	reason := c.Reason
	if reason == nil {
		reason = StandardReason
	}
	code, message := reason(got.Body)
	e := &Error{
		Method: r.Method, Path: pathOf(r.Path), Status: got.Status, Header: got.Header,
		Code: flow.Clip(plain(hidden(code, hide)), maxCode), Message: flow.Clip(plain(hidden(message, hide)), maxMessage),
	}
	limited := c.Limited
	if limited == nil {
		limited = StandardLimit
	}
	said := &flow.Error{Code: flow.CodeStrategy, Message: fmt.Sprintf("%s refuses: %s", c.Vendor, e.says()), Cause: e}
	if after, is := limited(got); is {
		said.Code, said.Message = flow.CodeUnavailable, c.Vendor+" asks for fewer calls: it is tried again"
		if after = min(after, flow.MaxRetryAfter); after > 0 {
			return &flow.RateLimited{After: after, Cause: said}
		}
		return said
	}
	switch status := got.Status; {
	case status >= 300 && status < 400:
		said.Message = fmt.Sprintf("%s answered with a redirect, which is not followed: set the address in the integration to where its API is (status %d)", c.Vendor, status)
	case status == http.StatusNotFound && e.Code == "" && e.Message == "":
		said.Message = fmt.Sprintf("something that is not the API of %s has answered that it knows no such address: see what stands between, or correct the address in the integration (status %d)", c.Vendor, status)
	case status == http.StatusUnauthorized:
		said.Message = fmt.Sprintf("%s does not accept what we sign in with: renew the secret of the integration. It says: %s", c.Vendor, e.says())
	case status == http.StatusForbidden:
		said.Message = fmt.Sprintf("%s does not allow this to what we sign in with: give it the rights that the guide lists. It says: %s", c.Vendor, e.says())
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		said.Code, said.Message = flow.CodeUnavailable, fmt.Sprintf("%s has a fault of its own just now: %s", c.Vendor, e.says())
	case status == http.StatusConflict, status == http.StatusPreconditionFailed, status == http.StatusLocked:
		said.Code, said.Message = flow.CodeUnavailable, fmt.Sprintf("somebody else is changing the same at %s just now: %s", c.Vendor, e.says())
	}
	return said
}

// unreached is the error of a call that was not answered.
func (c *Client) unreached(r Request, hide []string, err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL, which has the query
	}
	if refused, ok := errors.AsType[*egress.Refused](err); ok {
		return &flow.Error{Code: flow.CodeStrategy, Message: c.Vendor + " is not called: its address " + refused.Why, Cause: err}
	}
	return &flow.Error{
		Code: flow.CodeUnavailable, Message: c.Vendor + " could not be reached, or did not answer in time",
		Cause: fmt.Errorf("%s %s: %s", r.Method, pathOf(r.Path), hidden(err.Error(), hide)),
	}
}

// pathOf takes the query off a path, and the server off an address.
func pathOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if u, err := url.Parse(path); err == nil && u.Host != "" {
		return u.Path
	}
	return path
}

// hidden takes secrets out of a text.
func hidden(text string, secrets []string) string {
	for _, s := range secrets {
		for _, form := range []string{s, url.QueryEscape(s)} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "[secret]")
			}
		}
	}
	return text
}

// plain makes one line of a text.
func plain(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// StandardReason reads the forms that most vendors share: OAuth's {"error",
// "error_description"}, {"code" or "name", "message"}, and {"error": {"code" or
// "status", "message"}}.
func StandardReason(body []byte) (code, message string) {
	var got struct {
		Error            json.RawMessage `json:"error"`
		ErrorDescription string          `json:"error_description"`
		reason
	}
	if json.Unmarshal(body, &got) != nil {
		return "", ""
	}
	var text string
	if json.Unmarshal(got.Error, &text) == nil && text != "" {
		if got.ErrorDescription == "" && got.Message != "" {
			return text, got.Message
		}
		return text, got.ErrorDescription
	}
	var inner reason
	if json.Unmarshal(got.Error, &inner) == nil && (inner.code() != "" || inner.Message != "") {
		return inner.code(), inner.Message
	}
	return got.code(), got.Message
}

type reason struct {
	Code    json.RawMessage `json:"code"`
	Status  json.RawMessage `json:"status"`
	Name    string          `json:"name"`
	Message string          `json:"message"`
}

// code is the first that is a text: numbers repeat the status.
func (r reason) code() string {
	for _, c := range []json.RawMessage{r.Status, r.Code} {
		var text string
		if json.Unmarshal(c, &text) == nil && text != "" {
			return text
		}
	}
	return r.Name
}
