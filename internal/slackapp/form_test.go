package slackapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// coder stands for customers' code, and counts how often it is asked.
type coder struct {
	mu       sync.Mutex
	asked    map[string]int
	options  []flow.Option
	err      error
	onChange func(field, username string, form *flow.OpenForm)
	shown    []string
}

func (c *coder) ask(what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[what]++
	return c.err
}

func (c *coder) Prefetch(_ context.Context, _ workflow.HandlerCall, field string) ([]flow.Option, error) {
	return c.options, c.ask("prefetch " + field)
}

func (c *coder) OnChange(_ context.Context, _ *flow.Flow, field, username string, form flow.OpenForm) (flow.OpenForm, error) {
	form.Fields = slices.Clone(form.Fields)
	if c.onChange != nil {
		c.onChange(field, username, &form)
	}
	return form, c.ask("change " + field)
}

func (c *coder) FlowsShown(_ context.Context, _ flow.Source, vars map[string]string, who store.User, _ []*flow.Flow) ([]string, error) {
	return c.shown, c.ask("flows " + who.Email + vars["team"])
}

func deployFlow() *flow.Flow {
	code := flow.NewSource("impl.py", "…")
	code.Handlers = []string{"prefetch:repo"}
	return &flow.Flow{
		Org: "sym", Name: "deploy", Environment: flow.Environment{Name: "main", ErrorChannel: "#errors"}, Implementation: code,
		Params: flow.Params{
			PromptFields: []flow.PromptField{
				{Name: "repo", Type: flow.FieldString, Label: "Repository", Required: true, Visible: true, Prefetch: true},
				{Name: "stage", Type: flow.FieldString, Required: true, Visible: true, AllowedValues: []string{"test", "prod"}, OnChange: flow.NewSource("c.py", "…")},
				{Name: "ticket", Type: flow.FieldString, Required: true},
			},
			Approval: flow.Approval{Notify: []flow.Notify{{Channel: "#reports"}}, Required: 1},
		},
	}
}

func deployWorld(t testing.TB, c *coder) *world {
	w := newWorld(t, &storetest.Memory{Now: func() time.Time { return start }}, deployFlow(), accessFlow())
	w.app.Forms = workflow.Forms{Runs: w.runs, Flows: w.app.Flows, Fields: c, Now: w.app.Now}
	return w
}

func repos(n int) []flow.Option {
	var all []flow.Option
	for i := range n {
		all = append(all, flow.Option{Value: fmt.Sprintf("r-%d", i), Label: fmt.Sprintf("repo %03d", i)})
	}
	return all
}

// inputOf is the element and the block of a field.
func inputOf(t testing.TB, v slack.View, field string) (*slack.InputBlock, any) {
	t.Helper()
	for _, b := range v.Blocks.BlockSet {
		if in, ok := b.(*slack.InputBlock); ok && in.BlockID == field {
			return in, in.Element
		}
	}
	t.Fatalf("the form has no field %q", field)
	return nil, nil
}

// changed is the payload of an input that tells of its change, and of what else
// is in the form.
func changed(user string, v slack.View, field string, values map[string]any) map[string]any {
	p := submission(user, v, values)
	p["type"] = "block_actions"
	p["view"].(map[string]any)["id"] = "V0OPENED"
	p["actions"] = []any{map[string]any{"type": "static_select", "block_id": field, "action_id": actionValue}}
	return p
}

