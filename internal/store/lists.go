package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Lists keeps runs in listings that no index of theirs gives: of a target, and of
// somebody who decided. What is listed follows from the run, and stays.
type Lists struct {
	Store Store            // required
	Now   func() time.Time // required
}

// The listings.
const (
	listTarget  = "target"
	listDecider = "decider"
)

// ListOfTarget gives the value under which runs for a target are found, ByStatus:
// id is the target's.
func ListOfTarget(id string) string { return KindListed.Key(listTarget + "#" + id) }

// ListOfDecider gives the value under which runs are found, ByStatus, that
// somebody approved or denied: id is the person's.
func ListOfDecider(id string) string { return KindListed.Key(listDecider + "#" + id) }

// Follow lists a run, at a revision, under the target that it is for ("" if it has
// none), and under those who decided it. A run that is given another target moves.
func (s Lists) Follow(ctx context.Context, r flow.Run, target string, deciders []string) error {
	key := KindListed.Key(strings.ToLower(r.ID)) + "#"
	if target != "" {
		if err := derive(ctx, s.Store, key+listTarget, r.Rev, r.ID, ListOfTarget(target), r.Created, false, s.Now()); err != nil {
			return err
		}
	}
	for _, id := range deciders {
		if err := derive(ctx, s.Store, key+listDecider+"#"+id, r.Rev, r.ID, ListOfDecider(id), r.Created, false, s.Now()); err != nil {
			return err
		}
	}
	return nil
}

// Relisted is how far runs of before there were listings have been put into them.
type Relisted struct {
	Cursor string    `json:"cursor,omitempty"` // where the listing of all runs goes on
	Done   time.Time `json:"done,omitzero"`    // when all were; zero: not yet

	rev int64
}

// Relisted reads it.
func (s Lists) Relisted(ctx context.Context) (Relisted, error) {
	var r Relisted
	item, err := s.Store.Get(ctx, KindRelisted.Key(""))
	if errors.Is(err, ErrNotFound) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read how far runs are listed: %w", err)
	}
	r.rev = item.Rev
	return r, nil
}

// SetRelisted writes what was read, and changed. The error is ErrConflict if somebody else
// has written meanwhile.
func (s Lists) SetRelisted(ctx context.Context, r Relisted) error {
	body, err := json.Marshal(r)
	if err == nil {
		_, err = s.Store.Put(ctx, Item{Key: KindRelisted.Key(""), Rev: r.rev, Writer: NewWriter(), Body: body})
	}
	if err != nil {
		return fmt.Errorf("write how far runs are listed: %w", err)
	}
	return nil
}
