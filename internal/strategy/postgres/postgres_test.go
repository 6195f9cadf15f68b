package postgres

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

const (
	clusterARN = "arn:aws:rds:us-east-1:123456789012:cluster:orders"
	secretARN  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sym/postgres-a1B2c3"
)

func secret(path string) flow.SecretRef { return flow.SecretRef{Name: "it", Path: path} }

func in(settings map[string]string) *flow.Integration {
	return &flow.Integration{Name: "aws", Type: "permission_context", Settings: settings}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	type secrets = map[string]flow.SecretRef
	for _, test := range []struct {
		name        string
		settings    map[string]string
		secrets     secrets
		integration *flow.Integration
		path, text  string // of the one fault; "": it is right
	}{
		{name: "DataAPI", settings: map[string]string{"resource_arn": clusterARN}, secrets: secrets{"secret_id": secret(secretARN)}},
		{name: "Connection", secrets: secrets{"dsn_secret_id": secret("/sym/postgres"), "ca_secret_id": secret("/sym/ca")}},
		{name: "Nothing", path: "settings", text: "does not say which server"},
		{name: "Both", settings: map[string]string{"resource_arn": clusterARN}, secrets: secrets{"secret_id": secret(secretARN), "dsn_secret_id": secret("/sym/postgres")}, path: "settings.dsn_secret_id", text: "write one of them"},
		{name: "NoSecret", settings: map[string]string{"resource_arn": clusterARN}, path: "settings.secret_id", text: "is required with resource_arn"},
		{name: "NoCluster", secrets: secrets{"secret_id": secret(secretARN)}, path: "settings.resource_arn", text: "is required with secret_id"},
		{name: "CAWithDataAPI", settings: map[string]string{"resource_arn": clusterARN}, secrets: secrets{"secret_id": secret(secretARN), "ca_secret_id": secret("/sym/ca")}, path: "settings.ca_secret_id", text: "of no use"},
		{name: "SecretByName", settings: map[string]string{"resource_arn": clusterARN}, secrets: secrets{"secret_id": secret("/sym/postgres")}, path: "settings.secret_id", text: "whole ARN"},
		{name: "PartOfSecret", settings: map[string]string{"resource_arn": clusterARN}, secrets: secrets{"secret_id": {Path: secretARN, JSONKey: "password"}}, path: "settings.secret_id", text: "json_key"},
		{name: "Instance", settings: map[string]string{"resource_arn": "arn:aws:rds:us-east-1:123456789012:db:orders"}, secrets: secrets{"secret_id": secret(secretARN)}, path: "settings.resource_arn", text: "ARN of an Aurora cluster"},
		{name: "Sessions", settings: map[string]string{"end_sessions": "yes"}, secrets: secrets{"dsn_secret_id": secret("/sym/postgres")}, path: "settings.end_sessions", text: `"true" or "false"`},
		{name: "Domain", settings: map[string]string{"identity_domain": "@example.com"}, secrets: secrets{"dsn_secret_id": secret("/sym/postgres")}, path: "settings.identity_domain", text: "a domain"},
		{name: "Account", settings: map[string]string{"resource_arn": clusterARN}, secrets: secrets{"secret_id": secret(secretARN)}, integration: in(map[string]string{"account_id": "210987654321"}), path: "settings.resource_arn", text: "name one account"},
		{name: "Region", settings: map[string]string{"resource_arn": clusterARN}, secrets: secrets{"secret_id": secret(secretARN)}, integration: in(map[string]string{"region": "eu-west-1"}), path: "settings.resource_arn", text: "name one region"},
		{name: "Integration", secrets: secrets{"dsn_secret_id": secret("/sym/postgres")}, integration: in(nil), path: "integration_id", text: "without resource_arn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			faults := Type().Check(flow.Strategy{Type: "postgres", Settings: test.settings, Secrets: test.secrets, Integration: test.integration})
			if test.path == "" {
				if len(faults) > 0 {
					t.Errorf("faults: %v", faults)
				}
				return
			}
			if len(faults) != 1 || faults[0].Path != test.path || !strings.Contains(faults[0].Message, test.text) {
				t.Errorf("faults %v, want one at %s: %q", faults, test.path, test.text)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, right := range map[string]bool{
		"app_rw": true, `o"neil`: true, "alice@example.com": true, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false,
		strings.Repeat("é", 32): false, "a\nb": false, "a\x00b": false, "a\xffb": false,
	} {
		if err := checkName(name); (err == nil) != right {
			t.Errorf("%q: %v, want it to be right: %t", name, err, right)
		}
	}
}

// TestEntitlements: a membership is one in all databases of a server, and names
// never run into each other.
func TestEntitlements(t *testing.T) {
	t.Parallel()
	key := func(s flow.Strategy, role, database, user string) string {
		t.Helper()
		e, err := Entitlements(s, flow.Target{Settings: map[string]string{"role": role, "database": database}}, user)
		if err != nil || len(e) != 1 {
			t.Fatalf("%v, %v", e, err)
		}
		return e[0].Key
	}
	api := flow.Strategy{Settings: map[string]string{"resource_arn": clusterARN}}
	one := flow.Strategy{Secrets: map[string]flow.SecretRef{"dsn_secret_id": {Path: "/sym/postgres", JSONKey: "a"}}}
	two := flow.Strategy{Secrets: map[string]flow.SecretRef{"dsn_secret_id": {Path: "/sym/postgres", JSONKey: "b"}}}
	if key(api, "app_rw", "orders", "bob") != key(api, "app_rw", "billing", "bob") {
		t.Error("the same membership has a key for each database")
	}
	seen := map[string]bool{}
	for _, k := range []string{
		key(api, "app_rw", "orders", "bob"), key(one, "app_rw", "orders", "bob"), key(two, "app_rw", "orders", "bob"),
		key(api, "App_rw", "orders", "bob"), key(api, "a/b", "orders", "c"), key(api, "a", "orders", "b/c"),
	} {
		if seen[k] {
			t.Errorf("two have the key %s", k)
		}
		seen[k] = true
	}
	if _, err := Entitlements(api, flow.Target{}, strings.Repeat("a", 64)); flow.CodeOf(err) != flow.CodeIdentity {
		t.Errorf("of a name that PostgreSQL would cut: %v", err)
	}
}

// TestRights: statements are run where the cluster is, by a role where there is one.
func TestRights(t *testing.T) {
	t.Parallel()
	s := flow.Strategy{Settings: map[string]string{"resource_arn": clusterARN}}
	if r := rights(s); len(r.Allow) != 1 || r.Allow[0].Actions[0] != "rds-data:ExecuteStatement" || r.Allow[0].Resources[0] != clusterARN || len(r.Assume) > 0 {
		t.Errorf("in our own account: %+v", r)
	}
	s.Integration = in(map[string]string{"role_arn": "arn:aws:iam::123456789012:role/sym/connector"})
	if r := rights(s); len(r.Allow) > 0 || len(r.Assume) != 1 {
		t.Errorf("by a role: %+v", r)
	}
	if got := AccountOf(s); got.Region != "us-east-1" || got.ID != "123456789012" || got.Role.ARN == "" {
		t.Errorf("the account is %+v", got)
	}
	if r := rights(flow.Strategy{}); len(r.Allow)+len(r.Assume) > 0 {
		t.Errorf("by a connection: %+v", r)
	}
}
