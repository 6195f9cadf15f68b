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
	anybody := w.routed()
	anybody.Deciders = flow.Deciders{Members: true, Required: 2}
	anybody.Tiers = []flow.Tier{{Channel: "#access", Others: []flow.Recipient{{Users: []flow.Actor{person(carol, "Carol"), anybody.Requester}}}}}
	approved := w.routed()
	approved.Deciders.People = []flow.Actor{person(bob, "Bob"), person(carol, "Carol")}
	approved.Approvals = []flow.CountedApproval{{Actor: person(bob, "Bob")}}
	for name, c := range map[string]struct {
		r    flow.Run
		m    workflow.Message
		want []string
	}{
		"decide":                      {w.routed(), workflow.Message{Mark: "decide"}, []string{"⏰ <@" + bob + ">: ", "still waits for a decision", "Approve or deny it above"}},
		"decide, approved in part":    {approved, workflow.Message{Mark: "decide"}, []string{"⏰ <@" + carol + ">: "}},
		"decide, whoever is there":    {anybody, workflow.Message{Mark: "decide"}, []string{"⏰ The request of ", "Any other member of the workspace may approve or deny it above"}},
		"decide, whoever was sent it": {anybody, workflow.Message{Mark: "decide", Copy: 1}, []string{"⏰ <@" + carol + ">: The request of ", "Approve or deny it above"}},
		"review":                      {w.routed(), workflow.Message{Mark: "review"}, []string{"<@" + bob + ">: ", "without approval", "Press Reviewed…"}},
		"review, whoever is there":    {anybody, workflow.Message{Mark: "review"}, []string{"Any other member of the workspace may press Reviewed… above"}},
		"end":                         {live, workflow.Message{Mark: "end.1"}, []string{"*Orders database* ends", "Press Extend…"}},
	} {
		c.m.Kind = workflow.KindTold
		body, err := Render(c.m, c.r)
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
