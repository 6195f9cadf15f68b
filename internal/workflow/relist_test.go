package workflow

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// unlisted is a store with runs that are in no listing.
type unlisted struct {
	*testing.T
	relist Relist
	runs   []flow.Run
}

func newUnlisted(t *testing.T, n int) *unlisted {
	now := func() time.Time { return reportMonth }
	memory := &storetest.Memory{Now: now}
	u := &unlisted{T: t, relist: Relist{Runs: store.Runs{Store: memory}, Lists: store.Lists{Store: memory, Now: now}, Now: now, Log: slog.New(slog.DiscardHandler)}}
	alice, bob := flow.Actor{ID: "alice", Kind: flow.KindPerson}, flow.Actor{ID: "bob", Kind: flow.KindPerson}
	for i := range n {
		id := fmt.Sprintf("%08x-0000-4000-8000-%08x0000", uint32(i)*0x9E3779B1, i)
		r := flow.Run{
			ID: id, Org: "acme", Flow: "f", Status: flow.Denied, Created: reportMonth.Add(time.Duration(i) * time.Second), Requester: alice, Target: &flow.Target{Name: "orders-db"},
			Events: []flow.Event{{ID: flow.EventID(id, 1), Name: flow.EventRequest, Actor: alice, State: flow.StateCompleted}, {ID: flow.EventID(id, 2), Name: flow.EventDeny, Actor: bob, State: flow.StateCompleted}},
		}
		if i%3 == 1 { // what an agent asked for is listed as everything else
			agent := flow.Actor{ID: "agent", Kind: flow.KindAgent, Name: "helper"}
			r.Asker, r.Owner, r.Agent, r.Source, r.Events[0].Actor = &agent, &alice, &flow.Agent{Purpose: "look"}, flow.ChannelAPI, agent
		}
		r, err := u.relist.Runs.Put(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		u.runs = append(u.runs, r)
	}
	return u
}

// through lists runs until all are, and says how often it took.
func (u *unlisted) through() (steps int) {
	u.Helper()
	for more := true; more; steps++ {
		var err error
		if more, err = u.relist.Some(u.Context()); err != nil {
			u.Fatal(err)
		}
	}
	return steps
}

// found counts the runs of a listing.
func (u *unlisted) found(value string) int {
	u.Helper()
	ids := map[string]bool{}
	for q := (store.Query{By: store.ByStatus, Value: value, Limit: 200}); ; {
		page, err := u.relist.Runs.List(u.Context(), q)
		if err != nil {
			u.Fatal(err)
		}
		for _, r := range page.Runs {
			ids[r.ID] = true
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return len(ids)
		}
	}
}

// TestRelist: runs of before there were listings are found by target and by who decided
// them, some of them after each look, and once all are, nothing is looked at any more.
func TestRelist(t *testing.T) {
	t.Parallel()
	u := newUnlisted(t, 2*relistAtOnce+50)
	target, decider := store.ListOfTarget(u.runs[0].TargetID()), store.ListOfDecider("bob")
	if more, err := u.relist.Some(t.Context()); err != nil || !more || u.found(target) != relistAtOnce {
		t.Errorf("after one look: %d, more: %t, %v", u.found(target), more, err)
	}
	if steps := u.through(); steps != 2 {
		t.Errorf("it took %d more looks", steps)
	}
	if a, b := u.found(target), u.found(decider); a != len(u.runs) || b != len(u.runs) {
		t.Errorf("of %d runs %d are found by target and %d by who decided them", len(u.runs), a, b)
	}
	counted := &reads{Store: u.relist.Runs.Store}
	u.relist.Runs.Store, u.relist.Lists.Store = counted, counted
	if more, err := u.relist.Some(t.Context()); err != nil || more || counted.items.Load() != 1 {
		t.Errorf("once more: %d reads, more: %t, %v", counted.items.Load(), more, err)
	}
}

// TestRelist_Crash: listing that breaks off at any write goes on to the same end, and what
// it does again changes nothing.
func TestRelist_Crash(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.NotApplied, storetest.AnswerLost} {
		for at := 1; ; at++ {
			u := newUnlisted(t, 3)
			memory := u.relist.Lists.Store
			faulty := &storetest.Faulty{Store: memory, Fault: func(n int) storetest.Fault {
				if n == at {
					return fault
				}
				return storetest.None
			}}
			u.relist.Lists.Store = faulty
			_, err := u.relist.Some(t.Context())
			if faulty.Writes() < at {
				if at != 3*2+2 {
					t.Errorf("there were %d writes", at-1)
				}
				break
			}
			if err == nil {
				t.Errorf("write %d failed, and nobody heard", at)
			}
			u.relist.Lists.Store = memory
			u.through()
			if a, b := u.found(store.ListOfTarget(u.runs[0].TargetID())), u.found(store.ListOfDecider("bob")); a != 3 || b != 3 {
				t.Errorf("after write %d (%v): %d are found by target and %d by who decided them", at, fault, a, b)
			}
		}
	}
}

// ahead is a store in which a run moves on while it is listed.
type ahead struct {
	store.Store
	once func()
}

func (a *ahead) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := a.Store.List(ctx, q)
	if a.once != nil {
		a.once()
		a.once = nil
	}
	return page, err
}

// TestRelist_Beside: a run that changes meanwhile stays where its change has put it.
func TestRelist_Beside(t *testing.T) {
	t.Parallel()
	u := newUnlisted(t, 1)
	before := u.runs[0].TargetID()
	u.relist.Runs.Store = &ahead{u.relist.Runs.Store, func() {
		r := u.runs[0]
		r.Target = &flow.Target{Name: "billing-db"}
		r, err := store.Runs{Store: u.relist.Lists.Store}.Put(t.Context(), r)
		if err == nil {
			err = list(t.Context(), u.relist.Lists, r)
		}
		if err != nil {
			t.Error(err)
		}
	}}
	u.through()
	moved, err := u.relist.Runs.Get(t.Context(), u.runs[0].ID)
	if err != nil || u.found(store.ListOfTarget(before)) != 0 || u.found(store.ListOfTarget(moved.TargetID())) != 1 {
		t.Errorf("it is found %d times where it was, and %d where it is, %v", u.found(store.ListOfTarget(before)), u.found(store.ListOfTarget(moved.TargetID())), err)
	}
}
