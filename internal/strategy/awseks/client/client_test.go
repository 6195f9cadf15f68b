package client_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awseks"
	"github.com/symflows/symflows/internal/strategy/awseks/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	other    = awsfake.Other
	roleARN  = awsfake.ConnectorRole
	external = awsfake.ExternalID
	run      = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
)

// place is where a strategy acts.
type place struct {
	name string
	awsfake.Place
}

var (
	here      = place{"Here", awsfake.Place{Account: awsfake.Own, Region: awsfake.Region}} // in our own account, by our own rights
	elsewhere = place{"Elsewhere", awsfake.Place{Account: other, Region: "eu-west-1"}}     // in another one, by a role
)

func (p place) role(name string) string { return p.Role(name) }

var (
	view = awsfake.AccessPolicy("AmazonEKSViewPolicy")
	edit = awsfake.AccessPolicy("AmazonEKSEditPolicy")
)

// system is EKS as one account has it in a region.
type system struct{ awsfake.Clusters }

func (s system) has(identity, policy string) bool {
	_, has := s.EKS.Has(s.Account, s.Region, "main", identity, policy)
	return has
}

var target = awsfake.ClusterTarget

// open gives a strategy with two targets on a cluster, and the account and region
// that it acts in.
func open(t *testing.T, where place) (system, flow.Strategy, *account.Accounts) {
	t.Helper()
	clusters, s, accounts := awsfake.NewClusters(t, where == elsewhere)
	return system{clusters}, s, accounts
}

func TestStrategy(t *testing.T) {
	t.Parallel()
	for _, where := range []place{here, elsewhere} {
		t.Run(where.name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject { return awsfake.EKSSubject(t, where == elsewhere) })
		})
	}
}

