package googlefake

import (
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/gcpiam"
	projects "github.com/symflows/symflows/internal/strategy/gcpiam/client"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
	groups "github.com/symflows/symflows/internal/strategy/googlegroup/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// GroupSubject is the strategy google_group by one of the APIs
// (googlegroup.CloudIdentity, googlegroup.Directory) on a Google of its own, with
// two groups and two people.
func GroupSubject(t testing.TB, api string) strategytest.Subject {
	t.Helper()
	f := New(t)
	for _, name := range []string{"Oncall", "Ops"} {
		f.AddGroup(name+"@"+Domain, name)
	}
	people := [2]string{"alice@" + Domain, "o'brien@" + Domain}
	for _, p := range people {
		f.AddUser(p)
	}
	cannot := map[strategytest.Case]string{
		strategytest.Pending:      "the APIs have no way to ask after work that goes on: what is not there yet is looked at again",
		strategytest.PendingFails: "the APIs have no way to ask after work that goes on: what is not there yet is looked at again",
		strategytest.Invitation:   "Google asks nobody whom an administrator adds",
	}
	typ := googlegroup.Type()
	if api == googlegroup.Directory { // which has no ends
		typ.Targets[0].Expires = false
		cannot[strategytest.ConcurrentEdit] = "Google documents no such answer of the Directory API: each change is of one member"
	}
	return strategytest.Subject{
		Type: typ, Open: groups.Open(f.APIs()), System: Groups{f},
		Strategy: flow.Strategy{
			Name: "groups", Type: "google_group", Integration: f.Integration(), Settings: map[string]string{"api": api},
			Targets: []flow.Target{
				{Name: "oncall", Type: "google_group", Label: "On call", Settings: map[string]string{"group_email": "oncall@" + Domain, "role": "MEMBER"}},
				{Name: "ops", Type: "google_group", Label: "Operators", Settings: map[string]string{"group_email": "Ops@" + Domain, "role": "MANAGER"}},
			},
		},
		Identities: people, Shared: true, Wait: Wait, Secrets: f.Secrets(), Cannot: cannot,
	}
}

// ProjectSubject is the strategy gcp_iam on a Google of its own, with two projects
// and two people.
func ProjectSubject(t testing.TB) strategytest.Subject {
	t.Helper()
	f := New(t)
	people := [2]string{"alice@" + Domain, "bob@" + Domain}
	for _, p := range append(people[:], "owner@"+Domain) {
		f.AddUser(p)
	}
	for _, id := range []string{"acme-production", "acme-staging"} {
		f.AddProject(id, "", Binding{Role: "roles/owner", Members: []string{"user:owner@" + Domain}}, Binding{
			Role: "roles/storage.admin", Members: []string{"group:ops@" + Domain, "user:owner@" + Domain}, Condition: &Condition{
				Title: "Backups <only>", Expression: `resource.name.startsWith("projects/_/buckets/backup") && request.time < timestamp("2030-01-01T00:00:00Z")`, Location: "console",
			},
		})
	}
	const atOnce = "a policy is set when Google answers"
	return strategytest.Subject{
		Type: gcpiam.Type(), Open: projects.Open(f.APIs()), System: Projects{f},
		Strategy: flow.Strategy{
			Name: "projects", Type: "gcp_iam", Integration: f.Integration(),
			Targets: []flow.Target{
				{Name: "production-sql", Type: "gcp_project_role", Label: "SQL in production", Settings: map[string]string{"project": "acme-production", "role": "roles/cloudsql.admin"}},
				{Name: "staging-sql", Type: "gcp_project_role", Label: "SQL in staging", Settings: map[string]string{"project": "acme-staging", "role": "roles/cloudsql.admin"}},
			},
		},
		Identities: people, Shared: true, Wait: Wait, Secrets: f.Secrets(),
		Cannot: map[strategytest.Case]string{
			strategytest.Pending: atOnce, strategytest.PendingFails: atOnce,
			strategytest.StaleRead:  "a policy that is read late can't be written: Google refuses its old etag, and it is tried again",
			strategytest.Invitation: "Google asks nobody: it invites owners only, whose role is refused",
		},
	}
}
