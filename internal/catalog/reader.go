package catalog

import (
	"context"
	"errors"
	"sync"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// Reader reads entities again and again, and looks at each Python of theirs once.
type Reader struct {
	Org   string
	Types map[string]strategy.Type
	// Describe looks at a source; see [Describe].
	Describe func(context.Context, flow.Source) (flow.Outline, error)

	mu    sync.Mutex
	known map[string]flow.Outline // by digest, of what was read last
}

// Parts is the function Parts. An error means that a source could not be looked at, which
// says nothing about it.
func (r *Reader) Parts(ctx context.Context, entities []entity.Entity) ([]workflow.Part, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	used := map[string]flow.Outline{}
	var unread error
	parts := Parts(entities, r.Org, r.Types, func(s flow.Source, _ string) (flow.Outline, error) {
		found, ok := r.known[s.SHA256]
		if !ok {
			var err error
			if found, err = r.Describe(ctx, s); err != nil {
				if _, wrong := errors.AsType[*flow.SourceError](err); !wrong {
					unread = err
				}
				return found, err
			}
		}
		used[s.SHA256] = found
		return found, nil
	})
	r.known = used
	return parts, unread
}
