package transparency_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/transparency/stranger"
)

const linesFile = "year=2026/month=03/day=02/hour=09/a.jsonl"

// evidence is what an auditor is given, and may be altered.
type evidence struct {
	t       *testing.T
	log     *log
	files   fstest.MapFS
	lines   [][]byte
	stored  []transparency.Stored
	against [][]byte
}

// newEvidence is of 700 records, written in two hours.
func newEvidence(t *testing.T) *evidence {
	t.Helper()
	l := newLog(t)
	for _, until := range []int{300, 600, 700} {
		l.write(t, records(max(until-300, until/300*300*(until/700)), until)...)
		if err := l.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.now = l.now.Add(time.Hour)
	}
	l.now = l.now.Add(-30 * time.Minute)
	e := &evidence{t: t, log: l, files: l.folder.fs(), lines: l.folder.lines}
	for n := range 700 {
		e.stored = append(e.stored, transparency.Stored{Run: fmt.Sprint("run-", n), ID: record(n, 1).ID, Rev: 1, Changed: l.now.Add(-time.Hour)})
	}
	return e
}

func (e *evidence) verification() transparency.Verification {
	return transparency.Verification{
		Log: e.files, Public: []string{e.log.key.Public()}, Against: e.against, Now: e.log.now,
		Lines:  []fs.FS{fstest.MapFS{linesFile: {Data: append(bytes.Join(e.lines, []byte("\n")), '\n')}}},
		Stored: e.events(),
	}
}

