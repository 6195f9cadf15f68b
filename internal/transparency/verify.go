package transparency

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/symflows/symflows/internal/flow"
)

// Verification checks a transparency log, from its files and a public key alone, and
// what else it is given against it.
type Verification struct {
	Log    fs.FS    // the log's files
	Public []string // the log's public keys; whoever signed must be among them
	// Lines are the folders of JSON lines that the records went on to, in partitions
	// whose names sort by time: one of what happened to runs, one of what administrators
	// did. Nil compares none.
	Lines []fs.FS
	// Against are checkpoints of the log that were kept elsewhere.
	Against [][]byte
	// Stored are the events of runs that the deployment has, in any order. Nil compares
	// none. Administrative acts are kept there for a while only, and are not compared.
	Stored iter.Seq2[Stored, error]
	Now    time.Time // of this machine
	// Lag is how long a record may be on its way to the lines, or from the store.
	Lag time.Duration
	// MaxSilence is for how long there may be no checkpoint, up to now. Zero: for any
	// time, which is told.
	MaxSilence time.Duration
	// Progress is where an earlier verification ended: what it has read is not read
	// again, but that it is still there is checked. Save keeps it now and then, and at
	// the end, as long as there is no fault. Both may be nil.
	Progress *Progress
	Save     func(Progress) error
}

// Stored is the newest state of an event in the store.
type Stored struct {
	Run     string
	ID      string
	Rev     int64
	Changed time.Time // when its run was changed last
}

// Report says what a verification has found.
type Report struct {
	Checkpoint Checkpoint
	Records    int64 // read from the log this time
	Lines      int64 // that are in the log, repeated ones included
	Unplaced   int64 // lines from before the log began
	OnTheirWay int64 // records that are too new to be missed among the lines
	Kept       int   // checkpoints of hours
	Stored     int64 // events of the store
	Pruned     int64 // the records before this index need not be kept, by a note that the log signed
	KeyChanges []KeyChange
	Silences   []Silence
	// Faults are the first of those that were found, by their records, and Found
	// counts all.
	Faults []Fault
	Found  int
}

// Silence is a time without any checkpoint.
type Silence struct{ From, Until time.Time }

// Fault is something that is not as it was signed.
type Fault struct {
	Record int64  // index in the log; -1 if it is of no record
	Where  string // file or id
	What   string // a sentence
	Means  string // what may have happened, a sentence
}

// Progress is how far a verification has come. It is JSON, to be kept in a file.
type Progress struct {
	Size    int64  `json:"size"` // of the log
	Root    []byte `json:"root"`
	Bundles int64  `json:"bundles"` // full ones that were read
	Seen    []byte `json:"seen"`    // a bit for each record that had a line
	// Lines are how far the folders of lines were read, in the order in which they were
	// given.
	Lines []LinesProgress `json:"lines"`
}

// LinesProgress is how far a folder of lines was read.
type LinesProgress struct {
	File   string `json:"file"`   // the last one that was read
	Placed bool   `json:"placed"` // whether a line had a place by then
}

// mostFaults is how many faults are reported. More tell nothing new.
const mostFaults = 100

// silent is how far checkpoints are apart at most while a log is written: there is one
// in each hour.
const silent = 2 * time.Hour

// what faults mean.
const (
	meansAltered  = "The log's files were altered after they were written, or are damaged."
	meansRewound  = "The log was cut, or put back to an older state: records that it had are gone."
	meansRewrite  = "Records of the past were replaced, by somebody who can sign for the log or who kept others from seeing it."
	meansLine     = "The line was altered, or put there by somebody else: what the log has is what was recorded."
	meansDropped  = "The line was removed, or never arrived: the log still has the record."
	meansAdded    = "The line was added by somebody else, or its place in the log was removed."
	meansUnlogged = "The event is not in the log: it was put into the store by somebody else, or its record was lost on the way."
	meansGone     = "The event was removed from the store, or the record was added to the log by somebody who can sign for it."
)

