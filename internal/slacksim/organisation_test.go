package slacksim

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"github.com/slack-go/slack"
)

func organisation(c *Config) {
	c.Workspaces = []string{"Second"}
	c.People = append(DefaultPeople(), Profile{Name: "Sue", Email: "sue@example.com", Workspace: "Second"})
	c.Groups = append(DefaultGroups(), Group{Handle: "platform", Members: []string{"sue"}, Workspace: "Second"})
	c.Channels = append(DefaultChannels(), Channel{Name: "deploys", App: true, Workspace: "Second"})
}

// Requests come from an organisation in the shapes of Slack's reference.
func TestOrganisation_Requests(t *testing.T) {
	t.Parallel()
	a := newApp(t, organisation)
	a.onCommand = func(c slack.SlashCommand) (int, string) {
		view := modal(`{"type":"input","block_id":"b","optional":true,"label":{"type":"plain_text","text":"Why"},"element":{"type":"plain_text_input","action_id":"a"}}`, "")
		want(t, a.call("views.open", `{"trigger_id":"`+c.TriggerID+`","view":`+view+`}`), "")
		return 200, ""
	}
	sue := a.sim.As("sue").In("C0SECONDDEPLOYS")
	if err := sue.Command("/sym req"); err != nil {
		t.Fatal(err)
	}
	if err := sue.Submit(); err != nil {
		t.Fatal(err)
	}
	sent := a.sim.Deliveries()
	form := bodyOf(t, sent[0])
	for name, want := range map[string]string{
		"team_id": "T0SECOND", "team_domain": "second", "enterprise_id": organisationID, "enterprise_name": organisationName, "is_enterprise_install": "true",
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s of the command is %q, want %q", name, got, want)
		}
	}
	var payload object
	if err := json.Unmarshal([]byte(bodyOf(t, sent[1]).Get("payload")), &payload); err != nil {
		t.Fatal(err)
	}
	if team, given := payload["team"]; !given || team != nil || text(payload, "enterprise", "id") != organisationID || !flag(payload, "is_enterprise_install") ||
		text(payload, "user", "team_id") != "T0SECOND" || text(payload, "view", "team_id") != "T0SECOND" || text(payload, "view", "app_installed_team_id") != organisationID {
		t.Errorf("submitted %v", payload)
	}
	suggestion := sue.payload("block_suggestion")
	if text(suggestion, "team", "id") != "T0SECOND" || text(suggestion, "team", "enterprise_id") != organisationID || text(suggestion, "user", "team_id") != organisationID {
		t.Errorf("asks for options with %v", suggestion)
	}
}

func bodyOf(t *testing.T, d Delivery) url.Values {
	t.Helper()
	form, err := url.ParseQuery(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// What lists something wants to know of which workspace, and tells of no other.
func TestOrganisation_Lists(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	a := newApp(t, organisation)
	if me, err := a.api.AuthTest(); err != nil || me.TeamID != organisationID || me.EnterpriseID != organisationID {
		t.Errorf("auth.test: %+v, %v", me, err)
	}
	teams, _, err := a.api.ListTeams(slack.ListTeamsParameters{})
	if err != nil || len(teams) != 2 || teams[1].ID != "T0SECOND" {
		t.Errorf("auth.teams.list: %+v, %v", teams, err)
	}
	for _, method := range []string{"users.list", "usergroups.list", "conversations.list", "usergroups.users.list"} {
		want(t, a.send(method, form, "usergroup=S0PLATFORM", testToken), "missing_argument")
		want(t, a.send(method, form, "usergroup=S0PLATFORM&team_id=T0ALIEN", testToken), "team_not_found")
		want(t, a.send(method, form, "usergroup=S0SECONDPLATFORM&team_id=T0SECOND", testToken), "")
	}
	want(t, a.send("usergroups.users.list", form, "usergroup=S0PLATFORM&team_id=T0SECOND", testToken), "no_such_subteam")
	want(t, a.send("chat.postMessage", form, "channel=%23deploys&text=x", testToken), "channel_not_found")
	want(t, a.send("chat.postMessage", form, "channel=C0SECONDDEPLOYS&text=x", testToken), "")
	groups, err := a.api.GetUserGroups(slack.GetUserGroupsOptionTeamID("T0SECOND"))
	if err != nil || len(groups) != 1 || groups[0].ID != "S0SECONDPLATFORM" {
		t.Errorf("groups: %+v, %v", groups, err)
	}
	sue, err := a.api.GetUserInfo("U0SUE")
	if err != nil || sue.TeamID != "T0SECOND" || sue.Enterprise.EnterpriseID != organisationID || !slices.Equal(sue.Enterprise.Teams, []string{"T0SECOND"}) {
		t.Errorf("Sue: %+v, %v", sue, err)
	}
	if m := a.sim.Messages("C0DEPLOYS"); len(m) != 0 {
		t.Errorf("the other workspace sees %+v", m)
	}
}
