package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// Entities keeps pieces of configuration, each in an item of its own that is written
// whole. What is deleted stays as dead for a while, so that it is known to have been.
type Entities struct {
	Store Store // required
	Org   string
	Now   func() time.Time // required to write
	// ProposedBy is the id of a token whose changes wait for approval: the entities are as
	// if what it proposed were in force, and writes are proposals of its own. "": they are
	// what is in force.
	ProposedBy string
}

// EntityChange says who changes an entity, by which request, and which run approved it;
// "" if by none.
type EntityChange struct {
	By      flow.Principal
	Request string
	Run     string
}

// deadKept is how long an entity is known to have been: longer than anybody keeps a
// plan of Terraform's before it is applied.
const deadKept = 90 * 24 * time.Hour

// storedEntity is the item of an entity, or of a proposal.
type storedEntity struct {
	entity.Entity
	// Over says of a proposal that it is none any more: what is in force stands.
	Over bool `json:"over,omitempty"`

	acted
}

func entityKey(kind entity.Kind, id string) string {
	return KindEntity.Key(string(kind) + "#" + id)
}

// What acts tell of a change: which run approved, lists or denied it, and what a proposal
// would do.
const (
	keyRun      = "run_id"
	keyProposal = "change" // create, update or delete
)

func entityNameKey(kind entity.Kind, name string) string {
	return KindEntityName.Key(string(kind) + "#" + name)
}

// EntityOf gives the kind and the id of the entity whose item has a key; false if it
// is the key of something else, such as a proposal.
func EntityOf(key string) (entity.Kind, string, bool) {
	name, ok := KindEntity.Name(key)
	kind, id, cut := strings.Cut(name, "#")
	return entity.Kind(kind), id, ok && cut
}

func unknownEntity(kind entity.Kind, id string) error {
	return flow.Errorf(flow.CodeUnknownEntity, "there is no %s %q", strings.ReplaceAll(string(kind), "_", " "), flow.Clip(id, 60))
}

// Get reads an entity, dead or alive. The error has flow.CodeUnknownEntity if there is
// none and was none lately.
func (s Entities) Get(ctx context.Context, kind entity.Kind, id string) (entity.Entity, error) {
	stored, err := s.get(ctx, kind, id)
	return stored.Entity, err
}

func (s Entities) get(ctx context.Context, kind entity.Kind, id string) (storedEntity, error) {
	if s.ProposedBy != "" {
		return s.proposed(ctx, kind, id)
	}
	return s.read(ctx, kind, id, entityKey(kind, id))
}

func (s Entities) read(ctx context.Context, kind entity.Kind, id, key string) (storedEntity, error) {
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return storedEntity{}, unknownEntity(kind, id)
	}
	if err != nil {
		return storedEntity{}, fmt.Errorf("read %s %s: %w", kind, id, err)
	}
	return decodeEntity(item)
}

func decodeEntity(item Item) (storedEntity, error) {
	var stored storedEntity
	if err := unpack(item.Body, &stored); err != nil {
		return storedEntity{}, fmt.Errorf("decode %s: %w", item.Key, err)
	}
	stored.Rev = item.Rev
	return stored, nil
}

// Find gives the entities of a kind that have a name, whatever the case of its
// letters, the one that took it last first. A secret is found by the end of its path,
// too.
func (s Entities) Find(ctx context.Context, kind entity.Kind, name string) ([]entity.Entity, error) {
	var ids []string
	item, err := s.Store.Get(ctx, entityNameKey(kind, name))
	if err == nil {
		err = unpack(item.Body, &ids)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("find %s %q: %w", kind, name, err)
	}
	var found []entity.Entity
	for _, id := range ids {
		e, err := s.Get(ctx, kind, id)
		if flow.CodeOf(err) == flow.CodeUnknownEntity {
			continue // it was named before it was written
		}
		if err != nil {
			return nil, err
		}
		if e.Alive() && (e.Is(name) || strings.EqualFold(e.PathName(), name)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b entity.Entity) int { return b.Named.Compare(a.Named) })
	return found, nil
}

// All lists the entities, those that are dead too, in order of kind and id. It may be a
// little late.
func (s Entities) All(ctx context.Context) ([]entity.Entity, error) {
	var all []entity.Entity
	q := Query{By: ByKind, Value: string(KindEntity), Limit: maxPageSize}
	for {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list entities: %w", err)
		}
		for _, item := range page.Items {
			stored, err := decodeEntity(item)
			if err != nil {
				return nil, err
			}
			all = append(all, stored.Entity)
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return s.withProposed(ctx, all)
		}
	}
}

