package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// TestDrift: a token with the right sees what the last comparison found.
func TestDrift(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	value, _, err := f.api.Tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "watch", Owner: "bob@example.com", Drift: true}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	f.token = value
	ask := func() (report events.DriftReport) {
		t.Helper()
		answer := f.send(http.MethodGet, "/api/v1/drift", "", nil)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("status %d", answer.StatusCode)
		}
		if err := json.NewDecoder(answer.Body).Decode(&report); err != nil {
			t.Fatal(err)
		}
		return report
	}
	none := events.DriftReport{Found: []events.Drift{}, Unknown: map[string]int{}, Unseen: map[string]string{}}
	if diff := cmp.Diff(none, ask()); diff != "" {
		t.Errorf("before the first comparison (-want +got):\n%s", diff)
	}
	began, ended := f.now.Add(-time.Minute), f.now
	err = f.api.Drifts.Put(t.Context(), store.Comparison{Last: store.DriftReport{
		Began: began, Ended: ended, Targets: 2, Grants: 4, More: 1,
		Found:   []flow.Drift{{Kind: flow.DriftMissing, Key: "k", Strategy: "sso", Target: "prod", Title: "Prod", Identity: "alice", Run: "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000", Requester: "Alice", Since: began}},
		Unknown: map[string]int{"Test": 3}, Unseen: map[string]string{"Dev": "no role"},
	}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := events.DriftReport{
		Began: &began, Ended: &ended, Targets: 2, Grants: 4, More: 1,
		Found:   []events.Drift{{Kind: "missing", Strategy: "sso", Target: "prod", Label: "Prod", Identity: "alice", RunID: "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000", Since: began}},
		Unknown: map[string]int{"Test": 3}, Unseen: map[string]string{"Dev": "no role"},
	}
	if diff := cmp.Diff(want, ask()); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
}
