package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// ledger is an outside system: a file that outlives the process, with who has
// access and a line for each change.
type ledger struct {
	file string
	now  func() time.Time
	*victim
	*mishap
	mu sync.Mutex // guards the file
}

type ledgerState struct {
	Present map[string]bool `json:"present"`
	Changes []change        `json:"changes"`
	Work    []slowWork      `json:"work,omitempty"` // of a slow ledger
}

// slowWork is a change that a slow ledger has accepted.
type slowWork struct {
	flow.Operation
	Key  string `json:"key"`
	Over bool   `json:"over"`
}

type change struct {
	What string    `json:"what"`
	Key  string    `json:"key"`
	At   time.Time `json:"at"`
}

func (l *ledger) read() (ledgerState, error) {
	state := ledgerState{Present: map[string]bool{}}
	b, err := os.ReadFile(l.file)
	if errors.Is(err, os.ErrNotExist) {
		return state, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &state)
	}
	return state, err
}

func (l *ledger) set(what, key string, present bool) error {
	l.step()
	defer l.step()
	l.mu.Lock()
	defer l.mu.Unlock()
	state, err := l.read()
	if err != nil {
		return err
	}
	if state.Present[key] == present {
		return nil
	}
	state.Present[key] = present
	state.Changes = append(state.Changes, change{what, key, l.now().UTC()})
	return l.write(state)
}

func (l *ledger) write(state ledgerState) error {
	b, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.file+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(l.file+".new", l.file)
}

// mishap makes one call of the target go wrong.
type mishap struct {
	at   int    // which call; 0: none
	how  string // one of the following
	hang func() // has the caller's time pass

	mu sync.Mutex
	n  int // calls so far
}

const (
	fails       = "Fails"
	hangs       = "Hangs"
	losesAnswer = "LosesItsAnswer"
)

// call does something at the target, unless it goes wrong.
func (m *mishap) call(ctx context.Context, do func() error) error {
	m.mu.Lock()
	m.n++
	how := ""
	if m.n == m.at {
		how = m.how
	}
	m.mu.Unlock()
	switch how {
	case fails:
		return flow.Errorf(flow.CodeUnavailable, "the ledger is closed")
	case hangs:
		m.hang()
		<-ctx.Done()
		return flow.Errorf(flow.CodeUnavailable, "the ledger did not answer in time")
	case losesAnswer:
		return errors.Join(flow.Errorf(flow.CodeUnavailable, "the answer of the ledger was lost"), do())
	}
	return do()
}

// blind is the ledger as a strategy that can't read it back; sighted can.
type blind struct{ *ledger }

var _ strategy.Strategy = blind{}

func (b blind) Entitlements(_ flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return []flow.Entitlement{{Key: "orders/" + identity}, {Key: "old/" + identity}}, nil
}

func (b blind) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	output := json.RawMessage(`{"by":"` + c.Record.ID + `"}`)
	return strategy.Result{Output: output}, b.call(ctx, func() error { return b.set("grant", c.Entitlement.Key, true) })
}

func (b blind) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return strategy.Result{}, b.call(ctx, func() error { return b.set("revoke", c.Entitlement.Key, false) })
}

type sighted struct{ blind }

var _ strategy.Observer = sighted{}

func (s sighted) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	seen := strategy.Sight{Presence: flow.Absent}
	err := s.call(ctx, func() error {
		s.step()
		s.ledger.mu.Lock()
		defer s.ledger.mu.Unlock()
		state, err := s.read()
		if state.Present[c.Entitlement.Key] {
			seen.Presence = flow.Present
		}
		return err
	})
	return seen, err
}

// slow is the ledger as one that goes on working after it has answered.
type slow struct{ sighted }

var _ strategy.Follower = slow{}

// slowness is how long it works on a change.
const slowness = 20 * time.Second

func (s slow) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	result, err := s.accept(ctx, c.Entitlement.Key, flow.OperationGrant)
	result.Output = json.RawMessage(`{"by":"` + c.Record.ID + `"}`)
	return result, err
}

func (s slow) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return s.accept(ctx, c.Entitlement.Key, flow.OperationRevoke)
}

// open looks at the state, in which all work is over that should be.
func (s slow) open(do func(*ledgerState) error) error {
	s.step()
	defer s.step()
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	state, err := s.read()
	if err != nil {
		return err
	}
	for i := range state.Work {
		w := &state.Work[i]
		if ends := w.Started.Add(slowness); !w.Over && !ends.After(s.now()) {
			w.Over, state.Present[w.Key] = true, w.Kind == flow.OperationGrant
			state.Changes = append(state.Changes, change{w.Kind, w.Key, ends})
		}
	}
	return errors.Join(do(&state), s.write(state))
}

func (s slow) accept(ctx context.Context, key, kind string) (result strategy.Result, err error) {
	err = s.call(ctx, func() error {
		return s.open(func(state *ledgerState) error {
			for _, w := range state.Work {
				if w.Key == key && !w.Over {
					return flow.Errorf(flow.CodeUnavailable, "the ledger is still at an earlier change")
				}
			}
			if state.Present[key] == (kind == flow.OperationGrant) {
				return nil
			}
			op := flow.Operation{ID: fmt.Sprint("op-", len(state.Work)+1), Kind: kind, Started: s.now().UTC()}
			state.Work = append(state.Work, slowWork{Operation: op, Key: key})
			result.Operation = &op
			return nil
		})
	})
	if err != nil {
		return strategy.Result{}, err
	}
	return result, nil
}

func (s slow) Follow(ctx context.Context, c strategy.Call, known flow.Operation) (op *flow.Operation, err error) {
	err = s.call(ctx, func() error {
		return s.open(func(state *ledgerState) error {
			for _, w := range state.Work {
				if w.Key == c.Entitlement.Key && !w.Over && (known.ID == "" || known.ID == w.ID) {
					op = &w.Operation
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}

func (s slow) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	seen := strategy.Sight{Presence: flow.Absent}
	err := s.call(ctx, func() error {
		return s.open(func(state *ledgerState) error {
			if state.Present[c.Entitlement.Key] {
				seen.Presence = flow.Present
			}
			return nil
		})
	})
	return seen, err
}

// openLedger gives the ledger in a file as a strategy, of a kind: "blind", "slow" or
// "" for one that can be read back and is done when it answers.
func openLedger(file, kind string, now func() time.Time, v *victim, m *mishap) strategy.Strategy {
	b := blind{&ledger{file: file, now: now, victim: v, mishap: m}}
	switch kind {
	case "blind":
		return b
	case "slow":
		return slow{sighted{b}}
	}
	return sighted{b}
}
