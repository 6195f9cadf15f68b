package awsfake

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/awsiam"
	"github.com/symflows/symflows/internal/strategy/awsiam/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// The account that strategies of subjects act in by a role, and the role, which
// takes an external id.
const (
	Other         = "210987654321"
	ConnectorRole = "arn:aws:iam::" + Other + ":role/sym/connector"
	ExternalID    = "1f0c1f0c"
)

// Groups is IAM as one account has it.
type Groups struct {
	*Fake
	Account string
}

func groupOf(target flow.Target) string { return target.Settings["iam_group"] }
func userOf(identity string) string     { return identity[strings.LastIndex(identity, "/")+1:] }

// Has implements strategytest.System.
func (g Groups) Has(target flow.Target, identity string) bool {
	return g.IAM.In(g.Account, groupOf(target), userOf(identity))
}

// Give implements strategytest.Outsider.
func (g Groups) Give(target flow.Target, identity string) {
	g.IAM.Join(g.Account, groupOf(target), userOf(identity))
}

// Take implements strategytest.Outsider.
func (g Groups) Take(target flow.Target, identity string) {
	g.IAM.Leave(g.Account, groupOf(target), userOf(identity))
}

// DeleteTarget implements strategytest.Deleter.
func (g Groups) DeleteTarget(target flow.Target) { g.IAM.DeleteGroup(g.Account, groupOf(target)) }

// DeletePerson implements strategytest.Deleter.
func (g Groups) DeletePerson(identity string) { g.IAM.DeleteUser(g.Account, userOf(identity)) }

// Changes names people as the strategy does.
func (g Groups) Changes() []strategytest.Change {
	changes := g.Fake.Changes()
	for i, c := range changes {
		changes[i].Identity = g.ARN(c.Identity)
	}
	return changes
}

// ARN is how the strategy names a user.
func (g Groups) ARN(user string) string {
	return "arn:aws:iam::" + g.Account + ":user/staff/" + user
}

// NewGroups makes an account with two groups and the users alice and bob, and the
// strategy that grants there: by a role, or by our own rights where the account is
// ours.
func NewGroups(t testing.TB, byRole bool) (Groups, flow.Strategy, *account.Accounts) {
	t.Helper()
	g := Groups{New(), Own}
	s := flow.Strategy{Name: "groups", Type: "aws_iam", Targets: []flow.Target{
		{Name: "ops", Type: "aws_iam_group", Settings: map[string]string{"iam_group": "Ops"}},
		{Name: "dev", Type: "aws_iam_group", Settings: map[string]string{"iam_group": "dev"}},
	}}
	if byRole {
		g.Account = Other
		g.STS.AddRole(ConnectorRole, ExternalID)
		s.Integration = &flow.Integration{Name: "aws", Type: "permission_context", ExternalID: Other, Settings: map[string]string{
			"cloud": "aws", "role_arn": ConnectorRole, "external_id": ExternalID, "account_id": Other, "region": "eu-west-1",
		}}
	}
	for _, name := range []string{"alice", "bob"} {
		g.IAM.AddUser(g.Account, "/staff/", name, nil)
	}
	g.IAM.AddGroup(g.Account, "/", "dev")
	g.IAM.AddGroup(g.Account, "/teams/", "Ops")
	return g, s, &account.Accounts{AWS: g.Config(t), Now: g.Now}
}

// IAMSubject is the strategy aws_iam on an account of its own.
func IAMSubject(t testing.TB, byRole bool) strategytest.Subject {
	t.Helper()
	g, s, accounts := NewGroups(t, byRole)
	cannot := map[strategytest.Case]string{
		strategytest.Pending:        "IAM answers when it is done",
		strategytest.PendingFails:   "IAM answers when it is done",
		strategytest.Invitation:     "IAM asks nobody",
		strategytest.OtherAuthority: "a group is no member of another: there is one way to be in it",
	}
	if !byRole {
		cannot[strategytest.ExpiredToken] = ownCredentials
	}
	return strategytest.Subject{
		Type: awsiam.Type(), Open: client.Open(accounts), System: g, Strategy: s,
		Identities: [2]string{g.ARN("alice"), g.ARN("bob")}, Shared: true, Cannot: cannot,
	}
}

const ownCredentials = "our own credentials are Lambda's to renew"
