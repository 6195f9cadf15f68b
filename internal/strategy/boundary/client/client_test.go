package client_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/boundary"
	"github.com/symflows/symflows/internal/strategy/boundary/boundaryfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

func TestStrategy(t *testing.T) {
	t.Parallel()
	strategytest.Run(t, func(t *testing.T) strategytest.Subject { return boundaryfake.Subject(t) })
}

// TestStrategy_EndSessions: the rules hold where sessions are cancelled as well.
func TestStrategy_EndSessions(t *testing.T) {
	t.Parallel()
	strategytest.Run(t, func(t *testing.T) strategytest.Subject {
		s := boundaryfake.Subject(t)
		s.Strategy.Settings = map[string]string{boundary.SettingEndSessions: "true"}
		return s
	})
}

// opened gives the strategy over a fake.
func opened(t *testing.T, settings map[string]string) (*boundaryfake.Fake, strategy.Strategy, flow.Strategy) {
	t.Helper()
	s := boundaryfake.Subject(t)
	s.Strategy.Settings = settings
	return s.System.(*boundaryfake.Fake), s.Opened(t), s.Strategy
}

// TestManyAtOnce: who is added or removed at the same time as others is, and nobody
// else is touched, though all of them write the same group.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	fake, o, s := opened(t, nil)
	target := s.Targets[0]
	fake.AddUser("u_before", "before@example.com", "before")
	fake.Give(target, "u_before")
	const people = 8
	each := func(do func(strategy.Call) error) {
		t.Helper()
		var all sync.WaitGroup
		for i := range people {
			id := fmt.Sprintf("u_%d", i)
			fake.AddUser(id, id+"@example.com", id)
			all.Go(func() {
				for { // as the workflow does
					err := do(strategy.Call{Target: target, Identity: id})
					if err == nil {
						return
					}
					if !flow.Retryable(err) {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	each(func(c strategy.Call) error { _, err := o.Grant(t.Context(), c); return err })
	if holders, err := o.(strategy.Lister).Holders(t.Context(), target); err != nil || len(holders) != people+1 {
		t.Errorf("granted to %q, %v", holders, err)
	}
	each(func(c strategy.Call) error { _, err := o.Revoke(t.Context(), c); return err })
	if holders, err := o.(strategy.Lister).Holders(t.Context(), target); err != nil || len(holders) != 1 || !fake.Has(target, "u_before") {
		t.Errorf("after the removals there are %q, %v", holders, err)
	}
}

// TestCalls: what is so already is not written, which Boundary would refuse.
func TestCalls(t *testing.T) {
	t.Parallel()
	fake, o, s := opened(t, nil)
	call := strategy.Call{Target: s.Targets[0], Identity: boundaryfake.Alice}
	for range 2 {
		if _, err := o.Grant(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"POST /v1/auth-methods/ampw_1234567890:authenticate", "GET /v1/groups/g_1111111111", "POST /v1/groups/g_1111111111:add-members", "GET /v1/groups/g_1111111111",
	}
	if diff := cmp.Diff(want, fake.Calls()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEndSessions: with the membership go the person's sessions in the group's scope
// and below it, if the strategy says so, and no others.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, setting, before string // before is the state of alice's session
		groupGone, lost       bool   // what has become of the group, and of what Grant answered
		want, warning         string
	}{
		{name: "Kept", before: "active", want: "active"},
		{name: "KeptToo", setting: "false", before: "active", want: "active"},
		{name: "Ended", setting: "true", before: "active", want: "canceling"},
		{name: "OfAGroupThatIsGone", setting: "true", before: "active", groupGone: true, want: "canceling", warning: "Boundary has no group g_1111111111 any more: the access counts as removed"},
		{name: "OfAGroupOfWhichNothingIsKnown", setting: "true", before: "active", groupGone: true, lost: true, want: "active", warning: "sessions are not cancelled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake, o, s := opened(t, map[string]string{boundary.SettingEndSessions: test.setting})
			fake.AddProject("p_2222222222", "Elsewhere", "global")
			fake.AddSession("s_alice", boundaryfake.Project, boundaryfake.Alice)
			fake.AddSession("s_bob", boundaryfake.Project, boundaryfake.Bob)
			fake.AddSession("s_elsewhere", "p_2222222222", boundaryfake.Alice)
			call := strategy.Call{Target: s.Targets[0], Identity: boundaryfake.Alice}
			granted, err := o.Grant(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			if !test.lost {
				call.Output = granted.Output
			}
			if test.groupGone {
				fake.DeleteTarget(s.Targets[0])
			}
			for range 2 { // the second finds it done
				result, err := o.Revoke(t.Context(), call)
				if err != nil || !strings.Contains(strings.Join(result.Warnings, "; "), test.warning) {
					t.Errorf("removed: %v, %v; want %q", result, err, test.warning)
				}
			}
			if got := fake.Session("s_alice"); got != test.want {
				t.Errorf("the session is %s, want it %s", got, test.want)
			}
			if fake.Session("s_bob") != "active" || fake.Session("s_elsewhere") != "active" {
				t.Error("another session is not what it was")
			}
		})
	}
}

// TestLingers: for how long is asked from the targets.
func TestLingers(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]time.Duration{"": 4 * time.Hour, "false": 4 * time.Hour, "true": 0} {
		_, o, s := opened(t, map[string]string{boundary.SettingEndSessions: setting})
		if got, err := o.(strategy.Lingerer).Lingers(t.Context(), s.Targets[0]); err != nil || got != want {
			t.Errorf("end_sessions %q: sessions go on for %s, %v; want %s", setting, got, err, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, page := range []int{1, 1000, 0} {
		for _, test := range []struct {
			email, want string // "": refused
			text        string
		}{
			{email: "Alice@Example.com", want: boundaryfake.Alice},
			{email: "bob@example.com", want: boundaryfake.Bob}, // by the login name
			{email: "carol@example.com", text: "Carol has no user of Boundary at boundary.example.com with their e-mail address: make one, or have an administrator save the id"},
			{email: "", text: "save the id"},
			{email: "double@example.com", text: "Carol has 2 users of Boundary at boundary.example.com (u_double1, u_double2): have an administrator save the id"},
		} {
			fake, o, _ := opened(t, nil)
			fake.Page = page
			fake.AddUser("u_double1", "double@example.com", "double")
			fake.AddUser("u_double2", "other@example.com", "Double@example.com")
			got, err := o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Name: "Carol", Email: test.email})
			if got != test.want || test.want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), test.text)) {
				t.Errorf("%d at once, %q: got %q, %v; want %q, or %q", page, test.email, got, err, test.want, test.text)
			}
		}
	}
}

// TestDiscover finds groups of all scopes, whatever a page has.
func TestDiscover(t *testing.T) {
	t.Parallel()
	for _, page := range []int{1, 1000, 0} {
		fake, o, s := opened(t, nil)
		fake.Page = page
		fake.AddGroup("g_3333333333", "", boundaryfake.Project)
		found, err := o.(strategy.Discoverer).Discover(t.Context())
		var labels []string
		for _, target := range found {
			labels = append(labels, target.Label)
			if err := flow.CheckName(target.Name); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]string{"Operators in Acme", "Auditors", "g_3333333333 in Orders"}, labels); err != nil || diff != "" {
			t.Errorf("%d at once: %v, -want +got:\n%s", page, err, diff)
		}
		s.Targets = found
		if faults := boundary.Type().Check(s); len(faults) > 0 {
			t.Errorf("what was found has faults: %v", faults)
		}
	}
}

// TestSignIn: an account that Boundary does not let in is told of, and not shown.
func TestSignIn(t *testing.T) {
	t.Parallel()
	fake, _, s := opened(t, nil)
	s.Integration.Settings[boundary.SettingLogin] = "somebody"
	o, err := boundaryfake.Subject(t).Open(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Grant(t.Context(), strategy.Call{Target: s.Targets[0], Identity: boundaryfake.Alice})
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "renew the secret of the integration") || strings.Contains(err.Error(), boundaryfake.Password) {
		t.Errorf("got %v", err)
	}
	if len(fake.Changes()) > 0 {
		t.Error("it was asked without a token")
	}
}

// TestRefused: what keeps a write from being done is told in Boundary's words, where
// it is neither the version nor the user.
func TestRefused(t *testing.T) {
	t.Parallel()
	fake, o, s := opened(t, nil)
	fake.SetMood(strategytest.Refusing)
	_, err := o.Grant(t.Context(), strategy.Call{Target: s.Targets[0], Identity: boundaryfake.Alice})
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "Forbidden. (status 403, PermissionDenied)") {
		t.Errorf("got %v", err)
	}
}
