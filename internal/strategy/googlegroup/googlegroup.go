package googlegroup

import (
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings, by Sym's names where Sym had them.
const (
	SettingGroup = "group_email" // of a target
	SettingRole  = "role"        // of a target
	SettingAPI   = "api"         // of the strategy
)

// TargetGroup is the type of its targets.
const TargetGroup = "google_group"

// Google's APIs of groups, of which a strategy uses one.
const (
	CloudIdentity = "cloud_identity"
	Directory     = "directory"
)

// The roles that somebody may have in a group.
const (
	Member  = "MEMBER"
	Manager = "MANAGER"
	Owner   = "OWNER"
)

// Roles lists them, from the least to the most.
var Roles = []string{Member, Manager, Owner}

// Type is the strategy's type. Its targets name a group and a role each.
func Type() strategy.Type {
	return strategy.Type{
		Name: "google_group", About: "Google Groups: who is a member, manager or owner of a group",
		Integration: strategy.GoogleIntegration(),
		Settings: strategy.Settings{Known: []strategy.Setting{
			{Name: SettingAPI, About: `the API of Google's that is called: "cloud_identity", by which Google ends memberships by itself, where the edition has that (unless set), or "directory", the Admin SDK, which has no ends`, Check: checkAPI},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetGroup,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingGroup, Label: "Group", About: "the group's own address, not an alias, like oncall@example.com", Required: true, Check: strategy.CheckGoogleAddress, Bindable: true},
				{Name: SettingRole, Label: "Role", About: "what the person is to be in it: MEMBER, MANAGER or OWNER", Required: true, Check: checkRole, Bindable: true},
			}},
			Values:  Roles,
			Expires: true,
			Habits: strategy.Habits{
				Before:  "read first, and kept, with its role",
				Expiry:  "yes, of role MEMBER, with `cloud_identity` and an edition that has it",
				Lingers: "what the group gives goes on until the systems that ask for it have heard, minutes as a rule",
				Limit:   "Google's quotas; what it throttles comes back later",
			},
		}},
		Observes: true,
		Rules:    strategy.CheckGoogle,
		Rights:   strategy.GoogleRights,
	}
}

func checkAPI(v string) error {
	if v == CloudIdentity || v == Directory {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, `must be "%s" or "%s"`, CloudIdentity, Directory)
}

func checkRole(v string) error {
	if v == Member || v == Manager || v == Owner {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be %s, in capitals", strings.Join(Roles, ", "))
}

// Entitlements says what a target means for an identity: a place in the group, with
// the role as its value. Google takes no notice of the case of addresses.
func Entitlements(target flow.Target, identity string) ([]flow.Entitlement, error) {
	if strategy.CheckGoogleAddress(identity) != nil {
		return nil, flow.Errorf(flow.CodeIdentity, "%q is no account of Google: have an administrator save the address of theirs, like alice@example.com, as who they are at Google", flow.Clip(identity, 100))
	}
	return []flow.Entitlement{{
		Key:   strings.Join([]string{"google_group", strings.ToLower(target.Settings[SettingGroup]), strings.ToLower(identity)}, "/"),
		Value: target.Settings[SettingRole],
	}}, nil
}
