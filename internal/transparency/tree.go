package transparency

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/symflows/symflows/internal/flow"
)

// Sizes of c2sp.org/tlog-tiles.
const (
	height   = 8           // of a tile
	width    = 1 << height // of a full tile, and records in a full bundle
	maxEntry = 1<<16 - 1   // bytes of a record
)

// Names of the log's files.
const (
	CheckpointName = "checkpoint"
	PublicKeyName  = "public-key" // has the public keys, one a line
	keptDir        = "checkpoints"
	valuesDir      = "values"
	keptLayout     = keptDir + "/2006/01/02/15"
)

// tilePath is where a tile lies. x/mod has the height in its paths, which
// tlog-tiles has not, and calls entries data.
func tilePath(t tlog.Tile) string {
	rest := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", t.H))
	if after, entries := strings.CutPrefix(rest, "data/"); entries {
		rest = "entries/" + after
	}
	return "tile/" + rest
}

// entriesOf is the bundle of the records whose hashes a tile of the lowest level has.
func entriesOf(t tlog.Tile) tlog.Tile { t.L = -1; return t }

// full is the tile as it is once nothing can be added.
func full(t tlog.Tile) tlog.Tile { t.W = width; return t }

// tilesOf lists the tiles at the right edge of a tree, which are not full.
func edgeTiles(size int64) (tiles []tlog.Tile) {
	for level := 0; size>>(height*level) > 0; level++ {
		n := size >> (height * level)
		if w := int(n % width); w > 0 {
			tiles = append(tiles, tlog.Tile{H: height, L: level, N: n / width, W: w})
		}
	}
	return tiles
}

// bundle writes records one after the other, each after its length.
func bundle(old []byte, entries [][]byte) []byte {
	out := slices.Clip(old)
	for _, e := range entries {
		out = binary.BigEndian.AppendUint16(out, uint16(len(e)))
		out = append(out, e...)
	}
	return out
}

// unbundle reads what bundle writes.
func unbundle(data []byte) (entries [][]byte, err error) {
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return entries, errors.New("it ends within a record")
		}
		n := int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:2+n]), data[2+n:]
	}
	return entries, nil
}

// reading reads the tiles of a tree through a function that reads files.
type reading struct {
	ctx  context.Context
	read func(ctx context.Context, name string) ([]byte, error)
}

var _ tlog.TileReader = reading{}

func (r reading) Height() int                     { return height }
func (r reading) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles reads what may be wrong, or altered: the caller checks it against the root.
func (r reading) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		d, err := r.tile(t)
		if err != nil {
			return nil, err
		}
		if len(d) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tilePath(t), len(d))
		}
		data = append(data, d[:t.W*tlog.HashSize])
	}
	return data, nil
}

// tile reads a tile or a bundle; of one that has been completed since, the whole.
func (r reading) tile(t tlog.Tile) ([]byte, error) {
	d, err := r.read(r.ctx, tilePath(t))
	if errors.Is(err, fs.ErrNotExist) && t.W < width {
		if whole, missing := r.read(r.ctx, tilePath(full(t))); missing == nil {
			return whole, nil
		}
	}
	return d, err
}

// entries reads the records of a bundle, t.W of them.
func (r reading) entries(t tlog.Tile) ([][]byte, error) {
	data, err := r.tile(entriesOf(t))
	if err != nil {
		return nil, err
	}
	entries, err := unbundle(data)
	if err != nil || len(entries) < t.W {
		return nil, fmt.Errorf("%s has %d whole records of %d", tilePath(entriesOf(t)), len(entries), t.W)
	}
	return entries[:t.W], nil
}

// edge is the right edge of a tree, which is all that it takes to append: the hashes
// of the tiles that are not full, and the records of the last bundle.
type edge struct {
	tree    tlog.Tree
	tiles   map[tlog.Tile][]byte // by level and number, W is 0
	entries [][]byte
}

// readEdge reads the edge of a tree, and checks it against the root. The error has
// flow.CodeTampered if the files are not those of the tree.
func readEdge(tree tlog.Tree, r reading) (*edge, error) {
	e := &edge{tree: tree, tiles: map[tlog.Tile][]byte{}}
	if tree.N == 0 {
		return e, nil
	}
	tiles := edgeTiles(tree.N)
	var indexes []int64
	for _, t := range tiles {
		for i := range int64(t.W) {
			indexes = append(indexes, tlog.StoredHashIndex(height*t.L, t.N*width+i))
		}
	}
	hashes, err := tlog.TileHashReader(tree, r).ReadHashes(indexes)
	if err != nil {
		return nil, unlike(tree, err)
	}
	for _, t := range tiles {
		var data []byte
		for _, h := range hashes[:t.W] {
			data = append(data, h[:]...)
		}
		hashes = hashes[t.W:]
		e.tiles[slot(t)] = data
	}
	if last := tiles[0]; last.L == 0 {
		if e.entries, err = r.entries(last); err != nil {
			return nil, unlike(tree, err)
		}
		for i, entry := range e.entries {
			if h := tlog.RecordHash(entry); !bytes.Equal(h[:], e.tiles[slot(last)][i*tlog.HashSize:][:tlog.HashSize]) {
				return nil, unlike(tree, fmt.Errorf("record %d is not the one whose hash the log has", last.N*width+int64(i)))
			}
		}
	}
	return e, nil
}

// unlike is the error for files that are not those of the tree, and for those that
// can't be read just now.
func unlike(tree tlog.Tree, cause error) error {
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	if _, ok := errors.AsType[*flow.Error](cause); ok {
		return cause
	}
	return &flow.Error{Code: flow.CodeTampered, Message: fmt.Sprintf("the files of the transparency log are not those of its %d records", tree.N), Cause: cause}
}

func slot(t tlog.Tile) tlog.Tile { t.W = 0; return t }

// ReadHashes gives hashes of the tree at or right of the edge.
func (e *edge) ReadHashes(indexes []int64) (hashes []tlog.Hash, err error) {
	for _, x := range indexes {
		t := tlog.TileForIndex(height, x)
		data := e.tiles[slot(t)]
		t.W = len(data) / tlog.HashSize
		h, err := tlog.HashFromTile(t, data, x)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}

// file is one of the log's files.
type file struct {
	name string
	data []byte
}

// grow appends records, and gives the files which that makes. It is a function of its
// arguments only: whoever repeats it makes the same files.
func (e *edge) grow(entries [][]byte) (files []file, err error) {
	before := e.tree.N
	bundles := map[int64][][]byte{before / width: e.entries}
	for _, entry := range entries {
		hashes, err := tlog.StoredHashes(e.tree.N, entry, e)
		if err != nil {
			return nil, err
		}
		for level, h := range hashes {
			if level%height == 0 {
				n := e.tree.N >> level
				t := tlog.Tile{H: height, L: level / height, N: n / width}
				e.tiles[t] = append(e.tiles[t], h[:]...)
			}
		}
		bundles[e.tree.N/width] = append(bundles[e.tree.N/width], entry)
		e.tree.N++
	}
	if e.tree.Hash, err = tlog.TreeHash(e.tree.N, e); err != nil {
		return nil, err
	}
	for _, t := range tlog.NewTiles(height, before, e.tree.N) {
		if t.L == 0 { // first what hashes are of
			files = append(files, file{tilePath(entriesOf(t)), bundle(nil, bundles[t.N][:t.W])})
		}
		files = append(files, file{tilePath(t), e.tiles[slot(t)][:t.W*tlog.HashSize]})
	}
	e.entries = bundles[e.tree.N/width]
	return files, nil
}
