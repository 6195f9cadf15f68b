package vendorhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/vendorhttp"
)

const secret = "s3cret+token/1"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// open gives a client of a server that answers so.
func open(t *testing.T, answer http.HandlerFunc) *vendorhttp.Client {
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return &vendorhttp.Client{
		Vendor: "Acme", Base: server.URL + "/api/", HTTP: server.Client(), Now: func() time.Time { return now },
		Authorize: func(context.Context, string) (string, error) { return "Bearer " + secret, nil },
	}
}

func TestSend_Request(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		request vendorhttp.Request
		want    string // method, address, type, body
	}{
		{"Get", vendorhttp.Request{Path: "/users", Query: url.Values{"q": {"a b"}}}, "GET /api/users?q=a+b  "},
		{"JSON", vendorhttp.Request{Method: "POST", Path: "/users", Body: map[string]int{"a": 1}}, `POST /api/users application/json {"a":1}`},
		{"Form", vendorhttp.Request{Method: "POST", Path: "/token", Body: url.Values{"a": {"b c"}}}, "POST /api/token application/x-www-form-urlencoded a=b+c"},
		{"Raw", vendorhttp.Request{Method: "PUT", Path: "/acl", Body: []byte("// x"), Header: http.Header{"content-type": {"application/hujson"}, "If-Match": {`"1"`}}}, "PUT /api/acl application/hujson // x"},
		{"Parts", vendorhttp.Request{Method: "DELETE", Path: vendorhttp.Path("users", "a/b?c", "..", "x y@z")}, "DELETE /api/users/a%2Fb%3Fc/%2E%2E/x%20y@z  "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("Content-Type"), body)
				for name, want := range map[string]string{
					"Authorization": "Bearer " + secret, "User-Agent": "symflows", "Accept": "application/vnd.acme+json", "If-Match": strings.Join(test.request.Header["If-Match"], ""),
				} {
					if got := r.Header.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				w.Header().Set("ETag", `"2"`)
			})
			c.Header = http.Header{"Accept": {"application/vnd.acme+json"}}
			got, err := c.Send(t.Context(), test.request)
			if err != nil || string(got.Body) != test.want {
				t.Errorf("sent %q, %v; want %q", got.Body, err, test.want)
			}
		})
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		io.WriteString(w, `{"id":"u1"}`)
	})
	var user struct{ ID string }
	if err := c.Do(t.Context(), "GET", "/users/u1", nil, nil, &user); err != nil || user.ID != "u1" {
		t.Errorf("got %+v, %v", user, err)
	}
	if err := c.Do(t.Context(), "DELETE", "/users/u1", nil, nil, nil); err != nil {
		t.Error(err)
	}
	if err := c.Do(t.Context(), "DELETE", "/users/u1", nil, nil, &user); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("an answer without JSON: %v", err)
	}
}

