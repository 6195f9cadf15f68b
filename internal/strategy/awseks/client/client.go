package client

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awseks"
)

// Open gives the opener of strategies that act in accounts of AWS.
func Open(accounts *account.Accounts) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return clusters{s, strategy.AccountOf(s), accounts}, nil
	}
}

// clusters is a strategy whose targets are access policies on clusters of an
// account.
type clusters struct {
	frozen   flow.Strategy
	in       strategy.AWSAccount
	accounts *account.Accounts
}

func (k clusters) api(c account.Caller) *eks.Client {
	return eks.NewFromConfig(k.accounts.Config(k.in, c))
}

// access is what a principal is to have on a cluster.
type access struct {
	api                        *eks.Client
	cluster, principal, policy string
	namespaces                 []string // none: the whole cluster
}

func (k clusters) access(api *eks.Client, target flow.Target, identity string) access {
	return access{api, target.Settings[awseks.SettingCluster], identity, target.Settings[awseks.SettingPolicyARN], awseks.Namespaces(target)}
}

func (k clusters) of(c strategy.Call) access {
	return k.access(k.api(account.For(c, strategy.Pace{})), c.Target, c.Identity)
}

// Entitlements implements strategy.Strategy.
func (k clusters) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return awseks.Entitlements(k.frozen, target, identity)
}

// Identity implements strategy.Identifier: EKS knows no people, so that who they
// are must have been saved, or said by a handler.
func (k clusters) Identity(_ context.Context, who flow.Actor) (string, error) {
	return "", flow.Errorf(flow.CodeIdentity, "EKS knows roles and users of IAM, and not who of them %s is: have an administrator save the ARN of theirs as who they are at aws_eks", who.Display())
}

// Grant associates the policy, on an access entry that it makes where there is
// none. EKS has one scope for each policy of an entry, so that one that is there
// for other namespaces is left alone.
func (k clusters) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	a := k.of(c)
	there, err := a.policies(ctx)
	if account.Code(err) == notFound {
		if err := a.makeEntry(ctx); err != nil {
			return strategy.Result{}, err
		}
	} else if err != nil {
		return strategy.Result{}, a.failure(ctx, err)
	}
	if p, ok := find(there, a.policy); ok && !a.is(p) {
		return strategy.Result{}, flow.Errorf(flow.CodeStrategy, "%s has %s on cluster %s for %s already, and EKS has one scope for each policy of an access entry: ask again when that has ended, or have it widened", a.principal, name(a.policy), a.cluster, scope(p))
	}
	in := &eks.AssociateAccessPolicyInput{ClusterName: &a.cluster, PrincipalArn: &a.principal, PolicyArn: &a.policy, AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster}}
	if a.namespaces != nil {
		in.AccessScope = &types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: a.namespaces}
	}
	if _, err := a.api.AssociateAccessPolicy(ctx, in); err != nil {
		return strategy.Result{}, a.failure(ctx, err)
	}
	return strategy.Result{}, a.staysEntry(ctx)
}

// Revoke takes the policy away, and the access entry if this strategy has made it
// and nothing else is on it.
func (k clusters) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	a := k.of(c)
	there, err := a.policies(ctx)
	if err != nil && account.Code(err) != notFound {
		return strategy.Result{}, a.failure(ctx, err)
	}
	if p, ok := find(there, a.policy); ok && !a.is(p) {
		return strategy.Result{}, nil // somebody else's, for other namespaces
	}
	_, err = a.api.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: &a.cluster, PrincipalArn: &a.principal, PolicyArn: &a.policy})
	if account.Code(err) == notFound {
		gone, err := a.clusterGone(ctx)
		if err != nil {
			return strategy.Result{}, err
		}
		if gone {
			return strategy.Gone("there is no cluster " + a.cluster), nil
		}
	} else if err != nil {
		return strategy.Result{}, a.failure(ctx, err)
	}
	return strategy.Result{}, a.deleteEntry(ctx)
}

// Observe looks for the policy, for exactly the target's namespaces, among those
// of the principal.
func (k clusters) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	a := k.of(c)
	there, err := a.policies(ctx)
	if err != nil && account.Code(err) != notFound {
		return strategy.Sight{}, a.failure(ctx, err)
	}
	sight := strategy.Sight{Presence: flow.Absent}
	for _, p := range there {
		switch {
		case a.is(p):
			sight.Presence = flow.Present
		case a.gives(p):
			sight.Others = append(sight.Others, name(aws.ToString(p.PolicyArn))+" for "+scope(p))
		}
	}
	return sight, nil
}

// policies lists what the principal has on the cluster. The error is the SDK's.
func (a access) policies(ctx context.Context) ([]types.AssociatedAccessPolicy, error) {
	var all []types.AssociatedAccessPolicy
	pages := eks.NewListAssociatedAccessPoliciesPaginator(a.api, &eks.ListAssociatedAccessPoliciesInput{ClusterName: &a.cluster, PrincipalArn: &a.principal})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.AssociatedAccessPolicies...)
	}
	return all, nil
}

func find(there []types.AssociatedAccessPolicy, policy string) (types.AssociatedAccessPolicy, bool) {
	i := slices.IndexFunc(there, func(p types.AssociatedAccessPolicy) bool { return aws.ToString(p.PolicyArn) == policy })
	if i < 0 {
		return types.AssociatedAccessPolicy{}, false
	}
	return there[i], true
}

// is tells whether it is this very access.
func (a access) is(p types.AssociatedAccessPolicy) bool {
	return aws.ToString(p.PolicyArn) == a.policy && slices.Equal(namespaces(p), a.namespaces)
}

// gives tells whether what somebody has includes this access: the policy, or the
// one that allows all, for as many namespaces at least.
func (a access) gives(p types.AssociatedAccessPolicy) bool {
	if policy := aws.ToString(p.PolicyArn); policy != a.policy && name(policy) != "AmazonEKSClusterAdminPolicy" {
		return false
	}
	theirs := namespaces(p)
	if theirs == nil {
		return true
	}
	return a.namespaces != nil && !slices.ContainsFunc(a.namespaces, func(ours string) bool {
		return !slices.ContainsFunc(theirs, func(pattern string) bool {
			match, err := path.Match(pattern, strings.TrimSuffix(ours, "*"))
			return pattern == ours || err == nil && match
		})
	})
}

// namespaces lists those of a scope, in order; none is the whole cluster.
func namespaces(p types.AssociatedAccessPolicy) []string {
	if p.AccessScope == nil || p.AccessScope.Type != types.AccessScopeTypeNamespace {
		return nil
	}
	return slices.Sorted(slices.Values(p.AccessScope.Namespaces))
}

// scope says for people what a policy is for.
func scope(p types.AssociatedAccessPolicy) string {
	if list := namespaces(p); list != nil {
		return "namespaces " + flow.Clip(strings.Join(list, ", "), 200)
	}
	return "the whole cluster"
}

// name is that of a policy, without what all their ARNs have.
func name(policyARN string) string { return path.Base(policyARN) }
