package client_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/okta/client"
	"github.com/symflows/symflows/internal/strategy/okta/oktafake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/vendorhttp"
)

func TestStrategy(t *testing.T) {
	t.Parallel()
	for name, integration := range map[string]func(*oktafake.Fake) *flow.Integration{"App": (*oktafake.Fake).App, "Token": (*oktafake.Fake).ByToken} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject {
				f := oktafake.New(t)
				return f.Subject(integration(f))
			})
		})
	}
}

// open gives a strategy of the fake's groups, and a call of it that is for alice.
func open(t *testing.T, f *oktafake.Fake, d client.Deps, i *flow.Integration) (strategy.Strategy, strategy.Call) {
	t.Helper()
	s := oktafake.Strategy(i)
	opened, err := client.Open(d)(s)
	if err != nil {
		t.Fatal(err)
	}
	return opened, strategy.Call{Target: s.Targets[0], Identity: oktafake.Alice, Class: strategy.Granting}
}

func look(t *testing.T, s strategy.Strategy, c strategy.Call) strategy.Sight {
	t.Helper()
	seen, err := s.(strategy.Observer).Observe(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestRules: whom a group rule holds is there before us, and told of; whom one takes
// over stays when our access ends, and is not excluded from it.
func TestRules(t *testing.T) {
	t.Parallel()
	f := oktafake.New(t)
	s, c := open(t, f, f.Deps(), f.App())
	const held = "the group rule Everybody of ops of Okta"
	f.AddRule("0pr1", "Everybody of ops", oktafake.Ops, oktafake.Bob)
	bob := c
	bob.Identity = oktafake.Bob
	if diff := cmp.Diff(strategy.Sight{Presence: flow.Present, Others: []string{held}}, look(t, s, bob)); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	if _, err := s.Grant(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strategy.Sight{Presence: flow.Present}, look(t, s, c)); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
	f.AddRule("0pr2", "All of ops", oktafake.Ops, oktafake.Alice)
	result, err := s.Revoke(t.Context(), c)
	if err != nil || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "the group rule All of ops of Okta holds the person") {
		t.Errorf("removed %+v, %v", result, err)
	}
	if !f.Has(c.Target, c.Identity) || f.Excluded("0pr2", oktafake.Alice) {
		t.Error("the removal has taken the person out of what a rule gives them")
	}
	c.Class = strategy.Removing
	if diff := cmp.Diff(strategy.Sight{Presence: flow.Absent, Others: []string{"the group rule All of ops of Okta"}}, look(t, s, c)); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

// TestRefused: who and what is not granted, and what people are told.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		when func(*oktafake.Fake)
		code flow.Code
		text string
	}{
		{"AppGroup", func(f *oktafake.Fake) { f.AddGroup(oktafake.Ops, "Domain Admins", "APP_GROUP") }, flow.CodeStrategy, "the group Domain Admins, which is of type APP_GROUP"},
		{"BuiltIn", func(f *oktafake.Fake) { f.AddGroup(oktafake.Ops, "Everyone", "BUILT_IN") }, flow.CodeStrategy, "is of type BUILT_IN"},
		{"Suspended", func(f *oktafake.Fake) { f.AddUser(oktafake.Alice, "alice@example.com", "", "SUSPENDED") }, flow.CodeIdentity, "is SUSPENDED, and only who is ACTIVE"},
		{"Deprovisioned", func(f *oktafake.Fake) { f.AddUser(oktafake.Alice, "alice@example.com", "", "DEPROVISIONED") }, flow.CodeIdentity, "is DEPROVISIONED"},
		{"NoScopes", func(f *oktafake.Fake) { f.Grant("okta.groups.read") }, flow.CodeStrategy, "grant it the scopes okta.groups.manage okta.users.read"},
		{"DPoP", (*oktafake.Fake).DemandDPoP, flow.CodeStrategy, "switch that off in the app's general settings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := oktafake.New(t)
			s, c := open(t, f, f.Deps(), f.App())
			test.when(f)
			if _, err := s.Grant(t.Context(), c); flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("got %v of %s, want %q of %s", err, flow.CodeOf(err), test.text, test.code)
			}
			if len(f.Changes()) > 0 {
				t.Error("it was tried all the same")
			}
		})
	}
}

