package app

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/symflows/symflows/internal/runner/local"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// proposer asks for approval of what the configuration API proposes, and does what was
// decided.
type proposer struct {
	engine   *local.Engine
	propose  workflow.Propose
	conclude workflow.Conclude
	waiting  atomic.Bool // for a look, which heeds all that changed before it
}

const proposing = "proposals to the configuration" // its lane, and its timers

// changed takes a change of the feed.
func (p *proposer) changed(ctx context.Context, c store.Change) error {
	decided, err := p.conclude.Decided(ctx, []store.Change{c})
	if decided || p.propose.Flow != "" && store.ProposedOf(c.Key) {
		p.start()
	}
	return err
}

func (p *proposer) start() {
	if !p.waiting.Swap(true) {
		p.engine.Go(proposing, p.once)
	}
}

func (p *proposer) once(ctx context.Context) {
	p.waiting.Store(false)
	err := p.conclude.Run(ctx)
	next, failed := p.propose.Run(ctx)
	if err = errors.Join(err, failed); err != nil {
		if ctx.Err() == nil {
			p.engine.Log.ErrorContext(ctx, "proposals to the configuration could not be seen to, and will be in a minute", "error", err)
		}
		next = p.propose.Now().Add(time.Minute)
	}
	if !next.IsZero() {
		p.engine.At(proposing, next, func(context.Context) { p.start() })
	}
}
