package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Assembled keeps how far flows were made of the entities of the configuration API.
type Assembled struct {
	Store Store // required
}

// Assembly is how far flows were made of entities, and what is in their way.
type Assembly struct {
	Upto time.Time `json:"upto,omitzero"` // when the last change happened that was heeded
	// Since is when the first change happened that has not been heeded yet, as far as that
	// was seen; zero if there is none.
	Since  time.Time         `json:"since,omitzero"`
	Broken map[string]Broken `json:"broken,omitempty"`
	Due    time.Time         `json:"due,omitzero"` // when to look again though nothing changes
}

// Broken is an entity of which nothing can be made.
type Broken struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	Name   string    `json:"name,omitempty"`
	Faults []string  `json:"faults"`
	Since  time.Time `json:"since"`
	Told   time.Time `json:"told,omitzero"`   // when the error channel was told
	Ended  bool      `json:"ended,omitempty"` // a flow that takes no requests any more
}

// Get reads how far it is.
func (s Assembled) Get(ctx context.Context) (Assembly, error) {
	var a Assembly
	item, err := s.Store.Get(ctx, KindAssembled.Key(""))
	if errors.Is(err, ErrNotFound) {
		return a, nil
	}
	if err == nil {
		err = unpack(item.Body, &a)
	}
	if err != nil {
		return a, fmt.Errorf("read how far flows were made: %w", err)
	}
	return a, nil
}

// Set writes how far it is. What is as it was is not written.
func (s Assembled) Set(ctx context.Context, a Assembly) error {
	err := edit(ctx, s.Store, KindAssembled.Key(""), func(now *Assembly, _ int64) { *now = a })
	if err != nil {
		return fmt.Errorf("write how far flows were made: %w", err)
	}
	return nil
}
