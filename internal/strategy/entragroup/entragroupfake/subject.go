package entragroupfake

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/entragroup"
	"github.com/symflows/symflows/internal/strategy/entragroup/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// What [WithPeople] makes.
const (
	Alice      = "a11c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
	Bob        = "b0b02a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
	Disabled   = "d15a2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
	Operators  = "0a0a2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
	Developers = "de0e2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
)

// secrets are values by their paths.
type secrets map[string]string

// Value implements strategy.Secrets.
func (s secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	return s[ref.Path], nil
}

// WithPeople makes a tenant with two groups, alice and bob, and somebody disabled.
func WithPeople() *Fake {
	f := New()
	f.AddUser(Alice, "alice@example.com", "alice@example.com", true)
	f.AddUser(Bob, "bob@example.onmicrosoft.com", "bob@example.com", true)
	f.AddUser(Disabled, "carol@example.com", "", false)
	f.AddGroup(Group{ID: Operators, Name: "Operators"})
	f.AddGroup(Group{ID: Developers, Name: "Developers"})
	return f
}

// Serve serves the fake until the test ends, and gives what the strategy works with
// and the integration that leads to it: with a secret, or by AWS's word, for which
// see [Fake.Trust] and client.Deps.
func (f *Fake) Serve(t testing.TB, secret bool) (client.Deps, *flow.Integration) {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	i := &flow.Integration{
		Name: "entra", Type: "entra", ExternalID: Tenant,
		Settings: map[string]string{"api_url": server.URL, entragroup.SettingClientID: ClientID}, Secrets: map[string]flow.SecretRef{},
	}
	if secret {
		i.Secrets[entragroup.SettingClientSecret] = flow.SecretRef{Name: "entra-app", Path: "/sym/entra-app"}
	}
	return client.Deps{
		HTTP: server.Client(), Now: f.Now, Secrets: secrets{"/sym/entra-app": ClientSecret},
		IdentityToken: func(context.Context, string) (string, error) { return "", errors.New("no AWS in this test") },
	}, i
}

// Subject is the strategy over members of groups, opened on a fake.
func Subject(t testing.TB) strategytest.Subject {
	t.Helper()
	return WithPeople().Subject(t, entragroup.TargetGroup)
}

// PIMSubject is the strategy over assignments by PIM, opened on a fake.
func PIMSubject(t testing.TB) strategytest.Subject {
	t.Helper()
	return WithPeople().Subject(t, entragroup.TargetPIM)
}

// Subject is the strategy with targets of a type, opened on this fake.
func (f *Fake) Subject(t testing.TB, kind string) strategytest.Subject {
	t.Helper()
	deps, integration := f.Serve(t, true)
	return strategytest.Subject{
		Type: entragroup.Type(), Open: client.Open(deps), System: f,
		Strategy: flow.Strategy{Name: "groups", Type: "entra_group", Integration: integration, Targets: []flow.Target{
			{Name: "operators", Type: kind, Settings: map[string]string{entragroup.SettingGroup: Operators}},
			{Name: "developers", Type: kind, Settings: map[string]string{entragroup.SettingGroup: Developers}},
		}},
		Identities: [2]string{Alice, Bob}, Shared: true, Wait: f.Wait, Secrets: []string{ClientSecret},
		Cannot: map[strategytest.Case]string{
			strategytest.Pending:      "Entra answers when it is done, and shows it later",
			strategytest.PendingFails: "Entra answers when it is done, and shows it later",
			strategytest.Invitation:   "nobody is asked whether they want to be in a group",
		},
	}
}
