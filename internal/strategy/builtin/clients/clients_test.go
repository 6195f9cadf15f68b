package clients

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy"
	awslambda "github.com/symflows/symflows/internal/strategy/awslambda/client"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/workflow"
)

// TestLists: what is declared has a client, and the other way round.
func TestLists(t *testing.T) {
	t.Parallel()
	declared, there := slices.Sorted(maps.Keys(builtin.Types())), slices.Sorted(maps.Keys(openers))
	if !slices.Equal(declared, there) {
		t.Errorf("declared are %q, and there are clients for %q", declared, there)
	}
	opener := Open(Deps{Egress: egress.New(egress.Machine, nil), Now: time.Now, Handlers: &sdk.Client{}, AWS: func() (aws.Config, error) { return aws.Config{}, nil }})
	for _, name := range there {
		s := flow.Strategy{Name: "databases", Type: name}
		if builtin.Types()[name].Integration.Need == strategy.Required {
			s.Integration = &flow.Integration{Name: "it", Type: name, ExternalID: "example.com"}
		}
		opened, err := opener(s)
		if err != nil {
			t.Errorf("%s: does not open: %v", name, err)
		}
		target := flow.Target{Name: "orders", Type: builtin.Types()[name].Targets[0].Name}
		for _, identity := range []string{"alice@example.com", "1234", "arn:aws:iam::123456789012:role/alice", ""} {
			means, err := opened.Entitlements(target, identity, "run")
			said, other := builtin.Entitlements(s, target, identity, "run")
			if diff := cmp.Diff(means, said); diff != "" || flow.CodeOf(err) != flow.CodeOf(other) {
				t.Errorf("%s: what it means for %q is said differently: %s, %v and %v", name, identity, diff, err, other)
			}
		}
		if _, observes := opened.(strategy.Observer); observes != builtin.Types()[name].Observes {
			t.Errorf("%s: it reads targets back: %t, and declares otherwise", name, observes)
		} else if _, lists := opened.(strategy.Lister); lists != observes {
			t.Errorf("%s: it reads targets back: %t, and lists who has what: %t; drift needs both", name, observes, lists)
		}
	}
}

// TestOpenWhenUsed: a strategy that is not used costs nothing, and one that is
// keeps its client.
func TestOpenWhenUsed(t *testing.T) {
	t.Parallel()
	made := map[string]int{}
	entry := func(name string) func(Deps) strategy.Opener {
		return func(Deps) strategy.Opener {
			made[name]++
			return func(flow.Strategy) (strategy.Strategy, error) { return nil, nil }
		}
	}
	opener := open(map[string]func(Deps) strategy.Opener{"used": entry("used"), "unused": entry("unused")}, Deps{})
	if len(made) > 0 {
		t.Errorf("made before they are used: %v", made)
	}
	for range 2 {
		if _, err := opener(flow.Strategy{Type: "used"}); err != nil {
			t.Fatal(err)
		}
	}
	if made["used"] != 1 || made["unused"] != 0 {
		t.Errorf("made %v, want the used one once", made)
	}
}

