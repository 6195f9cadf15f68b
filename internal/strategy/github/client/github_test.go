package client_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
	"github.com/symflows/symflows/internal/strategy/github/githubfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// opened is a strategy at GitHub, opened.
type opened interface {
	strategy.Strategy
	strategy.Observer
	strategy.Lister
	strategy.Discoverer
	strategy.Identifier
}

func open(t *testing.T, g *githubfake.GitHub, s flow.Strategy) opened {
	t.Helper()
	o, err := g.Open(false)(s)
	if err != nil {
		t.Fatal(err)
	}
	return o.(opened)
}

// world is GitHub, and a strategy there.
type world struct {
	*testing.T
	*githubfake.GitHub
	strategy opened
	targets  map[string]flow.Target
}

func newWorld(t *testing.T) world {
	g := githubfake.New(t)
	w := world{t, g, open(t, g, g.Strategy()), map[string]flow.Target{}}
	for _, target := range g.Strategy().Targets {
		w.targets[target.Name] = target
	}
	return w
}

func (w world) call(target, login string) strategy.Call {
	w.Helper()
	to, ok := w.targets[target]
	if !ok {
		w.Fatalf("there is no target %s", target)
	}
	e, err := w.strategy.Entitlements(to, login, "run")
	if err != nil {
		w.Fatal(err)
	}
	return strategy.Call{Target: to, Identity: login, Entitlement: e[0]}
}

