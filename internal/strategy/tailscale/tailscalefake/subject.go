package tailscalefake

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/strategy/tailscale"
	"github.com/symflows/symflows/internal/strategy/tailscale/client"
)

// SignIn is a way to sign in.
type SignIn int

// The ways.
const (
	ByClient   SignIn = iota // an OAuth client
	ByIdentity               // a federated identity: see [Fake.Trust] and client.Deps
	ByToken                  // an API access token
)

// secrets are values by their paths.
type secrets map[string]string

// Value implements strategy.Secrets.
func (s secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	return s[ref.Path], nil
}

// Serve serves the fake until the test ends, and gives what the strategy works with
// and the integration that leads to it.
func (f *Fake) Serve(t testing.TB, way SignIn) (client.Deps, *flow.Integration) {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	i := &flow.Integration{Name: "tailscale", Type: "tailscale", ExternalID: Tailnet, Settings: map[string]string{"api_url": server.URL}, Secrets: map[string]flow.SecretRef{}}
	switch way {
	case ByClient:
		i.Settings[tailscale.SettingClientID] = ClientID
		i.Secrets[tailscale.SettingClientSecret] = flow.SecretRef{Name: "tailscale-client", Path: "/sym/tailscale-client"}
	case ByIdentity:
		i.Settings[tailscale.SettingClientID] = IdentityID
	case ByToken:
		i.Secrets[tailscale.SettingToken] = flow.SecretRef{Name: "tailscale-token", Path: "/sym/tailscale-token"}
	}
	return client.Deps{
		HTTP: server.Client(), Now: f.Now,
		Secrets:       secrets{"/sym/tailscale-client": ClientSecret, "/sym/tailscale-token": Token},
		IdentityToken: func(context.Context, string) (string, error) { return "", errors.New("no AWS in this test") },
	}, i
}

// people have a device each.
var people = [2]string{"alice@example.com", "bob@example.com"}

// WithPeople makes a tailnet that alice and bob are in, with a device each, and some
// others who are not to get in the way.
func WithPeople() *Fake {
	f := New(File)
	for i, login := range people {
		f.AddUser(login, []string{"active", "idle"}[i])
		f.AddDevice(Device{ID: "n" + login[:1] + "1CNTRL", User: login})
	}
	f.AddUser("lead@example.com", "active")
	f.AddUser("mallory@example.com", "active")
	f.AddUser("carol@example.com", "suspended")
	f.AddDevice(Device{ID: "ncarol1CNTRL", User: "carol@example.com"})
	f.AddDevice(Device{ID: "nserver1CNTRL", User: "lead@example.com", Tags: []string{"tag:server"}})
	f.AddDevice(Device{ID: "nhello1CNTRL", User: "services@example.org", External: true})
	return f
}

// Subject is the strategy over groups, opened on a fake.
func Subject(t testing.TB) strategytest.Subject {
	t.Helper()
	f := WithPeople()
	return f.Subject(t, ByClient, []flow.Target{
		{Name: "prod", Type: tailscale.TargetGroup, Settings: map[string]string{"group_name": "group:prod"}},
		{Name: "dev", Type: tailscale.TargetGroup, Settings: map[string]string{"group_name": "dev"}},
	})
}

// PostureSubject is the strategy over attributes of devices, opened on a fake.
func PostureSubject(t testing.TB) strategytest.Subject {
	t.Helper()
	return WithPeople().Subject(t, ByClient, []flow.Target{
		{Name: "prod", Type: tailscale.TargetPosture, Settings: map[string]string{"attribute": "custom:prodAccess"}},
		{Name: "dev", Type: tailscale.TargetPosture, Settings: map[string]string{"attribute": "devAccess"}},
	})
}

// Subject is the strategy, opened on this fake by a way to sign in. The targets are
// all groups, or all attributes.
func (f *Fake) Subject(t testing.TB, way SignIn, targets []flow.Target) strategytest.Subject {
	t.Helper()
	deps, integration := f.Serve(t, way)
	cannot := map[strategytest.Case]string{
		strategytest.Pending:      "Tailscale answers when it is done",
		strategytest.PendingFails: "Tailscale answers when it is done",
		strategytest.Invitation:   "nobody is asked whether they want to be in a group, or have an attribute",
	}
	if way == ByToken {
		cannot[strategytest.ExpiredToken] = "an API access token that has ended is an administrator's to renew"
	}
	if targets[0].Type == tailscale.TargetPosture {
		cannot[strategytest.ConcurrentEdit] = "an attribute is set by itself, whatever else others set"
		cannot[strategytest.TargetGone] = "an attribute is there by being set"
		cannot[strategytest.OtherAuthority] = "an attribute of a device is set in one place only"
	} else {
		cannot[strategytest.StaleRead] = "a file is read with its version, and a change of any but the newest is refused"
	}
	return strategytest.Subject{
		Type: tailscale.Type(), Open: client.Open(deps), System: f,
		Strategy:   flow.Strategy{Name: "network", Type: "tailscale", Integration: integration, Targets: targets},
		Identities: people, Shared: true, Wait: f.Wait, Secrets: []string{ClientSecret, Token}, Cannot: cannot,
	}
}
