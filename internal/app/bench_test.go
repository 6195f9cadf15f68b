package app_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/app"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// deployment is a local deployment in this process, on a clock that stands
// still unless it is moved.
type deployment struct {
	*surroundings
	*caller
	local *app.Local
	clock *clockwork.FakeClock
}

func deploy(b *testing.B) *deployment {
	b.Helper()
	s := surround(b)
	clock := clockwork.NewFakeClockAt(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	data := b.TempDir()
	local, err := app.Open(b.Context(), app.Options{
		Listen: "127.0.0.1:0", Data: data, Flows: s.flows, Settings: s.settings(),
		Clock: clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- local.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := errors.Join(<-ran, local.Close()); err != nil {
			b.Error(err)
		}
	})
	return &deployment{s, newCaller(b, local.URL, data, clock.Now), local, clock}
}

// idle waits until nothing is left to do before the clock moves.
func (d *deployment) idle() {
	if err := d.local.Engine.Idle(d.b.Context()); err != nil {
		d.b.Fatal(err)
	}
}

// clients is how many programs and people call at the same time, where many do.
const clients = 16

// each does something for every number below n, by several clients at once.
func (d *deployment) each(n int, do func(i int) error) {
	var all sync.WaitGroup
	numbers := make(chan int)
	for range clients {
		all.Go(func() {
			for i := range numbers {
				if err := do(i); err != nil {
					d.b.Error(err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	all.Wait()
}

// stages takes n access runs from the request to the end of the access: asked
// for by the API, approved by a button, granted and taken away by a server,
// shown in Slack, and recorded.
func (d *deployment) stages(n int) []string {
	runs := make([]string, n)
	d.each(n, func(i int) (err error) {
		runs[i], err = d.request()
		return err
	})
	d.idle()
	d.each(n, func(i int) error { return d.press(bob, flow.ActionApprove, runs[i]) })
	d.idle()
	d.clock.Advance(10 * time.Minute)
	d.idle()
	return runs
}

// check fails unless the runs ended and all their events were recorded.
func (d *deployment) check(runs []string) {
	recorded := map[string]bool{}
	for record, err := range d.local.Audit.Read(d.b.Context(), time.Time{}, time.Time{}) {
		if err != nil {
			d.b.Fatal(err)
		}
		recorded[record.ID] = true
	}
	for _, id := range runs {
		r, err := d.local.Runs.Get(d.b.Context(), id)
		if err != nil {
			d.b.Fatal(err)
		}
		if r.Status != flow.Deescalated {
			d.b.Fatalf("run %s is %s: %v", id, r.Status, r.Error)
		}
		for _, e := range r.Events {
			if !recorded[e.ID] {
				d.b.Fatalf("the %s of run %s was not recorded", e.Name, id)
			}
		}
	}
}

// BenchmarkWholeRuns is the throughput of whole access runs. A hundred go on
// together; nothing waits but for the machine.
func BenchmarkWholeRuns(b *testing.B) {
	d := deploy(b)
	d.check(d.stages(10)) // who is who, and connections
	calls := d.calls.Load()
	b.ResetTimer()
	var last []string
	for done := 0; done < b.N; {
		last = d.stages(min(100, b.N-done))
		done += len(last)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64(d.calls.Load()-calls)/float64(b.N), "slack-calls/run")
	d.check(last)
}

// BenchmarkAcknowledge is how long Slack and programs wait for an answer, over
// HTTP: alone, and while other clients ask too and their runs are worked on.
func BenchmarkAcknowledge(b *testing.B) {
	for name, acknowledged := range map[string]func(d *deployment) func(i int) error{
		"SlashCommand": func(d *deployment) func(int) error {
			return func(int) error { return d.command() }
		},
		"API": func(d *deployment) func(int) error {
			return func(int) error { _, err := d.request(); return err }
		},
		"Button": func(d *deployment) func(int) error {
			runs := make([]string, b.N)
			_ = runs
			return func(i int) error { return d.press(bob, flow.ActionApprove, runs[i]) }
		},
	} {
		_ = name
		_ = acknowledged
	}
}

// quantiles reports how long single answers took, in milliseconds.
func quantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(percent int) float64 {
		return float64(took[(len(took)-1)*percent/100].Microseconds()) / 1000
	}
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(99), "p99-ms")
}

var _ = store.ByDue
