package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Of the runs that a benchmark's database holds, one in dueEach is due, and
// each requester has requesterEach.
const (
	dueEach       = 100
	requesterEach = 20
)

// run makes the n-th run: one that has been through everything.
func run(n int) store.Item {
	id := flow.RunIDFrom("sym", "bench", fmt.Sprint(n))
	who := func(name string) flow.Actor {
		email := name + "@example.com"
		return flow.Actor{ID: flow.UserID("sym", email), Kind: flow.KindPerson, Email: email, SlackID: "U" + name, SlackTeam: "T1"}
	}
	requester, approver := who(fmt.Sprint("requester", n/requesterEach)), who("approver")
	created := start.Add(time.Duration(n) * time.Minute)
	r := flow.Run{
		ID: id, Org: "sym", Flow: fmt.Sprint("flow-", n%10), FlowVersion: "1.0.7", FlowTitle: "Production access", Created: created, Touched: created,
		Status: flow.Deescalated, Requester: requester, Source: flow.ChannelSlack, SourceChannel: "C012345",
		Fields: map[string]any{"reason": "to see why orders are late, and to put it right", "duration": 3600},
		Tiers:  []flow.Tier{{Channel: "#access-prod", TimeoutSeconds: 1800, Delivered: true, Deadline: created.Add(30 * time.Minute)}},
		Access: &flow.Access{
			Strategy: flow.Strategy{Name: "databases", Type: "http", Settings: map[string]string{"url": "https://grants.example.com/sym"}},
			Target:   flow.Target{Name: "orders-db", Type: "http", Settings: map[string]string{"identifier": "orders"}},
			Identity: requester.Email, Entitlements: []flow.Part{{Entitlement: flow.Entitlement{Key: "http/orders/" + id}}}, First: created, End: created.Add(time.Hour),
		},
	}
	for i, name := range []flow.EventName{flow.EventPrompt, flow.EventRequest, flow.EventApprove, flow.EventEscalate, flow.EventDeescalate} {
		r.Events = append(r.Events, flow.Event{ID: flow.EventID(id, i+1), Name: name, Actor: approver, Channel: flow.ChannelSlack, At: created, State: flow.StateCompleted})
	}
	if n%dueEach == 0 {
		r.Status, r.Due = flow.Escalated, created.Add(time.Hour)
	}
	body, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return store.Item{
		Key: "run#" + id, Writer: store.NewWriter(), Body: body,
		Index: store.Index{Due: r.Due, Requester: requester.ID, Flow: r.Flow, Status: string(r.Status), Created: created},
	}
}

// filled are the databases that hold so many runs, made at first use.
var filled sync.Map

// benchmark runs one on a database of 1,000 runs and on one of 100,000.
func benchmark(b *testing.B, do func(b *testing.B, s *Store, runs int)) {
	for _, runs := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("runs=%d", runs), func(b *testing.B) {
			fill, _ := filled.LoadOrStore(runs, sync.OnceValues(func() (*Store, error) { return fill(runs) }))
			s, err := fill.(func() (*Store, error))()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			do(b, s, runs)
		})
	}
}

func fill(runs int) (*Store, error) {
	s, err := Open(filepath.Join(benchDir, fmt.Sprint(runs, ".db")), now)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return s, s.write(ctx, func(ctx context.Context, tx transaction) error {
		for n := range runs {
			if err := replace(ctx, tx, store.Item{}, run(n), 1); err != nil {
				return err
			}
		}
		return nil
	})
}

func BenchmarkGet(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store, runs int) {
		for n := 0; b.Loop(); n++ {
			if _, err := s.Get(b.Context(), "run#"+flow.RunIDFrom("sym", "bench", fmt.Sprint(n*7919%runs))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// quantiles reports how long single operations took, in milliseconds.
func quantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(percent int) float64 {
		return float64(took[(len(took)-1)*percent/100].Microseconds()) / 1000
	}
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(99), "p99-ms")
}

// BenchmarkSync is what the disk takes by itself to make 16 KB durable, about
// what a Put writes: no acknowledgement can be faster.
func BenchmarkSync(b *testing.B) {
	file, err := os.Create(filepath.Join(benchDir, "sync"))
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	page := make([]byte, 16<<10)
	for b.Loop() {
		began := time.Now()
		_, err := file.WriteAt(page, 0)
		if err := errors.Join(err, file.Sync()); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	quantiles(b, took)
}

// BenchmarkPut changes a run: the write that each acknowledgement waits for.
func BenchmarkPut(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store, runs int) {
		var took []time.Duration
		for n := 0; b.Loop(); n++ {
			began := time.Now()
			item, err := s.Get(b.Context(), run(n*7919%runs).Key)
			if err != nil {
				b.Fatal(err)
			}
			item.Writer = store.NewWriter()
			if _, err := s.Put(b.Context(), item); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		quantiles(b, took)
	})
}

// BenchmarkPutAtOnce is the same by 16 writers, who share the syncs of the disk.
func BenchmarkPutAtOnce(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store, _ int) {
		b.SetParallelism(16 / runtime.GOMAXPROCS(0))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				item := store.Item{Key: "msg#" + store.NewWriter(), Writer: store.NewWriter(), Body: make([]byte, 2<<10)}
				if _, err := s.Put(b.Context(), item); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func benchmarkList(b *testing.B, query func(n, runs int) store.Query) {
	benchmark(b, func(b *testing.B, s *Store, runs int) {
		items := 0
		for n := 0; b.Loop(); n++ {
			page, err := s.List(b.Context(), query(n, runs))
			if err != nil {
				b.Fatal(err)
			}
			items += len(page.Items)
		}
		b.ReportMetric(float64(items)/float64(b.N), "items/op")
	})
}

func BenchmarkListByRequester(b *testing.B) {
	benchmarkList(b, func(n, runs int) store.Query {
		return store.Query{By: store.ByRequester, Value: run(n * 7919 % runs).Index.Requester}
	})
}

func BenchmarkListByStatus(b *testing.B) {
	benchmarkList(b, func(int, int) store.Query {
		return store.Query{By: store.ByStatus, Value: string(flow.Deescalated)}
	})
}

// BenchmarkDue finds ten due runs, as a busy minute has them.
func BenchmarkDue(b *testing.B) {
	benchmarkList(b, func(int, int) store.Query {
		return store.Query{By: store.ByDue, Until: start.Add(9*dueEach*time.Minute + time.Hour)}
	})
}

// drivers take what they are told, and do nothing.
type drivers struct{}

func (drivers) Start(context.Context, string, int) error        { return nil }
func (drivers) Resume(context.Context, string) error            { return nil }
func (drivers) Remove(context.Context, string, time.Time) error { return nil }

// BenchmarkSweep is a whole sweep that finds ten ends of access.
func BenchmarkSweep(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store, _ int) {
		runs, clock := store.Runs{Store: s}, func() time.Time { return start.Add(9*dueEach*time.Minute + time.Hour) }
		sweep := workflow.Sweep{
			Runs: runs, Now: clock, Log: slog.New(slog.DiscardHandler),
			Drive: workflow.Drive{Runs: runs, Runner: drivers{}, Remover: drivers{}, Now: clock},
		}
		for b.Loop() {
			if swept, err := sweep.Run(b.Context()); err != nil || swept.Driven != 10 {
				b.Fatalf("%+v, %v", swept, err)
			}
		}
	})
}

// BenchmarkNothingDue is what the sweep finds in most minutes.
func BenchmarkNothingDue(b *testing.B) {
	benchmarkList(b, func(int, int) store.Query { return store.Query{By: store.ByDue, Until: start} })
}
