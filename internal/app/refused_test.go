package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

const refusedFlows = `
kind: environment
name: main
---
kind: target
name: orders-db
type: http
settings: {identifier: orders}
---
kind: strategy
name: databases
type: http
targets: [orders-db]
settings: {url: "https://target.example.com"}
---
kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  prompt_fields:
    - {name: duration, type: duration, allowed_values: [10m]}
  approval: {notify: [{channel: "#access-prod"}]}
`

// granted is a product with a workspace that is not its own, where Alice and
// Carol got access by runs 1 and 2. It is stopped.
func granted(t *testing.T) (contest, *slacksim.Sim, func(*Options)) {
	t.Helper()
	c := contest{newProduct(t.TempDir(), ""), t}
	sim, connect := c.workspace(t, config.Slack{BotToken: "xoxb-real", SigningSecret: "signingsecret000"})
	for _, err := range []error{
		os.Mkdir(c.path("flows"), 0o700),
		os.WriteFile(c.path("flows/flows.yaml"), []byte(refusedFlows), 0o600),
		c.start(func(o *Options) error { connect(o); return nil }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	for _, who := range []string{"alice", "carol"} {
		person := sim.As(who)
		for _, do := range []func() error{
			func() error { return person.Command("/sym req prod-access") },
			func() error { return person.Fill(map[string]string{"duration": "10 minutes", "Target": "orders-db"}) },
			person.Submit, c.settle,
			func() error { return sim.As("bob").Click("", "Approve") },
			c.settle, c.meet,
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !strings.Contains(c.target.access(), "alice") || !strings.Contains(c.target.access(), "carol") {
		t.Fatal("nobody got access")
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	return c, sim, connect
}

// TestRefusedStart: while access is live, a token that Slack refuses keeps nobody
// from starting: access ends by its time and by the API, and all is well once
// Slack takes the token again. With nothing live, the start fails with what to do.
func TestRefusedStart(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacksim.Fault{
		"account_inactive": {Error: "account_inactive"}, "invalid_auth": {Error: "invalid_auth"}, "503": {Status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, sim, connect := granted(t)
			start := func() error {
				sim.Inject("*", math.MaxInt, fault)
				return c.start(func(o *Options) error { connect(o); return nil })
			}
			if err := start(); err != nil {
				t.Fatal(err)
			}
			if status, body := c.health(); status != http.StatusServiceUnavailable || !strings.Contains(body, "Slack refuses us") || !strings.Contains(body, "ask Slack whose the bot token is") {
				t.Errorf("health: %d %s", status, body)
			}
			if _, _, err := c.local.Submit.Click(t.Context(), workflow.Click{
				RunID: c.runs[0], Action: flow.ActionDeescalate, Channel: flow.ChannelAPI,
				Actor: store.User{Actor: flow.Actor{ID: flow.UserID("sym", "ci"), Kind: flow.KindBot, Name: "ci"}, Role: store.RoleBot},
			}); err != nil {
				t.Error(err)
			}
			c.pass(time.Minute)
			if strings.Contains(c.target.access(), "alice") || !strings.Contains(c.target.access(), "carol") {
				t.Error("the access that was ended is there, or the other one is not")
			}
			c.pass(11 * time.Minute)
			if strings.Contains(c.target.access(), "carol") {
				t.Error("access outlasts its end")
			}
			sim.Heal()
			c.pass(20 * time.Minute)
			if status, body := c.health(); status != http.StatusOK {
				t.Errorf("health: %d %s", status, body)
			}
			if err := sim.As("alice").Command("/sym req prod-access"); err != nil {
				t.Errorf("the form: %v", err)
			}
			for _, m := range sim.Messages("#access-prod") {
				if text := sim.RenderText(m); !strings.Contains(text, "Access has ended") {
					t.Errorf("shows %s", text)
				}
			}
			if err := c.stop(); err != nil {
				t.Fatal(err)
			}
			if err := start(); err == nil || !strings.Contains(err.Error(), "ask Slack whose the bot token is") {
				t.Errorf("with nothing live: %v", err)
			}
		})
	}
}

// TestRefusedForAnother: a token of another workspace is not taken for the one
// that was refused.
func TestRefusedForAnother(t *testing.T) {
	t.Parallel()
	c, sim, connect := granted(t)
	var asked atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/api/auth.test":
			sim.ServeHTTP(w, r)
		case asked.Add(1) == 1:
			_, _ = w.Write([]byte(`{"ok":false,"error":"account_inactive"}`))
		default:
			_, _ = w.Write([]byte(`{"ok":true,"team_id":"T0OTHER"}`))
		}
	}))
	t.Cleanup(front.Close)
	if err := c.start(func(o *Options) error {
		connect(o)
		o.Settings.Slack.APIURL = front.URL + "/api"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Minute)
	if status, body := c.health(); status != http.StatusServiceUnavailable || !strings.Contains(body, "T0OTHER: start once more to serve it") {
		t.Errorf("health: %d %s", status, body)
	}
}

// TestRefusedConnection: while access is live, Socket Mode is tried again where
// Slack refuses it; with nothing live, the process ends and says why.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	c, sim, connect := granted(t)
	connected := make(chan *websocket.Conn, 8)
	var takes atomic.Bool
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // it says that it is Slack
	var front *httptest.Server
	front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/apps.connections.open":
			answer := map[string]any{"ok": false, "error": "invalid_auth"}
			if takes.Load() {
				answer = map[string]any{"ok": true, "url": "ws" + strings.TrimPrefix(front.URL, "http") + "/socket"}
			}
			if err := json.NewEncoder(w).Encode(answer); err != nil {
				t.Error(err)
			}
		case "/socket":
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			connected <- conn
		default:
			sim.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	heard := hearing{Handler: slog.DiscardHandler, messages: make(chan string, 64)}
	if err := c.start(func(o *Options) error {
		connect(o)
		o.Log = slog.New(heard)
		o.Settings.Slack.AppToken, o.Settings.Slack.SigningSecret, o.Settings.Slack.APIURL = "xapp-real", "", front.URL+"/api"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	heard.await(t, "Slack refuses the connection")
	if status, body := c.health(); status != http.StatusServiceUnavailable || !strings.Contains(body, "connect to Slack by Socket Mode: invalid_auth") {
		t.Errorf("health: %d %s", status, body)
	}
	takes.Store(true)
	c.pass(time.Minute)
	heard.await(t, "connected to Slack")
	defer (<-connected).Close()
	if status, body := c.health(); status != http.StatusOK {
		t.Errorf("health: %d %s", status, body)
	}
}

// hearing is a log whose messages a test waits for.
type hearing struct {
	slog.Handler
	messages chan string
}

func (h hearing) Enabled(context.Context, slog.Level) bool { return true }

func (h hearing) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "Slack") {
		h.messages <- r.Message
	}
	return nil
}

func (h hearing) await(t *testing.T, beginning string) {
	t.Helper()
	for ctx := deadline.Context(t); ; {
		select {
		case m := <-h.messages:
			if strings.HasPrefix(m, beginning) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("%s: in vain", beginning)
		}
	}
}
