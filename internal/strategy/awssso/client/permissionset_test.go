package client_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
	"github.com/symflows/symflows/internal/strategy/awssso/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// opened is the strategy, with all that it can do.
type opened interface {
	strategy.Strategy
	strategy.Observer
	strategy.Follower
	strategy.Lingerer
	strategy.Lister
	strategy.Discoverer
	strategy.Identifier
}

func mustOpen(t *testing.T, s flow.Strategy, accounts *account.Accounts) opened {
	t.Helper()
	o, err := client.Open(accounts)(s)
	if err != nil {
		t.Fatal(err)
	}
	return o.(opened)
}

func call(t *testing.T, o strategy.Strategy, target flow.Target, class strategy.Class) strategy.Call {
	t.Helper()
	entitlements, err := o.Entitlements(target, alice, run)
	if err != nil {
		t.Fatal(err)
	}
	return strategy.Call{RunID: run, Entitlement: entitlements[0], Target: target, Identity: alice, Class: class}
}

func (c center) operations() string {
	var names []string
	for _, service := range []string{"sso", "identitystore"} {
		for _, made := range c.Calls(service) {
			names = append(names, made.Operation)
		}
	}
	return strings.Join(names, " ")
}

// done makes a step whole, as the workflow does: the change, what AWS does after it
// has answered, and the look.
func done(t *testing.T, o opened, c strategy.Call, do func(context.Context, strategy.Call) (strategy.Result, error), want flow.Presence) {
	t.Helper()
	result, err := do(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if op := result.Operation; op != nil {
		if op, err = o.Follow(t.Context(), c, *op); op != nil || err != nil {
			t.Fatalf("it goes on: %+v, %v", op, err)
		}
	}
	if seen, err := o.Observe(t.Context(), c); err != nil || seen.Presence != want {
		t.Fatalf("seen %+v, %v; want it %s", seen, err, want)
	}
}

// TestCalls: what one grant and one removal ask of AWS, and as whom. What was there
// before is looked at first; the removal is seen twice.
func TestCalls(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		target        flow.Target
		byway         bool // a group has the permission set, too
		grant, remove string
	}{
		{
			name: "PermissionSet", target: sets()[0],
			grant:  "ListAccountAssignments CreateAccountAssignment DescribeAccountAssignmentCreationStatus ListAccountAssignments DescribeInstance DescribeUser",
			remove: "DeleteAccountAssignment DescribeAccountAssignmentDeletionStatus ListAccountAssignments ListAccountAssignments DescribeUser",
		},
		{
			name: "PermissionSetOfAGroup", target: sets()[0], byway: true,
			grant:  "ListAccountAssignments DescribeInstance CreateAccountAssignment DescribeAccountAssignmentCreationStatus ListAccountAssignments IsMemberInGroups IsMemberInGroups",
			remove: "DeleteAccountAssignment DescribeAccountAssignmentDeletionStatus ListAccountAssignments ListAccountAssignments DescribeUser IsMemberInGroups IsMemberInGroups",
		},
		{
			name: "Group", target: groups()[0],
			grant:  "DescribeInstance IsMemberInGroups CreateGroupMembership IsMemberInGroups",
			remove: "GetGroupMembershipId DeleteGroupMembership IsMemberInGroups IsMemberInGroups",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, s, accounts := open(t, true)
			if test.byway {
				c.IdentityCenter.Assign(c.Account, admin, production, "GROUP", admins)
			}
			o := mustOpen(t, s, accounts)
			up := call(t, o, test.target, strategy.Granting)
			if seen, err := o.Observe(t.Context(), up); err != nil || seen.Presence != flow.Absent {
				t.Fatal(seen, err)
			}
			done(t, o, up, o.Grant, flow.Present)
			granting := c.operations()
			if granting != test.grant {
				t.Errorf("one grant calls\n%s, want\n%s", granting, test.grant)
			}
			for _, made := range c.Calls("sso") {
				if made.Account != management || made.Region != "eu-west-1" || made.Role != roleARN || made.Session != run {
					t.Errorf("called as %+v", made)
				}
			}
			down := call(t, o, test.target, strategy.Removing)
			done(t, o, down, o.Revoke, flow.Absent)
			if seen, err := o.Observe(t.Context(), down); err != nil || seen.Presence != flow.Absent {
				t.Fatal(seen, err)
			}
			made := strings.Fields(c.operations())
			for _, name := range strings.Fields(granting) {
				made = slices.Delete(made, slices.Index(made, name), slices.Index(made, name)+1)
			}
			want := strings.Fields(test.remove)
			slices.Sort(made)
			slices.Sort(want)
			if diff := cmp.Diff(want, made); diff != "" {
				t.Errorf("one removal calls (-want +got):\n%s", diff)
			}
		})
	}
}

