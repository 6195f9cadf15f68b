package transparency_test

import (
	"context"
	"flag"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/transparency"
)

var many = flag.Int("records", 100_000, "how many records the log of a benchmark has")

// forgetful takes lines and keeps none.
type forgetful struct{}

func (forgetful) WriteLines(context.Context, [][]byte) error { return nil }

// long is a log of so many records, of about 1.6 KB each.
func long(b *testing.B, records int) *log {
	b.Helper()
	l := newLog(b)
	l.Next = forgetful{}
	l.appendMany(b, 0, records)
	return l
}

func (l *log) appendMany(b *testing.B, from, until int) {
	b.Helper()
	for n := from; n < until; n += 256 {
		batch := records(n, min(n+256, until))
		for i := range batch {
			batch[i].Fields["justification"] = strings.Repeat("a text as long as those are ", 40)
		}
		l.write(b, batch...)
	}
}

// BenchmarkAppend is of one record, in batches of 256, to files and a store in memory.
func BenchmarkAppend(b *testing.B) {
	l := long(b, 1000)
	b.ResetTimer()
	l.appendMany(b, 1000, 1000+b.N)
}

// BenchmarkVerify is of a whole log.
func BenchmarkVerify(b *testing.B) {
	l := long(b, *many)
	files := l.folder.fs()
	size := 0
	for _, f := range files {
		size += len(f.Data)
	}
	b.ResetTimer()
	for b.Loop() {
		r, err := transparency.Verification{Log: files, Public: []string{l.key.Public()}, Now: l.now}.Run(b.Context())
		if err != nil || r.Found > 0 || r.Records != int64(*many) {
			b.Fatalf("%+v, %v", r, err)
		}
	}
	b.ReportMetric(float64(size)/1e6, "MB")
	b.ReportMetric(float64(len(files)), "files")
}

// BenchmarkReceipt is of one record.
func BenchmarkReceipt(b *testing.B) {
	l := long(b, *many)
	p := transparency.Prover{Log: l.Log, Files: l.folder, Public: []string{l.key.Public()}}
	size, n := 0, 0
	b.ResetTimer()
	for b.Loop() {
		receipt, err := p.Prove(b.Context(), record(n*7919%*many, 1).ID, 1)
		if err != nil {
			b.Fatal(err)
		}
		size, n = len(receipt.Proof), n+1
	}
	b.ReportMetric(float64(size), "B/proof")
}
