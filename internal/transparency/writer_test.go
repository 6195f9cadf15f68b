package transparency_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/transparency/stranger"
)

// Sizes around those of tiles, in batches of different sizes.
func TestWriter_Sizes(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	done := 0
	for _, size := range []int{1, 2, 3, 4, 5, 17, 254, 255, 256, 257, 300, 511, 512, 513, 1300} {
		l.write(t, records(done, size)...)
		done = size
		l.verify(t, records(0, done)...)
	}
	for _, name := range []string{"tile/0/000", "tile/entries/004", "tile/1/000.p/5", "tile/0/005.p/20"} {
		if _, ok := l.folder.files[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
}

// A third level begins at 65,536 records.
func TestWriter_ManyTiles(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, records(0, 66_000)...)
	if leaves, _, err := stranger.Verify(l.folder.fs(), l.key.Public()); err != nil || len(leaves) != 66_000 {
		t.Fatalf("%d leaves, %v", len(leaves), err)
	}
	if len(l.folder.files["tile/2/000.p/1"]) != 32 {
		t.Error("there is no tile of the third level")
	}
	p := transparency.Prover{Log: l.Log, Files: l.folder, Public: []string{l.key.Public()}}
	for _, n := range []int{0, 255, 256, 65_535, 65_536, 65_999} {
		receipt, err := p.Prove(t.Context(), record(n, 1).ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := stranger.CheckReceipt(receipt.Leaf, string(receipt.Proof), l.key.Public()); err != nil {
			t.Errorf("record %d: %v", n, err)
		}
	}
}

// A record that comes again keeps its place, and the line that was logged.
func TestWriter_Again(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, record(1, 1), record(2, 1), record(1, 1))
	l.write(t, record(2, 1))
	l.write(t, record(1, 4), record(1, 3)) // later states, out of order
	changed := record(2, 1)
	changed.Event.Channel = "as another release calls it"
	l.write(t, changed, record(3, 1))
	leaves := l.verify(t, record(1, 1), record(2, 1), record(1, 4), record(1, 3), record(3, 1))
	if bytes.Contains(bytes.Join(leaves, nil), []byte("another release")) {
		t.Error("a record was logged otherwise than at first")
	}
	if got := len(l.folder.lines); got != 3+1+2+2 {
		t.Errorf("%d lines went on: repeated ones go on too", got)
	}
}

// The process is killed at each write, whether that had happened or not. Whoever comes
// next, with the same records or others, brings it to an end.
func TestWriter_Crash(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"Before", "After"} {
		for at, ended := 1, false; !ended; at++ {
			if at > 200 {
				t.Fatal("it never ends")
			}
			l := newLog(t)
			l.write(t, records(0, 253)...)
			healthy, memory := *l.Writer, l.Log.Store
			var mu sync.Mutex
			n := 0
			dead := func() bool { // counts writes of either kind
				mu.Lock()
				defer mu.Unlock()
				n++
				return n > at || n == at && kind == "Before"
			}
			killed := func() bool { mu.Lock(); defer mu.Unlock(); return n >= at }
			l.Log.Store = &storetest.Faulty{Store: memory, Fault: func(int) storetest.Fault {
				switch {
				case dead():
					return storetest.NotApplied
				case killed():
					return storetest.AnswerLost
				}
				return storetest.None
			}}
			l.folder.before = func(string) error {
				if dead() {
					return errCrash
				}
				return nil
			}
			l.folder.after = func(string) error {
				if killed() {
					return errCrash
				}
				return nil
			}
			err := l.Write(t.Context(), records(250, 259))
			if err == nil {
				err = l.Beat(t.Context())
			}
			ended = err == nil && !killed()
			if err != nil && !errors.Is(err, errCrash) && !errors.Is(err, storetest.ErrFault) {
				t.Fatalf("%s %d: %v", kind, at, err)
			}
			l.folder.before, l.folder.after = nil, nil
			l.Writer = &healthy
			if at%2 == 0 {
				l.write(t, records(300, 302)...) // others come first
				l.write(t, records(250, 259)...)
				l.verify(t, append(records(0, 259), records(300, 302)...)...)
				continue
			}
			if at%3 == 0 {
				if err := l.Beat(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			l.write(t, records(250, 259)...)
			l.verify(t, records(0, 259)...)
		}
	}
}

// Several writers at once, in any order, some of the same records.
func TestWriter_AtOnce(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	all := records(0, 400)
	var writing sync.WaitGroup
	for range 4 {
		mine := slices.Clone(all)
		rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		other := *l.Writer
		writing.Go(func() {
			for some := range slices.Chunk(mine, 40) {
				if err := other.Write(t.Context(), some); err != nil {
					t.Error(err)
				}
				if err := other.Beat(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	l.verify(t, all...)
}

// slowFolder lets a writer be overtaken: it waits before a file is written.
type slowFolder struct {
	*folder
	held, free chan struct{}
	once       sync.Once
}

func (s *slowFolder) wait() {
	s.once.Do(func() { close(s.held); <-s.free })
}

// A writer that stood still while others went on writes nothing that is older.
func TestWriter_Overtaken(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, records(0, 3)...)
	slow := &slowFolder{folder: newFolder(), held: make(chan struct{}), free: make(chan struct{})}
	late := *l.Writer
	late.Files = overtaken{l.folder, slow}
	done := make(chan error)
	go func() { done <- late.Write(t.Context(), records(3, 5)) }()
	<-slow.held
	for n := 5; n < 300; n += 59 {
		l.write(t, records(n, n+59)...)
	}
	close(slow.free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	l.verify(t, records(0, 300)...)
}

// overtaken waits before the first write of a checkpoint.
type overtaken struct {
	*folder
	slow *slowFolder
}

func (o overtaken) Checkpoint(ctx context.Context) ([]byte, string, error) {
	text, tag, err := o.folder.Checkpoint(ctx)
	o.slow.wait()
	return text, tag, err
}

// What a record is too long for lies beside the log, found by its hash.
func TestWriter_Long(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*events.AuditRecord){
		"Output": func(r *events.AuditRecord) {
			r.Output = json.RawMessage(`{"rows":"` + strings.Repeat("x", 70_000) + `"}`)
		},
		"Escaped": func(r *events.AuditRecord) { r.Fields["reason"] = strings.Repeat("<", 11_000) },
		"Fields": func(r *events.AuditRecord) {
			for i := range 5 {
				r.Fields[fmt.Sprint("f", i)] = strings.Repeat("&é", 3000+i)
			}
		},
		"Many": func(r *events.AuditRecord) {
			for i := range 9000 {
				r.Fields[fmt.Sprint("f", i)] = "x"
			}
		},
		"Errors": func(r *events.AuditRecord) {
			r.State.Errors = []events.AuditError{{Message: strings.Repeat("\x00", 12_000), Code: "Strategy:FAILED"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			r := record(0, 1)
			change(&r)
			whole, err := json.Marshal(r)
			if err != nil || len(whole) < 1<<16 {
				t.Fatalf("%d bytes, %v", len(whole), err)
			}
			l.write(t, r)
			leaves := l.verify(t, r)
			aside := 0
			for name, data := range l.folder.files {
				if sum, ok := strings.CutPrefix(name, "values/"); ok {
					aside += len(data)
					if !bytes.Contains(leaves[0], []byte(sum)) {
						t.Errorf("%s is named nowhere", name)
					}
				}
			}
			if aside < 1000 || len(leaves[0]) > 60_000 {
				t.Errorf("the leaf has %d bytes, and %d lie beside", len(leaves[0]), aside)
			}
			if name == "Escaped" { // no more than it takes goes elsewhere
				var got events.AuditRecord
				if err := json.Unmarshal(leaves[0], &got); err != nil || got.Fields["target"] == nil {
					t.Errorf("%s, %v", leaves[0], err)
				}
			}
		})
	}
	t.Run("NotAtAll", func(t *testing.T) {
		t.Parallel()
		r := record(0, 1)
		r.Actor.Name = strings.Repeat("x", 70_000)
		if err := newLog(t).Write(t.Context(), []events.AuditRecord{r}); flow.CodeOf(err) != flow.CodeTooLarge {
			t.Errorf("got %v", err)
		}
	})
}

// Each hour has a checkpoint, though nothing happens.
func TestWriter_Beat(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	beat := func(after time.Duration) {
		l.now = l.now.Add(after)
		if err := l.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	beat(0) // of an empty log
	l.write(t, record(0, 1))
	beat(time.Hour)
	beat(time.Minute) // the first of an hour is kept
	beat(time.Hour)
	for hour, size := range map[string]int64{"09": 0, "10": 1, "11": 1} {
		c, err := transparency.Open(l.folder.files["checkpoints/2026/03/02/"+hour], l.key.Public())
		if err != nil || c.Tree.N != size || c.At.Format("15") != hour {
			t.Errorf("%s: %+v, %v", hour, c, err)
		}
	}
	if c, err := transparency.Open(l.folder.files["checkpoints/2026/03/02/10"], l.key.Public()); err != nil || c.At.Minute() != 10 {
		t.Errorf("%+v, %v", c, err)
	}
}

// The log does not sign what contradicts what it signed, or grow on files that were
// altered.
func TestWriter_Tampered(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(map[string][]byte){
		"Tile":      func(files map[string][]byte) { files["tile/0/000.p/3"][40] ^= 1 },
		"Entry":     func(files map[string][]byte) { files["tile/entries/000.p/3"][40] ^= 1 },
		"Shortened": func(files map[string][]byte) { files["tile/entries/000.p/3"] = files["tile/entries/000.p/3"][:90] },
		"Gone":      func(files map[string][]byte) { delete(files, "tile/0/000.p/3") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			l.write(t, records(0, 3)...)
			alter(l.folder.files)
			if err := l.Write(t.Context(), records(3, 4)); flow.CodeOf(err) != flow.CodeTampered {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("OtherTree", func(t *testing.T) {
		t.Parallel()
		l, other := newLog(t), newLog(t)
		other.Keys = l.Keys
		l.write(t, records(0, 3)...)
		other.write(t, records(5, 8)...)
		l.folder.files["checkpoint"] = other.folder.files["checkpoint"]
		if err := l.Beat(t.Context()); flow.CodeOf(err) != flow.CodeTampered {
			t.Errorf("got %v", err)
		}
	})
}

// A new key follows the old one: for a while both sign. A key that is lost is replaced.
func TestWriter_Keys(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, records(0, 3)...)
	old, next := l.key, newKey(t)
	both, err := transparency.ParseKeys(next.Secret() + "\n" + old.Secret() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	l.Keys, l.now = both, l.now.Add(time.Minute)
	l.write(t, record(3, 1))
	for _, k := range []transparency.Key{old, next} {
		if _, _, err := stranger.Verify(l.folder.fs(), k.Public()); err != nil {
			t.Error(err)
		}
	}
	l.Keys, l.now = both[:1], l.now.Add(time.Minute)
	l.write(t, record(4, 1))
	if _, _, err := stranger.Verify(l.folder.fs(), next.Public()); err != nil {
		t.Error(err)
	}
	lost := newKey(t)
	l.Keys, l.now = []transparency.Key{lost}, l.now.Add(time.Minute)
	l.write(t, record(5, 1))
	if _, _, err := stranger.Verify(l.folder.fs(), lost.Public()); err != nil {
		t.Error(err)
	}
	other, err := transparency.NewKey(strings.NewReader(strings.Repeat("r", 100)), "another.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "PRIVATE+KEY+x", old.Secret() + "\n" + other.Secret(), old.Public()} {
		if _, err := transparency.ParseKeys(text); flow.CodeOf(err) != flow.CodeInvalid || strings.Contains(err.Error(), old.Secret()) {
			t.Errorf("got %v", err)
		}
	}
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, records(0, 700)...)
	p := transparency.Prover{Log: l.Log, Files: l.folder, Public: []string{l.key.Public()}}
	if _, err := p.Prove(t.Context(), record(700, 1).ID, 1); flow.CodeOf(err) != flow.CodeNotLogged {
		t.Errorf("of what is not logged: %v", err)
	}
	receipt, err := p.Prove(t.Context(), record(300, 1).ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	check := func(leaf, proof []byte, key string) error {
		index, c, err := transparency.CheckReceipt(leaf, proof, key)
		if (err == nil) != (stranger.CheckReceipt(leaf, string(proof), key) == nil) {
			t.Errorf("we say %v, a stranger otherwise", err)
		}
		if err == nil && (index != 300 || c.Tree.N != 700) {
			t.Errorf("record %d of %d", index, c.Tree.N)
		}
		return err
	}
	if err := check(receipt.Leaf, receipt.Proof, l.key.Public()); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(receipt.Proof, []byte("\n"))
	without := slices.Clone(lines)
	for name, bad := range map[string]error{
		"another record":  check(append(slices.Clip(receipt.Leaf[:20]), receipt.Leaf[21:]...), receipt.Proof, l.key.Public()),
		"another index":   check(receipt.Leaf, bytes.Replace(receipt.Proof, []byte("index 300"), []byte("index 301"), 1), l.key.Public()),
		"another key":     check(receipt.Leaf, receipt.Proof, newKey(t).Public()),
		"a hash missing":  check(receipt.Leaf, bytes.Join(slices.Delete(without, 3, 4), nil), l.key.Public()),
		"another size":    check(receipt.Leaf, bytes.Replace(receipt.Proof, []byte("\n700\n"), []byte("\n701\n"), 1), l.key.Public()),
		"no proof at all": check(receipt.Leaf, []byte("c2sp.org/tlog-proof@v1\n"), l.key.Public()),
	} {
		if flow.CodeOf(bad) != flow.CodeTampered {
			t.Errorf("%s: %v", name, bad)
		}
	}
	if _, _, err := transparency.CheckReceipt(receipt.Leaf, receipt.Proof, "no key"); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("no key: %v", err)
	}
	// A receipt stays good when the log grows, and new ones are made of what is whole.
	l.write(t, records(700, 1100)...)
	delete(l.folder.files, "tile/0/002.p/188")
	delete(l.folder.files, "tile/entries/002.p/188")
	if err := check(receipt.Leaf, receipt.Proof, l.key.Public()); err != nil {
		t.Error(err)
	}
	l.folder.files["tile/0/001"][7] ^= 1
	if _, err := p.Prove(t.Context(), record(300, 1).ID, 1); flow.CodeOf(err) != flow.CodeTampered {
		t.Errorf("from an altered tile: %v", err)
	}
}

func TestOfLine(t *testing.T) {
	t.Parallel()
	leaf := []byte(`{"id":"x","output":{"log":{"index":1,"leaf_hash":"y"}}}`)
	line := transparency.Line(leaf, 7)
	got, place, ok := transparency.OfLine(append(line, '\n'))
	if !ok || place.Index != 7 || !bytes.Equal(got, leaf) {
		t.Errorf("%s: %s %+v %v", line, got, place, ok)
	}
	var r events.AuditRecord
	if err := json.Unmarshal(line, &r); err != nil || r.Log == nil || r.Log.Index != 7 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, none := range []string{
		"", "{}", string(leaf), `{"log":{"index":1}}`, `{"a":1,"log":{"index":1,"leaf_hash":"zz"}}`,
		`{"a":1,"log":{"index":1,"leaf_hash":"` + place.LeafHash + `","more":1}}`,
		`{"a":{"b":1,"log":{"index":1,"leaf_hash":"` + place.LeafHash + `"}}}`,
		`{"a":1,"log":{"index":1,"leaf_hash":"` + place.LeafHash + `"},"b":{"c":{}}}`,
	} {
		if _, p, ok := transparency.OfLine([]byte(none)); ok {
			t.Errorf("%s has a place: %+v", none, p)
		}
	}
}

// The table was lost, or is as it was earlier: nothing is logged in another order than
// was signed, until it goes on from there.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, known := range []int{0, 10} {
		for _, more := range []int{3, 5, 9, 15, 20} { // fewer than were lost sight of, as many, and more
			t.Run(fmt.Sprint(known, " and ", more), func(t *testing.T) {
				t.Parallel()
				l := newLog(t)
				restored := store.Log{Store: &storetest.Memory{Now: func() time.Time { return l.now }}}
				if known > 0 {
					l.write(t, records(0, known)...)
					head, _, err := l.Log.Head(t.Context())
					if err == nil {
						_, err = restored.SetHead(t.Context(), head, 0)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				l.write(t, records(known, 15)...)
				if n, err := transparency.Resume(t.Context(), l.Log, l.folder, []string{l.key.Public()}); n != 0 || err != nil {
					t.Fatalf("%d records lost sight of, %v", n, err)
				}
				l.Log = restored
				files := len(l.folder.files)
				for range 2 {
					if err := l.Write(t.Context(), records(15, 15+more)); flow.CodeOf(err) != flow.CodeTampered {
						t.Errorf("a record was logged: %v", err)
					}
				}
				if err := l.Beat(t.Context()); err == nil {
					t.Error("the table was taken for whole")
				}
				if n := len(l.folder.files); n != files {
					t.Errorf("%d files were written", n-files)
				}
				for _, want := range []int{15 - known, 0} {
					if n, err := transparency.Resume(t.Context(), l.Log, l.folder, []string{l.key.Public()}); n != int64(want) || err != nil {
						t.Fatalf("%d records lost sight of, %v; want %d", n, err, want)
					}
				}
				l.write(t, records(15, 15+more)...)
				l.verify(t, records(0, 15+more)...)
			})
		}
	}
}

// A writer that ended before it cleared the head has lost nothing.
func TestResume_Pending(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, records(0, 3)...)
	l.folder.after = func(name string) error {
		if name == "checkpoint" {
			return errCrash
		}
		return nil
	}
	if err := l.Write(t.Context(), records(3, 5)); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	l.folder.after = nil
	if n, err := transparency.Resume(t.Context(), l.Log, l.folder, []string{l.key.Public()}); n != 0 || err != nil {
		t.Fatalf("%d records lost sight of, %v", n, err)
	}
	l.write(t, records(3, 5)...)
	l.verify(t, records(0, 5)...)
}
