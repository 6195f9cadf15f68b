package aptible_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/aptible"
)

const (
	role = "7F5C2A1E-3b4d-4c5e-8f60-718293a4b5c6"
	user = "1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
)

var secrets = map[string]flow.SecretRef{
	"password_secret": {Name: "password", Source: "aws_secrets_manager", Path: "/sym/main/aptible", JSONKey: "password"},
	"username_secret": {Name: "username", Source: "aws_secrets_manager", Path: "/sym/main/aptible", JSONKey: "username"},
}

func right() flow.Strategy {
	return flow.Strategy{
		Name: "aptible", Type: "aptible",
		Integration: &flow.Integration{Name: "aptible", Type: "aptible", ExternalID: "acme", Secrets: secrets},
		Targets:     []flow.Target{{Name: "ops", Type: "aptible_role", Settings: map[string]string{"role_id": role}}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if faults := aptible.Type().Check(right()); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	faulty := right()
	faulty.Integration = &flow.Integration{Name: "aptible", Type: "aptible", Settings: map[string]string{"api_url": "auth.aptible.com"}}
	faulty.Targets[0].Settings = map[string]string{"role_id": "Operators"}
	var paths []string
	for _, f := range aptible.Type().Check(faulty) {
		paths = append(paths, f.Path)
	}
	want := []string{"integration.settings.username_secret", "integration.settings.password_secret", "integration.settings.api_url", "targets.ops.settings.role_id"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	want := strategy.Rights{Secrets: []flow.SecretRef{secrets["password_secret"], secrets["username_secret"]}}
	if diff := cmp.Diff(want, aptible.Type().RightsOf(right())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	for identity, key := range map[string]string{
		user: "aptible/7f5c2a1e-3b4d-4c5e-8f60-718293a4b5c6/" + user, "alice@example.com": "", "": "",
	} {
		got, err := aptible.Entitlements(right().Targets[0], identity)
		if key == "" {
			if flow.CodeOf(err) != flow.CodeIdentity {
				t.Errorf("%q: got %v, %v; want an error of %s", identity, got, err, flow.CodeIdentity)
			}
		} else if diff := cmp.Diff([]flow.Entitlement{{Key: key}}, got); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	}
}
