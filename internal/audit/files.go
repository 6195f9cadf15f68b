package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/workflow"
)

// Files is a log of files, of records of one kind. One process writes at a time; any number may
// read. Methods are safe for concurrent use.
type Files[Record any] struct {
	Dir string           // required; made by the first write
	Now func() time.Time // required
	// MakeRoom is asked, with the error, when a batch could not be written, and
	// tells whether to try once more: it may have made room on a full disk. It may
	// be nil.
	MakeRoom func(error) bool

	mu sync.Mutex
	// last is the time in the newest file's name; zero until the first write
	// has looked.
	last time.Time
}

var (
	_ workflow.AuditLog  = (*Files[events.AuditRecord])(nil)
	_ transparency.Lines = (*Files[events.AuditRecord])(nil)
	_ workflow.AdminLog  = (*Files[events.AdminRecord])(nil)
)

const (
	suffix    = ".jsonl.gz"
	temporary = ".batch-*" // in Dir itself, where readers don't look
	partition = "year=2006/month=01/day=02/hour=15"
	stamp     = "20060102T150405.000000000Z"
)

// Write stores the records as one new file. Once it returns nil they survive
// a crash of the machine. After an error none of them is visible, unless the
// very last step (telling the disk about the new name) failed: then the batch
// may be there twice when the caller repeats it, as the contract allows.
func (f *Files[Record]) Write(ctx context.Context, records []Record) error {
	var lines [][]byte
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode a record: %w", err)
		}
		lines = append(lines, line)
	}
	return f.WriteLines(ctx, lines)
}

// WriteLines implements [transparency.Lines]. It stores lines as Write does records.
func (f *Files[Record]) WriteLines(ctx context.Context, lines [][]byte) error {
	if len(lines) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	batch, err := compress(lines)
	if err != nil {
		return fmt.Errorf("compress audit records: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err = f.write(batch)
	if err != nil && f.MakeRoom != nil && f.MakeRoom(err) {
		err = f.write(batch)
	}
	return err
}

func (f *Files[Record]) write(batch []byte) error {
	if err := f.open(); err != nil {
		return fmt.Errorf("open the audit log in %s: %w", f.Dir, err)
	}
	at := f.Now().UTC()
	if !at.After(f.last) {
		// The clock stood still or went back; the order of names must not.
		at = f.last.Add(time.Nanosecond)
	}
	f.last = at
	if err := f.add(at, batch); err != nil {
		return fmt.Errorf("write to the audit log in %s: %w", f.Dir, err)
	}
	return nil
}

func compress(lines [][]byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, line := range lines {
		if _, err := z.Write(append(slices.Clip(line), '\n')); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// open makes the log ready for its first write: it clears away what writers
// that were killed left half done, and finds the newest name.
func (f *Files[Record]) open() error {
	if !f.last.IsZero() {
		return nil
	}
	if err := makeDir(f.Dir); err != nil {
		return err
	}
	if err := clearLeft(f.Dir); err != nil {
		return err
	}
	name, err := newest(os.DirFS(f.Dir))
	if err != nil {
		return err
	}
	last := time.Unix(0, 0)
	if name != "" {
		if last, err = timeOf(name); err != nil {
			return err
		}
	}
	f.last = last
	return nil
}

// clearLeft clears away what writers that were killed left half done.
func clearLeft(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, temporary))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// add makes the batch appear under its name in one move. Like all that is made here
// it is for this user only: records say who asked for what, and why.
func (f *Files[Record]) add(at time.Time, batch []byte) error {
	// The random part keeps a second writer, which there should not be, from
	// replacing a file of the first.
	name := at.Format(stamp) + "-" + strings.ToLower(rand.Text()[:8]) + suffix
	return appear(f.Dir, path.Join(at.Format(partition), name), batch)
}

// appear makes a file appear under its name in a folder, whole, in one move. Once it
// returns nil the file survives a crash of the machine.
func appear(folder, name string, data []byte) (err error) {
	tmp, err := os.CreateTemp(folder, temporary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), removeIfThere(tmp.Name()))
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	to := filepath.Join(folder, filepath.FromSlash(name))
	if err := makeDir(filepath.Dir(to)); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), to); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(to)); err != nil {
		return err
	}
	return tmp.Close()
}

func removeIfThere(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// makeDir makes a directory and those above it durably: a directory is on
// disk only once the one that names it is.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("there is a file of this name")}
		}
		return err
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
