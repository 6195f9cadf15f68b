// Package aptiblefake is Aptible for tests: its API of users and roles (HAL+JSON),
// over an organization that it keeps, with the resources, links and fields that
// Aptible's own clients use (https://github.com/aptible/aptible-auth-ruby,
// https://github.com/aptible/app-ui).
package aptiblefake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/aptible"
	"github.com/symflows/symflows/internal/strategy/aptible/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// What there is at first: a robot user, and the organization, people and roles that
// docs/examples/aptible speaks of.
const (
	Username     = "robot@example.com"
	Password     = "apt1ble-pass"
	Secret       = `{"username": "` + Username + `", "password": "` + Password + `"}` // both, by keys
	Organization = "0f0f0f0f-0000-4000-8000-000000000001"
	Alice        = "aaaaaaaa-0000-4000-8000-000000000001"
	Bob          = "bbbbbbbb-0000-4000-8000-000000000002"
	Production   = "11111111-0000-4000-8000-000000000011"
	Support      = "22222222-0000-4000-8000-000000000022"
)

type user struct {
	email    string
	verified bool
}

type membership struct{ role, user string }

// Fake is an organization at Aptible.
type Fake struct {
	strategytest.Front
	URL string
	// Bare leaves out the links that Aptible's dashboard does not use, and shows no
	// user but ourselves by themselves.
	Bare bool
	// Page is how many items a list has at once.
	Page int
	// SecondFactor has the robot user sign in with a second factor.
	SecondFactor bool

	mu            sync.Mutex
	organizations map[string]string // their names
	users         map[string]user
	roles         map[string]string // their names
	memberships   map[string]membership
	scopes        map[string]string // of tokens
	made          int               // memberships
	expelled      bool              // the robot user is in no organization any more, and sees nothing
	hidden        string            // the role that the robot user may not see by itself
	raced         bool              // the next membership is somebody else's, made a moment before
}

// New starts one on loopback, until the test ends.
func New(t testing.TB) *Fake {
	t.Helper()
	f := &Fake{
		Page: 100, organizations: map[string]string{Organization: "Acme"}, scopes: map[string]string{}, memberships: map[string]membership{},
		users: map[string]user{Alice: {"alice@example.com", true}, Bob: {"bob@example.com", true}},
		roles: map[string]string{Production: "Production", Support: "Support"},
	}
	f.Front = strategytest.Front{
		API: f.api(), Change: f.change, Wait: 7 * time.Second, Shapes: shapes, T: t,
		Token: func(r *http.Request) (string, bool) {
			return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.URL.Path != "/tokens"
		},
		Refuse: func(w http.ResponseWriter) {
			fail(w, http.StatusForbidden, "forbidden", "You are not authorized to perform this action.")
		},
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			if wait > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
			}
			fail(w, http.StatusTooManyRequests, "too_many_requests", "Slow down.")
		},
		Unauthorized: func(w http.ResponseWriter) {
			fail(w, http.StatusUnauthorized, "invalid_token", "Invalid or expired token.")
		},
	}
	server := httptest.NewServer(&f.Front)
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// Secrets are the robot user's, by path.
func Secrets() strategytest.Vault { return strategytest.Vault{"/sym/aptible": Secret} }

// Subject is the strategy over a new one.
func Subject(t testing.TB) strategytest.Subject {
	t.Helper()
	f := New(t)
	return strategytest.Subject{
		Type: aptible.Type(), System: f, Strategy: f.Strategy(),
		Open:       client.Open(vendorhttp.Deps{HTTP: http.DefaultClient, Secrets: Secrets(), Now: time.Now}),
		Identities: [2]string{Alice, Bob}, Shared: true, Wait: f.Wait, Secrets: []string{Username, Password},
		Cannot: map[strategytest.Case]string{
			strategytest.Pending:        "Aptible answers when the membership is made",
			strategytest.PendingFails:   "Aptible answers when the membership is made",
			strategytest.ConcurrentEdit: "each membership is a resource of its own",
			strategytest.StaleRead:      "Aptible shows what its one database has",
			strategytest.OtherAuthority: "a role has users and nothing else: there is one way to have it",
			strategytest.Invitation:     "who is in the organization is asked nothing, and others are not granted anything",
		},
	}
}

