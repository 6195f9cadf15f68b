package slackapp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// takes has alice take access in an emergency by the form, which bob may review.
func (w *world) takes() flow.Run {
	w.t.Helper()
	form := w.urgentForm(alice)
	if got := w.interact(submission(alice, form, with(flow.KeyBreakGlass, ticked()))); got != "" {
		w.t.Fatalf("the form was not taken: %s", got)
	}
	r := w.ofForm(form)
	err := store.Glass{Store: w.store}.Claim(w.t.Context(), r.Requester, r.ID, func(string) error { return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(r.ID, flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{person(bob, "Bob")}, Required: 1}, Longest: 30 * time.Minute})
	w.apply(r.ID, flow.Intend{Strategy: *accessFlow().Strategy, Target: *r.Target, Identity: "alice@example.com", Entitlements: []flow.Entitlement{{Key: r.ID}}})
	return w.apply(r.ID, flow.Escalate{})
}

// ends has the access of a run end.
func (w *world) ends(r flow.Run) flow.Run {
	w.t.Helper()
	w.now = r.Access.End
	w.apply(r.ID, flow.Claim{Owner: "w", Until: w.now.Add(time.Hour)})
	return w.apply(r.ID, flow.Deescalate{Owner: "w"})
}

// TestReview: whoever may review an emergency says what they found in a form, from the
// request's message and from their Home tab; nobody else does, and nobody twice.
func TestReview(t *testing.T) {
	t.Parallel()
	for name, home := range map[string]bool{"Message": false, "Home": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := urgentWorld(t)
			r := w.takes()
			w.interact(w.pressed(bob, flow.ButtonReview, r))
			if got := w.told(); !strings.Contains(got, "This can be reviewed once the access has ended") {
				t.Errorf("while it lasts: %q", got)
			}
			r = w.ends(r)
			w.fed(r.ID)
			press := func(user string) map[string]any { return w.pressed(user, flow.ButtonReview, r) }
			told := w.told
			if home {
				v := w.home(bob)
				action, pressed := buttonIn(t, v, string(flow.ButtonReview))
				if text := textOfView(t, v); !strings.Contains(text, "without approval") || !strings.Contains(text, "fix the orders") || action == "" {
					t.Fatalf("bob sees %s", text)
				}
				press = func(user string) map[string]any { return inHome(user, v, action, pressed) }
				told = func() string { return textOf(w.opened().Blocks.BlockSet) }
			}
			for user, want := range map[string]string{alice: "You can't review what you did yourself", carol: "Only Bob can", gus: "Guests of the workspace can't"} {
				w.interact(press(user))
				if got := told(); !strings.Contains(got, want) {
					t.Errorf("%s: told %q", user, got)
				}
			}
			w.interact(press(bob))
			form := w.opened()
			if text := textOf(form.Blocks.BlockSet); form.CallbackID != viewReview || !strings.Contains(text, "Orders database") || !strings.Contains(text, "fix the orders") {
				t.Fatalf("opened %s: %s", form.CallbackID, text)
			}
			found := map[string]any{blockDecision: typed(" only reads, as said ")}
			for _, user := range []string{alice, carol, gus} { // who forge it
				if got := w.interact(submission(user, form, found)); !strings.Contains(got, `"response_action":"errors"`) {
					t.Errorf("%s: answer %s", user, got)
				}
			}
			for range 2 {
				if got := w.interact(submission(bob, form, found)); got != "" {
					t.Errorf("answer %s", got)
				}
			}
			r = w.get(r.ID)
			if len(r.Signals) != 1 || r.Signals[0].Action != flow.ActionReview || r.Signals[0].Message != "only reads, as said" || (r.Signals[0].Via == nil) != home {
				t.Fatalf("signals %+v", r.Signals)
			}
			r = w.apply(r.ID, flow.Reviewed{SignalID: r.Signals[0].ID})
			e, _ := r.Last(flow.EventReview)
			if e.Fields[flow.KeyDecisionMessage] != "only reads, as said" {
				t.Errorf("recorded %+v", e)
			}
			body, err := Render(workflow.Message{Kind: workflow.KindOutcome, EventID: e.ID}, r)
			if err != nil || !strings.Contains(string(body), "only reads, as said") {
				t.Errorf("alice is told %s, %v", body, err)
			}
			if got := w.interact(submission(bob, form, found)); !strings.Contains(got, "This was already reviewed by Bob") {
				t.Errorf("once more: %s", got)
			}
			w.fed(r.ID)
			if text := textOfView(t, w.home(bob)); strings.Contains(text, "Waiting for you") {
				t.Errorf("reviewed, bob sees %s", text)
			}
		})
	}
}

