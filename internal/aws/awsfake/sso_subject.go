package awsfake

import (
	"testing"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awssso"
	"github.com/symflows/symflows/internal/strategy/awssso/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Permission sets of the organisation of a subject, and two of its accounts.
const (
	AdminSet   = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
	ReaderSet  = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-fedcba0987654321"
	Production = "111122223333"
	Staging    = "444455556666"
)

// Center is an organisation with an Identity Center, in the account that the
// strategy acts in.
type Center struct {
	*Fake
	Account string
}

// Has implements strategytest.System.
func (c Center) Has(target flow.Target, user string) bool {
	if group := target.Settings["group_id"]; group != "" {
		return c.IdentityCenter.In(c.Account, group, user)
	}
	return c.IdentityCenter.Assigned(c.Account, target.Settings["permission_set_arn"], target.Settings["account_id"], "USER", user)
}

// Give implements strategytest.Outsider.
func (c Center) Give(target flow.Target, user string) {
	if group := target.Settings["group_id"]; group != "" {
		c.IdentityCenter.Join(c.Account, group, user)
		return
	}
	c.IdentityCenter.Assign(c.Account, target.Settings["permission_set_arn"], target.Settings["account_id"], "USER", user)
}

// Take implements strategytest.Outsider.
func (c Center) Take(target flow.Target, user string) {
	if group := target.Settings["group_id"]; group != "" {
		c.IdentityCenter.Leave(c.Account, group, user)
		return
	}
	c.IdentityCenter.Unassign(c.Account, target.Settings["permission_set_arn"], target.Settings["account_id"], "USER", user)
}

// Finish implements strategytest.Worker.
func (c Center) Finish(reason string) { c.IdentityCenter.Finish(c.Account, reason) }

// DeleteTarget implements strategytest.Deleter.
func (c Center) DeleteTarget(target flow.Target) {
	if group := target.Settings["group_id"]; group != "" {
		c.IdentityCenter.DeleteGroup(c.Account, group)
		return
	}
	c.IdentityCenter.DeletePermissionSet(c.Account, target.Settings["permission_set_arn"])
}

// DeletePerson implements strategytest.Deleter.
func (c Center) DeletePerson(user string) { c.IdentityCenter.DeleteUser(c.Account, user) }

// GiveByway implements strategytest.Byway.
func (c Center) GiveByway(target flow.Target, user string) {
	c.IdentityCenter.Assign(c.Account, target.Settings["permission_set_arn"], target.Settings["account_id"], "GROUP", Admins)
	c.IdentityCenter.Join(c.Account, Admins, user)
}

// NewCenter makes an organisation, and the strategy, without targets, that grants by
// its Identity Center: as a role of the management account, or as ourselves.
func NewCenter(t testing.TB, byRole bool) (Center, flow.Strategy, *account.Accounts) {
	t.Helper()
	c := Center{New(), Own}
	s := flow.Strategy{Name: "aws", Type: "aws_sso", Settings: map[string]string{"instance_arn": Instance}}
	if byRole {
		c.Account = Other
		c.STS.AddRole(ConnectorRole, ExternalID)
		s.Integration = &flow.Integration{Name: "management", Type: "permission_context", ExternalID: Instance, Settings: map[string]string{
			"cloud": "aws", "role_arn": ConnectorRole, "external_id": ExternalID, "account_id": Other, "region": "eu-west-1",
		}}
	}
	all := c.IdentityCenter
	all.AddInstance(c.Account, Instance, Store, "")
	all.AddUser(c.Account, Alice, "alice", "alice@example.com")
	all.AddUser(c.Account, Bob, "bob@example.com", "bob@mail.example.com")
	all.AddGroup(c.Account, OnCall, "On call")
	all.AddGroup(c.Account, Admins, "Admins")
	all.AddAccount(c.Account, Production)
	all.AddAccount(c.Account, Staging)
	all.AddPermissionSet(c.Account, AdminSet, "AdministratorAccess", "PT1H30M")
	all.AddPermissionSet(c.Account, ReaderSet, "ReadOnlyAccess", "")
	return c, s, signedIn(t, c.Fake, s)
}

// PermissionSets are targets of the organisation.
func PermissionSets() []flow.Target {
	set := func(name, arn, account string) flow.Target {
		return flow.Target{Name: name, Type: "aws_sso_permission_set", Settings: map[string]string{"permission_set_arn": arn, "account_id": account}}
	}
	return []flow.Target{set("admin-prod", AdminSet, Production), set("reader-prod", ReaderSet, Production), set("admin-staging", AdminSet, Staging)}
}

// StoreGroups are targets of its identity store.
func StoreGroups() []flow.Target {
	return []flow.Target{
		{Name: "oncall", Type: "aws_sso_group", Settings: map[string]string{"group_id": OnCall}},
		{Name: "admins", Type: "aws_sso_group", Settings: map[string]string{"group_id": Admins}},
	}
}

const nobodyAsked = "Identity Center asks nobody whether they want what they are given"

// PermissionSetSubject is the strategy aws_sso on permission sets of its own.
func PermissionSetSubject(t testing.TB, byRole bool) strategytest.Subject {
	t.Helper()
	c, s, accounts := NewCenter(t, byRole)
	c.AskToWait(subjectWait)
	s.Targets = PermissionSets()
	cannot := map[strategytest.Case]string{strategytest.Invitation: nobodyAsked}
	if !byRole {
		cannot[strategytest.ExpiredToken] = ownCredentials
	}
	return strategytest.Subject{
		Type: awssso.Type(), Open: client.Open(accounts), System: c, Strategy: s, Identities: [2]string{Alice, Bob},
		Shared: true, Wait: subjectWait, Cannot: cannot,
	}
}

// synchronous is the strategy as its groups know it: AWS changes those at once.
type synchronous struct {
	strategy.Strategy
	strategy.Observer
	strategy.Lister
}

// StoreGroupSubject is the strategy aws_sso on groups of an identity store.
func StoreGroupSubject(t testing.TB) strategytest.Subject {
	t.Helper()
	const atOnce = "AWS changes groups before it answers"
	c, s, accounts := NewCenter(t, true)
	c.AskToWait(subjectWait)
	s.Targets = StoreGroups()
	return strategytest.Subject{
		Type: awssso.Type(), System: c, Strategy: s, Identities: [2]string{Alice, Bob}, Shared: true, Wait: subjectWait,
		Open: func(s flow.Strategy) (strategy.Strategy, error) {
			opened, err := client.Open(accounts)(s)
			return synchronous{opened, opened.(strategy.Observer), opened.(strategy.Lister)}, err
		},
		Cannot: map[strategytest.Case]string{
			strategytest.Invitation: nobodyAsked, strategytest.Pending: atOnce, strategytest.PendingFails: atOnce,
			strategytest.OtherAuthority: "a group has members by itself only: there are no groups in groups",
		},
	}
}
