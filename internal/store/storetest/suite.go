package storetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Run holds a store to the contract of the port. open makes an empty one that
// takes the time from now, and whose listings are up to date at once.
func Run(t *testing.T, open func(t testing.TB, now func() time.Time) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*fixture)
	}{
		{"Missing", testMissing},
		{"RoundTrip", testRoundTrip},
		{"CreateOnce", testCreateOnce},
		{"CompareAndSwap", testCompareAndSwap},
		{"AnswerLost", testAnswerLost},
		{"AnswerLostAndOvertaken", testAnswerLostAndOvertaken},
		{"BadItems", testBadItems},
		{"SizeLimits", testSizeLimits},
		{"Delete", testDelete},
		{"OneWinnerPerRevision", testOneWinnerPerRevision},
		{"NoLostUpdate", testNoLostUpdate},
		{"PlacesAtASickTarget", testPlaces},
		{"SameWriterAtOnce", testSameWriterAtOnce},
		{"Due", testDue},
		{"NewestFirst", testNewestFirst},
		{"ByKind", testByKind},
		{"IndexTruth", testIndexTruth},
		{"Limits", testLimits},
		{"PagesMeetNoInsert", testPagesMeetNoInsert},
		{"PagesWhileWriting", testPagesWhileWriting},
		{"BadQueries", testBadQueries},
		{"BadCursors", testBadCursors},
		{"Expires", testExpires},
		{"CancelledContext", testCancelledContext},
		{"CancelledMeanwhile", testCancelledMeanwhile},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := &fixture{T: t}
			f.now.Store(&start)
			f.Store = open(t, func() time.Time { return *f.now.Load() })
			test.run(f)
		})
	}
}

// start is when every test begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// fixture is a store with a clock and shorthands that fail the test.
type fixture struct {
	*testing.T
	store.Store
	now atomic.Pointer[time.Time]
}

func (f *fixture) sleep(d time.Duration) {
	later := f.now.Load().Add(d)
	f.now.Store(&later)
}

// put writes an item at a revision, by a writer of its own unless it has one,
// and returns the item as it must be stored.
func (f *fixture) put(item store.Item) store.Item {
	f.Helper()
	if item.Writer == "" {
		item.Writer = store.NewWriter()
	}
	rev, err := f.Put(f.Context(), item)
	if err != nil {
		f.Fatalf("put %s at %d: %v", item.Key, item.Rev, err)
	}
	if rev != item.Rev+1 {
		f.Fatalf("put %s at %d gave revision %d", item.Key, item.Rev, rev)
	}
	item.Rev = rev
	return item
}

// wantStored checks that Get gives exactly this item.
func (f *fixture) wantStored(want store.Item) {
	f.Helper()
	got, err := f.Get(f.Context(), want.Key)
	if err != nil {
		f.Fatalf("get %s: %v", want.Key, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("get %s (-want +got):\n%s", want.Key, diff)
	}
}

func (f *fixture) wantMissing(key string) {
	f.Helper()
	if _, err := f.Get(f.Context(), key); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("get %s: %v, want ErrNotFound", key, err)
	}
}

// pages reads a listing to its end. between runs after each page.
func (f *fixture) pages(q store.Query, between func()) [][]store.Item {
	f.Helper()
	var pages [][]store.Item
	for {
		page, err := f.List(f.Context(), q)
		if err != nil {
			f.Fatalf("list by %s: %v", q.By, err)
		}
		if got, most := len(page.Items), store.PageSize(q.Limit); got > most {
			f.Errorf("list by %s, limit %d: a page of %d items", q.By, q.Limit, got)
		}
		pages = append(pages, page.Items)
		if between != nil {
			between()
		}
		if page.Cursor == "" {
			return pages
		}
		if page.Cursor == q.Cursor {
			f.Fatalf("list by %s: the cursor stands still", q.By)
		}
		q.Cursor = page.Cursor
	}
}

// wantList checks which items a listing has, in order, over all its pages.
func (f *fixture) wantList(q store.Query, want ...string) {
	f.Helper()
	if diff := cmp.Diff(want, keys(slices.Concat(f.pages(q, nil)...)), cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("list by %s %q, limit %d (-want +got):\n%s", q.By, q.Value, q.Limit, diff)
	}
}

func keys(items []store.Item) []string {
	var out []string
	for _, item := range items {
		out = append(out, item.Key)
	}
	return out
}