// ledger is a limiter that writes down what it is asked for.
type ledger struct {
	mu    sync.Mutex
	lines []string
}

func (l *ledger) note(format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
	return nil
}

func (l *ledger) Call(_ context.Context, p strategy.Pace, c strategy.Class) error {
	return l.note("call %d of %d", c, p.Calls[c])
}

func (l *ledger) Begin(_ context.Context, p strategy.Pace, c strategy.Class, name string) error {
	return l.note("begin %d of %d %s", c, p.Slots[c], name[strings.LastIndex(name, "/ps-")+1:])
}

func (l *ledger) End(_ context.Context, _ strategy.Pace, name string) error {
	return l.note("end %s", name[strings.LastIndex(name, "/ps-")+1:])
}

// slots are the lines about them.
func (l *ledger) slots() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var of []string
	for _, line := range l.lines {
		if !strings.HasPrefix(line, "call") {
			of = append(of, strings.ReplaceAll(line, " ps-1234567890abcdef/"+alice, ""))
		}
	}
	l.lines = nil
	return strings.Join(of, ", ")
}

// TestSlots: a slot is taken before AWS is asked for a change, belongs to that
// change, and is free when it is final, or was never begun.
func TestSlots(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	limiter := &ledger{}
	accounts.Limiter = limiter
	o := mustOpen(t, s, accounts)
	up, down := call(t, o, sets()[0], strategy.Granting), call(t, o, sets()[0], strategy.Removing)
	expect := func(what, want string) {
		t.Helper()
		if got := limiter.slots(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	c.SetMood(strategytest.Slow)
	result, err := o.Grant(t.Context(), up)
	if err != nil {
		t.Fatal(err)
	}
	expect("begun", "begin 1 of 12")
	if op, err := o.Follow(t.Context(), up, *result.Operation); op == nil || err != nil {
		t.Fatal(op, err)
	}
	expect("under way", "")
	c.Finish("")
	if op, err := o.Follow(t.Context(), up, *result.Operation); op != nil || err != nil {
		t.Fatal(op, err)
	}
	expect("done", "end")

	if result, err = o.Revoke(t.Context(), down); err != nil {
		t.Fatal(err)
	}
	c.Finish("no rights in the account")
	if _, err := o.Follow(t.Context(), down, *result.Operation); err == nil {
		t.Fatal("it succeeded")
	}
	expect("failed", "begin 2 of 15, end")

	c.SetMood(strategytest.Refusing)
	if _, err := o.Revoke(t.Context(), down); err == nil {
		t.Fatal("it succeeded")
	}
	expect("refused", "begin 2 of 15, end")

	c.SetMood(strategytest.Forgetful)
	if _, err := o.Revoke(t.Context(), down); err == nil {
		t.Fatal("it was answered")
	}
	expect("lost", "begin 2 of 15")
	c.SetMood(strategytest.Willing)
	if _, err := o.Revoke(t.Context(), down); err == nil {
		t.Fatal("there are two at a time")
	}
	expect("under way already", "begin 2 of 15")
	c.SetMood(strategytest.Willing)
	c.Finish("")
	if op, err := o.Follow(t.Context(), down, flow.Operation{}); op != nil || err != nil {
		t.Fatal(op, err)
	}
	expect("found to be over", "end")

	limiter.lines = nil
	if _, err := o.Observe(t.Context(), up); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(limiter.lines, ", "); got != "call 1 of 15" {
		t.Errorf("a look for a grant: %s", got)
	}
	if _, err := o.Holders(t.Context(), up.Target); err != nil {
		t.Fatal(err)
	}
	if got := limiter.lines[len(limiter.lines)-1]; got != "call 0 of 5" {
		t.Errorf("a list: %s", got)
	}
}

// TestErrors: what AWS answers, and what that means.
func TestErrors(t *testing.T) {
	t.Parallel()
	kms := map[string]any{"Reason": "KMS_NotFoundException"}
	for _, test := range []struct {
		name      string
		operation string
		fault     awsfake.Fault
		code      flow.Code
		text      string
		wait      time.Duration
	}{
		{"Conflict", "CreateAccountAssignment", awsfake.Fault{Status: 409, Code: "ConflictException"}, flow.CodeUnavailable, "busy with an earlier change", 10 * time.Second},
		{"ConflictAtRemoval", "DeleteAccountAssignment", awsfake.Fault{Status: 409, Code: "ConflictException"}, flow.CodeUnavailable, "busy with an earlier change", 10 * time.Second},
		{"Quota", "CreateAccountAssignment", awsfake.Fault{Status: 402, Code: "ServiceQuotaExceededException", Message: "too many"}, flow.CodeStrategy, "refuses: too many", 0},
		{"Invalid", "CreateAccountAssignment", awsfake.Fault{Status: 400, Code: "ValidationException", Message: "no principal"}, flow.CodeStrategy, "refuses: no principal", 0},
		{"Denied", "CreateAccountAssignment", awsfake.Fault{Status: 403, Code: "AccessDeniedException"}, flow.CodeStrategy, "does not allow SSO Admin CreateAccountAssignment", 0},
		{"Throttled", "DeleteAccountAssignment", awsfake.Fault{Status: 429, Code: "ThrottlingException"}, flow.CodeUnavailable, "fewer calls", 0},
		{"Fault", "DeleteAccountAssignment", awsfake.Fault{Status: 500, Code: "InternalServerException"}, flow.CodeUnavailable, "a fault of its own", 0},
		{"NoKey", "DeleteAccountAssignment", awsfake.Fault{Status: 404, Code: "ResourceNotFoundException", Message: "no such key", Fields: kms}, flow.CodeStrategy, "no such key", 0},
		{"NoKeyAtGrant", "CreateAccountAssignment", awsfake.Fault{Status: 404, Code: "ResourceNotFoundException", Message: "no such key", Fields: kms}, flow.CodeStrategy, "no such key", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, s, accounts := open(t, true)
			o := mustOpen(t, s, accounts)
			up := call(t, o, sets()[0], strategy.Granting)
			do := o.Grant
			if test.operation == "DeleteAccountAssignment" {
				c.Give(up.Target, alice)
				do = o.Revoke
			}
			c.Fail(test.operation, 1, test.fault)
			_, err := do(t.Context(), up)
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) || flow.AskedToWait(err) != test.wait {
				t.Errorf("got %v of %s, asking for %s; want %q of %s, asking for %s", err, flow.CodeOf(err), flow.AskedToWait(err), test.text, test.code, test.wait)
			}
		})
	}
}

