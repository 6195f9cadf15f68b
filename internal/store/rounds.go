package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Round is how far the looks have come: at who holds access, at requests of flows
// that have changed, and at who is left to approve.
type Round struct {
	// Status and Cursor are where the listing of live runs goes on.
	Status flow.Status `json:"status,omitempty"`
	Cursor string      `json:"cursor,omitempty"`
	// Asked are the holders, by Slack's ids, whom the directory was asked about;
	// Gone those of them who are deactivated, with their runs.
	Asked []string            `json:"asked,omitempty"`
	Gone  map[string][]string `json:"gone,omitempty"`
	// Held is since when nothing is ended, because it would be too much at once;
	// Confirmed when somebody said that it is right.
	Held      time.Time `json:"held,omitzero"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	// Ending is since when the access of those who are gone is being ended.
	Ending time.Time `json:"ending,omitzero"`

	// Flows is a digest of the flows that open requests were held to, Walks how
	// often all of them were, and Requests where that listing goes on.
	Flows    string `json:"flows,omitempty"`
	Walks    int    `json:"walks,omitempty"`
	Requests string `json:"requests,omitempty"`

	// Deciders is how far the look at those has come who may approve open
	// requests.
	Deciders DecidersWalk `json:"deciders,omitzero"`

	read []byte // as it was read

	acted
}

// DecidersWalk is a walk through all open requests.
type DecidersWalk struct {
	Began  time.Time `json:"began,omitzero"`
	Done   bool      `json:"done,omitempty"`
	Cursor string    `json:"cursor,omitempty"`
	// There are those, by Slack's ids, whom the directory has; Gone those who are
	// deactivated.
	There []string `json:"there,omitempty"`
	Gone  []string `json:"gone,omitempty"`
}

// Rounds keeps the one round that is under way.
type Rounds struct {
	Store Store // required
}

// Get reads it, with its revision: a new one, and 0, where there is none.
func (s Rounds) Get(ctx context.Context) (Round, int64, error) {
	var r Round
	item, err := s.Store.Get(ctx, KindRound.Key(""))
	if errors.Is(err, ErrNotFound) {
		return r, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(item.Body, &r)
		r.read = item.Body
	}
	if err != nil {
		return r, 0, fmt.Errorf("read the round of looks: %w", err)
	}
	return r, item.Rev, nil
}

// Put writes it, if it has changed. Returns ErrConflict if it is not at the revision that it was
// read at.
func (s Rounds) Put(ctx context.Context, r Round, rev int64) error {
	body, err := json.Marshal(r)
	if err == nil && !bytes.Equal(body, r.read) {
		_, err = s.Store.Put(ctx, Item{Key: KindRound.Key(""), Rev: rev, Writer: NewWriter(), Body: body})
	}
	if err != nil {
		return fmt.Errorf("write the round of looks: %w", err)
	}
	return nil
}

// Confirm says, in the name of by, that all that the round holds back is right, and
// returns how many people that is; 0: it holds nothing back.
func (s Rounds) Confirm(ctx context.Context, by flow.Author) (int, error) {
	people := 0
	_, _, err := change(ctx, s.Store, KindRound.Key(""), func(r *Round, rev int64) error {
		people = 0
		if r.Held.IsZero() {
			return nil
		}
		if people = len(r.Gone); r.Confirmed.IsZero() {
			r.Confirmed = by.At.UTC()
			r.Acts = r.Acts.With(flow.NewAct(by, flow.ActEndConfirm, flow.Subject{Kind: "workspace"}, map[string]any{"people": people}), rev+1)
		}
		return nil
	})
	return people, err
}
