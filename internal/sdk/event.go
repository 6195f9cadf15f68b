package sdk

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
)

// person is what is stored of a person, beside what runs keep.
type person struct {
	Role       store.Role
	Identities []store.Identity
}

// account tells people apart who had one e-mail address one after the other.
type account struct{ id, slackID string }

func accountOf(a flow.Actor) account { return account{a.ID, a.SlackID} }

// eventOf builds an event as handlers see it. It shows people who are not in
// the map as members without identities.
func eventOf(f *flow.Flow, r flow.Run, e flow.Event, people map[account]person) *event {
	r = r.At(e.ID)
	out := &event{
		Name: string(e.Name), SRN: record.EventSRN(e.Name), Template: record.Template,
		Timestamp: e.At.UTC().Format(time.RFC3339Nano),
		Channel:   channel{Type: record.Channel(e.Channel)},
		User:      userOf(f, e.Actor, people),
		Fields:    map[string]any{},
		Run: run{
			ID: r.ID, SRN: r.SRN(), Actors: map[string]user{}, Contexts: map[string]json.RawMessage{},
		},
		Flow:        flowOf(f),
		StepOutputs: map[string]json.RawMessage{},
	}
	switch {
	case e.Via != nil && e.Via.Channel != "":
		out.Channel.Identifier = &e.Via.Channel
	case e.Channel == flow.ChannelSlack && r.SourceChannel != "" && (e.Name == flow.EventPrompt || e.Name == flow.EventRequest):
		out.Channel.Identifier = &r.SourceChannel
	}
	if e.Name != flow.EventPrompt {
		out.Fields = record.Fields(r)
		delete(out.Fields, flow.KeyTarget) // it has a place of its own
		if given := r.GivenTarget(); given != nil {
			t := targetOf(r.Org, *given)
			out.Target = &t
		}
	}
	maps.Copy(out.Fields, e.Fields)
	for name, who := range r.Actors() {
		out.Run.Actors[string(name)] = userOf(f, who, people)
	}
	out.Run.Actors[string(e.Name)] = out.User
	if r.ByAgent() {
		out.Run.Agent = &agent{User: userOf(f, *r.Asker, people), Owner: userOf(f, r.Requester, people), Purpose: r.Agent.Purpose}
	}
	if len(r.Context) > 0 {
		out.Run.Contexts[string(flow.EventRequest)] = r.Context
	}
	if r.Source == flow.ChannelSlack {
		out.Run.SourceChannel = &channel{Type: string(flow.ChannelSlack)}
		if r.SourceChannel != "" {
			out.Run.SourceChannel.Identifier = &r.SourceChannel
		}
	}
	for _, past := range r.Events {
		if past.State == flow.StateCompleted && len(past.Output) > 0 {
			out.StepOutputs[string(past.Name)] = past.Output
		}
	}
	if e.Name == flow.EventRequestForward && r.Tier < len(r.Tiers) {
		out.Forward = forwardOf(r)
	}
	return out
}

// people lists the people whom an event of the run shows.
func people(r flow.Run, e flow.Event) []flow.Actor {
	all := []flow.Actor{r.Requester, e.Actor}
	for _, who := range r.Actors() {
		all = append(all, who)
	}
	slices.SortFunc(all, func(a, b flow.Actor) int { return strings.Compare(a.ID+a.SlackID, b.ID+b.SlackID) })
	return slices.CompactFunc(all, func(a, b flow.Actor) bool { return accountOf(a) == accountOf(b) })
}

func userOf(f *flow.Flow, a flow.Actor, people map[account]person) user {
	known := people[accountOf(a)]
	u := record.UserOf(f, a, known.Role.Outsider())
	for _, i := range known.Identities {
		u.Identities = append(u.Identities, record.Identity(i))
	}
	return u
}

func flowOf(f *flow.Flow) flowObject {
	out := flowObject{
		Name: f.Name, SRN: flow.FlowSRN(f.Org, f.Name, f.Version), Label: f.Label, Vars: f.Vars, Fields: []field{},
		Environment: environment{Name: f.Environment.Name, Integrations: map[string]integration{}},
	}
	if out.Vars == nil {
		out.Vars = map[string]string{}
	}
	for _, p := range f.Fields() {
		out.Fields = append(out.Fields, field{
			Name: p.Name, Type: string(p.Type), Label: p.Label, Required: p.Required,
			Default: p.Default, AllowedValues: p.AllowedValues, Visible: p.Visible,
		})
	}
	for service, i := range f.Environment.Integrations {
		out.Environment.Integrations[service] = integrationOf(f.Org, i)
	}
	if f.Strategy != nil {
		s := strategyOf(f.Org, *f.Strategy)
		out.Strategy = &s
	}
	return out
}

func strategyOf(org string, s flow.Strategy) strategy {
	out := strategy{
		ID: flow.StrategyID(org, s.Name), SRN: flow.StrategySRN(org, s.Type, s.Name),
		Type: s.Type, Name: s.Name, Label: s.Label, Targets: []target{}, Settings: orEmpty(s.Settings),
	}
	if s.Integration != nil {
		i := integrationOf(org, *s.Integration)
		out.Integration = &i
	}
	for _, t := range s.Targets {
		out.Targets = append(out.Targets, targetOf(org, t))
	}
	return out
}

func targetOf(org string, t flow.Target) target {
	return target{
		ID: t.IDIn(org), SRN: flow.TargetSRN(org, t.Type, t.Name, flow.Latest),
		Name: t.Name, Label: t.Label, Type: t.Type, Settings: orEmpty(t.Settings),
	}
}

func integrationOf(org string, i flow.Integration) integration {
	out := integration{
		Name: i.Name, SRN: flow.IntegrationSRN(org, i.Type, i.Name), Type: i.Type, ExternalID: i.ExternalID,
		Settings: orEmpty(i.Settings), Secrets: map[string]secret{},
	}
	for setting, ref := range i.Secrets {
		s := secret{Name: ref.Name, Path: ref.Path, Source: ref.Source, Settings: map[string]string{}}
		if ref.JSONKey != "" {
			s.Settings["json_key"] = ref.JSONKey
		}
		out.Secrets[setting] = s
	}
	return out
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// forwardOf says who was asked and who is next: one destination for each tier,
// its first.
func forwardOf(r flow.Run) *forward {
	out := &forward{All: []flow.Destination{}, Current: r.Tier}
	for _, t := range r.Tiers {
		d := destinationOf(flow.Recipient{Channel: t.Channel, Users: t.Users})
		if t.TimeoutSeconds > 0 {
			d.Timeout = &t.TimeoutSeconds
		}
		out.All = append(out.All, d)
	}
	if next := r.Tier + 1; next < len(r.Tiers) {
		out.Next = &next
	}
	return out
}

func destinationOf(r flow.Recipient) flow.Destination {
	if name, ok := strings.CutPrefix(r.Channel, "#"); ok {
		return flow.Destination{Kind: flow.DestinationChannelName, Name: "#" + name}
	}
	if r.Channel != "" {
		return flow.Destination{Kind: flow.DestinationChannelID, ID: r.Channel}
	}
	if len(r.Users) == 1 {
		return flow.Destination{Kind: flow.DestinationSlackUser, ID: r.Users[0].SlackID}
	}
	d := flow.Destination{Kind: flow.DestinationGroup}
	for _, u := range r.Users {
		d.Users = append(d.Users, u.SlackID)
	}
	return d
}
