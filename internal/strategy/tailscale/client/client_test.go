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
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/strategy/tailscale/client"
	"github.com/symflows/symflows/internal/strategy/tailscale/tailscalefake"
)

const (
	alice = "alice@example.com"
	bob   = "bob@example.com"
	run   = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
)

func TestStrategy(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) strategytest.Subject{
		"Groups": tailscalefake.Subject, "Posture": tailscalefake.PostureSubject,
		"Token": func(t testing.TB) strategytest.Subject {
			f := tailscalefake.WithPeople()
			return f.Subject(t, tailscalefake.ByToken, tailscalefake.Subject(t).Strategy.Targets)
		},
		"Federated": func(t testing.TB) strategytest.Subject {
			s, _ := federated(t)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject { return open(t) })
		})
	}
}

// federated signs in by AWS's identity token.
func federated(t testing.TB) (strategytest.Subject, *awsfake.Fake) {
	t.Helper()
	f, aws := tailscalefake.WithPeople(), awsfake.New()
	aws.STS.FederateOutbound()
	f.Trust(aws.STS.Trusted)
	s := f.Subject(t, tailscalefake.ByIdentity, tailscalefake.Subject(t).Strategy.Targets)
	deps, integration := f.Serve(t, tailscalefake.ByIdentity)
	deps.IdentityToken = (&webidentity.Tokens{Accounts: &account.Accounts{AWS: aws.Config(t), Now: aws.Now}}).Token
	s.Open, s.Strategy.Integration = client.Open(deps), integration
	return s, aws
}

// opened is the strategy of a subject, and its fake.
func opened(t *testing.T, s strategytest.Subject) (strategy.Strategy, *tailscalefake.Fake) {
	t.Helper()
	o, err := s.Open(s.Frozen())
	if err != nil {
		t.Fatal(err)
	}
	return o, s.System.(*tailscalefake.Fake)
}

func call(s strategytest.Subject, identity string) strategy.Call {
	return strategy.Call{RunID: run, Target: s.Strategy.Targets[0], Identity: identity}
}

// TestComments: a grant and its removal leave the file as it was, in all that is not
// ours.
func TestComments(t *testing.T) {
	t.Parallel()
	s := tailscalefake.Subject(t)
	o, f := opened(t, s)
	if _, err := o.Grant(t.Context(), call(s, alice)); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(tailscalefake.File, "\t\t\t\"lead@example.com\", // always\n\t\t]", "\t\t\t\"lead@example.com\", // always\n\t\t\t\"alice@example.com\"\n\t\t]", 1)
	if diff := cmp.Diff(want, f.Policy()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := o.Revoke(t.Context(), call(s, alice)); err != nil {
		t.Fatal(err)
	}
	// But for the comma behind the last one, which JSON does not need.
	if diff := cmp.Diff(strings.Replace(tailscalefake.File, `"lead@example.com", // always`, `"lead@example.com" // always`, 1), f.Policy()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestPolicy: what the policy file can be that a group is not simply changed in.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, identity string
		change         func(*tailscalefake.Fake)
		code           flow.Code
		says           string
	}{
		{"TestsFail", "mallory@example.com", func(*tailscalefake.Fake) {}, flow.CodeStrategy, `mallory@example.com: address "prod:22": want: Drop, got: Accept`},
		{"KeptElsewhere", alice, func(f *tailscalefake.Fake) { f.KeepElsewhere("https://github.com/acme/policy") }, flow.CodeStrategy, "is kept at https://github.com/acme/policy"},
		{"NoVersion", alice, func(f *tailscalefake.Fake) { f.Unversioned() }, flow.CodeStrategy, "which version"},
		{"NoGroup", alice, func(f *tailscalefake.Fake) { f.SetPolicy(`{"groups": {}}`) }, flow.CodeStrategy, "has no group:prod"},
		{"NoGroups", alice, func(f *tailscalefake.Fake) { f.SetPolicy(`{}`) }, flow.CodeStrategy, "has no group:prod"},
		{"Suspended", "carol@example.com", func(*tailscalefake.Fake) {}, flow.CodeIdentity, `"suspended"`},
		{"Twice", alice, func(f *tailscalefake.Fake) { f.AddUser("Alice@example.com", "active") }, flow.CodeIdentity, "2 users"},
		{"Warnings", alice, func(f *tailscalefake.Fake) {
			f.SetPolicy(strings.Replace(tailscalefake.File, "// Nobody", "// unsynced\n\t// Nobody", 1))
		}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := tailscalefake.Subject(t)
			o, f := opened(t, s)
			test.change(f)
			before := f.Policy()
			_, err := o.Grant(t.Context(), call(s, test.identity))
			if test.code == "" {
				if err != nil || f.Policy() == before {
					t.Errorf("got %v, and the file is changed: %t", err, f.Policy() != before)
				}
				return
			}
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.says) {
				t.Errorf("got %s: %v; want an error of %s that says %q", flow.CodeOf(err), err, test.code, test.says)
			}
			if f.Policy() != before {
				t.Error("the file was changed")
			}
		})
	}
}

