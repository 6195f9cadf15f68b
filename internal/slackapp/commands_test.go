package slackapp

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user, text string
		answer     string // part of it; "" is an empty acknowledgement
		view       string // callback id of the view that opens
		shows      string // part of the view's first texts
	}{
		"Bare":               {alice, "", "", viewFlow, ""},
		"Req":                {alice, "req", "", viewFlow, ""},
		"ReqFlow":            {alice, "req prod-access", "", viewRequest, "Production access"},
		"RequestFlow":        {alice, "request prod-access", "", viewRequest, ""},
		"AnyCase":            {alice, "REQ Prod-Access", "", viewRequest, ""},
		"ReqFlowEnvironment": {alice, "req prod-access main", "", viewRequest, ""},
		"OtherEnvironment":   {alice, "req prod-access staging", "", viewFlow, "no environment “staging”"},
		"UnknownFlow":        {alice, "req <!channel>", "", viewFlow, "no flow “<!channel>”"},
		"MisspeltFlow":       {alice, "req prod-acess", "", viewFlow, "no flow “prod-acess”. Is it this one that you mean?"},
		"Label":              {alice, "req production access", "", viewFlow, ""},
		"FlowWithoutReq":     {alice, "prod-access", "Did you mean `/sym req prod-access`?", "", ""},
		"MisspeltReq":        {alice, "rqe prod-access", "", viewRequest, "Production access"},
		"MisspeltHelp":       {alice, "hlep", "/sym req prod-access", "", ""},
		"Help":               {alice, "help", "/sym req prod-access", "", ""},
		"Unknown":            {alice, "dance <!here>", "There is no command `/sym dance`", "", ""},
		"UnknownMention":     {alice, "<!here>", "&lt;!here&gt;", "", ""},
		"Whoami":             {alice, "whoami", "alice@example.com", "", ""},
		"WhoamiAdmin":        {bob, "whoami", "admin of main", "", ""},
		"WhoamiNoEmail":      {carol, "whoami", "Slack shows none", "", ""},
		"WhoamiGuest":        {gus, "whoami", "Guests of the workspace can't start requests.", "", ""},
		"Guest":              {gus, "req prod-access", "Guests of the workspace can't start requests.", "", ""},
		"GuestPicker":        {gus, "req", "Guests of the workspace can't start requests.", "", ""},
		"OtherWorkspace":     {stranga, "req prod-access", "Guests of the workspace can't start requests.", "", ""},
		"Deactivated":        {dora, "req prod-access", "deactivated", "", ""},
		"Bot":                {"UBOT", "req prod-access", "Bots of the workspace can't start requests", "", ""},
		"BotPicker":          {"UBOT", "req", "Bots of the workspace can't start requests", "", ""},
		"Slackbot":           {"USLACKBOT", "req prod-access", "Bots of the workspace can't start requests", "", ""},
		"Nobody":             {"U0NOBODY", "req prod-access", "does not know you", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			got := strings.ReplaceAll(strings.ReplaceAll(w.command(c.user, c.text), `\u003c`, "<"), `\u003e`, ">")
			got = strings.ReplaceAll(got, `\u0026`, "&")
			if c.answer == "" && got != "" || !strings.Contains(got, c.answer) {
				t.Errorf("answer %q", got)
			}
			opened := w.slack.of("views.open")
			if c.view == "" {
				if len(opened) > 0 {
					t.Error("a view was opened")
				}
				return
			}
			view := w.opened()
			if view.CallbackID != c.view {
				t.Errorf("view %q", view.CallbackID)
			}
			if shown := view.Title.Text + "\n" + textOf(view.Blocks.BlockSet); !strings.Contains(shown, c.shows) {
				t.Errorf("view shows %q", shown)
			}
		})
	}
}

// TestNearestIsChosen: the picker has what was probably meant chosen already.
func TestNearestIsChosen(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"req prod-acess": "prod-access", "req Production": "prod-access", "req access production": "prod-access", "req repotr": "report",
		"req prod-access staging": "prod-access", "req prod-acess main": "prod-access", "req kubernetes": "", "req": "",
	} {
		w := memoryWorld(t)
		w.command(alice, typed)
		var view struct {
			Blocks []struct {
				Element struct {
					InitialOption struct{ Value string } `json:"initial_option"`
				}
			}
		}
		body, _ := json.Marshal(w.opened())
		if err := json.Unmarshal(body, &view); err != nil {
			t.Fatal(err)
		}
		if got := view.Blocks[len(view.Blocks)-1].Element.InitialOption.Value; got != want {
			t.Errorf("%s: chosen %q, want %q", typed, got, want)
		}
	}
}

