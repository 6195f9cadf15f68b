package googlegroup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
)

const (
	audience    = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sym/providers/aws"
	impersonate = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sym@acme.iam.gserviceaccount.com:generateAccessToken"
)

var (
	key     = flow.SecretRef{Name: "key", Path: "/sym/google"}
	secret  = map[string]flow.SecretRef{"private_key_secret": key}
	account = map[string]string{"service_account": "sym@acme.iam.gserviceaccount.com"}
)

func groups(settings map[string]string, secrets map[string]flow.SecretRef) flow.Strategy {
	return flow.Strategy{
		Name: "groups", Type: "google_group",
		Integration: &flow.Integration{Name: "google", Type: "google", ExternalID: "example.com", Settings: settings, Secrets: secrets},
		Targets: []flow.Target{{Name: "oncall", Type: "google_group", Settings: map[string]string{
			"group_email": "oncall@example.com", "role": "MEMBER",
		}}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	right := map[string]string{"audience": audience, "service_account_impersonation_url": impersonate}
	with := func(name, value string) flow.Strategy {
		settings := map[string]string{name: value}
		for k, v := range right {
			if k != name {
				settings[k] = v
			}
		}
		return groups(settings, nil)
	}
	target := func(name, value string) flow.Strategy {
		s := with("type", "external_account")
		s.Targets[0].Settings[name] = value
		return s
	}
	api := with("type", "external_account")
	api.Settings = map[string]string{"api": "admin"}
	for _, test := range []struct {
		name string
		s    flow.Strategy
		want []string
	}{
		{"Federation", groups(right, nil), nil},
		{"Key", groups(account, secret), nil},
		{"Nothing", groups(nil, nil), []string{"integration.settings.audience"}},
		{"Both", groups(right, secret), []string{"integration.settings.service_account", "integration.settings.audience", "integration.settings.service_account_impersonation_url"}},
		{"KeyOfNobody", groups(nil, secret), []string{"integration.settings.service_account"}},
		{"AccountWithout", with("service_account", "sym@acme.iam.gserviceaccount.com"), []string{"integration.settings.service_account"}},
		{"NoServiceAccount", groups(map[string]string{"audience": audience}, nil), []string{"integration.settings.service_account_impersonation_url"}},
		{"Audience", with("audience", "projects/123/providers/aws"), []string{"integration.settings.audience"}},
		{"Impersonation", with("service_account_impersonation_url", "https://iamcredentials.googleapis.com/v1/projects/p/serviceAccounts/a@b"), []string{"integration.settings.service_account_impersonation_url"}},
		{"PlainImpersonation", with("service_account_impersonation_url", "http"+impersonate[5:]), []string{"integration.settings.service_account_impersonation_url"}},
		{"TokenURL", with("token_url", "http://sts.googleapis.com/v1/token"), []string{"integration.settings.token_url"}},
		{"SubjectToken", with("subject_token_type", "jwt"), []string{"integration.settings.subject_token_type"}},
		{"Subject", with("subject", "admin"), []string{"integration.settings.subject"}},
		{"Customer", with("customer_id", "example.com"), []string{"integration.settings.customer_id"}},
		{"API", api, []string{"settings.api"}},
		{"Role", target("role", "member"), []string{"targets.oncall.settings.role"}},
		{"Group", target("group_email", "oncall"), []string{"targets.oncall.settings.group_email"}},
		{"Without", flow.Strategy{Type: "google_group"}, []string{"integration_id"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for _, f := range googlegroup.Type().Check(test.s) {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestRights: who signs in by a request that AWS signs needs no right there.
func TestRights(t *testing.T) {
	t.Parallel()
	federated := map[string]string{"audience": audience, "service_account_impersonation_url": impersonate}
	token := map[string]string{"audience": audience, "service_account_impersonation_url": impersonate, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
	for _, test := range []struct {
		name string
		s    flow.Strategy
		want strategy.Rights
	}{
		{"Federation", groups(federated, nil), strategy.Rights{}},
		{"IdentityToken", groups(token, nil), strategy.Join(strategy.IdentityTokens("https:" + audience))},
		{"Key", groups(account, secret), strategy.Rights{Secrets: []flow.SecretRef{key}}},
		{"Nothing", flow.Strategy{}, strategy.Rights{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, googlegroup.Type().RightsOf(test.s)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestEntitlements: the role is the value, not a part of the key, and the case of
// letters makes no other person of somebody.
func TestEntitlements(t *testing.T) {
	t.Parallel()
	for identity, want := range map[string]string{
		"alice@example.com": "google_group/oncall@example.com/alice@example.com",
		"Alice@Example.com": "google_group/oncall@example.com/alice@example.com",
		"alice":             "", "": "", "a/b@example.com": "", "alice@": "",
	} {
		for _, role := range googlegroup.Roles {
			target := flow.Target{Settings: map[string]string{"group_email": "Oncall@example.com", "role": role}}
			got, err := googlegroup.Entitlements(target, identity)
			if want == "" {
				if flow.CodeOf(err) != flow.CodeIdentity {
					t.Errorf("%q: got %v, %v; want an error of %s", identity, got, err, flow.CodeIdentity)
				}
				continue
			}
			if diff := cmp.Diff([]flow.Entitlement{{Key: want, Value: role}}, got); err != nil || diff != "" {
				t.Errorf("%q: %v, -want +got:\n%s", identity, err, diff)
			}
		}
	}
}
