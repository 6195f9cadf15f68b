package slackapp

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// gridWorld is a world whose app is installed for an organisation with two
// workspaces.
func gridWorld(t *testing.T) *world {
	w := memoryWorld(t)
	w.slack.org = []string{team, "T0SECOND"}
	for _, id := range []string{alice, bob} {
		w.slack.people[id]["enterprise_user"] = map[string]any{"id": id, "enterprise_id": enterprise, "teams": w.slack.org}
	}
	served, err := Workspace(t.Context(), w.slack.client())
	if err != nil || served != enterprise {
		t.Fatalf("serves %q, %v", served, err)
	}
	w.app.Directory.Team = served
	return w
}

// Where the app is installed for an organisation, commands, forms, clicks and
// pickers from any of its workspaces are taken, in all shapes that Slack gives
// them; those of another organisation are not.
func TestOrganisation(t *testing.T) {
	t.Parallel()
	null := any(nil)
	for name, from := range map[string]struct {
		command url.Values
		payload map[string]any
	}{
		"A workspace":         {url.Values{"team_id": {team}, "enterprise_id": {enterprise}, "is_enterprise_install": {"true"}}, map[string]any{"team": map[string]any{"id": team, "enterprise_id": enterprise}, "enterprise": map[string]any{"id": enterprise, "name": "Org"}, "is_enterprise_install": true}},
		"Another workspace":   {url.Values{"team_id": {"T0SECOND"}, "enterprise_id": {enterprise}}, map[string]any{"team": map[string]any{"id": "T0SECOND"}, "enterprise": map[string]any{"id": enterprise}, "is_enterprise_install": "true"}},
		"By the workspace":    {url.Values{"team_id": {"T0SECOND"}, "enterprise_id": {enterprise}}, map[string]any{"team": map[string]any{"id": "T0SECOND", "enterprise_id": enterprise}}},
		"No workspace":        {url.Values{"enterprise_id": {enterprise}}, map[string]any{"team": null, "enterprise": map[string]any{"id": enterprise}}},
		"The id alone":        {url.Values{"team_id": {""}, "enterprise_id": {enterprise}}, map[string]any{"team": null, "enterprise": enterprise}},
		"No organisation":     {url.Values{"team_id": {team}, "enterprise_id": {""}}, map[string]any{"team": map[string]any{"id": team, "enterprise_id": ""}, "enterprise": null}},
		"As its workspace":    {url.Values{"team_id": {enterprise}}, map[string]any{"team": map[string]any{"id": enterprise}}},
		"Someone from abroad": {url.Values{"team_id": {team}, "enterprise_id": {enterprise}}, map[string]any{"team": null, "enterprise": map[string]any{"id": enterprise}, "user": map[string]any{"id": alice, "team_id": "T0SECOND"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := gridWorld(t)
			command := url.Values{"command": {"/sym"}, "text": {"req prod-access"}, "user_id": {alice}, "channel_id": {"C0HERE"}, "trigger_id": {"t1"}}
			for k, v := range from.command {
				command[k] = v
			}
			if got := w.ok(w.post("/slack/commands", command.Encode())); got != "" {
				t.Fatalf("the form did not open: %s", got)
			}
			view := w.opened()
			send := func(payload map[string]any, who string) string {
				payload["team"] = null
				for k, v := range from.payload {
					payload[k] = v
				}
				payload["user"].(map[string]any)["id"] = who
				return w.interact(payload)
			}
			if got := send(submission(alice, view, form()), alice); got != "" {
				t.Fatalf("the form was not taken: %s", got)
			}
			r, err := w.runs.Get(t.Context(), metadataOf(received(t, view)).Run)
			if err != nil || len(r.Signals) != 1 || r.Requester.SlackTeam != enterprise || r.Requester.SlackID != alice {
				t.Fatalf("%+v, %v", r, err)
			}
			approver := person(bob, "Bob")
			approver.SlackTeam = enterprise
			r = w.apply(r.ID, flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}},
				Deciders: flow.Deciders{People: []flow.Actor{{SlackID: bob, SlackTeam: enterprise}}, Required: 1}})
			send(w.clickOn(bob, "approve", value(r), "fine"), bob)
			if r, err = w.runs.Get(t.Context(), r.ID); err != nil || len(r.Signals) != 1 || r.Signals[0].Actor.SlackID != bob {
				t.Errorf("the approval: %+v, %v; told %v", r.Signals, err, w.slack.of("response-url"))
			}
		})
	}
}

func TestOtherOrganisations(t *testing.T) {
	t.Parallel()
	w := gridWorld(t)
	command := func(from url.Values) string {
		body := url.Values{"command": {"/sym"}, "text": {"whoami"}, "user_id": {alice}, "trigger_id": {"t1"}}
		for k, v := range from {
			body[k] = v
		}
		return w.ok(w.post("/slack/commands", body.Encode()))
	}
	if got := command(url.Values{"team_id": {"T0ALIEN"}, "enterprise_id": {"E0ALIEN"}}); !strings.Contains(got, "another Slack workspace") {
		t.Errorf("answered %s", got)
	}
	if u, err := w.app.Directory.User(t.Context(), stranga); err != nil || u.Role != store.RoleGuest {
		t.Errorf("somebody of no organisation: %+v, %v", u, err)
	}
	if u, err := w.app.Directory.User(t.Context(), alice); err != nil || u.Role != store.RoleMember {
		t.Errorf("somebody of ours: %+v, %v", u, err)
	}
}