// Create writes a new entity and gives it its id, unless it has one of its own: the first
// that has its name has the one that handlers see, one of another type its own beside it, and one whose name is
// taken by its own owner one that nothing else has. An id whose entity is dead is as
// if it were free. A request that is repeated finds what it made.
//
// The error has flow.CodeInvalid if the other owner has the name, or the entity is too
// large.
func (s Entities) Create(ctx context.Context, by EntityChange, e entity.Entity) (entity.Entity, error) {
	own := e.ID
	for range maxConflicts {
		e.ID = own
		holders, err := s.Find(ctx, e.Kind, e.Name)
		if err != nil {
			return entity.Entity{}, err
		}
		for _, h := range holders {
			if h.Request != "" && h.Request == by.Request && h.Same(e) {
				return h, nil
			}
		}
		if err := taken(e, holders); err != nil {
			return entity.Entity{}, err
		}
		if e.Kind.Single() && len(holders) > 0 {
			e.ID = holders[0].ID
			return s.Replace(ctx, by, e)
		}
		before, err := s.free(ctx, by, e)
		if err != nil {
			return entity.Entity{}, err
		}
		now := s.Now().UTC()
		e.ID, e.Created, e.Named = before.ID, now, now
		if err := s.name(ctx, e); err != nil {
			return entity.Entity{}, err
		}
		created, err := s.put(ctx, by, before, e)
		if !errors.Is(err, ErrConflict) {
			return created, err
		}
	}
	return entity.Entity{}, fmt.Errorf("write %s %q: %w", e.Kind, e.Name, ErrConflict)
}

// taken refuses a name that the other owner has.
func taken(e entity.Entity, holders []entity.Entity) error {
	for _, h := range holders {
		if h.Owner == e.Owner || h.ID == e.ID || !h.Is(e.Name) || e.Kind.Typed() && h.Type != e.Type {
			continue
		}
		owner, instead := "the configuration API", "choose another name, or delete it there first"
		if h.Owner == entity.Files {
			owner, instead = "the files of the configuration", "choose another name, or remove it from the files and publish them first"
		}
		what, field := fmt.Sprintf("%s %q", e.Kind, e.Name), "name"
		if e.Kind.Single() {
			what, field = string(e.Kind), "implementation"
		}
		return invalidEntity(field, fmt.Sprintf("%s is in %s already: %s", what, owner, instead))
	}
	return nil
}

func invalidEntity(attribute, message string) error {
	return &flow.Error{Code: flow.CodeInvalid, Message: "the entity is not right", Fields: []flow.FieldError{{Field: attribute, Message: message}}}
}

// free finds an id for a new entity, and what is stored under it.
func (s Entities) free(ctx context.Context, by EntityChange, e entity.Entity) (storedEntity, error) {
	if e.ID != "" {
		stored, err := s.get(ctx, e.Kind, e.ID)
		switch {
		case flow.CodeOf(err) == flow.CodeUnknownEntity:
			return storedEntity{Entity: entity.Entity{ID: e.ID}}, nil
		case err == nil && stored.Alive():
			err = invalidEntity("id", fmt.Sprintf("is that of %s %q, which %s has", e.Kind, stored.Name, ownerNamed(written(stored.Owner))))
		}
		return stored, err
	}
	apart := []string{"", e.Type, by.Request, rand.Text()}
	if by.Request != "" {
		apart[2] = "request/" + by.Request
	}
	for i, a := range apart {
		if i > 0 && (a == "" || i == 1 && !e.Kind.Typed()) {
			continue
		}
		id := flow.EntityID(s.Org, string(e.Kind), e.Name, a)
		stored, err := s.get(ctx, e.Kind, id)
		if flow.CodeOf(err) == flow.CodeUnknownEntity {
			return storedEntity{Entity: entity.Entity{ID: id}}, nil
		}
		if err != nil {
			return storedEntity{}, err
		}
		if !stored.Alive() {
			return stored, nil
		}
	}
	return storedEntity{}, fmt.Errorf("find an id for %s %q: %w", e.Kind, e.Name, ErrConflict)
}

