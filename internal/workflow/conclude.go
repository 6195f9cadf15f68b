package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Conclude does what was decided of proposals that runs list: what is approved comes into
// force as it was listed, and everything else is dropped. It can be called again after any
// crash: what has begun to come into force does so whole.
type Conclude struct {
	Flow     string // the name of the flow that decides
	Entities store.Entities
	Tokens   store.Tokens
	Runs     store.Runs
	Now      func() time.Time
	Log      *slog.Logger
}

// Decided tells whether changes of the feed are of a run that may have decided on
// proposals, for a function that has Run called.
func (c Conclude) Decided(ctx context.Context, changes []store.Change) (bool, error) {
	for _, change := range changes {
		id, ok := runOf(change)
		if !ok || c.Flow == "" {
			continue
		}
		r, err := c.Runs.Get(ctx, id)
		if err != nil && flow.CodeOf(err) != flow.CodeUnknownRun {
			return false, err
		}
		if strings.EqualFold(r.Flow, c.Flow) && concluded(r) {
			return true, nil
		}
	}
	return false, nil
}

// Due tells whether Run has something to do, whatever the feed has told.
func (c Conclude) Due(ctx context.Context) (bool, error) {
	if c.Flow == "" {
		return false, nil
	}
	all, err := c.Entities.Proposals().List(ctx)
	if err != nil {
		return false, err
	}
	for _, one := range all {
		if one.Drop != "" {
			return true, nil
		}
		if one.Asked == nil || one.Asked.Run == "" {
			continue
		}
		r, err := c.Runs.Get(ctx, one.Asked.Run)
		if flow.CodeOf(err) == flow.CodeUnknownRun {
			return true, nil
		}
		if err != nil || concluded(r) {
			return err == nil, err
		}
	}
	return false, nil
}

// concluded tells whether nobody decides a run any more.
func concluded(r flow.Run) bool {
	switch r.Status {
	case flow.Approved, flow.Denied, flow.Expired, flow.Cancelled:
		return true
	}
	return false
}

// Run looks at the proposals of all tokens, and goes on with the others if some can't be
// concluded.
func (c Conclude) Run(ctx context.Context) error {
	if c.Flow == "" {
		return nil
	}
	all, err := c.Entities.Proposals().List(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, one := range all {
		if err := c.one(ctx, one); err != nil && !errors.Is(err, store.ErrConflict) {
			failed = append(failed, fmt.Errorf("conclude what token %s proposes: %w", one.Token, err))
		}
	}
	return errors.Join(failed...)
}

func (c Conclude) one(ctx context.Context, one store.Proposing) error {
	if one.Drop != "" {
		return c.dropAll(ctx, one)
	}
	a := one.Asked
	if a == nil || a.Run == "" {
		return nil
	}
	r, err := c.Runs.Get(ctx, a.Run)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		r, err = flow.Run{Status: flow.Cancelled}, nil // nobody will approve it
	}
	if err != nil || !concluded(r) {
		return err
	}
	switch {
	case !strings.EqualFold(a.Flow, c.Flow) && !a.Applying, a.Superseded && r.Status == flow.Cancelled:
		// Another flow decides now, or another run lists this and more.
		return c.over(ctx, one)
	case r.Status == flow.Approved && (!strings.EqualFold(r.Flow, a.Flow) || aboutOf(r) != about(one)):
		return fmt.Errorf("run %s is approved, and does not list what it is said to", r.ID)
	case r.Status == flow.Approved:
		return c.apply(ctx, one)
	}
	changes, err := c.Entities.Proposals().Frozen(ctx, one.Token, *a)
	if err != nil && !store.NotAsListed(err) {
		return err
	}
	if err := c.end(ctx, one, changes, "the run that lists it is "+string(r.Status)); err != nil {
		return err
	}
	return c.over(ctx, one)
}

