package httpstrategy

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// Settings of the strategy.
const (
	settingURL    = "url"               // of a target, too, where it wins
	settingSecret = "signing_secret_id" // the name of a secret
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
			{Name: settingSecret, About: "the name of the secret that requests are signed with"},
			strategy.Counted(),
		}},
		Targets: []strategy.TargetType{{
			Name: "http",
			Settings: strategy.Settings{
				Known:  []strategy.Setting{ofTarget, strategy.Counted()},
				Others: "what the server is to know",
			},
		}},
		Rules:  rules,
		Rights: rights,
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

func rights(s flow.Strategy) strategy.Rights {
	if secret, ok := s.Secrets[settingSecret]; ok {
		return strategy.Rights{Secrets: []flow.SecretRef{secret}}
	}
	return strategy.Rights{}
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

// Deps is what the strategy works with.
type Deps struct {
	Client  *http.Client     // required
	Secrets strategy.Secrets // required if any strategy has a signing_secret_id
	Now     func() time.Time
}

// Open gives the opener of strategies that call through d.
func Open(d Deps) strategy.Opener {
	client := *d.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d.Client = &client
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return server{s, d}, nil
	}
}

// server is a strategy whose targets are granted by a server.
type server struct {
	frozen flow.Strategy
	deps   Deps
}

func (s server) url(target flow.Target) string {
	if own := target.Settings[settingURL]; own != "" {
		return own
	}
	return s.frozen.Settings[settingURL]
}

func (s server) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	e, err := strategy.ContractEntitlement(s.frozen, s.url(target), target, identity, runID)
	if err != nil {
		return nil, err
	}
	return []flow.Entitlement{e}, nil
}

// Grant posts the record of the escalate event.
func (s server) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return s.post(ctx, c)
}

// Revoke posts the record of the deescalate event to the same address.
func (s server) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	return s.post(ctx, c)
}