// A replay of a signed request is the same run, whatever Slack says of its
// trigger, and opens no second form for anybody.
func TestReplayIsTheSameRun(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	body := commandBody(alice, "req prod-access", "trigger-1")
	w.ok(w.post("/slack/commands", body))
	id := metadataOf(received(t, w.opened())).Run
	first, err := w.runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	w.slack.failing("views.open", "exchanged_trigger_id")
	if got := w.ok(w.post("/slack/commands", body)); got != "" {
		t.Errorf("answer %q", got)
	}
	again, err := w.runs.Get(t.Context(), id)
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("the replay changed the run (%v):\n%s", err, diff)
	}
	if id != flow.RunIDFrom("sym", "slack", team, "trigger-1") {
		t.Errorf("run %s does not follow from the trigger", id)
	}
	if n := runsIn(t, w.runs); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestCommandFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ method, failure, want string }{
		"ExpiredTrigger": {"views.open", "expired_trigger_id", "three seconds"},
		"SlackIsDown":    {"views.open", "500", "went wrong on our side"},
		"WhoIsUnknown":   {"users.info", "500", "could not tell who you are"},
		"RateLimited":    {"users.info", "429", "could not tell who you are"},
		"BadToken":       {"users.info", "invalid_auth", "could not tell who you are"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			w.slack.failing(c.method, c.failure)
			if got := w.command(alice, "req prod-access"); !strings.Contains(got, c.want) {
				t.Errorf("answer %q", got)
			}
		})
	}
	t.Run("NoFlows", func(t *testing.T) {
		t.Parallel()
		apiOnly := accessFlow()
		apiOnly.Params.AllowedSources = &[]flow.Channel{flow.ChannelAPI}
		w := memoryWorld(t, apiOnly)
		if got := w.command(alice, "req"); !strings.Contains(got, "no flow yet") {
			t.Errorf("answer %q", got)
		}
		if got := w.command(alice, "req prod-access"); !strings.Contains(got, "can't be started from slack") {
			t.Errorf("answer %q", got)
		}
	})
	t.Run("OtherWorkspacesInstallation", func(t *testing.T) {
		t.Parallel()
		w := memoryWorld(t)
		body := strings.ReplaceAll(commandBody(alice, "req", "t"), team, "T0ELSE")
		if got := w.ok(w.post("/slack/commands", body)); !strings.Contains(got, "another Slack workspace") {
			t.Errorf("answer %q", got)
		}
	})
}

func runsIn(t *testing.T, runs store.Runs) int {
	t.Helper()
	page, err := runs.List(t.Context(), store.Query{By: store.ByKind})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Runs)
}

// gatekeeper is a flow's on_prompt.
type gatekeeper struct {
	answer *flow.HookAnswer
	err    error
}

func (g gatekeeper) Handle(context.Context, workflow.HandlerCall, []string) (flow.Result, error) {
	return flow.Result{Answer: &flow.Answer{Hook: g.answer}}, g.err
}

func (gatekeeper) Identity(context.Context, workflow.HandlerCall, string, string, string) (string, error) {
	return "", nil
}

// TestOnPrompt: a flow's hook says who may see its form. Who may not is told
// why in its place: by then the window is open, as triggers don't wait.
func TestOnPrompt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		gate  gatekeeper
		shown string // part of it
	}{
		{"Welcome", gatekeeper{}, "You get access"},
		{"Ignored", gatekeeper{answer: &flow.HookAnswer{Event: flow.Ignore, Message: "ask your <!channel> lead"}}, "Ask your <!channel> lead."},
		{"Late", gatekeeper{err: flow.Errorf(flow.CodeUnavailable, "inner workings")}, "did not answer in time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := accessFlow()
			f.Implementation = flow.NewSource("impl.py", "...")
			f.Implementation.Handlers = []string{"on_prompt"}
			w := memoryWorld(t, f)
			w.app.Forms = workflow.Forms{Runs: w.runs, Handlers: tc.gate, Now: func() time.Time { return w.now }}
			if said := w.command(alice, "req "+f.Name); said != "" {
				t.Errorf("answer %q", said)
			}
			if got := textOf(w.opened().Blocks.BlockSet); !strings.Contains(got, "Loading…") {
				t.Errorf("first shown: %q", got)
			}
			view := w.updated()
			got := textOf(view.Blocks.BlockSet)
			if !strings.Contains(got, tc.shown) || strings.Contains(got, "inner workings") || (view.CallbackID == viewRequest) != (tc.name == "Welcome") {
				t.Errorf("then shown: %q", got)
			}
		})
	}
}
