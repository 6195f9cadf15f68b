package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tables is DynamoDB while it restores a table: what it was asked for, and the
// settings that the restored one has. It has none of those of the table that was
// backed up, as is documented.
type tables struct {
	asked    map[string]any
	settings map[string]string
	looks    int
	there    bool   // the table was restored before
	denied   string // an operation that is refused
}

const restoredARN = "arn:aws:dynamodb:us-east-1:123456789012:table/restored"

func (d *tables) serve(w http.ResponseWriter, operation string, body []byte) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	refuse := func(code, message string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":%q}`, code, message)
	}
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		refuse("SerializationException", err.Error())
		return
	}
	name, _ := in["TableName"].(string)
	set := func(setting string, v any) { d.settings[setting] = text(v) }
	answer := func(v any) { json.NewEncoder(w).Encode(v) }
	describe := func() any {
		status := "ACTIVE"
		if d.looks++; d.looks%2 == 1 { // each change takes a while
			status = "UPDATING"
		}
		table := map[string]any{"TableName": name, "TableStatus": status, "TableArn": restoredARN, "DeletionProtectionEnabled": d.settings["protection"] == "true"}
		if name == "the TableName" {
			table["TableArn"] = "arn:aws:dynamodb:us-east-1:123456789012:table/source"
		}
		if view := d.settings["stream"]; view != "" {
			table["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": view}
			table["LatestStreamArn"] = restoredARN + "/stream/1"
		}
		return map[string]any{"Table": table}
	}
	switch {
	case operation == d.denied:
		refuse("AccessDeniedException", "no")
	case operation == "RestoreTableToPointInTime" && d.there:
		refuse("TableAlreadyExistsException", "it is there")
	case operation == "RestoreTableToPointInTime":
		d.asked = in
		answer(map[string]any{})
	case operation == "DescribeTable":
		answer(describe())
	case operation == "UpdateTable":
		if d.looks%2 == 1 {
			refuse("ResourceInUseException", "it is being updated")
			return
		}
		if stream, ok := in["StreamSpecification"].(map[string]any); ok {
			set("stream", stream["StreamViewType"])
		}
		if v, ok := in["DeletionProtectionEnabled"]; ok {
			set("protection", v)
		}
		answer(map[string]any{})
	case operation == "DescribeTimeToLive":
		answer(map[string]any{"TimeToLiveDescription": map[string]any{"TimeToLiveStatus": "DISABLED"}})
	case operation == "UpdateTimeToLive":
		set("ttl", at(in["TimeToLiveSpecification"], "AttributeName"))
		answer(map[string]any{})
	case operation == "UpdateContinuousBackups":
		set("backups", at(in["PointInTimeRecoverySpecification"], "PointInTimeRecoveryEnabled"))
		answer(map[string]any{})
	case operation == "ListTagsOfResource" && in["NextToken"] == nil:
		answer(map[string]any{"Tags": []any{map[string]any{"Key": "aws:cloudformation:stack-name", "Value": "sym-flows"}, map[string]any{"Key": "team", "Value": "platform"}}, "NextToken": "more"})
	case operation == "ListTagsOfResource":
		answer(map[string]any{"Tags": []any{map[string]any{"Key": "cost", "Value": "42"}}})
	case operation == "TagResource" && in["ResourceArn"] == restoredARN:
		for _, tag := range in["Tags"].([]any) {
			set("tag "+text(at(tag, "Key")), at(tag, "Value"))
		}
		answer(map[string]any{})
	default:
		refuse("ValidationException", operation)
	}
}

// TestRestore: a restored table has all settings that the template has of the table,
// and is the one that is adopted.
func TestRestore(t *testing.T) {
	t.Parallel()
	made := standard(t)
	for name, tc := range map[string]struct {
		to     string
		key    bool
		there  bool
		target string
		asked  map[string]any
	}{
		"to a time": {to: "2026-03-02T10:00:00+01:00", target: "the TableName-20260302T090000Z", asked: map[string]any{"RestoreDateTime": 1.7724420e9}},
		"latest":    {to: "latest", target: "the TableName-latest", asked: map[string]any{"UseLatestRestorableTime": true}},
		"under a key": {to: "latest", key: true, target: "the TableName-latest", asked: map[string]any{
			"UseLatestRestorableTime": true, "SSESpecificationOverride": map[string]any{"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": "the key"},
		}},
		"once more": {to: "latest", there: true, target: "the TableName-latest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &tables{settings: map[string]string{}, there: tc.there}
			outputs := leftBy(made)
			if tc.key {
				outputs["KeyArn"] = "the key"
			}
			file := keepOutputs(t, outputs)
			c := &cloud{tables: d}
			if out, err := c.run(t, made, "restore", "-outputs", file, "-to", tc.to); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if tc.asked != nil {
				want := map[string]any{"SourceTableName": "the TableName", "TargetTableName": tc.target, "BillingModeOverride": "PAY_PER_REQUEST"}
				for k, v := range tc.asked {
					want[k] = v
				}
				if diff := cmp.Diff(want, d.asked); diff != "" {
					t.Errorf("restored (-want +got)\n%s", diff)
				}
			}
			table := made.Resources["Table"].Properties
			want := map[string]string{
				"stream": text(at(table, "StreamSpecification", "StreamViewType")), "protection": text(table["DeletionProtectionEnabled"]),
				"ttl":     text(at(table, "TimeToLiveSpecification", "AttributeName")),
				"backups": text(at(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")), "tag team": "platform", "tag cost": "42",
			}
			if diff := cmp.Diff(want, d.settings); diff != "" {
				t.Errorf("settings (-template +restored)\n%s", diff)
			}
			kept, err := readOutputs(file, "sym-flows")
			if err != nil || kept["TableName"] != tc.target || kept["TableArn"] != restoredARN || kept["TableStreamArn"] != restoredARN+"/stream/1" || kept["AuditBucketName"] != outputs["AuditBucketName"] {
				t.Errorf("%v: %v", kept, err)
			}
			c.imports = &imports{}
			if out, err := c.run(t, made, "adopt", "-outputs", file); err != nil || !strings.Contains(out, "Table: "+tc.target+"\n") {
				t.Errorf("adopting it: %v\n%s", err, out)
			}
		})
	}
}

// TestRestore_Refused: what stands in the way is said, and the kept outputs name the
// new table only once it has all settings.
func TestRestore_Refused(t *testing.T) {
	t.Parallel()
	made := standard(t)
	for name, tc := range map[string]struct {
		c    *cloud
		to   string
		want string
	}{
		"the stack is there": {made.inCloud(), "latest", "delete it first"},
		"no time":            {&cloud{}, "", "-to is missing"},
		"to come":            {&cloud{}, "2126-03-02T09:00:00Z", "no time of the past"},
		"not allowed":        {&cloud{tables: &tables{denied: "RestoreTableToPointInTime"}}, "latest", "restore the TableName"},
		"half done":          {&cloud{tables: &tables{settings: map[string]string{}, denied: "UpdateContinuousBackups"}}, "latest", "do the same again to go on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := keepOutputs(t, leftBy(made))
			if _, err := tc.c.run(t, made, "restore", "-outputs", file, "-to", tc.to); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if kept, err := readOutputs(file, "sym-flows"); err != nil || kept["TableName"] != "the TableName" {
				t.Errorf("the kept outputs name %s: %v", kept["TableName"], err)
			}
		})
	}
	if _, err := (&cloud{}).run(t, made, "restore", "-to", "latest", "-outputs", filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "no output TableName") {
		t.Errorf("without outputs: %v", err)
	}
}
