package sqlite

import (
	"context"
	"database/sql"
	_ "embed" // for the schema
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Store is an open database. Close it.
type Store struct {
	now    func() time.Time
	writer *pool // one connection: SQLite takes one writer at a time
	reader *pool
	// reserve is given up if the disk is full; nil for short commands.
	reserve *Reserve
	// memory is nil for commands beside a server.
	memory *memory

	commits       int // of whoever commits
	checkpointing sync.Mutex

	// For tests: they are called with the number of writes that wait for their
	// turn, and after each checkpoint. Nil in the product.
	queued       func(int)
	checkpointed func()

	mu      sync.Mutex
	pending []pending
	// committing: somebody commits, and sees to what is pending.
	committing bool
	given      map[string][]int64 // by consumer: seqs that Changes gave and Seen did not take
}

var (
	_ store.Store = (*Store)(nil)
	_ store.Feed  = (*Store)(nil)
)

const (
	// applicationID marks our files, as SQLite's file format provides: "SymF".
	applicationID = 0x53796d46
	// schemaVersion is PRAGMA user_version of the schema below.
	schemaVersion = 1

	readers = 4
	// busyTimeout is how long a connection waits for other processes.
	busyTimeout = 10 * time.Second
)

//go:embed schema.sql
var schema string

// Open opens the database file at path, and makes it if it is missing; the clock
// decides what has expired. The consumers are all those of the feed: changes are
// kept until each has seen them, and consumers that only an earlier Open named are
// forgotten. If it names none, the list stays as it is.
//
// It is for one process at a time, which has the folder by [Lock], and opens the file
// once; see [Beside].
//
// The error has flow.CodeDataDir for a file that is not a database of ours, or
// one of a newer version of the program.
func Open(path string, now func() time.Time, consumers ...string) (*Store, error) {
	return openFile(path, now, newMemory(memoryBytes), consumers)
}

// Beside is Open for short commands, which work on the file while a server may have it
// open. They read everything, but write nothing that the server holds in memory
// ([store.OneWriter]): Put and Delete return an error for that.
func Beside(path string, now func() time.Time) (*Store, error) {
	return openFile(path, now, nil, nil)
}

func openFile(path string, now func() time.Time, memory *memory, consumers []string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	// SQLite would make it readable for everybody; its other files get the
	// permissions of this one.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &flow.Error{Code: flow.CodeDataDir, Message: fmt.Sprintf("the database %s can't be opened: give a directory that exists and may be written to", path), Cause: err}
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{now: now, memory: memory, given: map[string][]int64{}}
	if s.writer, err = connect(path, 1, "synchronous(full)"); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if s.reader, err = connect(path, readers, "query_only(1)"); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), s.writer.Close())
	}
	ctx := context.Background()
	if err := s.prepare(ctx, path, consumers); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := errors.Join(s.writer.prepare(ctx, writes...), s.reader.prepare(ctx, reads...)); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.Close())
	}
	return s, nil
}

// Close ends all work on the database. What was acknowledged stays.
func (s *Store) Close() error {
	s.checkpointing.Lock() // one that is under way would keep the files in use
	defer s.checkpointing.Unlock()
	return errors.Join(s.reader.Close(), s.writer.Close())
}

// prepare sees to it that the file has our schema and knows the consumers. It
// changes nothing in a file that is not ours.
func (s *Store) prepare(ctx context.Context, path string, consumers []string) error {
	version, err := check(ctx, s.writer, path)
	if err != nil {
		return err
	}
	if version == 0 {
		if _, err := s.writer.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
			return fmt.Errorf("open database %s: %w", path, err)
		}
	}
	err = s.write(ctx, func(ctx context.Context, tx transaction) error {
		// Another process may have been faster.
		version, err := check(ctx, tx, path)
		if err != nil {
			return err
		}
		if version == 0 {
			marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion)
			if _, err := tx.ExecContext(ctx, schema+marks); err != nil {
				return err
			}
		}
		return register(ctx, tx, consumers)
	})
	if err != nil && flow.CodeOf(err) != flow.CodeDataDir {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	return err
}

// check gives the version of the file's schema: 0 if the file is empty.
func check(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, path string) (int, error) {
	var application, version, objects int
	var failure *sqlite.Error
	err := db.QueryRowContext(ctx, `
		SELECT (SELECT application_id FROM pragma_application_id),
		       (SELECT user_version FROM pragma_user_version),
		       (SELECT count(*) FROM sqlite_schema)`).Scan(&application, &version, &objects)
	switch {
	case errors.As(err, &failure) && failure.Code() == sqlite3.SQLITE_NOTADB,
		err == nil && application != applicationID && (application != 0 || version != 0 || objects > 0):
		return 0, &flow.Error{Code: flow.CodeDataDir, Cause: err, Message: fmt.Sprintf("%s is not a database of Sym Flows, and was left as it is: choose another data directory, or move the file away", path)}
	case err != nil:
		return 0, fmt.Errorf("open database %s: %w", path, err)
	case version > schemaVersion:
		return 0, flow.Errorf(flow.CodeDataDir, "%s was written by a newer version of Sym Flows (schema %d; this one knows %d), and was left as it is: start that version, or choose another data directory", path, version, schemaVersion)
	}
	return version, nil
}
