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

// Waits keeps whom open requests wait for: an item for each run and each person,
// which follow from the run, so that nobody has to look through what is open.
type Waits struct {
	Store Store            // required
	Now   func() time.Time // required
}

// everybody stands for more people than would each get an item.
const everybody = "everybody"

// maxAsked is how many people get an item each.
const maxAsked = 25

// waiting is the item of a run: it says who has one for it.
type waiting struct {
	Rev    int64    `json:"rev"`
	People []string `json:"people,omitempty"`
}

// Follow keeps what is true of a run at a revision: since when it waits for whom.
// Nobody: it does not wait. all: everybody may be the one. More than 25 people are
// everybody: what is listed for people has to be checked.
func (s Waits) Follow(ctx context.Context, run string, rev int64, since time.Time, people []flow.Actor, all bool) error {
	var wanted []string
	for _, who := range people {
		if name := who.SlackTeam + "#" + who.SlackID; who.SlackID != "" && !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	if all || len(wanted) > maxAsked {
		wanted = []string{everybody}
	}
	slices.Sort(wanted)
	key := KindWait.Key(run)
	for range maxConflicts {
		var w waiting
		item, err := s.Store.Get(ctx, key)
		if err == nil {
			err = json.Unmarshal(item.Body, &w)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("read whom run %s waits for: %w", run, err)
		}
		if w.Rev > rev || slices.Equal(w.People, wanted) {
			return nil
		}
		// Nobody is forgotten before their item is gone, nor has one before that is
		// noted.
		all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(w.People, wanted))))
		if err = nil; !slices.Equal(all, w.People) {
			item.Rev, err = s.note(ctx, key, item.Rev, waiting{rev, all})
		}
		if err == nil {
			for _, name := range all {
				gone := !slices.Contains(wanted, name)
				if err := derive(ctx, s.Store, key+"#"+name, rev, run, KindWait.Key(name), since, gone, s.Now()); err != nil {
					return err
				}
			}
			if !slices.Equal(all, wanted) {
				_, err = s.note(ctx, key, item.Rev, waiting{rev, wanted})
			}
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write whom run %s waits for: %w", run, err)
		}
		return nil
	}
	return fmt.Errorf("write whom run %s waits for: %w", run, ErrConflict)
}

func (s Waits) note(ctx context.Context, key string, rev int64, w waiting) (int64, error) {
	body, err := flow.EncodeJSON(w)
	if err != nil {
		return 0, err
	}
	item := Item{Key: key, Rev: rev, Writer: NewWriter(), Body: body}
	if len(w.People) == 0 {
		item.Expires = s.Now().Add(derivedTime)
	}
	return s.Store.Put(ctx, item)
}

// For lists the runs that may wait for a person, the newest first. What waits for
// everybody is among them: whoever shows them checks who may decide. more: there are
// others.
func (s Waits) For(ctx context.Context, who flow.Actor) (runs []string, more bool, err error) {
	for _, name := range []string{who.SlackTeam + "#" + who.SlackID, everybody} {
		list, cursor, err := listDerived[string](ctx, s.Store, KindWait.Key(name), "", 0)
		if err != nil {
			return nil, false, err
		}
		runs, more = append(runs, list...), more || cursor != ""
	}
	return runs, more, nil
}
