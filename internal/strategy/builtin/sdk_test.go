package builtin_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

// How modules of the SDK name their integration and its settings.
var (
	asksFor  = regexp.MustCompile(`_lookup\.integration\("(\w+)"\)`)
	needs    = regexp.MustCompile(`_lookup\.setting\(\w+, \w+, "(\w+)"\)`)
	secretly = regexp.MustCompile(`\.secret\("(\w+)"\)`)
	mayHave  = regexp.MustCompile(`integration\.settings\.get\("(\w+)"\)`)
)

// shared are integrations that serve both a strategy and the module of its system:
// what the module needs, and what else the strategy does.
var shared = map[string]flow.Integration{
	"aws_iam":    {Type: "permission_context", ExternalID: "210987654321", Settings: map[string]string{"role_arn": "arn:aws:iam::210987654321:role/sym/connector", "external_id": "1f0c1f0c", "region": "eu-west-1"}},
	"aws_sso":    {Type: "permission_context", ExternalID: "arn:aws:sso:::instance/ssoins-1234567890abcdef", Settings: map[string]string{"role_arn": "arn:aws:iam::210987654321:role/sym/connector", "external_id": "1f0c1f0c", "region": "eu-west-1"}},
	"aws_lambda": {Type: "permission_context", ExternalID: "210987654321", Settings: map[string]string{"role_arn": "arn:aws:iam::210987654321:role/sym/connector", "external_id": "1f0c1f0c"}},
	"boundary":   {Type: "boundary", ExternalID: "https://boundary.example.com", Settings: map[string]string{"auth_method_id": "ampw_1234567890", "login_name": "sym"}, Secrets: map[string]flow.SecretRef{"password_secret": {Name: "it"}}},
	"github":     {Type: "github", ExternalID: "acme", Secrets: map[string]flow.SecretRef{"api_token_secret": {Name: "it"}}},
	"google": {Type: "google", ExternalID: "example.com", Settings: map[string]string{
		"audience":                          "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sym/providers/aws",
		"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sym@acme.iam.gserviceaccount.com:generateAccessToken",
		"customer_id":                       "C046psxkn", "token_url": "https://sts.googleapis.com/v1/token",
	}},
	"okta":     {Type: "okta", ExternalID: "acme.okta.com", Secrets: map[string]flow.SecretRef{"api_token_secret": {Name: "it"}}},
	"onelogin": {Type: "onelogin", ExternalID: "acme.onelogin.com", Settings: map[string]string{"client_id": "c1ient"}, Secrets: map[string]flow.SecretRef{"client_secret": {Name: "it"}}},
}

// TestSharedIntegrations: one integration serves a strategy and the SDK's module of
// the same system. Both give it and its settings the same names.
func TestSharedIntegrations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../functions/sdk/sym/sdk/integrations/[a-z]*.py")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d modules, %v", len(files), err)
	}
	both := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asks := asksFor.FindStringSubmatch(string(text))
		if asks == nil {
			continue // it asks Sym Flows itself
		}
		service := asks[1]
		var types []strategy.Type
		for _, typ := range builtin.Types() {
			if typ.Name == service || slices.Contains(typ.Integration.Types, service) {
				types = append(types, typ)
			}
		}
		if len(types) == 0 || len(types[0].Integration.Settings) == 0 {
			continue // of a system in which nothing is granted, or which needs no settings
		}
		both[service] = true
		i, ok := shared[service]
		if !ok {
			t.Errorf("%s.py and a strategy share an integration: add one to the table", service)
			continue
		}
		for _, pattern := range []*regexp.Regexp{needs, secretly, mayHave} {
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				_, secret := i.Secrets[m[1]]
				there := i.Settings[m[1]] != "" || secret
				if !there && pattern != mayHave {
					t.Errorf("%s.py needs %s, which the integration of the table has not", service, m[1])
				}
				if there && secret != (pattern == secretly) {
					t.Errorf("%s.py: %s is a secret in one of both only", service, m[1])
				}
				for _, typ := range types {
					if !slices.ContainsFunc(typ.Integration.Settings, func(s strategy.Setting) bool { return s.Name == m[1] }) && !ofStrategy(typ, m[1]) {
						t.Errorf("%s.py reads %s, which strategies of type %s do not know", service, m[1], typ.Name)
					}
				}
			}
		}
		for _, typ := range types {
			for _, fault := range typ.Check(flow.Strategy{Type: typ.Name, Integration: &i}) {
				if strings.HasPrefix(fault.Path, "integration") {
					t.Errorf("strategies of type %s don't take the integration of %s.py: %s %s", typ.Name, service, fault.Path, fault.Message)
				}
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(shared)) {
		if !both[service] {
			t.Errorf("no module and strategy share the integration %s of the table", service)
		}
	}
}

// ofStrategy tells whether strategies of the type have the setting themselves.
func ofStrategy(typ strategy.Type, name string) bool {
	return slices.ContainsFunc(typ.Settings.Known, func(s strategy.Setting) bool { return s.Name == name })
}
