package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/symflows/symflows/internal/store"
)

// hold keeps the disk busy with a write until release is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	begun, free, held := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		held <- s.write(context.Background(), func(context.Context, transaction) error {
			close(begun)
			<-free
			return nil
		})
	}()
	<-begun
	return func() {
		t.Helper()
		close(free)
		if err := <-held; err != nil {
			t.Fatal(err)
		}
	}
}

// queue begins a write, and returns when n of them wait for their turn.
func queue(s *Store, n int, write func() error) <-chan error {
	waits, answer := make(chan struct{}), make(chan error, 1)
	tell := func(to func(int)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.queued = to
	}
	tell(func(waiting int) {
		if waiting == n {
			close(waits)
		}
	})
	go func() { answer <- write() }()
	<-waits
	tell(nil)
	return answer
}

// sharing runs writes that share a transaction, and gives their errors.
func sharing(t *testing.T, s *Store, writes ...func() error) (errs []error) {
	t.Helper()
	release := hold(t, s)
	var answers []<-chan error
	for i, write := range writes {
		answers = append(answers, queue(s, i+1, write))
	}
	release()
	for _, answer := range answers {
		errs = append(errs, <-answer)
	}
	return errs
}

// A conflict is the answer to the write that has it, and no other's.
func TestWrite_Together(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), now, "relay")
	put := func(key string, rev int64) func() error {
		return func() error {
			_, err := s.Put(context.Background(), store.Item{Key: key, Rev: rev, Writer: store.NewWriter()})
			return err
		}
	}
	var shared []*sql.Tx
	note := func() error {
		return s.write(context.Background(), func(_ context.Context, tx transaction) error {
			shared = append(shared, tx.Tx)
			return nil
		})
	}
	errs := sharing(t, s, note, put("run#a", 0), put("run#a", 0), put("run#a", 1), put("run#b", 0), put("run#b", 7), note)
	for i, conflict := range []bool{false, false, true, false, false, true, false} {
		if errors.Is(errs[i], store.ErrConflict) != conflict || !conflict && errs[i] != nil {
			t.Errorf("write %d: %v, want a conflict: %t", i, errs[i], conflict)
		}
	}
	if shared[0] != shared[1] {
		t.Error("the writes did not share a transaction")
	}
	changes, err := s.Changes(t.Context(), "relay", 10)
	if want := []store.Change{{Key: "run#a", Rev: 1}, {Key: "run#a", Rev: 2}, {Key: "run#b", Rev: 1}}; err != nil || !slices.Equal(changes, want) {
		t.Errorf("changes %v, %v; want %v", changes, err, want)
	}
}

// A failure leaves nothing of any of them, and everybody is told.
func TestWrite_OneFails(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), now)
	broken := errors.New("the disk is full")
	put := func(key string) func() error {
		return func() error {
			_, err := s.Put(context.Background(), store.Item{Key: key, Writer: store.NewWriter()})
			return err
		}
	}
	fail := func() error {
		return s.write(context.Background(), func(context.Context, transaction) error { return broken })
	}
	for i, err := range sharing(t, s, put("run#a"), fail, put("run#b")) {
		if !errors.Is(err, broken) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	for _, key := range []string{"run#a", "run#b"} {
		if _, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := put("run#a")(); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

// A caller that stops waiting is answered at once, and does not hold up the other
// writes.
func TestWrite_Cancelled(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), now)
	put := func(ctx context.Context, key string) func() error {
		return func() error {
			_, err := s.Put(ctx, store.Item{Key: key, Writer: store.NewWriter()})
			return err
		}
	}
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := queue(s, 1, put(ctx, "run#a"))
	other := queue(s, 2, put(t.Context(), "run#b"))
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the write whose context has ended: %v", err)
	}
	release()
	if err := <-other; err != nil {
		t.Errorf("the other write: %v", err)
	}
}

// The log is carried over into the database long before SQLite would.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	s := open(t, path, now)
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	done := make(chan struct{}) // it goes on beside us
	s.checkpointed = sync.OnceFunc(func() { close(done) })
	before := size()
	for range checkpointEvery {
		item := store.Item{Key: "run#" + store.NewWriter(), Writer: store.NewWriter(), Body: make([]byte, 4096)}
		if _, err := s.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	if size() == before {
		t.Error("the database is as small as before")
	}
}
