package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
	"github.com/symflows/symflows/internal/strategy/googlegroup/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	group = "oncall@example.com"
	alice = "alice@example.com"
)

var apis = []string{googlegroup.CloudIdentity, googlegroup.Directory}

func TestStrategy(t *testing.T) {
	t.Parallel()
	for _, api := range apis {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject { return googlefake.GroupSubject(t, api) })
		})
	}
}

// bench is a strategy, opened on a Google of its own.
type bench struct {
	*testing.T
	*googlefake.Fake
	strategy.Strategy
	target flow.Target
}

func open(t *testing.T, api string) *bench {
	t.Helper()
	s := googlefake.GroupSubject(t, api)
	o, err := s.Open(s.Frozen())
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, s.System.(googlefake.Groups).Fake, o, s.Strategy.Targets[0]}
}

func (b *bench) call(role, before string, until time.Time) strategy.Call {
	return strategy.Call{Target: b.target, Identity: alice, Value: role, Before: before, Until: until, Class: strategy.Granting}
}

func (b *bench) observe() strategy.Sight {
	b.Helper()
	seen, err := b.Strategy.(strategy.Observer).Observe(b.Context(), b.call("", "", time.Time{}))
	if err != nil {
		b.Fatal(err)
	}
	return seen
}

// TestGrant_Values: Google keeps one role for each person, which is set as asked for
// from whatever was there, and its end, which goes with MEMBER only.
func TestGrant_Values(t *testing.T) {
	t.Parallel()
	roles := append([]string{""}, googlegroup.Roles...)
	for _, api := range apis {
		for _, from := range roles {
			for _, fromEnds := range []bool{false, true} {
				for _, to := range googlegroup.Roles {
					for _, ends := range []bool{false, true} {
						t.Run(strings.Join([]string{api, from, to}, "/"), func(t *testing.T) {
							t.Parallel()
							b := open(t, api)
							var until, want time.Time
							if ends {
								until = b.Now().Add(time.Hour)
							}
							if api == googlegroup.CloudIdentity && to == googlegroup.Member {
								want = until
							}
							if from != "" {
								var end time.Time
								if fromEnds && from == googlegroup.Member && api == googlegroup.CloudIdentity {
									end = b.Now().Add(10 * time.Minute)
								}
								b.Join(group, alice, from, end)
							}
							if _, err := b.Grant(t.Context(), b.call(to, "", until)); err != nil {
								t.Fatal(err)
							}
							if role, end := b.Role(group, alice); role != to || !end.Equal(want) {
								t.Errorf("from %q: the role is %q until %s, want %q until %s", from, role, end, to, want)
							}
							if diff := cmp.Diff(strategy.Sight{Presence: flow.Present, Value: to, Until: want}, b.observe()); diff != "" {
								t.Errorf("-want +observed:\n%s", diff)
							}
						})
					}
				}
			}
		}
	}
}

// TestGrant_Before: what was there before never gets an end, and an end that somebody
// else has set stays; where Google can't keep it, nothing is changed.
func TestGrant_Before(t *testing.T) {
	t.Parallel()
	for _, api := range apis {
		b := open(t, api)
		until := b.Now().Add(time.Hour)
		b.Join(group, alice, googlegroup.Member, time.Time{})
		for _, role := range []string{googlegroup.Member, googlegroup.Owner, googlegroup.Member} {
			if _, err := b.Grant(t.Context(), b.call(role, googlegroup.Member, until)); err != nil {
				t.Error(err)
			}
			if got, end := b.Role(group, alice); got != role || !end.IsZero() {
				t.Errorf("%s: the role is %s until %s, want %s for good", api, got, end, role)
			}
		}
	}
	b := open(t, googlegroup.CloudIdentity)
	theirs := b.Now().Add(24 * time.Hour)
	b.Join(group, alice, googlegroup.Member, theirs)
	if _, err := b.Grant(t.Context(), b.call(googlegroup.Member, googlegroup.Member, time.Time{})); err != nil {
		t.Error(err)
	}
	_, err := b.Grant(t.Context(), b.call(googlegroup.Manager, googlegroup.Member, time.Time{}))
	if flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("an end that would be lost: %v", err)
	}
	if role, end := b.Role(group, alice); role != googlegroup.Member || !end.Equal(theirs) {
		t.Errorf("the role is %s until %s, want what was there", role, end)
	}
}

