package store

import (
	"context"
	"errors"
	"time"
)

// Errors of every store. Any other error is a fault of the machinery: the caller
// may try the same call again.
var (
	// ErrNotFound says that no item has that key.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict says that the item is not at the revision that the write was
	// based on. Read it again and decide anew.
	ErrConflict = errors.New("store: conflict")
	// ErrTooLarge says that the item's body is larger than MaxItemBytes, or its
	// key than MaxKeyBytes.
	ErrTooLarge = errors.New("store: item too large")
)

// Limits of an item. DynamoDB takes 400 KB for the whole item with its
// attribute names, and 1,024 bytes for a sort key, which in the indexes by time
// is the time (30 bytes), a separator and the key.
const (
	MaxItemBytes = 380 << 10
	MaxKeyBytes  = 1024 - 31
)

// Item is what is stored: a body that the store does not look into, and what
// it can be found by.
type Item struct {
	// Key begins with the item's kind; see [Kind].
	Key string
	// Rev counts the writes of this key. In a Put it is the revision that the
	// write is based on: 0 creates.
	Rev int64
	// Writer is an id that the caller makes anew for each intended write;
	// required. A Put that finds its own Writer stored has happened already:
	// the answer to an earlier try was lost.
	Writer string
	// Body is not to be changed once a store has given it: others may have the same.
	Body  []byte
	Index Index
	// Acts says that this write records administrative acts: the change feed of AWS
	// tells by it whether to wake whoever ships them. It is not read back.
	Acts bool
	// Expires is when the item ceases to be: from then on it is as if it were
	// not there, and is cleared away some time after. Zero: never. For tokens,
	// nonces and open forms only, never for runs.
	Expires time.Time
}

// Index is what an item can be found by. Zero values are not indexed. Due is of runs and
// Home tabs, Requester and Flow of runs; Status is of runs, and what items that follow
// from runs are listed under, which begins with their kind.
type Index struct {
	Due       time.Time // sparse: when the item has to be looked at
	Requester string    // user id
	Flow      string    // name, in lower case
	Status    string
	// Created orders the listings by Requester, Flow and Status, newest first.
	// An item without it is left out of them.
	Created time.Time
}

// Store is a table of items. All methods are safe for concurrent use, and
// return the context's error once it has ended. After any error but those above,
// the write may have happened or not: repeat the same Put, with the same Writer,
// to find out.
type Store interface {
	// Get reads the newest state of an item. Returns ErrNotFound.
	Get(ctx context.Context, key string) (Item, error)
	// Put writes an item whole if its stored revision is still item.Rev, and
	// returns the new revision, item.Rev+1. Returns ErrConflict if it is not,
	// unless the stored item carries item.Writer: then the write has succeeded
	// before, and its revision is returned. Returns ErrTooLarge, and an error
	// with flow.CodeInvalid for an item that [Item.Check] refuses.
	Put(ctx context.Context, item Item) (int64, error)
	// Delete removes an item at a revision. Returns ErrConflict if the stored
	// revision is another, and nil if there is no item. A key that is written
	// again starts again at revision 1: don't delete an item that another
	// writer may be about to write.
	Delete(ctx context.Context, key string, rev int64) error
	// List finds items by index, eventually consistent: re-read what you act
	// on. The error has flow.CodeInvalid for a query that [Query.Check]
	// refuses, or for a cursor of another listing.
	List(ctx context.Context, q Query) (Page, error)
}

// By names an index.
type By string

// The indexes.
const (
	ByDue       By = "due" // earliest first, up to Query.Until
	ByRequester By = "requester"
	ByFlow      By = "flow"
	ByStatus    By = "status"
	ByKind      By = "kind" // Query.Value is a key prefix that begins with a [Kind] of which ListedByKind; in order of key
)

// Query asks for a page of items of one index.
type Query struct {
	By    By
	Value string    // required, but for ByDue
	Until time.Time // ByDue, required: items due at or before
	// Before leaves out what was created at this time or later. Zero: nothing is.
	// For the listings that are ordered by it.
	Before time.Time
	Limit  int // see PageSize
	// Cursor continues after an earlier page of the same By and Value; "" starts.
	Cursor string
}

// Page is a part of a listing.
type Page struct {
	// Items may be fewer than the limit, or empty, even if more pages follow.
	Items []Item
	// Cursor continues; "" says that this is the last page. Cursors are opaque.
	// Items that are neither written nor deleted while pages are read are in
	// exactly one of them.
	Cursor string
}

// Change says that an item was written. Readers of the feed read the item:
// a change may be delivered late, twice, and after later ones. The feed does not
// tell of items that are deleted or expire.
type Change struct {
	Key string
	Rev int64
}

// Feed is the durable log of changes of an embedded store, of items that are [Followed].
// (DynamoDB's is its stream, which calls the functions itself.) Each consumer has a
// name, a place of its own that outlives the process, and one goroutine that reads for
// it.
type Feed interface {
	// Changes gives the changes after the consumer's place, oldest first, no
	// more than the limit.
	Changes(ctx context.Context, consumer string, limit int) ([]Change, error)
	// Seen moves the consumer's place behind the first n changes that Changes
	// gave it last and that it has not Seen yet.
	Seen(ctx context.Context, consumer string, n int) error
}
