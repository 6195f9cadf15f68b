package functions_test

import (
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/slacksim"
)

// TestHome: App Home shows what is theirs to people who open it, and what has become
// of it to those who have.
func TestHome(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	opens := func(who string) string {
		t.Helper()
		seen, err := a.slack.As(who).Home()
		a.must(err)
		return seen
	}
	shows := func(who, what string) {
		t.Helper()
		if a.slack.Wait(deadline.Context(t), func() bool { return strings.Contains(a.slack.As(who).HomeText(), what) }) != nil {
			t.Fatalf("%s sees no %q: %s", who, what, a.slack.As(who).HomeText())
		}
	}
	a.slack.Inject("views.publish", 1, slacksim.Fault{RetryAfter: time.Second})
	if _, err := a.slack.As("bob").Home(); err == nil {
		t.Error("an event that could not be taken was acknowledged")
	}
	if seen := opens("bob"); !strings.Contains(seen, "Hello, Bob") {
		t.Errorf("bob sees %s", seen)
	}
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	shows("bob", "Waiting for you")
	if seen := opens("bob"); !strings.Contains(seen, "[Approve]") {
		t.Errorf("bob sees %s", seen)
	}
	a.must(a.slack.As("bob").PressHome("Approve"))
	a.grants(g, run)
	a.sees("bob", "[Revoke]")
	if seen := opens("alice"); !strings.Contains(seen, "[End now]") {
		t.Errorf("alice sees %s", seen)
	}
	// An admin sees who has what.
	if seen := opens("lead"); !strings.Contains(seen, "| Orders database |") || !strings.Contains(seen, "Requests a day") {
		t.Errorf("lead sees %s", seen)
	}
	// And is told what would come of a request, by the rights that the function has.
	lead := a.slack.As("lead")
	a.must(lead.PressHome("🧭 Explain a request…"))
	a.must(lead.Fill(map[string]string{"Flow": "prod-access", "Who asks": "alice", "For how long": "1h"}))
	a.must(lead.Submit())
	if a.slack.Wait(deadline.Context(t), func() bool { return !strings.Contains(lead.Modal(), "Loading…") }) != nil {
		t.Fatalf("lead sees %s", lead.Modal())
	}
	if seen := lead.Modal(); !strings.Contains(seen, "may approve (") || !strings.Contains(seen, "can't approve your own request") || !strings.Contains(seen, "approved at once, until") {
		t.Errorf("lead sees %s", seen)
	}
	a.must(lead.Close())
	other := a.request("lead", "prod-access", "#access-prod", longFields)
	if seen := opens("lead"); !strings.Contains(seen, "waiting for a decision") {
		t.Errorf("lead sees %s", seen)
	}
	a.must(a.slack.As("lead").PressHome("End"))
	a.ended(g, run)
	a.must(a.slack.As("lead").PressHome("Cancel request"))
	a.shippedFor(other, "prompt", "request", "cancel")
}
