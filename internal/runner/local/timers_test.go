package local

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTimers holds them to a list that is searched from end to end.
func TestTimers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			key string
			at  time.Time
		}
		var all timers
		var model []entry
		var fired []entry
		forget := func(key string) {
			model = slices.DeleteFunc(model, func(e entry) bool { return e.key == key })
		}
		key := rapid.Map(rapid.IntRange(0, 9), func(n int) string { return fmt.Sprint("run", n) })
		at := rapid.Map(rapid.IntRange(0, 20), func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) })
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				e := entry{key.Draw(t, "key"), at.Draw(t, "at")}
				forget(e.key)
				model = append(model, e)
				all.set(e.key, e.at, func(context.Context) { fired = append(fired, e) })
			},
			"cancel": func(t *rapid.T) {
				k := key.Draw(t, "key")
				forget(k)
				all.cancel(k)
			},
			"over": func(t *rapid.T) {
				now := at.Draw(t, "now")
				fired = nil
				for _, do := range all.over(now) {
					do(t.Context())
				}
				if !slices.IsSortedFunc(fired, func(a, b entry) int { return a.at.Compare(b.at) }) {
					t.Fatalf("fired out of order: %v", fired)
				}
				for _, e := range fired {
					if !slices.Contains(model, e) || e.at.After(now) {
						t.Fatalf("%v fired at %s", e, now)
					}
					forget(e.key)
				}
			},
			"": func(t *rapid.T) {
				var want time.Time
				for _, e := range model {
					if want.IsZero() || e.at.Before(want) {
						want = e.at
					}
				}
				if got := all.next(); !got.Equal(want) {
					t.Fatalf("next is %s, want %s of %v", got, want, model)
				}
			},
		})
	})
}

// BenchmarkTimers moves one of so many timers, and asks for the next: what each
// change of a run costs while that many wait.
func BenchmarkTimers(b *testing.B) {
	for _, waiting := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			var all timers
			keys := make([]string, waiting)
			for n := range keys {
				keys[n] = fmt.Sprint("await#", n)
				all.set(keys[n], start.Add(time.Duration(n*7919%waiting)*time.Second), nil)
			}
			for n := 0; b.Loop(); n++ {
				all.set(keys[n%waiting], start.Add(time.Duration(n*104729%waiting)*time.Second), nil)
				if all.over(start.Add(-time.Second)) != nil || all.next().IsZero() {
					b.Fatal("a timer is lost")
				}
			}
		})
	}
}
