package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/events"
)

// auditSamples lists the sample of each kind of record.
var auditSamples = []string{
	"prompt", "request", "request_forward", "request_expire", "approve", "deny", "cancel",
	"escalate", "escalate_failed", "extend_request", "extend", "extend_deny", "extend_expire", "deescalate",
	"request_again", "break_glass", "review", "agent_request", "agent_approve", "agent_deescalate",
}

func TestAuditRecord(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/audit_record_*.json")
	if err != nil || len(files) != len(auditSamples) {
		t.Fatalf("testdata has %d samples, the test knows %d (%v)", len(files), len(auditSamples), err)
	}
	schema := auditSchema(t)
	for _, name := range auditSamples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roundTrip[events.AuditRecord](t, "audit_record_"+name)
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(readSample(t, "audit_record_"+name)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAuditRecordSchemaKnows: the schema has each key that records have, and no other.
func TestAuditRecordSchemaKnows(t *testing.T) {
	t.Parallel()
	type object struct {
		Properties map[string]object `json:"properties"`
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(events.AuditRecordSchema), &schema); err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string]struct {
		of     any
		schema object
	}{
		"record": {events.AuditRecord{}, schema.object},
		"meta":   {events.AuditMeta{}, schema.Properties["meta"]},
		"state":  {events.AuditState{}, schema.Properties["state"]},
		"run":    {events.AuditRun{}, schema.Properties["run"]},
		"event":  {events.AuditEvent{}, schema.Properties["event"]},
		"actor":  {events.AuditActor{}, schema.Defs["actor"]},
	} {
		want, got := keysOf(part.of), slices.Sorted(maps.Keys(part.schema.Properties))
		if !slices.Equal(want, got) {
			t.Errorf("%s: the schema knows %v, records have %v", name, got, want)
		}
	}
}

// keysOf lists the keys that a struct has in JSON.
func keysOf(v any) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}

// The schema is worth something only if it refuses what is wrong.
func TestAuditRecordSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := auditSchema(t)
	for _, tc := range []struct {
		name, sample string
		path         []string // of the value to replace
		value        any      // nil removes it
	}{
		{"no id", "approve", []string{"id"}, nil},
		{"an id that is no UUID", "approve", []string{"id"}, "17"},
		{"an unknown event", "approve", []string{"event", "type"}, "revoke"},
		{"an unknown status", "approve", []string{"state", "status"}, "done"},
		{"an unknown channel", "approve", []string{"event", "channel"}, "email"},
		{"a local time", "approve", []string{"event", "timestamp"}, "2026-03-02T09:00:00+01:00"},
		{"an actor without identity", "approve", []string{"actor", "identity"}, nil},
		{"a run without its id", "approve", []string{"run", "srn"}, "acme:run:prod-access:1.0.3"},
		{"an actor of no event", "approve", []string{"run", "actors", "revoke"}, map[string]any{}},
		{"a duration in words", "approve", []string{"fields", "duration"}, "10m"},
		{"a target id without target", "approve", []string{"fields", "target"}, nil},
		{"fields at the prompt", "prompt", []string{"fields", "reason"}, "early"},
		{"an end of no type", "deescalate", []string{"fields", "deescalate_type"}, nil},
		{"attempts without times", "escalate_failed", []string{"state", "first_at"}, nil},
		{"something more", "approve", []string{"severity"}, "high"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			record, ok := tree(t, readSample(t, "audit_record_"+tc.sample)).(map[string]any)
			if !ok {
				t.Fatal("the sample is no object")
			}
			at := record
			for _, key := range tc.path[:len(tc.path)-1] {
				at = at[key].(map[string]any)
			}
			key := tc.path[len(tc.path)-1]
			if at[key] = tc.value; tc.value == nil {
				delete(at, key)
			}
			if err := schema.Validate(record); err == nil {
				t.Error("the schema allows it")
			}
		})
	}
}

func auditSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(events.AuditRecordSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("audit_record.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("audit_record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// A strategy's function is called with the record of the step, and changes
// the requester's account, not the actor's.
func ExampleAuditRecord() {
	const payload = `{
		"id": "acff78aa-1d43-57d8-a524-dd4fd2460004",
		"run": {"actors": {"request": {"username": "alice@example.com"}, "approve": {"username": "bob@example.com"}}},
		"event": {"type": "escalate"},
		"actor": {"username": "bob@example.com"},
		"fields": {"duration": 600}
	}`
	var record events.AuditRecord
	if err := json.Unmarshal([]byte(payload), &record); err != nil {
		fmt.Println(err)
		return
	}
	switch record.Event.Type {
	case "escalate":
		fmt.Println("grant to", record.Run.Actors["request"].Username, "for", record.Fields["duration"], "seconds")
	case "deescalate":
		fmt.Println("remove from", record.Run.Actors["request"].Username)
	}
	// Output: grant to alice@example.com for 600 seconds
}
