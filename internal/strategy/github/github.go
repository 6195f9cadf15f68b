package github

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

// The types of targets.
const (
	Repo = "github_repo"
	Team = "github_team"
	Org  = "github_org"
)

// The settings of targets.
const (
	SettingRepo       = "repo_name"
	SettingPermission = "permission"
	SettingOrg        = "org"
	SettingTeam       = "team_slug"
	SettingRole       = "role"
)

// The settings of the integration: a token, or what it takes to sign in as a
// GitHub App, which has a private key as well (strategy.PrivateKey).
const (
	SettingToken        = "api_token_secret"
	SettingApp          = "app_id"
	SettingInstallation = "installation_id"
)

// Roles of people in teams and organizations.
const (
	RoleMember     = "member"
	RoleMaintainer = "maintainer" // of a team
	RoleOwner      = "admin"      // of an organization, by GitHub's word
)

const (
	typeName          = "github"
	defaultPermission = "push" // GitHub's own, and Sym's
	publicAPI         = "https://api.github.com"
)

// Permissions are those of repositories that every organization has, from the
// least to the most. Roles that an organization has made itself are not among them.
var Permissions = []string{"pull", "triage", "push", "maintain", "admin"}

// Type is the strategy's type.
func Type() strategy.Type {
	org := strategy.Setting{Name: SettingOrg, Label: "Organization", About: "the organization; the integration's external_id unless set", Check: CheckOrg}
	return strategy.Type{
		Name: typeName, About: "GitHub: collaborators of repositories, members of teams and of organizations",
		Integration: strategy.Integration{Need: strategy.Required, Types: []string{typeName}, Settings: slices.Concat(
			[]strategy.Setting{
				{Name: SettingToken, About: "the name of the secret with a token of an owner of the organization, where no GitHub App signs in"},
				{Name: SettingApp, About: "the id of the GitHub App that signs in, or its client id", Check: checkApp},
				{Name: SettingInstallation, About: "the id of the app's installation in the organization: the number at the end of the address of its settings", Check: checkNumber},
			},
			strategy.PrivateKey("as GitHub gave it"),
			[]strategy.Setting{strategy.APIURL(publicAPI + "; of GitHub Enterprise Server it is https://github.example.com/api/v3")},
		), SignIns: []strategy.SignIn{
			{By: "a GitHub App whose private key is in AWS KMS and never leaves it"},
			{By: "a GitHub App with a private key", Secret: strategy.SettingPrivateKey, Why: "GitHub takes the signature of an app's own key only, nobody else's word"},
			{By: "a token of an owner", Secret: SettingToken, Why: "it is a person's, and may do all that they may"},
		}},
		Targets: []strategy.TargetType{
			{
				Name: Repo,
				Settings: strategy.Settings{Known: []strategy.Setting{
					{Name: SettingRepo, Label: "Repository", About: "the name of the repository, without its organization", Required: true, Bindable: true, Check: checkRepo},
					{Name: SettingPermission, Label: "Permission", About: "what they may do there: pull, triage, push, maintain or admin; push unless set", Bindable: true, Check: oneOf(Permissions)},
				}},
				Values: Permissions,
				Caution: "When access to a repository ends, GitHub deletes the person's forks of it if it is private, takes them off its issues " +
					"and declines their open pull requests from forks: save what is needed before.",
				Habits: strategy.Habits{
					Before:  "read first, and restored; a role that the organization has made itself is not touched",
					Expiry:  "no",
					Lingers: "no; what GitHub works on in the background is looked at until it is gone",
					Limit:   "5,000 calls an hour and more, 80 changes a minute; what GitHub asks to wait is kept",
				},
			},
			{
				Name: Team,
				Settings: strategy.Settings{Known: []strategy.Setting{
					org,
					{Name: SettingTeam, Label: "Team", About: "the team's slug: its name as it is in addresses", Required: true, Bindable: true, Check: checkTeam},
					{Name: SettingRole, Label: "Role", About: "member or maintainer; member unless set", Bindable: true, Check: oneOf([]string{RoleMember, RoleMaintainer})},
				}},
				Values:  []string{RoleMember, RoleMaintainer},
				Caution: "When membership of a team ends, GitHub deletes the person's forks of private repositories that they saw by the team alone: save what is needed before.",
				Habits: strategy.Habits{
					Before:  "read first, and restored: a maintainer stays one",
					Expiry:  "no",
					Lingers: "no",
					Limit:   "5,000 calls an hour and more, 80 changes a minute; what GitHub asks to wait is kept",
				},
			},
			{
				Name: Org,
				Settings: strategy.Settings{Known: []strategy.Setting{
					org,
					{Name: SettingRole, Label: "Role", About: "member, or admin, who is an owner; member unless set", Check: oneOf([]string{RoleMember, RoleOwner})},
				}},
				Values: []string{RoleMember, RoleOwner},
				Caution: "When membership of an organization ends, GitHub takes the person out of its teams and off its issues, " +
					"deletes their forks of its private repositories, and writes to them: save what is needed before.",
				Habits: strategy.Habits{
					Before:  "read first, and restored: an owner stays one",
					Expiry:  "no",
					Lingers: "no",
					Limit:   "as above, and 50 invitations a day (500 for older or paid organizations)",
				},
			},
		},
		Observes: true,
		Rules:    rules,
		Rights:   func(s flow.Strategy) strategy.Rights { return strategy.PrivateKeyRights(s.Integration) },
	}
}

