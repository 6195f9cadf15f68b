package strategytest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// office is a system in which everything can happen that a case is about.
type office struct {
	bug string // what its strategy does wrong; "": nothing

	mu      sync.Mutex
	mood    strategytest.Mood
	changes []strategytest.Change
	state   map[string]flow.Presence // by key
	was     map[string]flow.Presence // what it shows while it is Stale
	value   map[string]string        // by key
	until   map[string]time.Time     // by key
	byway   map[string]bool
	gone    map[string]bool // targets and people
	work    map[string]*work
	n       int
	token   int
	refused int
}

// work is an operation of the office.
type work struct {
	op     flow.Operation
	key    string
	call   strategy.Call
	slow   bool // until Finish
	over   bool
	failed string
}

func (o *office) SetMood(m strategytest.Mood) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mood = m; m == strategytest.Expired {
		o.token++
	}
	o.was = maps.Clone(o.state)
}

func (o *office) Changes() []strategytest.Change {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.changes)
}

func (o *office) Has(target flow.Target, identity string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state[keyOf(target, identity)] == flow.Present
}

func keyOf(target flow.Target, identity string) string {
	return target.Settings["room"] + "/" + identity
}

func (o *office) set(target flow.Target, identity string, p flow.Presence) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := keyOf(target, identity)
	o.state[key] = p
	if p == flow.Present && o.value[key] == "" {
		o.value[key] = target.Settings["badge"]
	}
}

func (o *office) Value(target flow.Target, identity string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if key := keyOf(target, identity); o.state[key] == flow.Present {
		return o.value[key]
	}
	return ""
}

func (o *office) GiveValue(target flow.Target, identity, value string) {
	o.set(target, identity, flow.Present)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.value[keyOf(target, identity)] = value
}

func (o *office) Until(target flow.Target, identity string) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.until[keyOf(target, identity)]
}

func (o *office) Now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func (o *office) Give(target flow.Target, identity string) { o.set(target, identity, flow.Present) }
func (o *office) Take(target flow.Target, identity string) { o.set(target, identity, flow.Absent) }
func (o *office) Accept(target flow.Target, identity string) {
	o.set(target, identity, flow.Present)
}

func (o *office) GiveByway(target flow.Target, identity string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byway[keyOf(target, identity)] = true
}

func (o *office) DeleteTarget(target flow.Target) { o.delete(target.Settings["room"]) }
func (o *office) DeletePerson(identity string)    { o.delete(identity) }

func (o *office) delete(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone[name] = true
	maps.DeleteFunc(o.state, func(key string, _ flow.Presence) bool {
		return slices.Contains(strings.Split(key, "/"), name)
	})
}

func (o *office) Finish(reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.work {
		if !w.over {
			w.failed = reason
			o.end(w)
		}
	}
}

func (o *office) end(w *work) {
	w.over = true
	if w.failed == "" {
		if w.op.Kind == flow.OperationGrant {
			o.give(w.call)
		} else {
			delete(o.value, w.key)
			delete(o.until, w.key)
		}
		o.state[w.key] = map[string]flow.Presence{flow.OperationGrant: flow.Present, flow.OperationRevoke: flow.Absent}[w.op.Kind]
	}
}

// give sets what a call asks for.
func (o *office) give(c strategy.Call) {
	key, value := c.Entitlement.Key, c.Value
	if value == "" || o.bug == "gives what its target asks for" {
		value = c.Entitlement.Value
	}
	if o.bug != "only raises" || slices.Index(badges, value) > slices.Index(badges, o.value[key]) {
		o.value[key] = value
	}
	if o.bug != "keeps the first end" || o.until[key].IsZero() {
		o.until[key] = c.Until
	}
}

// badges are the values of a room, of which a person has one.
var badges = []string{"visitor", "staff", "owner"}

func (o *office) Refused() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refused
}

// clerk is the strategy of offices.
type clerk struct {
	*office
	token int
}

