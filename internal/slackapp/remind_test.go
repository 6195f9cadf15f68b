package slackapp

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// TestReminders holds what people are reminded of, and who is mentioned: those who
// may decide and have not.
func TestReminders(t *testing.T) {
	t.Parallel()
	w, live := extendable(t)
	for name, c := range map[string]struct {
		r    flow.Run
		want []string
	}{
		"decide": {w.routed(), []string{"<@" + bob + ">: ", "still waits for a decision"}},
		"review": {w.routed(), []string{"<@" + bob + ">: ", "without approval", "Press Reviewed…"}},
		"end.1":  {live, []string{"*Orders database* ends", "Press Extend…"}},
	} {
		body, err := Render(workflow.Message{Kind: workflow.KindTold, Mark: name}, c.r)
		if err != nil {
			t.Fatal(err)
		}
		checkLimits(t, body)
		for _, want := range c.want {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s: want %q in %s", name, want, body)
			}
		}
		if len(actionsOf(t, body)) > 0 {
			t.Errorf("%s has buttons", name)
		}
	}
	if _, err := Render(workflow.Message{Kind: workflow.KindTold, Mark: "nothing"}, live); err == nil {
		t.Error("people are reminded of nothing")
	}
}