func testMissing(f *fixture) {
	f.wantMissing("run#none")
	if err := f.Delete(f.Context(), "run#none", 1); err != nil {
		f.Errorf("delete what is not there: %v", err)
	}
	for _, rev := range []int64{1, 7} {
		_, err := f.Put(f.Context(), store.Item{Key: "run#none", Rev: rev, Writer: "w"})
		if !errors.Is(err, store.ErrConflict) {
			f.Errorf("put at revision %d of what is not there: %v, want ErrConflict", rev, err)
		}
	}
	f.wantMissing("run#none")
	f.wantList(store.Query{By: store.ByKind, Value: "run#"})
}

func testRoundTrip(f *fixture) {
	everything := store.Item{
		Key: "run#é ✓ %_'\"", Writer: "writer", Body: []byte("\x00\xff{}\n"),
		Index:   store.Index{Due: start.Add(time.Nanosecond), Requester: "u", Flow: "f", Status: "s", Created: start},
		Expires: start.Add(time.Hour),
	}
	f.wantStored(f.put(everything))
	f.wantStored(f.put(store.Item{Key: "run#bare", Writer: "writer"}))
	f.wantStored(f.put(store.Item{Key: "run#empty", Writer: "writer", Body: []byte{}}))

	far := store.Item{Key: "run#far", Writer: "writer", Index: store.Index{Due: start.AddDate(300, 0, 0), Created: start.AddDate(-1000, 0, 0)}}
	f.wantStored(f.put(far))

	// Times are instants, wherever they were taken.
	zoned := store.Item{Key: "run#zoned", Writer: "writer", Index: store.Index{Created: start.In(time.FixedZone("", 5*3600))}}
	stored := f.put(zoned)
	stored.Index.Created = start
	f.wantStored(stored)

	// What was written is the caller's to change, and what was read to append to.
	body := []byte("body")
	mine := f.put(store.Item{Key: "run#mine", Body: body})
	body[0] = 'X'
	mine.Body = []byte("body")
	var longer [2][]byte
	for i := range longer {
		read, err := f.Get(f.Context(), "run#mine")
		if err != nil {
			f.Fatal(err)
		}
		longer[i] = append(read.Body, byte('0'+i))
	}
	if string(longer[0]) != "body0" || string(longer[1]) != "body1" {
		f.Errorf("two who append to what they read have %q and %q", longer[0], longer[1])
	}
	f.wantStored(mine)
}

func testCreateOnce(f *fixture) {
	first := f.put(store.Item{Key: "run#a", Body: []byte("first")})
	_, err := f.Put(f.Context(), store.Item{Key: "run#a", Writer: "other", Body: []byte("second")})
	if !errors.Is(err, store.ErrConflict) {
		f.Errorf("second creation: %v, want ErrConflict", err)
	}
	f.wantStored(first)
}

func testCompareAndSwap(f *fixture) {
	item := f.put(store.Item{Key: "run#a", Body: []byte("1")})
	for n := 2; n <= 5; n++ {
		item.Writer, item.Body = "", fmt.Append(nil, n)
		item = f.put(item)
		f.wantStored(item)
	}
	for _, rev := range []int64{0, 1, 4, 6, 100} {
		_, err := f.Put(f.Context(), store.Item{Key: "run#a", Rev: rev, Writer: "late", Body: []byte("late")})
		if !errors.Is(err, store.ErrConflict) {
			f.Errorf("put at revision %d of 5: %v, want ErrConflict", rev, err)
		}
	}
	f.wantStored(item)

	// Keys differ in every letter's case, and one item is not another's.
	other := f.put(store.Item{Key: "run#A", Body: []byte("other")})
	f.wantStored(item)
	f.wantStored(other)
}

// again puts an item once more as it was put.
func (f *fixture) again(item store.Item) (int64, error) {
	return f.Put(f.Context(), item)
}

func testAnswerLost(f *fixture) {
	item := store.Item{Key: "run#a", Writer: "one", Body: []byte("1")}
	for range 4 {
		stored := f.put(item)
		for range 2 {
			rev, err := f.again(item)
			if err != nil || rev != stored.Rev {
				f.Fatalf("the same put again gave %d, %v; want %d", rev, err, stored.Rev)
			}
		}
		f.wantStored(stored)
		item = store.Item{Key: item.Key, Rev: stored.Rev, Writer: item.Writer + "'", Body: append(item.Body, '+')}
	}
	// A writer is known by what it wrote, not by its name elsewhere.
	f.put(store.Item{Key: "run#b", Writer: "one"})
}

