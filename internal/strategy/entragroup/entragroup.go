package entragroup

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The settings.
const (
	SettingGroup = "group_id" // of a target
	settingPIM   = "pim"      // of a target

	// Of the integration.
	SettingClientID     = "client_id"
	SettingClientSecret = "client_secret"
	SettingAudience     = "audience"
)

// The types of its targets.
const (
	TargetGroup = "entra_group"
	TargetPIM   = "entra_pim_group"
)

const (
	typeName = "entra_group"
	entra    = "entra" // the type of its integration
)

// Type is the strategy's type. Its targets name a group each.
func Type() strategy.Type {
	group := strategy.Setting{Name: SettingGroup, About: "the object id of the group, like 1f0c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00", Required: true, Check: form(objectID, "the object id of a group, like 1f0c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00, and not its name"), Bindable: true}
	const lingers = "yes: tokens that applications have got go on, for about an hour; some applications look again later"
	const limit = "Microsoft Graph's own, of the tenant; what it throttles comes back when it says"
	return strategy.Type{
		Name: typeName, About: "Microsoft Entra ID: membership of users in groups",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{entra}, Settings: []strategy.Setting{
			{Name: SettingClientID, About: "the application (client) id of the app registration that we sign in as", Required: true, Check: form(objectID, "the application (client) id of an app registration, like 1f0c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00")},
			{Name: SettingClientSecret, About: "the name of the secret that has a client secret of the app; without it, a federated credential of the app takes AWS's word on who we are"},
			{Name: SettingAudience, About: "whom AWS's identity token is for, as the federated credential has it; " + clouds[0].audience + " unless set, or what the cloud at api_url has in its place", Check: form(audience, "the audience of the federated credential, without spaces")},
			strategy.APIURL(clouds[0].graph + " (others are " + clouds[1].graph + " and " + clouds[3].graph + ")"),
		}, SignIns: []strategy.SignIn{
			{By: "a federated credential of an app: AWS's word on who we are"},
			{By: "a client secret of an app", Secret: SettingClientSecret, Why: "where AWS gives no word on who we are, as on a machine of yours"},
		}},
		Targets: []strategy.TargetType{
			{
				Name: TargetGroup,
				Settings: strategy.Settings{Known: []strategy.Setting{
					group,
					{Name: settingPIM, About: `"false"; a membership that ends by itself is a target of type ` + TargetPIM, Check: checkPIM},
				}},
				Habits: strategy.Habits{Before: "read first, and kept", Expiry: "no", Lingers: lingers, Limit: limit},
			},
			{
				Name: TargetPIM, Expires: true,
				Settings: strategy.Settings{Known: []strategy.Setting{group}},
				Habits: strategy.Habits{
					Before: "read first, and kept, with its end", Expiry: "yes: of the assignment, by PIM, five minutes after it was made at the earliest",
					Lingers: lingers, Limit: limit,
				},
			},
		},
		Observes: true,
		Rules:    rules,
		Rights:   rights,
	}
}

// What names look like.
var (
	objectID = pattern.Of(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	tenant   = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)
	audience = pattern.Of(`^[!-~]+$`)
)

func form(shape pattern.Pattern, what string) func(string) error {
	return func(v string) error {
		if shape.MatchString(v) {
			return nil
		}
		return flow.Errorf(flow.CodeInvalid, "must be %s", what)
	}
}

func checkPIM(v string) error {
	if v == "false" {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, `is said by the target's type: write "type: %s", and remove this`, TargetPIM)
}

// cloud is one of Microsoft's, which have nothing in common but their API:
// https://learn.microsoft.com/graph/deployments.
type cloud struct{ graph, login, audience string }

var clouds = []cloud{
	{"https://graph.microsoft.com", "https://login.microsoftonline.com", "api://AzureADTokenExchange"},
	{"https://graph.microsoft.us", "https://login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"},
	{"https://dod-graph.microsoft.us", "https://login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"},
	{"https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn", "api://AzureADTokenExchangeChina"},
}

// Place is where a tenant is.
type Place struct {
	Graph string // the address of Microsoft Graph
	Login string // the address at which tokens are given
	Scope string // that tokens for Graph are asked for
}

// PlaceOf gives the place of an integration. What is none of Microsoft's clouds
// stands before both: a proxy of Graph gives tokens, too.
func PlaceOf(i *flow.Integration) Place {
	c := cloudOf(i)
	return Place{Graph: strategy.Address(i, clouds[0].graph), Login: c.login, Scope: c.graph + "/.default"}
}

func cloudOf(i *flow.Integration) cloud {
	address := strategy.Address(i, clouds[0].graph)
	for _, c := range clouds {
		if a, err := url.Parse(address); err == nil && "https://"+strings.ToLower(a.Host) == c.graph {
			return c
		}
	}
	c := clouds[0]
	c.login = address
	return c
}

// Audience is whom AWS's identity token is for, with which a federated credential is
// signed in; "" where we sign in with a secret.
func Audience(i *flow.Integration) string {
	if i == nil || i.Settings[SettingClientID] == "" {
		return ""
	}
	if _, secret := i.Secrets[SettingClientSecret]; secret {
		return ""
	}
	return cmp.Or(i.Settings[SettingAudience], cloudOf(i).audience)
}

func rules(s flow.Strategy) []flow.Fault {
	faults := strategy.CheckExternalID(s, form(tenant, "the id or a domain of the tenant, like 1f0c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00 or example.onmicrosoft.com"))
	if i := s.Integration; i != nil && i.Settings[SettingAudience] != "" && Audience(i) == "" {
		faults = append(faults, flow.Fault{Path: "integration.settings." + SettingAudience, Message: "is for a federated credential only: remove it, or the client_secret"})
	}
	return faults
}

func rights(s flow.Strategy) strategy.Rights {
	if whom := Audience(s.Integration); whom != "" {
		return strategy.IdentityTokens(whom)
	}
	return strategy.Rights{}
}

// Entitlements says what a target means for an identity, which is the object id of a
// user. The same group by PIM is another entitlement: PIM knows only what it has
// assigned. The error has flow.CodeIdentity.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if !objectID.MatchString(identity) {
		return nil, flow.Errorf(flow.CodeIdentity, "%s is no user of Entra: have an administrator save the user's object id, like 1f0c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00, as who they are at entra", flow.Clip(identity, 100))
	}
	how := "member"
	if target.Type == TargetPIM {
		how = "pim"
	}
	return []flow.Entitlement{{Key: strings.ToLower(strings.Join([]string{typeName, strategy.Domain(s.Integration), target.Settings[SettingGroup], how, identity}, "/"))}}, nil
}
