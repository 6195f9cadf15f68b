package entragroup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/entragroup"
)

const id = "1f0c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"

func groups(settings map[string]string, secrets ...string) flow.Strategy {
	refs := map[string]flow.SecretRef{}
	for _, s := range secrets {
		refs[s] = flow.SecretRef{Name: s, Path: "/sym/" + s}
	}
	return flow.Strategy{
		Name: "groups", Type: "entra_group",
		Integration: &flow.Integration{Name: "entra", Type: "entra", ExternalID: "Example.onmicrosoft.com", Settings: settings, Secrets: refs},
		Targets: []flow.Target{
			{Name: "ops", Type: "entra_group", Settings: map[string]string{"group_id": id}},
			{Name: "ops-for-now", Type: "entra_pim_group", Settings: map[string]string{"group_id": id}},
		},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	app := map[string]string{"client_id": id}
	with := func(s flow.Strategy, change func(*flow.Strategy)) flow.Strategy {
		change(&s)
		return s
	}
	for _, test := range []struct {
		name string
		s    flow.Strategy
		want []string
	}{
		{"Federated", groups(app), nil},
		{"Secret", groups(app, "client_secret"), nil},
		{"Government", groups(map[string]string{"client_id": id, "api_url": "https://graph.microsoft.us", "audience": "sym"}), nil},
		{"NoApp", groups(nil), []string{"integration.settings.client_id"}},
		{"Name", groups(map[string]string{"client_id": "sym-flows"}), []string{"integration.settings.client_id"}},
		{"AudienceWithSecret", groups(map[string]string{"client_id": id, "audience": "sym"}, "client_secret"), []string{"integration.settings.audience"}},
		{"Tenant", with(groups(app), func(s *flow.Strategy) { s.Integration.ExternalID = "https://example.com/" }), []string{"integration.external_id"}},
		{"GroupName", with(groups(app), func(s *flow.Strategy) { s.Targets[0].Settings["group_id"] = "Operators" }), []string{"targets.ops.settings.group_id"}},
		{"PIM", with(groups(app), func(s *flow.Strategy) { s.Targets[0].Settings["pim"] = "true" }), []string{"targets.ops.settings.pim"}},
		{"NoPIM", with(groups(app), func(s *flow.Strategy) { s.Targets[0].Settings["pim"] = "false" }), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for _, f := range entragroup.Type().Check(test.s) {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestPlaces: each of Microsoft's clouds has its own login and its own audience.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const proxy = "http://127.0.0.1:4040"
	for address, want := range map[string]struct {
		place entragroup.Place
		whom  string
	}{
		"":                               {entragroup.Place{Graph: "https://graph.microsoft.com", Login: "https://login.microsoftonline.com", Scope: "https://graph.microsoft.com/.default"}, "api://AzureADTokenExchange"},
		"https://graph.microsoft.us/":    {entragroup.Place{Graph: "https://graph.microsoft.us", Login: "https://login.microsoftonline.us", Scope: "https://graph.microsoft.us/.default"}, "api://AzureADTokenExchangeUSGov"},
		"https://dod-graph.microsoft.us": {entragroup.Place{Graph: "https://dod-graph.microsoft.us", Login: "https://login.microsoftonline.us", Scope: "https://dod-graph.microsoft.us/.default"}, "api://AzureADTokenExchangeUSGov"},
		"https://microsoftgraph.chinacloudapi.cn": {entragroup.Place{Graph: "https://microsoftgraph.chinacloudapi.cn", Login: "https://login.partner.microsoftonline.cn", Scope: "https://microsoftgraph.chinacloudapi.cn/.default"}, "api://AzureADTokenExchangeChina"},
		proxy: {entragroup.Place{Graph: proxy, Login: proxy, Scope: "https://graph.microsoft.com/.default"}, "api://AzureADTokenExchange"},
	} {
		s := groups(map[string]string{"client_id": id, "api_url": address})
		if diff := cmp.Diff(want.place, entragroup.PlaceOf(s.Integration)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", address, diff)
		}
		if diff := cmp.Diff(strategy.IdentityTokens(want.whom), entragroup.Type().RightsOf(s)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", address, diff)
		}
	}
	secret := strategy.Rights{Secrets: []flow.SecretRef{{Name: "client_secret", Path: "/sym/client_secret"}}}
	if diff := cmp.Diff(secret, entragroup.Type().RightsOf(groups(map[string]string{"client_id": id}, "client_secret"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	s := groups(map[string]string{"client_id": id})
	for i, want := range []string{"entra_group/example.onmicrosoft.com/" + id + "/member/" + id, "entra_group/example.onmicrosoft.com/" + id + "/pim/" + id} {
		got, err := entragroup.Entitlements(s, s.Targets[i], "1F0C2A52-3F68-4F7E-9B1D-6A5D3C2B1A00")
		if diff := cmp.Diff([]flow.Entitlement{{Key: want}}, got); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	}
	for _, identity := range []string{"", "alice@example.com", id + "' or 'a' eq 'a"} {
		if got, err := entragroup.Entitlements(s, s.Targets[0], identity); flow.CodeOf(err) != flow.CodeIdentity {
			t.Errorf("%q: got %v, %v; want an error of %s", identity, got, err, flow.CodeIdentity)
		}
	}
}
