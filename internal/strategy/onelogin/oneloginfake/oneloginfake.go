// Package oneloginfake is OneLogin for tests: version 2 of its API over roles and
// users that it keeps, as its documentation and its SDKs have it.
package oneloginfake

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/onelogin"
	"github.com/symflows/symflows/internal/strategy/onelogin/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// What there is at first: a credential pair, and the users and roles that
// docs/examples/onelogin speaks of.
const (
	ClientID     = "c1ient"
	ClientSecret = "0ne-secret"
	Alice        = "11111111"
	Bob          = "22222222"
	Production   = "123456"
	Support      = "234567"
)

// Statuses of users.
const (
	Active    = 1
	Suspended = 2
)

// user is a user of the account.
type user struct {
	email  string
	status int
}

// role is a role, with its two lists, by the ids of users.
type role struct {
	name  string
	lists map[string]map[string]bool // "users" and "admins"
}

func (r role) copied() role {
	c := role{r.name, map[string]map[string]bool{}}
	for name, on := range r.lists {
		c.lists[name] = maps.Clone(on)
	}
	return c
}

// Fake is an account of OneLogin.
type Fake struct {
	strategytest.Front
	URL string

	mu     sync.Mutex
	users  map[string]user
	roles  map[string]role
	shown  map[string]role // while it is Stale
	byPage bool            // pages are told by their number, not by cursors
	silent bool            // removing what is not there is no error
	mute   bool            // users do not tell their roles
}

// New starts one on loopback, until the test ends.
func New(t testing.TB) *Fake {
	t.Helper()
	f := &Fake{users: map[string]user{}, roles: map[string]role{}}
	f.Front = strategytest.Front{
		API: f.api(), Change: change, Wait: 7 * time.Second, Shapes: shapes, T: t,
		Token: func(r *http.Request) (string, bool) {
			return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), strings.HasPrefix(r.URL.Path, "/api/")
		},
		Refuse: func(w http.ResponseWriter) { fail(w, http.StatusForbidden, "Insufficient Permissions") },
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			if wait > 0 {
				w.Header().Set("X-RateLimit-Reset", strconv.Itoa(int(wait.Seconds())))
			}
			fail(w, http.StatusTooManyRequests, "Rate limit exceeded")
		},
		Unauthorized: func(w http.ResponseWriter) { fail(w, http.StatusUnauthorized, "Unauthorized") },
	}
	server := httptest.NewServer(&f.Front)
	t.Cleanup(server.Close)
	f.URL = server.URL
	f.AddUser(Alice, "alice@example.com", Active)
	f.AddUser(Bob, "bob@example.com", Active)
	f.AddRole(Production, "Production")
	f.AddRole(Support, "Support")
	return f
}

// Subject is the strategy over a new one.
func Subject(t testing.TB) strategytest.Subject {
	t.Helper()
	f := New(t)
	return strategytest.Subject{
		Type: onelogin.Type(), System: f, Strategy: f.Strategy(),
		Open:       client.Open(vendorhttp.Deps{HTTP: http.DefaultClient, Secrets: strategytest.Vault{"/sym/onelogin": ClientSecret}, Now: time.Now}),
		Identities: [2]string{Alice, Bob}, Shared: true, Wait: f.Wait,
		Secrets: []string{ClientSecret, base64.StdEncoding.EncodeToString([]byte(ClientID + ":" + ClientSecret))},
		Cannot: map[strategytest.Case]string{
			strategytest.Pending:        "OneLogin answers when the list is changed",
			strategytest.PendingFails:   "OneLogin answers when the list is changed",
			strategytest.ConcurrentEdit: "a change is of one user on one list, whatever else is on it",
			strategytest.OtherAuthority: "a role is no member of another, and mappings put people on the same list",
			strategytest.Invitation:     "OneLogin asks nobody",
		},
	}
}

// Strategy is a configuration with both privilege levels.
func (f *Fake) Strategy() flow.Strategy {
	return flow.Strategy{
		Name: "onelogin", Type: "onelogin",
		Integration: &flow.Integration{
			Name: "onelogin", Type: "onelogin", ExternalID: "acme.onelogin.com",
			Settings: map[string]string{onelogin.SettingClientID: ClientID, "api_url": f.URL},
			Secrets:  map[string]flow.SecretRef{onelogin.SettingClientSecret: {Name: "onelogin", Source: "aws_secrets_manager", Path: "/sym/onelogin"}},
		},
		Targets: []flow.Target{
			{Name: "production", Type: onelogin.TargetRole, Settings: map[string]string{onelogin.SettingRole: Production, onelogin.SettingLevel: onelogin.Member}},
			{Name: "support-admin", Type: onelogin.TargetRole, Settings: map[string]string{onelogin.SettingRole: Support, onelogin.SettingLevel: onelogin.Admin}},
		},
	}
}

