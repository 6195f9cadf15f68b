package onelogin_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/onelogin"
)

var secret = flow.SecretRef{Name: "onelogin", Source: "aws_secrets_manager", Path: "/sym/main/onelogin"}

func right() flow.Strategy {
	return flow.Strategy{
		Name: "onelogin", Type: "onelogin",
		Integration: &flow.Integration{
			Name: "onelogin", Type: "onelogin", ExternalID: "Acme.onelogin.com",
			Settings: map[string]string{"client_id": "0a1b"}, Secrets: map[string]flow.SecretRef{"client_secret": secret},
		},
		Targets: []flow.Target{{Name: "ops", Type: "onelogin_role", Settings: map[string]string{"role_id": "123456", "privilege_level": "admin"}}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if faults := onelogin.Type().Check(right()); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	faulty := right()
	faulty.Integration = &flow.Integration{Name: "onelogin", Type: "onelogin", ExternalID: "acme", Settings: map[string]string{"api_url": "http://acme.onelogin.com"}}
	faulty.Targets[0].Settings = map[string]string{"role_id": "Operators", "privilege_level": "owner"}
	var paths []string
	for _, f := range onelogin.Type().Check(faulty) {
		paths = append(paths, f.Path)
	}
	want := []string{
		"integration.settings.client_id", "integration.settings.client_secret", "integration.settings.api_url",
		"targets.ops.settings.role_id", "targets.ops.settings.privilege_level", "integration.external_id",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(strategy.Rights{Secrets: []flow.SecretRef{secret}}, onelogin.Type().RightsOf(right())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ level, identity, key string }{
		{"admin", "77", "onelogin/acme.onelogin.com/123456/admin/77"},
		{"member", "77", "onelogin/acme.onelogin.com/123456/member/77"},
		{"", "77", "onelogin/acme.onelogin.com/123456/member/77"},
		{"member", "alice@example.com", ""},
		{"member", "", ""},
	} {
		s := right()
		s.Targets[0].Settings["privilege_level"] = test.level
		got, err := onelogin.Entitlements(s, s.Targets[0], test.identity)
		if test.key == "" {
			if flow.CodeOf(err) != flow.CodeIdentity {
				t.Errorf("%q: got %v, %v; want an error of %s", test.identity, got, err, flow.CodeIdentity)
			}
		} else if diff := cmp.Diff([]flow.Entitlement{{Key: test.key}}, got); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	}
}