// TestExpiry: Google ends a membership by itself, and the end moves either way.
func TestExpiry(t *testing.T) {
	t.Parallel()
	b := open(t, googlegroup.CloudIdentity)
	start := b.Now()
	for _, after := range []time.Duration{time.Hour, 3 * time.Hour, 30 * time.Minute} {
		if _, err := b.Grant(t.Context(), b.call(googlegroup.Member, "", start.Add(after))); err != nil {
			t.Fatal(err)
		}
		if seen := b.observe(); !seen.Until.Equal(start.Add(after)) {
			t.Errorf("the end is %s, want %s", seen.Until, start.Add(after))
		}
	}
	b.Advance(31 * time.Minute)
	if seen := b.observe(); seen.Presence != flow.Absent || !seen.Until.IsZero() {
		t.Errorf("after the end: %+v", seen)
	}
	if result, err := b.Revoke(t.Context(), b.call("", "", time.Time{})); err != nil || len(result.Warnings) > 0 {
		t.Errorf("the removal of what Google has ended: %v, %v", result, err)
	}
}

// TestPoorEdition: where the edition has no ends, there is none, and that is said.
func TestPoorEdition(t *testing.T) {
	t.Parallel()
	b := open(t, googlegroup.CloudIdentity)
	b.Poor()
	for range 2 { // the second finds what is there
		result, err := b.Grant(t.Context(), b.call(googlegroup.Member, "", b.Now().Add(time.Hour)))
		if err != nil || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "Cloud Identity Premium") {
			t.Errorf("%v, %v; want a warning", result, err)
		}
		if seen := b.observe(); seen.Presence != flow.Present || !seen.Until.IsZero() {
			t.Errorf("observed %+v", seen)
		}
	}
	// The way by a group in the group is seen one group deep.
	b.AddGroup("team@example.com", "Team")
	b.Join("team@example.com", alice, googlegroup.Member, time.Time{})
	b.Join(group, "team@example.com", googlegroup.Member, time.Time{})
	if seen := b.observe(); !slices.Equal(seen.Others, []string{"group team@example.com, which is in oncall@example.com"}) {
		t.Errorf("other ways: %q", seen.Others)
	}
}

// TestHidden: Google says the same of what is not there and of what we may not see.
// What can't be told apart is not taken for removed.
func TestHidden(t *testing.T) {
	t.Parallel()
	b := open(t, googlegroup.CloudIdentity)
	b.DisableAdminSDK()
	b.DeleteUser(alice) // whoever is gone is in no list
	if _, err := b.Revoke(t.Context(), b.call("", "", time.Time{})); err != nil {
		t.Errorf("somebody who is gone: %v", err)
	}
	b.DeleteGroup(group)
	if _, err := b.Revoke(t.Context(), b.call("", "", time.Time{})); flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("a group that may be gone: %v, want an error of %s", err, flow.CodeStrategy)
	}
	if seen, err := b.Strategy.(strategy.Observer).Observe(t.Context(), b.call("", "", time.Time{})); err == nil {
		t.Errorf("a group that may be gone: observed %+v", seen)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, api := range apis {
		b := open(t, api)
		b.AddUser("bob@example.com", "robert@example.com")
		b.AddUser("carol@example.com")
		b.Suspend("carol@example.com")
		find := b.Strategy.(strategy.Identifier).Identity
		for email, want := range map[string]string{
			"Alice@example.com": alice, "robert@example.com": "bob@example.com", "carol@example.com": "", "nobody@example.com": "", "": "", "no address": "",
		} {
			got, err := find(t.Context(), flow.Actor{Email: email})
			if got != want || want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), "as who they are at Google")) {
				t.Errorf("%q is %q, %v; want %q", email, got, err, want)
			}
		}
		b.HideAccounts()
		if got, err := find(t.Context(), flow.Actor{Email: "Carol@example.com"}); err != nil || got != "carol@example.com" {
			t.Errorf("where accounts are hidden: %q, %v", got, err)
		}
		b.SetMood(strategytest.Broken)
		if got, err := find(t.Context(), flow.Actor{Email: alice}); flow.CodeOf(err) != flow.CodeUnavailable {
			t.Errorf("where Google is broken: %q, %v", got, err)
		}
	}
}

