package slackapp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// live makes a run of alice's that has access to a target for an hour.
func (w *world) live(target string) flow.Run {
	w.t.Helper()
	values := form()
	values["target_id"] = chosen(flow.TargetID("sym", target))
	view := w.shownForm()
	if got := w.interact(submission(alice, view, values)); got != "" {
		w.t.Fatalf("the form was not taken: %s", got)
	}
	id := metadataOf(received(w.t, view)).Run
	r, err := w.runs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	r = w.apply(id, flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}},
		Deciders: flow.Deciders{People: []flow.Actor{person(bob, "Bob")}, Required: 1}})
	r = w.apply(id, flow.Receive{Action: flow.ActionApprove, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack})
	w.apply(id, flow.Decide{SignalID: r.Signals[0].ID})
	w.apply(id, flow.Intend{Strategy: *accessFlow().Strategy, Target: *r.Target, Identity: "alice@example.com", Entitlements: []flow.Entitlement{{Key: target}}})
	return w.apply(id, flow.Escalate{})
}

func (w *world) get(id string) flow.Run {
	w.t.Helper()
	r, err := w.runs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// unescaped is an answer with its markup as it is read.
func unescaped(t testing.TB, answer string) string {
	t.Helper()
	var v any
	if answer == "" {
		return ""
	}
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestList: it shows what the person has and has asked for, and nothing of others.
func TestList(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	if got := w.command(alice, "list"); !strings.Contains(got, "You have no access now, and no open request.") {
		t.Errorf("at first: %s", got)
	}
	w.live("orders-db")
	w.routed()
	w.shownForm() // opened only
	w.now = w.now.Add(20 * time.Minute)
	got := unescaped(t, w.command(alice, "list"))
	for _, want := range []string{"*Orders database* – *40 minutes left*\\nUntil <!date^", "waiting for a decision", "Asked: #access-prod", "End…"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	checkLimits(t, []byte(got))
	if n := strings.Count(got, "Production access · "); n != 2 {
		t.Errorf("%d entries in %s", n, got)
	}
	if got := w.command(bob, "lsit"); !strings.Contains(got, "You have no access now") {
		t.Errorf("bob sees %s", got)
	}
}

// TestListMessages: testdata has them whole.
func TestListMessages(t *testing.T) {
	t.Parallel()
	b := person(bob, "Bob")
	granted := func(f func(*story) *story) flow.Run {
		s := request(t).click(flow.ActionApprove, b, "").decide().intend()
		return f(s).r
	}
	escalated := granted(func(s *story) *story { return s.do(flow.Escalate{}) })
	hopeless := flow.Failure{Code: flow.CodeStrategy, Message: "no such role <!here>"}
	unsettled := []flow.Run{
		granted(func(s *story) *story { return s.do(flow.Fail{Step: flow.EventEscalate, Reason: hopeless}) }),
		granted(func(s *story) *story { return s.do(flow.Escalate{}).click(flow.ActionDeescalate, b, "") }),
		granted(func(s *story) *story { return s.do(flow.Escalate{}).do(flow.Miss{}) }),
		granted(func(s *story) *story { return s }),
	}
	for name, o := range map[string]own{
		"list-empty":     {},
		"list":           {access: []flow.Run{escalated}, open: []flow.Run{request(t).r, report(t).click(flow.ActionApprove, b, "").decide().r}},
		"list-unsettled": {access: unsettled, cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := o.message(start.Add(20 * time.Minute))
			checkMessage(t, m)
			golden(t, name+".json", m)
		})
	}
}

// checkMessage holds an answer to Slack's limits.
func checkMessage(t testing.TB, m private) {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	checkLimits(t, []byte(unescaped(t, string(body))))
}

// TestListOfMany: however many there are, Slack takes the message, which says how
// many it does not show.
func TestListOfMany(t *testing.T) {
	t.Parallel()
	r := request(t).click(flow.ActionApprove, person(bob, "Bob"), "").decide().intend().do(flow.Escalate{}).r
	r.Target.Label, r.FlowTitle = strings.Repeat("&", 300), strings.Repeat("<", 300)
	for _, n := range []int{1, 10, 30, 5000} {
		o := own{}
		for range n {
			o.access, o.open = append(o.access, r), append(o.open, request(t).r)
			if n == 5000 { // one story is enough
				o.open[len(o.open)-1] = o.open[0]
			}
		}
		m := o.message(start)
		checkMessage(t, m)
		body, _ := json.Marshal(m)
		if more := strings.Contains(string(body), " more: name one of them"); more != (n > 10) && n != 10 {
			t.Errorf("%d: says more: %t", n, more)
		}
		checkEndModal(t, o.access)
	}
}

func checkEndModal(t testing.TB, access []flow.Run) {
	t.Helper()
	body, err := json.Marshal(endModal(access, access[len(access)-1].ID, "", start))
	if err != nil {
		t.Fatal(err)
	}
	checkLimits(t, body)
}

// TestEndModal: testdata has it whole.
func TestEndModal(t *testing.T) {
	t.Parallel()
	r := request(t).click(flow.ActionApprove, person(bob, "Bob"), "").decide().intend().do(flow.Escalate{}).r
	forever := report(t).r
	forever.ID = flow.RunIDFrom("sym", "another")
	again := forever // of which one could not tell it by its name
	again.ID = flow.RunIDFrom("sym", "one more")
	v := endModal([]flow.Run{r, forever, again}, r.ID, "Is it this one that you mean by “ordres <!here>”?", start.Add(20*time.Minute))
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	checkLimits(t, body)
	golden(t, "end-access.json", v)
}

// TestEnd: what is named for certain ends at once, by any of its names; else a form
// asks, with the nearest chosen.
func TestEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typed  string
		ends   bool
		chosen string // target that the form has chosen; "-": none
		note   string
	}{
		"Name":      {"end orders-db", true, "", ""},
		"Label":     {"end Orders DATABASE", true, "", ""},
		"Beginning": {"end ord", true, "", ""},
		"Bare":      {"end", false, "-", ""},
		"Typo":      {"end ordres-db", false, "orders-db", "Is it this one that you mean by “ordres-db”?"},
		"Several":   {"end prod-access", false, "orders-db", "may be each of these"},
		"Unknown":   {"end kubernetes", false, "-", "You have no access called “kubernetes”."},
		"Markup":    {"end <!channel>", false, "-", "called “<!channel>”"},
		"Misspelt":  {"edn orders-db", false, "orders-db", ""}, // the command itself is a guess
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			orders, users := w.live("orders-db"), w.live("users-db")
			before := len(w.slack.of("views.open"))
			answer := w.command(alice, c.typed)
			_, asked := must(w.get(orders.ID)).EndAsked()
			if asked != c.ends {
				t.Fatalf("ended: %t; answer %s", asked, answer)
			}
			if _, other := must(w.get(users.ID)).EndAsked(); other {
				t.Error("the other access was ended")
			}
			if c.ends {
				if !strings.Contains(answer, "Your access to “Orders database” is being taken away.") || len(w.slack.of("views.open")) > before {
					t.Errorf("answer %s", answer)
				}
				return
			}
			if answer != "" {
				t.Errorf("answer %s", answer)
			}
			view := w.opened()
			if view.CallbackID != viewEnd {
				t.Fatalf("view %q", view.CallbackID)
			}
			shown, _ := json.Marshal(view.Blocks)
			if text := textOf(view.Blocks.BlockSet); !strings.Contains(text, c.note) {
				t.Errorf("form says %s", text)
			}
			var initial struct {
				Blocks []struct {
					Element struct {
						InitialOption *struct{ Value string } `json:"initial_option"`
					}
				}
			}
			_ = json.Unmarshal([]byte(fmt.Sprintf(`{"blocks":%s}`, shown)), &initial)
			got := "-"
			for _, b := range initial.Blocks {
				if o := b.Element.InitialOption; o != nil {
					got = map[string]string{orders.ID: "orders-db", users.ID: "users-db"}[o.Value]
				}
			}
			if got != c.chosen {
				t.Errorf("chosen %s", got)
			}
			said := w.interact(submission(alice, view, map[string]any{blockAccess: chosen(users.ID)}))
			if _, ended := must(w.get(users.ID)).EndAsked(); !ended || !strings.Contains(said, "is being taken away") {
				t.Errorf("the form ended nothing: %s", said)
			}
		})
	}
}

