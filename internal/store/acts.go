package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// actKinds are the kinds of items that carry administrative acts.
var actKinds = []Kind{KindToken, KindIdentity, KindUser, KindMoved, KindFlow, KindFlowsFilter, KindSettings, KindDestination, KindCursor, KindRound, KindRefusal, KindAgent, KindAct, KindEntity, KindProposed, KindProposals}

// ActKinds lists the kinds of items that carry administrative acts.
func ActKinds() []Kind { return slices.Clone(actKinds) }

// CarriesActs tells whether an item may carry administrative acts, by its key.
func CarriesActs(key string) bool {
	return slices.ContainsFunc(actKinds, func(k Kind) bool { _, ok := k.Name(key); return ok })
}

// actsKept is how long an item that nobody needs any more stays for its acts to be
// shipped: longer than anything may be queued on the way.
const actsKept = 30 * 24 * time.Hour

// acted is the part of an item that carries acts.
type acted struct {
	Acts flow.Acts `json:"acts,omitempty"`
}

// recordedIn tells whether a value that is written as a revision carries an act of
// that write.
func (a acted) recordedIn(rev int64) bool { return len(a.Acts.At(rev)) > 0 }

// recorder is a value that carries acts.
type recorder interface{ recordedIn(rev int64) bool }

// Acts keeps what administrators did: with the item that they changed, or in an item
// of its own where they changed none.
type Acts struct {
	Store Store            // required
	Now   func() time.Time // required to write
}

// Of gives the acts of an item that were written with some of its revisions. It
// returns none if there is no such item.
func (s Acts) Of(ctx context.Context, key string, revs ...int64) (flow.Acts, error) {
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the acts of %s: %w", key, err)
	}
	var carried acted
	read := json.Unmarshal
	if packed(item.Body) {
		read = unpack
	}
	if err := read(item.Body, &carried); err != nil {
		return nil, fmt.Errorf("decode the acts of %s: %w", key, err)
	}
	return carried.Acts.At(revs...), nil
}

// Put writes an act that changes no item of ours: when it begins, and again, under the
// same id, when it is over.
func (s Acts) Put(ctx context.Context, a flow.Act) error {
	for range maxConflicts {
		key := KindAct.Key(a.ID)
		item, err := s.Store.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("read %s: %w", key, err)
		}
		body, err := flow.EncodeJSON(acted{flow.Acts{}.With(a, item.Rev+1)})
		if err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
		_, err = s.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body, Expires: s.Now().Add(actsKept), Acts: true})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		return nil
	}
	return fmt.Errorf("write the act %s: %w", a.ID, ErrConflict)
}
