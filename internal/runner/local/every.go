package local

import (
	"context"
	"time"
)

// Every does something again and again, for the first time after one pause; in
// AWS a schedule does. What it leaves undone is for the next time.
func (e *Engine) Every(name string, pause time.Duration, do func(context.Context) error) {
	var once job
	e.change(func() {
		if e.periodic == nil {
			e.periodic = map[string]bool{}
		}
		e.periodic[name] = true
	})
	next := func() { e.At(name, e.Clock.Now().Add(pause), once) }
	once = func(ctx context.Context) {
		if err := do(ctx); err != nil {
			e.Log.ErrorContext(ctx, name+" was not complete, the next one repeats it", "error", err)
		}
		next()
	}
	next()
}
