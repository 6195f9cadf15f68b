package slackapp

import (
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// changeable is accessFlow, whose approvers may change everything, and in which people
// may ask for colleagues.
func changeable() *flow.Flow {
	f := accessFlow()
	f.Params.ApproveWith = flow.ApproveWith{Duration: true, Target: true}
	f.Params.OnBehalf = true
	return f
}

// pressed is the payload of a button that opens a form.
func (w *world) pressed(user string, b flow.Button, r flow.Run) map[string]any {
	in := w.clickOn(user, string(b), value(r), "")
	in["trigger_id"] = "trigger-" + user + string(b) + r.ID
	return in
}

// told is what somebody was told in answer to what they did last.
func (w *world) told() string {
	said := w.slack.of("response-url")
	if len(said) == 0 {
		return ""
	}
	text, _ := said[len(said)-1].Args["text"].(string)
	return text
}

func TestApproveWithChanges(t *testing.T) {
	t.Parallel()
	users := flow.TargetID("sym", "users-db")
	for name, c := range map[string]struct {
		user   string
		values map[string]any
		edit   func(w *world, v *slack.View, r flow.Run)
		want   string // what the answer says; "": it is taken
	}{
		"shorter":              {user: bob, values: map[string]any{"duration": chosen("30")}},
		"another target":       {user: bob, values: map[string]any{"target_id": chosen(users)}},
		"longer":               {user: bob, values: map[string]any{"duration": chosen("86400")}, want: "Is longer than is asked for: at most 1 hour."},
		"not of the form":      {user: bob, values: map[string]any{"duration": chosen("45")}, want: "Is not among the durations that this flow has: choose one of them."},
		"no duration":          {user: bob, values: map[string]any{"duration": chosen("-30")}, want: "This is no duration of the form"},
		"forged target":        {user: bob, values: map[string]any{"target_id": chosen("payroll-db")}, want: "Is not among the targets that the requester could choose: choose one of them."},
		"by the requester":     {user: alice, values: map[string]any{"duration": chosen("30")}, want: "You can't approve your own request."},
		"by another":           {user: carol, values: map[string]any{"duration": chosen("30")}, want: "Only Bob can decide this request."},
		"by a guest":           {user: gus, values: map[string]any{"duration": chosen("30")}, want: "Guests of the workspace can't decide"},
		"of another workspace": {user: stranga, values: map[string]any{"duration": chosen("30")}, want: "Guests of the workspace can't decide"},
		"without a digest": {user: bob, values: map[string]any{"duration": chosen("30")}, edit: func(_ *world, v *slack.View, r flow.Run) {
			v.PrivateMetadata = metadata{Run: r.ID, Flow: r.Flow, Version: r.FlowVersion}.String()
		}, want: "This form is not one of ours"},
		"changed since": {user: bob, values: map[string]any{"duration": chosen("30")}, edit: func(_ *world, v *slack.View, r flow.Run) {
			v.PrivateMetadata = metadata{Run: r.ID, Flow: r.Flow, Version: r.FlowVersion, Seen: "0011223344556677"}.String()
		}, want: "This request has changed since its message was written"},
		"decided since": {user: bob, values: map[string]any{"duration": chosen("30")}, edit: func(w *world, _ *slack.View, r flow.Run) {
			r = w.apply(r.ID, flow.Receive{Action: flow.ActionCancel, Actor: person(alice, "Alice"), Channel: flow.ChannelSlack})
			w.apply(r.ID, flow.Decide{SignalID: r.Signals[0].ID})
		}, want: "This request was already cancelled by Alice."},
		"what the target can't be": {user: bob, values: map[string]any{"target_id": chosen(users)}, edit: func(w *world, _ *slack.View, _ flow.Run) {
			w.app.Submit.Bound = func(flow.Strategy, flow.Target) error {
				return &flow.Error{Code: flow.CodeInvalid, Fields: []flow.FieldError{{Field: "target_id", Message: "has no such scope"}}}
			}
		}, want: "Has no such scope."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t, changeable())
			r := w.routed()
			if got := w.interact(w.pressed(bob, flow.ButtonChange, r)); got != "" {
				t.Fatalf("answer %s", got)
			}
			view := w.opened()
			if view.CallbackID != viewChange || !strings.Contains(textOf(view.Blocks.BlockSet), "asks for access to *Orders database* for *1 hour*") {
				t.Fatalf("opened %s: %s", view.CallbackID, textOf(view.Blocks.BlockSet))
			}
			if c.edit != nil {
				c.edit(w, &view, r)
			}
			got := w.interact(submission(c.user, view, c.values))
			after, err := w.runs.Get(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if c.want != "" {
				if !strings.Contains(got, c.want) || len(after.Signals) > 0 {
					t.Errorf("answer %s, signals %v", got, after.Signals)
				}
				return
			}
			if got != "" || len(after.Signals) != 1 || after.Signals[0].Give == nil || after.Signals[0].Via == nil {
				t.Fatalf("answer %s, signals %+v", got, after.Signals)
			}
			if again := w.interact(submission(c.user, view, c.values)); again != "" {
				t.Errorf("twice: %s", again)
			}
			if twice, _ := w.runs.Get(t.Context(), r.ID); twice.Rev != after.Rev {
				t.Error("a double click changed the run")
			}
		})
	}
}

