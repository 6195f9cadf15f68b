package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// Destinations keeps the published log destinations, and how far each of them has been
// sent the transparency log.
type Destinations struct {
	Store Store // required
}

// destinationsInForce are the published ones.
type destinationsInForce struct {
	List []flow.LogDestination `json:"list"` // of files
	API  []flow.LogDestination `json:"api,omitempty"`

	acted
}

// Cursor is how far a destination has been sent the transparency log.
type Cursor struct {
	Next int64     `json:"next"`        // index of the first record that it has not been sent
	At   time.Time `json:"at,omitzero"` // when it took a record last
	// Failing is since when it takes none, Error why, and Tries how often it was tried
	// since; Due is when it is tried again. Zero: it is well.
	Failing time.Time `json:"failing,omitzero"`
	Error   string    `json:"error,omitempty"`
	Tries   int       `json:"tries,omitempty"`
	Due     time.Time `json:"due,omitzero"`
	// Aside are the last of the records that it refused for good, the oldest first, and
	// Refused how many there were.
	Aside   []Aside `json:"aside,omitempty"`
	Refused int64   `json:"refused,omitempty"`
	// Told is of how many of those the error channel has heard.
	Told int64 `json:"told,omitempty"`
	// InRow is how many of those were refused since a record was taken.
	InRow int `json:"in_row,omitempty"`

	acted
	rev int64
}

// Aside is a record that a destination has refused for good.
type Aside struct {
	Index int64     `json:"index"`
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

// maxAside is how many of them are listed.
const maxAside = 50

// SetAside notes a record that was refused for good.
func (c *Cursor) SetAside(a Aside) {
	c.Refused++
	c.InRow++
	c.Aside = append(slices.Clone(c.Aside), a)
	c.Aside = c.Aside[max(0, len(c.Aside)-maxAside):]
}

// Well notes that a destination takes records.
func (c *Cursor) Well() {
	c.Failing, c.Error, c.Tries, c.Due = time.Time{}, "", 0, time.Time{}
}

// Publish makes these the log destinations that an owner has, in the name of by. One that is
// new is sent what is logged from now on, where the log has size records; one that was
// there before goes on where it was, and one that the other owner hands over where that is.
// Of those to keep, by name, the ones that the other owner does not have yet stay as they are.
func (s Destinations) Publish(ctx context.Context, by flow.Author, owner entity.Owner, list []flow.LogDestination, size int64, keep ...string) error {
	published, err := s.published(ctx)
	if err != nil {
		return err
	}
	before, others := *published.of(owner), *published.besides(owner)
	// The places first: one that is published without would be sent all from the beginning.
	for _, d := range list {
		if find(before, d) != nil {
			continue
		}
		begins := Cursor{Next: size}
		other := find(others, d)
		if other != nil {
			if begins, err = s.Cursor(ctx, *other); err != nil {
				return err
			}
		}
		if err := s.begin(ctx, d, begins, other != nil); err != nil {
			return err
		}
	}
	err = again(func() error { return s.publish(ctx, by, owner, list, keep) })
	if err != nil {
		return fmt.Errorf("write the log destinations: %w", err)
	}
	return nil
}

// begin writes where a destination begins. Where another one hands over to it, that counts
// if it has come further than this one had once.
func (s Destinations) begin(ctx context.Context, d flow.LogDestination, at Cursor, handedOver bool) error {
	return again(func() error {
		_, err := s.SetCursor(ctx, d, Cursor{Next: at.Next, At: at.At})
		if !errors.Is(err, ErrConflict) || !handedOver {
			if errors.Is(err, ErrConflict) {
				err = nil // it was there before
			}
			return err
		}
		c, err := s.cursor(ctx, d.Key())
		if err != nil {
			return fmt.Errorf("read where log destination %q begins: %w", d.Name, err)
		}
		if c.Next >= at.Next {
			return nil
		}
		c.Next, c.At = at.Next, at.At
		_, err = s.SetCursor(ctx, d, c)
		return err
	})
}

func (s Destinations) publish(ctx context.Context, by flow.Author, owner entity.Owner, list []flow.LogDestination, keep []string) error {
	return edit(ctx, s.Store, KindDestination.Key(""), func(now *destinationsInForce, rev int64) {
		theirs, others := now.of(owner), *now.besides(owner)
		list := slices.Clone(list)
		for _, d := range *theirs {
			kept := slices.ContainsFunc(keep, func(name string) bool { return strings.EqualFold(name, d.Name) })
			if kept && find(list, d) == nil && find(others, d) == nil {
				list = append(list, d)
			}
		}
		told := func(name flow.ActName, d flow.LogDestination) {
			about := flow.Subject{Kind: "log_destination", ID: d.ID, Name: d.Name}
			now.Acts = now.Acts.With(flow.NewAct(by, name, about, map[string]any{"type": d.Type, "environments": d.Environments}), rev)
		}
		for _, d := range list {
			before := find(*theirs, d)
			if other := find(others, d); before == nil && other != nil { // which hands it over
				same := *other
				same.ID = d.ID
				before = &same
			}
			if before == nil || !reflect.DeepEqual(*before, d) {
				told(flow.ActPublish, d)
			}
		}
		for _, d := range *theirs {
			if find(list, d) == nil && find(others, d) == nil {
				told(flow.ActWithdraw, d)
			}
		}
		*theirs = list
	})
}

// of are those of an owner.
func (p *destinationsInForce) of(owner entity.Owner) *[]flow.LogDestination {
	if owner == entity.API {
		return &p.API
	}
	return &p.List
}

// besides are those of the other owner.
func (p *destinationsInForce) besides(owner entity.Owner) *[]flow.LogDestination {
	if owner == entity.API {
		return p.of(entity.Files)
	}
	return p.of(entity.API)
}

// find gives the destination among those of its owner. Where it was published before the
// API's had ids, it is the one of its type and name.
func find(list []flow.LogDestination, d flow.LogDestination) *flow.LogDestination {
	i := slices.IndexFunc(list, func(other flow.LogDestination) bool {
		if d.ID != "" && other.ID != "" {
			return other.ID == d.ID
		}
		return other.Type == d.Type && strings.EqualFold(other.Name, d.Name)
	})
	if i < 0 {
		return nil
	}
	return &list[i]
}

// published reads the item of those that are; an empty one if there is none.
func (s Destinations) published(ctx context.Context) (p destinationsInForce, err error) {
	item, err := s.Store.Get(ctx, KindDestination.Key(""))
	if errors.Is(err, ErrNotFound) {
		return p, nil
	}
	if err == nil {
		err = unpack(item.Body, &p)
	}
	if err != nil {
		return p, fmt.Errorf("list the log destinations: %w", err)
	}
	return p, nil
}

// List gives the published ones in order of name.
func (s Destinations) List(ctx context.Context) ([]flow.LogDestination, error) {
	published, err := s.published(ctx)
	if err != nil {
		return nil, err
	}
	for i := range published.API {
		published.API[i].ByAPI = true
	}
	all := slices.Clone(published.API)
	for _, d := range published.List {
		if find(published.API, d) == nil { // else it is being handed over
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b flow.LogDestination) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Key(), b.Key()))
	})
	return all, nil
}