func testAnswerLostAndOvertaken(f *fixture) {
	mine := store.Item{Key: "run#a", Writer: "mine", Body: []byte("mine")}
	theirs := f.put(mine)
	theirs.Writer, theirs.Body = "theirs", []byte("theirs")
	theirs = f.put(theirs)
	if _, err := f.again(mine); !errors.Is(err, store.ErrConflict) {
		f.Errorf("the same put again after another write: %v, want ErrConflict", err)
	}
	f.wantStored(theirs)

	if err := f.Delete(f.Context(), theirs.Key, theirs.Rev); err != nil {
		f.Fatal(err)
	}
	if _, err := f.again(store.Item{Key: theirs.Key, Rev: 1, Writer: "theirs"}); !errors.Is(err, store.ErrConflict) {
		f.Errorf("the same put again after a deletion: %v, want ErrConflict", err)
	}
	f.wantMissing("run#a")
}

func testBadItems(f *fixture) {
	for name, item := range map[string]store.Item{
		"no key":            {Writer: "w"},
		"no writer":         {Key: "run#a"},
		"negative revision": {Key: "run#a", Writer: "w", Rev: -1},
	} {
		if _, err := f.Put(f.Context(), item); flow.CodeOf(err) != flow.CodeInvalid {
			f.Errorf("%s: %v, want %s", name, err, flow.CodeInvalid)
		}
	}
	f.wantMissing("run#a")
}

func testSizeLimits(f *fixture) {
	largest := f.put(store.Item{
		Key:   "run#" + strings.Repeat("k", store.MaxKeyBytes-len("run#")),
		Body:  bytes.Repeat([]byte("b"), store.MaxItemBytes),
		Index: store.Index{Requester: strings.Repeat("u", 36), Flow: "f", Status: "s", Due: start, Created: start},
	})
	f.wantStored(largest)
	f.wantList(store.Query{By: store.ByStatus, Value: "s"}, largest.Key)

	for name, item := range map[string]store.Item{
		"body": {Key: "run#a", Body: append(largest.Body, 'b'), Writer: "w"},
		"key":  {Key: largest.Key + "k", Writer: "w"},
	} {
		if _, err := f.Put(f.Context(), item); !errors.Is(err, store.ErrTooLarge) {
			f.Errorf("%s one byte too large: %v, want ErrTooLarge", name, err)
		}
		f.wantMissing(item.Key)
	}
}

func testDelete(f *fixture) {
	item := f.put(store.Item{Key: "run#a", Index: store.Index{Status: "s", Created: start, Due: start}})
	kept := f.put(store.Item{Key: "run#b", Index: store.Index{Status: "s", Created: start}})
	item.Writer = ""
	item = f.put(item)
	for _, rev := range []int64{0, 1, 3} {
		if err := f.Delete(f.Context(), "run#a", rev); !errors.Is(err, store.ErrConflict) {
			f.Errorf("delete at revision %d of 2: %v, want ErrConflict", rev, err)
		}
	}
	f.wantStored(item)
	for range 2 { // deleting twice succeeds: the answer may have been lost
		if err := f.Delete(f.Context(), "run#a", 2); err != nil {
			f.Fatalf("delete: %v", err)
		}
	}
	f.wantMissing("run#a")
	f.wantList(store.Query{By: store.ByStatus, Value: "s"}, kept.Key)
	f.wantList(store.Query{By: store.ByDue, Until: start})
	f.wantList(store.Query{By: store.ByKind, Value: "run#"}, kept.Key)

	f.wantStored(f.put(store.Item{Key: "run#a", Body: []byte("anew")}))
}

const writers = 8

