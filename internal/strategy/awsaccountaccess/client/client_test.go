package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess"
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	run         = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
	management  = awsfake.Other
	connector   = awsfake.ConnectorRole
	instance    = awsfake.Instance
	application = awsfake.Application
	admin       = awsfake.AdminRole
	reader      = awsfake.ReaderRole
	alice       = awsfake.Alice
	bob         = awsfake.Bob
	admins      = awsfake.Admins
)

// manager is an account access manager with the Identity Center that it has its
// people from.
type manager struct{ awsfake.Manager }

func open(t *testing.T) (manager, flow.Strategy, *account.Accounts) {
	t.Helper()
	m, s, accounts := awsfake.NewManager(t)
	return manager{m}, s, accounts
}

func TestStrategy(t *testing.T) {
	t.Parallel()
	strategytest.Run(t, func(t *testing.T) strategytest.Subject { return awsfake.AccountAccessSubject(t) })
}

// opened is the strategy, with all that it can do.
type opened interface {
	strategy.Strategy
	strategy.Observer
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

func (m manager) operations() string {
	var names []string
	for _, service := range []string{"account-access", "sso", "identitystore"} {
		for _, made := range m.Calls(service) {
			names = append(names, made.Operation)
		}
	}
	return strings.Join(names, " ")
}

// TestCalls: what one grant and one removal ask of AWS, where, and as whom.
func TestCalls(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	o := mustOpen(t, s, accounts)
	up, down := call(t, o, s.Targets[0], strategy.Granting), call(t, o, s.Targets[0], strategy.Removing)
	observe := func(c strategy.Call, want flow.Presence) {
		t.Helper()
		if seen, err := o.Observe(t.Context(), c); err != nil || seen.Presence != want {
			t.Fatalf("seen %+v, %v; want it %s", seen, err, want)
		}
	}
	observe(up, flow.Absent)
	result, err := o.Grant(t.Context(), up)
	if err != nil || !strings.HasPrefix(string(result.Output), `{"entitlement_id":"`) {
		t.Fatalf("%s, %v", result.Output, err)
	}
	observe(up, flow.Present)
	const grant = "ListEntitlements CreateEntitlement ListEntitlements DescribeInstance DescribeUser"
	if got := m.operations(); got != grant {
		t.Errorf("one grant calls\n%s, want\n%s", got, grant)
	}
	for _, made := range m.Calls("account-access") {
		if made.Account != management || made.Region != "eu-west-1" || made.Role != connector || made.Session != run {
			t.Errorf("called as %+v", made)
		}
	}
	if _, err := o.Revoke(t.Context(), down); err != nil {
		t.Fatal(err)
	}
	observe(down, flow.Absent)
	observe(down, flow.Absent)
	const both = "ListEntitlements CreateEntitlement ListEntitlements" + " ListEntitlements DeleteEntitlement ListEntitlements ListEntitlements" + " DescribeInstance DescribeUser" + " DescribeUser"
	if got := m.operations(); got != both {
		t.Errorf("with one removal it calls\n%s, want\n%s", got, both)
	}
}

// TestErrors: what AWS answers, and what that means.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		operation string
		fault     awsfake.Fault
		there     bool // the user is entitled already
		code      flow.Code
		text      string
		wait      time.Duration
	}{
		{"NewRole", "CreateEntitlement", awsfake.Fault{Status: 400, Code: "ValidationException", Message: "Role does not exist"}, false, flow.CodeUnavailable, "known in a minute or two; else see that it is there. It says: Role does not exist", 30 * time.Second},
		{"Conflict", "CreateEntitlement", awsfake.Fault{Status: 409, Code: "ConflictException"}, false, flow.CodeUnavailable, "busy with an earlier change", 10 * time.Second},
		{"AlreadyThere", "CreateEntitlement", awsfake.Fault{Status: 409, Code: "ConflictException"}, true, "", "", 0},
		{"NoApplication", "CreateEntitlement", awsfake.Fault{Status: 404, Code: "ResourceNotFoundException"}, false, flow.CodeStrategy, "correct the strategy's application_arn", 0},
		{"Quota", "CreateEntitlement", awsfake.Fault{Status: 402, Code: "ServiceQuotaExceededException", Message: "too many"}, false, flow.CodeStrategy, "refuses: too many", 0},
		{"Denied", "CreateEntitlement", awsfake.Fault{Status: 403, Code: "AccessDeniedException"}, false, flow.CodeStrategy, "does not allow account access manager CreateEntitlement", 0},
		{"Throttled", "DeleteEntitlement", awsfake.Fault{Status: 429, Code: "ThrottlingException"}, true, flow.CodeUnavailable, "AWS account access manager asks for fewer calls", 0},
		{"GoneMeanwhile", "DeleteEntitlement", awsfake.Fault{Status: 404, Code: "ResourceNotFoundException"}, true, "", "", 0},
		{"Proxy", "DeleteEntitlement", awsfake.Fault{Status: 502, Code: ""}, true, flow.CodeUnavailable, "a fault of its own", 0},
		{"List", "ListEntitlements", awsfake.Fault{Status: 500, Code: "InternalServerException"}, true, flow.CodeUnavailable, "a fault of its own", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, s, accounts := open(t)
			o := mustOpen(t, s, accounts)
			if test.there {
				m.Give(s.Targets[0], alice)
			}
			do := o.Revoke
			if test.operation == "CreateEntitlement" {
				do = o.Grant
			}
			m.Fail(test.operation, 1, test.fault)
			_, err := do(t.Context(), call(t, o, s.Targets[0], strategy.Granting))
			if flow.CodeOf(err) != test.code || err != nil && !strings.Contains(flow.UserMessage(err), test.text) || flow.AskedToWait(err) != test.wait {
				t.Errorf("got %v of %s, asking for %s; want %q of %s, asking for %s", err, flow.CodeOf(err), flow.AskedToWait(err), test.text, test.code, test.wait)
			}
		})
	}
}

