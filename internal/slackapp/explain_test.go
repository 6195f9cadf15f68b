package slackapp

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// code is handlers that say nothing, or deny with a reason.
type code struct{ deny string }

func (h code) Handle(_ context.Context, _ workflow.HandlerCall, names []string) (flow.Result, error) {
	var answer flow.Answer
	if h.deny != "" && slices.Contains(names, "on_request") {
		answer.Hook = &flow.HookAnswer{Event: flow.EventDeny, Fields: map[string]any{"reason": h.deny}}
	}
	return flow.Result{Answer: &answer}, nil
}

func (code) Identity(context.Context, workflow.HandlerCall, string, string, string) (string, error) {
	return "", nil
}

// explainer explains by what is in a table, where each target means its own name.
func explainer(s store.Store, d workflow.Directory, h workflow.Handlers) Explain {
	return func(ctx context.Context, q workflow.Question) (workflow.Explanation, error) {
		e := workflow.Explain{Draft: &store.Draft{Below: s}, Clock: new(workflow.Supposed), Uninvoked: new(workflow.Uninvoked)}
		runs, flows, users, now, log := store.Runs{Store: e.Draft}, &store.Flows{Store: e.Draft}, store.Users{Store: e.Draft}, e.Clock.Now, slog.New(slog.DiscardHandler)
		e.Submit = workflow.Submit{Org: "sym", Runs: runs, Flows: flows, Directory: d, Now: now}
		e.Forms = workflow.Forms{Runs: runs, Flows: flows, Handlers: h, Now: now}
		e.Approval = workflow.Approval{
			Runs: runs, Flows: flows, Directory: d, Users: users, Lingering: store.Lingering{Store: e.Draft}, Functions: e.Uninvoked, Handlers: h,
			Notices: store.Notices{Store: e.Draft, Now: now}, FunctionTimeout: time.Minute, Now: now, Log: log,
		}
		e.Access = &workflow.Access{
			Runs: runs, Flows: flows, Users: users, Grants: store.Grants{Store: e.Draft}, Sick: store.Sick{Store: e.Draft}, Clock: e.Clock, Handlers: h, Log: log,
			Open: workflow.Untouched(func(_ flow.Strategy, target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
				return []flow.Entitlement{{Key: target.Name + "/" + identity}}, nil
			}),
			Rights:     func(flow.Strategy) strategy.Rights { return strategy.Rights{} },
			TargetType: func(flow.Strategy, flow.Target) strategy.TargetType { return strategy.TargetType{} },
			Schedule:   workflow.Unscheduled{}, Remover: workflow.Unscheduled{}, Looks: workflow.Unscheduled{}, CallTimeout: time.Minute,
		}
		return e.Request(ctx, q)
	}
}

// explained fills in the form that asks for an explanation, and gives the view that
// comes in its place, with its text.
func (w *world) explained(who string, form map[string]any) (slack.ModalViewRequest, string) {
	w.t.Helper()
	var answer struct {
		Action string                 `json:"response_action"`
		View   slack.ModalViewRequest `json:"view"`
		Errors map[string]string      `json:"errors"`
	}
	said := w.interact(submission(who, viewOf(w.t, explainModal(nil)), form))
	if err := json.Unmarshal([]byte(said), &answer); err != nil {
		w.t.Fatalf("%v: %s", err, said)
	}
	for _, text := range answer.Errors {
		return answer.View, text
	}
	return answer.View, textOf(answer.View.Blocks.BlockSet)
}

// explainForm is the form as somebody fills it in.
func explainForm(flowName, person string, more map[string]any) map[string]any {
	form := map[string]any{
		blockFlow:   map[string]any{"type": slack.OptTypeStatic, "selected_option": map[string]any{"value": flowName}},
		blockPerson: map[string]any{"type": slack.OptTypeUser, "selected_user": person},
	}
	for block, value := range more {
		form[block] = value
	}
	return form
}