func must(r flow.Run) *flow.Run { return &r }

// TestEnd_OthersCant: the form and the button end nobody else's access.
func TestEnd_OthersCant(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.live("orders-db")
	w.command(alice, "end")
	view := w.opened()
	for _, who := range []string{carol, gus, dora} {
		said := w.interact(submission(who, view, map[string]any{blockAccess: chosen(r.ID)}))
		if _, ended := must(w.get(r.ID)).EndAsked(); ended || !strings.Contains(said, "errors") {
			t.Errorf("%s: %s", who, said)
		}
		opened := len(w.slack.of("views.open"))
		w.interact(w.clickOn(who, buttonEnd, r.ID, ""))
		if len(w.slack.of("views.open")) != opened {
			t.Errorf("%s was asked which access of another's is to end", who)
		}
	}
	if got := w.command(bob, "end orders-db"); !strings.Contains(got, "You have no access that could be ended") {
		t.Errorf("bob: %s", got)
	}
	click := w.clickOn(alice, buttonEnd, r.ID, "")
	click["trigger_id"] = "trigger-button"
	w.interact(click)
	if view := w.opened(); view.CallbackID != viewEnd || !strings.Contains(textOf(view.Blocks.BlockSet), "taken away at once") {
		t.Errorf("the button opened %q", view.CallbackID)
	}
	if _, ended := must(w.get(r.ID)).EndAsked(); ended {
		t.Error("the button alone ended access")
	}
}