// TestBehind: an entitlement that is not listed yet is removed by the id that the
// grant was given, from this run or another.
func TestBehind(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	o := mustOpen(t, s, accounts)
	m.SetMood(strategytest.Stale)
	up, down := call(t, o, s.Targets[0], strategy.Granting), call(t, o, s.Targets[0], strategy.Removing)
	result, err := o.Grant(t.Context(), up)
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := o.Observe(t.Context(), up); err != nil || seen.Presence != flow.Absent {
		t.Fatalf("seen %+v, %v: it is not behind", seen, err)
	}
	down.Output = result.Output
	if _, err := o.Revoke(t.Context(), down); err != nil {
		t.Fatal(err)
	}
	if m.Has(s.Targets[0], alice) {
		t.Error("it is still there")
	}
}

// TestRoleGone: an entitlement to a role that was deleted is removed like any other.
func TestRoleGone(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	o := mustOpen(t, s, accounts)
	if _, err := o.Grant(t.Context(), call(t, o, s.Targets[0], strategy.Granting)); err != nil {
		t.Fatal(err)
	}
	m.DeleteTarget(s.Targets[0])
	if _, err := o.Revoke(t.Context(), call(t, o, s.Targets[0], strategy.Removing)); err != nil || m.Has(s.Targets[0], alice) {
		t.Errorf("removed: %v", err)
	}
	if _, err := o.Grant(t.Context(), call(t, o, s.Targets[0], strategy.Granting)); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("granted: %v", err)
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
	return l.note("%s: call %d of %d", p.Key, c, p.Calls[c])
}

func (l *ledger) Begin(_ context.Context, p strategy.Pace, c strategy.Class, _ string) error {
	return l.note("%s: begin %d of %d", p.Key, c, p.Slots[c])
}

func (l *ledger) End(_ context.Context, p strategy.Pace, _ string) error {
	return l.note("%s: end", p.Key)
}

