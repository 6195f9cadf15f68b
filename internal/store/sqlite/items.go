package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// columns are those of an item, in the order in which scan reads them.
const columns = "key, rev, writer, due, requester, flow, status, created, expires, body"

// there is the condition for items that have not expired.
const there = "(expires IS NULL OR expires > :now)"

// The statements that find single items, and those to clear away.
const (
	getItem      = "SELECT " + columns + " FROM items WHERE key = :key AND " + there
	getStanding  = "SELECT rev, writer FROM items WHERE key = :key AND " + there
	clearExpired = "DELETE FROM items WHERE expires <= :now"
	replaceItem  = "REPLACE INTO items (" + columns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	deleteItem   = "DELETE FROM items WHERE key = ?"

	// Those that leave the indexes alone that hold nothing new: to replace an item is to
	// write all of them, each on a page of its own.
	updateItem          = "UPDATE items SET rev = ?, writer = ?, body = ? WHERE key = ?"
	updateItemDue       = "UPDATE items SET rev = ?, writer = ?, body = ?, due = ? WHERE key = ?"
	updateItemStatus    = "UPDATE items SET rev = ?, writer = ?, body = ?, status = ? WHERE key = ?"
	updateItemDueStatus = "UPDATE items SET rev = ?, writer = ?, body = ?, due = ?, status = ? WHERE key = ?"
	updateWholeItem     = "UPDATE items SET rev = ?, writer = ?, body = ?, due = ?, requester = ?, flow = ?, status = ?, created = ?, expires = ? WHERE key = ?"

	logChange = "INSERT INTO changes (key, rev) VALUES (?, ?)"
)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.Item, error) {
	if err := ctx.Err(); err != nil {
		return store.Item{}, err
	}
	if s.memory == nil || !store.OneWriter(key) {
		return s.read(ctx, key)
	}
	if item, err, found := s.memory.get(key, s.now()); found {
		return item, err
	}
	learned := s.memory.read(key)
	item, err := s.read(ctx, key)
	switch {
	case err == nil:
		learned(&item)
	case errors.Is(err, store.ErrNotFound):
		learned(&store.Item{Key: key})
	default:
		learned(nil)
	}
	return item, err
}

// read is Get from the database.
func (s *Store) read(ctx context.Context, key string) (store.Item, error) {
	item, err := scan(s.reader.QueryRowContext(ctx, getItem, sql.Named("key", key), sql.Named("now", s.time())))
	if errors.Is(err, sql.ErrNoRows) {
		return store.Item{}, store.ErrNotFound
	}
	if err != nil {
		return store.Item{}, fmt.Errorf("get item: %w", ended(ctx, err))
	}
	return item, nil
}

// mayWrite returns an error for what a command beside the server may not write.
func (s *Store) mayWrite(key string) error {
	if s.memory == nil && store.OneWriter(key) {
		return fmt.Errorf("write %s: only the server writes that", key)
	}
	return nil
}

// never is later than every time, in the format of the columns.
const never = "~"

// time gives the present time in the format of the columns.
func (s *Store) time() string { return store.FormatTime(s.now()) }

func scan(row interface{ Scan(...any) error }) (store.Item, error) {
	var i store.Item
	var due, requester, flow, status, created, expires sql.NullString
	if err := row.Scan(&i.Key, &i.Rev, &i.Writer, &due, &requester, &flow, &status, &created, &expires, &i.Body); err != nil {
		return store.Item{}, err
	}
	i.Index.Requester, i.Index.Flow, i.Index.Status = requester.String, flow.String, status.String
	for _, t := range []struct {
		to   *time.Time
		from string
	}{{&i.Index.Due, due.String}, {&i.Index.Created, created.String}, {&i.Expires, expires.String}} {
		var err error
		if *t.to, err = store.ParseTime(t.from); err != nil {
			return store.Item{}, fmt.Errorf("read a time of item %q: %w", i.Key, err)
		}
	}
	return i, nil
}

// text is NULL for "", which no index holds.
func text(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, item store.Item) (int64, error) {
	if err := errors.Join(item.Check(), s.mayWrite(item.Key)); err != nil {
		return 0, err
	}
	var rev int64
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		before, whole, err := s.standing(ctx, tx, item.Key)
		if err != nil {
			return err
		}
		if before.Rev != item.Rev {
			if before.Writer != item.Writer {
				return store.ErrConflict
			}
			rev = before.Rev
			return nil
		}
		rev = item.Rev + 1
		if !item.Expires.IsZero() {
			// Only writes of items that expire clear away those that have.
			if _, err := tx.ExecContext(ctx, clearExpired, sql.Named("now", s.time())); err != nil {
				return err
			}
		}
		if !whole {
			before = store.Item{}
		}
		return replace(ctx, tx, before, item, rev)
	})
	if err != nil {
		return 0, fmt.Errorf("put item: %w", err)
	}
	return rev, nil
}

// replace stores an item at a revision in the place of another one, of revision 0 if
// there is none or nothing is known of it, and logs the change in the same transaction if anybody follows
// it.
func replace(ctx context.Context, tx transaction, before, item store.Item, rev int64) error {
	item.Rev, item.Body = rev, append([]byte{}, item.Body...)
	written := int64(0)
	if statement, args := update(before, item); statement != "" {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		if written, err = result.RowsAffected(); err != nil {
			return err
		}
	}
	if written == 0 { // also if it has expired just now, and was cleared away
		i := indexed(item)
		_, err := tx.ExecContext(ctx, replaceItem, item.Key, rev, item.Writer, text(i.due), text(i.requester), text(i.flow), text(i.status), text(i.created), text(i.expires), item.Body)
		if err != nil {
			return err
		}
	}
	tx.note(item)
	if !store.Followed(item.Key) {
		return nil
	}
	_, err := tx.ExecContext(ctx, logChange, item.Key, rev)
	return err
}