func opened(t *testing.T, s flow.Strategy, accounts *account.Accounts) strategy.Strategy {
	t.Helper()
	o, err := client.Open(accounts)(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func call(target flow.Target, identity string) strategy.Call {
	return strategy.Call{RunID: run, Target: target, Identity: identity, Class: strategy.Granting}
}

func grant(t *testing.T, o strategy.Strategy, c strategy.Call) {
	t.Helper()
	if _, err := o.Grant(t.Context(), c); err != nil {
		t.Fatalf("grant %s: %v", c.Target.Name, err)
	}
}

func revoke(t *testing.T, o strategy.Strategy, c strategy.Call) {
	t.Helper()
	if _, err := o.Revoke(t.Context(), c); err != nil {
		t.Fatalf("revoke %s: %v", c.Target.Name, err)
	}
}

// TestWhoActs: calls in another account are those of its role, in a session that
// has the run's name; and how many there are.
func TestWhoActs(t *testing.T) {
	t.Parallel()
	sys, s, accounts := open(t, elsewhere)
	o := opened(t, s, accounts)
	c := call(s.Targets[0], elsewhere.role("alice"))
	grant(t, o, c)
	revoke(t, o, c)
	var calls []string
	for _, got := range sys.Calls("eks") {
		calls = append(calls, got.Operation)
		got.Service, got.Operation = "", ""
		if want := (awsfake.Call{Account: other, Region: "eu-west-1", Role: roleARN, Session: run}); got != want {
			t.Errorf("called as %+v, want %+v", got, want)
		}
	}
	want := []string{
		"ListAssociatedAccessPolicies", "CreateAccessEntry", "AssociateAccessPolicy", "DescribeAccessEntry",
		"ListAssociatedAccessPolicies", "DisassociateAccessPolicy", "DescribeAccessEntry", "ListAssociatedAccessPolicies", "TagResource", "ListAssociatedAccessPolicies", "DeleteAccessEntry",
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEntry: an access entry is deleted if we made it, and nothing else is on it.
func TestEntry(t *testing.T) {
	t.Parallel()
	alice := here.role("alice")
	for _, test := range []struct {
		name   string
		before func(system) // the grant
		during func(system)
		stays  bool
	}{
		{name: "Ours", before: func(system) {}, during: func(system) {}},
		{name: "ThereBefore", stays: true, before: func(s system) { s.EKS.AddEntry(s.Account, s.Region, "main", alice) }, during: func(system) {}},
		{name: "WithGroups", stays: true, before: func(s system) { s.EKS.AddEntry(s.Account, s.Region, "main", alice, "viewers") }, during: func(system) {}},
		{name: "WithOtherPolicy", stays: true, before: func(s system) { s.EKS.Associate(s.Account, s.Region, "main", alice, edit) }, during: func(system) {}},
		{name: "OtherPolicyComesAlong", stays: true, before: func(system) {}, during: func(s system) { s.EKS.Associate(s.Account, s.Region, "main", alice, edit, "orders") }},
		{name: "DeletedMeanwhile", before: func(system) {}, during: func(s system) {
			s.EKS.DeleteCluster(s.Account, s.Region, "main")
			s.EKS.AddCluster(s.Account, s.Region, "main", "API")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys, s, accounts := open(t, here)
			o := opened(t, s, accounts)
			test.before(sys)
			others := sys.has(alice, edit)
			c := call(s.Targets[0], alice)
			grant(t, o, c)
			test.during(sys)
			others = others || sys.has(alice, edit)
			revoke(t, o, c)
			if got := sys.EKS.Entry(sys.Account, sys.Region, "main", alice); got != test.stays {
				t.Errorf("the entry is there: %t, want %t", got, test.stays)
			}
			if sys.has(alice, view) || sys.has(alice, edit) != others {
				t.Error("policies: ours stayed, or another one did not")
			}
		})
	}
}

// TestTwoPoliciesOnOneEntry: whenever a grant of another policy comes in the
// middle of a removal, or the other way round, what is live stays, and the entry
// goes with the last of it.
func TestTwoPoliciesOnOneEntry(t *testing.T) {
	t.Parallel()
	alice := here.role("alice")
	// settle repeats a step as the workflow does, until it is done and observed.
	settle := func(t *testing.T, o strategy.Strategy, c strategy.Call, want flow.Presence) {
		t.Helper()
		for range 10 {
			do := o.Grant
			if want == flow.Absent {
				do = o.Revoke
			}
			_, err := do(t.Context(), c)
			if err != nil && !flow.Retryable(err) {
				t.Fatal(err)
			}
			if err != nil {
				continue
			}
			seen, err := o.(strategy.Observer).Observe(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if seen.Presence == want {
				return
			}
		}
		t.Fatalf("%s is never %s", c.Target.Name, want)
	}
	for at := 1; ; at++ {
		sys, s, accounts := open(t, here)
		o := opened(t, s, accounts)
		first, second := call(s.Targets[0], alice), call(s.Targets[1], alice)
		grant(t, o, first)
		// The second run grants before the at-th call of the first one's removal.
		interrupted := &account.Accounts{AWS: accounts.AWS, Now: sys.Now}
		calls, came := 0, false
		interrupted.AWS.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == at {
				came = true
				// As far as it comes: the removal goes on in the middle of it.
				if _, err := o.Grant(r.Context(), second); err != nil && !flow.Retryable(err) {
					t.Error(err)
				}
			}
			return accounts.AWS.HTTPClient.Do(r)
		})
		settle(t, opened(t, s, interrupted), first, flow.Absent)
		settle(t, o, second, flow.Present)
		if sys.has(alice, view) || !sys.has(alice, edit) {
			t.Errorf("at call %d: view %t, edit %t; want the second only", at, sys.has(alice, view), sys.has(alice, edit))
		}
		settle(t, o, second, flow.Absent)
		if sys.EKS.Entry(sys.Account, sys.Region, "main", alice) {
			t.Errorf("at call %d: the entry stays", at)
		}
		if !came {
			if at < 6 {
				t.Errorf("a removal has only %d calls", at-1)
			}
			break
		}
	}
	for at := 1; ; at++ {
		sys, s, accounts := open(t, here)
		o := opened(t, s, accounts)
		first, second := call(s.Targets[0], alice), call(s.Targets[1], alice)
		grant(t, o, first)
		// The first run's removal comes before the at-th call of the second's grant.
		interrupted := &account.Accounts{AWS: accounts.AWS, Now: sys.Now}
		calls, came := 0, false
		interrupted.AWS.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == at {
				came = true
				if _, err := o.Revoke(r.Context(), first); err != nil {
					t.Error(err)
				}
			}
			return accounts.AWS.HTTPClient.Do(r)
		})
		settle(t, opened(t, s, interrupted), second, flow.Present)
		if !came {
			if at < 4 {
				t.Errorf("a grant has only %d calls", at-1)
			}
			break
		}
		if sys.has(alice, view) || !sys.has(alice, edit) {
			t.Errorf("at call %d: view %t, edit %t; want the second only", at, sys.has(alice, view), sys.has(alice, edit))
		}
		settle(t, o, second, flow.Absent)
		if sys.EKS.Entry(sys.Account, sys.Region, "main", alice) {
			t.Errorf("at call %d: the entry stays", at)
		}
	}
}

// TestObservedAndThenDeleted: a grant that has been observed is not undone by a
// removal of another policy that began before, whatever the removal had seen.
func TestObservedAndThenDeleted(t *testing.T) {
	t.Parallel()
	alice := here.role("alice")
	for at := 1; ; at++ {
		sys, s, accounts := open(t, here)
		o := opened(t, s, accounts)
		first, second := call(s.Targets[0], alice), call(s.Targets[1], alice)
		grant(t, o, first)
		interrupted := &account.Accounts{AWS: accounts.AWS, Now: sys.Now}
		calls, came, observed := 0, false, false
		interrupted.AWS.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == at {
				came = true
				_, err := o.Grant(r.Context(), second)
				observed = err == nil
			}
			return accounts.AWS.HTTPClient.Do(r)
		})
		if _, err := opened(t, s, interrupted).Revoke(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if !came {
			return
		}
		if observed && !sys.has(alice, edit) {
			t.Errorf("at call %d: what was granted is gone", at)
		}
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestScopes: EKS has one scope for each policy of an entry. What is there for
// other namespaces is neither changed nor taken for ours.
func TestScopes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, ours string
		theirs     []string // none: the whole cluster
		same       bool
		others     int
	}{
		{name: "Same", ours: "orders,billing", theirs: []string{"orders", "billing"}, same: true},
		{name: "Narrower", ours: "orders,billing", theirs: []string{"orders"}},
		{name: "Wider", ours: "orders", theirs: []string{"billing", "orders"}, others: 1},
		{name: "Pattern", ours: "dev-a, dev-b", theirs: []string{"dev-*"}, others: 1},
		{name: "OurPattern", ours: "dev-*", theirs: []string{"dev-a"}},
		{name: "Cluster", ours: "orders", others: 1},
		{name: "OursIsTheCluster", ours: "*", theirs: []string{"orders"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys, s, accounts := open(t, here)
			o := opened(t, s, accounts)
			alice, ours := here.role("alice"), target("main", view, test.ours)
			sys.EKS.Associate(sys.Account, sys.Region, "main", alice, view, test.theirs...)
			c := call(ours, alice)
			seen, err := o.(strategy.Observer).Observe(t.Context(), c)
			if err != nil || (seen.Presence == flow.Present) != test.same || len(seen.Others) != test.others {
				t.Errorf("observed %+v, %v", seen, err)
			}
			if test.same {
				return
			}
			if _, err := o.Grant(t.Context(), c); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "one scope for each policy") {
				t.Errorf("granted: %v", err)
			}
			revoke(t, o, c)
			if got, has := sys.EKS.Has(sys.Account, sys.Region, "main", alice, view); !has || !cmp.Equal(got, test.theirs) {
				t.Errorf("theirs is now %v, %t", got, has)
			}
		})
	}
}

