package workflow_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// counted is a store that counts the items which are read.
type counted struct {
	store.Store
	items int
}

func (c *counted) Get(ctx context.Context, key string) (store.Item, error) {
	c.items++
	return c.Store.Get(ctx, key)
}

func (c *counted) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := c.Store.List(ctx, q)
	c.items += len(page.Items)
	return page, err
}

// TestSweep_Cost: a sweep reads what is due, once to find it and once to act on
// it, however much is stored.
func TestSweep_Cost(t *testing.T) {
	t.Parallel()
	const stored = 1000
	now := func() time.Time { return began }
	for _, due := range []int{0, 7, 450} { // the last are three pages
		t.Run(fmt.Sprint(due), func(t *testing.T) {
			t.Parallel()
			table := &counted{Store: &storetest.Memory{Now: now}}
			runs := store.Runs{Store: table}
			for i := range stored {
				r := flow.Run{ID: flow.RunIDFrom("acme", fmt.Sprint(i)), Org: "acme", Flow: "deploy", Created: began, Status: flow.Prompted, Due: began.Add(time.Hour)}
				if i < due {
					r.Due = began.Add(-time.Duration(i) * time.Second)
				}
				if _, err := runs.Put(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			j := &journal{}
			sweep := workflow.Sweep{
				Runs: runs, Drive: workflow.Drive{Runs: runs, Runner: j, Remover: j, Now: now}, Now: now, Log: slog.New(slog.DiscardHandler),
			}
			n, err := sweep.Run(t.Context())
			if err != nil || n != due {
				t.Errorf("%d runs driven, %v; want %d", n, err, due)
			}
			if table.items != 2*due {
				t.Errorf("%d items read for %d that are due", table.items, due)
			}
		})
	}
}
