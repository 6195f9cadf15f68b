package awsfake

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	store "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

const (
	instance    = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
	set         = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
	theStore    = "d-1234567890"
	application = "arn:aws:account-access:us-east-1:123456789012:application/app-1"
	alice       = "a1b2c3d4e5-11111111-2222-3333-4444-555555555555"
	admins      = "a1b2c3d4e5-66666666-2222-3333-4444-555555555555"
	member1     = "210987654321"
)

func (f *Fake) stockIdentityCenter() {
	c := f.IdentityCenter
	c.AddInstance(Own, instance, theStore, application)
	c.AddUser(Own, alice, "alice", "alice@example.com")
	c.AddGroup(Own, admins, "Admins")
	c.AddAccount(Own, member1)
	c.AddPermissionSet(Own, set, "Administrator", "PT8H")
	for _, group := range []string{"a1b2c3d4e5-77777777-2222-3333-4444-555555555555", "a1b2c3d4e5-88888888-2222-3333-4444-555555555555"} {
		c.AddGroup(Own, group, "Others")
		c.Assign(Own, set, member1, "GROUP", group)
	}
}

// askIdentityCenter asks for every operation of sso-admin and of the identity store.
func askIdentityCenter(t *testing.T, f *Fake, cfg aws.Config) {
	t.Helper()
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	f.stockIdentityCenter()
	admin, one := ssoadmin.NewFromConfig(cfg), aws.Int32(1)
	arn, ps, who, where := aws.String(instance), aws.String(set), aws.String(alice), aws.String(member1)
	must(admin.DescribeInstance(ctx, &ssoadmin.DescribeInstanceInput{InstanceArn: arn}))
	created, err := admin.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{
		InstanceArn: arn, PermissionSetArn: ps, PrincipalId: who, PrincipalType: types.PrincipalTypeUser, TargetId: where, TargetType: types.TargetTypeAwsAccount,
	})
	if err != nil {
		t.Fatal(err)
	}
	must(admin.DescribeAccountAssignmentCreationStatus(ctx, &ssoadmin.DescribeAccountAssignmentCreationStatusInput{
		InstanceArn: arn, AccountAssignmentCreationRequestId: created.AccountAssignmentCreationStatus.RequestId,
	}))
	must(admin.ListAccountAssignmentCreationStatus(ctx, &ssoadmin.ListAccountAssignmentCreationStatusInput{InstanceArn: arn, MaxResults: one}))
	must(admin.ListAccountAssignments(ctx, &ssoadmin.ListAccountAssignmentsInput{InstanceArn: arn, PermissionSetArn: ps, AccountId: where, MaxResults: one}))
	must(admin.DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{InstanceArn: arn, PermissionSetArn: ps}))
	must(admin.ListPermissionSets(ctx, &ssoadmin.ListPermissionSetsInput{InstanceArn: arn}))
	must(admin.ListAccountsForProvisionedPermissionSet(ctx, &ssoadmin.ListAccountsForProvisionedPermissionSetInput{InstanceArn: arn, PermissionSetArn: ps}))
	deleted, err := admin.DeleteAccountAssignment(ctx, &ssoadmin.DeleteAccountAssignmentInput{
		InstanceArn: arn, PermissionSetArn: ps, PrincipalId: who, PrincipalType: types.PrincipalTypeUser, TargetId: where, TargetType: types.TargetTypeAwsAccount,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.IdentityCenter.hold(Own, *deleted.AccountAssignmentDeletionStatus.RequestId)
	f.IdentityCenter.Finish(Own, "no more")
	must(admin.DescribeAccountAssignmentDeletionStatus(ctx, &ssoadmin.DescribeAccountAssignmentDeletionStatusInput{
		InstanceArn: arn, AccountAssignmentDeletionRequestId: deleted.AccountAssignmentDeletionStatus.RequestId,
	}))
	must(admin.ListAccountAssignmentDeletionStatus(ctx, &ssoadmin.ListAccountAssignmentDeletionStatusInput{InstanceArn: arn, Filter: &types.OperationStatusFilter{Status: types.StatusValuesFailed}}))

	people, is, group := identitystore.NewFromConfig(cfg), aws.String(theStore), aws.String(admins)
	as := &store.MemberIdMemberUserId{Value: alice}
	must(people.GetUserId(ctx, &identitystore.GetUserIdInput{IdentityStoreId: is, AlternateIdentifier: &store.AlternateIdentifierMemberUniqueAttribute{
		Value: store.UniqueAttribute{AttributePath: aws.String("emails.value"), AttributeValue: document.NewLazyDocument("alice@example.com")},
	}}))
	must(people.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: is, UserId: who}))
	must(people.CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{IdentityStoreId: is, GroupId: group, MemberId: as}))
	must(people.IsMemberInGroups(ctx, &identitystore.IsMemberInGroupsInput{IdentityStoreId: is, MemberId: as, GroupIds: []string{admins}}))
	must(people.ListGroupMemberships(ctx, &identitystore.ListGroupMembershipsInput{IdentityStoreId: is, GroupId: group}))
	must(people.DescribeGroup(ctx, &identitystore.DescribeGroupInput{IdentityStoreId: is, GroupId: group}))
	must(people.ListGroups(ctx, &identitystore.ListGroupsInput{IdentityStoreId: is, MaxResults: one}))
	membership, err := people.GetGroupMembershipId(ctx, &identitystore.GetGroupMembershipIdInput{IdentityStoreId: is, GroupId: group, MemberId: as})
	if err != nil {
		t.Fatal(err)
	}
	must(people.DeleteGroupMembership(ctx, &identitystore.DeleteGroupMembershipInput{IdentityStoreId: is, MembershipId: membership.MembershipId}))
}

// hold has an operation be under way until Finish.
func (c *IdentityCenter) hold(account, id string) {
	c.must(account, func(s centerState) {
		op := s.operations[id]
		op.held, op.settled = true, false
		s.operations[id] = op
	})
}
