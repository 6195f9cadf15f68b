package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	reportARN = "arn:aws:lambda:us-east-1:123456789012:function:report"
	otherARN  = "arn:aws:lambda:us-east-1:123456789012:function:other"
)

// validAccess and validApprovalOnly are flows without faults, for tests to break.
func validAccess() *Flow {
	f := accessFlow()
	f.Environment = Environment{Name: "main", Admins: []string{"lead@example.com"}, LambdaARNs: []string{reportARN}}
	f.Params.Approval = Approval{Notify: []Notify{{Channel: "#access-prod"}}, Required: 1}
	f.Params.Extend = nil
	return f
}

func validApprovalOnly() *Flow {
	f := validAccess()
	f.Strategy = nil
	return f
}

func extends(x Extend) func(*Flow) { return func(f *Flow) { f.Params.Extend = &x } }

func minutes(n int) []Duration {
	var out []Duration
	for i := range n {
		out = append(out, Duration(time.Duration(i+1)*time.Minute))
	}
	return out
}

func durationField(allowed ...string) PromptField {
	return PromptField{Name: "duration", Type: FieldDuration, Required: true, Visible: true, AllowedValues: allowed}
}

func stringField(name string) PromptField {
	return PromptField{Name: name, Type: FieldString, Required: true, Visible: true}
}

func manyFields(n int) []PromptField {
	var out []PromptField
	for i := range n {
		out = append(out, stringField(fmt.Sprintf("f%d", i)))
	}
	return out
}