// AddUser makes a user.
func (f *Fake) AddUser(id, email string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[id] = user{email, status}
}

// AddRole makes a role, without anybody.
func (f *Fake) AddRole(id, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roles[id] = role{name, map[string]map[string]bool{"users": {}, "admins": {}}}
}

// Older has it behave as other accounts do: pages have numbers, removing what is
// not there is no error, and users do not tell their roles.
func (f *Fake) Older() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byPage, f.silent, f.mute = true, true, true
}

// SetMood implements strategytest.System.
func (f *Fake) SetMood(m strategytest.Mood) {
	f.mu.Lock()
	f.shown = nil
	if m == strategytest.Stale {
		f.shown = map[string]role{}
		for id, r := range f.roles {
			f.shown[id] = r.copied()
		}
	}
	f.mu.Unlock()
	f.Front.SetMood(m)
}

// listOf is the list that a target is about.
func listOf(target flow.Target) string {
	if onelogin.Level(target) == onelogin.Admin {
		return "admins"
	}
	return "users"
}

// Has implements strategytest.System.
func (f *Fake) Has(target flow.Target, identity string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.roles[target.Settings[onelogin.SettingRole]].lists[listOf(target)][identity]
}

// Give implements strategytest.Outsider.
func (f *Fake) Give(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roles[target.Settings[onelogin.SettingRole]].lists[listOf(target)][identity] = true
}

// Take implements strategytest.Outsider.
func (f *Fake) Take(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.roles[target.Settings[onelogin.SettingRole]].lists[listOf(target)], identity)
}

// DeleteTarget implements strategytest.Deleter.
func (f *Fake) DeleteTarget(target flow.Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.roles, target.Settings[onelogin.SettingRole])
}

// DeletePerson implements strategytest.Deleter.
func (f *Fake) DeletePerson(identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.users, identity)
	for _, r := range f.roles {
		delete(r.lists["users"], identity)
		delete(r.lists["admins"], identity)
	}
}

// change reads what a call changes.
func change(r *http.Request, body []byte) (strategytest.Change, bool) {
	event := map[string]string{http.MethodPost: "escalate", http.MethodDelete: "deescalate"}[r.Method]
	if event == "" || !strings.HasPrefix(r.URL.Path, "/api/2/roles/") {
		return strategytest.Change{}, false
	}
	var ids []json.Number
	if json.Unmarshal(body, &ids) != nil || len(ids) == 0 {
		return strategytest.Change{Event: event}, true
	}
	return strategytest.Change{Event: event, Identity: ids[0].String()}, true
}

// api is what it serves.
func (f *Fake) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/oauth2/v2/token", f.token)
	mux.HandleFunc("GET /api/2/users", f.listUsers)
	mux.HandleFunc("GET /api/2/users/{id}", f.getUser)
	mux.HandleFunc("GET /api/2/roles", f.listRoles)
	mux.HandleFunc("GET /api/2/roles/{id}", f.getRole)
	mux.HandleFunc("GET /api/2/roles/{id}/{list}", f.listHolders)
	mux.HandleFunc("POST /api/2/roles/{id}/{list}", f.change)
	mux.HandleFunc("DELETE /api/2/roles/{id}/{list}", f.change)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "Not Found") })
	return mux
}