// TestRemovalElsewhere: what is kept elsewhere is no reason to leave somebody in.
func TestRemovalElsewhere(t *testing.T) {
	t.Parallel()
	s := tailscalefake.Subject(t)
	o, f := opened(t, s)
	c := call(s, alice)
	if _, err := o.Grant(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	f.KeepElsewhere("")
	if _, err := o.Revoke(t.Context(), c); err != nil || f.Has(c.Target, alice) {
		t.Errorf("got %v, and has access: %t", err, f.Has(c.Target, alice))
	}
}

// TestOthersEdit: what somebody else changes between our reading and our writing
// stays.
func TestOthersEdit(t *testing.T) {
	t.Parallel()
	s := tailscalefake.Subject(t)
	o, f := opened(t, s)
	f.SetMood(strategytest.Conflicted)
	if _, err := o.Grant(t.Context(), call(s, alice)); err != nil {
		t.Fatal(err)
	}
	if !f.Has(s.Strategy.Targets[0], alice) || !strings.Contains(f.Policy(), "// Changed by somebody else.") || f.Refused() != 1 {
		t.Errorf("%d were refused, and the file is\n%s", f.Refused(), f.Policy())
	}
}

// TestLeft: who left the tailnet stands in the file until we take them out.
func TestLeft(t *testing.T) {
	t.Parallel()
	s := tailscalefake.Subject(t)
	o, f := opened(t, s)
	if _, err := o.Grant(t.Context(), call(s, alice)); err != nil {
		t.Fatal(err)
	}
	f.DeletePerson(alice)
	result, err := o.Revoke(t.Context(), call(s, alice))
	if err != nil || len(result.Warnings) != 1 || strings.Contains(f.Policy(), alice) {
		t.Errorf("got %v, %v, and the file is\n%s", result.Warnings, err, f.Policy())
	}
}

// TestFederated: AWS's word is exchanged once for as long as Tailscale's token
// lives, and what is wrong with the trust is said.
func TestFederated(t *testing.T) {
	t.Parallel()
	s, aws := federated(t)
	o, f := opened(t, s)
	exchanges := func() (n int) {
		for _, c := range f.Calls() {
			if c == "POST /api/v2/oauth/token-exchange" {
				n++
			}
		}
		return n
	}
	for range 2 {
		if _, err := o.(strategy.Observer).Observe(t.Context(), call(s, alice)); err != nil {
			t.Fatal(err)
		}
	}
	if exchanges() != 1 || len(aws.Calls("sts")) != 1 {
		t.Errorf("%d exchanges of %d tokens, want one of one", exchanges(), len(aws.Calls("sts")))
	}
	f.Advance(time.Hour)
	aws.Advance(time.Hour)
	f.Trust(func(word, audience string) (string, error) { return "arn:aws:iam::123456789012:role/other", nil })
	_, err := o.(strategy.Observer).Observe(t.Context(), call(s, alice))
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "the ARN of our role as its subject") {
		t.Errorf("got %s: %v", flow.CodeOf(err), err)
	}
}

// TestLooking: an OAuth client gives those who only look tokens that read only.
func TestLooking(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) strategytest.Subject{"Groups": tailscalefake.Subject, "Posture": tailscalefake.PostureSubject} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			f := s.System.(*tailscalefake.Fake)
			deps, integration := f.Serve(t, tailscalefake.ByClient)
			deps.Looking = true
			s.Open, s.Strategy.Integration = client.Open(deps), integration
			o, _ := opened(t, s)
			f.Give(s.Strategy.Targets[0], alice)
			if got, err := o.(strategy.Lister).Holders(t.Context(), s.Strategy.Targets[0]); err != nil || !slices.Contains(got, alice) {
				t.Errorf("listed %q, %v", got, err)
			}
			if seen, err := o.(strategy.Observer).Observe(t.Context(), call(s, alice)); err != nil || seen.Presence != flow.Present {
				t.Errorf("observed %+v, %v", seen, err)
			}
			if _, err := o.Revoke(t.Context(), call(s, alice)); flow.CodeOf(err) != flow.CodeStrategy || !f.Has(s.Strategy.Targets[0], alice) {
				t.Errorf("a removal by who may only look: %v", err)
			}
		})
	}
}

