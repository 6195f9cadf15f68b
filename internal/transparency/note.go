package transparency

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/symflows/symflows/internal/flow"
)

// Notes that lie beside the log's files, each signed as a checkpoint is, but without the
// time, which they tell in their text. Their first line is the log's name and what follows:
const (
	ofPruning = "/pruned" // the records from an index on are kept; see [Writer.Prune]
	ofKeys    = "/keys"   // from here on others sign; see [Writer.checkpoint]
)

const (
	prunedDir = "pruned"
	keysDir   = "keys"
	atLayout  = "20060102T150405Z"
)

// signNote signs the lines of a note of the log.
func (w *Writer) signNote(of string, lines ...string) ([]byte, error) {
	var signers []note.Signer
	for _, k := range w.Keys {
		s, err := note.NewSigner(k.text)
		if err != nil {
			return nil, err
		}
		signers = append(signers, s)
	}
	text := w.Keys[0].name + of + "\n" + strings.Join(lines, "\n") + "\n"
	return note.Sign(&note.Note{Text: text}, signers...)
}

// openNote verifies a note of the log with its public keys, of which one must have signed
// it, and gives its lines without the first, and how many of the keys have signed. The error
// has flow.CodeTampered if it is not what they signed.
func openNote(text []byte, of string, public []string) (lines []string, signed int, err error) {
	var all []note.Verifier
	for _, p := range slices.Compact(slices.Sorted(slices.Values(public))) {
		v, err := note.NewVerifier(strings.TrimSpace(p))
		if err != nil {
			return nil, 0, flow.Errorf(flow.CodeInvalid, "%q is no public key of a log", p)
		}
		all = append(all, v)
	}
	n, err := note.Open(text, note.VerifierList(all...))
	if err != nil {
		return nil, 0, flow.Errorf(flow.CodeTampered, "the note is not what the log signed: %v", err)
	}
	lines = strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	for _, s := range n.Sigs {
		if lines[0] != s.Name+of {
			return nil, 0, flow.Errorf(flow.CodeTampered, "the note is of something else: %q", lines[0])
		}
	}
	return lines[1:], len(n.Sigs), nil
}

// noteKeys keeps what tells that others sign from the tree on, before they do: which keys,
// and the last checkpoint that they have not signed. If an old key still signs too, it has
// signed this note, and so vouches for the new ones; if it is lost, nothing does but that the
// log still fits its last checkpoint.
func (w *Writer) noteKeys(ctx context.Context, tree tlog.Tree, last []byte) error {
	now := w.Now().UTC()
	lines := []string{"at " + now.Format(time.RFC3339), fmt.Sprintf("from %d %s", tree.N, tree.Hash)}
	for _, k := range w.Keys {
		lines = append(lines, "key "+k.Public())
	}
	text, err := w.signNote(ofKeys, append(lines, "last "+base64.StdEncoding.EncodeToString(last))...)
	if err != nil {
		return err
	}
	return w.Files.Write(ctx, keysDir+"/"+now.Format(atLayout), text)
}

// KeyChange is what a note of a change of keys says.
type KeyChange struct {
	At   time.Time
	From int64 // records that the log had
	Keys []string
	// Vouched says that a key which signed before has signed the note.
	Vouched bool
}

// openKeyChange verifies a note of a change of keys.
func openKeyChange(text []byte, public []string) (c KeyChange, err error) {
	lines, _, err := openNote(text, ofKeys, public)
	if err != nil {
		return c, err
	}
	bad := flow.Errorf(flow.CodeTampered, "the note of a change of keys can't be read")
	if len(lines) < 4 {
		return c, bad
	}
	if c.At, err = time.Parse("at "+time.RFC3339, lines[0]); err != nil {
		return c, bad
	}
	if _, err := fmt.Sscanf(lines[1], "from %d ", &c.From); err != nil {
		return c, bad
	}
	for _, l := range lines[2 : len(lines)-1] {
		key, ok := strings.CutPrefix(l, "key ")
		if !ok {
			return c, bad
		}
		c.Keys = append(c.Keys, key)
	}
	last, ok := strings.CutPrefix(lines[len(lines)-1], "last ")
	if !ok {
		return c, bad
	}
	before, err := base64.StdEncoding.DecodeString(last)
	if err != nil {
		return c, bad
	}
	var vouching []string // which signed before, and sign now
	for _, k := range c.Keys {
		if _, err := Open(before, k); err == nil {
			vouching = append(vouching, k)
		}
	}
	if vouching != nil {
		_, _, err := openNote(text, ofKeys, vouching)
		c.Vouched = err == nil
	}
	return c, nil
}

