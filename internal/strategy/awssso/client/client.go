// Package client grants and removes for the strategy "aws_sso".
//
//	client.go         who acts for which target, identities, and the pace
//	permissionset.go  permission sets on accounts: AWS works on after it has answered
//	group.go          membership in groups
//	discover.go       which targets there are, and who has them
package client

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/identitycenter"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
)

// Open gives the opener of strategies that act in accounts of AWS.
func Open(accounts *account.Accounts) strategy.Opener {
	stores := &identitycenter.Stores{}
	return func(s flow.Strategy) (strategy.Strategy, error) {
		return &center{accounts, stores, s, strategy.AccountOf(s), s.Settings[strategy.SettingInstanceARN]}, nil
	}
}

// center is an instance of Identity Center.
type center struct {
	accounts *account.Accounts
	stores   *identitycenter.Stores
	frozen   flow.Strategy
	account  strategy.AWSAccount // where we may ask it
	instance string              // its ARN
}

var _ interface {
	strategy.Observer
	strategy.Follower
	strategy.Lingerer
	strategy.Lister
	strategy.Discoverer
	strategy.Identifier
} = (*center)(nil)

func (c *center) pace() strategy.Pace { return identitycenter.Pace(c.instance, c.account) }

func (c *center) config(call strategy.Call) aws.Config {
	return c.accounts.Config(c.account, account.For(call, c.pace()))
}

func (c *center) directory(call strategy.Call) identitycenter.Directory {
	return identitycenter.Directory{Stores: c.stores, Instance: c.instance, Store: c.frozen.Settings[strategy.SettingIdentityStoreID], AWS: c.config(call)}
}

// Entitlements implements strategy.Strategy.
func (c *center) Entitlements(target flow.Target, identity, _ string) ([]flow.Entitlement, error) {
	return awssso.Entitlements(c.frozen, target, identity)
}

// Identity finds the user of Identity Center by e-mail address, or by user name.
func (c *center) Identity(ctx context.Context, who flow.Actor) (string, error) {
	return c.directory(strategy.Call{Class: strategy.Granting}).Identity(ctx, c.frozen, who)
}

// Grant gives a permission set, or puts into a group.
func (c *center) Grant(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	if call.Target.Type == awssso.Group {
		return c.join(ctx, call)
	}
	return c.assign(ctx, call)
}

// Revoke takes a permission set away, or takes out of a group.
func (c *center) Revoke(ctx context.Context, call strategy.Call) (strategy.Result, error) {
	if call.Target.Type == awssso.Group {
		return c.leave(ctx, call)
	}
	return c.unassign(ctx, call)
}

// Observe looks whether the user has it.
func (c *center) Observe(ctx context.Context, call strategy.Call) (strategy.Sight, error) {
	if call.Target.Type == awssso.Group {
		return c.observeMember(ctx, call)
	}
	return c.observeAssignment(ctx, call)
}
