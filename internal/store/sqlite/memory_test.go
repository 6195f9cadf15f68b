package sqlite

import (
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/symflows/symflows/internal/store"
)

// beside opens a file as commands do that run beside the server.
func beside(t testing.TB, path string, now func() time.Time) *Store {
	t.Helper()
	s, err := Beside(path, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Whatever is written, deleted, expires, fails, or does not fit into the memory: a
// read gives what the database gives to somebody who has no memory.
func TestMemory_SaysWhatIsStored(t *testing.T) {
	t.Parallel()
	path, clock, n := filepath.Join(t.TempDir(), "sym.db"), start, 0
	now := func() time.Time { return clock }
	broken := errors.New("the disk is broken")
	var fails error
	reserve := &Reserve{Path: path + ".reserve", Size: 1, Before: func() error { return fails }}
	s, err := reserve.Open(path, now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.memory.limit = 4000 // three or so
	plain := beside(t, path, now)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		n++
		key := rapid.Map(rapid.SampledFrom([]string{"run#a", "run#b", "msg#a", "home#T1#U1", "grant#g", "wait#a"}), func(key string) string {
			return fmt.Sprint(key, n)
		})
		same := func(key string) store.Item {
			got, err := s.Get(ctx, key)
			want, wantErr := plain.Get(ctx, key)
			if !errors.Is(err, wantErr) || !cmp.Equal(want, got, cmpopts.EquateEmpty()) {
				t.Fatalf("%s is %+v, %v; stored is %+v, %v", key, got, err, want, wantErr)
			}
			size := 0
			for _, e := range s.memory.held {
				size += e.Value.(held).size()
			}
			if size != s.memory.bytes || size > s.memory.limit {
				t.Fatalf("%d bytes are held and %d counted, of at most %d", size, s.memory.bytes, s.memory.limit)
			}
			return got
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				item := same(key.Draw(t, "key"))
				item = store.Item{
					Key: stdcmp.Or(item.Key, key.Draw(t, "new key")), Rev: item.Rev - rapid.Int64Range(0, item.Rev).Draw(t, "behind")*rapid.Int64Range(0, 1).Draw(t, "conflict"),
					Writer: store.NewWriter(), Body: rapid.SliceOfN(rapid.Byte(), 0, 800).Draw(t, "body"),
				}
				if rapid.Bool().Draw(t, "expires") {
					item.Expires = clock.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "in")) * time.Minute)
				}
				_, _ = s.Put(ctx, item) // a conflict is as good
				same(item.Key)
			},
			"delete": func(t *rapid.T) {
				item := same(key.Draw(t, "key"))
				if item.Key == "" {
					return
				}
				if err := s.Delete(ctx, item.Key, item.Rev); err != nil {
					t.Fatal(err)
				}
				same(item.Key)
			},
			"fail": func(t *rapid.T) {
				fails = broken
				_, err := s.Put(ctx, store.Item{Key: key.Draw(t, "key"), Writer: store.NewWriter()})
				if fails = nil; !errors.Is(err, broken) {
					t.Fatalf("the write: %v", err)
				}
			},
			"later": func(*rapid.T) { clock = clock.Add(time.Minute) },
			"":      func(t *rapid.T) { same(key.Draw(t, "key")) },
		})
	})
}

// Who learns of a change from the feed never reads what was there before it, and no
// reader sees an item go back.
func TestMemory_NothingOlderThanTheFeed(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), now, "relay")
	s.memory.limit = 5000
	const keys, each = 8, 50
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers, readers sync.WaitGroup
	for k := range keys {
		key := fmt.Sprint("run#", k)
		writers.Go(func() {
			for rev := range int64(each) {
				if _, err := s.Put(t.Context(), store.Item{Key: key, Rev: rev, Writer: store.NewWriter(), Body: make([]byte, 100)}); err != nil {
					t.Error(err)
				}
			}
		})
		readers.Go(func() {
			for last := int64(0); ctx.Err() == nil; {
				item, err := s.Get(t.Context(), key)
				if err != nil && !errors.Is(err, store.ErrNotFound) || item.Rev < last {
					t.Errorf("%s is at %d, %v; it was at %d", key, item.Rev, err, last)
					return
				}
				last = item.Rev
			}
		})
	}
	readers.Go(func() {
		for seen := 0; seen < keys*each && ctx.Err() == nil; {
			changes, err := s.Changes(t.Context(), "relay", 50)
			if err != nil {
				t.Error(err)
				return
			}
			for _, c := range changes {
				if item, err := s.Get(t.Context(), c.Key); err != nil || item.Rev < c.Rev {
					t.Errorf("%s is at %d, %v; the feed has told of %d", c.Key, item.Rev, err, c.Rev)
				}
			}
			if err := s.Seen(t.Context(), "relay", len(changes)); err != nil {
				t.Error(err)
			}
			seen += len(changes)
		}
	})
	writers.Wait()
	cancel()
	readers.Wait()
}

