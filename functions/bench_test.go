package functions_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/lambdahost"
)

// BenchmarkCold measures the start of a process up to its first answer, with AWS
// and Slack answering at once: of each function, and, in turns with it, of one
// that does nothing.
func BenchmarkCold(b *testing.B) {
	a, _ := product(b)
	run := a.request("alice", "prod-access", "#access-prod", longFields)
	a.shippedFor(run, "prompt", "request")
	token := a.token("bench").Value
	a.mu.Lock()
	a.deployments["/cloudformation/sample"] = make(chan cloudFormationResponse, 1_000_000)
	a.mu.Unlock()
	empty := filepath.Join(scratch, "empty")
	a.must(build(empty, "./testdata/empty"))
	for _, path := range []string{
		"slack/command", "slack/request", "api/run", "tokens/list", "approval/route", "access/removal", "relay/stream", "notify/stream", "sweep/minute", "publish/create",
	} {
		b.Run(path, func(b *testing.B) {
			function, _, _ := strings.Cut(path, "/")
			nothing := a.functions[functionARN(function)]
			nothing.Command = []string{empty}
			var took, least []time.Duration
			for b.Loop() {
				payload := a.sample(path, run, token, false) // Slack's are signed anew
				least = append(least, a.start(b, function, nothing, payload))
				took = append(took, a.start(b, function, a.functions[functionARN(function)], payload))
			}
			slices.Sort(took)
			slices.Sort(least)
			b.ReportMetric(0, "ns/op") // would be that of both
			b.ReportMetric(milliseconds(at(took, 50)), "p50-ms")
			b.ReportMetric(milliseconds(at(took, 90)), "p90-ms")
			b.ReportMetric(milliseconds(at(least, 50)), "empty-p50-ms")
			b.ReportMetric(milliseconds(at(least, 90)), "empty-p90-ms")
			b.ReportMetric(float64(at(took, 50))/float64(at(least, 50)), "times-empty")
			info, err := os.Stat(binary(b, function))
			a.must(err)
			b.ReportMetric(float64(info.Size())/(1<<20), "MB")
		})
	}
}

func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// start measures the first answer of a function that does not run yet.
func (a *account) start(b *testing.B, name string, f lambdahost.Function, payload []byte) time.Duration {
	b.Helper()
	host, err := lambdahost.Open(b.Context(), lambdahost.Options{
		Config: lambdahost.Config{Functions: map[string]lambdahost.Function{functionARN(name): f}},
		Data:   b.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	a.must(err)
	defer host.Close()
	began := time.Now()
	_, err = host.Invoke(b.Context(), functionARN(name), payload)
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	return took
}
