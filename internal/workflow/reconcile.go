package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Reconcile compares now and then what is recorded of grants with what targets
// show. It takes nothing away by itself and needs no right but to look: what
// lingers is handed to the removal, what is missing is noted on its run, and
// administrators are told of both, and of what is back or was never ours.
//
// A comparison goes from target to target, in as many looks as it takes: each
// one goes on where the last one stopped, be it that its time was over or that a
// system asked to be left alone.
type Reconcile struct {
	Runs   store.Runs
	Grants store.Grants
	Flows  *store.Flows
	Drifts store.Drifts
	Open   strategy.Opener // of strategies that may look, at least
	// Observes tells whether a strategy reads its targets back. Of the others the
	// success of their calls is all that there is to know: they are not opened.
	Observes func(flow.Strategy) bool
	Notices  Notices
	Now      func() time.Time
	Log      *slog.Logger
	Every    time.Duration // from the beginning of a comparison to that of the next
	Budget   time.Duration // of one look
	// Within bounds a look; nil is context.WithTimeout.
	Within func(context.Context, time.Duration) (context.Context, context.CancelFunc)
}

const (
	// settled is how long after a grant its absence counts: reading it back may
	// show what was before.
	settled = 2 * time.Minute
	// tellEvery is how often administrators hear of changes at most; of what
	// lingers they hear at once.
	tellEvery = 24 * time.Hour
	// maxFound is how many differences are listed, and maxToldDrifts how many of a
	// kind a message has.
	maxFound      = 500
	maxToldDrifts = 10
)

// place is somewhere to look: a target of a strategy, with its bindings.
type place struct {
	id       string // of what the system sees of it, so that names and labels don't matter
	strategy flow.Strategy
	target   flow.Target
	granted  map[string]granted // by the entitlement's key: what live runs have there
}

// granted is an entitlement that a live run has.
type granted struct {
	run         string
	missing     bool // by the last comparison
	entitlement flow.Entitlement
	identity    string
}

// Look goes on with the comparison, or begins one if it is time. It returns the
// report of the last one that was finished. A look at the same time as another
// one is in vain, and does no harm.
func (c Reconcile) Look(ctx context.Context) (store.DriftReport, error) {
	comparison, rev, err := c.Drifts.Get(ctx)
	if err != nil {
		return store.DriftReport{}, err
	}
	now := c.Now().UTC()
	if comparison.Current.Began.IsZero() {
		if now.Sub(comparison.Last.Began) < c.Every {
			return comparison.Last, nil
		}
		comparison.Current, comparison.After = store.DriftReport{Began: now}, ""
	}
	done, err := c.goOn(ctx, &comparison)
	if err == nil && done {
		err = c.finish(ctx, &comparison)
	}
	put := c.Drifts.Put(ctx, comparison, rev)
	if errors.Is(put, store.ErrConflict) {
		put = nil // another look's report
	}
	return comparison.Last, errors.Join(err, put)
}

// goOn looks at the places that are left. False: another look has to go on.
func (c Reconcile) goOn(ctx context.Context, comparison *store.Comparison) (bool, error) {
	places, err := c.places(ctx)
	if err != nil {
		return false, err
	}
	within := c.Within
	if within == nil {
		within = context.WithTimeout
	}
	looking, cancel := within(ctx, c.Budget)
	defer cancel()
	report := &comparison.Current
	for _, p := range places {
		if p.id <= comparison.After {
			continue
		}
		found, unknown, err := c.compare(looking, p)
		switch {
		case looking.Err() != nil && ctx.Err() == nil, flow.AskedToWait(err) > 0:
			return false, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			c.Log.WarnContext(ctx, "a target could not be compared with what was granted there", "strategy", p.strategy.Name, "target", p.target.Name, "error", err)
			if report.Unseen == nil {
				report.Unseen = map[string]string{}
			}
			report.Unseen[p.target.Title()] = flow.Clip(flow.UserMessage(err), 300)
		default:
			report.Targets, report.Grants = report.Targets+1, report.Grants+len(p.granted)
		}
		for _, d := range found {
			enter(report, comparison.Last, d)
		}
		if unknown > 0 {
			if report.Unknown == nil {
				report.Unknown = map[string]int{}
			}
			report.Unknown[p.target.Title()] += unknown
		}
		comparison.After = p.id
	}
	return true, nil
}

