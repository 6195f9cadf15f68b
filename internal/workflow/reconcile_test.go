package workflow_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/workflow"
)

// listingStrategy lists who has what at the worlds' target.
type listingStrategy struct{ seeingStrategy }

func (g listingStrategy) Holders(ctx context.Context, target flow.Target) ([]string, error) {
	if err := g.call(ctx, "list", strategy.Call{}, false); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.has, "") // which the call has set
	prefix := "db/"
	if account := target.Settings["account_id"]; account != "" {
		prefix += account + "/"
	}
	var out []string
	for key, has := range g.has {
		if identity, ok := strings.CutPrefix(key, prefix); ok && has {
			out = append(out, identity)
		}
	}
	return out, nil
}

// reconcile compares each hour, and lists who has what if lists says so.
func (w *world) reconcile(lists bool) (workflow.Reconcile, *told) {
	heard := &told{}
	return workflow.Reconcile{
		Runs: w.runs, Grants: w.grants, Flows: w.flows, Drifts: store.Drifts{Store: w.memory}, Notices: heard,
		Open: func(s flow.Strategy) (strategy.Strategy, error) {
			opened, err := w.target.open(s)
			if seeing, ok := opened.(seeingStrategy); ok && lists {
				return listingStrategy{seeing}, err
			}
			return opened, err
		},
		Observes: func(flow.Strategy) bool { return !w.target.blind },
		Now:      w.clock.Now, Log: w.sweep.Log, Every: time.Hour, Budget: time.Minute,
	}, heard
}

// compared lets an hour pass and compares.
func (w *world) compared(c workflow.Reconcile) store.DriftReport {
	w.t.Helper()
	w.pass(time.Hour)
	report, err := c.Look(w.t.Context())
	must(w.t, err)
	w.settle()
	if !report.Ended.Equal(w.clock.Now()) {
		w.t.Fatalf("the last comparison ended at %v, it is %v", report.Ended, w.clock.Now())
	}
	return report
}

// drifts names what was found.
func drifts(r store.DriftReport) string {
	var out []string
	for _, d := range r.Found {
		out = append(out, string(d.Kind)+" "+d.Identity)
	}
	return strings.Join(out, ", ")
}

// granted gives access to somebody who keeps it until it is ended.
func (w *world) granted(who store.User) string {
	w.t.Helper()
	id := w.ask(who, "on call: "+who.Name)
	w.click(id, flow.ActionApprove, first)
	w.want(id, flow.Escalated)
	return id
}

// set has somebody else change the target.
func (w *world) set(who store.User, has bool) {
	w.target.mu.Lock()
	defer w.target.mu.Unlock()
	w.target.has["db/"+who.Email] = has
}

// TestReconcile_Agrees: nothing is told of a target that shows what was granted,
// however it can be read.
func TestReconcile_Agrees(t *testing.T) {
	t.Parallel()
	for _, lists := range []bool{true, false} {
		w := newWorld(t, forever)
		w.granted(asker)
		ended := w.granted(second)
		w.click(ended, flow.ActionDeescalate, second)
		w.want(ended, flow.Deescalated)
		c, heard := w.reconcile(lists)
		report := w.compared(c)
		if drifts(report) != "" || report.Targets != 1 || report.Grants != 1 || len(heard.sent) > 0 {
			t.Errorf("lists %t: %+v, told %q", lists, report, heard.sent)
		}
	}
}

