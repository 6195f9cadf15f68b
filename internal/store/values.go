package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Values keeps what handlers want to remember from run to run, by paths of
// their choice: values of one flow, and values that all flows of the org share. All
// values were shared once: those that were written then still are.
type Values struct {
	Store Store // required
}

// Limits of a path, in bytes, and of a value, in bytes of JSON.
const (
	MaxPathBytes  = 512
	MaxValueBytes = 64 << 10
)

// Get reads the flow's value at a path, or else the shared one. It returns nil if
// there is neither. The error has flow.CodeInvalid for a path that can't be.
func (s Values) Get(ctx context.Context, flowName, path string) (json.RawMessage, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	for _, key := range []string{flowValueKey(flowName, path), KindValue.Key(path)} {
		item, err := s.Store.Get(ctx, key)
		if err == nil {
			return item.Body, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("read value %q: %w", path, err)
		}
	}
	return nil, nil
}

// Put writes the flow's value in place of any before it. The error has
// flow.CodeInvalid for a path that can't be, and flow.CodeTooLarge.
func (s Values) Put(ctx context.Context, flowName, path string, value json.RawMessage) error {
	return s.put(ctx, flowValueKey(flowName, path), path, value)
}

// PutShared writes the shared value at a path. Flows without a value of their own
// at that path see it. Errors are those of Put.
func (s Values) PutShared(ctx context.Context, path string, value json.RawMessage) error {
	return s.put(ctx, KindValue.Key(path), path, value)
}

func (s Values) put(ctx context.Context, key, path string, value json.RawMessage) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if len(value) > MaxValueBytes {
		return flow.Errorf(flow.CodeTooLarge, "the value of %q has %d bytes of JSON: at most %d can be kept", path, len(value), MaxValueBytes)
	}
	_, _, err := change(ctx, s.Store, key, func(v *json.RawMessage, _ int64) error {
		*v = value
		return nil
	})
	return err
}

func checkPath(path string) error {
	if path == "" || len(path) > MaxPathBytes {
		return flow.Errorf(flow.CodeInvalid, "a path must have 1 to %d bytes: it has %d", MaxPathBytes, len(path))
	}
	return nil
}