func testOneWinnerPerRevision(f *fixture) {
	for rev := range int64(5) {
		var won atomic.Int64
		var winner atomic.Pointer[string]
		var all sync.WaitGroup
		for n := range writers {
			all.Go(func() {
				writer := fmt.Sprintf("%d of revision %d", n, rev)
				got, err := f.Put(f.Context(), store.Item{Key: "run#a", Rev: rev, Writer: writer, Body: []byte(writer)})
				switch {
				case err == nil:
					won.Add(1)
					winner.Store(&writer)
					if got != rev+1 {
						f.Errorf("put at %d gave %d", rev, got)
					}
				case !errors.Is(err, store.ErrConflict):
					f.Errorf("put at %d: %v", rev, err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			f.Fatalf("revision %d: %d winners, want 1", rev, won.Load())
		}
		f.wantStored(store.Item{Key: "run#a", Rev: rev + 1, Writer: *winner.Load(), Body: []byte(*winner.Load())})
	}
}

// testNoLostUpdate has many add to one list; each entry must be there, in an
// order that agrees with the revisions.
func testNoLostUpdate(f *fixture) {
	const each = 5
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for i := range each {
				entry := fmt.Sprintf("%d.%d ", n, i)
				for {
					item, err := f.Get(f.Context(), "run#list")
					if err != nil && !errors.Is(err, store.ErrNotFound) {
						f.Error(err)
						return
					}
					rev, err := f.Put(f.Context(), store.Item{Key: "run#list", Rev: item.Rev, Writer: entry, Body: append(item.Body, entry...)})
					if errors.Is(err, store.ErrConflict) {
						continue
					}
					if err != nil || rev != item.Rev+1 {
						f.Errorf("put at %d: %d, %v", item.Rev, rev, err)
					}
					break
				}
			}
		})
	}
	all.Wait()
	item, err := f.Get(f.Context(), "run#list")
	if err != nil {
		f.Fatal(err)
	}
	entries := strings.Fields(string(item.Body))
	if item.Rev != writers*each || len(entries) != writers*each {
		f.Errorf("%d entries at revision %d, want %d", len(entries), item.Rev, writers*each)
	}
	for n := range writers {
		mine := slices.DeleteFunc(slices.Clone(entries), func(e string) bool { return !strings.HasPrefix(e, fmt.Sprint(n, ".")) })
		if !slices.IsSorted(mine) || len(mine) != each {
			f.Errorf("writer %d: entries %v", n, mine)
		}
	}
}

// testPlaces: many attempts at a sick target ask at once, and no more get a place
// than there are. One that is given back is there for the next.
func testPlaces(f *fixture) {
	const target = "http/databases/Orders DB"
	sick := store.Sick{Store: f.Store}
	change := func(move func(flow.Sickness) flow.Sickness) flow.Sickness {
		s, err := sick.Change(f.Context(), target, move)
		if err != nil {
			f.Error(err)
		}
		return s
	}
	for range flow.SickAfter {
		change(func(s flow.Sickness) flow.Sickness { return s.TimedOut("", true, start) })
	}
	take := func() int {
		var all sync.WaitGroup
		var placed atomic.Int64
		for range writers {
			owner := store.NewWriter()
			all.Go(func() {
				ok := false
				change(func(s flow.Sickness) flow.Sickness {
					s, ok = s.Take(flow.Place{Owner: owner, Run: "run", Until: start.Add(time.Minute)}, true, start)
					return s
				})
				if ok {
					placed.Add(1)
				}
			})
		}
		all.Wait()
		return int(placed.Load())
	}
	if n := take(); n != flow.SickPlaces {
		f.Errorf("%d attempts have a place, want %d", n, flow.SickPlaces)
	}
	s := change(func(s flow.Sickness) flow.Sickness { return s.Leave(s.Places[0].Owner) })
	if len(s.Places) != flow.SickPlaces-1 {
		f.Errorf("%d places are taken after one was given back", len(s.Places))
	}
	if n := take(); n != 1 {
		f.Errorf("%d attempts have the one place that was free", n)
	}
}

// testSameWriterAtOnce is a client that sends a write again before the first
// try has come to anything.
func testSameWriterAtOnce(f *fixture) {
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			rev, err := f.Put(f.Context(), store.Item{Key: "run#a", Writer: "one", Body: []byte("body")})
			if err != nil || rev != 1 {
				f.Errorf("put gave %d, %v; want 1", rev, err)
			}
		})
	}
	all.Wait()
	f.wantStored(store.Item{Key: "run#a", Rev: 1, Writer: "one", Body: []byte("body")})
}

