package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
)

// unnamed is the id of an entity that has none yet: nothing can refer to it.
const unnamed = "new"

// Checker holds entities to the rules of documents, one by one.
type Checker struct {
	Org   string
	Types map[string]strategy.Type // required
	// Describe looks at Python; nil: nobody does.
	Describe func(ctx context.Context, s flow.Source, isolated string) (flow.Outline, error)
}

// Check gives what is wrong with an entity among those that it refers to, and that
// these refer to: with itself, and with what it refers to if that is wrong for it alone.
func (c Checker) Check(ctx context.Context, e entity.Entity, around []entity.Entity) []entity.Fault {
	if e.ID == "" {
		e.ID = unnamed
	}
	var describe []Describe
	if c.Describe != nil {
		describe = append(describe, func(s flow.Source, isolated string) (flow.Outline, error) { return c.Describe(ctx, s, isolated) })
	}
	var found []entity.Fault
	for _, f := range Check(e, around, c.Org, c.Types, describe...) {
		found = append(found, entity.Fault{Attribute: f.Path, Message: f.What})
	}
	if len(found) > 0 || e.Kind != entity.KindStrategy {
		return found
	}
	// A strategy says what its targets and its integration must have.
	before := loadDocuments(around, unnamed, c.Org, c.Types, nil).report.Faults
	for _, f := range loadDocuments(append(slices.Clone(around), e), unnamed, c.Org, c.Types, nil).report.Faults {
		if slices.Contains(before, f) {
			continue
		}
		for _, r := range e.Refs() {
			if strings.EqualFold(r.ID, f.ID) {
				found = append(found, entity.Fault{Attribute: r.Attribute, Message: fmt.Sprintf("%s %q is not what the strategy needs: its %s %s", f.Kind, f.Name, f.Path, f.What)})
			}
		}
	}
	return found
}