// Strategy is a configuration with both roles.
func (f *Fake) Strategy() flow.Strategy {
	target := func(name, id string) flow.Target {
		return flow.Target{Name: name, Type: aptible.TargetRole, Settings: map[string]string{aptible.SettingRole: id}}
	}
	ref := func(name, key string) flow.SecretRef {
		return flow.SecretRef{Name: name, Source: "aws_secrets_manager", Path: "/sym/aptible", JSONKey: key}
	}
	return flow.Strategy{
		Name: "aptible", Type: "aptible",
		Integration: &flow.Integration{
			Name: "aptible", Type: "aptible", ExternalID: Organization, Settings: map[string]string{"api_url": f.URL},
			Secrets: map[string]flow.SecretRef{aptible.SettingUsername: ref("user", "username"), aptible.SettingPassword: ref("password", "password")},
		},
		Targets: []flow.Target{target("production", Production), target("support", Support)},
	}
}

// AddOrganization makes another organization that the robot user is in.
func (f *Fake) AddOrganization(id, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.organizations[id] = name
}

// AddUser has somebody be in the organization.
func (f *Fake) AddUser(id, email string, verified bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[id] = user{email, verified}
}

// AddRole makes a role.
func (f *Fake) AddRole(id, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roles[id] = name
}

// Race has somebody else make the membership that is asked for next, a moment
// before.
func (f *Fake) Race() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.raced = true
}

// Memberships counts those of a role.
func (f *Fake) Memberships(role string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.memberships {
		if m.role == role {
			n++
		}
	}
	return n
}

// Has implements strategytest.System.
func (f *Fake) Has(target flow.Target, identity string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.has(target.Settings[aptible.SettingRole], identity)
}

func (f *Fake) has(role, user string) bool {
	for _, m := range f.memberships {
		if m == (membership{role, user}) {
			return true
		}
	}
	return false
}

func (f *Fake) add(role, user string) string {
	f.made++
	id := fmt.Sprintf("99999999-0000-4000-8000-%012d", f.made)
	f.memberships[id] = membership{role, user}
	return id
}

// Give implements strategytest.Outsider.
func (f *Fake) Give(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(target.Settings[aptible.SettingRole], identity)
}

// Take implements strategytest.Outsider.
func (f *Fake) Take(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(func(m membership) bool { return m == membership{target.Settings[aptible.SettingRole], identity} })
}

func (f *Fake) drop(which func(membership) bool) {
	maps.DeleteFunc(f.memberships, func(_ string, m membership) bool { return which(m) })
}

// DeleteTarget implements strategytest.Deleter.
func (f *Fake) DeleteTarget(target flow.Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	role := target.Settings[aptible.SettingRole]
	delete(f.roles, role)
	f.drop(func(m membership) bool { return m.role == role })
}

// Expel takes the robot user out of the organization.
func (f *Fake) Expel() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expelled = true
}

// Hide has the robot user not see a role by itself.
func (f *Fake) Hide(target flow.Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hidden = target.Settings[aptible.SettingRole]
}

// DeletePerson implements strategytest.Deleter.
func (f *Fake) DeletePerson(identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.users, identity)
	f.drop(func(m membership) bool { return m.user == identity })
}

// change reads what a call changes.
func (f *Fake) change(r *http.Request, body []byte) (strategytest.Change, bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && parts[0] == "roles":
		var asked struct {
			User string `json:"user_url"`
		}
		if json.Unmarshal(body, &asked) != nil {
			return strategytest.Change{Event: "escalate"}, true
		}
		return strategytest.Change{Event: "escalate", Identity: asked.User[strings.LastIndex(asked.User, "/")+1:]}, true
	case r.Method == http.MethodDelete && parts[0] == "memberships" && len(parts) == 2:
		f.mu.Lock()
		defer f.mu.Unlock()
		return strategytest.Change{Event: "deescalate", Identity: f.memberships[parts[1]].user}, true
	}
	return strategytest.Change{}, false
}

