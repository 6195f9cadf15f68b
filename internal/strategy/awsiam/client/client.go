package client

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awsiam"
)

// Open gives the opener of strategies that act in accounts of AWS.
func Open(accounts *account.Accounts) strategy.Opener {
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return groups{s, strategy.AccountOf(s), accounts}, nil
	}
}

// groups is a strategy whose targets are groups of an account.
type groups struct {
	frozen   flow.Strategy
	in       strategy.AWSAccount
	accounts *account.Accounts
}

// api calls for a run, or, without one, to look at something.
func (g groups) api(c account.Caller) *iam.Client {
	return iam.NewFromConfig(g.accounts.Config(g.in, c))
}

func (g groups) forCall(c strategy.Call) *iam.Client { return g.api(account.For(c, strategy.Pace{})) }

// Entitlements implements strategy.Strategy.
func (g groups) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return awsiam.Entitlements(g.frozen, target, identity)
}

// Grant puts the user into the group. IAM is content if they are in it.
func (g groups) Grant(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	api, group := g.forCall(c), c.Target.Settings[awsiam.SettingGroup]
	user, err := g.user(ctx, api, c.Identity)
	if err != nil {
		return strategy.Result{}, err
	}
	_, err = api.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: &group, UserName: &user})
	if account.Code(err) == noSuchEntity {
		gone, err := g.gone(ctx, api, group, user)
		if err != nil {
			return strategy.Result{}, err
		}
		return strategy.Result{}, gone.refusal()
	}
	return strategy.Result{}, failure(err)
}

// Revoke takes the user out of the group. IAM has one error for a user who is not
// in it and for one, or a group, that is not there: what it shows decides.
func (g groups) Revoke(ctx context.Context, c strategy.Call) (strategy.Result, error) {
	api, group := g.forCall(c), c.Target.Settings[awsiam.SettingGroup]
	user, err := g.user(ctx, api, c.Identity)
	if flow.CodeOf(err) == flow.CodeIdentity {
		return strategy.Result{Warnings: gone{user: c.Identity, userGone: true}.warnings()}, nil
	} else if err != nil {
		return strategy.Result{}, err
	}
	_, err = api.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: &group, UserName: &user})
	if account.Code(err) != noSuchEntity {
		return strategy.Result{}, failure(err)
	}
	gone, err := g.gone(ctx, api, group, user)
	if err != nil {
		return strategy.Result{}, err
	}
	return strategy.Result{Warnings: gone.warnings()}, nil
}

// Observe looks for the group among those of the user, which are ten at most.
func (g groups) Observe(ctx context.Context, c strategy.Call) (strategy.Sight, error) {
	api := g.forCall(c)
	user, err := g.user(ctx, api, c.Identity)
	if flow.CodeOf(err) == flow.CodeIdentity {
		return strategy.Sight{Presence: flow.Absent}, nil // the user is gone
	} else if err != nil {
		return strategy.Sight{}, err
	}
	in, err := member(ctx, api, c.Target.Settings[awsiam.SettingGroup], user)
	if account.Code(err) == noSuchEntity {
		return strategy.Sight{Presence: flow.Absent}, nil
	} else if err != nil {
		return strategy.Sight{}, failure(err)
	}
	return strategy.Seen(in), nil
}

// member tells whether IAM shows the user in the group. The error is the SDK's.
func member(ctx context.Context, api *iam.Client, group, user string) (bool, error) {
	for pages := iam.NewListGroupsForUserPaginator(api, &iam.ListGroupsForUserInput{UserName: &user}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, err
		}
		for _, g := range page.Groups {
			if strings.EqualFold(aws.ToString(g.GroupName), group) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Holders lists the users of the group, by their ARNs. A group that is gone has
// none.
func (g groups) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	group := target.Settings[awsiam.SettingGroup]
	var holders []string
	for pages := iam.NewGetGroupPaginator(g.api(account.Caller{}), &iam.GetGroupInput{GroupName: &group}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if account.Code(err) == noSuchEntity {
			return nil, nil
		} else if err != nil {
			return nil, failure(err)
		}
		for _, u := range page.Users {
			holders = append(holders, aws.ToString(u.Arn))
		}
	}
	return holders, nil
}

// Discover lists the groups of the account, in the order of their names.
func (g groups) Discover(ctx context.Context) ([]flow.Target, error) {
	var found []flow.Target
	for pages := iam.NewListGroupsPaginator(g.api(account.Caller{}), &iam.ListGroupsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failure(err)
		}
		for _, group := range page.Groups {
			found = append(found, flow.Target{
				Name: fmt.Sprintf("%s-%s", awsiam.TargetGroup, strings.ToLower(aws.ToString(group.GroupId))), Type: awsiam.TargetGroup,
				Label: aws.ToString(group.GroupName), Settings: map[string]string{awsiam.SettingGroup: aws.ToString(group.GroupName)},
			})
		}
	}
	return found, nil
}
