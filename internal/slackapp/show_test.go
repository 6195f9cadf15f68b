package slackapp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// TestTimelines: testdata has them whole.
func TestTimelines(t *testing.T) {
	t.Parallel()
	b, c := person(bob, "Bob"), person(carol, "Carol")
	unavailable := flow.Failure{Code: flow.CodeUnavailable, Message: "the server answered 503", Retryable: true}
	granting := func() *story {
		return request(t).timeOut().click(flow.ActionApprove, b, "Only this <!channel> once.").decide().intend()
	}
	asked := func() *story { return report(t).click(flow.ActionApprove, b, "") }
	stories := map[string]*story{
		"timeline-waiting":   request(t),
		"timeline-live":      granting().do(flow.Escalate{}),
		"timeline-ended":     granting().do(flow.Fail{Step: flow.EventEscalate, Reason: unavailable}).do(flow.Fail{Step: flow.EventEscalate, Reason: unavailable}).do(flow.Escalate{}).click(flow.ActionDeescalate, b, "").end(flow.Deescalate{}),
		"timeline-expired":   request(t).timeOut().timeOut(),
		"timeline-late":      request(t).click(flow.ActionDeny, c, "Not now.").click(flow.ActionApprove, b, "").decide().refuse(flow.CodeDecided, "this request was already denied by Carol"),
		"timeline-approval":  asked().decide().click(flow.ActionApprove, c, "go").decide(),
		"timeline-withdrawn": request(t).click(flow.ActionCancel, person(alice, "Alice"), "").decide(),
		"timeline-missing":   granting().do(flow.Escalate{}).do(flow.Miss{}).do(flow.Retry{Actor: b}).do(flow.Escalate{}),
	}
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := timeline(s.r, "", links{}, s.now.Add(time.Minute))
			checkMessage(t, m)
			golden(t, name+".json", m)
		})
	}
}

// TestTimelineOfMany: however much has happened, Slack takes the message, which has
// the beginning, the latest, and how much is between.
func TestTimelineOfMany(t *testing.T) {
	t.Parallel()
	s := request(t)
	r := s.r
	r.FlowTitle = strings.Repeat("&", 300)
	for i := range 300 {
		r.Events = append(r.Events, flow.Event{
			ID: flow.EventID(r.ID, 100+i), Name: flow.EventApprove, State: flow.StateInProgress, Actor: person(carol, "Carol"),
			At: s.now.Add(time.Duration(i) * time.Hour), Errors: []flow.Failure{{Message: strings.Repeat("<", i)}},
		})
		if i%50 == 0 || i > 290 || i < 60 {
			m := timeline(r, strings.Repeat("x", 4000), links{}, s.now)
			checkMessage(t, m)
			if said := textOf(m.Blocks); i > 60 && (!strings.Contains(said, "in between_") || !strings.Contains(said, "*opened the form*")) {
				t.Errorf("%d: %s", i, said)
			}
		}
	}
}

// TestShow: a run is found by its id, the beginning of that, an id of one of its
// events, its name or label; by those who may see it, and nobody else learns that it
// is there.
func TestShow(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.live("orders-db")
	w.apply(r.ID, flow.Receive{Action: flow.ActionDeescalate, Actor: person(alice, "Alice"), Channel: flow.ChannelSlack})
	const found, hidden = "*Access began*", "there is none with such an id that you may see"
	nothing := "You have asked for nothing yet."
	for _, c := range []struct{ who, typed, want string }{
		{alice, "show " + r.ID, found},
		{alice, "show `" + strings.ToUpper(r.ID[:8]) + "`", found},
		{alice, "show " + r.ID[:4], found},
		{alice, "show " + r.SRN(), found},
		{alice, "show " + flow.ShortID(r.ID), found},
		{alice, "show " + strings.ToLower(strings.ReplaceAll(flow.ShortID(r.ID), "-", "")), found},
		{carol, "show " + flow.ShortID(r.ID), hidden},
		{alice, "show " + r.Events[0].ID, found},
		{alice, "show", found},
		{alice, "show orders-db", found},
		{alice, "show Orders Datbase", found},
		{alice, "shwo production access", found},
		{alice, "show kubernetes", "You have no request “kubernetes”"},
		{alice, "show " + flow.NewRunID(), "You have no request"},
		{bob, "show " + r.ID, found}, // may decide it
		{bob, "show " + r.ID[:6], found},
		{bob, "show orders-db", hidden}, // names are of one's own
		{carol, "show " + r.ID, hidden},
		{carol, "show " + r.ID[:8], hidden},
		{carol, "show", nothing},
		{gus, "show " + r.ID, hidden},
		{stranga, "show " + r.ID, hidden},
		{dora, "show " + r.ID, "only people of this workspace"},
		{"UBOT", "show " + r.ID, "only people of this workspace"},
		{"U0NOBODY", "show " + r.ID, "does not know you"},
	} {
		got := unescaped(t, w.command(c.who, c.typed))
		if !strings.Contains(strings.ToLower(got), strings.ToLower(c.want)) {
			t.Errorf("%s %s: %s", c.who, c.typed, got)
		}
		if (c.want == hidden || c.want == nothing) && strings.Contains(strings.ToLower(got), "orders database") {
			t.Errorf("%s %s: learns of it: %s", c.who, c.typed, got)
		}
	}
}

