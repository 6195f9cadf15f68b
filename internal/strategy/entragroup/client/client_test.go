package client_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/aws/webidentity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/entragroup"
	"github.com/symflows/symflows/internal/strategy/entragroup/client"
	"github.com/symflows/symflows/internal/strategy/entragroup/entragroupfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const run = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"

func TestStrategy(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) strategytest.Subject{
		"Members": entragroupfake.Subject, "PIM": entragroupfake.PIMSubject, "Federated": federated,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject { return open(t) })
		})
	}
}

// federated signs in by AWS's identity token.
func federated(t testing.TB) strategytest.Subject {
	t.Helper()
	s, aws := entragroupfake.Subject(t), awsfake.New()
	aws.STS.FederateOutbound()
	f := s.System.(*entragroupfake.Fake)
	f.Trust(aws.STS.Trusted)
	deps, integration := f.Serve(t, false)
	deps.IdentityToken = (&webidentity.Tokens{Accounts: &account.Accounts{AWS: aws.Config(t), Now: aws.Now}}).Token
	s.Open, s.Strategy.Integration = client.Open(deps), integration
	return s
}

func opened(t *testing.T, s strategytest.Subject) (strategy.Strategy, *entragroupfake.Fake) {
	t.Helper()
	o, err := s.Open(s.Frozen())
	if err != nil {
		t.Fatal(err)
	}
	return o, s.System.(*entragroupfake.Fake)
}

func call(s strategytest.Subject, identity string) strategy.Call {
	return strategy.Call{RunID: run, Target: s.Strategy.Targets[0], Identity: identity}
}

// TestRefused: who can't be made a member, and of what nobody can.
func TestRefused(t *testing.T) {
	t.Parallel()
	const other = "cafe2a52-3f68-4f7e-9b1d-6a5d3c2b1a00"
	for _, test := range []struct {
		name     string
		group    entragroupfake.Group
		identity string
		code     flow.Code
		says     string
	}{
		{"Dynamic", entragroupfake.Group{ID: other, Name: "All of Berlin", Dynamic: true}, entragroupfake.Alice, flow.CodeStrategy, "by a rule"},
		{"OnPremises", entragroupfake.Group{ID: other, Name: "Domain Admins", OnPremises: true}, entragroupfake.Alice, flow.CodeStrategy, "directory of your own"},
		{"Distribution", entragroupfake.Group{ID: other, Name: "News", Distributes: true}, entragroupfake.Alice, flow.CodeStrategy, "Exchange"},
		{"Disabled", entragroupfake.Group{ID: other, Name: "Ops"}, entragroupfake.Disabled, flow.CodeIdentity, "is disabled"},
		{"Nobody", entragroupfake.Group{ID: other, Name: "Ops"}, "ffff2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", flow.CodeIdentity, "has no user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range []strategytest.Subject{entragroupfake.Subject(t), entragroupfake.PIMSubject(t)} {
				o, f := opened(t, s)
				f.AddGroup(test.group)
				c := call(s, test.identity)
				c.Target.Settings = map[string]string{entragroup.SettingGroup: other}
				_, err := o.Grant(t.Context(), c)
				if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.says) || len(f.Changes()) > 0 {
					t.Errorf("got %s: %v, after %v; want an error of %s that says %q", flow.CodeOf(err), err, f.Changes(), test.code, test.says)
				}
			}
		})
	}
}

// TestOther400: what is there already is told apart from all else that is a bad
// request.
func TestOther400(t *testing.T) {
	t.Parallel()
	s := entragroupfake.Subject(t)
	o, f := opened(t, s)
	f.SetMood(strategytest.Stale) // the group is shown as it was before it was synchronised
	f.AddGroup(entragroupfake.Group{ID: entragroupfake.Operators, Name: "Operators", OnPremises: true})
	_, err := o.Grant(t.Context(), call(s, entragroupfake.Alice))
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "on-premises mastered") {
		t.Errorf("got %s: %v", flow.CodeOf(err), err)
	}
}

