package httpstrategy

import (
	"slices"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Settings of the strategy.
const (
	settingURL    = "url"               // of a target, too, where it wins
	SettingSecret = "signing_secret_id" // the name of a secret
)

// Type is the strategy's type. It needs the setting "url", on itself or on
// each of its targets.
func Type() strategy.Type {
	address := strategy.Setting{Name: settingURL, About: "the address of the server, like https://grants.example.com/sym", Check: strategy.CheckURL}
	ofTarget := address
	ofTarget.About = "an address for this target alone"
	return strategy.Type{
		Name: "http", About: "a server of yours, by POST",
		Integration: strategy.Integration{Need: strategy.Optional},
		Settings: strategy.Settings{Known: []strategy.Setting{
			address,
			{Name: SettingSecret, About: "the name of the secret that requests are signed with"},
			strategy.Counted(),
		}},
		Targets: []strategy.TargetType{{
			Name: "http",
			Settings: strategy.Settings{
				Known:  []strategy.Setting{ofTarget, strategy.Counted()},
				Others: "what the server is to know",
			},
		}},
		Rules: rules,
	}
}

// rules: every target has an address, of its own or the strategy's.
func rules(s flow.Strategy) []flow.Fault {
	homeless := func(t flow.Target) bool { return t.Settings[settingURL] == "" }
	if s.Settings[settingURL] == "" && slices.ContainsFunc(s.Targets, homeless) {
		return []flow.Fault{{Path: "settings." + settingURL, Message: "is required, here or on each target: the address of the server, like https://grants.example.com/sym"}}
	}
	return nil
}

// URL is where the target's server is.
func URL(s flow.Strategy, target flow.Target) string {
	if own := target.Settings[settingURL]; own != "" {
		return own
	}
	return s.Settings[settingURL]
}

// Entitlements says what a target means for an identity.
func Entitlements(s flow.Strategy, target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	return strategy.ContractEntitlements(s, URL(s, target), target, identity, runID)
}
