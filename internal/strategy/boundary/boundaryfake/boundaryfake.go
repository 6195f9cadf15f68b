// Package boundaryfake is HashiCorp Boundary for tests: the controller's API over
// scopes, users, groups, targets and sessions that it keeps. It answers as the
// services in Boundary's source do, and takes no field that their messages lack
// (https://github.com/hashicorp/boundary, internal/proto/controller/api).
package boundaryfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/boundary"
	"github.com/symflows/symflows/internal/strategy/boundary/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// What there is at first: an account to sign in with, and the scopes, users and
// groups that docs/examples/boundary speaks of.
const (
	AuthMethod = "ampw_1234567890"
	Login      = "symflows"
	Password   = "b0undary-pass"
	Org        = "o_1111111111"
	Project    = "p_1111111111"
	Alice      = "u_aaaaaaaaaa"
	Bob        = "u_bbbbbbbbbb"
	Operators  = "g_1111111111"
	Auditors   = "g_2222222222"
)

type scope struct {
	name, kind, parent string
}

type user struct {
	scope, email, login string
}

type group struct {
	name, scope string
	version     uint32
	members     map[string]bool
}

type session struct {
	scope, user, status string
	version             uint32
}

// Fake is a cluster of Boundary.
type Fake struct {
	strategytest.Front
	URL string
	// Page is how many items a list has at once. 0: all, and as versions before 0.15
	// do, without saying that it is complete.
	Page int

	mu       sync.Mutex
	scopes   map[string]scope
	users    map[string]user
	groups   map[string]*group
	sessions map[string]*session
	targets  map[string]int64 // how many seconds sessions last, by id; all are in Project
}

// New starts one on loopback, until the test ends.
func New(t testing.TB) *Fake {
	t.Helper()
	f := &Fake{
		Page:   1000,
		scopes: map[string]scope{"global": {"", "global", ""}, Org: {"Acme", "org", "global"}, Project: {"Orders", "project", Org}},
		users: map[string]user{
			Alice: {"global", "alice@example.com", "alice"}, Bob: {"global", "", "bob@example.com"}, "u_auth": {"global", "", ""}, "u_anon": {"global", "", ""},
		},
		groups:   map[string]*group{Operators: {"Operators", Org, 1, map[string]bool{}}, Auditors: {"Auditors", "global", 4, map[string]bool{}}},
		sessions: map[string]*session{}, targets: map[string]int64{"ttcp_1234567890": 4 * 3600, "tssh_1234567890": 3600},
	}
	f.Front = strategytest.Front{
		API: f.api(), Change: change, Wait: 7 * time.Second, Shapes: shapes, T: t,
		Token: func(r *http.Request) (string, bool) {
			return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), !strings.HasSuffix(r.URL.Path, ":authenticate")
		},
		Refuse: func(w http.ResponseWriter) { fail(w, http.StatusForbidden, "PermissionDenied", "Forbidden.") },
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			if wait > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
			}
			w.WriteHeader(http.StatusTooManyRequests) // without a body
		},
		Unauthorized: func(w http.ResponseWriter) {
			fail(w, http.StatusUnauthorized, "Unauthenticated", "Unauthenticated, or invalid token.")
		},
	}
	server := httptest.NewServer(&f.Front)
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// Subject is the strategy over a new one.
func Subject(t testing.TB) strategytest.Subject {
	t.Helper()
	f := New(t)
	return strategytest.Subject{
		Type: boundary.Type(), System: f, Strategy: f.Strategy(),
		Open:       client.Open(vendorhttp.Deps{HTTP: http.DefaultClient, Secrets: strategytest.Vault{"/sym/boundary": Password}, Now: time.Now}),
		Identities: [2]string{Alice, Bob}, Shared: true, Wait: f.Wait, Secrets: []string{Password},
		Cannot: map[strategytest.Case]string{
			strategytest.Pending:        "Boundary answers when the group is changed",
			strategytest.PendingFails:   "Boundary answers when the group is changed",
			strategytest.StaleRead:      "the controller shows what its one database has",
			strategytest.OtherAuthority: "a group has users and nothing else: there is one way to be in it",
			strategytest.Invitation:     "Boundary asks nobody",
		},
	}
}

