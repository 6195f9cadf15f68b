package awsaccountaccess

import (
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// TargetRole is the type of its targets.
const TargetRole = "aws_account_access_role"

// The settings.
const (
	SettingApplication = "application_arn" // of the strategy
	SettingRole        = "role_arn"        // of a target
)

const typeName = "aws_account_access"

// Type is the strategy's type. Its targets name a role each.
func Type() strategy.Type {
	return strategy.Type{
		Name: typeName, About: "AWS account access manager: roles of accounts, for users of IAM Identity Center",
		Integration: strategy.AWSIntegration(),
		Settings: strategy.Settings{Known: append([]strategy.Setting{
			{Name: SettingApplication, About: "the ARN of the account access manager's application, like arn:aws:account-access:us-east-1:123456789012:application/app-1234", Required: true, Check: checkApplication},
		}, strategy.IdentityCenterSettings("everybody who has the role shares it, and AWS ends the sessions of all of them or of none")...)},
		Targets: []strategy.TargetType{{
			Name: TargetRole,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingRole, Label: "Role", About: "the ARN of the role, whose trust lets the account access manager in", Required: true, Check: checkRole},
			}},
			Habits: strategy.Habits{
				Before:  "read first, and kept",
				Expiry:  "no",
				Lingers: "yes: for the role's maximum session duration, 12 hours at most",
				Limit:   "20 calls a second and 15 changes at a time, by all functions together",
			},
		}},
		Observes: true,
		Rules:    strategy.CheckAWSAccount,
		Rights:   rights,
	}
}

// What ARNs look like, as AWS's reference has it:
// https://docs.aws.amazon.com/account-access/latest/APIReference/API_CreateEntitlement.html
var (
	application = pattern.Of(`^arn:aws[a-z-]*:account-access:([a-z0-9]+(?:-[a-z0-9]+)*):([0-9]{12}):application/([a-zA-Z0-9-]+)$`)
	role        = pattern.Of(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[a-zA-Z0-9+=,.@_-]+/)*([a-zA-Z0-9+=,.@_-]+)$`)
)

func checkApplication(v string) error {
	if application.MatchString(v) {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the ARN of an application of the account access manager, like arn:aws:account-access:us-east-1:123456789012:application/app-1234")
}

func checkRole(v string) error {
	if !role.MatchString(v) {
		return flow.Errorf(flow.CodeInvalid, "must be the ARN of a role, like arn:aws:iam::123456789012:role/ProdAdmin")
	}
	if strings.Contains(v, ":role/aws-reserved/") {
		return flow.Errorf(flow.CodeInvalid, "is a role that AWS keeps for a service of its own: nobody can be let into it but by that service. For a permission set, make a strategy of type aws_sso")
	}
	return nil
}

// RegionOf gives the region of the strategy's application.
func RegionOf(s flow.Strategy) string {
	if parts := application.FindStringSubmatch(s.Settings[SettingApplication]); parts != nil {
		return parts[1]
	}
	return ""
}

// RoleName gives account and name of a role, without its path; false: it is no
// role's ARN.
func RoleName(arn string) (account, name string, ok bool) {
	parts := role.FindStringSubmatch(arn)
	if parts == nil {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// Entitlements says what a target means for a user of Identity Center: the same
// for all strategies, targets and runs that name the same role.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := strategy.CheckDirectoryUser(s, identity); err != nil {
		return nil, err
	}
	by := s.Settings[SettingApplication]
	if parts := application.FindStringSubmatch(by); parts != nil {
		by = parts[2] + "/" + parts[3]
	}
	return []flow.Entitlement{{Key: strings.Join([]string{typeName, by, target.Settings[SettingRole], strings.ToLower(identity)}, "/")}}, nil
}

// rights are on the one application: AWS asks for none on roles.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_account-access.html
func rights(s flow.Strategy) strategy.Rights {
	app, instance := s.Settings[SettingApplication], s.Settings[strategy.SettingInstanceARN]
	if app == "" || instance == "" || len(s.Targets) == 0 {
		return strategy.Rights{}
	}
	allowed, people := strategy.DirectoryRights(s)
	partition, _, _ := strings.Cut(instance, ":sso:")
	allowed = append(allowed,
		strategy.Allow{
			Actions:   []string{"account-access:CreateEntitlement", "account-access:DeleteEntitlement", "account-access:ListEntitlements"},
			Resources: []string{app},
		},
		strategy.Allow{ // which groups give the person the same
			Actions:   []string{"identitystore:DescribeGroup", "identitystore:IsMemberInGroups"},
			Resources: slices.Concat(people, []string{partition + ":identitystore:::group/*", partition + ":identitystore:::membership/*"}),
		})
	return strategy.AccountOf(s).Rights(allowed...)
}
