package core

import (
	"context"
	"log/slog"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// ExplainPorts is what an Explainer needs beside the store. What is not tagged as optional
// is required.
type ExplainPorts struct {
	Directory    workflow.Directory
	Handlers     *sdk.Client // are asked as for a request, and nothing comes of it
	Entitlements workflow.Entitlements
	Rights       func(flow.Strategy) strategy.Rights
	TargetType   func(flow.Strategy, flow.Target) strategy.TargetType
	Bound        workflow.CheckBound
	// Alone leaves out what targets have by now, for whoever may not read that: it is as if
	// nobody had access to anything.
	Alone bool `port:"optional"`
}

// Explainer says what would come of requests, and of runs: each question on a draft of its
// own, so that several may be asked at once.
type Explainer struct {
	core  Core
	ports ExplainPorts
}

// Explainer builds one. The error names the ports that are missing.
func (c Core) Explainer(p ExplainPorts) (Explainer, error) {
	return Explainer{c, p}, complete("the explainer", p)
}

// Request is [workflow.Explain.Request].
func (x Explainer) Request(ctx context.Context, q workflow.Question) (workflow.Explanation, error) {
	e, err := x.explain()
	if err != nil {
		return workflow.Explanation{}, err
	}
	return e.Request(ctx, q)
}

// Of is [workflow.Explain.Of].
func (x Explainer) Of(ctx context.Context, run string, at time.Time, people []store.User) (workflow.Explanation, error) {
	e, err := x.explain()
	if err != nil {
		return workflow.Explanation{}, err
	}
	return e.Of(ctx, run, at, people)
}

// explain puts together all that decides, on a draft.
func (x Explainer) explain() (e workflow.Explain, err error) {
	p := x.ports
	var hidden []store.Kind
	if p.Alone {
		hidden = []store.Kind{store.KindGrant, store.KindSick, store.KindStrategies}
	}
	e.Draft, e.Clock, e.Uninvoked = &store.Draft{Below: x.core.Runs.Store, Hidden: hidden}, new(workflow.Supposed), new(workflow.Uninvoked)
	c := New(config.Settings{Org: x.core.Org, Patience: x.core.Patience}, e.Draft, Clocks{Business: e.Clock, Wall: x.core.Wall}, slog.New(slog.DiscardHandler))
	// The tokens of handlers' calls are real ones: what they ask answers another process.
	handlers := *p.Handlers
	handlers.Runs, handlers.Flows, handlers.Users, handlers.Supposed = c.Runs, c.Flows, c.Users, true
	e.Submit, e.Forms = c.Submit(p.Directory, p.Bound, &handlers, nil), c.Forms(&handlers)
	if e.Approval, err = c.Approval(ApprovalPorts{
		Directory: p.Directory, Functions: e.Uninvoked, Handlers: &handlers, Bound: p.Bound, FunctionTimeout: time.Minute,
	}); err != nil {
		return e, err
	}
	nothing := workflow.Unscheduled{}
	e.Access, err = c.Access(AccessPorts{
		Open: workflow.Untouched(p.Entitlements), Rights: p.Rights, TargetType: p.TargetType, Bound: p.Bound, Handlers: &handlers,
		Schedule: nothing, Remover: nothing, Looks: nothing, CallTimeout: time.Minute,
	})
	return e, err
}
