package awsfake

import (
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/awseks"
	"github.com/symflows/symflows/internal/strategy/awseks/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Place is where in AWS something is.
type Place struct{ Account, Region string }

// Role is how the strategy aws_eks names somebody, who signs in by a role.
func (p Place) Role(name string) string {
	return "arn:aws:iam::" + p.Account + ":role/aws-reserved/sso.amazonaws.com/" + name
}

// Clusters is EKS as one account has it in a region.
type Clusters struct {
	*Fake
	Place
}

func clusterOf(target flow.Target) (cluster, policy string) {
	return target.Settings["cluster"], target.Settings["policy_arn"]
}

// Has implements strategytest.System.
func (c Clusters) Has(target flow.Target, identity string) bool {
	cluster, policy := clusterOf(target)
	got, has := c.EKS.Has(c.Account, c.Region, cluster, identity, policy)
	return has && slices.Equal(got, awseks.Namespaces(target))
}

// Give implements strategytest.Outsider.
func (c Clusters) Give(target flow.Target, identity string) {
	cluster, policy := clusterOf(target)
	c.EKS.Associate(c.Account, c.Region, cluster, identity, policy, awseks.Namespaces(target)...)
}

// Take implements strategytest.Outsider.
func (c Clusters) Take(target flow.Target, identity string) {
	cluster, policy := clusterOf(target)
	c.EKS.Disassociate(c.Account, c.Region, cluster, identity, policy)
}

// GiveByway implements strategytest.Byway.
func (c Clusters) GiveByway(target flow.Target, identity string) {
	c.EKS.Associate(c.Account, c.Region, target.Settings["cluster"], identity, AccessPolicy("AmazonEKSClusterAdminPolicy"))
}

// DeleteTarget implements strategytest.Deleter.
func (c Clusters) DeleteTarget(target flow.Target) {
	c.EKS.DeleteCluster(c.Account, c.Region, target.Settings["cluster"])
}

// DeletePerson does nothing: EKS does not hear of a role that is deleted.
func (c Clusters) DeletePerson(string) {}

// ClusterTarget is a policy on a cluster, in some of its namespaces.
func ClusterTarget(cluster, policy, namespaces string) flow.Target {
	return flow.Target{
		Name: cluster + "-" + policy[strings.LastIndex(policy, "/")+1:], Type: "aws_eks_access_policy",
		Settings: map[string]string{"cluster": cluster, "policy_arn": policy, "namespaces": namespaces},
	}
}

// NewClusters makes a cluster, and the strategy that grants two policies on it to the
// roles of alice and bob: by a role, or by our own rights where the account is ours.
func NewClusters(t testing.TB, byRole bool) (Clusters, flow.Strategy, *account.Accounts) {
	t.Helper()
	c := Clusters{New(), Place{Own, Region}}
	s := flow.Strategy{Name: "clusters", Type: "aws_eks", Targets: []flow.Target{
		ClusterTarget("main", AccessPolicy("AmazonEKSViewPolicy"), "orders, billing"), ClusterTarget("main", AccessPolicy("AmazonEKSEditPolicy"), "*"),
	}}
	if byRole {
		c.Place = Place{Other, "eu-west-1"}
		c.STS.AddRole(ConnectorRole, ExternalID)
		s.Integration = &flow.Integration{Name: "aws", Type: "permission_context", ExternalID: Other, Settings: map[string]string{
			"cloud": "aws", "role_arn": ConnectorRole, "external_id": ExternalID, "account_id": Other, "region": c.Region,
		}}
	}
	for _, name := range []string{"alice", "bob"} {
		c.EKS.AddPrincipal(c.Role(name))
	}
	c.EKS.AddCluster(c.Account, c.Region, "main", "API_AND_CONFIG_MAP")
	return c, s, &account.Accounts{AWS: c.Config(t), Now: c.Now}
}

// EKSSubject is the strategy aws_eks on a cluster of its own.
func EKSSubject(t testing.TB, byRole bool) strategytest.Subject {
	t.Helper()
	c, s, accounts := NewClusters(t, byRole)
	cannot := map[strategytest.Case]string{
		strategytest.Pending:      "EKS answers when it is done",
		strategytest.PendingFails: "EKS answers when it is done",
		strategytest.Invitation:   "EKS asks nobody",
		strategytest.PersonGone:   "EKS keeps the access entry of a role that is gone, and takes it for one that is there",
	}
	if !byRole {
		cannot[strategytest.ExpiredToken] = ownCredentials
	}
	return strategytest.Subject{
		Type: awseks.Type(), Open: client.Open(accounts), System: c, Strategy: s,
		Identities: [2]string{c.Role("alice"), c.Role("bob")}, Shared: true, Cannot: cannot,
	}
}
