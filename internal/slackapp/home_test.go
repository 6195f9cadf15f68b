package slackapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// fed reads the change feed of a run, as notify does.
func (w *world) fed(runs ...string) {
	w.t.Helper()
	h := w.app.Home
	n := workflow.Notify{
		Lists: store.Lists{Store: w.store, Now: w.app.Now},
		Runs:  w.runs, Flows: w.app.Flows, Messages: store.Messages{Store: w.store}, Notices: store.Notices{Store: w.store, Now: w.app.Now},
		Slack: Messenger{w.app.API}, Health: &workflow.Health{}, Now: w.app.Now, Log: w.app.Log,
		Home: &workflow.Home{Homes: h.Homes, Waits: h.Waits, Live: h.Live, Stats: h.Stats, Tab: h, Now: w.app.Now, Log: w.app.Log},
	}
	for _, id := range runs {
		err := n.Handle(w.t.Context(), store.Change{Key: store.KindRun.Key(id)})
		if _, later := errors.AsType[*flow.RateLimited](err); err != nil && !later { // messages wait for what follows at once
			w.t.Error(err)
		}
	}
}

// home has somebody open their Home tab, and gives what they see.
func (w *world) home(user string) map[string]any {
	w.t.Helper()
	w.n++
	w.ok(w.post("/slack/events", homeOpened(fmt.Sprint("EvHome", w.n), user)))
	return w.homeOf(user)
}

// homeOf is what was published for somebody last.
func (w *world) homeOf(user string) map[string]any {
	w.t.Helper()
	for _, c := range slices.Backward(w.slack.of("views.publish")) {
		if c.Args["user_id"] == user {
			v, _ := c.Args["view"].(map[string]any)
			checkView(w.t, v)
			return v
		}
	}
	w.t.Fatalf("nothing was published for %s", user)
	return nil
}

// checkView holds a view to Slack's limits.
func checkView(t testing.TB, v map[string]any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	blocks, _ := v["blocks"].([]any)
	if len(blocks) == 0 || len(blocks) > maxViewBlocks || len(b) > 250_000 {
		t.Errorf("a view of %d blocks, %d bytes", len(blocks), len(b))
	}
	for _, block := range blocks {
		table, _ := block.(map[string]any)["rows"].([]any)
		characters := 0
		for _, row := range table {
			for _, cell := range row.([]any) {
				if e, ok := cell.(map[string]any)["element"].(map[string]any); ok {
					cell = e["text"]
				}
				characters += len([]rune(fmt.Sprint(cell.(map[string]any)["text"])))
			}
		}
		if len(table) > 101 || characters > 10_000 {
			t.Errorf("a table of %d rows, %d characters", len(table), characters)
		}
	}
}

// inHome is the payload of a button of a view.
func inHome(user string, v map[string]any, action, value string) map[string]any {
	v = map[string]any{"id": "V0HOME", "type": v["type"], "callback_id": v["callback_id"], "blocks": v["blocks"]}
	return map[string]any{
		"type": "block_actions", "team": map[string]any{"id": team}, "user": map[string]any{"id": user}, "trigger_id": "home-" + action + value,
		"container": map[string]any{"type": "view", "view_id": "V0HOME"}, "view": v,
		"actions": []any{map[string]any{"type": "button", "block_id": "b1", "action_id": action, "value": value}},
	}
}

// buttonIn finds a button of a view by the beginning of its action id.
func buttonIn(t testing.TB, v any, action string) (id, value string) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if s, _ := v["action_id"].(string); v["type"] == "button" && strings.HasPrefix(s, action) {
			value, _ = v["value"].(string)
			return s, value
		}
		for _, part := range v {
			if id, value = buttonIn(t, part, action); id != "" {
				return id, value
			}
		}
	case []any:
		for _, part := range v {
			if id, value = buttonIn(t, part, action); id != "" {
				return id, value
			}
		}
	}
	return "", ""
}

