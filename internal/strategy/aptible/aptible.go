package aptible

import (
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings, by Sym's names.
const (
	SettingRole     = "role_id"         // of a target
	SettingUsername = "username_secret" // of the integration; the name of a secret
	SettingPassword = "password_secret" // of the integration; the name of a secret
)

// TargetRole is the type of its targets.
const TargetRole = "aptible_role"

// API is where Aptible's users and roles are.
const API = "https://auth.aptible.com"

const typeName = "aptible"

// Type is the strategy's type. Its targets name a role each.
func Type() strategy.Type {
	return strategy.Type{
		Name: typeName, About: "Aptible: roles of users",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{typeName}, Settings: []strategy.Setting{
			{Name: SettingUsername, About: "the name of the secret with the e-mail address of the robot user", Required: true},
			{Name: SettingPassword, About: "the name of the secret with its password", Required: true},
			strategy.APIURL(API),
		}, SignIns: []strategy.SignIn{
			{By: "a user of its own, without a second factor", Secret: SettingUsername, Why: "at Sym it is one as well"},
			{By: "a user of its own, without a second factor", Secret: SettingPassword, Why: "Aptible has no users but people's"},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetRole,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingRole, About: "the id of the role, which is the UUID in its address", Required: true, Bindable: true, Check: strategy.Form(uuid, "the id of a role, like 7f5c2a1e-3b4d-4c5e-8f60-718293a4b5c6, and not its name")},
			}},
			Habits: strategy.Habits{
				Before:  "read first, and kept",
				Expiry:  "no",
				Lingers: "no: each call is looked at anew; what is open (SSH sessions, tunnels to databases) goes on until it is closed",
				Limit:   "none that Aptible documents; what it throttles comes back later",
			},
		}},
		Observes: true,
	}
}

var uuid = pattern.Of(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// CheckUser returns nil if an identity may be the id of a user. The error has
// flow.CodeIdentity and says what to do instead.
func CheckUser(identity string) error {
	if uuid.MatchString(identity) {
		return nil
	}
	return flow.Errorf(flow.CodeIdentity, "%q is no user of Aptible: %s", flow.Clip(identity, 100), SaveUser)
}

// SaveUser says what to do where a person can't be found.
const SaveUser = "have an administrator save the id of their user, like 1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d, as who they are at aptible"

// Entitlements says what a target means for a user of Aptible.
func Entitlements(target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := CheckUser(identity); err != nil {
		return nil, err
	}
	return []flow.Entitlement{{Key: strings.ToLower(strings.Join([]string{typeName, target.Settings[SettingRole], identity}, "/"))}}, nil
}
