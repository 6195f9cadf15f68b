package transparency

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/symflows/symflows/internal/flow"
)

// Reader reads the records of a log in order, for whoever hands them on: it is enough to
// keep the index up to which that was done. What it gives was signed.
type Reader struct {
	Files interface {
		Read(ctx context.Context, name string) ([]byte, error)
	}
	Public []string // the log's public keys; nil: those that lie beside its files
}

// Entry is a state of a record with its place in the log. Of one ID the highest Rev
// counts; it may come after others of the same run, and before none of it.
type Entry struct {
	Index int64
	ID    string // of the event, or of the administrative act
	Rev   int64
	Admin bool   // it is an administrative act
	Text  []byte // the leaf: the record's line without where it is in the log; see [Line]
}

// Read gives records from an index on, in order, at least one if there is any, and max at
// most; and how many the log has. An index that is not in the log yet gives none. The error
// has flow.CodeTampered if the files are not what was signed.
func (r Reader) Read(ctx context.Context, from int64, max int) (entries []Entry, size int64, err error) {
	text, err := r.Files.Read(ctx, CheckpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	public := r.Public
	if public == nil {
		keys, err := r.Files.Read(ctx, PublicKeyName)
		if err != nil {
			return nil, 0, err
		}
		public = strings.Fields(string(keys))
	}
	c, err := Open(text, public...)
	if err != nil {
		return nil, 0, err
	}
	if size = c.Tree.N; from >= size || max <= 0 {
		return nil, size, nil
	}
	// As far as its bundle goes: a file is read once.
	first := from / width
	until := min(size, (first+1)*width, from+int64(max))
	read := reading{ctx, r.Files.Read}
	bundle, err := read.entries(tlog.Tile{H: height, N: first, W: int(min(width, size-first*width))})
	if err != nil {
		return nil, size, unlike(c.Tree, err)
	}
	var indexes []int64
	for i := from; i < until; i++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, i))
	}
	hashes, err := tlog.TileHashReader(c.Tree, read).ReadHashes(indexes)
	if err != nil {
		return nil, size, unlike(c.Tree, err)
	}
	for i, h := range hashes {
		e := Entry{Index: from + int64(i), Text: bundle[from%width+int64(i)]}
		if tlog.RecordHash(e.Text) != h {
			return nil, size, unlike(c.Tree, fmt.Errorf("record %d is not the one whose hash was signed", e.Index))
		}
		var named struct {
			ID   string `json:"id"`
			Type string `json:"type"`
			Meta struct {
				Revision int64 `json:"revision"`
			} `json:"meta"`
		}
		if err := json.Unmarshal(e.Text, &named); err != nil || named.ID == "" {
			return nil, size, flow.Errorf(flow.CodeTampered, "record %d of the transparency log is no audit record", e.Index)
		}
		e.ID, e.Rev, e.Admin = named.ID, named.Meta.Revision, named.Type == typeAdmin
		entries = append(entries, e)
	}
	return entries, size, nil
}
