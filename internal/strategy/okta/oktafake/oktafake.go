// Package oktafake stands for Okta in tests: one organisation, with people, groups,
// rules and the apps that sign in. It speaks Okta's Management API and OAuth 2.0 as
// they are documented (https://developer.okta.com/docs/api/), and is as strict: who
// has no token, the wrong scope or an unknown parameter is refused.
//
//	oktafake.go  Fake: what the organisation has; Subject
//	api.go       the calls
//	oauth.go     how apps sign in
//	shapes.go    what of it Okta's own description has
package oktafake

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/appkey"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/okta"
	"github.com/symflows/symflows/internal/strategy/okta/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// What the organisation has from the start.
const (
	Domain = "acme.okta.com"
	Ops    = "00gops00000000000001"
	Dev    = "00gdev00000000000001"
	Alice  = "00ualice000000000001"
	Bob    = "00ubob00000000000001"
	Client = "0oaapp00000000000001" // of the app that signs in with Key
	KeyID  = "key-1"
	Token  = "00token-of-an-administrator-of-acme" // an API token
)

// Key is the app's private key.
var Key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// PEM is the app's private key as Okta gives it.
func PEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(Key())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Fake is Okta. Methods are safe for concurrent use.
type Fake struct {
	*strategytest.Front
	URL string

	mu      sync.Mutex
	clock   func() time.Time
	users   map[string]user
	groups  map[string]group
	members map[string]bool // "group user"
	shown   map[string]bool // what a Stale organisation shows; nil: what is there
	rules   map[string]rule
	granted string            // scopes that the app may ask for
	scopes  map[string]string // of tokens of apps
	used    map[string]bool   // assertions, by their ids
	dpop    bool
	perPage int // how many a page has at most
}

type user struct{ ID, Login, Email, Status string }

type group struct{ ID, Name, Type string }

// rule is an active group rule.
type rule struct {
	ID, Name, Group string
	holds, excluded map[string]bool // users
}

// New gives an organisation with the groups Ops and Dev, and the people alice and
// bob, served until the test ends.
func New(t testing.TB) *Fake {
	f := &Fake{
		clock: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }, users: map[string]user{}, groups: map[string]group{}, members: map[string]bool{},
		rules: map[string]rule{}, granted: "okta.groups.manage okta.groups.read okta.users.read", scopes: map[string]string{}, used: map[string]bool{}, perPage: 2,
	}
	f.Front = f.front()
	f.Front.Shapes, f.Front.T = shapes, t
	f.AddGroup(Ops, "Operations", "OKTA_GROUP")
	f.AddGroup(Dev, "Developers", "OKTA_GROUP")
	f.AddUser(Alice, "alice@example.com", "alice@example.com", "ACTIVE")
	f.AddUser(Bob, "bob@example.com", "bob@example.com", "ACTIVE")
	server := httptest.NewServer(f.Front)
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// Now is the time that Okta has.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock()
}

// GoBy has Okta go by another clock.
func (f *Fake) GoBy(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = now
}

// AddUser makes a user, or changes one.
func (f *Fake) AddUser(id, login, email, status string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[id] = user{id, login, email, status}
}

// AddGroup makes a group of a type: OKTA_GROUP, APP_GROUP or BUILT_IN.
func (f *Fake) AddGroup(id, name, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups[id] = group{id, name, kind}
}

// AddRule makes an active group rule that puts people into a group.
func (f *Fake) AddRule(id, name, group string, people ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := rule{id, name, group, map[string]bool{}, map[string]bool{}}
	for _, p := range people {
		r.holds[p] = true
		f.members[group+" "+p] = true
	}
	f.rules[id] = r
}

// Excluded tells whether Okta has excluded a person from a rule, as it does with
// those who are taken out of the rule's group.
func (f *Fake) Excluded(rule, person string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rules[rule].excluded[person]
}

// Grant says which scopes the app may ask for.
func (f *Fake) Grant(scopes string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.granted = scopes
}

// DemandDPoP has the app need proof of possession.
func (f *Fake) DemandDPoP() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dpop = true
}

// SetMood implements strategytest.System. Who is Stale shows the members of now.
func (f *Fake) SetMood(m strategytest.Mood) {
	f.mu.Lock()
	f.shown = nil
	if m == strategytest.Stale {
		f.shown = maps.Clone(f.members)
	}
	f.mu.Unlock()
	f.Front.SetMood(m)
}

// Has implements strategytest.System.
func (f *Fake) Has(target flow.Target, identity string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members[target.Settings[okta.SettingGroup]+" "+identity]
}