// TestReconcile_Missing: what somebody took away at the target is noted on its run
// and told once, and is granted again by whoever may say so.
func TestReconcile_Missing(t *testing.T) {
	t.Parallel()
	for _, lists := range []bool{true, false} {
		w := newWorld(t, forever)
		id := w.granted(asker)
		w.set(asker, false)
		c, heard := w.reconcile(lists)
		for range 3 {
			if got := drifts(w.compared(c)); got != "missing "+asker.Email {
				t.Fatalf("lists %t: found %q", lists, got)
			}
		}
		if r := w.run(id); !r.Missing() || r.Status != flow.Escalated {
			t.Errorf("the run is %s, missing %t", r.Status, r.Missing())
		}
		if len(heard.sent) != 1 || !strings.Contains(heard.sent[0], "asker ("+asker.Email+") at Orders database") {
			t.Errorf("told %q", heard.sent)
		}
		if _, err := w.submit.Retry(t.Context(), id, asker); flow.CodeOf(err) != flow.CodeForbidden {
			t.Errorf("the requester has it granted again: %v", err)
		}
		_, err := w.submit.Retry(t.Context(), id, first)
		must(t, err)
		w.settle()
		w.want(id, flow.Escalated)
		w.wantPresent("db/" + asker.Email)
		if got := drifts(w.compared(c)); got != "" {
			t.Errorf("lists %t: after it was granted again %q", lists, got)
		}
	}
}

// TestReconcile_Found: what was missing and is there again needs nothing.
func TestReconcile_Found(t *testing.T) {
	t.Parallel()
	for _, lists := range []bool{true, false} {
		w := newWorld(t, forever)
		id := w.granted(asker)
		w.set(asker, false)
		c, _ := w.reconcile(lists)
		w.compared(c)
		w.set(asker, true)
		got, r := drifts(w.compared(c)), w.run(id)
		if got != "" || r.Missing() {
			t.Errorf("lists %t: found %q, missing %t", lists, got, r.Missing())
		}
	}
}

// TestReconcile_Lingering: access of a closed run that was never seen absent is
// taken away by an event of its own, and told of at once.
func TestReconcile_Lingering(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever)
	id := w.granted(asker)
	w.click(id, flow.ActionDeescalate, asker)
	w.want(id, flow.Deescalated)
	// As a build that saw to it less closely would have left it.
	_, err := w.grants.Change(t.Context(), "db/"+asker.Email, func(g flow.Grant) (flow.Grant, error) {
		g.State, g.Before, g.Holders, g.Ended = flow.GrantPresent, flow.Absent, []flow.Holder{{Run: id}}, time.Time{}
		return g, nil
	})
	must(t, err)
	w.set(asker, true)
	c, heard := w.reconcile(true)
	if got := drifts(w.compared(c)); got != "lingering "+asker.Email {
		t.Fatalf("found %q", got)
	}
	w.pass(5 * time.Minute)
	r := w.want(id, flow.Deescalated)
	w.wantPresent()
	if e, _ := r.Last(flow.EventDeescalate); e.Fields[flow.KeyLingering] == nil {
		t.Errorf("recorded %+v", e)
	}
	if len(heard.sent) != 1 || !strings.Contains(heard.sent[0], "being taken away again") {
		t.Errorf("told %q", heard.sent)
	}
	if got := drifts(w.compared(c)); got != "" {
		t.Errorf("afterwards %q", got)
	}
}

// TestReconcile_Back: what comes back after we saw it absent is somebody else's
// doing, told with who had it, and left alone.
func TestReconcile_Back(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever)
	id := w.granted(asker)
	w.click(id, flow.ActionDeescalate, asker)
	w.want(id, flow.Deescalated)
	w.set(asker, true)
	c, _ := w.reconcile(true)
	report := w.compared(c)
	if drifts(report) != "back "+asker.Email || report.Found[0].Run != id || report.Found[0].Requester != "asker" {
		t.Fatalf("found %+v", report.Found)
	}
	since := report.Found[0].Since
	if report = w.compared(c); !report.Found[0].Since.Equal(since) {
		t.Errorf("known since %v, then since %v", since, report.Found[0].Since)
	}
	w.want(id, flow.Deescalated)
	w.wantPresent("db/" + asker.Email)
}

