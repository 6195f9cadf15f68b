package workflow_test

import (
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// TestCancel_sent: a request can be withdrawn before anybody is asked about it, be it
// that a handler failed or that Slack does not answer; then nobody is asked any more.
func TestCancel_sent(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"a handler failed":      func(w *world) { w.handlers.says["on_request"] = []says{raised("on_request")} },
		"Slack does not answer": func(w *world) { w.directory.fail["platform"] = errLookup },
	} {
		for by, cancel := range map[string]func(w *world, id string) error{
			"button": func(w *world, id string) error { return w.press(id, flow.ActionCancel, asker) },
			"API": func(w *world, id string) error {
				_, _, err := w.submit.CancelByAPI(t.Context(), id, bot, store.Token{Bot: "ci"})
				return err
			},
		} {
			t.Run(name+", by "+by, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, byGroup, defines("on_request"))
				w.directory.groups["platform"] = []string{first.SlackID}
				spoil(w)
				id := w.ask(asker, "a")
				w.pass(10 * time.Minute)
				if r := w.want(id, flow.Prompted); r.Error == nil {
					t.Fatal("nothing has failed")
				}
				if err := w.press(id, flow.ActionCancel, first); flow.CodeOf(err) != flow.CodeForbidden {
					t.Errorf("withdrawn by another person: %v", err)
				}
				must(t, cancel(w, id))
				w.settle()
				r := w.want(id, flow.Cancelled)
				if n := len(r.Events); r.Events[n-2].Name != flow.EventRequest || r.Events[n-1].Name != flow.EventCancel || r.Repeatable() != nil {
					t.Errorf("events %s", history(r))
				}
				delete(w.directory.fail, "platform")
				if w.pass(8 * 24 * time.Hour); len(w.run(id).Events) != len(r.Events) || !w.run(id).Due.IsZero() {
					t.Errorf("there is no rest: %s", history(w.run(id)))
				}
				w.tellAll()
				if told := w.sentTo("#access", ""); len(told) > 0 {
					t.Errorf("people are asked: %q", told)
				}
			})
		}
	}
}

// TestCancel_notSent: what is no request yet can't be withdrawn.
func TestCancel_notSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := flow.RunIDFrom("acme", "a")
	_, err := w.submit.Prompt(t.Context(), workflow.Prompt{RunID: id, Flow: w.flow, Actor: asker})
	must(t, err)
	if err := w.press(id, flow.ActionCancel, asker); flow.CodeOf(err) != flow.CodeIllegal {
		t.Errorf("error %v", err)
	}
}
