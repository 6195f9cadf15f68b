package app

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/runner/local"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// assembler makes flows of what the configuration API stores, as soon as that is quiet.
type assembler struct {
	engine   *local.Engine
	assemble workflow.Assemble
	settle   func(context.Context) error // looks at the clock again
	waiting  atomic.Bool                 // for that: one look heeds all that changed before it
}

// assembler builds that of this deployment.
func (l *Local) assembler(c core.Core) *assembler {
	python := sdk.Here{Dir: l.options.SDK, Plain: true} // it runs beside that of others
	reader := &catalog.Reader{Org: c.Org, Types: builtin.Types(), Describe: func(ctx context.Context, s flow.Source) (flow.Outline, error) {
		if look := l.options.seams.describe; look != nil {
			return look(s, "")
		}
		return python.Describe(ctx, s, "")
	}}
	parts := func(ctx context.Context, all []entity.Entity) ([]workflow.Part, error) {
		parts, err := reader.Parts(ctx, all)
		return l.onTime(parts), err
	}
	return &assembler{engine: l.Engine, assemble: c.Assemble(parts, builtin.Rights), settle: l.settleClock}
}

const assembling = "making flows of entities" // its lane, and its timers

// changed takes a change of the feed.
func (a *assembler) changed(c store.Change) {
	if _, _, ok := store.EntityOf(c.Key); ok && !a.waiting.Swap(true) {
		a.engine.After(assembling, workflow.AssembleQuiet, func(context.Context) { a.start() })
	}
}

func (a *assembler) start() { a.engine.Go(assembling, a.once) }

func (a *assembler) once(ctx context.Context) {
	a.waiting.Store(false)
	next, err := a.assemble.Run(ctx)
	if err == nil {
		err = a.settle(ctx)
	}
	now := a.assemble.Now()
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			a.engine.Log.ErrorContext(ctx, "flows could not be made of what the API has configured, and will be in a minute", "error", err)
		}
		next = now.Add(time.Minute)
	}
	switch pause := next.Sub(now); {
	case next.IsZero():
	case pause <= workflow.AssembleAtLatest:
		if !a.waiting.Swap(true) {
			a.engine.After(assembling, max(0, pause), func(context.Context) { a.start() })
		}
	default:
		a.engine.At(assembling+", later", next, func(context.Context) { a.start() })
	}
}
