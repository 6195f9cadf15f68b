package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// accounts are people as a directory describes them.
type accounts struct {
	*testing.T
	store *storetest.Memory
	users store.Users
	at    time.Time
}

func newAccounts(t *testing.T) *accounts {
	a := &accounts{T: t, at: start}
	a.store = &storetest.Memory{Now: func() time.Time { return a.at }}
	a.users = store.Users{Store: a.store, Keeper: true}
	return a
}

// account is one behind an address.
func account(email string, realm store.Realm, space, id string) store.User {
	return store.User{
		Actor: flow.Actor{ID: flow.UserID("acme", email), Kind: flow.KindPerson, Email: email, Name: id, SlackID: id, SlackTeam: "T1"},
		Role:  store.RoleMember, Account: store.Account{Realm: realm, Space: space, ID: id},
	}
}

// sees has the directory describe an account, and tells whether it is the one
// that the address belongs to.
func (a *accounts) sees(u store.User, theirs bool) store.User {
	a.Helper()
	a.at = a.at.Add(time.Minute)
	u.SeenAt = a.at
	got, err := a.users.Remember(a.Context(), u)
	if err != nil {
		a.Fatal(err)
	}
	if got.Unconfirmed == theirs {
		a.Errorf("%s: unconfirmed is %v", u.Account, got.Unconfirmed)
	}
	cached, err := a.users.BySlack(a.Context(), u.SlackTeam, u.SlackID)
	if err != nil || cached.Unconfirmed != got.Unconfirmed {
		a.Errorf("%s is remembered as %+v, %v", u.Account, cached, err)
	}
	return got
}

func (a *accounts) save(u store.User, userID string) error {
	return a.users.SetIdentity(a.Context(), u.Actor, store.SavedIdentity{Identity: store.Identity{Service: "okta", ExternalID: "acme", UserID: userID}, Author: flow.Author{By: flow.Principal{Name: "an administrator"}}})
}

func (a *accounts) identity(u store.User, want string) {
	a.Helper()
	if got, err := a.users.Identity(a.Context(), u.Actor, "okta", "acme"); err != nil || got != want {
		a.Errorf("%s is %q at Okta, %v; want %q", u.Account, got, err, want)
	}
}

func (a *accounts) former(u store.User, want bool) {
	a.Helper()
	if got, err := a.users.Former(a.Context(), u.Actor); err != nil || got != want {
		a.Errorf("%s is a former account: %v, %v", u.Account, got, err)
	}
}

// told gives the texts of the notices.
func (a *accounts) told() (texts []string) {
	a.Helper()
	page, err := a.store.List(a.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice), Limit: 200})
	if err != nil {
		a.Fatal(err)
	}
	for _, item := range page.Items {
		var n store.Notice
		if err := json.Unmarshal(item.Body, &n); err != nil {
			a.Fatal(err)
		}
		texts = append(texts, n.Text)
	}
	return texts
}

