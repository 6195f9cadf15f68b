package awseks

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings of a target.
const (
	SettingCluster    = "cluster"
	SettingPolicyARN  = "policy_arn"
	SettingNamespaces = "namespaces"
)

// settingEndSessions is one of the strategy.
const settingEndSessions = "end_sessions"

// TargetAccessPolicy is the type of its targets.
const TargetAccessPolicy = "aws_eks_access_policy"

// WholeCluster stands for the namespaces of a policy that is for all of a cluster.
const WholeCluster = "*"

// Type is the strategy's type. Its targets name an access policy on a cluster
// each.
func Type() strategy.Type {
	return strategy.Type{
		Name: "aws_eks", About: "Amazon EKS: access of roles and users of IAM to clusters, by access policies",
		Integration: strategy.AWSIntegration(),
		Settings: strategy.Settings{Known: []strategy.Setting{
			{Name: settingEndSessions, About: "can't be done: Kubernetes has no way to close what somebody has open", Check: checkEndSessions},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetAccessPolicy,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingCluster, Label: "Cluster", About: "the name of the cluster", Required: true, Check: check(clusterName, maxCluster, "the name of a cluster: letters, digits, - and _")},
				{Name: SettingPolicyARN, Label: "Policy", About: "the ARN of the access policy, like arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", Required: true, Check: check(policyARN, maxARN, "the ARN of an access policy, like arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"), Bindable: true},
				{Name: SettingNamespaces, Label: "Namespaces", About: `the namespaces that it is for, like "orders, dev-*"; "*" is the whole cluster, what belongs to no namespace included`, Required: true, Check: checkNamespaces, Bindable: true, Sole: true},
			}},
			Habits: strategy.Habits{
				Before:  "read first, and kept; an access entry that was there is kept, too",
				Expiry:  "no",
				Lingers: "no: each call is looked at anew; what is open (`kubectl exec`, `port-forward`) goes on until it is closed",
				Limit:   "none that AWS documents; what it throttles comes back later",
			},
		}},
		Observes: true,
		Rules:    rules,
		Rights:   rights,
	}
}

var (
	clusterName  = pattern.Of(`^[0-9A-Za-z][A-Za-z0-9_-]*$`)
	policyARN    = pattern.Of(`^arn:aws[a-z-]*:eks::aws:cluster-access-policy/[A-Za-z0-9]+$`)
	namespace    = pattern.Of(`^[a-z0-9][a-z0-9-]*\*?$`)
	principalARN = pattern.Of(`^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[!-~]+$`)
	sessionARN   = pattern.Of(`^arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/`)
)

// The limits of EKS and of Kubernetes in characters.
const (
	maxCluster   = 100
	maxNamespace = 63
	maxARN       = 2048
	maxIdentity  = 700 // longer than any of IAM's, and short enough for the key of a grant
)

func check(form pattern.Pattern, most int, like string) func(string) error {
	return func(v string) error {
		if len(v) <= most && form.MatchString(v) {
			return nil
		}
		return flow.Errorf(flow.CodeInvalid, "must be %s", like)
	}
}

func checkNamespaces(v string) error {
	if v == WholeCluster {
		return nil
	}
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); len(part) > maxNamespace || !namespace.MatchString(part) || strings.HasSuffix(part, "-") {
			return flow.Errorf(flow.CodeInvalid, `must be names of namespaces with commas between them, like "orders, dev-*", or "*" for the whole cluster: %q is none`, flow.Clip(part, 60))
		}
	}
	return nil
}

func checkEndSessions(v string) error {
	if v == "false" {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "can't be done: Kubernetes looks at each call anew, and has no way to close what somebody has open (kubectl exec, port-forward). Remove it")
}

