package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func names(fields []PromptField) []string {
	var out []string
	for _, p := range fields {
		out = append(out, p.Name)
	}
	return out
}

func TestFlow_Fields(t *testing.T) {
	t.Parallel()
	duration := durationField("1h")
	for _, tc := range []struct {
		name      string
		flow      *Flow
		byHand    bool
		declared  []PromptField
		want      []string
		durations []string
	}{
		{"Implicit", accessFlow(), false, []PromptField{stringField("reason")}, []string{"target_id", "reason", "duration"}, DefaultDurations},
		{"Declared", accessFlow(), false, []PromptField{duration, stringField("reason"), stringField("target_id")}, []string{"duration", "reason", "target_id"}, []string{"1h"}},
		{"ByHand", accessFlow(), true, []PromptField{stringField("reason")}, []string{"target_id", "reason"}, nil},
		{"ApprovalOnly", approvalFlow(), false, []PromptField{stringField("reason")}, []string{"reason"}, nil},
		{"ApprovalOnlyEmpty", approvalFlow(), false, nil, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.flow.Params.PromptFields = tc.declared
			tc.flow.Params.ScheduleDeescalation = !tc.byHand
			got := tc.flow.Fields()
			if diff := cmp.Diff(tc.want, names(got)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			for _, p := range got {
				if p.Name == FieldNameDuration {
					if diff := cmp.Diff(tc.durations, p.AllowedValues); diff != "" {
						t.Errorf("durations (-want +got):\n%s", diff)
					}
				}
			}
		})
	}
}

// submitFlow is an access flow with a field of every type.
func submitFlow() *Flow {
	f := accessFlow()
	f.Params.MaxDuration = Duration(2 * time.Hour)
	f.Params.PromptFields = []PromptField{
		stringField("reason"),
		{Name: "env", Type: FieldString, Visible: true, AllowedValues: []string{"dev", "prod"}},
		{Name: "rows", Type: FieldInt, Visible: true},
		{Name: "shards", Type: FieldInt, Visible: true, AllowedValues: []string{"1", "02"}},
		{Name: "urgent", Type: FieldBool, Visible: true},
		{Name: "never", Type: FieldBool, Visible: true, AllowedValues: []string{"false"}},
		{Name: "window", Type: FieldDuration, Visible: true},
		{Name: "peer", Type: FieldSlackUser, Visible: true},
		{Name: "peers", Type: FieldSlackUserList, Visible: true},
		{Name: "tags", Type: FieldStringList, Visible: true},
		{Name: "ports", Type: FieldIntList, Visible: true, AllowedValues: []string{"80", "443"}},
		{Name: "level", Type: FieldString, Visible: true, Required: true, Default: "low"},
		{Name: "hidden", Type: FieldString, Required: true},
		{Name: "secret", Type: FieldString, Default: "s"},
		durationField("30m", "1h", "3h"),
	}
	return f
}

