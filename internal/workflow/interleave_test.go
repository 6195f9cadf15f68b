package workflow_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// worker is a use case that is let do one write or call of the target at a time.
type worker struct {
	resume chan struct{}
	paused chan bool // false: it has ended
	ended  bool
}

type workerKey struct{}

func newWorker(ctx context.Context, do func(context.Context)) *worker {
	x := &worker{resume: make(chan struct{}), paused: make(chan bool)}
	go func() {
		<-x.resume
		do(context.WithValue(ctx, workerKey{}, x))
		x.paused <- false
	}()
	return x
}

// pauseWorker is the hook that stops a worker before each of its steps.
func pauseWorker(ctx context.Context) {
	if x, ok := ctx.Value(workerKey{}).(*worker); ok {
		x.paused <- true
		<-x.resume
	}
}

// step lets the worker go as far as its next step; false: it has ended.
func (x *worker) step() bool {
	if x.ended {
		return false
	}
	x.resume <- struct{}{}
	x.ended = !<-x.paused
	return !x.ended
}

func (x *worker) steps(n int) (done int) {
	for done < n && x.step() {
		done++
	}
	return done
}

const all = 1000

// TestInterleaved lets two workers that share an entitlement take turns in
// every way with up to four changes from one to the other, the third turn being
// one step, and checks that no person loses access that they were told they
// have, and that all of it ends.
func TestInterleaved(t *testing.T) {
	t.Parallel()
	escalate := func(w *world, id string) func(context.Context) {
		return func(ctx context.Context) { _, _ = w.access.Escalate(ctx, id) } // what failed is driven again
	}
	deescalate := func(w *world, id string) func(context.Context) {
		return func(ctx context.Context) { _ = w.access.OnTime(ctx, id) }
	}
	// prepared asks and approves; granted lets the grant happen, too.
	prepared := func(w *world, cause string, granted bool) string {
		id := w.ask(asker, cause)
		w.click(id, flow.ActionApprove, first)
		if granted {
			w.pass(w.takes())
			w.want(id, flow.Escalated)
		}
		return id
	}
	ungranted := func(w *world, cause string) string {
		grant, open := w.access, w.access
		open.Open = func(flow.Strategy) (strategy.Strategy, error) { return nil, flow.Errorf(flow.CodeStrategy, "not yet") }
		w.access = open
		id := prepared(w, cause, false)
		w.access = grant
		if _, err := w.submit.Retry(t.Context(), id, asker); err != nil {
			t.Fatal(err)
		}
		w.seen = len(w.feed) // it is not driven yet
		return id
	}
	ending := func(w *world, id string) {
		if err := w.press(id, flow.ActionDeescalate, asker); err != nil {
			t.Fatal(err)
		}
		w.seen = len(w.feed)
	}
	for name, prepare := range map[string]func(*world) (a, b func(context.Context), live, over []string){
		"GrantAndGrant": func(w *world) (a, b func(context.Context), live, over []string) {
			x, y := ungranted(w, "a"), ungranted(w, "b")
			return escalate(w, x), escalate(w, y), []string{x, y}, nil
		},
		"SameGrantTwice": func(w *world) (a, b func(context.Context), live, over []string) {
			x := ungranted(w, "a")
			return escalate(w, x), escalate(w, x), []string{x}, nil
		},
		"RemoveAndGrant": func(w *world) (a, b func(context.Context), live, over []string) {
			x := prepared(w, "a", true)
			y := ungranted(w, "b")
			ending(w, x)
			return deescalate(w, x), escalate(w, y), []string{y}, []string{x}
		},
		"RemoveAndRemove": func(w *world) (a, b func(context.Context), live, over []string) {
			x, y := prepared(w, "a", true), prepared(w, "b", true)
			ending(w, x)
			ending(w, y)
			return deescalate(w, x), deescalate(w, y), nil, []string{x, y}
		},
		"SameRemovalTwice": func(w *world) (a, b func(context.Context), live, over []string) {
			x := prepared(w, "a", true)
			ending(w, x)
			return deescalate(w, x), deescalate(w, x), nil, []string{x}
		},
		"RemoveOneOfTwo": func(w *world) (a, b func(context.Context), live, over []string) {
			x, y := prepared(w, "a", true), prepared(w, "b", true)
			ending(w, x)
			z := ungranted(w, "c")
			return deescalate(w, x), escalate(w, z), []string{y, z}, []string{x}
		},
		"GrantAndItsEnd": func(w *world) (a, b func(context.Context), live, over []string) {
			x := ungranted(w, "a")
			end := func(ctx context.Context) {
				if err := w.press(x, flow.ActionDeescalate, asker); err == nil { // else it came before the intent
					_ = w.access.OnTime(ctx, x)
				}
			}
			return escalate(w, x), end, nil, nil
		},
		"GrantAndItsCancellation": func(w *world) (a, b func(context.Context), live, over []string) {
			x := ungranted(w, "a")
			cancel := func(ctx context.Context) {
				if err := w.press(x, flow.ActionCancel, asker); err == nil { // else it came after the intent
					_, _ = w.approval.Decide(ctx, x)
				}
			}
			return escalate(w, x), cancel, nil, nil
		},
	} {
		for _, kind := range []string{"predates=false", "predates=true", "asynchronous", "values"} {
			predates, asynchronous := kind == "predates=true", kind == "asynchronous"
			if predates && (strings.HasPrefix(name, "Same") || name == "RemoveAndRemove") {
				continue // nothing is called there
			}
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				for i := 0; ; i++ {
					moreA := true
					for j, moreB := 0, true; moreB; j++ {
						w := newWorld(t)
						w.target.has[askerHas] = predates
						if asynchronous {
							w.sell(10*time.Second, 2*time.Second)
						}
						if kind == "values" {
							v := w.sell(0, 0)
							v.kind = strategy.TargetType{Values: permissions.Values, Expires: true}
							for cause, value := range map[string]string{"a": "write", "b": "admin", "c": "read"} {
								v.want[flow.RunIDFrom("acme", cause)] = value
							}
						}
						doA, doB, live, over := prepare(w)
						w.target.hook = pauseWorker
						a, b := newWorker(t.Context(), doA), newWorker(t.Context(), doB)
						moreA = a.steps(i) == i
						moreB = b.steps(j) == j
						a.steps(1)
						b.steps(all)
						a.steps(all)
						w.target.hook = nil
						converges(t, w, live, over, predates)
						if t.Failed() {
							t.Fatalf("after %d steps of a, %d of b, one of a, the rest of b", i, j)
						}
					}
					if !moreA {
						return
					}
				}
			})
		}
	}
}