// api is what it serves.
func (f *Fake) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tokens", f.token)
	mux.HandleFunc("GET /organizations", f.serve(f.listOrganizations))
	mux.HandleFunc("GET /organizations/{id}", f.serve(f.getOrganization))
	mux.HandleFunc("GET /organizations/{id}/users", f.serve(f.listUsers))
	mux.HandleFunc("GET /organizations/{id}/roles", f.serve(f.listRoles))
	mux.HandleFunc("GET /users/{id}", f.serve(f.getUser))
	mux.HandleFunc("GET /roles/{id}", f.serve(f.getRole))
	mux.HandleFunc("GET /roles/{id}/memberships", f.serve(f.listMemberships))
	mux.HandleFunc("POST /roles/{id}/memberships", f.serve(f.addMembership))
	mux.HandleFunc("DELETE /memberships/{id}", f.serve(f.deleteMembership))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })
	return mux
}

// serve has a token of scope read do nothing but read.
func (f *Fake) serve(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if scope := f.scopes[r.Header.Get("Authorization")]; scope == "read" && r.Method != http.MethodGet {
			fail(w, http.StatusForbidden, "insufficient_scope", "The token's scope does not allow this.")
			return
		}
		do(w, r)
	}
}

func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.PostForm.Get("grant_type") != "password" {
		fail(w, http.StatusBadRequest, "unsupported_grant_type", "The grant type is not supported.")
		return
	}
	scope := r.PostForm.Get("scope")
	switch {
	case scope != "manage" && scope != "read":
		fail(w, http.StatusBadRequest, "invalid_scope", "The scope is not known.")
	case r.PostForm.Get("username") != Username || r.PostForm.Get("password") != Password:
		fail(w, http.StatusUnauthorized, "invalid_credentials", "Invalid password: "+r.PostForm.Get("password"))
	case f.SecondFactor:
		fail(w, http.StatusUnauthorized, "otp_token_required", "An OTP token is required.")
	default:
		token := f.Issue()
		f.mu.Lock()
		f.scopes["Bearer "+token] = scope
		f.mu.Unlock()
		answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "bearer", "scope": scope, "expires_in": 7200, "_type": "token"})
	}
}

// resource is a thing with its links. Those of more are left out where it is bare.
func (f *Fake) resource(kind, id string, fields map[string]any, links, more map[string]string) map[string]any {
	at := map[string]any{}
	for name, path := range links {
		at[name] = map[string]string{"href": f.URL + path}
	}
	for name, path := range more {
		if !f.Bare {
			at[name] = map[string]string{"href": f.URL + path}
		}
	}
	got := map[string]any{"id": id, "_type": kind, "_links": at}
	maps.Copy(got, fields)
	return got
}

func (f *Fake) organization(id string) map[string]any {
	at := "/organizations/" + id
	return f.resource("organization", id, map[string]any{"name": f.organizations[id], "handle": strings.ToLower(f.organizations[id])}, nil,
		map[string]string{"self": at, "users": at + "/users", "roles": at + "/roles"})
}

func (f *Fake) user(id string) map[string]any {
	u := f.users[id]
	return f.resource("user", id, map[string]any{"email": u.email, "name": u.email, "verified": u.verified}, map[string]string{"self": "/users/" + id}, nil)
}

func (f *Fake) role(id string) map[string]any {
	at := "/roles/" + id
	return f.resource("role", id, map[string]any{"name": f.roles[id], "type": "platform_user"}, map[string]string{"organization": "/organizations/" + Organization},
		map[string]string{"self": at, "memberships": at + "/memberships", "invitations": at + "/invitations"})
}

func (f *Fake) membership(id string) map[string]any {
	m := f.memberships[id]
	return f.resource("membership", id, map[string]any{"privileged": false}, map[string]string{"user": "/users/" + m.user, "role": "/roles/" + m.role},
		map[string]string{"self": "/memberships/" + id})
}

