package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/symflows/symflows/internal/flow"
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

// TestAuditMakesRoom: the audit log gives the reserve up, too, if it finds the disk
// full before the database does; and for nothing else.
func TestAuditMakesRoom(t *testing.T) {
	t.Parallel()
	c := newCorpse(t, ledgerModes[0])
	full := &disk{state: diskOK}
	l, err := Open(t.Context(), Options{
		Listen: "127.0.0.1:0", Data: filepath.Join(c.data, "state"), Flows: filepath.Join(c.data, "flows"),
		Settings: testSettings, Clock: clockwork.NewFakeClockAt(crashStart), Log: slog.New(slog.DiscardHandler), seams: seams{reserve: full.under},
	})
	if err != nil {
		t.Fatal(err)
	}
	full.mu.Lock()
	full.state = diskFull
	full.mu.Unlock()
	kept := func() bool { _, err := os.Stat(l.reserve.Path); return err == nil }
	if l.Audit.MakeRoom(os.ErrPermission) || !kept() {
		t.Error("the reserve was given up for another error")
	}
	if !l.Audit.MakeRoom(&os.PathError{Op: "write", Err: syscall.ENOSPC}) || kept() || flow.CodeOf(l.closed()) != flow.CodeDiskFull {
		t.Errorf("on a full disk the reserve is kept: %t; requests: %v", kept(), l.closed())
	}
	if l.Audit.MakeRoom(syscall.ENOSPC) {
		t.Error("there is nothing left to give up, and it is to be tried once more")
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := l.Run(stopped); err != nil {
		t.Error(err)
	}
}
