package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func init() { lookEvery = time.Millisecond }

// leftBy are the outputs of a stack that was deleted.
func leftBy(made template) map[string]string {
	outputs := map[string]string{}
	for name := range made.Outputs {
		outputs[name] = "the " + name
	}
	for _, name := range []string{"SlackSecretArn", "SlackSigningSecretArn"} {
		outputs[name] = "arn:aws:secretsmanager:us-east-1:123456789012:secret:" + name + "-AbCdEf"
	}
	if _, ok := outputs["KeyArn"]; ok {
		outputs["KeyArn"] = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	}
	return outputs
}

// keepOutputs writes the outputs of a stack as the CDK does.
func keepOutputs(t *testing.T, outputs map[string]string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "outputs.json")
	if err := writeOutputs(file, "sym-flows", outputs); err != nil {
		t.Fatal(err)
	}
	return file
}

// imports is CloudFormation while it imports.
type imports struct {
	set      url.Values // the change set that was made
	executed string
	looks    int
	refused  string // why the change set can't be made
	fails    bool   // the import is rolled back
}

func (i *imports) serve(form url.Values, answer func(string)) bool {
	switch form.Get("Action") {
	case "CreateChangeSet":
		i.set = form
		answer("<Id>arn:aws:cloudformation:us-east-1:123456789012:changeSet/a/1</Id><StackId>arn:aws:cloudformation:us-east-1:123456789012:stack/sym-flows/1</StackId>")
	case "DescribeChangeSet":
		status := "CREATE_COMPLETE"
		if i.looks++; i.looks == 1 {
			status = "CREATE_IN_PROGRESS"
		}
		if i.refused != "" {
			status = "FAILED"
		}
		answer("<Status>" + status + "</Status><StatusReason>" + i.refused + "</StatusReason>")
	case "ExecuteChangeSet":
		i.executed = form.Get("ChangeSetName")
		answer("")
	case "DescribeStacks":
		if i.executed == "" {
			return false
		}
		status := "IMPORT_COMPLETE"
		if i.fails {
			status = "IMPORT_ROLLBACK_COMPLETE"
		}
		answer("<Stacks><member><StackName>" + form.Get("StackName") + "</StackName><StackStatus>" + status + "</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>")
	default:
		return false
	}
	return true
}

// members reads a list of structures from a form.
func members(form url.Values, name string, fields ...string) (out [][]string) {
	for n := 1; ; n++ {
		var one []string
		for _, f := range fields {
			one = append(one, form.Get(fmt.Sprintf("%s.member.%d.%s", name, n, f)))
		}
		if one[0] == "" {
			return out
		}
		out = append(out, one)
	}
}

// TestAdopt: what is imported is all that outlives a stack and nothing else, each by
// what the former stack has called it, with the properties that the deploy after it
// has, so that this changes none of them.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]template{"no option": standard(t), "every option": wholeTemplate(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &cloud{imports: &imports{}, unreserved: 1000}
			outputs := leftBy(made)
			out, err := c.run(t, made, "adopt", "-outputs", keepOutputs(t, outputs))
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			form := c.imports.set
			if form.Get("ChangeSetType") != "IMPORT" || c.imports.executed != form.Get("ChangeSetName") || form.Get("StackName") != "sym-flows" {
				t.Errorf("change set %v, executed %s", form, c.imports.executed)
			}
			body := form.Get("TemplateBody")
			if len(body) > 51200 {
				t.Errorf("a template of %d bytes is to be uploaded first", len(body))
			}
			var got template
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			var want []string
			for id, r := range made.Resources {
				if r.DeletionPolicy != "" && r.DeletionPolicy != "Delete" && r.Type != "AWS::Logs::LogGroup" {
					want = append(want, id)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.Resources))); diff != "" || len(got.Outputs) > 0 {
				t.Errorf("imports (-outlives +imported)\n%s", diff)
			}
			var plain struct{ Metadata map[string]plan }
			if err := json.Unmarshal([]byte(body), &plain); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, plain.Metadata[metadataKey].Kept); diff != "" {
				t.Errorf("says that it keeps\n%s", diff)
			}
			for id, r := range got.Resources {
				if r.DeletionPolicy != "Retain" {
					t.Errorf("%s would be deleted by a rollback: %q", id, r.DeletionPolicy)
				}
				if diff := cmp.Diff(made.Resources[id].Properties, r.Properties); diff != "" || r.Type != made.Resources[id].Type {
					t.Errorf("the next deploy would change %s\n%s", id, diff)
				}
				for _, other := range references(r.Properties) {
					if _, there := got.Resources[other]; !there && !strings.HasPrefix(other, "AWS::") {
						t.Errorf("%s refers to %s, which is not there yet", id, other)
					}
				}
			}
			named := map[string]string{}
			for _, r := range members(form, "ResourcesToImport", "LogicalResourceId", "ResourceType", "ResourceIdentifier.entry.1.key", "ResourceIdentifier.entry.1.value") {
				if got.Resources[r[0]].Type != r[1] || identifiers[r[1]] != r[2] {
					t.Errorf("%q", r)
				}
				named[r[0]] = r[3]
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(named))); diff != "" {
				t.Errorf("tells what these are\n%s", diff)
			}
			for id, output := range map[string]string{"Table": "TableName", "AuditBucket": "AuditBucketName", "AccessLogBucket": "AccessLogBucketName", "SlackSecret": "SlackSecretArn"} {
				if named[id] != outputs[output] {
					t.Errorf("%s is %s, not %s", id, named[id], outputs[output])
				}
			}
			if key, ok := named["Key"]; ok && key != "1234abcd-12ab-34cd-56ef-1234567890ab" {
				t.Errorf("the key is %s", key)
			}
		})
	}
}

