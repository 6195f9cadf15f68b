package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/app"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/workflow"
)

// deployment is a local deployment in this process, on a clock that stands
// still unless it is moved.
type deployment struct {
	*surroundings
	*caller
	local *app.Local
	clock *clockwork.FakeClock
	stop  func()
}

func deploy(b *testing.B) *deployment {
	b.Helper()
	return surround(b).deploy(b.TempDir())
}

// deploy starts a deployment on the state in data. It ends with the benchmark,
// if it is not stopped before.
func (s *surroundings) deploy(data string) *deployment {
	s.b.Helper()
	clock := clockwork.NewFakeClockAt(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	local, err := app.Open(s.b.Context(), app.Options{
		Listen: "127.0.0.1:0", Data: data, Flows: s.flows, Settings: s.settings(), Owner: "carol@example.com",
		Clock: clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- local.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ran, local.Close()); err != nil {
			s.b.Error(err)
		}
	})
	s.b.Cleanup(stop)
	return &deployment{s, newCaller(s.b, local.URL, data, clock.Now), local, clock, stop}
}

// idle waits until nothing is left to do before the clock moves.
func (d *deployment) idle() {
	if err := d.local.Engine.Idle(d.b.Context()); err != nil {
		d.b.Fatal(err)
	}
}

// clients is how many programs and people call at the same time, where many do.
const clients = 16

