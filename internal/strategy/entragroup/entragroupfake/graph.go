package entragroupfake

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

// page is how many elements a list gives at a time, whatever is asked for: Graph may
// give fewer, and then says where there are more.
const page = 2

// call is one, with the state that it is answered from.
type call struct {
	*Fake
	w    http.ResponseWriter
	r    *http.Request
	seen state // what reads show
}

// routes are the calls that there are, with the parameters that each may have.
func (f *Fake) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", f.token)
	const pim = "/v1.0/identityGovernance/privilegedAccess/group/"
	for pattern, route := range map[string]struct {
		parameters []string
		do         func(call)
	}{
		"GET /v1.0/users":                                     {[]string{"$select", "$filter"}, call.findUsers},
		"GET /v1.0/users/{id}":                                {[]string{"$select"}, call.getUser},
		"GET /v1.0/users/{id}/memberOf":                       {[]string{"$select", "$top"}, call.memberOf},
		"POST /v1.0/users/{id}/checkMemberGroups":             {nil, call.checkMemberGroups},
		"GET /v1.0/groups":                                    {[]string{"$select", "$top"}, call.listGroups},
		"GET /v1.0/groups/{id}":                               {[]string{"$select"}, call.getGroup},
		"GET /v1.0/groups/{id}/members":                       {[]string{"$select", "$top"}, call.members},
		"GET /v1.0/groups/{id}/members/microsoft.graph.group": {[]string{"$select", "$count"}, call.subgroups},
		"POST /v1.0/groups/{id}/members/$ref":                 {nil, call.addMember},
		"DELETE /v1.0/groups/{id}/members/{member}/$ref":      {nil, call.removeMember},
		"POST " + pim + "assignmentScheduleRequests":          {nil, call.request},
		"GET " + pim + "assignmentScheduleInstances":          {[]string{"$filter"}, call.instances},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for name := range r.URL.Query() {
				if !slices.Contains(append([]string{"$skiptoken"}, route.parameters...), name) {
					refuse(w, http.StatusBadRequest, "BadRequest", "Query option '"+name+"' is not supported.")
					return
				}
			}
			if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
				refuse(w, http.StatusUnsupportedMediaType, "RequestBodyRead", "no JSON")
				return
			}
			seen := f.state
			if f.Mood() == strategytest.Stale {
				seen = f.shown
			}
			route.do(call{f, w, r, seen})
		})
	}
	return mux
}

// address is the one at which Graph was called.
func (c call) address() string {
	if strings.HasSuffix(c.r.Host, ".microsoft.com") {
		return "https://" + c.r.Host // by whatever way it came here
	}
	return "http://" + c.r.Host
}

func (c call) bad(message string) { refuse(c.w, http.StatusBadRequest, "Request_BadRequest", message) }