// Strategy is a configuration with both groups.
func (f *Fake) Strategy() flow.Strategy {
	target := func(name, id string) flow.Target {
		return flow.Target{Name: name, Type: boundary.TargetGroup, Settings: map[string]string{boundary.SettingGroup: id}}
	}
	return flow.Strategy{
		Name: "boundary", Type: "boundary",
		Integration: &flow.Integration{
			Name: "boundary", Type: "boundary", ExternalID: "https://boundary.example.com",
			Settings: map[string]string{boundary.SettingAuthMethod: AuthMethod, boundary.SettingLogin: Login, "api_url": f.URL},
			Secrets:  map[string]flow.SecretRef{boundary.SettingPassword: {Name: "boundary", Source: "aws_secrets_manager", Path: "/sym/boundary"}},
		},
		Targets: []flow.Target{target("operators", Operators), target("auditors", Auditors)},
	}
}

// AddUser makes a user of the global scope. Their account's e-mail address and login
// name are told with it.
func (f *Fake) AddUser(id, email, login string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[id] = user{"global", email, login}
}

// AddGroup makes a group without members.
func (f *Fake) AddGroup(id, name, scope string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups[id] = &group{name, scope, 1, map[string]bool{}}
}

// AddSession opens a session of a user in a project.
func (f *Fake) AddSession(id, project, user string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[id] = &session{project, user, "active", 2}
}

// AddProject makes a project of an organization.
func (f *Fake) AddProject(id, name, org string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scopes[id] = scope{name, "project", org}
}

// Session gives the state of a session.
func (f *Fake) Session(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sessions[id].status
}

// Has implements strategytest.System.
func (f *Fake) Has(target flow.Target, identity string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[target.Settings[boundary.SettingGroup]]
	return g != nil && g.members[identity]
}

// Give implements strategytest.Outsider.
func (f *Fake) Give(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[target.Settings[boundary.SettingGroup]]
	g.members[identity] = true
	g.version++
}

// Take implements strategytest.Outsider.
func (f *Fake) Take(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[target.Settings[boundary.SettingGroup]]
	delete(g.members, identity)
	g.version++
}

// DeleteTarget implements strategytest.Deleter.
func (f *Fake) DeleteTarget(target flow.Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.groups, target.Settings[boundary.SettingGroup])
}

// DeletePerson implements strategytest.Deleter.
func (f *Fake) DeletePerson(identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.users, identity)
	for _, g := range f.groups {
		delete(g.members, identity)
	}
}

var verb = regexp.MustCompile(`^/v1/groups/[^/:]+:(add|remove|set)-members$`)

// change reads what a call changes.
func change(r *http.Request, body []byte) (strategytest.Change, bool) {
	match := verb.FindStringSubmatch(r.URL.Path)
	if match == nil || r.Method != http.MethodPost {
		return strategytest.Change{}, false
	}
	c := strategytest.Change{Event: map[string]string{"add": "escalate", "remove": "deescalate"}[match[1]]}
	var asked struct {
		Members []string `json:"member_ids"`
	}
	if json.Unmarshal(body, &asked) == nil && len(asked.Members) > 0 {
		c.Identity = asked.Members[0]
	}
	return c, true
}

// api is what it serves. Verbs stand behind a colon, in the last part of a path.
func (f *Fake) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/auth-methods/{id}", f.authenticate)
	mux.HandleFunc("GET /v1/groups", f.listGroups)
	mux.HandleFunc("GET /v1/groups/{id}", f.getGroup)
	mux.HandleFunc("POST /v1/groups/{id}", f.changeGroup)
	mux.HandleFunc("GET /v1/users", f.listUsers)
	mux.HandleFunc("GET /v1/users/{id}", f.getUser)
	mux.HandleFunc("GET /v1/targets", f.listTargets)
	mux.HandleFunc("GET /v1/sessions", f.listSessions)
	mux.HandleFunc("POST /v1/sessions/{id}", f.cancelSession)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "NotFound", "Not Found") })
	return mux
}