// TestReview_adminOfNow: who has become an admin since may review an emergency from its
// message, though they could not have when it was had.
func TestReview_adminOfNow(t *testing.T) {
	t.Parallel()
	w := urgentWorld(t)
	r := w.ends(w.takes())
	next := urgentFlow()
	next.Environment.Admins = []string{"admin@example.com"}
	w.slack.people["U0ADMIN"] = map[string]any{"name": "admin", "team_id": team, "profile": map[string]any{"real_name": "Ada", "email": "admin@example.com"}}
	if _, err := w.app.Flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{next}); err != nil {
		t.Fatal(err)
	}
	w.interact(w.pressed("U0ADMIN", flow.ButtonReview, r))
	if got := w.interact(submission("U0ADMIN", w.opened(), nil)); got != "" {
		t.Errorf("answer %s", got)
	}
	if r = w.get(r.ID); len(r.Signals) != 1 || r.Signals[0].Actor.SlackID != "U0ADMIN" {
		t.Errorf("signals %+v", r.Signals)
	}
}

// TestReview_withoutMessage: what was found need not be said.
func TestReview_withoutMessage(t *testing.T) {
	t.Parallel()
	w := urgentWorld(t)
	r := w.ends(w.takes())
	w.interact(w.pressed(bob, flow.ButtonReview, r))
	if got := w.interact(submission(bob, w.opened(), nil)); got != "" {
		t.Errorf("answer %s", got)
	}
	if r = w.get(r.ID); len(r.Signals) != 1 || r.Signals[0].Message != "" {
		t.Errorf("signals %+v", r.Signals)
	}
}

// TestEmergencyBlocked: the form says what keeps somebody from an emergency, and leads
// to it; a form of before is refused in the same words.
func TestEmergencyBlocked(t *testing.T) {
	t.Parallel()
	w := urgentWorld(t)
	old := w.urgentForm(alice)
	r := w.takes()
	id := shortID(r)
	save := func(key, channel string) {
		m := store.Message{MessageRef: flow.MessageRef{Key: key, Channel: channel, TS: "1700000000.000100"}}
		if err := w.app.Messages.Save(t.Context(), r.ID, m); err != nil {
			t.Fatal(err)
		}
	}
	blocked := func(want ...string) {
		t.Helper()
		form := w.urgentForm(alice)
		text := textOf(form.Blocks.BlockSet)
		for _, s := range want {
			if !strings.Contains(text, s) {
				t.Errorf("the form does not say %q: %s", s, text)
			}
		}
		for _, b := range form.Blocks.BlockSet {
			if in, ok := b.(*slack.InputBlock); ok && in.BlockID == flow.KeyBreakGlass {
				t.Error("the form has the box")
			}
		}
	}
	const link = "https://sym.slack.com/archives/%s/p1700000000000100|Go to its message"
	blocked("Orders database ("+id+")", "has not ended yet")
	save("status", "D0ALICE")
	blocked(fmt.Sprintf(link, "D0ALICE"))
	w.ends(r)
	blocked("Orders database ("+id+")", "one of those who may (Bob) has to press Reviewed", fmt.Sprintf(link, "D0ALICE"))
	save("request:0", "C0ACCESS")
	blocked(fmt.Sprintf(link, "C0ACCESS"))
	got := w.interact(submission(alice, old, with(flow.KeyBreakGlass, ticked())))
	if !strings.Contains(got, "one of those who may (Bob) has to press Reviewed") || !strings.Contains(got, id) {
		t.Errorf("a form of before: %s", got)
	}
}
