package strategytest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// list is a vendor with a list of names, which are put with a body and a token.
type list struct {
	*strategytest.Front

	mu    sync.Mutex
	names []string
}

func newList() *list {
	l := &list{}
	l.Front = &strategytest.Front{
		API: l, Wait: 7 * time.Second,
		Change: func(r *http.Request, body []byte) (strategytest.Change, bool) {
			return strategytest.Change{Event: "escalate", Identity: string(body)}, r.Method == http.MethodPut
		},
		Token:        func(r *http.Request) (string, bool) { return r.Header.Get("Token"), true },
		Refuse:       func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		Unauthorized: func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) },
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
			w.WriteHeader(http.StatusTooManyRequests)
		},
	}
	return l
}

func (l *list) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.Conflict() {
		w.WriteHeader(http.StatusConflict)
		return
	}
	if body, err := io.ReadAll(r.Body); err == nil && r.Method == http.MethodPut {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.names = append(l.names, string(body))
	}
}

func (l *list) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.names)
}

func TestFront(t *testing.T) {
	t.Parallel()
	l := newList()
	server := httptest.NewServer(l.Front)
	defer server.Close()
	// call gives the status, 0 where no answer comes.
	call := func(method, token string) int {
		t.Helper()
		ctx := deadline.Context(t)
		if l.Mood() == strategytest.Mute {
			ctx = deadline.Soon(t)
		}
		r, err := http.NewRequestWithContext(ctx, method, server.URL+"/names", strings.NewReader("alice"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Token", token)
		answer, err := server.Client().Do(r)
		if err != nil {
			return 0
		}
		answer.Body.Close()
		if wait := answer.Header.Get("Retry-After"); (answer.StatusCode == http.StatusTooManyRequests) != (wait != "") {
			t.Errorf("asks to wait for %q", wait)
		}
		return answer.StatusCode
	}
	token := l.Issue()
	for _, test := range []struct {
		mood   strategytest.Mood
		get    int
		put    int
		effect bool
	}{
		{strategytest.Willing, 200, 200, true},
		{strategytest.Refusing, 403, 403, false},
		{strategytest.Throttled, 429, 429, false},
		{strategytest.Untimed, 429, 429, false},
		{strategytest.Broken, 500, 500, false},
		{strategytest.Mute, 0, 0, false},
		{strategytest.Forgetful, 200, 0, true},
		{strategytest.Conflicted, 409, 200, true},
		{strategytest.Stale, 200, 200, true},
		{strategytest.Expired, 401, 401, false}, // last: the token is not taken any more
	} {
		l.SetMood(test.mood)
		before := l.len()
		if got := call(http.MethodGet, token); got != test.get {
			t.Errorf("mood %d: reading answers %d, want %d", test.mood, got, test.get)
		}
		if got := call(http.MethodPut, token); got != test.put || (l.len() > before) != test.effect {
			t.Errorf("mood %d: a change answers %d and has an effect: %t, want %d and %t", test.mood, got, l.len() > before, test.put, test.effect)
		}
	}
	if got := call(http.MethodPut, l.Issue()); got != 200 {
		t.Errorf("another token: %d", got)
	}
	if n := l.Refused(); n != 3 { // one conflict, two expired tokens
		t.Errorf("refused %d", n)
	}
	changes := l.Changes()
	if diff := cmp.Diff(strategytest.Change{Event: "escalate", Identity: "alice"}, changes[0]); diff != "" || len(changes) < 10 {
		t.Errorf("%d changes, the first (-want +got):\n%s", len(changes), diff)
	}
	if calls := l.Calls(); !slices.Equal(calls[:2], []string{"GET /names", "PUT /names"}) {
		t.Errorf("calls %q", calls)
	}
}