// TestShow_Admins: admins see a run from when its form is open.
func TestShow_Admins(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	id := metadataOf(received(t, w.shownForm())).Run
	if got := w.command(bob, "show "+id); !strings.Contains(got, "*opened the form*") {
		t.Errorf("admin: %s", got)
	}
	if got := w.command(carol, "show "+id); strings.Contains(got, "*opened the form*") {
		t.Errorf("member: %s", got)
	}
}

// TestShow_Several: of several runs it asks which.
func TestShow_Several(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	orders := w.live("orders-db")
	for range 12 {
		w.live("users-db")
	}
	got := unescaped(t, w.command(alice, "show prod-access"))
	if !strings.Contains(got, "Which one?") || !strings.Contains(got, flow.ShortID(orders.ID)) || !strings.Contains(got, "and 3 more") {
		t.Errorf("by flow: %s", got)
	}
	checkLimits(t, []byte(got))
	// Ids that begin alike.
	first := w.get(orders.ID)
	for i := range 3 {
		again := first
		again.ID, again.Rev = fmt.Sprintf("%s-0000-4000-8000-00000%03d0000", orders.ID[:8], i), 0
		if _, err := w.runs.Put(t.Context(), again); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.command(bob, "show "+orders.ID[:8]); !strings.Contains(got, "Which one?") || strings.Count(got, "Orders database") != 4 {
		t.Errorf("by id: %s", got)
	}
	if got := w.command(carol, "show "+orders.ID[:8]); strings.Contains(got, "Orders database") {
		t.Errorf("carol: %s", got)
	}
}

// TestShowLinks: a request's own requester goes to their direct message, others to
// the channel that is asked; nobody to somebody else's direct messages.
func TestShowLinks(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.live("orders-db")
	save := func(key, channel string) {
		m := store.Message{MessageRef: flow.MessageRef{Key: key, Channel: channel, TS: "1700000000.000100"}}
		if err := w.app.Messages.Save(t.Context(), r.ID, m); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.command(alice, "show "+r.ID); strings.Contains(got, "Go to its message") {
		t.Errorf("without messages: %s", got)
	}
	save("status", "D0ALICE")
	save("request:0", "C0ACCESS")
	save("request:0.1", "D0CAROL")
	const link = "https://sym.slack.com/archives/%s/p1700000000000100|Go to its message"
	for who, channel := range map[string]string{alice: "D0ALICE", bob: "C0ACCESS"} {
		if got := unescaped(t, w.command(who, "show "+r.ID)); !strings.Contains(got, fmt.Sprintf(link, channel)) || strings.Count(got, "archives") != 1 {
			t.Errorf("%s: %s", who, got)
		}
	}
	w.slack.failing("chat.getPermalink", "channel_not_found")
	if got := w.command(bob, "show "+r.ID); strings.Contains(got, "archives") || !strings.Contains(got, "Access began") {
		t.Errorf("without a link: %s", got)
	}
}

func TestListLinksHome(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	for app, want := range map[string]bool{"A0SYMFLOWS": true, "": false, "A|x": false} {
		got := unescaped(t, w.ok(w.post("/slack/commands", commandBody(alice, "list", "t1")+"&api_app_id="+app)))
		if strings.Contains(got, "<slack://app?team="+team+"&id="+app+"&tab=home|") != want {
			t.Errorf("%q: %s", app, got)
		}
	}
}
