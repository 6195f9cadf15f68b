package slackapp

import (
	"encoding/json"
	"fmt"
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
		"500": flow.CodeLookup, "429": flow.CodeLookup, "invalid_auth": flow.CodeLookup, "account_inactive": flow.CodeLookup, "brand_new_error": flow.CodeLookup,
		"missing_scope": flow.CodeLookupRefused, "missing_argument": flow.CodeLookupRefused, "no_permission": flow.CodeLookupRefused,
		"not_allowed_token_type": flow.CodeLookupRefused, "team_access_not_granted": flow.CodeLookupRefused,
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
		if _, err := d.Group(t.Context(), "x"); flow.CodeOf(err) != code {
			t.Errorf("%s: the group: %v", failure, err)
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

// KnownByEmail asks Slack once in ten minutes, and again about who left or was known in
// another workspace.
func TestKnownByEmail(t *testing.T) {
	t.Parallel()
	d, s, now := newDirectory(t)
	look := func(want int) {
		t.Helper()
		if u, err := d.KnownByEmail(t.Context(), "Bob@example.com"); err != nil || u.SlackID != bob {
			t.Fatalf("%+v, %v", u, err)
		}
		if n := len(s.of("users.lookupByEmail")); n != want {
			t.Errorf("Slack was asked %d times, want %d", n, want)
		}
	}
	look(1)
	look(1)
	*now = now.Add(memory)
	look(2)
	s.people[bob]["deleted"] = true
	if u, err := d.User(t.Context(), bob); err != nil || u.Role != store.RoleDeactivated {
		t.Fatalf("%+v, %v", u, err)
	}
	look(3)
	d.Team = "T0OTHER"
	look(4)
	s.failing("users.lookupByEmail", "500")
	if _, err := d.KnownByEmail(t.Context(), "alice@example.com"); flow.CodeOf(err) != flow.CodeLookup {
		t.Errorf("of somebody never seen: %v", err)
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
}

// The ids of a group's members are enough to say who may decide: however large
// it is, and whatever Slack answers to the question who they are.
func TestLargeGroup(t *testing.T) {
	t.Parallel()
	const size = 300
	var ids []string
	for i := range size {
		ids = append(ids, fmt.Sprintf("U0MEMBER%03d", i))
	}
	large := func(failure string) (*Directory, *fakeSlack) {
		d, s, _ := newDirectory(t)
		for _, id := range ids {
			s.people[id] = map[string]any{"team_id": team, "profile": map[string]any{"display_name": "Name of " + id}}
		}
		s.people[ids[1]]["deleted"] = true
		s.groups = []map[string]any{{"id": "S1", "handle": "everybody", "users": ids}}
		s.failing("users.info", failure)
		return d, s
	}
	d, s := large("")
	members, err := d.Group(t.Context(), "everybody")
	if err != nil || len(members) != size || members[0].Name != "Name of "+ids[0] || members[1].Role != store.RoleDeactivated {
		t.Fatalf("%d members, %v", len(members), err)
	}
	last := members[size-1]
	if last.SlackID != ids[size-1] || last.SlackTeam != team || last.Role != store.RoleMember || last.Name != "" {
		t.Errorf("the last one: %+v", last)
	}
	if n := len(s.calls); n != lookedUp+2 {
		t.Errorf("%d calls", n)
	}
	if _, err := d.Group(t.Context(), "everybody"); err != nil {
		t.Error(err)
	}
	if n := len(s.calls); n != lookedUp+3 { // who is in it: all else is known
		t.Errorf("%d calls for the second request", n)
	}
	if all, err := d.Everybody(t.Context(), "everybody"); err != nil || len(all) != size || all[size-1].Name == "" {
		t.Errorf("%d people, %v", len(all), err)
	}
	for _, failure := range []string{"429", "500", "missing_scope"} {
		d, s := large(failure)
		if members, err := d.Group(t.Context(), "everybody"); err != nil || len(members) != size {
			t.Errorf("%s: %d members, %v", failure, len(members), err)
		}
		if n := len(s.of("users.info")); n != 1 {
			t.Errorf("%s: Slack was asked %d times after it said no", failure, n)
		}
	}
}

// A handle that another group took over leads to that one.
func TestGroupIsRenamed(t *testing.T) {
	t.Parallel()
	d, s, now := newDirectory(t)
	s.groups = []map[string]any{{"id": "S1", "handle": "platform", "users": []string{alice}}}
	who := func() string {
		t.Helper()
		members, err := d.Group(t.Context(), "platform")
		if err != nil || len(members) != 1 {
			t.Fatalf("%v, %v", members, err)
		}
		return members[0].SlackID
	}
	if got := who(); got != alice {
		t.Errorf("at first %s", got)
	}
	s.mu.Lock()
	s.groups = []map[string]any{{"id": "S2", "handle": "platform", "users": []string{bob}}}
	s.mu.Unlock()
	*now = start.Add(memory)
	if got := who(); got != bob {
		t.Errorf("then %s", got)
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

// TestAddressOfAnotherAccount: an account that got somebody's address is not
// taken for them, however Slack is asked about it, until it is confirmed; and the
// same account in other words is no other account.
func TestAddressOfAnotherAccount(t *testing.T) {
	t.Parallel()
	d, s, now := newDirectory(t)
	const email, next = "bob@example.com", "U0NEXT"
	profile := map[string]any{"display_name": "Bob", "email": email}
	look := func(id string, theirs bool) {
		t.Helper()
		*now = now.Add(time.Hour)
		for name, ask := range map[string]func() (store.User, error){
			"User":  func() (store.User, error) { return d.User(t.Context(), id) },
			"Known": func() (store.User, error) { return d.Known(t.Context(), id) },
		} {
			if u, err := ask(); err != nil || u.Unconfirmed == theirs || u.ID != flow.UserID("sym", email) {
				t.Errorf("%s of %s: %+v, %v", name, id, u, err)
			}
		}
	}
	look(bob, true)
	s.people[bob]["enterprise_user"] = map[string]any{"id": bob, "enterprise_id": enterprise, "teams": []string{team}}
	look(bob, true)
	s.people["USTRG"] = map[string]any{"team_id": "T0THEIRS", "is_stranger": true, "profile": profile}
	look("USTRG", false)
	if waiting, err := d.Users.Claims(t.Context()); err != nil || len(waiting) != 0 {
		t.Errorf("a stranger claims a member's address: %+v, %v", waiting, err)
	}
	s.people[bob]["deleted"] = true
	s.people[next] = map[string]any{"team_id": team, "profile": profile, "enterprise_user": map[string]any{"id": next, "enterprise_id": enterprise, "teams": []string{team}}}
	look(next, false)
	look(bob, true) // who may do nothing
	if _, err := d.Users.Confirm(t.Context(), store.Confirmable{Person: flow.UserID("sym", email)}, flow.Author{By: flow.Principal{Name: "operator"}}); err != nil {
		t.Fatal(err)
	}
	if u, err := d.Known(t.Context(), next); err != nil || u.Unconfirmed { // at once
		t.Errorf("%+v, %v", u, err)
	}
	look(next, true)
	look(bob, false)
}
