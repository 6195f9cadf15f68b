package account_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	other    = "210987654321"
	roleARN  = "arn:aws:iam::210987654321:role/sym/connector"
	external = "1f0c1f0c"
	run      = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
)

func elsewhere() strategy.AWSAccount {
	return strategy.AccountOf(flow.Strategy{Integration: &flow.Integration{Settings: map[string]string{
		"role_arn": roleARN, "external_id": external, "region": "eu-west-1",
	}}})
}

// limiter counts what it is asked for, and refuses what it is told to.
type limiter struct {
	mu    sync.Mutex
	asked []strategy.Class
	err   error
}

func (l *limiter) Call(_ context.Context, p strategy.Pace, c strategy.Class) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, c)
	return l.err
}
func (l *limiter) Begin(context.Context, strategy.Pace, strategy.Class, string) error { return nil }
func (l *limiter) End(context.Context, strategy.Pace, string) error                   { return nil }

// open gives accounts on a fake that has a group, and a user in it, in the own
// account and in another one.
func open(t *testing.T) (*awsfake.Fake, *account.Accounts) {
	f := awsfake.New()
	f.STS.AddRole(roleARN, external)
	for _, id := range []string{awsfake.Own, other} {
		f.IAM.AddUser(id, "/", "alice", nil)
		f.IAM.AddGroup(id, "/", "ops")
	}
	return f, &account.Accounts{AWS: f.Config(t), Now: f.Now}
}

func groups(ctx context.Context, cfg aws.Config) error {
	_, err := iam.NewFromConfig(cfg).ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: aws.String("alice")})
	return account.Failure(err)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	f, accounts := open(t)
	for _, c := range []struct {
		in   strategy.AWSAccount
		from account.Caller
	}{
		{strategy.AccountOf(flow.Strategy{}), account.Caller{RunID: run}},
		{elsewhere(), account.Caller{RunID: run}},
		{elsewhere(), account.Caller{RunID: run}}, // in the session that there is
		{elsewhere(), account.Caller{}},
	} {
		if err := groups(t.Context(), accounts.Config(c.in, c.from)); err != nil {
			t.Fatal(err)
		}
	}
	want := []awsfake.Call{
		{Service: "iam", Operation: "ListGroupsForUser", Account: awsfake.Own, Region: "us-east-1"},
		{Service: "iam", Operation: "ListGroupsForUser", Account: other, Region: "eu-west-1", Role: roleARN, Session: run},
		{Service: "iam", Operation: "ListGroupsForUser", Account: other, Region: "eu-west-1", Role: roleARN, Session: run},
		{Service: "iam", Operation: "ListGroupsForUser", Account: other, Region: "eu-west-1", Role: roleARN, Session: "sym"},
	}
	if diff := cmp.Diff(want, f.Calls("iam")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if calls := f.Calls("sts"); len(calls) != 2 || calls[0].Account != awsfake.Own || calls[0].Region != "us-east-1" {
		t.Errorf("roles were assumed by %+v, want once for each session, from our own account and region", calls)
	}
}

// TestConfig_Renewed: a session is renewed before it ends, and at once where AWS
// says that it has.
func TestConfig_Renewed(t *testing.T) {
	t.Parallel()
	f, accounts := open(t)
	ask := func() {
		t.Helper()
		if err := groups(t.Context(), accounts.Config(elsewhere(), account.Caller{})); err != nil {
			t.Fatal(err)
		}
	}
	for _, pass := range []func(){
		func() {},
		func() { f.Advance(14*time.Minute + time.Second) },
		f.STS.Expire,
	} {
		pass()
		ask()
		ask()
	}
	if n := len(f.Calls("sts")); n != 3 {
		t.Errorf("the role was assumed %d times, want 3", n)
	}
	f.STS.RemoveRole(roleARN)
	err := groups(t.Context(), accounts.Config(elsewhere(), account.Caller{}))
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "the role "+roleARN+" can't be assumed any more: see that it is there") {
		t.Errorf("got %v", err)
	}
}

