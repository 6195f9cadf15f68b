package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/flow"
)

// Values keeps what handlers want to remember from run to run, by paths of
// their choice. All flows of the org share them.
type Values struct {
	Store Store // required
}

// Limits of a path, in bytes, and of a value, in bytes of JSON.
const (
	MaxPathBytes  = 512
	MaxValueBytes = 64 << 10
)

// Get reads a value; nil: there is none. The error has flow.CodeInvalid for a
// path that can't be.
func (s Values) Get(ctx context.Context, path string) (json.RawMessage, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	item, err := s.Store.Get(ctx, KindValue.Key(path))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read value %q: %w", path, err)
	}
	return item.Body, nil
}

// Put writes a value in place of any before it. The error has flow.CodeInvalid
// for a path that can't be, and flow.CodeTooLarge.
func (s Values) Put(ctx context.Context, path string, value json.RawMessage) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if len(value) > MaxValueBytes {
		return flow.Errorf(flow.CodeTooLarge, "the value of %q has %d bytes of JSON: at most %d can be kept", path, len(value), MaxValueBytes)
	}
	_, _, err := change(ctx, s.Store, KindValue.Key(path), func(v *json.RawMessage, _ int64) error {
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
