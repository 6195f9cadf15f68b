package client_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/onelogin"
	"github.com/symflows/symflows/internal/strategy/onelogin/oneloginfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// accounts are the two ways in which accounts of OneLogin are known to answer.
var accounts = map[string]func(*oneloginfake.Fake){"Newer": func(*oneloginfake.Fake) {}, "Older": (*oneloginfake.Fake).Older}

func TestStrategy(t *testing.T) {
	t.Parallel()
	for name, set := range accounts {
		for level, order := range map[string]func([]flow.Target){"Member": func([]flow.Target) {}, "Admin": slices.Reverse[[]flow.Target]} {
			t.Run(name+level, func(t *testing.T) {
				t.Parallel()
				strategytest.Run(t, func(t *testing.T) strategytest.Subject {
					s := oneloginfake.Subject(t)
					set(s.System.(*oneloginfake.Fake))
					order(s.Strategy.Targets)
					return s
				})
			})
		}
	}
}

// opened gives the strategy over a fake.
func opened(t *testing.T) (*oneloginfake.Fake, strategy.Strategy, flow.Strategy) {
	t.Helper()
	s := oneloginfake.Subject(t)
	return s.System.(*oneloginfake.Fake), s.Opened(t), s.Strategy
}

func role(id, level string) flow.Target {
	return flow.Target{Name: "r", Type: onelogin.TargetRole, Settings: map[string]string{onelogin.SettingRole: id, onelogin.SettingLevel: level}}
}

// TestLevels: the two lists of a role are apart. Neither is touched by what is done
// to the other, so that nobody is demoted.
func TestLevels(t *testing.T) {
	t.Parallel()
	fake, o, _ := opened(t)
	member, admin := role(oneloginfake.Production, onelogin.Member), role(oneloginfake.Production, onelogin.Admin)
	for _, test := range []struct{ before, asked flow.Target }{{member, admin}, {admin, member}} {
		fake.Give(test.before, oneloginfake.Alice)
		call := strategy.Call{Target: test.asked, Identity: oneloginfake.Alice}
		if _, err := o.Grant(t.Context(), call); err != nil || !fake.Has(test.asked, oneloginfake.Alice) {
			t.Errorf("granted: %v", err)
		}
		if _, err := o.Revoke(t.Context(), call); err != nil || fake.Has(test.asked, oneloginfake.Alice) {
			t.Errorf("removed: %v", err)
		}
		if !fake.Has(test.before, oneloginfake.Alice) {
			t.Errorf("%s: what was there before is gone", onelogin.Level(test.before))
		}
		fake.Take(test.before, oneloginfake.Alice)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, email string
		want        string // "": refused
		text        string
	}{
		{name: "ByEmail", email: "Alice@Example.com", want: oneloginfake.Alice},
		{name: "Unknown", email: "carol@example.com", text: "Carol has no user at acme.onelogin.com with their e-mail address: make one, or have an administrator save the id"},
		{name: "NoAddress", text: "save the id"},
		{name: "Two", email: "double@example.com", text: "Carol has 2 users at acme.onelogin.com (31, 32): have an administrator save the id"},
		{name: "OneOfThemActive", email: "renamed@example.com", want: "42"},
		{name: "Suspended", email: "former@example.com", text: "is not active: have an administrator of OneLogin activate or unlock it"},
		{name: "Star", email: "al*", text: "has no user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake, o, _ := opened(t)
			fake.AddUser("31", "double@example.com", oneloginfake.Active)
			fake.AddUser("32", "double@example.com", oneloginfake.Active)
			fake.AddUser("41", "renamed@example.com", oneloginfake.Suspended)
			fake.AddUser("42", "renamed@example.com", oneloginfake.Active)
			fake.AddUser("51", "former@example.com", oneloginfake.Suspended)
			got, err := o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Name: "Carol", Email: test.email})
			if got != test.want || test.want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), test.text)) {
				t.Errorf("got %q, %v; want %q, or %q", got, err, test.want, test.text)
			}
		})
	}
}

// TestPages: lists go on where OneLogin cuts them, told by cursors or by numbers.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, set := range accounts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, o, s := opened(t)
			set(fake)
			var want []string
			for i := range 250 {
				id := fmt.Sprint(5000 + i)
				fake.AddUser(id, "u"+id+"@example.com", oneloginfake.Active)
				fake.Give(s.Targets[0], id)
				fake.AddRole(fmt.Sprint(700000+i), fmt.Sprint("Team ", i))
				want = append(want, id)
			}
			holders, err := o.(strategy.Lister).Holders(t.Context(), s.Targets[0])
			if diff := cmp.Diff(want, holders); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
			found, err := o.(strategy.Discoverer).Discover(t.Context())
			if err != nil || len(found) != 252 || found[0].Label != "Production" || found[0].Settings[onelogin.SettingRole] != oneloginfake.Production || found[251].Label != "Team 249" {
				t.Fatalf("found %d: %v", len(found), err)
			}
			s.Targets = found
			if faults := onelogin.Type().Check(s); len(faults) > 0 {
				t.Errorf("what was found has faults: %v", faults)
			}
			for _, target := range found {
				if err := flow.CheckName(target.Name); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestCalls: a member is looked at by one call, however many the role has, and all
// calls have one token.
func TestCalls(t *testing.T) {
	t.Parallel()
	fake, o, s := opened(t)
	call := strategy.Call{Target: s.Targets[0], Identity: oneloginfake.Alice}
	if _, err := o.Grant(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	if _, err := o.(strategy.Observer).Observe(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	want := []string{"POST /auth/oauth2/v2/token", "POST /api/2/roles/123456/users", "GET /api/2/users/11111111"}
	if diff := cmp.Diff(want, fake.Calls()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLimit: OneLogin tells the end of a limit in seconds or as a time.
func TestLimit(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"30": 30 * time.Second, "1772366460": time.Minute, "soon": 0, "": 0} {
		fake, o, s := opened(t)
		fake.Throttle = func(w http.ResponseWriter, _ time.Duration) {
			w.Header().Set("X-RateLimit-Reset", header)
			w.Header().Set("Date", time.Unix(1772366400, 0).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
		}
		fake.SetMood(strategytest.Throttled)
		_, err := o.Grant(t.Context(), strategy.Call{Target: s.Targets[0], Identity: oneloginfake.Alice})
		if flow.CodeOf(err) != flow.CodeUnavailable || flow.AskedToWait(err) != want {
			t.Errorf("%q: got %v, asking for %s, want %s", header, err, flow.AskedToWait(err), want)
		}
	}
}

// TestSignIn: a pair that OneLogin does not take is told of, and not shown.
func TestSignIn(t *testing.T) {
	t.Parallel()
	fake, _, s := opened(t)
	s.Integration.Settings[onelogin.SettingClientID] = "other"
	o, err := oneloginfake.Subject(t).Open(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Grant(t.Context(), strategy.Call{Target: s.Targets[0], Identity: oneloginfake.Alice})
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "renew the secret of the integration") || strings.Contains(err.Error(), oneloginfake.ClientSecret) {
		t.Errorf("got %v", err)
	}
	if len(fake.Changes()) > 0 {
		t.Error("it was asked without a token")
	}
}
