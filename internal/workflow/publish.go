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
	// listings are up to date at once.
	Lag   time.Duration
	Clock Clock // required with Lag
}

// Run publishes the flows, if nothing that a live grant still needs is gone
// from the strategies: the error, of CodeConfigNeeded, then names what is
// missing and the runs that need it, and nothing is changed.
//
// A grant may begin meanwhile. So what the configuration has is written down
// first, and access looks there after it has recorded what it is about to grant:
// either it sees that the strategy is gone, or the grant is seen here.
func (p Publish) Run(ctx context.Context, flows []*flow.Flow, strategies []flow.Strategy) ([]store.FlowSummary, error) {
	var have []string
	for _, s := range strategies {
		have = append(have, needs(s, p.Rights)...)
	}
	before, err := p.Flows.Strategies(ctx)
	if err == nil {
		err = p.Flows.SetStrategies(ctx, have)
	}
	if err != nil {
		return nil, err
	}
	published, err := p.run(ctx, flows, have)
	if err != nil && before != nil {
		// Else access would go by a configuration that never was. Should this
		// fail too, it refuses more than it has to, until the next publish.
		restore, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTimeout)
		defer cancel()
		err = errors.Join(err, p.Flows.SetStrategies(restore, before))
	}
	return published, err
}

// restoreTimeout is what putting back one item may take.
const restoreTimeout = 3 * time.Second

func (p Publish) run(ctx context.Context, flows []*flow.Flow, have []string) ([]store.FlowSummary, error) {
	if p.Lag > 0 {
		select {
		case <-p.Clock.After(p.Lag):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	missing := map[string][]string{}
	for _, status := range []flow.Status{flow.Approved, flow.Escalated} {
		q := store.Query{By: store.ByStatus, Value: string(status), Limit: 200}
		for {
			page, err := p.Runs.List(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, hit := range page.Runs {
				if hit.ApprovalOnly {
					continue // approved for ever, with nothing to take away
				}
				r, err := p.Runs.Get(ctx, hit.ID) // hits may be old
				if err != nil {
					return nil, err
				}
				if !r.Access.Live() {
					continue
				}
				frozen := r.Access.Strategy
				frozen.Targets = []flow.Target{r.Access.Target}
				for _, n := range needs(frozen, p.Rights) {
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
		return nil, flow.Errorf(flow.CodeConfigNeeded,
			"access that is live now could not be taken away any more without: %s; keep it until that access has ended, or end the access first", strings.Join(lines, "; "))
	}
	return p.Flows.Publish(ctx, flows)
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
