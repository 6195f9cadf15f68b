package transparency_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/transparency/stranger"
)

const origin = "audit.example.com/acme"

// folder keeps the log's files, and the lines that went on, in memory.
type folder struct {
	mu    sync.Mutex
	files map[string][]byte
	lines [][]byte
	// before is asked before each write; an error keeps it from happening, and after
	// one is said when it has happened.
	before, after func(name string) error
}

func newFolder() *folder { return &folder{files: map[string][]byte{}} }

func (f *folder) Read(_ context.Context, name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return bytes.Clone(d), nil
}

func (f *folder) hooks(name string, write func()) error {
	if f.before != nil {
		if err := f.before(name); err != nil {
			return err
		}
	}
	write()
	if f.after != nil {
		return f.after(name)
	}
	return nil
}

func (f *folder) Write(_ context.Context, name string, data []byte) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hooks(name, func() {
		if old, ok := f.files[name]; ok && !bytes.Equal(old, data) && !strings.HasPrefix(name, "checkpoints/") {
			err = fmt.Errorf("%s was written otherwise before", name)
			panic(err)
		}
		f.files[name] = bytes.Clone(data)
	})
}

func tag(text []byte) string {
	sum := sha256.Sum256(text)
	return string(sum[:])
}

func (f *folder) Checkpoint(context.Context) ([]byte, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, ok := f.files["checkpoint"]
	if !ok {
		return nil, "", nil
	}
	return bytes.Clone(text), tag(text), nil
}

func (f *folder) SetCheckpoint(_ context.Context, text []byte, was string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := ""
	if old, ok := f.files["checkpoint"]; ok {
		now = tag(old)
	}
	if now != was {
		return transparency.ErrChanged
	}
	return f.hooks("checkpoint", func() { f.files["checkpoint"] = bytes.Clone(text) })
}

func (f *folder) WriteLines(_ context.Context, lines [][]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hooks("lines", func() {
		for _, l := range lines {
			f.lines = append(f.lines, bytes.Clone(l))
		}
	})
}

// fs shows the files to those who verify.
func (f *folder) fs() fstest.MapFS {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := fstest.MapFS{}
	for name, d := range f.files {
		m[name] = &fstest.MapFile{Data: bytes.Clone(d)}
	}
	return m
}

func newKey(t testing.TB) transparency.Key {
	t.Helper()
	k, err := transparency.NewKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// log is a log under test.
type log struct {
	*transparency.Writer
	folder *folder
	key    transparency.Key
	now    time.Time
}

func newLog(t testing.TB) *log {
	l := &log{folder: newFolder(), key: newKey(t), now: time.Date(2026, 3, 2, 9, 10, 0, 0, time.UTC)}
	l.Writer = &transparency.Writer{
		Log: store.Log{Store: &storetest.Memory{Now: func() time.Time { return l.now }}}, Files: l.folder, Next: l.folder,
		Keys: []transparency.Key{l.key}, Now: func() time.Time { return l.now },
	}
	return l
}

func (l *log) write(t testing.TB, records ...events.AuditRecord) {
	t.Helper()
	if err := l.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// verify holds the log to a stranger's verifier: the leaves must be these records, once
// each, in any order, and the lines as many at least.
func (l *log) verify(t testing.TB, want ...events.AuditRecord) [][]byte {
	t.Helper()
	leaves, at, err := stranger.Verify(l.folder.fs(), l.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if at.After(l.now) || at.IsZero() {
		t.Errorf("the checkpoint is of %s", at)
	}
	if len(leaves) != len(want) {
		t.Fatalf("%d leaves, want %d", len(leaves), len(want))
	}
	for _, r := range want {
		n := 0
		for _, leaf := range leaves {
			if bytes.HasPrefix(leaf, fmt.Appendf(nil, `{"id":%q,"type":"event","meta":{"schema_version":6,"revision":%d}`, r.ID, r.Meta.Revision)) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("record %s.%d is logged %d times", r.ID, r.Meta.Revision, n)
		}
	}
	lines := map[string]bool{}
	for _, line := range l.folder.lines {
		leaf, place, ok := transparency.OfLine(line)
		if !ok || place.Index >= int64(len(leaves)) || !bytes.Equal(leaf, leaves[place.Index]) {
			t.Fatalf("line %s is not a leaf of the log", line)
		}
		lines[string(leaf)] = true
	}
	if len(lines) != len(leaves) {
		t.Errorf("%d of %d leaves have lines", len(lines), len(leaves))
	}
	return leaves
}

func record(n int, rev int64) events.AuditRecord {
	return events.AuditRecord{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Type: "event",
		Meta:  events.AuditMeta{SchemaVersion: events.AuditSchemaVersion, Revision: rev},
		State: events.AuditState{Status: events.StatusCompleted, Errors: []events.AuditError{}},
		Run:   events.AuditRun{Actors: map[string]events.AuditActor{}},
		Event: events.AuditEvent{Type: "approve", Timestamp: time.Date(2026, 3, 2, 9, 0, n, 0, time.UTC), Channel: "slack"},
		Fields: map[string]any{"reason": fmt.Sprint("ticket ", n), "target": events.AuditTarget{
			Name: "orders", SRN: "acme:target:http:orders:latest", Settings: map[string]string{"b": "1", "a": "2"}}},
	}
}

func records(from, until int) (all []events.AuditRecord) {
	for n := from; n < until; n++ {
		all = append(all, record(n, 1))
	}
	return all
}

var errCrash = errors.New("the process was killed")
