package awsfake

import (
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess"
	"github.com/symflows/symflows/internal/strategy/awsaccountaccess/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// What the organisation of a subject has, which [Other] manages.
const (
	Instance    = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
	Store       = "d-1234567890"
	Application = "arn:aws:account-access:eu-west-1:" + Other + ":application/app-1234"
	AdminRole   = "arn:aws:iam::111122223333:role/ProdAdmin"
	ReaderRole  = "arn:aws:iam::111122223333:role/teams/data/Reader"
	Alice       = "a1b2c3d4e5-11111111-2222-3333-4444-555555555555"
	Bob         = "a1b2c3d4e5-99999999-2222-3333-4444-555555555555"
	OnCall      = "a1b2c3d4e5-aaaaaaaa-2222-3333-4444-555555555555" // a group
	Admins      = "a1b2c3d4e5-bbbbbbbb-2222-3333-4444-555555555555" // a group
)

// subjectRun is a run by which roles of subjects are assumed.
const subjectRun = "5f0c2a52-3f68-4f7e-9b1d-6a5d3c2b0000"

// Manager is an account access manager with the Identity Center that it has its
// people from.
type Manager struct{ *Fake }

// Has implements strategytest.System.
func (m Manager) Has(target flow.Target, user string) bool {
	return m.IdentityCenter.Entitled(Other, target.Settings["role_arn"], "USER", user)
}

// Give implements strategytest.Outsider.
func (m Manager) Give(target flow.Target, user string) {
	m.IdentityCenter.Entitle(Other, target.Settings["role_arn"], "USER", user)
}

// Take implements strategytest.Outsider.
func (m Manager) Take(target flow.Target, user string) {
	m.IdentityCenter.Disentitle(Other, target.Settings["role_arn"], "USER", user)
}

// DeleteTarget implements strategytest.Deleter.
func (m Manager) DeleteTarget(target flow.Target) {
	m.IdentityCenter.RemoveRole(Other, target.Settings["role_arn"])
}

// DeletePerson implements strategytest.Deleter.
func (m Manager) DeletePerson(user string) { m.IdentityCenter.DeleteUser(Other, user) }

// GiveByway implements strategytest.Byway.
func (m Manager) GiveByway(target flow.Target, user string) {
	m.IdentityCenter.Entitle(Other, target.Settings["role_arn"], "GROUP", Admins)
	m.IdentityCenter.Join(Other, Admins, user)
}

// NewManager makes a manager, and the strategy that grants two roles by it.
func NewManager(t testing.TB) (Manager, flow.Strategy, *account.Accounts) {
	t.Helper()
	m := Manager{New()}
	m.STS.AddRole(ConnectorRole, ExternalID)
	all := m.IdentityCenter
	all.AddInstance(Other, Instance, Store, Application)
	all.AddUser(Other, Alice, "alice", "alice@example.com")
	all.AddUser(Other, Bob, "bob", "bob@example.com")
	all.AddGroup(Other, Admins, "Admins")
	all.AddRole(Other, AdminRole)
	all.AddRole(Other, ReaderRole)
	s := flow.Strategy{
		Name: "roles", Type: "aws_account_access", Settings: map[string]string{"application_arn": Application, "instance_arn": Instance},
		Integration: &flow.Integration{Name: "management", Type: "permission_context", ExternalID: Instance, Settings: map[string]string{
			"role_arn": ConnectorRole, "external_id": ExternalID,
		}},
		Targets: []flow.Target{
			{Name: "admin", Type: "aws_account_access_role", Settings: map[string]string{"role_arn": AdminRole}},
			{Name: "reader", Type: "aws_account_access_role", Settings: map[string]string{"role_arn": ReaderRole}},
		},
	}
	return m, s, signedIn(t, m.Fake, s)
}

// signedIn gives the accounts of a strategy whose role is assumed already, so that what
// happens next happens to the service that it grants in.
func signedIn(t testing.TB, f *Fake, s flow.Strategy) *account.Accounts {
	t.Helper()
	accounts := &account.Accounts{AWS: f.Config(t), Now: f.Now}
	if _, err := accounts.Config(strategy.AccountOf(s), account.Caller{RunID: subjectRun}).Credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return accounts
}

// AccountAccessSubject is the strategy aws_account_access by a manager of its own.
func AccountAccessSubject(t testing.TB) strategytest.Subject {
	t.Helper()
	const atOnce = "the manager answers when it is done"
	m, s, accounts := NewManager(t)
	m.AskToWait(subjectWait)
	return strategytest.Subject{
		Type: awsaccountaccess.Type(), Open: client.Open(accounts), System: m, Strategy: s, Identities: [2]string{Alice, Bob},
		Shared: true, Wait: subjectWait,
		Cannot: map[strategytest.Case]string{
			strategytest.Invitation: "nobody is asked whether they want what they are given",
			strategytest.Pending:    atOnce, strategytest.PendingFails: atOnce,
			strategytest.TargetGone: "the manager keeps entitlements to roles that are gone, and tells nothing of roles: those are removed like all others",
		},
	}
}

// subjectWait is how long AWS asks subjects to wait.
const subjectWait = 7 * time.Second
