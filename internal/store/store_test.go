package store_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// start is when every test begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return start }

func memory() *storetest.Memory { return &storetest.Memory{Now: now} }

// counted counts writes and lets them be.
func counted() *storetest.Faulty {
	return &storetest.Faulty{Store: memory(), Fault: func(int) storetest.Fault { return storetest.None }}
}

// broken fails each write.
func broken() store.Store {
	return &storetest.Faulty{Store: memory(), Fault: func(int) storetest.Fault { return storetest.NotApplied }}
}

// contended is a store in which another write always comes first.
type contended struct{ store.Store }

func (contended) Put(context.Context, store.Item) (int64, error) { return 0, store.ErrConflict }

// raced is a store in which another write comes first a few times.
type raced struct {
	store.Store
	left atomic.Int64
	race func()
}

func (r *raced) Put(ctx context.Context, item store.Item) (int64, error) {
	if r.left.Add(-1) >= 0 {
		r.race()
	}
	return r.Store.Put(ctx, item)
}

func wantCode(t *testing.T, err error, want flow.Code) {
	t.Helper()
	if flow.CodeOf(err) != want {
		t.Errorf("error %v has code %q, want %q", err, flow.CodeOf(err), want)
	}
}

func wantFault(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, storetest.ErrFault) {
		t.Errorf("error %v, want that of the store", err)
	}
}

func alice() flow.Actor {
	return flow.Actor{ID: flow.UserID("sym", "alice@example.com"), Kind: flow.KindPerson, Email: "alice@example.com", SlackID: "UALICE", SlackTeam: "T1"}
}
