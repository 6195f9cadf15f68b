package slackapp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// extendable is a world whose flow lets people ask for more time, and alice's access.
func extendable(t *testing.T) (*world, flow.Run) {
	t.Helper()
	f := accessFlow()
	f.Params.Extend = &flow.Extend{Max: 2, For: []flow.Duration{flow.Duration(30 * time.Minute), flow.Duration(time.Hour)}, Approval: flow.ExtendSame}
	w := memoryWorld(t, f, reportFlow())
	return w, w.live("orders-db")
}

// wish opens the form by the button of a message, and submits it.
func (w *world) wish(user string, r flow.Run, seconds string) string {
	w.t.Helper()
	click := w.clickOn(user, string(flow.ButtonMore), value(r), "")
	click["trigger_id"] = "trigger-more"
	w.interact(click)
	view := w.opened()
	if view.CallbackID != viewMore {
		w.t.Fatalf("the button opened %q", view.CallbackID)
	}
	return w.interact(w.more(user, view, map[string]any{blockMore: chosen(seconds), blockWhy: typed("not done yet")}))
}

// more is the form as it is submitted: each that was opened has an id of its own.
func (w *world) more(user string, view slack.View, values map[string]any) map[string]any {
	payload := submission(user, view, values)
	payload["view"].(map[string]any)["id"] = fmt.Sprint("V", len(w.slack.of("views.open")))
	return payload
}

// decision is the value of a button that decides the extension.
func decision(r flow.Run) string {
	return strings.Join([]string{r.ID, workflow.Message{Kind: workflow.KindRequest}.Key(), r.Extension.EventID}, separatorOfKeys)
}

// TestExtend: alice asks, bob decides, by the buttons of the request's messages.
func TestExtend(t *testing.T) {
	t.Parallel()
	w, r := extendable(t)
	if got := unescaped(t, w.command(alice, "list")); !strings.Contains(got, `"action_id":"more"`) {
		t.Errorf("the list has no button: %s", got)
	}
	if got := w.wish(alice, r, "1800"); got != "" {
		t.Fatalf("the form was not taken: %s", got)
	}
	r = w.get(r.ID)
	if len(r.Signals) != 1 || r.Signals[0].Seconds != 1800 || r.Signals[0].Message != "not done yet" {
		t.Fatalf("asked by %+v", r.Signals)
	}
	end := r.Access.End
	r = w.apply(r.ID, flow.AskExtension{SignalID: r.Signals[0].ID})
	for kind, want := range map[workflow.Kind]string{workflow.KindRequest: "extend extend_deny deescalate", workflow.KindStatus: "deescalate"} {
		body, err := Render(workflow.Message{Kind: kind}, r)
		if err != nil {
			t.Fatal(err)
		}
		checkLimits(t, body)
		if got := strings.Join(actionsOf(t, body), " "); got != want || !strings.Contains(string(body), "asks for *30 minutes more*: not done yet") {
			t.Errorf("%s: %q in %s", kind, got, body)
		}
	}
	wish, _ := r.Last(flow.EventExtendRequest)
	for kind, want := range map[workflow.Kind]string{workflow.KindTold: "<@" + bob + ">: <@" + alice + "> *asks for 30 minutes more*", workflow.KindOutcome: "<@" + alice + "> asked for 30 minutes more"} {
		body, err := Render(workflow.Message{Kind: kind, EventID: wish.ID}, r)
		if err != nil {
			t.Fatal(err)
		}
		checkLimits(t, body)
		if got := unescaped(t, string(body)); !strings.Contains(got, want) || !strings.Contains(got, "not done yet") {
			t.Errorf("%s lacks %q, or why, in %s", kind, want, got)
		}
	}
	// To ask is no approval, and nobody else decides; nor does a button of another
	// extension, a message of another run, or no extension at all.
	forged := strings.Replace(decision(r), r.Extension.EventID, flow.EventID(r.ID, 1), 1)
	for name, c := range map[string]struct{ who, value string }{
		"the requester": {alice, decision(r)}, "a member": {carol, decision(r)}, "a guest": {gus, decision(r)}, "deactivated": {dora, decision(r)},
		"another workspace": {stranga, decision(r)}, "another extension": {bob, forged}, "the request's own digest": {bob, value(r)},
	} {
		w.interact(w.clickOn(c.who, string(flow.ButtonExtend), c.value, ""))
		if got := w.get(r.ID); len(got.Signals) > 0 || !got.Access.End.Equal(end) {
			t.Errorf("%s decided: %+v", name, got.Signals)
		}
	}
	other := w.clickOn(bob, string(flow.ButtonExtend), decision(r), "")
	other["message"] = w.clickOn(bob, string(flow.ButtonExtend), "another", "")["message"]
	w.interact(other)
	if got := w.get(r.ID); len(got.Signals) > 0 {
		t.Error("a button counted in a message that does not have it")
	}
	old := decision(r)
	for range 2 { // a double click
		w.interact(w.clickOn(bob, string(flow.ButtonExtend), old, ""))
	}
	r = w.get(r.ID)
	if len(r.Signals) != 1 {
		t.Fatalf("decided by %+v", r.Signals)
	}
	r = w.apply(r.ID, flow.DecideExtension{SignalID: r.Signals[0].ID})
	if !r.Access.End.Equal(end.Add(30 * time.Minute)) {
		t.Fatalf("it ends at %s", r.Access.End)
	}
	for _, b := range []flow.Button{flow.ButtonExtend, flow.ButtonExtendDeny} { // late, and replayed
		w.interact(w.clickOn(bob, string(b), old, ""))
		if got := w.get(r.ID); len(got.Signals) > 0 || !got.Access.End.Equal(r.Access.End) {
			t.Errorf("%s counted twice", b)
		}
	}
}

