package awsiam_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awsiam"
)

func ops() flow.Strategy {
	return flow.Strategy{Name: "groups", Type: "aws_iam", Targets: []flow.Target{
		{Name: "ops", Type: "aws_iam_group", Settings: map[string]string{"iam_group": "Ops"}},
		{Name: "dev", Type: "aws_iam_group", Settings: map[string]string{"iam_group": "dev"}},
	}}
}

func connected(s flow.Strategy) flow.Strategy {
	s.Integration = &flow.Integration{Name: "aws", Type: "permission_context", ExternalID: "210987654321", Settings: map[string]string{
		"cloud": "aws", "role_arn": "arn:aws:iam::210987654321:role/sym/connector", "external_id": "1f0c",
	}}
	return s
}

func TestCheck(t *testing.T) {
	t.Parallel()
	faulty := ops()
	faulty.Settings = map[string]string{"identity_tag": "*", "end_sessions": "true"}
	faulty.Targets[0].Settings = map[string]string{"iam_group": "path/ops"}
	faulty.Targets[1] = flow.Target{Name: "dev", Type: "aws_iam_group", FieldBindings: []string{"iam_group"}}
	var paths []string
	for _, f := range awsiam.Type().Check(faulty) {
		paths = append(paths, f.Path)
	}
	if diff := cmp.Diff([]string{"settings.identity_tag", "settings.end_sessions", "targets.ops.settings.iam_group", "integration_id"}, paths); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	bound := connected(ops())
	bound.Targets[1] = faulty.Targets[1]
	bound.Settings = map[string]string{"identity_tag": "aws:email", "end_sessions": "false"}
	if faults := awsiam.Type().Check(bound); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	own := strategy.Rights{Allow: []strategy.Allow{
		{
			Actions: []string{"iam:AddUserToGroup", "iam:GetGroup", "iam:RemoveUserFromGroup"},
			Resources: []string{
				"arn:{partition}:iam::{account}:group/*/Ops", "arn:{partition}:iam::{account}:group/*/dev",
				"arn:{partition}:iam::{account}:group/Ops", "arn:{partition}:iam::{account}:group/dev",
			},
		},
		{Actions: []string{"iam:GetUser", "iam:ListGroupsForUser"}, Resources: []string{"arn:{partition}:iam::{account}:user/*"}},
	}}
	tagged := ops()
	tagged.Settings = map[string]string{"identity_tag": "email"}
	reading := strategy.Rights{Allow: append([]strategy.Allow{own.Allow[0], {Actions: []string{"iam:GetAccountAuthorizationDetails"}, Resources: []string{"*"}}}, own.Allow[1:]...)}
	for _, test := range []struct {
		name string
		s    flow.Strategy
		want strategy.Rights
	}{
		{"Own", ops(), own},
		{"OwnTagged", tagged, reading},
		{"NoTargets", flow.Strategy{}, strategy.Rights{}},
		{"Role", connected(tagged), strategy.Rights{Assume: []strategy.Role{{ARN: "arn:aws:iam::210987654321:role/sym/connector", ExternalID: "1f0c"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, awsiam.Type().RightsOf(test.s)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	const key = "aws_iam/210987654321/ops/alice"
	for _, test := range []struct {
		name, identity string
		s              flow.Strategy
		key            string
	}{
		{"ARN", "arn:aws:iam::210987654321:user/staff/Alice", connected(ops()), key},
		{"Name", "alice", connected(ops()), key},
		{"Email", "alice@example.com", connected(ops()), "aws_iam/210987654321/ops/alice@example.com"},
		{"Own", "arn:aws:iam::123456789012:user/alice", ops(), "aws_iam/{account}/ops/alice"},
		{"OwnName", "alice", ops(), "aws_iam/{account}/ops/alice"},
		{"OtherAccount", "arn:aws:iam::123456789012:user/alice", connected(ops()), ""},
		{"Role", "arn:aws:iam::210987654321:role/alice", connected(ops()), ""},
		{"Session", "arn:aws:sts::210987654321:assumed-role/alice/session", connected(ops()), ""},
		{"Nobody", "", connected(ops()), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := awsiam.Entitlements(test.s, test.s.Targets[0], test.identity)
			if test.key == "" {
				if flow.CodeOf(err) != flow.CodeIdentity {
					t.Errorf("got %v, %v; want an error of %s", got, err, flow.CodeIdentity)
				}
				return
			}
			if diff := cmp.Diff([]flow.Entitlement{{Key: test.key}}, got); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}
