package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// Many fail at once, then many ask for a place at once: five have one, and all
// give it back.
func TestSick_Change_Contention(t *testing.T) {
	t.Parallel()
	counted := &storetest.Faulty{Store: memory(), Fault: func(int) storetest.Fault { return storetest.None }}
	sick := store.Sick{Store: counted}
	const attempts = 40
	each := func(do func(owner string)) {
		var all sync.WaitGroup
		for n := range attempts {
			all.Go(func() { do(fmt.Sprint("attempt", n)) })
		}
		all.Wait()
	}
	change := func(move func(flow.Sickness) flow.Sickness) flow.Sickness {
		s, err := sick.Change(t.Context(), "http/databases/orders-db", move)
		if err != nil {
			t.Error(err)
		}
		return s
	}

	each(func(owner string) {
		change(func(s flow.Sickness) flow.Sickness { return s.Answered(owner) })
		change(func(s flow.Sickness) flow.Sickness { return s.Leave(owner) })
	})
	if n := counted.Writes(); n > 0 {
		t.Errorf("%d writes for a target that always answered", n)
	}

	each(func(owner string) {
		change(func(s flow.Sickness) flow.Sickness { return s.TimedOut(owner, false, start) })
	})
	var places atomic.Int64
	each(func(owner string) {
		ok := false
		change(func(s flow.Sickness) flow.Sickness {
			s, ok = s.Take(flow.Place{Owner: owner, Until: start.Add(time.Minute)}, true, start)
			return s
		})
		if ok {
			places.Add(1)
		}
	})
	if s := change(func(s flow.Sickness) flow.Sickness { return s }); places.Load() != flow.SickPlaces || len(s.Places) != flow.SickPlaces || !s.Sick() {
		t.Errorf("%d have a place: %+v", places.Load(), s)
	}
	each(func(owner string) {
		change(func(s flow.Sickness) flow.Sickness { return s.Answered(owner) })
	})
	if s := change(func(s flow.Sickness) flow.Sickness { return s }); len(s.Places) > 0 || s.Sick() || !s.RemovalsUntil.IsZero() {
		t.Errorf("in the end: %+v", s)
	}
}