// Give implements strategytest.Outsider.
func (f *Fake) Give(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[target.Settings[okta.SettingGroup]+" "+identity] = true
}

// Take implements strategytest.Outsider.
func (f *Fake) Take(target flow.Target, identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.members, target.Settings[okta.SettingGroup]+" "+identity)
}

// DeleteTarget implements strategytest.Deleter.
func (f *Fake) DeleteTarget(target flow.Target) {
	id := target.Settings[okta.SettingGroup]
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.groups, id)
	maps.DeleteFunc(f.members, func(m string, _ bool) bool { return strings.HasPrefix(m, id+" ") })
}

// DeletePerson implements strategytest.Deleter.
func (f *Fake) DeletePerson(identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.users, identity)
	maps.DeleteFunc(f.members, func(m string, _ bool) bool { return strings.HasSuffix(m, " "+identity) })
}

// Secrets has the app's key, and the API token, by the paths that [Fake.App] and
// [Fake.ByToken] name.
type Secrets struct{}

// Value implements strategy.Secrets.
func (Secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	switch ref.Path {
	case "/sym/okta-key":
		return PEM(), nil
	case "/sym/okta-token":
		return Token + "\n", nil // as people paste it
	}
	return "", flow.Errorf(flow.CodeUnavailable, "there is no secret %s", ref.Path)
}

// App is the integration of the app that signs in with its key.
func (f *Fake) App() *flow.Integration {
	return &flow.Integration{
		Name: "okta", Type: "okta", ExternalID: Domain,
		Settings: map[string]string{strategy.SettingAPIURL: f.URL, okta.SettingClient: Client, okta.SettingKeyID: KeyID},
		Secrets:  map[string]flow.SecretRef{strategy.SettingPrivateKey: {Name: "okta-key", Source: "aws_secrets_manager", Path: "/sym/okta-key"}},
	}
}

// ByToken is an integration with an API token.
func (f *Fake) ByToken() *flow.Integration {
	return &flow.Integration{
		Name: "okta", Type: "okta", ExternalID: Domain, Settings: map[string]string{strategy.SettingAPIURL: f.URL},
		Secrets: map[string]flow.SecretRef{okta.SettingToken: {Name: "okta-token", Source: "aws_secrets_manager", Path: "/sym/okta-token"}},
	}
}

// Strategy is one of groups Ops and Dev, with an integration.
func Strategy(i *flow.Integration) flow.Strategy {
	return flow.Strategy{Name: "groups", Type: "okta", Integration: i, Targets: []flow.Target{
		{Name: "ops", Type: okta.TargetGroup, Settings: map[string]string{okta.SettingGroup: Ops}},
		{Name: "dev", Type: okta.TargetGroup, Settings: map[string]string{okta.SettingGroup: Dev}},
	}}
}

// Deps is what the strategy works with, on this fake.
func (f *Fake) Deps() client.Deps {
	return client.Deps{HTTP: &http.Client{}, Secrets: Secrets{}, Keys: appkey.Keys{Secrets: Secrets{}}, Now: f.Now}
}

// Subject opens the strategy on an organisation of its own, by an app that signs in
// with its key.
func Subject(t testing.TB) strategytest.Subject {
	f := New(t)
	return f.Subject(f.App())
}

// Subject opens the strategy on the organisation, by an integration.
func (f *Fake) Subject(i *flow.Integration) strategytest.Subject {
	cannot := map[strategytest.Case]string{
		strategytest.Pending:        "Okta answers when it is done",
		strategytest.PendingFails:   "Okta answers when it is done",
		strategytest.Invitation:     "Okta asks nobody",
		strategytest.ConcurrentEdit: "each membership is changed by itself, whatever others change",
		strategytest.OtherAuthority: "a rule makes the same membership that we do, so that whom it holds is there: the client's own tests have rules",
	}
	if _, token := i.Secrets[okta.SettingToken]; token {
		cannot[strategytest.ExpiredToken] = "an API token does not expire while it is used, and there is no other to get"
	}
	return strategytest.Subject{
		Type: okta.Type(), Open: client.Open(f.Deps()), System: f, Strategy: Strategy(i), Identities: [2]string{Alice, Bob}, Shared: true,
		Wait: wait, Secrets: []string{Token, PEM(), strings.Split(PEM(), "\n")[1]}, Cannot: cannot,
	}
}

// wait is what Okta asks for when it throttles, with the second that clients add.
const wait = 8 * time.Second

func (f *Fake) String() string { return fmt.Sprintf("Okta of %s", Domain) }
