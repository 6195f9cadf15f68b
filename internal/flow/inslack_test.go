package flow

import (
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
