package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
)

// handing has what is handed on kept, and gives a way to do it.
func handing(w *world) (tasks *[][]byte, do func()) {
	tasks = new([][]byte)
	w.app.HandOn = func(_ context.Context, task []byte) error {
		*tasks = append(*tasks, task)
		return nil
	}
	return tasks, func() {
		w.t.Helper()
		for _, task := range *tasks {
			if !IsTask(task) {
				w.t.Errorf("%s is no task", task)
			}
			if err := w.app.Continue(w.t.Context(), task); err != nil {
				w.t.Error(err)
			}
		}
	}
}

// TestHandOn: Slack has its answer before a handler is asked, and the view that says
// "Loading…" becomes the form; also if it is done twice.
func TestHandOn(t *testing.T) {
	t.Parallel()
	c := &coder{options: repos(3)}
	w := deployWorld(t, c)
	tasks, do := handing(w)
	if got := w.command(alice, "req deploy"); got != "" {
		t.Errorf("answer %q", got)
	}
	if got := textOf(w.opened().Blocks.BlockSet); !strings.Contains(got, "Loading…") || len(c.asked) > 0 || len(*tasks) != 1 {
		t.Fatalf("shown %q, asked %v, %d tasks", got, c.asked, len(*tasks))
	}
	do()
	do()
	view := w.updated()
	if view.CallbackID != viewRequest || c.asked["prefetch repo"] != 1 || len(w.slack.of("views.open")) != 1 {
		t.Errorf("shown %s, asked %v", view.CallbackID, c.asked)
	}

	// A field that others depend on.
	*tasks = nil
	w.interact(changed(alice, view, "stage", map[string]any{"stage": chosen("test"), "repo": chosen("r-0")}))
	if c.asked["change stage"] != 0 || len(*tasks) != 1 {
		t.Fatalf("asked %v, %d tasks", c.asked, len(*tasks))
	}
	do()
	if c.asked["change stage"] != 1 || w.updated().CallbackID != viewRequest {
		t.Errorf("asked %v", c.asked)
	}
}

// TestHandOnPicked: the answer to the picker brings the view, which Slack does not
// know before it has the answer.
func TestHandOnPicked(t *testing.T) {
	t.Parallel()
	c := &coder{options: repos(3)}
	w := deployWorld(t, c)
	tasks, do := handing(w)
	w.command(alice, "req")
	got := w.interact(submission(alice, w.opened(), map[string]any{blockFlow: chosen("deploy")}))
	if !strings.Contains(got, "Loading…") || !strings.Contains(got, `"external_id":"loading-`) || len(w.slack.of("views.update")) > 0 || len(*tasks) != 1 {
		t.Fatalf("answer %s", got)
	}
	w.slack.unknown = 2
	do()
	calls := w.slack.of("views.update")
	last := calls[len(calls)-1].Args
	if ours := fmt.Sprint(last["external_id"]); len(calls) != 3 || !strings.Contains(got, ours) || viewOf(t, last["view"]).CallbackID != viewRequest {
		t.Errorf("%d updates, the last %v", len(calls), last)
	}
}

// TestHandOnFails: what can't be handed on is done at once.
func TestHandOnFails(t *testing.T) {
	t.Parallel()
	w := deployWorld(t, &coder{options: repos(3)})
	w.app.HandOn = func(context.Context, []byte) error { return errors.New("throttled") }
	w.command(alice, "req deploy")
	if w.updated().CallbackID != viewRequest {
		t.Error("no form")
	}
	w.command(alice, "req")
	if got := w.interact(submission(alice, w.opened(), map[string]any{blockFlow: chosen("deploy")})); !strings.Contains(got, `"callback_id":"request"`) {
		t.Errorf("answer %s", got)
	}
}

// TestTryAgain: the button in place of a form opens it, for whoever may ask.
func TestTryAgain(t *testing.T) {
	t.Parallel()
	c := &coder{err: flow.Errorf(flow.CodeHandler, "prefetch:repo (impl.py:7): no")}
	w := deployWorld(t, c)
	w.command(alice, "req deploy")
	failed := w.updated()
	press := func(user string, v slack.View, trigger string) {
		p := submission(user, v, nil)
		p["type"], p["trigger_id"] = "block_actions", trigger
		p["view"].(map[string]any)["id"] = "V0OPENED"
		p["actions"] = []any{map[string]any{"type": "button", "action_id": buttonAgain, "value": "deploy"}}
		w.interact(p)
	}
	c.err, c.options = nil, repos(2)
	press(gus, failed, "again-0")
	if got := textOf(w.updated().Blocks.BlockSet); !strings.Contains(got, "Guests") {
		t.Errorf("a guest sees %q", got)
	}
	elsewhere := submission(alice, failed, nil)
	elsewhere["type"], elsewhere["trigger_id"], elsewhere["team"] = "block_actions", "again-3", map[string]any{"id": "T0OTHER"}
	elsewhere["actions"] = []any{map[string]any{"type": "button", "action_id": buttonAgain, "value": "deploy"}}
	elsewhere["view"].(map[string]any)["id"] = "V0OPENED"
	w.interact(elsewhere)
	if got := textOf(w.updated().Blocks.BlockSet); !strings.Contains(got, "another Slack workspace") {
		t.Errorf("from another workspace: %q", got)
	}
	press(alice, failed, "again-1")
	if got := w.updated(); got.CallbackID != viewRequest {
		t.Errorf("shown %s", textOf(got.Blocks.BlockSet))
	}
	forged := w.updated() // has a run, and is no notice
	press(bob, forged, "again-2")
	if got := textOf(w.updated().Blocks.BlockSet); !strings.Contains(got, "open too long") {
		t.Errorf("shown %s", got)
	}
}