// TestLists: lists are read to their end, and have neither groups in a group nor,
// where that is told, groups that nobody can change.
func TestLists(t *testing.T) {
	t.Parallel()
	for _, api := range apis {
		b := open(t, api)
		b.AddGroup("a@example.com", "A")
		b.AddGroup("b@example.com", "")
		for _, who := range []string{"a@example.com", alice, "Bob@example.com", "carol@elsewhere.com", "dave@example.com"} {
			b.Join(group, who, googlegroup.Member, time.Time{})
		}
		holders, err := b.Strategy.(strategy.Lister).Holders(t.Context(), b.target)
		if diff := cmp.Diff([]string{alice, "bob@example.com", "carol@elsewhere.com", "dave@example.com"}, holders); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
		if api == googlegroup.CloudIdentity {
			b.AddDynamicGroup("everybody@example.com", "Everybody")
		}
		found, err := b.Strategy.(strategy.Discoverer).Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var labels []string
		for _, f := range found {
			labels = append(labels, f.Label)
			if err := flow.CheckName(f.Name); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]string{"Oncall", "Ops", "A", "b@example.com"}, labels); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		s := flow.Strategy{Type: "google_group", Integration: b.Integration(), Targets: found}
		if faults := googlegroup.Type().Check(s); len(faults) > 0 {
			t.Errorf("what was found has faults: %v", faults)
		}
		b.DeleteGroup(group)
		if holders, err := b.Strategy.(strategy.Lister).Holders(t.Context(), b.target); err != nil || len(holders) > 0 {
			t.Errorf("of a group that is gone: %v, %v", holders, err)
		}
	}
}

// TestDynamicGroup: one whose members follow from a query is refused for good.
func TestDynamicGroup(t *testing.T) {
	t.Parallel()
	b := open(t, googlegroup.CloudIdentity)
	b.AddDynamicGroup(group, "Everybody")
	if _, err := b.Grant(t.Context(), b.call(googlegroup.Member, "", time.Time{})); flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("got %v", err)
	}
}

// TestCustomer: to list groups by Cloud Identity, the Workspace has to be named.
func TestCustomer(t *testing.T) {
	t.Parallel()
	s := googlefake.GroupSubject(t, googlegroup.CloudIdentity)
	delete(s.Strategy.Integration.Settings, "customer_id")
	o, err := client.Open(s.System.(googlefake.Groups).APIs())(s.Frozen())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.(strategy.Discoverer).Discover(t.Context()); err == nil || !strings.Contains(flow.UserMessage(err), "customer_id") {
		t.Errorf("got %v", err)
	}
}

// TestCalls: what a grant and a removal cost.
func TestCalls(t *testing.T) {
	t.Parallel()
	for api, want := range map[string][]string{
		googlegroup.CloudIdentity: {
			"GET /v1/groups:lookup", "POST /v1/groups/01ab0001/memberships",
			"GET /v1/groups:lookup", "GET /v1/groups/01ab0001/memberships:lookup", "GET /v1/groups/01ab0001/memberships/1701a", "DELETE /v1/groups/01ab0001/memberships/1701a",
		},
		googlegroup.Directory: {
			"POST /admin/directory/v1/groups/oncall@example.com/members",
			"GET /admin/directory/v1/groups/oncall@example.com/members/alice@example.com", "DELETE /admin/directory/v1/groups/oncall@example.com/members/alice@example.com",
		},
	} {
		b := open(t, api)
		if _, err := b.Grant(t.Context(), b.call(googlegroup.Member, "", time.Time{})); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Revoke(t.Context(), b.call("", "", time.Time{})); err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(b.Calls(), func(call string) bool { // signing in
			return strings.Contains(call, "/v1/token") || strings.Contains(call, "/serviceAccounts/")
		})
		for i, call := range got {
			if strings.Contains(call, "/memberships/") { // the id is the fake's
				got[i] = call[:strings.LastIndex(call, "/")] + "/1701a"
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
