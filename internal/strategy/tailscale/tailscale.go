package tailscale

import (
	"cmp"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings, by Sym's names where Sym had them.
const (
	SettingGroup     = "group_name" // of a target
	SettingAttribute = "attribute"  // of a target

	// Of the integration.
	SettingToken        = "api_token_secret"
	SettingClientID     = "client_id"
	SettingClientSecret = "client_secret"
	SettingAudience     = "audience"
)

// The types of its targets.
const (
	TargetGroup   = "tailscale_group"
	TargetPosture = "tailscale_posture"
)

const typeName = "tailscale"

// Server is where Tailscale's API is, for all tailnets.
const Server = "https://api.tailscale.com"

// Type is the strategy's type. Its targets name a group of the policy file, or an
// attribute of devices, each.
func Type() strategy.Type {
	const lingers = "no new ones after seconds, and sessions of Tailscale SSH end; other connections that are open go on until they are closed, if any other rule lets the two devices speak"
	return strategy.Type{
		Name: typeName, About: "Tailscale: membership in groups of the policy file, and attributes of a person's devices",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{typeName}, Settings: []strategy.Setting{
			{Name: SettingClientID, About: "the id of the trust credential that we sign in with: a federated identity, for which nothing secret is kept, or an OAuth client", Check: strategy.Form(clientID, "the id that Tailscale shows of a credential, like kx1a2b3CNTRL")},
			{Name: SettingClientSecret, About: "the name of the secret that has the OAuth client's secret; a federated identity has none"},
			{Name: SettingAudience, About: "whom AWS's identity token is for, if the federated identity has an audience of its own; " + audienceOf("the client id") + " unless set", Check: strategy.Form(audience, "the audience of the federated identity, without spaces")},
			{Name: SettingToken, About: "instead of client_id: the name of the secret that has an API access token, which ends after 90 days at most"},
			strategy.APIURL(Server),
		}, SignIns: []strategy.SignIn{
			{By: "a federated identity: AWS's word on who we are"},
			{By: "an OAuth client", Secret: SettingClientSecret, Why: "where AWS gives no word on who we are, as on a machine of yours"},
			{By: "an API access token", Secret: SettingToken, Why: "as it was with Sym: it may do everything, and ends after 90 days at most"},
		}},
		Targets: []strategy.TargetType{
			{
				Name: TargetGroup,
				Settings: strategy.Settings{Known: []strategy.Setting{
					{Name: SettingGroup, Label: "Group", About: "the name of the group in the policy file, like group:prod", Required: true, Check: strategy.Form(groupName, "the name of a group as the policy file has it, like group:prod"), Bindable: true},
				}},
				Habits: strategy.Habits{
					Before:  "read first, and kept",
					Expiry:  "no",
					Lingers: lingers,
					Limit:   "none that Tailscale documents; what it throttles comes back later",
				},
			},
			{
				Name: TargetPosture, Expires: true,
				Settings: strategy.Settings{Known: []strategy.Setting{
					{Name: SettingAttribute, Label: "Attribute", About: "the name of the attribute that is set to true on the person's devices, like custom:prodAccess", Required: true, Check: checkAttribute, Bindable: true},
				}},
				Habits: strategy.Habits{
					Before:  "read first, and kept: who has the attribute on any of their devices keeps it there, and gets it on no other",
					Expiry:  "yes: of the attribute, on each device",
					Lingers: lingers,
					Limit:   "none that Tailscale documents; what it throttles comes back later",
				},
			},
		},
		Observes: true,
		Rules:    rules,
		Rights:   rights,
	}
}

// What names look like: https://tailscale.com/kb/1337/policy-syntax#groups and
// https://tailscale.com/kb/1288/device-posture#custom-posture-attributes.
var (
	groupName = pattern.Of(`^(group:)?[A-Za-z0-9][A-Za-z0-9_.+-]*$`)
	attribute = pattern.Of(`^(custom:)?[A-Za-z0-9_]+$`)
	clientID  = pattern.Of(`^[A-Za-z0-9_-]+$`)
	audience  = pattern.Of(`^[!-~]+$`)
	tailnet   = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9@._+-]*$`)
	login     = pattern.Of(`^[^\s@"]+@[^\s@"]+$`)
)

// maxAttribute is the length of an attribute's name, custom: included.
const maxAttribute = 50

func checkAttribute(v string) error {
	if attribute.MatchString(v) && len(withPrefix(attributePrefix, v)) <= maxAttribute {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be the name of an attribute, like custom:prodAccess: letters, digits and _ only, and %d characters at most", maxAttribute)
}

const (
	groupPrefix     = "group:"
	attributePrefix = "custom:"
)

func withPrefix(prefix, name string) string { return prefix + strings.TrimPrefix(name, prefix) }

// Group gives the name of a target's group, as the policy file has it.
func Group(t flow.Target) string { return withPrefix(groupPrefix, t.Settings[SettingGroup]) }

// Attribute gives the name of a target's attribute, as Tailscale has it.
func Attribute(t flow.Target) string {
	return withPrefix(attributePrefix, t.Settings[SettingAttribute])
}

func audienceOf(client string) string { return "api.tailscale.com/" + client }

// Audience is whom AWS's identity token is for, with which a federated identity is
// signed in; "" where we sign in with a secret.
func Audience(i *flow.Integration) string {
	id := i.Settings[SettingClientID]
	if _, secret := i.Secrets[SettingClientSecret]; secret || id == "" {
		return ""
	}
	return cmp.Or(i.Settings[SettingAudience], audienceOf(id))
}

// rules: there is one way to sign in, and it is whole.
func rules(s flow.Strategy) []flow.Fault {
	i := s.Integration
	if i == nil {
		return nil
	}
	var faults []flow.Fault
	fault := func(setting, message string) {
		faults = append(faults, flow.Fault{Path: "integration.settings." + setting, Message: message})
	}
	_, token := i.Secrets[SettingToken]
	_, secret := i.Secrets[SettingClientSecret]
	id := i.Settings[SettingClientID]
	switch {
	case id == "" && !token:
		fault(SettingClientID, "is required: the id of a federated identity, or of an OAuth client with its client_secret; or write api_token_secret")
	case token && (id != "" || secret):
		fault(SettingToken, "does not go with client_id and client_secret: remove it, as an access token may do everything and ends after 90 days")
	}
	if i.Settings[SettingAudience] != "" && Audience(i) == "" {
		fault(SettingAudience, "is for federated identities only: remove it, or what is secret")
	}
	return append(faults, strategy.CheckExternalID(s, strategy.Form(tailnet, "the tailnet's organization as Tailscale's general settings show it, like example.com"))...)
}

func rights(s flow.Strategy) strategy.Rights {
	if s.Integration == nil {
		return strategy.Rights{}
	}
	if whom := Audience(s.Integration); whom != "" {
		return strategy.IdentityTokens(whom)
	}
	return strategy.Rights{}
}

// Entitlements says what a target means for an identity, which is the login name of
// a user. The error has flow.CodeIdentity.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if !login.MatchString(identity) {
		return nil, flow.Errorf(flow.CodeIdentity, "%s is no user of Tailscale: have an administrator save the login name that Tailscale shows, like alice@example.com, as who they are at tailscale", flow.Clip(identity, 100))
	}
	what := Group(target)
	if target.Type == TargetPosture {
		what = strings.ToLower(Attribute(target)) // which are told apart without case
	}
	in := ""
	if s.Integration != nil {
		in = s.Integration.ExternalID
	}
	return []flow.Entitlement{{Key: strings.Join([]string{typeName, strings.ToLower(in), what, strings.ToLower(identity)}, "/")}}, nil
}
