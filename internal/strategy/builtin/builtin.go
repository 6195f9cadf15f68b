// Package builtin lists the strategies of this build.
package builtin

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awslambda"
	"github.com/symflows/symflows/internal/strategy/custom"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
)

// Deps is what strategies work with. Whoever only needs their [Types] can do
// without.
type Deps struct {
	Functions  awslambda.Functions // required by aws_lambda
	Handlers   custom.Handlers     // nil where no Python can be run
	Secrets    strategy.Secrets    // required by http
	HTTPClient *http.Client        // required by http
	Now        func() time.Time    // required by http
}

// strategies has a line for each strategy.
func strategies() map[string]entry {
	return map[string]entry{
		"aws_lambda": {awslambda.Type(), func(d Deps) strategy.Opener { return awslambda.Open(d.Functions) }},
		"custom":     {custom.Type(), func(d Deps) strategy.Opener { return custom.Open(d.Handlers) }},
		"http": {httpstrategy.Type(), func(d Deps) strategy.Opener {
			return httpstrategy.Open(httpstrategy.Deps{Client: d.HTTPClient, Secrets: d.Secrets, Now: d.Now})
		}},
	}
}

type entry struct {
	typ  strategy.Type
	open func(Deps) strategy.Opener
}

// Types gives the types by their names.
func Types() map[string]strategy.Type {
	types := map[string]strategy.Type{}
	for name, e := range strategies() {
		types[name] = e.typ
	}
	return types
}

// Rights says what a strategy, with its targets, needs in AWS. A type that is not
// built in has none: it can't be opened either.
func Rights(s flow.Strategy) strategy.Rights {
	return strategies()[s.Type].typ.RightsOf(s)
}

// Open gives the opener of every strategy of this build. A type that is not
// built in, because the run began under another build, is an error of
// flow.CodeUnavailable: a removal must go on trying until a build has it again.
func Open(d Deps) strategy.Opener {
	openers := map[string]strategy.Opener{}
	for name, e := range strategies() {
		openers[name] = e.open(d)
	}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		open, ok := openers[s.Type]
		if !ok {
			return nil, flow.Errorf(flow.CodeUnavailable, "strategy %q has type %q, which this build does not know (it knows %s): deploy one that does",
				s.Name, s.Type, strings.Join(slices.Sorted(maps.Keys(openers)), ", "))
		}
		return open(s)
	}
}
