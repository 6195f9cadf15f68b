package flow

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var eventID = EventID(runID, 7)

func TestLambdaCall_Render(t *testing.T) {
	t.Parallel()
	r := &Run{
		Org: "acme", ID: runID, Flow: "report", FlowVersion: "1.0.3", Requester: requester,
		Fields: map[string]any{"table": "orders", "rows": int64(9007199254740991), "wide": true, "tags": []string{"a", "b"}, "loaded": float64(100)},
	}
	for _, tc := range []struct {
		name    string
		payload map[string]any
		want    string
	}{
		{"None", nil, `{}`},
		{"Types", map[string]any{"a": "fields.table", "b": "fields.rows", "c": "fields.wide", "d": "fields.tags", "e": "fields.loaded"},
			`{"a":"orders","b":9007199254740991,"c":true,"d":["a","b"],"e":100}`},
		{"EmptyField", map[string]any{"a": "fields.ticket"}, `{"a":null}`},
		{"Run", map[string]any{"id": "run.id", "srn": "run.srn"}, `{"id":"` + runID + `","srn":"acme:run:report:1.0.3:` + runID + `"}`},
		{"Event", map[string]any{"key": "event.id"}, `{"key":"` + eventID + `"}`},
		{"People", map[string]any{"a": "requester.email", "b": "requester.id", "c": "approver.email", "d": "approver.id"},
			`{"a":"requester@example.com","b":"` + requester.ID + `","c":"approver@example.com","d":"` + approver.ID + `"}`},
		{"Nested", map[string]any{"a": map[string]any{"b": []any{"fields.table", []any{"run.id"}}}}, `{"a":{"b":["orders",["` + runID + `"]]}}`},
		{"Constants", map[string]any{"a": "orders", "b": 1.5, "c": nil, "d": false, "e": "see fields.table", "f": "fields.a.b", "g": ""},
			`{"a":"orders","b":1.5,"c":null,"d":false,"e":"see fields.table","f":"fields.a.b","g":""}`},
		{"Escaped", map[string]any{"a": `\fields.table`, "b": `\\run.id`, "c": `\n`, "d": `\run`}, `{"a":"fields.table","b":"\\run.id","c":"\\n","d":"\\run"}`},
		{"KeysAreNoReferences", map[string]any{"run.id": 1.0}, `{"run.id":1}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := (&LambdaCall{ARN: reportARN, Payload: tc.payload}).Render(r, eventID, approver)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Every reference that Validate accepts has a value, and no other one.
func TestLambdaCall_RenderKnowsReferences(t *testing.T) {
	t.Parallel()
	r := &Run{Org: "acme", ID: runID, Flow: "report", FlowVersion: "1.0.3", Requester: requester}
	for _, ref := range references {
		got, err := (&LambdaCall{Payload: map[string]any{"a": ref}}).Render(r, eventID, approver)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		var values map[string]string
		if err := json.Unmarshal(got, &values); err != nil || values["a"] == "" || values["a"] == ref {
			t.Errorf("%s became %s", ref, got)
		}
	}
	_, err := (&LambdaCall{Payload: map[string]any{"a": []any{map[string]any{"b": "run.status"}}}}).Render(r, eventID, approver)
	if CodeOf(err) != CodeInvalid {
		t.Errorf("unknown reference: got %v", err)
	}
}

// Rendering leaves the flow, which many runs share, as it is.
func TestLambdaCall_RenderChangesNothing(t *testing.T) {
	t.Parallel()
	payload := func() map[string]any { return map[string]any{"a": map[string]any{"b": []any{"run.id"}}} }
	c := &LambdaCall{Payload: payload()}
	if _, err := c.Render(&Run{ID: runID}, EventID(runID, 1), approver); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(payload(), c.Payload); diff != "" {
		t.Errorf("payload changed (-want +got):\n%s", diff)
	}
}
