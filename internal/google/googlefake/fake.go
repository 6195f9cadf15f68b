package googlefake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Wait is how long Google asks to be left alone when it throttles.
const Wait = 7 * time.Second

// Fake is Google. Methods are safe for concurrent use.
type Fake struct {
	*strategytest.Front
	server *httptest.Server

	mu     sync.Mutex
	clock  func() time.Time
	tokens map[string]token
	keys   map[string]string                                        // of AWS: secrets by id
	word   func(token, audience string) (subject string, err error) // what an identity token of AWS says

	state  state
	before *state               // what is shown while the mood is Stale
	taken  map[string][]Binding // by Projects.Take

	edition   bool     // ends of memberships, and memberships by other groups
	hidden    bool     // accounts are not shown to us
	enabled   bool     // the Admin SDK is enabled in our project
	delegated []string // scopes of domain-wide delegation; nil: all
}

// token is one that was given out.
type token struct {
	scopes []string
	until  time.Time
}

// New serves a Google whose Workspace has an edition with all that there is, until
// the test ends. It has no groups and accounts yet.
func New(t testing.TB) *Fake {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := &Fake{
		clock: func() time.Time { return now }, word: ownWord, keys: map[string]string{awsKeyID: awsSecret}, tokens: map[string]token{}, state: state{groups: map[string]*group{}, users: map[string]*user{}, projects: map[string]*project{}},
		taken: map[string][]Binding{}, edition: true, enabled: true,
	}
	f.Front = &strategytest.Front{
		API: http.HandlerFunc(f.serve), Change: f.change, Wait: Wait, Shapes: shapes, T: t,
		Token: func(r *http.Request) (string, bool) {
			route, _ := find(r)
			return bearer(r), route != nil && route.scopes != nil
		},
		Refuse: func(w http.ResponseWriter) {
			write(w, &route{}, nil, &fault{403, "PERMISSION_DENIED", "The caller does not have permission", ""})
		},
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			if wait > 0 {
				w.Header().Set("Retry-After", fmt.Sprint(int(wait/time.Second)))
			}
			write(w, &route{}, nil, &fault{429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Queries'.", ""})
		},
		Unauthorized: func(w http.ResponseWriter) {
			write(w, &route{}, nil, &fault{401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", ""})
		},
	}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

// URL is where it is.
func (f *Fake) URL() string { return f.server.URL }

// Now is the time that Google has.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock()
}

// Advance lets time pass.
func (f *Fake) Advance(d time.Duration) {
	f.set(func() {
		now := f.clock().Add(d)
		f.clock = func() time.Time { return now }
	})
}

// GoBy has it go by a clock.
func (f *Fake) GoBy(clock func() time.Time) { f.set(func() { f.clock = clock }) }

// TrustAWS lets in who has a key of AWS besides those of [Fake.APIs].
func (f *Fake) TrustAWS(id, secret string) { f.set(func() { f.keys[id] = secret }) }

// set changes something of the fake.
func (f *Fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// TrustTokens lets in whom an identity token of AWS names: awsfake's STS.Trusted.
func (f *Fake) TrustTokens(word func(token, audience string) (subject string, err error)) {
	f.set(func() { f.word = word })
}

// Poor takes from the Workspace what only the larger editions have.
func (f *Fake) Poor() { f.set(func() { f.edition = false }) }

// HideAccounts has us not be shown accounts.
func (f *Fake) HideAccounts() { f.set(func() { f.hidden = true }) }

// DisableAdminSDK has the Admin SDK not be enabled in our project.
func (f *Fake) DisableAdminSDK() { f.set(func() { f.enabled = false }) }

// Delegate has domain-wide delegation be for these scopes only.
func (f *Fake) Delegate(scopes ...string) { f.set(func() { f.delegated = scopes }) }

// SetMood implements strategytest.System.
func (f *Fake) SetMood(m strategytest.Mood) {
	f.Front.SetMood(m)
	f.set(func() {
		f.before = nil
		if m == strategytest.Stale {
			was := f.state.copy()
			f.before = &was
		}
	})
}

// fault is an error as Google answers it.
type fault struct {
	status  int
	code    string // "NOT_FOUND"; of the Admin SDK "notFound"
	message string
	reason  string // of its details
}

func (e *fault) Error() string { return e.message }

func invalid(format string, args ...any) error {
	return &fault{400, "INVALID_ARGUMENT", fmt.Sprintf(format, args...), ""}
}

// call is one that arrived.
type call struct {
	parts []string // those of the path that the route's pattern has in brackets
	query url.Values
	form  url.Values
	body  []byte
	token string
}

// decode reads the JSON of a body, which must have no other names than are known.
func (c *call) decode(into any) error {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return invalid("Invalid JSON payload received. %s", err)
	}
	return nil
}

// route is a method of an API.
type route struct {
	method string
	path   *regexp.Regexp
	scopes []string // one of them; nil: the call signs in
	params []string // of the query
	admin  bool     // of the Admin SDK, whose errors have an older form
	oauth  bool     // gives out tokens, and has errors as OAuth has them
	do     func(*Fake, *call) (any, error)
	// change says what is asked for; nil: the call changes nothing.
	change func(*Fake, *call) strategytest.Change
}

func at(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }

var routes = slices.Concat(signInRoutes, cloudIdentityRoutes, directoryRoutes, resourceManagerRoutes)

// find gives the method that is called; nil if there is none.
func find(r *http.Request) (*route, *call) {
	for i, route := range routes {
		parts := route.path.FindStringSubmatch(r.URL.EscapedPath())
		if route.method != r.Method || parts == nil {
			continue
		}
		c := &call{query: r.URL.Query(), token: bearer(r)}
		for _, p := range parts[1:] {
			plain, err := url.PathUnescape(p)
			if err != nil {
				return nil, nil
			}
			c.parts = append(c.parts, plain)
		}
		return &routes[i], c
	}
	return nil, nil
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// change is for strategytest.Front.
func (f *Fake) change(r *http.Request, body []byte) (strategytest.Change, bool) {
	route, c := find(r)
	if route == nil || route.change == nil {
		return strategytest.Change{}, false
	}
	c.body = body
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := route.change(f, c)
	asked.Identity = strings.ToLower(asked.Identity)
	return asked, true
}

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	route, c := find(r)
	body, err := io.ReadAll(r.Body)
	if route == nil || err != nil {
		http.NotFound(w, r) // HTML, as Google answers what is no method
		return
	}
	c.body = body
	if route.change != nil && !route.admin && f.Conflict() {
		write(w, route, nil, &fault{409, "ABORTED", "There were concurrent changes. Please retry the whole read-modify-write with exponential backoff.", ""})
		return
	}
	stale := f.Mood() == strategytest.Stale
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
	answer, err := f.checked(r, route, c)
	if stale && route.change != nil && err == nil && !route.admin {
		if _, is := answer.(operation); is {
			answer = operation{Name: "operations/1"} // which has not ended
		}
	}
	write(w, route, answer, err)
}

// operation is work that has ended, as a rule.
type operation struct {
	Name     string `json:"name,omitempty"`
	Done     bool   `json:"done,omitempty"`
	Response any    `json:"response,omitempty"`
}

// checked holds a call to all that is true of every method, and does it.
func (f *Fake) checked(r *http.Request, route *route, c *call) (any, error) {
	sent := r.Header.Get("Content-Type")
	if route.oauth && sent == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(c.body))
		if err != nil {
			return nil, grant("invalid_request", "no form")
		}
		c.form = form
	} else if len(c.body) > 0 && sent != "application/json" {
		return nil, invalid("Invalid content type %s", sent)
	}
	for name := range c.query {
		if !slices.Contains(route.params, name) {
			return nil, invalid("Invalid JSON payload received. Unknown name %q: Cannot bind query parameter.", name)
		}
	}
	if route.scopes != nil {
		t := f.tokens[c.token]
		switch {
		case !f.clock().Before(t.until):
			return nil, &fault{401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", ""}
		case !slices.ContainsFunc(route.scopes, func(s string) bool { return slices.Contains(t.scopes, s) }):
			return nil, &fault{403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
		case route.admin && !f.enabled:
			return nil, &fault{403, "PERMISSION_DENIED", "Admin SDK API has not been used in project 123 before or it is disabled.", "SERVICE_DISABLED"}
		}
	}
	return route.do(f, c)
}

func write(w http.ResponseWriter, of *route, answer any, err error) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if err == nil && answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if e, ok := err.(*fault); ok {
		w.WriteHeader(e.status)
		answer = e.body(of)
	} else if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

// body is the fault as an API writes it.
func (e *fault) body(of *route) any {
	if of.oauth {
		return map[string]string{"error": e.code, "error_description": e.message}
	}
	said := map[string]any{"code": e.status, "message": e.message}
	switch {
	case of.admin && e.reason == "":
		said["errors"] = []any{map[string]string{"message": e.message, "domain": "global", "reason": e.code}}
	case e.reason != "":
		said["details"] = []any{map[string]string{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": e.reason, "domain": "googleapis.com"}}
		fallthrough
	default:
		said["status"] = e.code
	}
	return map[string]any{"error": said}
}

// give gives out a token.
func (f *Fake) give(scopes []string, lives time.Duration) string {
	name := f.Issue()
	f.tokens[name] = token{scopes, f.clock().Add(lives)}
	return name
}