// apply puts in force what was approved, and nothing else. Where something else has come
// into force since it was listed, people have not seen what it would change: it is listed
// anew.
func (c Conclude) apply(ctx context.Context, one store.Proposing) error {
	changes, err := c.Entities.Proposals().Frozen(ctx, one.Token, *one.Asked)
	if store.NotAsListed(err) {
		c.Log.ErrorContext(ctx, "what was approved is not kept as it was listed, and is asked for again", "token", one.Token, "run", one.Asked.Run)
		return c.over(ctx, one)
	}
	if err != nil {
		return err
	}
	if !one.Asked.Applying {
		if _, _, err := c.Tokens.Known(ctx, one.Hash); flow.CodeOf(err) == flow.CodeUnauthenticated {
			one.Drop = tokenOver
			return c.dropAll(ctx, one)
		} else if err != nil {
			return err
		}
		stand, err := c.stand(ctx, changes)
		if err != nil {
			return err
		}
		if !stand {
			c.Log.WarnContext(ctx, "what is in force has changed since a run listed changes of it, which are asked for again", "token", one.Token, "run", one.Asked.Run)
			return c.over(ctx, one)
		}
		one.Asked.Applying = true
		if one, err = c.Entities.Proposals().Put(ctx, one); err != nil {
			return err
		}
	}
	by := store.EntityChange{By: by(one), Run: one.Asked.Run}
	_, err = each(changes, func(change store.AskedChange) (applied bool, err error) {
		if applied, err = c.Entities.Apply(ctx, by, change); err != nil {
			return false, err
		}
		if !applied {
			c.Log.WarnContext(ctx, "an entity has changed since a run listed a change of it, which is asked for again", "kind", change.Entity.Kind, "entity", change.Entity.ID, "run", one.Asked.Run)
			return false, nil
		}
		return true, c.Entities.Proposals().End(ctx, by, one.Token, change.Entity, "")
	})
	if err != nil {
		return err
	}
	c.Log.InfoContext(ctx, "what a token proposed is in force", "token", one.Token, "run", one.Asked.Run, "changes", len(changes))
	return c.over(ctx, one)
}

// stand tells whether all that was in force when changes were listed is so yet.
func (c Conclude) stand(ctx context.Context, changes []store.AskedChange) (bool, error) {
	all, err := each(changes, func(change store.AskedChange) (bool, error) { return c.Entities.Stands(ctx, change) })
	return !slices.Contains(all, false), err
}

// end drops proposals, as far as they are yet what was listed.
func (c Conclude) end(ctx context.Context, one store.Proposing, changes []store.AskedChange, why string) error {
	who := store.EntityChange{By: by(one)}
	if one.Asked != nil {
		who.Run = one.Asked.Run
	}
	_, err := each(changes, func(change store.AskedChange) (bool, error) {
		return true, c.Entities.Proposals().End(ctx, who, one.Token, change.Entity, why)
	})
	return err
}

// over notes that a run is done with. What is proposed yet is listed by the next one.
func (c Conclude) over(ctx context.Context, one store.Proposing) error {
	one.Asked = nil
	_, err := c.Entities.Proposals().Put(ctx, one)
	return err
}

// dropAll drops all that a token proposes.
func (c Conclude) dropAll(ctx context.Context, one store.Proposing) error {
	proposed, err := c.Entities.Proposals().Of(ctx, one.Token)
	if err != nil {
		return err
	}
	var changes []store.AskedChange
	for _, e := range proposed {
		changes = append(changes, store.AskedChange{Entity: e})
	}
	if err := c.end(ctx, one, changes, one.Drop); err != nil {
		return err
	}
	one.Drop = ""
	if one.Asked != nil {
		return c.over(ctx, one)
	}
	_, err = c.Entities.Proposals().Put(ctx, one)
	return err
}

// tokenOver is why what a token proposed is dropped: nobody answers for it any more.
const tokenOver = "the token that proposed it is not valid any more"
