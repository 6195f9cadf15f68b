package clients

import (
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
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/strategytest"
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