func TestFlow_Submit(t *testing.T) {
	t.Parallel()
	ordersID := TargetID("acme", "orders-db")
	for _, tc := range []struct {
		name   string
		values map[string]any // added to the least that is needed; nil takes away
		want   map[string]any // of the fields given
		faults map[string]string
	}{
		{"Least", nil, map[string]any{"reason": "why", "target_id": ordersID, "duration": int64(3600), "level": "low"}, nil},
		{"TargetByID", map[string]any{"target_id": strings.ToUpper(ordersID)}, map[string]any{"target_id": ordersID}, nil},
		{"TargetMissing", map[string]any{"target_id": nil}, nil, map[string]string{"target_id": "is required"}},
		{"TargetUnknown", map[string]any{"target_id": "orders"}, nil, map[string]string{"target_id": "`orders` is not one of the flow's targets"}},
		{"TargetOfOtherOrg", map[string]any{"target_id": TargetID("other", "orders-db")}, nil, map[string]string{"target_id": "not one of"}},
		{"TargetNoText", map[string]any{"target_id": map[string]any{"a": 1.0}}, nil, map[string]string{"target_id": "not one of"}},

		{"DurationSeconds", map[string]any{"duration": 1800.0}, map[string]any{"duration": int64(1800)}, nil},
		{"DurationNumberText", map[string]any{"duration": "1800"}, map[string]any{"duration": int64(1800)}, nil},
		{"DurationOtherUnit", map[string]any{"duration": "60m"}, map[string]any{"duration": int64(3600)}, nil},
		{"DurationMissing", map[string]any{"duration": nil}, nil, map[string]string{"duration": "is required"}},
		{"DurationNotAllowed", map[string]any{"duration": "10m"}, nil, map[string]string{"duration": "`10m` is not allowed: choose one of 30m, 1h, 3h"}},
		{"DurationOverMax", map[string]any{"duration": "3h"}, nil, map[string]string{"duration": "longer than this flow allows: at most 2 hours"}},
		{"DurationZero", map[string]any{"duration": 0.0}, nil, map[string]string{"duration": "is not a duration"}},
		{"DurationNegative", map[string]any{"duration": -3600}, nil, map[string]string{"duration": "is not a duration"}},
		{"DurationHuge", map[string]any{"duration": int64(1) << 52}, nil, map[string]string{"duration": "is not a duration"}},
		{"DurationFraction", map[string]any{"duration": 0.5}, nil, map[string]string{"duration": "is not a duration"}},
		{"DurationList", map[string]any{"duration": []any{3600.0}}, nil, map[string]string{"duration": "is not a duration"}},

		{"RequiredMissing", map[string]any{"reason": nil}, nil, map[string]string{"reason": "is required"}},
		{"RequiredBlank", map[string]any{"reason": " \n"}, nil, map[string]string{"reason": "is required"}},
		{"HiddenMayBeLeftOut", nil, map[string]any{"hidden": nil}, nil},
		{"HiddenGiven", map[string]any{"hidden": "x"}, nil, map[string]string{"hidden": "is hidden (visible: false) and can't be given: leave it out"}},
		{"HiddenGivenWrongly", map[string]any{"hidden": 7}, nil, map[string]string{"hidden": "is hidden"}},
		{"HiddenGivenNothing", map[string]any{"hidden": ""}, map[string]any{"hidden": nil, "secret": "s"}, nil},
		{"HiddenDefault", nil, map[string]any{"secret": "s"}, nil},
		{"HiddenDefaultGiven", map[string]any{"secret": "s"}, nil, map[string]string{"secret": "is hidden"}},
		{"DefaultReplacesBlank", map[string]any{"level": ""}, map[string]any{"level": "low"}, nil},
		{"DefaultReplaced", map[string]any{"level": "high"}, map[string]any{"level": "high"}, nil},
		{"Unknown", map[string]any{"admin": true}, nil, map[string]string{"admin": `is not a field of flow "prod-access"`}},

		{"StringAllowed", map[string]any{"env": "dev"}, map[string]any{"env": "dev"}, nil},
		{"StringNotAllowed", map[string]any{"env": "Dev"}, nil, map[string]string{"env": "`Dev` is not allowed: choose one of dev, prod"}},
		{"StringNumber", map[string]any{"env": 1.0}, nil, map[string]string{"env": "is not text"}},

		{"IntFloat", map[string]any{"rows": 100.0}, map[string]any{"rows": int64(100)}, nil},
		{"IntText", map[string]any{"rows": " -7 "}, map[string]any{"rows": int64(-7)}, nil},
		{"IntJSONNumber", map[string]any{"rows": json.Number("12")}, map[string]any{"rows": int64(12)}, nil},
		{"IntAtLimit", map[string]any{"rows": int64(9007199254740991)}, map[string]any{"rows": int64(9007199254740991)}, nil},
		{"IntOverLimit", map[string]any{"rows": int64(9007199254740992)}, nil, map[string]string{"rows": "between -9007199254740991 and 9007199254740991"}},
		{"IntFloatOverLimit", map[string]any{"rows": float64(9007199254740992)}, nil, map[string]string{"rows": "is not between -9007199254740991"}},
		{"IntFraction", map[string]any{"rows": 1.5}, nil, map[string]string{"rows": "is not a whole number"}},
		{"IntNaN", map[string]any{"rows": math.NaN()}, nil, map[string]string{"rows": "is not a whole number"}},
		{"IntInfinite", map[string]any{"rows": math.Inf(-1)}, nil, map[string]string{"rows": "is not a whole number"}},
		{"IntWord", map[string]any{"rows": "many"}, nil, map[string]string{"rows": "is not a whole number"}},
		{"IntBool", map[string]any{"rows": true}, nil, map[string]string{"rows": "is not a whole number"}},
		{"IntAllowed", map[string]any{"shards": 2.0}, map[string]any{"shards": int64(2)}, nil},
		{"IntNotAllowed", map[string]any{"shards": 3.0}, nil, map[string]string{"shards": "3 is not allowed"}},

		{"BoolTrue", map[string]any{"urgent": true}, map[string]any{"urgent": true}, nil},
		{"BoolText", map[string]any{"urgent": "false"}, map[string]any{"urgent": false}, nil},
		{"BoolNumber", map[string]any{"urgent": 1.0}, nil, map[string]string{"urgent": "is neither true nor false"}},
		{"BoolList", map[string]any{"urgent": []any{true}}, nil, map[string]string{"urgent": "is neither true nor false"}},
		{"BoolNotAllowed", map[string]any{"never": true}, nil, map[string]string{"never": "true is not allowed"}},

		{"DurationField", map[string]any{"window": "2d"}, map[string]any{"window": int64(2 * 86400)}, nil},

		{"SlackUser", map[string]any{"peer": "U024BE7LH"}, map[string]any{"peer": "U024BE7LH"}, nil},
		{"SlackUserName", map[string]any{"peer": "@alice"}, nil, map[string]string{"peer": "is not a Slack user id"}},
		{"SlackUserMention", map[string]any{"peers": []any{"U024BE7LH", "<!channel>"}}, nil, map[string]string{"peers": "is not a Slack user id"}},
		{"SlackUsers", map[string]any{"peers": []string{"U024BE7LH", "W012A3CDE"}}, map[string]any{"peers": []string{"U024BE7LH", "W012A3CDE"}}, nil},

		{"ListLines", map[string]any{"tags": " a\n\nb \n"}, map[string]any{"tags": []string{"a", "b"}}, nil},
		{"ListEmptyIsNone", map[string]any{"tags": []any{}}, map[string]any{"tags": nil}, nil},
		{"ListEmptyItem", map[string]any{"tags": []any{"a", " "}}, nil, map[string]string{"tags": "item 2, ` `, is empty"}},
		{"ListOfOtherType", map[string]any{"tags": []any{"a", 1.0}}, nil, map[string]string{"tags": "is not text"}},
		{"ListNone", map[string]any{"tags": 7.0}, nil, map[string]string{"tags": "is not a list"}},
		{"Ints", map[string]any{"ports": []any{80.0, "443"}}, map[string]any{"ports": []int64{80, 443}}, nil},
		{"IntsTyped", map[string]any{"ports": []int64{443}}, map[string]any{"ports": []int64{443}}, nil},
		{"IntsLine", map[string]any{"ports": "80\n\ntwo\n"}, nil, map[string]string{"ports": "line 3, `two`, is not a whole number"}},
		{"DurationUnit", map[string]any{"duration": "30 min"}, nil, map[string]string{"duration": "`30 min` is not a duration: there is no unit `min`, only s, m, h, d and mo"}},
		{"DurationNoUnit", map[string]any{"duration": "soon"}, nil, map[string]string{"duration": "`soon` is not a duration: write a whole number and s, m, h, d or mo"}},
		{"DurationOverMaxAsTyped", map[string]any{"duration": " 3h "}, nil, map[string]string{"duration": "` 3h ` is longer than this flow allows: at most 2 hours"}},
		{"IntsNotAllowed", map[string]any{"ports": []any{80.0, 22.0}}, nil, map[string]string{"ports": "item 2, 22, is not allowed"}},

		{"AllAtOnce", map[string]any{"reason": nil, "rows": "x", "duration": "2h", "extra": 1},
			nil, map[string]string{"reason": "is required", "rows": "whole number", "duration": "not allowed", "extra": "is not a field"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			values := map[string]any{"reason": "why", "target_id": "Orders-DB", "duration": "1h"}
			for k, v := range tc.values {
				if v == nil {
					delete(values, k)
				} else {
					values[k] = v
				}
			}
			sub, err := submitFlow().Submit(values)
			if len(tc.faults) > 0 {
				var e *Error
				if !errors.As(err, &e) || e.Code != CodeInvalid {
					t.Fatalf("got %+v, %v", sub, err)
				}
				for i, f := range e.Fields {
					want, ok := tc.faults[f.Field]
					if !ok || !strings.Contains(f.Message, want) {
						t.Errorf("%s: %s, want %q", f.Field, f.Message, want)
					}
					if i > 0 && e.Fields[i-1].Field > f.Field {
						t.Errorf("%q comes before %q", e.Fields[i-1].Field, f.Field)
					}
				}
				if len(e.Fields) != len(tc.faults) {
					t.Errorf("%d faults, want %d: %v", len(e.Fields), len(tc.faults), err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range tc.want {
				if diff := cmp.Diff(want, sub.Fields[k]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", k, diff)
				}
			}
			if sub.Target == nil || sub.Target.Name != "orders-db" {
				t.Errorf("target %+v", sub.Target)
			}
			if got := sub.Fields[FieldNameDuration]; got != int64(sub.Duration/time.Second) {
				t.Errorf("duration %v and field %v", sub.Duration, got)
			}
		})
	}
}

// Access without an end that somebody chose is never granted by mistake,
// even where the configuration hides the field.
func TestFlow_SubmitHiddenDuration(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Params.PromptFields = []PromptField{{Name: "duration", Type: FieldDuration}, {Name: "target_id", Type: FieldString}}
	_, err := f.Submit(nil)
	var e *Error
	if !errors.As(err, &e) || len(e.Fields) != 2 {
		t.Errorf("got %v", err)
	}
}

func TestFlow_SubmitByHand(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Params.ScheduleDeescalation = false
	sub, err := f.Submit(map[string]any{"target_id": "orders-db"})
	if err != nil || sub.Duration != 0 || sub.Target == nil {
		t.Errorf("got %+v, %v", sub, err)
	}
	if _, err := f.Submit(map[string]any{"target_id": "orders-db", "duration": "1h"}); CodeOf(err) != CodeInvalid {
		t.Errorf("a duration without effect: got %v", err)
	}
}

func TestFlow_SubmitApprovalOnly(t *testing.T) {
	t.Parallel()
	f := approvalFlow()
	f.Params.PromptFields = []PromptField{stringField("table")}
	sub, err := f.Submit(map[string]any{"table": "orders"})
	if diff := cmp.Diff(Submission{Fields: map[string]any{"table": "orders"}}, sub); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, name := range []string{"target_id", "duration"} {
		if _, err := f.Submit(map[string]any{"table": "orders", name: "x"}); CodeOf(err) != CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestFlow_SubmitTooLarge(t *testing.T) {
	t.Parallel()
	f := approvalFlow()
	f.Params.PromptFields = []PromptField{stringField("table")}
	around := len(`{"table":""}`)
	if _, err := f.Submit(map[string]any{"table": strings.Repeat("x", MaxFieldsBytes-around)}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := f.Submit(map[string]any{"table": strings.Repeat("<>&x", (MaxFieldsBytes-around)/4)}); err != nil {
		t.Errorf("what JSON may write in six bytes counts as one: %v", err)
	}
	if _, err := f.Submit(map[string]any{"table": strings.Repeat("x", MaxFieldsBytes-around+1)}); CodeOf(err) != CodeTooLarge {
		t.Errorf("over the limit: %v", err)
	}
}

func TestFlow_SubmitBindsTarget(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Strategy.Targets = []Target{{
		Name: "db", Settings: map[string]string{"schema": "public", "host": "db.example.com"},
		FieldBindings: []string{"schema", "rows", "wide", "ports", "tags", "absent"},
	}}
	optional := func(name string, typ FieldType) PromptField { return PromptField{Name: name, Type: typ, Visible: true} }
	f.Params.PromptFields = []PromptField{
		optional("schema", FieldString), optional("rows", FieldInt), optional("wide", FieldBool),
		optional("ports", FieldIntList), optional("tags", FieldStringList), optional("absent", FieldString), optional("other", FieldString),
	}
	sub, err := f.Submit(map[string]any{
		"target_id": "db", "duration": "1h", "schema": "audit", "rows": 9007199254740991.0, "wide": true,
		"ports": []any{80.0, 443.0}, "tags": "a\nb", "other": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"schema": "audit", "host": "db.example.com", "rows": "9007199254740991", "wide": "true"}
	if diff := cmp.Diff(want, sub.Target.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	each := []map[string]string{{"ports": "80", "tags": "a"}, {"ports": "80", "tags": "b"}, {"ports": "443", "tags": "a"}, {"ports": "443", "tags": "b"}}
	if diff := cmp.Diff(each, sub.Target.Each); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if got := f.Strategy.Targets[0].Settings["schema"]; got != "public" {
		t.Errorf("the flow's own target changed: schema is %q", got)
	}
}

// Whatever Validate finds right as a default, Submit takes.
func TestFlow_SubmitTakesValidDefaults(t *testing.T) {
	t.Parallel()
	for typ, value := range map[FieldType]string{FieldString: "x", FieldInt: "-3", FieldBool: "true", FieldDuration: "1mo"} {
		f := validApprovalOnly()
		f.Params.PromptFields = []PromptField{{Name: "a", Type: typ, Required: true, Visible: true, Default: value, AllowedValues: []string{value}}}
		if faults := f.Validate(); len(faults) > 0 {
			t.Errorf("%s: %v", typ, faults)
		}
		if sub, err := f.Submit(nil); err != nil || sub.Fields["a"] == nil {
			t.Errorf("%s: %v, %v", typ, sub.Fields, err)
		}
	}
}

func TestStrategy_Target(t *testing.T) {
	t.Parallel()
	id := TargetID("acme", "second")
	// A name that is another target's id: the name wins.
	s := Strategy{Targets: []Target{{Name: "First"}, {Name: "second"}, {Name: id}}}
	for in, want := range map[string]string{"first": "First", "FIRST": "First", id: id, TargetID("acme", "First"): "First", "third": "", "": ""} {
		got, ok := s.Target("acme", in)
		if got.Name != want || ok != (want != "") {
			t.Errorf("Target(%q) = %q, %v; want %q", in, got.Name, ok, want)
		}
	}
}

func BenchmarkFlow_SubmitManyTargets(b *testing.B) {
	f := accessFlow()
	f.Strategy.Targets = nil
	for i := range 10_000 {
		f.Strategy.Targets = append(f.Strategy.Targets, Target{Name: fmt.Sprintf("db-%d", i)})
	}
	values := map[string]any{"target_id": TargetID("acme", "db-9999"), "duration": "1h"}
	for b.Loop() {
		if _, err := f.Submit(values); err != nil {
			b.Fatal(err)
		}
	}
}