// TestKeyOfTheInstance: that AWS can't read what the instance has is never taken
// for access that is not there.
func TestKeyOfTheInstance(t *testing.T) {
	t.Parallel()
	for operation, fields := range map[string]map[string]any{
		"ListAccountAssignments": {"Reason": "KMS_NotFoundException"},
		"IsMemberInGroups":       {"Reason": "KMS_KEY_NOT_FOUND", "ResourceType": "GROUP"},
	} {
		c, s, accounts := open(t, true)
		o := mustOpen(t, s, accounts)
		target := sets()[0]
		if operation == "IsMemberInGroups" {
			target = groups()[0]
		}
		c.Fail(operation, 1, awsfake.Fault{Status: 404, Code: "ResourceNotFoundException", Message: "no such key", Fields: fields})
		if seen, err := o.Observe(t.Context(), call(t, o, target, strategy.Removing)); err == nil {
			t.Errorf("%s: seen %+v", operation, seen)
		}
	}
}

// TestReasons: AWS gives the reason of a change that failed as a text. Some of
// those pass.
func TestReasons(t *testing.T) {
	t.Parallel()
	for reason, code := range map[string]flow.Code{
		"Received a 404 status error: Not supported for this account.":                                                flow.CodeStrategy,
		"AWS SSO is unable to complete your request at this time. Obtaining permissions is taking longer than usual.": flow.CodeUnavailable,
		"Request rate exceeded": flow.CodeUnavailable,
	} {
		c, s, accounts := open(t, true)
		o := mustOpen(t, s, accounts)
		up := call(t, o, sets()[0], strategy.Granting)
		c.SetMood(strategytest.Slow)
		result, err := o.Grant(t.Context(), up)
		if err != nil {
			t.Fatal(err)
		}
		c.Finish(reason)
		_, err = o.Follow(t.Context(), up, *result.Operation)
		if flow.CodeOf(err) != code || !strings.Contains(flow.UserMessage(err), "could not give the access: "+reason) {
			t.Errorf("%q: got %v of %s, want %s", reason, err, flow.CodeOf(err), code)
		}
	}
}

