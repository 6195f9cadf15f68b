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

// DriftReport is what a comparison of all that is recorded with all that targets
// show has found.
type DriftReport struct {
	Began   time.Time `json:"began,omitzero"` // when the comparison began; zero: there was none yet
	Ended   time.Time `json:"ended,omitzero"`
	Targets int       `json:"targets"` // that were looked at
	Grants  int       `json:"grants"`  // that were compared
	// Found are the differences, the gravest first, More how many there are beyond
	// those that are listed.
	Found []flow.Drift `json:"found"`
	More  int          `json:"more,omitempty"`
	// Unknown counts access that was never ours at targets that are not said to be
	// exclusive, by the target's title.
	Unknown map[string]int `json:"unknown,omitempty"`
	// Unseen says of targets that could not be looked at why, by their titles.
	Unseen map[string]string `json:"unseen,omitempty"`
}

// Count gives the number of differences of a kind that are listed.
func (r DriftReport) Count(kind flow.DriftKind) int {
	n := 0
	for _, d := range r.Found {
		if d.Kind == kind {
			n++
		}
	}
	return n
}

// Comparison is how far the comparison under way has come, and what the last one
// has found.
type Comparison struct {
	// Current is what it has found so far, After the place up to which it has come.
	Current DriftReport `json:"current,omitzero"`
	After   string      `json:"after,omitempty"`
	// Last is the report of the last one that was finished.
	Last DriftReport `json:"last,omitzero"`
	// Told are the differences, by kind and key, that administrators have heard of,
	// and when they heard last.
	Told   []string  `json:"told,omitempty"`
	ToldAt time.Time `json:"told_at,omitzero"`

	read []byte // as it was read
}

// Drifts keeps the comparison of what is recorded with what targets show.
type Drifts struct {
	Store Store // required
}

// Get reads it, with its revision: an empty one, and 0, where there is none.
func (s Drifts) Get(ctx context.Context) (Comparison, int64, error) {
	var c Comparison
	item, err := s.Store.Get(ctx, KindDrift.Key(""))
	if errors.Is(err, ErrNotFound) {
		return c, 0, nil
	}
	if err == nil {
		err = unpack(item.Body, &c)
		c.read = item.Body
	}
	if err != nil {
		return c, 0, fmt.Errorf("read the comparison with targets: %w", err)
	}
	return c, item.Rev, nil
}

// Put writes it, if it has changed. Returns ErrConflict if it is not at the
// revision that it was read at.
func (s Drifts) Put(ctx context.Context, c Comparison, rev int64) error {
	body, err := pack(c)
	if err == nil && !bytes.Equal(body, c.read) {
		_, err = s.Store.Put(ctx, Item{Key: KindDrift.Key(""), Rev: rev, Writer: NewWriter(), Body: body})
	}
	if err != nil {
		return fmt.Errorf("write the comparison with targets: %w", err)
	}
	return nil
}

// MarshalJSON writes the lists that people and programs read as lists, even where
// they are empty.
func (r DriftReport) MarshalJSON() ([]byte, error) {
	type report DriftReport
	if r.Found == nil {
		r.Found = []flow.Drift{}
	}
	return json.Marshal(report(r))
}
