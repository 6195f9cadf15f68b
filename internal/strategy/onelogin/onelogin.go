package onelogin

import (
	"cmp"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings, by Sym's names.
const (
	SettingRole         = "role_id"         // of a target
	SettingLevel        = "privilege_level" // of a target
	SettingClientID     = "client_id"       // of the integration
	SettingClientSecret = "client_secret"   // of the integration; the name of a secret
)

// TargetRole is the type of its targets.
const TargetRole = "onelogin_role"

// The privilege levels.
const (
	Member = "member"
	Admin  = "admin"
)

const typeName = "onelogin"

// Type is the strategy's type. Its targets name a role each.
func Type() strategy.Type {
	return strategy.Type{
		Name: typeName, About: "OneLogin: members and administrators of roles",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{typeName}, Settings: []strategy.Setting{
			{Name: SettingClientID, About: "the client id of the API credential pair", Required: true, Check: strategy.Form(pair, "the client id that OneLogin shows: letters and digits only")},
			{Name: SettingClientSecret, About: "the name of the secret with the client secret of the pair", Required: true},
			strategy.APIURL("the domain in external_id"),
		}, SignIns: []strategy.SignIn{
			{By: "a pair of API credentials", Secret: SettingClientSecret, Why: "OneLogin takes no signed token in its place"},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetRole,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingRole, About: "the id of the role, which is the number in its address", Required: true, Bindable: true, Check: strategy.Form(number, "the number of a role, like 123456, and not its name")},
				{Name: SettingLevel, Label: "Level", About: `"member": who has the role's applications; "admin": who says who has them; "member" unless set`, Bindable: true, Check: strategy.Form(level, `"member" or "admin"`)},
			}},
			Habits: strategy.Habits{
				Before:  "read first, and kept",
				Expiry:  "no",
				Lingers: "yes: sessions of the role's applications, for as long as each of them lets them",
				Limit:   "5,000 calls an hour; what OneLogin refuses comes back when it says",
			},
		}},
		Observes: true,
		Rules:    func(s flow.Strategy) []flow.Fault { return strategy.CheckExternalID(s, strategy.CheckDomain) },
	}
}

var (
	pair   = pattern.Of(`^[A-Za-z0-9_-]+$`)
	number = pattern.Of(`^[1-9][0-9]*$`)
	level  = pattern.Of(`^(member|admin)$`)
)

// Level is the privilege level that a target grants.
func Level(target flow.Target) string { return cmp.Or(target.Settings[SettingLevel], Member) }

// CheckUser returns nil if an identity may be the id of a user. The error has
// flow.CodeIdentity and says what to do instead.
func CheckUser(identity string) error {
	if number.MatchString(identity) {
		return nil
	}
	return flow.Errorf(flow.CodeIdentity, "%q is no user of OneLogin: %s", flow.Clip(identity, 100), SaveUser)
}

// SaveUser says what to do where a person can't be found.
const SaveUser = "have an administrator save the id of their user, which is the number in the address of their page, as who they are at onelogin"

// Entitlements says what a target means for a user of OneLogin.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := CheckUser(identity); err != nil {
		return nil, err
	}
	return []flow.Entitlement{{Key: strings.Join([]string{typeName, strategy.Domain(s.Integration), target.Settings[SettingRole], Level(target), identity}, "/")}}, nil
}
