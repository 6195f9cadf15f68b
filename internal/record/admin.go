package record

import (
	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// OfAct gives the record of an administrative act. The same act gives the same record
// id, however late it is asked for.
func OfAct(a flow.Act) events.AdminRecord {
	r := events.AdminRecord{
		ID: a.ID, Type: "admin", Meta: events.AuditMeta{SchemaVersion: events.AdminSchemaVersion, Revision: a.Rev},
		State:  events.AdminState{Status: string(a.Result)},
		Event:  events.AdminEvent{Type: string(a.Name), Timestamp: a.At.UTC()},
		Actor:  events.AdminActor{Kind: string(a.By.Kind), Name: a.By.Name, ID: a.By.ID},
		About:  events.AdminSubject(a.About),
		Fields: a.Fields,
	}
	if r.Fields == nil {
		r.Fields = map[string]any{}
	}
	if a.Count > 1 {
		last := a.Last.UTC()
		r.State.Count, r.State.LastAt = a.Count, &last
	}
	return r
}
