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
	for _, reader := range []string{"relay", "notify"} { // in AWS they run elsewhere
		a.customers[functionARN(reader)] = func([]byte) ([]byte, *failure) { return []byte(`{"batchItemFailures":[]}`), nil }
	}
	a.mu.Unlock()

	for _, command := range []string{"/sym whoami", "/sym req prod-access"} {
		b.Run("slack"+command, func(b *testing.B) {
			c := a.starts(b, "slack")
			a.mu.Lock()
			a.customers[functionARN("slack")] = func(payload []byte) ([]byte, *failure) { return c.start(payload), nil }
			a.mu.Unlock()
			for b.Loop() {
				a.must(a.slack.As("alice").Command(command))
			}
			c.report()
		})
	}
	for _, path := range []string{
		"api/run", "tokens/list", "approval/route", "access/removal", "relay/stream", "notify/stream", "sweep/minute", "publish/create",
	} {
		b.Run(path, func(b *testing.B) {
			function, _, _ := strings.Cut(path, "/")
			c := a.starts(b, function)
			payload := a.sample(path, run, token, false)
			for b.Loop() {
				c.start(payload)
			}
			c.report()
		})
	}
}

// cold measures starts.
type cold struct {
	b                 *testing.B
	name              string
	function, nothing lambdahost.Function
	took, least       []time.Duration
}

func (a *account) starts(b *testing.B, name string) *cold {
	b.Helper()
	c := &cold{b: b, name: name, function: a.functions[functionARN(name)]}
	c.nothing = c.function
	c.nothing.Command = []string{filepath.Join(scratch, "empty")}
	a.must(build(c.nothing.Command[0], "./testdata/empty"))
	return c
}

// start measures one start of the function, and one of the other, and gives the
// function's answer.
func (c *cold) start(payload []byte) []byte {
	least, _ := c.first(c.nothing, payload)
	took, answer := c.first(c.function, payload)
	c.least, c.took = append(c.least, least), append(c.took, took)
	return answer
}

// first has a function answer that does not run yet.
func (c *cold) first(f lambdahost.Function, payload []byte) (time.Duration, []byte) {
	host, err := lambdahost.Open(c.b.Context(), lambdahost.Options{
		Config: lambdahost.Config{Functions: map[string]lambdahost.Function{functionARN(c.name): f}},
		Data:   c.b.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.b.Fatal(err)
	}
	defer host.Close()
	began := time.Now()
	answer, err := host.Invoke(c.b.Context(), functionARN(c.name), payload)
	took := time.Since(began)
	if err != nil {
		c.b.Error(err)
	}
	return took, answer
}

func (c *cold) report() {
	slices.Sort(c.took)
	slices.Sort(c.least)
	c.b.ReportMetric(0, "ns/op") // would be that of both
	c.b.ReportMetric(milliseconds(at(c.took, 50)), "p50-ms")
	c.b.ReportMetric(milliseconds(at(c.took, 90)), "p90-ms")
	c.b.ReportMetric(milliseconds(at(c.least, 50)), "empty-p50-ms")
	c.b.ReportMetric(milliseconds(at(c.least, 90)), "empty-p90-ms")
	c.b.ReportMetric(float64(at(c.took, 50))/float64(at(c.least, 50)), "times-empty")
	info, err := os.Stat(c.function.Command[0])
	if err != nil {
		c.b.Fatal(err)
	}
	c.b.ReportMetric(float64(info.Size())/(1<<20), "MB")
}

func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
