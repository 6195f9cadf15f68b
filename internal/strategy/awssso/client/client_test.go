package client_test

import (
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
	"github.com/symflows/symflows/internal/strategy/awssso/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	run        = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
	management = "210987654321"
	roleARN    = "arn:aws:iam::210987654321:role/sym/connector"
	instance   = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
	store      = "d-1234567890"
	admin      = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
	reader     = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-fedcba0987654321"
	production = "111122223333"
	staging    = "444455556666"
	alice      = "a1b2c3d4e5-11111111-2222-3333-4444-555555555555"
	bob        = "a1b2c3d4e5-99999999-2222-3333-4444-555555555555"
	oncall     = "a1b2c3d4e5-aaaaaaaa-2222-3333-4444-555555555555"
	admins     = "a1b2c3d4e5-bbbbbbbb-2222-3333-4444-555555555555"
)

// center is an organization with an Identity Center, in the account that the
// strategies act in.
type center struct {
	*awsfake.Fake
	account string
}

func (c center) Has(target flow.Target, user string) bool {
	if group := target.Settings["group_id"]; group != "" {
		return c.IdentityCenter.In(c.account, group, user)
	}
	return c.IdentityCenter.Assigned(c.account, target.Settings["permission_set_arn"], target.Settings["account_id"], "USER", user)
}

func (c center) Give(target flow.Target, user string) {
	if group := target.Settings["group_id"]; group != "" {
		c.IdentityCenter.Join(c.account, group, user)
		return
	}
	c.IdentityCenter.Assign(c.account, target.Settings["permission_set_arn"], target.Settings["account_id"], "USER", user)
}

func (c center) Take(target flow.Target, user string) {
	if group := target.Settings["group_id"]; group != "" {
		c.IdentityCenter.Leave(c.account, group, user)
		return
	}
	c.IdentityCenter.Unassign(c.account, target.Settings["permission_set_arn"], target.Settings["account_id"], "USER", user)
}

func (c center) Finish(reason string) { c.IdentityCenter.Finish(c.account, reason) }

func (c center) DeleteTarget(target flow.Target) {
	if group := target.Settings["group_id"]; group != "" {
		c.IdentityCenter.DeleteGroup(c.account, group)
		return
	}
	c.IdentityCenter.DeletePermissionSet(c.account, target.Settings["permission_set_arn"])
}

func (c center) DeletePerson(user string) { c.IdentityCenter.DeleteUser(c.account, user) }

func (c center) GiveByway(target flow.Target, user string) {
	c.IdentityCenter.Assign(c.account, target.Settings["permission_set_arn"], target.Settings["account_id"], "GROUP", admins)
	c.IdentityCenter.Join(c.account, admins, user)
}

// open makes an organization, with the accounts through which its Identity Center
// is asked: as a role of the management account, or as ourselves.
func open(t *testing.T, through bool) (center, flow.Strategy, *account.Accounts) {
	t.Helper()
	c := center{awsfake.New(), awsfake.Own}
	s := flow.Strategy{Name: "aws", Type: "aws_sso", Settings: map[string]string{"instance_arn": instance}}
	if through {
		c.account = management
		c.STS.AddRole(roleARN, "1f0c1f0c")
		s.Integration = &flow.Integration{Name: "management", Type: "permission_context", ExternalID: instance, Settings: map[string]string{
			"cloud": "aws", "role_arn": roleARN, "external_id": "1f0c1f0c", "account_id": management, "region": "eu-west-1",
		}}
	}
	all := c.IdentityCenter
	all.AddInstance(c.account, instance, store, "")
	all.AddUser(c.account, alice, "alice", "alice@example.com")
	all.AddUser(c.account, bob, "bob@example.com", "bob@mail.example.com")
	all.AddGroup(c.account, oncall, "On call")
	all.AddGroup(c.account, admins, "Admins")
	all.AddAccount(c.account, production)
	all.AddAccount(c.account, staging)
	all.AddPermissionSet(c.account, admin, "AdministratorAccess", "PT1H30M")
	all.AddPermissionSet(c.account, reader, "ReadOnlyAccess", "")
	accounts := &account.Accounts{AWS: c.Config(t), Now: c.Now}
	// The role is assumed already, so that what happens next happens to Identity Center.
	if _, err := accounts.Config(strategy.AccountOf(s), account.Caller{RunID: run}).Credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, s, accounts
}

func sets() []flow.Target {
	set := func(name, arn, account string) flow.Target {
		return flow.Target{Name: name, Type: "aws_sso_permission_set", Settings: map[string]string{"permission_set_arn": arn, "account_id": account}}
	}
	return []flow.Target{set("admin-prod", admin, production), set("reader-prod", reader, production), set("admin-staging", admin, staging)}
}

func groups() []flow.Target {
	return []flow.Target{
		{Name: "oncall", Type: "aws_sso_group", Settings: map[string]string{"group_id": oncall}},
		{Name: "admins", Type: "aws_sso_group", Settings: map[string]string{"group_id": admins}},
	}
}

const nobodyAsked = "Identity Center asks nobody whether they want what they are given"

func TestPermissionSets(t *testing.T) {
	t.Parallel()
	for name, through := range map[string]bool{"Role": true, "Own": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject {
				c, s, accounts := open(t, through)
				c.AskToWait(7 * time.Second)
				s.Targets = sets()
				cannot := map[strategytest.Case]string{strategytest.Invitation: nobodyAsked}
				if !through {
					cannot[strategytest.ExpiredToken] = "our own credentials are Lambda's to renew"
				}
				return strategytest.Subject{
					Type: awssso.Type(), Open: client.Open(accounts), System: c, Strategy: s, Identities: [2]string{alice, bob},
					Shared: true, Wait: 7 * time.Second, Cannot: cannot,
				}
			})
		})
	}
}

// synchronous is the strategy as its groups know it: AWS changes those at once.
type synchronous struct {
	strategy.Strategy
	strategy.Observer
	strategy.Lister
}

func TestGroups(t *testing.T) {
	t.Parallel()
	const atOnce = "AWS changes groups before it answers"
	strategytest.Run(t, func(t *testing.T) strategytest.Subject {
		c, s, accounts := open(t, true)
		c.AskToWait(7 * time.Second)
		s.Targets = groups()
		return strategytest.Subject{
			Type: awssso.Type(), System: c, Strategy: s, Identities: [2]string{alice, bob}, Shared: true, Wait: 7 * time.Second,
			Open: func(s flow.Strategy) (strategy.Strategy, error) {
				opened, err := client.Open(accounts)(s)
				return synchronous{opened, opened.(strategy.Observer), opened.(strategy.Lister)}, err
			},
			Cannot: map[strategytest.Case]string{
				strategytest.Invitation: nobodyAsked, strategytest.Pending: atOnce, strategytest.PendingFails: atOnce,
				strategytest.OtherAuthority: "a group has members by itself only: there are no groups in groups",
			},
		}
	})
}
