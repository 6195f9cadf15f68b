package local

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

// TestEngine_Between: the clock is moved while nothing is under way, and timers that
// are due by it then ring at once, however far away they were.
func TestEngine_Between(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	e := &Engine{Clock: clock, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { e.Run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()

	begun, let, rang := make(chan struct{}), make(chan struct{}), make(chan struct{})
	e.Go("slow", func(context.Context) { close(begun); <-let })
	<-begun
	e.At("later", clock.Now().Add(time.Hour), func(context.Context) { close(rang) })
	e.Every("again", time.Minute, func(context.Context) error { return nil })
	if at, ok := e.NextOnce(); !ok || !at.Equal(clock.Now().Add(time.Hour)) {
		t.Errorf("NextOnce = %s, %v", at, ok)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	moved := false
	if err := e.Between(impatient, func() error { moved = true; return nil }); !errors.Is(err, context.Canceled) || moved {
		t.Errorf("with a job under way: %v, moved %v", err, moved)
	}
	close(let)
	broken := errors.New("the disk is full")
	if err := e.Between(t.Context(), func() error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := e.Between(t.Context(), func() error { clock.Advance(time.Hour); return nil }); err != nil {
		t.Error(err)
	}
	<-rang
}