// TestPace: calls and changes are in turn, by the manager's limits and by those of
// Identity Center. A change whose answer is lost keeps its slot.
func TestPace(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	limiter := &ledger{}
	accounts.Limiter = limiter
	o := mustOpen(t, s, accounts)
	if _, err := o.Grant(t.Context(), call(t, o, s.Targets[0], strategy.Granting)); err != nil {
		t.Fatal(err)
	}
	m.Lose("DeleteEntitlement")
	if _, err := o.Revoke(t.Context(), call(t, o, s.Targets[0], strategy.Removing)); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Fatal(err)
	}
	if _, err := o.Identity(t.Context(), flow.Actor{Email: "alice@example.com"}); err != nil {
		t.Fatal(err)
	}
	const ours, theirs = application + "/" + management + ": ", "identity_center/" + instance + "/" + management + ": "
	want := []string{
		ours + "begin 1 of 12", ours + "call 1 of 15", ours + "end",
		ours + "call 2 of 20", ours + "begin 2 of 15", ours + "call 2 of 20",
		theirs + "call 1 of 15", theirs + "call 1 of 15",
	}
	if diff := cmp.Diff(want, limiter.lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestDiscover: the roles of groups are found, once each, with names of their own.
func TestDiscover(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	o := mustOpen(t, s, accounts)
	const same, long = "arn:aws:iam::111122223333:role/teams/ops/Reader", "arn:aws:iam::111122223333:role/A-role-with-a-name-as-long-as-the-names-of-roles-may-be-in-AWS-IA"
	for i, role := range []string{admin, reader, same, long, "arn:aws:iam::111122223333:role/a+b"} {
		m.IdentityCenter.AddRole(management, role)
		for j := range 2 + i%2 {
			group := fmt.Sprintf("a1b2c3d4e5-%08d-2222-3333-4444-555555555555", j)
			m.IdentityCenter.AddGroup(management, group, "Team")
			m.IdentityCenter.Entitle(management, role, "GROUP", group)
		}
	}
	m.IdentityCenter.Entitle(management, "arn:aws:iam::111122223333:role/OfAPerson", "USER", alice)
	found, err := o.Discover(t.Context())
	if err != nil || len(found) != 5 {
		t.Fatalf("found %+v, %v", found, err)
	}
	names := map[string]string{}
	for _, target := range found {
		if err := flow.CheckName(target.Name); err != nil || names[target.Name] != "" {
			t.Errorf("%s: %v", target.Name, err)
		}
		names[target.Name] = target.Label
	}
	if names["role-111122223333-ProdAdmin"] != "ProdAdmin in account-111122223333" {
		t.Errorf("found %v", names)
	}
	s.Targets = found
	if faults := awsaccountaccess.Type().Check(s); len(faults) > 0 {
		t.Errorf("what was found has faults: %v", faults)
	}
}

func TestHoldersAndLingers(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	o := mustOpen(t, s, accounts)
	var want []string
	for i := range 9 {
		id := fmt.Sprintf("a1b2c3d4e5-%08d-2222-3333-4444-555555555555", i)
		m.Give(s.Targets[0], id)
		want = append(want, id)
	}
	m.GiveByway(s.Targets[0], alice)
	got, err := o.Holders(t.Context(), s.Targets[0])
	slices.Sort(got)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if d, err := o.Lingers(t.Context(), s.Targets[0]); err != nil || d != 12*time.Hour {
		t.Errorf("sessions linger for %s, %v", d, err)
	}
}

// TestDirectoryOut: that nobody can be asked about groups keeps no removal from
// being seen, and is said; a grant waits.
func TestDirectoryOut(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	o := mustOpen(t, s, accounts)
	m.GiveByway(s.Targets[0], bob)
	m.Fail("IsMemberInGroups", 2, awsfake.Fault{Status: 500, Code: "InternalServerException"})
	seen, err := o.Observe(t.Context(), call(t, o, s.Targets[0], strategy.Removing))
	if err != nil || seen.Presence != flow.Absent || len(seen.Others) != 1 || !strings.HasPrefix(seen.Others[0], "perhaps a group") {
		t.Errorf("at a removal: %+v, %v", seen, err)
	}
	if _, err = o.Observe(t.Context(), call(t, o, s.Targets[0], strategy.Granting)); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("at a grant: %v", err)
	}
}

