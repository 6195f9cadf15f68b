package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Many runs ask for one entitlement: one creates it, all hold it; all leave,
// and one removes it.
func TestGrants_Change_Contention(t *testing.T) {
	t.Parallel()
	grants := store.Grants{Store: memory()}
	const runs = 20
	each := func(do func(run string, lease flow.Lease)) {
		var all sync.WaitGroup
		for n := range runs {
			run := fmt.Sprint("run", n)
			all.Go(func() { do(run, flow.Lease{Owner: run, Until: start.Add(time.Hour)}) })
		}
		all.Wait()
	}

	var creators, removers atomic.Int64
	each(func(run string, lease flow.Lease) {
		for {
			var do flow.Do
			_, err := grants.Change(t.Context(), "db", func(g flow.Grant) (_ flow.Grant, err error) {
				g, do, err = g.Acquire(flow.Holder{Run: run}, nil, lease, start)
				return g, err
			})
			if flow.CodeOf(err) == flow.CodeBusy {
				continue
			}
			if err != nil {
				t.Error(err)
			}
			if do != flow.DoCreate {
				return
			}
			creators.Add(1)
			if _, err := grants.Change(t.Context(), "db", func(g flow.Grant) (flow.Grant, error) { return g.Created(run, start) }); err != nil {
				t.Error(err)
			}
			return
		}
	})
	held, err := grants.Change(t.Context(), "db", func(g flow.Grant) (flow.Grant, error) { return g, nil })
	if err != nil || held.State != flow.GrantPresent || len(held.Holders) != runs || creators.Load() != 1 {
		t.Errorf("%s, %d holders, created %d times, %v", held.State, len(held.Holders), creators.Load(), err)
	}

	each(func(run string, lease flow.Lease) {
		var do flow.Do
		_, err := grants.Change(t.Context(), "db", func(g flow.Grant) (_ flow.Grant, err error) {
			g, do, err = g.Release(run, lease, start)
			return g, err
		})
		if err != nil {
			t.Error(err)
		}
		if do == flow.DoRemove {
			removers.Add(1)
		}
	})
	if removers.Load() != 1 {
		t.Errorf("removed %d times, want once", removers.Load())
	}
}

func TestGrants_Change(t *testing.T) {
	t.Parallel()
	s := counted()
	grants := store.Grants{Store: s}
	hold := func(g flow.Grant) (flow.Grant, error) {
		if g.Key != "db" {
			t.Errorf("grant is called %q", g.Key)
		}
		g.State, g.Holders = flow.GrantPresent, []flow.Holder{{Run: "run"}}
		return g, nil
	}
	for _, name := range []string{"first", "again"} { // the second changes nothing
		g, err := grants.Change(t.Context(), "db", hold)
		if err != nil || g.Rev != 1 || g.Key != "db" || !slices.Equal(g.Holders, []flow.Holder{{Run: "run"}}) {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
	reason := errors.New("a reason")
	if g, err := grants.Change(t.Context(), "db", func(g flow.Grant) (flow.Grant, error) { return g, reason }); !errors.Is(err, reason) || g.Rev != 1 {
		t.Errorf("move's error: revision %d, %v", g.Rev, err)
	}
	if s.Writes() != 1 {
		t.Errorf("%d writes, want 1", s.Writes())
	}

	// Absent again, it still counts its writes.
	g, err := grants.Change(t.Context(), "db", func(g flow.Grant) (flow.Grant, error) { return flow.Grant{Key: g.Key}, nil })
	if err != nil || g.Rev != 2 {
		t.Errorf("gone: revision %d, %v", g.Rev, err)
	}
}

func TestGrants_Change_Faults(t *testing.T) {
	t.Parallel()
	hold := func(g flow.Grant) (flow.Grant, error) {
		g.State = flow.GrantPresent
		return g, nil
	}
	_, err := store.Grants{Store: broken()}.Change(t.Context(), "db", hold)
	wantFault(t, err)
	if _, err := (store.Grants{Store: contended{memory()}}).Change(t.Context(), "db", hold); !errors.Is(err, store.ErrConflict) {
		t.Errorf("races lost without end: %v, want ErrConflict", err)
	}
}
