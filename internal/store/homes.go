package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Homes keeps what there is to know of each person's Home tab: when it was opened
// and shown last, whether a change waits to be shown there, and the person's
// favourite flows.
type Homes struct {
	Store Store // required
}

// Home is what is known of one person's Home tab.
type Home struct {
	// Who has it, as the directory knew them when they opened it last.
	Who    User      `json:"who,omitzero"`
	Opened time.Time `json:"opened,omitzero"`
	// Changed is when a change was shown last, or is being shown.
	Changed time.Time `json:"changed,omitzero"`
	// Wanted is when a change that was not shown is to be; zero if there is none.
	Wanted time.Time `json:"wanted,omitzero"`
	// Woken is set by the sweep once that time has come. Whoever reads the change
	// feed then shows it.
	Woken bool `json:"woken,omitempty"`
	// Favourites are names of flows, in the order in which they are shown; nil where
	// the person has chosen none.
	Favourites []string `json:"favourites,omitempty"`
}

// homeKey keeps people apart by Slack's ids, as they are who opens it.
func homeKey(who flow.Actor) string { return KindHome.Key(who.SlackTeam + "#" + who.SlackID) }

// Of reads a person's; it is empty for somebody who never opened it.
func (s Homes) Of(ctx context.Context, who flow.Actor) (Home, error) {
	return s.read(ctx, homeKey(who))
}

// Named reads one by the name that a change has of it.
func (s Homes) Named(ctx context.Context, name string) (Home, error) {
	return s.read(ctx, KindHome.Key(name))
}

func (s Homes) read(ctx context.Context, key string) (Home, error) {
	var h Home
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &h)
	}
	if err != nil {
		return h, fmt.Errorf("read a Home tab: %w", err)
	}
	return h, nil
}

// Change edits a person's; edit returns flow.ErrUnchanged to leave it. It returns
// what is stored now.
func (s Homes) Change(ctx context.Context, who flow.Actor, edit func(*Home) error) (Home, error) {
	key := homeKey(who)
	for range maxConflicts {
		var h Home
		item, err := s.Store.Get(ctx, key)
		if err == nil {
			err = json.Unmarshal(item.Body, &h)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return h, fmt.Errorf("read a Home tab: %w", err)
		}
		if err := edit(&h); errors.Is(err, flow.ErrUnchanged) {
			return h, nil
		} else if err != nil {
			return h, err
		}
		body, err := flow.EncodeJSON(h)
		if err != nil {
			return h, err
		}
		_, err = s.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body, Index: Index{Due: h.Wanted}})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return h, fmt.Errorf("write a Home tab: %w", err)
		}
		return h, nil
	}
	return Home{}, fmt.Errorf("write a Home tab: %w", ErrConflict)
}

// watchdog is how much later a change is shown if whoever was woken for it could
// not show it.
const watchdog = 5 * time.Minute

// Wake wakes whoever shows changes for a Home tab, if one is due there by now.
func (s Homes) Wake(ctx context.Context, who flow.Actor, now time.Time) error {
	_, err := s.Change(ctx, who, func(h *Home) error {
		if h.Wanted.IsZero() || h.Wanted.After(now) {
			return flow.ErrUnchanged
		}
		h.Woken, h.Wanted = true, now.Add(watchdog).UTC()
		return nil
	})
	return err
}
