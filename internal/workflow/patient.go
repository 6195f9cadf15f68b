package workflow

import (
	"context"
	"errors"
	"time"

	"github.com/symflows/symflows/internal/store"
)

// Patient waits where a vendor asks to, and then tries again, as long as there
// is time. A feed that would only give the change back at once has no other way
// to wait.
type Patient struct {
	Handle func(context.Context, store.Change) error
	Clock  Clock
}

// handling is what trying again takes: a wait that leaves less is no use.
const handling = 10 * time.Second

// Run handles a change. The error is that of the last try.
func (p Patient) Run(ctx context.Context, c store.Change) error {
	for {
		err := p.Handle(ctx, c)
		limited, ok := errors.AsType[*RateLimited](err)
		if !ok {
			return err
		}
		if end, ends := ctx.Deadline(); ends && p.Clock.Now().Add(limited.After+handling).After(end) {
			return err
		}
		select {
		case <-p.Clock.After(limited.After):
		case <-ctx.Done():
			return err
		}
	}
}
