package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Messages keeps, per run, which Slack messages show it.
type Messages struct {
	Store Store // required
}

// Message is a copy of one of a run's messages.
type Message struct {
	flow.MessageRef
	// Digest is of what was shown last.
	Digest string `json:"digest"`
}

// Get lists the messages of a run. It returns an empty list if there are none.
func (s Messages) Get(ctx context.Context, runID string) ([]Message, error) {
	item, err := s.Store.Get(ctx, KindMessages.Key(runID))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read messages of run %s: %w", runID, err)
	}
	var list []Message
	if err := json.Unmarshal(item.Body, &list); err != nil {
		return nil, fmt.Errorf("decode messages of run %s: %w", runID, err)
	}
	return list, nil
}

// Save adds a message, or updates what it shows.
func (s Messages) Save(ctx context.Context, runID string, m Message) error {
	_, _, err := change(ctx, s.Store, KindMessages.Key(runID), func(list *[]Message, _ int64) error {
		for i, old := range *list {
			if old.MessageRef == m.MessageRef {
				(*list)[i] = m
				return nil
			}
		}
		*list = append(*list, m)
		return nil
	})
	return err
}
