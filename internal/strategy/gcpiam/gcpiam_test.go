package gcpiam_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/gcpiam"
)

func projects(settings map[string]string, bound ...string) flow.Strategy {
	return flow.Strategy{
		Name: "projects", Type: "gcp_iam",
		Integration: &flow.Integration{Name: "google", Type: "google", ExternalID: "example.com", Settings: map[string]string{
			"audience":                          "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sym/providers/aws",
			"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sym@acme.iam.gserviceaccount.com:generateAccessToken",
		}},
		Targets: []flow.Target{{Name: "sql", Type: "gcp_project_role", Settings: settings, FieldBindings: bound}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	on := func(project, role string) map[string]string {
		return map[string]string{"project": project, "role": role}
	}
	const ofProject, ofRole = "targets.sql.settings.project", "targets.sql.settings.role"
	for _, test := range []struct {
		name string
		s    flow.Strategy
		want []string
	}{
		{"Predefined", projects(on("acme-production", "roles/cloudsql.admin")), nil},
		{"Projects", projects(on("acme-production", "projects/acme-production/roles/oncall")), nil},
		{"Organizations", projects(on("example.com:acme-production", "organizations/123456789012/roles/onCall_1")), nil},
		{"Bound", projects(map[string]string{"role": "roles/cloudsql.admin"}, "project"), nil},
		{"Owner", projects(on("acme-production", "roles/owner")), []string{ofRole}},
		{"Viewer", projects(on("acme-production", "roles/viewer")), []string{ofRole}},
		{"NoRole", projects(on("acme-production", "cloudsql.admin")), []string{ofRole}},
		{"AnothersRole", projects(on("acme-production", "projects/acme-staging/roles/oncall")), []string{ofRole}},
		{"OnesRoleBound", projects(map[string]string{"role": "projects/acme-staging/roles/oncall"}, "project"), []string{ofRole}},
		{"Number", projects(on("123456789012", "roles/cloudsql.admin")), []string{ofProject}},
		{"RoleBound", projects(map[string]string{"project": "acme-production"}, "role"), []string{"targets.sql.field_bindings"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for _, f := range gcpiam.Type().Check(test.s) {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	target := projects(map[string]string{"project": "acme-production", "role": "roles/cloudsql.admin"}).Targets[0]
	got, err := gcpiam.Entitlements(target, "Alice@example.com")
	if diff := cmp.Diff([]flow.Entitlement{{Key: "gcp_iam/acme-production/roles/cloudsql.admin/alice@example.com"}}, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, identity := range []string{"", "alice", "user:alice", "allUsers"} {
		if _, err := gcpiam.Entitlements(target, identity); flow.CodeOf(err) != flow.CodeIdentity {
			t.Errorf("%q: %v", identity, err)
		}
	}
}
