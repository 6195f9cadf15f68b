package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// fullDisk is a database that SQLite itself keeps from growing, while the file of
// its reserve is there.
type fullDisk struct {
	*testing.T
	store   *Store
	reserve *Reserve
	given   int   // times that the reserve was given up
	freed   int   // pages that giving it up frees
	free    int64 // bytes
}

func newFullDisk(t *testing.T) *fullDisk {
	t.Helper()
	d := &fullDisk{T: t, freed: 1000, free: 10 << 10}
	dir := t.TempDir()
	d.reserve = &Reserve{
		Path: filepath.Join(dir, "reserve"), Size: 8 << 10, GivenUp: func() { d.given++ }, Free: func() (int64, error) { return d.free, nil },
	}
	var err error
	if d.store, err = d.reserve.Open(filepath.Join(dir, "sym.db"), now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// fill lets the database grow no more, but for what the reserve frees.
func (d *fullDisk) fill() {
	d.Helper()
	var pages int
	if err := d.store.writer.QueryRowContext(d.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		d.Fatal(err)
	}
	d.free = 0
	d.reserve.Before = func() error {
		most := pages
		if _, err := os.Stat(d.reserve.Path); errors.Is(err, os.ErrNotExist) {
			most += d.freed
		}
		_, err := d.store.writer.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", most))
		return err
	}
}

func (d *fullDisk) put(key string) error {
	_, err := d.store.Put(d.Context(), store.Item{Key: key, Writer: store.NewWriter(), Body: make([]byte, 64<<10)})
	return err
}

// A write that finds the disk full is carried out in the room of the reserve, which
// is made again when there is room for it and more.
func TestReserve(t *testing.T) {
	t.Parallel()
	d := newFullDisk(t)
	size := func() int64 {
		info, err := os.Stat(d.reserve.Path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	if err := d.put("run#a"); err != nil || !d.reserve.Kept() || size() != d.reserve.Size {
		t.Fatalf("%v; kept: %t, %d bytes", err, d.reserve.Kept(), size())
	}
	d.fill()
	for _, key := range []string{"run#b", "run#c"} {
		if err := d.put(key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := d.store.Get(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if d.given != 1 || d.reserve.Kept() || size() != 0 {
		t.Errorf("given up %d times; kept: %t, %d bytes", d.given, d.reserve.Kept(), size())
	}
	for _, free := range []int64{0, d.reserve.Size, d.reserve.Size + d.reserve.Size/4 - 1} {
		d.free = free
		if err := d.reserve.Renew(); flow.CodeOf(err) != flow.CodeDiskFull || d.reserve.Kept() || size() != 0 {
			t.Errorf("with %d bytes free: %v", free, err)
		}
	}
	d.free++
	if err := d.reserve.Renew(); err != nil || !d.reserve.Kept() || size() != d.reserve.Size {
		t.Errorf("%v; kept: %t, %d bytes", err, d.reserve.Kept(), size())
	}
}

// If giving the reserve up is not enough, nothing is written, and the error says why.
func TestReserve_NotEnough(t *testing.T) {
	t.Parallel()
	d := newFullDisk(t)
	d.fill()
	d.freed = 0
	for range 2 {
		if err := d.put("run#a"); flow.CodeOf(err) != flow.CodeDiskFull || !flow.Retryable(err) {
			t.Errorf("the write: %v", err)
		}
	}
	if _, err := d.store.Get(t.Context(), "run#a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the item: %v", err)
	}
	d.freed = 1000
	if err := d.put("run#a"); err != nil || d.given != 1 {
		t.Errorf("with room: %v, given up %d times", err, d.given)
	}
}

// Writes that share a transaction are all carried out once more, and conflicts are
// still those of the write that has them.
func TestReserve_Together(t *testing.T) {
	t.Parallel()
	d := newFullDisk(t)
	d.fill()
	errs := sharing(t, d.store,
		func() error { return d.put("run#a") }, func() error { return d.put("run#a") }, func() error { return d.put("run#b") })
	for i, conflict := range []bool{false, true, false} {
		if errors.Is(errs[i], store.ErrConflict) != conflict || !conflict && errs[i] != nil {
			t.Errorf("write %d: %v, want a conflict: %t", i, errs[i], conflict)
		}
	}
	if d.given != 1 {
		t.Errorf("given up %d times", d.given)
	}
}

// A server that starts on a full disk has the reserve of the one before it; without
// one, it starts and says that it has none. What another fault left is not taken for
// one.
func TestReserve_Open(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		there int64
		free  int64
		kept  bool
	}{
		"kept before": {8 << 10, 0, true}, "none, no room": {0, 0, false}, "none, room": {0, 10 << 10, true},
		"another size, no room": {100, 0, false}, "another size, room": {100, 10 << 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := &Reserve{Path: filepath.Join(dir, "reserve"), Size: 8 << 10, Free: func() (int64, error) { return c.free, nil }}
			if c.there > 0 {
				if err := os.WriteFile(r.Path, make([]byte, c.there), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := r.Open(filepath.Join(dir, "sym.db"), now)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if r.Kept() != c.kept {
				t.Errorf("kept: %t", r.Kept())
			}
		})
	}
}

// Other failures of writes leave the reserve alone.
func TestReserve_OtherFailure(t *testing.T) {
	t.Parallel()
	d := newFullDisk(t)
	broken := errors.New("broken")
	d.reserve.Before = func() error { return broken }
	if err := d.put("run#a"); !errors.Is(err, broken) || d.given != 0 || !d.reserve.Kept() {
		t.Errorf("%v, given up %d times", err, d.given)
	}
}