func (w world) grant(c strategy.Call) strategy.Result {
	w.Helper()
	result, err := w.strategy.Grant(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	return result
}

func (w world) revoke(c strategy.Call) strategy.Result {
	w.Helper()
	result, err := w.strategy.Revoke(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	return result
}

func (w world) sees(c strategy.Call, want strategy.Sight) {
	w.Helper()
	got, err := w.strategy.Observe(w.Context(), c)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		w.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func (w world) refused(c strategy.Call, code flow.Code, text string) {
	w.Helper()
	before := len(w.Changes())
	_, err := w.strategy.Grant(w.Context(), c)
	if flow.CodeOf(err) != code || !strings.Contains(flow.UserMessage(err), text) {
		w.Errorf("got %s: %v, want %s about %q", flow.CodeOf(err), err, code, text)
	}
	if n := len(w.Changes()) - before; n > 0 {
		w.Errorf("GitHub was asked for %d changes", n)
	}
}

// TestSources: what a team, the base permission or ownership gives is never taken for
// a person's own, which would be restored to them when the team is gone; it is told
// where it is as much as what is granted.
func TestSources(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		give   func(world)
		others []string
	}{
		{"None", func(world) {}, nil},
		{"LowerBase", func(w world) { w.SetBase("read") }, nil},
		{"Base", func(w world) { w.SetBase("write") }, []string{"the organization acme (push), by its base permission or as one of its owners"}},
		{"Owner", func(w world) { w.SetMember("alice", githubfake.Member{Role: "admin"}) }, []string{"the organization acme (admin), by its base permission or as one of its owners"}},
		{"Team", func(w world) {
			w.ChangeRepo("orders", func(r *githubfake.RepositoryData) { r.Teams["platform"] = "maintain" })
			w.ChangeTeam("platform", func(s *githubfake.TeamState) { s.Members["alice"] = "member" })
		}, []string{"team platform (maintain)"}},
		{"ChildTeam", func(w world) {
			w.AddTeam("platform-eu", "platform")
			w.ChangeRepo("orders", func(r *githubfake.RepositoryData) { r.Teams["platform"] = "write" })
			w.ChangeTeam("platform-eu", func(s *githubfake.TeamState) { s.Members["alice"] = "member" })
		}, []string{"team platform (push)"}},
		{"OwnRoleOfTeam", func(w world) { // built on read, which is less than what is granted
			w.ChangeRepo("orders", func(r *githubfake.RepositoryData) { r.Teams["platform"] = "auditor" })
			w.ChangeTeam("platform", func(s *githubfake.TeamState) { s.Members["alice"] = "member" })
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.give(w)
			c := w.call("orders", "alice")
			w.sees(c, strategy.Sight{Presence: flow.Absent, Others: test.others})
			w.grant(c)
			w.sees(c, strategy.Sight{Presence: flow.Present, Value: "push", Others: test.others})
			holders, err := w.strategy.Holders(t.Context(), c.Target)
			if diff := cmp.Diff([]string{"alice"}, holders); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
			w.revoke(c)
			w.sees(c, strategy.Sight{Presence: flow.Absent, Others: test.others})
		})
	}
}

// TestOwnRole: a role that the organization has made itself could not be restored.
func TestOwnRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ChangeRepo("orders", func(r *githubfake.RepositoryData) { r.Direct["alice"] = "release-manager" })
	c := w.call("orders", "alice")
	w.sees(c, strategy.Sight{Presence: flow.Present, Value: "release-manager"})
	w.refused(c, flow.CodeStrategy, "has the role release-manager in acme/orders, which the organization has made itself and which is not replaced")
	w.SetMember("bob", githubfake.Member{Role: "billing_manager"})
	w.refused(w.call("acme", "bob"), flow.CodeStrategy, "has the role billing_manager in acme")
}

// TestInvitations: who is outside is invited once, for what is asked for now; what
// has expired is asked anew; and nobody else's invitation is touched.
func TestInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddUser("carol", "")
	for i := range 5 { // more than a page
		w.AddUser(fmt.Sprint("guest", i), "")
	}
	w.ChangeRepo("orders", func(r *githubfake.RepositoryData) {
		for i := range 5 {
			r.Invitations = append(r.Invitations, githubfake.Invitation{ID: int64(i + 1), Login: fmt.Sprint("guest", i), Permission: "admin"})
		}
		r.Invitations = append(r.Invitations, githubfake.Invitation{ID: 9, Login: "carol", Permission: "write", Expired: true})
	})
	c := w.call("orders", "carol")
	w.sees(c, strategy.Sight{Presence: flow.Absent})
	w.grant(c)
	invited := strategy.Sight{
		Presence: flow.Invited, Value: "push",
		Todo: "Accept the invitation to acme/orders: https://github.com/acme/orders/invitations, or in the mail from GitHub.",
	}
	w.sees(c, invited)
	c.Value = "maintain"
	w.grant(c)
	invited.Value = "maintain"
	w.sees(c, invited)
	if got := w.Invitations("orders", "carol"); len(got) != 1 || got[0].Expired {
		t.Errorf("invitations %+v, want one", got)
	}
	w.revoke(c)
	w.sees(c, strategy.Sight{Presence: flow.Absent})
	for i := range 5 {
		if login := fmt.Sprint("guest", i); len(w.Invitations("orders", login)) != 1 {
			t.Errorf("the invitation of %s is gone", login)
		}
	}

	// Accepted late.
	w.grant(c)
	w.Accept(c.Target, "carol")
	w.sees(c, strategy.Sight{Presence: flow.Present, Value: "maintain"})
	w.revoke(c)
	w.sees(c, strategy.Sight{Presence: flow.Absent})
}

