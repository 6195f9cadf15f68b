package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// dump gives all items, but those that say what is erased and under which pseudonym.
func dump(t *testing.T, s store.Store) (all []store.Item) {
	t.Helper()
	for _, k := range store.Kinds() {
		value := string(k)
		if k.Single() || k == store.KindErasure || !store.ListedByKind(value) {
			continue
		}
		for q := (store.Query{By: store.ByKind, Value: value, Limit: 200}); ; {
			page, err := s.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page.Items...)
			if q.Cursor = page.Cursor; q.Cursor == "" {
				break
			}
		}
	}
	return all
}

// erased is a store with closed runs of Alice's and others', and what follows from them.
type erased struct {
	*testing.T
	memory *storetest.Memory
	all    store.Erasures
	alice  flow.Actor
	bob    flow.Actor
}

func newErased(t *testing.T) *erased {
	now := func() time.Time { return start }
	e := &erased{T: t, memory: &storetest.Memory{Now: now}}
	e.all = store.Erasures{Store: e.memory, Org: "acme", Now: now}
	person := func(email, name, id string) flow.Actor {
		return flow.Actor{ID: flow.UserID("acme", email), Kind: flow.KindPerson, Email: email, Name: name, SlackID: id, SlackTeam: "T1"}
	}
	e.alice, e.bob = person("alice@example.com", "Alice Liddell", "U0ALICE"), person("bob@example.com", "Bob", "U0BOB")
	users := store.Users{Store: e.memory, Keeper: true}
	for _, who := range []flow.Actor{e.alice, e.bob} {
		if _, err := users.Remember(t.Context(), store.User{Actor: who, Role: store.RoleMember, Account: store.Account{Realm: store.RealmWorkspace, Space: "T1", ID: who.SlackID}, SeenAt: start}); err != nil {
			t.Fatal(err)
		}
	}
	if err := users.SetIdentity(t.Context(), e.alice, store.SavedIdentity{Identity: store.Identity{Service: "okta", ExternalID: "acme", UserID: "aliddell-7"}}); err != nil {
		t.Fatal(err)
	}
	return e
}

// run stores a run, and what it is listed under.
func (e *erased) run(n int, requester, approver flow.Actor, status flow.Status, edit func(*flow.Run)) flow.Run {
	e.Helper()
	id := fmt.Sprintf("%08x-0000-4000-8000-%08x0000", n, n)
	r := flow.Run{
		ID: id, Org: "acme", Flow: "f", FlowTitle: "F", Created: start, Status: status, Requester: requester,
		Fields:   map[string]any{"reason": "ask Alice@Example.com or <@U0ALICE>, not malice@example.com nor alice@example.com.au; Alice Liddell knows", "n": 12345678901234567},
		Deciders: flow.Deciders{People: []flow.Actor{e.alice, e.bob}, Required: 1}, Target: &flow.Target{Name: "orders-db"},
		Form:   flow.Form{Fields: []flow.FormField{{Name: "who", Labels: map[string]string{"U0ALICE": "Alice"}}}},
		Events: []flow.Event{{ID: flow.EventID(id, 1), Name: flow.EventRequest, Actor: requester, At: start, State: flow.StateCompleted, Rev: 1}, {ID: flow.EventID(id, 2), Name: flow.EventApprove, Actor: approver, At: start, State: flow.StateCompleted, Rev: 1, Fields: map[string]any{flow.KeyTargetIdentity: "aliddell-7"}}},
	}
	if edit != nil {
		edit(&r)
	}
	r, err := store.Runs{Store: e.memory}.Put(e.Context(), r)
	if err == nil {
		err = store.Lists{Store: e.memory, Now: e.all.Now}.Follow(e.Context(), r, r.TargetID(), []string{approver.ID})
	}
	if err != nil {
		e.Fatal(err)
	}
	return r
}

