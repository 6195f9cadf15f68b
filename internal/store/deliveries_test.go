package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func TestDeliveriesTakeAnEventOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s := store.Deliveries{Store: &storetest.Memory{Now: clock}, Now: clock}
	taken := 0
	take := func(context.Context) error { taken++; return nil }
	broken := errors.New("broken")

	if err := s.Once(t.Context(), "Ev1", func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("failed: %v", err)
	}
	for range 3 { // what failed is taken when it comes again, and then no more
		if err := s.Once(t.Context(), "Ev1", take); err != nil {
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("taken %d times", taken)
	}
	// Another delivery while the first is at it is to come again.
	err := s.Once(t.Context(), "Ev2", func(ctx context.Context) error {
		if err := s.Once(ctx, "Ev2", take); !errors.Is(err, store.ErrUnderWay) {
			t.Errorf("under way: %v", err)
		}
		// A minute later the first one has died: its end does not count then.
		now = now.Add(time.Minute)
		return s.Once(ctx, "Ev2", take)
	})
	if err != nil || taken != 2 {
		t.Errorf("taken %d times, %v", taken, err)
	}
	if err := s.Once(t.Context(), "Ev2", take); err != nil || taken != 2 {
		t.Errorf("taken %d times, %v", taken, err)
	}
}
