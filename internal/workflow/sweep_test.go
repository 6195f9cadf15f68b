package workflow_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
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
	items atomic.Int64
}

func (c *counted) Get(ctx context.Context, key string) (store.Item, error) {
	c.items.Add(1)
	return c.Store.Get(ctx, key)
}

func (c *counted) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := c.Store.List(ctx, q)
	c.items.Add(int64(len(page.Items)))
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
				Runs: runs, Drive: workflow.Drive{Runs: runs, Runner: j, Remover: j, Now: now}, Now: now, AtOnce: 8, Log: slog.New(slog.DiscardHandler),
			}
			swept, err := sweep.Run(t.Context())
			if err != nil || swept != (workflow.Swept{Driven: due}) {
				t.Errorf("%+v, %v; want %d driven", swept, err, due)
			}
			if n := table.items.Load(); n != int64(2*due) {
				t.Errorf("%d items read for %d that are due", n, due)
			}
		})
	}
}

// TestSweep_Overdue: access that should be gone is counted from 90 seconds after
// its end until it is gone, whether its removal is about to be tried or backs off.
func TestSweep_Overdue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.target.fates["revoke"] = slices.Repeat([]fate{unavailable}, 1000)
	id := w.ask(asker, "a")
	w.click(id, flow.ActionApprove, first)
	w.pass(grantedFor + flow.RemovalPromise)
	overdue := func() int {
		swept, err := w.sweep.Run(t.Context())
		must(t, err)
		return swept.Overdue
	}
	if n := overdue(); n != 0 {
		t.Errorf("%d overdue at the last moment of the promise", n)
	}
	for range 30 {
		w.pass(time.Minute)
		if n := overdue(); n != 1 {
			t.Fatalf("%d overdue at %s", n, w.clock.Now())
		}
	}
	w.target.fates["revoke"] = nil
	w.pass(flow.MaxRemovalBackOff)
	w.want(id, flow.Deescalated)
	if n := overdue(); n != 0 {
		t.Errorf("%d overdue after the removal", n)
	}
}
