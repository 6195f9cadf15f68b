package okta_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/okta"
)

const (
	kms  = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	user = "00u1a2b3c4d5e6f7g8h9"
)

func groups(settings map[string]string, secrets ...string) flow.Strategy {
	i := &flow.Integration{Name: "okta", Type: "okta", ExternalID: "acme.okta.com", Settings: settings, Secrets: map[string]flow.SecretRef{}}
	for _, name := range secrets {
		i.Secrets[name] = flow.SecretRef{Name: name, Path: "/" + name}
	}
	return flow.Strategy{Type: "okta", Integration: i, Targets: []flow.Target{
		{Name: "ops", Type: "okta_group", Settings: map[string]string{"group_id": "00g1a2b3c4d5e6f7g8h9"}},
	}}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const app = "0oa1b2c3d4e5f6g7h8i9"
	domain := func(name string) flow.Strategy {
		s := groups(nil, "api_token_secret")
		s.Integration.ExternalID = name
		return s
	}
	named := groups(nil, "api_token_secret")
	named.Targets[0].Settings["group_id"] = "Operations"
	for _, test := range []struct {
		name  string
		s     flow.Strategy
		paths []string
	}{
		{name: "Token", s: groups(nil, "api_token_secret")},
		{name: "Key", s: groups(map[string]string{"client_id": app, "key_id": "k"}, "private_key_secret")},
		{name: "KMS", s: groups(map[string]string{"client_id": app, "private_key_kms_arn": kms})},
		{name: "Address", s: groups(map[string]string{"api_url": "http://127.0.0.1:9000"}, "api_token_secret", "wiki_secret")},
		{name: "Preview", s: domain("acme.oktapreview.com")},
		{name: "NoIntegration", s: flow.Strategy{}, paths: []string{"integration_id"}},
		{name: "NoSignIn", s: groups(nil), paths: []string{"integration.settings.client_id"}},
		{name: "TwoWays", s: groups(map[string]string{"client_id": app}, "api_token_secret", "private_key_secret"), paths: []string{"integration.settings.api_token_secret"}},
		{name: "TwoKeys", s: groups(map[string]string{"client_id": app, "private_key_kms_arn": kms}, "private_key_secret"), paths: []string{"integration.settings.private_key_kms_arn"}},
		{name: "NoKey", s: groups(map[string]string{"client_id": app}), paths: []string{"integration.settings.private_key_secret"}},
		{name: "NoClient", s: groups(nil, "private_key_secret"), paths: []string{"integration.settings.client_id"}},
		{name: "Shapes", s: groups(map[string]string{"client_id": "app", "private_key_kms_arn": "alias/okta", "api_url": "acme"}), paths: []string{"integration.settings.client_id", "integration.settings.private_key_kms_arn", "integration.settings.api_url"}},
		{name: "Admin", s: domain("https://acme-admin.okta.com"), paths: []string{"integration.external_id"}},
		{name: "NoDomain", s: domain("acme"), paths: []string{"integration.external_id"}},
		{name: "NameOfGroup", s: named, paths: []string{"targets.ops.settings.group_id"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for _, f := range okta.Type().Check(test.s) {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(test.paths, paths); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	s := groups(map[string]string{"private_key_kms_arn": kms}, "api_token_secret", "wiki_secret")
	want := strategy.Rights{
		Allow:   []strategy.Allow{{Actions: []string{"kms:Sign"}, Resources: []string{kms}, When: map[string][]string{"kms:SigningAlgorithm": {"RSASSA_PKCS1_V1_5_SHA_256"}}}},
		Secrets: []flow.SecretRef{{Name: "api_token_secret", Path: "/api_token_secret"}},
	}
	if diff := cmp.Diff(want, okta.Type().RightsOf(s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(want, okta.Type().RightsOf(s).Looking()); diff != "" {
		t.Errorf("to look (-want +got):\n%s", diff)
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	s := groups(nil, "api_token_secret")
	s.Integration.ExternalID = "https://Acme.okta.com"
	got, err := okta.Entitlements(s, s.Targets[0], user)
	if diff := cmp.Diff([]flow.Entitlement{{Key: "okta/acme.okta.com/00g1a2b3c4d5e6f7g8h9/" + user}}, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, identity := range []string{"", "alice@example.com", "00g1a2b3c4d5e6f7g8h9", user + "0", "00u1a2b3c4d5e6f7g8/9"} {
		if _, err := okta.Entitlements(s, s.Targets[0], identity); flow.CodeOf(err) != flow.CodeIdentity {
			t.Errorf("%q: %v", identity, err)
		}
	}
}
