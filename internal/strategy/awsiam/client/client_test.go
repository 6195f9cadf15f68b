package client_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awsiam"
	"github.com/symflows/symflows/internal/strategy/awsiam/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	other    = awsfake.Other
	roleARN  = awsfake.ConnectorRole
	external = awsfake.ExternalID
	run      = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
)

// system is IAM as one account has it.
type system struct{ awsfake.Groups }

// place is where a strategy acts.
type place string

const (
	here      place = "Here"      // in our own account, by our own rights
	elsewhere place = "Elsewhere" // in another one, by a role
)

// open gives a strategy with two groups, and the account that it acts in, which
// has the users alice and bob.
func open(t *testing.T, where place) (system, flow.Strategy, *account.Accounts) {
	t.Helper()
	groups, s, accounts := awsfake.NewGroups(t, where == elsewhere)
	return system{groups}, s, accounts
}

func TestStrategy(t *testing.T) {
	t.Parallel()
	for _, where := range []place{here, elsewhere} {
		t.Run(string(where), func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject { return awsfake.IAMSubject(t, where == elsewhere) })
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

func call(s flow.Strategy, identity string) strategy.Call {
	return strategy.Call{RunID: run, Target: s.Targets[0], Identity: identity, Class: strategy.Granting}
}

// TestWhoActs: calls in another account are those of its role, in a session that
// has the run's name; and how many there are.
func TestWhoActs(t *testing.T) {
	t.Parallel()
	for where, want := range map[place]struct {
		calls string
		as    awsfake.Call
	}{
		elsewhere: {"AddUserToGroup ListGroupsForUser", awsfake.Call{Account: other, Region: "eu-west-1", Role: roleARN, Session: run}},
		here:      {"GetUser AddUserToGroup GetUser ListGroupsForUser", awsfake.Call{Account: awsfake.Own, Region: awsfake.Region}},
	} {
		t.Run(string(where), func(t *testing.T) {
			t.Parallel()
			sys, s, accounts := open(t, where)
			o := opened(t, s, accounts)
			if _, err := o.Grant(t.Context(), call(s, sys.ARN("alice"))); err != nil {
				t.Fatal(err)
			}
			if _, err := o.(strategy.Observer).Observe(t.Context(), call(s, sys.ARN("alice"))); err != nil {
				t.Fatal(err)
			}
			var calls []string
			for _, c := range sys.Calls("iam") {
				calls = append(calls, c.Operation)
				c.Service, c.Operation = "", ""
				if c != want.as {
					t.Errorf("called as %+v, want %+v", c, want.as)
				}
			}
			if got := strings.Join(calls, " "); got != want.calls {
				t.Errorf("called %s, want %s", got, want.calls)
			}
		})
	}
}

// TestErrors: what IAM answers, and what that means.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		operation string
		fault     awsfake.Fault
		code      flow.Code
		text      string
		wait      time.Duration
	}{
		{"Limit", "AddUserToGroup", awsfake.Fault{Status: 409, Code: "LimitExceeded"}, flow.CodeStrategy, "in as many groups as IAM allows", 0},
		{"Edit", "AddUserToGroup", awsfake.Fault{Status: 409, Code: "ConcurrentModification"}, flow.CodeUnavailable, "somebody else is changing the same", 30 * time.Second},
		{"Renamed", "RemoveUserFromGroup", awsfake.Fault{Status: 409, Code: "EntityTemporarilyUnmodifiable"}, flow.CodeUnavailable, "deleting and making anew", 2 * time.Minute},
		{"Fault", "RemoveUserFromGroup", awsfake.Fault{Status: 500, Code: "ServiceFailure"}, flow.CodeUnavailable, "a fault of its own", 0},
		{"Denied", "AddUserToGroup", awsfake.Fault{Status: 403, Code: "AccessDenied"}, flow.CodeStrategy, "does not allow IAM AddUserToGroup", 0},
		{"Spreading", "AddUserToGroup", awsfake.Fault{Status: 404, Code: "NoSuchEntity"}, flow.CodeUnavailable, "everywhere yet", 0},
		{"Unknown", "AddUserToGroup", awsfake.Fault{Status: 400, Code: "InvalidInput"}, flow.CodeInternal, "Something went wrong", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys, s, accounts := open(t, elsewhere)
			o := opened(t, s, accounts)
			do := o.Grant
			if test.operation == "RemoveUserFromGroup" {
				do = o.Revoke
			}
			sys.Fail(test.operation, 1, test.fault)
			_, err := do(t.Context(), call(s, sys.ARN("alice")))
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) || flow.AskedToWait(err) != test.wait {
				t.Errorf("got %v of %s, asking for %s; want %q of %s, asking for %s", err, flow.CodeOf(err), flow.AskedToWait(err), test.text, test.code, test.wait)
			}
			if _, err := do(t.Context(), call(s, sys.ARN("alice"))); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// TestQuota: IAM has an eleventh group refused.
func TestQuota(t *testing.T) {
	t.Parallel()
	sys, s, accounts := open(t, here)
	for i := range 10 {
		name := fmt.Sprintf("team-%d", i)
		sys.IAM.AddGroup(sys.Account, "/", name)
		sys.IAM.Join(sys.Account, name, "alice")
	}
	_, err := opened(t, s, accounts).Grant(t.Context(), call(s, sys.ARN("alice")))
	if flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("got %v", err)
	}
}

// TestNoSuchEntity: one error of IAM has several causes, which are told apart.
func TestNoSuchEntity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		before  func(system)
		grant   string // the code of its error
		warning string // of the removal
	}{
		{name: "NoMember", before: func(system) {}},
		{name: "ShownForAWhile", before: func(s system) {
			s.IAM.Join(s.Account, "Ops", "alice")
			s.Advance(time.Hour)
			s.IAM.Leave(s.Account, "Ops", "alice")
			s.Stale(time.Minute)
		}},
		{name: "NoUser", before: func(s system) { s.DeletePerson("alice") }, grant: "Identity:NOT_FOUND", warning: "IAM has no user alice any more: the access counts as removed"},
		{name: "NoGroup", before: func(s system) { s.IAM.DeleteGroup(s.Account, "Ops") }, grant: "Strategy:FAILED", warning: "IAM has no group Ops any more: the access counts as removed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys, s, accounts := open(t, elsewhere)
			o := opened(t, s, accounts)
			test.before(sys)
			result, err := o.Revoke(t.Context(), call(s, sys.ARN("alice")))
			if got := strings.Join(result.Warnings, "; "); err != nil || got != test.warning {
				t.Errorf("got %q, %v; want %q", got, err, test.warning)
			}
			if _, err := o.Grant(t.Context(), call(s, sys.ARN("alice"))); string(flow.CodeOf(err)) != test.grant {
				t.Errorf("granting: got %v, want %q", err, test.grant)
			}
		})
	}
}

