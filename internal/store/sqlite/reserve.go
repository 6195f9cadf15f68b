package sqlite

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/symflows/symflows/internal/flow"
)

// ReserveSize is the size of a server's reserve in bytes: enough to end the access
// of thousands.
const ReserveSize = 64 << 20

// Reserve is room that is kept for the day when the disk is full. The first write
// that finds no room gives it up, so that it and those after it can be carried out:
// by itself where it is the database's, else by MakeRoom. Renew keeps room again
// when there is some.
type Reserve struct {
	Path string // the file; required
	Size int64  // in bytes; required
	// GivenUp is called when the room is given up. A write waits meanwhile, so it
	// must return at once, and not write. It may be nil.
	GivenUp func()

	// For tests, nil in the product. Before is called before each transaction, which
	// fails if it does; Free stands in for the number of bytes free on the disk.
	Before func() error
	Free   func() (int64, error)

	mu   sync.Mutex // held while the file is made or removed
	kept atomic.Bool
}

// Open is [Open] for a server: its writes have the reserve. It takes up the one that
// an earlier process kept, or makes one if there is room. Kept tells whether it has
// one. The error has flow.CodeDiskFull if there is no room even so.
func (r *Reserve) Open(path string, now func() time.Time, consumers ...string) (*Store, error) {
	if info, err := os.Stat(r.Path); err == nil && info.Size() == r.Size {
		r.kept.Store(true)
	}
	s, err := Open(path, now, consumers...)
	if r.MakeRoom(err) {
		s, err = Open(path, now, consumers...)
	}
	if err != nil {
		return nil, coded(err)
	}
	s.reserve = r
	_ = r.Renew() // whoever asks Kept sees whether it was made
	return s, nil
}

// Kept tells whether the room is there. If not, the disk is full, or was a moment
// ago, and what is not needed to end access should not be written.
func (r *Reserve) Kept() bool { return r.kept.Load() }

// Renew makes the reserve again. It returns an error while there is no room for it
// and for a quarter more, so that it is not needed again at once.
func (r *Reserve) Renew() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept.Load() {
		return nil
	}
	// Not found out by writing until there is no room: others write meanwhile.
	free, err := r.free()
	if err != nil {
		return fmt.Errorf("look how much of the disk is free: %w", err)
	}
	if needed := r.Size + r.Size/4; free < needed {
		return flow.Errorf(flow.CodeDiskFull, "%d MiB are free, and the reserve needs %d", free>>20, needed>>20)
	}
	if err := r.make(); err != nil {
		return fmt.Errorf("make the reserve: %w", err)
	}
	r.kept.Store(true)
	return nil
}

// make writes the file under another name first: one that is there is whole.
func (r *Reserve) make() error {
	part := r.Path + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// A hole takes no room, and what can be compressed takes less.
	_, err = io.CopyN(file, rand.NewChaCha8([32]byte{}), r.Size)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(part, r.Path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

func (r *Reserve) free() (int64, error) {
	if r.Free != nil {
		return r.Free()
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(r.Path), &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}

// MakeRoom gives the reserve up if a write failed because the disk is full, and
// tells whether trying once more makes sense.
func (r *Reserve) MakeRoom(err error) bool {
	if r == nil || !isFull(err) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.kept.Load() {
		return false
	}
	removed := os.Remove(r.Path)
	r.kept.Store(false)
	if r.GivenUp != nil {
		r.GivenUp()
	}
	return removed == nil
}

// isFull tells whether the disk had no room, or the quota is used up. SQLite says
// so of its own files, and can't tell the reason why some of them don't grow.
func isFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch failure.Code() {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE:
		return true
	}
	return false
}

// coded gives an error that means that the disk is full its code.
func coded(err error) error {
	if !isFull(err) {
		return err
	}
	return &flow.Error{Code: flow.CodeDiskFull, Cause: err, Message: "The disk of Sym Flows is full, so this could not be saved: those who run it have to make room. Please try again later"}
}
