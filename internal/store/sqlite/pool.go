package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/symflows/symflows/internal/store"
)

// pool is connections of one kind. Each keeps the statements that are prepared
// on it: to parse one takes longer than to run it.
type pool struct {
	*sql.DB
	prepared map[string]*sql.Stmt
}

// The statements that are run often enough to be prepared.
var (
	reads  = append([]string{getItem, placeOf, changesAfter}, slices.Collect(maps.Values(listings))...)
	writes = []string{
		getStanding, clearExpired, replaceItem, updateItem, updateItemDue, updateItemStatus, updateItemDueStatus, updateWholeItem,
		deleteItem, logChange, movePlace, clearSeen, setTime, deleteTime,
	}
)

// connect makes a pool of connections, which are opened at their first use.
func connect(path string, size int, pragma string) (*pool, error) {
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), pragma},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return &pool{DB: db, prepared: map[string]*sql.Stmt{}}, nil
}

// prepare is for before the pool is shared.
func (p *pool) prepare(ctx context.Context, queries ...string) error {
	for _, query := range queries {
		stmt, err := p.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		p.prepared[query] = stmt
	}
	return nil
}

// QueryContext is that of sql.DB.
func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt, ok := p.prepared[query]; ok {
		return stmt.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of sql.DB.
func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt, ok := p.prepared[query]; ok {
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}

// transaction is one of a pool's.
type transaction struct {
	*sql.Tx
	prepared map[string]*sql.Stmt
	// changed are the items that it changes and the memory may hold, in order; of
	// revision 0 if they are deleted.
	changed *[]store.Item
}

// note notes a change of an item.
func (t transaction) note(item store.Item) {
	if store.OneWriter(item.Key) {
		*t.changed = append(*t.changed, item)
	}
}

// noted gives an item that it changes, of revision 0 if it is deleted.
func (t transaction) noted(key string) (store.Item, bool) {
	for _, item := range slices.Backward(*t.changed) {
		if item.Key == key {
			return item, true
		}
	}
	return store.Item{}, false
}

func (p *pool) begin(ctx context.Context) (transaction, error) {
	tx, err := p.BeginTx(ctx, nil)
	return transaction{tx, p.prepared, new([]store.Item)}, err
}

// QueryRowContext is that of sql.Tx.
func (t transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt, ok := t.prepared[query]; ok {
		return t.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// ExecContext is that of sql.Tx.
func (t transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt, ok := t.prepared[query]; ok {
		return t.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}
