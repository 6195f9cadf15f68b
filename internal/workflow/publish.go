package workflow

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Publish makes a configuration the current one.
type Publish struct {
	Runs  store.Runs
	Flows *store.Flows
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
	before, err := p.Flows.Strategies(ctx)
	if err != nil {
		return nil, err
	}
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
	if err := p.Flows.SetStrategies(ctx, have); err != nil {
		return nil, err
	}
	if look {
		err = p.free(ctx, have)
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
		err = errors.Join(err, p.Flows.SetStrategies(restore, before))
	}
	return published, err
}

// Destinations publishes the log destinations. One that is new is sent what is logged from
// now on.
func (p Publish) Destinations(ctx context.Context, list []flow.LogDestination) error {
	head, _, err := store.Log{Store: p.Runs.Store}.Head(ctx)
	if err != nil {
		return err
	}
	return store.Destinations{Store: p.Runs.Store}.Publish(ctx, p.By, list, head.Size)
}

// restoreTimeout is what putting back one item may take.
const restoreTimeout = 3 * time.Second

// free returns an error if a live grant needs something that the configuration
// does not have. It finds live grants by an index, which follows writes late.
func (p Publish) free(ctx context.Context, have []string) error {
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
			if !slices.Contains(have, n) && !slices.Contains(missing[n], r.ID) {
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
