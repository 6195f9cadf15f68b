package slackapp

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/slack-go/slack"
)

// Manifest is what a Slack app is made from, by the names of its reference
// (docs.slack.dev/reference/app-manifest). It has each right that we use and no
// other.
type Manifest struct {
	Display   slack.Display         `json:"display_information"`
	Features  Features              `json:"features"`
	Functions map[string]CustomStep `json:"functions,omitempty"`
	OAuth     slack.OAuthConfig     `json:"oauth_config"`
	Settings  slack.Settings        `json:"settings"`
}

// Features are what people see of the app.
type Features struct {
	Home      AppHome                      `json:"app_home"`
	Bot       slack.BotUser                `json:"bot_user"`
	Shortcuts []slack.Shortcut             `json:"shortcuts"`
	Commands  []slack.ManifestSlashCommand `json:"slash_commands"`
	// UnfurlDomains are hosts of links that are shown by Previews.
	UnfurlDomains []string                    `json:"unfurl_domains,omitempty"`
	Previews      *slack.ManifestRichPreviews `json:"rich_previews,omitempty"`
}

// AppHome says which tabs the app has, and whether people can write in its
// messages. All is said: what Slack takes for granted differs between apps.
type AppHome struct {
	Home     bool `json:"home_tab_enabled"`
	Messages bool `json:"messages_tab_enabled"`
	ReadOnly bool `json:"messages_tab_read_only_enabled"`
}

// ManifestOptions say what a manifest is for.
type ManifestOptions struct {
	// URL is what Slack reaches us at; "" is for Socket Mode.
	URL string
	// Steps adds our steps of Workflow Builder. Slack has that in paid workspaces only,
	// and wants the app to be one that organisations may install.
	Steps bool
	// Links shows links to runs as previews, which Slack calls Work Objects; it needs URL.
	Links bool
	// Command is what people type; "" is [OwnCommand]. An app with another one has
	// another name, too.
	Command string
}

// name is what people see of the app.
func (o ManifestOptions) name() string {
	if o.Command == "" || o.Command == OwnCommand {
		return "Sym"
	}
	return "Sym-" + strings.TrimPrefix(o.Command, "/")
}

// maxAppName is Slack's limit (docs.slack.dev/reference/app-manifest).
const maxAppName = 35

// NewManifest makes the manifest of an app.
func NewManifest(o ManifestOptions) Manifest {
	m := Manifest{
		Display: slack.Display{Name: fit(o.name(), maxAppName), Description: "Ask for access or an approval, and lose it again in time"},
		Features: Features{
			Home: AppHome{Home: true, Messages: true},
			Bot:  slack.BotUser{DisplayName: o.name(), AlwaysOnline: true},
			Shortcuts: []slack.Shortcut{
				{Name: "Request access", Type: slack.GlobalShortcut, CallbackID: shortcutRequest, Description: "Ask for access or an approval"},
				{Name: "Request access about this", Type: slack.MessageShortcut, CallbackID: shortcutAbout, Description: "Ask, with a link to this message as the reason"},
			},
			Commands: []slack.ManifestSlashCommand{{
				Command: cmp.Or(o.Command, OwnCommand), Description: "Ask for access or an approval",
				UsageHint: "req [flow] | list | end [name] | show [name or id] | help",
			}},
		},
		Settings: slack.Settings{
			EventSubscriptions: &slack.EventSubscriptions{BotEvents: []string{"app_home_opened", "app_mention", "message.im"}},
			Interactivity:      &slack.Interactivity{IsEnabled: true},
		},
	}
	scopes := Scopes()
	if o.Links {
		scopes = append(scopes, LinkScopes()...)
	}
	for _, s := range scopes {
		m.OAuth.Scopes.Bot = append(m.OAuth.Scopes.Bot, s.Name)
	}
	if o.Steps {
		m.Functions = customSteps()
		m.Settings.EventSubscriptions.BotEvents = append(m.Settings.EventSubscriptions.BotEvents, "function_executed")
		m.Settings.OrgDeployEnabled, m.Settings.FunctionRuntime = true, slack.ManifestFunctionRuntimeRemote
	}
	if o.URL == "" {
		m.Settings.SocketModeEnabled = true
		return m
	}
	if at, err := url.Parse(o.URL); o.Links && err == nil {
		m.Features.UnfurlDomains = []string{at.Hostname()}
		m.Features.Previews = &slack.ManifestRichPreviews{IsActive: true, EntityTypes: []string{slack.EntityTypeItem}}
		m.Settings.EventSubscriptions.BotEvents = append(m.Settings.EventSubscriptions.BotEvents, "entity_details_requested", "link_shared")
	}
	at := strings.TrimSuffix(o.URL, "/") + "/slack/"
	m.Features.Commands[0].Url = at + "commands"
	m.Settings.EventSubscriptions.RequestUrl = at + "events"
	m.Settings.Interactivity.RequestUrl, m.Settings.Interactivity.MessageMenuOptionsUrl = at+"interactions", at+"options"
	return m
}

// The ids of the shortcuts that ask for access. The app goes by their types.
const (
	shortcutRequest = "request"
	shortcutAbout   = "about" // a message
)

// Scope is a right of the bot token, and what it is for.
type Scope struct{ Name, For string }

// Scopes are the rights that the bot token needs.
func Scopes() []Scope {
	return []Scope{
		{"commands", "/sym, and the shortcuts"},
		{"chat:write", "messages in the channels that the bot was invited to"},
		{"im:write", "messages to one person"},
		{"mpim:write", "messages to some approvers at once"},
		{"im:history", "to hear what people write to the bot itself, and nothing else"},
		{"app_mentions:read", "to hear where the bot is mentioned"},
		{"users:read", "who somebody is, and whether they are still there"},
		{"users:read.email", "who has the e-mail addresses of the configuration"},
		{"usergroups:read", "who is in the groups that may approve"},
		{"channels:read", "who is in a public channel, for handlers and local doctor"},
		{"groups:read", "the same for private ones that the bot was invited to"},
	}
}

// LinkScopes are the rights that it needs beside those to show links to runs.
func LinkScopes() []Scope {
	return []Scope{
		{"links:read", "to hear of links to requests that people post"},
		{"links:write", "to show what such a link leads to"},
	}
}
