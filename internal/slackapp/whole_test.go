package slackapp

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// wholeOf is all that blocks of a view say.
func wholeOf(t testing.TB, shows []slack.Block) string {
	t.Helper()
	var shown strings.Builder
	for _, b := range shows {
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var block struct{ Text struct{ Text string } }
		if err := json.Unmarshal(raw, &block); err != nil {
			t.Fatal(err)
		}
		shown.WriteString(block.Text.Text)
	}
	return shown.String()
}

// TestShowAll: a card that cuts something says so and shows all on demand, to those
// who may see the request; a card that cuts nothing has no such button.
func TestShowAll(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t, accessFlow())
	r := w.routed()
	body, err := Render(workflow.Message{Kind: workflow.KindRequest}, r)
	if err != nil || strings.Contains(string(body), buttonWhole) {
		t.Fatalf("a card that shows all: %v, %s", err, body)
	}
	reason := strings.Repeat("because ", 600) + "that is all"
	r.Fields[flow.FieldNameReason] = reason
	r, err = w.runs.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []workflow.Kind{workflow.KindRequest, workflow.KindStatus} {
		body, err := Render(workflow.Message{Kind: kind}, r)
		if err != nil || strings.Count(string(body), buttonWhole) != 1 || !strings.Contains(string(body), "is cut") {
			t.Errorf("%s does not say that it is cut: %v", kind, err)
		}
		checkLimits(t, body)
	}
	before := len(w.slack.of("views.open")) // the form's
	press := func(who, value string) map[string]any {
		p := w.clickOn(who, buttonWhole, value, "")
		p["trigger_id"] = "1.2.whole"
		return p
	}
	for name, who := range map[string]string{"a member": carol, "a guest": gus, "deactivated": dora, "another workspace": stranga} {
		w.interact(press(who, r.ID))
		if n := len(w.slack.of("views.open")); n > before {
			t.Fatalf("%s was shown the request", name)
		}
	}
	w.interact(press(bob, r.ID))
	if shown := wholeOf(t, w.opened().Blocks.BlockSet); !strings.Contains(shown, reason) {
		t.Errorf("the form shows %q", shown)
	}
}

// TestShowAll_Everywhere: what was written is cut in no message and no tab without a
// button that shows all of it.
func TestShowAll_Everywhere(t *testing.T) {
	t.Parallel()
	b := person(bob, "Bob")
	long := func(what string) string { return strings.Repeat(what+" ", 400) + "end of " + what }
	failure := flow.Failure{Code: flow.CodeUnavailable, Message: long("failure"), Retryable: true}
	denied := request(t).click(flow.ActionDeny, b, long("message")).decide().r
	failed := request(t).click(flow.ActionApprove, b, "").decide().intend().do(flow.Fail{Step: flow.EventEscalate, Reason: failure}).r
	asked := request(t).r
	asked.Fields[flow.FieldNameReason] = long("reason")
	deny, _ := denied.Last(flow.EventDeny)
	attempt := failed.Events[len(failed.Events)-1]
	at := func(k workflow.Kind, e flow.Event) workflow.Message { return workflow.Message{Kind: k, EventID: e.ID} }
	rendered := func(m workflow.Message, r flow.Run) func() any {
		return func() any {
			body, err := Render(m, r)
			if err != nil {
				t.Fatal(err)
			}
			checkLimits(t, body)
			return json.RawMessage(body)
		}
	}
	said := func(r flow.Run) func() any {
		return func() any {
			m := timeline(r, "", links{}, start.Add(time.Hour))
			checkMessage(t, m)
			return m
		}
	}
	for name, c := range map[string]struct {
		shown func() any
		run   flow.Run
		want  string
	}{
		"Denial":        {rendered(at(workflow.KindOutcome, deny), denied), denied, long("message")},
		"Failure":       {rendered(at(workflow.KindOutcome, attempt), failed), failed, long("failure")},
		"News":          {rendered(at(workflow.KindTold, attempt), failed), failed, long("failure")},
		"ErrorChannel":  {rendered(at(workflow.KindError, attempt), failed), failed, long("failure")},
		"Trouble":       {rendered(workflow.Message{Kind: workflow.KindTrouble}, failed), failed, long("failure")},
		"Show":          {said(denied), denied, long("message")},
		"ShowOfReason":  {said(asked), asked, long("reason")},
		"ShowOfFailure": {said(failed), failed, long("failure")},
		"Home": {func() any {
			return homeData{who: store.User{Actor: b, Role: store.RoleMember}, now: start, waiting: []flow.Run{asked}}.view(false)
		}, asked, long("reason")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(c.shown())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(raw), `"action_id":"`+buttonWhole+`"`) || strings.Contains(string(raw), c.want) {
				t.Errorf("it has no button that shows all: %s", raw)
			}
			v := wholeModal(c.run)
			body, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			checkLimits(t, body)
			if shown := wholeOf(t, v.Blocks.BlockSet); !strings.Contains(shown, c.want) {
				t.Errorf("not shown whole: %s", shown)
			}
		})
	}
}

// TestShowAll_TooMuch: however much was said, Slack takes the form, which says what it
// leaves out.
func TestShowAll_TooMuch(t *testing.T) {
	t.Parallel()
	s := request(t)
	for i := range 300 {
		s.r.Events = append(s.r.Events, flow.Event{
			ID: flow.EventID(s.r.ID, 100+i), Name: flow.EventApprove, State: flow.StateInProgress, Actor: person(carol, "Carol"),
			At: s.now, Fields: map[string]any{flow.KeyDecisionMessage: strings.Repeat("ä", 10*i)},
		})
		if i%50 == 0 || i > 290 {
			v := wholeModal(s.r)
			body, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			checkLimits(t, body)
			if shown := wholeOf(t, v.Blocks.BlockSet); len(body) > 250_000 || i > 200 && !strings.Contains(shown, "more than Slack can show") {
				t.Errorf("%d: %d bytes, %.200s", i, len(body), shown)
			}
		}
	}
}