// TestOrganization: newcomers are invited, and owners stay owners.
func TestOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddUser("carol", "")
	c := w.call("acme", "carol")
	w.grant(c)
	w.sees(c, strategy.Sight{Presence: flow.Invited, Value: "member", Todo: "Accept the invitation to the organization acme, in the mail from GitHub."})

	// Into a team while the invitation is pending.
	team := w.call("platform", "carol")
	w.grant(team)
	w.sees(team, strategy.Sight{Presence: flow.Invited, Value: "member", Todo: "Accept the invitation to the organization acme, in the mail from GitHub."})
	w.revoke(team)
	w.sees(team, strategy.Sight{Presence: flow.Absent})
	w.sees(c, strategy.Sight{Presence: flow.Invited, Value: "member", Todo: "Accept the invitation to the organization acme, in the mail from GitHub."})
	w.revoke(c)
	w.sees(c, strategy.Sight{Presence: flow.Absent})

	owner := w.call("acme", "olivia")
	w.sees(owner, strategy.Sight{Presence: flow.Present, Value: "admin"})
	w.SetMember("alice", githubfake.Member{Role: "member", Indirect: []string{"ent:everybody"}})
	w.sees(w.call("acme", "alice"), strategy.Sight{Presence: flow.Present, Value: "member", Others: []string{"the enterprise's team ent:everybody"}})
	w.revoke(w.call("acme", "alice"))
	w.sees(w.call("acme", "alice"), strategy.Sight{Presence: flow.Absent, Others: []string{"the enterprise's team ent:everybody"}})
}

// TestTeam: nobody gets into the organization by a team, and owners are left what
// they are.
func TestTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddUser("carol", "")
	w.refused(w.call("platform", "carol"), flow.CodeStrategy, "carol is no member of the organization acme, and would stay one after the access to team platform")
	w.refused(w.call("platform", "nobody"), flow.CodeIdentity, "GitHub has no account nobody")

	for _, role := range []string{"member", "maintainer"} {
		c := w.call("platform", "olivia")
		c.Value = role
		w.grant(c)
		w.sees(c, strategy.Sight{Presence: flow.Present, Value: role})
		w.grant(c)
		w.revoke(c)
		w.sees(c, strategy.Sight{Presence: flow.Absent})
	}
}

// TestKeptByOthers: a team whose members come from elsewhere says so, and is not
// found.
func TestKeptByOthers(t *testing.T) {
	t.Parallel()
	for _, external := range []bool{true, false} {
		w := newWorld(t)
		w.Synchronize("platform", "engineers", external)
		c := w.call("platform", "alice")
		_, err := w.strategy.Grant(t.Context(), c)
		if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "the members of team platform of acme come from the identity provider") {
			t.Errorf("granted: %v", err)
		}
		_, err = w.strategy.Revoke(t.Context(), c)
		if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "come from the identity provider") {
			t.Errorf("removed: %v", err)
		}
		found, err := w.strategy.Discover(t.Context())
		if err != nil || slices.ContainsFunc(found, func(target flow.Target) bool { return target.Settings[github.SettingTeam] == "platform" }) {
			t.Errorf("found %v, %v", found, err)
		}
	}
}

// TestRefusals: what GitHub refuses, and what people are told to do about it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, target string
		prepare      func(world)
		code         flow.Code
		text         string
	}{
		{"BasePermission", "orders", func(w world) { w.SetBase("admin") }, flow.CodeStrategy, "GitHub gives nobody less than the base permission that all members of acme have"},
		{"Managed", "orders", func(w world) { w.ChangeUser("alice", func(u *githubfake.User) { u.Managed = true }) }, flow.CodeIdentity, "alice is an account that an enterprise manages"},
		{"Validation", "orders", func(w world) { w.RefuseNext(422, "Validation Failed", "You have exceeded the limit of invitations") }, flow.CodeStrategy, "Validation Failed; You have exceeded the limit of invitations (status 422)"},
		{"Forbidden", "platform", func(w world) { w.RefuseNext(403, "Must have admin rights to Team.") }, flow.CodeStrategy, "give it the rights that the guide lists. It says: Must have admin rights"},
		{"Blocked", "acme", func(w world) { w.RemoveMember("alice"); w.RefuseNext(403, "This account is blocked") }, flow.CodeStrategy, "This account is blocked"},
		{"Secondary", "orders", func(w world) { w.RefuseNext(429, "Too many requests") }, flow.CodeUnavailable, "GitHub asks for fewer calls"},
		{"NoRepository", "orders", func(w world) { w.DeleteTarget(w.targets["orders"]) }, flow.CodeStrategy, "GitHub shows no repository acme/orders"},
		{"NoTeam", "platform", func(w world) { w.DeleteTarget(w.targets["platform"]) }, flow.CodeStrategy, "GitHub shows no team acme/platform"},
		{"NoPerson", "orders", func(w world) { w.DeletePerson("alice") }, flow.CodeIdentity, "have an administrator save the person's login"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.prepare(w)
			_, err := w.strategy.Grant(t.Context(), w.call(test.target, "alice"))
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("got %s: %v, want %s about %q", flow.CodeOf(err), flow.UserMessage(err), test.code, test.text)
			}
		})
	}
}

