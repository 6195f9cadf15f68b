package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// TestRefusals: the first is recorded at once; whoever goes on is counted, and costs a
// write an hour at most, in however many processes, and no reads in between.
func TestRefusals(t *testing.T) {
	t.Parallel()
	clock := start
	at := func() time.Time { return clock }
	counting := &reading{Store: &storetest.Memory{Now: at}}
	noted := &feed{Store: counting}
	processes := []*store.Refusals{{Store: noted, Now: at}, {Store: noted, Now: at}}
	why := flow.Errorf(flow.CodeForbidden, "only @lead can decide this request")
	run := flow.Run{ID: flow.RunIDFrom("acme", "refused"), Flow: "prod-access"}
	clicks := func(n int) {
		for range n {
			for _, p := range processes {
				if err := p.Note(t.Context(), run, alice(), flow.ActionApprove, why); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	clicks(500)
	acts, _ := noted.acts(t)
	if len(acts) != 1 || acts[0].Result != flow.ActRefused || acts[0].Count != 1 || acts[0].By != flow.ByPerson(alice()) || acts[0].About.ID != run.ID {
		t.Fatalf("%+v", acts)
	}
	first := acts[0].ID
	if reads := counting.reads; len(noted.changes) != 1 || reads > 3 { // this test's own among them
		t.Errorf("%d writes and %d reads", len(noted.changes), reads)
	}
	clock = clock.Add(time.Hour)
	clicks(1)
	acts, told := noted.acts(t)
	if len(acts) != 1 || acts[0].ID != first || told[first] != 1 || acts[0].Count != 501 || !acts[0].At.Equal(start) || !acts[0].Last.Equal(clock) {
		t.Errorf("%+v", acts)
	}
	if len(noted.changes) != 2 {
		t.Errorf("%d writes", len(noted.changes))
	}

	// Another person, and another run, are for themselves.
	other := alice()
	other.SlackID = "U9"
	if err := errors.Join(processes[0].Note(t.Context(), run, other, flow.ActionDeny, why),
		processes[0].Note(t.Context(), flow.Run{ID: flow.NewRunID()}, other, flow.ActionDeny, why)); err != nil || len(noted.changes) != 4 {
		t.Errorf("%d writes, %v", len(noted.changes), err)
	}

	// What could not be written is recorded with the next.
	faulty := &store.Refusals{Now: at, Store: &storetest.Faulty{Store: noted, Fault: func(n int) storetest.Fault {
		if n == 1 {
			return storetest.NotApplied
		}
		return storetest.None
	}}}
	third := other
	third.SlackID = "U8"
	wantFault(t, faulty.Note(t.Context(), run, third, flow.ActionApprove, why))
	if err := faulty.Note(t.Context(), run, third, flow.ActionApprove, why); err != nil {
		t.Fatal(err)
	}
	if acts, _ := noted.acts(t); len(acts) != 4 || acts[3].Count != 2 {
		t.Errorf("%+v", acts)
	}
}

// reading counts reads.
type reading struct {
	store.Store
	reads int
}

func (c *reading) Get(ctx context.Context, key string) (store.Item, error) {
	c.reads++
	return c.Store.Get(ctx, key)
}
