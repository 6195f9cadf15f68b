package slackapp

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

func rendered(t *testing.T) []byte {
	t.Helper()
	body, err := Messenger{}.Render(workflow.Message{Kind: workflow.KindRequest}, request(t).r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestPost(t *testing.T) {
	t.Parallel()
	a, b, c := person(alice, "Alice"), person(bob, "Bob"), person(carol, "Carol")
	for name, want := range map[string]struct {
		to          workflow.Address
		method, at  string
		channel, ts string
		opened      string
	}{
		"Channel":   {workflow.Address{Channel: "#access"}, "chat.postMessage", "#access", "C0RESOLVED", "1700000000.000100", ""},
		"Person":    {workflow.Address{Users: []flow.Actor{a}}, "chat.postMessage", alice, "D0" + alice, "1700000000.000100", ""},
		"Group":     {workflow.Address{Users: []flow.Actor{a, b, c}}, "chat.postMessage", "D0" + alice + bob + carol, "D0" + alice + bob + carol, "1700000000.000100", alice + "," + bob + "," + carol},
		"NoSlackID": {workflow.Address{Users: []flow.Actor{{ID: "x"}, b}}, "chat.postMessage", "D0" + bob, "D0" + bob, "1700000000.000100", bob},
		"Ephemeral": {workflow.Address{Channel: "C0HERE", Users: []flow.Actor{a}}, "chat.postEphemeral", "C0HERE", "C0HERE", "", ""},
		"InADM":     {workflow.Address{Channel: "D0X", Users: []flow.Actor{a}}, "chat.postMessage", alice, "D0" + alice, "1700000000.000100", ""},
		"Aloud":     {workflow.Address{Channel: "C0X", Thread: "1.2", Aloud: true}, "chat.postMessage", "C0X", "C0RESOLVED", "1700000000.000100", ""},
		"Reply":     {workflow.Address{Channel: "D0X", Thread: "1.2"}, "chat.postMessage", "D0X", "D0X", "1700000000.000100", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFakeSlack(t)
			channel, ts, err := Messenger{s.client()}.Post(t.Context(), want.to, rendered(t))
			if err != nil || channel != want.channel || ts != want.ts {
				t.Fatalf("%q %q %v", channel, ts, err)
			}
			calls := s.of(want.method)
			if len(calls) != 1 || calls[0].Args["channel"] != want.at {
				t.Fatalf("calls %v", calls)
			}
			args := calls[0].Args
			if args["parse"] != "none" || args["unfurl_links"] != "false" || !strings.Contains(args["text"].(string), "Alice asks for access") {
				t.Errorf("args %v", args)
			}
			if thread, _ := args["thread_ts"].(string); thread != want.to.Thread {
				t.Errorf("in thread %q, want %q", thread, want.to.Thread)
			}
			if aloud := args["reply_broadcast"] == "true"; aloud != want.to.Aloud {
				t.Errorf("shown in the channel: %v", args["reply_broadcast"])
			}
			if blocks, _ := args["blocks"].([]any); len(blocks) < 5 {
				t.Errorf("blocks %v", args["blocks"])
			}
			if opened := s.of("conversations.open"); (len(opened) > 0) != (want.opened != "") || len(opened) > 0 && opened[0].Args["users"] != want.opened {
				t.Errorf("opened %v", opened)
			}
		})
	}
}

// What is posted is what was rendered, field by field: decoding and encoding
// blocks loses nothing.
func TestPostSendsWhatWasRendered(t *testing.T) {
	t.Parallel()
	s := newFakeSlack(t)
	body := rendered(t)
	if _, _, err := (Messenger{s.client()}).Post(t.Context(), workflow.Address{Channel: "#a"}, body); err != nil {
		t.Fatal(err)
	}
	sent := s.of("chat.postMessage")[0].Args
	want, got := textOf(asAny(t, body)["blocks"]), textOf(sent["blocks"])
	if len(want) != len(got) || !sameJSON(t, asAny(t, body)["blocks"], sent["blocks"]) {
		t.Errorf("rendered %s\nsent %v", body, sent["blocks"])
	}
}

func TestPostFailures(t *testing.T) {
	t.Parallel()
	to := workflow.Address{Channel: "#access"}
	a := person(alice, "Alice")
	eight := make([]flow.Actor, 8)
	for i := range eight {
		eight[i] = a
	}
	for name, c := range map[string]struct {
		method, failure string
		to              workflow.Address
		code            flow.Code
		want            string
	}{
		"UnknownChannel": {"chat.postMessage", "channel_not_found", to, flow.CodeUndeliverable, "/invite @Sym"},
		"NotInChannel":   {"chat.postMessage", "not_in_channel", to, flow.CodeUndeliverable, "the bot is not in #access: type /invite @Sym there"},
		"Archived":       {"chat.postMessage", "is_archived", to, flow.CodeUndeliverable, "#access is archived"},
		"Token":          {"chat.postMessage", "token_revoked", to, flow.CodeUnreachable, "install the app again"},
		"NoSuchUser":     {"chat.postMessage conversations.open", "channel_not_found user_not_found", workflow.Address{Users: []flow.Actor{a}}, flow.CodeUndeliverable, "Slack does not know Alice"},
		"NobodyKnown":    {"", "", workflow.Address{Users: []flow.Actor{{ID: "x"}}}, flow.CodeUndeliverable, "e-mail addresses"},
		"Nobody":         {"", "", workflow.Address{}, flow.CodeUndeliverable, "e-mail addresses"},
		"TooMany":        {"", "", workflow.Address{Users: eight}, flow.CodeUndeliverable, "at most 7 people, not 8"},
		"SlackIsDown":    {"chat.postMessage", "500", to, flow.CodeUnreachable, "500"},
		"Unheard":        {"chat.postMessage", "fatal_error", to, flow.CodeUnreachable, "fatal_error"},
		"Unknown":        {"chat.postMessage", "brand_new_error", to, flow.CodeUnreachable, "brand_new_error"},
		"Scope":          {"chat.postMessage", "missing_scope", to, flow.CodeUndeliverable, "(needed: chat:write; there: commands,im:write)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFakeSlack(t)
			failures := strings.Fields(c.failure)
			for i, method := range strings.Fields(c.method) {
				s.failing(method, failures[i])
			}
			_, _, err := Messenger{s.client()}.Post(t.Context(), c.to, rendered(t))
			if flow.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", flow.CodeOf(err), err)
			}
		})
	}
}