// TestPosture: an attribute is set on all devices that somebody has, with an end
// that is moved and cleared, and what others set is left.
func TestPosture(t *testing.T) {
	t.Parallel()
	const name = "custom:prodAccess"
	s := tailscalefake.PostureSubject(t)
	o, f := opened(t, s)
	f.AddDevice(tailscalefake.Device{ID: "na2CNTRL", User: "Alice@example.com"})
	f.AddDevice(tailscalefake.Device{ID: "na3CNTRL", User: alice, Tags: []string{"tag:ci"}})
	f.AddDevice(tailscalefake.Device{ID: "na4CNTRL", User: alice, External: true})
	expect := func(until time.Time, devices ...string) {
		t.Helper()
		for _, id := range []string{"na1CNTRL", "na2CNTRL", "na3CNTRL", "na4CNTRL", "na5CNTRL", "nb1CNTRL"} {
			if id == "na5CNTRL" && len(devices) > 0 && !slices.Contains(devices, id) {
				continue
			}
			value, end := f.Attribute(id, name)
			if (value == true) != slices.Contains(devices, id) || value == true && !end.Equal(until) {
				t.Errorf("%s has %v until %s, and %q are to have it until %s", id, value, end, devices, until)
			}
		}
		seen, err := o.(strategy.Observer).Observe(t.Context(), call(s, alice))
		if err != nil || (seen.Presence == flow.Present) != (len(devices) > 0) || !seen.Until.Equal(until) {
			t.Errorf("observed %+v, %v; want until %s", seen, err, until)
		}
	}
	f.AddDevice(tailscalefake.Device{ID: "na5CNTRL", User: bob})
	c := call(s, alice)
	first := f.Now().Add(time.Hour)
	for _, until := range []time.Time{first, first.Add(time.Hour), first.Add(-time.Minute), {}, first} {
		c.Until = until
		result, err := o.Grant(t.Context(), c)
		if err != nil || !strings.Contains(string(result.Output), "na2CNTRL") {
			t.Fatalf("got %s, %v", result.Output, err)
		}
		expect(until, "na1CNTRL", "na2CNTRL")
	}
	// A device that is tagged later is nobody's own, and loses it nevertheless.
	f.Tag("na2CNTRL", "tag:server")
	// What somebody else sets meanwhile is theirs.
	f.Set("na1CNTRL", name, false, time.Time{})
	result, err := o.Revoke(t.Context(), c)
	if value, _ := f.Attribute("na1CNTRL", name); err != nil || value != false || len(result.Warnings) != 1 {
		t.Errorf("got %q, %v, and what another has set is %v", result.Warnings, err, value)
	}
	expect(time.Time{})
	if _, err := o.Grant(t.Context(), c); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "somebody else has set") {
		t.Errorf("granting over what another has set: %v", err)
	}
	f.Set("na1CNTRL", name, true, first)
	f.Advance(2 * time.Hour)
	expect(time.Time{}) // it has ended by itself
}

// TestPosture_NoDevice says what to do.
func TestPosture_NoDevice(t *testing.T) {
	t.Parallel()
	s := tailscalefake.PostureSubject(t)
	o, _ := opened(t, s)
	for who, want := range map[string]struct {
		code flow.Code
		says string
	}{
		"mallory@example.com": {flow.CodeStrategy, "sign in to Tailscale on the device"},
		"lead@example.com":    {flow.CodeStrategy, "has no device"}, // but a server
		"carol@example.com":   {flow.CodeIdentity, "suspended"},
		"nobody@example.com":  {flow.CodeIdentity, "is no user of the tailnet"},
	} {
		if _, err := o.Grant(t.Context(), call(s, who)); flow.CodeOf(err) != want.code || !strings.Contains(flow.UserMessage(err), want.says) {
			t.Errorf("%s: got %s: %v", who, flow.CodeOf(err), err)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := tailscalefake.Subject(t)
	o, f := opened(t, s)
	f.AddUser("dan@github", "active")
	for email, want := range map[string]string{
		"Alice@Example.com": alice, bob: bob, "dan@github": "dan@github",
		"carol@example.com": "", "nobody@example.com": "", "": "",
	} {
		got, err := o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: email, Name: "A Person"})
		if got != want || want == "" && flow.CodeOf(err) != flow.CodeIdentity {
			t.Errorf("%s: got %q, %v; want %q", email, got, err, want)
		}
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	s := tailscalefake.Subject(t)
	o, _ := opened(t, s)
	found, err := o.(strategy.Discoverer).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range found {
		got = append(got, fmt.Sprint(target.Name, " ", target.Label, " ", target.Settings))
	}
	want := []string{
		"tailscale_group-contractors group:contractors map[group_name:group:contractors]",
		"tailscale_group-dev group:dev map[group_name:group:dev]",
		"tailscale_group-prod group:prod map[group_name:group:prod]",
		"tailscale_posture-prodaccess custom:prodAccess map[attribute:custom:prodAccess]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.Strategy.Targets = found
	if faults := s.Type.Check(s.Strategy); len(faults) > 0 {
		t.Errorf("what is found has faults: %v", faults)
	}
}

// TestSecret: a secret that can't be read is the error that says so.
func TestSecret(t *testing.T) {
	t.Parallel()
	for _, way := range []tailscalefake.SignIn{tailscalefake.ByClient, tailscalefake.ByToken} {
		s := tailscalefake.Subject(t)
		deps, integration := s.System.(*tailscalefake.Fake).Serve(t, way)
		deps.Secrets = broken{}
		s.Open, s.Strategy.Integration = client.Open(deps), integration
		o, _ := opened(t, s)
		if _, err := o.Grant(t.Context(), call(s, alice)); flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(flow.UserMessage(err), "set one") {
			t.Errorf("%d: got %v", way, err)
		}
	}
}

type broken struct{}

func (broken) Value(context.Context, flow.SecretRef) (string, error) {
	return "", flow.Errorf(flow.CodeUnavailable, "secret tailscale has no value: set one")
}
