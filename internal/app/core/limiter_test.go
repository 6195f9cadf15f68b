package core

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
	"github.com/symflows/symflows/internal/store/sqlite"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// stores are those that a limiter keeps the pace in.
var stores = map[string]func(t testing.TB, now func() time.Time) store.Store{
	"dynamo": func(t testing.TB, now func() time.Time) store.Store {
		return dynamo.New(dynamotest.Start(t).Config(), dynamotest.TableName, now)
	},
	"sqlite": func(t testing.TB, now func() time.Time) store.Store {
		s, err := sqlite.Open(filepath.Join(t.TempDir(), "sym.db"), now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
}

// TestLimiter: many processes share a pace, whichever store it is kept in.
func TestLimiter(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Limiter(t, func(t *testing.T, clock clockwork.Clock) func() strategy.Limiter {
				s := open(t, clock.Now)
				return func() strategy.Limiter {
					l := New(config.Settings{}, s, OneClock(clock), slog.New(slog.DiscardHandler)).Limiter
					l.Within = func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
						return context.WithTimeout(ctx, deadline.LastResort)
					}
					return l
				}
			})
		})
	}
}

// BenchmarkLimiter: what it costs to book a call, alone and in a rush.
func BenchmarkLimiter(b *testing.B) {
	pace := strategy.Pace{Key: "it", Calls: [3]int{1e6, 1e6, 1e6}}
	for name, open := range stores {
		for _, processes := range []int{1, 20, 100} {
			b.Run(fmt.Sprintf("%s/processes=%d", name, processes), func(b *testing.B) {
				s := open(b, time.Now)
				b.SetParallelism(processes)
				b.RunParallel(func(calls *testing.PB) {
					l := New(config.Settings{Patience: deadline.LastResort}, s, OneClock(WallClock{}), slog.New(slog.NewTextHandler(io.Discard, nil))).Limiter
					for calls.Next() {
						if err := l.Call(b.Context(), pace, strategy.Granting); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}
