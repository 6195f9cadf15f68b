package app_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
)

// surroundings are what a measured deployment works with: a Slack and a
// granting server that answer at once, both over HTTP on this machine.
type surroundings struct {
	b     *testing.B
	slack *httptest.Server
	flows string // folder of the configuration

	takes time.Duration // that the granting server takes for an answer
	dead  chan struct{} // while it is open, nothing is taken away at dead-db: calls hang

	calls  atomic.Int64 // of Slack
	stages sync.Map     // stage and run → channel
}

// stage is something that the surroundings see of a run.
type stage string

const (
	asked   stage = "asked"   // the approver is shown the request
	granted stage = "granted" // the server is asked to grant access
	removed stage = "removed" // the server is asked to take it away
)

// reached gives a channel that has room for one: what is seen first.
func (s *surroundings) reached(at stage, run string) chan struct{} {
	c, _ := s.stages.LoadOrStore(string(at)+run, make(chan struct{}, 1))
	return c.(chan struct{})
}

func (s *surroundings) see(at stage, run string) {
	select {
	case s.reached(at, run) <- struct{}{}:
	default: // seen before
	}
}

// runInButton finds the run whose request a message shows.
var runInButton = regexp.MustCompile(`"value":"([0-9a-f-]{36}) request:0"`)

const (
	benchTeam   = "T0BENCH"
	benchSecret = "signs what Slack sends"

	alice = "U0ALICE" // asks
	bob   = "U0BOB"   // approves
)

const benchFlows = `
kind: environment
name: main
admins: [bob@example.com]
---
kind: target
name: orders-db
type: http
---
kind: target
name: dead-db
type: http
---
kind: strategy
name: databases
type: http
targets: [orders-db, dead-db]
settings: {url: "%s"}
---
kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  prompt_fields:
    - {name: reason, type: string, required: true}
    - {name: duration, type: duration, required: true, allowed_values: [10m]}
  approval:
    approvers: ["user:bob@example.com"]
    notify: [{channel: "#access-prod"}]
`

func surround(b *testing.B) *surroundings {
	b.Helper()
	s := &surroundings{b: b, flows: b.TempDir(), dead: make(chan struct{})}
	s.slack = httptest.NewServer(http.HandlerFunc(s.answerAsSlack))
	b.Cleanup(s.slack.Close)
	target := httptest.NewServer(http.HandlerFunc(s.answerAsTarget))
	b.Cleanup(target.Close)
	yaml := fmt.Sprintf(benchFlows, target.URL)
	if err := os.WriteFile(filepath.Join(s.flows, "flows.yaml"), []byte(yaml), 0o600); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *surroundings) settings() config.Settings {
	return config.Settings{Org: "sym", LogFormat: "text", Slack: config.Slack{
		BotToken: "xoxb-bench", SigningSecret: benchSecret, APIURL: s.slack.URL + "/",
	}}
}

// answerAsSlack knows everybody: U0NAME is name@example.com.
func (s *surroundings) answerAsSlack(w http.ResponseWriter, r *http.Request) {
	n := s.calls.Add(1)
	answer := map[string]any{"ok": true}
	switch strings.TrimPrefix(r.URL.Path, "/") {
	case "auth.test":
		answer["team_id"] = benchTeam
	case "users.info", "users.lookupByEmail":
		name := strings.ToLower(strings.TrimPrefix(r.FormValue("user"), "U0"))
		if email := r.FormValue("email"); email != "" {
			name, _, _ = strings.Cut(email, "@")
		}
		answer["user"] = map[string]any{
			"id": "U0" + strings.ToUpper(name), "name": name, "team_id": benchTeam,
			"profile": map[string]any{"display_name": name, "email": name + "@example.com"},
		}
	case "conversations.open":
		answer["channel"] = map[string]any{"id": "D0" + r.FormValue("users")}
	case "chat.postMessage", "chat.update":
		if shown := runInButton.FindStringSubmatch(r.FormValue("blocks")); shown != nil {
			s.see(asked, shown[1])
		}
		answer["channel"], answer["ts"] = r.FormValue("channel"), fmt.Sprintf("1700000000.%06d", n)
	}
	_ = json.NewEncoder(w).Encode(answer) // who has gone needs no answer
}