// TestUsers_AddressPasses: an address that passed to another account takes
// nothing with it until that account is confirmed, and no identity then.
func TestUsers_AddressPasses(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	const email = "alice@example.com"
	alice, next := account(email, store.RealmWorkspace, "T1", "U1"), account(email, store.RealmWorkspace, "T1", "U2")
	a.sees(alice, true)
	a.sees(alice, true)
	if err := a.save(alice, "00u1"); err != nil {
		t.Fatal(err)
	}
	a.identity(alice, "00u1")
	if len(a.told()) != 0 {
		t.Errorf("told of nothing: %q", a.told())
	}

	alice.Role = store.RoleDeactivated
	a.sees(alice, true)
	next = a.sees(next, false)
	a.sees(next, false)
	a.identity(next, "")
	a.identity(alice, "")
	a.former(alice, true)
	a.former(next, false)
	if err := a.save(next, "00u2"); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("an identity was saved for who is not confirmed: %v", err)
	}
	if u, err := a.users.ByID(t.Context(), next.ID); err != nil || u.SlackID != "U1" {
		t.Errorf("our id leads to %+v, %v", u, err)
	}
	if found, err := a.users.ByIdentities(t.Context(), "okta", "acme", []string{"00u1"}); err != nil || len(found) != 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	if told := a.told(); len(told) != 1 || !strings.Contains(told[0], email) || !strings.Contains(told[0], "U2 in T1") || !strings.Contains(told[0], "user confirm "+email) {
		t.Errorf("told %q", told)
	}

	a.at = a.at.Add(24 * time.Hour)
	for range 2 {
		a.sees(next, false)
	}
	if told := a.told(); len(told) != 2 {
		t.Errorf("told on two days: %q", told)
	}

	waiting, err := a.users.Claims(t.Context())
	if err != nil || len(waiting) != 1 || waiting[0].Account != next.Account || waiting[0].Former != alice.Account {
		t.Errorf("%+v, %v", waiting, err)
	}
	for range 2 {
		done, err := a.users.Confirm(t.Context(), store.Confirmable{Person: next.ID}, flow.Author{By: flow.Principal{Name: "me"}, At: a.at})
		if err == nil && len(done) == 1 {
			continue
		}
		if flow.CodeOf(err) != flow.CodeInvalid {
			t.Errorf("%+v, %v", done, err)
		}
	}
	next = a.sees(next, true)
	a.identity(next, "")
	a.former(alice, true)
	a.former(next, false)
	if err := a.save(next, "00u2"); err != nil {
		t.Fatal(err)
	}
	a.identity(next, "00u2")
	a.identity(alice, "") // of a run that they began
	// The former account is looked at again. It claims nothing unless it is active.
	a.sees(alice, false)
	if waiting, err := a.users.Claims(t.Context()); err != nil || len(waiting) != 0 {
		t.Errorf("who left claims the address: %+v, %v", waiting, err)
	}
	alice.Role = store.RoleMember
	a.sees(alice, false)
	a.sees(next, true) // which has the address after all
	if waiting, err := a.users.Claims(t.Context()); err != nil || len(waiting) != 0 {
		t.Errorf("%+v, %v", waiting, err)
	}
}

// TestUsers_SameAccount: what is no other account is not taken for one.
func TestUsers_SameAccount(t *testing.T) {
	t.Parallel()
	const email = "alice@example.com"
	member := func(space, id string) store.User { return account(email, store.RealmWorkspace, space, id) }
	elsewhere := account(email, store.RealmElsewhere, "T9", "U9")
	for name, test := range map[string]struct {
		first, then store.User
		theirs      bool
		told        int
	}{
		"JoinsAnOrganisation":   {member("T1", "U1"), member("E1", "U1"), true, 0},
		"LeavesTheOrganisation": {member("E1", "U1"), member("T1", "U1"), true, 0},
		"OtherOrganisation":     {member("E1", "U1"), member("E2", "U1"), false, 1},
		"Simulation":            {account(email, store.RealmSimulation, "T0", "UALICE"), member("T1", "U1"), true, 0},
		"Elsewhere":             {member("T1", "U1"), elsewhere, false, 0},
		"ElsewhereFirst":        {elsewhere, member("T1", "U1"), true, 0},
		"TwoElsewhere":          {elsewhere, account(email, store.RealmElsewhere, "T8", "U8"), false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccounts(t)
			a.sees(test.first, true)
			a.sees(test.then, test.theirs)
			a.sees(test.then, test.theirs)
			if told := a.told(); len(told) != test.told {
				t.Errorf("told %q", told)
			}
		})
	}
}

