package custom

import (
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Type is the strategy's type. Its targets have whatever settings the code
// wants, "identifier" among them by custom. It has no rights in AWS: the code
// runs in the role of handlers.
func Type() strategy.Type {
	return strategy.Type{
		Name: "custom", About: "a Python class of yours",
		Integration: strategy.Integration{Need: strategy.Optional},
		Settings:    strategy.Settings{Known: []strategy.Setting{strategy.Counted()}, Others: "what the class is to know"},
		Targets: []strategy.TargetType{{
			Name:     "custom",
			Settings: strategy.Settings{Known: []strategy.Setting{strategy.Counted()}, Others: "what the class is to know"},
		}},
		Implementation: true,
	}
}

// Entitlements says what a target means for an identity.
func Entitlements(s flow.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return strategy.ContractEntitlements(s, s.Name, target, identity, runID)
}
