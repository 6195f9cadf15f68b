package sqlite

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// memoryBytes bounds what is held in memory: some thousand runs with all that
// follows from them, many times what goes on at once.
const memoryBytes = 32 << 20

// memory holds items as they are stored, so that what was just written or read is
// not read again. It may be dropped at any time; what must hold is that it never says
// anything but what the database would:
//
//   - It holds kinds of items only that no other process writes ([store.OneWriter]):
//     Open is for one process, and [Beside] refuses to write them.
//   - An item is forgotten before the transaction that changes it is committed, and
//     held anew only once the commit has returned without an error. Between the two it
//     is read from the database. So whoever learns of a change in any other way, as from
//     the feed, never finds what was there before.
//   - What was read is held only if no commit of the item was under way at any moment
//     of the reading.
//   - A commit that fails empties it, whatever the reason.
//   - Whether an item has expired is looked at when it is asked for.
//   - What goes in is a copy, and nobody changes what comes out ([store.Item]).
type memory struct {
	limit int

	mu         sync.Mutex
	held       map[string]*list.Element // of held
	newest     *list.List
	bytes      int
	committing map[string]bool
	reading    map[string]*reading
}

// held is what is known of a key. An item of revision 0 says that there is none.
type held struct{ item store.Item }

// size is about what it takes in memory.
func (h held) size() int { return len(h.item.Body) + 2*len(h.item.Key) + 512 }

// reading is the reads of one item that go on at the same time.
type reading struct {
	n       int
	changed bool // the item was committed meanwhile
}

func newMemory(limit int) *memory {
	return &memory{
		limit: limit, held: map[string]*list.Element{}, newest: list.New(),
		committing: map[string]bool{}, reading: map[string]*reading{},
	}
}

// get gives an item, or store.ErrNotFound if it is known that there is none; found
// is false if nothing is known.
func (m *memory) get(key string, now time.Time) (item store.Item, err error, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.held[key]
	if e == nil {
		return store.Item{}, nil, false
	}
	m.newest.MoveToFront(e)
	item = e.Value.(held).item
	if item.Rev == 0 || expired(item, now) {
		return store.Item{}, store.ErrNotFound, true
	}
	return item, nil, true
}

// expired tells whether an item has ceased to be.
func expired(item store.Item, now time.Time) bool {
	return !item.Expires.IsZero() && !now.Before(item.Expires)
}

// read begins to read an item from the database. Call learned with what was read,
// an item of revision 0 if there is none, or with nil if that failed.
func (m *memory) read(key string) (learned func(*store.Item)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.reading[key]
	if r == nil {
		r = &reading{changed: m.committing[key]}
		m.reading[key] = r
	}
	r.n++
	return func(item *store.Item) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if item != nil && !r.changed {
			m.hold(*item)
		}
		if r.n--; r.n == 0 {
			delete(m.reading, key)
		}
	}
}

// change forgets items that are about to be committed. Call done when that is over.
func (m *memory) change(items []store.Item) (done func(error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, item := range items {
		m.forget(item.Key)
		m.committing[item.Key] = true
		if r := m.reading[item.Key]; r != nil {
			r.changed = true
		}
	}
	return func(err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		clear(m.committing)
		if err != nil {
			clear(m.held)
			m.newest.Init()
			m.bytes = 0
			return
		}
		for _, item := range items {
			m.hold(item)
		}
	}
}

func (m *memory) hold(item store.Item) {
	m.forget(item.Key)
	item.Body = slices.Clip(item.Body)
	h := held{item}
	m.held[item.Key] = m.newest.PushFront(h)
	for m.bytes += h.size(); m.bytes > m.limit; {
		m.forget(m.newest.Back().Value.(held).item.Key)
	}
}

func (m *memory) forget(key string) {
	if e := m.held[key]; e != nil {
		m.bytes -= e.Value.(held).size()
		m.newest.Remove(e)
		delete(m.held, key)
	}
}
