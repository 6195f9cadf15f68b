package diff_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/diff"
	"github.com/symflows/symflows/internal/flow"
)

// access is a flow with something in each attribute.
func access() *flow.Flow {
	return &flow.Flow{
		Org: "acme", Name: "prod-access", Version: "1.0.3", Label: "Production access", Vars: map[string]string{"schedule": "Primary"}, Isolated: true,
		Environment: flow.Environment{
			Name: "main", Label: "Main", ErrorChannel: "#errors", Admins: []string{"lead@example.com"}, LambdaARNs: []string{"arn:a"},
			Integrations: map[string]flow.Integration{"slack": {Name: "slack", Type: "slack", ExternalID: "T1"}},
		},
		Strategy: &flow.Strategy{
			Name: "databases", Type: "http", Label: "Databases", Settings: map[string]string{"url": "https://a.example.com"},
			Secrets: map[string]flow.SecretRef{"signing_secret_id": {Name: "s", Path: "/s"}}, Integration: &flow.Integration{Name: "i", Type: "okta"},
			Targets:        []flow.Target{{Name: "orders-db", Type: "http", Label: "Orders", Settings: map[string]string{"db": "orders"}, FieldBindings: []string{"role"}, Caution: "c"}},
			Implementation: flow.NewSource("strategy.py", "a"),
		},
		Params: flow.Params{
			AllowRevoke: true, ScheduleDeescalation: true, AllowGuestInteraction: false, AllowedSources: &[]flow.Channel{flow.ChannelSlack}, AdditionalHeaderText: "h",
			PromptFields: []flow.PromptField{
				{Name: "reason", Type: flow.FieldString, Label: "Why", Required: true, Visible: true},
				{Name: "role", Type: flow.FieldString, AllowedValues: []string{"read", "write"}, Visible: true, OnChange: flow.NewSource("role.py", "a")},
				{Name: "duration", Type: flow.FieldDuration, Required: true, AllowedValues: []string{"10m", "1h"}, Visible: true},
			},
			MaxDuration: flow.Duration(2 * time.Hour), Extend: &flow.Extend{Max: 2, For: []flow.Duration{flow.Duration(time.Hour)}, Approval: flow.ExtendSame},
			Approval: flow.Approval{
				Notify:    []flow.Notify{{Channel: "#access", Timeout: flow.Duration(time.Hour)}, {Users: []string{"lead@example.com"}}},
				Approvers: []string{"group:platform", "user:bob@example.com"}, Required: 2,
			},
			OnApprove: &flow.LambdaCall{ARN: "arn:on", Payload: map[string]any{"run": "run.id"}}, AfterApprove: &flow.LambdaCall{ARN: "arn:after", Payload: map[string]any{"run": "run.id"}},
			BreakGlass: &flow.BreakGlassParams{Who: []string{"group:oncall"}, Reason: flow.ReasonRequired, Duration: flow.Duration(30 * time.Minute), Notify: []flow.Notify{{Channel: "#incidents"}}},
			StartAt:    &flow.StartAtParams{Max: flow.Duration(24 * time.Hour)}, HandlerTimeout: flow.Duration(10 * time.Second),
		},
		Implementation: &flow.Source{Name: "impl.py", Text: "a", SHA256: "a", Handlers: []string{"on_request"}},
	}
}

