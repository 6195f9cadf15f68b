package builtin_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// directory is a strategy that only this test has: with an integration of its
// own type, two types of targets, and rights some of which are a role's in
// another account.
func directory() strategy.Type {
	id := func(pattern, like string) func(string) error {
		form := regexp.MustCompile(pattern)
		return func(value string) error {
			if form.MatchString(value) {
				return nil
			}
			return flow.Errorf(flow.CodeInvalid, "is not of the form %s", like)
		}
	}
	return strategy.Type{
		Name: "directory", About: "the directory of the company",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{"company"}, Settings: []strategy.Setting{
			{Name: "role_arn", About: "the role in the directory's account", Required: true, Check: id("^arn:aws:iam::[0-9]{12}:role/", "arn:aws:iam::123456789012:role/name")},
			{Name: "token_secret", About: "the name of the secret with the token", Required: true},
		}},
		Settings: strategy.Settings{Known: []strategy.Setting{
			{Name: "instance", About: "which directory", Required: true},
			{Name: "end_sessions", About: "whether doors are closed"},
		}},
		Targets: []strategy.TargetType{
			{Name: "directory_group", Caution: "When it ends, people hear of it.", Closes: "Doors are closed.", Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: "group_id", About: "the id of the group", Required: true, Check: id("^g-[0-9]+$", "g-1"), Bindable: true},
			}}},
			{Name: "directory_seat", Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: "table", About: "the table with the seats", Required: true},
			}}},
		},
		Rights: func(s flow.Strategy) strategy.Rights {
			var r strategy.Rights
			for _, t := range s.Targets {
				if table := t.Settings["table"]; table != "" {
					r.Allow = append(r.Allow, strategy.Allow{
						Actions:   []string{"dynamodb:PutItem", "dynamodb:DeleteItem"},
						Resources: []string{"arn:" + strategy.Partition + ":dynamodb:" + strategy.Region + ":" + strategy.Account + ":table/" + table},
					})
				}
			}
			if i := s.Integration; i != nil {
				r.Assume = []strategy.Role{{ARN: i.Settings["role_arn"], ExternalID: i.ExternalID}}
				r.Secrets = slices.Collect(maps.Values(i.Secrets))
			}
			return r
		},
	}
}

const aDirectory = `
{kind: secrets, name: vault, type: aws_secrets_manager}
---
{kind: secret, name: token, source_id: vault, path: /sym/token}
---
{kind: integration, name: company, type: company, external_id: c-1, settings: {role_arn: "arn:aws:iam::210987654321:role/sym/directory", token_secret: token}}
---
{kind: target, name: ops, type: directory_group, settings: {group_id: g-1}}
---
{kind: target, name: any, type: directory_group, field_bindings: [group_id]}
---
{kind: target, name: seat, type: directory_seat, settings: {table: seats}}
---
{kind: strategy, name: people, type: directory, integration_id: company, settings: {instance: main}, targets: [ops, any, seat]}
---
{kind: environment, name: main}
---
kind: flow
name: groups
environment_id: main
params:
  strategy_id: people
  prompt_fields: [{name: duration, type: duration, allowed_values: [1h]}, {name: group_id, type: string}]
  approval: {notify: [{channel: "#access"}], approvers: ["group:platform"]}
`

// load reads a configuration by what this build declares, and the directory.
func load(text string) (*catalog.Catalog, catalog.Report) {
	types := maps.Clone(builtin.Types())
	types["directory"] = directory()
	return catalog.LoadFS(fstest.MapFS{"a.yaml": {Data: []byte(text)}}, "sym", types)
}

// TestAddStrategy: what a strategy declares is all that it takes for
// configurations to be checked, for the rights of the function that grants, and
// for the guide. TestStrategyRights_Statements of infra goes on with the rights.
func TestAddStrategy(t *testing.T) {
	t.Parallel()
	c, report := load(aDirectory)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	want := strategy.Rights{
		Allow: []strategy.Allow{{
			Actions:   []string{"dynamodb:DeleteItem", "dynamodb:PutItem"},
			Resources: []string{"arn:{partition}:dynamodb:{region}:{account}:table/seats"},
		}},
		Assume:  []strategy.Role{{ARN: "arn:aws:iam::210987654321:role/sym/directory", ExternalID: "c-1"}},
		Secrets: []flow.SecretRef{{Name: "token", Source: "aws_secrets_manager", Path: "/sym/token"}},
	}
	if diff := cmp.Diff(want, c.StrategyRights()); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
	for _, target := range c.Flows[0].Strategy.Targets {
		if want := map[string]string{"directory_group": "When it ends, people hear of it."}[target.Type]; target.Caution != want {
			t.Errorf("%s: those who ask and decide are told %q, want %q", target.Name, target.Caution, want)
		}
	}
	ends, report := load(strings.Replace(aDirectory, "{instance: main}", `{instance: main, end_sessions: "true"}`, 1))
	if got, want := ends.Flows[0].Strategy.Targets[0].Caution, "When it ends, people hear of it. Doors are closed."; report.Err() != nil || got != want {
		t.Errorf("with end_sessions they are told %q, want %q: %v", got, want, report.Err())
	}
	guide := tables(map[string]strategy.Type{"directory": directory()})
	for _, row := range []string{
		"| `directory` | the directory of the company | required, of type `company` | `directory_group`, `directory_seat` |",
		"| `directory_seat` | no | your code's | your code's | your code's | your code's |",
		"| strategy `directory` | `instance` | which directory; required |",
		"| integration `company` | `role_arn` | the role in the directory's account; required |",
		"| target `directory_group` | `group_id` | the id of the group; required; may be bound to a field |",
	} {
		if !strings.Contains(guide, row+"\n") {
			t.Errorf("the guide has no row %s:\n%s", row, guide)
		}
	}
}

