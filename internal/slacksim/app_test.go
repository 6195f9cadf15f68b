package slacksim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/slack-go/slack"
)

const (
	testSecret = "test signing secret"
	testToken  = "xoxb-test"
)

// testApp is an app behind the Sim. It reads and signs with slack-go, so that a
// request that a real client would not understand fails the tests.
type testApp struct {
	t     *testing.T
	sim   *Sim
	api   *slack.Client
	clock *clockwork.FakeClock

	mu            sync.Mutex
	onCommand     func(slack.SlashCommand) (status int, answer string)
	onInteraction func(slack.InteractionCallback) (status int, answer string)
	onOptions     func(slack.InteractionCallback) (status int, answer string)
	commands      []slack.SlashCommand
	interactions  []slack.InteractionCallback
}

var testStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newApp makes a workspace and an app in it, both without a network.
func newApp(t *testing.T, change ...func(*Config)) *testApp {
	t.Helper()
	a := &testApp{t: t, clock: clockwork.NewFakeClockAt(testStart)}
	c := Config{
		SigningSecret: testSecret, BotToken: testToken, AppURL: "http://app.test", BaseURL: "http://127.0.0.1",
		Clock: a.clock, Client: InProcess(http.HandlerFunc(a.serve)),
	}
	for _, f := range change {
		f(&c)
	}
	sim, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	a.sim = sim
	a.api = slack.New(testToken, slack.OptionAPIURL("http://127.0.0.1/api/"), slack.OptionHTTPClient(InProcess(sim)))
	return a
}

func (a *testApp) serve(w http.ResponseWriter, r *http.Request) {
	var callback slack.InteractionCallback
	if r.URL.Path != pathCommands {
		if err := json.Unmarshal([]byte(r.FormValue("payload")), &callback); err != nil {
			a.t.Errorf("payload: %v", err)
		}
	}
	var status int
	var answer string
	switch r.URL.Path {
	case pathCommands:
		command, err := slack.SlashCommandParse(r)
		if err != nil {
			a.t.Errorf("command: %v", err)
		}
		a.mu.Lock()
		a.commands = append(a.commands, command)
		a.mu.Unlock()
		status, answer = http.StatusOK, ""
		if a.onCommand != nil {
			status, answer = a.onCommand(command)
		}
	case pathInteractions:
		a.mu.Lock()
		a.interactions = append(a.interactions, callback)
		a.mu.Unlock()
		status, answer = http.StatusOK, ""
		if a.onInteraction != nil {
			status, answer = a.onInteraction(callback)
		}
	case pathOptions:
		status, answer = a.onOptions(callback)
	default:
		a.t.Errorf("unexpected path %s", r.URL.Path)
	}
	w.WriteHeader(status)
	w.Write([]byte(answer))
}

// call posts JSON to a method and gives the answer.
func (a *testApp) call(method, body string) object {
	a.t.Helper()
	return a.send(method, "application/json; charset=utf-8", body, testToken)
}

func (a *testApp) send(method, kind, body, token string) object {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/api/"+method, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := InProcess(a.sim).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	var answer object
	if err := json.Unmarshal([]byte(readAll(a.t, resp.Body)), &answer); err != nil {
		a.t.Fatal(err)
	}
	return answer
}

// want checks the error code of an answer, "" for success.
func want(t *testing.T, answer object, code string) {
	t.Helper()
	if got := text(answer, "error"); got != code {
		t.Errorf("error = %q, want %q: %v", got, code, answer)
	}
	if flag(answer, "ok") != (code == "") {
		t.Errorf("ok does not fit the error: %v", answer)
	}
}

// open has alice open a form with these blocks.
func (a *testApp) open(view string) {
	a.t.Helper()
	a.onCommand = func(c slack.SlashCommand) (int, string) {
		want(a.t, a.call("views.open", `{"trigger_id":"`+c.TriggerID+`","view":`+view+`}`), "")
		return http.StatusOK, ""
	}
	if err := a.sim.As("alice").Command("/sym req"); err != nil {
		a.t.Fatal(err)
	}
}

func modal(blocks, more string) string {
	return `{"type":"modal","title":{"type":"plain_text","text":"Ask"},"submit":{"type":"plain_text","text":"Send"},"callback_id":"ask","blocks":[` + blocks + `]` + more + `}`
}

func input(id, element, more string) string {
	return `{"type":"input","block_id":"` + id + `","label":{"type":"plain_text","text":"` + strings.ToUpper(id[:1]) + id[1:] + `"},"element":` + element + more + `}`
}

const typeHere = `{"type":"plain_text_input","action_id":"v"}`

func menuOf(kind, more string, options ...string) string {
	var list []string
	for _, o := range options {
		list = append(list, `{"text":{"type":"plain_text","text":"`+o+`"},"value":"`+strings.ToLower(o)+`"}`)
	}
	return `{"type":"` + kind + `","action_id":"v","options":[` + strings.Join(list, ",") + `]` + more + `}`
}

// mustContain checks that a text has all of these parts.
func mustContain(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in:\n%s", part, got)
		}
	}
}

func mustFail(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error = %v, want one with %q", err, part)
	}
}

func slackError(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return e.Err
	}
	return ""
}
func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
