package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// Proposals keeps changes of entities that wait for approval, each in an item of its own
// beside the entity, which stays as it is. They are written and read by
// [Entities.ProposedBy]; here is how they come into force, or end. What one run lists is
// kept apart, as it was listed: what is proposed afterwards is not slipped into it.
type Proposals struct {
	Store Store            // required
	Now   func() time.Time // required to write
}

// Proposing is where the proposals of one token are on their way.
type Proposing struct {
	Token string `json:"token"` // its id
	Hash  string `json:"hash"`  // the token's
	Bot   string `json:"bot"`
	Owner string `json:"owner"` // who answers for it
	// Asked is what a run lists, or is to list; nil: nothing is asked.
	Asked *Asked `json:"asked,omitempty"`
	// Drop says why all of it is to be dropped; "" if it is not.
	Drop string `json:"drop,omitempty"`
	// Trouble says why nobody can be asked just now, and what to do; "" if nothing is in
	// the way.
	Trouble string `json:"trouble,omitempty"`
	Rev     int64  `json:"-"`

	acted
}

// Asked is what one run lists.
type Asked struct {
	ID     string    `json:"id"`
	Flow   string    `json:"flow"`   // the name of the one that decides
	Digest string    `json:"digest"` // of all that is listed
	Text   string    `json:"text"`   // as people read it
	Count  int       `json:"count"`
	Wider  int       `json:"wider"` // of these, those that may let more happen than before
	Parts  int       `json:"parts"` // items that hold it
	At     time.Time `json:"at"`
	Run    string    `json:"run,omitempty"` // "": the run is not there yet
	// Superseded: more was proposed since, so that the run is cancelled, and another one
	// lists all of it.
	Superseded bool `json:"superseded,omitempty"`
	// Applying: it is approved, and being put in force.
	Applying bool `json:"applying,omitempty"`
}

// AskedChange is one change as it was listed.
type AskedChange struct {
	Before string        `json:"before,omitempty"` // digest of what was in force; "" if nothing was
	Entity entity.Entity `json:"entity"`           // dead: it is to go
}

// Proposals are those of the same table.
func (s Entities) Proposals() Proposals { return Proposals{Store: s.Store, Now: s.Now} }

func proposedKey(token string, kind entity.Kind, id string) string {
	return KindProposed.Key(token + "#" + string(kind) + "#" + id)
}

func askedKey(token, id string, part int) string {
	return KindAsked.Key(fmt.Sprintf("%s#%s#%d", token, id, part))
}

// ProposedOf tells whether an item with a key is of a proposal, or of where proposals are.
func ProposedOf(key string) bool {
	_, proposal := KindProposed.Name(key)
	_, proposing := KindProposals.Name(key)
	return proposal || proposing
}

// proposed reads an entity as the token sees it. What is in force has the revision of the
// proposal that was there, and its acts, for the next proposal to go on from.
func (s Entities) proposed(ctx context.Context, kind entity.Kind, id string) (storedEntity, error) {
	own, err := s.read(ctx, kind, id, proposedKey(s.ProposedBy, kind, id))
	if err == nil && !own.Over {
		return own, nil
	}
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownEntity {
		return storedEntity{}, err
	}
	inForce, below := s.read(ctx, kind, id, entityKey(kind, id))
	if flow.CodeOf(below) == flow.CodeUnknownEntity && err == nil {
		return own, nil // it is dead
	}
	inForce.Rev, inForce.Acts = own.Rev, own.Acts
	return inForce, below
}

// withProposed puts what the token proposes in the place of what is in force.
func (s Entities) withProposed(ctx context.Context, all []entity.Entity) ([]entity.Entity, error) {
	if s.ProposedBy == "" {
		return all, nil
	}
	changes, err := Proposals{Store: s.Store}.Of(ctx, s.ProposedBy)
	if err != nil {
		return nil, err
	}
	name := func(e entity.Entity) string { return string(e.Kind) + "#" + e.ID }
	own := map[string]bool{}
	for _, e := range changes {
		own[name(e)] = true
	}
	all = slices.DeleteFunc(all, func(e entity.Entity) bool { return own[name(e)] })
	all = append(all, changes...)
	slices.SortFunc(all, func(a, b entity.Entity) int { return strings.Compare(name(a), name(b)) })
	return all, nil
}

