package github_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/github"
)

var key, token = flow.SecretRef{Name: "key", Path: "/sym/main/key"}, flow.SecretRef{Name: "token", Path: "/sym/main/token"}

// code is a right strategy in which an app signs in.
func code() flow.Strategy {
	return flow.Strategy{
		Name: "code", Type: "github",
		Integration: &flow.Integration{
			Name: "github", Type: "github", ExternalID: "Acme",
			Settings: map[string]string{"app_id": "123456", "installation_id": "7654321"}, Secrets: map[string]flow.SecretRef{"private_key_secret": key},
		},
		Targets: []flow.Target{
			{Name: "orders", Type: github.Repo, Settings: map[string]string{"repo_name": "Orders.go"}},
			{Name: "on-call", Type: github.Team, Settings: map[string]string{"team_slug": "on-call", "role": "maintainer"}},
			{Name: "acme", Type: github.Org},
			{Name: "any", Type: github.Repo, Settings: map[string]string{"permission": "triage"}, FieldBindings: []string{"repo_name"}},
		},
	}
}

// byToken is one in which a token does.
func byToken() flow.Strategy {
	s := code()
	s.Integration.Settings, s.Integration.Secrets = nil, map[string]flow.SecretRef{"api_token_secret": token}
	return s
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, right := range []flow.Strategy{code(), byToken()} {
		if faults := github.Type().Check(right); len(faults) > 0 {
			t.Errorf("a right configuration has faults: %v", faults)
		}
	}
	set := func(name, value string) func(*flow.Strategy) {
		return func(s *flow.Strategy) { s.Integration.Settings[name] = value }
	}
	target := func(i int, name, value string) func(*flow.Strategy) {
		return func(s *flow.Strategy) {
			if s.Targets[i].Settings == nil {
				s.Targets[i].Settings = map[string]string{}
			}
			s.Targets[i].Settings[name] = value
		}
	}
	for _, test := range []struct {
		name string
		edit func(*flow.Strategy)
		path string
		text string
	}{
		{"NoIntegration", func(s *flow.Strategy) { s.Integration = nil }, "integration_id", "is missing"},
		{"Address", func(s *flow.Strategy) { s.Integration.ExternalID = "github.com/acme" }, "integration.external_id", "must be the name of an organization"},
		{"NoSignIn", func(s *flow.Strategy) { s.Integration.Settings, s.Integration.Secrets = nil, nil }, "integration.settings.api_token_secret", "or have a GitHub App sign in"},
		{"Both", func(s *flow.Strategy) { s.Integration.Secrets["api_token_secret"] = token }, "integration.settings.api_token_secret", "keep one of them"},
		{"NoApp", set("app_id", ""), "integration.settings.app_id", "is required"},
		{"NoInstallation", set("installation_id", ""), "integration.settings.installation_id", "is required"},
		{"Installation", set("installation_id", "acme"), "integration.settings.installation_id", "must be a number"},
		{"NoKey", func(s *flow.Strategy) { s.Integration.Secrets = nil }, "integration.settings.private_key_secret", "or private_key_kms_arn"},
		{"TwoKeys", set("private_key_kms_arn", "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"), "integration.settings.private_key_kms_arn", "name one key"},
		{"API", set("api_url", "http://github.example.com/api/v3"), "integration.settings.api_url", "must begin with https://"},
		{"OwnerAndName", target(0, "repo_name", "acme/orders"), "targets.orders.settings.repo_name", "without its organization"},
		{"Dots", target(0, "repo_name", ".."), "targets.orders.settings.repo_name", "the name of a repository"},
		{"Permission", target(0, "permission", "write"), "targets.orders.settings.permission", "must be pull, triage, push, maintain or admin"},
		{"TeamName", target(1, "team_slug", "On Call"), "targets.on-call.settings.team_slug", "the team's slug"},
		{"EnterpriseTeam", target(1, "team_slug", "ent:platform"), "targets.on-call.settings.team_slug", "a team of the enterprise"},
		{"Role", target(1, "role", "owner"), "targets.on-call.settings.role", "must be member or maintainer"},
		{"OrgRole", target(2, "role", "owner"), "targets.acme.settings.role", "must be member or admin"},
		{"OtherOrg", target(1, "org", "umbrella"), "targets.on-call.settings.org", "is not Acme, where the app"},
		{"BoundOrg", func(s *flow.Strategy) { s.Targets[2].FieldBindings = []string{"org"} }, "targets.acme.field_bindings", "must not be bound"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := code()
			test.edit(&s)
			faults := github.Type().Check(s)
			if !slices.ContainsFunc(faults, func(f flow.Fault) bool { return f.Path == test.path && strings.Contains(f.Message, test.text) }) {
				t.Errorf("got %v, want a fault at %s about %q", faults, test.path, test.text)
			}
		})
	}
	other := byToken()
	other.Targets[1].Settings["org"] = "umbrella"
	if faults := github.Type().Check(other); len(faults) > 0 {
		t.Errorf("a token may be of several organizations: %v", faults)
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	own := code()
	own.Integration.Settings["api_url"] = "https://github.example.com/api/v3"
	for _, test := range []struct {
		name     string
		s        flow.Strategy
		target   int
		identity string
		want     flow.Entitlement
	}{
		{"Repo", code(), 0, "OctoCat", flow.Entitlement{Key: "github/api.github.com/acme/repo/orders.go/octocat", Value: "push"}},
		{"Team", code(), 1, "octocat_acme", flow.Entitlement{Key: "github/api.github.com/acme/team/on-call/octocat_acme", Value: "maintainer"}},
		{"Org", code(), 2, "octocat", flow.Entitlement{Key: "github/api.github.com/acme/org/octocat", Value: "member"}},
		{"OwnServer", own, 0, "octocat", flow.Entitlement{Key: "github/github.example.com/acme/repo/orders.go/octocat", Value: "push"}},
	} {
		got, err := github.Entitlements(test.s, test.s.Targets[test.target], test.identity)
		if diff := cmp.Diff([]flow.Entitlement{test.want}, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", test.name, err, diff)
		}
	}
	for _, wrong := range []string{"", "alice@example.com", "-alice", "a/b", strings.Repeat("a", 65)} {
		if _, err := github.Entitlements(code(), code().Targets[0], wrong); flow.CodeOf(err) != flow.CodeIdentity || !strings.Contains(flow.UserMessage(err), "save the login") {
			t.Errorf("%q: %v, want an error of %s", wrong, err, flow.CodeIdentity)
		}
	}
}

