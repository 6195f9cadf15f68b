package deadline

import (
	"context"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	t.Parallel()
	var b Bounds
	ended, end := b.Within(t.Context(), time.Nanosecond)
	end()
	passed, stop := b.Within(t.Context(), time.Nanosecond)
	defer stop()
	below, cancel := context.WithCancel(passed)
	defer cancel()
	if ended.Err() != context.Canceled || passed.Err() != nil {
		t.Fatalf("before Pass: %v, %v", ended.Err(), passed.Err())
	}
	b.Pass()
	<-below.Done()
	if ended.Err() != context.Canceled || passed.Err() != context.DeadlineExceeded || below.Err() != context.DeadlineExceeded {
		t.Errorf("after Pass: %v, %v, and below %v", ended.Err(), passed.Err(), below.Err())
	}
	later, stop := b.Within(t.Context(), time.Nanosecond)
	defer stop()
	if later.Err() != nil {
		t.Errorf("a later one has ended: %v", later.Err())
	}
}

func TestBounds_Parent(t *testing.T) {
	t.Parallel()
	var b Bounds
	parent, cancel := context.WithCancel(t.Context())
	ctx, stop := b.Within(parent, time.Nanosecond)
	defer stop()
	cancel()
	<-ctx.Done()
	if ctx.Err() != context.Canceled {
		t.Errorf("got %v", ctx.Err())
	}
}
