package audit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/transparency/stranger"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

// logged is a transparency log in a folder, over files of records beside it.
func logged(t *testing.T) (*transparency.Writer, *Folder, *Files[events.AuditRecord]) {
	t.Helper()
	data := t.TempDir()
	now := func() time.Time { return at(9, 0) }
	folder, files := &Folder{Dir: filepath.Join(data, "audit-log")}, &Files[events.AuditRecord]{Dir: filepath.Join(data, "audit"), Now: now}
	keys, made, err := folder.Keys(t.Context(), filepath.Join(data, "key"), "audit.example.com/acme")
	if err != nil || !made {
		t.Fatal(made, err)
	}
	return &transparency.Writer{Log: store.Log{Store: &storetest.Memory{Now: now}}, Files: folder, Keys: keys, Next: files, Now: now}, folder, files
}

// The records that go through the transparency log are those that were written, in
// their order, and a stranger finds all of them in the log.
func TestLogged(t *testing.T) {
	t.Parallel()
	workflowtest.AuditLog(t, func(t *testing.T) (workflow.AuditLog, func() []events.AuditRecord) {
		w, folder, files := logged(t)
		return w, func() (all []events.AuditRecord) {
			places := map[int64]bool{}
			for r, err := range files.Read(t.Context(), time.Time{}, time.Time{}) {
				if err != nil {
					t.Fatal(err)
				}
				if r.Log == nil {
					t.Errorf("record %s has no place", r.ID)
				} else {
					places[r.Log.Index] = true
				}
				r.Log = nil
				all = append(all, r)
			}
			if len(all) == 0 {
				return nil
			}
			leaves, _, err := stranger.Verify(os.DirFS(folder.Dir), w.Keys[0].Public())
			if err != nil || len(leaves) != len(places) {
				t.Errorf("%d leaves, %d places: %v", len(leaves), len(places), err)
			}
			return all
		}
	})
}

func TestFolder(t *testing.T) {
	t.Parallel()
	f := &Folder{Dir: filepath.Join(t.TempDir(), "audit-log")}
	if _, err := f.Read(t.Context(), "tile/0/000"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if text, tag, err := f.Checkpoint(t.Context()); text != nil || tag != "" || err != nil {
		t.Errorf("no checkpoint yet: %q %q %v", text, tag, err)
	}
	for _, name := range []string{"tile/0/000.p/1", "tile/0/000.p/200", "tile/0/001.p/3", "tile/0/000"} {
		if err := f.Write(t.Context(), name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := paths(t, f.Dir); !slices.Equal(got, []string{"tile/0/000", "tile/0/001.p/3"}) {
		t.Errorf("got %q: partial tiles go once the tile is full", got)
	}
	info, err := os.Stat(filepath.Join(f.Dir, "tile/0/000"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: records are for this user only", info.Mode(), err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Write(cancelled, "tile/0/009", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Of those that replace the same checkpoint one does.
func TestFolder_SetCheckpoint(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit-log")
	var mu sync.Mutex
	done := 0
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			err := (&Folder{Dir: dir}).SetCheckpoint(t.Context(), []byte{byte(n)}, "")
			if err != nil && !errors.Is(err, transparency.ErrChanged) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			}
		})
	}
	all.Wait()
	if done != 1 {
		t.Errorf("%d of 8 have written it", done)
	}
	f := &Folder{Dir: dir}
	_, tag, err := f.Checkpoint(t.Context())
	if err != nil || f.SetCheckpoint(t.Context(), []byte("next"), tag) != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestFolder_Keys(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	f, file := &Folder{Dir: filepath.Join(data, "audit-log")}, filepath.Join(data, "key")
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.Dir, ".batch-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, made, err := f.Keys(t.Context(), file, "audit.example.com/acme")
	if err != nil || !made || len(keys) != 1 {
		t.Fatalf("%d keys, %v, %v", len(keys), made, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := paths(t, f.Dir); !slices.Equal(got, []string{transparency.PublicKeyName}) {
		t.Errorf("got %q", got)
	}
	public, err := f.Read(t.Context(), transparency.PublicKeyName)
	if err != nil || strings.TrimSpace(string(public)) != keys[0].Public() {
		t.Errorf("%s, %v", public, err)
	}
	again, made, err := f.Keys(t.Context(), file, "another.example.com")
	if err != nil || made || again[0].Public() != keys[0].Public() {
		t.Errorf("%v %v: the key stays", made, err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Keys(t.Context(), file, ""); flow.CodeOf(err) != flow.CodeDataDir {
		t.Errorf("a file that others may read: %v", err)
	}
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Keys(t.Context(), file, ""); flow.CodeOf(err) != flow.CodeInvalid || strings.Contains(err.Error(), "no key") {
		t.Errorf("got %v", err)
	}
}