func (s *surroundings) answerAsTarget(w http.ResponseWriter, r *http.Request) {
	var record events.AuditRecord
	if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.takes > 0 { // nothing that a test waits for: only a benchmark sets it
		select {
		case <-clockwork.NewRealClock().After(s.takes):
		case <-r.Context().Done():
		}
	}
	run := record.Run.SRN[strings.LastIndexByte(record.Run.SRN, ':')+1:]
	if record.Event.Type == string(flow.EventEscalate) {
		s.see(granted, run)
	} else {
		if at, _ := record.Fields["target"].(map[string]any); at["name"] == deadTarget {
			select {
			case <-s.dead:
			case <-r.Context().Done():
			}
		}
		s.see(removed, run)
	}
	fmt.Fprint(w, `{"body":{}}`)
}

// caller calls a deployment as Slack and as programs do. It is safe for
// concurrent use.
type caller struct {
	url, token string
	now        func() time.Time // by the deployment's clock
	client     *http.Client
	n          atomic.Int64
}

func newCaller(b *testing.B, url, data string, now func() time.Time) *caller {
	b.Helper()
	token, err := os.ReadFile(filepath.Join(data, "token"))
	if err != nil {
		b.Fatal(err)
	}
	c := &caller{url: url, token: string(token), now: now, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	b.Cleanup(c.client.CloseIdleConnections)
	return c
}

func (c *caller) call(req *http.Request) ([]byte, error) {
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s: %s", req.URL.Path, resp.Status, body)
	}
	return body, err
}

// deadTarget is the target whose removals hang.
const deadTarget = "dead-db"

// request asks for access by the API, and gives the id of the run.
func (c *caller) request() (string, error) { return c.requestAt("orders-db") }

// requestAt asks for access at a target.
func (c *caller) requestAt(target string) (string, error) {
	body := `{"flow_srn":"sym:flow:prod-access:latest","user_email":"alice@example.com",
		"flow_inputs":{"target_srn":"sym:access_target:http:` + target + `:latest","duration":600,"reason":"to see why orders are late"}}`
	req, err := http.NewRequest(http.MethodPost, c.url+"/api/v1/events/request", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	answer, err := c.call(req)
	if err != nil {
		return "", err
	}
	var accepted struct {
		RunID string `json:"run_id"`
	}
	return accepted.RunID, json.Unmarshal(answer, &accepted)
}

// command types a slash command that opens a form.
func (c *caller) command() error {
	return c.fromSlack("/slack/commands", url.Values{
		"command": {"/sym"}, "text": {"req prod-access"}, "user_id": {alice}, "team_id": {benchTeam},
		"channel_id": {"C0HERE"}, "trigger_id": {fmt.Sprint("trigger-", c.n.Add(1))},
	})
}

// press presses a button of a run's request message.
func (c *caller) press(who string, action flow.Action, runID string) error {
	payload, err := json.Marshal(map[string]any{
		"type": "block_actions", "team": map[string]any{"id": benchTeam}, "user": map[string]any{"id": who},
		"actions": []any{map[string]any{"type": "button", "block_id": "b1", "action_id": action, "value": runID + " request:0"}},
		"message": map[string]any{"blocks": []any{map[string]any{"type": "actions", "elements": []any{map[string]any{"value": runID + " request:0"}}}, map[string]any{"type": "context", "elements": []any{map[string]any{"type": "plain_text", "text": "Request " + flow.ShortID(runID)}}}}},
	})
	if err != nil {
		return err
	}
	return c.fromSlack("/slack/interactions", url.Values{"payload": {string(payload)}})
}

// fromSlack sends what Slack would, signed. Any answer with a body is one that
// says what is wrong.
func (c *caller) fromSlack(path string, form url.Values) error {
	body := []byte(form.Encode())
	req, err := http.NewRequest(http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	stamp := strconv.FormatInt(c.now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(benchSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Slack-Request-Timestamp", stamp)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	answer, err := c.call(req)
	if err == nil && len(answer) > 0 {
		err = fmt.Errorf("%s: %s", path, answer)
	}
	return err
}