func clerkType() strategy.Type {
	return strategy.Type{
		Name: "office", About: "a desk that opens rooms", Observes: true, Targets: []strategy.TargetType{{
			Name: "room", Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: "room", About: "its number", Required: true}, {Name: "badge", About: "what one may do there", Required: true},
			}},
			Values: badges, Expires: true,
		}},
	}
}

func (c *clerk) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	key := keyOf(target, identity)
	if c.bug == "counts by value" {
		key += "/" + target.Settings["badge"]
	}
	return []flow.Entitlement{{Key: key, Value: target.Settings["badge"]}}, nil
}

// ask is a call of the office. It signs in again where that is all it takes.
func (c *clerk) ask(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return flow.Errorf(flow.CodeUnavailable, "no time is left")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token < c.office.token && c.bug != "keeps its token" {
		c.token = c.office.token
		c.refused++
	} else if c.token < c.office.token {
		c.refused++
		return flow.Errorf(flow.CodeUnavailable, "the token is no good")
	}
	switch c.mood {
	case strategytest.Refusing:
		return flow.Errorf(flow.CodeStrategy, "no such room")
	case strategytest.Throttled:
		return &flow.RateLimited{After: 7 * time.Second, Cause: flow.Errorf(flow.CodeUnavailable, "slower, please")}
	case strategytest.Untimed, strategytest.Broken:
		return flow.Errorf(flow.CodeUnavailable, "out of order")
	case strategytest.Mute:
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		return flow.Errorf(flow.CodeUnavailable, "no answer")
	}
	return do()
}

func (c *clerk) change(ctx context.Context, call strategy.Call, kind string) (result strategy.Result, err error) {
	event := map[string]string{flow.OperationGrant: "escalate", flow.OperationRevoke: "deescalate"}[kind]
	room, who, key := call.Target.Settings["room"], call.Identity, call.Entitlement.Key
	err = c.ask(ctx, func() error {
		c.changes = append(c.changes, strategytest.Change{Event: event, Identity: who})
		if c.mood == strategytest.Conflicted {
			c.refused++
			c.mood = strategytest.Willing
			return flow.Errorf(flow.CodeUnavailable, "somebody else is at it")
		}
		if c.gone[room] || c.gone[who] {
			if kind == flow.OperationGrant {
				return flow.Errorf(flow.CodeStrategy, "gone")
			}
			if c.bug != "hides what is gone" {
				result.Warnings = []string{"it is gone, and the access with it"}
			}
			return nil
		}
		if c.bug == "fails on what is there" && kind == flow.OperationGrant && c.state[key] == flow.Present {
			return flow.Errorf(flow.CodeStrategy, "already there")
		}
		if c.bug == "fails on what is absent" && kind == flow.OperationRevoke && c.state[key] != flow.Present {
			return flow.Errorf(flow.CodeStrategy, "not there")
		}
		if c.mood == strategytest.Inviting && kind == flow.OperationGrant && c.state[key] != flow.Present {
			c.give(call)
			c.state[key] = flow.Invited
			return nil
		}
		for _, w := range c.work {
			if w.key == key && !w.over {
				return flow.Errorf(flow.CodeUnavailable, "something is under way")
			}
		}
		c.n++
		w := &work{key: key, call: call, op: flow.Operation{ID: fmt.Sprint("op-", c.n), Kind: kind, Started: time.Unix(int64(c.n), 0)}}
		w.slow = c.mood == strategytest.Slow || c.mood == strategytest.Forgetful
		c.work[w.op.ID] = w
		if c.mood == strategytest.Forgetful {
			return flow.Errorf(flow.CodeUnavailable, "connection lost")
		}
		if c.mood == strategytest.Stale { // it is done, only not seen
			c.end(w)
			return nil
		}
		op := w.op
		result.Operation = &op
		return nil
	})
	return result, err
}

func (c *clerk) Grant(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	return c.change(ctx, call, flow.OperationGrant)
}

func (c *clerk) Revoke(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	return c.change(ctx, call, flow.OperationRevoke)
}

