package functions_test

import (
	"testing"
	"time"
)

// TestAdopted: the stack is deleted while access is live: functions, schedules,
// executions and queues are gone, and nothing reads the table's stream. A new stack
// that has taken up the table, and nothing else of it, ends that access by its sweep.
func TestAdopted(t *testing.T) {
	t.Parallel()
	a, g := product(t)
	run := a.request("alice", "prod-access", "#access-prod", briefFields)
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.grants(g, run)
	a.stop("relay", "notify", logQueue, grantLooks, removalQueue, sweepQueue)
	a.mu.Lock()
	clear(a.schedules)
	clear(a.executions)
	for _, q := range a.queues {
		q.visible, q.hidden = nil, nil
	}
	began := g.at[0]
	a.mu.Unlock()
	a.replaceFunctions()
	if answer := a.deploy(flows); answer.Status != "SUCCESS" {
		t.Fatalf("publish answered %+v", answer)
	}
	has := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return g.holds[run]
	}
	for has() {
		<-a.clock.After(500 * time.Millisecond)
		a.sweep()
	}
	a.ended(g, run)
	a.mu.Lock()
	defer a.mu.Unlock()
	if lasted := g.at[len(g.at)-1].Sub(began); lasted < 4*time.Second || len(g.calls) != 2 {
		t.Errorf("access of 4s lasted for %s; calls of the target: %v", lasted, g.calls)
	}
}