// TestExplain: admins, and nobody else, are told what would come of a request, and
// nothing comes of that.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	v := w.home(bob) // an admin
	w.interact(inHome(bob, v, homeExplain, "explain"))
	if w.opened().CallbackID != viewExplain {
		t.Fatalf("%+v", w.opened())
	}
	golden(t, "form-explain.json", w.sentForm())
	view, text := w.explained(bob, explainForm("prod-access", alice, nil))
	golden(t, "explained.json", view)
	for _, want := range []string{"*People decide*", "*Who is asked*", "1. ", "If nobody decides", "may approve (", "may not: you can't approve your own request", "🔑", "• orders-db/alice@"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	body, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	checkLimits(t, body)
	if _, text := w.explained(bob, explainForm("prod-access", gus, nil)); !strings.Contains(text, "It can't be asked for") || !strings.Contains(text, "guests") {
		t.Errorf("a guest: %s", text)
	}
	typed := func(s string) map[string]any { return map[string]any{"type": slack.METPlainTextInput, "value": s} }
	if _, text := w.explained(bob, explainForm("prod-access", alice, map[string]any{blockTarget: typed("<!channel>")})); !strings.Contains(text, "It can't be asked for") || strings.Contains(text, "<!channel>") {
		t.Errorf("another target: %s", text)
	}

	// Whoever is no admin is told nothing, whatever they send.
	for _, who := range []string{carol, gus} {
		w.interact(inHome(who, v, homeExplain, "explain"))
		if got := w.opened(); got.CallbackID != viewNotice {
			t.Errorf("%s: %+v", who, got)
		}
		if _, text := w.explained(who, explainForm("prod-access", alice, nil)); strings.Contains(text, "may approve") || !strings.Contains(text, "nly admins") {
			t.Errorf("%s is told: %s", who, text)
		}
	}
	if page, err := w.runs.List(t.Context(), store.Query{By: store.ByKind}); err != nil || len(page.Runs) > 0 {
		t.Errorf("%d runs are left, %v", len(page.Runs), err)
	}
}

// TestExplain_Code: a flow's code has its say, and functions are named that were not
// invoked.
func TestExplain_Code(t *testing.T) {
	t.Parallel()
	f := accessFlow()
	f.Implementation = flow.NewSource("impl.py", "# on_request")
	f.Implementation.Handlers = []string{"on_request"}
	f.Params.OnApprove = &flow.LambdaCall{ARN: "arn:aws:lambda:us-east-1:123456789012:function:check"}
	w := memoryWorld(t, f)
	if _, text := w.explained(bob, explainForm(f.Name, alice, nil)); !strings.Contains(text, "*People decide*") || !strings.Contains(text, "not invoked for this, and is taken to have agreed: arn:aws:lambda:us-east-1:123456789012:function:check") {
		t.Errorf("%s", text)
	}
	w.app.Explain = explainer(w.store, w.app.Directory, code{deny: "not at night"})
	if _, text := w.explained(bob, explainForm(f.Name, alice, nil)); !strings.Contains(text, "*Denied* without anybody's decision: on_request: not at night") {
		t.Errorf("%s", text)
	}
	other := accessFlow()
	other.Environment.Admins = []string{"carol@example.com"}
	w = memoryWorld(t, f, func() *flow.Flow { other.Name = "theirs"; return other }())
	if _, text := w.explained(bob, explainForm("theirs", alice, nil)); !strings.Contains(text, "nly admins") {
		t.Errorf("of another's flow: %s", text)
	}
}

// TestExplain_HandOn: people are looked up beside Slack's answer, which has three
// seconds, and the explanation comes in the place of "Loading…".
func TestExplain_HandOn(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	tasks, do := handing(w)
	got := w.interact(submission(bob, viewOf(t, explainModal(nil)), explainForm("prod-access", alice, nil)))
	if !strings.Contains(got, "Loading…") || !strings.Contains(got, `"external_id":"loading-`) || len(*tasks) != 1 {
		t.Fatalf("answer %s, %d tasks", got, len(*tasks))
	}
	do()
	calls := w.slack.of("views.update")
	if len(calls) != 1 || !strings.Contains(textOf(viewOf(t, calls[0].Args["view"]).Blocks.BlockSet), "*People decide*") {
		t.Errorf("shown %v", calls)
	}
}