// TestSignIn: one token serves calls of all runs; a wrong key is told; and what the
// vendor says of errors.
func TestSignIn(t *testing.T) {
	t.Parallel()
	f := oktafake.New(t)
	opener := client.Open(f.Deps())
	for range 3 {
		s, err := opener(oktafake.Strategy(f.App()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.(strategy.Lister).Holders(t.Context(), oktafake.Strategy(f.App()).Targets[0]); err != nil {
			t.Fatal(err)
		}
	}
	asked := len(slices.DeleteFunc(f.Calls(), func(c string) bool { return c != "POST /oauth2/v1/token" }))
	if asked != 1 {
		t.Errorf("signed in %d times", asked)
	}
	wrong := f.App()
	wrong.Settings["key_id"] = "another"
	s, c := open(t, f, f.Deps(), wrong)
	if _, err := s.Grant(t.Context(), c); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "Okta does not know the app, or the key") {
		t.Errorf("another key: %v", err)
	}
	f.SetMood(strategytest.Refusing)
	s, c = open(t, f, f.Deps(), f.ByToken())
	_, err := s.Grant(t.Context(), c)
	if said, ok := errors.AsType[*vendorhttp.Error](err); !ok || said.Code != "E0000006" || said.Message != "You do not have permission to perform the requested action" {
		t.Errorf("got %+v", said)
	}
	if _, err := client.Open(f.Deps())(flow.Strategy{Type: "okta"}); flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("without an integration: %v", err)
	}
}

// TestLooking: who only looks has a token that can do no more.
func TestLooking(t *testing.T) {
	t.Parallel()
	f := oktafake.New(t)
	d := f.Deps()
	d.Looking = true
	s, c := open(t, f, d, f.App())
	f.Give(c.Target, c.Identity)
	if seen := look(t, s, c); seen.Presence != flow.Present {
		t.Errorf("looking shows %+v", seen)
	}
	if _, err := s.Revoke(t.Context(), c); vendorhttp.StatusOf(err) != http.StatusForbidden || !f.Has(c.Target, c.Identity) {
		t.Errorf("changing: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	f := oktafake.New(t)
	s, _ := open(t, f, f.Deps(), f.App())
	f.AddUser("00ucarol000000000001", "carol", "carol@example.com", "ACTIVE")
	f.AddUser("00udave0000000000001", "dave@example.com", "dave@corp.example.com", "ACTIVE")
	f.AddUser("00udave0000000000002", "dave", "dave@example.com", "ACTIVE")
	f.AddUser("00uerin0000000000001", "erin@example.com", "erin@example.com", "LOCKED_OUT")
	f.AddUser("00ufrank000000000001", "frank", "frank@example.com", "ACTIVE")
	f.AddUser("00ufrank000000000002", "frank.old", "frank@example.com", "DEPROVISIONED")
	f.AddUser("00uquote000000000001", `o"brien@example.com`, `o"brien@example.com`, "ACTIVE")
	for _, test := range []struct{ email, id, text string }{
		{"alice@example.com", oktafake.Alice, ""},
		{"ALICE@example.com", oktafake.Alice, ""},
		{"carol@example.com", "00ucarol000000000001", ""},
		{"dave@corp.example.com", "00udave0000000000001", ""},
		{"frank@example.com", "00ufrank000000000001", ""},
		{`o"brien@example.com`, "00uquote000000000001", ""},
		{"dave@example.com", "", "has 2 users of acme.okta.com (00udave0000000000001, 00udave0000000000002)"},
		{"erin@example.com", "", "is LOCKED_OUT, and only who is ACTIVE"},
		{"nobody@example.com", "", "has no user at acme.okta.com"},
		{"", "", "has no e-mail address"},
	} {
		got, err := s.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: test.email})
		if got != test.id || (test.id == "") != (flow.CodeOf(err) == flow.CodeIdentity) || err != nil && !strings.Contains(flow.UserMessage(err), test.text) {
			t.Errorf("%q: got %q, %v; want %q or %q", test.email, got, err, test.id, test.text)
		}
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	f := oktafake.New(t)
	s, _ := open(t, f, f.Deps(), f.App())
	f.AddGroup("00gaaa00000000000001", "From the directory", "APP_GROUP")
	f.AddGroup("00gSec00000000000001", "Security", "OKTA_GROUP")
	got, err := s.(strategy.Discoverer).Discover(t.Context())
	want := []flow.Target{
		{Name: "okta_group-00gdev00000000000001", Type: "okta_group", Label: "Developers", Settings: map[string]string{"group_id": oktafake.Dev}},
		{Name: "okta_group-00gops00000000000001", Type: "okta_group", Label: "Operations", Settings: map[string]string{"group_id": oktafake.Ops}},
		{Name: "okta_group-00gsec00000000000001", Type: "okta_group", Label: "Security", Settings: map[string]string{"group_id": "00gSec00000000000001"}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

// TestWait: what Okta asks to wait is by its own clock, which may be another than ours.
func TestWait(t *testing.T) {
	t.Parallel()
	f := oktafake.New(t)
	s, c := open(t, f, f.Deps(), f.ByToken())
	f.SetMood(strategytest.Throttled)
	if _, err := s.Grant(t.Context(), c); flow.AskedToWait(err) != 8*time.Second {
		t.Errorf("asks to wait %s: %v", flow.AskedToWait(err), err)
	}
}