// verification is one under way.
type verification struct {
	Verification
	r       Report
	read    reading
	levels  [][]tlog.Hash // of the tree, one for each level of tiles
	good    int64         // so many records are as they were signed
	broken  bool          // tiles do not agree with each other
	missing bool          // bundles were pruned
	seen    []byte
	newest  map[string]int64 // the highest revision of each id in the log
	acts    map[string]bool  // ids of administrative acts
	times   map[int64]time.Time
	save    Progress
}

// Run checks everything. The error is that something could not be read; what is wrong
// is in the report.
func (v Verification) Run(ctx context.Context) (Report, error) {
	x := &verification{Verification: v, newest: map[string]int64{}, acts: map[string]bool{}, times: map[int64]time.Time{}}
	x.read = reading{ctx, func(_ context.Context, name string) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return fs.ReadFile(v.Log, name)
	}}
	err := x.run(ctx)
	slices.SortStableFunc(x.r.Faults, func(a, b Fault) int {
		switch {
		case a.Record == b.Record:
			return 0
		case a.Record < 0 || b.Record >= 0 && a.Record > b.Record:
			return 1
		}
		return -1
	})
	x.r.Faults = x.r.Faults[:min(len(x.r.Faults), mostFaults)]
	return x.r, err
}

func (x *verification) fault(record int64, where, means, what string, args ...any) {
	x.r.Found++
	if len(x.r.Faults) < 100*mostFaults {
		x.r.Faults = append(x.r.Faults, Fault{Record: record, Where: where, What: fmt.Sprintf(what, args...), Means: means})
	}
}

func (x *verification) run(ctx context.Context) error {
	text, err := fs.ReadFile(x.Log, CheckpointName)
	if errors.Is(err, fs.ErrNotExist) {
		x.fault(-1, CheckpointName, meansRewound, "There is no checkpoint.")
		return nil
	}
	if err != nil {
		return err
	}
	c, err := Open(text, x.Public...)
	if err != nil {
		_, err = x.opened(CheckpointName, err)
		return err // nothing else is to be trusted
	}
	x.r.Checkpoint = c
	for _, step := range []func(context.Context) error{x.tree, x.notes, x.kept, x.others, x.progress, x.records, x.lines, x.store} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return x.keep()
}

// size is that of the log.
func (x *verification) size() int64 { return x.r.Checkpoint.Tree.N }

// tree reads the hashes of all records, and checks every tile above against them.
func (x *verification) tree(context.Context) error {
	size := x.size()
	leaves := make([]tlog.Hash, 0, size)
	for n := int64(0); n*width < size; n++ {
		t := tlog.Tile{H: height, N: n, W: int(min(width, size-n*width))}
		data, err := x.read.tile(t)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(data) < t.W*tlog.HashSize {
			x.fault(n*width, tilePath(t), meansAltered, "The tile with the hashes of records %d to %d is missing or too short.", n*width, n*width+int64(t.W)-1)
			data = append(slices.Clip(data), make([]byte, t.W*tlog.HashSize-len(data))...)
		}
		for i := range t.W {
			leaves = append(leaves, tlog.Hash(data[i*tlog.HashSize:]))
		}
	}
	for level := leaves; len(level) > 0; {
		x.levels = append(x.levels, level)
		var above []tlog.Hash
		for full := range slices.Chunk(level[:len(level)/width*width], width) {
			above = append(above, subtree(full))
		}
		level = above
	}
	for l, level := range x.levels {
		if l == 0 {
			continue
		}
		for n := int64(0); n*width < int64(len(level)); n++ {
			t := tlog.Tile{H: height, L: l, N: n, W: int(min(width, int64(len(level))-n*width))}
			data, err := x.read.tile(t)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for i := range t.W {
				if h := level[n*width+int64(i)]; len(data) < (i+1)*tlog.HashSize || !bytes.Equal(data[i*tlog.HashSize:(i+1)*tlog.HashSize], h[:]) {
					span := int64(1) << (height * l)
					first := (n*width + int64(i)) * span
					x.fault(first, tilePath(t), meansAltered, "The hash over records %d to %d is not that of the tile below.", first, first+span-1)
					break
				}
			}
		}
	}
	x.broken = x.r.Found > 0
	return nil
}

