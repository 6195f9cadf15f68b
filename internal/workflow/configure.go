package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Configure takes pieces of configuration from the configuration API, one by one, and
// keeps those that are right by themselves and with what they refer to. Between two of
// them the whole may be incomplete: whoever publishes flows of it waits until all that a
// flow needs is there.
type Configure struct {
	Entities store.Entities // required
	// Check gives what is wrong with an entity, given those that it refers to and that
	// these refer to; required.
	Check func(ctx context.Context, e entity.Entity, around []entity.Entity) []entity.Fault
	// Bounds are what access may be granted by. Nil: anything, as on one machine, whose
	// operator's rights are those of its strategies.
	Bounds *entity.Bounds
	// Approval is the name of the flow that has to approve changes, which are kept as
	// proposals until then; "": they are made at once.
	Approval string

	proposer *store.Token
}

// By is the configuration as somebody sees it who has a token; nil: who has none. Where
// changes need approval, that is as if what they have proposed were in force, and nobody
// else sees that.
func (c Configure) By(t *store.Token) Configure {
	if c.Approval != "" && t != nil {
		c.proposer, c.Entities.ProposedBy = t, t.ID
	}
	return c
}

// open makes sure that a change may be made, or proposed.
func (c Configure) open(ctx context.Context) error {
	switch {
	case c.Approval == "":
		return nil
	case c.proposer == nil:
		return flow.Errorf(flow.CodeForbidden, "changes of the configuration need the approval of the flow %s here, for which somebody has to answer as the requester: change it with a token (token create -config), whose owner does", c.Approval)
	}
	return c.Entities.Proposals().Open(ctx, *c.proposer)
}

// Create keeps a new entity and gives it its id. The error has flow.CodeInvalid, with a
// field for each fault, for one that is not right.
func (c Configure) Create(ctx context.Context, by store.EntityChange, e entity.Entity) (entity.Entity, error) {
	if err := c.check(ctx, e); err != nil {
		return entity.Entity{}, err
	}
	if err := c.open(ctx); err != nil {
		return entity.Entity{}, err
	}
	return c.Entities.Create(ctx, by, e)
}

// Replace keeps an entity in the place of the one that has its id: attributes that are
// not there any more are gone. The error has flow.CodeUnknownEntity if there is none, and
// flow.CodeInvalid, with a field for each fault, if it is not right.
func (c Configure) Replace(ctx context.Context, by store.EntityChange, e entity.Entity) (entity.Entity, error) {
	if _, err := c.Get(ctx, e.Kind, e.ID); err != nil {
		return entity.Entity{}, err // what is gone has no faults
	}
	if err := c.check(ctx, e); err != nil {
		return entity.Entity{}, err
	}
	if err := c.open(ctx); err != nil {
		return entity.Entity{}, err
	}
	return c.Entities.Replace(ctx, by, e)
}

// Delete takes an entity away, whether something refers to it or not: Terraform deletes
// before it changes what refers to it. One that is gone already stays gone. The error has
// flow.CodeUnknownEntity if it never was.
func (c Configure) Delete(ctx context.Context, by store.EntityChange, kind entity.Kind, id string) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	return c.Entities.Delete(ctx, by, entity.API, kind, strings.ToLower(id))
}

// Get reads an entity, of either owner. The error has flow.CodeUnknownEntity if it is not
// there, or not any more.
func (c Configure) Get(ctx context.Context, kind entity.Kind, id string) (entity.Entity, error) {
	e, err := c.Entities.Get(ctx, kind, strings.ToLower(id))
	if err == nil && !e.Alive() {
		err = flow.Errorf(flow.CodeUnknownEntity, "%s %q was deleted", strings.ReplaceAll(string(kind), "_", " "), flow.Clip(id, maxIDShown))
	}
	return e, err
}

const maxIDShown = 60

// Find gives the entity that a name means, and a type where the kind has some and one is
// given: of several, the one that took the name last. It returns none if there is none,
// and several only for the end of a path that several secrets have.
func (c Configure) Find(ctx context.Context, kind entity.Kind, name, typ string) ([]entity.Entity, error) {
	found, err := c.Entities.Find(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e entity.Entity) bool { return typ != "" && e.Type != typ })
	for _, e := range found {
		if e.Is(name) {
			return []entity.Entity{e}, nil
		}
	}
	return found, nil
}

