package storetest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// Memory is a store for tests. It forgets everything, and is held to the same
// suite as those that don't.
type Memory struct {
	Now func() time.Time // required

	mu    sync.Mutex
	items map[string]store.Item
}

var _ store.Store = (*Memory)(nil)

// Snapshot is the table as it is now, as a restore from a backup of this moment gives it.
func (m *Memory) Snapshot() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{Now: m.Now, items: maps.Clone(m.items)}
}

// standing finds what is stored and not expired.
func (m *Memory) standing(key string) (store.Item, bool) {
	item, ok := m.items[key]
	if ok && !item.Expires.IsZero() && !m.Now().Before(item.Expires) {
		return store.Item{}, false
	}
	return item, ok
}

// Get implements store.Store.
func (m *Memory) Get(ctx context.Context, key string) (store.Item, error) {
	if err := ctx.Err(); err != nil {
		return store.Item{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	item, ok := m.standing(key)
	if !ok {
		return store.Item{}, store.ErrNotFound
	}
	return copied(item), nil
}

// Put implements store.Store.
func (m *Memory) Put(ctx context.Context, item store.Item) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := item.Check(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, _ := m.standing(item.Key)
	if stored.Rev != item.Rev {
		if stored.Writer == item.Writer {
			return stored.Rev, nil
		}
		return 0, store.ErrConflict
	}
	item = copied(item)
	item.Rev++
	if m.items == nil {
		m.items = map[string]store.Item{}
	}
	m.items[item.Key] = item
	return item.Rev, nil
}

// Delete implements store.Store.
func (m *Memory) Delete(ctx context.Context, key string, rev int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.standing(key)
	if ok && stored.Rev != rev {
		return store.ErrConflict
	}
	delete(m.items, key)
	return nil
}

// List implements store.Store.
func (m *Memory) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := ctx.Err(); err != nil {
		return store.Page{}, err
	}
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	from, started, err := q.Position()
	if err != nil {
		return store.Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []store.Item
	for key := range m.items {
		item, ok := m.standing(key)
		if ok && listed(q, item) && (!started || order(from, q.After(item)) < 0) {
			found = append(found, copied(item))
		}
	}
	slices.SortFunc(found, func(a, b store.Item) int { return order(q.After(a), q.After(b)) })
	page := store.Page{Items: found}
	if size := store.PageSize(q.Limit); len(found) > size {
		page.Items = found[:size]
		page.Cursor = q.After(found[size-1]).Cursor()
	}
	return page, nil
}

// listed tells whether the item is in the listing.
func listed(q store.Query, item store.Item) bool {
	x := item.Index
	switch q.By {
	case store.ByDue:
		return !x.Due.IsZero() && !x.Due.After(q.Until)
	case store.ByRequester:
		return x.Requester == q.Value && created(q, x)
	case store.ByFlow:
		return x.Flow == q.Value && created(q, x)
	case store.ByStatus:
		return x.Status == q.Value && created(q, x)
	}
	return strings.HasPrefix(item.Key, q.Value)
}

// created tells whether the item is in listings by time, and in this one.
func created(q store.Query, x store.Index) bool {
	return !x.Created.IsZero() && (q.Before.IsZero() || x.Created.Before(q.Before))
}

// order compares two positions of one listing.
func order(a, b store.Position) int {
	c := cmp.Or(strings.Compare(a.Time, b.Time), strings.Compare(a.Key, b.Key))
	if a.By == store.ByDue || a.By == store.ByKind {
		return c
	}
	return -c
}

// copied keeps callers and the table from sharing memory, and times at what a
// table can hold of them.
func copied(item store.Item) store.Item {
	item.Body = bytes.Clone(item.Body)
	for _, t := range []*time.Time{&item.Index.Due, &item.Index.Created, &item.Expires} {
		*t = t.Round(0).UTC()
	}
	return item
}