// TestRenamed: a grant needs the right name; a removal finds the repository that the
// grant was of, also where another has its old name by now.
func TestRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.call("orders", "alice")
	c.Output = w.grant(c).Output
	w.RenameRepo("orders", "sales")
	w.refused(c, flow.CodeStrategy, "the repository acme/orders is acme/sales by now: correct the target")
	w.sees(c, strategy.Sight{Presence: flow.Present, Value: "push"})
	w.AddRepo("orders")
	w.ChangeRepo("orders", func(r *githubfake.RepositoryData) { r.Direct["alice"] = "read" })
	result := w.revoke(c)
	if want := []string{"The repository acme/orders is acme/sales by now: the access was removed there"}; !slices.Equal(result.Warnings, want) {
		t.Errorf("warnings %q, want %q", result.Warnings, want)
	}
	sales := c.Target
	sales.Settings = map[string]string{github.SettingRepo: "sales"}
	if was, other := w.Has(sales, "alice"), w.Has(c.Target, "alice"); was || !other {
		t.Errorf("access to what was granted: %t, to the other: %t", was, other)
	}
	c.Output = nil // lost
	w.revoke(c)
	w.sees(c, strategy.Sight{Presence: flow.Absent})
}

// TestHidden: what is only hidden from the sign-in does not count as removed.
func TestHidden(t *testing.T) {
	t.Parallel()
	for name, strategyOf := range map[string]func(flow.Strategy) flow.Strategy{
		"App": func(s flow.Strategy) flow.Strategy { return s }, "Token": githubfake.ByToken,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.strategy = open(t, w.GitHub, strategyOf(w.Strategy()))
			c := w.call("orders", "alice")
			w.grant(c)
			w.Hide()
			w.DeleteTarget(c.Target)
			expect := func(what string, err error) {
				t.Helper()
				if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "it may be deleted, and it may be hidden") {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err := w.strategy.Observe(t.Context(), c)
			expect("seen", err)
			_, err = w.strategy.Revoke(t.Context(), c)
			expect("removed", err)
			_, err = w.strategy.Holders(t.Context(), c.Target)
			expect("listed", err)
			w.RemoveMember("bob")
			if _, err = w.strategy.Observe(t.Context(), w.call("acme", "bob")); name == "Token" {
				expect("seen in the organization", err)
			} else if err != nil {
				t.Errorf("an app sees all members: %v", err)
			}
		})
	}
}

// TestGone: what is deleted is named in a warning.
func TestGone(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"orders": "GitHub does not have the repository acme/orders any more: the access counts as removed", "platform": "GitHub does not have the team platform any more: the access counts as removed",
	} {
		w := newWorld(t)
		c := w.call(target, "alice")
		w.DeleteTarget(c.Target)
		if got := w.revoke(c).Warnings; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
		if holders, err := w.strategy.Holders(t.Context(), c.Target); err != nil || len(holders) > 0 {
			t.Errorf("%s: listed %q, %v", target, holders, err)
		}
	}
	for _, target := range []string{"orders", "platform", "acme"} {
		w := newWorld(t)
		c := w.call(target, "alice")
		w.DeletePerson("alice")
		if got := w.revoke(c).Warnings; len(got) != 1 || got[0] != "GitHub does not have the account alice any more: the access counts as removed" {
			t.Errorf("%s: %q", target, got)
		}
	}
}

