package client_test

import (
	"testing"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const (
	run        = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"
	management = awsfake.Other
	roleARN    = awsfake.ConnectorRole
	instance   = awsfake.Instance
	store      = awsfake.Store
	admin      = awsfake.AdminSet
	reader     = awsfake.ReaderSet
	production = awsfake.Production
	staging    = awsfake.Staging
	alice      = awsfake.Alice
	bob        = awsfake.Bob
	oncall     = awsfake.OnCall
	admins     = awsfake.Admins
)

// center is an organization with an Identity Center, in the account that the
// strategies act in.
type center struct{ awsfake.Center }

// open makes an organization, with the accounts through which its Identity Center
// is asked: as a role of the management account, or as ourselves.
func open(t *testing.T, through bool) (center, flow.Strategy, *account.Accounts) {
	t.Helper()
	c, s, accounts := awsfake.NewCenter(t, through)
	return center{c}, s, accounts
}

var sets, groups = awsfake.PermissionSets, awsfake.StoreGroups

func TestPermissionSets(t *testing.T) {
	t.Parallel()
	for name, through := range map[string]bool{"Role": true, "Own": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(t *testing.T) strategytest.Subject { return awsfake.PermissionSetSubject(t, through) })
		})
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	strategytest.Run(t, func(t *testing.T) strategytest.Subject { return awsfake.StoreGroupSubject(t) })
}
