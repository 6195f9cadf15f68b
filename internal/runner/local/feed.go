package local

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Reader hands the change feed to one of its consumers.
type Reader struct {
	Name   string
	Engine *Engine
	Feed   store.Feed
	// Handle takes a batch. It returns the changes to give again, one by one,
	// and later; or an error to be given the whole batch again.
	Handle func(ctx context.Context, batch []store.Change) (again []workflow.Failed, err error)
	// Batch is how many changes are read at once; 0: as many as suits handlers that
	// take them one by one.
	Batch int
	// Later keeps what is to be given again, so that it outlives the process.
	Later Times

	mu     sync.Mutex
	queued bool // a read is to come that will see all changes so far

	// handling is held while changes are handled, so that those of one item
	// come one after the other. It guards what follows.
	handling sync.Mutex
	failures int            // batches that failed in a row
	tries    map[string]int // of each key that is postponed
}

// batch is how many changes are read at once where a reader does not say.
const batch = 100

func (r *Reader) batch() int { return cmp.Or(r.Batch, batch) }

// Each makes a Handle of a function that takes one change; see [workflow.Each].
func Each(handle func(context.Context, store.Change) error) func(context.Context, []store.Change) ([]workflow.Failed, error) {
	return func(ctx context.Context, changes []store.Change) (again []workflow.Failed, err error) {
		return workflow.Each(ctx, changes, handle), nil
	}
}

// Batch makes a Handle of a function that takes a whole batch: it succeeds or fails
// as one.
func Batch(handle func(context.Context, []store.Change) error) func(context.Context, []store.Change) ([]workflow.Failed, error) {
	return func(ctx context.Context, changes []store.Change) ([]workflow.Failed, error) {
		return nil, handle(ctx, changes)
	}
}

// Kick makes the reader look. It returns at once; a kick that comes while the
// reader looks makes it look again.
func (r *Reader) Kick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.queued {
		r.queued = true
		r.Engine.Go(r.lane(), r.read)
	}
}

// Load takes up what an earlier process postponed, and looks.
func (r *Reader) Load(ctx context.Context) error {
	all, err := r.Later.All(ctx)
	for name, at := range all {
		if key, ok := strings.CutPrefix(name, r.prefix()); ok {
			r.arm(store.Change{Key: key}, at)
		}
	}
	r.Kick()
	return err
}

// lane is the reader's own: it waits for nothing else, and nothing for it.
func (r *Reader) lane() string { return "feed " + r.Name }

func (r *Reader) prefix() string { return "later#" + r.Name + "#" }

func (r *Reader) read(ctx context.Context) {
	r.handling.Lock()
	defer r.handling.Unlock()
	r.mu.Lock()
	r.queued = false
	r.mu.Unlock()
	for !r.Engine.Stopping() {
		n, err := r.once(ctx)
		if err != nil {
			r.Engine.Log.ErrorContext(ctx, "changes could not be handled", "consumer", r.Name, "error", err)
			r.failures++
			r.Engine.After("feed#"+r.Name, pause(r.failures, err), func(context.Context) { r.Kick() })
			return
		}
		r.failures = 0
		if n < r.batch() {
			return
		}
	}
}

func (r *Reader) once(ctx context.Context) (int, error) {
	changes, err := r.Feed.Changes(ctx, r.Name, r.batch())
	if err != nil || len(changes) == 0 {
		return 0, err
	}
	again, err := r.Handle(ctx, changes)
	if err != nil {
		return 0, err
	}
	for _, p := range again {
		if err := r.postpone(ctx, p); err != nil {
			return 0, err
		}
	}
	return len(changes), r.Feed.Seen(ctx, r.Name, len(changes))
}

func (r *Reader) postpone(ctx context.Context, p workflow.Failed) error {
	if r.tries == nil {
		r.tries = map[string]int{}
	}
	r.tries[p.Change.Key]++
	n := r.tries[p.Change.Key]
	at := r.Engine.Clock.Now().Add(pause(n, p.Cause))
	level := slog.LevelWarn
	if flow.CodeOf(p.Cause) == flow.CodeBusy { // another change is about to follow: nothing is wrong
		level = slog.LevelDebug
	}
	r.Engine.Log.Log(ctx, level, "change will be handled again", "consumer", r.Name, "key", p.Change.Key, "tries", n, "at", at, "error", p.Cause)
	if err := r.Later.Set(ctx, r.prefix()+p.Change.Key, at); err != nil {
		return err
	}
	r.arm(p.Change, at)
	return nil
}

func (r *Reader) arm(c store.Change, at time.Time) {
	r.Engine.At(r.prefix()+c.Key, at, func(context.Context) {
		r.Engine.Go(r.lane(), func(ctx context.Context) { r.again(ctx, c) })
	})
}

func (r *Reader) again(ctx context.Context, c store.Change) {
	r.handling.Lock()
	defer r.handling.Unlock()
	failed, err := r.Handle(ctx, []store.Change{c})
	if err == nil && len(failed) > 0 {
		err = r.postpone(ctx, failed[0])
	} else if err == nil {
		delete(r.tries, c.Key)
		err = r.Later.Delete(ctx, r.prefix()+c.Key)
	}
	if err != nil {
		r.Engine.Log.ErrorContext(ctx, "postponed change could not be handled", "consumer", r.Name, "key", c.Key, "error", err)
		r.arm(c, r.Engine.Clock.Now().Add(longest))
	}
}

// longest is the most that a failed change waits.
const longest = time.Minute

// pause doubles with each try, unless the vendor said how long to wait.
func pause(tries int, cause error) time.Duration {
	if after := flow.AskedToWait(cause); after > 0 {
		return after
	}
	d := time.Second
	for range min(tries, 10) - 1 {
		d *= 2
	}
	return min(d, longest)
}

// Watched is a store whose writes wake readers before they return, where there is a
// change for them.
type Watched struct {
	store.Store
	Readers []*Reader
}

// Put writes, and wakes.
func (w *Watched) Put(ctx context.Context, item store.Item) (int64, error) {
	rev, err := w.Store.Put(ctx, item)
	if err == nil && store.Followed(item.Key) {
		for _, r := range w.Readers {
			r.Kick()
		}
	}
	return rev, err
}
