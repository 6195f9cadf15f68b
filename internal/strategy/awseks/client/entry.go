package client

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
)

// A policy needs an access entry, and several may be on one: of other runs, of
// other people who use the role, of an administrator. An entry that was there is
// nobody's to delete; one that we made is deleted when nothing is on it any more.
//
// Whose it is stands on the entry itself, in a tag. It also keeps a removal from
// deleting an entry on which a grant of another policy comes to rely meanwhile,
// for which EKS has no condition. The removal tags the entry as leaving before it
// looks for the last time; the grant looks for that tag after it has associated.
// Either the removal sees the policy, or the grant sees the tag.
const (
	tag     = "sym-flows"
	made    = "made"
	leaving = "leaving"
)

// makeEntry makes the access entry. It returns nil if there is one.
func (a access) makeEntry(ctx context.Context) error {
	_, err := a.api.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: &a.cluster, PrincipalArn: &a.principal, Tags: map[string]string{tag: made}})
	switch account.Code(err) {
	case "ResourceInUseException":
		return nil
	case "InvalidParameterException":
		return &flow.Error{Code: flow.CodeIdentity, Message: "AWS knows no " + a.principal + " (or not everywhere yet, if it was made a moment ago): have an administrator correct who the person is at aws_eks", Cause: err}
	}
	return a.failure(ctx, err)
}

// staysEntry makes sure that no removal is deleting the entry. The error, if one
// is, has flow.CodeUnavailable: it is over in a moment.
func (a access) staysEntry(ctx context.Context) error {
	entry, err := a.entry(ctx)
	if err != nil {
		return err
	}
	if entry != nil && entry.Tags[tag] == leaving {
		return flow.Errorf(flow.CodeUnavailable, "the access entry of %s on cluster %s is just being deleted: it is made anew", a.principal, a.cluster)
	}
	return nil
}

// deleteEntry deletes the entry if we made it and nothing is on it.
func (a access) deleteEntry(ctx context.Context) error {
	entry, err := a.entry(ctx)
	if err != nil || entry == nil || entry.Tags[tag] == "" || len(entry.KubernetesGroups) > 0 {
		return err
	}
	if used, err := a.usedByOthers(ctx); err != nil || used {
		return err
	}
	mark := func(as string) error {
		_, err := a.api.TagResource(ctx, &eks.TagResourceInput{ResourceArn: entry.AccessEntryArn, Tags: map[string]string{tag: as}})
		if gone := account.Code(err); gone == notFound || gone == "NotFoundException" {
			return nil
		}
		return a.failure(ctx, err)
	}
	if err := mark(leaving); err != nil {
		return err
	}
	used, err := a.usedByOthers(ctx)
	if err != nil {
		return err
	}
	if used {
		return mark(made)
	}
	_, err = a.api.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: &a.cluster, PrincipalArn: &a.principal})
	if account.Code(err) == notFound {
		return nil
	}
	return a.failure(ctx, err)
}

// usedByOthers tells whether other policies are on the entry. What has just been
// taken away may still be shown.
func (a access) usedByOthers(ctx context.Context) (bool, error) {
	there, err := a.policies(ctx)
	if account.Code(err) == notFound {
		return false, nil
	} else if err != nil {
		return false, a.failure(ctx, err)
	}
	for _, p := range there {
		if !a.is(p) {
			return true, nil
		}
	}
	return false, nil
}

// entry returns the access entry, or nil if there is none.
func (a access) entry(ctx context.Context) (*types.AccessEntry, error) {
	out, err := a.api.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &a.cluster, PrincipalArn: &a.principal})
	if account.Code(err) == notFound {
		return nil, nil
	} else if err != nil {
		return nil, a.failure(ctx, err)
	}
	if out.AccessEntry == nil || aws.ToString(out.AccessEntry.AccessEntryArn) == "" {
		return nil, flow.Errorf(flow.CodeUnavailable, "EKS described the access entry of %s without saying which it is", a.principal)
	}
	return out.AccessEntry, nil
}
