package app

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/slackapp"
)

func manifestAs(t *testing.T, args ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := manifest(args, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is printed leads Slack to where we take its requests, or to no address.
func TestManifest_Addresses(t *testing.T) {
	t.Parallel()
	const api = "https://abc123.execute-api.eu-central-1.amazonaws.com"
	for _, test := range []struct {
		args          []string
		at            string
		command, name string
	}{
		{[]string{"-socket"}, "", "/sym", "Sym"},
		{[]string{"-url", api}, api, "/sym", "Sym"},
		{[]string{"-url", api + "/"}, api, "/sym", "Sym"},
		{[]string{"-url", api, "-command", "/access"}, api, "/access", "Sym-access"},
	} {
		var m slackapp.Manifest
		if err := json.Unmarshal(manifestAs(t, append(test.args, "-json")...), &m); err != nil {
			t.Fatal(err)
		}
		address := func(path string) string {
			if test.at == "" {
				return ""
			}
			return test.at + path
		}
		in, commands := m.Settings.Interactivity, m.Features.Commands
		if len(commands) != 1 || commands[0].Command != test.command || m.Display.Name != test.name || m.Features.Bot.DisplayName != test.name || commands[0].Url != address("/slack/commands") {
			t.Errorf("%q: commands %+v", test.args, commands)
		}
		if !in.IsEnabled || in.RequestUrl != address("/slack/interactions") || in.MessageMenuOptionsUrl != address("/slack/options") {
			t.Errorf("%q: interactivity %+v", test.args, in)
		}
		if m.Settings.EventSubscriptions.RequestUrl != address("/slack/events") || m.Settings.SocketModeEnabled != (test.at == "") {
			t.Errorf("%q: settings %+v", test.args, m.Settings)
		}
		if want := (slackapp.AppHome{Home: true, Messages: true}); m.Features.Home != want {
			t.Errorf("%q: home %+v", test.args, m.Features.Home)
		}
	}
}

// YAML says the same as JSON, and what each scope is for.
func TestManifest_Text(t *testing.T) {
	t.Parallel()
	text := manifestAs(t, "-socket")
	var asYAML, asJSON any
	if err := yaml.Unmarshal(text, &asYAML); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(manifestAs(t, "-socket", "-json"), &asJSON); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(asYAML, asJSON) {
		t.Errorf("as YAML %v\nas JSON %v", asYAML, asJSON)
	}
	for _, s := range slackapp.Scopes() {
		if s.For == "" || !strings.Contains(string(text), "- "+s.Name+" # "+s.For+"\n") {
			t.Errorf("nothing says what %s is for:\n%s", s.Name, text)
		}
	}
}

// Steps of Workflow Builder come with all that Slack wants of an app that has some, and
// no other manifest has any of it.
func TestManifest_Steps(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]bool{"-socket": false, "-socket -steps": true} {
		var m slackapp.Manifest
		if err := json.Unmarshal(manifestAs(t, append(strings.Fields(args), "-json")...), &m); err != nil {
			t.Fatal(err)
		}
		has := slices.Contains(m.Settings.EventSubscriptions.BotEvents, "function_executed")
		if len(m.Functions) > 0 != want || has != want || m.Settings.OrgDeployEnabled != want || (m.Settings.FunctionRuntime == "remote") != want {
			t.Errorf("%s: %d steps, settings %+v", args, len(m.Functions), m.Settings)
		}
		for id, step := range m.Functions {
			for name, p := range step.Inputs {
				if p.Name != name || p.Title == "" || p.Type == "" {
					t.Errorf("%s has the input %s as %+v", id, name, p)
				}
			}
			if step.Outputs["status"].Type != "string" || step.Outputs["run_id"].Type != "string" {
				t.Errorf("%s ends with %v", id, step.Outputs)
			}
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
	if text := manifestAs(t, "-socket"); !strings.Contains(string(guide), "```yaml\n"+string(text)+"```") {
		t.Errorf("docs/slack.md does not show the manifest of Socket Mode as it is:\n%s", text)
	}
}
