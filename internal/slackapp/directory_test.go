package slackapp

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func asAny(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	return reflect.DeepEqual(a, b)
}

func newDirectory(t *testing.T) (*Directory, *fakeSlack, *time.Time) {
	now := start
	s := newFakeSlack(t)
	return &Directory{
		API: s.client(), Users: store.Users{Store: &storetest.Memory{Now: time.Now}}, Org: "sym", Team: team,
		Now: func() time.Time { return now },
	}, s, &now
}

func TestWhoPeopleAre(t *testing.T) {
	t.Parallel()
	d, s, _ := newDirectory(t)
	s.people["UGRID"] = map[string]any{"team_id": "T0OTHER", "enterprise_user": map[string]any{"teams": []string{team}}, "profile": map[string]any{}}
	s.people["USOLO"] = map[string]any{"team_id": team, "is_ultra_restricted": true, "is_restricted": true, "profile": map[string]any{}}
	s.people["USTRG"] = map[string]any{"team_id": team, "is_stranger": true, "profile": map[string]any{}}
	for id, want := range map[string]store.Role{
		alice: store.RoleMember, gus: store.RoleGuest, "USOLO": store.RoleGuest, dora: store.RoleDeactivated,
		stranga: store.RoleGuest, "USTRG": store.RoleGuest, "UBOT": store.RoleBot, "USLACKBOT": store.RoleBot, "UGRID": store.RoleMember,
	} {
		u, err := d.User(t.Context(), id)
		if err != nil || u.Role != want || u.SlackID != id || u.SlackTeam != team {
			t.Errorf("%s: %+v, %v; want %s", id, u, err, want)
		}
		if person := u.Kind == flow.KindPerson; person == (want == store.RoleBot) {
			t.Errorf("%s is a %s", id, u.Kind)
		}
	}
	b, err := d.UserByEmail(t.Context(), "BOB@example.com")
	if err != nil || b.SlackID != bob || b.Email != "bob@example.com" || b.ID != flow.UserID("sym", "bob@example.com") || b.Name != "Bob" {
		t.Errorf("%+v, %v", b, err)
	}
	c, err := d.User(t.Context(), carol)
	if err != nil || c.ID != flow.UserID("sym", "slack:"+team+"/"+carol) || c.Name != "carol" {
		t.Errorf("%+v, %v", c, err)
	}
	stored, err := d.Users.ByID(t.Context(), b.ID)
	if err != nil || stored.SlackID != bob {
		t.Errorf("remembered %+v, %v", stored, err)
	}
}

// However Slack writes somebody's e-mail address, it is the same person.
func TestEmailInAnyCase(t *testing.T) {
	t.Parallel()
	d, s, _ := newDirectory(t)
	var before store.User
	for _, email := range []string{"alice@example.com", "Alice@Example.COM"} {
		s.people[alice]["profile"] = map[string]any{"display_name": "Alice", "email": email}
		byID, err := d.User(t.Context(), alice)
		if err != nil || byID.ID != flow.UserID("sym", "alice@example.com") || byID.Email != "alice@example.com" {
			t.Errorf("%s: %+v, %v", email, byID, err)
		}
		byEmail, err := d.UserByEmail(t.Context(), "ALICE@example.com")
		if err != nil || byEmail != byID || before.ID != "" && before != byID {
			t.Errorf("%s: %+v, %v, before %+v", email, byEmail, err, before)
		}
		before = byID
	}
}

func TestLookUpsThatFail(t *testing.T) {
	t.Parallel()
	for failure, code := range map[string]flow.Code{
		"user_not_found": flow.CodeUnknownUser, "users_not_found": flow.CodeUnknownUser,
		"500": flow.CodeLookup, "429": flow.CodeLookup, "invalid_auth": flow.CodeLookup, "missing_scope": flow.CodeLookup,
	} {
		d, s, _ := newDirectory(t)
		for _, m := range []string{"users.info", "users.lookupByEmail", "usergroups.list"} {
			s.failing(m, failure)
		}
		_, byID := d.User(t.Context(), alice)
		_, byEmail := d.UserByEmail(t.Context(), "alice@example.com")
		for _, err := range []error{byID, byEmail} {
			if flow.CodeOf(err) != code {
				t.Errorf("%s: %v", failure, err)
			}
		}
		if _, err := d.Group(t.Context(), "x"); err == nil {
			t.Errorf("%s: the group was found", failure)
		}
	}
	d, s, _ := newDirectory(t)
	for _, id := range []string{"", "alice@example.com", "U1&x=1", "u0alice"} {
		if _, err := d.User(t.Context(), id); flow.CodeOf(err) != flow.CodeUnknownUser {
			t.Errorf("%q: %v", id, err)
		}
	}
	if len(s.calls) > 0 {
		t.Errorf("Slack was asked %v", s.calls)
	}
}

// Known asks Slack once in ten minutes, and never takes old news for new.
func TestKnown(t *testing.T) {
	t.Parallel()
	d, s, now := newDirectory(t)
	asked := func(want int) {
		t.Helper()
		if n := len(s.of("users.info")); n != want {
			t.Errorf("Slack was asked %d times, want %d", n, want)
		}
	}
	for range 3 {
		if u, err := d.Known(t.Context(), alice); err != nil || u.Name != "Alice" {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	asked(1)
	*now = start.Add(memory)
	s.mu.Lock()
	s.people[alice]["deleted"] = true
	s.mu.Unlock()
	if u, err := d.Known(t.Context(), alice); err != nil || u.Role != store.RoleDeactivated {
		t.Errorf("%+v, %v", u, err)
	}
	asked(2)
	*now = start.Add(3 * memory)
	s.failing("users.info", "500")
	if _, err := d.Known(t.Context(), alice); flow.CodeOf(err) != flow.CodeLookup {
		t.Errorf("old news when Slack is down: %v", err)
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	d, s, _ := newDirectory(t)
	s.groups = []map[string]any{{"id": "S1", "handle": "other"}, {"id": "S2", "handle": "Platform"}}
	for _, handle := range []string{"platform", "@platform", "S2"} {
		members, err := d.Group(t.Context(), handle)
		if err != nil || len(members) != 2 || members[0].SlackID != bob || members[1].SlackID != carol {
			t.Errorf("%s: %+v, %v", handle, members, err)
		}
	}
	if calls := s.of("usergroups.users.list"); calls[0].Args["usergroup"] != "S2" {
		t.Errorf("asked for %v", calls[0].Args)
	}
	if _, err := d.Group(t.Context(), "nope"); flow.CodeOf(err) != flow.CodeUnknownUser {
		t.Errorf("%v", err)
	}
	s.failing("users.info", "500")
	fresh, _, _ := newDirectory(t)
	fresh.API = s.client()
	if _, err := fresh.Group(t.Context(), "platform"); flow.CodeOf(err) != flow.CodeLookup {
		t.Errorf("half a group: %v", err)
	}
}

func TestWorkspace(t *testing.T) {
	t.Parallel()
	s := newFakeSlack(t)
	if got, err := Workspace(t.Context(), s.client()); got != team || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	s.failing("auth.test", "invalid_auth")
	if got, err := Workspace(t.Context(), s.client()); err == nil {
		t.Errorf("%q", got)
	}
}