// TestWays: each attribute that can widen or narrow what a flow lets happen is said to,
// and the opposite change is said to do the opposite.
func TestWays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		attribute string
		wider     func(*flow.Flow)
		text      string // of the change
		back      string // of the opposite one; "" where that is unclear, too
		unclear   bool
	}{
		{attribute: "params.allowed_sources", wider: func(f *flow.Flow) { f.Params.AllowedSources = nil }, text: "can be started from api as well", back: "can't be started from api any more"},
		{attribute: "params.on_behalf", wider: func(f *flow.Flow) { f.Params.OnBehalf = true }, text: "people may ask for colleagues, too", back: "people may ask for themselves only"},
		{attribute: "params.start_at", wider: func(f *flow.Flow) { f.Params.StartAt.Max *= 2 }, text: "access may be asked for 2 days ahead instead of 1 day", back: "access may be asked for 1 day ahead instead of 2 days"},
		{attribute: "params.prompt_fields", wider: func(f *flow.Flow) { f.Params.PromptFields[0].Required = false }, text: "reason may be left empty", back: "reason has to be filled in"},
		{attribute: "params.prompt_fields", wider: func(f *flow.Flow) { f.Params.PromptFields = f.Params.PromptFields[1:] }, text: "nobody is asked for reason any more", back: "the field reason has to be filled in"},
		{attribute: "params.prompt_fields", wider: func(f *flow.Flow) { f.Params.PromptFields[1].AllowedValues = nil }, text: "role may be anything, instead of read, write", back: "role may be read, write only"},
		{attribute: "params.prompt_fields", wider: func(f *flow.Flow) { f.Params.PromptFields[2].AllowedValues = []string{"10m", "1h", "8h"} }, text: "duration may be 8h", back: "duration may not be 8h any more"},
		{attribute: "params.prompt_fields", wider: func(f *flow.Flow) { f.Params.PromptFields[1].OnChange = nil }, text: "the Python of the field role is gone", unclear: true},
		{attribute: "params.prompt_fields", wider: func(f *flow.Flow) { f.Params.PromptFields[1].Type = flow.FieldStringList }, text: "role is a str_list instead of a string", unclear: true},
		{attribute: "params.prompt_fields", wider: func(f *flow.Flow) { f.Params.PromptFields[0].Prefetch = true }, text: "the options of reason come from code", unclear: true},
		{attribute: "params.approval.approvers", wider: func(f *flow.Flow) { f.Params.Approval.Approvers = nil }, text: "every member of the workspace may decide, instead of group:platform, user:bob@example.com", back: "group:platform, user:bob@example.com may decide, instead of every member"},
		{attribute: "params.approval.approvers", wider: func(f *flow.Flow) {
			f.Params.Approval.Approvers = append(f.Params.Approval.Approvers, "group:interns")
		}, text: "group:interns may decide", back: "group:interns may not decide any more"},
		{attribute: "environment.admins", wider: func(f *flow.Flow) { f.Environment.Admins = append(f.Environment.Admins, "Zoe@example.com") }, text: "zoe@example.com may decide all requests as an admin", back: "zoe@example.com is no admin any more"},
		{attribute: "params.approval.allow_self_approval", wider: func(f *flow.Flow) { f.Params.Approval.AllowSelfApproval = true }, text: "approvers may approve their own requests", back: "nobody may approve their own request any more"},
		{attribute: "params.approval.required", wider: func(f *flow.Flow) { f.Params.Approval.Required = 1 }, text: "fewer people have to approve: 1 instead of 2", back: "more people have to approve: 2 instead of 1"},
		{attribute: "params.allow_guest_interaction", wider: func(f *flow.Flow) { f.Params.AllowGuestInteraction = true }, text: "guests of the workspace may decide", back: "guests of the workspace may not decide any more"},
		{attribute: "params.approve_with", wider: func(f *flow.Flow) { f.Params.ApproveWith.Target = true }, text: "approvers may give another target", back: "approvers may give nothing but the target"},
		{attribute: "params.approve_with", wider: func(f *flow.Flow) { f.Params.ApproveWith.Duration = true }, text: "approvers may give another, shorter, duration", back: "approvers may not change the duration"},
		{attribute: "params.break_glass", wider: func(f *flow.Flow) { f.Params.BreakGlass.Duration *= 2 }, text: "access in an emergency lasts 1 hour instead of 30 minutes", back: "access in an emergency lasts 30 minutes instead of 1 hour"},
		{attribute: "params.break_glass", wider: func(f *flow.Flow) { f.Params.BreakGlass.Who = append(f.Params.BreakGlass.Who, "group:all") }, text: "group:all may have access in an emergency", back: "group:all may not have access in an emergency"},
		{attribute: "params.break_glass", wider: func(f *flow.Flow) { f.Params.BreakGlass.Notify = nil }, text: "#incidents is not told of emergencies any more", back: "#incidents is told of emergencies"},
		{attribute: "params.strategy_id", wider: func(f *flow.Flow) { f.Strategy.Type = "okta" }, text: "gives access by databases (okta) instead of databases (http)", unclear: true},
		{attribute: "strategy.targets", wider: func(f *flow.Flow) {
			f.Strategy.Targets = append(f.Strategy.Targets, flow.Target{Name: "customers-db"})
		}, text: "customers-db may be asked for", back: "customers-db may not be asked for any more"},
		{attribute: "strategy.targets", wider: func(f *flow.Flow) { f.Strategy.Targets[0].FieldBindings = []string{"role", "db"} }, text: "whoever asks for orders-db chooses its db", back: "nobody who asks for orders-db chooses its db any more"},
		{attribute: "strategy.targets", wider: func(f *flow.Flow) { f.Strategy.Targets[0].Settings = map[string]string{"db": "all"} }, text: "the setting db of the target orders-db is all instead of orders", unclear: true},
		{attribute: "strategy.settings", wider: func(f *flow.Flow) { f.Strategy.Settings = map[string]string{"url": "https://b.example.com"} }, text: "the setting url of its strategy is https://b.example.com instead of", unclear: true},
		{attribute: "strategy.integration", wider: func(f *flow.Flow) { f.Strategy.Integration = nil }, text: "the strategy works with another integration", unclear: true},
		{attribute: "strategy.secrets", wider: func(f *flow.Flow) { f.Strategy.Secrets = nil }, text: "the strategy works with other secrets", unclear: true},
		{attribute: "params.max_duration", wider: func(f *flow.Flow) { f.Params.MaxDuration = 0 }, text: "access may last any time instead of 2 hours", back: "access may last 2 hours instead of any time"},
		{attribute: "params.max_duration", wider: func(f *flow.Flow) { f.Params.MaxDuration *= 2 }, text: "access may last 4 hours instead of 2 hours", back: "access may last 2 hours instead of 4 hours"},
		{attribute: "params.schedule_deescalation", wider: func(f *flow.Flow) { f.Params.ScheduleDeescalation = false }, text: "access does not end by itself any more", back: "access ends by its time"},
		{attribute: "params.allow_revoke", wider: func(f *flow.Flow) { f.Params.AllowRevoke = false }, text: "nobody can end access by hand before its time any more", back: "access can be ended by hand"},
		{attribute: "params.extend", wider: func(f *flow.Flow) { f.Params.Extend.Max = 3 }, text: "access may be extended 3 times instead of 2", back: "access may be extended 2 times instead of 3"},
		{attribute: "params.extend", wider: func(f *flow.Flow) { f.Params.Extend.For = append(f.Params.Extend.For, flow.Duration(8*time.Hour)) }, text: "access may be extended by 8 hours", back: "access can't be extended by 8 hours any more"},
		{attribute: "params.extend", wider: func(f *flow.Flow) { f.Params.Extend.Approval = flow.ExtendNone }, text: "nobody has to approve more time any more", back: "more time takes an approval"},
		{attribute: "implementation", wider: func(f *flow.Flow) {
			f.Implementation = &flow.Source{Name: "impl.py", Text: "b", SHA256: "b", Handlers: []string{"on_deny"}}
		}, text: "its Python is other code (impl.py): read it; it defines on_deny; it does not define on_request any more", unclear: true},
		{attribute: "strategy.implementation", wider: func(f *flow.Flow) { f.Strategy.Implementation = flow.NewSource("strategy.py", "b") }, text: "the Python of its strategy is other code", unclear: true},
		{attribute: "params.on_approve", wider: func(f *flow.Flow) { f.Params.OnApprove = nil }, text: "no function is asked before an approval counts any more (it was arn:on)", back: "an approval counts only once the function arn:on has agreed"},
		{attribute: "params.on_approve", wider: func(f *flow.Flow) { f.Params.OnApprove.ARN = "arn:other" }, text: "the function that is asked before an approval counts is another one", unclear: true},
		{attribute: "params.after_approve", wider: func(f *flow.Flow) { f.Params.AfterApprove = nil }, text: "another function runs after an approval", unclear: true},
		{attribute: "vars", wider: func(f *flow.Flow) { f.Vars = map[string]string{"schedule": "All"} }, text: "the variable schedule of its handlers is All instead of Primary", unclear: true},
		{attribute: "environment.lambda_arns", wider: func(f *flow.Flow) { f.Environment.LambdaARNs = append(f.Environment.LambdaARNs, "arn:b") }, text: "its code may invoke arn:b", back: "its code may not invoke arn:b any more"},
		{attribute: "environment.integrations", wider: func(f *flow.Flow) { f.Environment.Integrations = nil }, text: "its environment has other integrations", unclear: true},
		{attribute: "isolated", wider: func(f *flow.Flow) { f.Isolated = false }, text: "its Python runs beside that of other flows", back: "its Python has a function and a role of its own"},
	} {
		wide := access()
		tc.wider(wide)
		check := func(before, after *flow.Flow, way diff.Way, text string) {
			t.Helper()
			changes := diff.Of(before, after, nil)
			if len(changes) != 1 || changes[0].Attribute != tc.attribute || changes[0].Way != way || !strings.Contains(changes[0].Text, text) {
				t.Errorf("%s: %+v; want one that is %s: %q", tc.attribute, changes, way, text)
			}
		}
		if tc.unclear {
			check(access(), wide, diff.Unclear, tc.text)
			if changes := diff.Of(wide, access(), nil); len(changes) == 0 || changes[0].Way != diff.Unclear {
				t.Errorf("%s, back: %+v", tc.attribute, changes)
			}
			continue
		}
		check(access(), wide, diff.Wider, tc.text)
		check(wide, access(), diff.Narrower, tc.back)
	}
	if changes := diff.Of(access(), access(), nil); len(changes) > 0 {
		t.Errorf("nothing has changed: %+v", changes)
	}
}