// TestExtend_form: the form is authorised when it opens and when it is submitted, a
// replay of it asks once, and what the flow does not offer is refused beside its input.
func TestExtend_form(t *testing.T) {
	t.Parallel()
	w, r := extendable(t)
	w.wish(bob, r, "3600") // the approver
	if got := w.get(r.ID).Signals; len(got) != 1 || got[0].Seconds != 3600 {
		t.Fatalf("bob asked by %+v", got)
	}
	w.apply(r.ID, flow.AskExtension{SignalID: w.get(r.ID).Signals[0].ID})
	r = w.get(r.ID)
	w.interact(w.clickOn(bob, string(flow.ButtonExtend), decision(r), ""))
	if got := w.get(r.ID); len(got.Signals) > 0 {
		t.Fatal("whoever asked has approved it")
	}
	r = w.apply(r.ID, flow.Receive{Action: flow.ActionExtendDeny, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack, Extension: r.Extension.EventID})
	r = w.apply(r.ID, flow.DecideExtension{SignalID: r.Signals[0].ID})

	if got := w.wish(alice, r, "60"); !strings.Contains(got, "errors") || !strings.Contains(got, "30 minutes or 1 hour") {
		t.Errorf("one minute: %s", got)
	}
	click := w.clickOn(alice, buttonMore, r.ID, "") // of the list
	click["trigger_id"] = "trigger-list"
	w.interact(click)
	view := w.opened()
	for _, who := range []string{carol, gus, dora, stranga} {
		opened := len(w.slack.of("views.open"))
		w.interact(w.clickOn(who, buttonMore, r.ID, ""))
		if len(w.slack.of("views.open")) != opened {
			t.Errorf("%s was asked for how much longer another's access is to last", who)
		}
		w.interact(w.more(who, view, map[string]any{blockMore: chosen("1800")}))
		if got := w.get(r.ID).Signals; len(got) > 0 {
			t.Errorf("%s asked for more time: %+v", who, got)
		}
	}
	payload := w.more(alice, view, map[string]any{blockMore: chosen("1800")})
	w.interact(payload)
	r = w.apply(r.ID, flow.AskExtension{SignalID: w.get(r.ID).Signals[0].ID})
	r = w.apply(r.ID, flow.Receive{Action: flow.ActionExtendDeny, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack, Extension: r.Extension.EventID})
	w.apply(r.ID, flow.DecideExtension{SignalID: r.Signals[0].ID})
	w.interact(payload)
	if got := w.get(r.ID).Signals; len(got) > 0 {
		t.Errorf("a replay asked again: %+v", got)
	}
	w.now = r.Access.End
	if got := unescaped(t, w.command(alice, "list")); strings.Contains(got, `"action_id":"more"`) {
		t.Errorf("what is over can be extended: %s", got)
	}
}
