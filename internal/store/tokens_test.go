package store_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// clocked are tokens of a store whose time can be moved.
func clocked() (tokens store.Tokens, m *storetest.Memory, clock *time.Time) {
	at := start
	now := func() time.Time { return at }
	m = &storetest.Memory{Now: now}
	return store.Tokens{Store: m, Org: "sym", Now: now}, m, &at
}

func TestTokens(t *testing.T) {
	t.Parallel()
	tokens, _, _ := clocked()
	value, created, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "deploy-bot", Label: "for the pipeline", Owner: "carol@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if created.Bot != "deploy-bot" || created.Label != "for the pipeline" || !created.Created.Equal(start) || !created.Expires.Equal(start.Add(time.Hour)) {
		t.Errorf("created %+v", created)
	}
	who, token, err := tokens.Check(t.Context(), value)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "token", created, token)
	wantSame(t, "bot", flow.Actor{ID: flow.UserID("sym", "deploy-bot"), Kind: flow.KindBot, Name: "deploy-bot"}, who)

	other, second, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "deploy-bot", Owner: "carol@example.com"}, time.Hour)
	if err != nil || other == value || second.ID == created.ID {
		t.Errorf("second token %s is like the first, %v", second.ID, err)
	}
	list, err := tokens.List(t.Context())
	if err != nil || len(list) != 2 {
		t.Errorf("%d tokens, %v; want 2", len(list), err)
	}
}

func TestTokens_Create_Refused(t *testing.T) {
	t.Parallel()
	tokens, _, _ := clocked()
	for _, bot := range []string{"", "alice@example.com", "slack:T0/U1", "a b", strings.Repeat("b", 76)} {
		_, _, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: bot, Owner: "carol@example.com"}, time.Hour)
		wantCode(t, err, flow.CodeInvalid)
	}
	for _, valid := range []time.Duration{0, -time.Hour} {
		_, _, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Owner: "carol@example.com"}, valid)
		wantCode(t, err, flow.CodeInvalid)
	}
}

// However a token is not valid, the answer is the same: it tells nobody
// whether a token ever was one.
func TestTokens_Check_Refused(t *testing.T) {
	t.Parallel()
	tokens, _, clock := clocked()
	expired, _, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Owner: "carol@example.com"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	revoked, token, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Owner: "carol@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Revoke(t.Context(), flow.Operator, token.ID); err != nil {
		t.Fatal(err)
	}
	*clock = start.Add(time.Minute - 1)
	if _, _, err := tokens.Check(t.Context(), expired); err != nil {
		t.Errorf("before its end: %v", err)
	}
	*clock = start.Add(time.Minute)
	_, _, want := tokens.Check(t.Context(), "symflows_UNKNOWN")
	wantCode(t, want, flow.CodeUnauthenticated)
	for name, value := range map[string]string{
		"expired": expired, "revoked": revoked, "empty": "", "its id": token.ID, "its hash": token.Hash,
		"other letters": strings.ToLower(expired), "long": strings.Repeat("x", 1<<20),
	} {
		who, found, err := tokens.Check(t.Context(), value)
		wantSame(t, name, flow.UserMessage(want), flow.UserMessage(err))
		wantCode(t, err, flow.CodeUnauthenticated)
		if who != (flow.Actor{}) || found.ID != "" {
			t.Errorf("%s: refused, and yet it gave %+v, %+v", name, who, found)
		}
	}
}

// A store may be late to find that an item is over; a token is not.
func TestTokens_Check_ExpiredButThere(t *testing.T) {
	t.Parallel()
	tokens, _, _ := clocked()
	value, token, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Owner: "carol@example.com"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	tokens.Now = func() time.Time { return token.Expires }
	_, _, err = tokens.Check(t.Context(), value)
	wantCode(t, err, flow.CodeUnauthenticated)
}

func TestTokens_Revoke(t *testing.T) {
	t.Parallel()
	tokens, _, _ := clocked()
	var values []string
	var ids []string
	for range 60 { // more than a page
		value, token, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Owner: "carol@example.com"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		values, ids = append(values, value), append(ids, token.ID)
	}
	if err := tokens.Revoke(t.Context(), flow.Operator, ids[30]); err != nil {
		t.Fatal(err)
	}
	for i, value := range values {
		if _, _, err := tokens.Check(t.Context(), value); (err == nil) == (i == 30) {
			t.Errorf("token %d: %v", i, err)
		}
	}
	list, err := tokens.List(t.Context())
	if err != nil || len(list) != len(ids) {
		t.Errorf("%d tokens are listed, %v", len(list), err)
	}
	for _, token := range list {
		if (token.Revoked != nil) != (token.ID == ids[30]) {
			t.Errorf("listed as revoked: %+v", token)
		}
	}
	for _, id := range []string{ids[30], "nonsense", ""} {
		wantCode(t, tokens.Revoke(t.Context(), flow.Operator, id), flow.CodeInvalid)
	}
}