// TestHost: without an emulator, the call goes to the application's region, under
// the newer form of AWS's names of hosts.
func TestHost(t *testing.T) {
	t.Parallel()
	_, s, accounts := open(t)
	accounts.AWS.BaseEndpoint, s.Integration = nil, nil
	var host string
	accounts.AWS.HTTPClient = sender(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
		return nil, errors.New("no network")
	})
	o := mustOpen(t, s, accounts)
	if _, err := o.Grant(t.Context(), call(t, o, s.Targets[0], strategy.Granting)); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if host != "https://account-access.eu-west-1.api.aws/entitlements" {
		t.Errorf("called %s", host)
	}
}

type sender func(*http.Request) (*http.Response, error)

func (s sender) Do(r *http.Request) (*http.Response, error) { return s(r) }

// TestRights: what the strategy declares suffices, and each action is needed.
func TestRights(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	own := strings.Replace(application, management, awsfake.Own, 1)
	all := m.IdentityCenter
	all.AddInstance(awsfake.Own, instance, "d-1234567890", own)
	all.AddUser(awsfake.Own, alice, "alice", "alice@example.com")
	all.AddGroup(awsfake.Own, admins, "Admins")
	all.AddRole(awsfake.Own, admin)
	all.Entitle(awsfake.Own, admin, "GROUP", admins)
	all.Join(awsfake.Own, admins, alice)
	s.Integration, s.Settings["application_arn"] = nil, own
	rights := awsaccountaccess.Type().RightsOf(s)
	cfg, unused := m.Restricted(t, rights)
	accounts.AWS = cfg
	o := mustOpen(t, s, accounts)
	if _, err := o.Identity(t.Context(), flow.Actor{Email: "alice@example.com"}); err != nil {
		t.Fatal(err)
	}
	c := call(t, o, s.Targets[0], strategy.Removing)
	for _, do := range []func(context.Context, strategy.Call) (strategy.Result, error){o.Grant, o.Revoke} {
		if _, err := do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if seen, err := o.Observe(t.Context(), c); err != nil || len(seen.Others) != 1 || seen.Others[0] != "group Admins of Identity Center" {
			t.Errorf("seen %+v, %v", seen, err)
		}
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

// TestWire: requests are as AWS's reference has them:
// https://docs.aws.amazon.com/account-access/latest/APIReference/API_Operations.html
func TestWire(t *testing.T) {
	t.Parallel()
	m, s, accounts := open(t)
	var sent []string
	next := accounts.AWS.HTTPClient
	accounts.AWS.HTTPClient = sender(func(r *http.Request) (*http.Response, error) {
		if strings.Contains(r.Header.Get("Authorization"), "/account-access/aws4_request") {
			var body []byte
			if r.Body != nil {
				var err error
				if body, err = io.ReadAll(r.Body); err != nil {
					return nil, err
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			sent = append(sent, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Content-Type")+" "+string(body))
		}
		return next.Do(r)
	})
	o := mustOpen(t, s, accounts)
	c := call(t, o, s.Targets[0], strategy.Removing)
	for _, do := range []func(context.Context, strategy.Call) (strategy.Result, error){o.Grant, o.Revoke} {
		if _, err := do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.Observe(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	m.IdentityCenter.Entitle(management, admin, "GROUP", admins)
	if _, err := o.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 5 {
		t.Fatalf("sent %q", sent)
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(sent[2], "DELETE /entitlements/"), "?")
	want := []string{
		`POST /entitlements application/json {"applicationArn":"` + application + `","entitlement":{"principalRole":{"principal":{"identityCenter":{"userId":"` + alice + `"}},"roleArn":"` + admin + `"}}}`,
		`POST /entitlements-list application/json {"applicationArn":"` + application + `","filter":{"principalRole":{"principal":{"identityCenter":{"userId":"` + alice + `"}},"roleArn":"` + admin + `"}},"maxResults":100}`,
		`DELETE /entitlements/` + head + `?applicationArn=` + url.QueryEscape(application) + `  `,
		`POST /entitlements-list application/json {"applicationArn":"` + application + `","filter":{"principalRole":{"roleArn":"` + admin + `"}},"maxResults":100}`,
		`POST /entitlements-list application/json {"applicationArn":"` + application + `","filter":{"principalRole":{"principal":{"identityCenter":{"groupId":"` + admins + `"}}}},"maxResults":100}`,
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("-want +sent:\n%s", diff)
	}
}
