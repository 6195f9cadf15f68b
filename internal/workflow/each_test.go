package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

func TestEach(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var handled []string
	failed := workflow.Each(t.Context(), []store.Change{
		{Key: "a", Rev: 1}, {Key: "bad", Rev: 1}, {Key: "a", Rev: 2}, {Key: "worse", Rev: 1}, {Key: "b", Rev: 1}, {Key: "a", Rev: 3},
	}, func(_ context.Context, c store.Change) error {
		mu.Lock()
		defer mu.Unlock()
		handled = append(handled, fmt.Sprintf("%s:%d", c.Key, c.Rev))
		switch c.Key {
		case "bad":
			return errors.New("no")
		case "worse":
			panic("a bug")
		}
		return nil
	})
	slices.Sort(handled)
	if want := []string{"a:3", "b:1", "bad:1", "worse:1"}; !slices.Equal(handled, want) {
		t.Errorf("handled %v, want %v", handled, want)
	}
	if len(failed) != 2 || failed[0].Change.Key != "bad" || failed[1].Change.Key != "worse" || !strings.Contains(failed[1].Cause.Error(), "a bug") {
		t.Errorf("failed: %v", failed)
	}
}

// Items are handled beside each other: one that waits holds up no other.
func TestEach_AtOnce(t *testing.T) {
	t.Parallel()
	const together = 16
	var all sync.WaitGroup
	all.Add(together)
	var changes []store.Change
	for i := range together {
		changes = append(changes, store.Change{Key: fmt.Sprint("run#", i)})
	}
	failed := workflow.Each(t.Context(), changes, func(context.Context, store.Change) error {
		all.Done()
		all.Wait()
		return nil
	})
	if failed != nil {
		t.Errorf("failed: %v", failed)
	}
}
