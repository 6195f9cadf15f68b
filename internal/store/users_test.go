package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	users := store.Users{Store: memory()}
	u := store.User{
		Actor: alice(), Role: store.RoleMember, SeenAt: start,
		Account: store.Account{Realm: store.RealmWorkspace, Space: "T1", ID: "UALICE"},
	}
	_, err := users.ByID(t.Context(), u.ID)
	wantCode(t, err, flow.CodeUnknownUser)
	_, err = users.BySlack(t.Context(), "T1", "UALICE")
	wantCode(t, err, flow.CodeUnknownUser)

	known := func(want store.User) {
		t.Helper()
		if _, err := users.Remember(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		byID, err := users.ByID(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		bySlack, err := users.BySlack(t.Context(), "T1", "UALICE")
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, "by id", want, byID)
		wantSame(t, "by Slack id", want, bySlack)
	}
	known(u)
	u.Role, u.SeenAt = store.RoleDeactivated, start.Add(time.Hour)
	known(u)
	// An answer of the directory that was long on its way changes nothing.
	newest := u
	u.Role, u.SeenAt = store.RoleMember, start.Add(time.Minute)
	known(newest)

	_, err = users.BySlack(t.Context(), "T2", "UALICE")
	wantCode(t, err, flow.CodeUnknownUser)
}

func TestUsers_WithoutSlack(t *testing.T) {
	t.Parallel()
	users := store.Users{Store: memory()}
	bot := store.User{Actor: flow.Actor{ID: flow.UserID("sym", "bot"), Kind: flow.KindBot, Name: "bot"}, Role: store.RoleBot, SeenAt: start}
	if _, err := users.Remember(t.Context(), bot); err != nil {
		t.Fatal(err)
	}
	if got, err := users.ByID(t.Context(), bot.ID); err != nil || got != bot {
		t.Errorf("by id: %+v, %v", got, err)
	}
	_, err := users.BySlack(t.Context(), "", "")
	wantCode(t, err, flow.CodeUnknownUser)
}

func TestUsers_Identity(t *testing.T) {
	t.Parallel()
	users := store.Users{Store: memory()}
	id := alice().ID
	want := func(service, external, want string) {
		t.Helper()
		if got, err := users.Identity(t.Context(), alice(), service, external); err != nil || got != want {
			t.Errorf("identity at %s %s: %q, %v; want %q", service, external, got, err, want)
		}
	}
	set := func(service, external, userID string) {
		t.Helper()
		if err := users.SetIdentity(t.Context(), alice(), store.SavedIdentity{Identity: store.Identity{Service: service, ExternalID: external, UserID: userID}}); err != nil {
			t.Fatal(err)
		}
	}
	want("okta", "a", "")
	set("okta", "a", "1")
	_, err := users.ByID(t.Context(), id) // we know an identity of theirs, but never saw them
	wantCode(t, err, flow.CodeUnknownUser)

	set("okta", "b", "2")
	set("aws_sso", "a", "3")
	set("okta", "a", "4")
	if _, err := users.Remember(t.Context(), store.User{Actor: alice(), SeenAt: start}); err != nil {
		t.Fatal(err)
	}
	want("okta", "a", "4")
	want("okta", "b", "2")
	want("aws_sso", "a", "3")
	want("aws_sso", "b", "")

	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() { set("okta", fmt.Sprint(n), fmt.Sprint("u", n)) })
	}
	all.Wait()
	for n := range 20 {
		want("okta", fmt.Sprint(n), fmt.Sprint("u", n))
	}
}

