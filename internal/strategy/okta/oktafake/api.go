package oktafake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// front is the moods, and who calls.
func (f *Fake) front() *strategytest.Front {
	membership := regexp.MustCompile(`^/api/v1/groups/[^/]+/users/([^/]+)$`)
	return &strategytest.Front{
		SignsIn: func(r *http.Request) bool { return r.URL.Path == "/oauth2/v1/token" },
		API:     f.api(), Wait: wait,
		Change: func(r *http.Request, _ []byte) (strategytest.Change, bool) {
			m := membership.FindStringSubmatch(r.URL.Path)
			event := map[string]string{http.MethodPut: "escalate", http.MethodDelete: "deescalate"}[r.Method]
			if m == nil || event == "" {
				return strategytest.Change{}, false
			}
			return strategytest.Change{Event: event, Identity: m[1]}, true
		},
		Token: func(r *http.Request) (string, bool) {
			if r.URL.Path == "/oauth2/v1/token" || r.Header.Get("Authorization") == "SSWS "+Token {
				return "", false
			}
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			return token, true
		},
		Refuse: func(w http.ResponseWriter) {
			refuse(w, http.StatusForbidden, "E0000006", "You do not have permission to perform the requested action")
		},
		Unauthorized: func(w http.ResponseWriter) {
			refuse(w, http.StatusUnauthorized, "E0000011", "Invalid token provided")
		},
		Throttle: func(w http.ResponseWriter, wait time.Duration) {
			if wait > 0 {
				// By Okta's clock, which is an hour ahead of ours.
				date := f.Now().Add(time.Hour)
				w.Header().Set("Date", date.Format(http.TimeFormat))
				w.Header().Set("X-Rate-Limit-Limit", "600")
				w.Header().Set("X-Rate-Limit-Remaining", "0")
				w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(date.Add(wait-time.Second).Unix(), 10))
			}
			refuse(w, http.StatusTooManyRequests, "E0000047", "API call exceeded rate limit due to too many requests.")
		},
	}
}

// api routes calls: https://developer.okta.com/docs/api/openapi/okta-management/.
func (f *Fake) api() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern, scope string, parameters []string, do http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			for name := range r.URL.Query() {
				if !slices.Contains(parameters, name) {
					refuse(w, http.StatusBadRequest, "E0000001", "Api validation failed: "+name)
					return
				}
			}
			if scope != "" && !f.may(r, scope) {
				w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", error_description="The access token provided does not contain the required scopes."`)
				refuse(w, http.StatusForbidden, "E0000006", "You do not have permission to perform the requested action")
				return
			}
			do(w, r)
		})
	}
	paged := []string{"limit", "after"}
	handle("POST /oauth2/v1/token", "", nil, f.token)
	handle("GET /api/v1/users", "okta.users.read", append(paged, "search"), f.searchUsers)
	handle("GET /api/v1/users/{user}", "okta.users.read", nil, f.getUser)
	handle("GET /api/v1/users/{user}/groups", "okta.users.read", []string{"after"}, f.userGroups)
	handle("GET /api/v1/groups", "okta.groups.read", append(paged, "filter"), f.listGroups)
	handle("GET /api/v1/groups/{group}", "okta.groups.read", nil, f.getGroup)
	handle("GET /api/v1/groups/{group}/users", "okta.groups.read", paged, f.groupUsers)
	handle("PUT /api/v1/groups/{group}/users/{user}", "okta.groups.manage", nil, f.change)
	handle("DELETE /api/v1/groups/{group}/users/{user}", "okta.groups.manage", nil, f.change)
	handle("GET /api/v1/groups/{group}/users/{user}/group-rules", "okta.groups.read", []string{"after"}, f.rulesOf)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusMethodNotAllowed, "E0000022", "The endpoint does not support the provided HTTP method")
	})
	return mux
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(err)
	}
}

// refuse answers as Okta does: https://developer.okta.com/docs/reference/error-codes/.
func refuse(w http.ResponseWriter, status int, code, summary string, causes ...string) {
	list := []map[string]string{}
	for _, c := range causes {
		list = append(list, map[string]string{"errorSummary": c})
	}
	answer(w, status, map[string]any{"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae1", "errorCauses": list})
}

func missing(w http.ResponseWriter, id, kind string) {
	refuse(w, http.StatusNotFound, "E0000007", fmt.Sprintf("Not found: Resource not found: %s (%s)", id, kind))
}

const created = "2026-01-01T00:00:00.000Z"

func (u user) shown() map[string]any {
	return map[string]any{
		"id": u.ID, "status": u.Status, "created": created, "lastUpdated": created, "profile": map[string]string{"login": u.Login, "email": u.Email},
		"_links": map[string]any{"self": map[string]string{"href": "https://" + Domain + "/api/v1/users/" + u.ID}},
	}
}

func (g group) shown() map[string]any {
	return map[string]any{
		"id": g.ID, "type": g.Type, "created": created, "lastUpdated": created, "lastMembershipUpdated": created, "objectClass": []string{"okta:user_group"},
		"profile": map[string]any{"name": g.Name, "description": nil}, "_links": map[string]any{},
	}
}

