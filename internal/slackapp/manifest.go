package slackapp

import "strings"

// Manifest is what a Slack app is made from (docs.slack.dev/reference/app-manifest):
// it has each right that we use and no other. With the URL that Slack reaches us
// at it is for HTTP, without one for Socket Mode.
func Manifest(url string) string {
	url = strings.TrimSuffix(url, "/")
	command, interactivity, events := "", "  socket_mode_enabled: true\n", ""
	if url != "" {
		events = "    request_url: " + url + "/slack/events\n"
		command = "      url: " + url + "/slack/commands\n"
		interactivity = "    request_url: " + url + "/slack/interactions\n    message_menu_options_url: " + url + "/slack/options\n"
	}
	return `display_information:
  name: Sym
features:
  bot_user: {display_name: Sym, always_online: true}
  app_home: {home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: false}
  shortcuts:
    - {name: Request access, type: global, callback_id: request, description: Ask for access or an approval}
  slash_commands:
    - command: /sym
      description: Ask for access or an approval
      usage_hint: "req [flow] | list | end [name] | show [name or id] | help"
` + command + `oauth_config:
  scopes:
    bot: [` + strings.Join(scopes, ", ") + `]
settings:
  event_subscriptions:
` + events + `    bot_events: [app_home_opened]
  interactivity:
    is_enabled: true
` + interactivity
}

// scopes are the rights of the bot token.
var scopes = []string{
	"commands",
	"chat:write", "im:write", "mpim:write", // messages, to one person and to some
	"users:read", `"users:read.email"`, "usergroups:read", // who is who
	"channels:read", "groups:read", // who is in a channel, for handlers that ask
}