// TestUsers_Remembered: what an earlier release remembered counts: its accounts,
// and its identities, which are moved to items of their own when they are read.
func TestUsers_Remembered(t *testing.T) {
	t.Parallel()
	const email = "alice@example.com"
	old := func(t *testing.T) *accounts {
		a := newAccounts(t)
		body := fmt.Sprintf(`{"id":%q,"kind":"normal","email":%q,"slack_id":"U1","slack_team":"T1","role":"member","seen_at":"2026-01-01T00:00:00Z",
			"identities":[{"service":"okta","external_id":"acme","user_id":"00u1"}]}`, flow.UserID("acme", email), email)
		if _, err := a.store.Put(t.Context(), store.Item{Key: store.KindUser.Key(flow.UserID("acme", email)), Writer: "w", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		return a
	}
	alice, next := account(email, store.RealmWorkspace, "E1", "U1"), account(email, store.RealmWorkspace, "E1", "U2")
	key := store.KindIdentity.Key(alice.ID)
	t.Run("Moved", func(t *testing.T) {
		t.Parallel()
		a := old(t)
		reader := a.users
		reader.Keeper = false
		if got, err := reader.Identity(t.Context(), alice.Actor, "okta", "acme"); got != "00u1" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := a.store.Get(t.Context(), key); err == nil {
			t.Error("it was moved by who may not write it")
		}
		a.identity(alice, "00u1")
		if _, err := a.store.Get(t.Context(), key); err != nil {
			t.Errorf("not moved: %v", err)
		}
		// From now on, nothing that is kept with the person counts.
		item, err := a.store.Get(t.Context(), store.KindUser.Key(alice.ID))
		if err != nil {
			t.Fatal(err)
		}
		item.Body, item.Writer = []byte(strings.ReplaceAll(string(item.Body), "00u1", "attacker")), "another"
		if _, err := a.store.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
		a.identity(alice, "00u1")
	})
	t.Run("Found", func(t *testing.T) {
		t.Parallel()
		a := old(t)
		if found, err := a.users.ByIdentities(t.Context(), "okta", "acme", []string{"00u1"}); err != nil || len(found) != 1 {
			t.Errorf("%+v, %v", found, err)
		}
	})
	t.Run("AnotherAccount", func(t *testing.T) {
		t.Parallel()
		a := old(t)
		next = a.sees(next, false)
		a.identity(next, "")
		if _, err := a.users.Confirm(t.Context(), store.Confirmable{Person: next.ID}, flow.Author{}); err != nil {
			t.Fatal(err)
		}
		a.identity(next, "")
	})
}

// TestUsers_MovedWorkspace: many accounts that changed at once are a workspace
// that moved. That is told, and confirmed once, for those too who turn up later.
func TestUsers_MovedWorkspace(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	const people = 15
	at := func(n int, space, prefix string) store.User {
		u := account(fmt.Sprintf("user%d@example.com", n), store.RealmWorkspace, space, fmt.Sprint(prefix, n))
		u.SlackTeam = space
		return u
	}
	for n := range people {
		u := a.sees(at(n, "T1", "U"), true)
		if err := a.save(u, fmt.Sprint("00u", n)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range people - 1 { // and the last comes later
		for range 2 {
			a.sees(at(n, "T2", "W"), false)
		}
	}
	told := a.told()
	many := 0
	for _, text := range told {
		if strings.Contains(text, "user confirm -all") {
			many++
		}
	}
	if len(told) != 11 || many != 1 {
		t.Errorf("told %d times, %d of them of many: %q", len(told), many, told)
	}
	late := at(0, "T2", "W")
	done, err := a.users.Confirm(t.Context(), store.Confirmable{All: true}, flow.Author{By: flow.Principal{Name: "me"}, At: a.at})
	if err != nil || len(done) != people-1 {
		t.Fatalf("confirmed %d, %v", len(done), err)
	}
	for n := range people {
		u := a.sees(at(n, "T2", "W"), true)
		a.identity(u, fmt.Sprint("00u", n))
	}
	a.sees(at(0, "T2", "X"), false) // another account in the new workspace
	a.sees(late, true)

	// What was claimed while all were confirmed is settled when it is seen next.
	b := newAccounts(t)
	first, next := at(1, "T1", "U"), at(1, "T2", "W")
	b.sees(first, true)
	if err := b.save(first, "00u1"); err != nil {
		t.Fatal(err)
	}
	b.sees(next, false)
	item, err := a.store.Get(t.Context(), store.KindMoved.Key(""))
	if err != nil {
		t.Fatal(err)
	}
	had, err := b.store.Get(t.Context(), item.Key)
	if err != nil {
		t.Fatal(err)
	}
	item.Rev, item.Writer = had.Rev, "the move"
	if _, err := b.store.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	b.identity(b.sees(next, true), "00u1")
}

// TestUsers_DeleteIdentity: what was deleted is gone, and what is not there is
// told.
func TestUsers_DeleteIdentity(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	alice := a.sees(account("alice@example.com", store.RealmWorkspace, "T1", "U1"), true)
	if err := a.save(alice, "00u1"); err != nil {
		t.Fatal(err)
	}
	if err := a.users.DeleteIdentity(t.Context(), flow.Author{}, alice.Actor, "okta", "other"); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("got %v", err)
	}
	if err := a.users.DeleteIdentity(t.Context(), flow.Author{}, alice.Actor, "okta", "acme"); err != nil {
		t.Fatal(err)
	}
	a.identity(alice, "")
	if saved, err := a.users.Saved(t.Context(), alice.Actor); err != nil || len(saved) != 0 {
		t.Errorf("%+v, %v", saved, err)
	}
}
