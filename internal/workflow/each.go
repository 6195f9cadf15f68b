package workflow

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/symflows/symflows/internal/store"
)

// Failed is a change that could not be handled.
type Failed struct {
	Change store.Change
	Cause  error
}

// Changes gives the changes that failed.
func Changes(failed []Failed) (changes []store.Change) {
	for _, f := range failed {
		changes = append(changes, f.Change)
	}
	return changes
}

// atOnce is how many items of a batch are handled at the same time: mostly they
// wait, for the store or for Slack.
const atOnce = 16

// Each has a batch of changes handled, several items at once, and an item once
// only, by its newest change: it is read as it is now. It returns those that
// failed, in the order of the batch; a panic is such a failure.
func Each(ctx context.Context, changes []store.Change, handle func(context.Context, store.Change) error) []Failed {
	newest := map[string]store.Change{}
	for _, c := range changes {
		newest[c.Key] = c
	}
	causes := make([]error, len(changes))
	free := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, c := range changes {
		if newest[c.Key] != c {
			continue
		}
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			causes[i] = guarded(ctx, c, handle)
		})
	}
	all.Wait()
	var failed []Failed
	for i, err := range causes {
		if err != nil {
			failed = append(failed, Failed{changes[i], err})
		}
	}
	return failed
}

// guarded makes a panic an error, so that one item does not keep the others
// from being handled.
func guarded(ctx context.Context, c store.Change, handle func(context.Context, store.Change) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return handle(ctx, c)
}
