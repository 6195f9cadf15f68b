package workflow_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// fails is the fate of a call that the vendor accepts, to fail with it later.
const fails fate = "fails"

// vendor is an outside system that goes on working after it has answered, and shows
// late what it has done.
type vendor struct {
	world   *world
	takes   time.Duration // how long its work goes on after it has answered
	late    time.Duration // how old what it shows is
	invites bool          // people are asked whether they want what they are granted
	kind    strategy.TargetType
	lax     bool // it says that there is nothing to remove while it is still making that

	mu      sync.Mutex
	state   map[string]flow.Presence
	changes []change
	work    []*work
	others  map[string][]string
	gone    map[string]bool // entitlements whose target was deleted
	fates   map[string][]fate
	calls   map[string]int
	broken  []string // rules that were broken
}

// change is one of what the vendor has.
type change struct {
	key string
	was flow.Presence
	at  time.Time
}

type work struct {
	flow.Operation
	key     string
	ends    time.Time
	failing bool
	over    bool
}

// sell has the world's targets be a vendor's.
func (w *world) sell(takes, late time.Duration) *vendor {
	w.vendor = &vendor{
		world: w, takes: takes, late: late, state: map[string]flow.Presence{}, others: map[string][]string{}, gone: map[string]bool{},
		fates: map[string][]fate{}, calls: map[string]int{},
	}
	w.boot()
	return w.vendor
}

func (v *vendor) open(flow.Strategy) (strategy.Strategy, error) { return v, nil }

func (v *vendor) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return blindStrategy{v.world.target}.Entitlements(target, identity, runID)
}

// set changes what the vendor has. With the lock held.
func (v *vendor) set(key string, p flow.Presence, at time.Time) {
	was := v.has(key)
	if was == p {
		return
	}
	v.changes = append(v.changes, change{key, was, at})
	v.state[key] = p
	v.check(key)
}

func (v *vendor) has(key string) flow.Presence {
	if p := v.state[key]; p != "" {
		return p
	}
	return flow.Absent
}

// check notes if somebody lacks access that they were told they have.
func (v *vendor) check(key string) {
	if v.has(key) == flow.Present {
		return
	}
	page, err := v.world.memory.List(context.Background(), store.Query{By: store.ByStatus, Value: string(flow.Escalated)})
	if err != nil {
		v.broken = append(v.broken, err.Error())
	}
	for _, item := range page.Items {
		r, err := store.Runs{Store: v.world.memory}.Get(context.Background(), strings.TrimPrefix(item.Key, string(store.KindRun)))
		if err != nil {
			v.broken = append(v.broken, err.Error())
			continue
		}
		holds := slices.ContainsFunc(r.Access.Entitlements, func(e flow.Entitlement) bool { return e.Key == key })
		if holds && r.Held(v.world.clock.Now()) && !v.gone[key] {
			v.broken = append(v.broken, fmt.Sprintf("%s is %s at %s while run %s holds it", key, v.has(key), v.world.clock.Now().Sub(began), r.ID))
		}
	}
}

// goOn does what the vendor has done by now.
func (v *vendor) goOn() {
	for _, w := range v.work {
		if w.over || w.ends.After(v.world.clock.Now()) {
			continue
		}
		w.over = true
		if !w.failing {
			v.do(w.Kind, w.key, w.ends)
		}
	}
}

func (v *vendor) do(kind, key string, at time.Time) {
	p := flow.Absent
	if kind == flow.OperationGrant {
		if p = flow.Present; v.invites && v.has(key) != flow.Present {
			p = flow.Invited
		}
	}
	v.set(key, p, at)
}

// Give, take and accept are done by others.
func (v *vendor) give(key string, p flow.Presence) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.goOn()
	v.set(key, p, v.world.clock.Now())
}

