package flow

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// dynamicFlow has a field of each kind that handlers have a say in.
func dynamicFlow() *Flow {
	return &Flow{
		Org: "sym", Name: "deploy", Environment: Environment{Name: "main"}, Vars: map[string]string{"tool": "hand"},
		Strategy: &Strategy{Name: "databases", Type: "http", Targets: []Target{{Name: "orders", Type: "http", Label: "Orders"}, {Name: "users", Type: "http"}}},
		Params: Params{
			ScheduleDeescalation: true, AdditionalHeaderText: "Think twice.",
			PromptFields: []PromptField{
				{Name: FieldNameTarget, Type: FieldString, Required: true, Visible: true, OnChange: NewSource("c.py", "…")},
				{Name: "repo", Type: FieldString, Required: true, Visible: true, Prefetch: true},
				{Name: "tags", Type: FieldStringList, Visible: true, Prefetch: true},
				{Name: "count", Type: FieldInt, Visible: true, Default: "2", AllowedValues: []string{"1", "2"}, OnChange: NewSource("c.py", "…")},
				{Name: "ticket", Type: FieldString, Required: true},
				{Name: "level", Type: FieldString, Default: "low"},
				{Name: FieldNameDuration, Type: FieldDuration, Required: true, Visible: true, AllowedValues: []string{"10m", "1h"}},
			},
		},
	}
}

func dynamicForm() OpenForm {
	return dynamicFlow().OpenForm(map[string][]Option{
		"repo": {{"api", "The API"}, {"web", "The web"}}, "tags": {{"a\nb", "Two lines"}, {"c", "C"}},
	})
}

// inJSON is a form after it was kept.
func inJSON(t *testing.T, form OpenForm) OpenForm {
	t.Helper()
	b, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	var kept OpenForm
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	return kept
}

func field(t *testing.T, form OpenForm, name string) OpenField {
	t.Helper()
	f, ok := form.Field(name)
	if !ok {
		t.Fatalf("no field %q", name)
	}
	return f
}

func TestOpenForm(t *testing.T) {
	t.Parallel()
	if f := validAccess(); f.DynamicForm() {
		t.Error("a form without handlers is dynamic")
	}
	if !dynamicFlow().DynamicForm() {
		t.Error("a form with handlers is not dynamic")
	}
	form := dynamicForm()
	if got := field(t, form, FieldNameTarget).CurrentAllowed; got[0] != (Option{TargetID("sym", "orders"), "Orders"}) {
		t.Errorf("targets %v", got)
	}
	if got := field(t, form, FieldNameDuration).OriginalAllowed; !reflect.DeepEqual(got, []Option{{"10m", "10 minutes"}, {"1h", "1 hour"}}) {
		t.Errorf("durations %v", got)
	}
	if got := field(t, form, "count").Value; got != int64(2) {
		t.Errorf("default %v", got)
	}
	if got := field(t, dynamicFlow().OpenForm(nil), "repo").CurrentAllowed; got == nil || len(got) > 0 {
		t.Errorf("options of a reducer that gave none: %v", got)
	}
	if form.FlowVars["tool"] != "hand" || form.AdditionalHeaderText != "Think twice." {
		t.Errorf("got %+v", form)
	}
}

func TestOptionJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Option{
		`{"value":"a","label":"A"}`:             {"a", "A"},
		`{"value":7,"label":"seven"}`:           {"7", "seven"},
		`{"value":9007199254740993,"label":""}`: {"9007199254740993", ""},
		`{"value":null,"label":"A"}`:            {},
		`{"value":{},"label":"A"}`:              {},
		`{"label":"A"}`:                         {},
	} {
		var got Option
		if err := json.Unmarshal([]byte(in), &got); got != want || (err == nil) == (want == Option{}) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}

// TestChosenLabels: a run keeps what the form called the values that were chosen, and
// no other options.
func TestChosenLabels(t *testing.T) {
	t.Parallel()
	form, f := inJSON(t, dynamicForm()), dynamicFlow()
	form.Fields[3].CurrentAllowed = []Option{{"7", "seven"}, {"8", "eight"}}
	values := map[string]any{FieldNameTarget: TargetID("sym", "orders"), "repo": "api", "count": "7", FieldNameDuration: "10m"}
	sub, err := f.SubmitForm(form, values)
	if err != nil {
		t.Fatal(err)
	}
	if got := sub.Labels["count"]; len(got) != 1 || got["7"] != "seven" {
		t.Errorf("labels of what was chosen: %v", sub.Labels)
	}
	shown := labelled(f.shownForm().Fields, sub.Labels)
	for _, field := range shown {
		if (field.Name == "count") != (field.Labels["7"] == "seven") {
			t.Errorf("%s has the labels %v", field.Name, field.Labels)
		}
	}
}