// Named gives the published destination that is called so: by its name, or by what
// [flow.LogDestination.Among] gives. The error is ErrNotFound if there is none, and has
// flow.CodeInvalid, with what they are called, if several have the name.
func (s Destinations) Named(ctx context.Context, name string) (flow.LogDestination, error) {
	all, err := s.List(ctx)
	if err != nil {
		return flow.LogDestination{}, err
	}
	var found []flow.LogDestination
	var called []string
	for _, d := range all {
		if strings.EqualFold(d.Key(), name) {
			return d, nil
		}
		if strings.EqualFold(d.Name, name) {
			found, called = append(found, d), append(called, d.Among(all))
		}
	}
	switch len(found) {
	case 0:
		return flow.LogDestination{}, fmt.Errorf("log destination %q: %w", name, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return flow.LogDestination{}, flow.Errorf(flow.CodeInvalid, "there are %d log destinations %q: say which, %s", len(found), name, strings.Join(called, " or "))
}

// Cursor reads how far a destination has been sent. The error is ErrNotFound if it was
// never published.
func (s Destinations) Cursor(ctx context.Context, d flow.LogDestination) (Cursor, error) {
	c, err := s.cursor(ctx, d.Key())
	if errors.Is(err, ErrNotFound) {
		// Destinations of one name had one cursor once: from there each goes on by its own.
		c, err = s.cursor(ctx, d.Name)
		c.rev, c.acted = 0, acted{}
	}
	if err != nil {
		return c, fmt.Errorf("read how far log destination %q has been sent: %w", d.Name, err)
	}
	return c, nil
}

func (s Destinations) cursor(ctx context.Context, key string) (c Cursor, err error) {
	item, err := s.Store.Get(ctx, KindCursor.Key(key))
	if err == nil {
		err = json.Unmarshal(item.Body, &c)
	}
	c.rev = item.Rev
	return c, err
}

// SetCursor writes how far a destination has been sent, where c was read and changed, and
// gives what to go on with. The error is ErrConflict if somebody else has written
// meanwhile, somebody who has it sent again: read anew.
func (s Destinations) SetCursor(ctx context.Context, d flow.LogDestination, c Cursor) (Cursor, error) {
	body, err := json.Marshal(c)
	if err == nil {
		item := Item{Key: KindCursor.Key(d.Key()), Rev: c.rev, Writer: NewWriter(), Body: body, Acts: c.recordedIn(c.rev + 1)}
		c.rev, err = s.Store.Put(ctx, item)
		if err != nil && !errors.Is(err, ErrConflict) && ctx.Err() == nil {
			c.rev, err = s.Store.Put(ctx, item) // the answer may have been lost: the same writer finds out
		}
	}
	if err != nil {
		return c, fmt.Errorf("write how far log destination %q has been sent: %w", d.Name, err)
	}
	return c, nil
}

// Replay has a destination be sent the log again from an index on, in the name of by, and
// be tried at once. The error has flow.CodeInvalid for an index that it has not come to.
func (s Destinations) Replay(ctx context.Context, by flow.Author, d flow.LogDestination, from int64) error {
	for range maxConflicts {
		c, err := s.Cursor(ctx, d)
		if err != nil {
			return err
		}
		if from < 0 || from > c.Next {
			return flow.Errorf(flow.CodeInvalid, "log destination %q has been sent the records up to %d: it can be sent again from one of 0 to %d", d.Name, c.Next-1, c.Next)
		}
		about := flow.Subject{Kind: "log_destination", ID: d.ID, Name: d.Name}
		c.Acts = c.Acts.With(flow.NewAct(by, flow.ActReplay, about, map[string]any{"from": from, "former_next": c.Next}), c.rev+1)
		c.Next = from
		c.Due = time.Time{}
		if _, err = s.SetCursor(ctx, d, c); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("replay log destination %q: %w", d.Name, ErrConflict)
}
