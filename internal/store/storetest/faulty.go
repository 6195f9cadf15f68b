package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/symflows/symflows/internal/store"
)

// ErrFault is the error of a write that Faulty made fail.
var ErrFault = errors.New("storetest: the store broke down")

// Fault is what becomes of a write.
type Fault int

// The faults.
const (
	None       Fault = iota // it goes well
	NotApplied              // it fails before anything is stored
	AnswerLost              // it is stored, and then fails
)

// Faulty makes writes to a store fail.
type Faulty struct {
	store.Store // required
	// Fault is asked before each Put and Delete, and told which one it is,
	// counting from 1.
	Fault func(n int) Fault // required

	mu     sync.Mutex
	writes int
}

// Writes gives how many writes there were, those that failed included.
func (f *Faulty) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

func (f *Faulty) next() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	return f.Fault(f.writes)
}

// Put implements store.Store.
func (f *Faulty) Put(ctx context.Context, item store.Item) (int64, error) {
	fault := f.next()
	if fault == NotApplied {
		return 0, ErrFault
	}
	rev, err := f.Store.Put(ctx, item)
	if err == nil && fault == AnswerLost {
		return 0, ErrFault
	}
	return rev, err
}

// Delete implements store.Store.
func (f *Faulty) Delete(ctx context.Context, key string, rev int64) error {
	fault := f.next()
	if fault == NotApplied {
		return ErrFault
	}
	err := f.Store.Delete(ctx, key, rev)
	if err == nil && fault == AnswerLost {
		return ErrFault
	}
	return err
}
