package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// changes is a store in memory with a feed for one consumer.
type changes struct {
	*storetest.Memory
	mu   sync.Mutex
	list []store.Change
	seen int
	err  error // of Changes
}

func newChanges(clock clockwork.Clock) *changes {
	return &changes{Memory: &storetest.Memory{Now: clock.Now}}
}

func (f *changes) Put(ctx context.Context, item store.Item) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rev, err := f.Memory.Put(ctx, item)
	if err == nil {
		f.list = append(f.list, store.Change{Key: item.Key, Rev: rev})
	}
	return rev, err
}

func (f *changes) Changes(_ context.Context, _ string, limit int) ([]store.Change, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	unseen := f.list[f.seen:]
	return slices.Clone(unseen[:min(limit, len(unseen))]), nil
}

func (f *changes) Seen(_ context.Context, _ string, n int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen += n
	return nil
}

func (f *changes) unseen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.list) - f.seen
}

// write puts an item, anew each time.
func write(t *testing.T, s store.Store, key string) {
	t.Helper()
	item, err := s.Get(t.Context(), key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), store.Item{Key: key, Rev: item.Rev, Writer: store.NewWriter()}); err != nil {
		t.Fatal(err)
	}
}

// times are kept in memory, as a database would.
type times struct {
	mu  sync.Mutex
	set map[string]time.Time
	err error
}

func (k *times) Set(_ context.Context, name string, at time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	if k.set == nil {
		k.set = map[string]time.Time{}
	}
	k.set[name] = at
	return nil
}

func (k *times) Delete(_ context.Context, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.set, name)
	return k.err
}

func (k *times) All(context.Context) (map[string]time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.set), k.err
}

// reading is a reader of a feed, and what it was given.
type reading struct {
	*Reader
	t     *testing.T
	clock *clockwork.FakeClock
	feed  *changes
	store *Watched
	later *times
	journal
}

func newReading(t *testing.T, handle func(*reading) func(context.Context, []store.Change) ([]workflow.Failed, error)) *reading {
	e, clock := running(t)
	r := &reading{t: t, clock: clock, feed: newChanges(clock), later: &times{}}
	r.Reader = &Reader{Name: "relay", Engine: e, Feed: r.feed, Later: r.later, Handle: handle(r)}
	r.store = &Watched{Store: r.feed, Readers: []*Reader{r.Reader}}
	return r
}

// forward goes by a duration in steps of a second.
func (r *reading) forward(d time.Duration) {
	r.t.Helper()
	for ; d > 0; d -= time.Second {
		r.clock.Advance(time.Second)
		idle(r.t, r.Engine)
	}
}

func (r *reading) lastAt() time.Duration { return r.clock.Now().Sub(start) }

// noting handles changes by writing down their keys; failures come from fail.
func noting(fail func(key string) error) func(*reading) func(context.Context, []store.Change) ([]workflow.Failed, error) {
	return func(r *reading) func(context.Context, []store.Change) ([]workflow.Failed, error) {
		return Each(func(_ context.Context, c store.Change) error {
			r.add(fmt.Sprintf("%s +%s", c.Key, r.lastAt()))
			return fail(c.Key)
		})
	}
}

func never(string) error { return nil }

func TestReader_Batches(t *testing.T) {
	t.Parallel()
	r := newReading(t, noting(never))
	var want []string
	for i := range 2*batch + 50 { // more than a batch
		key := fmt.Sprint("run#", i)
		want = append(want, key+" +0s")
		write(t, r.feed, key) // nobody is woken
	}
	slices.Sort(want)
	for range 2 { // there is nothing more the second time
		r.Kick()
		idle(t, r.Engine)
		slices.Sort(r.lines)
		r.want(t, want...)
		if r.feed.unseen() != 0 {
			t.Errorf("%d unseen", r.feed.unseen())
		}
	}
}

// TestReader_OneFails: it comes again, later and later, and keeps no other
// from being handled.
func TestReader_OneFails(t *testing.T) {
	t.Parallel()
	broken := true
	r := newReading(t, noting(func(key string) error {
		if key == "run#bad" && broken {
			return errors.New("no")
		}
		return nil
	}))
	write(t, r.feed, "run#bad")
	write(t, r.store, "run#good")
	idle(t, r.Engine)
	slices.Sort(r.lines)
	r.want(t, "run#bad +0s", "run#good +0s")
	r.forward(16 * time.Second)
	r.want(t, "run#bad +0s", "run#good +0s", "run#bad +1s", "run#bad +3s", "run#bad +7s", "run#bad +15s")
	for range 5 * 60 {
		r.forward(time.Second)
	}
	broken = false
	r.forward(time.Minute)
	r.mu().Lock()
	n := len(r.lines)
	r.mu().Unlock()
	r.forward(10 * time.Minute)
	r.mu().Lock()
	defer r.mu().Unlock()
	if len(r.lines) != n || n > 16 || n < 10 {
		t.Errorf("%d tries, then %d more", n, len(r.lines)-n)
	}
	if all, _ := r.later.All(t.Context()); len(all) != 0 {
		t.Errorf("kept %v", all)
	}
}

func (r *reading) mu() *sync.Mutex { return &r.journal.mu }

