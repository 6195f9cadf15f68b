package slackapp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// TestShowAll: a card that cuts something says so and shows all on demand, to those
// who may see the request; a card that cuts nothing has no such button.
func TestShowAll(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t, accessFlow())
	r := w.routed()
	m := workflow.Message{Kind: workflow.KindRequest}
	body, err := Render(m, r)
	if err != nil || strings.Contains(string(body), buttonWhole) {
		t.Fatalf("a card that shows all: %v, %s", err, body)
	}
	reason := strings.Repeat("because ", 600) + "that is all"
	r.Fields[flow.FieldNameReason] = reason
	r, err = w.runs.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []workflow.Kind{workflow.KindRequest, workflow.KindStatus} {
		body, err := Render(workflow.Message{Kind: kind}, r)
		if err != nil || !strings.Contains(string(body), buttonWhole) || !strings.Contains(string(body), "is cut") {
			t.Errorf("%s does not say that it is cut: %v", kind, err)
		}
		checkLimits(t, body)
	}
	pressed, before := buttonOf(r.ID, m), len(w.slack.of("views.open")) // the form's
	press := func(who, value string) map[string]any {
		p := w.clickOn(who, buttonWhole, value, "")
		p["trigger_id"] = "1.2.whole"
		return p
	}
	for name, who := range map[string]string{"a member": carol, "a guest": gus, "deactivated": dora, "another workspace": stranga} {
		w.interact(press(who, pressed))
		if n := len(w.slack.of("views.open")); n > before {
			t.Fatalf("%s was shown the request", name)
		}
	}
	forged := press(bob, pressed)
	forged["message"] = w.clickOn(bob, buttonWhole, "another", "")["message"]
	w.interact(forged)
	if len(w.slack.of("views.open")) > before {
		t.Fatal("a button counted in a message that does not have it")
	}
	w.interact(press(bob, pressed))
	var shown strings.Builder
	for _, b := range w.opened().Blocks.BlockSet {
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var block struct{ Text struct{ Text string } }
		if err := json.Unmarshal(raw, &block); err != nil {
			t.Fatal(err)
		}
		shown.WriteString(block.Text.Text)
	}
	if !strings.Contains(shown.String(), reason) {
		t.Errorf("the form shows %q", shown.String())
	}
}