// page answers with a part of a list, in the order of ids, and says where the next
// one is. Okta gives fewer than it is asked for.
func (f *Fake) page(w http.ResponseWriter, r *http.Request, all map[string]map[string]any) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if text := r.URL.Query().Get("limit"); text != "" && (err != nil || limit < 1 || limit > 10_000) {
		refuse(w, http.StatusBadRequest, "E0000001", "Api validation failed: limit", "limit: must be a number")
		return
	}
	w.Header().Add("Link", fmt.Sprintf(`<%s%s>; rel="self"`, f.URL, r.URL.RequestURI()))
	ids, list := slices.Sorted(maps.Keys(all)), []map[string]any{}
	for i, id := range ids {
		if id <= r.URL.Query().Get("after") {
			continue
		}
		if list = append(list, all[id]); len(list) == f.perPage && i+1 < len(ids) {
			next := url.URL{Path: r.URL.Path}
			query := r.URL.Query()
			query.Set("after", id)
			next.RawQuery = query.Encode()
			w.Header().Add("Link", fmt.Sprintf(`<%s%s>; rel="next"`, f.URL, next.String()))
			break
		}
	}
	answer(w, http.StatusOK, list)
}

var search = regexp.MustCompile(`^profile\.email eq "((?:[^"\\]|\\.)*)" or profile\.login eq "((?:[^"\\]|\\.)*)"$`)

func (f *Fake) searchUsers(w http.ResponseWriter, r *http.Request) {
	m := search.FindStringSubmatch(r.URL.Query().Get("search"))
	if m == nil {
		refuse(w, http.StatusBadRequest, "E0000031", "Invalid search criteria.")
		return
	}
	plain := strings.NewReplacer(`\"`, `"`, `\\`, `\`)
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[string]map[string]any{}
	for id, u := range f.users {
		if strings.EqualFold(u.Email, plain.Replace(m[1])) || strings.EqualFold(u.Login, plain.Replace(m[2])) {
			found[id] = u.shown()
		}
	}
	f.page(w, r, found)
}

// getUser takes an id, or a login.
func (f *Fake) getUser(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, u := range f.users {
		if name := r.PathValue("user"); name == id || strings.EqualFold(name, u.Login) {
			answer(w, http.StatusOK, u.shown())
			return
		}
	}
	missing(w, r.PathValue("user"), "User")
}

// seen are the members that reads show.
func (f *Fake) seen() map[string]bool {
	if f.shown != nil {
		return f.shown
	}
	return f.members
}

func (f *Fake) userGroups(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("user")
	if _, ok := f.users[id]; !ok {
		missing(w, id, "User")
		return
	}
	found := map[string]map[string]any{"00g0everyone00000001": group{"00g0everyone00000001", "Everyone", "BUILT_IN"}.shown()}
	for _, g := range f.groups {
		if f.seen()[g.ID+" "+id] {
			found[g.ID] = g.shown()
		}
	}
	f.page(w, r, found)
}

func (f *Fake) listGroups(w http.ResponseWriter, r *http.Request) {
	if filter := r.URL.Query().Get("filter"); filter != "" && filter != `type eq "OKTA_GROUP"` {
		refuse(w, http.StatusBadRequest, "E0000053", "Invalid filter '"+filter+"'")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[string]map[string]any{}
	for id, g := range f.groups {
		if r.URL.Query().Get("filter") == "" || g.Type == "OKTA_GROUP" {
			found[id] = g.shown()
		}
	}
	f.page(w, r, found)
}

func (f *Fake) getGroup(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g, ok := f.groups[r.PathValue("group")]; ok {
		answer(w, http.StatusOK, g.shown())
		return
	}
	missing(w, r.PathValue("group"), "UserGroup")
}

func (f *Fake) groupUsers(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.PathValue("group")
	if _, ok := f.groups[id]; !ok {
		missing(w, id, "UserGroup")
		return
	}
	found := map[string]map[string]any{}
	for _, u := range f.users {
		if f.seen()[id+" "+u.ID] && u.Status != "DEPROVISIONED" {
			found[u.ID] = u.shown()
		}
	}
	f.page(w, r, found)
}

// change puts into a group or takes out of it. Both are content if that is so
// already. Whom a rule holds is excluded from it when they are taken out.
func (f *Fake) change(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.groups[r.PathValue("group")]
	id := r.PathValue("user")
	if !ok {
		missing(w, r.PathValue("group"), "UserGroup")
		return
	}
	if _, ok := f.users[id]; !ok {
		missing(w, id, "User")
		return
	}
	if g.Type != "OKTA_GROUP" {
		refuse(w, http.StatusForbidden, "E0000006", "You do not have permission to perform the requested action")
		return
	}
	if r.Method == http.MethodPut {
		f.members[g.ID+" "+id] = true
	} else {
		delete(f.members, g.ID+" "+id)
		for _, rule := range f.rules {
			if rule.Group == g.ID && rule.holds[id] {
				delete(rule.holds, id)
				rule.excluded[id] = true
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// rulesOf lists the rules that manage a membership.
func (f *Fake) rulesOf(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	group, id := r.PathValue("group"), r.PathValue("user")
	if _, ok := f.groups[group]; !ok {
		missing(w, group, "UserGroup")
		return
	}
	if _, ok := f.users[id]; !ok {
		missing(w, id, "User")
		return
	}
	found := map[string]map[string]any{}
	for _, rule := range f.rules {
		if rule.Group == group && rule.holds[id] {
			found[rule.ID] = map[string]any{
				"id": rule.ID, "name": rule.Name, "status": "ACTIVE", "type": "group_rule", "created": created, "lastUpdated": created,
				"conditions": map[string]any{
					"expression": map[string]string{"type": "urn:okta:expression:1.0", "value": "user.department==\"ops\""},
					"people":     map[string]any{"users": map[string]any{"exclude": slices.Sorted(maps.Keys(rule.excluded))}},
				},
				"actions": map[string]any{"assignUserToGroups": map[string]any{"groupIds": []string{group}}},
			}
		}
	}
	f.page(w, r, found)
}
