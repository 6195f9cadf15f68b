package workflow

import (
	"context"
	"log/slog"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy"
)

// Linger asks the targets of all flows for how long sessions go on after access
// was taken away, so that people are told before they ask for it, and before they
// approve it. It needs the rights of strategies to look; what it learns is kept for
// those who have none.
type Linger struct {
	Flows     *store.Flows
	Lingering store.Lingering
	Open      strategy.Opener
	Observes  func(flow.Strategy) bool // tells which strategies can look at targets
	Now       func() time.Time
	Log       *slog.Logger
	// AtOnce is how many targets are asked in one round, at most.
	AtOnce int
}

// lingerTime bounds the answer of one target.
const lingerTime = 10 * time.Second

// Ask asks the targets whose answers are missing or old, and returns how many.
// What can't be asked is tried again later: until then nothing is said of it. The
// error says that nothing could be read or kept.
func (l Linger) Ask(ctx context.Context) (int, error) {
	list, err := l.Flows.List(ctx)
	if err != nil {
		return 0, err
	}
	asked := map[string]flow.Lingers{} // flows may share targets
	for _, summary := range list {
		if summary.ApprovalOnly || len(asked) >= l.AtOnce || ctx.Err() != nil {
			continue
		}
		f, err := l.Flows.Version(ctx, summary.Name, summary.Version)
		if err == nil {
			err = l.flow(ctx, f, asked)
		}
		if err != nil {
			return len(asked), err
		}
	}
	return len(asked), nil
}

func (l Linger) flow(ctx context.Context, f *flow.Flow, asked map[string]flow.Lingers) error {
	if f.Strategy == nil || !l.Observes(*f.Strategy) {
		return nil
	}
	opened, err := l.Open(*f.Strategy)
	if err != nil {
		l.Log.WarnContext(ctx, "how long sessions go on could not be asked", "flow", f.Name, "error", err)
		return nil
	}
	lingerer, ok := opened.(strategy.Lingerer)
	if !ok {
		return nil
	}
	known, err := l.Lingering.Get(ctx, f.Name)
	if err != nil {
		return err
	}
	answers := map[string]flow.Lingers{}
	for _, t := range known.Due(f.Strategy, l.Now()) {
		key := flow.LingerKey(f.Strategy, t)
		a, ok := asked[key]
		if !ok {
			if len(asked) >= l.AtOnce || ctx.Err() != nil {
				break
			}
			a = l.target(ctx, lingerer, f, t)
			asked[key] = a
		}
		answers[key] = a
	}
	if len(answers) == 0 {
		return nil
	}
	return l.Lingering.Change(ctx, f.Name, func(now flow.Lingering) flow.Lingering { return now.Learn(f.Strategy, answers) })
}

func (l Linger) target(ctx context.Context, lingerer strategy.Lingerer, f *flow.Flow, t flow.Target) (a flow.Lingers) {
	a = flow.Lingers{Key: flow.LingerKey(f.Strategy, t), Seconds: -1, At: l.Now().Unix()}
	defer func() {
		if p := recover(); p != nil {
			l.Log.ErrorContext(ctx, "how long sessions at a target go on could not be asked", "flow", f.Name, "target", t.Name, "error", panicked(p))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, lingerTime)
	defer cancel()
	d, err := lingerer.Lingers(ctx, t)
	if err != nil || d < 0 {
		l.Log.InfoContext(ctx, "how long sessions at a target go on could not be asked", "flow", f.Name, "target", t.Name, "error", err)
		return a
	}
	a.Seconds = int64(d.Round(time.Second) / time.Second)
	return a
}

// lingers gives for how long sessions at the target of a request may go on after
// its access, in seconds: 0 if they do not, or that is not known.
func (a Approval) lingers(ctx context.Context, f *flow.Flow, r flow.Run, terms *flow.Terms) (int64, error) {
	target := r.GivenTarget()
	if terms != nil && terms.Target != nil {
		target = terms.Target
	}
	if f.Strategy == nil || target == nil {
		return 0, nil
	}
	known, err := a.Lingering.Get(ctx, f.Name)
	d, _ := known.For(f.Strategy, *target, a.Now())
	return int64(d / time.Second), err
}