// TestSend_Answers: what statuses and headers mean.
func TestSend_Answers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		status  int
		headers map[string]string
		body    string
		code    flow.Code
		text    string
		after   time.Duration
	}{
		{name: "Redirect", status: 307, headers: map[string]string{"Location": "/elsewhere"}, code: flow.CodeStrategy, text: "a redirect, which is not followed"},
		{name: "BadRequest", status: 400, body: `{"error":"invalid_scope","error_description":"not these"}`, code: flow.CodeStrategy, text: "Acme refuses: not these (status 400, invalid_scope)"},
		{name: "Unauthorized", status: 401, body: `{"message":"Bad credentials"}`, code: flow.CodeStrategy, text: "renew the secret of the integration. It says: Bad credentials (status 401)"},
		{name: "Forbidden", status: 403, body: `{"error":{"code":403,"message":"Not allowed","status":"PERMISSION_DENIED"}}`, code: flow.CodeStrategy, text: "It says: Not allowed (status 403, PERMISSION_DENIED)"},
		{name: "NotFound", status: 404, body: `<html>`, code: flow.CodeStrategy, text: "something that is not the API of Acme has answered"},
		{name: "Timeout", status: 408, code: flow.CodeUnavailable, text: "a fault of its own"},
		{name: "Conflict", status: 409, body: `{"error":"ABORTED","message":"read again"}`, code: flow.CodeUnavailable, text: "somebody else is changing the same at Acme just now: read again (status 409, ABORTED)"},
		{name: "Precondition", status: 412, code: flow.CodeUnavailable, text: "somebody else is changing the same"},
		{name: "Invalid", status: 422, body: `{"code":"bad","message":"no"}`, code: flow.CodeStrategy, text: "no (status 422, bad)"},
		{name: "Throttled", status: 429, headers: map[string]string{"Retry-After": "7"}, code: flow.CodeUnavailable, text: "asks for fewer calls", after: 7 * time.Second},
		{name: "Untimed", status: 429, code: flow.CodeUnavailable, text: "asks for fewer calls"},
		{name: "Nonsense", status: 429, headers: map[string]string{"Retry-After": "soon"}, code: flow.CodeUnavailable, text: "asks for fewer calls"},
		{name: "VeryLate", status: 429, headers: map[string]string{"Retry-After": "99999999999"}, code: flow.CodeUnavailable, text: "asks for fewer calls", after: time.Hour},
		{name: "Dated", status: 503, headers: map[string]string{"Date": now.Add(time.Hour).Format(http.TimeFormat), "Retry-After": now.Add(time.Hour + time.Minute).Format(http.TimeFormat)}, code: flow.CodeUnavailable, text: "asks for fewer calls", after: time.Minute},
		{name: "Broken", status: 500, body: `{"message":"boom"}`, code: flow.CodeUnavailable, text: "a fault of its own just now: boom (status 500)"},
		{name: "Telling", status: 400, body: `{"message":"token ` + secret + ` and ` + url.QueryEscape(secret) + ` of hunter22\nis\u0000bad"}`, code: flow.CodeStrategy, text: "token [secret] and [secret] of [secret] is bad (status 400)"},
		{name: "Long", status: 400, body: `{"message":"` + strings.Repeat("x", 5000) + `"}`, code: flow.CodeStrategy, text: strings.Repeat("x", 300) + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			c := open(t, func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				for k, v := range test.headers {
					w.Header().Set(k, v)
				}
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			_, err := c.Send(t.Context(), vendorhttp.Request{Method: "POST", Path: "/users", Query: url.Values{"key": {"confidential"}}, Hide: []string{"hunter22"}})
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("got %v of %s, want %q of %s", err, flow.CodeOf(err), test.text, test.code)
			}
			if after := flow.AskedToWait(err); after != test.after {
				t.Errorf("asks to wait %s, want %s", after, test.after)
			}
			if said, ok := errors.AsType[*vendorhttp.Error](err); !ok || said.Status != test.status || said.Path != "/users" || vendorhttp.StatusOf(err) != test.status {
				t.Errorf("the answer behind it is %+v", said)
			}
			for _, hidden := range []string{secret, "confidential", "hunter22"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("the error shows %s: %v", hidden, err)
				}
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("called %d times", n)
			}
		})
	}
}

// TestSend_OwnWords: vendors have forms of their own.
func TestSend_OwnWords(t *testing.T) {
	t.Parallel()
	c := open(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Reset", fmt.Sprint(now.Add(9*time.Second).Unix()))
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
	})
	c.Reason = func([]byte) (string, string) { return "E1", "said so" }
	err := c.Do(t.Context(), "GET", "/users", nil, nil, nil)
	if said, ok := errors.AsType[*vendorhttp.Error](err); !ok || said.Code != "E1" || said.Message != "said so" {
		t.Errorf("got %+v", said)
	}
	c.Limited = func(a vendorhttp.Answer) (time.Duration, bool) { return vendorhttp.ResetAt(a, "X-Reset"), true }
	if err = c.Do(t.Context(), "GET", "/users", nil, nil, nil); flow.AskedToWait(err) != 9*time.Second || flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("got %v of %s", err, flow.CodeOf(err))
	}
}

func TestResetIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 0, "x": 0, "-1": 0, "0": 0, "2": 2 * time.Second, "1.5": 1500 * time.Millisecond, "1e300": time.Hour, "NaN": 0} {
		if got := vendorhttp.ResetIn(vendorhttp.Answer{Header: http.Header{"X-Reset": {text}}}, "X-Reset"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestSend_Repeats: only what changes nothing is made twice, and only where the
// connection broke.
func TestSend_Repeats(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request vendorhttp.Request
		calls   int32
	}{
		{vendorhttp.Request{Method: "GET"}, 2},
		{vendorhttp.Request{Method: "HEAD"}, 2},
		{vendorhttp.Request{Method: "POST", Reads: true}, 2},
		{vendorhttp.Request{Method: "POST"}, 1},
		{vendorhttp.Request{Method: "PUT"}, 1},
		{vendorhttp.Request{Method: "DELETE"}, 1},
	} {
		t.Run(fmt.Sprint(test.request.Method, test.request.Reads), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			c := open(t, func(http.ResponseWriter, *http.Request) {
				calls.Add(1)
				panic(http.ErrAbortHandler)
			})
			test.request.Path, test.request.Query = "/users", url.Values{"key": {"confidential"}}
			_, err := c.Send(t.Context(), test.request)
			if flow.CodeOf(err) != flow.CodeUnavailable || calls.Load() != test.calls {
				t.Errorf("%v after %d calls, want %d", err, calls.Load(), test.calls)
			}
			if strings.Contains(err.Error(), "confidential") || strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows too much: %v", err)
			}
		})
	}
}