// TestReconcile_Unknown: access that was never ours is counted, and listed where
// there is to be none; what was there before us is not told of while we hold it.
func TestReconcile_Unknown(t *testing.T) {
	t.Parallel()
	for _, exclusive := range []string{"", "false", "true"} {
		w := newWorld(t, forever, func(f *flow.Flow) {
			if exclusive != "" {
				f.Strategy.Targets[0].Settings[strategy.SettingExclusive] = exclusive
			}
		})
		w.set(asker, true)
		w.granted(asker)
		w.set(third, true)
		c, heard := w.reconcile(true)
		report := w.compared(c)
		switch exclusive {
		case "true":
			if drifts(report) != "unknown "+third.Email || len(report.Unknown) != 0 || len(heard.sent) != 1 {
				t.Errorf("exclusive: %+v, told %q", report, heard.sent)
			}
		default:
			if drifts(report) != "" || report.Unknown["Orders database"] != 1 || len(heard.sent) != 0 {
				t.Errorf("exclusive %q: %+v, told %q", exclusive, report, heard.sent)
			}
		}
	}
}

// pickyStrategy refuses whoever has no e-mail address.
type pickyStrategy struct{ listingStrategy }

func (p pickyStrategy) Entitlements(target flow.Target, identity, runID string) ([]flow.Entitlement, error) {
	if !strings.Contains(identity, "@") {
		return nil, flow.Errorf(flow.CodeIdentity, "%q is nobody", identity)
	}
	return p.listingStrategy.Entitlements(target, identity, runID)
}

// TestReconcile_Stranger: somebody at the target of whom the strategy knows nothing is
// counted, or told of, and hides nothing else.
func TestReconcile_Stranger(t *testing.T) {
	t.Parallel()
	for _, exclusive := range []string{"", "true"} {
		w := newWorld(t, forever, func(f *flow.Flow) {
			if exclusive != "" {
				f.Strategy.Targets[0].Settings[strategy.SettingExclusive] = exclusive
			}
		})
		w.granted(asker)
		w.set(asker, false)
		w.set(store.User{Actor: flow.Actor{Email: "service[bot]"}}, true)
		c, _ := w.reconcile(true)
		open := c.Open
		c.Open = func(s flow.Strategy) (strategy.Strategy, error) {
			opened, err := open(s)
			return pickyStrategy{opened.(listingStrategy)}, err
		}
		report := w.compared(c)
		want, unknown := "missing "+asker.Email, 1
		if exclusive == "true" {
			want, unknown = want+", unknown service[bot]", 0
		}
		if drifts(report) != want || report.Unknown["Orders database"] != unknown || len(report.Unseen) > 0 {
			t.Errorf("exclusive %q: %+v", exclusive, report)
		}
	}
}

// TestReconcile_UnderWay: nothing is said of access that is just being granted or
// taken away, nor of what a target may not show yet.
func TestReconcile_UnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever)
	c, _ := w.reconcile(true)
	c.Every = time.Second
	id := w.ask(asker, "on call")
	w.target.fates["observe"] = []fate{ok, unavailable, unavailable}
	w.click(id, flow.ActionApprove, first)
	look := func(what string) {
		t.Helper()
		w.clock.Advance(2 * time.Second)
		report, err := c.Look(t.Context())
		must(t, err)
		if got := drifts(report); got != "" {
			t.Errorf("%s: %q", what, got)
		}
	}
	look("while it is granted")
	w.pass(time.Minute)
	w.want(id, flow.Escalated)
	w.set(asker, false)
	look("just granted, and not shown")
	w.set(asker, true)
	w.pass(time.Hour)
	for range 50 {
		w.target.fates["revoke"] = append(w.target.fates["revoke"], unavailable)
	}
	w.click(id, flow.ActionDeescalate, asker)
	look("while it is taken away")
}

// TestReconcile_Pace: a look ends when the system asks to be left alone, and the
// next one goes on where it stopped; what fails otherwise is said, and left out.
func TestReconcile_Pace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever, func(f *flow.Flow) {
		for i := range 4 {
			f.Strategy.Targets = append(f.Strategy.Targets, flow.Target{Name: fmt.Sprint("db", i), Type: "fake", Settings: map[string]string{"n": fmt.Sprint(i)}})
		}
	})
	c, _ := w.reconcile(true)
	w.pass(time.Hour)
	w.target.fates["list"] = []fate{ok, refused, asksToWait, ok}
	report, err := c.Look(t.Context())
	must(t, err)
	if !report.Ended.IsZero() || w.target.calls["list"] != 3 {
		t.Fatalf("after %d calls: %+v", w.target.calls["list"], report)
	}
	report, err = c.Look(t.Context())
	must(t, err)
	if report.Targets != 4 || w.target.calls["list"] != 6 || len(report.Unseen) != 1 {
		t.Errorf("after %d calls: %+v", w.target.calls["list"], report)
	}
	if report, err = c.Look(t.Context()); err != nil || w.target.calls["list"] != 6 {
		t.Errorf("it is not time for another: %d calls, %+v, %v", w.target.calls["list"], report, err)
	}
}

