package httpstrategy

import (
	"context"
	"fmt"
	"maps"
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
	return strategy.Type{
		Name: "http", TargetType: "http", Check: check,
		ARNs: func(flow.Strategy) []string { return nil },
	}
}

func check(s flow.Strategy) []flow.Fault {
	var faults []flow.Fault
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		if name != settingURL && name != settingSecret && name != strategy.Counted {
			faults = append(faults, flow.Fault{Path: "settings." + name, Message: "is no setting of a strategy of type http: it has url, signing_secret_id and counted; what the server is to know belongs to the targets' settings"})
		}
	}
	faults = append(faults, strategy.CheckCounted(s.Settings, "settings")...)
	faults = append(faults, checkURL(s.Settings[settingURL], "settings."+settingURL)...)
	needed := false
	for _, t := range s.Targets {
		at := "targets." + t.Name
		needed = needed || t.Settings[settingURL] == ""
		faults = append(faults, checkURL(t.Settings[settingURL], at+".settings."+settingURL)...)
		faults = append(faults, strategy.CheckCounted(t.Settings, at+".settings")...)
		for _, name := range []string{settingURL, strategy.Counted} {
			if slices.Contains(t.FieldBindings, name) {
				faults = append(faults, flow.Fault{Path: at + ".field_bindings", Message: fmt.Sprintf("%q must not be bound to a field: requesters would choose it", name)})
			}
		}
	}
	if needed && s.Settings[settingURL] == "" {
		faults = append(faults, flow.Fault{Path: "settings." + settingURL, Message: "is required, here or on each target: the address of the server, like https://grants.example.com/sym"})
	}
	return faults
}

func checkURL(text, path string) []flow.Fault {
	if text == "" {
		return nil
	}
	fault := func(message string) []flow.Fault { return []flow.Fault{{Path: path, Message: message}} }
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return fault("is not an address like https://grants.example.com/sym")
	case u.User != nil:
		return fault("must not contain a user name or password: use signing_secret_id")
	case u.Fragment != "":
		return fault("must not have a part after #: it would not be sent")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fault("must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1)")
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// Secrets gives the values of secrets. They are asked for at each use and not
// kept.
type Secrets interface {
	Value(ctx context.Context, ref flow.SecretRef) (string, error)
}

// Deps is what the strategy works with.
type Deps struct {
	Client  *http.Client // required
	Secrets Secrets      // required if any strategy has a signing_secret_id
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
