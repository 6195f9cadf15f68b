package slackapp

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestManifest(t *testing.T) {
	t.Parallel()
	type manifest struct {
		Features struct {
			SlashCommands []struct{ Command, URL string } `yaml:"slash_commands"`
		}
		OAuth struct {
			Scopes struct{ Bot []string }
		} `yaml:"oauth_config"`
		Settings struct {
			Interactivity struct {
				Enabled bool   `yaml:"is_enabled"`
				URL     string `yaml:"request_url"`
				Options string `yaml:"message_menu_options_url"`
			}
			Socket bool `yaml:"socket_mode_enabled"`
		}
	}
	const api = "https://abc123.execute-api.eu-central-1.amazonaws.com"
	for _, test := range []struct{ url, commands, interactions, options string }{
		{"", "", "", ""},
		{api, api + "/slack/commands", api + "/slack/interactions", api + "/slack/options"},
		{api + "/", api + "/slack/commands", api + "/slack/interactions", api + "/slack/options"},
	} {
		var m manifest
		if err := yaml.Unmarshal([]byte(Manifest(test.url)), &m); err != nil {
			t.Fatal(err)
		}
		in := m.Settings.Interactivity
		if len(m.Features.SlashCommands) != 1 || m.Features.SlashCommands[0].Command != "/sym" || m.Features.SlashCommands[0].URL != test.commands {
			t.Errorf("%q: commands %+v", test.url, m.Features.SlashCommands)
		}
		if !in.Enabled || in.URL != test.interactions || in.Options != test.options || m.Settings.Socket != (test.url == "") {
			t.Errorf("%q: settings %+v", test.url, m.Settings)
		}
		if len(m.OAuth.Scopes.Bot) != len(scopes) {
			t.Errorf("%q: scopes %v", test.url, m.OAuth.Scopes.Bot)
		}
	}
}

// The guide shows the manifest as it is.
func TestManifest_Guide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), "```yaml\n"+Manifest("")+"```") {
		t.Errorf("docs/slack.md does not show the manifest of Socket Mode as it is:\n%s", Manifest(""))
	}
}
