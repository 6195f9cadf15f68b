// Package store is the port to storage: one table of items, each written
// whole, with compare-and-swap. The implementations are store/sqlite and
// store/dynamo; both run the suite of store/storetest.
//
// The typed side (Runs, Grants, Flows, …) is in this package too and is the
// same for every implementation: it only turns our types into items.
package store

import (
	"context"
	"errors"
	"time"
)

// Errors of every store. Anything else is a fault of the machinery: the caller
// may try the same call again.
var (
	// ErrNotFound: there is no item of that key.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: the item is not at the revision that the write was based
	// on. Read again and decide anew.
	ErrConflict = errors.New("store: conflict")
	// ErrTooLarge: the item is larger than MaxItemBytes.
	ErrTooLarge = errors.New("store: item too large")
)

// MaxItemBytes bounds an item's body; DynamoDB's own limit is 400 KB for the
// whole item with its attribute names.
const MaxItemBytes = 380 << 10

// Item is what is stored: a body that the store does not look into, and what
// it can be found by.
type Item struct {
	// Key starts with the kind: "run#…", "flow#…", "grant#…", "msg#…",
	// "user#…", "slackuser#…", "token#…".
	Key string
	// Rev counts the writes of this key. In a Put it is the revision that the
	// write is based on: 0 creates.
	Rev int64
	// Writer is an id that the caller makes anew for each intended write. A Put
	// that finds its own Writer stored has happened already: the answer to an
	// earlier try was lost.
	Writer string
	Body   []byte
	Index  Index
	// Expires deletes the item some time after; zero: never. For tokens and
	// nonces only, never for runs.
	Expires time.Time
}

// Index is what an item can be found by. Zero values are not indexed.
type Index struct {
	Due       time.Time // sparse: items that somebody has to look at
	Requester string    // user id
	Flow      string    // name
	Status    string
	Created   time.Time // the order of the three listings, newest first
}

// Store is a table of items. All methods are safe for concurrent use.
type Store interface {
	// Get reads the newest state of an item. Returns ErrNotFound.
	Get(ctx context.Context, key string) (Item, error)
	// Put writes an item whole if its stored revision is still item.Rev, and
	// returns the new revision, item.Rev+1. Returns ErrConflict if it is not,
	// unless the stored item carries item.Writer: then the write has succeeded
	// before, and its revision is returned. Returns ErrTooLarge.
	Put(ctx context.Context, item Item) (int64, error)
	// Delete removes an item at a revision. Returns ErrConflict if the stored
	// revision is another; a missing item is no error.
	Delete(ctx context.Context, key string, rev int64) error
	// List finds items by index, eventually consistent: re-read what you act on.
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
	ByKind      By = "kind" // Query.Value is a key prefix such as "run#"; in order of key
)

// Query asks for a page of items of one index.
type Query struct {
	By    By
	Value string
	Until time.Time // ByDue: items due at or before
	Limit int       // at most this many; 0 means 50, more than 200 means 200
	// Cursor continues after an earlier page; "" starts.
	Cursor string
}

// Page is a part of a listing.
type Page struct {
	Items []Item
	// Cursor continues; "" says that this is the last page. Cursors are opaque,
	// and one that is not ours is an error with flow.CodeInvalid.
	Cursor string
}

// Change says that an item was written. Readers of the feed read the item:
// a change may be delivered late, twice, and after later ones.
type Change struct {
	Key string
	Rev int64
}

// Feed is the durable log of changes of an embedded store. (DynamoDB's is its
// stream, which calls the functions itself.) Each consumer has a place of its own.
type Feed interface {
	// Changes gives the changes after the consumer's place, oldest first.
	Changes(ctx context.Context, consumer string, limit int) ([]Change, error)
	// Seen moves the consumer's place behind the first n changes that Changes
	// gave last.
	Seen(ctx context.Context, consumer string, n int) error
	// Wake returns a channel that is signalled (at least once) after each write.
	Wake() <-chan struct{}
}
