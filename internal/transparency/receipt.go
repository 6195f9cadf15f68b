package transparency

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Receipt proves that a record is in the log, to whoever has the public key.
type Receipt struct {
	Index int64
	Leaf  []byte // the record
	Proof []byte // a c2sp.org/tlog-proof
}

// Prover makes receipts.
type Prover struct {
	Log   store.Log
	Files interface {
		Read(ctx context.Context, name string) ([]byte, error)
	}
	Public []string // the log's public keys; nil: those that lie beside its files
}

// newest is the state of the log that receipts of one answer are for. It reads each file
// once.
type newest struct {
	reading
	checkpoint Checkpoint
	public     []string
}

// newest reads the newest checkpoint: nil if there is none yet.
func (p Prover) newest(ctx context.Context) (*newest, error) {
	known := map[string][]byte{}
	read := func(ctx context.Context, name string) ([]byte, error) {
		if data, ok := known[name]; ok {
			return data, nil
		}
		data, err := p.Files.Read(ctx, name)
		if err == nil {
			known[name] = data
		}
		return data, err
	}
	n := &newest{reading: reading{ctx, read}, public: p.Public}
	text, err := read(ctx, CheckpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if n.public == nil {
		keys, err := read(ctx, PublicKeyName)
		if err != nil {
			return nil, err
		}
		n.public = strings.Fields(string(keys))
	}
	n.checkpoint, err = Open(text, n.public...)
	return n, err
}

// Prove makes the receipt of a state of a record, for the newest checkpoint. The error
// has flow.CodeNotLogged if it is not in the log yet.
func (p Prover) Prove(ctx context.Context, id string, rev int64) (Receipt, error) {
	n, err := p.newest(ctx)
	if err != nil {
		return Receipt{}, err
	}
	return p.prove(ctx, n, id, rev)
}

func (p Prover) prove(ctx context.Context, n *newest, id string, rev int64) (Receipt, error) {
	notYet := flow.Errorf(flow.CodeNotLogged, "record %s is not in the log yet: try again in a few minutes", id)
	if n == nil {
		return Receipt{}, notYet
	}
	place, ok, err := p.Log.Place(ctx, id, rev)
	if err != nil {
		return Receipt{}, err
	}
	if !ok || place.Index >= n.checkpoint.Tree.N {
		return Receipt{}, notYet
	}
	return prove(n.reading, n.checkpoint, place.Index)
}

// OfRun makes the receipts of a run's events. Those that are not in the log yet are left
// out; the error has flow.CodeNotLogged if none is.
func (p Prover) OfRun(ctx context.Context, r flow.Run) (events.RunReceipts, error) {
	n, err := p.newest(ctx)
	if err != nil {
		return events.RunReceipts{}, err
	}
	out := events.RunReceipts{RunID: r.ID}
	for _, e := range r.Events {
		receipt, err := p.prove(ctx, n, e.ID, e.Rev)
		if flow.CodeOf(err) == flow.CodeNotLogged {
			continue
		}
		if err != nil {
			return out, err
		}
		out.Keys = n.public
		out.Receipts = append(out.Receipts, events.RunReceipt{
			EventID: e.ID, EventType: string(e.Name), Revision: e.Rev, Index: receipt.Index, Record: string(receipt.Leaf), Proof: string(receipt.Proof),
		})
	}
	if out.Receipts == nil {
		return out, flow.Errorf(flow.CodeNotLogged, "nothing of run %s is in the transparency log yet: ask again in a few minutes", r.ID)
	}
	return out, nil
}

// prove makes the receipt of a record by a checkpoint that has it.
func prove(r reading, c Checkpoint, index int64) (Receipt, error) {
	hashes, err := tlog.ProveRecord(c.Tree.N, index, tlog.TileHashReader(c.Tree, r))
	if err != nil {
		return Receipt{}, unlike(c.Tree, err)
	}
	leaf, err := readEntry(r, c.Tree.N, index)
	if errors.Is(err, fs.ErrNotExist) {
		return Receipt{}, flow.Errorf(flow.CodeNotLogged, "record %d is not kept any more: the log was pruned", index)
	}
	if err != nil {
		return Receipt{}, unlike(c.Tree, err)
	}
	if err := tlog.CheckRecord(hashes, c.Tree.N, c.Tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return Receipt{}, unlike(c.Tree, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nindex %d\n", proofHeader, index)
	for _, h := range hashes {
		b.WriteString(h.String() + "\n")
	}
	b.WriteString("\n")
	b.Write(c.Text)
	return Receipt{Index: index, Leaf: leaf, Proof: []byte(b.String())}, nil
}

const proofHeader = "c2sp.org/tlog-proof@v1"

// CheckReceipt checks a c2sp.org/tlog-proof: that this record is in the log that signed
// with one of these public keys. It gives where, and the checkpoint that says so. The
// error has flow.CodeTampered if it is not proved, and flow.CodeInvalid for keys that
// are none.
func CheckReceipt(leaf, proof []byte, public ...string) (index int64, c Checkpoint, err error) {
	bad := func(why string) (int64, Checkpoint, error) {
		return 0, c, flow.Errorf(flow.CodeTampered, "the receipt does not prove that this record was logged: %s", why)
	}
	head, checkpoint, found := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != proofHeader {
		return bad("it is no " + proofHeader)
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 {
		return bad("it has no index")
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	if index, err = strconv.ParseInt(number, 10, 64); !ok || err != nil || index < 0 || strconv.FormatInt(index, 10) != number {
		return bad("it has no index")
	}
	var hashes tlog.RecordProof
	for _, l := range lines[1:] {
		raw, err := base64.StdEncoding.DecodeString(l)
		if err != nil || len(raw) != tlog.HashSize {
			return bad(fmt.Sprintf("%q is no hash", l))
		}
		hashes = append(hashes, tlog.Hash(raw))
	}
	if c, err = Open([]byte(checkpoint), public...); err != nil {
		return 0, c, err
	}
	if index >= c.Tree.N {
		return bad("its checkpoint has fewer records")
	}
	if err := tlog.CheckRecord(hashes, c.Tree.N, c.Tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return bad("its hashes do not lead from the record to the checkpoint")
	}
	return index, c, nil
}
