package ocsf_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/ocsf"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", "ocsf-1.8.0.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid holds an event to the schema, and to what the schema can't say.
func valid(t *testing.T, e ocsf.Event) {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t).Validate(v); err != nil {
		t.Errorf("%s\n%v", b, err)
	}
	if e.TypeUID != e.ClassUID*100+e.ActivityID || e.TypeName != e.ClassName+": "+e.ActivityName || e.ActivityName == "" || e.Metadata.UID == "" || e.Metadata.EventCode == "" {
		t.Errorf("%d is %q, %d %q", e.TypeUID, e.TypeName, e.ActivityID, e.ActivityName)
	}
}

func samples(t *testing.T, kind string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "testdata", kind+"_*.json"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	out := map[string][]byte{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), kind+"_"), ".json")] = b
	}
	return out
}

// TestOfRecord: every kind of record is an event of its class, with the run by which its
// events belong together, and the record.
func TestOfRecord(t *testing.T) {
	t.Parallel()
	type kind struct{ typ, status, severity int }
	want := map[string]kind{
		"prompt": {300402, 1, 1}, "request": {300401, 1, 1}, "request_again": {300401, 1, 1}, "break_glass": {300403, 1, 3},
		"escalate": {300501, 1, 1}, "escalate_failed": {300501, 2, 1}, "deescalate": {300502, 1, 1},
		"agent_request": {300401, 1, 1}, "agent_deescalate": {300502, 1, 1},
	}
	for name, b := range samples(t, "audit_record") {
		var r events.AuditRecord
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		r.Log = &events.AuditLogPlace{Index: 0, LeafHash: "hash"}
		e := ocsf.OfRecord(r)
		valid(t, e)
		expected, ok := want[name]
		if !ok {
			expected = kind{300403, 1, 1}
		}
		if got := (kind{e.TypeUID, e.StatusID, e.SeverityID}); got != expected {
			t.Errorf("%s is %v, want %v", name, got, expected)
		}
		if e.Metadata.UID != r.ID || !strings.HasSuffix(r.Run.SRN, ":"+e.Metadata.CorrelationUID) || e.Metadata.Sequence == nil || e.Time != r.Event.Timestamp.UnixMilli() {
			t.Errorf("%s: %+v", name, e.Metadata)
		}
		text, err := json.Marshal(e)
		if err != nil || !bytes.Contains(text, []byte(`"schema_version":6`)) {
			t.Errorf("%s has no record in it: %s", name, text)
		}
	}
}

// TestOfRecord_Groups: access that is membership of a group is Group Management, of who
// asked; a removal that fails is grave, and an emergency shows.
func TestOfRecord_Groups(t *testing.T) {
	t.Parallel()
	all := samples(t, "audit_record")
	for name, typ := range map[string]int{"escalate": 300603, "deescalate": 300604} {
		var r events.AuditRecord
		if err := json.Unmarshal(all[name], &r); err != nil {
			t.Fatal(err)
		}
		target := r.Fields["target"].(map[string]any)
		target["type"], target["name"] = "okta_group", "ops"
		r.State.Errors = []events.AuditError{{Message: "Okta does not answer", Code: "Strategy:UNAVAILABLE"}}
		e := ocsf.OfRecord(r)
		valid(t, e)
		if e.TypeUID != typ || e.Group == nil || e.Group.Name != "ops" || e.User == nil || e.User.Name != "alice@example.com" || e.User.Email != "alice@example.com" {
			t.Errorf("%s: %+v of %+v", name, e.Group, e.User)
		}
		if e.StatusID != 2 || e.StatusCode != "Strategy:UNAVAILABLE" || name == "deescalate" != (e.SeverityID == 4) {
			t.Errorf("%s that fails: %d %q, severity %d", name, e.StatusID, e.StatusCode, e.SeverityID)
		}
	}
	var several events.AuditRecord
	if err := json.Unmarshal(all["escalate"], &several); err != nil {
		t.Fatal(err)
	}
	several.Fields["target"] = []any{several.Fields["target"], map[string]any{"name": "billing-db", "type": "http", "srn": "acme:access_target:http:billing-db:latest"}}
	e := ocsf.OfRecord(several)
	valid(t, e)
	if len(e.Resources) != 2 || len(e.Privileges) != 2 || e.Resources[1].Name != "billing-db" {
		t.Errorf("of several targets: %+v", e.Resources)
	}
}

// TestOfRecord_Agents: what an agent did is said to be an agent's, with who answers for it
// and what it said it was for, and the access is its owner's. What people do about that is
// theirs.
func TestOfRecord_Agents(t *testing.T) {
	t.Parallel()
	all := samples(t, "audit_record")
	for name, by := range map[string]bool{"agent_request": true, "agent_approve": false, "agent_deescalate": true, "request": false, "deescalate": false} {
		var r events.AuditRecord
		if err := json.Unmarshal(all[name], &r); err != nil {
			t.Fatal(err)
		}
		e := ocsf.OfRecord(r)
		valid(t, e)
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Actor struct {
				User struct{ UID, Name, Type string }
			}
			User     *struct{ Name string }
			Unmapped struct {
				Agent map[string]string `json:"ai_agent"`
			}
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if !by {
			if got.Unmapped.Agent != nil || got.Actor.User.Name == "helper" {
				t.Errorf("%s is an agent's: %s", name, b)
			}
			continue
		}
		want := map[string]string{"uid": r.Actor.User, "name": "helper", "charter": "Find out why order 42 is stuck", "owner": "alice@example.com"}
		if diff := cmp.Diff(want, got.Unmapped.Agent); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if !strings.Contains(r.Actor.User, ":user:agent:") || got.Actor.User.UID != r.Actor.User || got.Actor.User.Type != "System" {
			t.Errorf("%s is done by %+v", name, got.Actor)
		}
		if name == "agent_deescalate" && (got.User == nil || got.User.Name != "alice@example.com") {
			t.Errorf("%s is about the access of %+v", name, got.User)
		}
	}
}

// TestOfAct: administrative acts are Entity Management.
func TestOfAct(t *testing.T) {
	t.Parallel()
	for name, b := range samples(t, "admin_record") {
		var r events.AdminRecord
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		e := ocsf.OfAct(r)
		valid(t, e)
		if failed := r.State.Status == "failed" || r.State.Status == "refused"; e.TypeUID != 300403 || failed != (e.StatusID == 2) {
			t.Errorf("%s: %d, status %d", name, e.TypeUID, e.StatusID)
		}
	}
}

// TestSchema: the schema refuses what is wrong.
func TestSchema(t *testing.T) {
	t.Parallel()
	var r events.AuditRecord
	if err := json.Unmarshal(samples(t, "audit_record")["escalate"], &r); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(map[string]any){
		"no user":                 func(e map[string]any) { delete(e, "user") },
		"no metadata":             func(e map[string]any) { delete(e, "metadata") },
		"another class":           func(e map[string]any) { e["class_uid"] = 3004 },
		"an activity of none":     func(e map[string]any) { e["activity_id"] = 7 },
		"a time in seconds":       func(e map[string]any) { e["time"] = 1772445630 },
		"an attribute of nowhere": func(e map[string]any) { e["reason"] = "x" },
	} {
		b, err := json.Marshal(ocsf.OfRecord(r))
		if err != nil {
			t.Fatal(err)
		}
		var e map[string]any
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		spoil(e)
		if b, err = json.Marshal(e); err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if schema(t).Validate(v) == nil {
			t.Errorf("the schema takes %s", what)
		}
	}
}
