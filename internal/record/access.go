package record

import (
	"maps"
	"net/url"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// accessAt gives what taking the run's access away needs, as of an event that grants
// it or moves its end; nil for other events, and for what failed before anything was
// to be granted.
func accessAt(r flow.Run, e flow.Event) *events.AuditAccess {
	a := r.Access
	if e.Name != flow.EventEscalate && e.Name != flow.EventExtend || a == nil {
		return nil
	}
	if e.At.Before(a.First) && e.Last.Before(a.First) {
		return nil
	}
	out := &events.AuditAccess{
		Strategy: strategyOf(a.Strategy), Identity: a.Identity, Began: a.First.UTC(), End: endAt(r, e),
		Target: events.AuditAccessTarget{
			Name: a.Target.Name, Type: a.Target.Type, Label: a.Target.Label, Settings: a.Target.Settings, Each: a.Target.Each,
		},
	}
	for _, p := range a.Entitlements {
		out.Entitlements = append(out.Entitlements, events.AuditEntitlement{
			Key: p.Key, Value: p.Value, Values: p.Values, Expires: p.Expires, Settings: p.Settings,
			Before: string(p.Before), BeforeValue: p.BeforeValue,
		})
	}
	return out
}

// endAt is when the access ends, as was known at the event; nil: by hand only.
func endAt(r flow.Run, e flow.Event) *time.Time {
	if text, ok := e.Fields[flow.KeyExpiresAt].(string); ok {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			at = at.UTC()
			return &at
		}
	}
	if d := r.GivenDuration(); d > 0 { // it was not seen yet
		at := r.Access.First.Add(flow.GrantWindow + d).UTC()
		return &at
	}
	return nil
}

func strategyOf(s flow.Strategy) events.AuditStrategy {
	out := events.AuditStrategy{Name: s.Name, Type: s.Type, Label: s.Label, Settings: withoutKeys(s.Settings), Secrets: secretsOf(s.Secrets)}
	if i := s.Integration; i != nil {
		out.Integration = &events.AuditIntegration{
			Name: i.Name, Type: i.Type, ExternalID: i.ExternalID, Label: i.Label, Settings: withoutKeys(i.Settings), Secrets: secretsOf(i.Secrets),
		}
	}
	if code := s.Implementation; code != nil {
		out.Implementation = &events.AuditSource{Name: code.Name, SHA256: code.SHA256}
	}
	return out
}

// withoutKeys leaves out of URLs what may be a key: who signs in, and the query.
// Recovery takes them from the version of the flow.
func withoutKeys(settings map[string]string) map[string]string {
	out := maps.Clone(settings)
	for name, value := range out {
		if u, err := url.Parse(value); err == nil && u.Host != "" && (u.User != nil || u.RawQuery != "") {
			u.User, u.RawQuery = nil, ""
			out[name] = u.String()
		}
	}
	return out
}

func secretsOf(refs map[string]flow.SecretRef) map[string]events.AuditSecretRef {
	out := map[string]events.AuditSecretRef{}
	for name, ref := range refs {
		out[name] = events.AuditSecretRef(ref)
	}
	return out
}
