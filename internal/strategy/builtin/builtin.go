// Package builtin lists the strategies of this build: here what they declare,
// which is all that checking, publishing and infra need, and in the package
// clients what does their work, which the function that grants alone links. A
// strategy has a line in each.
package builtin

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/aptible"
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess"
	"github.com/symflows/symflows/internal/strategy/awseks"
	"github.com/symflows/symflows/internal/strategy/awsiam"
	"github.com/symflows/symflows/internal/strategy/awslambda"
	"github.com/symflows/symflows/internal/strategy/awssso"
	"github.com/symflows/symflows/internal/strategy/boundary"
	"github.com/symflows/symflows/internal/strategy/custom"
	"github.com/symflows/symflows/internal/strategy/entragroup"
	"github.com/symflows/symflows/internal/strategy/gcpiam"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
	"github.com/symflows/symflows/internal/strategy/okta"
	"github.com/symflows/symflows/internal/strategy/onelogin"
	"github.com/symflows/symflows/internal/strategy/postgres"
	"github.com/symflows/symflows/internal/strategy/tailscale"
)

// Types gives the types by their names. Those that observe list who has what, so
// that their targets may be exclusive. Callers must not change the map.
var Types = sync.OnceValue(func() map[string]strategy.Type {
	types := map[string]strategy.Type{}
	for _, t := range []strategy.Type{
		aptible.Type(),
		awsaccountaccess.Type(),
		awseks.Type(),
		awsiam.Type(),
		awslambda.Type(),
		awssso.Type(),
		boundary.Type(),
		custom.Type(),
		entragroup.Type(),
		gcpiam.Type(),
		googlegroup.Type(),
		github.Type(),
		httpstrategy.Type(),
		onelogin.Type(),
		okta.Type(),
		postgres.Type(),
		tailscale.Type(),
	} {
		for i := range t.Targets {
			if known := &t.Targets[i].Settings.Known; t.Observes {
				*known = append(slices.Clone(*known), strategy.Exclusive)
			}
		}
		types[t.Name] = t
	}
	return types
})

// Rights says what a strategy, with its targets, needs in AWS. A type that is not
// built in has none: it can't be opened either.
func Rights(s flow.Strategy) strategy.Rights { return Types()[s.Type].RightsOf(s) }

// Observes tells whether a strategy reads its targets back.
func Observes(s flow.Strategy) bool { return Types()[s.Type].Observes }

// TargetType says what is known of the type of a strategy's target: nothing, if it is
// not built in.
func TargetType(s flow.Strategy, target flow.Target) strategy.TargetType {
	known, _ := Types()[s.Type].Target(target.Type)
	return known
}

// CheckBound finds what is wrong with the settings of a strategy's target that a
// request filled in; see [strategy.Type.CheckBound]. Those of a type that is not
// built in can't be checked, which is an error of flow.CodeStrategy.
func CheckBound(s flow.Strategy, target flow.Target) error {
	t, ok := Types()[s.Type]
	if !ok && len(target.FieldBindings) > 0 {
		return flow.Errorf(flow.CodeStrategy, "strategy %q has type %q, which this build does not know (it knows %s), so that what is asked for can't be checked",
			s.Name, s.Type, strings.Join(slices.Sorted(maps.Keys(Types())), ", "))
	}
	return t.CheckBound(target)
}