// The value is in no item, and in nothing that describes the token.
func TestTokens_ValueIsNotStored(t *testing.T) {
	t.Parallel()
	tokens, m, _ := clocked()
	value, token, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Label: "label", Owner: "carol@example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(value, "symflows_") || len(value) < len("symflows_")+26 {
		t.Errorf("value of %d characters", len(value))
	}
	secret := strings.TrimPrefix(value, "symflows_")
	page, err := m.List(t.Context(), store.Query{By: store.ByKind, Value: "token#"})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d items, %v; want 1", len(page.Items), err)
	}
	shown, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	item := page.Items[0]
	for where, text := range map[string][]byte{"key": []byte(item.Key), "body": item.Body, "writer": []byte(item.Writer), "description": shown} {
		if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(secret))) {
			t.Errorf("the value is in the %s", where)
		}
	}
	if item.Expires.Before(token.Expires) {
		t.Errorf("the item expires at %v, the token at %v", item.Expires, token.Expires)
	}
}

func TestTokens_Faults(t *testing.T) {
	t.Parallel()
	tokens := store.Tokens{Store: broken(), Org: "sym", Now: now}
	value, _, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "bot", Owner: "carol@example.com"}, time.Hour)
	wantFault(t, err)
	if value != "" {
		t.Error("a token that was not stored was given out")
	}
	tokens.Store = unreadable{memory()}
	_, _, err = tokens.Check(t.Context(), "symflows_X")
	wantFault(t, err)
	if flow.CodeOf(err) == flow.CodeUnauthenticated {
		t.Error("not knowing was taken for knowing that it is wrong")
	}
}

// TestTokens_Owner: a new token has an owner, whom another may take the place of;
// one that was made before there were owners works without.
func TestTokens_Owner(t *testing.T) {
	t.Parallel()
	tokens, m, _ := clocked()
	for _, owner := range []string{"", "carol", "U0CAROL"} {
		_, _, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "ci", Owner: owner}, time.Hour)
		wantCode(t, err, flow.CodeInvalid)
	}
	for _, limits := range []store.Token{{Flows: []string{"a b"}}, {People: []string{"ci"}}} {
		limits.Bot, limits.Owner = "ci", "carol@example.com"
		_, _, err := tokens.Create(t.Context(), flow.Operator, limits, time.Hour)
		wantCode(t, err, flow.CodeInvalid)
	}
	value, made, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "ci", Owner: "Carol@example.com", Flows: []string{"deploy"}, People: []string{}}, time.Hour)
	if err != nil || made.Owner != "carol@example.com" {
		t.Fatalf("%+v, %v", made, err)
	}
	item, err := m.Get(t.Context(), "token#"+made.Hash)
	if err != nil {
		t.Fatal(err)
	}
	item.Body, item.Writer = []byte(`{"id":"`+made.ID+`","bot":"ci","created":"2020-01-01T00:00:00Z","expires":"2100-01-01T00:00:00Z","hash":"`+made.Hash+`"}`), "test"
	if _, err := m.Put(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	if _, old, err := tokens.Check(t.Context(), value); err != nil || old.Owner != "" || old.Flows != nil || old.People != nil {
		t.Errorf("%+v, %v", old, err)
	}
	if _, err := tokens.SetOwner(t.Context(), flow.Operator, made.ID, "Lead@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, now, err := tokens.Check(t.Context(), value); err != nil || now.Owner != "lead@example.com" {
		t.Errorf("%+v, %v", now, err)
	}
	// An owner is a person: the first who has the address, or one after them.
	users := store.Users{Store: m}
	lead := account("lead@example.com", store.RealmWorkspace, "T1", "U1")
	lead.ID = flow.UserID("sym", lead.Email)
	next := lead
	next.SlackID, next.Account.ID = "U2", "U2"
	for _, u := range []store.User{lead, next} {
		if _, err := users.Remember(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	_, err = tokens.SetOwner(t.Context(), flow.Operator, made.ID, "lead@example.com")
	wantCode(t, err, flow.CodeForbidden)
	if _, err := users.Confirm(t.Context(), store.Confirmable{Person: lead.ID}, flow.Author{}); err != nil {
		t.Fatal(err)
	}
	if now, err := tokens.SetOwner(t.Context(), flow.Operator, made.ID, "lead@example.com"); err != nil || now.Succession != 1 {
		t.Errorf("%+v, %v", now, err)
	}
	_, err = tokens.SetOwner(t.Context(), flow.Operator, made.ID, "lead")
	wantCode(t, err, flow.CodeInvalid)
	_, err = tokens.SetOwner(t.Context(), flow.Operator, "nonsense", "lead@example.com")
	wantCode(t, err, flow.CodeInvalid)
}