// TestWholeParts: what comes or goes as a whole.
func TestWholeParts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		less       func(*flow.Flow)
		wide, back string
	}{
		{func(f *flow.Flow) { f.Params.BreakGlass = nil }, "group:oncall may have access in an emergency without approval, for 30 minutes", "nobody may have access in an emergency without approval any more"},
		{func(f *flow.Flow) { f.Params.Extend = nil }, "access may be extended, 2 times by at most 1 hour each", "access can't be extended any more"},
		{func(f *flow.Flow) { f.Params.StartAt = nil }, "access may be asked for 1 day ahead instead of nothing", "access may be asked for nothing ahead instead of 1 day"},
		{func(f *flow.Flow) { f.Strategy = nil }, "gives access (by databases, http), where it asked for an approval only", "gives no access any more"},
	} {
		less := access()
		tc.less(less)
		if c := diff.Of(less, access(), nil); len(c) != 1 || c[0].Way != diff.Wider || c[0].Text != tc.wide {
			t.Errorf("%+v; want %q", c, tc.wide)
		}
		if c := diff.Of(access(), less, nil); len(c) != 1 || c[0].Way != diff.Narrower || !strings.HasPrefix(c[0].Text, tc.back) {
			t.Errorf("%+v; want %q", c, tc.back)
		}
	}
}

