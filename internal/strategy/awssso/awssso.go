package awssso

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The types of targets.
const (
	PermissionSet = "aws_sso_permission_set"
	Group         = "aws_sso_group"
)

// The settings of targets.
const (
	SettingPermissionSet = "permission_set_arn"
	SettingAccount       = "account_id"
	SettingGroup         = "group_id"
)

const typeName = "aws_sso"

// Type is the strategy's type.
func Type() strategy.Type {
	return strategy.Type{
		Name: typeName, About: "AWS IAM Identity Center: permission sets on accounts, and membership of users in groups",
		Integration: strategy.AWSIntegration(),
		Settings: strategy.Settings{Known: strategy.IdentityCenterSettings(
			"everybody who has a permission set on an account shares one role there, and AWS ends the sessions of all of them or of none")},
		Targets: []strategy.TargetType{
			{
				Name: PermissionSet,
				Settings: strategy.Settings{Known: []strategy.Setting{
					{Name: SettingPermissionSet, About: "the ARN of the permission set, which is of the strategy's instance", Required: true, Check: checkPermissionSet},
					{Name: SettingAccount, Label: "Account", About: "the 12 digits of the account", Required: true, Bindable: true, Check: strategy.CheckAccountID},
				}},
				Habits: strategy.Habits{
					Before:  "read first, and kept",
					Expiry:  "no",
					Lingers: "yes: for the permission set's session duration at most, 1 to 12 hours",
					Limit:   "20 calls a second and 15 operations under way, by all functions together",
				},
			},
			{
				Name: Group,
				Settings: strategy.Settings{Known: []strategy.Setting{
					{Name: SettingGroup, About: "the id of the group in the identity store, not its name", Required: true, Bindable: true, Check: strategy.CheckDirectoryID},
				}},
				Habits: strategy.Habits{
					Before:  "read first, and kept",
					Expiry:  "no",
					Lingers: "yes: sessions of what the group gives, 12 hours at most",
					Limit:   "20 calls a second, by all functions together",
				},
			},
		},
		Observes: true,
		Rules:    rules,
		Rights:   rights,
	}
}

var permissionSet = pattern.Of(`^arn:aws[a-z-]*:sso:::permissionSet/((?:sso)?ins-[a-zA-Z0-9-.]{16})/(ps-[a-zA-Z0-9-./]{16})$`)

func checkPermissionSet(v string) error {
	if permissionSet.MatchString(v) {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the ARN of a permission set, like arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef")
}

// instanceOf gives the id in the ARN of an instance.
func instanceOf(s flow.Strategy) string {
	_, id, _ := strings.Cut(s.Settings[strategy.SettingInstanceARN], "/")
	return id
}

// rules holds permission sets to the strategy's instance, and what requesters may
// choose to what a role may change: our own could put anybody into any group.
func rules(s flow.Strategy) []flow.Fault {
	faults := strategy.CheckAWSAccount(s)
	instance := instanceOf(s)
	for _, t := range s.Targets {
		if set := permissionSet.FindStringSubmatch(t.Settings[SettingPermissionSet]); set != nil && instance != "" && set[1] != instance {
			faults = append(faults, flow.Fault{
				Path:    "targets." + t.Name + ".settings." + SettingPermissionSet,
				Message: fmt.Sprintf("is of instance %s, and the strategy's %s of %s: make a strategy for each instance", set[1], strategy.SettingInstanceARN, instance),
			})
		}
		if slices.Contains(t.FieldBindings, SettingGroup) && strategy.AccountOf(s).Role.ARN == "" {
			faults = append(faults, flow.Fault{
				Path:    "integration_id",
				Message: "is missing, or has no role_arn: where requesters choose " + SettingGroup + ", a role says which groups there are to choose from",
			})
		}
	}
	return faults
}

// Entitlements says what a target means for a user of Identity Center: the same
// for all strategies, targets and runs that name the same thing.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := strategy.CheckDirectoryUser(s, identity); err != nil {
		return nil, err
	}
	key := []string{typeName, instanceOf(s)}
	if target.Type == Group {
		key = append(key, "group", strings.ToLower(target.Settings[SettingGroup]))
	} else {
		set := target.Settings[SettingPermissionSet]
		if parts := permissionSet.FindStringSubmatch(set); parts != nil {
			set = parts[2]
		}
		key = append(key, target.Settings[SettingAccount], set)
	}
	return []flow.Entitlement{{Key: strings.Join(append(key, strings.ToLower(identity)), "/")}}, nil
}

// rights: an assignment is of an instance, a permission set and an account, and
// AWS asks for rights on each of them.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentitystore.html
func rights(s flow.Strategy) strategy.Rights {
	instance := s.Settings[strategy.SettingInstanceARN]
	if instanceOf(s) == "" || len(s.Targets) == 0 {
		return strategy.Rights{}
	}
	allowed, people := strategy.DirectoryRights(s)
	allow := func(resources []string, actions ...string) {
		allowed = append(allowed, strategy.Allow{Actions: actions, Resources: resources})
	}
	partition, _, _ := strings.Cut(instance, ":sso:")
	one := func(value string) string { // what is bound is not known yet
		if value == "" {
			return "*"
		}
		return value
	}
	for _, t := range s.Targets {
		set := t.Settings[SettingPermissionSet]
		switch {
		case t.Type == Group:
			allow(slices.Concat(people, []string{partition + ":identitystore:::group/" + one(t.Settings[SettingGroup]), partition + ":identitystore:::membership/*"}),
				"identitystore:CreateGroupMembership", "identitystore:DeleteGroupMembership", "identitystore:GetGroupMembershipId",
				"identitystore:IsMemberInGroups", "identitystore:ListGroupMemberships")
		case t.Type == PermissionSet && set != "":
			allow([]string{instance, set, partition + ":sso:::account/" + one(t.Settings[SettingAccount])},
				"sso:CreateAccountAssignment", "sso:DeleteAccountAssignment", "sso:ListAccountAssignments")
			allow([]string{instance, set}, "sso:DescribePermissionSet")
			allow([]string{instance},
				"sso:DescribeAccountAssignmentCreationStatus", "sso:DescribeAccountAssignmentDeletionStatus",
				"sso:ListAccountAssignmentCreationStatus", "sso:ListAccountAssignmentDeletionStatus")
			// Which groups give the person the same.
			allow(slices.Concat(people, []string{partition + ":identitystore:::group/*", partition + ":identitystore:::membership/*"}),
				"identitystore:DescribeGroup", "identitystore:IsMemberInGroups")
		}
	}
	return strategy.AccountOf(s).Rights(allowed...)
}
