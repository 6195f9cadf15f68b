package slackapp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// urgentFlow may be had in an emergency by alice, later by everybody, and for others.
// Its form changes with what is entered.
func urgentFlow() *flow.Flow {
	f := accessFlow()
	f.Environment.ErrorChannel, f.Params.OnBehalf = "#errors", true
	f.Params.PromptFields[0].OnChange = flow.NewSource("c.py", "…")
	f.Params.BreakGlass = &flow.BreakGlassParams{Who: []string{"user:alice@example.com"}, Reason: flow.ReasonRequired, Duration: flow.Duration(30 * time.Minute)}
	f.Params.StartAt = &flow.StartAtParams{Max: flow.Duration(7 * 24 * time.Hour)}
	return f
}

func urgentWorld(t testing.TB) *world {
	w := newWorld(t, &storetest.Memory{Now: func() time.Time { return start }}, urgentFlow())
	w.app.Forms = workflow.Forms{Runs: w.runs, Flows: w.app.Flows, Fields: &coder{}, Now: w.app.Now}
	return w
}

// urgentForm is the form as it opens for somebody.
func (w *world) urgentForm(user string) slack.View {
	w.t.Helper()
	w.n++
	body := commandBody(user, "req prod-access", "trigger-"+strconv.Itoa(w.n)) + "&response_url=" + w.slack.URL + "/response-url"
	if got := w.ok(w.post("/slack/commands", body)); got != "" {
		w.t.Fatalf("the form did not open: %s", got)
	}
	return w.opened()
}

func ticked() map[string]any {
	return map[string]any{"type": "checkboxes", "selected_options": []any{map[string]any{"value": flow.KeyBreakGlass}}}
}

func startingAt(t time.Time) map[string]any {
	return map[string]any{"type": "datetimepicker", "selected_date_time": t.Unix()}
}

// with is a form that is filled in, and one more of its inputs.
func with(input string, value map[string]any) map[string]any {
	values := form()
	values[input] = value
	return values
}

func inputNames(v slack.View) (names []string) {
	for _, b := range v.Blocks.BlockSet {
		if in, ok := b.(*slack.InputBlock); ok {
			names = append(names, in.BlockID)
		}
	}
	return names
}

func (w *world) ofForm(v slack.View) flow.Run {
	w.t.Helper()
	r, err := w.runs.Get(w.t.Context(), metadataOf(received(w.t, v)).Run)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// TestEmergencyBox: only those have the box whom the flow names, and a box that is made
// up is refused. Sent twice, it is one request.
func TestEmergencyBox(t *testing.T) {
	t.Parallel()
	w := urgentWorld(t)
	hers, his := w.urgentForm(alice), w.urgentForm(bob)
	if !slices.Contains(inputNames(hers), flow.KeyBreakGlass) || slices.Contains(inputNames(his), flow.KeyBreakGlass) {
		t.Errorf("alice has %v, bob has %v", inputNames(hers), inputNames(his))
	}
	if got := w.interact(submission(bob, his, with(flow.KeyBreakGlass, ticked()))); !strings.Contains(got, "not among those who may have access of this flow without approval") {
		t.Errorf("a forged box: %s", got)
	}
	if r := w.ofForm(his); r.BreakGlass != nil || len(r.Signals) != 0 {
		t.Errorf("a forged box left %+v", r)
	}
	for range 2 {
		if got := w.interact(submission(alice, hers, with(flow.KeyBreakGlass, ticked()))); got != "" {
			t.Errorf("answer %s", got)
		}
	}
	if said := w.slack.of("response-url"); len(said) == 0 || !strings.Contains(fmt.Sprint(said[0].Args), "is granted now, without approval") {
		t.Errorf("said %v", said)
	}
	if r := w.ofForm(hers); r.BreakGlass == nil || len(r.Signals) != 1 {
		t.Errorf("sent twice: %+v, %d signals", r.BreakGlass, len(r.Signals))
	}
}

// TestEmergencyIsNow: access in an emergency does not start later.
func TestEmergencyIsNow(t *testing.T) {
	t.Parallel()
	w := urgentWorld(t)
	v := w.urgentForm(alice)
	values := with(flow.KeyBreakGlass, ticked())
	values[flow.KeyStartAt] = startingAt(start.Add(time.Hour))
	if got := w.interact(submission(alice, v, values)); !strings.Contains(got, `"errors":{"`+flow.KeyStartAt+`":"`) {
		t.Errorf("answer %s", got)
	}
	if r := w.ofForm(v); len(r.Signals) != 0 {
		t.Error("it was sent")
	}
}

// TestStartPicker: a start that can't be is an error beside its input, and one that can
// is kept.
func TestStartPicker(t *testing.T) {
	t.Parallel()
	w := urgentWorld(t)
	v := w.urgentForm(bob)
	for at, fault := range map[time.Time]string{
		start.Add(-time.Minute):         "is over already",
		start:                           "is over already",
		start.Add(7*24*time.Hour + 1e9): "is too far ahead",
	} {
		got := w.interact(submission(bob, v, with(flow.KeyStartAt, startingAt(at))))
		if !strings.Contains(strings.ToLower(got), `"errors":{"`+flow.KeyStartAt+`":"`+fault) {
			t.Errorf("%s: answer %s", at, got)
		}
	}
	at := start.Add(7 * 24 * time.Hour)
	for range 2 {
		if got := w.interact(submission(bob, v, with(flow.KeyStartAt, startingAt(at)))); got != "" {
			t.Errorf("answer %s", got)
		}
	}
	if r := w.ofForm(v); !r.StartAt.Equal(at) || len(r.Signals) != 1 {
		t.Errorf("starts %s, %d signals", r.StartAt, len(r.Signals))
	}
}

// TestChangedFormIsWhole: a form whose fields have changed has all the inputs that it had.
func TestChangedFormIsWhole(t *testing.T) {
	t.Parallel()
	w := urgentWorld(t)
	first := w.urgentForm(alice)
	values := with(flow.KeyBreakGlass, ticked())
	values[workflow.FieldFor] = map[string]any{"type": "users_select", "selected_user": bob}
	w.interact(changed(alice, first, "reason", values))
	then := w.updated()
	if before, after := inputNames(first), inputNames(then); !slices.Equal(before, after) || !slices.Contains(after, flow.KeyStartAt) || !slices.Contains(after, flow.KeyBreakGlass) {
		t.Errorf("before: %v, after: %v", before, after)
	}
	if _, e := inputOf(t, then, workflow.FieldFor); e.(*slack.SelectBlockElement).InitialUser != bob {
		t.Errorf("for %+v", e)
	}
}