// name writes down that an entity may have its name, before it has it: who looks for
// the name reads the entities themselves.
func (s Entities) name(ctx context.Context, e entity.Entity) error {
	names := []string{e.Name}
	if end := e.PathName(); end != "" && !strings.EqualFold(end, e.Name) {
		names = append(names, end)
	}
	for _, name := range names {
		if err := s.addName(ctx, e.Kind, name, e.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s Entities) addName(ctx context.Context, kind entity.Kind, name, id string) error {
	key := entityNameKey(kind, name)
	for range maxConflicts {
		var ids []string
		item, err := s.Store.Get(ctx, key)
		if err == nil {
			err = unpack(item.Body, &ids)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("read %s: %w", key, err)
		}
		if slices.Contains(ids, id) {
			return nil
		}
		if len(ids) >= maxHolders {
			if ids, err = s.holding(ctx, kind, name, ids); err != nil {
				return err
			}
		}
		body, err := pack(append(ids, id))
		if err != nil {
			return err
		}
		_, err = s.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body})
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("write %s: %w", key, ErrConflict)
}

// maxHolders is how many may have had a name before those that are dead for good are
// left out.
const maxHolders = 20

// holding are those of the entities that may have a name yet. One that is dead may come
// back only under an id that follows from its name.
func (s Entities) holding(ctx context.Context, kind entity.Kind, name string, ids []string) ([]string, error) {
	var kept []string
	for _, id := range ids {
		e, err := s.Get(ctx, kind, id)
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownEntity {
			return nil, err
		}
		again := id == flow.EntityID(s.Org, string(kind), name, "") || id == flow.EntityID(s.Org, string(kind), name, e.Type)
		if err != nil || e.Alive() || again {
			kept = append(kept, id)
		}
	}
	return kept, nil
}

// Replace writes an entity whole, by its id: of writes at once, the last one stays. One
// that changes nothing is not written. The error has flow.CodeUnknownEntity if there is
// no such entity, or it is dead, and flow.CodeInvalid if it is another owner's, if that
// has the new name, or if it is too large.
func (s Entities) Replace(ctx context.Context, by EntityChange, e entity.Entity) (entity.Entity, error) {
	for range maxConflicts {
		before, err := s.own(ctx, e.Owner, e.Kind, e.ID)
		if err != nil {
			return entity.Entity{}, err
		}
		if !before.Alive() {
			return entity.Entity{}, unknownEntity(e.Kind, e.ID)
		}
		if before.Same(e) {
			return before.Entity, nil
		}
		e.Created, e.Named, e.Moving = before.Created, before.Named, entity.Moving{}
		if before.Says(e) {
			e.Moving = before.Moving
		}
		if !before.Is(e.Name) {
			holders, err := s.Find(ctx, e.Kind, e.Name)
			if err != nil {
				return entity.Entity{}, err
			}
			if err := taken(e, holders); err != nil {
				return entity.Entity{}, err
			}
			e.Named = s.Now().UTC()
		}
		if err := s.name(ctx, e); err != nil {
			return entity.Entity{}, err
		}
		replaced, err := s.put(ctx, by, before, e)
		if !errors.Is(err, ErrConflict) {
			return replaced, err
		}
	}
	return entity.Entity{}, fmt.Errorf("write %s %s: %w", e.Kind, e.ID, ErrConflict)
}

// Offer lets an entity change hands, in the next publish of files. The one who offers goes
// by what the entity said: the error has flow.CodeInvalid if its digest is another one now,
// and flow.CodeUnknownEntity if it is gone.
func (s Entities) Offer(ctx context.Context, by EntityChange, kind entity.Kind, id, digest string, moving entity.Moving) error {
	for range maxConflicts {
		before, err := s.get(ctx, kind, id)
		if err == nil && !before.Alive() {
			err = unknownEntity(kind, id)
		}
		if err == nil && before.Digest() != digest {
			err = invalidEntity("digest", fmt.Sprintf("%s %q says something else by now: look at it again", kind, before.Name))
		}
		if err != nil || before.Moving == moving {
			return err
		}
		offered := before.Entity
		offered.Moving = moving
		if _, err = s.put(ctx, by, before, offered); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("offer %s %s: %w", kind, id, ErrConflict)
}

// movesBack is how long what has changed hands goes back if the publish is rolled back.
const movesBack = 24 * time.Hour

// HandOver gives an entity that was offered to an owner. Its id stays, and what it says.
// The error has flow.CodeInvalid if it is not offered any more.
func (s Entities) HandOver(ctx context.Context, by EntityChange, to entity.Owner, kind entity.Kind, id string) (entity.Entity, error) {
	for range maxConflicts {
		before, err := s.get(ctx, kind, id)
		if err == nil && !before.Alive() {
			err = unknownEntity(kind, id)
		}
		if err != nil || before.Owner == to {
			return before.Entity, err
		}
		if !before.Moves(s.Now()) {
			return before.Entity, invalidEntity("name", fmt.Sprintf("%s %q does not change hands any more: somebody has changed it", kind, before.Name))
		}
		e := before.Entity
		e.Owner, e.File = to, ""
		if to == entity.Files && e.Moving.As != "" {
			e.Name, e.Named = e.Moving.As, s.Now().UTC()
		}
		e.Moving = entity.Moving{Until: s.Now().UTC().Add(movesBack)}
		if err := s.name(ctx, e); err != nil {
			return e, err
		}
		if e, err = s.put(ctx, by, before, e); !errors.Is(err, ErrConflict) {
			return e, err
		}
	}
	return entity.Entity{}, fmt.Errorf("hand over %s %s: %w", kind, id, ErrConflict)
}

// Delete takes an entity away. One that is dead already stays so. The error has
// flow.CodeUnknownEntity if it never was, and flow.CodeInvalid if it is another
// owner's.
func (s Entities) Delete(ctx context.Context, by EntityChange, owner entity.Owner, kind entity.Kind, id string) error {
	for range maxConflicts {
		before, err := s.own(ctx, owner, kind, id)
		if err != nil || !before.Alive() {
			return err
		}
		dead := before.Entity
		dead.Dead, dead.Attributes, dead.Moving = s.Now().UTC(), nil, entity.Moving{}
		if _, err = s.put(ctx, by, before, dead); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("delete %s %s: %w", kind, id, ErrConflict)
}

// own reads an entity of an owner.
func (s Entities) own(ctx context.Context, owner entity.Owner, kind entity.Kind, id string) (storedEntity, error) {
	stored, err := s.get(ctx, kind, id)
	if err == nil && stored.Owner != owner && stored.Alive() {
		where := "the configuration API: change it there"
		if stored.Owner == entity.Files {
			where = "the files of the configuration: change it there, or remove it from them and publish them first"
		}
		err = invalidEntity("name", fmt.Sprintf("%s %q is in %s", kind, stored.Name, where))
	}
	return stored, err
}

// put writes an entity over its state before, with the act that says so.
func (s Entities) put(ctx context.Context, by EntityChange, before storedEntity, e entity.Entity) (entity.Entity, error) {
	now := s.Now().UTC()
	if s.ProposedBy != "" {
		inForce, err := s.read(ctx, e.Kind, e.ID, entityKey(e.Kind, e.ID))
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownEntity {
			return entity.Entity{}, err
		}
		if there := err == nil && inForce.Alive(); there && inForce.Same(e) || !there && !e.Alive() {
			return e, s.end(ctx, by, before, "it was taken back")
		}
	}
	e.Changed, e.Request, e.Rev = now, by.Request, before.Rev+1
	act := flow.ActEntityUpdate
	switch {
	case !e.Alive():
		act = flow.ActEntityDelete
	case before.Kind == "" || !before.Alive():
		act = flow.ActEntityCreate
	case before.Owner != e.Owner:
		act = flow.ActEntityHandOver
	case before.Says(e) && before.Moving != e.Moving:
		act = flow.ActEntityOffer
	}
	told := map[string]any{"owner": string(e.Owner)}
	switch act {
	case flow.ActEntityHandOver:
		told["former_owner"] = string(before.Owner)
	case flow.ActEntityOffer:
		told["until"] = e.Moving.Until.Format(time.RFC3339)
	}
	for name, text := range map[string]string{
		"type": e.Type, "request_id": by.Request, keyRun: by.Run, "digest": e.Digest(), "former_digest": before.Digest(),
	} {
		if text != "" {
			told[name] = text
		}
	}
	if (act == flow.ActEntityUpdate || act == flow.ActEntityHandOver) && before.Name != e.Name {
		told["former_name"] = before.Name
	}
	about := flow.Subject{Kind: string(e.Kind), ID: e.ID, Name: e.Name}
	item := Item{Key: entityKey(e.Kind, e.ID), Rev: before.Rev, Writer: NewWriter(), Acts: true}
	if !e.Alive() {
		item.Expires = now.Add(deadKept)
	}
	if s.ProposedBy != "" {
		told[keyProposal], act = strings.TrimPrefix(string(act), "entity_"), flow.ActEntityPropose
		item.Key, item.Expires = proposedKey(s.ProposedBy, e.Kind, e.ID), time.Time{}
		item.Index = Index{Status: KindProposed.Key(s.ProposedBy), Created: now}
	}
	stored := storedEntity{Entity: e, acted: acted{before.Acts.With(flow.NewAct(flow.Author{By: by.By, At: now}, act, about, told), e.Rev)}}
	var err error
	if item.Body, err = packAsIs(stored); err != nil {
		return entity.Entity{}, err
	}
	_, err = s.Store.Put(ctx, item)
	switch {
	case errors.Is(err, ErrTooLarge):
		return entity.Entity{}, invalidEntity("name", fmt.Sprintf("%s %q takes more than %d KB, compressed: split it", e.Kind, e.Name, MaxItemBytes>>10))
	case err != nil:
		return entity.Entity{}, fmt.Errorf("write %s %s: %w", e.Kind, e.ID, err)
	}
	return e, nil
}
