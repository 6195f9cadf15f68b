package functions_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

// urgent is a flow whose access alice may have without approval.
const urgent = `
kind: flow
name: urgent
environment_id: main
params:
  strategy_id: databases
  break_glass: {who: ["user:alice@example.com"], duration: 1h}
  prompt_fields:
    - {name: reason, type: string, label: Why}
    - {name: duration, type: duration, allowed_values: [1s]}
  approval:
    approvers: ["group:platform"]
    notify: [{channel: "#access-prod", timeout: 30m}]
`

// broken tells how often approval has published the metric of emergencies. The account's
// lock is held.
func (a *account) broken() (n int) {
	for _, l := range a.log {
		if l.function != "approval" || !strings.Contains(l.line, `"_aws"`) {
			continue
		}
		var got struct {
			reported
			Emergencies int
		}
		if err := strictly([]byte(l.line), &got); err != nil {
			a.t.Errorf("%s: %v", l.line, err)
		}
		if got.has(config.MetricEmergencies) {
			n += got.Emergencies
		}
	}
	return n
}

// TestEmergency: access without approval is counted when it is granted, and once more
// when nobody has reviewed it a day after its end.
func TestEmergency(t *testing.T) {
	t.Parallel()
	with := maps.Clone(flows)
	with["urgent.yaml"] = urgent
	a, g := productOf(t, with)
	alice := a.slack.As("alice")
	a.must(alice.Command("/sym req urgent"))
	a.must(a.slack.Wait(deadline.Context(t), func() bool { return strings.Contains(alice.Modal(), "[Submit]") }))
	fields := maps.Clone(accessFields)
	fields["Emergency"] = "Emergency: grant now, without approval"
	a.must(alice.Fill(fields))
	a.must(alice.Submit())
	var run string
	a.await("access", func() bool {
		for id := range g.granted {
			run = id
		}
		return run != ""
	})
	a.await("the emergency to be counted", func() bool { return a.broken() == 1 })
	a.ended(g, run)
	a.sees("bob", "[Reviewed…]")
	if got := a.sweep(); got.EmergenciesUnreviewed == nil || *got.EmergenciesUnreviewed != 0 {
		t.Errorf("a day before its time: %+v", got)
	}

	runs := store.Runs{Store: dynamo.New(a.table.Config(), dynamotest.TableName, time.Now)}
	old, err := runs.Get(t.Context(), run)
	a.must(err)
	for i := range old.Events { // it is as if all of it was a day ago
		old.Events[i].At = old.Events[i].At.Add(-flow.ReviewPatience)
	}
	old.Due = old.Due.Add(-flow.ReviewPatience)
	_, err = runs.Put(t.Context(), old)
	a.must(err)
	a.await("relay to have seen that it changed, and not to have reminded of it", func() bool {
		return slices.ContainsFunc(a.invocations, func(i invocation) bool {
			return i.function == "relay" && bytes.Contains(i.payload, []byte(fmt.Sprintf(`"rev":{"N":"%d"}`, old.Rev+1)))
		})
	})
	got := a.sweep()
	if got.EmergenciesUnreviewed == nil || *got.EmergenciesUnreviewed != 1 || !got.has(config.MetricEmergenciesUnreviewed) {
		t.Errorf("a day after its end: %+v", got)
	}
	a.sees("bob", "without approval, and for a day nobody has reviewed that")
	if got := a.sweep(); got.EmergenciesUnreviewed == nil || *got.EmergenciesUnreviewed != 0 {
		t.Errorf("counted twice: %+v", got)
	}
}