// TestForgottenOperation: what AWS does not know any more is over.
func TestForgottenOperation(t *testing.T) {
	t.Parallel()
	_, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	up := call(t, o, sets()[0], strategy.Granting)
	for _, kind := range []string{flow.OperationGrant, flow.OperationRevoke} {
		op, err := o.Follow(t.Context(), up, flow.Operation{ID: "11111111-2222-3333-4444-555555555555", Kind: kind})
		if op != nil || err != nil {
			t.Errorf("%s: %+v, %v", kind, op, err)
		}
	}
	group := call(t, o, groups()[0], strategy.Granting)
	if op, err := o.Follow(t.Context(), group, flow.Operation{}); op != nil || err != nil {
		t.Errorf("of a group: %+v, %v", op, err)
	}
}

// TestWorksOn: AWS takes its time, which is followed from one look to the next.
func TestWorksOn(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	c.IdentityCenter.Lasts(20 * time.Second)
	up := call(t, o, sets()[0], strategy.Granting)
	began := c.Now()
	result, err := o.Grant(t.Context(), up)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		over  bool
	}{{5 * time.Second, false}, {10 * time.Second, false}, {10 * time.Second, true}} {
		c.Advance(step.after)
		op, err := o.Follow(t.Context(), up, *result.Operation)
		if err != nil || (op == nil) != step.over || op != nil && (op.ID != result.Operation.ID || !op.Started.Equal(began)) {
			t.Errorf("after %s: %+v, %v", c.Now().Sub(began), op, err)
		}
		if seen, err := o.Observe(t.Context(), up); err != nil || (seen.Presence == flow.Present) != step.over {
			t.Errorf("after %s: seen %+v, %v", c.Now().Sub(began), seen, err)
		}
	}
}