// TestErrors: what EKS answers, and what that means.
func TestErrors(t *testing.T) {
	t.Parallel()
	fault := func(operation string, status int, code string) func(system) {
		return func(s system) {
			s.Fail(operation, 1, awsfake.Fault{Status: status, Code: code, Message: "detail"})
		}
	}
	for _, test := range []struct {
		name     string
		identity string
		when     func(system)
		code     flow.Code
		text     string
	}{
		{name: "NoCluster", when: func(s system) { s.EKS.DeleteCluster(s.Account, s.Region, "main") }, code: flow.CodeStrategy, text: "there is no cluster main"},
		{name: "ConfigMap", when: func(s system) { s.EKS.AddCluster(s.Account, s.Region, "main", "CONFIG_MAP") }, code: flow.CodeStrategy, text: "set its authentication mode to API_AND_CONFIG_MAP"},
		{name: "NoSuchRole", identity: elsewhere.role("carol"), when: func(system) {}, code: flow.CodeIdentity, text: "AWS knows no " + elsewhere.role("carol")},
		{name: "NodeRole", when: fault("AssociateAccessPolicy", 400, "InvalidRequestException"), code: flow.CodeStrategy, text: "entries of nodes have none"},
		{name: "Policy", when: fault("AssociateAccessPolicy", 400, "InvalidParameterException"), code: flow.CodeStrategy, text: "does not take access policy AmazonEKSViewPolicy"},
		{name: "Limit", when: fault("CreateAccessEntry", 400, "ResourceLimitExceededException"), code: flow.CodeStrategy, text: "as much as EKS allows"},
		{name: "Entry", when: fault("AssociateAccessPolicy", 404, "ResourceNotFoundException"), code: flow.CodeUnavailable, text: "is not there yet, or not any more"},
		{name: "InUse", when: fault("AssociateAccessPolicy", 409, "ResourceInUseException"), code: flow.CodeUnavailable, text: "somebody else is changing"},
		{name: "Throttled", when: fault("AssociateAccessPolicy", 429, "ThrottlingException"), code: flow.CodeUnavailable, text: "AWS EKS asks for fewer calls"},
		{name: "Fault", when: fault("CreateAccessEntry", 500, "ServerException"), code: flow.CodeUnavailable, text: "a fault of its own"},
		{name: "Away", when: fault("CreateAccessEntry", 503, "ServiceUnavailableException"), code: flow.CodeUnavailable, text: "a fault of its own"},
		{name: "Denied", when: fault("AssociateAccessPolicy", 403, "AccessDeniedException"), code: flow.CodeStrategy, text: "does not allow EKS AssociateAccessPolicy"},
		{name: "Unknown", when: fault("CreateAccessEntry", 400, "BadRequestException"), code: flow.CodeInternal, text: "Something went wrong"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys, s, accounts := open(t, elsewhere)
			o := opened(t, s, accounts)
			c := call(s.Targets[0], elsewhere.role("alice"))
			if test.identity != "" {
				c.Identity = test.identity
			}
			test.when(sys)
			_, err := o.Grant(t.Context(), c)
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) || strings.Contains(flow.UserMessage(err), "detail") {
				t.Errorf("got %v of %s, want %q of %s", err, flow.CodeOf(err), test.text, test.code)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	_, s, accounts := open(t, here)
	_, err := opened(t, s, accounts).(strategy.Identifier).Identity(t.Context(), flow.Actor{Name: "Alice", Email: "alice@example.com"})
	if flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), "save the ARN of theirs as who they are at aws_eks") {
		t.Errorf("got %v", err)
	}
}

