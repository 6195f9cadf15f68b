package slackapp

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

func stepEvent(execution, callback string, inputs map[string]any) map[string]any {
	return map[string]any{
		"type": "function_executed", "function": map[string]any{"callback_id": callback}, "inputs": inputs,
		"function_execution_id": execution, "bot_access_token": "xwfp-secret",
	}
}

// asksFor is a flow that steps may ask by.
func asksFor() *flow.Flow {
	f := reportFlow()
	f.Params.OnBehalf = true
	return f
}

// A step is one request, however often its event comes, for whom it names and by who
// started it. Its token is neither kept nor logged.
func TestStep(t *testing.T) {
	t.Parallel()
	f := asksFor()
	w := memoryWorld(t, f)
	var log bytes.Buffer
	w.app.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	inputs := map[string]any{"flow": f.Name, "fields": "table: orders", "requester": carol, "starter": map[string]any{"id": alice, "secret": "hush"}}
	for _, id := range []string{"Ev1", "Ev1", "Ev2"} {
		w.ok(w.post("/slack/events", eventBody(id, team, stepEvent("Fx1", stepApproval, inputs))))
	}
	if calls := w.slack.of("functions.completeError"); len(calls) > 0 {
		t.Fatalf("refused: %v", calls[0].Args)
	}
	r, err := w.app.Submit.Runs.Get(t.Context(), flow.RunIDFrom(w.app.Submit.Org, "step", "Fx1"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Requester.SlackID != carol || r.Asker == nil || r.Asker.SlackID != alice || r.Step != "Fx1" || r.Status != flow.Prompted || len(r.Signals) != 1 {
		t.Errorf("the run is of %s by %v, %s, with %d signals", r.Requester.SlackID, r.Asker, r.Status, len(r.Signals))
	}
	for _, who := range []flow.Actor{r.Requester, *r.Asker} {
		if r.Barred(who, false) == nil {
			t.Errorf("%s may approve", who.SlackID)
		}
	}
	item, err := w.app.Submit.Runs.Store.Get(t.Context(), "run#"+r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"xwfp", "hush"} {
		if strings.Contains(string(item.Body), secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%s is kept or logged", secret)
		}
	}
}

// What can't be asked for ends the step; what nobody signed, or another workspace did,
// does nothing.
func TestStep_Refused(t *testing.T) {
	t.Parallel()
	allowed, other := asksFor(), reportFlow()
	other.Name = "other"
	starter := map[string]any{"id": alice}
	for _, c := range []struct {
		name, workspace, callback string
		inputs                    map[string]any
		want                      string // why the step is ended; "" where it is not
	}{
		{"NotOnBehalf", team, stepApproval, map[string]any{"flow": "other", "starter": starter}, "on_behalf"},
		{"NoFlow", team, stepApproval, map[string]any{"flow": "none", "starter": starter}, "none"},
		{"NoInputs", team, stepApproval, nil, "flow"},
		{"GuestStarts", team, stepApproval, map[string]any{"flow": allowed.Name, "starter": map[string]any{"id": gus}}, "guests"},
		{"ForDeactivated", team, stepApproval, map[string]any{"flow": allowed.Name, "starter": starter, "requester": dora}, "deactivated"},
		{"ForABot", team, stepApproval, map[string]any{"flow": allowed.Name, "starter": starter, "requester": "UBOT"}, "bots"},
		{"NoStarter", team, stepApproval, map[string]any{"flow": allowed.Name, "requester": bob}, "who started"},
		{"StarterByTheAuthor", team, stepApproval, map[string]any{"flow": allowed.Name, "requester": bob, "starter": alice}, "who started"},
		{"WrongStep", team, stepAccess, map[string]any{"flow": allowed.Name, "starter": starter}, "Ask for approval"},
		{"OddFields", team, stepApproval, map[string]any{"flow": allowed.Name, "starter": starter, "fields": "nonsense"}, "line 1"},
		{"UnknownStep", team, "something_else", map[string]any{"flow": "other", "starter": starter}, ""},
		{"OtherWorkspace", "T0OTHER", stepApproval, map[string]any{"flow": "other", "starter": starter}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t, allowed, other)
			w.ok(w.post("/slack/events", eventBody("Ev1", c.workspace, stepEvent("Fx1", c.callback, c.inputs))))
			ended := w.slack.of("functions.completeError")
			if (len(ended) == 1) != (c.want != "") {
				t.Fatalf("ended: %v", ended)
			}
			if c.want != "" {
				if why, _ := ended[0].Args["error"].(string); !strings.Contains(strings.ToLower(why), strings.ToLower(c.want)) {
					t.Errorf("ended with %q, want %q", why, c.want)
				}
			}
			if _, err := w.app.Submit.Runs.Get(t.Context(), flow.RunIDFrom(w.app.Submit.Org, "step", "Fx1")); flow.CodeOf(err) != flow.CodeUnknownRun {
				t.Errorf("there is a run: %v", err)
			}
		})
	}
	w := memoryWorld(t, allowed)
	unsigned := httptest.NewRequest(http.MethodPost, "/slack/events", strings.NewReader(eventBody("Ev1", team, stepEvent("Fx1", stepApproval, map[string]any{"flow": "none"}))))
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, unsigned)
	if rec.Code != http.StatusUnauthorized || len(w.slack.of("functions.completeError")) > 0 {
		t.Errorf("an event that nobody signed: %d", rec.Code)
	}
}

// Where Slack does not take the bot token for it, a step ends with its own.
func TestStep_Token(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t, asksFor())
	w.app.APIURL = w.slack.URL
	w.slack.failing("functions.completeError", "not_allowed_token_type")
	w.ok(w.post("/slack/events", eventBody("Ev1", team, stepEvent("Fx1", stepApproval, map[string]any{"flow": "none", "requester": bob}))))
	if n := len(w.slack.of("functions.completeError")); n != 2 {
		t.Errorf("tried %d times", n)
	}
}

// A step that is over or gone needs no end; one that Slack does not let us end can't be
// told, which the error channel hears.
func TestMessenger_Step(t *testing.T) {
	t.Parallel()
	for slackSays, want := range map[string]flow.Code{
		"": "", "execution_not_in_running_state": "", "function_execution_not_found": "",
		"not_allowed_token_type": flow.CodeUndeliverable, "parameter_validation_failed": flow.CodeUndeliverable,
		"internal_error": flow.CodeUnreachable, "500": flow.CodeUnreachable,
	} {
		w := memoryWorld(t)
		w.slack.failing("functions.completeSuccess", slackSays)
		m := Messenger{API: w.app.API}
		body, err := m.Render(workflow.Message{Kind: workflow.KindStep}, flow.Run{ID: "run", Status: flow.Denied})
		if err != nil {
			t.Fatal(err)
		}
		channel, ts, err := m.Post(t.Context(), workflow.Address{Step: "Fx1"}, body)
		if flow.CodeOf(err) != want || channel != "" || ts != "" {
			t.Errorf("%q: %v", slackSays, err)
		}
		calls := w.slack.of("functions.completeSuccess")
		if len(calls) != 1 || calls[0].Args["function_execution_id"] != "Fx1" {
			t.Errorf("%q: %v", slackSays, calls)
		}
	}
}