// TestReply_ThreadGone: what is told below a message that somebody has deleted is told
// by itself.
func TestReply_ThreadGone(t *testing.T) {
	t.Parallel()
	for _, failure := range []string{"thread_not_found", "cannot_reply_to_message"} {
		s := newFakeSlack(t)
		s.once("chat.postMessage", failure)
		channel, ts, err := Messenger{s.client()}.Post(t.Context(), workflow.Address{Channel: "D0X", Thread: "1.2"}, rendered(t))
		if err != nil || channel != "D0X" || ts == "" {
			t.Errorf("%q %q %v", channel, ts, err)
		}
		if calls := s.of("chat.postMessage"); len(calls) != 2 || calls[0].Args["thread_ts"] != "1.2" || calls[1].Args["thread_ts"] != nil {
			t.Errorf("calls %v", calls)
		}
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	for failure, after := range map[string]time.Duration{"429": 7 * time.Second, "ratelimited": impatience} {
		s := newFakeSlack(t)
		s.failing("chat.postMessage", failure)
		s.failing("chat.update", failure)
		s.failing("chat.postEphemeral", failure)
		m := Messenger{s.client()}
		_, _, post := m.Post(t.Context(), workflow.Address{Channel: "#a"}, rendered(t))
		_, _, whisper := m.Post(t.Context(), workflow.Address{Channel: "C0A", Users: []flow.Actor{person(alice, "Alice")}}, rendered(t))
		for _, err := range []error{post, whisper, m.Edit(t.Context(), "C1", "1.2", rendered(t))} {
			if limited, ok := errors.AsType[*flow.RateLimited](err); !ok || limited.After != after {
				t.Errorf("%s: %v", failure, err)
			}
		}
	}
}

func TestEphemeralFallsBackToADirectMessage(t *testing.T) {
	t.Parallel()
	s := newFakeSlack(t)
	s.failing("chat.postEphemeral", "user_not_in_channel")
	channel, ts, err := Messenger{s.client()}.Post(t.Context(), workflow.Address{Channel: "C0A", Users: []flow.Actor{person(alice, "Alice")}}, rendered(t))
	if err != nil || channel != "D0"+alice || ts == "" {
		t.Errorf("%q %q %v", channel, ts, err)
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	for failure, code := range map[string]flow.Code{
		"": "", "message_not_found": "", "cant_update_message": "", "edit_window_closed": "",
		"is_archived": flow.CodeUndeliverable, "500": flow.CodeUnreachable, "account_inactive": flow.CodeUnreachable,
	} {
		s := newFakeSlack(t)
		s.failing("chat.update", failure)
		err := Messenger{s.client()}.Edit(t.Context(), "C1", "1.2", rendered(t))
		if flow.CodeOf(err) != code {
			t.Errorf("%q: %v", failure, err)
		}
		if calls := s.of("chat.update"); len(calls) != 1 || calls[0].Args["ts"] != "1.2" || calls[0].Args["channel"] != "C1" {
			t.Errorf("calls %v", calls)
		}
	}
}

func TestMessagesThatAreNone(t *testing.T) {
	t.Parallel()
	s := newFakeSlack(t)
	m := Messenger{s.client()}
	if _, _, err := m.Post(t.Context(), workflow.Address{Channel: "#a"}, []byte("{")); err == nil {
		t.Error("posted")
	}
	if err := m.Edit(t.Context(), "C1", "1.2", []byte("{")); err == nil {
		t.Error("edited")
	}
	if len(s.calls) > 0 {
		t.Errorf("calls %v", s.calls)
	}
}

// TestRenderNotice: a notice is plain text, whatever is in it.
func TestRenderNotice(t *testing.T) {
	t.Parallel()
	body, err := Messenger{}.RenderNotice(store.Notice{Text: strings.Repeat("a long story, ", 50) + "somebody called <!channel> left"})
	if err != nil || strings.Contains(string(body), "<!channel>") || !strings.Contains(string(body), "&lt;!channel&gt; left") {
		t.Errorf("%s, %v", body, err)
	}
}
