package slackapp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// strangers are all who have nothing to do with a request: a member, a guest, somebody who
// has left, a bot, and somebody of another company in a shared channel.
var strangers = []string{carol, gus, dora, "UBOT", stranga, mallory}

// mallory is of another company, and has alice's address there.
const mallory = "U0MALLORY"

// TestStrangersPressInVain: a member who is not named, a guest, a stranger of a shared
// channel, a bot and somebody who has left press every button there is, on the cards of
// runs in every state that people meet, and submit every form that was opened for others.
// Nothing comes of it: no run changes, and no form opens.
func TestStrangersPressInVain(t *testing.T) {
	t.Parallel()
	hopeless := flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeStrategy, Message: "no such role"}}
	asked := func(w *world, form map[string]any) flow.Run {
		v := w.urgentForm(alice)
		if got := w.interact(submission(alice, v, form)); got != "" {
			w.t.Fatalf("the form was not taken: %s", got)
		}
		r := w.ofForm(v)
		route := flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{person(bob, "Bob")}, Required: 1}}
		if r.BreakGlass != nil {
			route.Longest = time.Hour
		}
		return w.apply(r.ID, route)
	}
	decided := func(w *world, r flow.Run, a flow.Action, who flow.Actor) flow.Run {
		r = w.apply(r.ID, flow.Receive{Action: a, Actor: who, Channel: flow.ChannelSlack})
		return w.apply(r.ID, flow.Decide{SignalID: r.Signals[0].ID})
	}
	approved := func(w *world) flow.Run { return decided(w, asked(w, form()), flow.ActionApprove, person(bob, "Bob")) }
	live := func(w *world, r flow.Run) flow.Run {
		w.apply(r.ID, flow.Intend{Strategy: *accessFlow().Strategy, Target: *r.Target, Identity: "alice@example.com", Entitlements: []flow.Entitlement{{Key: r.ID}}})
		return w.apply(r.ID, flow.Escalate{})
	}
	urgent := func(w *world) flow.Run { return asked(w, with(flow.KeyBreakGlass, ticked())) }
	for name, reach := range map[string]func(*world) flow.Run{
		"requested": func(w *world) flow.Run { return asked(w, form()) },
		"starts later": func(w *world) flow.Run {
			return decided(w, asked(w, with(flow.KeyStartAt, startingAt(start.Add(time.Hour)))), flow.ActionApprove, person(bob, "Bob"))
		},
		"can't begin":     func(w *world) flow.Run { return w.apply(approved(w).ID, hopeless) },
		"live":            func(w *world) flow.Run { return live(w, approved(w)) },
		"emergency":       func(w *world) flow.Run { return live(w, urgent(w)) },
		"stuck emergency": func(w *world) flow.Run { return w.apply(urgent(w).ID, hopeless) },
		"to be reviewed":  func(w *world) flow.Run { return w.ends(live(w, urgent(w))) },
		"cancelled": func(w *world) flow.Run {
			return decided(w, asked(w, form()), flow.ActionCancel, person(alice, "Alice"))
		},
		"more asked for": func(w *world) flow.Run {
			r := w.apply(live(w, approved(w)).ID, flow.Receive{Action: flow.ActionExtendRequest, Actor: person(alice, "Alice"), Channel: flow.ChannelSlack, By: 30 * time.Minute})
			return w.apply(r.ID, flow.AskExtension{SignalID: r.Signals[0].ID})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := urgentFlow()
			f.Params.AllowRevoke = true
			f.Params.Extend = &flow.Extend{Max: 2, For: []flow.Duration{flow.Duration(30 * time.Minute)}, Approval: flow.ExtendSame}
			w := newWorld(t, &storetest.Memory{Now: func() time.Time { return start }}, f)
			w.app.Forms = workflow.Forms{Runs: w.runs, Flows: w.app.Flows, Fields: &coder{}, Now: w.app.Now}
			w.slack.people[mallory] = map[string]any{"team_id": "T0THEIRS", "is_stranger": true, "name": "mallory", "profile": map[string]any{"real_name": "Mallory", "email": "alice@example.com"}}
			r := reach(w)
			may := r.ButtonsFor(person(bob, "Bob"), false)
			if her := r.ButtonsFor(person(alice, "Alice"), false); len(may)+len(her) == 0 {
				t.Fatal("nobody may do anything")
			}
			forms := len(w.slack.of("views.open"))
			press := func(who string, b flow.Button) {
				in := w.pressed(who, b, r)
				if r.Extension != nil && (b == flow.ButtonExtend || b == flow.ButtonExtendDeny) {
					in = w.clickOn(who, string(b), strings.Join([]string{r.ID, "request:0", r.Extension.EventID}, separatorOfKeys), "")
				}
				w.interact(in)
			}
			for b := range looks {
				for _, who := range strangers {
					press(who, b)
					if after := w.get(r.ID); after.Rev != r.Rev {
						t.Fatalf("%s pressed %s: %s, signals %+v", who, b, after.Status, after.Signals)
					}
				}
			}
			if n := len(w.slack.of("views.open")); n != forms {
				t.Errorf("%d forms were opened for them", n-forms)
			}
			for _, b := range []flow.Button{flow.ButtonReview, flow.ButtonMore} {
				if !slices.Contains(may, b) {
					continue
				}
				press(bob, b)
				v := w.opened()
				values := map[string]any{blockDecision: typed("mine"), blockMore: chosen("1800"), blockWhy: typed("mine")}
				for _, who := range strangers {
					if got := w.interact(submission(who, v, values)); got == "" || strings.Contains(got, `"clear"`) {
						t.Errorf("%s submitted %s: %q", who, b, got)
					}
				}
				if after := w.get(r.ID); after.Rev != r.Rev {
					t.Errorf("after %s: %+v", b, after.Signals)
				}
			}
			for _, b := range may { // the same click of whoever may does something
				if b != flow.ButtonReview && b != flow.ButtonMore {
					if press(bob, b); w.get(r.ID).Rev == r.Rev {
						t.Errorf("bob pressed %s in vain: %s", b, w.told())
					}
					break
				}
			}
		})
	}
}

