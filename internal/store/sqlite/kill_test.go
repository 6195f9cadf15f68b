package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// victimDir is the environment variable that makes the test binary a victim,
// and names its data directory.
const victimDir = "SYMFLOWS_TEST_VICTIM_DIR"

const victimWriters = 4

// victim works on a database, and says on standard output what was
// acknowledged to it, one line each, until it is killed:
//
//	put KEY REV    a Put has returned
//	saw KEY REV    a change was given, and Seen comes next
//	set RUN        a time is set
//	deleted RUN    a time is deleted
func victim(dir string) {
	if err := work(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func work(dir string) error {
	release, err := Lock(dir)
	if err != nil {
		return err
	}
	defer release() // keeps the claim until the kill
	s, err := Open(filepath.Join(dir, "sym.db"), now, "relay")
	if err != nil {
		return err
	}
	ctx := context.Background()
	failed := make(chan error)
	for n := range victimWriters {
		go func() { failed <- keepPutting(ctx, s, fmt.Sprint("run#", n)) }()
	}
	go func() { failed <- keepReading(ctx, s) }()
	go func() { failed <- keepTiming(ctx, s.Times()) }()
	return <-failed
}

// acknowledge writes a line in one piece, at once.
func acknowledge(what ...any) error {
	_, err := os.Stdout.WriteString(fmt.Sprintln(what...))
	return err
}

func keepPutting(ctx context.Context, s *Store, key string) error {
	item, err := s.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for rev := item.Rev; ; {
		body := []byte(strings.Repeat(fmt.Sprint(rev, " "), 500))
		rev, err = s.Put(ctx, store.Item{Key: key, Rev: rev, Writer: store.NewWriter(), Body: body, Index: store.Index{Due: start, Status: "s", Created: start}})
		if err != nil {
			return err
		}
		if err := acknowledge("put", key, rev); err != nil {
			return err
		}
	}
}

func keepReading(ctx context.Context, s *Store) error {
	for {
		changes, err := s.Changes(ctx, "relay", 3)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := acknowledge("saw", c.Key, c.Rev); err != nil {
				return err
			}
		}
		if err := s.Seen(ctx, "relay", len(changes)); err != nil {
			return err
		}
	}
}

// keepTiming sets two times at a time, and deletes one.
func keepTiming(ctx context.Context, times Times) error {
	for {
		var names [2]string
		for i := range names {
			names[i] = flow.NewRunID()
			if err := times.Set(ctx, names[i], start); err != nil {
				return err
			}
			if err := acknowledge("set", names[i]); err != nil {
				return err
			}
		}
		if err := times.Delete(ctx, names[0]); err != nil {
			return err
		}
		if err := acknowledge("deleted", names[0]); err != nil {
			return err
		}
	}
}

// known is what victims have had acknowledged.
type known struct {
	puts    map[string]int64 // newest revision by key
	saw     map[store.Change]bool
	set     map[string]bool
	deleted map[string]bool
}

// TestKill kills a process that writes, after so many lines, and looks for
// everything that was acknowledged to it; and then the next one on the same
// data.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := known{puts: map[string]int64{}, saw: map[store.Change]bool{}, set: map[string]bool{}, deleted: map[string]bool{}}
	for _, lines := range []int{1, 10, 60, 250, 700} {
		k.kill(t, dir, lines)
		k.check(t, dir)
	}
	if len(k.puts) != victimWriters || len(k.saw) == 0 || len(k.deleted) == 0 {
		t.Errorf("the victims did too little: %d keys, %d changes seen, %d times deleted", len(k.puts), len(k.saw), len(k.deleted))
	}
}

// kill starts a victim, and kills it after it wrote so many lines.
func (k known) kill(t *testing.T, dir string, lines int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := 0
	for line := bufio.NewScanner(out); line.Scan(); {
		var what, name string
		var rev int64
		if n, err := fmt.Sscan(line.Text(), &what, &name, &rev); n < 2 {
			t.Fatalf("victim wrote %q: %v", line.Text(), err)
		}
		switch what {
		case "put":
			k.puts[name] = max(rev, k.puts[name])
		case "saw":
			k.saw[store.Change{Key: name, Rev: rev}] = true
		case "set":
			k.set[name] = true
		case "deleted":
			k.deleted[name] = true
		}
		if read++; read == lines {
			if _, err := Lock(dir); flow.CodeOf(err) != flow.CodeDataDir {
				t.Errorf("lock of a directory that is in use: %v", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Exited() {
		t.Fatalf("the victim ended by itself after %d lines: %v", read, err)
	}
}

// check opens the data that a victim left.
func (k known) check(t *testing.T, dir string) {
	t.Helper()
	release, err := Lock(dir)
	if err != nil {
		t.Fatalf("lock after the kill: %v", err)
	}
	s, err := Open(filepath.Join(dir, "sym.db"), now, "relay")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(), release()); err != nil {
			t.Error(err)
		}
	}()
	var verdict string
	if err := s.reader.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %q, %v", verdict, err)
	}

	pending := map[store.Change]bool{} // in the feed; read beside it, so that the next victim finds it there
	rows, err := s.reader.Query("SELECT key, rev FROM changes WHERE seq > (SELECT seen FROM consumers)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c store.Change
		if err := rows.Scan(&c.Key, &c.Rev); err != nil {
			t.Fatal(err)
		}
		pending[c] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for key, rev := range k.puts {
		item, err := s.Get(t.Context(), key)
		if err != nil || item.Rev < rev {
			t.Errorf("%s is at %d, %v; %d was acknowledged", key, item.Rev, err, rev)
		}
		if !strings.HasPrefix(string(item.Body), fmt.Sprint(item.Rev-1, " ")) {
			t.Errorf("%s at %d has another revision's body: %.20q", key, item.Rev, item.Body)
		}
		// Each write there was is in the feed, unless it was seen.
		for r := range item.Rev {
			if c := (store.Change{Key: key, Rev: r + 1}); !pending[c] && !k.saw[c] {
				t.Errorf("%s was neither seen nor is it in the feed", fmt.Sprint(c))
			}
		}
	}

	standing, err := s.Times().All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name := range standing {
		if k.deleted[name] {
			t.Errorf("the time of %s was deleted, and is back", name)
		}
	}
	missing := 0
	for run := range k.set {
		if standing[run].IsZero() && !k.deleted[run] {
			missing++
		}
	}
	// One may have been deleted without the news getting out, per kill.
	if missing > 1 {
		t.Errorf("%d times are lost", missing)
	}
	for run := range k.set { // the news is out now
		k.deleted[run] = k.deleted[run] || standing[run].IsZero()
	}
}
