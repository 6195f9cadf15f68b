package client

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"

	"github.com/symflows/symflows/internal/aws/identitycenter"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
)

// joined is the output of a grant.
type joined struct {
	MembershipID string `json:"membership_id"`
}

// join puts the user into the group. Of one who is in it already, AWS says so.
func (c *center) join(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	directory := c.directory(call)
	store, err := directory.ID(ctx)
	if err != nil {
		return strategy.Result{}, err
	}
	out, err := directory.Client().CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{
		IdentityStoreId: &store, GroupId: setting(call, awssso.SettingGroup), MemberId: identitycenter.Member(call.Identity),
	})
	conflict, conflicts := errors.AsType[*types.ConflictException](err)
	switch {
	case err == nil:
		output, err := json.Marshal(joined{aws.ToString(out.MembershipId)})
		return strategy.Result{Output: output}, err
	case conflicts && conflict.Reason == types.ConflictExceptionReasonUniquenessConstraintViolation:
		return strategy.Result{}, nil
	case identitycenter.Lacks(err, types.ResourceTypeUser):
		return strategy.Result{}, identitycenter.NoUser(c.frozen, call.Identity, err)
	case identitycenter.Lacks(err, types.ResourceTypeGroup):
		return strategy.Result{}, &flow.Error{Code: flow.CodeStrategy, Message: "Identity Center has no group " + call.Target.Settings[awssso.SettingGroup] + ": correct the target", Cause: err}
	}
	return strategy.Result{}, identitycenter.Failure(err)
}

// leave takes the user out of the group. The membership has an id, which is looked
// up. Where AWS does not show one yet, it is that of the grant.
func (c *center) leave(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	directory := c.directory(call)
	store, err := directory.ID(ctx)
	if err != nil {
		return strategy.Result{}, err
	}
	id := ""
	out, err := directory.Client().GetGroupMembershipId(ctx, &identitystore.GetGroupMembershipIdInput{
		IdentityStoreId: &store, GroupId: setting(call, awssso.SettingGroup), MemberId: identitycenter.Member(call.Identity),
	})
	if err == nil {
		id = aws.ToString(out.MembershipId)
	} else if identitycenter.Lacks(err, types.ResourceTypeGroupMembership) {
		var was joined
		if json.Unmarshal(call.Output, &was) == nil {
			id = was.MembershipID
		}
	}
	if id != "" {
		_, err = directory.Client().DeleteGroupMembership(ctx, &identitystore.DeleteGroupMembershipInput{IdentityStoreId: &store, MembershipId: &id})
	}
	switch {
	case identitycenter.Lacks(err, types.ResourceTypeGroupMembership):
		return strategy.Result{}, nil
	case identitycenter.Lacks(err, types.ResourceTypeUser):
		return strategy.Result{Warnings: []string{identitycenter.UserGone}}, nil
	case identitycenter.Lacks(err, types.ResourceTypeGroup):
		return strategy.Gone("Identity Center does not have the group"), nil
	}
	return strategy.Result{}, identitycenter.Failure(err)
}

func (c *center) observeMember(ctx context.Context, call strategy.Call) (strategy.Sight, error) {
	in, _, err := c.directory(call).Among(ctx, call.Identity, []string{call.Target.Settings[awssso.SettingGroup]})
	if err != nil {
		return strategy.Sight{}, err
	}
	return strategy.Seen(len(in) > 0), nil
}

func (c *center) members(ctx context.Context, target flow.Target) ([]string, error) {
	directory := c.directory(strategy.Call{})
	store, err := directory.ID(ctx)
	if err != nil {
		return nil, err
	}
	var users []string
	pages := identitystore.NewListGroupMembershipsPaginator(directory.Client(), &identitystore.ListGroupMembershipsInput{
		IdentityStoreId: &store, GroupId: aws.String(target.Settings[awssso.SettingGroup]), MaxResults: aws.Int32(100),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if identitycenter.Lacks(err, types.ResourceTypeGroup) {
			return nil, nil
		}
		if err != nil {
			return nil, identitycenter.Failure(err)
		}
		for _, m := range page.GroupMemberships {
			if user, ok := m.MemberId.(*types.MemberIdMemberUserId); ok {
				users = append(users, user.Value)
			}
		}
	}
	return users, nil
}
