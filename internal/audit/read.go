package audit

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Read gives the records that arrived from one time on until before another,
// in the order in which they arrived. A zero until means up to now. Partitions
// out of range are not opened. An error ends the reading.
func (f *Files[Record]) Read(ctx context.Context, from, until time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var none Record
		for name, err := range f.names(partitioned(from)) {
			if err == nil {
				err = ctx.Err()
			}
			var at time.Time
			if err == nil {
				at, err = timeOf(name)
			}
			if err != nil {
				yield(none, err)
				return
			}
			if at.Before(from) {
				continue
			}
			if !until.IsZero() && !at.Before(until) {
				return
			}
			records, err := f.batch(name)
			if err != nil {
				yield(none, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// tailed bounds what one call of Tail returns, rounded up to whole batches.
const tailed = 1000

// Tail gives the records that arrived after a place in the log ("" is its
// beginning), about a thousand at most, and the place after them. At the end
// of the log it gives none, and the same place again.
func (f *Files[Record]) Tail(ctx context.Context, after string) (records []Record, place string, err error) {
	place = after
	for name, err := range f.names(after) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, after, err
		}
		if name <= after {
			continue
		}
		batch, err := f.batch(name)
		if err != nil {
			return nil, after, err
		}
		records, place = append(records, batch...), name
		if len(records) >= tailed {
			break
		}
	}
	return records, place, nil
}

// partitioned is the path of the partition of a time.
func partitioned(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(partition)
}

// names lists the batches in order, leaving out partitions before the one
// that the path from lies in.
func (f *Files[Record]) names(from string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		log := os.DirFS(f.Dir)
		err := fs.WalkDir(log, ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // nothing was written yet
			case err != nil:
				return err
			case d.IsDir():
				if name != "." && name < from[:min(len(from), len(name))] {
					return fs.SkipDir
				}
				return nil
			case !isBatch(name):
				return nil
			case !yield(name, nil):
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", fmt.Errorf("list the audit log in %s: %w", f.Dir, err))
		}
	}
}

// batch reads one file.
func (f *Files[Record]) batch(name string) (records []Record, err error) {
	file, err := os.Open(filepath.Join(f.Dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			records, err = nil, fmt.Errorf("read audit batch %s: %w", name, err)
		}
	}()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	lines := json.NewDecoder(z)
	for {
		var r Record
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return records, nil
		} else if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
}

// isBatch tells whether a path is that of a whole batch: those that are being
// written lie outside the partitions.
func isBatch(name string) bool {
	return strings.Contains(name, "/") && strings.HasSuffix(name, suffix)
}

// timeOf reads the arrival of a batch from its name.
func timeOf(name string) (time.Time, error) {
	text, _, _ := strings.Cut(path.Base(name), "-")
	at, err := time.Parse(stamp, text)
	if err != nil {
		return at, fmt.Errorf("%s is not a file of the audit log: %w", name, err)
	}
	return at, nil
}

// newest finds the last batch by going down the newest partitions; "" where
// there is none.
func newest(log fs.FS) (string, error) {
	var down func(dir string) (string, error)
	down = func(dir string) (string, error) {
		entries, err := fs.ReadDir(log, dir)
		if err != nil {
			return "", err
		}
		for _, e := range slices.Backward(entries) {
			name := path.Join(dir, e.Name())
			if e.IsDir() {
				if found, err := down(name); found != "" || err != nil {
					return found, err
				}
			} else if isBatch(name) {
				return name, nil
			}
		}
		return "", nil
	}
	return down(".")
}