// enter lists a difference, once, with since when it is known.
func enter(report *store.DriftReport, last store.DriftReport, d flow.Drift) {
	same := func(other flow.Drift) bool { return other.Kind == d.Kind && other.Key == d.Key }
	if slices.ContainsFunc(report.Found, same) {
		return
	}
	if i := slices.IndexFunc(last.Found, same); i >= 0 {
		d.Since = last.Found[i].Since
	}
	if len(report.Found) >= maxFound && d.Kind != flow.DriftLingering {
		report.More++
		return
	}
	report.Found = append(report.Found, d)
}

// places lists where to look, in a stable order: at the targets of the
// configuration, and wherever live runs have access.
func (c Reconcile) places(ctx context.Context) ([]place, error) {
	all := map[string]*place{}
	at := func(s flow.Strategy, target flow.Target) (*place, error) {
		s.Targets = nil
		seen, err := flow.EncodeJSON([]any{s.Type, s.Settings, s.Integration, target.Type, target.Settings})
		if err != nil {
			return nil, err
		}
		id := s.Type + " " + string(seen)
		if all[id] == nil {
			all[id] = &place{id: id, strategy: s, target: target, granted: map[string]granted{}}
		}
		return all[id], nil
	}
	list, err := c.Flows.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, summary := range list {
		if summary.ApprovalOnly {
			continue
		}
		f, err := c.Flows.Version(ctx, summary.Name, summary.Version)
		if err != nil {
			return nil, err
		}
		if f.Strategy == nil || !c.Observes(*f.Strategy) {
			continue
		}
		for _, target := range f.Strategy.Targets {
			if len(target.FieldBindings) > 0 {
				continue // what requesters choose is known of their runs only
			}
			if _, err := at(*f.Strategy, target); err != nil {
				return nil, err
			}
		}
	}
	q := store.Query{By: store.ByStatus, Value: string(flow.Escalated), Limit: 200}
	for {
		page, err := c.Runs.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Runs {
			if !r.Held(c.Now()) || !c.Observes(r.Access.Strategy) {
				continue
			}
			for _, e := range r.Access.Entitlements {
				if seen := r.Access.SeenAt(e.Key); seen.IsZero() || seen.After(c.Now().Add(-settled)) {
					continue
				}
				p, err := at(r.Access.Strategy, r.Access.TargetOf(e.Entitlement))
				if err != nil {
					return nil, err
				}
				p.granted[e.Key] = granted{r.ID, e.State() == flow.PartMissing || len(r.Access.Entitlements) == 1 && r.Missing(), e.Entitlement, r.Access.Identity}
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	sorted := make([]place, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		sorted = append(sorted, *all[id])
	}
	return sorted, nil
}

// compare looks at one place, and counts the access there that was never ours if
// the target is not said to be exclusive.
func (c Reconcile) compare(ctx context.Context, p place) (found []flow.Drift, unknown int, err error) {
	opened, err := c.Open(p.strategy)
	if err != nil {
		return nil, 0, err
	}
	observer, observes := opened.(strategy.Observer)
	if !observes {
		return nil, 0, flow.Errorf(flow.CodeStrategy, "strategy %s can't read its targets back", p.strategy.Name)
	}
	differs := func(e flow.Entitlement, identity string) error {
		d, err := c.differs(ctx, p, observer, e, identity)
		switch {
		case err != nil:
			return err
		case d.Kind == flow.DriftUnknown && p.target.Settings[strategy.SettingExclusive] != "true":
			unknown++
		case d.Kind != "":
			found = append(found, d)
		}
		return nil
	}
	there := map[string]bool{}
	lister, lists := opened.(strategy.Lister)
	if lists {
		holders, err := lister.Holders(ctx, p.target)
		if err != nil {
			return nil, 0, err
		}
		for _, identity := range holders {
			entitlements, err := opened.Entitlements(p.target, identity, "")
			if flow.CodeOf(err) == flow.CodeIdentity { // we could grant them nothing; that keeps nobody else from being looked at
				if p.target.Settings[strategy.SettingExclusive] != "true" {
					unknown++
					continue
				}
				found = append(found, flow.Drift{
					Kind: flow.DriftUnknown, Key: strings.Join([]string{p.strategy.Name, p.target.Name, identity}, "/"), Strategy: p.strategy.Name,
					Target: p.target.Name, Title: p.target.Title(), Identity: identity, Since: c.Now().UTC(),
				})
				continue
			}
			if err != nil {
				return nil, 0, err
			}
			for _, e := range entitlements {
				there[e.Key] = true
				if _, ours := p.granted[e.Key]; !ours {
					if err := differs(e, identity); err != nil {
						return nil, 0, err
					}
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.granted)) {
		g := p.granted[key]
		alone := len(g.entitlement.Values) == 0 // a list does not say which value somebody has
		if there[key] && alone && g.missing {
			if err := c.note(ctx, g.run, flow.Find{Key: key}); err != nil {
				return nil, 0, err
			}
		}
		if there[key] && alone {
			continue
		}
		if err := differs(g.entitlement, g.identity); err != nil {
			return nil, 0, err
		}
	}
	return found, unknown, nil
}

// differs looks again, at the entitlement alone and at its records as they are
// now, and sees to what follows.
func (c Reconcile) differs(ctx context.Context, p place, observer strategy.Observer, e flow.Entitlement, identity string) (flow.Drift, error) {
	d := flow.Drift{Key: e.Key, Strategy: p.strategy.Name, Target: p.target.Name, Title: p.target.Title(), Identity: identity, Since: c.Now().UTC()}
	g, err := c.Grants.Get(ctx, e.Key)
	if err != nil {
		return d, err
	}
	var runs []holding // that hold it, or held it lately
	for _, h := range g.Holders {
		runs = append(runs, holding{Holder: h})
	}
	for _, left := range g.Left {
		runs = append(runs, holding{Holder: flow.Holder{Run: left.Run}, left: true})
	}
	live, leaving := false, false
	for i, h := range runs {
		r, err := c.Runs.Get(ctx, h.Run)
		if flow.CodeOf(err) == flow.CodeUnknownRun {
			continue
		}
		if err != nil {
			return d, err
		}
		mine := r.Access != nil && slices.ContainsFunc(r.Access.Entitlements, func(other flow.Part) bool { return other.Key == e.Key })
		if !mine {
			continue
		}
		runs[i].run = &r
		live = live || r.Access.Live()
		leaving = leaving || h.left && r.Access.Live()
	}
	last := func(which func(holding) bool) *flow.Run { // of some, the one that began last
		var last *flow.Run
		for _, h := range runs {
			if h.run != nil && which(h) && (last == nil || h.run.Access.First.After(last.Access.First)) {
				last = h.run
			}
		}
		return last
	}
	who := last(func(holding) bool { return true })
	seen, err := observer.Observe(ctx, strategy.Call{
		RunID: idOf(who), Entitlement: e, Target: p.target, Identity: identity, Class: strategy.Looking, Record: events.AuditRecord{}, Output: g.Output,
	})
	if err != nil {
		return d, err
	}
	has := func(h holding) bool {
		return seen.Presence == flow.Present && g.Covers(seen.Value, h.Value)
	}
	switch d.Kind = g.Compare(seen.Presence, seen.Value, live, leaving, c.Now()); d.Kind {
	case flow.DriftMissing:
		who = last(func(h holding) bool {
			at := h.run.Access.SeenAt(e.Key) // zero: this one of several was never granted to the run
			return h.run.Held(c.Now()) && !at.IsZero() && !at.After(c.Now().Add(-settled)) && !has(h)
		})
		if who == nil { // being granted, or its end has come
			d.Kind = ""
			return d, nil
		}
		err = c.note(ctx, who.ID, flow.Miss{Key: e.Key})
	case flow.DriftLingering:
		if closed := last(func(h holding) bool { return !h.run.Access.Live() }); closed != nil {
			who = closed
			err = c.note(ctx, who.ID, flow.Linger{})
		}
	case "":
		for _, h := range runs {
			if h.run != nil && h.run.Missing() && has(h) && err == nil {
				err = c.note(ctx, h.run.ID, flow.Find{Key: e.Key})
			}
		}
	}
	if who != nil {
		d.Run, d.Requester = who.ID, who.Requester.Display()
	}
	return d, err
}

// holding is a run that holds an entitlement, or has left it.
type holding struct {
	flow.Holder
	left bool
	run  *flow.Run // nil: it is unknown, or does not have the entitlement
}

func idOf(r *flow.Run) string {
	if r == nil {
		return ""
	}
	return r.ID
}

// note writes on a run what the target showed, unless the run has moved on.
func (c Reconcile) note(ctx context.Context, id string, in flow.Input) error {
	_, err := c.Runs.Change(ctx, id, c.Now, func(flow.Run) (flow.Input, error) { return in, nil })
	if code := flow.CodeOf(err); code == flow.CodeStale || code == flow.CodeInvalidRun {
		return nil
	}
	return err
}

// finish makes the current report the last one, and tells of what has changed.
func (c Reconcile) finish(ctx context.Context, comparison *store.Comparison) error {
	report := comparison.Current
	report.Ended = c.Now().UTC()
	slices.SortStableFunc(report.Found, func(a, b flow.Drift) int {
		return cmp.Or(
			cmp.Compare(slices.Index(flow.DriftKinds, a.Kind), slices.Index(flow.DriftKinds, b.Kind)),
			cmp.Compare(a.Title, b.Title), cmp.Compare(a.Key, b.Key),
		)
	})
	comparison.Last, comparison.Current, comparison.After = report, store.DriftReport{}, ""
	var now []string
	var news []flow.Drift
	urgent := false
	for _, d := range report.Found {
		name := string(d.Kind) + " " + d.Key
		now = append(now, name)
		if !slices.Contains(comparison.Told, name) {
			news = append(news, d)
			urgent = urgent || d.Kind == flow.DriftLingering
		}
	}
	over := 0
	for _, name := range comparison.Told {
		if !slices.Contains(now, name) {
			over++
		}
	}
	if len(news)+over == 0 || !urgent && report.Ended.Sub(comparison.ToldAt) < tellEvery {
		return nil
	}
	about := "drift " + report.Ended.Format(time.RFC3339)
	if err := c.Notices.Tell(ctx, about, tellDrift(news, over), ""); err != nil {
		return err
	}
	comparison.Told, comparison.ToldAt = now, report.Ended
	return nil
}

// driftWords say what a kind of difference is, and what is done about it.
var driftWords = map[flow.DriftKind]string{
	flow.DriftLingering: "Access that was to be gone is still there, and is being taken away again",
	flow.DriftMissing:   "Access that was granted is not there any more: somebody took it away at the target. The request's message has a button to grant it again",
	flow.DriftBack:      "Access that we had taken away is there again: somebody else gave it, and it stays until somebody takes it away",
	flow.DriftUnknown:   "Access that nobody asked for here, at a target that is to have no other",
}

// tellDrift writes what has changed, for the error channel.
func tellDrift(news []flow.Drift, over int) string {
	var lines []string
	for _, kind := range flow.DriftKinds {
		n := 0
		for _, d := range news {
			if d.Kind != kind {
				continue
			}
			if n++; n == 1 {
				lines = append(lines, driftWords[kind]+":")
			}
			if n <= maxToldDrifts {
				who := d.Identity
				if d.Requester != "" && !strings.EqualFold(d.Requester, d.Identity) {
					who = d.Requester + " (" + d.Identity + ")"
				}
				lines = append(lines, "• "+who+" at "+d.Title)
			}
		}
		if n > maxToldDrifts {
			lines = append(lines, fmt.Sprintf("• and %d more", n-maxToldDrifts))
		}
	}
	if over > 0 {
		lines = append(lines, fmt.Sprintf("%d that you were told of before are settled.", over))
	}
	return "What targets show is not what was granted here.\n" + strings.Join(lines, "\n")
}