// TestSameName: an ARN means the user that has it, and no other of that name.
func TestSameName(t *testing.T) {
	t.Parallel()
	sys, s, accounts := open(t, here)
	o := opened(t, s, accounts)
	for _, identity := range []string{"arn:aws:iam::" + other + ":user/alice", "arn:aws:iam::" + awsfake.Own + ":user/former/alice"} {
		sys.IAM.Join(sys.Account, "Ops", "alice")
		if seen, err := o.(strategy.Observer).Observe(t.Context(), call(s, identity)); err != nil || seen.Presence != flow.Absent {
			t.Errorf("%s: observed %v, %v", identity, seen, err)
		}
		if _, err := o.Grant(t.Context(), call(s, identity)); flow.CodeOf(err) != flow.CodeIdentity {
			t.Errorf("%s: granted: %v", identity, err)
		}
		if result, err := o.Revoke(t.Context(), call(s, identity)); err != nil || len(result.Warnings) != 1 || !sys.IAM.In(sys.Account, "Ops", "alice") {
			t.Errorf("%s: removed: %v, %v", identity, result, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	alice := flow.Actor{Kind: flow.KindPerson, Name: "Alice", Email: "Alice@example.com"}
	for _, test := range []struct {
		name, tag string
		many      bool // there are more users than IAM lists at once
		who       flow.Actor
		want      string // "": refused
		text      string
	}{
		{name: "ByName", who: flow.Actor{Email: "carol@example.com"}, want: "arn:aws:iam::210987654321:user/staff/carol@example.com"},
		{name: "NoName", who: alice, text: "named by their e-mail address: make one, or have an administrator save the ARN of theirs as who they are at aws_iam"},
		{name: "NoNameForIAM", who: flow.Actor{Email: "o'neill@example.com"}, text: "named by their e-mail address"},
		{name: "NoAddress", who: flow.Actor{Name: "Alice"}, text: "save the ARN"},
		{name: "ByTag", tag: "email", who: alice, want: "arn:aws:iam::210987654321:user/staff/alice"},
		{name: "ByTagFarBack", many: true, tag: "email", who: flow.Actor{Email: "u1249@example.com"}, want: "arn:aws:iam::210987654321:user/many/u1249"},
		{name: "NoTag", tag: "email", who: flow.Actor{Email: "lead@example.com"}, text: "whose tag email is their e-mail address: make one"},
		{name: "TwoTags", tag: "email", who: flow.Actor{Name: "Bob", Email: "bob@example.com"}, text: "2 users of IAM in account 210987654321 (arn:aws:iam::210987654321:user/staff/bob, arn:aws:iam::210987654321:user/bob-admin), by their tag email: have an administrator save which one is meant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys, s, accounts := open(t, elsewhere)
			if test.tag != "" {
				s.Settings = map[string]string{"identity_tag": test.tag}
			}
			email := func(name string) map[string]string {
				return map[string]string{"email": name + "@example.com", "team": "x"}
			}
			for i := 0; test.many && i < 1250; i++ {
				sys.IAM.AddUser(other, "/many/", fmt.Sprintf("u%04d", i), email(fmt.Sprintf("u%04d", i)))
			}
			sys.IAM.AddUser(other, "/staff/", "alice", email("alice"))
			sys.IAM.AddUser(other, "/staff/", "bob", email("bob"))
			sys.IAM.AddUser(other, "/", "bob-admin", email("bob"))
			sys.IAM.AddUser(other, "/staff/", "carol@example.com", nil)
			got, err := opened(t, s, accounts).(strategy.Identifier).Identity(t.Context(), test.who)
			if got != test.want || test.want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), test.text)) {
				t.Errorf("got %q, %v; want %q, or %q", got, err, test.want, test.text)
			}
		})
	}
}

