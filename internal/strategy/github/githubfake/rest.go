package githubfake

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const documentation = "https://docs.github.com/rest"

// bearer takes the token out of a call. Signing in as an app has another.
func bearer(r *http.Request) (string, bool) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == Token || strings.HasPrefix(r.URL.Path, "/app/") {
		return "", false
	}
	_, issued, _ := strings.Cut(strings.TrimPrefix(token, "ghs_"), "_")
	issued, _, _ = strings.Cut(issued, ".")
	return issued, true
}

// call is one that the API answers.
type call struct {
	g *GitHub
	w http.ResponseWriter
	r *http.Request
	s *state // what is shown; changes go to g.now
}

// route is an operation: the permission that a token needs for it, and the work.
type route struct {
	pattern, permission, access string
	do                          func(*call)
}

// api gives the REST API, and the GraphQL API beside it.
func (g *GitHub) api() http.Handler {
	mux := http.NewServeMux()
	for _, r := range []route{
		{"POST /app/installations/{id}/access_tokens", "", "", (*call).createToken},
		{"GET /installation/repositories", "metadata", "read", (*call).installationRepos},
		{"GET /app/installations/{id}", "", "", (*call).getInstallation},
		{"GET /users/{login}", "", "", (*call).getUser},
		{"GET /user/{id}", "", "", (*call).getUserByID},
		{"GET /search/users", "", "", (*call).searchUsers},
		{"GET /orgs/{org}/members", "members", "read", (*call).listMembers},
		{"GET /orgs/{org}/memberships/{login}", "members", "read", (*call).getMember},
		{"PUT /orgs/{org}/memberships/{login}", "members", "write", (*call).setMember},
		{"DELETE /orgs/{org}/memberships/{login}", "members", "write", (*call).removeMember},
		{"GET /orgs/{org}/repos", "metadata", "read", (*call).listRepos},
		{"GET /orgs/{org}/teams", "members", "read", (*call).listTeams},
		{"GET /orgs/{org}/teams/{team}", "members", "read", (*call).getTeam},
		{"GET /orgs/{org}/teams/{team}/memberships/{login}", "members", "read", (*call).getTeamMember},
		{"PUT /orgs/{org}/teams/{team}/memberships/{login}", "members", "write", (*call).setTeamMember},
		{"DELETE /orgs/{org}/teams/{team}/memberships/{login}", "members", "write", (*call).removeTeamMember},
		{"GET /orgs/{org}/external-groups", "members", "write", (*call).listExternalGroups},
		{"GET /orgs/{org}/teams/{team}/external-groups", "members", "write", (*call).listExternalGroups},
		{"GET /orgs/{org}/team-sync/groups", "members", "read", (*call).listSyncedGroups},
		{"GET /orgs/{org}/teams/{team}/team-sync/group-mappings", "members", "read", (*call).listSyncedGroups},
		{"PUT /repos/{org}/{repo}/collaborators/{login}", "administration", "write", (*call).addCollaborator},
		{"DELETE /repos/{org}/{repo}/collaborators/{login}", "administration", "write", (*call).removeCollaborator},
		{"GET /repos/{org}/{repo}/invitations", "administration", "read", (*call).listInvitations},
		{"PATCH /repos/{org}/{repo}/invitations/{id}", "administration", "write", (*call).updateInvitation},
		{"DELETE /repos/{org}/{repo}/invitations/{id}", "administration", "write", (*call).deleteInvitation},
		{"POST /graphql", "metadata", "read", (*call).graphql},
	} {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { g.serve(w, req, r) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { g.fail(w, http.StatusNotFound, "Not Found") })
	return mux
}

// serve does what is the same for all operations.
func (g *GitHub) serve(w http.ResponseWriter, r *http.Request, op route) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, value := range g.limit {
		w.Header().Set(name, value)
	}
	c := &call{g, w, r, &g.now}
	if g.shown != nil && (r.Method == http.MethodGet || r.URL.Path == "/graphql") {
		c.s = g.shown
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch scopes := g.scopes[token]; {
	case r.Header.Get("User-Agent") == "":
		g.fail(w, http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	case r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("X-GitHub-Api-Version") != "2022-11-28":
		g.fail(w, http.StatusBadRequest, "the call names no version of the API: GitHub would answer by another one")
	case g.limit["X-RateLimit-Remaining"] == "0":
		g.fail(w, http.StatusForbidden, "API rate limit exceeded for installation ID "+Installation+".")
	case token != Token && op.permission != "" && scopes[op.permission] != "write" && (op.access == "write" || scopes[op.permission] != "read"):
		g.fail(w, http.StatusForbidden, "Resource not accessible by integration")
	case r.PathValue("org") != "" && !strings.EqualFold(r.PathValue("org"), OrgName):
		g.fail(w, http.StatusNotFound, "Not Found")
	case g.refusal != nil && r.Method != http.MethodGet && op.access == "write":
		refused := g.refusal
		g.refusal = nil
		g.write(w, refused.status, "error", refused.body)
	default:
		op.do(c)
	}
}

// change tells which calls ask for a change.
func (g *GitHub) change(r *http.Request, _ []byte) (strategytest.Change, bool) {
	if !strings.Contains(r.URL.Path, "/memberships/") && !strings.Contains(r.URL.Path, "/collaborators/") {
		return strategytest.Change{}, r.Method == http.MethodPatch || r.Method == http.MethodDelete
	}
	login := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch r.Method {
	case http.MethodPut:
		return strategytest.Change{Event: "escalate", Identity: login}, true
	case http.MethodDelete:
		return strategytest.Change{Event: "deescalate", Identity: login}, true
	}
	return strategytest.Change{}, false
}

func (g *GitHub) write(w http.ResponseWriter, status int, shape string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	if err := held(shape, text); err != nil {
		g.t.Errorf("the fake answers something that GitHub does not: %v\n%s", err, text)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func (g *GitHub) fail(w http.ResponseWriter, status int, message string) {
	g.write(w, status, "error", map[string]any{"message": message, "documentation_url": documentation, "status": fmt.Sprint(status)})
}

func (c *call) answer(status int, shape string, body any) { c.g.write(c.w, status, shape, body) }

func (c *call) none() { c.w.WriteHeader(http.StatusNoContent) }

func (c *call) fail(status int, message string) { c.g.fail(c.w, status, message) }

func (c *call) missing() { c.fail(http.StatusNotFound, "Not Found") }

// body reads JSON that may have these fields alone, each one of the words.
func (c *call) body(fields map[string][]string) (map[string]string, bool) {
	text, err := io.ReadAll(c.r.Body)
	got := map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err != nil || c.r.Header.Get("Content-Type") != "application/json" || decoder.Decode(&got) != nil {
		c.fail(http.StatusBadRequest, "Problems parsing JSON")
		return nil, false
	}
	for name, value := range got {
		if allowed, known := fields[name]; !known || !slices.Contains(allowed, value) {
			c.fail(http.StatusUnprocessableEntity, fmt.Sprintf("Invalid request.\n\n%s is not a member of %q.", value, allowed))
			return nil, false
		}
	}
	return got, true
}

// listed answers a page of a list, and where the next one is. Pages are small, so
// that lists have many.
func listed[T any](c *call, shape string, all []T, wrap func([]T) any) {
	const most = 2
	for name, values := range c.r.URL.Query() {
		if !slices.Contains([]string{"per_page", "page", "role", "type"}, name) || len(values) != 1 {
			c.fail(http.StatusUnprocessableEntity, "Validation Failed: "+name)
			return
		}
	}
	number := max(1, atoi(c.r.URL.Query().Get("page")))
	if size := atoi(c.r.URL.Query().Get("per_page")); size < 1 || size > 100 {
		c.fail(http.StatusUnprocessableEntity, "per_page is wrong")
		return
	}
	from := min(len(all), (number-1)*most)
	to := min(len(all), from+most)
	if to < len(all) {
		query := c.r.URL.Query()
		query.Set("page", strconv.Itoa(number+1))
		next := url.URL{Scheme: "http", Host: c.r.Host, Path: c.r.URL.Path, RawQuery: query.Encode()}
		query.Set("page", strconv.Itoa((len(all)+most-1)/most))
		last := next
		last.RawQuery = query.Encode()
		c.w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", <%s>; rel="last"`, &next, &last))
	}
	c.answer(http.StatusOK, shape, wrap(all[from:to]))
}

func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func plain[T any](list []T) any {
	if list == nil {
		return []T{}
	}
	return list
}

// createToken is for the app, which signs its own word.
// asApp tells whether the app itself calls about its installation; if not, it has
// been answered.
func (c *call) asApp() bool {
	word := strings.TrimPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	parsed, err := jwt.Parse(word, func(*jwt.Token) (any, error) { return c.g.Key.Public().(*rsa.PublicKey), nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(App), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(c.g.clock))
	if err != nil {
		c.fail(http.StatusUnauthorized, "A JSON web token could not be decoded")
		return false
	}
	issued, _ := parsed.Claims.GetIssuedAt()
	expires, _ := parsed.Claims.GetExpirationTime()
	if issued == nil || expires.Sub(issued.Time) > 10*time.Minute {
		c.fail(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
		return false
	}
	if c.r.PathValue("id") != Installation {
		c.missing()
		return false
	}
	return true
}

func (c *call) getInstallation() {
	if !c.asApp() {
		return
	}
	c.answer(http.StatusOK, "installation", map[string]any{
		"id": atoi(Installation), "account": map[string]any{"login": OrgName, "id": 1, "type": "Organization"}, "app_id": atoi(App), "target_type": "Organization",
		"repository_selection": c.selection(), "permissions": map[string]string{"metadata": "read"}, "suspended_at": nil,
	})
}

func (c *call) createToken() {
	if !c.asApp() {
		return
	}
	var body struct {
		Permissions map[string]string `json:"permissions"`
	}
	decoder := json.NewDecoder(c.r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		c.fail(http.StatusUnprocessableEntity, "Invalid request.")
		return
	}
	for name := range body.Permissions {
		if c.g.lacks[name] {
			c.fail(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
			return
		}
	}
	if body.Permissions == nil {
		body.Permissions = map[string]string{"administration": "write", "members": "write", "metadata": "read"}
	}
	token := "ghs_" + App + "_" + c.g.Issue() + "." + strings.Repeat("x", 200)
	c.g.scopes[token] = body.Permissions
	c.g.tokens = append(c.g.tokens, body.Permissions)
	c.answer(http.StatusCreated, "installation-token", struct {
		Token       string            `json:"token"`
		ExpiresAt   time.Time         `json:"expires_at"`
		Permissions map[string]string `json:"permissions"`
		Selection   string            `json:"repository_selection"`
	}{token, c.g.clock().Add(time.Hour).UTC().Truncate(time.Second), body.Permissions, c.selection()})
}

func (c *call) selection() string {
	if c.s.Selected {
		return "selected"
	}
	return "all"
}

func (c *call) user(login string) map[string]any {
	u := c.s.Users[login]
	at := "https://api.github.com/users/" + login
	return map[string]any{
		"login": login, "id": u.ID, "node_id": "U_" + login, "avatar_url": "https://avatars.githubusercontent.com/u/1", "gravatar_id": "", "url": at,
		"html_url": "https://github.com/" + login, "followers_url": at + "/followers", "following_url": at + "/following{/other_user}", "gists_url": at + "/gists{/gist_id}",
		"starred_url": at + "/starred{/owner}{/repo}", "subscriptions_url": at + "/subscriptions", "organizations_url": at + "/orgs", "repos_url": at + "/repos",
		"events_url": at + "/events{/privacy}", "received_events_url": at + "/received_events", "type": "User", "site_admin": false,
	}
}

func (c *call) getUserByID() {
	for login, u := range c.s.Users {
		if fmt.Sprint(u.ID) == c.r.PathValue("id") {
			c.publicUser(login)
			return
		}
	}
	c.missing()
}

func (c *call) getUser() { c.publicUser(c.s.login(c.r.PathValue("login"))) }

func (c *call) publicUser(login string) {
	u, ok := c.s.Users[login]
	if !ok {
		c.missing()
		return
	}
	body := c.user(login)
	body["email"], body["name"], body["suspended_at"] = nil, nil, nil
	if u.Email != "" {
		body["email"] = u.Email
	}
	if u.Suspended {
		body["suspended_at"] = "2026-01-01T00:00:00Z"
	}
	c.answer(http.StatusOK, "public-user", body)
}

// searchUsers finds more than what is asked for, as GitHub's search does.
func (c *call) searchUsers() {
	q := c.r.URL.Query().Get("q")
	text, is := strings.CutSuffix(q, ` in:email type:user`)
	if !is || !strings.HasPrefix(text, `"`) || !strings.HasSuffix(text, `"`) {
		c.fail(http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	local, _, _ := strings.Cut(strings.ToLower(strings.Trim(text, `"`)), "@")
	items := []any{}
	for _, login := range slices.Sorted(maps.Keys(c.s.Users)) {
		if strings.Contains(strings.ToLower(c.s.Users[login].Email), local) {
			item := c.user(login)
			item["score"] = 1.0
			items = append(items, item)
		}
	}
	c.answer(http.StatusOK, "user-search", map[string]any{"total_count": len(items), "incomplete_results": false, "items": items})
}

func (c *call) membership(login string) map[string]any {
	m := c.s.Members[login]
	at := "https://api.github.com/orgs/" + OrgName
	body := map[string]any{
		"url": at + "/memberships/" + login, "state": stateOf(m), "role": m.Role, "direct_membership": !m.Only, "organization_url": at, "user": c.user(login),
		"organization": map[string]any{"login": OrgName, "id": 1, "url": at},
	}
	if len(m.Indirect) > 0 {
		body["enterprise_teams_providing_indirect_membership"] = m.Indirect
	}
	return body
}

func stateOf(m Member) string {
	if m.Pending {
		return "pending"
	}
	return "active"
}

func (c *call) listMembers() {
	var logins []string
	for _, login := range slices.Sorted(maps.Keys(c.s.Members)) {
		if !c.s.Members[login].Pending {
			logins = append(logins, login)
		}
	}
	listed(c, "simple-users", logins, func(page []string) any { return c.users(page) })
}

func (c *call) users(logins []string) []any {
	users := []any{}
	for _, login := range logins {
		users = append(users, c.user(login))
	}
	return users
}

func (c *call) getMember() {
	login := c.s.login(c.r.PathValue("login"))
	if _, ok := c.s.Members[login]; !ok {
		c.missing()
		return
	}
	c.answer(http.StatusOK, "org-membership", c.membership(login))
}

func (c *call) setMember() {
	body, ok := c.body(map[string][]string{"role": {"admin", "member"}})
	if !ok {
		return
	}
	login := c.s.login(c.r.PathValue("login"))
	u, known := c.s.Users[login]
	m, was := c.s.Members[login]
	switch {
	case !known:
		c.missing()
		return
	case u.Managed:
		c.fail(http.StatusUnprocessableEntity, "Enterprise Managed Users cannot be invited to this organization.")
		return
	case !was: // accounts that the enterprise manages are asked nothing
		m.Pending = !c.s.Managed || c.g.Mood() == strategytest.Inviting
	}
	if m.Role = body["role"]; m.Role == "" {
		m.Role = "member"
	}
	m.Only = false
	c.s.Members[login] = m
	c.answer(http.StatusOK, "org-membership", c.membership(login))
}

func (c *call) removeMember() {
	login := c.s.login(c.r.PathValue("login"))
	if _, ok := c.s.Members[login]; !ok {
		c.missing()
		return
	}
	c.s.leave(login)
	c.none()
}

func (c *call) team() *TeamState {
	t := c.s.Teams[c.r.PathValue("team")]
	if t == nil {
		c.missing()
	}
	return t
}

func teamBody(t *TeamState) map[string]any {
	at := fmt.Sprintf("https://api.github.com/organizations/1/team/%d", t.ID)
	return map[string]any{
		"id": t.ID, "node_id": "T_" + t.Slug, "url": at, "html_url": "https://github.com/orgs/" + OrgName + "/teams/" + t.Slug, "name": t.Name, "slug": t.Slug,
		"description": nil, "privacy": "closed", "permission": "pull", "members_url": at + "/members{/member}", "repositories_url": at + "/repos", "type": t.Kind, "parent": nil,
	}
}

func (c *call) listTeams() {
	var teams []any
	for _, slug := range slices.Sorted(maps.Keys(c.s.Teams)) {
		teams = append(teams, teamBody(c.s.Teams[slug]))
	}
	listed(c, "teams", teams, plain)
}

func (c *call) getTeam() {
	if t := c.team(); t != nil {
		c.answer(http.StatusOK, "team", teamBody(t))
	}
}

func (c *call) teamMember(t *TeamState, login, role string) map[string]any {
	return map[string]any{
		"url": fmt.Sprintf("https://api.github.com/organizations/1/team/%d/memberships/%s", t.ID, login), "role": role, "state": stateOf(c.s.Members[login]),
	}
}

// getTeamMember shows members of child teams as well.
func (c *call) getTeamMember() {
	t, login := c.team(), c.s.login(c.r.PathValue("login"))
	if t == nil {
		return
	}
	role, _ := c.s.in(t.Slug, login)
	if c.s.Members[login].Pending {
		role = t.Members[login]
	}
	if role == "" {
		c.missing()
		return
	}
	c.answer(http.StatusOK, "team-membership", c.teamMember(t, login, role))
}

// kept refuses changes of teams whose members come from elsewhere.
func (c *call) kept(t *TeamState) bool {
	if _, external := c.s.External[t.Slug]; external {
		c.fail(http.StatusForbidden, "You cannot create or update members for an external group backed team since they are managed by "+OrgName)
		return true
	}
	if _, synced := c.s.Synced[t.Slug]; synced {
		c.fail(http.StatusForbidden, "This team is externally managed. Learn more at https://docs.github.com/articles/synchronizing-teams-between-your-identity-provider-and-github")
		return true
	}
	return false
}

func (c *call) setTeamMember() {
	t := c.team()
	if t == nil || c.kept(t) {
		return
	}
	body, ok := c.body(map[string][]string{"role": {"member", "maintainer"}})
	if !ok {
		return
	}
	login, role := c.s.login(c.r.PathValue("login")), body["role"]
	if role == "" {
		role = "member" // whatever it was
	}
	m, member := c.s.Members[login]
	switch _, known := c.s.Users[login]; {
	case !known:
		c.missing()
		return
	case m.Role == "admin" && role == "maintainer":
		c.fail(http.StatusUnprocessableEntity, "User is already an admin of this organization, so they can't be promoted to a team maintainer")
		return
	case !member:
		c.s.Members[login] = Member{Role: "member", Pending: true}
	}
	t.Members[login] = role
	shown := role
	if m.Role == "admin" {
		shown = "maintainer"
	}
	c.answer(http.StatusOK, "team-membership", c.teamMember(t, login, shown))
}

func (c *call) removeTeamMember() {
	t, login := c.team(), c.s.login(c.r.PathValue("login"))
	if t == nil || c.kept(t) {
		return
	}
	if t.Members[login] == "" {
		c.missing()
		return
	}
	delete(t.Members, login)
	c.none()
}

// groups answers groups of identity providers: all, or those behind a team.
func (c *call) groups(behind map[string]string, refused int, message string) {
	team := c.r.PathValue("team")
	if len(behind) == 0 {
		c.fail(refused, message)
		return
	}
	groups := []any{}
	for _, slug := range slices.Sorted(maps.Keys(behind)) {
		if team == "" || team == slug {
			groups = append(groups, map[string]any{"group_id": behind[slug], "group_name": behind[slug]})
		}
	}
	c.answer(http.StatusOK, "groups", map[string]any{"groups": groups})
}

func (c *call) listExternalGroups() {
	c.groups(c.s.External, http.StatusBadRequest, "This organization is not part of externally managed enterprise.")
}

func (c *call) listSyncedGroups() {
	c.groups(c.s.Synced, http.StatusForbidden, "Team synchronization is not enabled for this organization")
}

func (c *call) repoBody(r *RepositoryData) map[string]any {
	at := "https://api.github.com/repos/" + OrgName + "/" + r.Name
	return map[string]any{
		"id": r.ID, "node_id": nodeID(r), "name": r.Name, "full_name": OrgName + "/" + r.Name, "private": r.Private, "html_url": "https://github.com/" + OrgName + "/" + r.Name,
		"description": nil, "fork": false, "url": at, "archived": r.Archived, "disabled": false, "owner": map[string]any{"login": OrgName, "id": 1, "type": "Organization"},
	}
}

func nodeID(r *RepositoryData) string { return fmt.Sprint("R_", r.ID) }

func (c *call) repoBodies() []any {
	var repos []any
	for _, name := range slices.Sorted(maps.Keys(c.s.Repos)) {
		repos = append(repos, c.repoBody(c.s.Repos[name]))
	}
	return repos
}

func (c *call) listRepos() { listed(c, "repositories", c.repoBodies(), plain) }

func (c *call) installationRepos() {
	all := c.repoBodies()
	listed(c, "installation-repositories", all, func(page []any) any {
		return map[string]any{"total_count": len(all), "repository_selection": c.selection(), "repositories": plain(page)}
	})
}

// repository finds what a path names. Where it has another name by now, GitHub sends
// callers there.
func (c *call) repository() *RepositoryData {
	name := c.r.PathValue("repo")
	r := c.s.repo(name)
	switch {
	case r == nil:
		c.missing()
	case !strings.EqualFold(r.Name, name):
		status := http.StatusTemporaryRedirect
		if c.r.Method == http.MethodGet {
			status = http.StatusMovedPermanently
		}
		at := fmt.Sprintf("http://%s/repositories/%d", c.r.Host, r.ID)
		c.w.Header().Set("Location", at)
		c.g.write(c.w, status, "error", map[string]any{"message": "Moved Permanently", "url": at, "documentation_url": documentation})
		r = nil
	}
	return r
}

func (c *call) addCollaborator() {
	r, login := c.repository(), c.s.login(c.r.PathValue("login"))
	if r == nil {
		return
	}
	body, ok := c.body(map[string][]string{"permission": github.Permissions})
	if !ok {
		return
	}
	role := newer(body["permission"])
	if role == "" {
		role = "write"
	}
	u, known := c.s.Users[login]
	m, member := c.s.Members[login]
	member = member && !m.Pending
	switch {
	case !known:
		c.missing()
	case u.Managed:
		c.fail(http.StatusUnprocessableEntity, "Validation Failed: an Enterprise Managed User cannot be invited to this repository")
	case member && slices.Index(levels, role) < slices.Index(levels, c.s.Base):
		c.fail(http.StatusUnprocessableEntity, fmt.Sprintf("Cannot assign %s permission of %s", login, role))
	case r.Direct[login] != "", member && c.g.Mood() != strategytest.Inviting:
		r.Direct[login] = role
		c.none()
	default:
		i := slices.IndexFunc(r.Invitations, func(i Invitation) bool { return i.Login == login })
		if i < 0 {
			r.Invitations = append(r.Invitations, Invitation{ID: c.g.id(), Login: login, Permission: role})
			i = len(r.Invitations) - 1
		}
		c.answer(http.StatusCreated, "repository-invitation", c.invitation(r, r.Invitations[i]))
	}
}

func (c *call) removeCollaborator() {
	r, login := c.repository(), c.s.login(c.r.PathValue("login"))
	if r == nil {
		return
	}
	delete(r.Direct, login) // also of one who is none
	c.none()
}

func (c *call) invitation(r *RepositoryData, i Invitation) map[string]any {
	return map[string]any{
		"id": i.ID, "repository": c.repoBody(r), "invitee": c.user(i.Login), "inviter": c.user("olivia"), "permissions": i.Permission, "created_at": "2026-03-01T12:00:00Z",
		"expired": i.Expired, "url": fmt.Sprint("https://api.github.com/user/repository_invitations/", i.ID),
		"html_url": "https://github.com/" + OrgName + "/" + r.Name + "/invitations", "node_id": fmt.Sprint("RI_", i.ID),
	}
}

func (c *call) listInvitations() {
	r := c.repository()
	if r == nil {
		return
	}
	var all []any
	for _, i := range r.Invitations {
		all = append(all, c.invitation(r, i))
	}
	listed(c, "repository-invitations", all, plain)
}

// named finds an invitation by the id in the path.
func (c *call) named(r *RepositoryData) int {
	i := slices.IndexFunc(r.Invitations, func(i Invitation) bool { return fmt.Sprint(i.ID) == c.r.PathValue("id") })
	if i < 0 {
		c.missing()
	}
	return i
}

func (c *call) updateInvitation() {
	r := c.repository()
	if r == nil {
		return
	}
	body, ok := c.body(map[string][]string{"permissions": {"read", "triage", "write", "maintain", "admin"}})
	if i := c.named(r); ok && i >= 0 {
		r.Invitations[i].Permission = body["permissions"]
		c.answer(http.StatusOK, "repository-invitation", c.invitation(r, r.Invitations[i]))
	}
}

func (c *call) deleteInvitation() {
	if r := c.repository(); r != nil {
		if i := c.named(r); i >= 0 {
			r.Invitations = slices.Delete(r.Invitations, i, i+1)
			c.none()
		}
	}
}

// levels are permissions by the newer words, from the least to the most.
var levels = []string{"none", "read", "triage", "write", "maintain", "admin"}
