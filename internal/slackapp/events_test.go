package slackapp

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"
)

// eventBody is an event as Slack sends it: user caused it, in a workspace.
func eventBody(id, workspace string, inner map[string]any) string {
	b, err := json.Marshal(map[string]any{
		"type": "event_callback", "event_id": id, "event_time": start.Unix(), "team_id": workspace, "event": inner,
		"authorizations": []any{map[string]any{"team_id": workspace, "enterprise_id": nil, "is_enterprise_install": false}},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func homeOpened(id, user string) string {
	return eventBody(id, team, map[string]any{"type": "app_home_opened", "user": user, "tab": "home"})
}

// An event is taken once, however often it comes, and taken when it comes again if
// it could not be.
func TestEventIsTakenOnce(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	published := func() int { return len(w.slack.of("views.publish")) }
	w.slack.failing("views.publish", "500")
	if rec := w.post("/slack/events", homeOpened("Ev1", alice)); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("answer %d", rec.Code)
	}
	w.slack.failing("views.publish", "")
	before := published()
	for range 3 {
		if got := w.ok(w.post("/slack/events", homeOpened("Ev1", alice))); got != "" {
			t.Errorf("answer %s", got)
		}
	}
	if published() != before+1 {
		t.Errorf("published %d times", published()-before)
	}
	w.ok(w.post("/slack/events", homeOpened("Ev2", alice)))
	if published() != before+2 {
		t.Error("another event was not taken")
	}
}

// What is no event of ours does nothing, and is not asked for again.
func TestEventsThatAreNotForUs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"UnknownType":    {eventBody("Ev1", team, map[string]any{"type": "emoji_changed"}), http.StatusOK},
		"OtherWorkspace": {eventBody("Ev1", "T0OTHER", map[string]any{"type": "app_home_opened", "user": alice, "tab": "home"}), http.StatusOK},
		"MessagesTab":    {eventBody("Ev1", team, map[string]any{"type": "app_home_opened", "user": alice, "tab": "messages"}), http.StatusOK},
		"UnknownUser":    {homeOpened("Ev1", "U0NOBODY"), http.StatusOK},
		"NoUser":         {homeOpened("Ev1", ""), http.StatusOK},
		"RateLimited":    {`{"type":"app_rate_limited","team_id":"T1","minute_rate_limited":1518467820}`, http.StatusOK},
		"NoID":           {homeOpened("", alice), http.StatusBadRequest},
		"LongID":         {homeOpened(strings.Repeat("E", 200), alice), http.StatusBadRequest},
		"NoEvent":        {`{"type":"event_callback","event_id":"Ev1","team_id":"` + team + `"}`, http.StatusOK},
		"OddEvent":       {`{"type":"event_callback","event_id":"Ev1","team_id":"` + team + `","event":[]}`, http.StatusBadRequest},
		"NoJSON":         {`{`, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			if rec := w.post("/slack/events", c.body); rec.Code != c.want {
				t.Errorf("answer %d %s, want %d", rec.Code, rec.Body, c.want)
			}
			if n := len(w.slack.of("views.publish")); n > 0 {
				t.Errorf("published %d times", n)
			}
		})
	}
}

// An app of an organisation takes events of each of its workspaces, and of no other
// organisation.
func TestEventOfAnOrganisation(t *testing.T) {
	t.Parallel()
	for enterprise, want := range map[string]int{enterprise: 1, "E0OTHER": 0} {
		w := memoryWorld(t)
		w.slack.org = []string{team}
		w.app.Directory.Team = "E0ORG"
		body := `{"type":"event_callback","event_id":"Ev1","team_id":"` + team + `","event":{"type":"app_home_opened","user":"` + alice + `","tab":"home"},
			"authorizations":[{"enterprise_id":"` + enterprise + `","team_id":null,"is_enterprise_install":true}]}`
		w.ok(w.post("/slack/events", body))
		if n := len(w.slack.of("views.publish")); n != want {
			t.Errorf("%s: published %d times", enterprise, n)
		}
	}
}

// Events come by Socket Mode too, and are not acknowledged if they could not be taken.
func TestEventsBySocketMode(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	server, connections := socketSlack(t)
	w.app.API = slack.New("xoxb-test", slack.OptionAPIURL(w.slack.URL+"/"), slack.OptionAppLevelToken("xapp-test"),
		slack.OptionHTTPClient(router{connect: server.URL}))
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { done <- w.app.ServeSocket(ctx) }()
	c := <-connections
	send := func(id, body string) {
		if err := c.WriteJSON(map[string]any{"type": "events_api", "envelope_id": id, "payload": json.RawMessage(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if ack := envelope(t, c, "events_api", "e-1", json.RawMessage(homeOpened("Ev1", alice))); ack["payload"] != nil {
		t.Errorf("answer %v", ack["payload"])
	}
	if n := len(w.slack.of("views.publish")); n != 1 {
		t.Errorf("published %d times", n)
	}
	w.slack.failing("views.publish", "500")
	send("e-2", homeOpened("Ev2", alice))
	stop()
	if err := <-done; err != nil { // what was begun is finished first
		t.Error(err)
	}
	var ack map[string]any
	if err := c.ReadJSON(&ack); err == nil && ack["envelope_id"] == "e-2" {
		t.Error("acknowledged though it failed")
	}
}