// crowd is who is who.
type crowd map[string][]string

func (c crowd) Named(name string) []string { return c[name] }

func (c crowd) Members(guests bool) []string {
	if guests {
		return append(slices.Clone(c["members"]), c["guests"]...)
	}
	return c["members"]
}

// TestFlows: flows that are new widen, those that are gone narrow; and people are
// counted where it is known who is who.
func TestFlows(t *testing.T) {
	t.Parallel()
	people := crowd{
		"group:platform": {"bob@example.com", "Zoe@example.com"}, "user:bob@example.com": {"bob@example.com"}, "user:lead@example.com": {"lead@example.com"},
		"members": {"alice@example.com", "bob@example.com", "carol@example.com", "lead@example.com", "zoe@example.com"}, "guests": {"guest@example.com"},
		"group:oncall": {"alice@example.com"},
	}
	gone, added, wide := access(), access(), access()
	gone.Name, added.Name = "gone", "added"
	wide.Params.Approval.Approvers, wide.Params.BreakGlass.Who = nil, []string{"group:platform"}
	wide.Label = "Another name"
	got := diff.Flows([]*flow.Flow{access(), gone}, []*flow.Flow{wide, added}, people)
	var lines []string
	for _, f := range got {
		for _, c := range f.Changes {
			lines = append(lines, f.Flow+" "+f.Against+" "+string(c.Way)+": "+c.Text)
		}
	}
	want := []string{
		"added  wider: is new: Orders, at most 1 hour · asks #access; group:platform and user:bob@example.com may decide (with the admins, 3 people)",
		"gone 1.0.3 narrower: is gone: nobody can ask for it any more",
		"prod-access 1.0.3 wider: every member of the workspace may decide, instead of group:platform, user:bob@example.com",
		"prod-access 1.0.3 wider: 2 more people may decide (5 instead of 3): alice@example.com, carol@example.com",
		"prod-access 1.0.3 wider: group:platform may have access in an emergency without approval",
		"prod-access 1.0.3 wider: 2 more people may have access in an emergency (2 instead of 1): bob@example.com, zoe@example.com",
		"prod-access 1.0.3 narrower: group:oncall may not have access in an emergency any more",
		"prod-access 1.0.3 narrower: 1 fewer person may have access in an emergency (2 instead of 1), without alice@example.com",
		"prod-access 1.0.3 other: people read other texts",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if !diff.Widens(got) || diff.Widens(got[1:2]) || diff.Widens(nil) {
		t.Error("what gets wider is not told from what does not")
	}
	unclear := access()
	unclear.Implementation = nil
	if !diff.Widens(diff.Flows([]*flow.Flow{access()}, []*flow.Flow{unclear}, nil)) {
		t.Error("what can't be told is taken as if it did not widen")
	}
}
