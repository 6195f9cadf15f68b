package slackapp

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// spokenEvent is an event of a message in somebody's messages with the app.
func spokenEvent(more map[string]any) map[string]any {
	m := map[string]any{"type": "message", "channel_type": "im", "channel": "D0ALICE", "user": alice, "text": "hello", "ts": "1.2"}
	maps.Copy(m, more)
	return m
}

// Who speaks to the app is told what they can do, once, where they spoke.
func TestHello(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		event  map[string]any
		method string // that answers; "" for none
		thread string
	}{
		{"Hello", spokenEvent(nil), "chat.postMessage", ""},
		{"AnyWord", spokenEvent(map[string]any{"text": "how do I get into the database?"}), "chat.postMessage", ""},
		{"HelpInAThread", spokenEvent(map[string]any{"text": "Help!", "thread_ts": "1.1"}), "chat.postMessage", "1.1"},
		{"TalkInAThread", spokenEvent(map[string]any{"text": "thanks", "thread_ts": "1.1"}), "", ""},
		{"Channel", spokenEvent(map[string]any{"channel_type": "channel"}), "", ""},
		{"Group", spokenEvent(map[string]any{"channel_type": "mpim"}), "", ""},
		{"Edit", spokenEvent(map[string]any{"subtype": "message_changed"}), "", ""},
		{"OurOwn", spokenEvent(map[string]any{"user": "UBOT", "bot_id": "B0SYM"}), "", ""},
		{"UserThatIsABot", spokenEvent(map[string]any{"user": "UBOT"}), "", ""},
		{"Slackbot", spokenEvent(map[string]any{"user": "USLACKBOT"}), "", ""},
		{"Nobody", spokenEvent(map[string]any{"user": "U0NOBODY"}), "", ""},
		{"Deactivated", spokenEvent(map[string]any{"user": dora}), "", ""},
		{"NoUser", spokenEvent(map[string]any{"user": ""}), "", ""},
		{"Mention", spokenEvent(map[string]any{"type": "app_mention", "channel": "C0HERE", "channel_type": "", "text": "<@U0SYM> help"}), "chat.postEphemeral", ""},
		{"MentionInAThread", spokenEvent(map[string]any{"type": "app_mention", "channel": "C0HERE", "thread_ts": "1.1"}), "chat.postEphemeral", "1.1"},
		{"MentionByABot", spokenEvent(map[string]any{"type": "app_mention", "channel": "C0HERE", "bot_id": "B0OTHER"}), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			for range 3 { // Slack repeats what it had no answer to
				w.ok(w.post("/slack/events", eventBody("Ev1", team, c.event)))
			}
			var answers []call
			for _, method := range []string{"chat.postMessage", "chat.postEphemeral"} {
				answers = append(answers, w.slack.of(method)...)
			}
			if c.method == "" {
				if len(answers) > 0 {
					t.Errorf("answered %v", answers)
				}
				return
			}
			if len(answers) != 1 || answers[0].Method != c.method {
				t.Fatalf("answered %v", answers)
			}
			args := answers[0].Args
			if args["channel"] != c.event["channel"] || fmt.Sprint(args["thread_ts"]) != c.thread && args["thread_ts"] != nil {
				t.Errorf("answered in %v, thread %v", args["channel"], args["thread_ts"])
			}
			text := fmt.Sprint(args["blocks"])
			for _, want := range []string{"/sym req", "/sym list", buttonRequest} {
				if !strings.Contains(text, want) {
					t.Errorf("the answer has no %q: %s", want, text)
				}
			}
		})
	}
}

// A greeting that Slack does not take now is given when the event comes again; one
// that it never takes is not asked for again.
func TestHello_Failing(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	w.slack.failing("chat.postMessage", "500")
	if rec := w.post("/slack/events", eventBody("Ev1", team, spokenEvent(nil))); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("answer %d", rec.Code)
	}
	w.slack.failing("chat.postMessage", "")
	w.ok(w.post("/slack/events", eventBody("Ev1", team, spokenEvent(nil))))
	if n := len(w.slack.of("chat.postMessage")); n != 2 {
		t.Errorf("%d calls", n)
	}
	w.slack.failing("chat.postMessage", "is_archived")
	w.ok(w.post("/slack/events", eventBody("Ev2", team, spokenEvent(nil))))
}

// Of another workspace, or not signed by Slack, nothing is answered.
func TestHello_Forged(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	w.ok(w.post("/slack/events", eventBody("Ev1", "T0OTHER", spokenEvent(nil))))
	unsigned := httptest.NewRequest(http.MethodPost, "/slack/events", strings.NewReader(eventBody("Ev2", team, spokenEvent(nil))))
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, unsigned)
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("answer %d", rec.Code)
	}
	if n := len(w.slack.of("chat.postMessage")); n != 0 {
		t.Errorf("answered %d times", n)
	}
}

// The button opens the list of flows, for those who may ask.
func TestHello_Button(t *testing.T) {
	t.Parallel()
	press := func(w *world, user string) {
		w.interact(map[string]any{
			"type": "block_actions", "team": map[string]any{"id": team}, "user": map[string]any{"id": user}, "trigger_id": "trigger-" + user,
			"container": map[string]any{"type": "message", "channel_id": "D0", "message_ts": "1.3"}, "actions": []any{map[string]any{"action_id": buttonRequest, "value": "any"}},
		})
	}
	w := memoryWorld(t)
	press(w, alice)
	if n := len(w.slack.of("views.open")); n != 1 {
		t.Errorf("opened %d forms", n)
	}
	press(w, gus)
	if n := len(w.slack.of("views.open")); n != 1 {
		t.Error("a guest was given the form")
	}
}

// The link to the Home tab is of the app that was spoken to.
func TestHomeLink(t *testing.T) {
	t.Parallel()
	if got := homeLink(event{App: "A0SYM", origin: origin{team: team}}); got != "slack://app?id=A0SYM&tab=home&team=T0TEAM" {
		t.Error(got)
	}
	if got := homeLink(event{origin: origin{team: team}}); got != "" {
		t.Error(got)
	}
}
