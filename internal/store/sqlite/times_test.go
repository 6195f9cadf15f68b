package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func wantTimes(t *testing.T, times Times, want map[string]time.Time) {
	t.Helper()
	got, err := times.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	times := open(t, path, now).Times()
	wantTimes(t, times, map[string]time.Time{})
	for _, set := range []struct {
		name    string
		seconds int
	}{{"a", 10}, {"b", 20}, {"c", 30}, {"a", 40}, {"b", 5}} {
		if err := times.Set(t.Context(), set.name, at(set.seconds)); err != nil {
			t.Fatal(err)
		}
	}
	wantTimes(t, times, map[string]time.Time{"a": at(40), "b": at(5), "c": at(30)})
	for range 2 { // deleting twice succeeds
		if err := times.Delete(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
	}
	// Another process finds the same.
	wantTimes(t, open(t, path, now).Times(), map[string]time.Time{"a": at(40), "b": at(5)})
}

func TestTimes_Cancelled(t *testing.T) {
	t.Parallel()
	times := open(t, filepath.Join(t.TempDir(), "sym.db"), now).Times()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := times.Set(ctx, "a", start); err == nil {
		t.Error("set: no error")
	}
	if err := times.Delete(ctx, "a"); err == nil {
		t.Error("delete: no error")
	}
	if _, err := times.All(ctx); err == nil {
		t.Error("all: no error")
	}
	wantTimes(t, times, map[string]time.Time{})
}
