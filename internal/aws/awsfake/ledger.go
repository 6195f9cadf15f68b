package awsfake

import (
	"sync"
	"time"
)

// ledger keeps the state of a service, by account, and what it was at each
// change, so that reads can be behind.
type ledger[T any] struct {
	mu     sync.Mutex
	now    map[string]T
	past   map[string][]version[T]
	empty  func() T
	copied func(T) T // deep
}

// version is what was there until a change.
type version[T any] struct {
	until time.Time
	state T
}

// read looks at what an account showed some time ago. The function must not keep
// what it is given.
func (l *ledger[T]) read(account string, at time.Time, behind time.Duration, look func(T)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.past[account] {
		if behind > 0 && at.Add(-behind).Before(v.until) {
			look(v.state)
			return
		}
	}
	look(l.of(account))
}

// write changes what an account has. An error leaves it as it was.
func (l *ledger[T]) write(account string, at time.Time, change func(T) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := l.copied(l.of(account))
	if err := change(changed); err != nil {
		return err
	}
	if l.past == nil {
		l.past = map[string][]version[T]{}
	}
	l.past[account] = append(l.past[account], version[T]{at, l.of(account)})
	l.now[account] = changed
	return nil
}

func (l *ledger[T]) of(account string) T {
	if l.now == nil {
		l.now = map[string]T{}
	}
	state, ok := l.now[account]
	if !ok {
		state = l.empty()
		l.now[account] = state
	}
	return state
}
