package transparency

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Files is where the log's files are kept. Methods are safe for concurrent use.
type Files interface {
	// Read gives a file, or an error that is fs.ErrNotExist.
	Read(ctx context.Context, name string) ([]byte, error)
	// Write keeps a file for good. What is there under the name already may stay:
	// it is the same.
	Write(ctx context.Context, name string, data []byte) error
	// Checkpoint gives the newest checkpoint, and a tag that changes with it; nothing,
	// and the tag "", if there is none.
	Checkpoint(ctx context.Context) (text []byte, tag string, err error)
	// SetCheckpoint replaces the checkpoint of this tag. Returns ErrChanged if it is
	// not there any more.
	SetCheckpoint(ctx context.Context, text []byte, tag string) error
}

// ErrChanged says that somebody else has written a checkpoint.
var ErrChanged = errors.New("transparency: the checkpoint has changed")

// Lines takes the lines of records that are in the log.
type Lines interface {
	// WriteLines keeps lines of JSON, each without its end. If it fails, none of them
	// should be kept, but some may be: the caller then writes all of them again.
	WriteLines(ctx context.Context, lines [][]byte) error
}

// Writer appends to the log. Any number of them may write at the same time, in this
// process and in others.
//
// Where a record goes is decided by one conditional write of the head, which holds the
// records until they are in files. Everything after it is a function of what the
// head holds: whoever finds it so, after a crash, does it again with the same outcome.
type Writer struct {
	Log   store.Log
	Files Files
	Keys  []Key            // at least one; see [ParseKeys]
	Now   func() time.Time // of this machine
	// Where the lines go once they are in the log: those of what happened to runs,
	Next Lines
	// and those of what administrators did.
	NextAdmin Lines
	// Elsewhere are places that are sent the checkpoint of each hour.
	Elsewhere []Keeper
}

// Keeper keeps checkpoints where whoever can write the log can't: then even they can't
// rewrite it unseen.
type Keeper interface {
	// Keep keeps the checkpoint of an hour. The name is that of its file in the log.
	Keep(ctx context.Context, name string, text []byte) error
}

// A batch is written to the log at once: so many records, whose bytes fit into the
// head also if they can't be compressed.
const (
	maxBatch      = width
	maxBatchBytes = 200 << 10
)

// atOnce is how many items of the store are read or written at the same time.
const atOnce = 16

// Write implements [workflow.AuditLog]: it logs the records that are not in the log
// yet, and then hands on the lines of all of them. An error asks for the same records
// again; those that are logged keep their places.
func (w *Writer) Write(ctx context.Context, records []events.AuditRecord) error {
	return writeAll(ctx, w, records, w.Next, leafOf)
}

// Admin writes what administrators did as Write does what happened to runs.
func (w *Writer) Admin() workflow.AdminLog { return adminWriter{w} }

type adminWriter struct{ *Writer }

// Write implements [workflow.AdminLog].
func (w adminWriter) Write(ctx context.Context, acts []events.AdminRecord) error {
	return writeAll(ctx, w.Writer, acts, w.NextAdmin, leafOfAct)
}

