package slacksim

import (
	"strings"
	"testing"

	"github.com/slack-go/slack"
)

func TestThreads(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	post := func(options ...slack.MsgOption) (string, error) {
		t.Helper()
		_, ts, err := a.api.PostMessage("#general", options...)
		return ts, err
	}
	say := func(text, thread string, more ...slack.MsgOption) string {
		t.Helper()
		ts, err := post(append(more, slack.MsgOptionText(text, false), slack.MsgOptionTS(thread))...)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return ts
	}
	parent, err := post(slack.MsgOptionText("parent", false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := post(slack.MsgOptionText("other", false), slack.MsgOptionBroadcast()); err != nil { // which means nothing outside of threads
		t.Fatal(err)
	}
	reply := say("reply\nof two lines", parent)
	say("loud", parent, slack.MsgOptionBroadcast())
	if _, _, _, err := a.api.UpdateMessage("C0GENERAL", reply, slack.MsgOptionText("edited", false)); err != nil {
		t.Fatal(err)
	}
	read := func(want ...string) {
		t.Helper()
		if got := a.sim.As("bob").Channel("#general"); got != strings.Join(want, "\n")+"\n" {
			t.Errorf("bob sees\n%s", got)
		}
	}
	read("Sym: parent", "  ↳ Sym: edited", "  ↳ Sym: loud", "Sym: other", "(also from a thread) Sym: loud")

	for thread, want := range map[string]string{"1.000001": "thread_not_found", reply: "cannot_reply_to_message"} {
		if _, err := post(slack.MsgOptionText("lost", false), slack.MsgOptionTS(thread)); err == nil || err.Error() != want {
			t.Errorf("in thread %s: %v, want %s", thread, err, want)
		}
		if _, err := a.api.PostEphemeral("C0GENERAL", "U0BOB", slack.MsgOptionText("lost", false), slack.MsgOptionTS(thread)); err == nil || err.Error() != want {
			t.Errorf("ephemeral in thread %s: %v, want %s", thread, err, want)
		}
	}
	if _, err := a.api.PostEphemeral("C0GENERAL", "U0BOB", slack.MsgOptionText("hush", false), slack.MsgOptionTS(parent)); err != nil {
		t.Error(err)
	}
	read("Sym: parent", "  ↳ Sym: edited", "  ↳ Sym: loud", "  ↳ Sym (only you): hush", "Sym: other", "(also from a thread) Sym: loud")
	messages := a.sim.Messages("#general")
	if o := a.sim.wireMessage(&messages[0]); o["thread_ts"] != parent || o["reply_count"] != 2 || o["latest_reply"] == reply {
		t.Errorf("parent on the wire: %v", o)
	}
	if o := a.sim.wireMessage(&messages[2]); o["thread_ts"] != parent || o["parent_user_id"] != botUser {
		t.Errorf("reply on the wire: %v", o)
	}
	link, err := a.api.GetPermalink(&slack.PermalinkParameters{Channel: "C0GENERAL", Ts: reply})
	if err != nil || !strings.HasSuffix(link, "?thread_ts="+parent+"&cid=C0GENERAL") {
		t.Errorf("permalink %q, %v", link, err)
	}

	// What had replies leaves a note behind.
	if _, _, err := a.api.DeleteMessage("C0GENERAL", parent); err != nil {
		t.Fatal(err)
	}
	if _, err := post(slack.MsgOptionText("late", false), slack.MsgOptionTS(parent)); err == nil || err.Error() != "cannot_reply_to_message" {
		t.Errorf("reply to what is deleted: %v", err)
	}
	if _, _, _, err := a.api.UpdateMessage("C0GENERAL", parent, slack.MsgOptionText("again", false)); err == nil || err.Error() != "message_not_found" {
		t.Errorf("edit of what is deleted: %v", err)
	}
	if got := a.sim.As("alice").Channel("#general"); !strings.HasPrefix(got, "Slackbot: This message was deleted.\n  ↳ Sym: edited\n") {
		t.Errorf("alice sees\n%s", got)
	}
}