// Prune signs that records which happened before a time need not be kept: full bundles
// from the first on, of which none has a later one. It gives the index from which records
// are kept. Their hashes are kept, so that all else can still be verified. It removes nothing:
// see [Prunable].
func (w *Writer) Prune(ctx context.Context, before time.Time) (from int64, err error) {
	head, _, err := w.Log.Head(ctx)
	if err != nil {
		return 0, err
	}
	files, read := w.Files, reading{ctx, w.Files.Read}
	for from+width <= head.Size {
		entries, err := read.entries(tlog.Tile{H: height, N: from / width, W: width})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was removed before
			return 0, err
		}
		if slices.ContainsFunc(entries, func(e []byte) bool { return !happenedBefore(e, before) }) {
			break
		}
		from += width
	}
	if from == 0 {
		return 0, nil
	}
	text, err := w.signNote(ofPruning, "from "+strconv.FormatInt(from, 10))
	if err != nil {
		return 0, err
	}
	return from, files.Write(ctx, fmt.Sprintf("%s/%012d", prunedDir, from), text)
}

func happenedBefore(entry []byte, before time.Time) bool {
	var r struct{ Event struct{ Timestamp time.Time } }
	return json.Unmarshal(entry, &r) == nil && r.Event.Timestamp.Before(before)
}

// PrunedTo gives the index from which on the records of a log are kept, by the notes that
// its keys have signed; 0 if nothing was pruned. The error has flow.CodeTampered for a note
// that they have not.
func PrunedTo(log fs.FS, public ...string) (from int64, err error) {
	notes, err := fs.ReadDir(log, prunedDir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, d := range notes {
		text, err := fs.ReadFile(log, prunedDir+"/"+d.Name())
		if err != nil {
			return 0, err
		}
		lines, _, err := openNote(text, ofPruning, public)
		if err != nil {
			return 0, err
		}
		if len(lines) != 1 {
			return 0, flow.Errorf(flow.CodeTampered, "the note of what was pruned can't be read")
		}
		number, _ := strings.CutPrefix(lines[0], "from ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n%width != 0 {
			return 0, flow.Errorf(flow.CodeTampered, "the note of what was pruned can't be read")
		}
		from = max(from, n)
	}
	return from, nil
}

// Prunable lists the files that may be removed from a log of this size once the records
// before an index need not be kept: their bundles, and what they alone were too long for.
func Prunable(ctx context.Context, log fs.FS, from, size int64) (names []string, err error) {
	read := reading{ctx, func(_ context.Context, name string) ([]byte, error) { return fs.ReadFile(log, name) }}
	aside := map[string]bool{}
	for n := int64(0); n*width < size; n++ {
		if n*width >= from && len(aside) == 0 {
			break
		}
		t := tlog.Tile{H: height, N: n, W: int(min(width, size-n*width))}
		entries, err := read.entries(t)
		if n*width < from && errors.Is(err, fs.ErrNotExist) {
			continue // it was removed before
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			for _, name := range keptAside(e) {
				if n*width < from {
					aside[name] = true
				} else {
					delete(aside, name)
				}
			}
		}
		if n*width < from {
			names = append(names, tilePath(entriesOf(t)))
		}
	}
	// What bundles name goes first, so that who was stopped goes on.
	return append(slices.Sorted(maps.Keys(aside)), names...), nil
}

// keptAside lists the files that a record names.
func keptAside(entry []byte) (names []string) {
	mark := []byte(`"kept":"` + valuesDir + "/")
	for rest := entry; ; {
		_, after, found := bytes.Cut(rest, mark)
		if !found || len(after) < 2*tlog.HashSize {
			return names
		}
		names = append(names, valuesDir+"/"+string(after[:2*tlog.HashSize]))
		rest = after
	}
}