// TestFindAmongOthers: a change whose answer was lost is told from those of other
// people, accounts and permission sets, however many pages they fill.
func TestFindAmongOthers(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	c.SetMood(strategytest.Slow)
	var ours string
	for i, target := range sets() {
		for j, who := range []string{bob, alice} {
			of := call(t, o, target, strategy.Granting)
			of.Identity = who
			result, err := o.Grant(t.Context(), of)
			if err != nil {
				t.Fatal(err)
			}
			if i == 2 && j == 1 {
				ours = result.Operation.ID
			}
		}
	}
	found, err := o.Follow(t.Context(), call(t, o, sets()[2], strategy.Granting), flow.Operation{})
	if err != nil || found == nil || found.ID != ours || found.Kind != flow.OperationGrant || !found.Started.Equal(c.Now()) {
		t.Errorf("found %+v, %v; want %s", found, err, ours)
	}
}

// TestGone: what was deleted, and what is said of it.
func TestGone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		gone    func(center)
		warning string
		code    flow.Code
		text    string
	}{
		{"Account", func(c center) { c.IdentityCenter.RemoveAccount(c.Account, production) }, "AWS does not have account 111122223333 any more", flow.CodeStrategy, "AWS does not have account 111122223333 of admin-prod"},
		{"PermissionSet", func(c center) { c.DeleteTarget(sets()[0]) }, "AWS does not have the permission set any more", flow.CodeStrategy, "the permission set of admin-prod"},
		{"User", func(c center) { c.DeletePerson(alice) }, "does not have the user any more: the access counts as removed", flow.CodeIdentity, "have an administrator save"},
		{"Assignment", func(c center) { c.Take(sets()[0], alice) }, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, s, accounts := open(t, true)
			o := mustOpen(t, s, accounts)
			c.Give(sets()[0], alice)
			test.gone(c)
			result, err := o.Revoke(t.Context(), call(t, o, sets()[0], strategy.Removing))
			if got := strings.Join(result.Warnings, "; "); err != nil || !strings.Contains(got, test.warning) || (got == "") != (test.warning == "") {
				t.Errorf("removed: %q, %v; want %q", got, err, test.warning)
			}
			if op := result.Operation; op != nil {
				if _, err := o.Follow(t.Context(), call(t, o, sets()[0], strategy.Removing), *op); err != nil {
					t.Fatal(err)
				}
			}
			_, err = o.Grant(t.Context(), call(t, o, sets()[0], strategy.Granting))
			if flow.CodeOf(err) != test.code || err != nil && !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("granted: %v of %s, want %q of %s", err, flow.CodeOf(err), test.text, test.code)
			}
			holders, err := o.Holders(t.Context(), sets()[0])
			if err != nil || len(holders) > 0 && test.code != "" {
				t.Errorf("listed %q, %v", holders, err)
			}
		})
	}
}

// TestDirectoryOut: that nobody can be asked about groups keeps no removal from
// being seen, and is said; a grant waits.
func TestDirectoryOut(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	c.GiveByway(sets()[0], bob)
	c.Fail("IsMemberInGroups", 2, awsfake.Fault{Status: 500, Code: "InternalServerException", Fields: map[string]any{"RetryAfterSeconds": 20}})
	seen, err := o.Observe(t.Context(), call(t, o, sets()[0], strategy.Removing))
	if err != nil || seen.Presence != flow.Absent || len(seen.Others) != 1 || !strings.HasPrefix(seen.Others[0], "perhaps a group") {
		t.Errorf("at a removal: %+v, %v", seen, err)
	}
	_, err = o.Observe(t.Context(), call(t, o, sets()[0], strategy.Granting))
	if flow.CodeOf(err) != flow.CodeUnavailable || flow.AskedToWait(err) != 20*time.Second {
		t.Errorf("at a grant: %v, asking for %s", err, flow.AskedToWait(err))
	}
}