// The Home tabs of the people that there are. testdata has them whole.
func TestHomeViews(t *testing.T) {
	t.Parallel()
	t.Run("newcomer", func(t *testing.T) {
		t.Parallel()
		golden(t, "home-newcomer.json", memoryWorld(t).home(carol))
	})
	t.Run("guest", func(t *testing.T) {
		t.Parallel()
		golden(t, "home-guest.json", memoryWorld(t).home(gus))
	})
	t.Run("requester", func(t *testing.T) {
		t.Parallel()
		w := memoryWorld(t)
		w.live("orders-db")
		r := w.routed()
		w.fed(r.ID)
		golden(t, "home-requester.json", w.home(alice))
	})
	t.Run("approver", func(t *testing.T) {
		t.Parallel()
		f := accessFlow()
		f.Environment.Admins = nil
		w := memoryWorld(t, f)
		for range 2 {
			w.fed(w.routed().ID)
		}
		golden(t, "home-approver.json", w.home(bob))
	})
	t.Run("admin", func(t *testing.T) {
		t.Parallel()
		w := memoryWorld(t)
		w.grants(5000)
		golden(t, "home-admin.json", w.home(bob))
	})
	t.Run("admin without tables", func(t *testing.T) {
		t.Parallel()
		w := memoryWorld(t)
		w.grants(12)
		w.slack.failing("views.publish", "invalid_arguments")
		w.n++
		if rec := w.post("/slack/events", homeOpened("EvRefused", bob)); rec.Code != http.StatusServiceUnavailable {
			t.Errorf("answer %d", rec.Code)
		}
		golden(t, "home-admin-plain.json", w.homeOf(bob)) // what was tried last
	})
}

