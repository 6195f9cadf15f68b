package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, now func() time.Time) store.Store {
		return open(t, filepath.Join(t.TempDir(), "sym.db"), now)
	})
}

func TestOpen_Settings(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), now)
	for _, test := range []struct {
		db           *pool
		pragma, want string
	}{
		{s.writer, "journal_mode", "wal"},
		{s.writer, "synchronous", "2"}, // full
		{s.writer, "busy_timeout", "10000"},
		{s.writer, "query_only", "0"},
		{s.reader, "busy_timeout", "10000"},
		{s.reader, "query_only", "1"},
		{s.reader, "synchronous", "2"}, // it checkpoints
	} {
		var got string
		if err := test.db.QueryRow("PRAGMA " + test.pragma).Scan(&got); err != nil || got != test.want {
			t.Errorf("%s is %q, %v; want %q", test.pragma, got, err, test.want)
		}
	}
}

// Files of other users' programs in the data directory are none of theirs.
func TestOpen_Private(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "sym.db"), now)
	if _, err := s.Put(t.Context(), store.Item{Key: "run#a", Writer: "w"}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Errorf("%d files, want the database and its log", len(files))
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", file.Name(), mode)
		}
	}
}

func TestOpen_Reopen(t *testing.T) {
	t.Parallel()
	// Characters that mean something in a URI.
	dir := filepath.Join(t.TempDir(), "a b?c#d%41&e=f")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sym.db")
	s, err := Open(path, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), store.Item{Key: "run#a", Writer: "w"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if _, err := open(t, path, now).Get(t.Context(), "run#a"); err != nil {
		t.Errorf("get after opening again: %v", err)
	}
}

func TestOpen_AtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sym.db")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := Open(path, now, "relay", "notify")
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestOpen_Refused(t *testing.T) {
	t.Parallel()
	statements := func(t *testing.T, path string, statements string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err == nil {
			_, err = db.Exec(statements)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"NoDatabase": {
			func(t *testing.T, path string) {
				if err := os.WriteFile(path, bytes.Repeat([]byte("a letter to a friend\n"), 100), 0o600); err != nil {
					t.Fatal(err)
				}
			}, "not a database of Sym Flows",
		},
		"Tables": {
			func(t *testing.T, path string) { statements(t, path, "CREATE TABLE songs (title TEXT)") },
			"not a database of Sym Flows",
		},
		"Version": {
			func(t *testing.T, path string) { statements(t, path, "PRAGMA user_version = 1") },
			"not a database of Sym Flows",
		},
		"Application": {
			func(t *testing.T, path string) { statements(t, path, "PRAGMA application_id = 7") },
			"not a database of Sym Flows",
		},
		"Newer": {
			func(t *testing.T, path string) {
				s, err := Open(path, now)
				if err == nil {
					err = s.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
				statements(t, path, "PRAGMA user_version = 2")
			}, "newer version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sym.db")
			test.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, now, "relay")
			if err == nil {
				t.Fatal(errors.Join(errors.New("it was opened"), s.Close()))
			}
			if flow.CodeOf(err) != flow.CodeDataDir || !strings.Contains(flow.UserMessage(err), test.want) || !strings.Contains(flow.UserMessage(err), path) {
				t.Errorf("open: %v", err)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("NoDirectory", func(t *testing.T) {
		t.Parallel()
		if _, err := Open(filepath.Join(t.TempDir(), "none", "sym.db"), now); flow.CodeOf(err) != flow.CodeDataDir {
			t.Errorf("open: %v, want %s", err, flow.CodeDataDir)
		}
	})
}

// What has expired is not only hidden: it goes, when more of its kind comes.
func TestPut_ClearsExpired(t *testing.T) {
	t.Parallel()
	clock := start
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), func() time.Time { return clock })
	put := func(item store.Item, stored int) {
		t.Helper()
		item.Writer = "w"
		if _, err := s.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := s.reader.QueryRow("SELECT count(*) FROM items").Scan(&n); err != nil || n != stored {
			t.Errorf("%d items after %s, %v; want %d", n, item.Key, err, stored)
		}
	}
	put(store.Item{Key: "token#a", Expires: start.Add(time.Minute)}, 1)
	put(store.Item{Key: "token#b", Expires: start.Add(time.Hour)}, 2)
	clock = start.Add(time.Minute)
	put(store.Item{Key: "run#a"}, 3)
	put(store.Item{Key: "token#c", Expires: start.Add(time.Hour)}, 3)
}

// A listing costs what it returns: none may look at every row, or sort.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "sym.db"), now)
	plan := func(index, statement string, args ...any) {
		t.Helper()
		rows, err := s.reader.Query("EXPLAIN QUERY PLAN "+statement, args...)
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		defer rows.Close()
		steps := 0
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			steps++
			if !strings.HasPrefix(detail, "SEARCH ") || !strings.Contains(detail, index) {
				t.Errorf("%s\nis done by %q, want a search by %s", statement, detail, index)
			}
		}
		if err := rows.Err(); err != nil || steps != 1 {
			t.Errorf("%s: %d steps, %v; want 1", statement, steps, err)
		}
	}
	item := store.Item{Key: "run#a", Index: store.Index{Due: start, Created: start}}
	for index, q := range map[string]store.Query{
		"items_due ((due,key)>(?,?) AND due<?)":                 {By: store.ByDue, Until: start},
		"items_requester (requester=? AND (created,key)<(?,?))": {By: store.ByRequester, Value: "u"},
		"items_flow (flow=? AND (created,key)<(?,?))":           {By: store.ByFlow, Value: "f"},
		"items_status (status=? AND (created,key)<(?,?))":       {By: store.ByStatus, Value: "s"},
		"sqlite_autoindex_items_1 (key>? AND key<?)":            {By: store.ByKind, Value: "run#"},
	} {
		for _, q.Cursor = range []string{"", q.After(item).Cursor()} {
			statement, args, err := listing(q, store.FormatTime(start))
			if err != nil {
				t.Fatal(err)
			}
			plan(index, statement, args...)
		}
	}
	key, time := sql.Named("key", "run#a"), sql.Named("now", "")
	plan("sqlite_autoindex_items_1 (key=?)", getItem, key, time)
	plan("sqlite_autoindex_items_1 (key=?)", getStanding, key, time)
	plan("items_expires (expires<?)", clearExpired, time)
	plan("INTEGER PRIMARY KEY (rowid>?)", changesAfter, sql.Named("seen", 1), sql.Named("limit", 1))
}