// TestApproveWithChanges_button: the form opens for those who may approve what they
// read, and for nobody else.
func TestApproveWithChanges_button(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t, changeable())
	r := w.routed()
	stale := r
	stale.DurationSeconds = 30
	for name, c := range map[string]struct {
		user string
		r    flow.Run
		want string
	}{
		"by the requester": {alice, r, "You can't approve your own request."},
		"by another":       {carol, r, "Only Bob can decide this request."},
		"stale":            {bob, stale, "This request has changed since its message was written"},
	} {
		opened := len(w.slack.of("views.open"))
		w.interact(w.pressed(c.user, flow.ButtonChange, c.r))
		if !strings.Contains(w.told(), c.want) || len(w.slack.of("views.open")) != opened {
			t.Errorf("%s: told %q", name, w.told())
		}
	}
	plain := memoryWorld(t)
	r = plain.routed()
	plain.interact(plain.pressed(bob, flow.ButtonChange, r))
	if !strings.Contains(plain.told(), "There is nothing else that could be given") {
		t.Errorf("where nothing can be changed: %q", plain.told())
	}
}

func TestAskForColleague(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ whom, want string }{
		"oneself":              {alice, ""},
		"a colleague":          {carol, ""},
		"a guest":              {gus, "Can't have this: only active members of this workspace can"},
		"deactivated":          {dora, "Can't have this: only active members of this workspace can"},
		"of another workspace": {stranga, "Can't have this: only active members of this workspace can"},
		"a bot":                {"UBOT", "Can't have this: only active members of this workspace can"},
		"nobody":               {"U0NOBODY", "Is nobody of this workspace: choose somebody else."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t, changeable())
			view := w.shownForm()
			values := form()
			values[".for"] = map[string]any{"type": "users_select", "selected_user": c.whom}
			got := w.interact(submission(alice, view, values))
			r, err := w.runs.Get(t.Context(), metadataOf(received(t, view)).Run)
			if err != nil {
				t.Fatal(err)
			}
			if c.want != "" {
				if !strings.Contains(got, `".for":"`+c.want) || len(r.Signals) > 0 {
					t.Errorf("answer %s", got)
				}
				return
			}
			if got != "" || r.Requester.SlackID != c.whom || r.OnBehalf() != (c.whom != alice) || r.OnBehalf() && r.Asker.SlackID != alice {
				t.Fatalf("answer %s, %s's, asked for by %v", got, r.Requester.Display(), r.Asker)
			}
			if again := w.interact(submission(alice, view, values)); again != "" {
				t.Errorf("twice: %s", again)
			}
			if c.whom == alice {
				return
			}
			// Whoever asked may not approve, by any way; the colleague and they may cancel.
			r = w.apply(r.ID, flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{
				Members: true, Admins: []flow.Actor{person(alice, "Alice")}, Required: 1, AllowSelfApproval: true,
			}})
			w.interact(w.clickOn(alice, "approve", value(r), ""))
			if !strings.Contains(w.told(), "You can't approve what you asked for, though it is for carol.") {
				t.Errorf("told %q", w.told())
			}
			w.interact(w.pressed(alice, flow.ButtonChange, r))
			if !strings.Contains(w.told(), "You can't approve what you asked for") {
				t.Errorf("with changes: told %q", w.told())
			}
			forged := viewOf(t, changeModal(changeable(), r, flow.Offer{Durations: []time.Duration{time.Second}}, metadata{Run: r.ID, Seen: readButton(value(r)).seen}))
			if got := w.interact(submission(alice, forged, map[string]any{"duration": chosen("30")})); !strings.Contains(got, "You can't approve what you asked for") {
				t.Errorf("by the form: %s", got)
			}
			w.interact(w.clickOn(alice, "cancel", value(r), ""))
			if after, _ := w.runs.Get(t.Context(), r.ID); len(after.Signals) != 1 || after.Signals[0].Action != flow.ActionCancel {
				t.Errorf("signals %v, told %q", after.Signals, w.told())
			}
		})
	}
	t.Run("where the flow does not let", func(t *testing.T) {
		t.Parallel()
		w := memoryWorld(t)
		view := w.shownForm()
		values := form()
		values[".for"] = map[string]any{"type": "users_select", "selected_user": carol}
		if got := w.interact(submission(alice, view, values)); !strings.Contains(got, "People can ask for themselves only by this flow") {
			t.Errorf("answer %s", got)
		}
	})
}

