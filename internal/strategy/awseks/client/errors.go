package client

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
)

const notFound = "ResourceNotFoundException"

// failure says what an error of EKS means; nil stays nil. What is missing, or
// wrong with the cluster, is looked for: the errors don't say.
func (a access) failure(ctx context.Context, err error) error {
	refuse := func(message string) error {
		return &flow.Error{Code: flow.CodeStrategy, Message: message, Cause: err}
	}
	switch account.Code(err) {
	case notFound:
		gone, lookErr := a.clusterGone(ctx)
		if lookErr != nil {
			return lookErr
		}
		if gone {
			return refuse("there is no cluster " + a.cluster + ": correct the target, or its strategy's account and region")
		}
		return &flow.Error{Code: flow.CodeUnavailable, Message: "the access entry of " + a.principal + " on cluster " + a.cluster + " is not there yet, or not any more", Cause: err}
	case "InvalidRequestException":
		out, lookErr := a.api.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &a.cluster})
		if lookErr != nil {
			return account.Failure(lookErr)
		}
		if access := out.Cluster.AccessConfig; access == nil || access.AuthenticationMode == types.AuthenticationModeConfigMap {
			return refuse("cluster " + a.cluster + " takes its users from a config map only: set its authentication mode to API_AND_CONFIG_MAP")
		}
		return refuse("EKS takes no access policy on the access entry of " + a.principal + ": entries of nodes have none, so name another role")
	case "InvalidParameterException":
		return refuse("EKS does not take access policy " + name(a.policy) + " for these namespaces: correct the target")
	case "ResourceLimitExceededException":
		return refuse("cluster " + a.cluster + ", or the access entry, has as much as EKS allows: remove what is not needed any more")
	case "ResourceInUseException", "ResourcePropagationDelayException", "InvalidStateException":
		return &flow.Error{Code: flow.CodeUnavailable, Message: "somebody else is changing the same at EKS just now", Cause: err}
	}
	return account.Failure(err)
}

// clusterGone tells whether the cluster is not there.
func (a access) clusterGone(ctx context.Context) (bool, error) {
	_, err := a.api.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &a.cluster})
	if account.Code(err) == notFound {
		return true, nil
	}
	return false, account.Failure(err)
}
