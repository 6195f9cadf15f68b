package client_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/aptible"
	"github.com/symflows/symflows/internal/strategy/aptible/aptiblefake"
	"github.com/symflows/symflows/internal/strategy/aptible/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/vendorhttp"
)

// TestStrategy: the rules hold whatever links resources have.
func TestStrategy(t *testing.T) {
	t.Parallel()
	for _, bare := range []bool{false, true} {
		t.Run(fmt.Sprintf("Bare=%t", bare), func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject {
				s := aptiblefake.Subject(t)
				s.System.(*aptiblefake.Fake).Bare = bare
				return s
			})
		})
	}
}

// opened gives the strategy over a fake.
func opened(t *testing.T) (*aptiblefake.Fake, strategy.Strategy, flow.Strategy) {
	t.Helper()
	s := aptiblefake.Subject(t)
	return s.System.(*aptiblefake.Fake), s.Opened(t), s.Strategy
}

// TestDouble: of what others do at the same time, one membership is left, and all of
// a person's are removed.
func TestDouble(t *testing.T) {
	t.Parallel()
	fake, o, s := opened(t)
	call := strategy.Call{Target: s.Targets[0], Identity: aptiblefake.Alice}
	fake.Race()
	for range 2 {
		if _, err := o.Grant(t.Context(), call); err != nil || fake.Memberships(aptiblefake.Production) != 1 {
			t.Errorf("granted: %v; there are %d memberships", err, fake.Memberships(aptiblefake.Production))
		}
	}
	fake.Give(s.Targets[0], aptiblefake.Alice)
	fake.Give(s.Targets[0], aptiblefake.Bob)
	if _, err := o.Revoke(t.Context(), call); err != nil || fake.Memberships(aptiblefake.Production) != 1 || !fake.Has(s.Targets[0], aptiblefake.Bob) {
		t.Errorf("removed: %v; there are %d memberships", err, fake.Memberships(aptiblefake.Production))
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	const one, two, three = "cccccccc-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000002", "cccccccc-0000-4000-8000-000000000003"
	for _, test := range []struct {
		email, want string // "": refused
		text        string
	}{
		{email: "Alice@Example.com", want: aptiblefake.Alice},
		{email: "carol@example.com", text: "Carol is not in the organization at Aptible with their e-mail address: invite them there, or have an administrator save the id"},
		{email: "", text: "save the id"},
		{email: "double@example.com", text: "Carol has 2 users in the organization at Aptible (" + one + ", " + two + "): have an administrator save the id"},
		{email: "claimed@example.com", text: "the user of Carol at Aptible has not verified their e-mail address"},
	} {
		for _, page := range []int{1, 100} {
			fake, o, _ := opened(t)
			fake.Page = page
			fake.AddUser(one, "double@example.com", true)
			fake.AddUser(two, "double@example.com", true)
			fake.AddUser(three, "claimed@example.com", false)
			got, err := o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Name: "Carol", Email: test.email})
			if got != test.want || test.want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), test.text)) {
				t.Errorf("%d at once, %q: got %q, %v; want %q, or %q", page, test.email, got, err, test.want, test.text)
			}
		}
	}
}

// TestOrganization: the external_id says which is meant, by id, handle or name. It
// may be left out where we see one only, and must not name another.
func TestOrganization(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		external string
		others   bool // we see another organization
		refused  bool
	}{
		{aptiblefake.Organization, true, false},
		{"acme", true, false},
		{"production", true, true},
		{"production", false, true},
		{"", false, false},
		{"", true, true},
	} {
		fake, _, s := opened(t)
		if test.others {
			fake.AddOrganization("0f0f0f0f-0000-4000-8000-000000000000", "Other")
		}
		s.Integration.ExternalID = test.external
		o, err := client.Open(vendorhttp.Deps{HTTP: http.DefaultClient, Secrets: aptiblefake.Secrets(), Now: time.Now})(s)
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: "alice@example.com"})
		if refused := flow.CodeOf(err) == flow.CodeStrategy && strings.Contains(err.Error(), "write the id of the one that is meant there"); refused != test.refused || !refused && err != nil {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	for _, bare := range []bool{false, true} {
		fake, o, s := opened(t)
		fake.Bare, fake.Page = bare, 2
		fake.AddRole("33333333-0000-4000-8000-000000000033", "Billing")
		found, err := o.(strategy.Discoverer).Discover(t.Context())
		var labels []string
		for _, target := range found {
			labels = append(labels, target.Label)
			if err := flow.CheckName(target.Name); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]string{"Production", "Support", "Billing"}, labels); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
		s.Targets = found
		if faults := aptible.Type().Check(s); len(faults) > 0 {
			t.Errorf("what was found has faults: %v", faults)
		}
	}
}

