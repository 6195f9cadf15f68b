package api

import (
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

func newPeopleFixture(t *testing.T) (*tokenFixture, store.Users) {
	now := func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	f := &tokenFixture{t: t}
	memory := &storetest.Memory{Now: now}
	users := store.Users{Store: memory, Keeper: true}
	caller := func(r *http.Request) (flow.Principal, bool) {
		return flow.Principal{Kind: flow.PrincipalAWS, Name: operator}, r.Header.Get("X-Test-Caller") == operator
	}
	log := slog.New(slog.NewTextHandler(&f.log, nil))
	f.handler = (&TokenAPI{
		Tokens: store.Tokens{Store: memory, Org: org, Now: now}, Now: now, Log: log, Caller: caller,
	}).With(&PeopleAPI{People: People{Users: users, Org: org, Now: now}, Caller: caller, Log: log})
	return f, users
}

// TestPeopleAPI_Identities: administrators say who people are in other systems,
// and it is seen who said so.
func TestPeopleAPI_Identities(t *testing.T) {
	t.Parallel()
	f, _ := newPeopleFixture(t)
	const one = `"email":"alice@example.com","service":"okta","service_id":"acme.okta.com"`
	var got events.Identity
	if status := f.send(operator, "PUT", "/identities", `{`+one+`,"user_id":"00u1"}`, &got); status != 200 || got.UserID != "00u1" {
		t.Errorf("%d, %+v", status, got)
	}
	list := func() (list events.IdentityList) {
		t.Helper()
		if status := f.send(operator, "GET", "/identities?email=ALICE@example.com", "", &list); status != 200 {
			t.Errorf("status %d", status)
		}
		return list
	}
	if l := list().Identities; len(l) != 1 || l[0].UserID != "00u1" || l[0].SavedBy != operator || l[0].SavedAt == nil {
		t.Errorf("%+v", l)
	}
	if log := f.log.String(); !strings.Contains(log, operator) || !strings.Contains(log, "00u1") {
		t.Errorf("the log does not say who did it: %s", log)
	}
	if status := f.send(operator, "DELETE", "/identities", `{`+one+`}`, &got); status != 200 || len(list().Identities) != 0 {
		t.Errorf("%d, %+v", status, list())
	}
	for body, field := range map[string]string{
		`{"email":"alice","service":"okta","user_id":"x"}`:                "email",
		`{"email":"alice@example.com","user_id":"x"}`:                     "service",
		`{"email":"alice@example.com","service":"okta"}`:                  "user_id",
		`{"email":"alice@example.com","service":"o","user_id":"x","a":1}`: "a",
	} {
		var refused events.APIError
		if status := f.send(operator, "PUT", "/identities", body, &refused); status != 400 || len(refused.Errors) != 1 || refused.Errors[0].Field != field {
			t.Errorf("%s: %d, %+v", body, status, refused)
		}
	}
}

// TestPeopleAPI_Confirm: an administrator sees which addresses passed to others,
// and confirms one, or all.
func TestPeopleAPI_Confirm(t *testing.T) {
	t.Parallel()
	f, users := newPeopleFixture(t)
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, email := range []string{"alice@example.com", "bob@example.com", "carol@example.com"} {
		for _, id := range []string{"U1", "U2"} {
			who := flow.Actor{ID: flow.UserID(org, email), Kind: flow.KindPerson, Email: email, SlackID: id, SlackTeam: "T1"}
			if _, err := users.Remember(t.Context(), store.User{Actor: who, Role: store.RoleMember, SeenAt: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
	waiting := func(want int) (list events.AddressClaims) {
		t.Helper()
		if status := f.send(operator, "GET", "/users", "", &list); status != 200 || len(list.Claims) != want {
			t.Errorf("%d, %+v", status, list)
		}
		return list
	}
	if c := waiting(3).Claims[0]; c.Account != "U2 in T1" || c.Former != "U1 in T1" || !c.Since.Equal(at) {
		t.Errorf("%+v", c)
	}
	var done events.AddressClaims
	if status := f.send(operator, "POST", "/users", `{"email":"alice@example.com"}`, &done); status != 200 || len(done.Claims) != 1 {
		t.Errorf("%d, %+v", status, done)
	}
	waiting(2)
	for _, body := range []string{`{"email":"alice@example.com"}`, `{}`, `{"email":"bob@example.com","all":true}`, `{"all":"yes"}`} {
		var refused events.APIError
		if status := f.send(operator, "POST", "/users", body, &refused); status != 400 {
			t.Errorf("%s: %d", body, status)
		}
	}
	if status := f.send(operator, "POST", "/users", `{"all":true}`, &done); status != 200 || len(done.Claims) != 2 {
		t.Errorf("%d, %+v", status, done)
	}
	waiting(0)
}

// TestPeopleAPI_Callers: nobody is let in whom AWS has not, and other paths are
// tokens'.
func TestPeopleAPI_Callers(t *testing.T) {
	t.Parallel()
	f, _ := newPeopleFixture(t)
	for _, path := range []string{"GET /identities", "PUT /identities", "DELETE /identities", "GET /users", "POST /users"} {
		method, path, _ := strings.Cut(path, " ")
		var refused events.APIError
		if status := f.send("somebody", method, path, `{"email":"alice@example.com","service":"okta","user_id":"x"}`, &refused); status != 401 {
			t.Errorf("%s %s: %d", method, path, status)
		}
	}
	var list events.TokenList
	if status := f.send(operator, "GET", "/tokens", "", &list); status != 200 {
		t.Errorf("tokens: %d", status)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, httptest.NewRequest("GET", Base+"/users/x", nil))
	if w.Code != 404 {
		t.Errorf("elsewhere: %d", w.Code)
	}
}
