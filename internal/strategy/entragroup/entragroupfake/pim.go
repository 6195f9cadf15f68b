package entragroupfake

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// scheduleRequest is what PIM is asked for.
type scheduleRequest struct {
	AccessID      string `json:"accessId"`
	PrincipalID   string `json:"principalId"`
	GroupID       string `json:"groupId"`
	Action        string `json:"action"`
	Justification string `json:"justification"`
	ScheduleInfo  *struct {
		Start      time.Time `json:"startDateTime"`
		Expiration struct {
			Type string    `json:"type"`
			End  time.Time `json:"endDateTime"`
		} `json:"expiration"`
	} `json:"scheduleInfo"`
}

// Longest is how long an assignment may last by the settings of every group.
const Longest = 24 * time.Hour * 365

func (c call) request() {
	var in scheduleRequest
	if !c.read(&in) {
		return
	}
	failed := func(code, message string) { refuse(c.w, http.StatusBadRequest, code, message) }
	g, now := c.state.groups[in.GroupID], c.time()
	switch {
	case c.Conflict():
		refuse(c.w, http.StatusConflict, "RoleAssignmentRequestPending", "There is another request for the assignment.")
		return
	case in.AccessID != "member" || in.PrincipalID == "" || in.Justification == "":
		failed("InvalidRoleAssignmentRequest", "The role assignment request is invalid.")
		return
	case g == nil:
		refuse(c.w, http.StatusNotFound, "ResourceNotFound", "The resource is not found.")
		return
	case c.state.users[in.PrincipalID] == nil:
		refuse(c.w, http.StatusNotFound, "SubjectNotFound", "The subject is not found.")
		return
	}
	there := g.assignedAt(in.PrincipalID, now)
	if in.Action == "adminRemove" {
		if !there {
			failed("RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
			return
		}
		delete(g.assigned, in.PrincipalID)
		c.requested(in, "Revoked")
		return
	}
	if in.ScheduleInfo == nil {
		failed("InvalidRoleAssignmentRequest", "The schedule is missing.")
		return
	}
	end := in.ScheduleInfo.Expiration.End
	switch kind := in.ScheduleInfo.Expiration.Type; {
	case kind != "afterDateTime" && kind != "noExpiration", (kind == "noExpiration") != end.IsZero():
		failed("InvalidRoleAssignmentRequest", "The expiration is invalid.")
	case !end.IsZero() && (end.Before(now.Truncate(time.Second).Add(5*time.Minute)) || end.After(now.Add(Longest))):
		failed("RoleAssignmentRequestPolicyValidationFailed", `The following policy rules failed: ["ExpirationRule"]`)
	case in.Action == "adminAssign" && there:
		failed("RoleAssignmentExists", "The Role assignment already exists.")
	case in.Action == "adminUpdate" && !there:
		failed("RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
	case in.Action != "adminAssign" && in.Action != "adminUpdate":
		failed("InvalidRoleAssignmentRequest", "The action is invalid.")
	default:
		g.assigned[in.PrincipalID] = end
		c.requested(in, "Provisioned")
	}
}

func (c call) requested(in scheduleRequest, status string) {
	answer(c.w, http.StatusCreated, map[string]any{
		"id": "6b6b2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", "status": status, "action": in.Action, "accessId": in.AccessID,
		"principalId": in.PrincipalID, "groupId": in.GroupID, "targetScheduleId": in.GroupID + "_member_6b6b2a52",
	})
}

var ofGroup = regexp.MustCompile(`^groupId eq '([^']+)'(?: and principalId eq '([^']+)')?$`)

func (c call) instances() {
	m := ofGroup.FindStringSubmatch(c.r.URL.Query().Get("$filter"))
	if m == nil {
		c.bad("Invalid filter clause")
		return
	}
	var found []map[string]any
	add := func(id, kind string, end any) {
		if m[2] == "" || m[2] == id {
			found = append(found, map[string]any{
				"id": m[1] + "_member_" + id, "principalId": id, "groupId": m[1], "accessId": "member",
				"assignmentType": kind, "memberType": "direct", "startDateTime": "2026-03-01T12:00:00Z", "endDateTime": end,
			})
		}
	}
	if g := c.seen.groups[m[1]]; g != nil {
		for _, id := range slices.Sorted(maps.Keys(g.assigned)) {
			if !g.assignedAt(id, c.time()) {
				continue
			}
			var end any
			if !g.assigned[id].IsZero() {
				end = g.assigned[id].Format(time.RFC3339)
			}
			add(id, "assigned", end)
		}
		for _, id := range slices.Sorted(maps.Keys(g.active)) {
			add(id, "activated", c.time().Add(time.Hour).Format(time.RFC3339))
		}
	}
	c.list(found)
}