func (f *Fake) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != ClientID || secret != ClientSecret {
		fail(w, http.StatusUnauthorized, "Authentication Failure")
		return
	}
	var asked struct {
		GrantType string `json:"grant_type"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil || asked.GrantType != "client_credentials" || !sendsJSON(r) {
		fail(w, http.StatusBadRequest, "grant_type is incorrect")
		return
	}
	answer(w, map[string]any{"access_token": f.Issue(), "token_type": "bearer", "expires_in": 36000, "account_id": 555555})
}

func (f *Fake) listUsers(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	prefix, _, star := strings.Cut(r.URL.Query().Get("email"), "*")
	var found []map[string]any
	for _, id := range numbers(f.users) {
		u := f.users[id]
		low := strings.ToLower(u.email)
		if prefix != "" && low != strings.ToLower(prefix) && !(star && strings.HasPrefix(low, strings.ToLower(prefix))) {
			continue
		}
		found = append(found, map[string]any{"id": json.Number(id), "email": u.email, "username": u.email, "status": u.status, "state": 1})
	}
	f.page(w, r, found, "email")
}

func (f *Fake) getUser(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("id")
	u, ok := f.users[id]
	if !ok {
		fail(w, http.StatusNotFound, "User not found")
		return
	}
	got := map[string]any{"id": json.Number(id), "email": u.email, "username": u.email, "status": u.status, "state": 1}
	if !f.mute {
		roles := []json.Number{}
		for _, role := range numbers(f.now()) {
			if f.now()[role].lists["users"][id] {
				roles = append(roles, json.Number(role))
			}
		}
		got["role_ids"] = roles
	}
	answer(w, got)
}

func (f *Fake) listRoles(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []map[string]any
	for _, id := range numbers(f.roles) {
		found = append(found, map[string]any{"id": json.Number(id), "name": f.roles[id].name})
	}
	slices.Reverse(found)
	f.page(w, r, found)
}

func (f *Fake) getRole(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("id")
	if found, ok := f.roles[id]; ok {
		answer(w, map[string]any{"id": json.Number(id), "name": found.name})
		return
	}
	fail(w, http.StatusNotFound, "Role not found")
}

func (f *Fake) listHolders(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	on, ok := f.now()[r.PathValue("id")].lists[r.PathValue("list")]
	if !ok {
		fail(w, http.StatusNotFound, "Role not found")
		return
	}
	var found []map[string]any
	for _, id := range numbers(on) {
		found = append(found, map[string]any{"id": json.Number(id), "name": "…", "username": f.users[id].email, "assigned": true})
	}
	f.page(w, r, found)
}

func (f *Fake) change(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// What is not there is told by another status when something is added to it.
	missing := http.StatusUnprocessableEntity
	if r.Method == http.MethodDelete {
		missing = http.StatusNotFound
	}
	on, ok := f.roles[r.PathValue("id")].lists[r.PathValue("list")]
	if !ok {
		fail(w, missing, "Role not found")
		return
	}
	var ids []json.Number
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if err := d.Decode(&ids); err != nil || len(ids) == 0 || !sendsJSON(r) || len(r.URL.RawQuery) > 0 {
		fail(w, http.StatusUnprocessableEntity, "Invalid request body")
		return
	}
	var done []map[string]any
	for _, id := range ids {
		if _, known := f.users[id.String()]; !known && !(f.silent && r.Method == http.MethodDelete) {
			fail(w, missing, "Validation failed: The user with ID "+id.String()+" could not be found")
			return
		}
		done = append(done, map[string]any{"id": id})
	}
	for _, id := range ids {
		if r.Method == http.MethodDelete {
			delete(on, id.String())
		} else {
			on[id.String()] = true
		}
	}
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, done)
}

// now is what it shows of its roles.
func (f *Fake) now() map[string]role {
	if f.shown != nil {
		return f.shown
	}
	return f.roles
}

// page answers with the part of a list that is asked for. Parameters that the list
// does not have are refused.
func (f *Fake) page(w http.ResponseWriter, r *http.Request, all []map[string]any, parameters ...string) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains(append(parameters, "limit", "page", "cursor"), name) {
			fail(w, http.StatusBadRequest, "Unknown parameter "+name)
			return
		}
	}
	limit, err := number(query, "limit", 50)
	start, badCursor := number(query, "cursor", 0)
	page, badPage := number(query, "page", 1)
	if cmp.Or(err, badCursor, badPage) != nil || limit < 1 || limit > 100 || page < 1 {
		fail(w, http.StatusBadRequest, "limit, page or cursor is not right")
		return
	}
	if f.byPage {
		start = (page - 1) * limit
	}
	start = min(start, len(all))
	end := min(start+limit, len(all))
	if f.byPage {
		w.Header().Set("Current-Page", strconv.Itoa(page))
		w.Header().Set("Total-Pages", strconv.Itoa((len(all)+limit-1)/limit))
	} else if end < len(all) {
		w.Header().Set("After-Cursor", strconv.Itoa(end))
	}
	answer(w, append([]map[string]any{}, all[start:end]...))
}

func number(query url.Values, name string, otherwise int) (int, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	return strconv.Atoi(query.Get(name))
}

// numbers gives ids in the order of their numbers.
func numbers[T any](of map[string]T) []string {
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
}

func sendsJSON(r *http.Request) bool { return r.Header.Get("Content-Type") == "application/json" }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// fail answers as OneLogin does to what it does not do.
func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{
		"message": message, "statusCode": status, "name": strings.ReplaceAll(http.StatusText(status), " ", "") + "Error",
	})
}