// TestSignIn: a token is asked for once, and what is wrong with a sign-in is said.
func TestSignIn(t *testing.T) {
	t.Parallel()
	s := federated(t)
	o, f := opened(t, s)
	for range 2 {
		if _, err := o.(strategy.Observer).Observe(t.Context(), call(s, entragroupfake.Alice)); err != nil {
			t.Fatal(err)
		}
	}
	asked := slices.DeleteFunc(f.Calls(), func(c string) bool { return !strings.HasSuffix(c, "/token") })
	if diff := cmp.Diff([]string{"POST /" + entragroupfake.Tenant + "/oauth2/v2.0/token"}, asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	f.Advance(time.Hour)
	f.Trust(func(string, string) (string, error) { return "arn:aws:iam::123456789012:role/other", nil })
	if _, err := o.Grant(t.Context(), call(s, entragroupfake.Alice)); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "the ARN of our role as its subject") || !strings.Contains(flow.UserMessage(err), "AADSTS70021") {
		t.Errorf("an app that does not trust us: %v", err)
	}
	s = entragroupfake.Subject(t)
	deps, integration := s.System.(*entragroupfake.Fake).Serve(t, true)
	deps.Secrets = fixed("wrong-secret")
	s.Open, s.Strategy.Integration = client.Open(deps), integration
	o, _ = opened(t, s)
	if _, err := o.Grant(t.Context(), call(s, entragroupfake.Alice)); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "client secret") || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("a wrong secret: %v", err)
	}
}

type fixed string

func (f fixed) Value(context.Context, flow.SecretRef) (string, error) { return string(f), nil }

// TestPIM: an end that PIM would not take is moved to the nearest that it does, an end
// by PIM's clock ends the access, and what people activate themselves is theirs.
func TestPIM(t *testing.T) {
	t.Parallel()
	s := entragroupfake.PIMSubject(t)
	o, f := opened(t, s)
	c := call(s, entragroupfake.Alice)
	c.Until = f.Now().Add(time.Minute)
	if _, err := o.Grant(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := f.Until(c.Target, c.Identity); !got.Equal(f.Now().Add(5 * time.Minute)) {
		t.Errorf("it ends at %s, want five minutes after %s", got, f.Now())
	}
	f.Advance(5 * time.Minute)
	seen := func() strategy.Sight {
		t.Helper()
		sight, err := o.(strategy.Observer).Observe(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return sight
	}
	if seen().Presence != flow.Absent || f.Has(c.Target, c.Identity) {
		t.Error("it has not ended by itself")
	}
	f.Activate(entragroupfake.Operators, entragroupfake.Alice)
	if sight := seen(); sight.Presence != flow.Absent || len(sight.Others) != 1 {
		t.Errorf("their own activation is seen as %+v", sight)
	}
	c.Until = f.Now().Add(2 * entragroupfake.Longest)
	if _, err := o.Grant(t.Context(), c); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "ExpirationRule") {
		t.Errorf("longer than PIM allows: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := entragroupfake.Subject(t)
	o, f := opened(t, s)
	f.AddUser("1dea2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", "dan@example.com", "o'hara@example.com", true)
	f.AddUser("2dea2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", "erin1@example.com", "erin@example.com", true)
	f.AddUser("3dea2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", "erin@example.com", "", true)
	f.AddUser("4dea2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", "frank@example.com", "", true)
	f.AddUser("5dea2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", "frank.old@example.com", "frank@example.com", false)
	for email, want := range map[string]string{
		"Alice@Example.com": entragroupfake.Alice, "bob@example.com": entragroupfake.Bob,
		"o'hara@example.com": "1dea2a52-3f68-4f7e-9b1d-6a5d3c2b1a00",
		"frank@example.com":  "4dea2a52-3f68-4f7e-9b1d-6a5d3c2b1a00",
		"erin@example.com":   "", // two of them
		"carol@example.com":  "", // disabled
		"nobody@example.com": "", "": "",
	} {
		got, err := o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: email, Name: "A Person"})
		if got != want || want == "" && flow.CodeOf(err) != flow.CodeIdentity {
			t.Errorf("%s: got %q, %v; want %q", email, got, err, want)
		}
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	s := entragroupfake.Subject(t)
	o, f := opened(t, s)
	f.AddGroup(entragroupfake.Group{ID: "cafe2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", Name: "All of Berlin", Dynamic: true})
	f.AddGroup(entragroupfake.Group{ID: "EEEE2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", Name: "Editors"})
	found, err := o.(strategy.Discoverer).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range found {
		got = append(got, fmt.Sprint(target.Name, " ", target.Label))
	}
	want := []string{
		"entra_group-" + entragroupfake.Operators + " Operators",
		"entra_group-" + entragroupfake.Developers + " Developers",
		"entra_group-eeee2a52-3f68-4f7e-9b1d-6a5d3c2b1a00 Editors",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.Strategy.Targets = found
	if faults := s.Type.Check(s.Strategy); len(faults) > 0 {
		t.Errorf("what is found has faults: %v", faults)
	}
}
