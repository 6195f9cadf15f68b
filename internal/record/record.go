package record

import (
	"cmp"
	"maps"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// Template is the SRN by which Sym's records know its only template.
const Template = "sym:template:approval:1.0.0"

// EventSRN is the SRN by which Sym's records know a kind of event.
func EventSRN(name flow.EventName) string { return "sym:event-spec:approval:1.0.0:" + string(name) }

// The names by which Sym's records know its own identity service.
const (
	ownService    = "sym"
	ownExternalID = "cloud"
	apiChannel    = "sym"
)

// Of gives the audit record of an event of the run. Its shape is Sym's
// (audit log schema, version 6). The same event gives the same record id, and
// run.actors as they were at that event, however late it is asked for.
func Of(r flow.Run, e flow.Event) events.AuditRecord {
	r = r.At(e.ID)
	for i, known := range r.Events {
		if known.ID == e.ID {
			r.Events = r.Events[:i+1]
			break
		}
	}
	record := recordOf(r, e)
	record.Meta.Revision = e.Rev
	record.Access = accessAt(r, e)
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

// Processing gives the record that a strategy is called with for an entitlement while
// its step, EventEscalate or EventDeescalate, is under way. The id is that of the
// event which the step will become, the same for every attempt. Where the run asks
// for several targets, the record has the settings of this one, and an id of its own.
func Processing(r flow.Run, name flow.EventName, id string, e flow.Entitlement, now time.Time) events.AuditRecord {
	record := recordOf(r, r.AccessEvent(name, id, now))
	if r.Access != nil && len(r.Access.Target.Each) > 0 {
		record.ID = flow.CallID(id, e.Key)
		record.Fields[flow.KeyTarget] = targetOf(r.Org, r.Access.TargetOf(e))
	}
	record.State.Status = events.StatusProcessing
	record.Run.Actors[string(name)] = record.Actor
	return record
}

func recordOf(r flow.Run, e flow.Event) events.AuditRecord {
	actors := map[string]events.AuditActor{}
	for name, a := range r.Actors() {
		actors[string(name)] = ActorIn(r, a)
	}
	return events.AuditRecord{
		ID: e.ID, Type: "event",
		Meta:  events.AuditMeta{SchemaVersion: events.AuditSchemaVersion},
		State: events.AuditState{Errors: []events.AuditError{}},
		Run: events.AuditRun{
			SRN: r.SRN(), Flow: r.FlowSRN(), Actors: actors,
			Submitter: actorOrNone(r, r.Asker), TokenOwner: actorOrNone(r, r.Owner), Purpose: purposeOf(r), Repeats: r.Repeats,
		},
		Event: events.AuditEvent{
			SRN: EventSRN(e.Name), Type: string(e.Name), Template: Template,
			Timestamp: e.At.UTC(), Channel: Channel(e.Channel),
		},
		Actor:  ActorIn(r, e.Actor),
		Fields: fields(r, e),
		Output: e.Output,
	}
}

// fields puts the event's own fields beside those of the request. When
// the form opens there are none yet, though the run may have them by now.
func fields(r flow.Run, e flow.Event) map[string]any {
	if e.Name == flow.EventPrompt {
		return map[string]any{}
	}
	shown := Fields(r)
	maps.Copy(shown, e.Fields)
	return shown
}

// Fields gives what is given by the run as records and the API show it, which is what
// was asked for unless it was changed: the form's values by name, duration in seconds,
// target_id, and the target itself.
func Fields(r flow.Run) map[string]any {
	fields := map[string]any{}
	maps.Copy(fields, r.GivenFields())
	if d := r.GivenDuration(); d > 0 {
		fields[flow.FieldNameDuration] = int64(d / time.Second)
	}
	if t := r.GivenTarget(); t != nil {
		fields[flow.FieldNameTarget] = t.IDIn(r.Org)
		fields[flow.KeyTarget] = targetOf(r.Org, *t)
	}
	return fields
}

func targetOf(org string, t flow.Target) events.AuditTarget {
	settings := map[string]string{}
	maps.Copy(settings, t.Settings)
	return events.AuditTarget{
		Name: t.Name, SRN: flow.TargetSRN(org, t.Type, t.Name, flow.Latest), Type: t.Type, Label: t.Label,
		Settings: settings,
	}
}

// Channel names a channel as Sym does.
func Channel(c flow.Channel) string {
	if c == flow.ChannelAPI {
		return apiChannel
	}
	return string(c)
}

// purposeOf is what the agent that asked said it is for; "" where none asked.
func purposeOf(r flow.Run) string {
	if !r.ByAgent() {
		return ""
	}
	return r.Agent.Purpose
}

// ActorIn is [Actor] of somebody in a run, where an agent has its owner beside it.
func ActorIn(r flow.Run, a flow.Actor) events.AuditActor {
	out := Actor(r.Org, a)
	if out.Kind == flow.KindAgent && r.Owner != nil {
		out.Owner = cmp.Or(r.Owner.Email, r.Owner.Display())
	}
	return out
}

// actorOrNone is that of somebody who may not be.
func actorOrNone(r flow.Run, a *flow.Actor) *events.AuditActor {
	if a == nil {
		return nil
	}
	named := ActorIn(r, *a)
	return &named
}

// Actor names an actor as Sym does: people by their Slack identity,
// everybody else by our own service. A rule's username is its hook.
func Actor(org string, a flow.Actor) events.AuditActor {
	out := events.AuditActor{
		User: flow.UserSRN(org, a.Kind, a.ID), Name: a.Name, Username: a.Email,
		Identity: events.AuditIdentity{Service: ownService, ExternalID: ownExternalID, Email: a.Email},
	}
	switch {
	case a.SlackID != "":
		out.Identity = events.AuditIdentity{Service: string(flow.ChannelSlack), ExternalID: a.SlackTeam, UserID: a.SlackID}
	case a.Kind == flow.KindBot:
		out.Username, out.Identity.UserID = a.Name, a.ID
	case a.Kind == flow.KindAgent:
		out.Username, out.Identity.UserID, out.Kind = a.Name, a.ID, flow.KindAgent
	case a.Kind == flow.KindSystem:
		out.User = flow.UserSRN(org, a.Kind, flow.KindSystem) // it has no id
		out.Username = a.Hook
	}
	return out
}
