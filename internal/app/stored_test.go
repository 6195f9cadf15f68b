package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
)

// TestSettledBroken: right after an apply the list is asked for again, until it heeds all
// that was applied, but not for ever.
func TestSettledBroken(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	for name, test := range map[string]struct {
		pending int   // answers that don't heed everything
		stop    error // of the sleep
		asked   int
		fails   bool
	}{
		"Settled":     {pending: 0, asked: 1},
		"AfterApply":  {pending: 3, asked: 4},
		"Never":       {pending: 1000, asked: looksAtBroken, fails: true},
		"Interrupted": {pending: 3, stop: lost, asked: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			list, err := settledBroken(t.Context(), func(context.Context) (events.BrokenList, error) {
				asked++
				return events.BrokenList{Broken: []events.BrokenEntity{{Name: "access"}}, Pending: asked <= test.pending}, nil
			}, func(context.Context, time.Duration) error { return test.stop })
			if asked != test.asked || (err != nil) != test.fails || err == nil && (list.Pending || len(list.Broken) != 1) {
				t.Errorf("asked %d times: %+v, %v", asked, list, err)
			}
		})
	}
}
