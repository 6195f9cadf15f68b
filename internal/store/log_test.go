package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func TestLog(t *testing.T) {
	t.Parallel()
	l := store.Log{Store: &storetest.Memory{Now: time.Now}}
	head, rev, err := l.Head(t.Context())
	if err != nil || rev != 0 || head.Size != 0 || head.Pending != nil {
		t.Fatalf("an empty log: %+v, %d, %v", head, rev, err)
	}
	head = store.LogHead{Size: 7, Root: []byte("root"), Pending: []store.LogEntry{{ID: "a", Rev: 2, Text: "{}"}}}
	if rev, err = l.SetHead(t.Context(), head, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := l.SetHead(t.Context(), store.LogHead{}, 0); !errors.Is(err, store.ErrConflict) {
		t.Errorf("over an older state: %v", err)
	}
	got, again, err := l.Head(t.Context())
	if diff := cmp.Diff(head, got); diff != "" || again != rev || err != nil {
		t.Errorf("%s (revision %d of %d, %v)", diff, again, rev, err)
	}

	if _, ok, err := l.Place(t.Context(), "a", 2); ok || err != nil {
		t.Errorf("before it has a place: %v, %v", ok, err)
	}
	for index := range int64(2) { // the first place stays
		if err := l.SetPlace(t.Context(), "a", 2, store.LogPlace{Index: 7 + index, Hash: []byte("hash")}); err != nil {
			t.Fatal(err)
		}
	}
	if p, ok, err := l.Place(t.Context(), "a", 2); !ok || err != nil || p.Index != 7 || string(p.Hash) != "hash" {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	if _, ok, _ := l.Place(t.Context(), "a", 3); ok {
		t.Error("another state has the place")
	}
}

// The answer to a write that has happened is lost: it has happened all the same.
func TestLog_AnswerLost(t *testing.T) {
	t.Parallel()
	faulty := &storetest.Faulty{Store: &storetest.Memory{Now: time.Now}, Fault: func(n int) storetest.Fault {
		if n == 1 {
			return storetest.AnswerLost
		}
		return storetest.None
	}}
	if _, err := (store.Log{Store: faulty}).SetHead(t.Context(), store.LogHead{Size: 1}, 0); err != nil {
		t.Error(err)
	}
}
