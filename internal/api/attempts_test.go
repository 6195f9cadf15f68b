package api

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// After too many bad tokens none is looked up for the rest of the minute, but
// those that were good before.
func TestAttempts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.api.Attempts = &Attempts{PerMinute: 3, Now: f.clock}
	f.handler = f.api.Handler()
	status := func(token string) int {
		return f.send(http.MethodGet, "/api/v1/flows", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }).StatusCode
	}
	late, _, err := f.api.Tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "late", Owner: "bob@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		token string
		want  int
	}{
		{f.token, 200}, {"guess-1", 401}, {"guess-2", 401}, {"guess-3", 401},
		{"guess-4", 429}, {late, 429}, {f.token, 200},
	} {
		if got := status(c.token); got != c.want {
			t.Errorf("request %d: %d, want %d", i, got, c.want)
		}
	}
	f.pass(time.Minute)
	if got := status(late); got != 200 {
		t.Errorf("a minute later: %d", got)
	}
	for range 3 {
		status("guess-5")
	}
	f.pass(-time.Hour) // a clock that is set back must not lock anybody out
	if got := status("guess-6"); got != 401 {
		t.Errorf("after the clock was set back: %d", got)
	}
}

// However many come at the same time, no more bad tokens are looked up than the
// limit says.
func TestAttempts_AtOnce(t *testing.T) {
	t.Parallel()
	const limit, callers = 20, 200
	a := &Attempts{PerMinute: limit, Now: func() time.Time { return time.Unix(0, 0) }}
	var looked atomic.Int32
	var here, gone sync.WaitGroup
	here.Add(callers)
	for i := range callers {
		gone.Go(func() {
			here.Done()
			err := a.Look(fmt.Sprint("guess-", i), func() error {
				here.Wait() // until all are at the door
				looked.Add(1)
				return flow.Errorf(flow.CodeUnauthenticated, "bad")
			})
			if code := flow.CodeOf(err); code != flow.CodeUnauthenticated && code != flow.CodeTooManyAttempts {
				t.Error(err)
			}
		})
	}
	gone.Wait()
	if n := looked.Load(); n != limit {
		t.Errorf("looked up %d, want %d", n, limit)
	}
}
