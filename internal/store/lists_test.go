package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// A run that is given another target moves to its listing; a late reader of an older
// state does not move it back. Who decided keeps it.
func TestLists(t *testing.T) {
	t.Parallel()
	s := &storetest.Memory{Now: func() time.Time { return start }}
	runs, lists := store.Runs{Store: s}, store.Lists{Store: s, Now: func() time.Time { return start }}
	run, err := runs.Put(t.Context(), flow.Run{ID: "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000", Created: start, Status: flow.Requested})
	if err != nil {
		t.Fatal(err)
	}
	follow := func(rev int64, target string, deciders ...string) {
		t.Helper()
		if err := lists.Follow(t.Context(), flow.Run{ID: run.ID, Rev: rev, Created: start}, target, deciders); err != nil {
			t.Fatal(err)
		}
	}
	want := func(value string, ids ...string) {
		t.Helper()
		page, err := runs.List(t.Context(), store.Query{By: store.ByStatus, Value: value})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range page.Runs {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("%s: %s", value, diff)
		}
	}
	follow(2, "orders")
	want(store.ListOfTarget("orders"), run.ID)
	follow(4, "billing", "bob")
	follow(3, "orders")
	want(store.ListOfTarget("orders"))
	want(store.ListOfTarget("billing"), run.ID)
	want(store.ListOfDecider("bob"), run.ID)
	follow(5, "billing", "carol")
	want(store.ListOfDecider("bob"), run.ID)
	want(store.ListOfDecider("carol"), run.ID)
	want(store.ListOfDecider("billing"))
}
