package store_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// TestDestinations_Owner: whoever sends to a destination knows whose it is, be it published
// before that was looked at.
func TestDestinations_Owner(t *testing.T) {
	t.Parallel()
	d := store.Destinations{Store: &storetest.Memory{Now: func() time.Time { return start }}}
	for owner, name := range map[entity.Owner]string{entity.Files: "lake", entity.API: "siem"} {
		if err := d.Publish(t.Context(), flow.Author{}, owner, []flow.LogDestination{{Name: name, Type: "http"}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	list, err := d.List(t.Context())
	if err != nil || len(list) != 2 || list[0].ByAPI || !list[1].ByAPI {
		t.Errorf("listed are %+v, %v", list, err)
	}
}

// TestDestinations_OneName: destinations of one name, which the API's have by what they are
// sent to, each have a cursor of their own. What was published when they had one goes on
// from there.
func TestDestinations_OneName(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), &storetest.Memory{Now: func() time.Time { return start }}
	d := store.Destinations{Store: s}
	publish := func(owner entity.Owner, size int64, list ...flow.LogDestination) {
		t.Helper()
		if err := d.Publish(ctx, flow.Author{}, owner, list, size); err != nil {
			t.Fatal(err)
		}
	}
	next := func(of flow.LogDestination) int64 {
		t.Helper()
		c, err := d.Cursor(ctx, of)
		if err != nil {
			t.Fatal(err)
		}
		return c.Next
	}
	// What an earlier release has left: cursors by name, with what is in force without ids.
	file, byAPI := flow.LogDestination{Name: "Lake", Type: "http"}, flow.LogDestination{Name: "logs", Type: "http"}
	publish(entity.Files, 0, file)
	publish(entity.API, 0, byAPI)
	for name, at := range map[string]int64{"lake": 7, "logs": 8} {
		body, err := json.Marshal(store.Cursor{Next: at})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(ctx, store.Item{Key: store.KindCursor.Key(name), Writer: store.NewWriter(), Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	for _, of := range []flow.LogDestination{file, byAPI} {
		item, err := s.Get(ctx, store.KindCursor.Key(of.Key()))
		if err == nil {
			err = s.Delete(ctx, item.Key, item.Rev)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	byAPI.ID = "00000000-0000-4000-8000-000000000001"
	other, typed := byAPI, flow.LogDestination{Name: "lake", Type: "s3"}
	other.ID = "00000000-0000-4000-8000-000000000002"
	publish(entity.Files, 20, file, typed)
	publish(entity.API, 20, byAPI)
	publish(entity.API, 20, byAPI, other)
	for _, want := range []struct {
		of   flow.LogDestination
		next int64
	}{{file, 7}, {byAPI, 8}, {typed, 20}, {other, 20}} {
		if got := next(want.of); got != want.next {
			t.Errorf("%s begins at %d, want %d", want.of.Key(), got, want.next)
		}
	}
	c, err := d.Cursor(ctx, byAPI)
	if err != nil {
		t.Fatal(err)
	}
	c.Next = 9
	if c, err = d.SetCursor(ctx, byAPI, c); err != nil {
		t.Fatal(err)
	}
	if _, err = d.SetCursor(ctx, byAPI, c); err != nil || next(byAPI) != 9 || next(other) != 20 {
		t.Errorf("%d and %d, %v", next(byAPI), next(other), err)
	}
	// One that is sent elsewhere goes on where it was, and its name is free.
	byAPI.Name = "elsewhere"
	publish(entity.API, 30, byAPI, other)
	if next(byAPI) != 9 {
		t.Errorf("renamed, it begins at %d", next(byAPI))
	}
	for name, want := range map[string]string{"ELSEWHERE": byAPI.ID, "logs": other.ID, other.ID: other.ID, "s3/lake": "s3/lake", "lake": "", "nothing": ""} {
		got, err := d.Named(ctx, name)
		if (want == "") != (err != nil) || err == nil && got.Key() != want {
			t.Errorf("%s is %q, %v", name, got.Key(), err)
		}
	}
	if _, err := d.Named(ctx, "lake"); flow.CodeOf(err) != flow.CodeInvalid || !strings.Contains(err.Error(), "http/lake or s3/lake") {
		t.Errorf("error %v", err)
	}
	if _, err := d.Named(ctx, "nothing"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}