func (f *Fake) listOrganizations(w http.ResponseWriter, r *http.Request) {
	if f.expelled {
		f.page(w, r, "organizations", nil, f.organization)
		return
	}
	f.page(w, r, "organizations", slices.Sorted(maps.Keys(f.organizations)), f.organization)
}

func (f *Fake) getOrganization(w http.ResponseWriter, r *http.Request) {
	if id := r.PathValue("id"); f.organizations[id] != "" {
		answer(w, http.StatusOK, f.organization(id))
		return
	}
	notFound(w)
}

func (f *Fake) listUsers(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") != Organization {
		notFound(w)
		return
	}
	f.page(w, r, "users", slices.Sorted(maps.Keys(f.users)), f.user)
}

func (f *Fake) listRoles(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") != Organization {
		notFound(w)
		return
	}
	f.page(w, r, "roles", slices.Sorted(maps.Keys(f.roles)), f.role)
}

func (f *Fake) getUser(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := f.users[id]; !ok || f.Bare {
		notFound(w)
		return
	}
	answer(w, http.StatusOK, f.user(id))
}

func (f *Fake) getRole(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := f.roles[id]; !ok || f.expelled || f.hidden == id {
		notFound(w)
		return
	}
	answer(w, http.StatusOK, f.role(id))
}

func (f *Fake) listMemberships(w http.ResponseWriter, r *http.Request) {
	role := r.PathValue("id")
	if _, ok := f.roles[role]; !ok {
		notFound(w)
		return
	}
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(f.memberships)) {
		if f.memberships[id].role == role {
			ids = append(ids, id)
		}
	}
	f.page(w, r, "memberships", ids, f.membership)
}

func (f *Fake) addMembership(w http.ResponseWriter, r *http.Request) {
	role := r.PathValue("id")
	if _, ok := f.roles[role]; !ok {
		notFound(w)
		return
	}
	var asked struct {
		User string `json:"user_url"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil || r.Header.Get("Content-Type") != "application/json" {
		fail(w, http.StatusBadRequest, "bad_request", "The body is not right.")
		return
	}
	id, ours := strings.CutPrefix(asked.User, f.URL+"/users/")
	if _, known := f.users[id]; !ours || !known {
		fail(w, http.StatusUnprocessableEntity, "unprocessable_entity", "User can't be blank")
		return
	}
	if f.raced {
		f.raced = false
		f.add(role, id)
	}
	if f.has(role, id) {
		fail(w, http.StatusUnprocessableEntity, "unprocessable_entity", "User has already been taken")
		return
	}
	answer(w, http.StatusCreated, f.membership(f.add(role, id)))
}

func (f *Fake) deleteMembership(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := f.memberships[id]; !ok {
		notFound(w)
		return
	}
	delete(f.memberships, id)
	w.WriteHeader(http.StatusNoContent)
}

// page answers with a part of a list, and a link to the next.
func (f *Fake) page(w http.ResponseWriter, r *http.Request, name string, ids []string, describe func(string) map[string]any) {
	number, _ := strconv.Atoi(r.URL.Query().Get("page"))
	number = max(number, 1)
	start := min((number-1)*f.Page, len(ids))
	end := min(start+f.Page, len(ids))
	items := []map[string]any{}
	for _, id := range ids[start:end] {
		items = append(items, describe(id))
	}
	links := map[string]any{"self": map[string]string{"href": f.URL + r.URL.RequestURI()}}
	if end < len(ids) {
		links["next"] = map[string]string{"href": fmt.Sprintf("%s%s?page=%d", f.URL, r.URL.Path, number+1)}
	}
	answer(w, http.StatusOK, map[string]any{"_embedded": map[string]any{name: items}, "_links": links, "total_count": len(ids)})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/hal+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func notFound(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, "not_found", "Resource not found")
}

// fail answers as Aptible does to what it does not do.
func fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"code": status, "error": code, "message": message})
}
