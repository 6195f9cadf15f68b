package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// TestNotices: what a notice is about is told once a day and channel, and a
// channel that was told stays told.
func TestNotices(t *testing.T) {
	t.Parallel()
	ctx, at := t.Context(), start
	clock := func() time.Time { return at }
	s := &storetest.Memory{Now: clock}
	notices := store.Notices{Store: s, Now: clock}
	names := func() (all []string) {
		t.Helper()
		page, err := s.List(ctx, store.Query{By: store.ByKind, Value: string(store.KindNotice)})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			name, _ := store.KindNotice.Name(item.Key)
			all = append(all, name)
		}
		return all
	}
	tell := func(about, text, channel string, want int) {
		t.Helper()
		if err := notices.Tell(ctx, about, text, channel); err != nil {
			t.Fatal(err)
		}
		if got := names(); len(got) != want {
			t.Errorf("%d notices, want %d", len(got), want)
		}
	}
	tell("channel #a", "first words", "", 1)
	name := names()[0]
	for _, channel := range []string{"#errors", "#errors", "#ops"} {
		if err := notices.Sent(ctx, name, channel); err != nil {
			t.Fatal(err)
		}
	}
	tell("channel #a", "other words", "", 1)
	n, err := notices.Get(ctx, name)
	if err != nil || n.Text != "first words" || !slices.Equal(n.Sent, []string{"#errors", "#ops"}) {
		t.Errorf("%+v, %v", n, err)
	}
	tell("channel #b", "first words", "", 2)
	tell("channel #a", "first words", "#errors", 3)
	at = at.Add(24 * time.Hour)
	tell("channel #a", "first words", "", 4)
	at = at.Add(7 * 24 * time.Hour)
	if _, err := notices.Get(ctx, name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it is kept for ever: %v", err)
	}
	if err := notices.Sent(ctx, name, "#late"); err != nil {
		t.Errorf("over: %v", err)
	}
	notices.Store = broken()
	wantFault(t, notices.Tell(ctx, "a", "b", ""))
}