// TestLooking: who only looks has a token that can't do more.
func TestLooking(t *testing.T) {
	t.Parallel()
	fake, _, s := opened(t)
	fake.Give(s.Targets[0], aptiblefake.Alice)
	o, err := client.Open(vendorhttp.Deps{HTTP: http.DefaultClient, Secrets: aptiblefake.Secrets(), Now: time.Now, Looking: true})(s)
	if err != nil {
		t.Fatal(err)
	}
	call := strategy.Call{Target: s.Targets[0], Identity: aptiblefake.Alice}
	if holders, err := o.(strategy.Lister).Holders(t.Context(), s.Targets[0]); err != nil || len(holders) != 1 {
		t.Errorf("listed %q, %v", holders, err)
	}
	if _, err := o.Revoke(t.Context(), call); flow.CodeOf(err) != flow.CodeStrategy || !fake.Has(s.Targets[0], aptiblefake.Alice) {
		t.Errorf("it removes: %v", err)
	}
}

// TestSignIn: what keeps us from signing in is told, and the password is not, though
// Aptible repeats it.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		secrets string
		change  func(*aptiblefake.Fake)
		text    string
	}{
		"WrongPassword": {`{"username": "robot@example.com", "password": "s3cret-wrong"}`, func(*aptiblefake.Fake) {}, "renew the secret of the integration"},
		"SecondFactor":  {aptiblefake.Secrets()["/sym/aptible"], func(f *aptiblefake.Fake) { f.SecondFactor = true }, "wants a second factor of the robot user"},
		"NoPassword":    {`{"username": "robot@example.com", "password": ""}`, func(*aptiblefake.Fake) {}, `secret "password" is empty`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, _, s := opened(t)
			test.change(fake)
			o, err := client.Open(vendorhttp.Deps{HTTP: http.DefaultClient, Secrets: strategytest.Vault{"/sym/aptible": test.secrets}, Now: time.Now})(s)
			if err != nil {
				t.Fatal(err)
			}
			_, err = o.Grant(t.Context(), strategy.Call{Target: s.Targets[0], Identity: aptiblefake.Alice})
			if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), test.text) || strings.Contains(err.Error(), "s3cret-wrong") || strings.Contains(err.Error(), aptiblefake.Password) {
				t.Errorf("got %v", err)
			}
			if len(fake.Changes()) > 0 {
				t.Error("it was asked without a token")
			}
		})
	}
}

// TestHidden: a role that Aptible does not show to us does not count as gone.
func TestHidden(t *testing.T) {
	t.Parallel()
	for name, hide := range map[string]func(*aptiblefake.Fake, flow.Target){
		"Expelled": func(f *aptiblefake.Fake, _ flow.Target) { f.Expel() },
		"Role":     (*aptiblefake.Fake).Hide,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, o, s := opened(t)
			call := strategy.Call{Target: s.Targets[0], Identity: aptiblefake.Alice}
			if _, err := o.Grant(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			hide(fake, s.Targets[0])
			if _, err := o.Revoke(t.Context(), call); flow.CodeOf(err) != flow.CodeStrategy {
				t.Errorf("the access counts as removed: %v", err)
			}
			if seen, err := o.(strategy.Observer).Observe(t.Context(), call); flow.CodeOf(err) != flow.CodeStrategy {
				t.Errorf("the access counts as %s: %v", seen.Presence, err)
			}
			if !fake.Has(s.Targets[0], aptiblefake.Alice) {
				t.Error("it is not there any more")
			}
		})
	}
}