// TestSend_Deadline: the context's end ends a call, and is not tried twice.
func TestSend_Deadline(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := open(t, func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		<-r.Context().Done()
	})
	if err := c.Do(deadline.Soon(t), "GET", "/users", nil, nil, nil); flow.CodeOf(err) != flow.CodeUnavailable || calls.Load() > 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

func TestSend_TooLarge(t *testing.T) {
	t.Parallel()
	c := open(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat(" ", 8<<20)+"{}") })
	if err := c.Do(t.Context(), "GET", "/users", nil, nil, nil); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "more than 8 MB") {
		t.Errorf("got %v", err)
	}
}

// TestSend_Elsewhere: tokens go to no other server than the integration's.
func TestSend_Elsewhere(t *testing.T) {
	t.Parallel()
	c := open(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })
	base, _ := url.Parse(c.Base)
	for address, refused := range map[string]bool{
		c.Base + "users?after=1":                       false,
		"https://evil.example.com/users":               true,
		"https://" + base.Host + "/users":              true,
		"http://me:pw@" + base.Host + "/users":         true,
		"http://" + base.Host + ".example.com/users":   true,
		"http://" + base.Host + "@example.com/users":   true,
		"http://example.com/users#http://" + base.Host: true,
	} {
		if err := c.Do(t.Context(), "GET", address, nil, nil, nil); (flow.CodeOf(err) == flow.CodeStrategy) != refused {
			t.Errorf("%s: %v, want it refused: %t", address, err, refused)
		}
	}
	for _, base := range []string{"", "acme", "://"} {
		c.Base = base
		if err := c.Do(t.Context(), "GET", "/users", nil, nil, nil); flow.CodeOf(err) != flow.CodeStrategy {
			t.Errorf("address %q: %v", base, err)
		}
	}
}

// vendor takes the last token that it gave out, which live for an hour.
type vendor struct {
	mu    sync.Mutex
	given int
	now   time.Time
	calls int
	asked int
	fail  bool
}

func (v *vendor) sign(context.Context) (vendorhttp.Token, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.fail {
		return vendorhttp.Token{}, flow.Errorf(flow.CodeUnavailable, "not now")
	}
	v.given++
	return vendorhttp.Token{Header: fmt.Sprintf("Bearer token-%d", v.given), Until: v.now.Add(time.Hour)}, nil
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls++
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", v.given) {
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	v := &vendor{now: now}
	tokens := &vendorhttp.Tokens{Now: func() time.Time { return v.now }}
	c := open(t, v.ServeHTTP)
	c.Authorize = tokens.Authorize("acme", v.sign)
	must := func(what string, asked, calls int) {
		t.Helper()
		if err := c.Do(t.Context(), "PUT", "/users", nil, nil, nil); err != nil || v.asked != asked || v.calls != calls {
			t.Errorf("%s: %v, asked for %d tokens and called %d times, want %d and %d", what, err, v.asked, v.calls, asked, calls)
		}
	}
	must("first", 1, 1)
	must("kept", 1, 2)
	c.Authorize = tokens.Authorize("acme", v.sign)
	must("by another client", 1, 3)
	v.now = v.now.Add(59*time.Minute + time.Second)
	must("before its end", 2, 4)
	v.given++ // the one that is kept is not taken any more
	must("refused", 3, 6)
	c.Authorize = tokens.Authorize("other", v.sign)
	must("of another sign-in", 4, 7)

	// One that is never taken is asked for once more, and no more.
	v.fail, v.asked, v.calls = false, 0, 0
	c.Authorize = tokens.Authorize("never", func(ctx context.Context) (vendorhttp.Token, error) {
		got, err := v.sign(ctx)
		got.Header += "x"
		return got, err
	})
	if err := c.Do(t.Context(), "PUT", "/users", nil, nil, nil); vendorhttp.StatusOf(err) != http.StatusUnauthorized || v.asked != 2 || v.calls != 2 {
		t.Errorf("%v, asked for %d tokens and called %d times", err, v.asked, v.calls)
	}
	// A sign-in that failed is tried again by the next.
	v.fail = true
	c.Authorize = tokens.Authorize("failing", v.sign)
	if err := c.Do(t.Context(), "PUT", "/users", nil, nil, nil); flow.UserMessage(err) != "not now" {
		t.Errorf("got %v", err)
	}
	v.fail = false
	if err := c.Do(t.Context(), "PUT", "/users", nil, nil, nil); err != nil {
		t.Error(err)
	}
}