// TestReconcile_Tells: what has changed is told once a day, and no more.
func TestReconcile_Tells(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever)
	w.granted(asker)
	w.granted(second)
	w.set(asker, false)
	c, heard := w.reconcile(true)
	w.compared(c)
	w.set(second, false)
	for range 23 {
		w.compared(c)
	}
	if len(heard.sent) != 1 {
		t.Errorf("told %d times in a day: %q", len(heard.sent), heard.sent)
	}
	w.compared(c)
	if len(heard.sent) != 2 || strings.Contains(heard.sent[1], asker.Email) || !strings.Contains(heard.sent[1], second.Email) {
		t.Errorf("the day after: %q", heard.sent)
	}
	w.set(asker, true)
	w.set(second, true)
	for range 24 {
		w.compared(c)
	}
	if len(heard.sent) != 3 || !strings.Contains(heard.sent[2], "2 that you were told of before are settled") {
		t.Errorf("once it is settled: %q", heard.sent)
	}
}

// TestReconcile_Blind: a target that can't be read is not spoken of.
func TestReconcile_Blind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forever)
	w.target.blind = true
	w.granted(asker)
	w.set(asker, false)
	c, _ := w.reconcile(true)
	if report := w.compared(c); drifts(report) != "" || len(report.Unseen) != 0 {
		t.Errorf("%+v", report)
	}
}

// BenchmarkReconcile compares ten thousand grants at a hundred targets with what
// these show.
func BenchmarkReconcile(b *testing.B) {
	w := newWorld(b, forever)
	seed := w.run(w.granted(asker))
	w.click(seed.ID, flow.ActionDeescalate, asker)
	const grants, targets = 10000, 100
	for i := range grants {
		r := seed
		access := *seed.Access
		r.Access = &access
		r.ID, r.Rev = flow.RunIDFrom("acme", fmt.Sprint("grant", i)), 0
		r.Access.Identity = fmt.Sprintf("holder%d@example.com", i)
		r.Access.Entitlements = []flow.Part{{Entitlement: flow.Entitlement{Key: "db/" + r.Access.Identity}}}
		r.Access.Target.Settings = map[string]string{"n": fmt.Sprint(i % targets)}
		_, err := w.runs.Put(b.Context(), r)
		must(b, err)
		w.target.has["db/"+r.Access.Identity] = true
	}
	w.feed = nil
	for b.Loop() {
		c, _ := w.reconcile(true)
		c.Open = func(flow.Strategy) (strategy.Strategy, error) {
			return spread{seeingStrategy{blindStrategy{w.target}}, grants, targets}, nil
		}
		c.Drifts.Store = &storetest.Memory{Now: w.clock.Now}
		w.clock.Advance(time.Hour)
		report, err := c.Look(b.Context())
		must(b, err)
		if report.Grants != grants || len(report.Found) > 0 {
			b.Fatalf("%d grants, %d found", report.Grants, len(report.Found))
		}
	}
	b.ReportMetric(grants*float64(b.N)/b.Elapsed().Seconds(), "grants/s")
}

// spread is a system with many targets, each of which some people have.
type spread struct {
	seeingStrategy
	people, targets int
}

func (s spread) Holders(_ context.Context, target flow.Target) ([]string, error) {
	var out []string
	n, _ := strconv.Atoi(target.Settings["n"])
	for ; n < s.people; n += s.targets {
		out = append(out, fmt.Sprintf("holder%d@example.com", n))
	}
	return out, nil
}
