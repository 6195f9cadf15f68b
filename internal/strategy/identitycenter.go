package strategy

import (
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// The settings of strategies whose people are users of IAM Identity Center.
const (
	SettingInstanceARN     = "instance_arn"
	SettingIdentityStoreID = "identity_store_id"
)

// What ids of Identity Center look like, as AWS's references of its APIs have it:
// https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetUserId.html
var (
	instanceARN     = pattern.Of(`^arn:aws[a-z-]*:sso:::instance/(?:sso)?ins-[a-zA-Z0-9-.]{16}$`)
	identityStoreID = pattern.Of(`^(d-[0-9a-f]{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
	directoryID     = pattern.Of(`^([0-9a-f]{10}-)?[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}$`)
)

// IdentityCenterSettings are the settings that say which Identity Center has the
// people. why is why sessions can't be ended, which those who ask for it are told.
func IdentityCenterSettings(why string) []Setting {
	return []Setting{
		{Name: SettingInstanceARN, About: "the ARN of the Identity Center instance, like arn:aws:sso:::instance/ssoins-1234567890abcdef", Required: true, Check: Form(instanceARN, "the ARN of an instance, like arn:aws:sso:::instance/ssoins-1234567890abcdef")},
		{Name: SettingIdentityStoreID, About: "the id of the instance's identity store, like d-1234567890; looked up unless set", Check: Form(identityStoreID, "the id of an identity store, like d-1234567890")},
		{Name: "end_sessions", About: "not possible: " + why, Check: func(v string) error {
			if v == "false" {
				return nil
			}
			return flow.Errorf(flow.CodeInvalid, "is not possible: %s. Remove it, and keep sessions short", why)
		}},
	}
}

// CheckDirectoryID holds a text to the shape of the id of a user or a group of
// Identity Center. The error has flow.CodeInvalid and says what to write.
func CheckDirectoryID(v string) error {
	return Form(directoryID, "the id that Identity Center shows, like a1b2c3d4e5-11111111-2222-3333-4444-555555555555, and not a name")(v)
}

// CheckDirectoryUser returns nil if an identity may be a user of Identity Center.
// The error has flow.CodeIdentity and says what to do instead.
func CheckDirectoryUser(s flow.Strategy, identity string) error {
	if directoryID.MatchString(identity) {
		return nil
	}
	return flow.Errorf(flow.CodeIdentity, "%q is no user of Identity Center: %s", flow.Clip(identity, 100), SaveDirectoryUser(s))
}

// SaveDirectoryUser says what to do where a person can't be found in Identity
// Center.
func SaveDirectoryUser(s flow.Strategy) string {
	return "have an administrator save the id of their user, like a1b2c3d4e5-11111111-2222-3333-4444-555555555555, as who they are at " + s.Type
}

// DirectoryRights are the rights to find people of the strategy's Identity Center.
// The store and the users are what rights on groups are on, too.
func DirectoryRights(s flow.Strategy) (find []Allow, storeAndUsers []string) {
	instance := s.Settings[SettingInstanceARN]
	partition, _, _ := strings.Cut(instance, ":sso:")
	store := s.Settings[SettingIdentityStoreID]
	if store == "" {
		store = "*"
		find = append(find, Allow{Actions: []string{"sso:DescribeInstance"}, Resources: []string{instance}})
	}
	storeAndUsers = []string{partition + ":identitystore::" + AccountOf(s).ID + ":identitystore/" + store, partition + ":identitystore:::user/*"}
	return append(find, Allow{Actions: []string{"identitystore:DescribeUser", "identitystore:GetUserId"}, Resources: storeAndUsers}), storeAndUsers
}
