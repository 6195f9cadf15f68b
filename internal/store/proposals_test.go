package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

func clock() func() time.Time { return func() time.Time { return start } }

// proposing are the entities as a token sees them that proposes.
func proposing(in store.Entities, token string) store.Entities {
	in.ProposedBy = token
	return in
}

// labels are what a target says, in force and as each of two tokens sees it.
func labels(t *testing.T, in store.Entities, id string) string {
	t.Helper()
	var all []string
	for _, token := range []string{"", "one", "two"} {
		e, err := proposing(in, token).Get(t.Context(), entity.KindTarget, id)
		switch {
		case flow.CodeOf(err) == flow.CodeUnknownEntity:
			all = append(all, "none")
		case err != nil:
			t.Fatal(err)
		case !e.Alive():
			all = append(all, "dead")
		default:
			all = append(all, string(e.Attributes))
		}
	}
	return strings.Join(all, " ")
}

// TestProposals_World: a token sees what it proposes as if it were in force, with the ids
// that it will have, and nobody else does.
func TestProposals_World(t *testing.T) {
	t.Parallel()
	in := entities(&storetest.Memory{Now: clock()})
	one, two := proposing(in, "one"), proposing(in, "two")
	see := func(id, want string) {
		t.Helper()
		if got := labels(t, in, id); got != want {
			t.Errorf("in force, and seen by each of two tokens: %s; want %s", got, want)
		}
	}

	e := create(t, one, target("orders", "http", `{"n":1}`))
	if want := flow.EntityID("acme", "target", "orders", ""); e.ID != want {
		t.Errorf("the proposal has the id %s, want %s, which the entity will have", e.ID, want)
	}
	see(e.ID, `none {"n":1} none`)
	if got := found(t, one, "ORDERS"); got != e.ID {
		t.Errorf("the token finds %q by name", got)
	}
	if got := found(t, in, "orders"); got != "" {
		t.Errorf("others find %q by name", got)
	}
	other := create(t, two, target("orders", "http", `{"n":2}`))
	if other.ID != e.ID {
		t.Errorf("two tokens that propose one entity were given the ids %s and %s", e.ID, other.ID)
	}
	e.Attributes = json.RawMessage(`{"n":3}`)
	if _, err := one.Replace(t.Context(), store.EntityChange{}, e); err != nil {
		t.Fatal(err)
	}
	see(e.ID, `none {"n":3} {"n":2}`)

	// What is taken back is no proposal any more.
	if err := one.Delete(t.Context(), store.EntityChange{}, entity.API, entity.KindTarget, e.ID); err != nil {
		t.Fatal(err)
	}
	see(e.ID, `none dead {"n":2}`)
	left, err := in.Proposals().Of(t.Context(), "one")
	if err != nil || len(left) > 0 {
		t.Errorf("what was created and deleted is proposed yet: %v, %v", left, err)
	}
	again := create(t, one, target("orders", "http", `{"n":4}`))
	see(e.ID, `none {"n":4} {"n":2}`)
	if again.ID != e.ID {
		t.Errorf("what was deleted and made again has the id %s, and had %s", again.ID, e.ID)
	}

	// A deletion is one for the token alone, until it is in force.
	alive := create(t, in, target("bills", "http", `{"n":5}`))
	if err := one.Delete(t.Context(), store.EntityChange{}, entity.API, entity.KindTarget, alive.ID); err != nil {
		t.Fatal(err)
	}
	see(alive.ID, `{"n":5} dead {"n":5}`)
	all, err := one.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, fmt.Sprint(e.Name, " ", e.Alive()))
	}
	if got := strings.Join(names, ", "); got != "orders true, bills false" && got != "bills false, orders true" {
		t.Errorf("the token lists %s", got)
	}
	// Back as it was: nothing is proposed.
	if _, err := one.Create(t.Context(), store.EntityChange{}, target("bills", "http", `{"n":5}`)); err != nil {
		t.Fatal(err)
	}
	see(alive.ID, `{"n":5} {"n":5} {"n":5}`)
	if left, err := in.Proposals().Of(t.Context(), "one"); err != nil || len(left) != 1 {
		t.Errorf("%d changes are proposed, want the one of orders (%v)", len(left), err)
	}
}