// rules: with our own rights, IAM holds access to the policies that are
// configured. What requesters may choose has to be held to by a role.
func rules(s flow.Strategy) []flow.Fault {
	faults := strategy.CheckAWSAccount(s)
	if strategy.AccountOf(s).Role.ARN != "" {
		return faults
	}
	for _, t := range s.Targets {
		if slices.Contains(t.FieldBindings, SettingPolicyARN) {
			return append(faults, flow.Fault{
				Path:    "integration_id",
				Message: "is missing, or has no role_arn: where requesters choose " + SettingPolicyARN + ", a role says which policies there are to choose from",
			})
		}
	}
	return faults
}

func rights(s flow.Strategy) strategy.Rights {
	in := strategy.AccountOf(s)
	var allow []strategy.Allow
	for _, t := range s.Targets {
		cluster := t.Settings[SettingCluster]
		if cluster == "" {
			continue
		}
		of, entries := []string{in.ARN("eks", "cluster/"+cluster)}, []string{in.ARN("eks", "access-entry/"+cluster+"/*")}
		allow = append(allow,
			strategy.Allow{Actions: []string{"eks:CreateAccessEntry", "eks:DescribeCluster", "eks:ListAccessEntries"}, Resources: of},
			strategy.Allow{Actions: []string{"eks:DeleteAccessEntry", "eks:DescribeAccessEntry", "eks:DisassociateAccessPolicy", "eks:ListAssociatedAccessPolicies", "eks:TagResource"}, Resources: entries},
		)
		if policy := t.Settings[SettingPolicyARN]; policy != "" {
			allow = append(allow, strategy.Allow{Actions: []string{"eks:AssociateAccessPolicy"}, Resources: entries, When: map[string][]string{"eks:policyArn": {policy}}})
		}
	}
	return in.Rights(allow...)
}

// Namespaces lists those of a target, in order; none is the whole cluster.
func Namespaces(target flow.Target) []string {
	setting := target.Settings[SettingNamespaces]
	if setting == WholeCluster {
		return nil
	}
	var list []string
	for part := range strings.SplitSeq(setting, ",") {
		list = append(list, strings.TrimSpace(part))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// CheckIdentity holds an identity to being the ARN of a role or a user. The error
// has flow.CodeIdentity and says what to save instead.
func CheckIdentity(identity string) error {
	if len(identity) <= maxIdentity && principalARN.MatchString(identity) {
		return nil
	}
	if m := sessionARN.FindStringSubmatch(identity); m != nil {
		return flow.Errorf(flow.CodeIdentity, "%s is a session, and EKS lets in roles and users: have an administrator save the ARN of role %s (arn:aws:iam::%s:role/…, with its path) as who they are at aws_eks", flow.Clip(identity, 200), m[2], m[1])
	}
	return flow.Errorf(flow.CodeIdentity, "%s is no role or user of IAM: have an administrator save the ARN of theirs, like arn:aws:iam::123456789012:role/alice, as who they are at aws_eks", flow.Clip(identity, 100))
}

// Entitlements says what a target means for an identity: the policy for its
// namespaces. The access entry that it needs is made and deleted with it.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := CheckIdentity(identity); err != nil {
		return nil, err
	}
	if err := checkNamespaces(target.Settings[SettingNamespaces]); err != nil { // those of a request
		return nil, flow.Errorf(flow.CodeStrategy, "%s: namespaces %s", target.Title(), flow.UserMessage(err))
	}
	where, policy := strategy.AccountOf(s).ARN("eks", target.Settings[SettingCluster]), target.Settings[SettingPolicyARN]
	namespaces := WholeCluster
	if list := Namespaces(target); list != nil {
		namespaces = strings.Join(list, ",")
	}
	if len(namespaces) > 200 { // keys have a limit
		sum := sha256.Sum256([]byte(namespaces))
		namespaces = hex.EncodeToString(sum[:])
	}
	return []flow.Entitlement{{Key: strings.Join([]string{"aws_eks", where, policy[strings.LastIndex(policy, "/")+1:], namespaces, identity}, "/")}}, nil
}