// List gives all entities of a kind that are there, in order of name.
func (c Configure) List(ctx context.Context, kind entity.Kind) ([]entity.Entity, error) {
	all, err := c.Entities.All(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(e entity.Entity) bool { return e.Kind != kind || !e.Alive() })
	slices.SortStableFunc(all, func(a, b entity.Entity) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return all, nil
}

// Page gives a part of all entities that are there, of both owners, in an order of its own:
// those that come after the cursor, "" for the first ones, and the cursor for the next
// part; "" if there is none. A part has some hundred KB, or one entity.
func (c Configure) Page(ctx context.Context, after string) (list []entity.Entity, next string, err error) {
	c.Entities.ProposedBy = "" // what is in force
	all, err := c.Entities.All(ctx)
	if err != nil {
		return nil, "", err
	}
	place := func(e entity.Entity) string { return string(e.Kind) + "#" + e.ID }
	slices.SortFunc(all, func(a, b entity.Entity) int { return strings.Compare(place(a), place(b)) })
	size := 0
	for _, e := range all {
		if !e.Alive() || place(e) <= after {
			continue
		}
		if size > maxPageBytes {
			return list, place(list[len(list)-1]), nil
		}
		size += len(e.Attributes)
		list = append(list, e)
	}
	return list, "", nil
}

// maxPageBytes is how much of attributes a page has before it ends.
const maxPageBytes = 512 << 10

// Offered is an entity that is to change hands, as whoever offers it has seen it.
type Offered struct {
	Kind       entity.Kind
	ID, Digest string
	As         string // the name of its document, if not its own
}

// Offer lets entities change hands until a time: see [entity.Moving]. With check, it only
// says what is in the way. The error has flow.CodeInvalid, with a field for each fault, and
// nothing is changed then: for what says something else by now, and for what the files have
// and the API may not name.
func (c Configure) Offer(ctx context.Context, by store.EntityChange, list []Offered, until time.Time, check bool) error {
	c.Entities.ProposedBy = "" // it changes nothing that anybody would have to approve
	var faults []entity.Fault
	for _, o := range list {
		e, err := c.Get(ctx, o.Kind, o.ID)
		what := fmt.Sprintf("%s %q", o.Kind, cmp.Or(e.Name, flow.Clip(o.ID, maxIDShown)))
		switch {
		case flow.CodeOf(err) == flow.CodeUnknownEntity:
			faults = append(faults, entity.Fault{Attribute: what, Message: "is not there any more"})
		case err != nil:
			return err
		case e.Digest() != o.Digest:
			faults = append(faults, entity.Fault{Attribute: what, Message: "says something else by now: look at it again"})
		case o.As != "" && flow.CheckName(o.As) != nil:
			faults = append(faults, entity.Fault{Attribute: what, Message: "can't be named so"})
		case e.Owner == entity.Files && c.Bounds != nil:
			for _, f := range c.Bounds.Outside(e) {
				faults = append(faults, entity.Fault{Attribute: what + ": " + f.Attribute, Message: f.Message})
			}
		}
	}
	if err := Refused(faults); err != nil || check {
		return err
	}
	for _, o := range list {
		if err := c.Entities.Offer(ctx, by, o.Kind, o.ID, o.Digest, entity.Moving{Until: until, As: o.As}); err != nil {
			return err
		}
	}
	return nil
}

// Broken gives the entities that no flows can be made of, in order of kind and name, as
// [Assemble] found them, and whether something has changed that it has not heeded yet.
func (c Configure) Broken(ctx context.Context) (list []store.Broken, pending bool, err error) {
	all, err := c.Entities.All(ctx) // before the state, which may heed more
	if err != nil {
		return nil, false, err
	}
	state, err := store.Assembled{Store: c.Entities.Store}.Get(ctx)
	if err != nil {
		return nil, false, err
	}
	list = slices.SortedFunc(maps.Values(state.Broken), func(a, b store.Broken) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	if nobodyConfigures(all, state) {
		return list, false, nil
	}
	_, last := unheeded(all, state.Upto)
	return list, !last.IsZero(), nil
}

// check refuses an entity that is not right.
func (c Configure) check(ctx context.Context, e entity.Entity) error {
	around, err := c.around(ctx, e)
	if err != nil {
		return err
	}
	faults := c.Check(ctx, e, around)
	if c.Bounds != nil {
		faults = append(faults, c.Bounds.Outside(e)...)
	}
	return Refused(faults)
}

// Refused is the error for faults of an entity, in order of attributes; nil if there are
// none.
func Refused(faults []entity.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b entity.Fault) int { return strings.Compare(a.Attribute, b.Attribute) })
	refused := &flow.Error{Code: flow.CodeInvalid, Message: "the entity is not right"}
	for _, f := range faults {
		refused.Fields = append(refused.Fields, flow.FieldError{Field: f.Attribute, Message: f.Message})
	}
	return refused
}

// readsAtOnce is how many entities are read at the same time.
const readsAtOnce = 16

// around reads what an entity refers to, and what that refers to, as far as it is there.
func (c Configure) around(ctx context.Context, e entity.Entity) ([]entity.Entity, error) {
	seen := map[entity.Ref]bool{}
	var all []entity.Entity
	for next := []entity.Entity{e}; len(next) > 0; {
		var refs []entity.Ref
		for _, from := range next {
			for _, r := range from.Refs() {
				r = entity.Ref{Kind: r.Kind, ID: strings.ToLower(r.ID)}
				// A destination may name flows, which need not be right for it.
				if !seen[r] && (r.Kind != entity.KindFlow || from.ID == e.ID) {
					seen[r] = true
					refs = append(refs, r)
				}
			}
		}
		found := make([]entity.Entity, len(refs))
		errs := make([]error, len(refs))
		var wg sync.WaitGroup
		free := make(chan struct{}, readsAtOnce)
		for i, r := range refs {
			free <- struct{}{}
			wg.Go(func() {
				defer func() { <-free }()
				found[i], errs[i] = c.Get(ctx, r.Kind, r.ID)
				if flow.CodeOf(errs[i]) == flow.CodeUnknownEntity {
					errs[i] = nil // the rules say so, where it matters
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, fmt.Errorf("read what %s %q refers to: %w", e.Kind, e.Name, err)
		}
		next = slices.DeleteFunc(found, func(e entity.Entity) bool { return e.ID == "" || !e.Alive() })
		all = append(all, next...)
	}
	return slices.DeleteFunc(all, func(other entity.Entity) bool { return e.ID != "" && other.ID == e.ID && other.Kind == e.Kind }), nil
}