// TestPages: lists go on where IAM cuts them.
func TestPages(t *testing.T) {
	t.Parallel()
	sys, s, accounts := open(t, elsewhere)
	var users, names []string
	for i := range 250 {
		name := fmt.Sprintf("u%03d", i)
		sys.IAM.AddUser(other, "/staff/", name, nil)
		sys.IAM.Join(other, "Ops", name)
		users = append(users, sys.ARN(name))
	}
	o := opened(t, s, accounts)
	holders, err := o.(strategy.Lister).Holders(t.Context(), s.Targets[0])
	if diff := cmp.Diff(users, holders); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, h := range holders {
		if _, err := o.Entitlements(s.Targets[0], h, run); err != nil {
			t.Errorf("%s is no identity: %v", h, err)
		}
	}
	sys.IAM.DeleteGroup(other, "Ops")
	if holders, err := o.(strategy.Lister).Holders(t.Context(), s.Targets[0]); err != nil || len(holders) > 0 {
		t.Errorf("of a group that is gone: %v, %v", holders, err)
	}
	for i := range 150 {
		sys.IAM.AddGroup(other, "/", fmt.Sprintf("g%03d", i))
		names = append(names, fmt.Sprintf("g%03d", i))
	}
	found, err := o.(strategy.Discoverer).Discover(t.Context())
	if err != nil || len(found) != 151 || found[0].Label != "dev" || found[150].Label != names[149] {
		t.Fatalf("found %d: %v", len(found), err)
	}
	s.Targets = found
	if faults := awsiam.Type().Check(s); len(faults) > 0 {
		t.Errorf("what was found has faults: %v", faults)
	}
	for _, target := range found {
		if err := flow.CheckName(target.Name); err != nil || target.Type != "aws_iam_group" || target.Settings["iam_group"] != target.Label {
			t.Errorf("found %+v: %v", target, err)
		}
	}
}

// TestRights: what the strategy declares suffices, and it needs all of it. Of the
// patterns for a group's ARN, one fits: a group has one path.
func TestRights(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"", "email"} {
		sys, s, accounts := open(t, here)
		s.Settings = map[string]string{"identity_tag": tag}
		s.Targets = s.Targets[:1]
		cfg, unused := sys.Restricted(t, awsiam.Type().RightsOf(s))
		accounts.AWS = cfg
		o := opened(t, s, accounts)
		_, err := o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: "alice@example.com"})
		if flow.CodeOf(err) != flow.CodeIdentity {
			t.Error(err)
		}
		c := call(s, sys.ARN("alice"))
		if _, err := o.Grant(t.Context(), c); err != nil {
			t.Error(err)
		}
		if _, err := o.(strategy.Observer).Observe(t.Context(), c); err != nil {
			t.Error(err)
		}
		if _, err := o.(strategy.Lister).Holders(t.Context(), s.Targets[0]); err != nil {
			t.Error(err)
		}
		if _, err := o.Revoke(t.Context(), c); err != nil {
			t.Error(err)
		}
		for _, line := range unused() {
			if !strings.Contains(line, ":group/*/Ops") {
				t.Errorf("nothing needs this: %s", line)
			}
		}
	}
}
