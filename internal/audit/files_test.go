package audit

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/workflow"
	"github.com/symflows/symflows/internal/workflow/workflowtest"
)

// The test binary is its own victim: as a child it writes until it is killed,
// or until its files may grow no more.
func TestMain(m *testing.M) {
	if dir := os.Getenv("AUDIT_TEST_WRITE"); dir != "" {
		writeForEver(dir)
	}
	if dir := os.Getenv("AUDIT_TEST_FULL"); dir != "" {
		writeUntilFull(dir)
	}
	os.Exit(m.Run())
}

const batchSize = 3

func writeForEver(dir string) {
	f := &Files[events.AuditRecord]{Dir: dir, Now: time.Now}
	for n := 0; ; n++ {
		if err := f.Write(context.Background(), batchOf(n)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// writeUntilFull tries a batch that the limit of file sizes cuts in the
// middle, as a full disk would, and then again while somebody makes room.
func writeUntilFull(dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	room := limit.Cur
	limit.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	f := &Files[events.AuditRecord]{Dir: dir, Now: time.Now}
	full := f.Write(context.Background(), batchOf(1))
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	asked := 0
	f.MakeRoom = func(err error) bool {
		asked++
		limit.Cur = room
		return errors.Is(err, syscall.EFBIG) && syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit) == nil
	}
	again := f.Write(context.Background(), batchOf(1))
	fmt.Println("full:", errors.Is(full, syscall.EFBIG), "left:", len(left), "again:", again, "asked:", asked)
	os.Exit(0)
}

func batchOf(n int) []events.AuditRecord {
	var out []events.AuditRecord
	for i := range batchSize {
		out = append(out, record(n*batchSize+i))
	}
	return out
}

func record(n int) events.AuditRecord {
	at := time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC)
	return events.AuditRecord{
		ID: strconv.Itoa(n), Type: "event", Meta: events.AuditMeta{SchemaVersion: events.AuditSchemaVersion},
		State: events.AuditState{Status: events.StatusCompleted, Errors: []events.AuditError{}},
		Run:   events.AuditRun{Actors: map[string]events.AuditActor{}},
		Event: events.AuditEvent{Type: "approve", Timestamp: at, Channel: "slack"}, Fields: map[string]any{},
	}
}

// clock gives the times of its list in turn, and the last one ever after.
type clock []time.Time

func (c *clock) now() time.Time {
	t := (*c)[0]
	if len(*c) > 1 {
		*c = (*c)[1:]
	}
	return t
}

func at(hour, minute int) time.Time { return time.Date(2026, 3, 2, hour, minute, 0, 0, time.UTC) }

// all reads the whole log.
func all(t *testing.T, f *Files[events.AuditRecord]) []string {
	t.Helper()
	return between(t, f, time.Time{}, time.Time{})
}

func between(t *testing.T, f *Files[events.AuditRecord], from, until time.Time) []string {
	t.Helper()
	var ids []string
	for r, err := range f.Read(t.Context(), from, until) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// paths lists every file of the log.
func paths(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(dir, name)
			out = append(out, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustWrite(t *testing.T, f *Files[events.AuditRecord], ns ...int) {
	t.Helper()
	var batch []events.AuditRecord
	for _, n := range ns {
		batch = append(batch, record(n))
	}
	if err := f.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := &Files[events.AuditRecord]{Dir: dir, Now: func() time.Time { return time.Date(2026, 3, 2, 10, 4, 5, 6, time.FixedZone("CET", 3600)) }}
	mustWrite(t, f, 1, 2)
	files := paths(t, dir)
	const want = "year=2026/month=03/day=02/hour=09/20260302T090405.000000006Z-"
	if len(files) != 1 || !strings.HasPrefix(files[0], want) || !strings.HasSuffix(files[0], ".jsonl.gz") {
		t.Fatalf("got %q, want one file %s….jsonl.gz: partitions go by arrival, in UTC", files, want)
	}
	file, err := os.Open(filepath.Join(dir, files[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"); len(lines) != 2 {
		t.Errorf("got %d lines, want one per record:\n%s", len(lines), text)
	}
}

func TestEmptyBatchIsNoFile(t *testing.T) {
	t.Parallel()
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: time.Now}
	mustWrite(t, f)
	if files := paths(t, f.Dir); len(files) != 0 {
		t.Errorf("got %q", files)
	}
	if got := all(t, f); len(got) != 0 {
		t.Errorf("an empty log has %q", got)
	}
}

// Names keep the order of the writes, whatever the clock does and whoever
// writes next.
func TestOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := clock{at(9, 30), at(9, 30), at(8, 0), at(9, 30), at(10, 0)}
	f := &Files[events.AuditRecord]{Dir: dir, Now: c.now}
	for n := range 5 {
		mustWrite(t, f, n)
	}
	restarted := &Files[events.AuditRecord]{Dir: dir, Now: func() time.Time { return at(7, 0) }}
	mustWrite(t, restarted, 5)
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5"}, all(t, f)); diff != "" {
		t.Error(diff)
	}
	files := paths(t, dir)
	if !slices.IsSorted(files) || len(slices.Compact(files)) != 6 {
		t.Errorf("names: %q", files)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	c := clock{at(8, 0), at(9, 10), at(9, 50), at(11, 0)}
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: c.now}
	for n := range 4 {
		mustWrite(t, f, n)
	}
	for _, tc := range []struct {
		name        string
		from, until time.Time
		want        []string
	}{
		{"everything", time.Time{}, time.Time{}, []string{"0", "1", "2", "3"}},
		{"from a time on, itself included", at(9, 10), time.Time{}, []string{"1", "2", "3"}},
		{"until a time, itself excluded", time.Time{}, at(9, 50), []string{"0", "1"}},
		{"a part of an hour", at(9, 20), at(10, 0), []string{"2"}},
		{"nothing", at(12, 0), at(13, 0), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, between(t, f, tc.from, tc.until)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	c := clock{at(8, 0), at(9, 0), at(9, 1)}
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: c.now}
	tail := func(after string) ([]string, string) {
		t.Helper()
		records, place, err := f.Tail(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range records {
			ids = append(ids, r.ID)
		}
		return ids, place
	}
	if got, place := tail(""); got != nil || place != "" {
		t.Fatalf("an empty log gives %q, %q", got, place)
	}
	mustWrite(t, f, 0, 1)
	mustWrite(t, f, 2)
	got, place := tail("")
	if diff := cmp.Diff([]string{"0", "1", "2"}, got); diff != "" {
		t.Error(diff)
	}
	if again, same := tail(place); again != nil || same != place {
		t.Errorf("at the end: %q, %q", again, same)
	}
	mustWrite(t, f, 3)
	if got, _ := tail(place); !slices.Equal(got, []string{"3"}) {
		t.Errorf("what is new: %q", got)
	}
}

func TestTailIsBounded(t *testing.T) {
	t.Parallel()
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: time.Now}
	batch := slices.Repeat([]events.AuditRecord{record(0)}, 600)
	for range 3 {
		if err := f.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	place, sizes := "", []int(nil)
	for {
		records, next, err := f.Tail(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		if next == place {
			break
		}
		place, sizes = next, append(sizes, len(records))
	}
	if diff := cmp.Diff([]int{1200, 600}, sizes); diff != "" {
		t.Error(diff)
	}
}

func TestManyWriters(t *testing.T) {
	t.Parallel()
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: func() time.Time { return at(9, 0) }}
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			if err := f.Write(t.Context(), batchOf(n)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := all(t, f)
	slices.Sort(got)
	if len(slices.Compact(got)) != 20*batchSize {
		t.Errorf("got %d different records, want %d", len(got), 20*batchSize)
	}
}

// What a killed writer left is invisible, and gone with the next write.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: func() time.Time { return at(9, 0) }}
	if err := os.MkdirAll(f.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(f.Dir, ".batch-123")
	if err := os.WriteFile(half, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := all(t, f); got != nil {
		t.Errorf("readers see %q", got)
	}
	mustWrite(t, f, 1)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover is still there (%v)", err)
	}
	if got := all(t, f); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %q", got)
	}
}

// A write that can't be done is an error, loses nothing, and can be repeated.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		blocked string // a file where a directory is needed
	}{
		{"no place for the log", "audit"},
		{"no place for a partition", "audit/year=2026/month=03/day=02/hour=09"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			f := &Files[events.AuditRecord]{Dir: filepath.Join(data, "audit"), Now: func() time.Time { return at(9, 0) }}
			block := filepath.Join(data, filepath.FromSlash(tc.blocked))
			if err := os.MkdirAll(filepath.Dir(block), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(block, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := f.Write(t.Context(), batchOf(0)); err == nil || !strings.Contains(err.Error(), f.Dir) {
				t.Fatalf("got %v, want an error that says where", err)
			}
			if files := paths(t, data); len(files) != 1 {
				t.Errorf("it left %q", files)
			}
			if err := os.Remove(block); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, f, 7)
			if got := all(t, f); !slices.Equal(got, []string{"7"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: time.Now}
	mustWrite(t, f, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Write(ctx, batchOf(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v", err)
	}
	if _, _, err := f.Tail(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Tail: %v", err)
	}
	for _, err := range f.Read(ctx, time.Time{}, time.Time{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Read: %v", err)
		}
	}
}

// Damage is reported with the name of the file, not skipped.
func TestDamage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, file string)
	}{
		{"cut short", func(t *testing.T, file string) {
			if err := os.Truncate(file, 30); err != nil {
				t.Fatal(err)
			}
		}},
		{"not ours", func(t *testing.T, file string) {
			if err := os.Rename(file, filepath.Join(filepath.Dir(file), "notes"+suffix)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: func() time.Time { return at(9, 0) }}
			mustWrite(t, f, 1)
			tc.damage(t, filepath.Join(f.Dir, paths(t, f.Dir)[0]))
			var got error
			for _, err := range f.Read(t.Context(), time.Time{}, time.Time{}) {
				got = err
			}
			if got == nil || !strings.Contains(got.Error(), "year=2026/month=03/day=02/hour=09/") {
				t.Errorf("got %v, want an error that names the file", got)
			}
		})
	}
}

func TestKilled(t *testing.T) {
	t.Parallel()
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: time.Now}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "AUDIT_TEST_WRITE="+f.Dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
		if acknowledged = n; n == 25 {
			if err := child.Process.Kill(); err != nil { // SIGKILL, wherever it is now
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed: that is an error
	got := all(t, f)
	if len(got)%batchSize != 0 {
		t.Errorf("%d records: half a batch is visible", len(got))
	}
	if len(got) < (acknowledged+1)*batchSize {
		t.Errorf("%d records, though %d batches of %d were acknowledged", len(got), acknowledged+1, batchSize)
	}
	for n, id := range got {
		if id != strconv.Itoa(n) {
			t.Fatalf("record %d is %s", n, id)
		}
	}
	mustWrite(t, f, 0)
	for _, name := range paths(t, f.Dir) {
		if strings.Contains(name, ".batch-") {
			t.Errorf("%s is left", name)
		}
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: time.Now}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "AUDIT_TEST_FULL="+f.Dir)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "full: true left: 0 again: <nil> asked: 1" {
		t.Errorf("got %q", got)
	}
	if got := all(t, f); len(got) != batchSize {
		t.Errorf("got %q, want one batch", got)
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	workflowtest.AuditLog(t, func(t *testing.T) (workflow.AuditLog, func() []events.AuditRecord) {
		f := &Files[events.AuditRecord]{Dir: t.TempDir(), Now: func() time.Time { return at(9, 0) }}
		return f, func() (all []events.AuditRecord) {
			for r, err := range f.Read(t.Context(), time.Time{}, time.Time{}) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, r)
			}
			return all
		}
	})
}