// The forms of GitHub's names. Lengths are checked apart.
var (
	orgName  = pattern.Of(`^[A-Za-z0-9](?:-?[A-Za-z0-9])*$`)
	repoName = pattern.Of(`^[A-Za-z0-9._-]+$`)
	slug     = pattern.Of(`^[a-z0-9_-]+$`)
	login    = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	number   = pattern.Of(`^[1-9][0-9]*$`)
	app      = pattern.Of(`^[A-Za-z0-9.]+$`)
)

// GitHub's limits in characters.
const (
	maxOrg   = 39
	maxRepo  = 100
	maxTeam  = 255
	maxLogin = 64
)

func form(right bool, like string) error {
	if right {
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must be %s", like)
}

// CheckOrg holds a text to the form of an organization's name.
func CheckOrg(v string) error {
	return form(len(v) <= maxOrg && orgName.MatchString(v), "the name of an organization as it is in addresses, like acme: letters, digits and single hyphens only")
}

func checkRepo(v string) error {
	return form(len(v) <= maxRepo && repoName.MatchString(v) && v != "." && v != "..", "the name of a repository without its organization: orders, not acme/orders")
}

// checkTeam: teams of an enterprise, whose slugs begin with ent:, have no members
// of an organization's choice.
func checkTeam(v string) error {
	if strings.HasPrefix(v, "ent:") {
		return flow.Errorf(flow.CodeInvalid, "is a team of the enterprise, whose members no organization changes: name a team of the organization")
	}
	return form(len(v) <= maxTeam && slug.MatchString(v), "the team's slug, like on-call: its name as it is in addresses, without the organization")
}

func checkNumber(v string) error { return form(number.MatchString(v), "a number, like 12345678") }

func checkApp(v string) error {
	return form(app.MatchString(v), "the app's id, a number like 123456, or its client id, like Iv23liABCDEFGHIJKLMN")
}

func oneOf(words []string) func(string) error {
	return func(v string) error {
		return form(slices.Contains(words, v), strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
	}
}

// CheckLogin holds an identity to the form of a login. The error has
// flow.CodeIdentity and says what to store instead.
func CheckLogin(identity string) error {
	if len(identity) <= maxLogin && login.MatchString(identity) {
		return nil
	}
	return flow.Errorf(flow.CodeIdentity, "%s is no login of GitHub: have an administrator save the login, like octocat, as who they are at github", flow.Clip(identity, 100))
}

// rules: there is one way to sign in, whole; and an app's installation is of one
// organization.
func rules(s flow.Strategy) []flow.Fault {
	if s.Integration == nil {
		return nil
	}
	faults := append(strategy.CheckExternalID(s, CheckOrg), strategy.CheckPrivateKey(s)...)
	fault := func(setting, message string) {
		faults = append(faults, flow.Fault{Path: "integration.settings." + setting, Message: message})
	}
	settings := s.Integration.Settings
	_, token := s.Integration.Secrets[SettingToken]
	token = token || settings[SettingToken] != ""
	key := strategy.HasPrivateKey(s.Integration) || settings[strategy.SettingPrivateKey] != ""
	asApp := settings[SettingApp] != "" || settings[SettingInstallation] != "" || key
	switch {
	case token && asApp:
		fault(SettingToken, "is there beside a GitHub App: keep one of them, of which the app is the better, because its tokens live for an hour and may do less")
	case !token && !asApp:
		fault(SettingToken, "is required: the name of the secret with a token; or have a GitHub App sign in, by app_id, installation_id and private_key_secret")
	case !token && settings[SettingApp] == "":
		fault(SettingApp, "is required where an app signs in: the app's id, or its client id")
	case !token && settings[SettingInstallation] == "":
		fault(SettingInstallation, "is required where an app signs in: the number at the end of the address of the installation's settings")
	case !token && !key:
		fault(strategy.SettingPrivateKey, "is required where an app signs in: the name of the secret with its private key; or private_key_kms_arn")
	}
	for _, t := range s.Targets {
		if t.Type != Repo && asApp && !strings.EqualFold(OrgOf(s, t), s.Integration.ExternalID) {
			faults = append(faults, flow.Fault{
				Path:    "targets." + t.Name + ".settings." + SettingOrg,
				Message: "is not " + s.Integration.ExternalID + ", where the app of the integration is installed: make a strategy with an integration for each organization",
			})
		}
	}
	return faults
}

// API is the address of GitHub's REST API for a strategy, without a slash at its
// end.
func API(s flow.Strategy) string { return strategy.Address(s.Integration, publicAPI) }

// GraphQL is the address of GitHub's GraphQL API.
func GraphQL(s flow.Strategy) string {
	if server, own := strings.CutSuffix(API(s), "/v3"); own { // GitHub Enterprise Server
		return server + "/graphql"
	}
	return API(s) + "/graphql"
}

// OrgOf is the organization of a target.
func OrgOf(s flow.Strategy, target flow.Target) string {
	if s.Integration == nil {
		return target.Settings[SettingOrg]
	}
	if target.Type == Repo {
		return s.Integration.ExternalID
	}
	return cmp.Or(target.Settings[SettingOrg], s.Integration.ExternalID)
}

// ValueOf is the permission or role that a target asks for.
func ValueOf(target flow.Target) string {
	if target.Type == Repo {
		return cmp.Or(target.Settings[SettingPermission], defaultPermission)
	}
	return cmp.Or(target.Settings[SettingRole], RoleMember)
}

// Entitlements says what a target means for a login: the thing, whatever the
// permission or role, of which a person has one. GitHub takes letters of either
// case for the same.
func Entitlements(s flow.Strategy, target flow.Target, identity string) ([]flow.Entitlement, error) {
	if err := CheckLogin(identity); err != nil {
		return nil, err
	}
	host := ""
	if u, err := url.Parse(API(s)); err == nil {
		host = u.Host
	}
	key := []string{typeName, host, OrgOf(s, target)}
	switch target.Type {
	case Repo:
		key = append(key, "repo", target.Settings[SettingRepo])
	case Team:
		key = append(key, "team", target.Settings[SettingTeam])
	default:
		key = append(key, "org")
	}
	return []flow.Entitlement{{Key: strings.ToLower(strings.Join(append(key, identity), "/")), Value: ValueOf(target)}}, nil
}