// TestDeletedGroup: a group that is still listed and was deleted hides no other.
func TestDeletedGroup(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	const deleted = "a1b2c3d4e5-dddddddd-2222-3333-4444-555555555555"
	c.IdentityCenter.AddGroup(c.Account, deleted, "Deleted")
	c.IdentityCenter.Assign(c.Account, admin, production, "GROUP", deleted)
	c.IdentityCenter.DeleteGroup(c.Account, deleted)
	c.Give(sets()[0], alice)
	up := call(t, o, sets()[0], strategy.Granting)
	if seen, err := o.Observe(t.Context(), up); err != nil || seen.Presence != flow.Present || len(seen.Others) > 0 {
		t.Errorf("alone: %+v, %v", seen, err)
	}
	bobs := up
	bobs.Identity = bob
	c.Give(sets()[0], bob)
	c.DeletePerson(bob)
	if seen, err := o.Observe(t.Context(), bobs); err != nil || seen.Presence != flow.Absent {
		t.Errorf("of somebody who was deleted as well: %+v, %v", seen, err)
	}
	c.GiveByway(sets()[0], alice)
	if seen, err := o.Observe(t.Context(), up); err != nil || len(seen.Others) != 1 || seen.Others[0] != "group Admins of Identity Center" {
		t.Errorf("among others: %+v, %v", seen, err)
	}
	c.DeletePerson(alice)
	if seen, err := o.Observe(t.Context(), up); err != nil || seen.Presence != flow.Absent || len(seen.Others) > 0 {
		t.Errorf("of somebody who was deleted: %+v, %v", seen, err)
	}
}

func TestLingers(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	const odd = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-0000000000000000"
	c.IdentityCenter.AddPermissionSet(c.Account, odd, "Odd", "P1D")
	for i, want := range []time.Duration{90 * time.Minute, time.Hour, 90 * time.Minute} {
		if got, err := o.Lingers(t.Context(), sets()[i]); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", sets()[i].Name, got, err, want)
		}
	}
	if got, err := o.Lingers(t.Context(), groups()[0]); err != nil || got != 12*time.Hour {
		t.Errorf("of a group: %s, %v", got, err)
	}
	target := sets()[0]
	target.Settings["permission_set_arn"] = odd
	if got, err := o.Lingers(t.Context(), target); err == nil {
		t.Errorf("of what can't be read: %s", got)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, email string
		want        string // "": nobody
		text        string
	}{
		{"Email", "alice@example.com", alice, ""},
		{"UserName", "bob@example.com", bob, ""},
		{"EmailFirst", "bob@mail.example.com", bob, ""},
		{"Nobody", "carol@example.com", "", "have an administrator save the id of their user"},
		{"NoAddress", "", "", "have an administrator save the id of their user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, s, accounts := open(t, true)
			got, err := mustOpen(t, s, accounts).Identity(t.Context(), flow.Actor{Name: "A Person", Email: test.email})
			if got != test.want || test.want == "" && (flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), test.text)) {
				t.Errorf("got %q, %v; want %q, or %q", got, err, test.want, test.text)
			}
		})
	}
}

// TestStore: the identity store is asked for once, or never, where it is set.
func TestStore(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]int{"": 1, store: 0} {
		c, s, accounts := open(t, true)
		if set != "" {
			s.Settings["identity_store_id"] = set
		}
		open := client.Open(accounts)
		for range 2 {
			o, err := open(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: "alice@example.com"}); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(c.operations(), "DescribeInstance"); got != want {
			t.Errorf("with store %q: asked %d times, want %d", set, got, want)
		}
	}
	_, s, accounts := open(t, true)
	s.Settings["instance_arn"] = "arn:aws:sso:::instance/ssoins-0000000000000000"
	_, err := mustOpen(t, s, accounts).Identity(t.Context(), flow.Actor{Email: "alice@example.com"})
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "correct the strategy's instance_arn") {
		t.Errorf("of no instance: %v", err)
	}
}