// fill stores a run of each kind that is closed.
func (e *erased) fill() {
	e.run(1, e.alice, e.bob, flow.Deescalated, func(r *flow.Run) {
		r.Access = &flow.Access{Identity: "aliddell-7", Removed: start, Entitlements: []flow.Part{{Entitlement: flow.Entitlement{Key: "http:orders:alice@example.com"}, Removed: start}}}
	})
	e.run(2, e.bob, e.alice, flow.Denied, nil)
	e.run(3, e.bob, e.bob, flow.Cancelled, nil)
	agent := e.agent()
	e.run(9, e.alice, e.bob, flow.Denied, func(r *flow.Run) {
		r.Asker, r.Owner, r.Agent, r.Source, r.Events[0].Actor = &agent, &e.alice, &flow.Agent{Purpose: "look for alice@example.com"}, flow.ChannelAPI, agent
	})
	if err := (store.Agents{Runs: store.Runs{Store: e.memory}, Now: e.all.Now}).ShutOut(e.Context(), flow.ByPerson(e.alice), agent, e.alice); err != nil {
		e.Fatal(err)
	}
	if _, err := (store.Grants{Store: e.memory}).Change(e.Context(), "http:orders:alice@example.com", func(g flow.Grant) (flow.Grant, error) {
		g.Key, g.State, g.Ended = "http:orders:alice@example.com", flow.GrantAbsent, start
		return g, nil
	}); err != nil {
		e.Fatal(err)
	}
	if _, err := (store.Homes{Store: e.memory}).Change(e.Context(), e.alice, func(h *store.Home) error { h.Who.Actor = e.alice; return nil }); err != nil {
		e.Fatal(err)
	}
}

// agent is one of Alice's, whose id is made of her address.
func (e *erased) agent() flow.Actor {
	return flow.Actor{ID: flow.AgentID("acme", "helper", "alice@example.com"), Kind: flow.KindAgent, Name: "helper"}
}

// left lists what still names Alice.
func (e *erased) left() (found []string) {
	e.Helper()
	for _, item := range dump(e.T, e.memory) {
		text := strings.NewReplacer("malice@example.com", "", "alice@example.com.au", "").Replace(strings.ToLower(item.Key + " " + string(item.Body) + " " + item.Index.Requester))
		for _, word := range []string{"alice@example.com", "u0alice", "liddell", e.alice.ID, `"alice"`} {
			if strings.Contains(text, word) {
				found = append(found, item.Key+" has "+word)
			}
		}
		if strings.Contains(string(item.Body), e.agent().ID) && !strings.HasPrefix(item.Key, string(store.KindAgent)) {
			found = append(found, item.Key+" has her agent")
		}
	}
	if _, err := e.memory.Get(e.Context(), store.KindSlackUser.Key("T1#U0ALICE")); !errors.Is(err, store.ErrNotFound) {
		found = append(found, "her account in Slack")
	}
	return found
}

func (e *erased) ask() store.Erasure {
	e.Helper()
	asked, err := e.all.Ask(e.Context(), "Alice@example.com", flow.Author{By: flow.Operator, At: start})
	if err != nil {
		e.Fatal(err)
	}
	return asked
}

