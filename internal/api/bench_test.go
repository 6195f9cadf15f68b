package api

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/sqlite"
)

// How long a program waits for the acknowledgement of a request, which is
// durable by then: the token, the flow and the person looked up, the fields
// checked, and one write to the disk.
func BenchmarkRequest(b *testing.B) {
	f := newFixture(b)
	table, err := sqlite.Open(filepath.Join(b.TempDir(), "sym.db"), f.clock)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := table.Close(); err != nil {
			b.Error(err)
		}
	})
	f.serve(table)
	f.token, _, err = f.api.Tokens.Create(b.Context(), flow.Operator, store.Token{Bot: "ci", Owner: "bob@example.com"}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := f.api.Flows.Publish(b.Context(), flow.Author{}, flows()); err != nil {
		b.Fatal(err)
	}
	if _, err := (store.Users{Store: table}).Remember(b.Context(), alice); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		f.request(accessBody)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	at := func(percent int) float64 {
		return float64(took[(len(took)-1)*percent/100].Microseconds()) / 1000
	}
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(99), "p99-ms")
}
