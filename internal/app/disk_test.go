package app

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/symflows/symflows/internal/store/sqlite"
)

// disk is the one that a product writes to. It has room until it is told otherwise.
type disk struct {
	mu    sync.Mutex
	state string
}

// The ways in which there is room, or none.
const (
	diskFull    = "full"    // none, but for what the reserve takes
	diskBrimful = "brimful" // none, even if the reserve is given up
	diskOK      = "ok"
)

// under puts the disk under a reserve, and makes that small: there are many in these
// tests.
func (d *disk) under(r *sqlite.Reserve) {
	r.Size = 1 << 10
	r.Before = func() error {
		_, missing := os.Stat(r.Path)
		if s := d.get(); s == diskBrimful || s == diskFull && missing == nil {
			return syscall.ENOSPC
		}
		return nil
	}
	r.Free = func() (int64, error) {
		if s := d.get(); s == diskFull || s == diskBrimful {
			return r.Size, nil // others left no more than what was given up
		}
		return 1 << 30, nil
	}
}

func (d *disk) get() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

func tellDisk(p *product, _ *testscript.TestScript, args []string) (string, error) {
	if len(args) != 1 || !slices.Contains([]string{diskFull, diskBrimful, diskOK}, args[0]) {
		return "", fmt.Errorf("the disk does not understand %q", args)
	}
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	p.disk.state = args[0]
	return "", nil
}