// TestTokens_Same: where the sign-in has nothing else to offer, the call is not made
// again.
func TestTokens_Same(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := open(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	})
	if err := c.Do(t.Context(), "GET", "/users", nil, nil, nil); flow.CodeOf(err) != flow.CodeStrategy || calls.Load() > 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

// rotated is a secret that was rotated, and is remembered as it was.
type rotated struct{ remembered, current string }

func (r *rotated) Value(context.Context, flow.SecretRef) (string, error) { return r.remembered, nil }
func (r *rotated) Forget(flow.SecretRef)                                 { r.remembered = r.current }

// TestSecret: a secret that was rotated is read anew when the vendor refuses what it
// was.
func TestSecret(t *testing.T) {
	t.Parallel()
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Key new" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	s := &rotated{"old", "new\n"}
	c.Authorize = vendorhttp.Secret(s, flow.SecretRef{Name: "key"}, func(value string) string { return "Key " + value })
	if err := c.Do(t.Context(), "PUT", "/users", nil, nil, nil); err != nil {
		t.Error(err)
	}
	s.remembered, s.current = "old", "old"
	if err := c.Do(t.Context(), "PUT", "/users", nil, nil, nil); vendorhttp.StatusOf(err) != http.StatusUnauthorized {
		t.Errorf("one that is not accepted: %v", err)
	}
	s.remembered = " \n"
	if err := c.Do(t.Context(), "PUT", "/users", nil, nil, nil); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), `secret "key" is empty`) {
		t.Errorf("an empty one: %v", err)
	}
}

// TestBySecrets: what is signed in with is read anew when the vendor refuses what
// it was, once, and not for other faults.
func TestBySecrets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, remembered, current string
		status                    int // of what is not "new"
		code                      flow.Code
		asked                     string
	}{
		{"Right", "new", "new", 401, "", "new"},
		{"Rotated", "old", "new\n", 401, "", "old new"},
		{"RotatedAndRefusedByOAuth", "old", "new", 400, "", "old new"},
		{"Wrong", "old", "old", 401, flow.CodeStrategy, "old"},
		{"WrongStill", "old", "older", 401, flow.CodeStrategy, "old older"},
		{"OutOfOrder", "old", "new", 500, flow.CodeUnavailable, "old"},
		{"Empty", " ", "new", 401, flow.CodeStrategy, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("password") != "new" {
					w.WriteHeader(test.status)
				}
			})
			var asked []string
			sign := func(ctx context.Context, values []string) (vendorhttp.Token, error) {
				asked = append(asked, values...)
				return vendorhttp.Token{Header: "Bearer t"}, c.Do(ctx, "POST", "/tokens", url.Values{"password": values}, nil, nil)
			}
			tokens := &vendorhttp.Tokens{Now: time.Now}
			_, err := tokens.BySecrets("robot", &rotated{test.remembered, test.current}, sign, flow.SecretRef{Name: "key", Path: "a"})(t.Context(), "")
			if flow.CodeOf(err) != test.code || strings.Join(asked, " ") != test.asked {
				t.Errorf("asked with %q: %v; want %q, and %q", asked, err, test.asked, test.code)
			}
			// Who names another secret does not get the token of this one.
			if _, err := tokens.BySecrets("robot", &rotated{"wrong", "wrong"}, sign, flow.SecretRef{Name: "key", Path: "b"})(t.Context(), ""); err == nil {
				t.Error("another secret is as good")
			}
		})
	}
}