// TestEnd_NotByHand: where the flow does not allow it, that is said.
func TestEnd_NotByHand(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Params.AllowRevoke = false
	w := memoryWorld(t, f)
	w.live("orders-db")
	for _, typed := range []string{"end", "end orders-db"} {
		if got := w.command(alice, typed); !strings.Contains(got, "allow_revoke is off") {
			t.Errorf("%s: %s", typed, got)
		}
	}
}

// TestOwnOf_OtherAccount: who has an address that was another account's sees nothing
// of that one's.
func TestOwnOf_OtherAccount(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	w.live("orders-db")
	other := store.User{Actor: person("U0OTHER", "Alice"), Role: store.RoleMember}
	o, err := ownOf(t.Context(), w.runs, other, maxOwn)
	if err != nil || len(o.access)+len(o.open)+len(o.over) > 0 {
		t.Errorf("sees %+v, %v", o, err)
	}
}

// TestOwnOf_Many: of very many runs the newest are read, and that there are older
// ones is known.
func TestOwnOf_Many(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.routed()
	for i := range maxOwn {
		more := r
		more.ID, more.Rev, more.Created = flow.RunIDFrom("sym", fmt.Sprint(i)), 0, r.Created.Add(time.Duration(i+1)*time.Minute)
		if _, err := w.runs.Put(t.Context(), more); err != nil {
			t.Fatal(err)
		}
	}
	who := store.User{Actor: r.Requester, Role: store.RoleMember}
	o, err := ownOf(t.Context(), w.runs, who, maxOwn)
	if err != nil || len(o.open) != maxOwn || !o.cut || o.open[maxOwn-1].ID == r.ID {
		t.Errorf("%d runs, cut: %t, %v", len(o.open), o.cut, err)
	}
	if got := w.command(alice, "list"); !strings.Contains(got, "Only your newest 600 requests are looked at.") {
		t.Errorf("list: %s", got)
	}
}