// each does something for every number below n, by so many clients at once.
func each(b *testing.B, clients, n int, do func(i int) error) {
	var all sync.WaitGroup
	numbers := make(chan int)
	for range clients {
		all.Go(func() {
			for i := range numbers {
				if err := do(i); err != nil {
					b.Error(err)
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
	each(d.b, clients, n, func(i int) (err error) {
		runs[i], err = d.request()
		return err
	})
	d.idle()
	each(d.b, clients, n, func(i int) error { return d.press(bob, flow.ActionApprove, runs[i]) })
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
	calls, used := d.calls.Load(), processorTime(b)
	b.ResetTimer()
	var last []string
	for done := 0; done < b.N; {
		last = d.stages(min(100, b.N-done))
		done += len(last)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64((processorTime(b)-used).Microseconds())/1000/float64(b.N), "cpu-ms/run")
	b.ReportMetric(float64(d.calls.Load()-calls)/float64(b.N), "slack-calls/run")
	b.ReportMetric(0, "ns/op")
	d.check(last)
}

// processorTime is what this process has used so far, in its own code and in the
// system's. Unlike the time on the clock it says the same on a busy machine.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkAcknowledge is how long Slack and programs wait for an answer, over
// HTTP: alone, and while others ask too and their runs are worked on.
func BenchmarkAcknowledge(b *testing.B) {
	for _, asked := range []struct {
		name  string
		ofRun bool
		ask   func(d *deployment, run string) error
	}{
		{"SlashCommand", false, func(d *deployment, _ string) error { return d.command() }},
		{"Button", true, func(d *deployment, run string) error { return d.press(bob, flow.ActionApprove, run) }},
		{"APIRequest", false, func(d *deployment, _ string) error { _, err := d.request(); return err }},
	} {
		for _, atOnce := range []int{1, clients} {
			b.Run(fmt.Sprintf("%s/clients=%d", asked.name, atOnce), func(b *testing.B) {
				d := deploy(b)
				d.check(d.stages(clients)) // who is who, and connections
				runs := make([]string, b.N)
				if asked.ofRun {
					each(d.b, clients, b.N, func(i int) (err error) {
						runs[i], err = d.request()
						return err
					})
					d.idle()
				}
				took := make([]time.Duration, b.N)
				each(b, atOnce, b.N, func(i int) error {
					began := time.Now()
					err := asked.ask(d, runs[i])
					took[i] = time.Since(began)
					if atOnce == 1 {
						d.idle()
					}
					return err
				})
				d.idle()
				quantiles(b, took)
			})
		}
	}
}

// BenchmarkRecover is a start with so many runs that wait for a decision: until
// the process serves, and until each has its timer back.
func BenchmarkRecover(b *testing.B) {
	for _, waiting := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			s := surround(b)
			data := b.TempDir()
			d := s.deploy(data)
			run, err := d.request()
			if err != nil {
				b.Fatal(err)
			}
			d.idle()
			r, err := d.local.Runs.Get(b.Context(), run)
			if err != nil {
				b.Fatal(err)
			}
			d.stop()
			multiply(b, data, r, waiting)
			b.ResetTimer()
			var serving time.Duration
			for range b.N {
				began := time.Now()
				d := s.deploy(data)
				serving += time.Since(began)
				d.idle()
				b.StopTimer()
				runtime.GC()
				var memory runtime.MemStats
				runtime.ReadMemStats(&memory)
				b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "heap-MB")
				d.stop()
				b.StartTimer()
			}
			b.ReportMetric(serving.Seconds()/float64(b.N), "s-until-serving")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s-until-recovered")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRemovalBesideDead is how late removals at a healthy target are while
// those of a dead one hang, which all end at the same time; and how long a new
// request waits for its answer then.
func BenchmarkRemovalBesideDead(b *testing.B) {
	for _, hanging := range []int{0, 2_500} {
		b.Run(fmt.Sprintf("dead=%d", hanging), func(b *testing.B) {
			const healthy = 20
			d := deploy(b)
			b.Cleanup(sync.OnceFunc(func() { close(d.dead) })) // before the deployment stops
			runs := make([]string, healthy+hanging)
			each(b, clients, len(runs), func(i int) (err error) {
				target := deadTarget
				if i < healthy {
					target = "orders-db"
				}
				runs[i], err = d.requestAt(target)
				return err
			})
			d.idle()
			each(b, clients, len(runs), func(i int) error { return d.press(bob, flow.ActionApprove, runs[i]) })
			d.idle()
			b.ResetTimer()
			d.clock.Advance(10 * time.Minute)
			began := time.Now()
			if _, err := d.request(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "new-request-ms")
			for _, run := range runs[:healthy] {
				<-d.reached(removed, run)
			}
			b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "last-removal-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRemovalsAtOnce is how late the last of b.N removals is, of grants that all
// end at the same moment, at a target that takes 5 ms for each.
func BenchmarkRemovalsAtOnce(b *testing.B) {
	s := surround(b)
	s.takes = 5 * time.Millisecond
	d := s.deploy(b.TempDir())
	runs := make([]string, b.N)
	each(b, clients, b.N, func(i int) (err error) {
		runs[i], err = d.request()
		return err
	})
	d.idle()
	each(b, clients, b.N, func(i int) error { return d.press(bob, flow.ActionApprove, runs[i]) })
	d.idle()
	used := processorTime(b)
	b.ResetTimer()
	began := time.Now()
	d.clock.Advance(10 * time.Minute)
	for _, run := range runs {
		<-d.reached(removed, run)
	}
	b.ReportMetric(time.Since(began).Seconds(), "last-removal-s")
	d.idle()
	b.ReportMetric(time.Since(began).Seconds(), "all-shown-s")
	b.ReportMetric(float64((processorTime(b)-used).Microseconds())/1000/float64(b.N), "cpu-ms/removal")
	b.ReportMetric(0, "ns/op")
	b.StopTimer()
	d.check(runs)
}

// multiply adds copies of a run that waits until there are n, and has everybody
// seen them.
func multiply(b *testing.B, data string, r flow.Run, n int) {
	consumers := []string{"relay", "notify", "audit"}
	db, err := sqlite.Open(filepath.Join(data, "sym.db"), time.Now, consumers...)
	if err != nil {
		b.Fatal(err)
	}
	runs := store.Runs{Store: db}
	each(b, clients, n-1, func(i int) error {
		twin := r
		twin.ID, twin.Rev = flow.RunIDFrom("sym", "twin", fmt.Sprint(i)), 0
		twin.Execution.Token = strings.Replace(r.Execution.Token, r.ID, twin.ID, 1)
		_, err := runs.Put(b.Context(), twin)
		return err
	})
	for _, consumer := range consumers {
		for {
			changes, err := db.Changes(b.Context(), consumer, 200)
			if err == nil {
				err = db.Seen(b.Context(), consumer, len(changes))
			}
			if err != nil {
				b.Fatal(err)
			}
			if len(changes) == 0 {
				break
			}
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
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
	b.ReportMetric(0, "ns/op")
}

// BenchmarkApply is an apply of Terraform's, which sends ten requests at once: 2,000 targets
// and a strategy of them, until the flow is in force; and the next plan, which reads all of
// them.
func BenchmarkApply(b *testing.B) {
	const targets, atOnce = 2000, 10
	var applied, planned time.Duration
	for b.Loop() {
		b.StopTimer()
		d := deploy(b)
		token, _, err := d.local.Tokens.Create(b.Context(), flow.Operator, store.Token{Bot: "terraform", Owner: "carol@example.com", Config: true}, time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		send := func(method, path string, body any) (id string, err error) {
			text, err := json.Marshal(body)
			if err != nil {
				return "", err
			}
			r, err := http.NewRequestWithContext(b.Context(), method, d.local.URL+"/api/v1/entities/"+path, bytes.NewReader(text))
			if err != nil {
				return "", err
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return "", err
			}
			defer answer.Body.Close()
			var made struct {
				ID string `json:"id"`
			}
			if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || made.ID == "" {
				return "", fmt.Errorf("%s %s: %s, %v", method, path, answer.Status, err)
			}
			return made.ID, nil
		}
		one := func(path string, body map[string]any) string {
			id, err := send(http.MethodPost, path, body)
			if err != nil {
				b.Fatal(err)
			}
			return id
		}
		b.StartTimer()
		began := time.Now()
		ids := make([]string, targets)
		each(b, atOnce, targets, func(i int) (err error) {
			ids[i], err = send(http.MethodPost, "access-targets", map[string]any{"type": "http", "slug": fmt.Sprint("t", i), "settings": map[string]any{"identifier": fmt.Sprint(i)}})
			return err
		})
		environment := one("environments", map[string]any{"slug": "by-api", "integrations": map[string]any{}})
		strategy := one("access-strategies", map[string]any{
			"type": "http", "slug": "by-api", "integration_id": "<null>", "targets": ids, "settings": map[string]any{"url": "https://grants.example.com/sym"},
		})
		one("flows", map[string]any{"slug": "by-api", "environment_id": environment, "implementation": "", "vars": map[string]any{}, "params": map[string]any{
			"strategy_id": strategy, "approval": map[string]any{"notify": []any{map[string]any{"channel": "#access-prod"}}},
			"prompt_fields": []any{map[string]any{"name": "duration", "type": "duration", "allowed_values": []string{"30m"}}},
		}})
		d.idle()
		d.clock.Advance(workflow.AssembleAtLatest)
		d.idle()
		applied += time.Since(began)
		if f, err := d.local.Submit.Flows.Latest(b.Context(), "by-api"); err != nil || len(f.Strategy.Targets) != targets {
			b.Fatalf("the flow is not in force: %v", err)
		}
		began = time.Now()
		each(b, atOnce, targets, func(i int) error {
			_, err := send(http.MethodGet, "access-targets/"+ids[i], nil)
			return err
		})
		planned += time.Since(began)
		d.stop()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(applied.Seconds()/float64(b.N), "s-applied")
	b.ReportMetric(planned.Seconds()/float64(b.N), "s-read-again")
}
