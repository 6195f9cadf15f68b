package sqlite

import (
	stdcmp "cmp"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/symflows/symflows/internal/store"
)

// feed is a store with shorthands that fail the test.
type feed struct {
	*testing.T
	s *Store
}

func openFeed(t *testing.T, path string, consumers ...string) feed {
	t.Helper()
	return feed{t, open(t, path, now, consumers...)}
}

func (f feed) put(key string, rev int64) {
	f.Helper()
	if _, err := f.s.Put(f.Context(), store.Item{Key: key, Rev: rev - 1, Writer: store.NewWriter()}); err != nil {
		f.Fatal(err)
	}
}

// wantChanges checks what a consumer is given: "key@rev".
func (f feed) wantChanges(consumer string, limit int, want ...string) {
	f.Helper()
	changes, err := f.s.Changes(f.Context(), consumer, stdcmp.Or(limit, 50))
	if err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprint(c.Key, "@", c.Rev))
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("changes for %s (-want +got):\n%s", consumer, diff)
	}
}

func (f feed) seen(consumer string, n int) {
	f.Helper()
	if err := f.s.Seen(f.Context(), consumer, n); err != nil {
		f.Fatal(err)
	}
}

// wantKept checks how long the log is.
func (f feed) wantKept(want int) {
	f.Helper()
	var n int
	if err := f.s.reader.QueryRow("SELECT count(*) FROM changes").Scan(&n); err != nil || n != want {
		f.Errorf("%d changes are kept, %v; want %d", n, err, want)
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	f := openFeed(t, filepath.Join(t.TempDir(), "sym.db"), "relay", "notify")
	f.wantChanges("relay", 0)
	f.put("run#a", 1)
	f.put("run#b", 1)
	f.put("run#a", 2)
	f.wantChanges("relay", 0, "run#a@1", "run#b@1", "run#a@2")
	f.wantChanges("relay", 2, "run#a@1", "run#b@1")
	f.seen("relay", 1)
	f.seen("relay", 0)
	f.wantChanges("relay", 2, "run#b@1", "run#a@2")
	f.wantChanges("notify", 0, "run#a@1", "run#b@1", "run#a@2")

	// Piece by piece.
	f.seen("relay", 1)
	f.seen("relay", 1)
	f.wantChanges("relay", 0)
	f.put("run#c", 1)
	f.wantChanges("relay", 0, "run#c@1")
	f.wantChanges("notify", 0, "run#a@1", "run#b@1", "run#a@2", "run#c@1")
}

func TestFeed_OnlyWhatWasWritten(t *testing.T) {
	t.Parallel()
	f := openFeed(t, filepath.Join(t.TempDir(), "sym.db"), "relay")
	item := store.Item{Key: "run#a", Writer: "one"}
	for range 2 { // the second time the first one's answer was lost
		if _, err := f.s.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	item.Writer = "two"
	if _, err := f.s.Put(t.Context(), item); err == nil {
		t.Error("a conflict was no error")
	}
	if err := f.s.Delete(t.Context(), "run#a", 1); err != nil {
		t.Fatal(err)
	}
	f.wantChanges("relay", 0, "run#a@1")
}

func TestFeed_OnlyWhatIsFollowed(t *testing.T) {
	t.Parallel()
	f := openFeed(t, filepath.Join(t.TempDir(), "sym.db"), "relay")
	for _, key := range []string{"msg#a", "wait#a", "run#a", "leaf#a", "home#a", "notice#a", "identity#a"} {
		f.put(key, 1)
	}
	f.wantChanges("relay", 0, "run#a@1", "home#a@1", "notice#a@1", "identity#a@1")
}

func TestFeed_SeenTooMuch(t *testing.T) {
	t.Parallel()
	f := openFeed(t, filepath.Join(t.TempDir(), "sym.db"), "relay")
	if err := f.s.Seen(t.Context(), "relay", 1); err == nil {
		t.Error("seen before anything was given: no error")
	}
	f.put("run#a", 1)
	f.wantChanges("relay", 0, "run#a@1")
	f.put("run#b", 1)
	if err := f.s.Seen(t.Context(), "relay", 2); err == nil {
		t.Error("seen more than was given: no error")
	}
	f.seen("relay", 1)
	if err := f.s.Seen(t.Context(), "relay", 1); err == nil {
		t.Error("seen the same twice: no error")
	}
	f.wantChanges("relay", 0, "run#b@1")
}

func TestFeed_Unknown(t *testing.T) {
	t.Parallel()
	f := openFeed(t, filepath.Join(t.TempDir(), "sym.db"), "relay")
	if _, err := f.s.Changes(t.Context(), "nobody", 0); err == nil {
		t.Error("changes for a consumer that Open was not told of: no error")
	}
}

func TestFeed_Trimmed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")

	// A short command that comes first has no consumers: all is kept.
	first := openFeed(t, path)
	first.put("token#a", 1)
	first.wantKept(1)

	f := openFeed(t, path, "relay", "notify")
	f.put("run#a", 1)
	f.wantChanges("relay", 0, "token#a@1", "run#a@1")
	f.seen("relay", 2)
	f.wantKept(2)
	f.wantChanges("notify", 0, "token#a@1", "run#a@1")
	f.seen("notify", 1)
	f.wantKept(1)
	f.seen("notify", 1)
	f.wantKept(0)

	// Numbers are not given again: places stay right.
	again := openFeed(t, path, "relay", "notify")
	again.put("run#b", 1)
	again.wantChanges("relay", 0, "run#b@1")
	again.wantChanges("notify", 0, "run#b@1")
}

func TestFeed_OutlivesTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	f := openFeed(t, path, "relay", "notify")
	f.put("run#a", 1)
	f.put("run#b", 1)
	f.wantChanges("relay", 0, "run#a@1", "run#b@1")
	f.seen("relay", 1)

	f = openFeed(t, path) // a short command moves no consumer
	f.put("run#c", 1)

	f = openFeed(t, path, "notify", "relay")
	f.wantChanges("relay", 0, "run#b@1", "run#c@1")
	f.wantChanges("notify", 0, "run#a@1", "run#b@1", "run#c@1")
}

