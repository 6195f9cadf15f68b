package awsdestination_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/ocsf"
	"github.com/symflows/symflows/internal/workflow"
)

// onBus gives what rules see of what is sent to a bus.
func onBus(t *testing.T, records []workflow.Outgoing) (seen []any) {
	t.Helper()
	bus := awstest.Service(func(_ string, input []byte) (any, error) {
		var in struct {
			Entries []struct {
				Source, DetailType, Detail string
				Resources                  []string
				Time                       float64
			}
		}
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		var answers []map[string]string
		for _, e := range in.Entries {
			text, err := json.Marshal(map[string]any{
				"version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": e.DetailType, "source": e.Source, "account": awstest.Account,
				"time": time.Unix(int64(e.Time), 0).UTC().Format(time.RFC3339), "region": "us-east-1", "resources": e.Resources, "detail": json.RawMessage(e.Detail),
			})
			if err != nil {
				return nil, err
			}
			event, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				return nil, err
			}
			seen = append(seen, event)
			answers = append(answers, map[string]string{"EventId": "6a7e8feb-b491-4cf7-a9f1-bf3703467718"})
		}
		return map[string]any{"Entries": answers, "FailedEntryCount": 0}, nil
	})
	to, err := deps(awstest.Config(t, bus)).EventBridge(flow.LogDestination{Name: "bus", Settings: map[string]string{"event_bus": "security"}})
	if err == nil {
		err = to.Send(t.Context(), records)
	}
	if err != nil || len(seen) != len(records) {
		t.Fatalf("%d of %d were sent, %v", len(seen), len(records), err)
	}
	return seen
}

// TestEventBridge_Schema: what is put on a bus is what events/eventbridge_event.schema.json
// says, of every kind of record, in both formats.
func TestEventBridge_Schema(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..", "events")
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(filepath.Join(root, "eventbridge_event.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "testdata", "a*_record_*.json"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out, as := workflow.Outgoing{At: now, Body: text}, []byte(nil)
		if strings.HasPrefix(filepath.Base(file), "admin_") {
			var r events.AdminRecord
			if err = json.Unmarshal(text, &r); err == nil {
				as, err = json.Marshal(ocsf.OfAct(r))
			}
			out.Run = r.ID
		} else {
			var r events.AuditRecord
			if err = json.Unmarshal(text, &r); err == nil {
				as, err = json.Marshal(ocsf.OfRecord(r))
			}
			out.Run = r.Run.SRN[strings.LastIndex(r.Run.SRN, ":")+1:]
		}
		if err != nil {
			t.Fatal(err)
		}
		translated := out
		translated.Body = as
		for _, event := range onBus(t, []workflow.Outgoing{out, translated}) {
			if err := schema.Validate(event); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			detail := event.(map[string]any)["detail"].(map[string]any)
			delete(detail, "event")
			delete(detail, "metadata")
			if schema.Validate(event) == nil {
				t.Errorf("%s: it takes a detail that lacks what happened", file)
			}
		}
	}
}
