package workflow

import (
	"maps"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// The names by which Sym's records know its only template and its own identity
// service.
const (
	templateSRN   = "sym:template:approval:1.0.0"
	eventSpecSRN  = "sym:event-spec:approval:1.0.0:"
	ownService    = "sym"
	ownExternalID = "cloud"
	apiChannel    = "sym"
)

// Record gives the audit record of an event of the run. Its shape is Sym's
// (audit log schema, version 6). The same event gives the same record id, and
// run.actors as they were at that event, however late it is asked for.
func Record(r flow.Run, e flow.Event) events.AuditRecord {
	for i, known := range r.Events {
		if known.ID == e.ID {
			r.Events = r.Events[:i+1]
			break
		}
	}
	record := recordOf(r, e)
	record.State.Status = string(e.State)
	for _, f := range e.Errors {
		record.State.Errors = append(record.State.Errors, events.AuditError{Message: f.Message, Code: string(f.Code)})
	}
	if e.Count > 0 {
		first, last := e.At.UTC(), e.Last.UTC()
		record.State.Attempts, record.State.FirstAt, record.State.LastAt = e.Count, &first, &last
	}
	return record
}

// Processing gives the record that a strategy is called with while its step,
// EventEscalate or EventDeescalate, is under way. The id is that of the event
// which the step will become, the same for every attempt.
func Processing(r flow.Run, name flow.EventName, id string, now time.Time) events.AuditRecord {
	e := flow.Event{ID: id, Name: name, Actor: r.Approver(), Channel: flow.ChannelInternal, At: now}
	if name == flow.EventDeescalate {
		e.Fields = map[string]any{"deescalate_type": flow.Scheduled}
		if asked, byHand := r.EndAsked(); byHand {
			e.Actor, e.Channel = asked.Actor, asked.Channel
			e.Fields["deescalate_type"] = flow.Manual
		}
	}
	record := recordOf(r, e)
	record.State.Status = events.StatusProcessing
	record.Run.Actors[string(name)] = record.Actor
	return record
}

func recordOf(r flow.Run, e flow.Event) events.AuditRecord {
	actors := map[string]events.AuditActor{}
	for name, a := range r.Actors() {
		actors[string(name)] = AuditActor(r.Org, a)
	}
	return events.AuditRecord{
		ID: e.ID, Type: "event",
		Meta:  events.AuditMeta{SchemaVersion: events.AuditSchemaVersion},
		State: events.AuditState{Errors: []events.AuditError{}},
		Run:   events.AuditRun{SRN: r.SRN(), Flow: r.FlowSRN(), Actors: actors},
		Event: events.AuditEvent{
			SRN: eventSpecSRN + string(e.Name), Type: string(e.Name), Template: templateSRN,
			Timestamp: e.At.UTC(), Channel: AuditChannel(e.Channel),
		},
		Actor:  AuditActor(r.Org, e.Actor),
		Fields: auditFields(r, e),
		Output: e.Output,
	}
}

// auditFields puts the event's own fields beside those of the request. When
// the form opens there are none yet, though the run may have them by now.
func auditFields(r flow.Run, e flow.Event) map[string]any {
	if e.Name == flow.EventPrompt {
		return map[string]any{}
	}
	fields := RequestFields(r)
	maps.Copy(fields, e.Fields)
	return fields
}

// RequestFields gives what was asked for as records and the API show it: the
// form's values by name, duration in seconds, target_id, and the target itself.
func RequestFields(r flow.Run) map[string]any {
	fields := map[string]any{}
	maps.Copy(fields, r.Fields)
	if r.DurationSeconds > 0 {
		fields[flow.FieldNameDuration] = r.DurationSeconds
	}
	if t := r.Target; t != nil {
		settings := map[string]string{}
		maps.Copy(settings, t.Settings)
		fields[flow.FieldNameTarget] = flow.TargetID(r.Org, t.Name)
		fields["target"] = events.AuditTarget{
			Name: t.Name, SRN: flow.TargetSRN(r.Org, t.Type, t.Name, flow.Latest), Type: t.Type, Label: t.Label,
			Settings: settings,
		}
	}
	return fields
}

// AuditChannel names a channel as Sym does.
func AuditChannel(c flow.Channel) string {
	if c == flow.ChannelAPI {
		return apiChannel
	}
	return string(c)
}

// AuditActor names an actor as Sym does: people by their Slack identity,
// everybody else by our own service.
func AuditActor(org string, a flow.Actor) events.AuditActor {
	out := events.AuditActor{
		User: flow.UserSRN(org, a.Kind, a.ID), Name: a.Name, Username: a.Email,
		Identity: events.AuditIdentity{Service: ownService, ExternalID: ownExternalID, Email: a.Email},
	}
	switch {
	case a.SlackID != "":
		out.Identity = events.AuditIdentity{Service: string(flow.ChannelSlack), ExternalID: a.SlackTeam, UserID: a.SlackID}
	case a.Kind == flow.KindBot:
		out.Username, out.Identity.UserID = a.Name, a.ID
	case a.Kind == flow.KindSystem:
		out.User = flow.UserSRN(org, a.Kind, flow.KindSystem) // it has no id
	}
	return out
}
