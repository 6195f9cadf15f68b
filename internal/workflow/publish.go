package workflow

import (
	"context"
	"errors"
	"fmt"
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
}

// Run publishes the flows, if nothing that a live grant still needs is gone
// from the strategies: the error, of CodeConfigNeeded, then names what is
// missing and the runs that need it, and nothing is changed.
//
// Live grants need nothing but what configurations had: where nothing of that is
// dropped, none is looked for. What is dropped is written down before, to be
// known to the next publish whatever becomes of this one.
//
// A grant may begin meanwhile. So what the configuration has is written down
// first, and access looks there after it has recorded what it is about to grant:
// either it sees that the strategy is gone, or the grant is seen here.
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
	if before == nil { // nothing was published yet, or nobody knows what it needs
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
		published, err = p.Flows.Publish(ctx, flows)
	}
	switch {
	case err == nil && len(dropped) > 0:
		// Should this fail, the next publish looks once more than it has to.
		_ = p.Flows.SetDropped(ctx, nil)
	case err != nil && before != nil:
		// Else access would go by a configuration that never was. Should this
		// fail too, it refuses more than it has to, until the next publish.
		restore, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(restoreTimeout, p.Patience))
		defer cancel()
		err = errors.Join(err, p.Flows.SetStrategies(restore, before))
	}
	return published, err
}

// restoreTimeout is what putting back one item may take.
const restoreTimeout = 3 * time.Second

// free says whether live grants need nothing but what there is. Only an index
// knows them all, and that follows late.
func (p Publish) free(ctx context.Context, have []string) error {
	if p.Lag > 0 {
		select {
		case <-p.Clock.After(p.Lag):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	missing := map[string][]string{}
	for _, status := range []flow.Status{flow.Approved, flow.Escalated} {
		q := store.Query{By: store.ByStatus, Value: string(status), Limit: 200}
		for {
			page, err := p.Runs.List(ctx, q)
			if err != nil {
				return err
			}
			for _, hit := range page.Runs {
				if hit.ApprovalOnly {
					continue // approved for ever, with nothing to take away
				}
				r, err := p.Runs.Get(ctx, hit.ID) // hits may be old
				if err != nil {
					return err
				}
				if !r.Access.Live() {
					continue
				}
				for _, n := range needsOf(r, p.Rights) {
					if !slices.Contains(have, n) && !slices.Contains(missing[n], r.ID) {
						missing[n] = append(missing[n], r.ID)
					}
				}
			}
			if q.Cursor = page.Cursor; q.Cursor == "" {
				break
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

// needsForm stands among what a configuration has for how needs are told: whoever
// has needs tell more changes it, and the publish that brings that looks at all
// live grants.
const needsForm = "needs, first form"

// needsOf lists what it takes to take the run's access away: that is of its own
// target only.
func needsOf(r flow.Run, rights func(flow.Strategy) strategy.Rights) []string {
	s := r.Access.Strategy
	s.Targets = []flow.Target{r.Access.Target}
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
