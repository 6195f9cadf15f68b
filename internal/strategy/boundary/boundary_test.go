package boundary_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/boundary"
)

var secret = flow.SecretRef{Name: "boundary", Source: "aws_secrets_manager", Path: "/sym/main/boundary"}

func right() flow.Strategy {
	return flow.Strategy{
		Name: "boundary", Type: "boundary",
		Integration: &flow.Integration{
			Name: "boundary", Type: "boundary", ExternalID: "https://Boundary.example.com:9200/",
			Settings: map[string]string{"auth_method_id": "ampw_1234567890", "login_name": "symflows"}, Secrets: map[string]flow.SecretRef{"password_secret": secret},
		},
		Settings: map[string]string{"end_sessions": "true"},
		Targets:  []flow.Target{{Name: "ops", Type: "boundary_group", Settings: map[string]string{"group_id": "g_Ab12345678"}}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if faults := boundary.Type().Check(right()); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	faulty := right()
	faulty.Integration = &flow.Integration{Name: "boundary", Type: "boundary", ExternalID: "boundary.example.com", Settings: map[string]string{"auth_method_id": "password"}}
	faulty.Settings = map[string]string{"end_sessions": "yes"}
	faulty.Targets[0].Settings = map[string]string{"group_id": "Operators"}
	var paths []string
	for _, f := range boundary.Type().Check(faulty) {
		paths = append(paths, f.Path)
	}
	want := []string{
		"integration.settings.auth_method_id", "integration.settings.login_name", "integration.settings.password_secret",
		"settings.end_sessions", "targets.ops.settings.group_id", "integration.external_id",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestCluster: a cluster is one, however its address is written.
func TestCluster(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://boundary.example.com": "boundary.example.com", "https://Boundary.example.com:443/": "boundary.example.com",
		"http://127.0.0.1:80": "127.0.0.1", "https://boundary.example.com:9200": "boundary.example.com:9200", "https://boundary.example.com:80": "boundary.example.com:80",
	} {
		if got := boundary.Cluster(&flow.Integration{ExternalID: address}); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(strategy.Rights{Secrets: []flow.SecretRef{secret}}, boundary.Type().RightsOf(right())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEntitlements: no grant is to one that stands for many.
func TestEntitlements(t *testing.T) {
	t.Parallel()
	for identity, key := range map[string]string{
		"u_Zz12345678": "boundary/boundary.example.com:9200/g_Ab12345678/u_Zz12345678",
		"u_auth":       "", "u_anon": "", "u_recovery": "", "alice@example.com": "", "": "",
	} {
		s := right()
		got, err := boundary.Entitlements(s, s.Targets[0], identity)
		if key == "" {
			if flow.CodeOf(err) != flow.CodeIdentity {
				t.Errorf("%q: got %v, %v; want an error of %s", identity, got, err, flow.CodeIdentity)
			}
		} else if diff := cmp.Diff([]flow.Entitlement{{Key: key}}, got); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	}
}
