package slackapp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
)

// socketSlack is Slack's side of Socket Mode: it hands each connection to the test.
func socketSlack(t *testing.T) (api *httptest.Server, connections <-chan *websocket.Conn) {
	t.Helper()
	out := make(chan *websocket.Conn, 4)
	var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		out <- c
	})
	mux.HandleFunc("/apps.connections.open", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer xapp-test" {
			_, _ = w.Write([]byte(`{"ok":false,"error":"invalid_auth"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "url": "ws" + strings.TrimPrefix(server.URL, "http") + "/socket"})
	})
	return server, out
}

// envelope sends one, and returns the acknowledgement.
func envelope(t *testing.T, c *websocket.Conn, kind, id string, payload any) map[string]any {
	t.Helper()
	if err := c.WriteJSON(map[string]any{"type": kind, "envelope_id": id, "payload": payload, "accepts_response_payload": true}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(deadline.LastResort)); err != nil {
		t.Fatal(err)
	}
	var ack map[string]any
	if err := c.ReadJSON(&ack); err != nil {
		t.Fatal(err)
	}
	if ack["envelope_id"] != id {
		t.Fatalf("acknowledged %v, sent %s", ack["envelope_id"], id)
	}
	return ack
}

// Socket Mode drives the same handlers, and outlives a connection.
func TestServeSocket(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	server, connections := socketSlack(t)
	// Connections are asked for at this server, all else at the fake.
	w.app.API = slack.New("xoxb-test", slack.OptionAPIURL(w.slack.URL+"/"), slack.OptionAppLevelToken("xapp-test"),
		slack.OptionHTTPClient(router{connect: server.URL}))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.app.ServeSocket(ctx) }()

	c := <-connections
	if err := c.WriteJSON(map[string]any{"type": "hello", "num_connections": 1}); err != nil {
		t.Fatal(err)
	}
	command := map[string]any{"command": "/sym", "text": "req prod-access", "user_id": alice, "team_id": team, "channel_id": "C0HERE", "trigger_id": "t-1"}
	if ack := envelope(t, c, "slash_commands", "e-1", command); ack["payload"] != nil {
		t.Errorf("answer %v", ack["payload"])
	}
	id := flow.RunIDFrom("sym", "slack", team, "t-1")
	if _, err := w.runs.Get(t.Context(), id); err != nil {
		t.Fatalf("acknowledged before it was durable: %v", err)
	}
	bad := submission(alice, w.opened(), map[string]any{})
	bad["view"].(map[string]any)["app_icon"] = "what slack-go does not know"
	bad["actions"] = []any{map[string]any{"type": "new_element", "selected_option": "of another shape"}}
	if ack := envelope(t, c, "interactive", "e-2", bad); ack["payload"].(map[string]any)["response_action"] != "errors" {
		t.Errorf("answer %v", ack["payload"])
	}

	_ = c.Close() // Slack closes connections every few hours
	c = <-connections
	if ack := envelope(t, c, "interactive", "e-3", submission(alice, w.opened(), form())); ack["payload"] != nil {
		t.Errorf("answer %v", ack["payload"])
	}
	if r, err := w.runs.Get(t.Context(), id); err != nil || len(r.Signals) != 1 {
		t.Errorf("signals %v, %v", r.Signals, err)
	}
	help := map[string]any{"command": "/sym", "text": "help", "user_id": alice, "team_id": team}
	if ack := envelope(t, c, "slash_commands", "e-4", help); ack["payload"].(map[string]any)["response_type"] != "ephemeral" {
		t.Errorf("answer %v", ack["payload"])
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServeSocketWithoutAToken(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	server, _ := socketSlack(t)
	w.app.API = slack.New("xoxb-test", slack.OptionAPIURL(server.URL+"/"), slack.OptionAppLevelToken("xapp-wrong"))
	if err := w.app.ServeSocket(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid_auth") {
		t.Errorf("%v", err)
	}
}

// router sends the one method of Socket Mode to a server of its own.
type router struct{ connect string }

func (r router) Do(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/apps.connections.open") {
		req.URL.Host = strings.TrimPrefix(r.connect, "http://")
		req.Host = req.URL.Host
	}
	return http.DefaultClient.Do(req)
}

// What can't be read is not written to the log: it may hold a response URL.
func TestServeSocketLogsNoMessage(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	server, connections := socketSlack(t)
	w.app.API = slack.New("xoxb-test", slack.OptionAPIURL(w.slack.URL+"/"), slack.OptionAppLevelToken("xapp-test"),
		slack.OptionHTTPClient(router{connect: server.URL}))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.app.ServeSocket(ctx) }()
	c := <-connections
	const secret = "https://hooks.example.com/secret"
	if err := c.WriteJSON(map[string]any{"type": "interactive", "envelope_id": "e-1", "payload": []string{secret}}); err != nil {
		t.Fatal(err)
	}
	// Answers come in order, so that the one before was looked at by then.
	envelope(t, c, "slash_commands", "e-2", map[string]any{"command": "/sym", "text": "help", "user_id": alice, "team_id": team})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	log := w.log.String()
	if !strings.Contains(log, "an envelope of Slack's can't be read") || strings.Contains(log, "secret") || strings.Contains(log, fmt.Sprint([]byte(secret))[1:20]) {
		t.Errorf("logged %s", log)
	}
}
