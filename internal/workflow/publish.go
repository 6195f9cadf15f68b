package workflow

import (
	"cmp"
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
// owns it leaves alone: see [Assemble]. What was offered to change hands goes over to the
// files if they say it, and to the API if they say it no more: see [entity.Moving].
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

// Configuration is all that files say, without faults.
type Configuration struct {
	Flows        []*flow.Flow
	Filter       *flow.FlowsFilter
	Strategies   []flow.Strategy
	Destinations []flow.LogDestination
	Drafts       []entity.Draft // what entities of the files are to be
}

// Whole publishes a configuration, and returns its flows with their versions. What fails
// half-way the next publish makes good. The error has flow.CodeInvalid if the API has names
// that the files use, or if the files say nothing and did before; and flow.CodeConfigNeeded
// if live access needs what is gone, and nothing is changed then.
func (p Publish) Whole(ctx context.Context, c Configuration) ([]store.FlowSummary, error) {
	all, err := p.Entities.All(ctx)
	if err != nil {
		return nil, err
	}
	now := p.Entities.Now()
	if err := namesFree(all, c.Drafts, now); err != nil {
		return nil, err
	}
	h := handsOver(all, c.Drafts, now)
	if err != nil {
		return nil, err
	}
	if h.empties {
		return nil, flow.Errorf(flow.CodeInvalid, "the files of the configuration say nothing any more, and have said what is in force: if they are those that you mean, leave one document, such as an environment; configuration that goes over to the API is offered first (local config import -hand-over)")
	}
	published, err := p.run(ctx, c.Flows, c.Strategies, h)
	if err == nil && !(c.Filter == nil && h.filter) {
		err = p.Flows.PublishFilter(ctx, p.By, c.Filter)
	}
	if err == nil {
		err = publishDestinations(ctx, p.Entities.Store, p.By, entity.Files, c.Destinations, h.destinations...)
	}
	if err == nil {
		err = p.drafts(ctx, c.Drafts, h)
	}
	return published, err
}

// handover is what changes hands in a publish, and what has lately.
type handover struct {
	take, leave []entity.Entity
	ours        map[string]bool // what the files have, by nameKey
	// Those of the API's, or about to be, that nothing is done to though files may be their
	// owner yet: flows and log destinations by name, and the filter.
	flows, destinations []string
	filter              bool
	// empties: the files had something which goes nowhere, and say nothing.
	empties bool
}

// handsOver finds out what changes hands.
func handsOver(all []entity.Entity, drafts []entity.Draft, now time.Time) handover {
	h := handover{ours: map[string]bool{}}
	said := map[string]bool{}
	for _, d := range drafts {
		said[nameKey(d.Entity)] = true
	}
	for _, e := range all {
		if !e.Alive() {
			continue
		}
		stays := e.Owner == entity.API
		h.ours[nameKey(e)] = !stays
		switch moves := e.Moves(now); {
		case moves && e.Owner == entity.API && said[movingKey(e)]:
			h.take, stays = append(h.take, e), false
		case moves && e.Owner == entity.Files && !said[nameKey(e)]:
			h.leave, stays = append(h.leave, e), true
		case e.Owner == entity.Files && len(drafts) == 0:
			h.empties = true
		}
		switch {
		case !stays:
		case e.Kind == entity.KindFlow:
			h.flows = append(h.flows, e.Name)
		case e.Kind == entity.KindLogDestination:
			h.destinations = append(h.destinations, e.Name)
		case e.Kind == entity.KindFlowsFilter:
			h.filter = true
		}
	}
	return h
}

// over makes the files the owner of what they take, and of what is in force of that.
func (p Publish) over(ctx context.Context, h handover, flows []*flow.Flow) error {
	for _, e := range h.take {
		taken, err := p.Entities.HandOver(ctx, store.EntityChange{By: p.By.By}, entity.Files, e.Kind, e.ID)
		if err != nil {
			return err
		}
		h.ours[nameKey(taken)] = true
	}
	if h.ours[string(entity.KindFlowsFilter)+" "] {
		if err := p.Flows.HandOverFilter(ctx, entity.Files); err != nil {
			return err
		}
	}
	list, err := p.Flows.List(ctx)
	if err != nil {
		return err
	}
	for _, f := range list {
		said := slices.ContainsFunc(flows, func(other *flow.Flow) bool { return strings.EqualFold(other.Name, f.Name) })
		if said && f.Owner == entity.API && h.ours[string(entity.KindFlow)+" "+strings.ToLower(f.Name)] {
			if err := p.Flows.HandOver(ctx, entity.Files, f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// kept lists what it takes to go on with flows that stay as they are, and are the files'
// yet, or have a strategy that is: until the API has made its own of them, nobody else says
// so.
func (p Publish) kept(ctx context.Context, h handover) (have []string, err error) {
	list, err := p.Flows.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if !slices.ContainsFunc(h.flows, func(name string) bool { return strings.EqualFold(name, f.Name) }) {
			continue
		}
		inForce, err := p.Flows.Latest(ctx, f.Name)
		if err != nil {
			return nil, err
		}
		if s := inForce.Strategy; s != nil && (f.Owner != entity.API || slices.ContainsFunc(h.leave, func(e entity.Entity) bool {
			return e.Kind == entity.KindStrategy && e.Is(s.Name) && e.Type == s.Type
		})) {
			have = append(have, needs(*s, p.Rights)...)
		}
	}
	return have, nil
}

// run publishes the flows, if nothing that a live grant still needs is gone
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
func (p Publish) run(ctx context.Context, flows []*flow.Flow, strategies []flow.Strategy, h handover) ([]store.FlowSummary, error) {
	have := []string{needsForm}
	for _, s := range strategies {
		have = append(have, needs(s, p.Rights)...)
	}
	kept, err := p.kept(ctx, h)
	if err != nil {
		return nil, err
	}
	have = append(have, kept...)
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
	if err == nil {
		err = p.over(ctx, h, flows)
	}
	var published []store.FlowSummary
	if err == nil {
		published, err = p.Flows.PublishOwned(ctx, p.By, entity.Files, flows, h.flows...)
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

func publishDestinations(ctx context.Context, s store.Store, by flow.Author, owner entity.Owner, list []flow.LogDestination, keep ...string) error {
	head, _, err := store.Log{Store: s}.Head(ctx)
	if err != nil {
		return err
	}
	return store.Destinations{Store: s}.Publish(ctx, by, owner, list, head.Size, keep...)
}

// namesFree returns nil if no name of the drafts is taken by what the configuration API
// owns, and keeps. The error has flow.CodeInvalid, and names all that are.
func namesFree(all []entity.Entity, drafts []entity.Draft, now time.Time) error {
	var taken []string
	theirs := map[string]bool{}
	for _, e := range all {
		if e.Alive() && e.Owner == entity.API && !e.Moves(now) {
			theirs[nameKey(e)] = true
		}
	}
	for _, d := range drafts {
		if theirs[nameKey(d.Entity)] {
			taken = append(taken, strings.TrimSpace(fmt.Sprintf("%s %s", d.Entity.Kind, d.Entity.Name)))
		}
	}
	if len(taken) > 0 {
		return flow.Errorf(flow.CodeInvalid, "the configuration API has these already: %s; remove them from the files, give them other names, or have them handed over to the files first (local config export -hand-over)", strings.Join(taken, ", "))
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

// movingKey is nameKey, by the name under which files have what is offered to them.
func movingKey(e entity.Entity) string {
	e.Name = cmp.Or(e.Moving.As, e.Name)
	return nameKey(e)
}

// drafts makes entities of what the files say, so that the configuration API may refer to
// it. Those of the files that are not among the drafts go over to the API if they are to,
// and else are deleted.
func (p Publish) drafts(ctx context.Context, drafts []entity.Draft, h handover) error {
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
	for _, e := range h.leave {
		if _, err := p.Entities.HandOver(ctx, by, entity.API, e.Kind, e.ID); err != nil {
			return err
		}
		kept[e.ID] = true
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