// TestLimits: GitHub's limits, and for how long it asks to wait.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.call("orders", "alice")
	w.sees(c, strategy.Sight{Presence: flow.Absent})
	expect := func(what string, low, high time.Duration) {
		t.Helper()
		_, err := w.strategy.Observe(t.Context(), c)
		if after := flow.AskedToWait(err); flow.CodeOf(err) != flow.CodeUnavailable || after < low || after > high {
			t.Errorf("%s: %v of %s, asking for %s; want %s to %s", what, err, flow.CodeOf(err), after, low, high)
		}
	}
	w.SetMood(strategytest.Untimed)
	expect("a secondary limit without a time", time.Minute, time.Minute)
	w.SetMood(strategytest.Throttled)
	expect("a secondary limit with one", 7*time.Second, 7*time.Second)
	w.SetMood(strategytest.Willing)
	reset := fmt.Sprint(time.Now().Add(20 * time.Minute).Unix())
	w.SetLimit(map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset})
	expect("the limit of an hour", 19*time.Minute, 20*time.Minute)
	w.SetLimit(map[string]string{"X-RateLimit-Reset": reset})
	w.FailQuery("RATE_LIMITED", "API rate limit exceeded")
	expect("that of GraphQL, in an answer of status 200", 19*time.Minute, 20*time.Minute)
	w.FailQuery("", "Something went wrong while executing your query.")
	expect("a fault of GitHub's own", 0, 0)
	w.FailQuery("FORBIDDEN", "Resource not accessible by integration")
	if _, err := w.strategy.Observe(t.Context(), c); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "give it the permissions that the guide lists") {
		t.Errorf("what may not be asked: %v", err)
	}
}

// TestTokens: an app takes tokens for one purpose each, which do no more, and keeps
// them while they live.
func TestTokens(t *testing.T) {
	t.Parallel()
	for looking, access := range map[bool]string{false: "write", true: "read"} {
		w := newWorld(t)
		o, err := w.Open(looking)(w.Strategy())
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{"orders", "platform", "orders", "acme", "platform"} {
			if _, err := o.(strategy.Observer).Observe(t.Context(), w.call(target, "alice")); err != nil {
				t.Fatal(err)
			}
			if _, err := o.(strategy.Lister).Holders(t.Context(), w.targets[target]); err != nil {
				t.Fatal(err)
			}
		}
		want := []map[string]string{
			{"administration": access, "members": "read", "metadata": "read"}, {"members": access, "metadata": "read"},
		}
		if diff := cmp.Diff(want, w.Tokens()); diff != "" {
			t.Errorf("looking %t: -want +got:\n%s", looking, diff)
		}
		_, err = o.Grant(t.Context(), w.call("orders", "alice"))
		if refused := flow.CodeOf(err) == flow.CodeStrategy; refused != looking {
			t.Errorf("looking %t: granted: %v", looking, err)
		}
	}
}

// TestSignIn: what keeps an app, or a token, from signing in is said.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		edit func(world, *flow.Integration)
		text string
	}{
		{"App", func(_ world, i *flow.Integration) { i.Settings[github.SettingApp] = "654321" }, "GitHub does not know the GitHub App of integration github by its private key"},
		{"Installation", func(_ world, i *flow.Integration) { i.Settings[github.SettingInstallation] = "1" }, "is not installed in acme by this installation_id"},
		{"Permission", func(w world, _ *flow.Integration) { w.Lack("administration") }, "lacks permissions: give it administration: write, members: read, metadata: read"},
		{"NoKey", func(_ world, i *flow.Integration) { i.Secrets = nil }, "has no private key"},
		{"NoToken", func(_ world, i *flow.Integration) { i.Settings[github.SettingApp] = ""; i.Secrets = nil }, "has no api_token_secret"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.Strategy()
			s.Integration.Settings = maps.Clone(s.Integration.Settings)
			test.edit(w, s.Integration)
			_, err := open(t, w.GitHub, s).Grant(t.Context(), w.call("orders", "alice"))
			if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("got %s: %v, want %q", flow.CodeOf(err), err, test.text)
			}
		})
	}
}

