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
	most    time.Duration // after which it ends access at the latest; 0: when it is told to
	lax     bool          // it says that there is nothing to remove while it is still making that

	mu      sync.Mutex
	state   map[string]kept
	want    map[string]string // which value a run asks for, where there are several
	changes []change
	work    []*work
	others  map[string][]string
	gone    map[string]bool // entitlements whose target was deleted
	fates   map[string][]fate
	calls   map[string]int
	broken  []string // rules that were broken
}

// kept is what the vendor keeps of an entitlement.
type kept struct {
	presence flow.Presence
	value    string
	until    time.Time
}

// change is one of what the vendor has.
type change struct {
	key string
	was kept
	at  time.Time
}

type work struct {
	flow.Operation
	key     string
	call    strategy.Call
	ends    time.Time
	failing bool
	over    bool
}

// sell has the world's targets be a vendor's.
func (w *world) sell(takes, late time.Duration) *vendor {
	w.vendor = &vendor{
		world: w, takes: takes, late: late, state: map[string]kept{}, others: map[string][]string{}, gone: map[string]bool{},
		fates: map[string][]fate{}, calls: map[string]int{}, want: map[string]string{},
	}
	w.boot()
	return w.vendor
}

func (v *vendor) open(flow.Strategy) (strategy.Strategy, error) { return v, nil }

func (v *vendor) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	all, err := blindStrategy{v.world.target}.Entitlements(target, identity, runID)
	for i := range all {
		all[i].Value = v.want[runID]
	}
	return all, err
}

// set changes what the vendor has. With the lock held.
func (v *vendor) set(key string, now kept, at time.Time) {
	was := v.has(key)
	if was == now {
		return
	}
	v.changes = append(v.changes, change{key, was, at})
	v.state[key] = now
	v.check(key)
}

func (v *vendor) has(key string) kept {
	if has, ok := v.state[key]; ok {
		return has
	}
	return kept{presence: flow.Absent}
}

func (v *vendor) rank(value string) int { return slices.Index(v.kind.Values, value) }

// check notes if somebody lacks access that they were told they have, or has less
// of it, or would lose it too early.
func (v *vendor) check(key string) {
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
		if v.gone[key] || !r.Held(v.world.clock.Now()) {
			continue
		}
		for _, e := range r.Access.Entitlements {
			has := v.has(key)
			early := r.Access.Untold == nil && !has.until.IsZero() && (r.Access.End.IsZero() || has.until.Before(r.Access.End))
			if e.Key == key && e.State() == flow.PartGranted && (has.presence != flow.Present || v.rank(has.value) < v.rank(e.Value) || early) {
				v.broken = append(v.broken, fmt.Sprintf("%s is %+v at %s while run %s holds %q of it until %s", key, has, v.world.clock.Now().Sub(began), r.ID, e.Value, r.Access.End))
			}
		}
	}
}

// goOn does what the vendor has done by now.
func (v *vendor) goOn() {
	now := v.world.clock.Now()
	for _, w := range v.work {
		if w.over || w.ends.After(now) {
			continue
		}
		w.over = true
		if !w.failing {
			v.do(w.Kind, w.call, w.ends)
		}
	}
	for key, has := range v.state {
		if !has.until.IsZero() && !now.Before(has.until) {
			v.set(key, kept{presence: flow.Absent}, has.until)
		}
	}
}

func (v *vendor) do(kind string, c strategy.Call, at time.Time) {
	key, now := c.Entitlement.Key, kept{presence: flow.Absent}
	if kind == flow.OperationGrant {
		if now.presence = flow.Present; v.invites && v.has(key).presence != flow.Present {
			now.presence = flow.Invited
		}
		now.value = c.Value
		if v.kind.Expires {
			now.until = c.Until
			if most := v.world.clock.Now().Add(v.most); v.most > 0 && most.Before(now.until) {
				now.until = most
			}
		}
	}
	v.set(key, now, at)
}

// give has somebody else change what the vendor has.
func (v *vendor) give(key string, p flow.Presence) { v.giveValue(key, kept{presence: p}) }

func (v *vendor) giveValue(key string, now kept) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.goOn()
	v.set(key, now, v.world.clock.Now())
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
		lax := v.lax && kind == flow.OperationRevoke && v.has(key).presence == flow.Absent
		if !lax && slices.ContainsFunc(v.work, func(w *work) bool { return w.key == key && !w.over }) {
			return flow.Errorf(flow.CodeUnavailable, "another change of the same thing is under way")
		}
		now := v.world.clock.Now()
		if kind == flow.OperationRevoke && v.has(key).presence == flow.Absent {
			return nil // as if it were done
		}
		if kind == flow.OperationGrant {
			result.Output = []byte(`{"account":"made for ` + c.Identity + `"}`)
		}
		if v.takes == 0 && f != fails {
			v.do(kind, c, now)
			return nil
		}
		w := &work{key: key, call: c, ends: now.Add(v.takes), failing: f == fails}
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
		has := v.has(key)
		for _, c := range slices.Backward(v.changes) { // back to how it was then
			if c.key == key && c.at.After(v.world.clock.Now().Add(-v.late)) {
				has = c.was
			}
		}
		seen.Presence, seen.Value, seen.Until = has.presence, has.value, has.until
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
		if v.state[key].presence != flow.Absent {
			out = append(out, key)
		}
	}
	return out
}