// TestConfig_AtOnce: calls at the same time assume a role once.
func TestConfig_AtOnce(t *testing.T) {
	t.Parallel()
	f, accounts := open(t)
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() {
			if err := groups(t.Context(), accounts.Config(elsewhere(), account.Caller{RunID: run})); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if n := len(f.Calls("sts")); n != 1 {
		t.Errorf("the role was assumed %d times", n)
	}
}

func TestConfig_Paced(t *testing.T) {
	t.Parallel()
	f, accounts := open(t)
	l := &limiter{}
	accounts.Limiter = l
	caller := account.Caller{Class: strategy.Removing, Pace: strategy.Pace{Key: "iam"}}
	if err := groups(t.Context(), accounts.Config(elsewhere(), caller)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]strategy.Class{strategy.Removing}, l.asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	l.err = &flow.RateLimited{After: 3 * time.Second, Cause: flow.Errorf(flow.CodeUnavailable, "wait for your turn")}
	before := len(f.Calls("iam"))
	err := groups(t.Context(), accounts.Config(elsewhere(), caller))
	if flow.AskedToWait(err) != 3*time.Second || flow.UserMessage(err) != "wait for your turn" || len(f.Calls("iam")) != before {
		t.Errorf("got %v, and %d calls", err, len(f.Calls("iam"))-before)
	}
}

// TestConfig_Repeats: what fails for a moment is repeated at once, and each
// attempt waits for its turn; who is asked to come back later does.
func TestConfig_Repeats(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault awsfake.Fault
		times int
		calls int
	}{
		{"Fault", awsfake.Fault{Status: 500, Code: "ServiceFailure"}, 1, 2},
		{"Throttled", awsfake.Fault{Status: 400, Code: "Throttling"}, 1, 1},
		{"Denied", awsfake.Fault{Status: 403, Code: "AccessDenied"}, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, accounts := open(t)
			l := &limiter{}
			accounts.Limiter = l
			accounts.AWS.Retryer = nil // as outside of tests
			f.Fail("ListGroupsForUser", test.times, test.fault)
			err := groups(t.Context(), accounts.Config(elsewhere(), account.Caller{}))
			if (err == nil) != (test.calls > test.times) || len(f.Calls("iam")) != test.calls || len(l.asked) != test.calls {
				t.Errorf("%v after %d calls with %d turns, want %d", err, len(f.Calls("iam")), len(l.asked), test.calls)
			}
		})
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	if err := account.Failure(nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	strange := errors.New("strange")
	if err := account.Failure(strange); !errors.Is(err, strange) || flow.CodeOf(err) != flow.CodeInternal {
		t.Errorf("of what it does not know: %v", err)
	}
	fault := func(status int, code string) func(*awsfake.Fake) {
		return func(f *awsfake.Fake) {
			f.Fail("ListGroupsForUser", 1, awsfake.Fault{Status: status, Code: code, Message: "detail"})
		}
	}
	mood := func(m strategytest.Mood) func(*awsfake.Fake) { return func(f *awsfake.Fake) { f.SetMood(m) } }
	for _, test := range []struct {
		name string
		when func(*awsfake.Fake)
		code flow.Code
		text string
		wait time.Duration
	}{
		{name: "Throttling", when: fault(400, "Throttling"), code: flow.CodeUnavailable, text: "AWS IAM asks for fewer calls: it is tried again"},
		{name: "ThrottledFor", when: func(f *awsfake.Fake) { f.SetMood(strategytest.Throttled); f.AskToWait(7 * time.Second) }, code: flow.CodeUnavailable, text: "asks for fewer calls", wait: 7 * time.Second},
		{name: "TooMany", when: fault(http.StatusTooManyRequests, "Other"), code: flow.CodeUnavailable, text: "AWS IAM asks for fewer calls"},
		{name: "Denied", when: fault(403, "AccessDenied"), code: flow.CodeStrategy, text: "AWS does not allow IAM ListGroupsForUser: give the role that is used the rights"},
		{name: "UnknownKey", when: fault(403, "InvalidClientTokenId"), code: flow.CodeStrategy, text: "AWS does not accept the credentials"},
		{name: "Fault", when: fault(500, "ServiceFailure"), code: flow.CodeUnavailable, text: "AWS IAM has a fault of its own just now"},
		{name: "Cut", when: mood(strategytest.Forgetful), code: flow.CodeUnavailable, text: "could not be reached"},
		{name: "Mute", when: mood(strategytest.Mute), code: flow.CodeUnavailable, text: "did not answer in time"},
		{name: "Other", when: fault(400, "ValidationError"), code: flow.CodeInternal, text: flow.UserMessage(strange)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, accounts := open(t)
			ctx := deadline.Context(t)
			if test.name == "Mute" {
				ctx = deadline.Soon(t)
			}
			test.when(f)
			err := groups(ctx, accounts.Config(strategy.AccountOf(flow.Strategy{}), account.Caller{}))
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) || strings.Contains(flow.UserMessage(err), "detail") {
				t.Errorf("got %v of %s, want %q of %s", err, flow.CodeOf(err), test.text, test.code)
			}
			if got := flow.AskedToWait(err); got != test.wait {
				t.Errorf("asks to wait %s, want %s", got, test.wait)
			}
		})
	}
}

// TestConfig_Looking: who only looks has sessions that can do no more, whatever
// their role may do.
func TestConfig_Looking(t *testing.T) {
	t.Parallel()
	f, accounts := open(t)
	accounts.Looking = true
	cfg := accounts.Config(elsewhere(), account.Caller{})
	if err := groups(t.Context(), cfg); err != nil {
		t.Errorf("looking: %v", err)
	}
	_, err := iam.NewFromConfig(cfg).AddUserToGroup(t.Context(), &iam.AddUserToGroupInput{UserName: aws.String("alice"), GroupName: aws.String("ops")})
	if err = account.Failure(err); flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("changing: %v", err)
	}
	accounts.Looking = false
	if _, err := iam.NewFromConfig((&account.Accounts{AWS: f.Config(t), Now: f.Now}).Config(elsewhere(), account.Caller{})).AddUserToGroup(t.Context(), &iam.AddUserToGroupInput{UserName: aws.String("alice"), GroupName: aws.String("ops")}); err != nil {
		t.Errorf("changing by the whole role: %v", err)
	}
}

// TestConfig_NoCredentials: who has none is told what to do.
func TestConfig_NoCredentials(t *testing.T) {
	t.Parallel()
	_, accounts := open(t)
	accounts.AWS.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no EC2 IMDS role found")
	})
	err := groups(t.Context(), accounts.Config(strategy.AccountOf(flow.Strategy{}), account.Caller{}))
	if flow.CodeOf(err) != flow.CodeUnavailable || !strings.Contains(flow.UserMessage(err), "aws sso login") || strings.Contains(flow.UserMessage(err), "IMDS") {
		t.Errorf("got %v", err)
	}
}
