package workflow

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Publish makes what the files say the current configuration. What the configuration API
// owns it leaves alone: see [Assemble].
type Publish struct {
	Runs     store.Runs
	Flows    *store.Flows
	Entities store.Entities
	// Rights says what a strategy, with its targets, needs in AWS.
	Rights func(flow.Strategy) strategy.Rights
	// Lag is how long a run that was written may not be listed yet; zero where
	// listings are up to date at once. A publish that drops something waits so long.
	Lag      time.Duration
	Clock    Clock         // required with Lag
	Patience time.Duration // the least bound of what it does for safety's sake
	// By is who publishes, in what its records say.
	By flow.Author
}

// Run publishes the flows, if nothing that a live grant still needs is gone
// from the strategies: the error, of CodeConfigNeeded, then names what is
// missing and the runs that need it, and nothing is changed.
//
// Live grants need only what earlier configurations had, so they are looked for
// only if this one drops something. What it drops is written down first, so
// that the next publish knows it even if this one does not finish.
//
// A grant may begin meanwhile. So what the configuration has is written down
// first, and access looks there after it has recorded what it is about to
// grant: either access sees that the strategy is gone, or the publish sees the
// grant.
func (p Publish) Run(ctx context.Context, flows []*flow.Flow, strategies []flow.Strategy) ([]store.FlowSummary, error) {
	have := []string{needsForm}
	for _, s := range strategies {
		have = append(have, needs(s, p.Rights)...)
	}
	own := len(have)
	byOwner, err := p.Flows.StrategiesByOwner(ctx)
	if err != nil {
		return nil, err
	}
	before := byOwner[entity.Files]
	have = append(have, byOwner[entity.API]...)
	dropped, err := p.Flows.Dropped(ctx)
	if err != nil {
		return nil, err
	}
	dropped = slices.DeleteFunc(append(dropped, before...), func(n string) bool { return slices.Contains(have, n) })
	slices.Sort(dropped)
	dropped = slices.Compact(dropped)
	look := len(dropped) > 0
	if before == nil { // nothing was published yet, or what it needs was not recorded
		list, err := p.Flows.List(ctx)
		if err != nil {
			return nil, err
		}
		look = look || len(list) > 0
	}
	if err := p.Flows.SetDropped(ctx, dropped); err != nil {
		return nil, err
	}
	if err := p.Flows.SetStrategies(ctx, entity.Files, have[:own]); err != nil {
		return nil, err
	}
	if look {
		err = p.free(ctx, have, dropped)
	}
	var published []store.FlowSummary
	if err == nil {
		published, err = p.Flows.Publish(ctx, p.By, flows)
	}
	switch {
	case err == nil && len(dropped) > 0:
		// Should this fail, the next publish looks once more than it has to.
		_ = p.Flows.SetDropped(ctx, nil)
	case err != nil && before != nil:
		// Otherwise access would go by a configuration that was never
		// published. If this fails too, access refuses more than it has to
		// until the next publish.
		restore, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(restoreTimeout, p.Patience))
		defer cancel()
		err = errors.Join(err, p.Flows.SetStrategies(restore, entity.Files, before))
	}
	return published, err
}

// Destinations publishes the log destinations. One that is new is sent what is logged from
// now on.
func (p Publish) Destinations(ctx context.Context, list []flow.LogDestination) error {
	return publishDestinations(ctx, p.Runs.Store, p.By, entity.Files, list)
}

func publishDestinations(ctx context.Context, s store.Store, by flow.Author, owner entity.Owner, list []flow.LogDestination) error {
	head, _, err := store.Log{Store: s}.Head(ctx)
	if err != nil {
		return err
	}
	return store.Destinations{Store: s}.Publish(ctx, by, owner, list, head.Size)
}

// Free returns nil if no name of the drafts is taken by what the configuration API owns.
// The error has flow.CodeInvalid, and names all that are.
func (p Publish) Free(ctx context.Context, drafts []entity.Draft) error {
	all, err := p.Entities.All(ctx)
	if err != nil {
		return err
	}
	var taken []string
	theirs := map[string]bool{}
	for _, e := range all {
		if e.Alive() && e.Owner == entity.API {
			theirs[nameKey(e)] = true
		}
	}
	for _, d := range drafts {
		if theirs[nameKey(d.Entity)] {
			taken = append(taken, strings.TrimSpace(fmt.Sprintf("%s %s", d.Entity.Kind, d.Entity.Name)))
		}
	}
	if len(taken) > 0 {
		return flow.Errorf(flow.CodeInvalid, "the configuration API has these already: %s; remove them from the files, or give them other names", strings.Join(taken, ", "))
	}
	return nil
}

// nameKey tells apart what may not have one name.
func nameKey(e entity.Entity) string {
	key := string(e.Kind) + " " + strings.ToLower(e.Name)
	if e.Kind.Typed() {
		key += " " + e.Type
	}
	return key
}

