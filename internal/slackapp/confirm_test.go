package slackapp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// claimed gives somebody's address to another account, and returns the notice of
// that.
func (w *world) claimed(id, next string) store.Notice {
	w.t.Helper()
	if _, err := w.app.Directory.User(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
	profile := w.slack.people[id]["profile"]
	w.slack.people[id]["deleted"] = true
	w.slack.people[next] = map[string]any{"name": next, "team_id": team, "profile": profile}
	if u, err := w.app.Directory.User(w.t.Context(), next); err != nil || !u.Unconfirmed {
		w.t.Fatalf("%+v, %v", u, err)
	}
	return w.notices()[len(w.notices())-1]
}

func (w *world) notices() (all []store.Notice) {
	w.t.Helper()
	page, err := w.store.List(w.t.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice), Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, item := range page.Items {
		var n store.Notice
		if err := json.Unmarshal(item.Body, &n); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// clickOnNotice is the payload of a click on the notice's only button.
func (w *world) clickOnNotice(user string, n store.Notice) map[string]any {
	w.t.Helper()
	body, err := Messenger{}.RenderNotice(n)
	if err != nil {
		w.t.Fatal(err)
	}
	var message struct{ Blocks []any }
	if err := json.Unmarshal(body, &message); err != nil {
		w.t.Fatal(err)
	}
	payload := w.clickOn(user, buttonConfirm, confirmValue(w.t, message.Blocks), "")
	payload["message"] = map[string]any{"ts": "1700000000.000100", "blocks": message.Blocks}
	return payload
}

func confirmValue(t testing.TB, blocks []any) string {
	t.Helper()
	last, _ := blocks[len(blocks)-1].(map[string]any)
	buttons, _ := last["elements"].([]any)
	if len(buttons) != 1 {
		t.Fatalf("%v has not one button", last)
	}
	button, _ := buttons[0].(map[string]any)
	if button["action_id"] != buttonConfirm || button["confirm"] == nil {
		t.Errorf("button %v", button)
	}
	value, _ := button["value"].(string)
	return value
}

// flowsOf are one of an environment of bob's, and, if there are others, one of
// somebody else's.
func flowsOf(others bool) []*flow.Flow {
	flows := []*flow.Flow{accessFlow()}
	if others {
		f := reportFlow()
		f.Environment = flow.Environment{Name: "billing", Admins: []string{"carol@example.com"}}
		flows = append(flows, f)
	}
	return flows
}

// TestConfirm: an admin of all environments confirms an account by the button of
// the notice that told of it, and nobody else does.
func TestConfirm(t *testing.T) {
	t.Parallel()
	aliceID := flow.UserID("sym", "alice@example.com")
	for name, c := range map[string]struct {
		user   string
		others bool                                   // there are environments of other admins
		edit   func(w *world, payload map[string]any) // what is not as it should be
		told   string                                 // beside the notice
		want   bool                                   // whether it is confirmed
	}{
		"Admin":            {user: bob, told: "The address alice@\u2060example.com belongs to UNEXT (UNEXT in T0TEAM) now, and not to U0ALICE in T0TEAM: confirmed by Bob.", want: true},
		"Member":           {user: carol, told: "Only an admin can confirm this."},
		"Guest":            {user: gus, told: "Only an admin can confirm this."},
		"Themselves":       {user: "UNEXT", told: "Only an admin can confirm this."},
		"Deactivated":      {user: bob, edit: func(w *world, _ map[string]any) { w.slack.people[bob]["deleted"] = true }, told: "Only an admin can confirm this."},
		"OfOneEnvironment": {user: bob, others: true, told: "Only an admin of all environments can confirm this, because the address may be named in any: you are no admin of billing."},
		"OtherWorkspace":   {user: bob, edit: func(_ *world, p map[string]any) { p["team"] = map[string]any{"id": "T0OTHER"} }, told: "This app serves another Slack workspace"},
		"OtherMessage": {user: bob, edit: func(w *world, p map[string]any) {
			p["message"] = w.clickOn(bob, buttonConfirm, "all", "")["message"]
		}, told: "This button is not one of the message that it is in"},
		"NoMessage": {user: bob, edit: func(_ *world, p map[string]any) { delete(p, "message") }, told: "This button is not one of the message that it is in"},
		"OtherAccountByNow": {user: bob, edit: func(w *world, _ map[string]any) {
			w.slack.people["UTHIRD"] = map[string]any{"name": "third", "team_id": team, "profile": w.slack.people[alice]["profile"]}
			if _, err := w.app.Directory.User(w.t.Context(), "UTHIRD"); err != nil {
				w.t.Fatal(err)
			}
			if n := len(w.notices()); n != 2 {
				w.t.Errorf("%d notices: the third account was not told of", n)
			}
		}, told: "Another Slack account claims this address by now"},
		"Twice": {user: bob, edit: func(w *world, p map[string]any) {
			if got := w.interact(p); got != "" {
				w.t.Errorf("answer %q", got)
			}
		}, told: "No other Slack account claims this address", want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &storetest.Memory{Now: func() time.Time { return start }}, flowsOf(c.others)...)
			w.slack.people[alice]["profile"] = map[string]any{"email": "alice@example.com"}
			payload := w.clickOnNotice(c.user, w.claimed(alice, "UNEXT"))
			if c.edit != nil {
				c.edit(w, payload)
			}
			if got := w.interact(payload); got != "" {
				t.Errorf("answer %q", got)
			}
			said := w.slack.of("response-url")
			if len(said) == 0 || !strings.Contains(fmt.Sprint(said[len(said)-1].Args["text"]), c.told) {
				t.Errorf("told %v, want %q", said, c.told)
			}
			waiting, err := w.app.Accounts.Users.Claims(t.Context())
			if err != nil || (len(waiting) == 0) != c.want {
				t.Errorf("%+v wait, %v", waiting, err)
			}
			edited := w.slack.of("chat.update")
			if (len(edited) > 0) != c.want || c.want && strings.Contains(fmt.Sprint(edited[0].Args["blocks"]), buttonConfirm) {
				t.Errorf("the notice became %v", edited)
			}
			p, err := w.app.Accounts.Users.ByID(t.Context(), aliceID)
			if err != nil || (p.SlackID == "UNEXT") != c.want {
				t.Errorf("the address is of %+v, %v", p, err)
			}
		})
	}
}

// TestConfirm_All: people of a workspace that moved are confirmed at once.
func TestConfirm_All(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &storetest.Memory{Now: func() time.Time { return start }}, flowsOf(false)...)
	many := func(space string) {
		for n := range 12 {
			email := fmt.Sprintf("user%d@example.com", n)
			_, err := w.app.Accounts.Users.Remember(t.Context(), store.User{
				Actor: flow.Actor{ID: flow.UserID("sym", email), Kind: flow.KindPerson, Email: email, SlackID: fmt.Sprint(space, n), SlackTeam: space},
				Role:  store.RoleMember, SeenAt: w.now,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	many("T1")
	many("T2")
	var all *store.Notice
	for _, n := range w.notices() {
		if n.Confirms != nil && n.Confirms.All {
			all = &n
		}
	}
	if all == nil {
		t.Fatalf("told %+v", w.notices())
	}
	w.interact(w.clickOnNotice(carol, *all))
	if waiting, err := w.app.Accounts.Users.Claims(t.Context()); err != nil || len(waiting) != 12 {
		t.Fatalf("%d wait, %v", len(waiting), err)
	}
	w.interact(w.clickOnNotice(bob, *all))
	if waiting, err := w.app.Accounts.Users.Claims(t.Context()); err != nil || len(waiting) != 0 {
		t.Errorf("%d wait, %v", len(waiting), err)
	}
	if edited := w.slack.of("chat.update"); len(edited) != 1 || !strings.Contains(fmt.Sprint(edited[0].Args["text"]), "12 accounts confirmed by Bob") {
		t.Errorf("the notice became %v", edited)
	}
}