// TestAddresses: GitHub Enterprise Server has its APIs side by side, and github.com
// and data residency one below the other.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][2]string{
		"":                                   {"https://api.github.com", "https://api.github.com/graphql"},
		"https://github.example.com/api/v3/": {"https://github.example.com/api/v3", "https://github.example.com/api/graphql"},
		"https://api.acme.ghe.com":           {"https://api.acme.ghe.com", "https://api.acme.ghe.com/graphql"},
	} {
		s := code()
		s.Integration.Settings["api_url"] = address
		if got := [2]string{github.API(s), github.GraphQL(s)}; got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

// TestRights: the secret that signs in is read; a key of KMS signs.
func TestRights(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	byKMS := code()
	byKMS.Integration.Secrets, byKMS.Integration.Settings["private_key_kms_arn"] = nil, arn
	for name, test := range map[string]struct {
		s    flow.Strategy
		want strategy.Rights
	}{
		"Key":   {code(), strategy.Rights{Secrets: []flow.SecretRef{key}}},
		"Token": {byToken(), strategy.Rights{Secrets: []flow.SecretRef{token}}},
		"KMS": {byKMS, strategy.Rights{Allow: []strategy.Allow{{
			Actions: []string{"kms:Sign"}, Resources: []string{arn}, When: map[string][]string{"kms:SigningAlgorithm": {"RSASSA_PKCS1_V1_5_SHA_256"}},
		}}}},
	} {
		if diff := cmp.Diff(test.want, github.Type().RightsOf(test.s)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
