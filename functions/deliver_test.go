package functions_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
)

// sendOut calls deliver as its schedule does, or with an input.
func (a *account) sendOut(input string) string {
	a.t.Helper()
	answer, failed := a.invoke(functionARN("deliver"), []byte(input))
	if failed != nil {
		a.t.Fatalf("deliver failed: %+v", failed)
	}
	return string(answer)
}

// stands is how a log destination stands, as deliver says.
type stands struct {
	Name         string
	Next         int64
	BehindBy     int64      `json:"behind_by"`
	FailingSince *time.Time `json:"failing_since"`
	Error        string
}

// standing asks deliver how the only log destination stands.
func (a *account) standing() stands {
	a.t.Helper()
	var list []stands
	if answer := a.sendOut(`{"list": true}`); json.Unmarshal([]byte(answer), &list) != nil || len(list) != 1 {
		a.t.Fatalf("it says %s", answer)
	}
	return list[0]
}

// TestDeliver: what is logged is sent to a log destination, through what it fails with, in
// order and each record once more only if that was asked for.
func TestDeliver(t *testing.T) {
	t.Parallel()
	with := maps.Clone(flows)
	for name, text := range with {
		with[name] = strings.Replace(text, "kind: environment\nname: main\n", `kind: log_destination
name: lake
type: kinesis_firehose
settings: {stream_name: `+customersStream+`}
---
kind: environment
name: main
log_destination_ids: [lake]
`, 1)
	}
	a, _ := productOf(t, with)
	minute, err := os.ReadFile("deliver/testdata/minute.json")
	if err != nil {
		t.Fatal(err)
	}
	run := a.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
	a.must(a.slack.As("bob").Click("", "Approve"))
	a.shippedFor(run, "prompt", "request", "approve")
	a.logSettled()

	a.fail("deliver", "firehose:PutRecordBatch", 1, http.StatusOK, "ServiceUnavailableException") // of the first record alone
	// The states of the run's records that were sent, and the events that these are of: an
	// event that has been logged before it was done has two.
	sent := func() (states, of []string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, line := range a.delivered {
			var r events.AuditRecord
			a.must(json.Unmarshal([]byte(line), &r))
			if strings.HasSuffix(r.Run.SRN, ":"+run) {
				states, of = append(states, fmt.Sprintf("%s.%d", r.ID, r.Meta.Revision)), append(of, r.Event.Type)
			}
		}
		return states, slices.Compact(of)
	}
	a.sendOut(string(minute))
	once, of := sent()
	if got := strings.Join(of, " "); got != "prompt request approve" || len(slices.Compact(slices.Sorted(slices.Values(once)))) != len(once) {
		t.Errorf("sent %s: %s", got, once)
	}
	a.sendOut(string(minute))
	if states, _ := sent(); len(states) != len(once) {
		t.Errorf("after another minute: %s", states)
	}
	a.sendOut(`{"replay": "lake", "from": 0}`)
	if states, _ := sent(); !slices.Equal(states, slices.Repeat(once, 2)) {
		t.Errorf("after a replay: %s", states)
	}
	if stand := a.standing(); stand.Name != "lake" || stand.BehindBy != 0 || stand.Next == 0 || stand.FailingSince != nil {
		t.Errorf("it stands so: %+v", stand)
	}
	for _, input := range []string{`{}`, `{"replay": "lake"}`, `{"replay": "lake", "from": 1000000}`, `{"replay": "sea", "from": 0}`} {
		if _, failed := a.invoke(functionARN("deliver"), []byte(input)); failed == nil {
			t.Errorf("it takes %s", input)
		}
	}

	// A stream that is out of order is left alone for a while.
	a.fail("deliver", "firehose:PutRecordBatch", 1, http.StatusBadRequest, "ResourceNotFoundException")
	other := a.request("alice", "run-report", "#general", map[string]string{"Table": "orders"})
	a.shippedFor(other, "prompt", "request")
	a.logSettled()
	a.sendOut(string(minute))
	if stand := a.standing(); stand.BehindBy == 0 || stand.FailingSince == nil || stand.Error == "" {
		t.Errorf("it stands so: %+v", stand)
	}
}