func TestFeed_OtherConsumers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	f := openFeed(t, path, "relay", "old")
	f.put("run#a", 1)
	f.put("run#b", 1)
	f.wantChanges("relay", 0, "run#a@1", "run#b@1")
	f.seen("relay", 2)

	// The one that is gone holds nothing back; the new one has what is left.
	f = openFeed(t, path, "relay", "new")
	f.wantChanges("new", 0, "run#a@1", "run#b@1")
	f.seen("new", 2)
	f.wantKept(0)
	f.wantChanges("relay", 0)
}

func TestFeed_OtherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	server, command := openFeed(t, path, "relay"), feed{t, beside(t, path, now)}
	const each = 20
	var all sync.WaitGroup
	for _, f := range []feed{server, command} {
		all.Go(func() {
			for n := range int64(each) {
				f.put(fmt.Sprintf("token#%p", f.s), n+1)
			}
		})
	}
	all.Wait()
	changes, err := server.s.Changes(t.Context(), "relay", 200)
	if err != nil || len(changes) != 2*each {
		t.Errorf("%d changes, %v; want %d", len(changes), err, 2*each)
	}
}

// Consumers that look after each write see every one.
func TestFeed_NothingIsMissed(t *testing.T) {
	t.Parallel()
	consumers := []string{"relay", "notify"}
	f := openFeed(t, filepath.Join(t.TempDir(), "sym.db"), consumers...)
	const writers, each = 3, 30
	var all sync.WaitGroup
	written := map[string]chan struct{}{}
	for _, consumer := range consumers {
		wake := make(chan struct{}, writers*each)
		written[consumer] = wake
		all.Go(func() {
			got := map[store.Change]bool{}
			for range wake {
				changes, err := f.s.Changes(t.Context(), consumer, 7)
				if err != nil {
					t.Error(err)
					return
				}
				for _, c := range changes {
					got[c] = true
				}
				if err := f.s.Seen(t.Context(), consumer, len(changes)); err != nil {
					t.Error(err)
					return
				}
				if len(got) == writers*each {
					return
				}
			}
		})
	}
	for w := range writers {
		all.Go(func() {
			for n := range int64(each) {
				_, err := f.s.Put(t.Context(), store.Item{Key: fmt.Sprint("run#", w), Rev: n, Writer: fmt.Sprint(n)})
				if err != nil {
					t.Error(err)
				}
				for _, consumer := range consumers {
					written[consumer] <- struct{}{}
				}
			}
		})
	}
	all.Wait()
	f.wantKept(0)
}