func (e *evidence) events() iter.Seq2[transparency.Stored, error] {
	return func(yield func(transparency.Stored, error) bool) {
		for _, s := range e.stored {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (e *evidence) verify() transparency.Report {
	e.t.Helper()
	r, err := e.verification().Run(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

// entry gives the place of a record in its bundle's file.
func (e *evidence) entry(index int) (name string, from, until int) {
	name = "tile/entries/00" + fmt.Sprint(index/256)
	if index >= 512 {
		name += ".p/188"
	}
	data := e.files[name].Data
	for range index % 256 {
		from += 2 + int(data[from])<<8 + int(data[from+1])
	}
	return name, from, from + 2 + int(data[from])<<8 + int(data[from+1])
}

// resigned is a log of other records, signed by the same key: whoever can do that
// rewrites history.
func (e *evidence) resigned(change func([]events.AuditRecord) []events.AuditRecord) {
	e.t.Helper()
	other := newLog(e.t)
	other.Keys, other.now = e.log.Keys, e.log.now
	other.write(e.t, change(records(0, 700))...)
	kept := fstest.MapFS{}
	for name, f := range e.files {
		if strings.HasPrefix(name, "checkpoints/") {
			kept[name] = f
		}
	}
	e.files, e.lines = other.folder.fs(), other.folder.lines
	for name, f := range kept {
		e.files[name] = f
	}
}

func TestVerification(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	e.stored[300].Rev = 0 // it was recovered from its record
	r := e.verify()
	if r.Found != 0 || r.Records != 700 || r.Lines != 700 || r.Kept != 3 || r.Stored != 700 || len(r.Silences) != 0 || r.Checkpoint.Tree.N != 700 {
		t.Fatalf("%+v", r)
	}
	for name, test := range map[string]struct {
		alter  func(*evidence)
		record int64 // the first bad one
		what   string
		means  string
		// log says that the log by itself is altered, which a stranger notices too.
		log bool
	}{
		"ByteOfRecord": {func(e *evidence) {
			name, from, _ := e.entry(300)
			e.files[name].Data[from+40] ^= 1
		}, 300, "Record 300 is not the one whose hash was signed.", "altered", true},
		"ByteOfHash":       {func(e *evidence) { e.files["tile/0/001"].Data[32*44+3] ^= 1 }, 256, "records 256 to 511", "altered", true},
		"ByteOfUpperHash":  {func(e *evidence) { e.files["tile/1/000.p/2"].Data[33] ^= 1 }, 256, "not that of the tile below", "altered", true},
		"ByteOfCheckpoint": {func(e *evidence) { e.files["checkpoint"].Data[30] ^= 1 }, -1, "not what the log signed", "altered", true},
		"ByteOfLine": {func(e *evidence) { e.lines[300] = bytes.Replace(e.lines[300], []byte("ticket"), []byte("tickst"), 1) },
			300, "The line is not record 300", "line was altered", false},
		"DroppedRecord": {func(e *evidence) {
			name, from, until := e.entry(300)
			e.files[name].Data = append(bytes.Clone(e.files[name].Data[:from]), e.files[name].Data[until:]...)
		}, 300, "Record 301 stands in the place of record 300.", "altered", true},
		"DroppedLine":  {func(e *evidence) { e.lines = append(e.lines[:300:300], e.lines[301:]...) }, 300, "no line has it", "removed", false},
		"DroppedLines": {func(e *evidence) { e.lines = e.lines[:650] }, 650, "Records 650 to 699 are in the log, and no line has them.", "removed", false},
		"SwappedRecords": {func(e *evidence) {
			name, from, until := e.entry(300)
			_, _, end := e.entry(301)
			d := e.files[name].Data
			e.files[name].Data = bytes.Join([][]byte{d[:from], d[until:end], d[from:until], d[end:]}, nil)
		}, 300, "Record 301 stands in the place of record 300.", "altered", true},
		"SwappedPlaces": {func(e *evidence) {
			a, _, _ := transparency.OfLine(e.lines[300])
			b, _, _ := transparency.OfLine(e.lines[301])
			e.lines[300], e.lines[301] = transparency.Line(a, 301), transparency.Line(b, 300)
		}, 300, "says that it is record 300, and it is record 301", "line was altered", false},
		"TruncatedBundle": {func(e *evidence) {
			name, from, _ := e.entry(600)
			e.files[name].Data = e.files[name].Data[:from+10]
		}, 600, "Records from 600 on can't be read", "altered", true},
		"TruncatedTile": {func(e *evidence) { e.files["tile/0/002.p/188"].Data = e.files["tile/0/002.p/188"].Data[:64] }, 512, "missing or too short", "altered", true},
		"RemovedBundle": {func(e *evidence) { delete(e.files, "tile/entries/001") }, 256, "Records from 256 on can't be read", "altered", true},
		"NoCheckpoint":  {func(e *evidence) { delete(e.files, "checkpoint") }, -1, "no checkpoint", "cut", true},
		"Rewound":       {func(e *evidence) { e.files["checkpoint"] = e.files["checkpoints/2026/03/02/10"] }, 600, "the log had 700 records, and now it has 600", "put back", false},
		"RewoundWithCheckpoints": {func(e *evidence) {
			e.files["checkpoint"] = e.files["checkpoints/2026/03/02/10"]
			delete(e.files, "checkpoints/2026/03/02/11")
		}, 600, "it is record 600, and the log has 600", "put back", false},
		"RewoundWhole": {func(e *evidence) {
			e.against = [][]byte{e.files["checkpoint"].Data}
			e.files["checkpoint"] = e.files["checkpoints/2026/03/02/10"]
			delete(e.files, "checkpoints/2026/03/02/11")
			e.lines, e.stored = e.lines[:600], e.stored[:600]
		}, 600, "the log had 700 records, and now it has 600", "put back", false},
		"AddedLine": {func(e *evidence) {
			line, err := json.Marshal(record(900, 1))
			if err != nil {
				e.t.Fatal(err)
			}
			e.lines = append(e.lines, line)
		}, -1, "no place in the log", "added", false},
		"AddedPlacedLine": {func(e *evidence) {
			line, err := json.Marshal(record(900, 1))
			if err != nil {
				e.t.Fatal(err)
			}
			e.lines = append(e.lines, transparency.Line(line, 300))
		}, 300, "is not record 300", "line was altered", false},
		"AddedEvent": {func(e *evidence) {
			e.stored = append(e.stored, transparency.Stored{Run: "run", ID: record(900, 1).ID, Rev: 1, Changed: e.log.now.Add(-time.Hour)})
		}, -1, "in the store, and not in the log", "not in the log", false},
		"ChangedEvent": {func(e *evidence) { e.stored[300].Rev = 2 }, 300, "The store has revision 2", "not in the log", false},
		"OlderStore": {func(e *evidence) {
			e.log.write(e.t, record(300, 3))
			e.files, e.lines, e.stored[300].Rev = e.log.folder.fs(), e.log.folder.lines, 2
		}, 700, "The log has revision 3", "put back", false},
		"RemovedEvent": {func(e *evidence) { e.stored = append(e.stored[:300:300], e.stored[301:]...) }, 300, "not in the store", "removed from the store", false},
		"AddedRecord": {func(e *evidence) {
			e.resigned(func(r []events.AuditRecord) []events.AuditRecord {
				return append(append(r[:300:300], record(900, 1)), r[300:]...)
			})
		}, 300, "those from 300 on are not all as they were signed", "replaced", false},
		"Rewritten": {func(e *evidence) {
			e.resigned(func(r []events.AuditRecord) []events.AuditRecord { r[450].Actor.Name = "Mallory"; return r })
		}, 300, "Of the first 600 records, those from 300 on are not all as they were signed", "replaced", false},
		"AddedAndResigned": {func(e *evidence) {
			e.resigned(func(r []events.AuditRecord) []events.AuditRecord { return append(r, record(900, 1)) })
		}, 700, "in the log, and not in the store", "added to the log", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEvidence(t)
			test.alter(e)
			r := e.verify()
			if r.Found == 0 {
				t.Fatal("nothing is found")
			}
			f := r.Faults[0]
			if f.Record != test.record || !strings.Contains(f.What, test.what) || !strings.Contains(f.Means, test.means) {
				t.Errorf("the first of %d faults is %+v", r.Found, f)
			}
			_, _, err := stranger.Verify(e.files, e.log.key.Public())
			if (err != nil) != test.log {
				t.Errorf("a stranger says: %v", err)
			}
		})
	}
}

// What has only just happened may not have arrived everywhere.
func TestVerification_OnTheWay(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	e.lines = e.lines[:698]
	e.stored = append(e.stored, transparency.Stored{ID: "new", Rev: 1, Changed: e.log.now.Add(-time.Minute)})
	v := e.verification()
	v.Lag = 3 * time.Hour // the records are of 09:11:39
	if r, err := v.Run(t.Context()); err != nil || r.Found != 0 || r.OnTheirWay != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	v.Lag = time.Hour
	if r, err := v.Run(t.Context()); err != nil || r.Found != 1 || r.OnTheirWay != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// growing writes a record to the log, with its line, once the checkpoint was read.
type growing struct {
	fstest.MapFS
	grow func()
}

func (g growing) ReadFile(name string) ([]byte, error) {
	data, err := g.MapFS.ReadFile(name)
	if name == "checkpoint" {
		g.grow()
	}
	return data, err
}

// The log grows while it is verified.
func TestVerification_Grows(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	v := e.verification()
	lines := v.Lines[0].(fstest.MapFS)
	v.Stored = nil
	v.Log = growing{e.files, func() {
		e.log.write(t, record(701, 1))
		for name, f := range e.log.folder.fs() {
			e.files[name] = f
		}
		lines[linesFile].Data = append(bytes.Join(e.log.folder.lines, []byte("\n")), '\n')
	}}
	if r, err := v.Run(t.Context()); err != nil || r.Found != 0 || r.Checkpoint.Tree.N != 700 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestVerification_Silence(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	delete(e.files, "checkpoints/2026/03/02/10")
	e.log.now = e.log.now.Add(5 * time.Hour)
	v := e.verification()
	r, err := v.Run(t.Context())
	if err != nil || r.Found != 0 || len(r.Silences) != 1 || r.Silences[0].Until != e.log.now {
		t.Errorf("%+v, %v", r, err)
	}
	v.MaxSilence = 90 * time.Minute
	if r, err = v.Run(t.Context()); err != nil || r.Found != 2 || !strings.Contains(r.Faults[0].What, "no checkpoint from 2026-03-02T09:10:00Z to 2026-03-02T11:10:00Z") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestVerification_Keys(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	v := e.verification()
	v.Public = []string{newKey(t).Public()}
	if r, err := v.Run(t.Context()); err != nil || r.Found != 1 || !strings.Contains(r.Faults[0].What, "none of the given keys") {
		t.Errorf("another's key: %+v, %v", r, err)
	}
	v.Public = []string{"no key"}
	if _, err := v.Run(t.Context()); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("no key: %v", err)
	}
	// A log whose key was changed is verified with both.
	old, next := e.log.key, newKey(t)
	e.log.Keys = []transparency.Key{next}
	e.log.write(t, record(700, 1))
	e.files, e.lines = e.log.folder.fs(), e.log.folder.lines
	v = e.verification()
	v.Stored = nil
	v.Public = []string{next.Public()}
	if r, err := v.Run(t.Context()); err != nil || r.Found != 3 {
		t.Errorf("the new key alone: %+v, %v", r, err)
	}
	v.Public = append(v.Public, old.Public())
	if r, err := v.Run(t.Context()); err != nil || r.Found != 0 {
		t.Errorf("both keys: %+v, %v", r, err)
	}
}

// Lines from before there was a log are counted, and no others.
func TestVerification_OldLines(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	line, err := json.Marshal(record(900, 0))
	if err != nil {
		t.Fatal(err)
	}
	e.lines = append([][]byte{line}, e.lines...)
	if r := e.verify(); r.Found != 0 || r.Unplaced != 1 {
		t.Errorf("%+v", r)
	}
}

// What records were too long for is checked too.
func TestVerification_Long(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	r := record(700, 1)
	r.Output = json.RawMessage(`"` + strings.Repeat("x", 70_000) + `"`)
	e.log.write(t, r)
	e.files, e.lines = e.log.folder.fs(), e.log.folder.lines
	v := e.verification()
	v.Log, v.Stored = e.files, nil
	if r, err := v.Run(t.Context()); err != nil || r.Found != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, f := range e.files {
		if strings.HasPrefix(name, "values/") {
			f.Data[7] = 'y'
		}
	}
	if r, err := v.Run(t.Context()); err != nil || r.Found != 1 || r.Faults[0].Record != 700 {
		t.Errorf("%+v, %v", r, err)
	}
}

// counted counts what is read of a log, and fails when told to.
type counted struct {
	fstest.MapFS
	read map[string]int
	fail string
}

func (c counted) ReadFile(name string) ([]byte, error) {
	c.read[name]++
	if name == c.fail {
		return nil, os.ErrDeadlineExceeded
	}
	return c.MapFS.ReadFile(name)
}

// A verification goes on where an earlier one ended, and does not trust it blindly.
func TestVerification_Progress(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	var saved transparency.Progress
	run := func(files *counted) (transparency.Report, error) {
		v := e.verification()
		v.Log, v.Stored, v.Progress = files, nil, &saved
		v.Save = func(p transparency.Progress) error {
			text, err := json.Marshal(p) // it is kept in a file
			saved = transparency.Progress{}
			return errors.Join(err, json.Unmarshal(text, &saved))
		}
		return v.Run(t.Context())
	}
	failing := &counted{e.files, map[string]int{}, "tile/entries/002.p/188"}
	if _, err := run(failing); !errors.Is(err, os.ErrDeadlineExceeded) || saved.Bundles != 0 {
		t.Fatalf("%v, %+v", err, saved)
	}
	if r, err := run(&counted{e.files, map[string]int{}, ""}); err != nil || r.Found != 0 || saved.Bundles != 2 || saved.Size != 700 {
		t.Fatalf("%+v, %v, %+v", r, err, saved)
	}
	// More records come, and only those are read.
	e.log.write(t, records(700, 800)...)
	e.files = e.log.folder.fs()
	more := e.log.folder.lines[700:]
	v := e.verification()
	lines := fstest.MapFS{linesFile: v.Lines[0].(fstest.MapFS)[linesFile], "year=2026/month=03/day=02/hour=12/b.jsonl": {Data: append(bytes.Join(more, []byte("\n")), '\n')}}
	lines[linesFile].Data = nil // not read again
	files := &counted{e.files, map[string]int{}, ""}
	v.Log, v.Lines, v.Stored, v.Progress = files, []fs.FS{lines}, nil, &saved
	v.Save = func(transparency.Progress) error { return nil }
	r, err := v.Run(t.Context())
	if err != nil || r.Found != 0 || r.Records != 800-512 || r.Lines != 100 || files.read["tile/entries/000"] != 0 {
		t.Errorf("%+v, %v, %v", r, err, files.read)
	}
	// A past that has changed is noticed.
	e.resigned(func(r []events.AuditRecord) []events.AuditRecord { r[5].Actor.Name = "Mallory"; return r })
	for name := range e.files {
		if strings.HasPrefix(name, "checkpoints/") {
			delete(e.files, name)
		}
	}
	if r, err := run(&counted{e.files, map[string]int{}, ""}); err != nil || r.Found == 0 || !strings.Contains(r.Faults[0].Where, "earlier verification") {
		t.Errorf("%+v, %v", r, err)
	}
}

// Administrative acts are in the same log, and their lines in a folder of their own.
func TestAdminActs(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	admin := newFolder()
	l.NextAdmin = admin
	act := events.AdminRecord{
		ID: "00000000-0000-4000-8000-00000000ac70", Type: "admin", Meta: events.AuditMeta{SchemaVersion: events.AdminSchemaVersion, Revision: 4},
		State: events.AdminState{Status: events.StatusInProgress}, Event: events.AdminEvent{Type: "publish", Timestamp: l.now},
		Fields: map[string]any{"settings": strings.Repeat("long <&> ", 10_000)},
	}
	l.write(t, records(0, 3)...)
	for range 2 {
		if err := l.Admin().Write(t.Context(), []events.AdminRecord{act}); err != nil {
			t.Fatal(err)
		}
	}
	act.Meta.Revision, act.State.Status, act.Fields = 5, events.StatusCompleted, map[string]any{}
	if err := l.Admin().Write(t.Context(), []events.AdminRecord{act}); err != nil {
		t.Fatal(err)
	}
	l.write(t, record(3, 1))
	if leaves, _, err := stranger.Verify(l.folder.fs(), l.key.Public()); err != nil || len(leaves) != 6 {
		t.Errorf("%d leaves, %v", len(leaves), err)
	}
	of := func(f *folder) fs.FS {
		return fstest.MapFS{linesFile: {Data: append(bytes.Join(f.lines, []byte("\n")), '\n')}}
	}
	v := transparency.Verification{Log: l.folder.fs(), Public: []string{l.key.Public()}, Now: l.now, Lines: []fs.FS{of(l.folder), of(admin)},
		Stored: func(yield func(transparency.Stored, error) bool) {
			for n := range 4 {
				if !yield(transparency.Stored{Run: "run", ID: record(n, 1).ID, Rev: 1}, nil) {
					return
				}
			}
		},
	}
	r, err := v.Run(t.Context())
	if err != nil || r.Found != 0 || r.Lines != 7 {
		t.Errorf("%+v, %v", r, err)
	}
	v.Lines = v.Lines[:1]
	if r, err := v.Run(t.Context()); err != nil || r.Found != 1 || !strings.Contains(r.Faults[0].What, "Records 3 to 4 are in the log, and no line has them") {
		t.Errorf("lines of acts that are gone: %+v, %v", r, err)
	}
	got, _, err := transparency.Reader{Files: l.folder, Public: []string{l.key.Public()}}.Read(t.Context(), 3, 1)
	if err != nil || len(got) != 1 || !got[0].Admin || got[0].ID != act.ID || got[0].Rev != 4 {
		t.Errorf("%+v, %v", got, err)
	}
}
