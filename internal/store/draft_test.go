package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// TestDraft: what is written to a draft is seen in it, and nowhere else.
func TestDraft(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	below := &storetest.Memory{Now: time.Now}
	put := func(s store.Store, key, body string, rev int64) int64 {
		t.Helper()
		rev, err := s.Put(ctx, store.Item{Key: key, Rev: rev, Writer: store.NewWriter(), Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	shows := func(s store.Store, key, want string) {
		t.Helper()
		item, err := s.Get(ctx, key)
		if want == "" {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s is there: %q, %v", key, item.Body, err)
			}
			return
		}
		if err != nil || string(item.Body) != want {
			t.Errorf("%s is %q, %v; want %q", key, item.Body, err, want)
		}
	}
	put(below, "flow#a", "old", 0)
	put(below, "flow#b", "kept", 0)
	d := &store.Draft{Below: below}
	if rev := put(d, "flow#a", "new", 1); rev != 2 {
		t.Errorf("the draft's revision is %d", rev)
	}
	put(d, "flow#c", "own", 0)
	shows(d, "flow#a", "new")
	shows(d, "flow#b", "kept")
	shows(d, "flow#c", "own")
	shows(below, "flow#a", "old")
	shows(below, "flow#c", "")

	// What is hidden of the table below is not looked at, and can be written anew.
	blind := &store.Draft{Below: below, Hidden: []store.Kind{store.KindFlow}}
	shows(blind, "flow#b", "")
	put(blind, "flow#b", "own", 0)
	shows(blind, "flow#b", "own")

	// Writers are told of conflicts, and known again, as by any store.
	again := store.Item{Key: "flow#c", Rev: 1, Writer: "w", Body: []byte("twice")}
	for range 2 {
		if rev, err := d.Put(ctx, again); rev != 2 || err != nil {
			t.Errorf("a repeated write gives %d, %v", rev, err)
		}
	}
	if _, err := d.Put(ctx, store.Item{Key: "flow#b", Rev: 7, Writer: "v", Body: []byte("lost")}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a write on another revision: %v", err)
	}

	mark := d.Mark()
	put(d, "flow#a", "newer", 2)
	if err := d.Delete(ctx, "flow#b", 1); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(ctx, "flow#c", 1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a delete of another revision: %v", err)
	}
	shows(d, "flow#b", "")
	shows(below, "flow#b", "kept")
	for range 2 {
		d.Back(mark)
		shows(d, "flow#a", "new")
		shows(d, "flow#b", "kept")
		put(d, "flow#a", "once more", 2)
	}
	q := store.Query{By: store.ByKind, Value: "flow#"}
	page, err := d.List(ctx, q)
	if err != nil || len(page.Items) != 2 {
		t.Errorf("the listing has %d items, %v", len(page.Items), err)
	}
	if page, err = new(store.Draft).List(ctx, q); err != nil || len(page.Items) != 0 {
		t.Errorf("that of an empty draft has %d items, %v", len(page.Items), err)
	}
	shows(new(store.Draft), "flow#a", "")
}
