package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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

// Save adds messages, or updates what they show, in one write.
func (s Messages) Save(ctx context.Context, runID string, messages ...Message) error {
	_, _, err := change(ctx, s.Store, KindMessages.Key(runID), func(list *[]Message, _ int64) error {
		for _, m := range messages {
			if i := slices.IndexFunc(*list, func(old Message) bool { return old.MessageRef == m.MessageRef }); i >= 0 {
				(*list)[i] = m
				continue
			}
			*list = append(*list, m)
		}
		return nil
	})
	return err
}