// TestDiscover: what was found is in order, right as a configuration, and whole,
// although AWS answers in small pages.
func TestDiscover(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	for i := range 7 {
		number := fmt.Sprintf("%012d", 900000000000+i)
		c.IdentityCenter.AddAccount(c.Account, number)
		c.IdentityCenter.Assign(c.Account, admin, number, "USER", bob)
	}
	c.IdentityCenter.Assign(c.Account, reader, staging, "GROUP", admins)
	c.IdentityCenter.AddGroup(c.Account, "a1b2c3d4e5-cccccccc-2222-3333-4444-555555555555", "Everybody@idp")
	found, err := o.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, target := range found {
		names = append(names, target.Name+" = "+target.Label)
		if err := flow.CheckName(target.Name); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"ps-1234567890abcdef-900000000000 = AdministratorAccess on 900000000000", "ps-1234567890abcdef-900000000001 = AdministratorAccess on 900000000001",
		"ps-1234567890abcdef-900000000002 = AdministratorAccess on 900000000002", "ps-1234567890abcdef-900000000003 = AdministratorAccess on 900000000003",
		"ps-1234567890abcdef-900000000004 = AdministratorAccess on 900000000004", "ps-1234567890abcdef-900000000005 = AdministratorAccess on 900000000005",
		"ps-1234567890abcdef-900000000006 = AdministratorAccess on 900000000006", "ps-fedcba0987654321-444455556666 = ReadOnlyAccess on 444455556666",
		"group-" + oncall + " = On call", "group-" + admins + " = Admins", "group-a1b2c3d4e5-cccccccc-2222-3333-4444-555555555555 = Everybody@idp (kept by the identity provider)",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.Targets = found
	if faults := awssso.Type().Check(s); len(faults) > 0 {
		t.Errorf("what was found has faults: %v", faults)
	}
}

// TestHolders: all users are listed, those of groups are not.
func TestHolders(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, true)
	o := mustOpen(t, s, accounts)
	var want []string
	for i := range 9 {
		id := fmt.Sprintf("a1b2c3d4e5-%08d-2222-3333-4444-555555555555", i)
		c.IdentityCenter.AddUser(c.Account, id, id, id+"@example.com")
		c.Give(sets()[0], id)
		c.Give(groups()[0], id)
		want = append(want, id)
	}
	c.GiveByway(sets()[0], alice)
	for _, target := range []flow.Target{sets()[0], groups()[0]} {
		got, err := o.Holders(t.Context(), target)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", target.Name, err, diff)
		}
	}
}

// TestRights: what the strategy declares suffices, and each action is needed.
func TestRights(t *testing.T) {
	t.Parallel()
	c, s, accounts := open(t, false)
	s.Targets = append(sets()[:1], groups()[:1]...)
	rights := awssso.Type().RightsOf(s)
	cfg, unused := c.Restricted(t, rights)
	accounts.AWS = cfg
	o := mustOpen(t, s, accounts)
	if _, err := o.Identity(t.Context(), flow.Actor{Email: "alice@example.com"}); err != nil {
		t.Fatal(err)
	}
	c.IdentityCenter.Assign(c.Account, admin, production, "GROUP", admins)
	c.IdentityCenter.Join(c.Account, admins, alice)
	for _, target := range s.Targets {
		up := call(t, o, target, strategy.Granting)
		if _, err := o.Lingers(t.Context(), target); err != nil {
			t.Error(err)
		}
		done(t, o, up, o.Grant, flow.Present)
		if _, err := o.Follow(t.Context(), up, flow.Operation{}); err != nil {
			t.Error(err)
		}
		if _, err := o.Holders(t.Context(), target); err != nil {
			t.Error(err)
		}
		done(t, o, up, o.Revoke, flow.Absent)
	}
	left := strings.Join(unused(), "\n")
	for _, a := range rights.Allow {
		for _, action := range a.Actions {
			if strings.Count(left, ": "+action+" on ") == strings.Count(strings.Join(rights.Names(), "\n"), action) {
				t.Errorf("nothing needs %s", action)
			}
		}
	}
}
