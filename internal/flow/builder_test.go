package flow

import (
	"strings"
	"testing"
)

func TestMayBeStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Flow)
		known  bool
		want   string // in the error; "" for none
	}{
		{"on behalf", func(*Flow) {}, true, ""},
		{"not on behalf", func(f *Flow) { f.Params.OnBehalf = false }, true, "on_behalf"},
		{"not from Slack", func(f *Flow) { f.Params.AllowedSources = &[]Channel{ChannelAPI} }, true, "allowed_sources"},
		{"self-approval", func(f *Flow) { f.Params.Approval.AllowSelfApproval = true }, true, "allow_self_approval"},
		{"a hook that may approve", func(f *Flow) { f.Implementation = &Source{Handlers: []string{HookBefore(EventRequest)}} }, true, "own code can approve"},
		{"a handler that says who may", func(f *Flow) { f.Implementation = &Source{Handlers: []string{HandlerPermissions}} }, true, "own code can approve"},
		{"a handler that says who does", func(f *Flow) { f.Implementation = &Source{Handlers: []string{HandlerApprovers}} }, true, "own code can approve"},
		{"a hook of something else", func(f *Flow) { f.Implementation = &Source{Handlers: []string{HookBefore(EventApprove)}} }, true, ""},
		{"a form of handlers", func(f *Flow) { f.Params.PromptFields = []PromptField{{Name: "x", Prefetch: true}} }, true, "makes its form"},
		{"starter unknown", func(*Flow) {}, false, "who started the workflow"},
		{"starter unknown, two approvers", func(f *Flow) { f.Params.Approval.Required = 2 }, false, ""},
		{"starter unknown, two approvers, self-approval", func(f *Flow) { f.Params.Approval.Required, f.Params.Approval.AllowSelfApproval = 2, true }, false, "allow_self_approval"},
	} {
		f := &Flow{Name: "ask", Params: Params{OnBehalf: true, Approval: Approval{Required: 1}}}
		c.change(f)
		err := f.MayBeStep(c.known)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || CodeOf(err) != CodeForbidden) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestStepOutcome(t *testing.T) {
	t.Parallel()
	for _, approvalOnly := range []bool{true, false} {
		for status, want := range map[Status]bool{
			Prompted: false, Requested: false, Approved: approvalOnly, Denied: true, Expired: true, Cancelled: true, Escalated: true, Deescalated: true,
		} {
			r := Run{Status: status, ApprovalOnly: approvalOnly}
			if got, known := r.StepOutcome(); known != want || got != status {
				t.Errorf("%s, approval only %v: %s, %v", status, approvalOnly, got, known)
			}
		}
	}
}