// TestGoogle: strategies of Google sign in by what AWS says of who we are, be it by
// its signature or by its token.
func TestGoogle(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{strategy.GoogleTokenAWS, strategy.GoogleTokenJWT} {
		cloud, vendor := awsfake.New(), googlefake.New(t)
		cloud.STS.FederateOutbound()
		cfg := cloud.Config(t)
		key, err := cfg.Credentials.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		vendor.GoBy(cloud.Now)
		vendor.TrustAWS(key.AccessKeyID, key.SecretAccessKey)
		vendor.TrustTokens(cloud.STS.Trusted)
		vendor.AddUser("alice@example.com")
		vendor.AddGroup("ops@example.com", "Ops")
		integration := vendor.Integration()
		integration.Settings[strategy.SettingGoogleSubjectToken] = kind
		opened, err := Open(Deps{Egress: egress.New(egress.Machine, nil), Now: cloud.Now, AWS: func() (aws.Config, error) { return cfg, nil }})(flow.Strategy{Type: "google_group", Integration: integration})
		if err != nil {
			t.Fatal(err)
		}
		target := flow.Target{Settings: map[string]string{"group_email": "ops@example.com", "role": "MEMBER"}}
		if _, err := opened.Grant(t.Context(), strategy.Call{Target: target, Identity: "alice@example.com", Value: "MEMBER"}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if role, _ := vendor.Role("ops@example.com", "alice@example.com"); role != "MEMBER" {
			t.Errorf("%s: the role is %q", kind, role)
		}
	}
}

func TestOpenUnknownType(t *testing.T) {
	t.Parallel()
	_, err := Open(Deps{})(flow.Strategy{Name: "databases", Type: "ldap"})
	if !flow.Retryable(err) {
		t.Errorf("got %v, want an error that may pass", err)
	}
	for _, want := range []string{`"databases"`, `"ldap"`, strings.Join(slices.Sorted(maps.Keys(openers)), ", ")} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
}

// TestOwners: what the configuration API owns goes another way than what files own, of
// HTTP and of PostgreSQL, and is not let to this machine.
func TestOwners(t *testing.T) {
	t.Parallel()
	ways := map[*http.Client]bool{}
	open(map[string]func(Deps) strategy.Opener{"any": func(d Deps) strategy.Opener {
		ways[d.way.HTTP] = true
		if d.google().HTTP != d.way.HTTP {
			t.Error("Google is called another way")
		}
		return func(flow.Strategy) (strategy.Strategy, error) { return nil, nil }
	}}, Deps{Egress: egress.New(egress.Machine, nil)})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	here := listener.Addr().String()
	deps := Deps{
		Egress: egress.New(egress.Machine, nil), Now: time.Now,
		Secrets: strategytest.Vault{"/sym/dsn": "postgres://sym:password@" + here + "/postgres?sslmode=disable", "/sym/okta": "token"},
		AWS:     func() (aws.Config, error) { return aws.Config{}, nil },
	}
	okta := &flow.Integration{
		Name: "okta", Type: "okta", ExternalID: "acme.okta.com", Settings: map[string]string{strategy.SettingAPIURL: "https://" + here},
		Secrets: map[string]flow.SecretRef{"api_token_secret": {Name: "okta", Path: "/sym/okta"}},
	}
	for _, s := range []flow.Strategy{
		{Type: "http", Settings: map[string]string{"url": "https://" + here + "/sym"}},
		{Type: "http", Settings: map[string]string{"url": "http://" + here + "/sym"}},
		{Type: "postgres", Secrets: map[string]flow.SecretRef{"dsn_secret_id": {Name: "dsn", Path: "/sym/dsn"}}},
		{Type: "okta", Integration: okta},
	} {
		s.Name, s.ByAPI = "theirs", true
		opened, err := Open(deps)(s)
		if err != nil {
			t.Fatal(err)
		}
		target := flow.Target{Name: "it", Settings: map[string]string{"identifier": "it", "role": "reader", "group_id": "00g1"}}
		_, err = opened.Grant(t.Context(), strategy.Call{Target: target, Identity: "alice@example.com"})
		if _, refused := errors.AsType[*egress.Refused](err); !refused || flow.CodeOf(err) != flow.CodeStrategy {
			t.Errorf("%s: %v", s.Type, err)
		}
	}
}

// invoked tells who invokes functions.
type invoked struct {
	by func(context.Context) (string, error)
}

// Invoke implements workflow.Functions.
func (i invoked) Invoke(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	who, err := i.by(ctx)
	return []byte(`{"body": {"by": "` + who + `"}, "errors": []}`), err
}

// away are functions in AWS.
type away struct{ invoked }

func (away) As(cfg aws.Config) workflow.Functions {
	return invoked{func(ctx context.Context) (string, error) {
		_, err := cfg.Credentials.Retrieve(ctx)
		return "the role in " + cfg.Region, err
	}}
}

// Those that access invokes are.
var _ awslambda.InAWS = invoke.Functions{}

// TestFunctionsAs: a function is invoked in the session of the integration's role, which is
// that of the run, and without a role by rights of our own; where all functions are on this
// machine, they are.
func TestFunctionsAs(t *testing.T) {
	t.Parallel()
	cloud := awsfake.New()
	const role = "arn:aws:iam::210987654321:role/sym/SymLambdaMain"
	cloud.STS.AddRole(role, "a-text-of-nobody-elses")
	cfg := cloud.Config(t)
	us := invoked{func(context.Context) (string, error) { return "us", nil }}
	in := &flow.Integration{Name: "lambda", Type: strategy.PermissionContext, Settings: map[string]string{
		strategy.SettingRoleARN: role, strategy.SettingExternalID: "a-text-of-nobody-elses", strategy.SettingRegion: "eu-west-1",
	}}
	for _, c := range []struct {
		functions workflow.Functions
		in        *flow.Integration
		want      string
	}{
		{away{us}, in, "the role in eu-west-1"},
		{away{us}, nil, "us"},
		{away{us}, &flow.Integration{Name: "here", Type: strategy.PermissionContext}, "us"},
		{us, in, "us"},
	} {
		d := Deps{Functions: c.functions, Egress: egress.New(egress.Machine, nil), Now: cloud.Now, AWS: func() (aws.Config, error) { return cfg, nil }}
		opened, err := Open(d)(flow.Strategy{Name: "functions", Type: "aws_lambda", Integration: c.in})
		if err != nil {
			t.Fatal(err)
		}
		target := flow.Target{Name: "it", Settings: map[string]string{"arn": "arn:aws:lambda:eu-west-1:210987654321:function:grant"}}
		got, err := opened.Grant(t.Context(), strategy.Call{Target: target, RunID: "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"})
		if err != nil || !strings.Contains(string(got.Output), `"`+c.want+`"`) {
			t.Errorf("invoked by %s, %v, want %s", got.Output, err, c.want)
		}
	}
	if calls := cloud.Calls("sts"); len(calls) != 1 {
		t.Errorf("roles were assumed by %+v, want once", calls)
	}
}
