package slackapp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"
)

// TestNamed: texts name the command that people type, and addresses stay as they are.
func TestNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"• `/sym req` – choose; `/sym list` too":     "• `/access req` – choose; `/access list` too",
		"choose another one with /sym req":           "choose another one with /access req",
		"What you can do with /sym":                  "What you can do with /access",
		`{"text":"/sym","more":"see (/sym end)"}`:    `{"text":"/access","more":"see (/access end)"}`,
		"https://grants.example.com/sym and /symbol": "https://grants.example.com/sym and /symbol",
		"the file /sym/main/signing or a/sym":        "the file /sym/main/signing or a/sym",
	} {
		if got := string(calling([]byte(text), "/access")); got != want {
			t.Errorf("%q, not %q", got, want)
		}
		if got := string(calling([]byte(text), "")); got != text {
			t.Errorf("with no other name: %q", got)
		}
	}
}

// TestNamed_RoundTrip: whatever Slack is sent names the command, as JSON and as a form.
func TestNamed_RoundTrip(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength {
			t.Errorf("%d bytes of %d, %v", len(body), r.ContentLength, err)
		}
		got <- string(body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
	}))
	t.Cleanup(server.Close)
	api := slack.New("xoxb-test", slack.OptionAPIURL(server.URL+"/"), slack.OptionHTTPClient(&http.Client{Transport: Named{Next: http.DefaultTransport, Command: "/access"}}))
	if _, _, err := api.PostMessageContext(t.Context(), "C1", slack.MsgOptionText("ask with /sym req", false)); err != nil {
		t.Fatal(err)
	}
	if form, err := url.ParseQuery(<-got); err != nil || form.Get("text") != "ask with /access req" || form.Get("channel") != "C1" {
		t.Errorf("a form: %v, %v", form, err)
	}
	if _, err := api.OpenViewContext(t.Context(), "1.2", noticeModal("ask with /sym req")); err != nil {
		t.Fatal(err)
	}
	if body := <-got; !strings.Contains(body, "ask with /access req") {
		t.Errorf("JSON: %s", body)
	}
	if _, err := api.AuthTestContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-got
}

// TestNamed_Answer: an answer to Slack names the command as well.
func TestNamed_Answer(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	w.app.Command = "/access"
	answer := w.post("/slack/commands", commandBody(alice, "help", "t1")).Body.String()
	if !strings.Contains(answer, "What you can do with /access") || strings.Contains(answer, OwnCommand) {
		t.Errorf("it answers %s", answer)
	}
}