// takes is how long a grant or removal takes, with nothing in its way.
func (w *world) takes() time.Duration {
	if w.vendor == nil || w.vendor.takes == 0 {
		return 0
	}
	return 20 * time.Second
}

// converges checks that runs come to be what they should, and then end.
func converges(t *testing.T, w *world, live, over []string, predates bool) {
	t.Helper()
	runs := map[string]store.Change{} // each is driven once, as it is now
	for _, c := range w.feed {
		runs[c.Key] = c
	}
	w.feed, w.seen = slices.Collect(maps.Values(runs)), 0
	slices.SortFunc(w.feed, func(a, b store.Change) int { return strings.Compare(a.Key, b.Key) })
	w.pass(2 * time.Minute)
	for _, id := range live {
		w.want(id, flow.Escalated)
	}
	for _, id := range over {
		w.want(id, flow.Deescalated)
	}
	if len(live) > 0 || predates {
		w.wantPresent(askerHas)
		if w.vendor != nil && len(live) > 0 {
			highest := slices.MaxFunc(live, func(a, b string) int { return w.vendor.rank(w.vendor.want[a]) - w.vendor.rank(w.vendor.want[b]) })
			w.wantValue("at rest", w.vendor.want[highest])
		}
	} else if len(over) > 0 {
		w.wantPresent()
	}
	w.pass(flow.GrantWindow + grantedFor + w.takes())
	for _, id := range append(live, over...) {
		w.want(id, flow.Deescalated)
	}
	for _, id := range w.asked {
		if r := w.run(id); !r.Final() || r.Status == flow.Cancelled && r.Access != nil {
			t.Errorf("%s: %s, access %+v", id, r.Status, r.Access)
		}
	}
	if predates {
		w.wantPresent(askerHas)
	} else {
		w.wantPresent()
	}
}
