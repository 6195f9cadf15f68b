package store

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Draft is a table on top of another one. It shows what is below, and keeps every
// write to itself: what is tried in it happens nowhere else, and ends with it. Nothing
// expires in it. Listings are those of the table below, without what was drafted:
// whoever acts on a listing reads again anyway.
type Draft struct {
	Below Store // nil: an empty table
	// Hidden are kinds of what is below that it does not look at, as if there were none.
	Hidden []Kind

	mu    sync.Mutex
	items map[string]*Item // what was written, nil where it was deleted
}

var _ Store = (*Draft)(nil)

// Mark is a moment of a [Draft], to which it can go back.
type Mark struct{ items map[string]*Item }

// Mark notes how the draft is now.
func (d *Draft) Mark() Mark {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Mark{maps.Clone(d.items)}
}

// Back undoes what was written since the mark, which can be gone back to again.
func (d *Draft) Back(to Mark) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.items = maps.Clone(to.items)
}

// Get implements Store.
func (d *Draft) Get(ctx context.Context, key string) (Item, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.get(ctx, key)
}

func (d *Draft) get(ctx context.Context, key string) (Item, error) {
	if err := ctx.Err(); err != nil {
		return Item{}, err
	}
	item, drafted := d.items[key]
	switch {
	case drafted && item != nil:
		return *item, nil
	case drafted || d.Below == nil || slices.ContainsFunc(d.Hidden, func(k Kind) bool { return strings.HasPrefix(key, string(k)) }):
		return Item{}, ErrNotFound
	}
	return d.Below.Get(ctx, key)
}

// Put implements Store.
func (d *Draft) Put(ctx context.Context, item Item) (int64, error) {
	if err := item.Check(); err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, err := d.get(ctx, item.Key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	if stored.Rev != item.Rev {
		if stored.Writer == item.Writer {
			return stored.Rev, nil
		}
		return 0, ErrConflict
	}
	item.Body = bytes.Clone(item.Body)
	item.Rev++
	d.write(item.Key, &item)
	return item.Rev, nil
}

// Delete implements Store.
func (d *Draft) Delete(ctx context.Context, key string, rev int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, err := d.get(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case stored.Rev != rev:
		return ErrConflict
	}
	d.write(key, nil)
	return nil
}

func (d *Draft) write(key string, item *Item) {
	if d.items == nil {
		d.items = map[string]*Item{}
	}
	d.items[key] = item
}

// List implements Store, by the table below.
func (d *Draft) List(ctx context.Context, q Query) (Page, error) {
	if d.Below != nil {
		return d.Below.List(ctx, q)
	}
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	if err := q.Check(); err != nil {
		return Page{}, err
	}
	return Page{}, nil
}
