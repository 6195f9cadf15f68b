package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/awseks"
)

// Holders lists the principals that have the target's policy, for exactly its
// namespaces. A cluster that is gone has none.
func (k clusters) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	api := k.api(account.Caller{})
	all := k.access(api, target, "")
	var holders []string
	pages := eks.NewListAccessEntriesPaginator(api, &eks.ListAccessEntriesInput{ClusterName: &all.cluster, AssociatedPolicyArn: &all.policy, MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if account.Code(err) == notFound {
			return nil, nil
		} else if err != nil {
			return nil, all.failure(ctx, err)
		}
		for _, principal := range page.AccessEntries {
			one := k.access(api, target, principal)
			there, err := one.policies(ctx)
			if account.Code(err) == notFound {
				continue // deleted meanwhile
			} else if err != nil {
				return nil, one.failure(ctx, err)
			}
			if p, ok := find(there, one.policy); ok && one.is(p) {
				holders = append(holders, principal)
			}
		}
	}
	return holders, nil
}

// Discover lists each cluster with each of AWS's access policies, for the whole
// of it, in the order of their names. Neither name changes.
func (k clusters) Discover(ctx context.Context) ([]flow.Target, error) {
	api := k.api(account.Caller{})
	var policies []types.AccessPolicy
	for pages := eks.NewListAccessPoliciesPaginator(api, &eks.ListAccessPoliciesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, account.Failure(err)
		}
		policies = append(policies, page.AccessPolicies...)
	}
	var found []flow.Target
	for pages := eks.NewListClustersPaginator(api, &eks.ListClustersInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, account.Failure(err)
		}
		for _, cluster := range page.Clusters {
			for _, p := range policies {
				policy := aws.ToString(p.Arn)
				found = append(found, flow.Target{
					Name: fit(cluster + "-" + name(policy)), Type: awseks.TargetAccessPolicy, Label: fit(cluster + ": " + name(policy)),
					Settings: map[string]string{awseks.SettingCluster: cluster, awseks.SettingPolicyARN: policy, awseks.SettingNamespaces: awseks.WholeCluster},
				})
			}
		}
	}
	return found, nil
}

// fit cuts what is too long for a name, and ends it in a digest of all of it.
func fit(text string) string {
	if len(text) <= flow.MaxOption {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return text[:flow.MaxOption-9] + "-" + hex.EncodeToString(sum[:4])
}