// TestIdentity: by the identity provider, then by what profiles show, exactly.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, email string
		prepare     func(world)
		want        string // "": nobody
		text        string
	}{
		{"Profile", "Alice@Example.com", nil, "alice", ""},
		{"NotExact", "alice@example.co", nil, "", "no account shows the address alice@example.co"},
		{"Nobody", "carol@example.com", nil, "", "have an administrator save the login, like octocat"},
		{"NoAddress", "", nil, "", "Slack does not say their e-mail address"},
		{"Quotes", `"alice"@example.com`, nil, "", "no account shows"},
		{"Suspended", "alice@example.com", func(w world) { w.ChangeUser("alice", func(u *githubfake.User) { u.Suspended = true }) }, "", "no account shows"},
		{"Two", "alice@example.com", func(w world) { w.AddUser("alice2", "alice@example.com") }, "", "more than one account has the address alice@example.com: alice, alice2"},
		{"NameID", "a.smith@example.com", func(w world) { w.Link(githubfake.Linked{Login: "bob", NameID: "A.Smith@example.com"}) }, "bob", ""},
		{"LinkedFirst", "alice@example.com", func(w world) { w.Link(githubfake.Linked{Login: "bob", NameID: "b", Email: "alice@example.com"}) }, "bob", ""},
		{"LinkedTwice", "x@example.com", func(w world) {
			w.Link(githubfake.Linked{Login: "bob", NameID: "x@example.com"}, githubfake.Linked{Login: "alice", NameID: "y", Email: "x@example.com"})
		}, "", "more than one account"},
		{"LinkedNotExact", "smith@example.com", func(w world) { w.Link(githubfake.Linked{Login: "bob", NameID: "a.smith@example.com"}) }, "", "no account shows"},
		{"NotClaimed", "x@example.com", func(w world) { w.Link(githubfake.Linked{NameID: "x@example.com"}) }, "", "no account shows"},
		{"NotAsked", "alice@example.com", func(w world) { w.FailQuery("FORBIDDEN", "Resource not accessible by integration") }, "alice", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.prepare != nil {
				test.prepare(w)
			}
			got, err := w.strategy.Identity(t.Context(), flow.Actor{Name: "A Person", Email: test.email})
			if got != test.want || test.want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), test.text)) {
				t.Errorf("got %q, %v; want %q, or %q", got, err, test.want, test.text)
			}
		})
	}
}

// TestDiscover: what is in use is found, whole, in order and right as a
// configuration, although GitHub answers in small pages.
func TestDiscover(t *testing.T) {
	t.Parallel()
	for name, strategyOf := range map[string]func(flow.Strategy) flow.Strategy{
		"App": func(s flow.Strategy) flow.Strategy { return s }, "Token": githubfake.ByToken,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, repo := range []string{"a", "b", "old"} {
				w.AddRepo(repo)
			}
			w.ChangeRepo("old", func(r *githubfake.RepositoryData) { r.Archived = true })
			w.AddTeam("everybody", "")
			w.ChangeTeam("everybody", func(s *githubfake.TeamState) { s.Kind = "enterprise" })
			s := strategyOf(w.Strategy())
			found, err := open(t, w.GitHub, s).Discover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, target := range found {
				got = append(got, target.Name+" = "+target.Label)
				if err := flow.CheckName(target.Name); err != nil {
					t.Error(err)
				}
			}
			want := []string{"repo-104 = orders", "repo-105 = billing", "repo-108 = a", "repo-109 = b", "team-106 = Platform", "team-107 = On-call"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			s.Targets = found
			if faults := github.Type().Check(s); len(faults) > 0 {
				t.Errorf("what was found has faults: %v", faults)
			}
		})
	}
}