// TestReader_RateLimited waits as long as it was asked to.
func TestReader_RateLimited(t *testing.T) {
	t.Parallel()
	limited := fmt.Errorf("post: %w", errors.Join(&flow.RateLimited{After: 30 * time.Second, Cause: errors.New("429")}))
	tries := 0
	r := newReading(t, noting(func(string) error {
		if tries++; tries == 1 {
			return limited
		}
		return nil
	}))
	write(t, r.store, "run#a")
	idle(t, r.Engine)
	r.forward(2 * time.Minute)
	r.want(t, "run#a +0s", "run#a +30s")
}

// TestReader_PostponedOutlivesTheProcess.
func TestReader_PostponedOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	r := newReading(t, noting(func(string) error { return errors.New("no") }))
	write(t, r.store, "run#a")
	idle(t, r.Engine)

	next := newReading(t, noting(never))
	next.Reader.Feed, next.Reader.Later = r.feed, r.later
	r.later.mu.Lock()
	r.later.set["later#other#run#b"] = start
	r.later.set["run#c"] = start
	r.later.mu.Unlock()
	if err := next.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	idle(t, next.Engine)
	next.forward(time.Minute)
	next.want(t, "run#a +1s")
	if all, _ := r.later.All(t.Context()); len(all) != 2 {
		t.Errorf("kept %v", all)
	}
}

// TestReader_BatchFails: all of it comes again, until it goes well.
func TestReader_BatchFails(t *testing.T) {
	t.Parallel()
	tries := 0
	r := newReading(t, func(r *reading) func(context.Context, []store.Change) ([]workflow.Failed, error) {
		return Batch(func(_ context.Context, batch []store.Change) error {
			r.add(fmt.Sprintf("%d +%s", len(batch), r.lastAt()))
			if tries++; tries < 4 {
				return errors.New("the log is down")
			}
			return nil
		})
	})
	for i := range 3 {
		write(t, r.feed, fmt.Sprint("run#", i))
	}
	r.Kick()
	idle(t, r.Engine)
	if r.feed.unseen() != 3 {
		t.Errorf("%d unseen of a batch that failed", r.feed.unseen())
	}
	r.forward(time.Minute)
	r.want(t, "3 +0s", "3 +1s", "3 +3s", "3 +7s")
	if r.feed.unseen() != 0 {
		t.Errorf("%d unseen", r.feed.unseen())
	}
}

// TestReader_Faults of the feed and of the place for what is postponed.
func TestReader_Faults(t *testing.T) {
	t.Parallel()
	r := newReading(t, noting(func(key string) error {
		if key == "run#bad" {
			return errors.New("no")
		}
		return nil
	}))
	r.feed.err = errors.New("the database is locked")
	write(t, r.store, "run#good")
	idle(t, r.Engine)
	r.want(t)
	r.feed.err = nil
	r.forward(time.Second)
	r.want(t, "run#good +1s")

	r.later.err = errors.New("the database is locked") // what can't be postponed is not seen
	write(t, r.store, "run#bad")
	idle(t, r.Engine)
	if r.feed.unseen() != 1 {
		t.Errorf("%d unseen", r.feed.unseen())
	}
	r.later.err = nil
	r.forward(time.Second)
	if all, _ := r.later.All(t.Context()); r.feed.unseen() != 0 || len(all) != 1 {
		t.Errorf("%d unseen, kept %v", r.feed.unseen(), all)
	}
	r.later.err = errors.New("the database is locked") // nor is it forgotten when it can't be noted
	r.forward(10 * time.Second)
	r.later.err = nil
	r.forward(2 * time.Minute)
	r.mu().Lock()
	defer r.mu().Unlock()
	if len(r.lines) < 6 {
		t.Errorf("handled %v", r.lines)
	}
}

// TestReader_KickWhileReading: the change that comes while others are handled
// is seen, too.
func TestReader_KickWhileReading(t *testing.T) {
	t.Parallel()
	var once sync.Once
	var r *reading
	r = newReading(t, noting(func(string) error {
		once.Do(func() { write(t, r.store, "run#b") })
		return nil
	}))
	write(t, r.store, "run#a")
	idle(t, r.Engine)
	r.want(t, "run#a +0s", "run#b +0s")
}

// TestReader_LosesNothing, whoever writes when; and never handles two changes
// of an item at once.
func TestReader_LosesNothing(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	handled, at, overlap := map[string]int{}, map[string]int{}, false
	r := newReading(t, func(*reading) func(context.Context, []store.Change) ([]workflow.Failed, error) {
		return Each(func(_ context.Context, c store.Change) error {
			mu.Lock()
			at[c.Key]++
			overlap = overlap || at[c.Key] > 1
			mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			at[c.Key]--
			handled[c.Key]++
			return nil
		})
	})
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 50 {
				write(t, r.store, fmt.Sprintf("run#%d-%d", w, i/2))
			}
		})
	}
	writers.Wait()
	idle(t, r.Engine)
	mu.Lock()
	defer mu.Unlock()
	if len(handled) != 200 || overlap {
		t.Errorf("%d of 200 handled, one twice at once: %t", len(handled), overlap)
	}
}
