package client

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/symflows/symflows/internal/aws/identitycenter"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
)

// Holders lists the users who have the target by themselves, not those who have
// it as members of a group.
func (c *center) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	if target.Type == awssso.Group {
		return c.members(ctx, target)
	}
	all, err := c.principals(ctx, strategy.Call{Target: target})
	if identitycenter.Gone(err) {
		return nil, nil
	}
	return all[types.PrincipalTypeUser], identitycenter.Failure(err)
}

// Discover lists the permission sets on the accounts where somebody has had them,
// and the groups of the identity store.
func (c *center) Discover(ctx context.Context) ([]flow.Target, error) {
	sets, err := c.discoverSets(ctx)
	if err != nil {
		return nil, identitycenter.Failure(err)
	}
	groups, err := c.discoverGroups(ctx)
	if err != nil {
		return nil, err
	}
	return append(sets, groups...), nil
}

func (c *center) discoverSets(ctx context.Context) ([]flow.Target, error) {
	admin := c.admin(strategy.Call{})
	var targets []flow.Target
	sets := ssoadmin.NewListPermissionSetsPaginator(admin, &ssoadmin.ListPermissionSetsInput{InstanceArn: &c.instance, MaxResults: aws.Int32(100)})
	for sets.HasMorePages() {
		page, err := sets.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, set := range page.PermissionSets {
			found, err := c.accountsOf(ctx, admin, set)
			if identitycenter.Gone(err) { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, err
			}
			targets = append(targets, found...)
		}
	}
	byName(targets)
	return targets, nil
}

func (c *center) accountsOf(ctx context.Context, admin *ssoadmin.Client, set string) ([]flow.Target, error) {
	out, err := admin.DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{InstanceArn: &c.instance, PermissionSetArn: &set})
	if err != nil {
		return nil, err
	}
	name := ""
	if out.PermissionSet != nil {
		name = aws.ToString(out.PermissionSet.Name)
	}
	var targets []flow.Target
	accounts := ssoadmin.NewListAccountsForProvisionedPermissionSetPaginator(admin, &ssoadmin.ListAccountsForProvisionedPermissionSetInput{
		InstanceArn: &c.instance, PermissionSetArn: &set, MaxResults: aws.Int32(100),
	})
	for accounts.HasMorePages() {
		page, err := accounts.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, account := range page.AccountIds {
			targets = append(targets, flow.Target{
				Name: slug(set[strings.LastIndex(set, "/ps-")+1:] + "-" + account), Type: awssso.PermissionSet, Label: name + " on " + account,
				Settings: map[string]string{awssso.SettingPermissionSet: set, awssso.SettingAccount: account},
			})
		}
	}
	return targets, nil
}

func (c *center) discoverGroups(ctx context.Context) ([]flow.Target, error) {
	groups, err := c.directory(strategy.Call{}).Groups(ctx)
	if err != nil {
		return nil, err
	}
	var targets []flow.Target
	for _, g := range groups {
		label := g.Name
		if g.Foreign {
			label += " (kept by the identity provider)"
		}
		targets = append(targets, flow.Target{Name: slug("group-" + g.ID), Type: awssso.Group, Label: label, Settings: map[string]string{awssso.SettingGroup: g.ID}})
	}
	byName(targets)
	return targets, nil
}

// slug writes an id as the name of a target.
func slug(id string) string { return strings.NewReplacer(".", "_", "/", "_").Replace(id) }

func byName(targets []flow.Target) {
	slices.SortFunc(targets, func(a, b flow.Target) int { return strings.Compare(a.Name, b.Name) })
}