func (c call) missing(id string) {
	refuse(c.w, http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
}

// selected is an object with the properties that were asked for.
func (c call) selected(kind string, all map[string]any) map[string]any {
	out := map[string]any{"@odata.type": "#microsoft.graph." + kind}
	for name := range strings.SplitSeq(c.r.URL.Query().Get("$select"), ",") {
		value, ok := all[name]
		if !ok {
			continue // which Graph says nothing of
		}
		out[name] = value
	}
	return out
}

func (u *user) object() map[string]any {
	var mail any = u.Mail
	if u.Mail == "" {
		mail = nil
	}
	return map[string]any{"id": u.ID, "userPrincipalName": u.UserPrincipalName, "mail": mail, "accountEnabled": u.AccountEnabled, "displayName": u.UserPrincipalName}
}

func (g *group) object() map[string]any {
	types, synced := []string{}, any(nil)
	if g.Dynamic {
		types = append(types, "DynamicMembership")
	}
	if g.OnPremises {
		synced = true
	}
	return map[string]any{"id": g.ID, "displayName": g.Name, "groupTypes": types, "mailEnabled": g.Distributes, "securityEnabled": !g.Distributes, "onPremisesSyncEnabled": synced}
}

// list answers with a part of a list, and where the next one is.
func (c call) list(all []map[string]any) {
	from, err := strconv.Atoi(c.r.URL.Query().Get("$skiptoken"))
	if err != nil {
		from = 0
	}
	until := min(from+page, len(all))
	body := map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata", "value": append([]map[string]any{}, all[from:until]...)}
	if until < len(all) {
		next := *c.r.URL
		query := next.Query()
		query.Set("$skiptoken", fmt.Sprint(until))
		next.RawQuery = query.Encode()
		body["@odata.nextLink"] = c.address() + next.String()
	}
	answer(c.w, http.StatusOK, body)
}

var byAddress = regexp.MustCompile(`^mail eq '((?:[^']|'')*)' or userPrincipalName eq '((?:[^']|'')*)'$`)

func (c call) findUsers() {
	m := byAddress.FindStringSubmatch(c.r.URL.Query().Get("$filter"))
	if m == nil {
		c.bad("Invalid filter clause")
		return
	}
	var found []map[string]any
	for _, id := range slices.Sorted(maps.Keys(c.seen.users)) {
		u := c.seen.users[id]
		if strings.EqualFold(u.Mail, strings.ReplaceAll(m[1], "''", "'")) || strings.EqualFold(u.UserPrincipalName, strings.ReplaceAll(m[2], "''", "'")) {
			found = append(found, c.selected("user", u.object()))
		}
	}
	c.list(found)
}

func (c call) getUser() {
	u := c.seen.users[c.r.PathValue("id")]
	if u == nil {
		c.missing(c.r.PathValue("id"))
		return
	}
	answer(c.w, http.StatusOK, c.selected("user", u.object()))
}

func (c call) getGroup() {
	g := c.seen.groups[c.r.PathValue("id")]
	if g == nil {
		c.missing(c.r.PathValue("id"))
		return
	}
	answer(c.w, http.StatusOK, c.selected("group", g.object()))
}

func (c call) listGroups() {
	var found []map[string]any
	for _, id := range slices.Sorted(maps.Keys(c.seen.groups)) {
		found = append(found, c.selected("group", c.seen.groups[id].object()))
	}
	c.list(found)
}

func (g *group) assignedAt(id string, now time.Time) bool {
	end, there := g.assigned[id]
	return there && (end.IsZero() || now.Before(end))
}

// direct are the members of a group, those by PIM among them.
func (g *group) direct(now time.Time) []string {
	all := slices.Clone(g.members)
	for _, id := range slices.Sorted(maps.Keys(g.assigned)) {
		if g.assignedAt(id, now) && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

func (s state) within(id, who string, now time.Time) bool {
	g := s.groups[id]
	return g != nil && slices.ContainsFunc(g.direct(now), func(m string) bool { return m == who || s.groups[m] != nil && s.within(m, who, now) })
}

func (c call) memberOf() {
	id := c.r.PathValue("id")
	if c.seen.users[id] == nil {
		c.missing(id)
		return
	}
	found := []map[string]any{{"@odata.type": "#microsoft.graph.directoryRole", "id": "7a7a2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"}}
	for _, g := range slices.Sorted(maps.Keys(c.seen.groups)) {
		if slices.Contains(c.seen.groups[g].direct(c.time()), id) {
			found = append(found, c.selected("group", c.seen.groups[g].object()))
		}
	}
	c.list(found)
}

func (c call) members() {
	g := c.seen.groups[c.r.PathValue("id")]
	if g == nil {
		c.missing(c.r.PathValue("id"))
		return
	}
	var found []map[string]any
	for _, id := range g.direct(c.time()) {
		if u := c.seen.users[id]; u != nil {
			found = append(found, c.selected("user", u.object()))
		} else if inside := c.seen.groups[id]; inside != nil {
			found = append(found, c.selected("group", inside.object()))
		}
	}
	c.list(found)
}

func (c call) subgroups() {
	g := c.seen.groups[c.r.PathValue("id")]
	switch {
	case c.r.Header.Get("ConsistencyLevel") != "eventual" || c.r.URL.Query().Get("$count") != "true":
		refuse(c.w, http.StatusBadRequest, "Request_UnsupportedQuery", "The specified request is not supported without ConsistencyLevel: eventual and $count=true.")
	case g == nil:
		c.missing(c.r.PathValue("id"))
	default:
		var found []map[string]any
		for _, id := range g.members {
			if inside := c.seen.groups[id]; inside != nil {
				found = append(found, c.selected("group", inside.object()))
			}
		}
		c.list(found)
	}
}

// read decodes a body, and refuses what Graph does not know.
func (c call) read(in any) bool {
	d := json.NewDecoder(c.r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		c.bad("Invalid object: " + err.Error())
		return false
	}
	return true
}

func (c call) checkMemberGroups() {
	var in struct {
		IDs []string `json:"groupIds"`
	}
	if !c.read(&in) {
		return
	}
	if len(in.IDs) == 0 || len(in.IDs) > 20 {
		c.bad("The number of group ids must be between 1 and 20.")
		return
	}
	if c.seen.users[c.r.PathValue("id")] == nil {
		c.missing(c.r.PathValue("id"))
		return
	}
	found := []string{}
	for _, id := range in.IDs {
		if c.seen.within(id, c.r.PathValue("id"), c.time()) {
			found = append(found, id)
		}
	}
	answer(c.w, http.StatusOK, map[string]any{"value": found})
}

// reference is what is added to a group.
type reference struct {
	ID string `json:"@odata.id"`
}

// changeable tells whether a group can be changed here and now.
func (c call) changeable(g *group) bool {
	switch {
	case c.Conflict():
		refuse(c.w, http.StatusConflict, "Directory_ConcurrencyViolation", "Another operation on the object is in progress.")
	case g == nil:
		c.missing(c.r.PathValue("id"))
	case g.OnPremises:
		c.bad("Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
	case g.Dynamic, g.Distributes:
		c.bad("Cannot Update a mail-enabled security groups and or distribution list, or a group with dynamic membership.")
	default:
		return true
	}
	return false
}

func (c call) addMember() {
	var in reference
	if !c.read(&in) {
		return
	}
	id, ok := strings.CutPrefix(in.ID, c.address()+"/v1.0/directoryObjects/")
	g := c.state.groups[c.r.PathValue("id")]
	switch {
	case !ok:
		c.bad("Invalid URI in @odata.id: " + url.PathEscape(in.ID))
	case !c.changeable(g):
	case c.state.users[id] == nil:
		c.missing(id)
	case slices.Contains(g.direct(c.time()), id):
		c.bad("One or more added object references already exist for the following modified properties: 'members'.")
	default:
		g.members = append(g.members, id)
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (c call) removeMember() {
	g, id := c.state.groups[c.r.PathValue("id")], c.r.PathValue("member")
	switch {
	case !c.changeable(g):
	case !slices.Contains(g.members, id):
		c.missing(id)
	default:
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == id })
		c.w.WriteHeader(http.StatusNoContent)
	}
}
