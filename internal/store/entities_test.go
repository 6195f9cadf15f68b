package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// entities are those of a store in memory, at a time that moves with each look.
func entities(s store.Store) store.Entities {
	var mu sync.Mutex
	at := start
	return store.Entities{Store: s, Org: "acme", Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Second)
		return at
	}}
}

func target(name, typ, attributes string) entity.Entity {
	return entity.Entity{Kind: entity.KindTarget, Name: name, Type: typ, Owner: entity.API, Attributes: json.RawMessage(attributes)}
}

// TestEntities_Letters: what is sent once more is not written again, whatever letters it
// has, and its digest stays the same.
func TestEntities_Letters(t *testing.T) {
	t.Parallel()
	s := entities(&storetest.Memory{Now: time.Now})
	e := create(t, s, target("a", "http", `{"label":"<a> & b"}`))
	again, err := s.Replace(t.Context(), store.EntityChange{}, e)
	if err != nil || !again.Changed.Equal(e.Changed) {
		t.Errorf("what is as it was was written at %s, and before at %s (%v)", again.Changed, e.Changed, err)
	}
	if stored, err := s.Get(t.Context(), e.Kind, e.ID); err != nil || stored.Digest() != e.Digest() {
		t.Errorf("its digest is another one once it is stored (%v)", err)
	}
}

