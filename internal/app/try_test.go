package app

import (
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// TestTryEvents holds that it is said of each event whether it can be tried.
func TestTryEvents(t *testing.T) {
	t.Parallel()
	for _, e := range flow.EventNames {
		if _, ok := inputsBefore[e]; !ok {
			t.Errorf("inputsBefore has no row for %s: say how to bring a run there, or 0", e)
		}
	}
}