func (f *Fake) authenticate(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Command    string `json:"command"`
		Type       string `json:"token_type"`
		Attributes struct {
			Login    string `json:"login_name"`
			Password string `json:"password"`
		} `json:"attributes"`
	}
	if !read(w, r, &asked) {
		return
	}
	if r.PathValue("id") != AuthMethod+":authenticate" || asked.Attributes.Login != Login || asked.Attributes.Password != Password {
		fail(w, http.StatusUnauthorized, "Unauthenticated", "Unable to authenticate.")
		return
	}
	answer(w, map[string]any{"command": "login", "attributes": map[string]any{
		"token": f.Issue(), "type": "token", "expiration_time": time.Now().Add(7 * 24 * time.Hour).UTC().Format(time.RFC3339Nano),
	}})
}

// describe is a group as it is told. Lists don't tell members, and an empty list of
// them is left out.
func (f *Fake) describe(id string, g *group, members bool) map[string]any {
	in := f.scopes[g.scope]
	got := map[string]any{
		"id": id, "name": g.name, "scope_id": g.scope, "version": g.version,
		"scope": map[string]any{"id": g.scope, "type": in.kind, "name": in.name, "parent_scope_id": in.parent},
	}
	if members && len(g.members) > 0 {
		got["member_ids"] = slices.Sorted(maps.Keys(g.members))
	}
	return got
}

func (f *Fake) listGroups(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list(f, w, r, f.groups, func(id string, g *group) (string, map[string]any) { return g.scope, f.describe(id, g, false) })
}

func (f *Fake) getGroup(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("id")
	g, ok := f.groups[id]
	if !ok {
		fail(w, http.StatusNotFound, "NotFound", "Resource not found.")
		return
	}
	answer(w, f.describe(id, g, true))
}

// changeGroup adds or removes members. All that goes wrong with the database is an
// internal error, and nothing is changed then.
func (f *Fake) changeGroup(w http.ResponseWriter, r *http.Request) {
	id, how, _ := strings.Cut(r.PathValue("id"), ":")
	var asked struct {
		Version uint32   `json:"version"`
		Members []string `json:"member_ids"`
	}
	if !read(w, r, &asked) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.groups[id]
	if !ok {
		fail(w, http.StatusNotFound, "NotFound", "Resource not found.")
		return
	}
	if asked.Version == 0 || len(asked.Members) == 0 || slices.ContainsFunc(asked.Members, func(id string) bool { return !strings.HasPrefix(id, "u_") }) {
		fail(w, http.StatusBadRequest, "InvalidArgument", "Errors in provided fields.")
		return
	}
	if f.Conflict() {
		g.version++ // somebody has given it another description
	}
	does := map[string]string{"add-members": "add members to group", "remove-members": "remove members from group"}[how]
	failed := func(why string) {
		fail(w, http.StatusInternalServerError, "Internal", fmt.Sprintf("Unable to %s: db.DoTx: iam.(Repository): %s: integrity violation.", does, why))
	}
	switch {
	case does == "":
		fail(w, http.StatusForbidden, "PermissionDenied", "Forbidden.") // what we sign in with may not set members
		return
	case asked.Version != g.version:
		failed("updated group and 0 rows updated")
		return
	}
	for _, member := range asked.Members {
		_, known := f.users[member]
		switch {
		case how == "add-members" && !known:
			failed("insert or update on table violates foreign key constraint")
			return
		case how == "add-members" && g.members[member]:
			failed("duplicate key value violates unique constraint")
			return
		case how == "remove-members" && !g.members[member]:
			failed("group members deleted 0 did not match request for 1")
			return
		}
	}
	for _, member := range asked.Members {
		if how == "add-members" {
			g.members[member] = true
		} else {
			delete(g.members, member)
		}
	}
	g.version++
	answer(w, f.describe(id, g, true))
}

func (f *Fake) listUsers(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list(f, w, r, f.users, func(id string, u user) (string, map[string]any) {
		got := map[string]any{"id": id, "scope_id": u.scope, "version": 1}
		if u.email != "" {
			got["email"] = u.email
		}
		if u.login != "" {
			got["login_name"] = u.login
		}
		return u.scope, got
	})
}

