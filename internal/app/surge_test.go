package app

import (
	"context"
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// removals is how many end at the same moment in TestRemovalsAtOnceInAWS;
// docs/benchmarks.md has what 10,000 come to.
var removals = flag.Int("removals", 500, "how many removals end at the same moment in AWS")

// TestRemovalsAtOnceInAWS: however many grants end at the same moment, all are gone
// in time, by both paths or by either one alone, in an account with Lambda's limit of
// 1,000 executions. What the services add is modelled as AWS documents it: the slow
// start of a queue's readers, Lambda's own queue, Scheduler's minute.
func TestRemovalsAtOnceInAWS(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]path{"BothPaths": "", "SweepAlone": bySchedule, "ScheduleAlone": bySweep} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { surge(t, lost) })
		})
	}
}

func surge(t *testing.T, lost path) {
	ctx, stop := context.WithCancel(t.Context())
	w := newSickWorld(ctx, t)
	p := w.boot(campaign{limit: 1000, lost: lost})
	ids := w.grant(ctx, p, "orders-db", *removals)
	p.start(ctx)
	ends := w.began.Add(accessLasts)
	pass(time.Until(ends.Add(10 * time.Minute)))
	stop()
	synctest.Wait()
	var late time.Duration
	for _, id := range ids {
		if w.run(id).Status != flow.Deescalated {
			t.Fatal("a removal is lost")
		}
		by := w.gone[id].Sub(ends)
		if by < 0 {
			t.Errorf("access was taken away %s before its end", -by)
		}
		late = max(late, by)
	}
	if late > flow.RemovalPromise {
		t.Errorf("the last of %d removals was %s late", len(ids), late)
	}
	t.Logf("the last of %d removals was %s late", len(ids), late.Round(100*time.Millisecond))
}
