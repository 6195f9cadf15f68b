// Package ocsf writes audit records as events of the Open Cybersecurity Schema Framework
// (schema.ocsf.io), which security lakes and SIEMs read.
//
// What happens to access is User Access Management, or Group Management where the target is
// a group. Requests and decisions have no class of their own: they are Entity Management of
// an entity of type "access request". All events of a run have its id as
// metadata.correlation_uid; metadata.sequence is their place in the transparency log. The
// record itself goes along.
//
// What an agent did says so in unmapped.ai_agent: the version has no such object (it is of
// 1.9), and actor.user is the agent, not the person for whom it works.
//
// The version has no profile for the integrity of records (record_integrity is of 1.9): the
// hash in the transparency log is in the record that goes along.
package ocsf

import (
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// Version is the version of the schema that events are of.
const Version = "1.8.0"

// Event is an event. Attributes are those of the schema.
type Event struct {
	ActivityID   int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	CategoryUID  int            `json:"category_uid"`
	CategoryName string         `json:"category_name"`
	ClassUID     int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	TypeUID      int            `json:"type_uid"`
	TypeName     string         `json:"type_name"`
	Time         int64          `json:"time"` // milliseconds since 1970
	Severity     string         `json:"severity"`
	SeverityID   int            `json:"severity_id"`
	Status       string         `json:"status"`
	StatusID     int            `json:"status_id"`
	StatusCode   string         `json:"status_code,omitempty"`
	StatusDetail string         `json:"status_detail,omitempty"`
	Message      string         `json:"message"`
	Metadata     Metadata       `json:"metadata"`
	Actor        *Actor         `json:"actor,omitempty"`
	Comment      string         `json:"comment,omitempty"`       // of Entity Management: why
	Entity       *Entity        `json:"entity,omitempty"`        // of Entity Management
	EntityResult *Entity        `json:"entity_result,omitempty"` // of Entity Management
	User         *User          `json:"user,omitempty"`          // who gets access, or loses it
	Privileges   []string       `json:"privileges,omitempty"`
	Resources    []Resource     `json:"resources,omitempty"`
	Group        *Group         `json:"group,omitempty"`
	Unmapped     map[string]any `json:"unmapped,omitempty"`
}

// Metadata describes an event.
type Metadata struct {
	Version        string  `json:"version"`
	Product        Product `json:"product"`
	UID            string  `json:"uid"` // the record's id: the same whenever it is sent
	CorrelationUID string  `json:"correlation_uid,omitempty"`
	EventCode      string  `json:"event_code"` // our name of the event
	LogName        string  `json:"log_name"`
	OriginalTime   string  `json:"original_time"`
	Sequence       *int64  `json:"sequence,omitempty"` // index in the transparency log
}

// Product is what reports an event.
type Product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

// Actor is who did it.
type Actor struct {
	User User `json:"user"`
}

// User is a person, or a program.
type User struct {
	UID      string `json:"uid,omitempty"`
	Name     string `json:"name"`
	FullName string `json:"full_name,omitempty"`
	Email    string `json:"email_addr,omitempty"`
	UIDAlt   string `json:"uid_alt,omitempty"` // at the service where they did it
	TypeID   int    `json:"type_id"`           // 1: a user; 3: a system
	Type     string `json:"type"`
}

// Entity is what is managed.
type Entity struct {
	UID     string `json:"uid"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
	Data    any    `json:"data,omitempty"`
}

// Resource is what access is to.
type Resource struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
}

// Group is a group at the target system.
type Group struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
}

// class is one of those of the category Identity & Access Management that are used.
type class struct {
	uid        int
	name       string
	activities map[int]string
}

var (
	entityManagement = class{3004, "Entity Management", map[int]string{1: "Create", 2: "Read", 3: "Update"}}
	userAccess       = class{3005, "User Access Management", map[int]string{1: "Assign Privileges", 2: "Revoke Privileges"}}
	groupManagement  = class{3006, "Group Management", map[int]string{3: "Add User", 4: "Remove User"}}
)

// Severities.
const (
	informational = 1
	medium        = 3
	high          = 4
)

var severities = map[int]string{informational: "Informational", medium: "Medium", high: "High"}

// of is an event of a class, which succeeded.
func of(c class, activity int, at time.Time) Event {
	return Event{
		ActivityID: activity, ActivityName: c.activities[activity], CategoryUID: 3, CategoryName: "Identity & Access Management",
		ClassUID: c.uid, ClassName: c.name, TypeUID: c.uid*100 + activity, TypeName: c.name + ": " + c.activities[activity],
		Time: at.UnixMilli(), StatusID: 1, Status: "Success", SeverityID: informational, Severity: severities[informational],
		Metadata: Metadata{Version: Version, Product: Product{Name: "Sym Flows", VendorName: "Sym Flows"}, OriginalTime: at.UTC().Format(time.RFC3339Nano)},
	}
}

// severe sets how grave it is.
func (e *Event) severe(id int) { e.SeverityID, e.Severity = id, severities[id] }

// OfRecord gives the event of a record.
func OfRecord(r events.AuditRecord) Event {
	name, targets, target := flow.EventName(r.Event.Type), targetsOf(r), Resource{}
	if len(targets) > 0 {
		target = targets[0]
	}
	var e Event
	switch given := name == flow.EventEscalate; {
	case given || name == flow.EventDeescalate:
		user := userOf(r.Run.Actors[string(flow.EventRequest)])
		if strings.HasSuffix(target.Type, "_group") || strings.HasSuffix(target.Type, "_team") {
			e = of(groupManagement, choose(given, 3, 4), r.Event.Timestamp)
			e.Group = &Group{UID: target.UID, Name: target.Name, Type: target.Type}
		} else {
			e = of(userAccess, choose(given, 1, 2), r.Event.Timestamp)
			e.Resources = targets
			for _, t := range targets {
				e.Privileges = append(e.Privileges, t.Name)
			}
		}
		e.User, e.Unmapped = &user, map[string]any{"record": r}
	default:
		activity := map[flow.EventName]int{flow.EventPrompt: 2, flow.EventRequest: 1}[name]
		if activity == 0 {
			activity = 3
		}
		e = of(entityManagement, activity, r.Event.Timestamp)
		request := Entity{UID: runOf(r), Name: r.Run.Flow, Type: "access request"}
		if srn, err := flow.ParseSRN(r.Run.Flow); err == nil {
			request.Name, request.Version = srn.Slug, srn.Version
		}
		result := request
		result.Data = map[string]any{"event": r.Event.Type}
		request.Data = r
		e.Entity, e.EntityResult, e.StatusDetail = &request, &result, r.Event.Type
		e.Comment, _ = r.Fields[flow.FieldNameReason].(string)
	}
	actor := userOf(r.Actor)
	e.Actor = &Actor{User: actor}
	if r.Actor.Kind == flow.KindAgent {
		if e.Unmapped == nil {
			e.Unmapped = map[string]any{}
		}
		e.Unmapped["ai_agent"] = agentOf(r)
	}
	e.Message = sentence(actor, r.Event.Type, target.Name, r.Run.Flow)
	e.Metadata.UID, e.Metadata.CorrelationUID, e.Metadata.EventCode, e.Metadata.LogName = r.ID, runOf(r), r.Event.Type, "audit"
	if r.Log != nil {
		e.Metadata.Sequence = &r.Log.Index
	}
	if emergency, _ := r.Fields[flow.KeyBreakGlass].(bool); emergency {
		e.severe(medium)
	}
	if len(r.State.Errors) > 0 {
		e.StatusID, e.Status, e.StatusCode, e.StatusDetail = 2, "Failure", r.State.Errors[0].Code, r.State.Errors[0].Message
		if name == flow.EventDeescalate {
			e.severe(high)
		}
	}
	return e
}

// OfAct gives the event of an administrative act, and its place in the log where it is known.
func OfAct(r events.AdminRecord) Event {
	e := of(entityManagement, 3, r.Event.Timestamp)
	about := Entity{UID: r.About.ID, Name: r.About.Name, Type: r.About.Kind, Data: r}
	if about.UID == "" {
		about.UID = about.Name
	}
	if about.UID == "" {
		about.UID = about.Type
	}
	if about.Name == "" {
		about.Name = about.UID
	}
	actor := User{UID: r.Actor.ID, Name: r.Actor.Name, TypeID: 1, Type: "User"}
	if r.Actor.Kind == string(flow.PrincipalSystem) || r.Actor.Kind == string(flow.PrincipalDeploy) {
		actor.TypeID, actor.Type = 3, "System"
	}
	e.Entity, e.Actor, e.StatusDetail = &about, &Actor{User: actor}, r.Event.Type
	e.Message = sentence(actor, r.Event.Type, r.About.Kind, about.Name)
	e.Metadata.UID, e.Metadata.EventCode, e.Metadata.LogName = r.ID, r.Event.Type, "admin"
	if r.Log != nil {
		e.Metadata.Sequence = &r.Log.Index
	}
	if r.State.Status == events.StatusFailed || r.State.Status == events.StatusRefused {
		e.StatusID, e.Status = 2, "Failure"
	}
	return e
}

func sentence(who User, event string, what ...string) string {
	text := who.Name + ": " + event
	for _, w := range what {
		if w != "" {
			text += " " + w
		}
	}
	return text
}

func choose(first bool, a, b int) int {
	if first {
		return a
	}
	return b
}

// runOf is the run's id, which its name ends with.
func runOf(r events.AuditRecord) string {
	return r.Run.SRN[strings.LastIndexByte(r.Run.SRN, ':')+1:]
}

// userOf is somebody, by the name that people know; without one it is this software.
func userOf(a events.AuditActor) User {
	u := User{UID: a.User, Name: a.Username, FullName: a.Name, Email: a.Username, UIDAlt: a.Identity.UserID, TypeID: 1, Type: "User"}
	if !strings.Contains(a.Username, "@") {
		u.Email, u.TypeID, u.Type = "", 3, "System"
	}
	if u.Name == "" {
		u.Name = a.Name
	}
	if u.Name == "" {
		u.Name = flow.System.Name
	}
	return u
}

// agent is who asked for a person, in the words of the object ai_agent, which is of 1.9:
// until then it is unmapped.
type agent struct {
	UID     string `json:"uid"`
	Name    string `json:"name"`
	Charter string `json:"charter,omitempty"` // what it says it asks for that for
	Owner   string `json:"owner,omitempty"`   // who delegated to it; ours
}

func agentOf(r events.AuditRecord) agent {
	return agent{UID: r.Actor.User, Name: r.Actor.Name, Charter: r.Run.Purpose, Owner: r.Actor.Owner}
}

// targetsOf are what a record is about.
func targetsOf(r events.AuditRecord) (targets []Resource) {
	several, ok := r.Fields[flow.KeyTarget].([]any)
	if !ok {
		several = []any{r.Fields[flow.KeyTarget]}
	}
	for _, value := range several {
		target, _ := value.(map[string]any)
		text := func(name string) string { s, _ := target[name].(string); return s }
		out := Resource{UID: text("srn"), Name: text("name"), Type: text("type")}
		if out.Name == "" {
			out.Name, _ = value.(string)
		}
		if out.Name != "" {
			targets = append(targets, out)
		}
	}
	return targets
}