// TestLoading: a view is open before the reducer is asked, and becomes the
// form. A replay of the command asks no handler again.
func TestLoading(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"None": 0, "Few": 3, "Limit": 100, "Many": 101, "Most": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &coder{options: repos(n)}
			w := deployWorld(t, c)
			body := commandBody(alice, "req deploy", "trigger-1")
			if got := w.ok(w.post("/slack/commands", body)); got != "" {
				t.Errorf("answer %q", got)
			}
			if got := textOf(w.opened().Blocks.BlockSet); !strings.Contains(got, "Loading…") {
				t.Errorf("first shown: %q", got)
			}
			_, e := inputOf(t, w.updated(), "repo")
			s := e.(*slack.SelectBlockElement)
			external := n == 0 || n > 100
			if (s.Type == slack.OptTypeExternal) != external || !external && len(s.Options) != n {
				t.Errorf("a %s with %d options", s.Type, len(s.Options))
			}
			w.slack.failing("views.open", "exchanged_trigger_id")
			w.ok(w.post("/slack/commands", body))
			if c.asked["prefetch repo"] != 1 {
				t.Errorf("asked %v", c.asked)
			}
		})
	}
}

// TestPrefetchFails: there is no form, the person is told why, and the run says
// so; what may work in a minute leaves no mark.
func TestPrefetchFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err       error
		shown     string
		dismissed bool
	}{
		"Raises":      {flow.Errorf(flow.CodeHandler, "prefetch:repo (impl.py:7): <!channel> is down"), "have failed, so nothing was sent", true},
		"Unreachable": {flow.Errorf(flow.CodeUnavailable, "inner workings"), "did not answer in time", false},
		"Bug":         {errors.New("inner workings"), "Something went wrong", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := deployWorld(t, &coder{err: tc.err})
			if got := w.command(alice, "req deploy"); got != "" {
				t.Errorf("answer %q", got)
			}
			view := w.updated()
			if got := textOf(view.Blocks.BlockSet); view.Submit != nil || !strings.Contains(got, tc.shown) || strings.Contains(got, "inner workings") || strings.Contains(got, "impl.py") || !strings.Contains(got, "Try again") {
				t.Errorf("shown %q", got)
			}
			id := flow.RunIDFrom("sym", "slack", team, "trigger-1")
			r, err := w.runs.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if reason, ok := r.Dismissed(); ok != tc.dismissed || ok && reason.Handler != "prefetch:repo" {
				t.Errorf("dismissed %t: %+v", ok, reason)
			}
			// A form that is made up all the same is refused.
			v := viewOf(t, requestModal(deployFlow(), id, nil))
			w.interact(submission(alice, v, map[string]any{"repo": typed("x"), "stage": chosen("test")}))
			if r, err = w.runs.Get(t.Context(), id); err != nil || r.Status != flow.Prompted || len(r.Signals) > 0 {
				t.Errorf("submitted: %s, %v", r.Status, err)
			}
		})
	}
}

// TestPickedWithHandlers: the picker's window says Loading and becomes the form.
func TestPickedWithHandlers(t *testing.T) {
	t.Parallel()
	w := deployWorld(t, &coder{options: repos(2)})
	w.command(alice, "")
	picker := w.opened()
	got := w.interact(submission(alice, picker, map[string]any{blockFlow: chosen("deploy")}))
	if !strings.Contains(got, `"response_action":"update"`) || !strings.Contains(got, "repo 001") {
		t.Errorf("answer %s", got)
	}
	calls := w.slack.of("views.update")
	if len(calls) != 2 || !strings.Contains(fmt.Sprint(calls[0].Args), "Loading…") || !strings.Contains(fmt.Sprint(calls[1].Args), "repo 001") {
		t.Errorf("updates %v", calls)
	}
}

// TestTypeahead: options are found by their labels, and no code is asked.
func TestTypeahead(t *testing.T) {
	t.Parallel()
	c := &coder{options: repos(300)}
	w := deployWorld(t, c)
	w.command(alice, "req deploy")
	view := w.updated()
	for typed, want := range map[string]int{"": 100, "REPO 01": 13, "007": 1, "r-7": 0, "nothing": 0} {
		got := w.ok(w.post("/slack/options", interactionBody(map[string]any{
			"type": "block_suggestion", "team": map[string]any{"id": team}, "user": map[string]any{"id": alice},
			"block_id": "repo", "action_id": actionValue, "value": typed,
			"view": map[string]any{"callback_id": viewRequest, "private_metadata": view.PrivateMetadata},
		})))
		if n := strings.Count(got, `"value"`); n != want {
			t.Errorf("%q finds %d, not %d", typed, n, want)
		}
	}
	if c.asked["prefetch repo"] != 1 {
		t.Errorf("asked %v", c.asked)
	}
}

