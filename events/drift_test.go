package events_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/symflows/symflows/events"
)

func TestDriftReport(t *testing.T) {
	t.Parallel()
	roundTrip[events.DriftReport](t, "drift_report")
}

func ExampleDriftReport() {
	const answer = `{"began_at": "2026-03-02T09:00:00Z", "ended_at": "2026-03-02T09:00:03Z", "targets": 1, "grants": 2, "found": [{"kind": "missing", "strategy": "sso", "target": "prod-admin", "label": "Admin in prod", "identity": "alice@example.com", "since": "2026-03-02T09:00:02Z"}], "more": 0, "unknown": {}, "unseen": {}}`
	var report events.DriftReport
	if err := json.Unmarshal([]byte(answer), &report); err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range report.Found {
		fmt.Println(d.Kind, d.Identity, "at", d.Label)
	}
	// Output: missing alice@example.com at Admin in prod
}
