package boundary

import (
	"net/url"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings, by Sym's names where Sym had them. Those of the integration are the
// ones that handlers' module of the SDK has.
const (
	SettingGroup       = "group_id"        // of a target
	SettingEndSessions = "end_sessions"    // of the strategy
	SettingAuthMethod  = "auth_method_id"  // of the integration
	SettingLogin       = "login_name"      // of the integration
	SettingPassword    = "password_secret" // of the integration; the name of a secret
)

// TargetGroup is the type of its targets.
const TargetGroup = "boundary_group"

const typeName = "boundary"

// Type is the strategy's type. Its targets name a group each.
func Type() strategy.Type {
	return strategy.Type{
		Name: typeName, About: "HashiCorp Boundary: membership of users in groups",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{typeName}, Settings: []strategy.Setting{
			{Name: SettingAuthMethod, About: "the id of the auth method that is signed in by, of type password or ldap", Required: true, Check: strategy.Form(method, "the id of an auth method, like ampw_1234567890")},
			{Name: SettingLogin, About: "the login name of an account of that auth method", Required: true},
			{Name: SettingPassword, About: "the name of the secret with the account's password", Required: true},
			strategy.APIURL("the controller's address in external_id"),
		}, SignIns: []strategy.SignIn{
			{By: "an account of an auth method of type password or ldap", Secret: SettingPassword, Why: "Boundary's auth methods by OpenID Connect are for people at a browser"},
		}},
		Settings: strategy.Settings{Known: []strategy.Setting{
			{Name: SettingEndSessions, About: `"true": with the membership, the person's sessions in the group's scope and below are cancelled; "false" unless set`, Check: strategy.CheckBoolean},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetGroup,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingGroup, About: "the id of the group, not its name", Required: true, Bindable: true, Check: strategy.Form(group, "the id of a group, like g_1234567890, and not its name")},
			}},
			Closes: "When it ends, the person's sessions in the group's scope and below are cancelled, whatever they are doing.",
			Habits: strategy.Habits{
				Before:  "read first, and kept",
				Expiry:  "no",
				Lingers: "yes: for the session maximum of the targets, 8 hours unless set; with `end_sessions`, no",
				Limit:   "what the controller sets; what it refuses comes back when it says",
			},
		}},
		Observes: true,
		Rules:    func(s flow.Strategy) []flow.Fault { return strategy.CheckExternalID(s, strategy.CheckAddress) },
	}
}

var (
	method = pattern.Of(`^am[a-z]+_[0-9A-Za-z_]+$`)
	group  = pattern.Of(`^g_[0-9A-Za-z_]+$`)
	user   = pattern.Of(`^u_[0-9A-Za-z_]+$`)
)

// everybody are users that stand for many: whoever is signed in, whoever is not,
// and who recovers.
var everybody = []string{"u_anon", "u_auth", "u_recovery"}

// EndsSessions tells whether the strategy cancels sessions as it removes.
func EndsSessions(s flow.Strategy) bool { return s.Settings[SettingEndSessions] == "true" }

// CheckUser returns nil if an identity may be the id of one user. The error has
// flow.CodeIdentity and says what to do instead.
func CheckUser(identity string) error {
	if user.MatchString(identity) && !slices.Contains(everybody, identity) {
		return nil
	}
	return flow.Errorf(flow.CodeIdentity, "%q is no user of Boundary: %s", flow.Clip(identity, 100), SaveUser)
}

// SaveUser says what to do where a person can't be found.
const SaveUser = "have an administrator save the id of their user, like u_1234567890, as who they are at boundary"

// Cluster names a cluster by its address, so that nobody's way of writing it makes
// another one of it.
func Cluster(i *flow.Integration) string {
	if i == nil {
		return ""
	}
	u, err := url.Parse(i.ExternalID)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	return strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
}

// Entitlements says what a target means for a user of Boundary. The letters of its
// ids are of different cases.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := CheckUser(identity); err != nil {
		return nil, err
	}
	return []flow.Entitlement{{Key: strings.Join([]string{typeName, Cluster(s.Integration), target.Settings[SettingGroup], identity}, "/")}}, nil
}