func TestAskAgain(t *testing.T) {
	t.Parallel()
	f := changeable()
	w := memoryWorld(t, f)
	r := w.routed()
	w.interact(w.pressed(alice, flow.ButtonAgain, r))
	if !strings.Contains(w.told(), "This request can't be made again yet: it is requested.") {
		t.Errorf("while it is open: %q", w.told())
	}
	r = w.apply(r.ID, flow.Receive{Action: flow.ActionDeny, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack})
	r = w.apply(r.ID, flow.Decide{SignalID: r.Signals[0].ID})
	w.interact(w.pressed(carol, flow.ButtonAgain, r))
	if !strings.Contains(w.told(), "Only the requester can ask for this again.") {
		t.Errorf("somebody else: %q", w.told())
	}
	before := runsIn(t, w.runs)
	for range 2 { // a replay is the same run
		w.interact(w.pressed(alice, flow.ButtonAgain, r))
	}
	view := w.opened()
	if n := runsIn(t, w.runs); n != before+1 {
		t.Fatalf("%d new runs", n-before)
	}
	again, err := w.runs.Get(t.Context(), metadataOf(received(t, view)).Run)
	if err != nil || again.Repeats != r.ID {
		t.Fatalf("again %+v, %v", again.Repeats, err)
	}
	_, reason := inputOf(t, view, "reason")
	_, target := inputOf(t, view, "target_id")
	_, duration := inputOf(t, view, "duration")
	if reason.(*slack.PlainTextInputBlockElement).InitialValue != "fix the orders" ||
		target.(*slack.SelectBlockElement).InitialOption.Text.Text != "Orders database" || duration.(*slack.SelectBlockElement).InitialOption.Value != "1h" {
		t.Errorf("filled in %+v, %+v, %+v", reason, target, duration)
	}
	if got := w.interact(submission(alice, view, form())); got != "" {
		t.Errorf("answer %s", got)
	}

	// What can't be chosen any more is left empty, and said.
	f.Strategy.Targets = f.Strategy.Targets[1:]
	if _, err := w.app.Flows.Publish(t.Context(), flow.Author{}, []*flow.Flow{f}); err != nil {
		t.Fatal(err)
	}
	in := w.pressed(alice, flow.ButtonAgain, r)
	in["trigger_id"] = "later"
	w.interact(in)
	view = w.opened()
	_, target = inputOf(t, view, "target_id")
	if target.(*slack.SelectBlockElement).InitialOption != nil || !strings.Contains(textOf(view.Blocks.BlockSet), "as far as it can still be chosen. Choose anew: Target.") {
		t.Errorf("form %s", textOf(view.Blocks.BlockSet))
	}
}
