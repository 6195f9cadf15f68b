package record

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// Lines reads one file of the audit log: JSON lines, compressed. An error ends the
// reading.
func Lines(file io.Reader) iter.Seq2[events.AuditRecord, error] {
	return func(yield func(events.AuditRecord, error) bool) {
		z, err := gzip.NewReader(file)
		if err != nil {
			yield(events.AuditRecord{}, err)
			return
		}
		lines := json.NewDecoder(z)
		for {
			var r events.AuditRecord
			if err := lines.Decode(&r); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				yield(events.AuditRecord{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Newer tells whether a record says more than another one with the same id.
func Newer(a, b events.AuditRecord) bool { return a.Meta.Revision >= b.Meta.Revision }

// RunOf gives what the records of one run tell of it: the run as far as they say, for
// [flow.Recover]. It has no Access if none of them says what was granted. The records
// are in any order, one for each id.
func RunOf(records []events.AuditRecord) (flow.Run, error) {
	records = slices.SortedFunc(slices.Values(records), func(a, b events.AuditRecord) int {
		return cmp.Or(a.Event.Timestamp.Compare(b.Event.Timestamp), cmp.Compare(a.ID, b.ID))
	})
	if len(records) == 0 {
		return flow.Run{}, errors.New("there are no records")
	}
	last := records[len(records)-1]
	name, err := flow.ParseSRN(last.Run.SRN)
	if err != nil {
		return flow.Run{}, err
	}
	r := flow.Run{
		ID: name.Identifier, Org: name.Org, Flow: name.Slug, FlowVersion: name.Version, FlowTitle: name.Slug,
		Created: records[0].Event.Timestamp.UTC(), Repeats: last.Run.Repeats, Source: channelOf(records[0].Event.Channel),
		Form: flow.Form{AllowRevoke: true},
	}
	if err := flow.CheckRunID(r.ID); err != nil {
		return flow.Run{}, err
	}
	for _, who := range []flow.EventName{flow.EventRequest, flow.EventPrompt} {
		if a, ok := last.Run.Actors[string(who)]; ok && r.Requester.ID == "" {
			if r.Requester, err = actorIn(a); err != nil {
				return flow.Run{}, err
			}
		}
	}
	for to, a := range map[**flow.Actor]*events.AuditActor{&r.Asker: last.Run.Submitter, &r.Owner: last.Run.TokenOwner} {
		if a == nil {
			continue
		}
		named, err := actorIn(*a)
		if err != nil {
			return flow.Run{}, err
		}
		*to = &named
	}
	if r.Asker != nil && r.Asker.Kind == flow.KindAgent {
		r.Agent = &flow.Agent{Purpose: last.Run.Purpose}
	}
	for _, known := range records {
		e, err := eventIn(known)
		if err != nil {
			return flow.Run{}, err
		}
		r.Events = append(r.Events, e)
		n, err := strconv.ParseInt(e.ID[len(e.ID)-4:], 16, 32)
		if err != nil {
			return flow.Run{}, fmt.Errorf("%s is no id of an event", e.ID)
		}
		r.Seq = max(r.Seq, int(n))
		if known.Event.Type != string(flow.EventPrompt) {
			r.Fields, r.DurationSeconds = asked(known.Fields)
			r.Target = targetIn(known.Fields[flow.KeyTarget])
		}
		if known.Access != nil {
			r.Access = accessIn(*known.Access, r.Access)
		}
		if r.Access != nil {
			target := r.Access.Target
			r.Target = &target
		}
		if known.Event.Type == string(flow.EventEscalate) && r.Access != nil {
			r.Access.EventID = cmp.Or(r.Access.EventID, e.ID)
			if e.State == flow.StateCompleted {
				noteSeen(r.Access, known, e.At)
			}
		}
	}
	return r, nil
}

// asked gives what the form had, of the fields of a record, and the duration.
func asked(fields map[string]any) (form map[string]any, seconds int64) {
	form = maps.Clone(fields)
	if seconds = wholeSeconds(fields[flow.FieldNameDuration]); seconds > 0 {
		form[flow.FieldNameDuration] = seconds
	}
	for _, key := range flow.EventKeys {
		delete(form, key)
	}
	return form, seconds
}

// targetIn is the target as the fields of a record show it; nil if there is none.
func targetIn(v any) *flow.Target {
	body, err := json.Marshal(v)
	var t events.AuditTarget
	if err != nil || json.Unmarshal(body, &t) != nil || t.Name == "" {
		return nil
	}
	return &flow.Target{Name: t.Name, Type: t.Type, Label: t.Label, Settings: t.Settings}
}

func wholeSeconds(v any) int64 {
	switch n := v.(type) {
	case float64:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// eventIn is the event that a record tells of.
func eventIn(r events.AuditRecord) (flow.Event, error) {
	who, err := actorIn(r.Actor)
	if err != nil {
		return flow.Event{}, err
	}
	if _, err := flow.RunOf(r.ID); err != nil {
		return flow.Event{}, err
	}
	e := flow.Event{
		ID: r.ID, Name: flow.EventName(r.Event.Type), Actor: who, Channel: channelOf(r.Event.Channel), At: r.Event.Timestamp.UTC(),
		State: flow.EventState(r.State.Status), Output: r.Output, Count: r.State.Attempts,
	}
	if r.State.LastAt != nil {
		e.Last = r.State.LastAt.UTC()
	}
	for _, f := range r.State.Errors {
		e.Errors = append(e.Errors, flow.Failure{Step: e.Name, Code: flow.Code(f.Code), Message: f.Message})
	}
	for _, key := range flow.EventKeys {
		if v, ok := r.Fields[key]; ok && key != flow.KeyTarget {
			if e.Fields == nil {
				e.Fields = map[string]any{}
			}
			e.Fields[key] = v
		}
	}
	return e, nil
}

// channelOf reverses [Channel].
func channelOf(name string) flow.Channel {
	if name == apiChannel {
		return flow.ChannelAPI
	}
	return flow.Channel(name)
}

// actorIn reverses [Actor].
func actorIn(a events.AuditActor) (flow.Actor, error) {
	n, err := flow.ParseSRN(a.User)
	if err != nil {
		return flow.Actor{}, err
	}
	out := flow.Actor{ID: n.Slug, Kind: n.Type, Name: a.Name, Email: a.Username}
	switch {
	case n.Type == flow.KindSystem:
		out.ID, out.Email, out.Hook = "", "", a.Username
	case a.Identity.Service == string(flow.ChannelSlack):
		out.SlackID, out.SlackTeam = a.Identity.UserID, a.Identity.ExternalID
	case n.Type == flow.KindBot, n.Type == flow.KindAgent:
		out.Email = ""
	}
	return out, nil
}

// accessIn reverses accessAt. before is what an earlier record told; nil: none did.
func accessIn(a events.AuditAccess, before *flow.Access) *flow.Access {
	out := &flow.Access{
		Strategy: strategyIn(a.Strategy), Identity: a.Identity, First: a.Began,
		Target: flow.Target{Name: a.Target.Name, Type: a.Target.Type, Label: a.Target.Label, Settings: a.Target.Settings, Each: a.Target.Each},
	}
	if a.End != nil {
		out.End = *a.End
	}
	for _, e := range a.Entitlements {
		out.Entitlements = append(out.Entitlements, flow.Part{
			Entitlement: flow.Entitlement{Key: e.Key, Value: e.Value, Values: e.Values, Expires: e.Expires, Settings: e.Settings},
			Before:      flow.Presence(e.Before), BeforeValue: e.BeforeValue,
		})
	}
	if before != nil {
		out.EventID, out.Seen, out.Output = before.EventID, before.Seen, before.Output
		for i := range out.Entitlements {
			for _, p := range before.Entitlements {
				if now := &out.Entitlements[i]; p.Key == now.Key {
					now.Seen, now.Output = p.Seen, p.Output
					if now.Before == "" {
						now.Before, now.BeforeValue = p.Before, p.BeforeValue
					}
				}
			}
		}
	}
	return out
}

func strategyIn(s events.AuditStrategy) flow.Strategy {
	out := flow.Strategy{Name: s.Name, Type: s.Type, Label: s.Label, Settings: s.Settings, Secrets: secretsIn(s.Secrets)}
	if i := s.Integration; i != nil {
		out.Integration = &flow.Integration{
			Name: i.Name, Type: i.Type, ExternalID: i.ExternalID, Label: i.Label, Settings: i.Settings, Secrets: secretsIn(i.Secrets),
		}
	}
	if code := s.Implementation; code != nil {
		out.Implementation = &flow.Source{Name: code.Name, SHA256: code.SHA256}
	}
	return out
}

func secretsIn(refs map[string]events.AuditSecretRef) map[string]flow.SecretRef {
	var out map[string]flow.SecretRef
	for name, ref := range refs {
		if out == nil {
			out = map[string]flow.SecretRef{}
		}
		out[name] = flow.SecretRef(ref)
	}
	return out
}

// noteSeen has the access say when it was seen, and what the target answered, by the
// record of granting it.
func noteSeen(a *flow.Access, r events.AuditRecord, at time.Time) {
	a.Seen, a.Output = at, r.Output
	list, _ := r.Fields[flow.KeyEntitlements].([]any)
	var answers map[string]json.RawMessage
	_ = json.Unmarshal(r.Output, &answers) // of several targets, by their titles; else it is that of the only one
	for i := range a.Entitlements {
		p := &a.Entitlements[i]
		if len(a.Entitlements) == 1 {
			p.Seen, p.Output = at, r.Output
			continue
		}
		p.Output = answers[p.Title()]
		if len(list) == len(a.Entitlements) {
			one, _ := list[i].(map[string]any)
			if one["state"] != string(flow.PartGranted) {
				continue
			}
		}
		p.Seen = at
	}
}
