package httpstrategy

import (
	"net"
	"net/url"
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
	address := strategy.Setting{Name: settingURL, About: "the address of the server, like https://grants.example.com/sym", Check: checkURL}
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

func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return flow.Errorf(flow.CodeInvalid, "is not an address like https://grants.example.com/sym")
	case u.User != nil:
		return flow.Errorf(flow.CodeInvalid, "must not contain a user name or password: use signing_secret_id")
	case u.Fragment != "":
		return flow.Errorf(flow.CodeInvalid, "must not have a part after #: it would not be sent")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1)")
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
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