func (c *clerk) Follow(ctx context.Context, call strategy.Call, known flow.Operation) (op *flow.Operation, err error) {
	err = c.ask(ctx, func() error {
		for _, w := range c.work {
			if w.key != call.Entitlement.Key || known.ID != "" && known.ID != w.op.ID {
				continue
			}
			if !w.over && !w.slow {
				c.end(w)
			}
			if w.failed != "" && known.ID != "" {
				return flow.Errorf(flow.CodeUnavailable, "the office could not do it: %s", w.failed)
			}
			if !w.over && (known.ID != "" || c.bug != "finds nothing") {
				found := w.op
				op = &found
			}
		}
		return nil
	})
	return op, err
}

func (c *clerk) Observe(ctx context.Context, call strategy.Call) (seen strategy.Sight, err error) {
	err = c.ask(ctx, func() error {
		key, shown := call.Entitlement.Key, c.state
		if c.mood == strategytest.Stale {
			shown = c.was
		}
		seen.Presence = flow.Absent
		if p := shown[key]; p != "" {
			seen.Presence = p
		}
		if seen.Presence != flow.Absent {
			seen.Value, seen.Until = c.value[key], c.until[key]
		}
		if c.byway[key] && c.bug == "counts another way" {
			seen.Presence = flow.Present
		} else if c.byway[key] {
			seen.Others = []string{"the master key"}
		}
		if seen.Presence == flow.Invited && c.bug != "leaves people alone" {
			seen.Todo = "Fetch the key at the desk."
		}
		return nil
	})
	return seen, err
}

func (c *clerk) Holders(ctx context.Context, target flow.Target) (who []string, err error) {
	err = c.ask(ctx, func() error {
		for key, p := range c.state {
			if room, identity, _ := strings.Cut(key, "/"); room == target.Settings["room"] && p == flow.Present {
				who = append(who, identity)
			}
		}
		return nil
	})
	return who, err
}

func subject(bug string) strategytest.Subject {
	o := &office{
		bug: bug, state: map[string]flow.Presence{}, value: map[string]string{}, until: map[string]time.Time{}, byway: map[string]bool{}, gone: map[string]bool{}, work: map[string]*work{},
	}
	return strategytest.Subject{
		Type: clerkType(), System: o,
		Open: func(flow.Strategy) (strategy.Strategy, error) { return &clerk{office: o}, nil },
		Strategy: flow.Strategy{Name: "rooms", Type: "office", Targets: []flow.Target{
			{Name: "vault", Type: "room", Settings: map[string]string{"room": "1", "badge": "staff"}},
			{Name: "attic", Type: "room", Settings: map[string]string{"room": "2", "badge": "staff"}},
		}},
		Identities: [2]string{"alice", "bob"}, Shared: true, Wait: 7 * time.Second,
	}
}

const bugKey = "SYMFLOWS_TEST_BUG"

func TestRun(t *testing.T) {
	t.Parallel()
	strategytest.Run(t, func(*testing.T) strategytest.Subject { return subject(os.Getenv(bugKey)) })
}

// TestRunFindsBugs has another process hold strategies with a bug each to the
// rules, and expects the rule that is about it to fail.
func TestRunFindsBugs(t *testing.T) {
	t.Parallel()
	if os.Getenv(bugKey) != "" {
		return // this is that process
	}
	for bug, rule := range map[string]string{
		"only raises":                    "OneValue",
		"counts by value":                "OneValue",
		"gives what its target asks for": "Demotion",
		"keeps the first end":            "Expiry",
		"fails on what is there":         "AlreadyThere",
		"fails on what is absent":        "NotThere",
		"finds nothing":                  "Pending",
		"keeps its token":                "ExpiredToken",
		"hides what is gone":             "TargetGone",
		"counts another way":             "OtherAuthority",
		"leaves people alone":            "Invitation",
	} {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			c := exec.CommandContext(deadline.Context(t), os.Args[0], "-test.run=^TestRun$/^"+rule+"$")
			c.Env = append(os.Environ(), bugKey+"="+bug)
			out, err := c.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), "--- FAIL: TestRun/"+rule) {
				t.Errorf("a strategy that %s: %v, want that %s fails:\n%s", bug, err, rule, out)
			}
		})
	}
}
