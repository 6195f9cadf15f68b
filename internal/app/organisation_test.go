package app

import (
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/slacksim"
)

const organisationFlows = `
kind: environment
name: main
---
kind: target
name: orders-db
type: http
settings: {identifier: orders}
---
kind: strategy
name: databases
type: http
targets: [orders-db]
settings: {url: "https://target.example.com/"}
---
kind: flow
name: prod-access
environment_id: main
params:
  strategy_id: databases
  prompt_fields:
    - {name: duration, type: duration, allowed_values: [10m]}
  approval:
    approvers: ["group:platform"]
    notify: [{channel: C0ACCESSPROD}]
`

// TestOrganisation: where the app is installed for an organisation (Enterprise
// Grid), people of its workspaces ask, approve and end access, each in their own;
// what comes from elsewhere is refused.
func TestOrganisation(t *testing.T) {
	t.Parallel()
	c := contest{newProduct(t.TempDir(), ""), t}
	sim, connect := c.workspace(t, config.Slack{BotToken: "xoxb-org", SigningSecret: "signingsecret000"}, func(s *slacksim.Config) {
		s.Workspaces = []string{"Second"}
		s.People = []slacksim.Profile{
			{Name: "Alice", Email: "alice@example.com", Workspace: "Second"},
			{Name: "Bob", Email: "bob@example.com"},
			{Name: "Carol", Email: "carol@example.com", Workspace: "Second"},
		}
		s.Groups = []slacksim.Group{{Handle: "platform", Members: []string{"bob", "carol"}, Workspace: "Second"}}
		s.Channels = []slacksim.Channel{
			{Name: "access-prod", App: true, Members: []string{"bob", "carol"}},
			{Name: "general", App: true}, {Name: "general", App: true, Workspace: "Second"},
		}
	})
	for _, err := range []error{
		os.Mkdir(c.path("flows"), 0o700),
		os.WriteFile(c.path("flows/flows.yaml"), []byte(organisationFlows), 0o600),
		c.start(func(o *Options) error { connect(o); return nil }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	alice, bob := sim.As("alice"), sim.As("bob")
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := c.settle(); err != nil {
			t.Fatal(err)
		}
	}
	do("command", alice.Command("/sym req prod-access"))
	do("form", alice.Fill(map[string]string{"duration": "10 minutes", "Target": "orders-db"}))
	do("submit", alice.Submit())
	do("approve", bob.Click("", "Approve"))
	if !strings.Contains(c.target.access(), "alice") {
		t.Fatal("Alice has no access")
	}
	do("end", alice.Click("", "End now"))
	do("a while", c.at(time.Minute))
	if strings.Contains(c.target.access(), "alice") {
		t.Error("Alice has access still")
	}
	if err := c.meet(); err != nil {
		t.Fatal(err)
	}
	r := c.now(c.runs[0])
	if r.Requester.SlackTeam != "E0LOCAL" || len(r.Deciders.People) != 2 {
		t.Errorf("asked by %+v, decided by %+v", r.Requester, r.Deciders.People)
	}

	for name, from := range map[string]url.Values{
		"another organisation":               {"team_id": {"T0ALIEN"}, "enterprise_id": {"E0ALIEN"}},
		"a workspace without the app":        {"team_id": {"T0ALIEN"}},
		"nowhere":                            {},
		"a workspace, as if of none of ours": {"team_id": {"T0SECOND"}, "enterprise_id": {""}},
	} {
		form := url.Values{"command": {"/sym"}, "text": {"whoami"}, "user_id": {alice.ID()}, "channel_id": {"C0SECONDGENERAL"}}
		for key, value := range from {
			form[key] = value
		}
		answer := sim.Deliver("/slack/commands", form).Answer
		if refused := strings.Contains(answer, "another Slack workspace"); refused != !strings.HasPrefix(name, "a workspace, as") {
			t.Errorf("%s: %s", name, answer)
		}
	}
}