func manyValues(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestFlow_Validate(t *testing.T) {
	t.Parallel()
	sources := func(s ...Channel) func(*Flow) {
		return func(f *Flow) { f.Params.AllowedSources = &s }
	}
	field := func(p PromptField) func(*Flow) {
		return func(f *Flow) { f.Params.PromptFields = []PromptField{p} }
	}
	approval := func(change func(*Approval)) func(*Flow) {
		return func(f *Flow) { change(&f.Params.Approval) }
	}
	call := func(arn string, payload map[string]any) func(*Flow) {
		return func(f *Flow) {
			f.Params.PromptFields = []PromptField{stringField("table")}
			f.Params.OnApprove = &LambdaCall{ARN: arn, Payload: payload}
		}
	}
	const p0 = "params.prompt_fields[0]."
	for _, tc := range []struct {
		name   string
		flow   func() *Flow
		change func(*Flow)
		want   []string // "path: beginning of the message"
	}{
		{"Access", validAccess, func(*Flow) {}, nil},
		{"ApprovalOnly", validApprovalOnly, func(*Flow) {}, nil},

		{"NameMissing", validAccess, func(f *Flow) { f.Name = "" }, []string{"name: is missing"}},
		{"NameOfOtherCharacters", validAccess, func(f *Flow) { f.Name = "prod:access" }, []string{`name: "prod:access" is no name`}},
		{"NameTooLong", validAccess, func(f *Flow) { f.Name = strings.Repeat("a", 76) }, []string{"name: "}},
		{"LabelAtLimit", validAccess, func(f *Flow) { f.Label = strings.Repeat("é", 75) }, nil},
		{"LabelTooLong", validAccess, func(f *Flow) { f.Label = strings.Repeat("é", 76) }, []string{"label: has 76 characters"}},

		{"ApprovalOnlyWithDuration", validApprovalOnly, field(durationField("1h")), []string{p0 + "name: a duration field makes no sense"}},
		{"ApprovalOnlyWithTypeDuration", validApprovalOnly, field(PromptField{Name: "window", Type: FieldDuration}), nil},
		{"ApprovalOnlyWithTarget", validApprovalOnly, field(stringField("target_id")), []string{p0 + "name: a target_id field makes no sense"}},
		{"ApprovalOnlyWithMaxDuration", validApprovalOnly, func(f *Flow) { f.Params.MaxDuration = Duration(time.Hour) }, []string{"params.max_duration: nothing lasts"}},
		{"ApprovalOnlyNeedsNoEnd", validApprovalOnly, func(f *Flow) { f.Params.AllowRevoke, f.Params.ScheduleDeescalation = false, false }, nil},

		{"NoEnd", validAccess, func(f *Flow) { f.Params.AllowRevoke, f.Params.ScheduleDeescalation = false, false }, []string{"params.allow_revoke: access of this flow could never end"}},
		{"EndByHand", validAccess, func(f *Flow) { f.Params.ScheduleDeescalation = false }, nil},
		{"EndBySchedule", validAccess, func(f *Flow) { f.Params.AllowRevoke = false }, nil},
		{"EndByHandWithDuration", validAccess, func(f *Flow) {
			f.Params.ScheduleDeescalation = false
			f.Params.PromptFields = []PromptField{durationField("1h")}
		}, []string{p0 + "name: access ends only by hand"}},
		{"EndByHandWithMaxDuration", validAccess, func(f *Flow) {
			f.Params.ScheduleDeescalation = false
			f.Params.MaxDuration = Duration(time.Hour)
		}, []string{"params.max_duration: access ends only by hand"}},

		{"SourcesAll", validAccess, sources(ChannelSlack, ChannelAPI), nil},
		{"SourcesNone", validAccess, sources(), nil},
		{"SourcesUnknown", validAccess, sources(ChannelSlack, ChannelSDK), []string{`params.allowed_sources[1]: "sdk" is no source`}},
		{"SourcesTwice", validAccess, sources(ChannelAPI, ChannelAPI), []string{`params.allowed_sources[1]: "api" is listed twice`}},

		{"HeaderAtLimit", validAccess, func(f *Flow) { f.Params.AdditionalHeaderText = strings.Repeat("x", 3000) }, nil},
		{"HeaderTooLong", validAccess, func(f *Flow) { f.Params.AdditionalHeaderText = strings.Repeat("x", 3001) }, []string{"params.additional_header_text: has 3001"}},

		{"FieldNameMissing", validAccess, field(stringField("")), []string{p0 + "name: is missing"}},
		{"FieldNameNoIdentifier", validAccess, field(stringField("1st")), []string{p0 + `name: "1st" is no field name`}},
		{"FieldNameWithDash", validAccess, field(stringField("cost-center")), nil},
		{"FieldNameReserved", validAccess, field(stringField("decision_message")), []string{p0 + "name: \"decision_message\" has a meaning"}},
		{"FieldNameTwice", validAccess, func(f *Flow) {
			f.Params.PromptFields = []PromptField{stringField("reason"), stringField("Reason")}
		}, []string{`params.prompt_fields[1].name: "Reason" is the name of another field`}},
		{"FieldTypeMissing", validAccess, field(PromptField{Name: "a"}), []string{p0 + "type: is missing"}},
		{"FieldTypeUnknown", validAccess, field(PromptField{Name: "a", Type: "list"}), []string{p0 + `type: "list" is no field type: write one of string, int, bool`}},
		{"FieldLabelTooLong", validAccess, field(PromptField{Name: "a", Type: FieldString, Label: strings.Repeat("x", 2001)}), []string{p0 + "label: has 2001"}},
		{"FieldsAtLimit", validAccess, func(f *Flow) { f.Params.PromptFields = manyFields(90) }, nil},
		{"FieldsTooMany", validAccess, func(f *Flow) { f.Params.PromptFields = manyFields(91) }, []string{"params.prompt_fields: has 91 fields"}},
		{"FieldPrefetch", validAccess, field(PromptField{Name: "a", Type: FieldString, Prefetch: true}), []string{p0 + "prefetch: "}},
		{"FieldOnChange", validAccess, field(PromptField{Name: "a", Type: FieldString, OnChange: NewSource("a.py", "")}), []string{p0 + "on_change: "}},
		{"FieldOnChangeOfAnother", validAccess, field(PromptField{Name: "a-b", Type: FieldString, OnChange: &Source{Name: "a.py", Text: "…", Handlers: []string{"on_change_a"}}}), []string{p0 + "on_change: a.py does not define on_change_a_b(username, form)"}},
		{"FieldPrefetchWithoutReducer", validAccess, func(f *Flow) {
			field(PromptField{Name: "a", Type: FieldString, Prefetch: true})(f)
			f.Implementation = described("on_request")
		}, []string{p0 + `prefetch: impl.py has no reducer for this field: write one with @prefetch(field_name="a")`}},
		{"FieldPrefetchOfPeople", validAccess, func(f *Flow) {
			field(PromptField{Name: "a", Type: FieldSlackUser, Prefetch: true})(f)
			f.Implementation = described("prefetch:a")
		}, []string{p0 + "prefetch: does not go with type slack_user"}},
		{"FieldPrefetchOfDuration", validAccess, func(f *Flow) {
			field(PromptField{Name: "duration", Type: FieldDuration, Required: true, Visible: true, AllowedValues: []string{"1h"}, Prefetch: true})(f)
			f.Implementation = described("prefetch:duration")
		}, []string{p0 + "prefetch: duration offers what the configuration says"}},
		{"ReducerWithoutField", validAccess, func(f *Flow) { f.Implementation = described("prefetch:repo") }, []string{`implementation: impl.py has a prefetch reducer for "repo"`}},
		{"UnknownHook", validAccess, func(f *Flow) { f.Implementation = described("on_aprove", "on_change_repo", "get_timeout") }, []string{"implementation: impl.py defines on_aprove, which nothing would ever call"}},
		{"EmptyImplementation", validAccess, func(f *Flow) { f.Implementation = NewSource("impl.py", "") }, []string{"implementation: is empty"}},
		{"LongImplementation", validAccess, func(f *Flow) { f.Implementation = NewSource("impl.py", strings.Repeat("#", MaxSourceBytes+1)) }, []string{"implementation: impl.py has 257 KB: a source may have 256 KB"}},
		{"HandlerTimeout", validAccess, func(f *Flow) { f.Params.HandlerTimeout = Duration(30 * time.Second) }, nil},
		{"HandlerTimeoutTooLong", validAccess, func(f *Flow) { f.Params.HandlerTimeout = Duration(31 * time.Second) }, []string{"params.handler_timeout: must be a duration of at most 30 seconds"}},
		{"NobodyToAskByHandler", validAccess, func(f *Flow) {
			f.Params.Approval.Notify, f.Implementation = nil, described("get_request_notifications")
		}, nil},
		{"NobodyToAskByOtherHandlers", validAccess, func(f *Flow) {
			f.Params.Approval.Notify, f.Implementation = nil, described("get_permissions")
		}, []string{"params.approval.notify: "}},

		{"ValuesAtLimit", validAccess, field(PromptField{Name: "a", Type: FieldInt, AllowedValues: manyValues(100)}), nil},
		{"ValuesTooMany", validAccess, field(PromptField{Name: "a", Type: FieldInt, AllowedValues: manyValues(101)}), []string{p0 + "allowed_values: has 101 values"}},
		{"ValueTooLong", validAccess, field(PromptField{Name: "a", Type: FieldString, AllowedValues: []string{strings.Repeat("x", 76)}}), []string{p0 + "allowed_values[0]: has 76"}},
		{"ValueEmpty", validAccess, field(PromptField{Name: "a", Type: FieldString, AllowedValues: []string{"x", " "}}), []string{p0 + "allowed_values[1]: is empty"}},
		{"ValueTwice", validAccess, field(PromptField{Name: "a", Type: FieldDuration, AllowedValues: []string{"60s", "1m"}}), []string{p0 + `allowed_values[1]: "1m" is there twice`}},
		{"ValueNotInt", validAccess, field(PromptField{Name: "a", Type: FieldIntList, AllowedValues: []string{"1", "one"}}), []string{p0 + `allowed_values[1]: "one" is not a whole number`}},
		{"ValueNotBool", validAccess, field(PromptField{Name: "a", Type: FieldBool, AllowedValues: []string{"true", "yes"}}), []string{p0 + `allowed_values[1]: "yes" is neither true nor false`}},
		{"ValueNotDuration", validAccess, field(PromptField{Name: "a", Type: FieldDuration, AllowedValues: []string{"1y"}}), []string{p0 + "allowed_values[0]: \"1y\" is not a duration: there is no unit `y`, only s, m, h, d and mo (30 days); write 30m, say"}},
		{"ValueOfSlackUser", validAccess, field(PromptField{Name: "a", Type: FieldSlackUser, AllowedValues: []string{"U024BE7LH"}}), []string{p0 + "allowed_values: does not go with type slack_user"}},
		{"ValueOfSlackUserList", validAccess, field(PromptField{Name: "a", Type: FieldSlackUserList, AllowedValues: []string{"U024BE7LH"}}), []string{p0 + "allowed_values: does not go with type slack_user_list"}},

		{"DefaultRight", validAccess, field(PromptField{Name: "a", Type: FieldInt, Default: "2", AllowedValues: []string{"1", "2"}}), nil},
		{"DefaultNotAllowed", validAccess, field(PromptField{Name: "a", Type: FieldInt, Default: "3", AllowedValues: []string{"1", "2"}}), []string{p0 + `default: "3" is no value of this field`}},
		{"DefaultOfOtherType", validAccess, field(PromptField{Name: "a", Type: FieldBool, Default: "on"}), []string{p0 + `default: "on" is no value`}},
		{"DefaultTooLong", validAccess, field(PromptField{Name: "a", Type: FieldString, Default: strings.Repeat("x", 3001)}), []string{p0 + "default: is too long"}},
		{"DefaultOfSlackUser", validAccess, field(PromptField{Name: "a", Type: FieldSlackUser, Default: "U024BE7LH"}), []string{p0 + "default: does not go with type slack_user"}},
		{"DefaultOfList", validAccess, field(PromptField{Name: "a", Type: FieldStringList, Default: "x"}), []string{p0 + "default: does not go with type str_list"}},

		{"TargetRight", validAccess, field(PromptField{Name: "target_id", Type: FieldString, Required: true, Visible: true, Default: "Orders-DB"}), nil},
		{"TargetOfOtherType", validAccess, field(PromptField{Name: "target_id", Type: FieldInt, Required: true, Visible: true}), []string{p0 + "type: target_id holds a target's id"}},
		{"TargetOptional", validAccess, field(PromptField{Name: "target_id", Type: FieldString, Visible: true}), []string{p0 + "required: no access without target_id"}},
		{"TargetHidden", validAccess, field(PromptField{Name: "target_id", Type: FieldString, Required: true}), []string{p0 + "visible: no access without target_id"}},
		{"TargetDefaultUnknown", validAccess, field(PromptField{Name: "target_id", Type: FieldString, Required: true, Visible: true, Default: "x"}), []string{p0 + `default: "x" is not one of the targets`}},

		{"DurationRight", validAccess, field(durationField("30s", "8h")), nil},
		{"DurationOfOtherType", validAccess, field(PromptField{Name: "duration", Type: FieldInt, Required: true, Visible: true, AllowedValues: []string{"60"}}), []string{p0 + "type: the field duration says"}},
		{"DurationOptional", validAccess, field(PromptField{Name: "duration", Type: FieldDuration, Visible: true, AllowedValues: []string{"1h"}}), []string{p0 + "required: no access without duration"}},
		{"DurationHidden", validAccess, field(PromptField{Name: "duration", Type: FieldDuration, Required: true, AllowedValues: []string{"1h"}}), []string{p0 + "visible: no access without duration"}},
		{"DurationWithoutValues", validAccess, field(durationField()), []string{p0 + "allowed_values: is missing"}},
		{"DurationAtMax", validAccess, func(f *Flow) {
			f.Params.MaxDuration = Duration(time.Hour)
			f.Params.PromptFields = []PromptField{durationField("1h")}
		}, nil},
		{"DurationOverMax", validAccess, func(f *Flow) {
			f.Params.MaxDuration = Duration(time.Hour)
			f.Params.PromptFields = []PromptField{durationField("1h", "61m")}
		}, []string{p0 + "allowed_values[1]: 61m is longer than max_duration (1 hour)"}},
		{"ImplicitDurationAtMax", validAccess, func(f *Flow) { f.Params.MaxDuration = Duration(time.Hour) }, nil},
		{"ImplicitDurationOverMax", validAccess, func(f *Flow) { f.Params.MaxDuration = Duration(59 * time.Minute) }, []string{"params.max_duration: a flow without a duration field offers 30s, 10m, 1h, and 1h is longer"}},
		{"MaxDurationNegative", validAccess, func(f *Flow) { f.Params.MaxDuration = -1 }, []string{"params.max_duration: must be more than nothing"}},

		{"BindingRight", validAccess, func(f *Flow) {
			f.Strategy.Targets = []Target{{Name: "a", FieldBindings: []string{"schema"}}, {Name: "b", FieldBindings: []string{"schema"}}}
			f.Params.PromptFields = []PromptField{stringField("schema")}
		}, nil},
		{"BindingUndeclared", validAccess, func(f *Flow) {
			f.Strategy.Targets = []Target{{Name: "a", FieldBindings: []string{"schema"}}, {Name: "b", FieldBindings: []string{"schema"}}}
		}, []string{`params.prompt_fields: target "a" binds its setting "schema"`}},
		{"BindingOfList", validAccess, func(f *Flow) {
			f.Strategy.Targets = []Target{{Name: "a", FieldBindings: []string{"groups"}}}
			f.Params.PromptFields = []PromptField{{Name: "groups", Type: FieldStringList, Required: true, Visible: true}}
		}, nil},
		{"BindingMayBeEmpty", validAccess, func(f *Flow) {
			f.Strategy.Targets = []Target{{Name: "a", FieldBindings: []string{"schema"}}}
			f.Params.PromptFields = []PromptField{{Name: "schema", Type: FieldString, Visible: true}}
		}, []string{p0 + `required: target "a" binds its setting "schema"`}},
		{"BindingWithFallback", validAccess, func(f *Flow) {
			f.Strategy.Targets = []Target{{Name: "a", FieldBindings: []string{"schema"}, Settings: map[string]string{"schema": "public"}}}
			f.Params.PromptFields = []PromptField{{Name: "schema", Type: FieldString, Visible: true}}
		}, nil},
		{"BindingWithDefault", validAccess, func(f *Flow) {
			f.Strategy.Targets = []Target{{Name: "a", FieldBindings: []string{"schema"}}}
			f.Params.PromptFields = []PromptField{{Name: "schema", Type: FieldString, Visible: true, Default: "public"}}
		}, nil},

		{"NotifyNobody", validAccess, approval(func(a *Approval) { a.Notify = nil }), []string{"params.approval.notify: nobody would ever hear"}},
		{"NotifyEmptyTier", validAccess, approval(func(a *Approval) { a.Notify = append(a.Notify, Notify{}) }), []string{"params.approval.notify[1]: asks nobody"}},
		{"NotifyBoth", validAccess, approval(func(a *Approval) { a.Notify[0].Users = []string{"a@example.com"} }), []string{"params.approval.notify[0]: has both"}},
		{"NotifyChannelID", validAccess, approval(func(a *Approval) { a.Notify[0].Channel = "C024BE91L" }), nil},
		{"NotifyNoChannel", validAccess, approval(func(a *Approval) { a.Notify[0].Channel = "access" }), []string{`params.approval.notify[0].channel: "access" is not a Slack channel`}},
		{"NotifyLongestChannel", validAccess, approval(func(a *Approval) { a.Notify[0].Channel = "#" + strings.Repeat("ä", 80) }), nil},
		{"NotifyLongerChannel", validAccess, approval(func(a *Approval) { a.Notify[0].Channel = "#" + strings.Repeat("a", 81) }), []string{`params.approval.notify[0].channel: `}},
		{"NotifyUpperCaseChannel", validAccess, approval(func(a *Approval) { a.Notify[0].Channel = "#Access" }), []string{`params.approval.notify[0].channel: `}},
		{"NotifySevenPeople", validAccess, approval(func(a *Approval) { a.Notify[0] = Notify{Users: people(7)} }), nil},
		{"NotifyEightPeople", validAccess, approval(func(a *Approval) { a.Notify[0] = Notify{Users: people(8)} }), []string{"params.approval.notify[0].users: has 8 people"}},
		{"NotifyNoEmail", validAccess, approval(func(a *Approval) { a.Notify[0] = Notify{Users: []string{"lead"}} }), []string{`params.approval.notify[0].users[0]: "lead" is not an e-mail`}},
		{"NotifyTwice", validAccess, approval(func(a *Approval) { a.Notify[0] = Notify{Users: []string{"a@example.com", "A@example.com"}} }), []string{"params.approval.notify[0].users[1]: "}},
		{"NotifyTimeout", validAccess, approval(func(a *Approval) { a.Notify[0].Timeout = -1 }), []string{"params.approval.notify[0].timeout: "}},

		{"ApproversRight", validAccess, approval(func(a *Approval) { a.Approvers = []string{"group:platform", "group:S0614TZR7", "user:a@example.com"} }), nil},
		{"ApproverNoKind", validAccess, approval(func(a *Approval) { a.Approvers = []string{"a@example.com"} }), []string{`params.approval.approvers[0]: "a@example.com" names no approver`}},
		{"ApproverNoEmail", validAccess, approval(func(a *Approval) { a.Approvers = []string{"user:alice"} }), []string{"params.approval.approvers[0]: "}},
		{"ApproverNoHandle", validAccess, approval(func(a *Approval) { a.Approvers = []string{"group:@platform"} }), []string{"params.approval.approvers[0]: "}},
		{"ApproverTwice", validAccess, approval(func(a *Approval) { a.Approvers = []string{"group:a", "group:A"} }), []string{"params.approval.approvers[1]: "}},
		{"RequiredNone", validAccess, approval(func(a *Approval) { a.Required = 0 }), []string{"params.approval.required: must be at least 1"}},
		{"RequiredWithAdmin", validAccess, approval(func(a *Approval) { a.Approvers, a.Required = []string{"user:a@example.com"}, 2 }), nil},
		{"RequiredTooMany", validAccess, approval(func(a *Approval) {
			a.Approvers, a.Required = []string{"user:a@example.com", "user:LEAD@example.com"}, 3
		}), []string{"params.approval.required: needs 3 different people, and only 2"}},
		{"RequiredOfGroup", validAccess, approval(func(a *Approval) { a.Approvers, a.Required = []string{"group:platform"}, 9 }), nil},
		{"RequiredOfMembers", validAccess, approval(func(a *Approval) { a.Required = 9 }), nil},

		{"CallRight", validApprovalOnly, call(reportARN, map[string]any{
			"a": "fields.table", "b": []any{"run.id", "run.srn", map[string]any{"c": "requester.email"}}, "d": "requester.id",
			"e": "approver.email", "f": "approver.id", "g": `\run.sh`, "h": "some fields.table", "i": 1.5, "j": nil, "k": "fields.",
		}), nil},
		{"CallInAccessFlow", validAccess, call(reportARN, nil), []string{"params.on_approve: goes with approval-only flows"}},
		{"CallAfterInAccessFlow", validAccess, func(f *Flow) { f.Params.AfterApprove = &LambdaCall{ARN: reportARN} }, []string{"params.after_approve: goes with approval-only flows"}},
		{"CallNoARN", validApprovalOnly, call("report", nil), []string{`params.on_approve.lambda_arn: "report" is not the ARN`}},
		{"CallNotListed", validApprovalOnly, call(otherARN, nil), []string{"params.on_approve.lambda_arn: " + otherARN + " is not among"}},
		{"CallUnknownField", validApprovalOnly, call(reportARN, map[string]any{"a": []any{"x", "fields.tabel"}}), []string{`params.on_approve.payload.a[1]: "fields.tabel" refers to no field`}},
		{"CallUnknownReference", validApprovalOnly, call(reportARN, map[string]any{"a": "run.status"}), []string{`params.on_approve.payload.a: "run.status" refers to nothing`}},
		{"CallFieldThatIsNoReference", validApprovalOnly, call(reportARN, map[string]any{"a": "approver.fields"}), []string{`params.on_approve.payload.a: "approver.fields" refers to nothing`}},

		{"Extend", validAccess, extends(Extend{Max: 2, For: []Duration{Duration(30 * time.Minute)}, Approval: ExtendNone}), nil},
		{"ExtendNothing", validAccess, extends(Extend{}), []string{
			"params.extend.max: must be 1 or more", `params.extend.approval: "" says not who decides`, "params.extend.for: is missing",
		}},
		{"ExtendTooLong", validAccess, func(f *Flow) {
			extends(Extend{Max: 1, For: []Duration{Duration(8 * time.Hour), Duration(time.Hour), Duration(time.Hour), 0}, Approval: ExtendSame})(f)
			f.Params.MaxDuration = Duration(8 * time.Hour)
		}, []string{
			"params.extend.for[0]: is no shorter than max_duration (8 hours)", "params.extend.for[2]: is there twice", "params.extend.for[3]: must be more than nothing",
		}},
		{"ExtendTooMany", validAccess, extends(Extend{Max: 1, For: minutes(11), Approval: ExtendSame}), []string{"params.extend.for: has 11 durations"}},
		{"ExtendApprovalOnly", validApprovalOnly, extends(Extend{Max: 1, For: minutes(1), Approval: ExtendSame}), []string{"params.extend: only access that ends by its duration"}},
		{"ExtendForever", validAccess, func(f *Flow) {
			extends(Extend{Max: 1, For: minutes(1), Approval: ExtendSame})(f)
			f.Params.ScheduleDeescalation = false
		}, []string{"params.extend: only access that ends by its duration"}},

		{"AllAtOnce", validApprovalOnly, func(f *Flow) {
			f.Name, f.Params.PromptFields, f.Params.Approval = "", []PromptField{durationField("x")}, Approval{}
		}, []string{
			"name: is missing", p0 + "name: a duration field makes no sense", p0 + `allowed_values[0]: "x" is not a duration: write a whole number and s, m, h, d or mo (30 days), such as 30m`,
			"params.approval.notify: nobody", "params.approval.required: must be at least 1",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := tc.flow()
			tc.change(f)
			var got []string
			for i, fault := range f.Validate() {
				s := fault.Path + ": " + fault.Message
				if i < len(tc.want) && strings.HasPrefix(s, tc.want[i]) {
					s = tc.want[i]
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func people(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("p%d@example.com", i))
	}
	return out
}

// described is an implementation that defines these handlers.
func described(handlers ...string) *Source {
	s := NewSource("impl.py", "from sym.sdk.annotations import hook")
	s.Handlers = append([]string{}, handlers...)
	return s
}

func TestCheckStrategySource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		source *Source
		want   string // "" for none
	}{
		{"None", nil, "is missing"},
		{"Empty", NewSource("s.py", ""), "is empty"},
		{"NotText", NewSource("s.py", "\xff"), "is not UTF-8"},
		{"NotLookedAt", NewSource("s.py", "class S: pass"), ""},
		{"One", described("strategy:S", "get_identity"), ""},
		{"Nothing", described(), "has 0 classes"},
		{"Two", described("strategy:S", "strategy:T"), "has 2 classes"},
	} {
		err := CheckStrategySource(c.source)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