// TestAddStrategy_Bound: what requesters choose is held to the settings' own
// checks, and to nothing that is not theirs.
func TestAddStrategy_Bound(t *testing.T) {
	t.Parallel()
	group := flow.Target{Name: "any", Type: "directory_group", Label: "Any group", FieldBindings: []string{"group_id"}}
	for value, want := range map[string]string{
		"g-1": "", "": "some fields are not right: group_id: is required: the id of the group",
		"ops": "some fields are not right: group_id: is not of the form g-1",
	} {
		err := directory().CheckBound(group.Bind(map[string]any{"group_id": value}))
		if got := flow.UserMessage(err); (err == nil) != (want == "") || err != nil && (got != want || flow.CodeOf(err) != flow.CodeInvalid) {
			t.Errorf("%q: %v, want %q", value, err, want)
		}
	}
	fixed := flow.Target{Type: "directory_group", Settings: map[string]string{"group_id": "of an older form"}}
	if err := directory().CheckBound(fixed); err != nil {
		t.Errorf("nothing is bound: %v", err)
	}
	group.Type = "directory_room"
	if err := directory().CheckBound(group); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("a target of another strategy: %v", err)
	}
	if err := builtin.CheckBound(flow.Strategy{Name: "people", Type: "directory"}, group); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("a type that is not built in: %v", err)
	}
}

// TestAddStrategy_Faults: each wrong line gets a fault that names it.
func TestAddStrategy_Faults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, right, wrong, want string }{
		{"NoIntegration", "integration_id: company, settings", "settings", `strategy "people": integration_id: is missing: write the name of a document of kind integration, of type company`},
		{"OtherIntegration", "type: company", "type: slack", `strategy "people": integration_id: integration "company" is of type slack: refer to one of type company`},
		{"IntegrationSetting", "arn:aws:iam::210987654321:role/", "arn:aws:iam::1:role/", `integration "company": settings.role_arn: is not of the form arn:aws:iam::123456789012:role/name`},
		{"IntegrationSecret", ", token_secret: token", "", `integration "company": settings.token_secret: is required: the name of the secret with the token`},
		{"StrategySetting", "{instance: main}", "{instanse: main}", `strategy "people": settings.instanse: is no setting of a strategy of type directory (did you mean "instance"?): it has instance and end_sessions`},
		{"NoStrategySetting", "settings: {instance: main}, ", "", `strategy "people": settings.instance: is required: which directory`},
		{"TargetType", "type: directory_seat", "type: directory_chair", `strategy "people": targets[2]: target "seat" is of type directory_chair, and strategies of type directory grant targets of type directory_group or directory_seat only`},
		{"TargetSetting", "group_id: g-1", "group_id: ops", `target "ops": settings.group_id: is not of the form g-1`},
		{"NoTargetSetting", "field_bindings: [group_id]", "label: Any", `target "any": settings.group_id: is required: the id of the group`},
		{"Binding", "settings: {table: seats}", "field_bindings: [table]", `target "seat": field_bindings: "table" must not be bound to a field: requesters would choose it`},
		{"Implementation", "settings: {instance", "implementation: ./a.py, settings: {instance", `strategy "people": implementation: goes with strategies of type custom only: remove it, or set type to custom`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(aDirectory, test.right, test.wrong, 1)
			if text == aDirectory {
				t.Fatalf("the configuration has no %q", test.right)
			}
			_, report := load(text)
			if !slices.ContainsFunc(report.Faults, func(f catalog.Fault) bool { return f.Message == test.want && f.Line > 0 }) {
				t.Errorf("want %s, got\n%v", test.want, report)
			}
		})
	}
}