// Of a request that names a workspace and no organisation, the workspace must be
// one that has the app. Which ones do is asked of Slack, not each time; if it
// can't be asked, the request is refused.
func TestWorkspaceWithoutOrganisation(t *testing.T) {
	t.Parallel()
	w := gridWorld(t)
	answer := func(o origin, want flow.Code) {
		t.Helper()
		if err := w.app.ours(t.Context(), o); flow.CodeOf(err) != want {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	asked := func() int { return len(w.slack.of("auth.teams.list")) }
	w.slack.failing("auth.teams.list", "internal_error")
	answer(origin{team: team}, flow.CodeLookup)
	answer(origin{team: team, enterprise: enterprise}, "") // it need not be asked
	w.slack.failing("auth.teams.list", "")
	before := asked()
	for range 3 {
		answer(origin{team: team}, "")
		answer(origin{team: "T0SECOND"}, "")
		answer(origin{installed: "T0SECOND"}, "")
		answer(origin{team: enterprise}, "")
		answer(origin{team: "T0ALIEN"}, flow.CodeForbidden)
		answer(origin{team: "T0ALIEN", installed: "T0SECOND"}, flow.CodeForbidden)
		answer(origin{}, flow.CodeForbidden)
	}
	if n := asked() - before; n != len(w.slack.org) { // a page each
		t.Errorf("asked %d times", n)
	}
	w.slack.mu.Lock()
	w.slack.org = append(w.slack.org, "T0THIRD")
	w.slack.mu.Unlock()
	answer(origin{team: "T0THIRD"}, flow.CodeForbidden) // asked a moment ago
	w.now = w.now.Add(time.Minute)
	answer(origin{team: "T0THIRD"}, "")
}

// Of a workspace of an organisation that has the app for itself, people of its
// other workspaces are taken where their form says that it is ours.
func TestSharedChannels(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	for o, want := range map[origin]bool{
		{team: team}: true, {}: true, {team: "T0OTHER"}: false, {team: "T0OTHER", enterprise: enterprise}: false,
		{team: "T0OTHER", enterprise: enterprise, installed: team}: true, {team: "T0OTHER", installed: "T0THIRD"}: false,
	} {
		if got := w.app.ours(t.Context(), o) == nil; got != want {
			t.Errorf("%+v is ours: %t", o, got)
		}
	}
}

// Each list is asked of a workspace, as tokens of organisations need.
func TestListsNameTheWorkspace(t *testing.T) {
	t.Parallel()
	w := gridWorld(t)
	d, s := w.app.Directory, w.slack
	s.groups = []map[string]any{
		{"id": "S1", "team_id": team, "handle": "platform", "users": []string{bob}},
		{"id": "S2", "team_id": "T0SECOND", "handle": "ops", "users": []string{alice}},
		{"id": "S3", "team_id": "T0SECOND", "handle": "platform", "users": []string{alice}},
	}
	for handle, want := range map[string]string{"ops": alice, "S1": bob, "S3": alice} {
		if members, err := d.Group(t.Context(), handle); err != nil || len(members) != 1 || members[0].SlackID != want {
			t.Errorf("%s: %+v, %v", handle, members, err)
		}
	}
	if _, err := d.Group(t.Context(), "platform"); flow.CodeOf(err) != flow.CodeLookupRefused || !strings.Contains(err.Error(), "S1") {
		t.Errorf("two groups of one name: %v", err)
	}
	a := Services{API: d.API, Directory: d}
	if _, err := a.Users(t.Context(), true); err != nil {
		t.Errorf("people: %v", err)
	}
	if _, err := a.ChannelMembers(t.Context(), "#ops"); err != nil {
		t.Errorf("a channel: %v", err)
	}
	for _, method := range wantsTeam {
		if len(s.of(method)) == 0 {
			t.Errorf("%s was not asked", method)
		}
	}
	s.failing("auth.teams.list", "missing_argument")
	w.now = w.now.Add(memory)
	if _, err := d.Group(t.Context(), "other"); flow.CodeOf(err) != flow.CodeLookupRefused {
		t.Errorf("no workspaces: %v", err)
	}
	one := memoryWorld(t)
	if _, err := one.app.Directory.Group(t.Context(), "x"); flow.CodeOf(err) != flow.CodeUnknownUser {
		t.Errorf("%v", err)
	}
	for _, c := range one.slack.of("usergroups.list") {
		if c.Args["team_id"] != team {
			t.Errorf("asked %v", c.Args)
		}
	}
}