// Open notes that a token is about to propose something.
func (s Proposals) Open(ctx context.Context, t Token) error {
	for range maxConflicts {
		p, err := s.Get(ctx, t.ID)
		if err == nil && p.Owner == t.Owner {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		p.Token, p.Hash, p.Bot, p.Owner = t.ID, t.Hash, t.Bot, t.Owner
		if _, err := s.Put(ctx, p); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("write the proposals of token %s: %w", t.ID, ErrConflict)
}

// Get reads where the proposals of a token are. Returns ErrNotFound if it never proposed
// anything.
func (s Proposals) Get(ctx context.Context, token string) (Proposing, error) {
	item, err := s.Store.Get(ctx, KindProposals.Key(token))
	if err != nil {
		return Proposing{}, fmt.Errorf("read the proposals of token %s: %w", token, err)
	}
	return decodeProposing(item)
}

func decodeProposing(item Item) (Proposing, error) {
	var p Proposing
	if err := unpack(item.Body, &p); err != nil {
		return p, fmt.Errorf("decode %s: %w", item.Key, err)
	}
	p.Rev = item.Rev
	return p, nil
}

// Put writes where the proposals of a token are, with acts about that, and returns it with
// its new revision. Returns ErrConflict if it was written since.
func (s Proposals) Put(ctx context.Context, p Proposing, acts ...flow.Act) (Proposing, error) {
	for _, act := range acts {
		p.Acts = p.Acts.With(act, p.Rev+1)
	}
	body, err := pack(p)
	if err != nil {
		return p, err
	}
	p.Rev, err = s.Store.Put(ctx, Item{Key: KindProposals.Key(p.Token), Rev: p.Rev, Writer: NewWriter(), Body: body, Acts: len(acts) > 0})
	if err != nil {
		return p, fmt.Errorf("write the proposals of token %s: %w", p.Token, err)
	}
	return p, nil
}

// List gives where the proposals of all tokens are that ever proposed anything. It may be
// a little late.
func (s Proposals) List(ctx context.Context) ([]Proposing, error) {
	var all []Proposing
	q := Query{By: ByKind, Value: string(KindProposals), Limit: maxPageSize}
	for {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list proposals: %w", err)
		}
		for _, item := range page.Items {
			p, err := decodeProposing(item)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return all, nil
		}
	}
}

// Applying tells whether something that was approved is coming into force, and is not yet
// there whole.
func (s Proposals) Applying(ctx context.Context) (bool, error) {
	all, err := s.List(ctx)
	return slices.ContainsFunc(all, func(p Proposing) bool { return p.Asked != nil && p.Asked.Applying }), err
}

// Of gives what a token proposes, the latest first: entities as they are to be, those dead
// that are to go. It may be a little late.
func (s Proposals) Of(ctx context.Context, token string) ([]entity.Entity, error) {
	var all []entity.Entity
	q := Query{By: ByStatus, Value: KindProposed.Key(token), Limit: maxPageSize}
	for {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list what token %s proposes: %w", token, err)
		}
		for _, item := range page.Items {
			stored, err := decodeEntity(item)
			if err != nil {
				return nil, err
			}
			if !stored.Over {
				all = append(all, stored.Entity)
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return all, nil
		}
	}
}

// Last is when a token proposed something last that waits yet; zero if nothing does.
func (s Proposals) Last(ctx context.Context, token string) (time.Time, error) {
	page, err := s.Store.List(ctx, Query{By: ByStatus, Value: KindProposed.Key(token), Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return time.Time{}, err
	}
	return page.Items[0].Index.Created, nil
}

// How much of what is listed goes into one item, before it is compressed, and for how long
// that stays: longer than any request is open.
const (
	partBytes = 256 << 10
	askedKept = 400 * 24 * time.Hour
)

// Freeze keeps changes as one run is to list them. It fills in where they are.
func (s Proposals) Freeze(ctx context.Context, token string, changes []AskedChange, a Asked) (Asked, error) {
	a.ID, a.Digest, a.Count, a.Parts, a.At = strings.ToLower(rand.Text()), digestOfAll(changes), len(changes), 0, s.Now().UTC()
	for len(changes) > 0 {
		n, size := 0, 0
		for n < len(changes) && (n == 0 || size+len(changes[n].Entity.Attributes) <= partBytes) {
			size += len(changes[n].Entity.Attributes) + 500 // and what else is known of it
			n++
		}
		body, err := packAsIs(changes[:n])
		if err != nil {
			return a, err
		}
		item := Item{Key: askedKey(token, a.ID, a.Parts), Writer: NewWriter(), Body: body, Expires: a.At.Add(askedKept)}
		if _, err := s.Store.Put(ctx, item); err != nil {
			return a, fmt.Errorf("write what a run is to list: %w", err)
		}
		changes, a.Parts = changes[n:], a.Parts+1
	}
	return a, nil
}

// Frozen gives changes as they were listed. [NotAsListed] tells of its error whether they
// are not there any more as they were.
func (s Proposals) Frozen(ctx context.Context, token string, a Asked) ([]AskedChange, error) {
	var changes []AskedChange
	for part := range a.Parts {
		item, err := s.Store.Get(ctx, askedKey(token, a.ID, part))
		if errors.Is(err, ErrNotFound) {
			break // the digest says so
		}
		var some []AskedChange
		if err == nil {
			err = unpack(item.Body, &some)
		}
		if err != nil {
			return nil, fmt.Errorf("read what run %s lists: %w", a.Run, err)
		}
		changes = append(changes, some...)
	}
	if digestOfAll(changes) != a.Digest {
		return nil, errNotAsListed
	}
	return changes, nil
}

// errNotAsListed says that what a run lists is not what is kept of it.
var errNotAsListed = errors.New("store: what was listed is not there as it was")

// NotAsListed tells whether an error of [Proposals.Frozen] says so.
func NotAsListed(err error) bool { return errors.Is(err, errNotAsListed) }

// digestOfAll tells apart what runs list: which entities, what of them was in force, and
// what is to be.
func digestOfAll(changes []AskedChange) string {
	h := sha256.New()
	for _, c := range changes {
		fmt.Fprintf(h, "%s %s %s %s\n", c.Entity.Kind, c.Entity.ID, c.Before, c.Entity.Digest())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// End ends a proposal, if it is still the one that was listed: what is in force stands.
// Why it is dropped is recorded; "": it is in force.
func (s Proposals) End(ctx context.Context, by EntityChange, token string, e entity.Entity, why string) error {
	entities := Entities{Store: s.Store, Now: s.Now, ProposedBy: token}
	for range maxConflicts {
		own, err := entities.read(ctx, e.Kind, e.ID, proposedKey(token, e.Kind, e.ID))
		if flow.CodeOf(err) == flow.CodeUnknownEntity || err == nil && (own.Over || !own.Same(e)) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := entities.end(ctx, by, own, why); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("end the proposal of %s %s: %w", e.Kind, e.ID, ErrConflict)
}

// end writes that a proposal is over.
func (s Entities) end(ctx context.Context, by EntityChange, own storedEntity, why string) error {
	now := s.Now().UTC()
	item := Item{Key: proposedKey(s.ProposedBy, own.Kind, own.ID), Rev: own.Rev, Writer: NewWriter(), Expires: now.Add(actsKept)}
	if why != "" {
		told := map[string]any{"reason": why}
		for name, text := range map[string]string{keyRun: by.Run, "request_id": own.Request, "digest": own.Entity.Digest()} {
			if text != "" {
				told[name] = text
			}
		}
		act := flow.NewAct(flow.Author{By: by.By, At: now}, flow.ActEntityDrop, flow.Subject{Kind: string(own.Kind), ID: own.ID, Name: own.Name}, told)
		own.Acts, item.Acts = own.Acts.With(act, own.Rev+1), true
	}
	own.Over, own.Dead, own.Attributes = true, now, nil
	var err error
	if item.Body, err = pack(own); err != nil {
		return err
	}
	_, err = s.Store.Put(ctx, item)
	return err
}

// Apply puts a change in force as it was listed. One that is in force already is not
// written again. It returns false, and changes nothing, if what was in force when it was
// listed is not any more.
func (s Entities) Apply(ctx context.Context, by EntityChange, c AskedChange) (bool, error) {
	for range maxConflicts {
		before, err := s.get(ctx, c.Entity.Kind, c.Entity.ID)
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownEntity {
			return false, err
		}
		e, now := c.Entity, s.Now().UTC()
		if before.Same(e) || !before.Alive() && !e.Alive() || before.Kind == "" && !e.Alive() {
			return true, nil
		}
		if before.Entity.Digest() != c.Before || before.Alive() && before.Kind != "" && before.Owner != e.Owner {
			return false, nil
		}
		switch {
		case !e.Alive():
			e.Dead = now
		case before.Kind == "" || !before.Alive():
			e.Created, e.Named = now, now
		case !before.Is(e.Name):
			e.Created, e.Named = before.Created, now
		default:
			e.Created, e.Named = before.Created, before.Named
		}
		if err := s.name(ctx, e); err != nil {
			return false, err
		}
		by.Request = e.Request
		_, err = s.put(ctx, by, before, e)
		if errors.Is(err, ErrConflict) {
			continue
		}
		return err == nil, err
	}
	return false, fmt.Errorf("write %s %s: %w", c.Entity.Kind, c.Entity.ID, ErrConflict)
}

// Stands tells whether what was in force when a change was listed is so yet, or the change
// is.
func (s Entities) Stands(ctx context.Context, c AskedChange) (bool, error) {
	before, err := s.get(ctx, c.Entity.Kind, c.Entity.ID)
	if err != nil && flow.CodeOf(err) != flow.CodeUnknownEntity {
		return false, err
	}
	return before.Same(c.Entity) || before.Entity.Digest() == c.Before, nil
}