// TestErasures: nothing of somebody is left in what is closed, and the rest is as it
// was.
func TestErasures(t *testing.T) {
	t.Parallel()
	e := newErased(t)
	e.fill()
	asked := e.ask()
	if again := e.ask(); again.ID != asked.ID {
		t.Error("asking again is another erasure")
	}
	if err := e.all.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := e.left(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	runs := store.Runs{Store: e.memory}
	page, err := runs.List(t.Context(), store.Query{By: store.ByRequester, Value: asked.Pseudonym})
	if err != nil || len(page.Runs) != 2 {
		t.Fatalf("%d runs by the pseudonym, %v", len(page.Runs), err)
	}
	r, byAgent := page.Runs[0], page.Runs[1]
	if r.ByAgent() {
		r, byAgent = byAgent, r
	}
	if byAgent.Owner.Display() != asked.Pseudonym || byAgent.Asker.Kind != flow.KindAgent || byAgent.Asker.Name != "helper" || !byAgent.Events[0].Actor.Is(*byAgent.Asker) || strings.Contains(byAgent.Agent.Purpose, "alice") {
		t.Errorf("her agent's run is %+v of %+v, for %q", byAgent.Asker, byAgent.Owner, byAgent.Agent.Purpose)
	}
	if r.Requester.Display() != asked.Pseudonym || r.Requester.Email != asked.Pseudonym+"@erased.invalid" || r.Requester.SlackID != "" || r.Status != flow.Deescalated {
		t.Errorf("the requester is %+v, the status %s", r.Requester, r.Status)
	}
	want := "ask " + asked.Pseudonym + "@erased.invalid or <@" + asked.Pseudonym + ">, not malice@example.com nor alice@example.com.au; " + asked.Pseudonym + " knows"
	if got := r.Fields["reason"]; got != want {
		t.Errorf("the reason is %q, not %q", got, want)
	}
	if r.Events[1].Actor != e.bob || r.Events[1].Rev != 1 || r.Deciders.People[1] != e.bob {
		t.Errorf("what is Bob's is %+v", r.Events[1])
	}
	if _, err := (store.Users{Store: e.memory}).ByID(t.Context(), e.bob.ID); err != nil {
		t.Errorf("Bob is gone: %v", err)
	}
	acts, err := store.Acts{Store: e.memory}.Of(t.Context(), store.KindAct.Key(asked.ID), 1, 2)
	if err != nil || len(acts) != 1 || acts[0].Result != flow.ActDone || acts[0].About.Name != asked.Pseudonym {
		t.Errorf("the acts are %+v, %v", acts, err)
	}
	item, err := e.memory.Get(t.Context(), store.KindErasure.Key(asked.ID))
	if err != nil || strings.Contains(string(item.Body), "alice") || item.Expires.IsZero() {
		t.Errorf("what was asked for stays as %s, %v", item.Body, err)
	}
	before := fmt.Sprint(dump(t, e.memory))
	if err := e.all.Work(t.Context()); err != nil || fmt.Sprint(dump(t, e.memory)) != before {
		t.Errorf("working once more changes something, %v", err)
	}
}

// TestErasures_Refused: whoever has something open is told what, and nothing changes.
func TestErasures_Refused(t *testing.T) {
	t.Parallel()
	e := newErased(t)
	e.fill()
	open := e.run(4, e.alice, e.bob, flow.Requested, nil)
	live := e.run(5, e.alice, e.bob, flow.Escalated, func(r *flow.Run) { r.Access = &flow.Access{Identity: "aliddell-7"} })
	emergency := e.run(6, e.alice, e.bob, flow.Deescalated, func(r *flow.Run) { r.BreakGlass = &flow.BreakGlass{At: start} })
	tokens := store.Tokens{Store: e.memory, Org: "acme", Now: e.all.Now}
	if _, _, err := tokens.Create(t.Context(), flow.Operator, store.Token{Bot: "deploys", Owner: "alice@example.com"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(dump(t, e.memory))
	_, err := e.all.Ask(t.Context(), "alice@example.com", flow.Author{})
	if flow.CodeOf(err) != flow.CodeInvalid {
		t.Fatalf("asking gives %v", err)
	}
	for _, want := range []string{flow.ShortID(open.ID), flow.ShortID(live.ID), flow.ShortID(emergency.ID), "bot deploys"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if err := e.all.Work(t.Context()); err != nil || fmt.Sprint(dump(t, e.memory)) != before {
		t.Errorf("something was changed, %v", err)
	}
	if _, err := e.all.Ask(t.Context(), "alice", flow.Author{}); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("what is no address: %v", err)
	}
}

// TestErasures_Waits: a run of somebody else's is not touched before it is closed.
func TestErasures_Waits(t *testing.T) {
	t.Parallel()
	e := newErased(t)
	e.fill()
	live := e.run(4, e.bob, e.alice, flow.Escalated, func(r *flow.Run) { r.Access = &flow.Access{Identity: "bob"} })
	asked := e.ask()
	for range 2 {
		if err := e.all.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	runs := store.Runs{Store: e.memory}
	now, err := runs.Get(t.Context(), live.ID)
	if err != nil || now.Rev != live.Rev {
		t.Errorf("live access was touched: revision %d, %v", now.Rev, err)
	}
	if pending, err := e.all.Pending(t.Context()); err != nil || len(pending) != 1 || !slices.Equal(pending[0].Waiting, []string{live.ID}) {
		t.Errorf("pending are %+v, %v", pending, err)
	}
	now.Status, now.Access.Removed = flow.Deescalated, start
	if _, err := runs.Put(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if err := e.all.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := e.left(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	if now, err = runs.Get(t.Context(), live.ID); err != nil || now.Events[1].Actor.Name != asked.Pseudonym {
		t.Errorf("%+v, %v", now.Events, err)
	}
}

// TestErasures_Crash: an erasure that breaks off at any write, be it that the write
// happened, goes on where it was and comes to the same end.
func TestErasures_Crash(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.NotApplied, storetest.AnswerLost} {
		for at := 1; ; at++ {
			e := newErased(t)
			e.fill()
			faulty := &storetest.Faulty{Store: e.memory, Fault: func(n int) storetest.Fault {
				if n == at {
					return fault
				}
				return storetest.None
			}}
			e.all.Store = faulty
			_, err := e.all.Ask(t.Context(), "alice@example.com", flow.Author{})
			if err == nil {
				err = e.all.Work(t.Context())
			}
			if faulty.Writes() < at {
				if at < 8 {
					t.Errorf("there were only %d writes", at-1)
				}
				break
			}
			if err == nil {
				t.Errorf("write %d failed, and nobody heard", at)
			}
			e.ask()
			if err := e.all.Work(t.Context()); err != nil {
				t.Errorf("after write %d: %v", at, err)
			}
			if left := e.left(); len(left) > 0 {
				t.Errorf("after write %d (%v): left are %q", at, fault, left)
			}
		}
	}
}
