package tailscale_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/tailscale"
)

func network(settings map[string]string, secrets ...string) flow.Strategy {
	refs := map[string]flow.SecretRef{}
	for _, s := range secrets {
		refs[s] = flow.SecretRef{Name: s, Path: "/sym/" + s}
	}
	return flow.Strategy{
		Name: "network", Type: "tailscale",
		Integration: &flow.Integration{Name: "tailscale", Type: "tailscale", ExternalID: "example.com", Settings: settings, Secrets: refs},
		Targets: []flow.Target{
			{Name: "prod", Type: "tailscale_group", Settings: map[string]string{"group_name": "group:prod"}},
			{Name: "access", Type: "tailscale_posture", Settings: map[string]string{"attribute": "custom:prodAccess"}},
		},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	id := map[string]string{"client_id": "kabc1CNTRL"}
	with := func(s flow.Strategy, change func(*flow.Strategy)) flow.Strategy {
		change(&s)
		return s
	}
	for _, test := range []struct {
		name string
		s    flow.Strategy
		want []string
	}{
		{"Federated", network(id), nil},
		{"FederatedAudience", network(map[string]string{"client_id": "kabc1CNTRL", "audience": "sym"}), nil},
		{"Client", network(id, "client_secret"), nil},
		{"Token", network(nil, "api_token_secret"), nil},
		{"Nothing", network(nil), []string{"integration.settings.client_id"}},
		{"SecretAlone", network(nil, "client_secret"), []string{"integration.settings.client_id"}},
		{"Both", network(id, "api_token_secret"), []string{"integration.settings.api_token_secret"}},
		{"AudienceOfClient", network(map[string]string{"client_id": "kabc1CNTRL", "audience": "sym"}, "client_secret"), []string{"integration.settings.audience"}},
		{"Tailnet", with(network(id), func(s *flow.Strategy) { s.Integration.ExternalID = "https://example.com/" }), []string{"integration.external_id"}},
		{"None", with(network(id), func(s *flow.Strategy) { s.Integration = nil }), []string{"integration_id"}},
		{"Group", with(network(id), func(s *flow.Strategy) { s.Targets[0].Settings["group_name"] = "autogroup:admin" }), []string{"targets.prod.settings.group_name"}},
		{"Attribute", with(network(id), func(s *flow.Strategy) { s.Targets[1].Settings["attribute"] = "node:os" }), []string{"targets.access.settings.attribute"}},
		{"LongAttribute", with(network(id), func(s *flow.Strategy) { s.Targets[1].Settings["attribute"] = strings.Repeat("a", 44) }), []string{"targets.access.settings.attribute"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for _, f := range tailscale.Type().Check(test.s) {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	ref := func(name string) strategy.Rights {
		return strategy.Rights{Secrets: []flow.SecretRef{{Name: name, Path: "/sym/" + name}}}
	}
	id := map[string]string{"client_id": "kabc1CNTRL"}
	for _, test := range []struct {
		name string
		s    flow.Strategy
		want strategy.Rights
	}{
		{"Federated", network(id), strategy.IdentityTokens("api.tailscale.com/kabc1CNTRL")},
		{"FederatedAudience", network(map[string]string{"client_id": "kabc1CNTRL", "audience": "sym"}), strategy.IdentityTokens("sym")},
		{"Client", network(id, "client_secret"), ref("client_secret")},
		{"Token", network(nil, "api_token_secret"), ref("api_token_secret")},
		{"None", flow.Strategy{}, strategy.Rights{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, tailscale.Type().RightsOf(test.s)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	s := network(map[string]string{"client_id": "kabc1CNTRL"})
	for _, test := range []struct {
		name, identity string
		target         flow.Target
		want           string
	}{
		{"Group", "Alice@Example.com", s.Targets[0], "tailscale/example.com/group:prod/alice@example.com"},
		{"GroupWithoutPrefix", "alice@example.com", flow.Target{Type: "tailscale_group", Settings: map[string]string{"group_name": "prod"}}, "tailscale/example.com/group:prod/alice@example.com"},
		{"Attribute", "alice@example.com", s.Targets[1], "tailscale/example.com/custom:prodaccess/alice@example.com"},
		{"GitHub", "alice@github", s.Targets[0], "tailscale/example.com/group:prod/alice@github"},
		{"NoLogin", "alice", s.Targets[0], ""},
		{"Nobody", "", s.Targets[0], ""},
		{"Group of people", "group:dev@example.com x", s.Targets[0], ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := tailscale.Entitlements(s, test.target, test.identity)
			if test.want == "" {
				if flow.CodeOf(err) != flow.CodeIdentity {
					t.Errorf("got %v, %v; want an error of %s", got, err, flow.CodeIdentity)
				}
				return
			}
			if diff := cmp.Diff([]flow.Entitlement{{Key: test.want}}, got); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}
