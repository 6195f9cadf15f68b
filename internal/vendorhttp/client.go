package vendorhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

const (
	maxAnswer = 8 << 20     // bytes
	maxCall   = time.Minute // for contexts without a limit of their own
)

// Deps is what strategies over vendors work with. All but Looking is required.
type Deps struct {
	HTTP    *http.Client
	Secrets strategy.Secrets
	Now     func() time.Time
	Looking bool // what is signed in with is for reading only, where the vendor can tell
}

// Client calls one vendor's API. It may be copied, and used by many at once.
type Client struct {
	Vendor string // its name, for people: "Okta"
	// Base is the address that paths are put behind: "https://acme.okta.com".
	Base string
	HTTP *http.Client     // required
	Now  func() time.Time // required
	// Header has what every call is sent with, besides the User-Agent.
	Header http.Header
	// Authorize gives the value of the Authorization header. After a 401 it is
	// asked for another, once, with the one that was refused; the same again says
	// that there is none. nil: calls are sent without.
	Authorize func(ctx context.Context, refused string) (string, error)
	// Limited tells whether an answer, of a status other than 2xx, asks to wait, and
	// for how long (0: it does not say). nil: [StandardLimit].
	Limited func(Answer) (after time.Duration, limited bool)
	// Reason reads the vendor's code and words from an answer of a status other than
	// 2xx. nil: [StandardReason].
	Reason func(body []byte) (code, message string)
}

// Request is one call.
type Request struct {
	Method string
	// Path is put behind the client's Base: see [Path]. A whole address, as vendors
	// give for the next page, must lead to the same server.
	Path   string
	Query  url.Values
	Header http.Header
	// Body is sent as what it is: url.Values as a form, []byte as it is (with a
	// Content-Type in Header), anything else as JSON; nil: none.
	Body any
	// Reads says that the call changes nothing, as GET and HEAD do, so that it may be
	// made twice.
	Reads bool
	// Anonymous calls are sent without what Authorize gives: those that sign in.
	Anonymous bool
	// Hide has secrets of the request that no error may show: a password in a form.
	Hide []string
}

// Answer is what a vendor answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Now    time.Time // when it came, by our clock
}

// Path makes a path of parts, each of which is escaped: Path("users", id) is
// "/users/…" whatever the id is.
func Path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		if p == "." || p == ".." {
			p = strings.ReplaceAll(p, ".", "%2E")
		} else {
			p = url.PathEscape(p)
		}
		b.WriteString(p)
	}
	return b.String()
}

// Do makes a call, and decodes the JSON that is answered into answer unless that
// is nil. Body is as in [Request]. Errors are those of [Client.Send].
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	got, err := c.Send(ctx, Request{Method: method, Path: path, Query: query, Body: body})
	if err != nil || answer == nil {
		return err
	}
	return c.Decode(got, answer)
}

// Decode reads the JSON of an answer. The error has flow.CodeUnavailable: something
// between us and the vendor has answered.
func (c *Client) Decode(got Answer, answer any) error {
	if err := json.Unmarshal(got.Body, answer); err != nil {
		return &flow.Error{
			Code:    flow.CodeUnavailable,
			Message: fmt.Sprintf("%s answered with status %d and something that is not what its API answers: see what stands between, or correct the address", c.Vendor, got.Status),
			Cause:   errors.New(shape(err)),
		}
	}
	return nil
}

// shape says what is wrong with JSON without a part of it.
func shape(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("a %s in field %s, which is a %s", t.Value, t.Field, t.Type)
	}
	return "no JSON"
}

// Send makes a call. It returns the answer if its status is 2xx. Otherwise the
// error is a [flow.Error], whose cause is an [*Error] with what was answered:
// CodeUnavailable, in a flow.RateLimited where the vendor says how long to wait, if
// it may pass, and CodeStrategy if it won't.
func (c *Client) Send(ctx context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, maxCall)
	defer cancel()
	to, err := c.address(r)
	if err != nil {
		return Answer{}, err
	}
	body, contentType, err := encode(r.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("encode what %s is sent: %w", c.Vendor, err)
	}
	authorization := ""
	if c.Authorize != nil && !r.Anonymous {
		if authorization, err = c.Authorize(ctx, ""); err != nil {
			return Answer{}, ofSignIn(err)
		}
	}
	reads := r.Reads || r.Method == http.MethodGet || r.Method == http.MethodHead
	refused, again := false, false
	for {
		hide := append(slices.Clone(r.Hide), secretOf(authorization))
		got, err := c.once(ctx, r, to, body, contentType, authorization)
		switch {
		case err != nil && reads && !again && ctx.Err() == nil:
			again = true
			continue
		case err != nil:
			return Answer{}, c.unreached(r, hide, err)
		case got.Status == http.StatusUnauthorized && authorization != "" && !refused:
			refused = true
			other, err := c.Authorize(ctx, authorization)
			if err != nil {
				return Answer{}, ofSignIn(err)
			}
			if other != authorization {
				authorization = other
				continue
			}
		case got.Status >= 200 && got.Status < 300 && len(got.Body) > maxAnswer:
			return Answer{}, flow.Errorf(flow.CodeStrategy, "%s answered with more than %d MB", c.Vendor, maxAnswer>>20)
		case got.Status >= 200 && got.Status < 300:
			return got, nil
		}
		return Answer{}, c.failure(r, hide, got)
	}
}

// address is where a request goes. It never leaves the server of Base, where the
// token is for.
func (c *Client) address(r Request) (*url.URL, error) {
	base, err := url.Parse(c.Base)
	if err != nil || base.Host == "" {
		return nil, flow.Errorf(flow.CodeStrategy, "the address of %s in the integration is none: correct it", c.Vendor)
	}
	text := r.Path
	if !strings.Contains(text, "://") {
		text = strings.TrimSuffix(c.Base, "/") + text
	}
	to, err := url.Parse(text)
	if err != nil || to.Scheme != base.Scheme || to.Host != base.Host || to.User != nil {
		return nil, flow.Errorf(flow.CodeStrategy, "%s gave an address at another server for what follows, which is not called", c.Vendor)
	}
	if len(r.Query) > 0 {
		to.RawQuery = r.Query.Encode()
	}
	return to, nil
}

// encode gives the bytes of a body, and what they are.
func encode(body any) (text []byte, contentType string, err error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, "application/octet-stream", nil
	case url.Values:
		return []byte(b.Encode()), "application/x-www-form-urlencoded", nil
	}
	text, err = json.Marshal(body)
	return text, "application/json", err
}

// once makes one attempt.
func (c *Client) once(ctx context.Context, r Request, to *url.URL, body []byte, contentType, authorization string) (Answer, error) {
	var reader io.Reader
	if r.Body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodGet), to.String(), reader)
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("User-Agent", "symflows")
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for _, header := range []http.Header{c.Header, r.Header} {
		for name, values := range header {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	bounded := *c.HTTP
	bounded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	bounded.Jar = nil
	resp, err := bounded.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, err
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: text, Now: c.Now()}, nil
}

// secretOf is what of an Authorization header no error may show.
func secretOf(authorization string) string {
	if _, secret, found := strings.Cut(authorization, " "); found {
		return secret
	}
	return authorization
}