// Drafts makes entities of what the files say, so that the configuration API may refer to
// it. Those of the files that are not among the drafts are deleted. What fails half-way
// the next publish makes good.
func (p Publish) Drafts(ctx context.Context, drafts []entity.Draft) error {
	all, err := p.Entities.All(ctx)
	if err != nil {
		return err
	}
	stored := map[string]entity.Entity{}
	for _, e := range all {
		if e.Alive() && e.Owner == entity.Files {
			stored[nameKey(e)] = e
		}
	}
	by := store.EntityChange{By: p.By.By}
	ids, kept := map[string]string{}, map[string]bool{}
	for _, d := range drafts {
		if e, ok := stored[nameKey(d.Entity)]; ok {
			ids[d.Key], kept[e.ID] = e.ID, true
		}
	}
	var writing sync.Mutex // of ids, and of what failed
	var failed []error
	idOf := func(key string) string {
		writing.Lock()
		defer writing.Unlock()
		return ids[key]
	}
	storedAs := func(e entity.Entity) (entity.Entity, bool) {
		writing.Lock()
		defer writing.Unlock()
		before, ok := stored[nameKey(e)]
		return before, ok
	}
	write := func(d entity.Draft) {
		e := d.Entity
		e.ID, e.Attributes = idOf(d.Key), d.Attributes(idOf)
		do := p.Entities.Create
		if before, ok := storedAs(e); ok {
			if before.Same(e) {
				return
			}
			do = p.Entities.Replace
		}
		written, err := do(ctx, by, e)
		writing.Lock()
		defer writing.Unlock()
		if err != nil {
			failed = append(failed, fmt.Errorf("keep %s %q: %w", e.Kind, e.Name, err))
			return
		}
		ids[d.Key], stored[nameKey(e)] = written.ID, written
	}
	for _, kind := range append(entity.Kinds(), entity.KindLogDestination) { // these once more: they refer to flows
		var all sync.WaitGroup
		free := make(chan struct{}, atOnce)
		for _, d := range drafts {
			if d.Entity.Kind != kind {
				continue
			}
			free <- struct{}{}
			all.Go(func() { defer func() { <-free }(); write(d) })
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
	}
	for _, e := range all {
		if e.Alive() && e.Owner == entity.Files && !kept[e.ID] {
			if err := p.Entities.Delete(ctx, by, entity.Files, e.Kind, e.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// restoreTimeout is what putting back one item may take.
const restoreTimeout = 3 * time.Second

// free returns an error if a live grant needs something that the configuration
// does not have, or, if the configuration API owns its strategy, that the files drop: what
// the API drops stays for the grant. It finds live grants by an index, which follows writes
// late.
func (p Publish) free(ctx context.Context, have, dropped []string) error {
	if p.Lag > 0 {
		select {
		case <-p.Clock.After(p.Lag):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	missing := map[string][]string{}
	for r, err := range Live(ctx, p.Runs) {
		if err != nil {
			return err
		}
		for _, n := range needsOf(r, p.Rights) {
			gone := !slices.Contains(have, n) && (!r.Access.Strategy.ByAPI || slices.Contains(dropped, n))
			if gone && !slices.Contains(missing[n], r.ID) {
				missing[n] = append(missing[n], r.ID)
			}
		}
	}
	if len(missing) > 0 {
		const most = 5
		var lines []string
		for _, n := range slices.Sorted(maps.Keys(missing)) {
			runs := missing[n]
			shown := strings.Join(runs[:min(len(runs), most)], ", ")
			if len(runs) > most {
				shown += fmt.Sprintf(" and %d more", len(runs)-most)
			}
			lines = append(lines, fmt.Sprintf("%s (needed by run %s)", n, shown))
		}
		return flow.Errorf(flow.CodeConfigNeeded,
			"access that is live now could not be taken away any more without: %s; keep it until that access has ended, or end the access first", strings.Join(lines, "; "))
	}
	return nil
}

// Live gives the runs whose access may be there: granted or about to be, and not
// known to be gone. It ends with an error if they can't all be read.
func Live(ctx context.Context, runs store.Runs) iter.Seq2[flow.Run, error] {
	return func(yield func(flow.Run, error) bool) {
		for _, status := range []flow.Status{flow.Approved, flow.Escalated} {
			q := store.Query{By: store.ByStatus, Value: string(status), Limit: 200}
			for {
				page, err := runs.List(ctx, q)
				if err != nil {
					yield(flow.Run{}, err)
					return
				}
				for _, hit := range page.Runs {
					if hit.ApprovalOnly {
						continue // approved for ever, with nothing to take away
					}
					r, err := runs.Get(ctx, hit.ID) // hits may be old
					if (err != nil || r.Access.Live()) && !yield(r, err) || err != nil {
						return
					}
				}
				if q.Cursor = page.Cursor; q.Cursor == "" {
					break
				}
			}
		}
	}
}

// needsForm names the form of the list that needs returns, and is stored with
// it. Change it if needs lists more than before: the first publish after that
// then looks at all live grants.
const needsForm = "needs, first form"

// needsOf lists what it takes to take the run's access away. It counts the
// run's own target only.
func needsOf(r flow.Run, rights func(flow.Strategy) strategy.Rights) []string {
	s := r.Access.Strategy
	s.Targets = r.Access.Target.All()
	return needs(s, rights)
}

// needs lists what it takes to take the strategy's access away.
func needs(s flow.Strategy, rights func(flow.Strategy) strategy.Rights) []string {
	out := append([]string{fmt.Sprintf("strategy %q of type %s", s.Name, s.Type)}, rights(s).Names()...)
	secrets := slices.Collect(maps.Values(s.Secrets))
	if s.Integration != nil {
		secrets = slices.AppendSeq(secrets, maps.Values(s.Integration.Secrets))
	}
	for _, ref := range secrets {
		out = append(out, "secret "+ref.Path)
	}
	return out
}
