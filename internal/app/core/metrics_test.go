package core

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/config"
)

// TestReport: what there is something of is published if it is a metric, and said if it
// is a fault; all the rest is in the log alone.
func TestReport(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name           string
		counts         map[string]int
		metrics, fault string
	}{
		{"Nothing", map[string]int{config.MetricRemovalsOverdue: 0, config.FailureHoldersHeld: 0}, "", ""},
		{"OfNoConsequence", map[string]int{config.CountRunsDriven: 3}, "", ""},
		{"Metric", map[string]int{config.MetricRemovalsOverdue: 2, config.CountRunsDriven: 3}, `[{"Dimensions":[["FunctionName"]],"Metrics":[{"Name":"RemovalsOverdue","Unit":"Count"}],"Namespace":"SymFlows"}]`, ""},
		{"Fault", map[string]int{config.FailureErrorChannelLost: 1}, "", "ErrorChannelLost: " + config.Failures[config.FailureErrorChannelLost]},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := Report(&out, "sym-flows-sweep", at, test.counts); err != nil {
				t.Fatal(err)
			}
			var line map[string]json.RawMessage
			if err := json.Unmarshal(out.Bytes(), &line); err != nil || strings.Count(out.String(), "\n") != 1 {
				t.Fatalf("%v in %q", err, &out)
			}
			for name, n := range test.counts {
				if got, _ := json.Marshal(n); string(line[name]) != string(got) {
					t.Errorf("%s is %s, want %d", name, line[name], n)
				}
			}
			var published struct {
				Timestamp         int64
				CloudWatchMetrics json.RawMessage
			}
			if raw := line["_aws"]; raw != nil {
				if err := json.Unmarshal(raw, &published); err != nil || published.Timestamp != at.UnixMilli() {
					t.Errorf("%v in %s", err, raw)
				}
			}
			var fault string
			if raw := line["failure"]; raw != nil {
				if err := json.Unmarshal(raw, &fault); err != nil {
					t.Error(err)
				}
			}
			if string(published.CloudWatchMetrics) != test.metrics || fault != test.fault {
				t.Errorf("got %s", &out)
			}
		})
	}
}
