package slacksim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack/slackevents"

	"github.com/symflows/symflows/internal/deadline"
)

// eventApp is an app that takes events only: it answers them one after the other
// with these statuses, and then with 200.
func eventApp(t *testing.T, change func(*Config), statuses ...int) (*testApp, chan Delivery) {
	t.Helper()
	got := make(chan Delivery, 10)
	a := newApp(t, func(c *Config) {
		c.Client = InProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status := http.StatusOK
			if len(statuses) > 0 {
				status, statuses = statuses[0], statuses[1:]
			}
			w.WriteHeader(status)
			got <- Delivery{Path: r.URL.Path, Header: r.Header, Body: readAll(t, r.Body)}
		}))
		if change != nil {
			change(c)
		}
	})
	t.Cleanup(a.sim.Close)
	return a, got
}

func TestHomeOpened(t *testing.T) {
	t.Parallel()
	a, got := eventApp(t, nil)
	if seen, err := a.sim.As("alice").Home(); seen != "" || err != nil {
		t.Errorf("%q, %v", seen, err)
	}
	d := <-got
	if d.Path != "/slack/events" || d.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(d.Header.Get("X-Slack-Signature"), "v0=") || d.Header.Get("X-Slack-Retry-Num") != "" {
		t.Errorf("%s %v", d.Path, d.Header)
	}
	e, err := slackevents.ParseEvent(json.RawMessage(d.Body), slackevents.OptionNoVerifyToken())
	if err != nil {
		t.Fatal(err)
	}
	opened, ok := e.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent)
	if !ok || opened.User != a.sim.As("alice").ID() || opened.Tab != "home" || opened.View != nil {
		t.Fatalf("%+v", e.InnerEvent)
	}

	view := `{"type":"home","callback_id":"home","blocks":[{"type":"section","text":{"type":"plain_text","text":"Hello"},
		"accessory":{"type":"button","action_id":"go","value":"v","text":{"type":"plain_text","text":"Go"}}}]}`
	publish := func(user, hash string) object {
		return a.call("views.publish", `{"user_id":"`+user+`","hash":"`+hash+`","view":`+view+`}`)
	}
	published := publish(opened.User, "")
	want(t, published, "")
	hash := text(published, "view", "hash")
	want(t, publish(opened.User, "1.wrong"), "hash_conflict")
	want(t, publish(opened.User, hash), "")
	want(t, publish(opened.User, hash), "hash_conflict") // it has changed since
	want(t, publish("U0NOBODY", ""), "user_not_found")
	want(t, a.call("views.publish", `{"user_id":"`+opened.User+`","view":`+strings.Replace(view, `"home"`, `"modal"`, 1)+`}`), "invalid_arguments")
	if text := a.sim.As("alice").HomeText(); !strings.Contains(text, "Hello [Go]") {
		t.Errorf("%s", text)
	}
	if text := a.sim.As("bob").HomeText(); text != "" {
		t.Errorf("bob sees %s", text)
	}
	// The next opening has the view, and its buttons can be pressed.
	if _, err := a.sim.As("alice").Home(); err != nil {
		t.Error(err)
	}
	if d := <-got; !strings.Contains(d.Body, text(published, "view", "id")) {
		t.Errorf("%s", d.Body)
	}
	if err := a.sim.As("alice").PressHome("Go"); err != nil {
		t.Error(err)
	}
	if d := <-got; d.Path != "/slack/interactions" || !strings.Contains(d.Body, "home") {
		t.Errorf("%+v", d)
	}
}

// An event that the app does not acknowledge comes again, three times.
func TestEventsAreRepeated(t *testing.T) {
	t.Parallel()
	a, got := eventApp(t, nil, 503, 500, 404, 200)
	if _, err := a.sim.As("alice").Home(); err == nil {
		t.Error("no error")
	}
	first := <-got
	for i, pause := range retries {
		// Each delivery leaves a timer of its three seconds, which may be over by now.
		timers := []int{2, 3, 2}[i]
		if err := a.clock.BlockUntilContext(deadline.Context(t), timers); err != nil {
			t.Fatal(err)
		}
		a.clock.Advance(pause)
		d := <-got
		if d.Body != first.Body || d.Header.Get("X-Slack-Retry-Num") != string(rune('1'+i)) || d.Header.Get("X-Slack-Retry-Reason") != "http_error" {
			t.Errorf("%v", d.Header)
		}
	}
	a.clock.Advance(time.Hour)
	if len(got) != 0 {
		t.Error("it was repeated though it was taken")
	}
}

func TestUnsubscribedEventsAreNotSent(t *testing.T) {
	t.Parallel()
	a, got := eventApp(t, func(c *Config) { c.Events = []string{"message.im"} })
	if _, err := a.sim.As("alice").Home(); err != nil || len(got) != 0 {
		t.Errorf("%d events, %v", len(got), err)
	}
}

// What an organisation's app is told has the organisation in it.
func TestEventOfAnOrganisation(t *testing.T) {
	t.Parallel()
	a, got := eventApp(t, func(c *Config) { c.Workspaces = []string{"Sales"} })
	if _, err := a.sim.As("alice").Home(); err != nil {
		t.Error(err)
	}
	d := <-got
	for _, part := range []string{`"context_enterprise_id":"E0LOCAL"`, `"is_enterprise_install":true`, `"enterprise_id":"E0LOCAL","is_bot":true`} {
		if !strings.Contains(d.Body, part) {
			t.Errorf("%s lacks %s", d.Body, part)
		}
	}
}