// writeAll logs records in batches, and hands on the lines of each batch.
func writeAll[Record any](ctx context.Context, w *Writer, records []Record, next Lines, leafOf func(Record) (leaf, []file, error)) error {
	for len(records) > 0 {
		var batch []leaf
		bytes, n := 0, 0
		for ; n < len(records) && n < maxBatch; n++ {
			l, aside, err := leafOf(records[n])
			if err != nil {
				return err
			}
			if bytes += len(l.text); bytes > maxBatchBytes {
				break // the first one alone always fits
			}
			for _, f := range aside {
				if err := w.Files.Write(ctx, f.name, f.data); err != nil {
					return fmt.Errorf("keep what is too long of record %s: %w", l.id, err)
				}
			}
			batch = append(batch, l)
		}
		if err := w.place(ctx, batch); err != nil {
			return err
		}
		var lines [][]byte
		for _, l := range batch {
			lines = append(lines, Line(l.text, l.index))
		}
		if err := next.WriteLines(ctx, lines); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// leaf is a state of a record on its way.
type leaf struct {
	id    string
	rev   int64
	text  []byte
	index int64
}

// maxTries is how often a write to the log is tried anew before it gives up. Each race
// is lost to another writer, who has got on.
const maxTries = 50

// place sees to it that the records are in the log, and says where: index, and the text
// that was logged.
func (w *Writer) place(ctx context.Context, batch []leaf) error {
	for range maxTries {
		head, rev, err := w.Log.Head(ctx)
		if err != nil {
			return err
		}
		if head.Pending != nil {
			if err := w.finish(ctx, head, rev); err != nil {
				return err
			}
			continue
		}
		// What the head does not hold has its place kept, so that nothing that is
		// not found here can be in the log as long as the head stays as it is.
		places := make([]*store.LogPlace, len(batch))
		var looking errgroup.Group
		looking.SetLimit(atOnce)
		for i, l := range batch {
			looking.Go(func() error {
				p, ok, err := w.Log.Place(ctx, l.id, l.rev)
				if ok {
					places[i] = &p
				}
				return err
			})
		}
		if err := looking.Wait(); err != nil {
			return err
		}
		next := head
		added := map[string]int{} // by id and revision: which of the pending
		for i, l := range batch {
			if places[i] != nil {
				continue
			}
			key := fmt.Sprint(l.id, " ", l.rev)
			n, again := added[key]
			if !again {
				n = len(next.Pending)
				added[key] = n
				next.Pending = append(next.Pending, store.LogEntry{ID: l.id, Rev: l.rev, Text: string(l.text)})
			}
			batch[i].text, batch[i].index = []byte(next.Pending[n].Text), head.Size+int64(n)
		}
		for i, p := range places {
			if p == nil {
				continue
			}
			batch[i].index = p.Index
			if h := tlog.RecordHash(batch[i].text); string(h[:]) != string(p.Hash) {
				// Another release described it otherwise. What counts is what was logged.
				if batch[i].text, err = readEntry(reading{ctx, w.Files.Read}, head.Size, p.Index); err != nil {
					return err
				}
				if h := tlog.RecordHash(batch[i].text); string(h[:]) != string(p.Hash) {
					return flow.Errorf(flow.CodeTampered, "record %d of the transparency log is not what was logged", p.Index)
				}
			}
		}
		if next.Pending == nil {
			return nil
		}
		rev, err = w.Log.SetHead(ctx, next, rev)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return w.finish(ctx, next, rev)
	}
	return flow.Errorf(flow.CodeUnavailable, "other writers of the transparency log were faster %d times", maxTries)
}

// finish brings what the head holds into the files. That somebody else has finished it
// meanwhile is as good.
func (w *Writer) finish(ctx context.Context, head store.LogHead, rev int64) error {
	tree, err := treeOf(head)
	if err != nil {
		return err
	}
	e, err := readEdge(tree, reading{ctx, w.Files.Read})
	if err != nil {
		return err
	}
	files, err := e.grow(pending(head))
	if err != nil {
		return err
	}
	if err := w.inSight(ctx, head, rev, e.tree); err != nil {
		return err
	}
	for _, f := range files {
		if err := w.Files.Write(ctx, f.name, f.data); err != nil {
			return fmt.Errorf("write %s of the transparency log: %w", f.name, err)
		}
	}
	if _, err := w.checkpoint(ctx, e.tree); err != nil {
		return err
	}
	var keeping errgroup.Group
	keeping.SetLimit(atOnce)
	for i, p := range head.Pending {
		keeping.Go(func() error {
			h := tlog.RecordHash([]byte(p.Text))
			return w.Log.SetPlace(ctx, p.ID, p.Rev, store.LogPlace{Index: head.Size + int64(i), Hash: h[:]})
		})
	}
	if err := keeping.Wait(); err != nil {
		return err
	}
	_, err = w.Log.SetHead(ctx, store.LogHead{Size: e.tree.N, Root: e.tree.Hash[:]}, rev)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// pending are the entries that the head holds.
func pending(head store.LogHead) (entries [][]byte) {
	for _, p := range head.Pending {
		entries = append(entries, []byte(p.Text))
	}
	return entries
}

// inSight returns an error with flow.CodeTampered if the log has signed more than the
// store knows of, which was lost then, or is as it was earlier: to go on would fork the
// log. The tree is the one with what is pending. Somebody else may have finished that,
// and gone on, so that the head has changed.
func (w *Writer) inSight(ctx context.Context, head store.LogHead, rev int64, tree tlog.Tree) error {
	text, tag, err := w.Files.Checkpoint(ctx)
	if err != nil || tag == "" {
		return err
	}
	c, err := Open(text, w.public()...)
	if err != nil { // one by a key that is lost is replaced
		return nil
	}
	if c.Tree.N <= head.Size || c.Tree == tree {
		return nil
	}
	if _, now, err := w.Log.Head(ctx); err != nil || now != rev {
		return err
	}
	return flow.Errorf(flow.CodeTampered, "the log has signed %d records, and the table knows of other %d: nothing is logged until it is recovered", c.Tree.N, tree.N)
}

// treeOf is the tree without what is pending.
func treeOf(head store.LogHead) (tlog.Tree, error) {
	t := tlog.Tree{N: head.Size}
	if head.Size > 0 && copy(t.Hash[:], head.Root) != tlog.HashSize {
		return t, flow.Errorf(flow.CodeTampered, "what is stored of the transparency log has no root")
	}
	return t, nil
}

// checkpoint signs the tree, unless there is a checkpoint of a larger one, and gives the
// newest.
func (w *Writer) checkpoint(ctx context.Context, tree tlog.Tree) (Checkpoint, error) {
	for range maxTries {
		text, tag, err := w.Files.Checkpoint(ctx)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("read the checkpoint: %w", err)
		}
		if tag != "" {
			c, err := Open(text, w.public()...)
			if err != nil && flow.CodeOf(err) != flow.CodeTampered {
				return c, err
			}
			// One by a key that is lost is replaced: the tree is what the store says.
			if err != nil || !slices.Contains(c.Keys, w.Keys[0].Public()) {
				if err := w.noteKeys(ctx, tree, text); err != nil {
					return c, err
				}
			}
			if err == nil && c.Tree.N > tree.N {
				return c, nil
			}
			if err == nil && c.Tree.N == tree.N && c.Tree.Hash != tree.Hash {
				return c, flow.Errorf(flow.CodeTampered, "the log has signed another tree of %d records: nothing is logged until this is cleared up", tree.N)
			}
		}
		if text, err = Sign(tree, w.Now(), w.Keys); err != nil {
			return Checkpoint{}, err
		}
		err = w.Files.SetCheckpoint(ctx, text, tag)
		if errors.Is(err, ErrChanged) {
			continue
		}
		if err != nil {
			return Checkpoint{}, fmt.Errorf("write the checkpoint: %w", err)
		}
		return Open(text, w.public()...)
	}
	return Checkpoint{}, flow.Errorf(flow.CodeUnavailable, "other writers of the transparency log were faster %d times", maxTries)
}

func (w *Writer) public() (keys []string) {
	for _, k := range w.Keys {
		keys = append(keys, k.Public())
	}
	return keys
}

// Beat signs a checkpoint though nothing may have happened, and keeps the first of each
// hour for good: silence shows, and so does a checkpoint that was put back. It is to be
// called each hour, and does nothing in an hour that has one. It finishes what a writer
// left.
func (w *Writer) Beat(ctx context.Context) error {
	for range maxTries {
		head, rev, err := w.Log.Head(ctx)
		if err != nil {
			return err
		}
		if head.Pending != nil {
			if err := w.finish(ctx, head, rev); err != nil {
				return err
			}
			continue
		}
		if _, err := w.Files.Read(ctx, w.Now().UTC().Format(keptLayout)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		tree, err := treeOf(head)
		if err != nil {
			return err
		}
		if head.Size == 0 {
			if tree.Hash, err = tlog.TreeHash(0, nil); err != nil {
				return err
			}
		}
		c, err := w.checkpoint(ctx, tree)
		if err != nil {
			return err
		}
		if c.Tree.N > tree.N {
			continue // somebody else is ahead
		}
		name := c.At.Format(keptLayout)
		if err := w.Files.Write(ctx, name, c.Text); err != nil {
			return err
		}
		for _, e := range w.Elsewhere {
			if failed := e.Keep(ctx, name, c.Text); failed != nil {
				// That of the next hour makes up for it: it has all that this one has.
				err = errors.Join(err, fmt.Errorf("the checkpoint of %s was not kept elsewhere: %w", c.At.Format(time.RFC3339), failed))
			}
		}
		return err
	}
	return flow.Errorf(flow.CodeUnavailable, "other writers of the transparency log were faster %d times", maxTries)
}

// readEntry reads a record of a log of this size. The caller checks it.
func readEntry(r reading, size, index int64) ([]byte, error) {
	t := tlog.Tile{H: height, N: index / width, W: int(min(width, size-index/width*width))}
	entries, err := r.entries(t)
	if err != nil {
		return nil, err
	}
	return entries[index%width], nil
}

// Resume has the store go on from the newest checkpoint, where that is of more than the
// store knows of: it was lost, or is as it was earlier, and nothing is logged any more.
// What is pending there is not logged; it comes again from whoever wanted it logged.
// Keys are the public ones of the log. It returns how many records the store had lost
// sight of. No writer may be at work.
func Resume(ctx context.Context, log store.Log, files Files, keys []string) (int64, error) {
	text, tag, err := files.Checkpoint(ctx)
	if err != nil || tag == "" {
		return 0, err
	}
	signed, err := Open(text, keys...)
	if err != nil {
		return 0, err
	}
	head, rev, err := log.Head(ctx)
	if err != nil || signed.Tree.N <= head.Size {
		return 0, err
	}
	if known, err := withPending(ctx, head, files); err != nil || known == signed.Tree {
		return 0, err // a writer has only to finish what is pending
	}
	_, err = log.SetHead(ctx, store.LogHead{Size: signed.Tree.N, Root: signed.Tree.Hash[:]}, rev)
	return signed.Tree.N - head.Size, err
}

// withPending is the tree with what is pending.
func withPending(ctx context.Context, head store.LogHead, files Files) (tlog.Tree, error) {
	tree, err := treeOf(head)
	if err != nil || head.Pending == nil {
		return tree, err
	}
	e, err := readEdge(tree, reading{ctx, files.Read})
	if err != nil {
		return tree, err
	}
	_, err = e.grow(pending(head))
	return e.tree, err
}
