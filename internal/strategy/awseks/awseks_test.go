package awseks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awseks"
)

const policies = "arn:aws:eks::aws:cluster-access-policy/"

func target(name, cluster, policy, namespaces string) flow.Target {
	return flow.Target{Name: name, Type: "aws_eks_access_policy", Settings: map[string]string{"cluster": cluster, "policy_arn": policies + policy, "namespaces": namespaces}}
}

func clusters() flow.Strategy {
	return flow.Strategy{Name: "clusters", Type: "aws_eks", Targets: []flow.Target{
		target("view", "main", "AmazonEKSViewPolicy", "orders, dev-*"), target("edit", "main", "AmazonEKSEditPolicy", "*"), target("test", "test", "AmazonEKSEditPolicy", "*"),
	}}
}

func connected(s flow.Strategy) flow.Strategy {
	s.Integration = &flow.Integration{Name: "aws", Type: "permission_context", ExternalID: "210987654321", Settings: map[string]string{
		"cloud": "aws", "role_arn": "arn:aws:iam::210987654321:role/sym/connector", "external_id": "1f0c", "region": "eu-west-1",
	}}
	return s
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if faults := awseks.Type().Check(clusters()); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	faulty := clusters()
	faulty.Settings = map[string]string{"end_sessions": "true"}
	faulty.Targets[0].Settings = map[string]string{"cluster": "a b", "policy_arn": "AmazonEKSViewPolicy", "namespaces": "orders,"}
	faulty.Targets[1] = flow.Target{Name: "edit", Type: "aws_eks_access_policy", Settings: map[string]string{"cluster": "main"}, FieldBindings: []string{"policy_arn", "namespaces", "cluster"}}
	var paths []string
	for _, f := range awseks.Type().Check(faulty) {
		paths = append(paths, f.Path)
	}
	want := []string{
		"settings.end_sessions", "targets.view.settings.cluster", "targets.view.settings.policy_arn", "targets.view.settings.namespaces",
		"targets.edit.field_bindings", "integration_id",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	bound := connected(clusters())
	bound.Targets[1] = flow.Target{Name: "edit", Type: "aws_eks_access_policy", Settings: map[string]string{"cluster": "main"}, FieldBindings: []string{"policy_arn", "namespaces"}}
	if faults := awseks.Type().Check(bound); len(faults) > 0 {
		t.Errorf("a right configuration has faults: %v", faults)
	}
	for namespaces, right := range map[string]bool{
		"*": true, "orders": true, "orders,dev-*": true, " a , b ": true, "x-": false, "*-x": false, "A": false, "a b": false, "": false, ",": false, "a/b": false, "kube-*-x": false,
	} {
		s := clusters()
		s.Targets[0].Settings["namespaces"] = namespaces
		if faults := awseks.Type().Check(s); (len(faults) == 0) != right {
			t.Errorf("%q: %v", namespaces, faults)
		}
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	of := func(names ...string) (list []string) {
		for _, n := range names {
			list = append(list, "arn:{partition}:eks:{region}:{account}:"+n)
		}
		return list
	}
	associate := func(policy string, on ...string) strategy.Allow {
		return strategy.Allow{Actions: []string{"eks:AssociateAccessPolicy"}, Resources: of(on...), When: map[string][]string{"eks:policyArn": {policies + policy}}}
	}
	want := strategy.Rights{Allow: []strategy.Allow{
		associate("AmazonEKSEditPolicy", "access-entry/main/*", "access-entry/test/*"),
		associate("AmazonEKSViewPolicy", "access-entry/main/*"),
		{Actions: []string{"eks:CreateAccessEntry", "eks:DescribeCluster", "eks:ListAccessEntries"}, Resources: of("cluster/main", "cluster/test")},
		{
			Actions:   []string{"eks:DeleteAccessEntry", "eks:DescribeAccessEntry", "eks:DisassociateAccessPolicy", "eks:ListAssociatedAccessPolicies", "eks:TagResource"},
			Resources: of("access-entry/main/*", "access-entry/test/*"),
		},
	}}
	if diff := cmp.Diff(want, awseks.Type().RightsOf(clusters())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	assume := strategy.Rights{Assume: []strategy.Role{{ARN: "arn:aws:iam::210987654321:role/sym/connector", ExternalID: "1f0c"}}}
	if diff := cmp.Diff(assume, awseks.Type().RightsOf(connected(clusters()))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	const alice = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/alice"
	for _, test := range []struct {
		name, identity string
		s              flow.Strategy
		target         flow.Target
		key            string
		text           string // of the error
	}{
		{name: "Role", identity: alice, s: connected(clusters()), target: target("a", "main", "AmazonEKSViewPolicy", "orders,billing, orders"), key: "aws_eks/arn:aws:eks:eu-west-1:210987654321:main/AmazonEKSViewPolicy/billing,orders/" + alice},
		{name: "User", identity: "arn:aws:iam::123456789012:user/alice", s: clusters(), target: target("a", "main", "AmazonEKSViewPolicy", "*"), key: "aws_eks/arn:{partition}:eks:{region}:{account}:main/AmazonEKSViewPolicy/*/arn:aws:iam::123456789012:user/alice"},
		{name: "Session", identity: "arn:aws:sts::123456789012:assumed-role/Dev/alice@example.com", s: clusters(), target: target("a", "main", "AmazonEKSViewPolicy", "*"), text: "is a session, and EKS lets in roles and users: have an administrator save the ARN of role Dev (arn:aws:iam::123456789012:role/…"},
		{name: "Email", identity: "alice@example.com", s: clusters(), target: target("a", "main", "AmazonEKSViewPolicy", "*"), text: "alice@example.com is no role or user of IAM"},
		{name: "Nobody", s: clusters(), target: target("a", "main", "AmazonEKSViewPolicy", "*"), text: "is no role or user of IAM"},
		{name: "NoNamespaces", identity: alice, s: clusters(), target: target("a", "main", "AmazonEKSViewPolicy", ""), text: "namespaces must be names of namespaces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := awseks.Entitlements(test.s, test.target, test.identity)
			if test.key == "" {
				if err == nil || flow.Retryable(err) || !strings.Contains(flow.UserMessage(err), test.text) {
					t.Errorf("got %v, %v; want %q", got, err, test.text)
				}
				return
			}
			if diff := cmp.Diff([]flow.Entitlement{{Key: test.key}}, got); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("namespace-%d", i))
	}
	keys := map[string]bool{}
	for _, list := range [][]string{many, many[1:]} {
		got, err := awseks.Entitlements(clusters(), target("a", "main", "AmazonEKSViewPolicy", strings.Join(list, ",")), alice)
		if err != nil || len(got[0].Key) > 400 {
			t.Errorf("%d namespaces: %v, %v", len(list), got, err)
		}
		keys[got[0].Key] = true
	}
	if len(keys) != 2 {
		t.Error("long lists of namespaces have one key")
	}
}

// TestSoleNamespaces: EKS has one scope for each policy of a person, so that a list
// may fill in one value, which may name several namespaces.
func TestSoleNamespaces(t *testing.T) {
	t.Parallel()
	view := "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	target := flow.Target{
		Name: "a", Type: awseks.TargetAccessPolicy, FieldBindings: []string{awseks.SettingNamespaces},
		Settings: map[string]string{awseks.SettingCluster: "main", awseks.SettingPolicyARN: view},
	}
	for _, c := range []struct {
		list []string
		code flow.Code
	}{{[]string{"orders, dev-*"}, ""}, {[]string{"orders", "dev-*"}, flow.CodeInvalid}} {
		err := awseks.Type().CheckBound(target.Bind(map[string]any{awseks.SettingNamespaces: c.list}))
		if flow.CodeOf(err) != c.code {
			t.Errorf("%q: %v", c.list, err)
		}
	}
}
