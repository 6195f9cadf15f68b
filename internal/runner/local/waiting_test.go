package local

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

// BenchmarkBesideWaiting is what a job takes while so many runs wait, each by a timer:
// the same, however many there are.
func BenchmarkBesideWaiting(b *testing.B) {
	for _, waiting := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			clock := clockwork.NewFakeClock()
			e := &Engine{Clock: clock, Log: slog.New(slog.DiscardHandler)}
			for i := range waiting {
				e.At(fmt.Sprint("await#", i), clock.Now().Add(time.Hour+time.Duration(i)*time.Second), func(context.Context) { b.Error("it was not time") })
			}
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() { e.Run(ctx); close(ended) }()
			done := make(chan struct{})
			for b.Loop() {
				e.Go("step", func(context.Context) { done <- struct{}{} })
				<-done
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms")
			b.ReportMetric(0, "ns/op")
			stop()
			<-ended
		})
	}
}