// references are the ids that properties refer to.
func references(v any) (ids []string) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			ids = append(ids, references(one)...)
		}
	case map[string]any:
		if id, ok := v["Ref"].(string); ok {
			ids = append(ids, id)
		}
		if of, ok := v["Fn::GetAtt"].([]any); ok {
			ids = append(ids, fmt.Sprint(of[0]))
		}
		for _, one := range v {
			ids = append(ids, references(one)...)
		}
	}
	return ids
}

// TestAdopt_Refused: what can't be adopted is said, with what to do, and nothing is
// begun.
func TestAdopt_Refused(t *testing.T) {
	t.Parallel()
	made := standard(t)
	without := leftBy(made)
	delete(without, "AccessLogBucketName")
	for name, tc := range map[string]struct {
		c       *cloud
		outputs map[string]string
		want    string
	}{
		"the stack is there":        {made.inCloud(), leftBy(made), "the stack sym-flows is there"},
		"no outputs":                {&cloud{}, nil, "has no outputs of a stack sym-flows"},
		"an output is missing":      {&cloud{}, without, "AccessLogBucket (output AccessLogBucketName)"},
		"no change set can be made": {&cloud{imports: &imports{refused: "Table does not exist"}}, leftBy(made), "Table does not exist"},
		"the import is rolled back": {&cloud{imports: &imports{fails: true}}, leftBy(made), "was not completed"},
		"it may not be asked for":   {&cloud{imports: &imports{}, denied: "CreateChangeSet"}, leftBy(made), "ask for the import"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "none.json")
			if tc.outputs != nil {
				file = keepOutputs(t, tc.outputs)
			}
			if _, err := tc.c.run(t, made, "adopt", "-outputs", file); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if tc.c.imports != nil && tc.c.imports.executed != "" && !tc.c.imports.fails {
				t.Error("it was begun")
			}
		})
	}
}

// TestPreflight_Kept: a deploy that would lose sight of what outlives stacks is
// refused, until somebody says that it is to go.
func TestPreflight_Kept(t *testing.T) {
	t.Parallel()
	made, all := standard(t), wholeTemplate(t)
	gone := keepOutputs(t, leftBy(made))
	options := map[string]any{}
	maps.Copy(options, everything)
	options["kmsKey"] = "default"
	keyless := synthesize(t, options)
	for name, tc := range map[string]struct {
		c    *cloud
		made template
		args []string
		want string // "": it goes on
	}{
		"the first deploy of all":     {&cloud{unreserved: 1000}, made, nil, ""},
		"the stack is gone":           {&cloud{unreserved: 1000}, made, []string{"-outputs", gone}, "make adopt takes up what is there"},
		"it is to begin anew":         {&cloud{unreserved: 1000}, made, []string{"-outputs", gone, "-dropped"}, ""},
		"the stack is there":          {made.inCloud(), made, []string{"-outputs", gone}, ""},
		"without what it has":         {all.inCloud(), keyless, []string{"-renamed"}, "  Key\n"},
		"without it, and it is known": {all.inCloud(), keyless, []string{"-renamed", "-dropped"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "without what it has" || name == "without it, and it is known" {
				tc.c.endpoints, tc.c.route = "", "natGatewayId nat-1"
			}
			_, err := tc.c.run(t, tc.made, append([]string{"preflight"}, tc.args...)...)
			if tc.want == "" {
				if err != nil && (strings.Contains(err.Error(), "make adopt") || strings.Contains(err.Error(), "would drop")) {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
