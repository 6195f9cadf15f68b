package okta

import (
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// SettingGroup is the setting of a target, by Sym's name.
const SettingGroup = "group_id"

// The settings of the integration: an API token, which is Sym's way, or the app that
// signs in with a private key.
const (
	SettingToken  = "api_token_secret"
	SettingClient = "client_id"
	SettingKeyID  = "key_id"
)

const typeName = "okta"

// TargetGroup is the type of its targets.
const TargetGroup = "okta_group"

// Type is the strategy's type. Its targets name a group each.
func Type() strategy.Type {
	settings := []strategy.Setting{
		{Name: SettingClient, About: "the client id of the app that signs in with a private key", Check: strategy.Form(clientID, "the client id that Okta shows of the app, like 0oa1b2c3d4e5f6g7h8i9")},
	}
	settings = append(settings, strategy.PrivateKey("as Okta gave it, or of which Okta has the public half")...)
	settings = append(settings,
		strategy.Setting{Name: SettingKeyID, About: "the id that Okta shows of that key (KID)"},
		strategy.Setting{Name: SettingToken, About: "the name of the secret with an API token, where no app signs in"},
		strategy.APIURL("the domain in external_id"),
	)
	return strategy.Type{
		Name: typeName, About: "Okta: membership in groups",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{typeName}, Settings: settings, SignIns: []strategy.SignIn{
			{By: "an app whose private key is in AWS KMS and never leaves it"},
			{By: "an app with a private key", Secret: strategy.SettingPrivateKey, Why: "Okta takes the signature of an app's own key only, nobody else's word"},
			{By: "an API token, as at Sym", Secret: SettingToken, Why: "it is an administrator's; Okta can't narrow it"},
		}},
		Targets: []strategy.TargetType{{
			Name: TargetGroup,
			Settings: strategy.Settings{Known: []strategy.Setting{
				{Name: SettingGroup, About: "the id of the group, like 00g1a2b3c4d5e6f7g8h9: the end of its address in the Admin Console", Required: true, Check: strategy.Form(groupID, "the id that Okta has of the group, like 00g1a2b3c4d5e6f7g8h9, and not its name"), Bindable: true},
			}},
			Habits: strategy.Habits{
				Before:  "read first, and kept; whom a group rule holds stays, too",
				Expiry:  "no",
				Lingers: "apps that the group assigns keep their own sessions until those end",
				Limit:   "by each kind of call and minute; how long Okta asks to wait is kept",
			},
		}},
		Observes: true,
		Rules:    rules,
		Rights:   func(s flow.Strategy) strategy.Rights { return strategy.PrivateKeyRights(s.Integration) },
	}
}

var (
	groupID  = pattern.Of(`^00g[A-Za-z0-9]+$`)
	userID   = pattern.Of(`^00u[A-Za-z0-9]+$`)
	clientID = pattern.Of(`^0oa[A-Za-z0-9]+$`)
)

// idLength is that of all ids of Okta.
const idLength = 20

func isID(form pattern.Pattern, v string) bool { return len(v) == idLength && form.MatchString(v) }

// checkDomain holds an external_id to the domain of an organisation.
func checkDomain(v string) error {
	if err := strategy.CheckDomain(v); err != nil {
		return err
	}
	if before, after, found := strings.Cut(v, "-admin.okta"); found {
		return flow.Errorf(flow.CodeInvalid, "is the address of the Admin Console: write %s.okta%s", strings.TrimPrefix(before, "https://"), after)
	}
	return nil
}

// rules: there is one way to sign in.
func rules(s flow.Strategy) []flow.Fault {
	i := s.Integration
	if i == nil {
		return nil
	}
	faults := append(strategy.CheckExternalID(s, checkDomain), strategy.CheckPrivateKey(s)...)
	fault := func(setting, message string) {
		faults = append(faults, flow.Fault{Path: "integration.settings." + setting, Message: message})
	}
	_, token := i.Secrets[SettingToken]
	app, key := i.Settings[SettingClient] != "", strategy.HasPrivateKey(i)
	switch {
	case token && app:
		fault(SettingToken, "is there beside "+SettingClient+": an API token or an app signs in, not both")
	case app && !key:
		fault(strategy.SettingPrivateKey, "is required beside "+SettingClient+", or "+strategy.SettingPrivateKeyKMS+": the app signs in with its private key")
	case !app && key:
		fault(SettingClient, "is required beside a private key: the client id of the app that signs in with it")
	case !app && !token:
		fault(SettingClient, "is required, with "+strategy.SettingPrivateKey+" or "+strategy.SettingPrivateKeyKMS+"; or else "+SettingToken)
	}
	return faults
}

// CheckUser returns nil if an identity may be a user of Okta. The error has
// flow.CodeIdentity and says what to do instead.
func CheckUser(identity string) error {
	if isID(userID, identity) {
		return nil
	}
	return flow.Errorf(flow.CodeIdentity, "%q is no user of Okta: %s", flow.Clip(identity, 100), SaveUser)
}

// SaveUser says what to do where a person can't be found.
const SaveUser = "have an administrator save the id of their user, like 00u1a2b3c4d5e6f7g8h9, as who they are at okta"

// Entitlements says what a target means for an identity.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := CheckUser(identity); err != nil {
		return nil, err
	}
	return []flow.Entitlement{{Key: strings.Join([]string{typeName, strategy.Domain(s.Integration), target.Settings[SettingGroup], identity}, "/")}}, nil
}