// TestHolders: lists are read to their end, and have those who have it by themselves.
func TestHolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string][]string{"acme": {"alice", "bob", "olivia"}}
	for i := range 5 {
		login := fmt.Sprint("dev", i)
		w.AddUser(login, "")
		w.SetMember(login, githubfake.Member{Role: "member"})
		for _, target := range []string{"orders", "platform", "acme"} {
			want[target] = append(want[target], login)
			w.Give(w.targets[target], login)
		}
	}
	w.AddTeam("platform-eu", "platform")
	w.ChangeTeam("platform-eu", func(s *githubfake.TeamState) { s.Members["bob"] = "member" })
	for target, logins := range want {
		got, err := w.strategy.Holders(t.Context(), w.targets[target])
		slices.Sort(got)
		slices.Sort(logins)
		if diff := cmp.Diff(logins, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", target, err, diff)
		}
	}
}

// TestLoginChanged: whoever changes their login after a grant loses what they were
// granted all the same, and not who has the old login by now.
func TestLoginChanged(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"orders", "platform", "acme"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if target == "acme" {
				w.Manage()
				w.AddUser("alison", "")
			} else {
				w.AddUser("alison", "")
				w.SetMember("alison", githubfake.Member{Role: "member"})
			}
			c := w.call(target, "alison")
			c.Output = w.grant(c).Output
			if !w.Has(c.Target, "alison") {
				t.Fatal("it was not granted")
			}
			w.RenameUser("alison", "mallory")
			w.AddUser("alison", "")
			if seen, err := w.strategy.Observe(t.Context(), c); err != nil || seen.Presence != flow.Present {
				t.Errorf("under another login, GitHub shows %q: %v", seen.Presence, err)
			}
			result := w.revoke(c)
			if want := []string{"alison is mallory at GitHub by now: it is done for that login"}; !slices.Equal(result.Warnings, want) {
				t.Errorf("warnings %q, want %q", result.Warnings, want)
			}
			if w.Has(c.Target, "mallory") {
				t.Error("the access stays under another login")
			}
			if seen, err := w.strategy.Observe(t.Context(), c); err != nil || seen.Presence != flow.Absent {
				t.Errorf("after the removal, GitHub shows %q: %v", seen.Presence, err)
			}
		})
	}
}

// TestOrganizationRenamed: what GitHub does not show under a name that the
// organization does not have any more does not count as removed.
func TestOrganizationRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.Strategy()
	renamed := *s.Integration
	renamed.ExternalID = "acme-before"
	s.Integration = &renamed
	w.strategy = open(t, w.GitHub, s)
	for _, target := range []string{"orders", "platform", "acme"} {
		c := w.call(target, "alice")
		c.Target.Settings = maps.Clone(c.Target.Settings)
		if _, named := c.Target.Settings[github.SettingOrg]; named {
			c.Target.Settings[github.SettingOrg] = "acme-before"
		}
		if seen, err := w.strategy.Observe(t.Context(), c); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "installed in the organization acme, and not in acme-before") {
			t.Errorf("%s is seen to be %q: %v", target, seen.Presence, err)
		}
	}
}

// TestTeamNotShown: a membership that GitHub shows in one place and not in another is
// no absence, and nobody's role is changed for it.
func TestTeamNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ChangeTeam("platform", func(s *githubfake.TeamState) { s.Members["alice"] = "maintainer" })
	c := w.call("platform", "alice")
	w.FailQuery("NOT_FOUND", "Could not resolve to an Organization")
	if seen, err := w.strategy.Observe(t.Context(), c); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("it counts as %q: %v", seen.Presence, err)
	}
	w.FailQuery("NOT_FOUND", "Could not resolve to an Organization")
	w.refused(c, flow.CodeUnavailable, "GitHub does not show who is in the team just now")
	w.sees(c, strategy.Sight{Presence: flow.Present, Value: "maintainer"})
}
