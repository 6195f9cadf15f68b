package strategy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

func in(settings map[string]string) flow.Strategy {
	return flow.Strategy{Integration: &flow.Integration{Type: strategy.PermissionContext, Settings: settings}}
}

func TestAccountOf(t *testing.T) {
	t.Parallel()
	const role = "arn:aws-us-gov:iam::210987654321:role/sym/connector"
	group := strategy.Allow{Actions: []string{"iam:GetGroup"}, Resources: []string{"x"}}
	for _, test := range []struct {
		name   string
		s      flow.Strategy
		want   strategy.AWSAccount
		arn    string
		rights strategy.Rights
	}{
		{
			name: "Own", want: strategy.AWSAccount{Partition: "{partition}", ID: "{account}"},
			arn: "arn:{partition}:eks:{region}:{account}:cluster/main", rights: strategy.Rights{Allow: []strategy.Allow{group}},
		},
		{
			name: "OwnRegion", s: in(map[string]string{"cloud": "aws", "account_id": "123456789012", "region": "eu-west-1"}),
			want: strategy.AWSAccount{Partition: "{partition}", ID: "123456789012", Region: "eu-west-1"},
			arn:  "arn:{partition}:eks:eu-west-1:123456789012:cluster/main", rights: strategy.Rights{Allow: []strategy.Allow{group}},
		},
		{
			name: "Role", s: in(map[string]string{"role_arn": role, "external_id": "1f0c"}),
			want: strategy.AWSAccount{Partition: "aws-us-gov", ID: "210987654321", Role: strategy.Role{ARN: role, ExternalID: "1f0c"}},
			arn:  "arn:aws-us-gov:eks:{region}:210987654321:cluster/main", rights: strategy.Rights{Assume: []strategy.Role{{ARN: role, ExternalID: "1f0c"}}},
		},
		{
			name: "Faulty", s: in(map[string]string{"role_arn": "connector", "account_id": "1"}),
			want: strategy.AWSAccount{Partition: "{partition}", ID: "{account}"},
			arn:  "arn:{partition}:eks:{region}:{account}:cluster/main", rights: strategy.Rights{Allow: []strategy.Allow{group}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := strategy.AccountOf(test.s)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if arn := got.ARN("eks", "cluster/main"); arn != test.arn {
				t.Errorf("got %s, want %s", arn, test.arn)
			}
			if diff := cmp.Diff(test.rights, got.Rights(group)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if arn := strategy.AccountOf(flow.Strategy{}).GlobalARN("iam", "group/ops"); arn != "arn:{partition}:iam::{account}:group/ops" {
		t.Errorf("got %s", arn)
	}
}

func TestAWSIntegration(t *testing.T) {
	t.Parallel()
	typ := strategy.Type{Name: "aws", Integration: strategy.AWSIntegration(), Rules: strategy.CheckAWSAccount}
	const role = "arn:aws:iam::210987654321:role/sym/connector"
	for _, test := range []struct {
		name  string
		s     flow.Strategy
		paths []string
	}{
		{name: "None"},
		{name: "Whole", s: in(map[string]string{"cloud": "aws", "role_arn": role, "external_id": "1f0c", "account_id": "210987654321", "region": "us-east-1"})},
		{name: "OtherType", s: flow.Strategy{Integration: &flow.Integration{Type: "okta"}}, paths: []string{"integration_id"}},
		{
			name: "Shapes", s: in(map[string]string{"cloud": "gcp", "role_arn": "connector", "external_id": "a b", "account_id": "1", "region": "Frankfurt"}),
			paths: []string{"integration.settings.cloud", "integration.settings.role_arn", "integration.settings.external_id", "integration.settings.account_id", "integration.settings.region"},
		},
		{name: "TwoAccounts", s: in(map[string]string{"role_arn": role, "account_id": "123456789012"}), paths: []string{"integration.settings.account_id"}},
		{name: "NoRole", s: in(map[string]string{"external_id": "1f0c"}), paths: []string{"integration.settings.external_id"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for _, f := range typ.Check(test.s) {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(test.paths, paths); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
