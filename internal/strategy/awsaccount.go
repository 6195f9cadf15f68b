package strategy

import (
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// PermissionContext is the type of the integration that says where in AWS a
// strategy acts, and as whom. Its settings have Sym's names.
const PermissionContext = "permission_context"

// The settings of a permission context.
const (
	SettingCloud      = "cloud"
	SettingRoleARN    = "role_arn"
	SettingExternalID = "external_id"
	SettingAccountID  = "account_id"
	SettingRegion     = "region"
)

// AWSAccount is where in AWS a strategy acts, and as whom.
type AWSAccount struct {
	Partition string // [Partition] where the configuration does not say
	ID        string // [Account] for the one that we run in
	Region    string // "" for the one that we run in
	Role      Role   // to assume; the zero value: none, our own rights do
}

// Patterns have no counts of more than a few: each copy of a class of letters is
// compiled, at each start of each function.
var (
	accountID  = pattern.Of(`^[0-9]{12}$`)
	regionName = pattern.Of(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	roleARN    = pattern.Of(`^arn:(aws[a-z-]*):iam::([0-9]{12}):role/[A-Za-z0-9+=,.@_/-]+$`)
	externalID = pattern.Of(`^[A-Za-z0-9+=,.@:/_-]{2,}$`)
)

// AWSIntegration is the integration of strategies that act in an account of AWS.
// Without one they act in the account that we run in, by rights of our own.
func AWSIntegration() Integration {
	return Integration{Need: Optional, Types: []string{PermissionContext}, Settings: []Setting{
		{Name: SettingCloud, About: `"aws"`, Check: func(v string) error {
			if v != "aws" {
				return flow.Errorf(flow.CodeInvalid, `must be "aws"`)
			}
			return nil
		}},
		{Name: SettingRoleARN, About: "the ARN of the role that is assumed in the account; without it, the rights of this deployment do", Check: Form(roleARN, "the ARN of a role, like arn:aws:iam::123456789012:role/sym/connector")},
		{Name: SettingExternalID, About: "the external id that the role's trust asks for", Check: Form(externalID, "2 or more letters, digits and +=,.@:/_-")},
		{Name: SettingAccountID, About: "the 12 digits of the account", Check: CheckAccountID},
		{Name: SettingRegion, About: "the region that is asked; the one of this deployment unless set", Check: CheckRegion},
	}}
}

// CheckAccountID holds a text to the shape of an account's id. The error has
// flow.CodeInvalid and says what to write.
func CheckAccountID(v string) error { return Form(accountID, "the 12 digits of an account")(v) }

// CheckRegion holds a text to the shape of a region's name. The error has
// flow.CodeInvalid and says what to write.
func CheckRegion(v string) error { return Form(regionName, "a region, like us-east-1")(v) }

// CheckAWSAccount finds what settings of a permission context contradict each
// other. It is for [Type.Rules].
func CheckAWSAccount(s flow.Strategy) []flow.Fault {
	i := s.Integration
	if i == nil {
		return nil
	}
	var faults []flow.Fault
	fault := func(setting, message string) {
		faults = append(faults, flow.Fault{Path: "integration.settings." + setting, Message: message})
	}
	role, id := roleARN.FindStringSubmatch(i.Settings[SettingRoleARN]), i.Settings[SettingAccountID]
	if role != nil && accountID.MatchString(id) && role[2] != id {
		fault(SettingAccountID, "is not the account of role_arn, which is "+role[2]+": name one account")
	}
	if i.Settings[SettingRoleARN] == "" && i.Settings[SettingExternalID] != "" {
		fault(SettingExternalID, "is of no use without role_arn: write the role that asks for it, or remove it")
	}
	return faults
}

// AccountOf says where a strategy acts. It bears a configuration that has faults.
func AccountOf(s flow.Strategy) AWSAccount {
	a := AWSAccount{Partition: Partition, ID: Account}
	if s.Integration == nil {
		return a
	}
	settings := s.Integration.Settings
	a.Region = settings[SettingRegion]
	if id := settings[SettingAccountID]; accountID.MatchString(id) {
		a.ID = id
	}
	if role := roleARN.FindStringSubmatch(settings[SettingRoleARN]); role != nil {
		a.Partition, a.ID = role[1], role[2]
		a.Role = Role{ARN: role[0], ExternalID: settings[SettingExternalID]}
	}
	return a
}

// ARN names a resource of a regional service: ARN("eks", "cluster/main").
func (a AWSAccount) ARN(service, resource string) string {
	region := a.Region
	if region == "" {
		region = Region
	}
	return strings.Join([]string{"arn", a.Partition, service, region, a.ID, resource}, ":")
}

// GlobalARN names a resource of a service that has no regions:
// GlobalARN("iam", "group/ops").
func (a AWSAccount) GlobalARN(service, resource string) string {
	return strings.Join([]string{"arn", a.Partition, service, "", a.ID, resource}, ":")
}

// Rights are what it takes to do things in the account: to assume its role, which
// is allowed them there; or them, where there is none.
func (a AWSAccount) Rights(allow ...Allow) Rights {
	if a.Role.ARN != "" {
		return Rights{Assume: []Role{a.Role}}
	}
	return Rights{Allow: allow}
}

// String names the account for people: "account 123456789012".
func (a AWSAccount) String() string {
	if a.ID == Account {
		return "the account of this deployment"
	}
	return "account " + a.ID
}