func TestWaitingModals(t *testing.T) {
	t.Parallel()
	golden(t, "loading.json", loadingModal("Production access"))
	golden(t, "again.json", againModal("It did not work.", metadata{Flow: "prod-access", Channel: "C0HERE"}))
	for _, v := range []slack.ModalViewRequest{loadingModal(strings.Repeat("x", 100)), againModal(strings.Repeat("x", 9000), metadata{})} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		checkLimits(t, b)
	}
}

// TestContinueRefuses: what is no task is not done.
func TestContinueRefuses(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	for _, payload := range []string{
		``, `{}`, `[]`, `{"version":"2.0","symflows_task":{}}`, `{"symflows_task":{}}`, `{"symflows_task":{"shown":{"view":"V1"}}}`,
		`{"symflows_task":{"command":{},"interaction":{},"shown":{"view":"V1"}}}`,
	} {
		if err := w.app.Continue(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s was taken", payload)
		}
	}
	for payload, want := range map[string]bool{`{"symflows_task":{}}`: true, `{"symflows_task":{},"version":"2.0"}`: false, `{"body":"{\"symflows_task\":{}}"}`: false, `x`: false} {
		if IsTask([]byte(payload)) != want {
			t.Errorf("%s: not %t", payload, want)
		}
	}
}

// TestMessageShortcut: the form has a link to the message, and nothing of its text.
func TestMessageShortcut(t *testing.T) {
	t.Parallel()
	action := func(ts, domain string) map[string]any {
		return map[string]any{
			"type": "message_action", "callback_id": "about", "team": map[string]any{"id": team, "domain": domain}, "user": map[string]any{"id": alice},
			"trigger_id": "about-1", "message_ts": ts, "channel": map[string]any{"id": "C0GENERAL", "name": "general"},
			"message": map[string]any{"type": "message", "text": "the secret is hunter2", "ts": ts},
		}
	}
	for name, tc := range map[string]struct {
		payload map[string]any
		refused string
		want    string
	}{
		"Link":        {action("1700000000.000100", "sym"), "", "About https://sym.slack.com/archives/C0GENERAL/p1700000000000100"},
		"NotInThere":  {action("1700000000.000100", "acme"), "channel_not_found", "About https://acme.slack.com/archives/C0GENERAL/p1700000000000100"},
		"ForgedTime":  {action("1.0|<!channel>", "acme"), "", ""},
		"ForgedPlace": {action("1700000000.000100", "evil.example.com/"), "channel_not_found", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			if tc.refused != "" {
				w.slack.failing("chat.getPermalink", tc.refused)
			}
			w.interact(tc.payload)
			got := w.interact(submission(alice, w.opened(), map[string]any{blockFlow: chosen("prod-access")}))
			if strings.Contains(got, "hunter2") || tc.want != "" && !strings.Contains(got, `"initial_value":"`+tc.want+`"`) || tc.want == "" && strings.Contains(got, "About ") {
				t.Errorf("answer %s", got)
			}
		})
	}
}

// TestSent: whoever asked in a channel reads there that it was sent and to whom, by
// a response URL that is Slack's own.
func TestSent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		url  func(w *world) string
		want int
	}{
		"Ours":    {func(w *world) string { return w.slack.URL + "/response-url" }, 1},
		"None":    {func(*world) string { return "" }, 0},
		"Foreign": {func(*world) string { return "https://evil.example.com/x" }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			w.ok(w.post("/slack/commands", commandBody(alice, "req prod-access", "t-1")+"&response_url="+tc.url(w)))
			if got := w.interact(submission(alice, w.opened(), form())); got != "" {
				t.Fatalf("answer %s", got)
			}
			said := w.slack.of("response-url")
			if len(said) != tc.want || tc.want > 0 && !strings.Contains(fmt.Sprint(said[0].Args), "Goes to #access-prod") {
				t.Errorf("said %v", said)
			}
		})
	}
}
