package sqlite

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/symflows/symflows/internal/flow"
)

// Lock claims a data directory for one server, and makes the directory if it is
// missing. The claim ends with release, or when the process ends or is killed. Keep
// release until then: the claim is lost if nothing refers to it.
// The error has flow.CodeDataDir if another process has the claim, or the
// directory can't be used.
func Lock(dir string) (release func() error, err error) {
	unusable := func(cause error) error {
		return &flow.Error{Code: flow.CodeDataDir, Cause: cause, Message: fmt.Sprintf("the data directory %s can't be used: give one that may be written to", dir)}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, unusable(err)
	}
	if !locked {
		return nil, flow.Errorf(flow.CodeDataDir, "the data directory %s is in use by another Sym Flows server: stop that one, or choose another directory", dir)
	}
	return lock.Unlock, nil
}