// TestProposals_Acts: each proposal is an act of its own, and so is its end; what is in
// force has none of them.
func TestProposals_Acts(t *testing.T) {
	t.Parallel()
	in := entities(&storetest.Memory{Now: clock()})
	one := proposing(in, "one")
	alive := create(t, in, target("bills", "http", `{"n":1}`))
	change := alive
	change.Attributes = json.RawMessage(`{"n":2}`)
	change, err := one.Replace(t.Context(), store.EntityChange{By: flow.Operator, Request: "r1"}, change)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Proposals().End(t.Context(), store.EntityChange{By: flow.Operator, Run: "run"}, "one", change, "it was denied"); err != nil {
		t.Fatal(err)
	}
	acts := func(key string) (told []string) {
		list, err := store.Acts{Store: in.Store}.Of(t.Context(), key, 1, 2, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			told = append(told, fmt.Sprint(a.Rev, " ", a.Name, " ", a.Fields["change"], " ", a.Fields["request_id"], " ", a.Fields["run_id"]))
		}
		return told
	}
	if got, want := strings.Join(acts(store.KindProposed.Key("one#target#"+alive.ID)), ", "), "1 entity_propose update r1 <nil>, 2 entity_drop <nil> r1 run"; got != want {
		t.Errorf("the proposal's acts are %s, want %s", got, want)
	}
	if got, want := strings.Join(acts(store.KindEntity.Key("target#"+alive.ID)), ", "), "1 entity_create <nil> <nil> <nil>"; got != want {
		t.Errorf("the entity's acts are %s, want %s", got, want)
	}
}

// TestProposals_Apply: what was listed comes into force as it was listed, also if more was
// proposed since, and not where something else has come into force.
func TestProposals_Apply(t *testing.T) {
	t.Parallel()
	in := entities(&storetest.Memory{Now: clock()})
	one := proposing(in, "one")
	e := create(t, one, target("orders", "http", `{"n":1}`))
	asked, err := in.Proposals().Freeze(t.Context(), "one", []store.AskedChange{{Entity: e}}, store.Asked{})
	if err != nil {
		t.Fatal(err)
	}
	later := e
	later.Attributes = json.RawMessage(`{"n":2}`)
	if _, err := one.Replace(t.Context(), store.EntityChange{}, later); err != nil {
		t.Fatal(err)
	}
	frozen, err := in.Proposals().Frozen(t.Context(), "one", asked)
	if err != nil || len(frozen) != 1 {
		t.Fatalf("%d changes are kept as they were listed (%v)", len(frozen), err)
	}
	for range 2 { // and once more, after a crash
		if applied, err := in.Apply(t.Context(), store.EntityChange{}, frozen[0]); err != nil || !applied {
			t.Fatalf("applied %v, %v", applied, err)
		}
		if err := in.Proposals().End(t.Context(), store.EntityChange{}, "one", frozen[0].Entity, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := labels(t, in, e.ID), `{"n":1} {"n":2} {"n":1}`; got != want {
		t.Errorf("in force, and seen by each of two tokens: %s, want %s", got, want)
	}
	if _, err := in.Replace(t.Context(), store.EntityChange{}, entity.Entity{ID: e.ID, Kind: e.Kind, Type: e.Type, Name: e.Name, Owner: e.Owner, Attributes: json.RawMessage(`{"n":9}`)}); err != nil {
		t.Fatal(err)
	}
	if stands, err := in.Stands(t.Context(), frozen[0]); err != nil || stands {
		t.Errorf("what was listed stands, though something else is in force: %v, %v", stands, err)
	}
	if applied, err := in.Apply(t.Context(), store.EntityChange{}, frozen[0]); err != nil || applied {
		t.Errorf("it was applied over what people have not seen: %v, %v", applied, err)
	}

	// What is kept of a list is what was listed, or nothing.
	asked.Digest = strings.Repeat("0", 64)
	if _, err := in.Proposals().Frozen(t.Context(), "one", asked); !store.NotAsListed(err) {
		t.Errorf("another list than was listed was given: %v", err)
	}
}

// TestProposals_Parts: thousands of changes take several items, and come back as they
// were.
func TestProposals_Parts(t *testing.T) {
	t.Parallel()
	in := entities(&storetest.Memory{Now: clock()})
	var changes []store.AskedChange
	for i := range 3000 {
		e := target(fmt.Sprint("t", i), "http", `{"label":"<b>"}`)
		e.ID = flow.EntityID("acme", "target", e.Name, "")
		changes = append(changes, store.AskedChange{Entity: e})
	}
	asked, err := in.Proposals().Freeze(t.Context(), "one", changes, store.Asked{})
	if err != nil || asked.Parts < 2 || asked.Count != 3000 {
		t.Fatalf("%d parts of %d changes (%v)", asked.Parts, asked.Count, err)
	}
	frozen, err := in.Proposals().Frozen(t.Context(), "one", asked)
	if err != nil || len(frozen) != 3000 || frozen[2999].Entity.Name != "t2999" {
		t.Fatalf("%d changes came back (%v)", len(frozen), err)
	}
}