// subtree is the hash over hashes.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := 1
	for 2*half < len(hashes) {
		half *= 2
	}
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

// root is the hash over the first records.
func (x *verification) root(size int64) tlog.Hash {
	if size == 0 {
		return sha256.Sum256(nil)
	}
	var right []tlog.Hash // of what is right of the full tiles so far; one at most
	for _, level := range x.levels {
		n := size
		some := slices.Clone(level[n/width*width : n])
		if some = append(some, right...); len(some) > 0 {
			right = []tlog.Hash{subtree(some)}
		}
		size /= width
	}
	return right[0]
}

// opened tells whether a checkpoint could be opened, and takes note if it is wrong. The
// error is that of a key.
func (x *verification) opened(where string, err error) (ok bool, invalid error) {
	if err == nil {
		return true, nil
	}
	if flow.CodeOf(err) != flow.CodeTampered {
		return false, err
	}
	x.fault(-1, where, "It was altered, or is of another log or another key. If the key was changed, give the old one too.", "%s.", flow.UserMessage(err))
	return false, nil
}

// notes reads what the log has signed beside its checkpoints.
func (x *verification) notes(context.Context) error {
	pruned, err := PrunedTo(x.Log, x.Public...)
	if ok, err := x.opened(prunedDir, err); err != nil {
		return err
	} else if ok {
		x.r.Pruned = pruned
	}
	changes, err := fs.ReadDir(x.Log, keysDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range changes {
		text, err := fs.ReadFile(x.Log, keysDir+"/"+d.Name())
		if err != nil {
			return err
		}
		c, err := openKeyChange(text, x.Public)
		if ok, err := x.opened(keysDir+"/"+d.Name(), err); err != nil {
			return err
		} else if ok {
			x.r.KeyChanges = append(x.r.KeyChanges, c)
		}
	}
	return nil
}

// holds checks that the log still has what a checkpoint says.
func (x *verification) holds(c Checkpoint, where string) {
	switch {
	case c.Tree.N > x.size():
		x.fault(x.size(), where, meansRewound, "On %s the log had %d records, and now it has %d.", c.At.Format(time.RFC3339), c.Tree.N, x.size())
	case x.root(c.Tree.N) != c.Tree.Hash && x.broken:
		// Whatever follows from the hashes that are wrong, or missing, is no news.
	case x.root(c.Tree.N) != c.Tree.Hash:
		x.fault(x.good, where, meansRewrite, "Of the first %d records, those from %d on are not all as they were signed on %s.", c.Tree.N, x.good, c.At.Format(time.RFC3339))
	default:
		x.good = max(x.good, c.Tree.N)
	}
}

// kept checks the checkpoints of hours, and looks for silences between them.
func (x *verification) kept(ctx context.Context) error {
	var last time.Time
	spoke := func(at time.Time) {
		if !last.IsZero() && at.Sub(last) > silent {
			x.r.Silences = append(x.r.Silences, Silence{last, at})
		}
		if x.MaxSilence > 0 && !last.IsZero() && at.Sub(last) > x.MaxSilence {
			x.fault(-1, CheckpointName, "The log was stopped, or checkpoints were removed: whatever was recorded meanwhile may be gone with them.", "There is no checkpoint from %s to %s.", last.Format(time.RFC3339), at.Format(time.RFC3339))
		}
		if at.After(last) {
			last = at
		}
	}
	var size int64
	err := fs.WalkDir(x.Log, keptDir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == keptDir {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		text, err := fs.ReadFile(x.Log, name)
		if err != nil {
			return err
		}
		c, err := Open(text, x.Public...)
		if ok, err := x.opened(name, err); !ok {
			return err
		}
		x.r.Kept++
		if c.At.Format(keptLayout) != name {
			x.fault(-1, name, meansAltered, "This checkpoint was signed on %s, in another hour than it is kept for.", c.At.Format(time.RFC3339))
		}
		if c.Tree.N < size {
			x.fault(c.Tree.N, name, meansRewound, "The log had %d records before, and %d on %s.", size, c.Tree.N, c.At.Format(time.RFC3339))
		}
		size = max(size, c.Tree.N)
		x.holds(c, name)
		spoke(c.At)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	x.holds(x.r.Checkpoint, CheckpointName)
	spoke(x.r.Checkpoint.At)
	spoke(x.Now)
	return nil
}

// others checks the checkpoints that were kept elsewhere.
func (x *verification) others(context.Context) error {
	for _, text := range x.Against {
		c, err := Open(text, x.Public...)
		if ok, err := x.opened("the checkpoint that was kept elsewhere", err); err != nil {
			return err
		} else if ok {
			x.holds(c, "the checkpoint that was kept elsewhere")
		}
	}
	return nil
}

// progress checks that what an earlier verification has seen is still there.
func (x *verification) progress(context.Context) error {
	x.seen = make([]byte, (x.size()+7)/8)
	if p := x.Progress; p != nil && p.Size > 0 {
		h := tlog.Hash{}
		copy(h[:], p.Root)
		x.holds(Checkpoint{Tree: tlog.Tree{N: p.Size, Hash: h}, At: x.Now}, "the progress of an earlier verification")
		if x.r.Found == 0 {
			x.save = *p
			x.save.Lines = slices.Clone(p.Lines)
			copy(x.seen, p.Seen)
		}
	}
	x.save.Size, x.save.Root = x.size(), x.r.Checkpoint.Tree.Hash[:]
	return nil
}

// keep saves the progress, if there is no fault.
func (x *verification) keep() error {
	if x.Save == nil || x.r.Found > 0 {
		return nil
	}
	x.save.Seen = x.seen
	return x.Save(x.save)
}

// often is after how many files the progress is kept.
const often = 500

// records checks the records against their hashes, and takes note of what they are of.
func (x *verification) records(ctx context.Context) error {
	first := x.save.Bundles
	if x.Stored != nil {
		first = 0 // all ids are needed
	}
	for n := first; n*width < x.size(); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := tlog.Tile{H: height, N: n, W: int(min(width, x.size()-n*width))}
		where := tilePath(entriesOf(t))
		data, err := x.read.tile(entriesOf(t))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if n*width < x.r.Pruned && len(data) == 0 {
			x.missing = true // which was signed
			if n == x.save.Bundles && x.r.Found == 0 {
				x.save.Bundles++
			}
			continue
		}
		entries, broken := unbundle(data)
		for i, e := range entries[:min(len(entries), t.W)] {
			if err := x.record(n*width+int64(i), where, e); err != nil {
				return err
			}
		}
		if len(entries) < t.W {
			what := "it is missing, or ends too soon"
			if broken != nil {
				what = broken.Error()
			}
			x.fault(n*width+int64(len(entries)), where, meansAltered, "Records from %d on can't be read: %s.", n*width+int64(len(entries)), what)
		}
		if t.W == width && n == x.save.Bundles && x.r.Found == 0 {
			if x.save.Bundles++; x.save.Bundles%often == 0 {
				if err := x.keep(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// record checks one record.
func (x *verification) record(index int64, where string, entry []byte) error {
	x.r.Records++
	if h := tlog.RecordHash(entry); h != x.levels[0][index] {
		if other := slices.Index(x.levels[0], h); other >= 0 {
			x.fault(index, where, meansAltered, "Record %d stands in the place of record %d.", other, index)
		} else {
			x.fault(index, where, meansAltered, "Record %d is not the one whose hash was signed.", index)
		}
		return nil
	}
	var r struct {
		ID    string `json:"id"`
		Type  string `json:"type"`
		Meta  struct{ Revision int64 }
		Event struct{ Timestamp time.Time }
	}
	if err := json.Unmarshal(entry, &r); err != nil || r.ID == "" {
		x.fault(index, where, meansRewrite, "Record %d is no audit record.", index)
		return nil
	}
	key := fmt.Sprint(r.ID, ".", r.Meta.Revision)
	if _, twice := x.newest[key]; twice {
		x.fault(index, where, meansRewrite, "Record %d, %s, is in the log twice.", index, key)
	}
	x.newest[key] = index
	if rev, known := x.newest[r.ID]; !known || r.Meta.Revision > rev {
		x.newest[r.ID] = r.Meta.Revision
	}
	if r.Type == typeAdmin {
		x.acts[r.ID] = true
	}
	if x.fresh(r.Event.Timestamp) {
		x.times[index] = r.Event.Timestamp
	}
	if bytes.Contains(entry, []byte(`"`+valuesDir+"/")) {
		return x.elsewhere(index, entry)
	}
	return nil
}

// fresh tells of something that happened just now: it may not have arrived everywhere.
func (x *verification) fresh(at time.Time) bool {
	return x.Lag > 0 && at.After(x.Now.Add(-x.Lag)) && at.Before(x.Now.Add(x.Lag))
}

// elsewhere checks what a record has too much of to hold.
func (x *verification) elsewhere(index int64, entry []byte) error {
	var r struct {
		Output json.RawMessage
		Fields map[string]json.RawMessage
	}
	if err := json.Unmarshal(entry, &r); err != nil {
		return nil // it is no record of ours, which was told
	}
	for _, text := range append(slices.Collect(valuesOf(r.Fields)), r.Output) {
		var there Elsewhere
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if d.Decode(&there) != nil || there.Kept != valuesDir+"/"+there.SHA256 {
			continue
		}
		value, err := fs.ReadFile(x.Log, there.Kept)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return err
		}
		if sum := sha256.Sum256(value); err != nil || hex.EncodeToString(sum[:]) != there.SHA256 {
			x.fault(index, there.Kept, meansAltered, "What record %d was too long for is missing, or is not what was recorded.", index)
		}
	}
	return nil
}

func valuesOf(m map[string]json.RawMessage) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// lines checks the JSON lines against the log, and the log against them.
func (x *verification) lines(ctx context.Context) error {
	if x.Lines == nil {
		return nil
	}
	if len(x.save.Lines) != len(x.Lines) {
		x.save.Lines = make([]LinesProgress, len(x.Lines))
	}
	var beyond []Fault // of lines that are newer than the checkpoint, or claim to be
	for i, folder := range x.Lines {
		more, err := x.folder(ctx, folder, &x.save.Lines[i])
		if err != nil {
			return err
		}
		beyond = append(beyond, more...)
	}
	if len(beyond) > 0 { // the log may have grown meanwhile
		text, err := fs.ReadFile(x.Log, CheckpointName)
		if err != nil {
			return err
		}
		c, err := Open(text, x.Public...)
		for _, f := range beyond {
			if err != nil || f.Record >= c.Tree.N {
				x.fault(f.Record, f.Where, f.Means, "%s", f.What)
			}
		}
	}
	for i := int64(0); i < x.size(); {
		if x.seen[i/8]&(1<<(i%8)) != 0 || i < x.r.Pruned {
			i++
			continue
		}
		first := i
		for ; i < x.size() && x.seen[i/8]&(1<<(i%8)) == 0; i++ {
			if _, onItsWay := x.times[i]; onItsWay {
				break
			}
		}
		switch {
		case i == first:
			x.r.OnTheirWay++
			i++
		case i == first+1:
			x.fault(first, "", meansDropped, "Record %d is in the log, and no line has it.", first)
		default:
			x.fault(first, "", meansDropped, "Records %d to %d are in the log, and no line has them.", first, i-1)
		}
	}
	return nil
}

// folder checks the lines of a folder, from where an earlier verification ended.
func (x *verification) folder(ctx context.Context, lines fs.FS, read *LinesProgress) (beyond []Fault, err error) {
	files := 0
	err = fs.WalkDir(lines, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || name <= read.File {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		number := 0
		err = eachLine(lines, name, func(line []byte) {
			number++
			beyond = append(beyond, x.line(line, fmt.Sprintf("%s, line %d", name, number), &read.Placed)...)
		})
		if err != nil {
			x.fault(-1, name, meansAltered, "It can't be read: %v.", err)
		}
		if x.r.Found == 0 && len(beyond) == 0 {
			read.File = name
			if files++; files%often == 0 {
				return x.keep()
			}
		}
		return nil
	})
	return beyond, err
}

// line checks one line. What it gives are faults unless the log has grown.
func (x *verification) line(line []byte, where string, placed *bool) []Fault {
	leaf, place, ok := OfLine(line)
	if !ok {
		var r struct {
			ID  string          `json:"id"`
			Log json.RawMessage `json:"log"`
		}
		if !*placed && json.Unmarshal(line, &r) == nil && r.ID != "" && r.Log == nil {
			x.r.Unplaced++
			return nil
		}
		x.fault(-1, where, meansAdded, "The line has no place in the log, though lines before it have.")
		return nil
	}
	*placed = true
	i, h := place.Index, tlog.RecordHash(leaf)
	if i >= x.size() {
		return []Fault{{Record: i, Where: where, Means: meansRewound, What: fmt.Sprintf("The line says that it is record %d, and the log has %d.", i, x.size())}}
	}
	if h != x.levels[0][i] {
		if other := slices.Index(x.levels[0], h); other >= 0 {
			x.fault(i, where, meansLine, "The line says that it is record %d, and it is record %d.", i, other)
		} else {
			x.fault(i, where, meansLine, "The line is not record %d, as it says.", i)
		}
		return nil
	}
	if h.String() != place.LeafHash {
		x.fault(i, where, meansLine, "The hash in the line of record %d is not its own.", i)
	}
	x.r.Lines++
	x.seen[i/8] |= 1 << (i % 8)
	return nil
}

// eachLine reads a file of lines, compressed or not.
func eachLine(files fs.FS, name string, do func(line []byte)) (err error) {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := bufio.NewReaderSize(f, 64<<10)
	if start, _ := in.Peek(2); bytes.Equal(start, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			do(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// store compares the events of the store with the records, by id and revision.
func (x *verification) store(ctx context.Context) error {
	if x.Stored == nil {
		return nil
	}
	here := map[string]bool{}
	for s, err := range x.Stored {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		x.r.Stored++
		here[s.ID] = true
		where := "run " + s.Run + ", event " + s.ID
		switch rev, ok := x.newest[s.ID]; {
		case ok && (rev == s.Rev || s.Rev == 0) || x.fresh(s.Changed): // revision 0 was recovered from the record
		case !ok && x.missing: // it may be among what was pruned
		case !ok:
			x.fault(-1, where, meansUnlogged, "The event is in the store, and not in the log.")
		case rev < s.Rev:
			x.fault(x.newest[fmt.Sprint(s.ID, ".", rev)], where, meansUnlogged, "The store has revision %d of the event, and the log has revision %d at most.", s.Rev, rev)
		default:
			x.fault(x.newest[fmt.Sprint(s.ID, ".", rev)], where, "The store was put back to an older state, or altered.", "The log has revision %d of the event, and the store has revision %d.", rev, s.Rev)
		}
	}
	for key, index := range x.newest {
		if id, _, ok := strings.Cut(key, "."); ok && !here[id] && !x.acts[id] {
			here[id] = true
			x.fault(index, "event "+id, meansGone, "The event is in the log, and not in the store.")
		}
	}
	return nil
}
