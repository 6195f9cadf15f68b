package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// grant is a line of the file: who has access to what, and for which run.
type grant struct {
	RunID    string     `json:"run_id"`
	Username string     `json:"username"` // e-mail address
	Target   string     `json:"target"`
	Until    *time.Time `json:"until,omitempty"` // when Sym Flows means to end it; RFC 3339, UTC
}

// accessFile is the path of a file that says who has access now: JSON, a line
// for each grant, in the order in which they were made. It stands for a
// database's GRANT and REVOKE.
type accessFile string

// grant adds a line, unless the run has one already: then it was this call's
// own first attempt that lost its answer.
func (f accessFile) grant(ctx context.Context, g grant) error {
	return f.change(ctx, func(grants []grant) []grant {
		if slices.ContainsFunc(grants, func(have grant) bool { return have.RunID == g.RunID }) {
			return grants
		}
		return append(grants, g)
	})
}

// revoke removes the run's line. It returns nil if there is none.
//
// It goes by the run and not by the person: another run of the same person may
// go on longer. That is why the strategy must not set counted: "true", which
// is for systems where all runs of a person share one membership.
func (f accessFile) revoke(ctx context.Context, runID string) error {
	return f.change(ctx, func(grants []grant) []grant {
		return slices.DeleteFunc(grants, func(have grant) bool { return have.RunID == runID })
	})
}

// change replaces the file by what edit makes of it. Lambda runs several
// copies of a function at once, so they take turns by a lock; the new file
// takes the old one's place in one step, so that readers see the one or the other.
func (f accessFile) change(ctx context.Context, edit func([]grant) []grant) (err error) {
	lock := flock.New(string(f) + ".lock")
	if _, err := lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return fmt.Errorf("wait for the turn to change %s: %w", f, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	grants, err := f.read()
	if err != nil {
		return err
	}
	return f.write(edit(grants))
}

func (f accessFile) read() ([]grant, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read who has access: %w", err)
	}
	var grants []grant
	for line := range bytes.Lines(text) {
		var g grant
		if err := json.Unmarshal(line, &g); err != nil {
			return nil, fmt.Errorf("read who has access: line %d of %s: %w", len(grants)+1, f, err)
		}
		grants = append(grants, g)
	}
	return grants, nil
}

func (f accessFile) write(grants []grant) error {
	file, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*")
	if err != nil {
		return fmt.Errorf("write who has access: %w", err)
	}
	defer os.Remove(file.Name()) // is gone already if all went well
	defer file.Close()           // reports nothing new after Sync
	lines := json.NewEncoder(file)
	for _, g := range grants {
		if err := lines.Encode(g); err != nil {
			return fmt.Errorf("write who has access: %w", err)
		}
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write who has access: %w", err)
	}
	if err := os.Rename(file.Name(), string(f)); err != nil {
		return fmt.Errorf("write who has access: %w", err)
	}
	return nil
}