// What was written or read, or found missing, is not read again; other processes may
// write the rest.
func TestMemory_SparesReads(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	first := open(t, path, now)
	for _, key := range []string{"run#read", "token#a"} {
		if _, err := first.Put(t.Context(), store.Item{Key: key, Writer: "w"}); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path, now)
	if _, err := s.Put(t.Context(), store.Item{Key: "run#written", Writer: "w"}); err != nil {
		t.Fatal(err)
	}
	get := func(key string) error {
		_, err := s.Get(t.Context(), key)
		return err
	}
	for _, key := range []string{"run#read", "run#missing", "token#a"} {
		if err := get(key); err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if err := s.reader.Close(); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]error{"run#read": nil, "run#written": nil, "run#missing": store.ErrNotFound} {
		if err := get(key); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
	if err := get("token#a"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("a token was not looked for in the database: %v", err)
	}
}

// An item that is being committed is neither given nor learned, and a commit that
// fails empties the memory.
func TestMemory_WhileCommitted(t *testing.T) {
	t.Parallel()
	m := newMemory(memoryBytes)
	at := func(rev int64) store.Item { return store.Item{Key: "run#a", Rev: rev} }
	want := func(when string, rev int64) {
		t.Helper()
		item, _, found := m.get("run#a", start)
		if found != (rev != 0) || item.Rev != rev {
			t.Errorf("%s: revision %d is held (%v), want %d", when, item.Rev, found, rev)
		}
	}
	learn := func(learned func(*store.Item), rev int64) { item := at(rev); learned(&item) }

	learn(m.read("run#a"), 1)
	want("after a read", 1)
	before := m.read("run#a")
	done := m.change([]store.Item{at(2)})
	want("in a commit", 0)
	during := m.read("run#a")
	learn(before, 1)
	learn(during, 1)
	want("after reads in a commit", 0)
	late := m.read("run#a")
	done(nil)
	want("after the commit", 2)
	learn(late, 1)
	want("after a read that began in the commit", 2)

	done = m.change([]store.Item{{Key: "run#b", Rev: 1}})
	want("in another's commit", 2)
	done(errors.New("the disk is broken"))
	want("after a commit that failed", 0)
	if m.bytes != 0 || len(m.reading)+len(m.committing) != 0 {
		t.Errorf("left over: %+v", m)
	}
}

// What was written is held as it was then.
func TestMemory_Copies(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), now)
	body := []byte("as written")
	if _, err := s.Put(t.Context(), store.Item{Key: "run#a", Writer: "w", Body: body}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		item, err := s.Get(t.Context(), "run#a")
		if err != nil || string(item.Body) != "as written" {
			t.Fatalf("it is %q, %v", item.Body, err)
		}
		copy(body, "changed...")
	}
}

// A command beside the server writes nothing that the server has in memory, and what
// it does write the server sees at once.
func TestBeside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	server := open(t, path, now)
	command := beside(t, path, now)
	for _, kind := range store.Kinds() {
		key := string(kind)
		if !kind.Single() {
			key += "a"
		}
		_, _ = server.Get(t.Context(), key) // so that it would know
		_, err := command.Put(t.Context(), store.Item{Key: key, Writer: "w"})
		if refused := err != nil && strings.Contains(err.Error(), "only the server writes"); refused != store.OneWriter(key) {
			t.Errorf("put %s: %v", key, err)
		}
		if _, found := server.Get(t.Context(), key); (found == nil) != (err == nil) {
			t.Errorf("%s: the command's write: %v, the server's read: %v", key, err, found)
		}
		if err := command.Delete(t.Context(), key, 1); (err != nil) != store.OneWriter(key) {
			t.Errorf("delete %s: %v", key, err)
		}
	}
}