// TestTokens_AtOnce: many that need a token, or whose token was refused, ask for one.
func TestTokens_AtOnce(t *testing.T) {
	t.Parallel()
	v := &vendor{now: now}
	tokens := &vendorhttp.Tokens{Now: func() time.Time { return now }}
	for round := 1; round <= 2; round++ {
		refused := ""
		if round == 2 {
			refused = "Bearer token-1"
		}
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() {
				got, err := tokens.Authorize("acme", v.sign)(t.Context(), refused)
				if want := fmt.Sprintf("Bearer token-%d", round); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
			})
		}
		asking.Wait()
		if v.asked != round {
			t.Errorf("asked %d times, want %d", v.asked, round)
		}
	}
}

// TestTokens_GivesUp: who waits for another's sign-in goes when its own time is over.
func TestTokens_GivesUp(t *testing.T) {
	t.Parallel()
	tokens := &vendorhttp.Tokens{Now: func() time.Time { return now }}
	begun, end := make(chan struct{}), make(chan struct{})
	authorize := tokens.Authorize("acme", func(context.Context) (vendorhttp.Token, error) {
		close(begun)
		<-end
		return vendorhttp.Token{Header: "Bearer 1", Until: now.Add(time.Hour)}, nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := authorize(t.Context(), ""); err != nil {
			t.Error(err)
		}
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := authorize(ctx, ""); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	close(end)
	<-done
}

func TestPages(t *testing.T) {
	t.Parallel()
	var base string
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("after") {
		case "":
			w.Header().Add("Link", fmt.Sprintf("<%susers?limit=2>; rel=\"self\"", base))
			w.Header().Add("Link", fmt.Sprintf("<%susers?limit=2&after=a,b>; title=\"x\"; rel=\"next\"", base))
			io.WriteString(w, "[1,2]")
		case "a,b":
			w.Header().Add("Link", fmt.Sprintf("<%susers?limit=2>; rel=\"first\", <%[1]susers?after=c>; rel=next", base))
			io.WriteString(w, "[3]")
		default:
			w.Header().Add("Link", `<https://evil.example.com/>; rel="next"`)
			io.WriteString(w, "[]")
		}
	})
	base = c.Base
	var got []int
	var failed error
	for page, err := range vendorhttp.Pages[[]int](t.Context(), c, "/users", url.Values{"limit": {"2"}}) {
		got, failed = append(got, page...), err
	}
	if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" || flow.CodeOf(failed) != flow.CodeStrategy {
		t.Errorf("%s, ended with %v", diff, failed)
	}
	for page := range vendorhttp.Pages[[]int](t.Context(), c, "/users", nil) {
		if !slices.Equal(page, []int{1, 2}) {
			t.Errorf("got %v", page)
		}
		break // which asks for no more
	}
}

// TestProxy: calls go by the proxy that the environment names. It is read once in a
// process, so that this one is run again.
func TestProxy(t *testing.T) {
	const vendor = "http://vendor.example.com/api/users"
	if os.Getenv("SYM_TEST_PROXY") != "" {
		c := &vendorhttp.Client{Vendor: "Acme", Base: "http://vendor.example.com/api", HTTP: &http.Client{}, Now: time.Now}
		if err := c.Do(t.Context(), "GET", "/users", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Parallel()
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
	defer proxy.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), "SYM_TEST_PROXY=1", "http_proxy="+proxy.URL, "HTTP_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := <-asked; got != vendor {
		t.Errorf("the proxy was asked for %q, want %q", got, vendor)
	}
}

// TestMissing: only the vendor's own word on what was asked for is an absence.
func TestMissing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		body   string
		signIn bool
		want   bool
	}{
		{"Said", 404, `{"message":"Not Found"}`, false, true},
		{"ByCode", 404, `{"error":"not_found"}`, false, true},
		{"AnotherServer", 404, `<html>404 page not found</html>`, false, false},
		{"Silent", 404, ``, false, false},
		{"SignIn", 404, `{"message":"Not Found"}`, true, false},
		{"Forbidden", 403, `{"message":"Not Found"}`, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			if test.signIn {
				anonymous := *c
				c.Authorize = func(ctx context.Context, _ string) (string, error) {
					_, err := anonymous.Send(ctx, vendorhttp.Request{Method: "POST", Path: "/token", Anonymous: true})
					return "", err
				}
			}
			err := c.Do(t.Context(), "GET", "/groups/g1", nil, nil, nil)
			if got := vendorhttp.Missing(err); got != test.want || vendorhttp.StatusOf(err) != test.status {
				t.Errorf("%v is missing: %t, want %t", err, got, test.want)
			}
		})
	}
}
