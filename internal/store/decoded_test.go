package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// Runs that are kept decoded are as those that are not, after every change, and what a
// reader does to one is nobody else's.
func TestDecoded(t *testing.T) {
	t.Parallel()
	table := &storetest.Memory{Now: time.Now}
	plain, kept := store.Runs{Store: table}, store.Runs{Store: table, Decoded: new(store.Decoded)}
	r := flow.Run{ID: flow.RunIDFrom("sym", "a"), Fields: map[string]any{"n": 1, "list": []string{"x"}}, Tiers: []flow.Tier{{Channel: "#a"}}}
	for n := range 5 {
		r.FlowTitle = fmt.Sprint("title ", n)
		var err error
		if r, err = plain.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		want, err := plain.Get(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got, err := kept.Get(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("revision %d (-stored +kept):\n%s", n, diff)
			}
			shared, err := kept.Shared().Get(t.Context(), r.ID)
			if diff := cmp.Diff(want, shared); err != nil || diff != "" {
				t.Fatalf("revision %d, shared: %v (-stored +shared):\n%s", n, err, diff)
			}
			got.Fields["n"], got.Tiers[0].Channel = "changed", "#changed"
			got.Fields["list"].([]any)[0] = "changed"
		}
	}
}

// Whoever only looks is given no copy of his own.
func TestDecoded_Shared(t *testing.T) {
	t.Parallel()
	runs := store.Runs{Store: &storetest.Memory{Now: time.Now}, Decoded: new(store.Decoded)}
	r, err := runs.Put(t.Context(), flow.Run{ID: flow.RunIDFrom("sym", "a"), Tiers: []flow.Tier{{Channel: "#a"}}})
	if err != nil {
		t.Fatal(err)
	}
	var first *flow.Tier
	for range 2 {
		got, err := runs.Shared().Get(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = &got.Tiers[0]
		}
		if &got.Tiers[0] != first {
			t.Error("it was copied")
		}
	}
}

// A run that is deleted and made anew begins at revision 1 again.
func TestDecoded_MadeAnew(t *testing.T) {
	t.Parallel()
	table := &storetest.Memory{Now: time.Now}
	runs := store.Runs{Store: table, Decoded: new(store.Decoded)}
	for _, title := range []string{"first", "second"} {
		r, err := runs.Put(t.Context(), flow.Run{ID: flow.RunIDFrom("sym", "a"), FlowTitle: title})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := runs.Get(t.Context(), r.ID); err != nil || got.FlowTitle != title {
			t.Errorf("it is %q, %v; want %q", got.FlowTitle, err, title)
		}
		if err := table.Delete(t.Context(), store.KindRun.Key(r.ID), r.Rev); err != nil {
			t.Fatal(err)
		}
	}
}

// Many at once, each of whom changes what was read.
func TestDecoded_AtOnce(t *testing.T) {
	t.Parallel()
	runs := store.Runs{Store: &storetest.Memory{Now: time.Now}, Decoded: new(store.Decoded)}
	if _, err := runs.Put(t.Context(), flow.Run{ID: flow.RunIDFrom("sym", "a"), Fields: map[string]any{"n": 1}, Tiers: []flow.Tier{{}}}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				r, err := runs.Get(context.Background(), flow.RunIDFrom("sym", "a"))
				if err != nil || r.Fields["n"] != 1.0 {
					t.Errorf("%v, %v", r.Fields, err)
					return
				}
				r.Fields["n"], r.Tiers[0].Channel = 2, "#x"
			}
		})
	}
	all.Wait()
}
