package workflow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// noticed has a notice told, and gives the change that it is.
func (w *world) noticed(about, text, channel string) store.Change {
	w.t.Helper()
	must(w.t, w.notify.Notices.Tell(w.t.Context(), about, text, channel))
	page, err := w.memory.List(w.t.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice), Limit: 200})
	must(w.t, err)
	for _, item := range page.Items {
		if strings.Contains(string(item.Body), text) {
			return store.Change{Key: item.Key, Rev: item.Rev}
		}
	}
	w.t.Fatalf("%q is no notice", text)
	return store.Change{}
}

// TestNotify_Notices: what belongs to no run is told in its channel, or in the
// error channel of every flow, and once however often the change comes.
func TestNotify_Notices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	everywhere, here := w.noticed("a", "somebody left", ""), w.noticed("b", "a channel is gone", "#ops")
	w.slack.post = func(workflow.Address, string) error { return errors.New("Slack is down") }
	if err := w.notify.Handle(t.Context(), everywhere); err == nil {
		t.Error("what was not sent is taken for sent")
	}
	w.slack.post = nil
	for range 2 {
		must(t, w.notify.Handle(t.Context(), everywhere))
		must(t, w.notify.Handle(t.Context(), here))
	}
	w.told("#errors: notice somebody left", "#ops: notice a channel is gone")

	hopeless := w.noticed("c", "nobody hears this", "#gone")
	tries := 0
	w.slack.post = func(workflow.Address, string) error {
		tries++
		return flow.Errorf(flow.CodeUndeliverable, "there is no such channel")
	}
	for range 2 {
		must(t, w.notify.Handle(t.Context(), hopeless))
	}
	if tries != 1 || !strings.Contains(w.log.String(), "nobody hears this") {
		t.Errorf("tried %d times; the log: %s", tries, w.log)
	}
	must(t, w.notify.Handle(t.Context(), store.Change{Key: store.KindNotice.Key("2026-01-01#ab")}))
}