// update gives the statement that makes an item another one, or "" if there is none.
func update(before, item store.Item) (string, []any) {
	was, is := indexed(before), indexed(item)
	due, status := text(is.due), text(is.status)
	newDue, newStatus := is.due != was.due, is.status != was.status
	is.due, is.status = was.due, was.status
	args := []any{item.Rev, item.Writer, item.Body}
	switch {
	case before.Rev == 0:
		return "", nil
	case is != was:
		return updateWholeItem, append(args, due, text(is.requester), text(is.flow), status, text(is.created), text(is.expires), item.Key)
	case newDue && newStatus:
		return updateItemDueStatus, append(args, due, status, item.Key)
	case newDue:
		return updateItemDue, append(args, due, item.Key)
	case newStatus:
		return updateItemStatus, append(args, status, item.Key)
	}
	return updateItem, append(args, item.Key)
}

// columnsOf are what indexes hold of an item, as it is stored; "" stands for NULL.
type columnsOf struct{ due, requester, flow, status, created, expires string }

func indexed(i store.Item) columnsOf {
	x := i.Index
	return columnsOf{store.FormatTime(x.Due), x.Requester, x.Flow, x.Status, store.FormatTime(x.Created), store.FormatTime(i.Expires)}
}

// standing gives an item that is stored, of revision 0 if there is none or it has
// expired; of one that had to be looked up, which is not whole, the revision and the
// writer alone. What the transaction has changed counts before what is in memory, which
// is as it was when the transaction began.
func (s *Store) standing(ctx context.Context, tx transaction, key string) (item store.Item, whole bool, err error) {
	if item, changed := tx.noted(key); changed {
		if expired(item, s.now()) {
			return store.Item{}, true, nil
		}
		return item, true, nil
	}
	if s.memory != nil {
		if item, err, found := s.memory.get(key, s.now()); found {
			return item, err == nil, nil
		}
	}
	err = tx.QueryRowContext(ctx, getStanding, sql.Named("key", key), sql.Named("now", s.time())).Scan(&item.Rev, &item.Writer)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return item, false, err
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string, rev int64) error {
	if err := s.mayWrite(key); err != nil {
		return err
	}
	err := s.write(ctx, func(ctx context.Context, tx transaction) error {
		stored, _, err := s.standing(ctx, tx, key)
		if err != nil || stored.Rev == 0 {
			return err
		}
		if stored.Rev != rev {
			return store.ErrConflict
		}
		tx.note(store.Item{Key: key})
		_, err = tx.ExecContext(ctx, deleteItem, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete item: %w", err)
	}
	return nil
}

// listings are the statements of the listings, behind a position (:time, :key).
// Each walks an index in the order that the listing has, so that a page costs
// what it returns.
var listings = map[store.By]string{
	store.ByDue:       selectPage("due <= :until AND (due, key) > (:time, :key) AND " + there + " ORDER BY due, key"),
	store.ByRequester: selectPage("requester = :value AND (created, key) < (:time, :key) AND " + there + " ORDER BY created DESC, key DESC"),
	store.ByFlow:      selectPage("flow = :value AND (created, key) < (:time, :key) AND " + there + " ORDER BY created DESC, key DESC"),
	store.ByStatus:    selectPage("status = :value AND (created, key) < (:time, :key) AND " + there + " ORDER BY created DESC, key DESC"),
	store.ByKind:      selectPage("key >= :key AND key < :end AND " + there + " ORDER BY key"),
}

func selectPage(conditions string) string {
	return "SELECT " + columns + " FROM items WHERE " + conditions + " LIMIT :limit"
}

// listing gives the statement of a listing, for a page and one item more, and
// its arguments.
func listing(q store.Query, now string) (string, []any, error) {
	from, started, err := q.Position()
	if err != nil {
		return "", nil, err
	}
	args := []any{sql.Named("now", now), sql.Named("limit", store.PageSize(q.Limit)+1)}
	switch q.By {
	case store.ByDue:
		args = append(args, sql.Named("until", store.FormatTime(q.Until)), sql.Named("time", from.Time), sql.Named("key", from.Key))
	case store.ByKind:
		// From the prefix, or from behind the position, up to the first key
		// behind all those with the prefix. (UTF-8 never uses the byte 0xff, so
		// the last byte of a prefix can be raised by one.)
		key, end := q.Value, []byte(q.Value)
		if started {
			key = from.Key + "\x00"
		}
		end[len(end)-1]++
		args = append(args, sql.Named("key", key), sql.Named("end", string(end)))
	default:
		if !started {
			from.Time = never
		}
		if before := store.FormatTime(q.Before); before != "" && before < from.Time {
			from.Time, from.Key = before, "" // no key is before ""
		}
		args = append(args, sql.Named("value", q.Value), sql.Named("time", from.Time), sql.Named("key", from.Key))
	}
	return listings[q.By], args, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	statement, args, err := listing(q, s.time())
	if err != nil {
		return store.Page{}, err
	}
	rows, err := s.reader.QueryContext(ctx, statement, args...)
	if err != nil {
		return store.Page{}, fmt.Errorf("list items: %w", ended(ctx, err))
	}
	defer rows.Close()
	var page store.Page
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return store.Page{}, fmt.Errorf("list items: %w", err)
		}
		if n := len(page.Items); n == store.PageSize(q.Limit) {
			page.Cursor = q.After(page.Items[n-1]).Cursor()
			break
		}
		page.Items = append(page.Items, item)
	}
	if err := rows.Err(); err != nil {
		return store.Page{}, fmt.Errorf("list items: %w", ended(ctx, err))
	}
	return page, nil
}
