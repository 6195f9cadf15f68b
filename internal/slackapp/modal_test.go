package slackapp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// textOf collects all texts of blocks.
func textOf(v any) string {
	b, _ := json.Marshal(v)
	var any1 any
	_ = json.Unmarshal(b, &any1)
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if s, ok := v["text"].(string); ok {
				out = append(out, s)
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(any1)
	return strings.Join(out, "\n")
}

func everyField() *flow.Flow {
	f := accessFlow()
	f.Params.AdditionalHeaderText = "Read <https://example.com|this> first."
	f.Params.PromptFields = []flow.PromptField{
		{Name: "reason", Type: flow.FieldString, Label: "Why", Required: true, Visible: true, Default: "because"},
		{Name: "env", Type: flow.FieldString, Required: true, Visible: true, AllowedValues: []string{"dev", "prod"}, Default: "prod"},
		{Name: "rows", Type: flow.FieldInt, Visible: true, Default: "5"},
		{Name: "size", Type: flow.FieldInt, Visible: true, AllowedValues: []string{"1", "2"}},
		{Name: "urgent", Type: flow.FieldBool, Visible: true, Default: "true"},
		{Name: "pair", Type: flow.FieldSlackUser, Visible: true},
		{Name: "team", Type: flow.FieldSlackUserList, Visible: true},
		{Name: "tables", Type: flow.FieldStringList, Visible: true},
		{Name: "zones", Type: flow.FieldStringList, Visible: true, AllowedValues: []string{"a", "b"}},
		{Name: "ports", Type: flow.FieldIntList, Visible: true},
		{Name: "hidden", Type: flow.FieldString, Visible: false},
		{Name: "essay", Type: flow.FieldString, Visible: true, AllowedValues: []string{strings.Repeat("long ", 40), "short"}},
		{Name: "wait", Type: flow.FieldDuration, Visible: true},
		{Name: "duration", Type: flow.FieldDuration, Required: true, Visible: true, AllowedValues: []string{"10m", "1d"}},
	}
	return f
}

func TestRequestModal(t *testing.T) {
	t.Parallel()
	v := requestModal(everyField(), "run-1", nil)
	golden(t, "modal.json", v)
	got := viewOf(t, v)
	want := []string{"target_id", "reason", "env", "rows", "size", "urgent", "pair", "team", "tables", "zones", "ports", "essay", "wait", "duration"}
	if diff := cmp.Diff(want, inputsOf(received(t, got))); diff != "" {
		t.Errorf("inputs:\n%s", diff)
	}
	if m := metadataOf(received(t, got)); m.Run != "run-1" || m.Flow != "prod-access" {
		t.Errorf("metadata %+v", m)
	}
}

func TestFlowModal(t *testing.T) {
	t.Parallel()
	golden(t, "picker.json", flowModal([]store.FlowSummary{{Name: "b"}, {Name: "c", Label: "Zugriff"}, {Name: "a", Label: "Äccess <A>", About: "2 targets, at most 1 hour · asks #access-prod"}}, "", "C1", "There is no flow “x”."))
}

// All that a form can be filled in with comes out as the flow wants it.
func TestValuesOf(t *testing.T) {
	t.Parallel()
	many := func(kind string, values ...string) map[string]any {
		var options []any
		for _, v := range values {
			options = append(options, map[string]any{"value": v})
		}
		return map[string]any{"type": kind, "selected_options": options}
	}
	payload := submission(alice, slack.View{}, map[string]any{
		"target_id": map[string]any{"type": "external_select", "selected_option": map[string]any{"value": "orders-db"}},
		"reason":    typed("x"), "env": chosen("prod"), "rows": map[string]any{"type": "number_input", "value": "12"},
		"urgent": map[string]any{"type": "radio_buttons", "selected_option": map[string]any{"value": "false"}},
		"pair":   map[string]any{"type": "users_select", "selected_user": bob},
		"team":   map[string]any{"type": "multi_users_select", "selected_users": []string{bob, carol}},
		"tables": typed("a\n\n b \n"), "zones": many("multi_static_select", "a", "b"), "ports": typed("1\n2"),
		"size": map[string]any{"type": "static_select", "selected_option": nil}, "wait": typed("90s"), "duration": chosen("1d"),
	})
	b, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	in, err := readInteraction(b)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := everyField().Submit(valuesOf(in.View))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"target_id": flow.TargetID("sym", "orders-db"), "reason": "x", "env": "prod", "rows": int64(12), "urgent": false,
		"pair": bob, "team": []string{bob, carol}, "tables": []string{"a", "b"}, "zones": []string{"a", "b"},
		"ports": []int64{1, 2}, "wait": int64(90), "duration": int64(86400),
	}
	if diff := cmp.Diff(want, sub.Fields); diff != "" {
		t.Error(diff)
	}
}