func create(t *testing.T, s store.Entities, e entity.Entity) entity.Entity {
	t.Helper()
	created, err := s.Create(t.Context(), store.EntityChange{By: flow.Operator}, e)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// found lists the ids that have a name, the one that is meant first.
func found(t *testing.T, s store.Entities, name string) string {
	t.Helper()
	list, err := s.Find(t.Context(), entity.KindTarget, name)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return strings.Join(ids, " ")
}

// TestEntities_IDs: the first of a name has the id that handlers see, one of another
// type one of its own, and one more of the same a fresh one, which is the one that is
// found first; an id that is free again is given again.
func TestEntities_IDs(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	first := create(t, s, target("Orders", "okta_group", `{}`))
	if want := flow.TargetID("acme", "orders"); first.ID != want {
		t.Errorf("the first has the id %s, want %s", first.ID, want)
	}
	other := create(t, s, target("orders", "aws_iam_group", `{}`))
	if want := flow.EntityID("acme", "target", "orders", "aws_iam_group"); other.ID != want {
		t.Errorf("one of another type has the id %s, want %s", other.ID, want)
	}
	fresh := create(t, s, target("orders", "okta_group", `{}`))
	if fresh.ID == first.ID || fresh.ID == other.ID {
		t.Error("one more has no id of its own")
	}
	if got, want := found(t, s, "ORDERS"), fresh.ID+" "+other.ID+" "+first.ID; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	if err := s.Delete(t.Context(), store.EntityChange{}, entity.API, entity.KindTarget, first.ID); err != nil {
		t.Fatal(err)
	}
	if got, want := found(t, s, "orders"), fresh.ID+" "+other.ID; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	dead, err := s.Get(t.Context(), entity.KindTarget, first.ID)
	if err != nil || dead.Alive() || dead.Attributes != nil || dead.Name != "Orders" {
		t.Errorf("what is dead is %+v, %v", dead, err)
	}
	if err := s.Delete(t.Context(), store.EntityChange{}, entity.API, entity.KindTarget, first.ID); err != nil {
		t.Errorf("deleting what is dead: %v", err)
	}
	_, err = s.Replace(t.Context(), store.EntityChange{}, dead)
	wantCode(t, err, flow.CodeUnknownEntity)
	wantCode(t, s.Delete(t.Context(), store.EntityChange{}, entity.API, entity.KindTarget, flow.TargetID("acme", "never")), flow.CodeUnknownEntity)
	if back := create(t, s, target("orders", "okta_group", `{}`)); back.ID != first.ID {
		t.Errorf("an id that is free was not given again: %s", back.ID)
	}
	if got, want := found(t, s, "orders"), first.ID+" "+fresh.ID+" "+other.ID; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	all, err := s.All(t.Context())
	if err != nil || len(all) != 3 {
		t.Errorf("%d entities, %v", len(all), err)
	}
}

// TestEntities_Rename: an entity keeps its id, is found by its new name only, and its
// old name is free, but not its id.
func TestEntities_Rename(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	e := create(t, s, target("old", "custom", `{}`))
	e.Name, e.Type = "new", "okta_group"
	renamed, err := s.Replace(t.Context(), store.EntityChange{}, e)
	if err != nil || renamed.ID != e.ID {
		t.Fatalf("%+v, %v", renamed, err)
	}
	if got := found(t, s, "old"); got != "" {
		t.Errorf("the old name finds %s", got)
	}
	if got := found(t, s, "new"); got != e.ID {
		t.Errorf("the new name finds %s", got)
	}
	again := create(t, s, target("old", "custom", `{}`))
	if again.ID == e.ID {
		t.Error("two have one id")
	}
	if got := found(t, s, "old"); got != again.ID {
		t.Errorf("the old name finds %s", got)
	}
}

// TestEntities_Owners: what one owner has, the other neither takes nor changes; where
// types tell, only of the same type.
func TestEntities_Owners(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	mine := target("orders", "custom", `{}`)
	mine.Owner = entity.Files
	filed := create(t, s, mine)
	_, err := s.Create(t.Context(), store.EntityChange{}, target("Orders", "custom", `{}`))
	wantCode(t, err, flow.CodeInvalid)
	create(t, s, target("orders", "okta_group", `{}`))
	theirs := filed
	theirs.Owner = entity.API
	_, err = s.Replace(t.Context(), store.EntityChange{}, theirs)
	wantCode(t, err, flow.CodeInvalid)
	wantCode(t, s.Delete(t.Context(), store.EntityChange{}, entity.API, entity.KindTarget, filed.ID), flow.CodeInvalid)
	renamed := create(t, s, target("free", "custom", `{}`))
	renamed.Name = "orders"
	_, err = s.Replace(t.Context(), store.EntityChange{}, renamed)
	wantCode(t, err, flow.CodeInvalid)
	if err := s.Delete(t.Context(), store.EntityChange{}, entity.Files, entity.KindTarget, filed.ID); err != nil {
		t.Fatal(err)
	}
	if now := create(t, s, target("orders", "custom", `{}`)); now.ID != filed.ID || now.Owner != entity.API {
		t.Errorf("what the files had is %+v", now)
	}
}

// TestEntities_Single: of the filter there is one, and who makes another replaces it.
func TestEntities_Single(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	filter := entity.Entity{Kind: entity.KindFlowsFilter, Owner: entity.API, Attributes: json.RawMessage(`{"vars":{"a":"1"}}`)}
	first := create(t, s, filter)
	filter.Attributes = json.RawMessage(`{"vars":{"a":"2"}}`)
	second := create(t, s, filter)
	if second.ID != first.ID || string(second.Attributes) != `{"vars":{"a":"2"}}` {
		t.Errorf("%+v after %+v", second, first)
	}
	filter.Owner = entity.Files
	_, err := s.Create(t.Context(), store.EntityChange{}, filter)
	wantCode(t, err, flow.CodeInvalid)
}

// TestEntities_Secrets: a secret is found by its own name and by the end of its path.
func TestEntities_Secrets(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	secret := entity.Entity{Kind: entity.KindSecret, Name: "key-api", Owner: entity.API, Attributes: json.RawMessage(`{"path":"sym/key","settings":{"json_key":"api"}}`)}
	made := create(t, s, secret)
	for _, name := range []string{"key", "KEY-api"} {
		if list, err := s.Find(t.Context(), entity.KindSecret, name); err != nil || len(list) != 1 || list[0].ID != made.ID {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

// TestEntities_Repeated: a request that is repeated because its answer was lost makes
// nothing more.
func TestEntities_Repeated(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	by := store.EntityChange{By: flow.Operator, Request: "5b2a4f0e-93c5-4b6e-9a3e-6f2f3c1d0b7a"}
	for range 2 {
		if _, err := s.Create(t.Context(), by, target("a", "custom", `{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(t, s, "a"); got != flow.TargetID("acme", "a") {
		t.Errorf("found %s", got)
	}
}

// TestEntities_Acts: each change is recorded in the same write, with who, what and by
// which request; what changes nothing is not written.
func TestEntities_Acts(t *testing.T) {
	t.Parallel()
	mem := memory()
	s := entities(mem)
	by := func(request string) store.EntityChange {
		return store.EntityChange{By: flow.Operator, Request: request}
	}
	e, err := s.Create(t.Context(), by("r1"), target("a", "custom", `{"settings":{"a":"1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	e.Attributes, e.Name = json.RawMessage(`{"settings":{"a":"2"}}`), "b"
	if e, err = s.Replace(t.Context(), by("r2"), e); err != nil {
		t.Fatal(err)
	}
	if e, err = s.Replace(t.Context(), by("r3"), e); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), by("r4"), entity.API, e.Kind, e.ID); err != nil {
		t.Fatal(err)
	}
	var got []string
	digests := map[any]bool{}
	for rev := range int64(5) {
		acts, err := store.Acts{Store: mem}.Of(t.Context(), store.KindEntity.Key("target#"+e.ID), rev)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range acts {
			got = append(got, fmt.Sprint(a.Rev, a.Name, a.By.Name, a.About, a.Fields["request_id"], a.Fields["former_name"]))
			digests[a.Fields["digest"]] = true
			if a.Rev == 2 && !digests[a.Fields["former_digest"]] {
				t.Errorf("the state before is not that of the act before: %v", a.Fields)
			}
		}
	}
	who := flow.Operator.Name
	want := []string{
		fmt.Sprint(int64(1), "entity_create", who, flow.Subject{Kind: "target", ID: e.ID, Name: "a"}, "r1", nil),
		fmt.Sprint(int64(2), "entity_update", who, flow.Subject{Kind: "target", ID: e.ID, Name: "b"}, "r2", "a"),
		fmt.Sprint(int64(3), "entity_delete", who, flow.Subject{Kind: "target", ID: e.ID, Name: "b"}, "r4", nil),
	}
	wantSame(t, "the acts", want, got)
	if _, id, ok := store.EntityOf(store.KindEntity.Key("target#" + e.ID)); !ok || id != e.ID {
		t.Error("the key of an item does not give its entity")
	}
}

// TestEntities_AtOnce: ten who create one name at once make ten entities of ten ids,
// and of ten who replace one at once one wins whole.
func TestEntities_AtOnce(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	made := make([]entity.Entity, 10)
	each(t, func(i int) (err error) {
		made[i], err = s.Create(t.Context(), store.EntityChange{}, target("a", "custom", `{}`))
		return err
	})
	ids := map[string]bool{}
	for _, e := range made {
		ids[e.ID] = true
	}
	if len(ids) != len(made) || !ids[flow.TargetID("acme", "a")] {
		t.Errorf("the ids are %v", ids)
	}
	each(t, func(i int) error {
		e := made[0]
		e.Attributes = json.RawMessage(fmt.Sprintf(`{"label":"%d","settings":{"n":"%[1]d"}}`, i))
		_, err := s.Replace(t.Context(), store.EntityChange{}, e)
		return err
	})
	now, err := s.Get(t.Context(), entity.KindTarget, made[0].ID)
	if err != nil || now.Rev != 11 {
		t.Errorf("%+v, %v", now, err)
	}
}

// TestEntities_ManyHolders: a name that many have had keeps those that may be meant.
func TestEntities_ManyHolders(t *testing.T) {
	t.Parallel()
	s := entities(memory())
	first := create(t, s, target("a", "custom", `{}`))
	for range 50 {
		e := create(t, s, target("a", "custom", `{}`))
		if err := s.Delete(t.Context(), store.EntityChange{}, entity.API, e.Kind, e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(t, s, "a"); got != first.ID {
		t.Errorf("found %s", got)
	}
	if item, err := s.Store.Get(t.Context(), "entityname#target#a"); err != nil || len(item.Body) > 1000 {
		t.Errorf("the name has %d bytes, %v", len(item.Body), err)
	}
}

// TestEntities_TooLarge: what does not fit is the sender's to mend.
func TestEntities_TooLarge(t *testing.T) {
	t.Parallel()
	var noise strings.Builder
	for i := range 200_000 {
		noise.WriteString(flow.EntityID("acme", "x", fmt.Sprint(i), "")[:8])
	}
	_, err := entities(memory()).Create(t.Context(), store.EntityChange{}, target("a", "custom", `{"settings":{"a":"`+noise.String()+`"}}`))
	wantCode(t, err, flow.CodeInvalid)
}

func each(t *testing.T, do func(i int) error) {
	t.Helper()
	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
