package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// tokenFixture is a TokenAPI that one caller may use.
type tokenFixture struct {
	t       *testing.T
	tokens  store.Tokens
	log     strings.Builder
	handler http.Handler
}

const operator = "arn:aws:iam::123456789012:user/operator"

func newTokenFixture(t *testing.T) *tokenFixture {
	now := func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	f := &tokenFixture{t: t, tokens: store.Tokens{Store: &storetest.Memory{Now: now}, Org: org, Now: now}}
	f.handler = (&TokenAPI{
		Tokens: f.tokens, Now: now, Log: slog.New(slog.NewTextHandler(&f.log, nil)),
		Caller: func(r *http.Request) (flow.Principal, bool) {
			return flow.Principal{Kind: flow.PrincipalAWS, Name: operator}, r.Header.Get("X-Test-Caller") == operator
		},
	}).Handler()
	return f
}

func (f *tokenFixture) send(caller, method, path, body string, out any) int {
	f.t.Helper()
	r := httptest.NewRequest(method, Base+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Test-Caller", caller)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		f.t.Fatalf("%s %s: %q: %v", method, path, w.Body, err)
	}
	return w.Code
}

// A token that is made works, is listed without its value, and is over when it
// is revoked. The log says who did it, and never has the value.
func TestTokenAPI(t *testing.T) {
	t.Parallel()
	f := newTokenFixture(t)
	var made events.CreatedToken
	if status := f.send(operator, "POST", "/tokens", `{"bot":"ci","label":"pipeline","expires":"90d","owner":"Carol@example.com","flows":["deploy"],"people":[]}`, &made); status != 200 {
		t.Fatalf("status %d", status)
	}
	if bot, _, err := f.tokens.Check(t.Context(), made.Value); err != nil || bot.Name != "ci" {
		t.Errorf("the token stands for %+v, %v", bot, err)
	}
	var list json.RawMessage
	f.send(operator, "GET", "/tokens", "", &list)
	if !strings.Contains(string(list), made.ID) || !strings.Contains(string(list), `"2026-05-31T09:00:00Z"`) || strings.Contains(string(list), made.Value) {
		t.Errorf("list: %s", list)
	}
	var owned events.Token
	if status := f.send(operator, "PUT", "/tokens/"+made.ID, `{"owner":"Lead@example.com"}`, &owned); status != 200 || owned.ID != made.ID || owned.Owner != "lead@example.com" || made.Owner != "carol@example.com" {
		t.Errorf("status %d, %+v of %+v", status, owned, made)
	}
	if _, kept, err := f.tokens.Check(t.Context(), made.Value); err != nil || kept.Owner != "lead@example.com" || kept.Flows[0] != "deploy" || kept.People == nil || len(kept.People) > 0 {
		t.Errorf("the token is %+v, %v", kept, err)
	}
	var revoked events.Token
	if status := f.send(operator, "DELETE", "/tokens/"+made.ID, "", &revoked); status != 200 || revoked.ID != made.ID {
		t.Errorf("status %d, %+v", status, revoked)
	}
	if _, _, err := f.tokens.Check(t.Context(), made.Value); flow.CodeOf(err) != flow.CodeUnauthenticated {
		t.Errorf("the revoked token: %v", err)
	}
	if log := f.log.String(); strings.Count(log, operator) != 3 || strings.Contains(log, made.Value) {
		t.Errorf("log:\n%s", log)
	}
}

func TestTokenAPI_Refusals(t *testing.T) {
	t.Parallel()
	f := newTokenFixture(t)
	for _, test := range []struct {
		caller, method, path, body string
		status                     int
		says                       string
	}{
		{"", "POST", "/tokens", `{"bot":"ci","expires":"90d"}`, 401, "AWS credentials"},
		{"", "GET", "/tokens", "", 401, "AWS credentials"},
		{"", "DELETE", "/tokens/x", "", 401, "AWS credentials"},
		{operator, "POST", "/tokens", `{}`, 400, "bot"},
		{operator, "POST", "/tokens", `{"bot":"ci","expires":"soon","owner":"carol@example.com"}`, 400, "is not a duration"},
		{operator, "POST", "/tokens", `{"bot":"alice@example.com","expires":"90d","owner":"carol@example.com"}`, 400, "the bot's name"},
		{operator, "POST", "/tokens", `{"bot":"ci","expires":"90d","scopes":[]}`, 400, "is not a field"},
		{operator, "POST", "/tokens", `{"bot":"ci","expires":"90d"}`, 400, `"field":"owner","message":"is required"`},
		{operator, "POST", "/tokens", `{"bot":"ci","expires":"90d","owner":"carol"}`, 400, "the person who answers for the token"},
		{operator, "POST", "/tokens", `{"bot":"ci","expires":"90d","owner":"carol@example.com","people":["all"]}`, 400, "nobody to ask for"},
		{operator, "POST", "/tokens", `{"bot":"ci","expires":"90d","owner":"carol@example.com","flows":"deploy"}`, 400, "must be a list of texts"},
		{"", "PUT", "/tokens/x", `{"owner":"carol@example.com"}`, 401, "AWS credentials"},
		{operator, "PUT", "/tokens/x", `{"owner":"carol@example.com"}`, 400, "there is no token"},
		{operator, "PUT", "/tokens/x", `{}`, 400, "is required"},
		{operator, "DELETE", "/tokens/x", "", 400, "there is no token"},
		{operator, "GET", "/events", "", 404, "nothing at this path"},
	} {
		var said json.RawMessage
		if status := f.send(test.caller, test.method, test.path, test.body, &said); status != test.status || !strings.Contains(string(said), test.says) {
			t.Errorf("%s %s %s: %d %s", test.method, test.path, test.body, status, said)
		}
	}
	if list, err := f.tokens.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("made all the same: %v, %v", list, err)
	}
}