func manyTargets(n int) *flow.Flow {
	f := accessFlow()
	f.Version = "1.0.1"
	f.Strategy.Targets = nil
	for i := range n {
		f.Strategy.Targets = append(f.Strategy.Targets, flow.Target{Name: fmt.Sprintf("db-%05d", i), Type: "http", Label: fmt.Sprintf("Database No. %d", i)})
	}
	return f
}

func TestTargetPickers(t *testing.T) {
	t.Parallel()
	kind := func(n int) string {
		for _, b := range requestModal(manyTargets(n), "r", nil).Blocks.BlockSet {
			if in, ok := b.(*slack.InputBlock); ok && in.BlockID == "target_id" {
				return string(in.Element.ElementType())
			}
		}
		return ""
	}
	for n, want := range map[int]string{1: "static_select", 60: "static_select", 101: "external_select", 10000: "external_select"} {
		if got := kind(n); got != want {
			t.Errorf("%d targets: %s, want %s", n, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t, manyTargets(2000))
	var heading string
	ask := func(view slack.ModalViewRequest, block, typed string) []string {
		rec := w.post("/slack/options", suggestionBody(t, view, block, typed))
		var answer slack.OptionsResponse
		if err := json.Unmarshal([]byte(w.ok(rec)), &answer); err != nil {
			t.Fatal(err)
		}
		if rec.Body.Len() > maxSocketAnswer {
			t.Errorf("answer of %d bytes", rec.Body.Len())
		}
		var groups slack.OptionGroupsResponse
		if err := json.Unmarshal(rec.Body.Bytes(), &groups); err != nil {
			t.Fatal(err)
		}
		heading = ""
		for _, g := range groups.OptionGroups {
			heading = g.Label.Text
			answer.Options = append(answer.Options, g.Options...)
		}
		var labels []string
		for _, o := range answer.Options {
			labels = append(labels, o.Text.Text)
		}
		return labels
	}
	view := requestModal(manyTargets(2000), "r", nil)
	if got := ask(view, "target_id", "dataBASE no. 123"); len(got) != 12 || got[0] != "Database No. 123" || heading != "" {
		t.Errorf("by label: %v", got)
	}
	if got := ask(view, "target_id", "123 Dátabase"); len(got) != 12 || got[0] != "Database No. 123" || got[1] != "Database No. 1230" {
		t.Errorf("in any order, the whole word first: %v", got)
	}
	if got := ask(view, "target_id", "DB-00042"); len(got) != 1 || got[0] != "Database No. 42" {
		t.Errorf("by name: %v", got)
	}
	if got := ask(view, "target_id", ""); len(got) != maxOptions || heading != "The best 100 of 2000 – type more to find others" {
		t.Errorf("nothing typed: %d, %q", len(got), heading)
	}
	if got := ask(view, "target_id", "zzz"); len(got) != 0 {
		t.Errorf("no match: %v", got)
	}
	if got := ask(view, "no-such-field", ""); len(got) != 0 {
		t.Errorf("no field: %v", got)
	}
	if got := ask(flowModal(nil, "", "", ""), blockFlow, "PROD"); len(got) != 1 || got[0] != "Production access" {
		t.Errorf("flows: %v", got)
	}
}

// The view's title has room for 24 characters; what is longer stands below it.
func TestModalTitle(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{
		"Production access":               "You get access",
		"Production access for everybody": "*Production access for everybody*\nYou get access",
	} {
		f := accessFlow()
		f.Label = label
		if got := textOf(requestModal(f, "r", nil).Blocks.BlockSet); !strings.HasPrefix(got, want) {
			t.Errorf("%s: the view begins with %q", label, got)
		}
	}
}

// A form is never larger than an answer may be, and never breaks a limit.
func TestModalLimits(t *testing.T) {
	t.Parallel()
	f := manyTargets(100)
	f.Label = strings.Repeat("Ä very long label ", 20)
	for i := range f.Strategy.Targets {
		f.Strategy.Targets[i].Label = strings.Repeat("☃", 200) + f.Strategy.Targets[i].Name
	}
	f.Params.AdditionalHeaderText = strings.Repeat("x", 5000)
	f.Params.PromptFields = append(f.Params.PromptFields, flow.PromptField{
		Name: "long", Type: flow.FieldString, Label: strings.Repeat("l", 3000), Visible: true, Default: strings.Repeat("d", 4000),
	})
	v := requestModal(f, "r", nil)
	if n := utf8.RuneCountInString(v.Title.Text); n > maxTitle {
		t.Errorf("title of %d", n)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	checkLimits(t, b)
}

// Durations may be as many as a menu holds, and as long as can be.
func TestLongDurations(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Params.PromptFields = []flow.PromptField{{Name: "duration", Type: flow.FieldDuration, Required: true, Visible: true}}
	p := &f.Params.PromptFields[0]
	for i := range maxOptions - 1 {
		p.AllowedValues = append(p.AllowedValues, fmt.Sprintf("%dmo", i+1))
	}
	p.AllowedValues = append(p.AllowedValues, "3558mo")
	v := requestModal(f, "r", nil)
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	checkLimits(t, b)
	if inputs := inputsOf(received(t, v)); !slices.Contains(inputs, "duration") {
		t.Errorf("inputs %v", inputs)
	}
	found := (&App{}).searchField(f, "duration", "3558").choices
	if len(found) != 1 || found[0].label != "3558 months" {
		t.Fatalf("found %v", found)
	}
	sub, err := f.Submit(map[string]any{"target_id": "orders-db", "duration": found[0].value})
	if want := 3558 * 30 * 24 * time.Hour; err != nil || sub.Duration != want {
		t.Errorf("asked for %s, want %s, %v", sub.Duration, want, err)
	}
}

// TestForms: the forms of a request that is there already; testdata has them whole.
func TestForms(t *testing.T) {
	t.Parallel()
	b := person(bob, "Bob")
	asked := request(t).r
	live := request(t).click(flow.ActionApprove, b, "Only this once.").decide().intend().do(flow.Escalate{}).r
	urgent := sent(t, func(sub *flow.Submission) { sub.BreakGlass = true })
	urgent.do(flow.Route{SignalID: urgent.r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{b}, Required: 1}, Longest: 30 * time.Minute})
	urgent.intend().do(flow.Escalate{}).end(flow.Deescalate{})
	f := changeable()
	f.Version = asked.FlowVersion
	for name, form := range map[string]slack.ModalViewRequest{
		"form-changes": changeModal(f, asked, f.Offer(asked), metadata{Run: asked.ID}),
		"form-deny":    denyModal(asked, metadata{Run: asked.ID}),
		"form-more":    moreModal(live, []time.Duration{30 * time.Minute, time.Hour}, live.Requester),
		"form-review":  reviewModal(urgent.r, metadata{Run: urgent.r.ID}),
		"form-whole":   wholeModal(live),
		"form-notice":  noticeModal("There is no such request."),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(form)
			if err != nil {
				t.Fatal(err)
			}
			checkLimits(t, body)
			golden(t, name+".json", form)
		})
	}
}
