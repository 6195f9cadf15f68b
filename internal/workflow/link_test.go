package workflow_test

import (
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// TestPermalink: it leads to those who decide, in a channel, and to nobody's direct
// messages.
func TestPermalink(t *testing.T) {
	t.Parallel()
	r := flow.Run{Requester: asker.Actor}
	message := func(key, channel, ts string) store.Message {
		return store.Message{MessageRef: flow.MessageRef{Key: key, Channel: channel, TS: ts}}
	}
	private := []store.Message{
		message("status", "D0ASKER", "1.000001"), message("request:0.1", "D0FIRST", "1.000002"), message("told:0:x", "C0ACCESS", "1.000003"),
		message("outcome:x", "D0ASKER", "1.000004"), message("request:0", "C0ACCESS", ""),
	}
	if got := workflow.Permalink(r, private); got != "" {
		t.Errorf("it leads to %s", got)
	}
	both := append(private, message("request:0", "C0ACCESS", "1.000005"), message("request:1", "C0LEADS", "1.000006"), message("status", "D0ASKER", "1.000007"))
	if got, want := workflow.Permalink(r, both), "https://slack.com/app_redirect?channel=C0LEADS&message_ts=1.000006&team=T024ACME"; got != want {
		t.Errorf("it leads to %s, want %s", got, want)
	}
}