// call is one of the vendor's API: effect is done under the lock, and f is what
// becomes of its work.
func (v *vendor) call(ctx context.Context, what string, effect func(f fate) error) error {
	if v.world.target.hook != nil {
		v.world.target.hook(ctx)
	}
	return v.world.process.do(func() error {
		v.mu.Lock()
		v.goOn()
		v.calls[what]++
		f := ok
		if queue := v.fates[what]; len(queue) > 0 {
			f, v.fates[what] = queue[0], queue[1:]
		}
		v.mu.Unlock()
		switch f {
		case refused:
			return flow.Errorf(flow.CodeStrategy, "the vendor says no")
		case unavailable:
			return flow.Errorf(flow.CodeUnavailable, "the vendor is down")
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if err := effect(f); err != nil {
			return err
		}
		if f == answerLost {
			return flow.Errorf(flow.CodeUnavailable, "the answer was lost")
		}
		return nil
	})
}

func (v *vendor) ask(ctx context.Context, c strategy.Call, what, kind string) (result strategy.Result, err error) {
	key := c.Entitlement.Key
	err = v.call(ctx, what, func(f fate) error {
		if v.gone[key] {
			if kind == flow.OperationGrant {
				return flow.Errorf(flow.CodeStrategy, "there is no such group")
			}
			result.Warnings = []string{"the group was deleted, and the access with it"}
			return nil
		}
		lax := v.lax && kind == flow.OperationRevoke && v.has(key) == flow.Absent
		if !lax && slices.ContainsFunc(v.work, func(w *work) bool { return w.key == key && !w.over }) {
			return flow.Errorf(flow.CodeUnavailable, "another change of the same thing is under way")
		}
		now := v.world.clock.Now()
		if kind == flow.OperationRevoke && v.has(key) == flow.Absent {
			return nil // as if it were done
		}
		if kind == flow.OperationGrant {
			result.Output = []byte(`{"account":"made for ` + c.Identity + `"}`)
		}
		if v.takes == 0 && f != fails {
			v.do(kind, key, now)
			return nil
		}
		w := &work{key: key, ends: now.Add(v.takes), failing: f == fails}
		w.Operation = flow.Operation{ID: fmt.Sprint("op-", len(v.work)+1), Kind: kind, Started: now}
		v.work = append(v.work, w)
		op := w.Operation
		result.Operation = &op
		return nil
	})
	if err != nil {
		result = strategy.Result{}
	}
	return result, err
}

func (v *vendor) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return v.ask(ctx, c, "grant", flow.OperationGrant)
}

func (v *vendor) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return v.ask(ctx, c, "revoke", flow.OperationRevoke)
}

func (v *vendor) Follow(ctx context.Context, c strategy.Call, known flow.Operation) (op *flow.Operation, err error) {
	err = v.call(ctx, "follow", func(fate) error {
		for _, w := range v.work {
			switch {
			case w.key != c.Entitlement.Key || known.ID != "" && known.ID != w.ID:
			case !w.over:
				found := w.Operation
				op = &found
			case w.failing && known.ID != "":
				return flow.Errorf(flow.CodeUnavailable, "the vendor could not do it: LimitExceeded")
			}
		}
		return nil
	})
	if err != nil {
		op = nil
	}
	return op, err
}

func (v *vendor) Observe(ctx context.Context, c strategy.Call) (seen strategy.Sight, err error) {
	key := c.Entitlement.Key
	err = v.call(ctx, "observe", func(fate) error {
		seen.Presence = v.has(key)
		for _, c := range slices.Backward(v.changes) { // back to how it was then
			if c.key == key && c.at.After(v.world.clock.Now().Add(-v.late)) {
				seen.Presence = c.was
			}
		}
		if v.gone[key] {
			seen.Presence = flow.Absent
		}
		seen.Others = v.others[key]
		if seen.Presence == flow.Invited {
			seen.Todo = "Accept the invitation in your mail."
		}
		return nil
	})
	return seen, err
}

func (v *vendor) present() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.goOn()
	var out []string
	for _, key := range slices.Sorted(maps.Keys(v.state)) {
		if v.state[key] != flow.Absent {
			out = append(out, key)
		}
	}
	return out
}