func (f *Fake) getUser(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("id")
	if u, ok := f.users[id]; ok {
		answer(w, map[string]any{"id": id, "scope_id": u.scope})
		return
	}
	fail(w, http.StatusNotFound, "NotFound", "Resource not found.")
}

func (f *Fake) listTargets(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list(f, w, r, f.targets, func(id string, seconds int64) (string, map[string]any) {
		return Project, map[string]any{"id": id, "scope_id": Project, "session_max_seconds": seconds}
	})
}

func (f *Fake) listSessions(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list(f, w, r, f.sessions, func(id string, s *session) (string, map[string]any) {
		if s.status == "terminated" { // listed only by include_terminated
			return "", nil
		}
		return s.scope, map[string]any{"id": id, "scope_id": s.scope, "user_id": s.user, "status": s.status, "version": s.version}
	})
}

func (f *Fake) cancelSession(w http.ResponseWriter, r *http.Request) {
	id, how, _ := strings.Cut(r.PathValue("id"), ":")
	var asked struct {
		Version uint32 `json:"version"`
	}
	if !read(w, r, &asked) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sessions[id]
	switch {
	case !ok || how != "cancel":
		fail(w, http.StatusNotFound, "NotFound", "Resource not found.")
		return
	case asked.Version != s.version:
		fail(w, http.StatusInternalServerError, "Internal", "sessions.(Service).cancelInRepo: unable to update session")
		return
	case s.status == "active" || s.status == "pending":
		s.status = "canceling"
		s.version++
	}
	answer(w, map[string]any{"id": id, "status": s.status, "version": s.version})
}

var byUser = regexp.MustCompile(`^"/item/user_id" == "(u_[0-9A-Za-z_]+)"$`)

// list answers with a page of what a scope has, and scopes below it. Of filters it
// knows the one by user.
func list[T any](f *Fake, w http.ResponseWriter, r *http.Request, all map[string]T, describe func(string, T) (string, map[string]any)) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"scope_id", "recursive", "filter", "list_token", "page_size"}, name) {
			fail(w, http.StatusBadRequest, "InvalidArgument", "unknown parameter "+name)
			return
		}
	}
	root := query.Get("scope_id")
	if _, ok := f.scopes[root]; !ok {
		fail(w, http.StatusNotFound, "NotFound", "Resource not found.")
		return
	}
	filter := byUser.FindStringSubmatch(query.Get("filter"))
	if query.Get("filter") != "" && filter == nil {
		fail(w, http.StatusBadRequest, "InvalidArgument", "filter: This field could not be parsed.")
		return
	}
	var items []map[string]any
	for _, id := range slices.Sorted(maps.Keys(all)) {
		in, item := describe(id, all[id])
		switch {
		case item == nil, in != root && (query.Get("recursive") != "true" || !f.under(in, root)):
		case filter != nil && item["user_id"] != filter[1]:
		default:
			items = append(items, item)
		}
	}
	got := map[string]any{}
	if f.Page > 0 {
		start, _ := strconv.Atoi(query.Get("list_token"))
		end := min(start+f.Page, len(items))
		got["response_type"], got["list_token"], got["est_item_count"] = "complete", strconv.Itoa(end), len(items)
		if end < len(items) {
			got["response_type"] = "delta"
		}
		items = items[min(start, end):end]
	}
	if len(items) > 0 { // an empty list is left out
		got["items"] = items
	}
	answer(w, got)
}

// under tells whether a scope is below another.
func (f *Fake) under(id, root string) bool {
	for id != "" {
		if id = f.scopes[id].parent; id == root {
			return true
		}
	}
	return false
}

// read decodes the body of a call, which may have no fields but those.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || r.Header.Get("Content-Type") != "application/json" {
		fail(w, http.StatusBadRequest, "InvalidArgument", "Unable to read the request: unknown field, or no JSON.")
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// fail answers as Boundary does to what it does not do.
func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"kind": kind, "message": message})
}