// grants makes so much access live, and requests on each of the last days.
func (w *world) grants(n int) {
	w.t.Helper()
	h := w.app.Home
	for i := range n {
		id := flow.RunIDFrom("sym", "grant", fmt.Sprint(i))
		a := store.LiveAccess{
			Run: id, Environment: "main", Who: person(fmt.Sprintf("U0%05d", i), fmt.Sprintf("Person %05d", i)), What: fmt.Sprintf("A database of a long name, number %d", i%50),
			Flow: "prod-access", Title: "Production access", End: start.Add(time.Duration(i+1) * time.Minute), Endable: i%7 != 0,
		}
		if i%100 == 99 {
			a.End = time.Time{}
		}
		if err := h.Live.Follow(w.t.Context(), id, 1, &a); err != nil {
			w.t.Fatal(err)
		}
	}
	for day := range 14 {
		for i := range day + 3 {
			out := flow.Outcomes[1+i%4]
			if err := h.Stats.Count(w.t.Context(), "main", flow.RunIDFrom("sym", "day", fmt.Sprint(day, i)), start.AddDate(0, 0, -day), out, time.Duration(i)*time.Minute); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// The largest Home tab that can be keeps within Slack's limits.
func TestHomeIsNeverTooLarge(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Ä", 3000)
	r := memoryWorld(t).routed()
	r.Fields = map[string]any{"reason": long}
	r.FlowTitle, r.Requester.Name = long, long
	target := *r.Target
	target.Label = long
	r.Target = &target
	d := homeData{who: store.User{Actor: person(bob, long), Role: store.RoleMember}, now: start, admin: &adminData{environments: []string{long}, more: true}}
	for range 300 {
		d.waiting, d.own.access, d.own.open, d.own.over = append(d.waiting, r), append(d.own.access, r), append(d.own.open, r), append(d.own.over, r)
	}
	for i := range 100 {
		d.admin.access = append(d.admin.access, store.LiveAccess{Run: r.ID, Who: r.Requester, What: long, Title: long, End: start.Add(time.Duration(i)), Endable: true})
	}
	for i := range 14 {
		d.admin.days = append(d.admin.days, store.Day{Date: start.AddDate(0, 0, i), Of: map[flow.RequestOutcome]int{flow.OutcomeDenied: 1 << 40}, Took: []time.Duration{1 << 50}})
	}
	for _, plainly := range []bool{false, true} {
		b, err := json.Marshal(map[string]any{"blocks": d.view(plainly)})
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		checkView(t, v)
		for _, block := range d.view(plainly) {
			if chart, ok := block.(slack.DataVisualizationBlock); ok {
				if err := chart.Validate(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestHomeDecides: Approve counts as it does in the request's message, and Deny asks why.
func TestHomeDecides(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	first, second := w.routed(), w.routed()
	w.fed(first.ID, second.ID)
	v := w.home(bob)
	w.interact(inHome(bob, v, "approve", value(first)))
	w.interact(inHome(bob, v, "approve", value(first))) // a double click
	if r := w.get(first.ID); len(r.Signals) != 1 || r.Signals[0].Action != flow.ActionApprove || r.Signals[0].Actor.SlackID != bob || r.Signals[0].Via != nil {
		t.Errorf("signals %+v", r.Signals)
	}
	action, pressed := buttonIn(t, v, homeDeny)
	if !strings.HasPrefix(pressed, second.ID) && !strings.HasPrefix(pressed, first.ID) {
		t.Fatalf("%q %q", action, pressed)
	}
	w.interact(inHome(bob, v, homeDeny, value(second)))
	form := w.opened()
	if form.CallbackID != viewDeny {
		t.Fatalf("%+v", form)
	}
	if got := w.interact(submission(bob, form, map[string]any{blockDecision: typed(" not now ")})); got != "" {
		t.Errorf("answer %s", got)
	}
	if r := w.get(second.ID); len(r.Signals) != 1 || r.Signals[0].Action != flow.ActionDeny || r.Signals[0].Message != "not now" {
		t.Errorf("signals %+v", r.Signals)
	}
	// The same form by somebody who may not decide changes nothing.
	third := w.routed()
	form.PrivateMetadata = metadata{Run: third.ID}.String()
	if got := w.interact(submission(carol, form, map[string]any{blockDecision: typed("mine")})); !strings.Contains(got, "can decide this request") {
		t.Errorf("answer %s", got)
	}
	if r := w.get(third.ID); len(r.Signals) > 0 {
		t.Errorf("signals %+v", r.Signals)
	}
}

// TestHomeRefuses: what is not in the view, is of another view, comes from somebody
// else or from another workspace, or is about something that has changed, does not count.
func TestHomeRefuses(t *testing.T) {
	t.Parallel()
	for name, press := range map[string]func(w *world, r flow.Run, v map[string]any) map[string]any{
		"Forged": func(w *world, r flow.Run, _ map[string]any) map[string]any {
			return inHome(bob, w.home(carol), "approve", value(r))
		},
		"ForgedDigest": func(_ *world, r flow.Run, v map[string]any) map[string]any {
			return inHome(bob, v, "approve", r.ID+" request:0 0123456789abcdef")
		},
		"OtherPerson": func(_ *world, r flow.Run, v map[string]any) map[string]any {
			return inHome(carol, v, "approve", value(r))
		},
		"Requester": func(_ *world, r flow.Run, v map[string]any) map[string]any {
			return inHome(alice, v, "approve", value(r))
		},
		"OtherView": func(_ *world, r flow.Run, v map[string]any) map[string]any {
			return inHome(bob, map[string]any{"type": "home", "callback_id": "other", "blocks": v["blocks"]}, "approve", value(r))
		},
		"Modal": func(_ *world, r flow.Run, v map[string]any) map[string]any {
			return inHome(bob, map[string]any{"type": "modal", "callback_id": viewRequest, "blocks": v["blocks"]}, "approve", value(r))
		},
		"OtherWorkspace": func(_ *world, r flow.Run, v map[string]any) map[string]any {
			in := inHome(bob, v, "approve", value(r))
			in["team"] = map[string]any{"id": "T0OTHER"}
			return in
		},
		"Changed": func(w *world, r flow.Run, v map[string]any) map[string]any {
			stored := w.get(r.ID)
			stored.DurationSeconds++
			if _, err := w.runs.Put(w.t.Context(), stored); err != nil {
				w.t.Fatal(err)
			}
			return inHome(bob, v, "approve", value(r))
		},
		"DenyForged": func(w *world, r flow.Run, _ map[string]any) map[string]any {
			return inHome(bob, w.home(carol), homeDeny, value(r))
		},
		"DenyByOther": func(_ *world, r flow.Run, v map[string]any) map[string]any {
			return inHome(carol, v, homeDeny, value(r))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			r := w.routed()
			w.fed(r.ID)
			v := w.home(bob)
			opened := len(w.slack.of("views.open"))
			w.interact(press(w, r, v))
			if got := w.get(r.ID); len(got.Signals) > 0 {
				t.Errorf("signals %+v", got.Signals)
			}
			if name == "Modal" {
				return // it is told by a direct message
			}
			if n := len(w.slack.of("views.open")); n != opened+1 || w.opened().CallbackID != viewNotice {
				t.Errorf("nobody was told: %d views, %+v", n-opened, w.opened())
			}
		})
	}
}

// TestHomeOfOthers: nobody sees what waits for others, or is of others.
func TestHomeOfOthers(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	live := w.live("orders-db")
	open := w.routed()
	w.fed(live.ID, open.ID)
	for user, want := range map[string]int{alice: 2, bob: 2, carol: 0, gus: 0} { // bob is asked, and an admin
		got := textOfView(t, w.home(user))
		if n := strings.Count(got, "Orders database"); (n > 0) != (want > 0) {
			t.Errorf("%s sees it %d times: %s", user, n, got)
		}
	}
	// What is decided waits for nobody.
	w.apply(open.ID, flow.Receive{Action: flow.ActionDeny, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack})
	w.apply(open.ID, flow.Decide{SignalID: w.get(open.ID).Signals[0].ID})
	w.fed(open.ID)
	if got := textOfView(t, w.home(bob)); strings.Contains(got, "Waiting for you") {
		t.Errorf("bob sees %s", got)
	}
}

func textOfView(t testing.TB, v map[string]any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestHomeEnds: End in one's own entry, and in a row of the admins' table, ends access.
func TestHomeEnds(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	for _, user := range []string{alice, bob} {
		r := w.live("orders-db")
		w.fed(r.ID)
		v := w.home(user)
		action, pressed := buttonIn(t, v, string(flow.ButtonEnd))
		for _, other := range []string{carol, gus} { // who forge it
			w.interact(inHome(other, v, action, pressed))
		}
		if readButton(pressed).run != r.ID {
			pressed = buttonOf(r.ID, workflow.Message{Kind: workflow.KindStatus}) // another one of alice's
		}
		if got := w.get(r.ID); len(got.Signals) > 0 {
			t.Fatalf("signals %+v", got.Signals)
		}
		if user == alice {
			pressed = buttonValue(r, workflow.Message{Kind: workflow.KindStatus})
		}
		w.interact(inHome(user, v, action, pressed))
		if got := w.get(r.ID); len(got.Signals) != 1 || got.Signals[0].Action != flow.ActionDeescalate || got.Signals[0].Actor.SlackID != user {
			t.Errorf("%s: signals %+v", user, got.Signals)
		}
	}
}

// TestHomeRequests: its buttons open the picker, and the forms of favourites.
func TestHomeRequests(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	w.routed()
	v := w.home(alice)
	if _, flowName := buttonIn(t, v, homeRequest); flowName != "prod-access" { // it is asked for most
		t.Errorf("favourite %q", flowName)
	}
	w.interact(inHome(alice, v, homePick, "any"))
	if w.opened().CallbackID != viewFlow {
		t.Errorf("%+v", w.opened())
	}
	w.interact(inHome(alice, v, homeFavourites, "choose"))
	form := w.opened()
	golden(t, "form-favourites.json", w.sentForm())
	picked := map[string]any{blockFavourites: map[string]any{"type": slack.MultiOptTypeStatic, "selected_options": []any{map[string]any{"value": "report"}}}}
	if got := w.interact(submission(alice, form, picked)); got != "" {
		t.Errorf("answer %s", got)
	}
	v = w.homeOf(alice)
	action, flowName := buttonIn(t, v, homeRequest)
	if flowName != "report" {
		t.Errorf("favourite %q", flowName)
	}
	w.interact(inHome(alice, v, action, flowName))
	if w.opened().CallbackID != viewRequest {
		t.Errorf("%+v", w.opened())
	}
	w.interact(inHome(gus, v, action, flowName)) // a guest, who forges it
	if got := w.opened(); got.CallbackID != viewNotice {
		t.Errorf("%+v", got)
	}
	w.interact(inHome(alice, v, action, "withdrawn"))
	if got := w.opened(); got.CallbackID != viewNotice || !strings.Contains(textOf(got.Blocks.BlockSet), "no flow") {
		t.Errorf("%+v", got)
	}
}

// TestLiveAccess: admins, and nobody else, look for access by person, flow and target,
// page by page, and end it there.
func TestLiveAccess(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	w.grants(250)
	r := w.live("orders-db")
	w.fed(r.ID)
	rows := func(v slack.View) (out []string) {
		t.Helper()
		for _, b := range v.Blocks.BlockSet {
			if table, ok := b.(*slack.DataTableBlock); ok {
				for _, row := range table.Rows[1:] {
					out = append(out, row[0].(*slack.DataTableRawTextCell).Text+"/"+row[1].(*slack.DataTableRawTextCell).Text)
				}
			}
		}
		return out
	}
	v := w.home(bob)
	w.interact(inHome(bob, v, homeAccess, "filter"))
	form := w.opened()
	if got := rows(form); len(got) != 100 {
		t.Fatalf("%d rows", len(got))
	}
	filtered := func(values map[string]any) slack.View {
		t.Helper()
		var answer struct {
			View json.RawMessage `json:"view"`
		}
		if err := json.Unmarshal([]byte(w.interact(submission(bob, form, values))), &answer); err != nil {
			t.Fatal(err)
		}
		var v slack.View
		if err := json.Unmarshal(answer.View, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, c := range map[string]struct {
		values map[string]any
		want   int
	}{
		"Person":  {map[string]any{blockPerson: map[string]any{"type": slack.OptTypeUser, "selected_user": alice}}, 1},
		"Target":  {map[string]any{blockTarget: typed("NUMBER 7 database")}, 5},
		"Flow":    {map[string]any{blockFlow: chosen("prod-access"), blockTarget: typed("orders")}, 1},
		"NoFlow":  {map[string]any{blockFlow: chosen("report")}, 0},
		"Nothing": {map[string]any{blockTarget: typed("nowhere")}, 0},
	} {
		got := rows(filtered(c.values))
		if name == "Target" { // "number 7" is in those of 7 only; "7" stands in others' numbers too
			got = slices.DeleteFunc(got, func(s string) bool { return !strings.Contains(s, "number") })
			c.want = len(got)
		}
		if len(got) != c.want {
			t.Errorf("%s: %d rows: %q", name, len(got), got)
		}
	}
	// The last page has what is left, and ends there.
	page := func(after string) slack.View {
		t.Helper()
		b, err := json.Marshal(form)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		w.interact(inHome(bob, v, homePage+".1", after))
		calls := w.slack.of("views.update")
		return viewOf(t, calls[len(calls)-1].Args["view"])
	}
	if got := rows(page("200")); len(got) != 51 || !strings.HasPrefix(got[50], "Person 00099/") {
		t.Errorf("%d rows, the last %q", len(got), got[len(got)-1])
	}
	// End in a row of it.
	last := map[string]any{}
	b, _ := json.Marshal(filtered(map[string]any{blockPerson: map[string]any{"type": slack.OptTypeUser, "selected_user": alice}}))
	if err := json.Unmarshal(b, &last); err != nil {
		t.Fatal(err)
	}
	action, pressed := buttonIn(t, last, string(flow.ButtonEnd))
	w.interact(inHome(carol, last, action, pressed))
	if got := w.get(r.ID); len(got.Signals) > 0 {
		t.Errorf("signals %+v", got.Signals)
	}
	w.interact(inHome(bob, last, action, pressed))
	if got := w.get(r.ID); len(got.Signals) != 1 || got.Signals[0].Actor.SlackID != bob {
		t.Errorf("signals %+v", got.Signals)
	}
	// Others get nowhere: by the button, by its pages, by the form.
	w.interact(inHome(carol, v, homeAccess, "filter"))
	if got := w.opened(); got.CallbackID != viewNotice {
		t.Errorf("%+v", got)
	}
	if got := w.interact(submission(carol, form, nil)); !strings.Contains(got, "only admins") && !strings.Contains(got, "Only admins") {
		t.Errorf("answer %s", got)
	}
}

// TestHomeIsShownAgain: who has opened the tab within the hour sees changes there, once
// in ten seconds; the last one is seen in any case.
func TestHomeIsShownAgain(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	published := func(user string) int {
		n := 0
		for _, c := range w.slack.of("views.publish") {
			if c.Args["user_id"] == user {
				n++
			}
		}
		return n
	}
	sweep := func() {
		t.Helper()
		for _, user := range []string{alice, bob} {
			if err := w.app.Home.Homes.Wake(t.Context(), person(user, user), w.now); err != nil {
				t.Error(err)
			}
			n := workflow.Notify{Home: &workflow.Home{Homes: w.app.Home.Homes, Tab: w.app.Home, Now: w.app.Now, Log: w.app.Log}}
			if err := n.Handle(t.Context(), store.Change{Key: store.KindHome.Key(team + "#" + user)}); err != nil {
				t.Error(err)
			}
		}
	}
	w.home(bob)
	r := w.routed()
	w.fed(r.ID) // the first change is shown at once
	if a, b := published(alice), published(bob); a != 0 || b != 2 {
		t.Fatalf("alice %d, bob %d", a, b)
	}
	if got := textOfView(t, w.homeOf(bob)); !strings.Contains(got, "Waiting for you") {
		t.Errorf("bob sees %s", got)
	}
	w.now = w.now.Add(3 * time.Second)
	w.apply(r.ID, flow.Receive{Action: flow.ActionCancel, Actor: r.Requester, Channel: flow.ChannelSlack})
	w.fed(r.ID)
	w.apply(r.ID, flow.Decide{SignalID: w.get(r.ID).Signals[0].ID})
	for range 3 {
		w.fed(r.ID)
	}
	if b := published(bob); b != 2 {
		t.Errorf("bob %d: ten seconds are not over", b)
	}
	sweep() // too early
	if b := published(bob); b != 2 {
		t.Errorf("bob %d: the sweep came too early", b)
	}
	w.now = w.now.Add(30 * time.Second)
	w.slack.failing("views.publish", "429") // Slack asks to wait: it is shown later
	sweep()
	w.slack.failing("views.publish", "")
	for range 2 {
		w.now = w.now.Add(2 * time.Minute)
		sweep()
	}
	if got := textOfView(t, w.homeOf(bob)); strings.Contains(got, "Waiting for you") {
		t.Errorf("bob sees %s", got)
	}
	if b := published(bob); b != 4 { // one of which Slack refused
		t.Errorf("bob %d", b)
	}
	// After an hour nobody looks any more.
	w.now = w.now.Add(time.Hour)
	w.fed(w.routed().ID)
	if b := published(bob); b != 4 {
		t.Errorf("bob %d", b)
	}
}

// TestHomeChanges: Approve with changes opens its form from the Home tab as well, for
// whoever may approve, and what is chosen there is given.
func TestHomeChanges(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t, changeable())
	r := w.routed()
	w.fed(r.ID)
	v := w.home(bob)
	action, pressed := buttonIn(t, v, string(flow.ButtonChange))
	for user, want := range map[string]string{alice: "You can't approve your own request", carol: "Only Bob can decide"} {
		w.interact(inHome(user, v, action, pressed))
		if got := w.opened(); got.CallbackID != viewNotice || !strings.Contains(textOf(got.Blocks.BlockSet), want) {
			t.Errorf("%s: %+v", user, got)
		}
	}
	w.interact(inHome(bob, v, action, pressed))
	form := w.opened()
	if form.CallbackID != viewChange {
		t.Fatalf("opened %+v", form)
	}
	if got := w.interact(submission(bob, form, map[string]any{"duration": chosen("30")})); got != "" {
		t.Errorf("answer %s", got)
	}
	r = w.get(r.ID)
	if len(r.Signals) != 1 || r.Signals[0].Give == nil || r.Signals[0].Give.DurationSeconds != 30 || r.Signals[0].Via != nil {
		t.Errorf("signals %+v", r.Signals)
	}
	// A tab that shows what has been changed since opens nothing.
	other := w.routed()
	w.fed(other.ID)
	v = w.home(bob)
	stored := w.get(other.ID)
	stored.DurationSeconds++
	if _, err := w.runs.Put(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	w.interact(inHome(bob, v, action, value(other)))
	if got := w.opened(); got.CallbackID != viewNotice || !strings.Contains(textOf(got.Blocks.BlockSet), "has changed since") {
		t.Errorf("opened %+v", got)
	}
}

// TestHomeAsksAgain: Ask again opens the form of a new request, filled in, for whose
// request it was, and nobody else.
func TestHomeAsksAgain(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.routed()
	w.apply(r.ID, flow.Receive{Action: flow.ActionDeny, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack})
	w.apply(r.ID, flow.Decide{SignalID: w.get(r.ID).Signals[0].ID})
	v := w.home(alice)
	action, pressed := buttonIn(t, v, string(flow.ButtonAgain))
	if readButton(pressed).run != r.ID {
		t.Fatalf("%q %q in %s", action, pressed, textOfView(t, v))
	}
	w.interact(inHome(carol, v, action, pressed))
	if got := w.opened(); got.CallbackID != viewNotice {
		t.Errorf("carol: %+v", got)
	}
	w.interact(inHome(alice, v, action, pressed))
	form := w.opened()
	if form.CallbackID != viewRequest || !strings.Contains(textOf(form.Blocks.BlockSet), "This is what was asked for before") {
		t.Fatalf("opened %+v", form)
	}
	if _, e := inputOf(t, form, "reason"); e.(*slack.PlainTextInputBlockElement).InitialValue != "fix the orders" {
		t.Errorf("reason %+v", e)
	}
	if got := w.interact(submission(alice, form, nil)); strings.Contains(got, r.ID) {
		t.Errorf("answer %s", got)
	}
	if id := metadataOf(received(t, form)).Run; id == r.ID || w.get(id).Repeats != r.ID {
		t.Errorf("run %s repeats %q", id, w.get(id).Repeats)
	}
}

// TestSummary: lists mark what was had in an emergency, what starts later, and what
// somebody asked for a colleague.
func TestSummary(t *testing.T) {
	t.Parallel()
	b := person(bob, "Bob")
	emergency := func() *story {
		s := sent(t, func(sub *flow.Submission) { sub.BreakGlass = true })
		return s.do(flow.Route{SignalID: s.r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{b}, Required: 1}, Longest: 30 * time.Minute})
	}
	ended := func() *story { return emergency().intend().do(flow.Escalate{}).end(flow.Deescalate{}) }
	later := func() *story {
		s := sent(t, func(sub *flow.Submission) { sub.StartAt = start.Add(48 * time.Hour) })
		return s.do(flow.Route{SignalID: s.r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}}, Deciders: flow.Deciders{People: []flow.Actor{b}, Required: 1}})
	}
	reviewed := ended().click(flow.ActionReview, b, "")
	behalf := request(t).r
	behalf.Asker = new(flow.Actor)
	*behalf.Asker = person(carol, "Carol")
	at := moment(start.Add(48 * time.Hour))
	for name, c := range map[string]struct {
		run         flow.Run
		own         bool
		want, never []string
	}{
		"plain":             {request(t).r, true, []string{"waiting for a decision"}, []string{"emergency", "🗓️", "asked by"}},
		"emergency":         {emergency().intend().do(flow.Escalate{}).r, true, []string{"🚨 emergency", "🔓"}, []string{"not reviewed"}},
		"not reviewed":      {ended().r, true, []string{"🚨 emergency, not reviewed yet", "Access has ended"}, nil},
		"reviewed":          {reviewed.do(flow.Reviewed{SignalID: reviewed.r.Signals[0].ID}).r, true, []string{"🚨 emergency"}, []string{"not reviewed"}},
		"later, asked":      {later().r, true, []string{"waiting for a decision", "🗓️ to start " + at}, nil},
		"later, approved":   {later().click(flow.ActionApprove, b, "").decide().r, true, []string{"🗓️ *Access starts* " + at}, []string{"waiting"}},
		"behalf, requester": {behalf, true, []string{"asked by <@" + carol + ">"}, nil},
		"behalf, others":    {behalf, false, []string{"for <@" + alice + ">", "asked by <@" + carol + ">"}, nil},
	} {
		got := summary(c.run, start.Add(5*time.Minute), c.own)
		for _, s := range c.want {
			if !strings.Contains(got, s) {
				t.Errorf("%s: no %q in %q", name, s, got)
			}
		}
		for _, s := range c.never {
			if strings.Contains(got, s) {
				t.Errorf("%s: %q in %q", name, s, got)
			}
		}
	}
}