// TestOnChange: a field that depends on another appears, is required, and is
// gone again with what was entered into it.
func TestOnChange(t *testing.T) {
	t.Parallel()
	c := &coder{options: repos(2), onChange: func(field, username string, form *flow.OpenForm) {
		prod := form.Fields[1].Value == "prod"
		form.Fields[2].Visible, form.Fields[2].Label = prod, "Ticket of "+username
		if prod {
			form.Fields[0].Value = "r-1"
		}
		form.AdditionalHeaderText = "Now " + fmt.Sprint(form.Fields[1].Value)
	}}
	w := deployWorld(t, c)
	w.command(alice, "req deploy")
	first := w.updated()
	if block, _ := inputOf(t, first, "stage"); !block.DispatchAction {
		t.Error("nobody is told of a change of stage")
	}
	if block, _ := inputOf(t, first, "repo"); block.DispatchAction {
		t.Error("a change of repo is told")
	}

	prod := map[string]any{"stage": chosen("prod"), "repo": chosen("r-0")}
	w.interact(changed(alice, first, "stage", prod))
	view := w.updated()
	if got := textOf(view.Blocks.BlockSet); !strings.Contains(got, "Ticket of alice@example.com") || !strings.Contains(got, "Now prod") {
		t.Errorf("shown %q", got)
	}
	// Slack would keep what was chosen under the same action id.
	_, e := inputOf(t, view, "repo")
	if s := e.(*slack.SelectBlockElement); s.ActionID != "value.1" || s.InitialOption == nil || s.InitialOption.Value != "r-1" {
		t.Errorf("repo is %+v", s)
	}
	_, e = inputOf(t, view, "stage")
	if s := e.(*slack.SelectBlockElement); s.ActionID != actionValue || s.InitialOption.Value != "prod" {
		t.Errorf("stage is %+v", s)
	}

	id := metadataOf(received(t, view)).Run
	status := func() flow.Run {
		t.Helper()
		r, err := w.runs.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	// A client that leaves the new field out, or sends what no option says.
	for fault, values := range map[string]map[string]any{
		"ticket": {"stage": chosen("prod"), "repo": chosen("r-1")},
		"repo":   {"stage": chosen("prod"), "repo": chosen("secrets"), "ticket": typed("OPS-1")},
	} {
		if got := w.interact(submission(alice, view, values)); !strings.Contains(got, `"errors":{"`+fault) {
			t.Errorf("%s: answer %s", fault, got)
		}
	}
	// Somebody else's form.
	w.interact(changed(bob, view, "stage", map[string]any{"stage": chosen("test")}))
	if got := textOf(w.updated().Blocks.BlockSet); !strings.Contains(got, "opened by somebody else") {
		t.Errorf("bob sees %q", got)
	}
	// Faster than the handler: the form changes first.
	late := submission(alice, view, map[string]any{"stage": chosen("test"), "repo": chosen("r-1"), "ticket": typed("OPS-1")})
	if got := w.interact(late); !strings.Contains(got, "Look at it once more") || strings.Contains(got, "Ticket of") {
		t.Errorf("answer %s", got)
	}
	if r := status(); len(r.Signals) > 0 {
		t.Error("what nobody has seen was submitted")
	}
	if got := w.interact(late); got != "" {
		t.Errorf("answer %s", got)
	}
	if r := status(); r.Fields["ticket"] != nil || r.Fields["stage"] != "test" || r.Fields["repo"] != "r-1" {
		t.Errorf("fields %v", r.Fields)
	}
}

// TestOnChangeFails: the form stays, says why, and can't be submitted.
func TestOnChangeFails(t *testing.T) {
	t.Parallel()
	c := &coder{options: repos(2)}
	w := deployWorld(t, c)
	w.command(alice, "req deploy")
	first := w.updated()
	c.err = flow.Errorf(flow.CodeHandler, "on_change_stage (c.py:3): no such stage")
	values := map[string]any{"stage": chosen("test"), "repo": chosen("r-0")}
	w.interact(changed(alice, first, "stage", values))
	view := w.updated()
	if got := textOf(view.Blocks.BlockSet); view.CallbackID != viewRequest || !strings.Contains(got, "have failed, so nothing was sent") || strings.Contains(got, "c.py") {
		t.Errorf("shown %q", got)
	}
	if got := w.interact(submission(alice, view, values)); !strings.Contains(got, "have failed, so nothing was sent") || !strings.Contains(got, `"errors"`) {
		t.Errorf("answer %s", got)
	}
	told := w.slack.of("chat.postMessage")
	if len(told) != 1 || told[0].Args["channel"] != "#errors" || !strings.Contains(fmt.Sprint(told[0].Args), "on_change_stage (c.py:3): no such stage") {
		t.Errorf("the error channel was told %v", told)
	}
	c.err = nil
	if got := w.interact(submission(alice, view, values)); got != "" {
		t.Errorf("answer %s", got)
	}
}

// TestFlowsShown: the filter is asked once a minute for each person; one that
// fails shows all flows, and the error channel is told.
func TestFlowsShown(t *testing.T) {
	t.Parallel()
	c := &coder{shown: []string{"deploy", "unknown"}}
	w := deployWorld(t, c)
	w.app.Filter = c
	w.command(alice, "")
	if len(w.slack.of("views.update")) > 0 {
		t.Fatal("without a filter, the list was loaded")
	}
	if err := w.app.Flows.PublishFilter(t.Context(), flow.Author{}, &flow.FlowsFilter{Implementation: flow.NewSource("f.py", "…"), Vars: map[string]string{"team": " platform"}}); err != nil {
		t.Fatal(err)
	}
	options := func(wantDeploy, wantAccess bool) {
		t.Helper()
		w.command(alice, "")
		_, e := inputOf(t, w.updated(), blockFlow)
		var names []string
		for _, o := range e.(*slack.SelectBlockElement).Options {
			names = append(names, o.Value)
		}
		if slices.Contains(names, "deploy") != wantDeploy || slices.Contains(names, "prod-access") != wantAccess {
			t.Errorf("shown %v", names)
		}
	}
	options(true, false)
	options(true, false)
	if c.asked["flows alice@example.com platform"] != 1 {
		t.Errorf("asked %v", c.asked)
	}
	w.now = w.now.Add(listTime + time.Second)
	c.err = flow.Errorf(flow.CodeHandler, "get_flows (f.py:2): <!here> broken")
	options(true, true)
	posted := w.slack.of("chat.postMessage")
	if len(posted) != 1 || posted[0].Args["channel"] != "#errors" || strings.Contains(fmt.Sprint(posted[0].Args["text"]), "<!here>") {
		t.Errorf("posted %v", posted)
	}
	w.now = w.now.Add(listTime + time.Second)
	c.err, c.shown = nil, nil
	w.command(alice, "")
	if got := textOf(w.updated().Blocks.BlockSet); !strings.Contains(got, "There is no flow for you") {
		t.Errorf("shown %q", got)
	}
	if err := w.app.Flows.PublishFilter(t.Context(), flow.Author{}, nil); err != nil {
		t.Fatal(err)
	}
	before := len(w.slack.of("views.update"))
	w.command(alice, "")
	if len(w.slack.of("views.update")) != before {
		t.Error("a filter that is gone is asked")
	}
}