// TestPages: lists go on where EKS cuts them.
func TestPages(t *testing.T) {
	t.Parallel()
	sys, s, accounts := open(t, elsewhere)
	o := opened(t, s, accounts)
	var want []string
	for i := range 120 {
		principal := elsewhere.role(fmt.Sprintf("r%03d", i))
		namespaces := []string{"billing", "orders"}
		if i%2 == 1 {
			namespaces = nil
		} else {
			want = append(want, principal)
		}
		sys.EKS.Associate(sys.Account, sys.Region, "main", principal, view, namespaces...)
	}
	sys.EKS.Associate(sys.Account, sys.Region, "main", elsewhere.role("editor"), edit)
	holders, err := o.(strategy.Lister).Holders(t.Context(), s.Targets[0])
	if diff := cmp.Diff(want, holders); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, h := range holders {
		if _, err := o.Entitlements(s.Targets[0], h, run); err != nil {
			t.Errorf("%s is no identity: %v", h, err)
		}
	}
	if holders, err := o.(strategy.Lister).Holders(t.Context(), target("former", view, "*")); err != nil || len(holders) > 0 {
		t.Errorf("of a cluster that is gone: %v, %v", holders, err)
	}
	long := strings.Repeat("x", 99)
	for i := range 110 {
		sys.EKS.AddCluster(sys.Account, sys.Region, fmt.Sprintf("c%03d", i), "API")
	}
	sys.EKS.AddCluster(sys.Account, sys.Region, long, "API")
	found, err := o.(strategy.Discoverer).Discover(t.Context())
	if err != nil || len(found) != 112*len(awsfake.AccessPolicies) {
		t.Fatalf("found %d: %v", len(found), err)
	}
	s.Targets = found
	if faults := awseks.Type().Check(s); len(faults) > 0 {
		t.Errorf("what was found has faults: %v", faults)
	}
	names := map[string]bool{}
	for _, target := range found {
		if err := flow.CheckName(target.Name); err != nil || names[target.Name] {
			t.Errorf("found %+v: %v", target, err)
		}
		names[target.Name] = true
	}
	if first := found[0]; first.Name != "c000-AmazonEKSAdminPolicy" || first.Label != "c000: AmazonEKSAdminPolicy" || first.Settings["namespaces"] != "*" {
		t.Errorf("found %+v", first)
	}
}

// TestRights: what the strategy declares suffices, and it needs all of it.
func TestRights(t *testing.T) {
	t.Parallel()
	sys, s, accounts := open(t, here)
	s.Targets = s.Targets[:1]
	cfg, unused := sys.Restricted(t, awseks.Type().RightsOf(s))
	accounts.AWS = cfg
	o := opened(t, s, accounts)
	c := call(s.Targets[0], here.role("alice"))
	grant(t, o, c)
	if _, err := o.(strategy.Observer).Observe(t.Context(), c); err != nil {
		t.Error(err)
	}
	if _, err := o.(strategy.Lister).Holders(t.Context(), s.Targets[0]); err != nil {
		t.Error(err)
	}
	revoke(t, o, c)
	revoke(t, o, c) // looks for the cluster
	for _, line := range unused() {
		t.Errorf("nothing needs this: %s", line)
	}
}
