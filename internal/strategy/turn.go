package strategy

import (
	"context"
	"sync"
)

// turn is one piece of work at targets, which makes several calls.
type turn struct {
	name string

	mu    sync.Mutex
	begun map[string]bool // by the key of a pace
}

type turnKey struct{}

// WithTurn marks all calls that are made with the context as those of one piece
// of work: granting one entitlement, say, or looking at it. By the name, a
// [Limiter] knows it again when it comes back; the same work has the same name in
// every process.
func WithTurn(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, turnKey{}, &turn{name: name, begun: map[string]bool{}})
}

// Turn is for limiters. It gives the name of the work that a call is made for, ""
// if it is of none that could come back, and whether it has made a call at this
// pace; begin says that it makes one now.
func Turn(ctx context.Context, pace string) (name string, begun bool, begin func()) {
	t, ok := ctx.Value(turnKey{}).(*turn)
	if !ok {
		return "", true, func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.name, t.begun[pace], func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.begun[pace] = true
	}
}