// TestSubmitForm: what the form shows is what is required and allowed.
func TestSubmitForm(t *testing.T) {
	t.Parallel()
	good := func() map[string]any {
		return map[string]any{FieldNameTarget: TargetID("sym", "orders"), "repo": "api", "count": "1", FieldNameDuration: "10m"}
	}
	for _, tc := range []struct {
		name   string
		change func(*OpenForm)
		values map[string]any // beside the good ones; nil takes one away
		fault  string         // field at fault
		want   map[string]any // of the fields
	}{
		{"AsItOpened", nil, nil, "", map[string]any{"repo": "api", "count": int64(1), "level": "low", "duration": int64(600)}},
		{"NotAnOption", nil, map[string]any{"repo": "secrets"}, "repo", nil},
		{"NotAnOptionOfAList", nil, map[string]any{"tags": []string{"c", "x"}}, "tags", nil},
		{"OptionsOfAList", nil, map[string]any{"tags": []string{"a\nb", "c"}}, "", map[string]any{"tags": []string{"a\nb", "c"}}},
		{"Missing", nil, map[string]any{"repo": nil}, "repo", nil},
		{"HiddenIsNotRequired", nil, map[string]any{"ticket": nil}, "", nil},
		{"HiddenDoesNotCount", nil, map[string]any{"ticket": "OPS-1", "level": "high"}, "", map[string]any{"level": "low", "ticket": nil}},
		{"HiddenByHandler", func(f *OpenForm) { f.Fields[4].Value = "OPS-7" }, map[string]any{"ticket": "OPS-1"}, "", map[string]any{"ticket": "OPS-7"}},
		{"HiddenClearedByHandler", func(f *OpenForm) { f.Fields[5].Value = nil }, map[string]any{"level": "high"}, "", map[string]any{"level": "low"}},
		{"ShownIsRequired", func(f *OpenForm) { f.Fields[4].Visible = true }, nil, "ticket", nil},
		{"ShownCounts", func(f *OpenForm) { f.Fields[4].Visible = true }, map[string]any{"ticket": "OPS-1"}, "", map[string]any{"ticket": "OPS-1"}},
		{"MadeOptional", func(f *OpenForm) { f.Fields[1].Required = false }, map[string]any{"repo": nil}, "", map[string]any{"repo": nil}},
		{"TargetIsEssential", func(f *OpenForm) { f.Fields[0].Required = false }, map[string]any{FieldNameTarget: nil}, FieldNameTarget, nil},
		{"FewerTargets", func(f *OpenForm) { f.Fields[0].CurrentAllowed = f.Fields[0].CurrentAllowed[1:] }, nil, FieldNameTarget, nil},
		{"FewerDurations", func(f *OpenForm) { f.Fields[6].CurrentAllowed = f.Fields[6].CurrentAllowed[1:] }, nil, FieldNameDuration, nil},
		{"DurationInSeconds", func(f *OpenForm) { f.Fields[6].CurrentAllowed = []Option{{"120", "two"}} }, map[string]any{FieldNameDuration: "120"}, "", map[string]any{"duration": int64(120)}},
		{"OtherValues", func(f *OpenForm) { f.Fields[3].CurrentAllowed = []Option{{"7", "seven"}} }, map[string]any{"count": "7"}, "", map[string]any{"count": int64(7)}},
		{"AnyValue", func(f *OpenForm) { f.Fields[3].CurrentAllowed = nil }, map[string]any{"count": "99"}, "", map[string]any{"count": int64(99)}},
		{"NoValue", func(f *OpenForm) { f.Fields[1].CurrentAllowed = []Option{} }, nil, "repo", nil},
		{"WrongType", func(f *OpenForm) { f.Fields[3].CurrentAllowed = nil }, map[string]any{"count": "x"}, "count", nil},
		{"UnknownField", nil, map[string]any{"colour": "red"}, "colour", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			form, values := inJSON(t, dynamicForm()), good()
			if tc.change != nil {
				tc.change(&form)
			}
			for k, v := range tc.values {
				if values[k] = v; v == nil {
					delete(values, k)
				}
			}
			sub, err := dynamicFlow().SubmitForm(form, values)
			if tc.fault != "" {
				e, ok := err.(*Error)
				if !ok || e.Code != CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != tc.fault {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tc.want {
				if !reflect.DeepEqual(sub.Fields[k], v) {
					t.Errorf("%s is %#v, not %#v", k, sub.Fields[k], v)
				}
			}
		})
	}
}

// TestChange: handlers change what they may, and nothing else.
func TestChange(t *testing.T) {
	t.Parallel()
	f := dynamicFlow()
	for _, tc := range []struct {
		name string
		by   func(*OpenForm)
		err  string
		want func(OpenForm) bool
	}{
		{"Nothing", func(*OpenForm) {}, "", func(g OpenForm) bool { return SameValue(g, dynamicForm()) }},
		{"Show", func(g *OpenForm) { g.Fields[4].Visible, g.Fields[4].Label = true, "Ticket" }, "", func(g OpenForm) bool { return g.Fields[4].Visible && g.Fields[4].Label == "Ticket" }},
		{"Header", func(g *OpenForm) { g.AdditionalHeaderText = "hi" }, "", func(g OpenForm) bool { return g.AdditionalHeaderText == "hi" }},
		{"Value", func(g *OpenForm) { g.Fields[1].Value = "web" }, "", func(g OpenForm) bool { return g.Fields[1].Value == "web" }},
		{"ValueNotOffered", func(g *OpenForm) { g.Fields[1].Value = "secrets" }, "", func(g OpenForm) bool { return g.Fields[1].Value == nil }},
		{"PartOfListOffered", func(g *OpenForm) { g.Fields[2].Value = []any{"x", "c"} }, "", func(g OpenForm) bool { return SameValue(g.Fields[2].Value, []string{"c"}) }},
		{"OptionsGone", func(g *OpenForm) { g.Fields[3].CurrentAllowed = []Option{{"1", "one"}} }, "", func(g OpenForm) bool { return g.Fields[3].Value == nil && len(g.Fields[3].OriginalAllowed) == 2 }},
		{"FixedParts", func(g *OpenForm) {
			g.Fields[1].Type, g.Fields[1].OriginalAllowed, g.FlowVars = FieldInt, nil, map[string]string{"tool": "x"}
		}, "", func(g OpenForm) bool { return SameValue(g, dynamicForm()) }},
		{"Order", func(g *OpenForm) { slices.Reverse(g.Fields) }, "", func(g OpenForm) bool { return SameValue(g, dynamicForm()) }},
		{"WrongType", func(g *OpenForm) { g.Fields[3].Value = "many" }, `gave field "count" a value that is no int`, nil},
		{"Gone", func(g *OpenForm) { g.Fields = g.Fields[1:] }, `took field "target_id" out of the form`, nil},
		{"HideTarget", func(g *OpenForm) { g.Fields[0].Visible = false }, `hid field "target_id"`, nil},
		{"HideDuration", func(g *OpenForm) { g.Fields[6].Visible = false }, `hid field "duration"`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			by := inJSON(t, dynamicForm())
			tc.by(&by)
			got, err := f.Change(dynamicForm(), by)
			switch {
			case tc.err != "":
				if CodeOf(err) != CodeHandler || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v", err)
				}
			case err != nil || !tc.want(got):
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestUnsettled: fields whose on_change has not heard of their value.
func TestUnsettled(t *testing.T) {
	t.Parallel()
	f, form := dynamicFlow(), inJSON(t, dynamicForm())
	for _, tc := range []struct {
		values map[string]any
		want   []string
	}{
		{map[string]any{"count": "2"}, nil},
		{map[string]any{"count": "1"}, []string{"count"}},
		{map[string]any{"count": ""}, []string{"count"}},
		{map[string]any{"count": "2", "repo": "web"}, nil},
		{map[string]any{"count": "1", FieldNameTarget: TargetID("sym", "users")}, []string{FieldNameTarget, "count"}},
	} {
		if got := f.Unsettled(form, tc.values); !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v, not %v", tc.values, got, tc.want)
		}
	}
	filled := f.Fill(form, map[string]any{"count": "1", FieldNameTarget: TargetID("sym", "users")})
	if got := f.Unsettled(inJSON(t, filled), map[string]any{"count": "1", FieldNameTarget: TargetID("sym", "users")}); got != nil {
		t.Errorf("once heard: %v", got)
	}
	form.Fields[3].Visible = false
	if got := f.Unsettled(form, map[string]any{"count": "1"}); got != nil {
		t.Errorf("hidden: %v", got)
	}
}

func TestFlowsFilterCheck(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]FlowsFilter{
		"is missing":                {},
		"is empty":                  {Implementation: NewSource("f.py", "")},
		"does not define get_flows": {Implementation: &Source{Name: "f.py", Text: "…", Handlers: []string{"on_request"}}},
		"":                          {Implementation: &Source{Name: "f.py", Text: "…", Handlers: []string{HandlerFlows}}},
	} {
		if err := f.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
