package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Log keeps how far the transparency log of the records has come, and where in it
// each record is. The log itself consists of files.
type Log struct {
	Store Store // required
}

// LogHead is how far the log has come.
type LogHead struct {
	Size int64  `json:"size"` // how many records it has
	Root []byte `json:"root"` // the hash over all of them
	// Pending are records that have their places, after those, while they are added:
	// whoever finds some finishes that first.
	Pending []LogEntry `json:"pending,omitempty"`
}

// LogEntry is a record with its place to come.
type LogEntry struct {
	ID   string `json:"id"`
	Rev  int64  `json:"rev"`
	Text string `json:"line"` // as text: that of many is compressed together
}

// LogPlace is where a state of a record is in the log.
type LogPlace struct {
	Index int64  `json:"index"`
	Hash  []byte `json:"hash"` // of the leaf
}

// Head reads how far the log has come, and the revision to base a write on. A log that
// was never written has no records, and revision 0.
func (l Log) Head(ctx context.Context) (head LogHead, rev int64, err error) {
	item, err := l.Store.Get(ctx, KindLogHead.Key(""))
	if errors.Is(err, ErrNotFound) {
		return head, 0, nil
	}
	if err == nil {
		err = unpack(item.Body, &head)
	}
	if err != nil {
		return head, 0, fmt.Errorf("read how far the log has come: %w", err)
	}
	return head, item.Rev, nil
}

// SetHead writes how far the log has come, if the stored revision is still rev, and
// returns the new one. Returns ErrConflict if it is not: somebody else was faster; and
// ErrTooLarge if there is too much pending.
func (l Log) SetHead(ctx context.Context, head LogHead, rev int64) (int64, error) {
	body, err := pack(head)
	if err != nil {
		return 0, fmt.Errorf("encode how far the log has come: %w", err)
	}
	item := Item{Key: KindLogHead.Key(""), Rev: rev, Writer: NewWriter(), Body: body}
	next, err := l.Store.Put(ctx, item)
	if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrTooLarge) && ctx.Err() == nil {
		next, err = l.Store.Put(ctx, item) // the answer may have been lost: the same writer finds out
	}
	if err != nil {
		return 0, fmt.Errorf("write how far the log has come: %w", err)
	}
	return next, nil
}

func leafKey(id string, rev int64) string {
	return KindLeaf.Key(id + "." + strconv.FormatInt(rev, 10))
}

// Place finds a state of a record: false if it is not in the log yet.
func (l Log) Place(ctx context.Context, id string, rev int64) (p LogPlace, ok bool, err error) {
	item, err := l.Store.Get(ctx, leafKey(id, rev))
	if errors.Is(err, ErrNotFound) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &p)
	}
	if err != nil {
		return p, false, fmt.Errorf("find record %s in the log: %w", id, err)
	}
	return p, true, nil
}

// SetPlace keeps where a state of a record is. The first place stays.
func (l Log) SetPlace(ctx context.Context, id string, rev int64, p LogPlace) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = l.Store.Put(ctx, Item{Key: leafKey(id, rev), Writer: NewWriter(), Body: body})
	if err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("keep the place of record %s in the log: %w", id, err)
	}
	return nil
}