// People are found by what a service knows them by, on every page of the list.
func TestUsers_ByIdentities(t *testing.T) {
	t.Parallel()
	users := store.Users{Store: memory()}
	for n := range 250 {
		email := fmt.Sprintf("user%d@example.com", n)
		who := flow.Actor{ID: flow.UserID("acme", email), Kind: flow.KindPerson, Email: email}
		if _, err := users.Remember(t.Context(), store.User{Actor: who, Role: store.RoleMember}); err != nil {
			t.Fatal(err)
		}
		for _, service := range []string{"github", "okta"} {
			if err := users.SetIdentity(t.Context(), who, store.SavedIdentity{Identity: store.Identity{Service: service, ExternalID: "acme", UserID: fmt.Sprint(service, n)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		service, externalID string
		ids                 []string
		want                int
	}{
		{"github", "acme", []string{"github3", "github249", "github250", "okta4"}, 2},
		{"github", "other", []string{"github3"}, 0},
		{"okta", "acme", []string{"github3"}, 0},
		{"okta", "acme", nil, 0},
	} {
		found, err := users.ByIdentities(t.Context(), test.service, test.externalID, test.ids)
		if err != nil || len(found) != test.want {
			t.Errorf("%+v: %v, %v", test, found, err)
		}
	}
}

func TestUsers_Faults(t *testing.T) {
	t.Parallel()
	u := store.User{Actor: alice()}
	users := store.Users{Store: broken()}
	_, err := users.Remember(t.Context(), u)
	wantFault(t, err)
	wantFault(t, users.SetIdentity(t.Context(), u.Actor, store.SavedIdentity{}))
	users.Store = unreadable{memory()}
	_, err = users.BySlack(t.Context(), "T1", "UALICE")
	wantFault(t, err)
	_, err = users.Identity(t.Context(), u.Actor, "okta", "a")
	wantFault(t, err)
}

// TestUsers_Found: whom a directory gave is remembered for a day, beside what
// people said, which goes before it, and is nobody's once the address has passed to
// another.
func TestUsers_Found(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	users := store.Users{Store: memory(), Keeper: true}
	who := alice()
	if _, err := users.Remember(ctx, store.User{Actor: who, SeenAt: start}); err != nil {
		t.Fatal(err)
	}
	found := func(strategy, id string, at time.Time) store.FoundIdentity {
		return store.FoundIdentity{Identity: store.Identity{Service: "aws_sso", ExternalID: "i-1", UserID: id}, Strategy: strategy, At: at}
	}
	shown := func(strategy string, after time.Duration) string {
		t.Helper()
		id, err := users.IdentityShown(ctx, who, "aws_sso", "i-1", strategy, start.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	for _, f := range []store.FoundIdentity{found("prod", "u-0", start), found("prod", "u-1", start), found("dev", "u-2", start.Add(time.Hour))} {
		if err := users.SetFound(ctx, who, f); err != nil {
			t.Fatal(err)
		}
	}
	want("found", shown("prod", 0), "u-1")
	want("by another strategy", shown("dev", 0), "u-2")
	want("after a day", shown("prod", store.FoundFor), "")
	if all, err := users.Found(ctx, who, start.Add(store.FoundFor)); err != nil || len(all) != 1 || all[0].Strategy != "dev" {
		t.Errorf("of the last day: %+v, %v", all, err)
	}
	if id, err := users.Identity(ctx, who, "aws_sso", "i-1"); err != nil || id != "" {
		t.Errorf("it is taken for stored: %q, %v", id, err)
	}
	if _, known, err := users.Known(ctx, who); err != nil || len(known) > 0 {
		t.Errorf("handlers are told: %+v, %v", known, err)
	}
	if people, err := users.ByIdentities(ctx, "aws_sso", "i-1", []string{"u-1"}); err != nil || len(people) > 0 {
		t.Errorf("it is a way to find people: %+v, %v", people, err)
	}
	saved := store.SavedIdentity{Identity: store.Identity{Service: "aws_sso", ExternalID: "i-1", UserID: "u-9"}, Author: flow.Author{By: flow.Principal{Name: "operator"}, At: start}}
	if err := users.SetIdentity(ctx, who, saved); err != nil {
		t.Fatal(err)
	}
	want("beside a stored one", shown("prod", 0), "u-9")
	if err := users.DeleteIdentity(ctx, flow.Author{}, who, "aws_sso", "i-1"); err != nil {
		t.Fatal(err)
	}
	want("after that was deleted", shown("prod", 0), "u-1")
	if err := users.SetFound(ctx, who, found("prod", "", start)); err != nil {
		t.Fatal(err)
	}
	want("when the directory has nobody any more", shown("prod", 0), "")
	want("by the other strategy still", shown("dev", 0), "u-2")

	next := who
	next.SlackID = "U0NEXT"
	if _, err := users.Remember(ctx, store.User{Actor: next, SeenAt: start.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if err := users.SetFound(ctx, next, found("prod", "u-3", start)); flow.CodeOf(err) != flow.CodeForbidden {
		t.Errorf("found for somebody who is not confirmed: %v", err)
	}
	if _, err := users.Confirm(ctx, store.Confirmable{Person: who.ID}, flow.Author{By: flow.Principal{Name: "operator"}}); err != nil {
		t.Fatal(err)
	}
	who = next
	want("for whoever has the address now", shown("dev", 0), "")
}