func testDue(f *fixture) {
	for key, due := range map[string]time.Time{
		"run#d": start.Add(-time.Hour),
		"run#b": start,
		"run#a": start,
		"run#c": start.Add(time.Nanosecond),
		"run#e": start.AddDate(280, 0, 0),
		"run#f": {},
	} {
		f.put(store.Item{Key: key, Index: store.Index{Due: due, Status: "s", Created: start}})
	}
	for _, limit := range []int{0, 1, 2, 3} {
		f.wantList(store.Query{By: store.ByDue, Until: start.Add(-2 * time.Hour), Limit: limit})
		f.wantList(store.Query{By: store.ByDue, Until: start.Add(-time.Nanosecond), Limit: limit}, "run#d")
		f.wantList(store.Query{By: store.ByDue, Until: start, Limit: limit}, "run#d", "run#a", "run#b")
		f.wantList(store.Query{By: store.ByDue, Until: start.In(time.FixedZone("", -3600)), Limit: limit}, "run#d", "run#a", "run#b")
		f.wantList(store.Query{By: store.ByDue, Until: start.AddDate(290, 0, 0), Limit: limit}, "run#d", "run#a", "run#b", "run#c", "run#e")
	}
	// A reader may look further ahead while it reads pages.
	page, err := f.List(f.Context(), store.Query{By: store.ByDue, Until: start, Limit: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.wantList(store.Query{By: store.ByDue, Until: start.Add(time.Second), Limit: 1, Cursor: page.Cursor}, "run#a", "run#b", "run#c")
}

func testNewestFirst(f *fixture) {
	created := func(n int) time.Time { return start.Add(time.Duration(n) * time.Microsecond) }
	for n := range 5 {
		f.put(store.Item{Key: fmt.Sprint("run#", n), Index: store.Index{Requester: "u", Flow: "f", Status: "s", Created: created(n)}})
		f.put(store.Item{Key: fmt.Sprint("run#other", n), Index: store.Index{Requester: "U", Flow: "f2", Status: "s ", Created: created(n)}})
	}
	f.put(store.Item{Key: "run#twin", Index: store.Index{Requester: "u", Flow: "f", Status: "s", Created: created(2)}})
	f.put(store.Item{Key: "run#timeless", Index: store.Index{Requester: "u", Flow: "f", Status: "s"}})
	f.put(store.Item{Key: "run#nameless", Index: store.Index{Created: created(9)}})
	for _, q := range []store.Query{
		{By: store.ByRequester, Value: "u"},
		{By: store.ByFlow, Value: "f"},
		{By: store.ByStatus, Value: "s"},
	} {
		for _, q.Limit = range []int{0, 1, 2, 3, 6, 7} {
			f.wantList(q, "run#4", "run#3", "run#twin", "run#2", "run#1", "run#0")
			q.Before = created(4).Add(time.Nanosecond)
			f.wantList(q, "run#4", "run#3", "run#twin", "run#2", "run#1", "run#0")
			q.Before = created(3)
			f.wantList(q, "run#twin", "run#2", "run#1", "run#0")
			q.Before = created(0)
			f.wantList(q)
			q.Before = time.Time{}
		}
	}
	f.wantList(store.Query{By: store.ByRequester, Value: "nobody"})
	f.wantList(store.Query{By: store.ByFlow, Value: "F"})

	// Listings hold whole items.
	page, err := f.List(f.Context(), store.Query{By: store.ByFlow, Value: "f2", Limit: 1})
	if err != nil || len(page.Items) != 1 {
		f.Fatalf("list by flow: %d items, %v", len(page.Items), err)
	}
	f.wantStored(page.Items[0])
}

func testByKind(f *fixture) {
	for _, key := range []string{"run#b", "run#a", "runner#a", "run", "ru#x", "flow#a#1", "flow#a", "flow#ab", "Run#c", "run#é", "r_n#a", "r%#a", "kind#\u00ff", "kind#\U0010ffff", "kind$a"} {
		f.put(store.Item{Key: key, Index: store.Index{Created: start}})
	}
	for _, limit := range []int{0, 1, 2} {
		list := func(prefix string) store.Query { return store.Query{By: store.ByKind, Value: prefix, Limit: limit} }
		f.wantList(list("run#"), "run#a", "run#b", "run#é")
		f.wantList(list("flow#"), "flow#a", "flow#a#1", "flow#ab")
		f.wantList(list("flow#a#"), "flow#a#1")
		f.wantList(list("r_n#"), "r_n#a")
		f.wantList(list("r%#"), "r%#a")
		f.wantList(list("kind#"), "kind#\u00ff", "kind#\U0010ffff")
		f.wantList(list("none#"))
	}
}

// testIndexTruth changes each value by which an item is found.
func testIndexTruth(f *fixture) {
	full := store.Index{Due: start, Requester: "u", Flow: "f", Status: "s", Created: start}
	item := f.put(store.Item{Key: "run#a", Index: full})
	change := func(index store.Index) {
		item.Writer, item.Index = "", index
		item = f.put(item)
		f.wantStored(item)
	}
	in := func(q store.Query, want bool) {
		f.Helper()
		if want {
			f.wantList(q, "run#a")
		} else {
			f.wantList(q)
		}
	}
	due := store.Query{By: store.ByDue, Until: start}
	status := func(s string) store.Query { return store.Query{By: store.ByStatus, Value: s} }
	requester := func(s string) store.Query { return store.Query{By: store.ByRequester, Value: s} }
	byFlow := func(s string) store.Query { return store.Query{By: store.ByFlow, Value: s} }

	later := full
	later.Due, later.Status = start.Add(time.Second), "s2"
	change(later)
	in(due, false)
	in(store.Query{By: store.ByDue, Until: start.Add(time.Second)}, true)
	in(status("s"), false)
	in(status("s2"), true)
	in(byFlow("f"), true)

	done := later
	done.Due = time.Time{}
	change(done)
	in(store.Query{By: store.ByDue, Until: start.AddDate(200, 0, 0)}, false)
	in(status("s2"), true)

	change(full)
	in(due, true)
	in(status("s"), true)
	in(status("s2"), false)

	moved := full
	moved.Requester, moved.Flow = "u2", "f2"
	change(moved)
	in(requester("u"), false)
	in(requester("u2"), true)
	in(byFlow("f"), false)
	in(byFlow("f2"), true)

	change(store.Index{})
	in(due, false)
	in(requester("u2"), false)
	in(byFlow("f2"), false)
	in(status("s"), false)
	in(store.Query{By: store.ByKind, Value: "run#"}, true)
}

func testLimits(f *fixture) {
	const stored = 205
	for n := range stored {
		f.put(store.Item{Key: fmt.Sprintf("run#%03d", n), Index: store.Index{
			Due: start, Requester: "u", Flow: "f", Status: "s", Created: start.Add(time.Duration(n) * time.Second),
		}})
	}
	for _, q := range []store.Query{
		{By: store.ByDue, Until: start},
		{By: store.ByRequester, Value: "u"},
		{By: store.ByFlow, Value: "f"},
		{By: store.ByStatus, Value: "s"},
		{By: store.ByKind, Value: "run#"},
	} {
		for limit, want := range map[int]int{-1: 50, 0: 50, 1: 1, 50: 50, 199: 199, 200: 200, 201: 200, 1 << 40: 200} {
			q.Limit = limit
			page, err := f.List(f.Context(), q)
			if err != nil {
				f.Fatal(err)
			}
			if len(page.Items) != want || page.Cursor == "" {
				f.Errorf("list by %s, limit %d: %d items, cursor %q; want %d, and more to come", q.By, limit, len(page.Items), page.Cursor, want)
			}
		}
		q.Limit = 41 // divides what is stored
		if n := len(slices.Concat(f.pages(q, nil)...)); n != stored {
			f.Errorf("list by %s: %d items in all, want %d", q.By, n, stored)
		}
	}
}

// listings are all listings that an item of this index is in.
func listings() (store.Index, []store.Query) {
	return store.Index{Due: start, Requester: "u", Flow: "f", Status: "s", Created: start}, []store.Query{
		{By: store.ByDue, Until: start.Add(time.Hour)},
		{By: store.ByRequester, Value: "u"},
		{By: store.ByFlow, Value: "f"},
		{By: store.ByStatus, Value: "s"},
		{By: store.ByKind, Value: "run#"},
	}
}

// testPagesMeetNoInsert inserts before, within and after what was read, and
// deletes the very item that a cursor stands on.
func testPagesMeetNoInsert(f *fixture) {
	index, queries := listings()
	at := func(n int) store.Index {
		x := index
		x.Due, x.Created = start.Add(time.Duration(n)*time.Second), start.Add(time.Duration(n)*time.Second)
		return x
	}
	var old []string
	for n := range 10 {
		old = append(old, f.put(store.Item{Key: fmt.Sprintf("run#m%02d", n), Index: at(n + 10)}).Key)
	}
	inserted := 0
	for _, q := range queries {
		q.Limit = 3
		most := inserted + 5
		pages := f.pages(q, func() {
			if inserted == most {
				return
			}
			inserted++
			f.put(store.Item{Key: fmt.Sprintf("run#a%03d", inserted), Index: at(0)})
			f.put(store.Item{Key: fmt.Sprintf("run#m05+%03d", inserted), Index: at(15)})
			f.put(store.Item{Key: fmt.Sprintf("run#z%03d", inserted), Index: at(30)})
		})
		f.wantOnce(q, keys(slices.Concat(pages...)), old)
	}

	q := store.Query{By: store.ByKind, Value: "run#m0", Limit: 2}
	page, err := f.List(f.Context(), q)
	if err != nil || len(page.Items) == 0 {
		f.Fatalf("list: %d items, %v", len(page.Items), err)
	}
	last := page.Items[len(page.Items)-1]
	if err := f.Delete(f.Context(), last.Key, last.Rev); err != nil {
		f.Fatal(err)
	}
	q.Cursor = page.Cursor
	rest := keys(slices.Concat(f.pages(q, nil)...))
	f.wantOnce(q, append(keys(page.Items), rest...), old)
}

// wantOnce checks that a listing had each of these keys exactly once.
func (f *fixture) wantOnce(q store.Query, got, want []string) {
	f.Helper()
	times := map[string]int{}
	for _, key := range got {
		times[key]++
	}
	for _, key := range want {
		if times[key] != 1 {
			f.Errorf("list by %s: %s was there %d times, want once", q.By, key, times[key])
		}
	}
}

// testPagesWhileWriting reads pages while others write as fast as they can.
func testPagesWhileWriting(f *fixture) {
	index, queries := listings()
	var old []string
	for n := range 20 {
		old = append(old, f.put(store.Item{Key: fmt.Sprintf("run#old%02d", n), Index: index}).Key)
	}
	ctx, stop := context.WithCancel(f.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for w := range 2 {
		all.Go(func() {
			for n := 0; n < 100 && ctx.Err() == nil; n++ {
				x := index
				x.Created, x.Due = start.Add(time.Duration(n)), start.Add(time.Duration(n))
				_, err := f.Put(ctx, store.Item{Key: fmt.Sprintf("run#%d.%d", w, n), Writer: "w", Index: x})
				if err != nil && ctx.Err() == nil {
					f.Errorf("put: %v", err)
				}
			}
		})
	}
	for _, q := range queries {
		q.Limit = 7
		f.wantOnce(q, keys(slices.Concat(f.pages(q, nil)...)), old)
	}
}

func testBadQueries(f *fixture) {
	for _, q := range []store.Query{
		{},
		{By: "colour", Value: "red"},
		{By: store.ByDue},
		{By: store.ByRequester},
		{By: store.ByFlow},
		{By: store.ByStatus},
		{By: store.ByKind},
		{By: store.ByKind, Value: "run"},
		{By: store.ByKind, Value: "leaf#"}, // nobody lists these
		{By: store.ByKind, Value: "run#", Before: start},
		{By: store.ByDue, Until: start, Before: start},
	} {
		if _, err := f.List(f.Context(), q); flow.CodeOf(err) != flow.CodeInvalid {
			f.Errorf("list %+v: %v, want %s", q, err, flow.CodeInvalid)
		}
	}
}

func testBadCursors(f *fixture) {
	index, queries := listings()
	for n := range 3 {
		f.put(store.Item{Key: fmt.Sprint("run#", n), Index: index})
	}
	cursors := map[string]string{}
	for _, q := range queries {
		q.Limit = 1
		page, err := f.List(f.Context(), q)
		if err != nil || page.Cursor == "" {
			f.Fatalf("list by %s: cursor %q, %v", q.By, page.Cursor, err)
		}
		cursors[string(q.By)] = page.Cursor
	}
	other := store.Query{By: store.ByRequester, Value: "u2", Limit: 1}
	for n := range 2 {
		x := index
		x.Requester = other.Value
		f.put(store.Item{Key: fmt.Sprint("run#other", n), Index: x})
	}
	page, err := f.List(f.Context(), other)
	if err != nil || page.Cursor == "" {
		f.Fatalf("list of the other: cursor %q, %v", page.Cursor, err)
	}
	cursors["requester u2"] = page.Cursor

	for _, q := range queries {
		own := cursors[string(q.By)]
		bad := map[string]string{
			"not base64":    "§§",
			"no JSON":       base64.RawURLEncoding.EncodeToString([]byte("hello")),
			"null":          base64.RawURLEncoding.EncodeToString([]byte("null")),
			"empty object":  base64.RawURLEncoding.EncodeToString([]byte("{}")),
			"array":         base64.RawURLEncoding.EncodeToString([]byte("[]")),
			"an SQL phrase": "' OR 1=1 --",
			"cut short":     own[:len(own)-3],
			"too long":      own + own,
			"padded":        own + "=",
			"a space":       own + " ",
		}
		for by, cursor := range cursors {
			if by != string(q.By) {
				bad["of "+by] = cursor
			}
		}
		for what, cursor := range bad {
			q.Cursor = cursor
			if _, err := f.List(f.Context(), q); flow.CodeOf(err) != flow.CodeInvalid {
				f.Errorf("list by %s, cursor %s: %v, want %s", q.By, what, err, flow.CodeInvalid)
			}
		}
		q.Cursor = own
		if _, err := f.List(f.Context(), q); err != nil {
			f.Errorf("list by %s, its own cursor: %v", q.By, err)
		}
	}
}

func testExpires(f *fixture) {
	index, queries := listings()
	gone := store.Item{Key: "run#gone", Writer: "one", Body: []byte("old"), Index: index, Expires: start.Add(time.Minute)}
	stored := f.put(gone)
	f.put(store.Item{Key: "run#kept", Index: index, Expires: start.Add(time.Hour)})
	f.put(store.Item{Key: "run#lasting", Index: index})

	all := func(want ...string) {
		f.Helper()
		for _, q := range queries {
			want := slices.Clone(want)
			if q.By == store.ByRequester || q.By == store.ByFlow || q.By == store.ByStatus {
				slices.Reverse(want) // created at the same time: by key, descending
			}
			for _, q.Limit = range []int{0, 1} {
				f.wantList(q, want...)
			}
		}
	}
	f.sleep(time.Minute - time.Nanosecond)
	f.wantStored(stored)
	all("run#gone", "run#kept", "run#lasting")

	f.sleep(time.Nanosecond)
	f.wantMissing("run#gone")
	all("run#kept", "run#lasting")
	if _, err := f.Put(f.Context(), store.Item{Key: "run#gone", Rev: 1, Writer: "two"}); !errors.Is(err, store.ErrConflict) {
		f.Errorf("put on an expired item: %v, want ErrConflict", err)
	}
	if err := f.Delete(f.Context(), "run#gone", 7); err != nil {
		f.Errorf("delete of an expired item: %v", err)
	}

	// Its key is free again, whether or not it was cleared away.
	anew := f.put(store.Item{Key: "run#gone", Writer: "three", Body: []byte("new"), Index: index})
	f.wantStored(anew)
	f.sleep(24 * time.Hour)
	f.wantStored(anew)
	f.wantMissing("run#kept")
	all("run#gone", "run#lasting")

	// Other writes bring nothing back.
	f.put(store.Item{Key: "token#next", Expires: start.AddDate(1, 0, 0)})
	f.wantMissing("run#kept")
	all("run#gone", "run#lasting")
}

func testCancelledContext(f *fixture) {
	item := f.put(store.Item{Key: "run#a"})
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	for name, do := range map[string]func() error{
		"get":    func() error { _, err := f.Get(ctx, "run#a"); return err },
		"create": func() error { _, err := f.Put(ctx, store.Item{Key: "run#b", Writer: "w"}); return err },
		"put":    func() error { _, err := f.Put(ctx, store.Item{Key: "run#a", Rev: 1, Writer: "w"}); return err },
		"delete": func() error { return f.Delete(ctx, "run#a", 1) },
		"list":   func() error { _, err := f.List(ctx, store.Query{By: store.ByKind, Value: "run#"}); return err },
	} {
		if err := do(); !errors.Is(err, context.Canceled) {
			f.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	f.wantStored(item)
	f.wantMissing("run#b")
}

// testCancelledMeanwhile cancels writes while they are under way: whatever
// became of each, doing it again settles it.
func testCancelledMeanwhile(f *fixture) {
	const writes = 100
	for rev := range int64(writes) {
		item := store.Item{Key: "run#a", Rev: rev, Writer: fmt.Sprint("w", rev), Body: bytes.Repeat([]byte("b"), 10<<10)}
		ctx, cancel := context.WithCancel(f.Context())
		go cancel()
		_, err := f.Put(ctx, item)
		if err != nil && !errors.Is(err, context.Canceled) {
			f.Errorf("cancelled put at %d: %v, want context.Canceled", rev, err)
		}
		if got, err := f.again(item); err != nil || got != rev+1 {
			f.Fatalf("the same put again at %d gave %d, %v", rev, got, err)
		}
	}
}
