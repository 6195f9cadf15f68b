package flow

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func flowInSlack() *Flow {
	f := &Flow{Name: "ask", Environment: Environment{
		Admins: []string{"lead@example.com"}, ErrorChannel: "#errors", Integrations: map[string]Integration{"slack": {ExternalID: "T1"}},
	}}
	f.Params.Approval = Approval{
		Approvers: []string{"group:platform", "user:bob@example.com"},
		Notify:    []Notify{{Channel: "#access"}, {Users: []string{"bob@example.com", "carol@example.com", "Lead@example.com"}}},
	}
	return f
}

func TestSlackNames(t *testing.T) {
	t.Parallel()
	want := []SlackName{
		{"approval.approvers[0]", SlackGroup, "platform"},
		{"approval.approvers[1]", SlackPerson, "bob@example.com"},
		{"approval.notify[0].channel", SlackChannel, "#access"},
		{"approval.notify[1].users[0]", SlackPerson, "bob@example.com"},
		{"approval.notify[1].users[1]", SlackPerson, "carol@example.com"},
		{"approval.notify[1].users[2]", SlackPerson, "Lead@example.com"},
		{"admins[0]", SlackPerson, "lead@example.com"},
		{"error_channel", SlackChannel, "#errors"},
		{"workspace", SlackWorkspace, "T1"},
	}
	if diff := cmp.Diff(want, flowInSlack().SlackNames()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if names := (&Flow{}).SlackNames(); names != nil {
		t.Errorf("a flow that names nothing names %v", names)
	}
}

func TestPowerless(t *testing.T) {
	t.Parallel()
	carol := []SlackName{{"approval.notify[1].users[1]", SlackPerson, "carol@example.com"}}
	in := func(who string) func(string, string) bool {
		return func(group, email string) bool { return group == "platform" && email == who }
	}
	for _, test := range []struct {
		name   string
		change func(*Flow)
		member func(group, email string) bool
		want   []SlackName
	}{
		{"groups that are not known", func(*Flow) {}, nil, nil},
		{"in a group", func(*Flow) {}, in("carol@example.com"), nil},
		{"in no group", func(*Flow) {}, in("dora@example.com"), carol},
		{"everybody may", func(f *Flow) { f.Params.Approval.Approvers = nil }, in(""), nil},
		{"a handler decides who may", func(f *Flow) {
			f.Implementation = &Source{Handlers: []string{HandlerPermissions}}
		}, in(""), nil},
		{"a handler decides who is asked", func(f *Flow) {
			f.Implementation = &Source{Handlers: []string{HandlerNotifications}}
		}, in(""), nil},
		{"handlers of something else", func(f *Flow) { f.Implementation = &Source{Handlers: []string{HookBefore(EventApprove)}} }, in(""), carol},
	} {
		f := flowInSlack()
		test.change(f)
		if diff := cmp.Diff(test.want, f.Powerless(test.member)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// nameless are the texts of a configuration that name nobody and nothing in Slack.
var nameless = []string{
	"params.agents.purpose",
	"environment.integrations.label", "environment.integrations.name", "environment.integrations.secrets", "environment.integrations.settings", "environment.integrations.type",
	"environment.label", "environment.lambda_arns", "environment.name",
	"params.additional_header_text", "params.after_approve", "params.allowed_sources", "params.break_glass.reason", "params.extend.approval",
	"params.on_approve", "params.prompt_fields",
}

// TestSlackNames_everywhere: each text of a flow's parameters and of its environment is
// listed as a name in Slack, or is known to be none. Whoever adds one has to say which.
func TestSlackNames_everywhere(t *testing.T) {
	t.Parallel()
	f := &Flow{}
	var named []string
	n := 0
	var fill func(path string, v reflect.Value)
	fill = func(path string, v reflect.Value) {
		if slices.Contains(nameless, path) {
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(path, v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
				fill(path+"."+name, v.Field(i))
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(path, v.Index(0))
		case reflect.Map:
			one := reflect.New(v.Type().Elem()).Elem()
			fill(path, one)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("slack"), one)
		case reflect.String:
			n++
			v.SetString(fmt.Sprintf("name%d", n))
			named = append(named, path+"="+v.String())
		case reflect.Bool, reflect.Int, reflect.Int64: // they name nothing
		default:
			t.Errorf("%s is a %s, which this test can't fill in", path, v.Kind())
		}
	}
	fill("params", reflect.ValueOf(&f.Params).Elem())
	fill("environment", reflect.ValueOf(&f.Environment).Elem())
	if len(named) < 9 {
		t.Errorf("only %v are looked at", named)
	}
	listed := f.SlackNames()
	for _, one := range named {
		path, name, _ := strings.Cut(one, "=")
		if !slices.ContainsFunc(listed, func(s SlackName) bool { return s.Name == name }) {
			t.Errorf("%s is not among the names that local doctor asks Slack about: list it in SlackNames, or among the nameless of this test", path)
		}
	}
}