// TestHostileText: what people write in the reasons, reviews and decisions of emergencies,
// later starts and more time calls nobody and links nowhere, in no message and no form.
func TestHostileText(t *testing.T) {
	t.Parallel()
	const evil = "<!here> <@U0BOB> <https://evil.example.com|Approved> *_~`&lt;!channel&gt;"
	check := func(what string, body []byte) {
		t.Helper()
		for _, text := range marked(t, body) {
			for _, live := range []string{"<!here", "<!channel", "<https://evil", "<@U0BOB> <"} {
				if strings.Contains(text, live) {
					t.Errorf("%s: %q", what, text)
				}
			}
		}
	}
	w := urgentWorld(t)
	form := w.urgentForm(alice)
	values := with(flow.KeyBreakGlass, ticked())
	values["reason"] = typed(evil)
	if got := w.interact(submission(alice, form, values)); got != "" {
		t.Fatal(got)
	}
	r := w.ofForm(form)
	shown := func() {
		t.Helper()
		for _, e := range r.Events {
			for _, k := range []workflow.Kind{workflow.KindOutcome, workflow.KindTold, workflow.KindError, workflow.KindRefused} {
				if body, err := Render(workflow.Message{Kind: k, EventID: e.ID}, r); err == nil {
					check(string(k)+" of "+string(e.Name), body)
				}
			}
		}
		for _, k := range []workflow.Kind{workflow.KindRequest, workflow.KindStatus} {
			body, err := Render(workflow.Message{Kind: k}, r)
			if err != nil {
				t.Fatal(err)
			}
			check(string(k), body)
		}
		for _, mark := range []string{"decide", "review"} {
			if body, err := Render(workflow.Message{Kind: workflow.KindTold, Mark: mark}, r); err == nil {
				check(mark, body)
			}
		}
	}
	mallory := person(bob, "<!here> Bob")
	r = w.apply(r.ID, flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{mallory}, Required: 1}, Longest: 30 * time.Minute})
	r.Form.Extend = &flow.Extend{Max: 2, For: []flow.Duration{flow.Duration(10 * time.Minute)}, Approval: flow.ExtendSame}
	shown()
	do := func(in flow.Input) {
		t.Helper()
		var err error
		if r, err = flow.Apply(r, in, w.now); err != nil {
			t.Fatalf("%T: %v", in, err)
		}
		shown()
	}
	do(flow.Intend{Strategy: *accessFlow().Strategy, Target: *r.Target, Identity: evil, Entitlements: []flow.Entitlement{{Key: r.ID}}})
	do(flow.Escalate{})
	do(flow.Receive{Action: flow.ActionExtendRequest, Actor: person(alice, "Alice"), Channel: flow.ChannelSlack, By: 10 * time.Minute, Message: evil})
	do(flow.AskExtension{SignalID: r.Signals[0].ID})
	do(flow.Receive{Action: flow.ActionExtendDeny, Actor: mallory, Channel: flow.ChannelSlack, Extension: r.Extension.EventID, Message: evil})
	do(flow.DecideExtension{SignalID: r.Signals[0].ID})
	w.now = r.Access.End
	do(flow.Claim{Owner: "w", Until: w.now.Add(time.Hour)})
	do(flow.Deescalate{Owner: "w"})
	review, err := json.Marshal(reviewModal(r, metadata{Run: r.ID}))
	if err != nil {
		t.Fatal(err)
	}
	check("the form of a review", review)
	do(flow.Receive{Action: flow.ActionReview, Actor: mallory, Channel: flow.ChannelSlack, Message: evil})
	do(flow.Reviewed{SignalID: r.Signals[0].ID})
}

// marked lists the texts of a message or view in which markup works: those of its blocks,
// and its notification.
func marked(t testing.TB, body []byte) (texts []string) {
	t.Helper()
	var all any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatal(err)
	}
	var walk func(v any, top bool)
	walk = func(v any, top bool) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one, false)
			}
		case map[string]any:
			if s, ok := v["text"].(string); ok && (top || v["type"] == "mrkdwn") {
				texts = append(texts, s)
			}
			for _, one := range v {
				walk(one, false)
			}
		}
	}
	walk(all, true)
	return texts
}
